// Batches: many chat requests in one file, answered when there is time. A batch has a row, a row
// for each request that has not been answered yet, and a directory batches/<id>/ with its input (a
// link to the file that was uploaded, which may be deleted meanwhile) and the results so far.
//
// Results are appended to output.jsonl and error.jsonl of the directory, and brought to disk,
// before the transaction that counts them: the row says how many bytes of each count. What lies
// behind that after a crash was never acknowledged, is cut off, and its request is run again: so
// every request has one result.
#ifndef STORE_STORE_BATCHES_H
#define STORE_STORE_BATCHES_H

#include "store/store.h"

struct batch_record {
    char *id; // "batch_…"
    char *account, *endpoint, *input_file, *completion_window, *status;
    char *output_file, *error_file;  // NULL if there is none (yet)
    char *metadata, *errors, *model; // JSON, JSON and text; NULL if none
    char *callback_url;              // of an asynchronous chat, NULL if none
    int64_t created_at, in_progress_at, expires_at, finalizing_at; // times are 0 while not known
    int64_t completed_at, failed_at, expired_at, cancelling_at, cancelled_at;
    int64_t total, completed, failed;  // requests
    int64_t output_bytes, error_bytes; // of the results that count
    int64_t prompt_tokens, answer_tokens;
    int64_t output_expires_after; // seconds from the results files' creation, 0 for never
};

// One request of a batch, as its input has it.
struct batch_line {
    int64_t line;           // from 1
    int64_t offset, length; // bytes of the input
    char *custom_id;
};

enum { BATCH_CUSTOM_ID_LENGTH = 256 };

// Makes the batch, with status "validating", to end within `window` seconds. Fills created_at,
// expires_at and, where it is NULL, record->id; the id is memory_free'd, and is NULL again after a
// failure. ERROR_NOT_FOUND where the input file's content is gone.
bool batch_create(struct store *store, struct batch_record *record, int64_t window,
    struct error *error) WARN_UNUSED;
bool batch_get(struct store *store, const char *account, const char *id,
    struct batch_record *record, struct error *error) WARN_UNUSED;

// Newest first.
bool batch_list(struct store *store, const struct page_query *query, struct batch_record **records,
    size_t *count, bool *more, struct error *error) WARN_UNUSED;

// All that are not final, oldest first.
bool batch_list_open(struct store *store, struct batch_record **records, size_t *count,
    struct error *error) WARN_UNUSED;
bool batch_status_is_final(const char *status);

// Writes all that the runner changes of a batch. A wish to cancel that came meanwhile is kept; one
// that is final stays as it is: ERROR_CONFLICT.
bool batch_update(
    struct store *store, const struct batch_record *record, struct error *error) WARN_UNUSED;

// Asks for the end: from validating or in_progress to cancelling. ERROR_CONFLICT where it is final
// or finalizing; nothing happens to one that is cancelling.
bool batch_cancel(
    struct store *store, const char *account, const char *id, struct error *error) WARN_UNUSED;

// The directory of a batch, with room for FILE_PATH_SIZE bytes.
bool batch_directory(
    struct store *store, const char *id, char *path, struct error *error) WARN_UNUSED;

// Whether a batch that is not final reads that file.
bool batch_uses_file(
    struct store *store, const char *file, bool *used, struct error *error) WARN_UNUSED;

// ---- its requests

// ERROR_CONFLICT where the batch has that custom_id already.
bool batch_line_add(struct store *store, const char *batch, const struct batch_line *line,
    struct error *error) WARN_UNUSED;

// At most `limit` that are not answered, behind line `after`, in order.
bool batch_line_list(struct store *store, const char *batch, int64_t after, int limit,
    struct batch_line **lines, size_t *count, struct error *error) WARN_UNUSED;
void batch_line_list_free(struct batch_line *lines, size_t count);

// It is answered.
bool batch_line_remove(
    struct store *store, const char *batch, int64_t line, struct error *error) WARN_UNUSED;

// At most `limit` lines at a time, so that others get their turn; *left says whether there may be
// more.
bool batch_line_clear(
    struct store *store, const char *batch, int limit, bool *left, struct error *error) WARN_UNUSED;

void batch_record_free(struct batch_record *record);
void batch_list_free(struct batch_record *records, size_t count);

#endif
