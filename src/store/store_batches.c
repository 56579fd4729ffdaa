// Batches and their requests, as rows; their files are the runner's.
#include "store/store_batches.h"
#include "base/memory.h"
#include "store/store_internal.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TEXT_COLUMNS                                                                               \
    "id, account, endpoint, input_file, completion_window, status, output_file, error_file,"       \
    " metadata, errors, model, callback_url"
#define INTEGER_COLUMNS                                                                            \
    "created_at, in_progress_at, expires_at, finalizing_at, completed_at, failed_at, expired_at,"  \
    " cancelling_at, cancelled_at, total, completed, failed, output_bytes, error_bytes,"           \
    " prompt_tokens, answer_tokens, output_expires_after"
#define COLUMNS TEXT_COLUMNS ", " INTEGER_COLUMNS
#define NOT_FINAL "status NOT IN ('completed', 'failed', 'expired', 'cancelled')"

static void read_record(struct sql *sql, struct batch_record *record) {
    char **const texts[] = {&record->id, &record->account, &record->endpoint, &record->input_file,
        &record->completion_window, &record->status, &record->output_file, &record->error_file,
        &record->metadata, &record->errors, &record->model, &record->callback_url};
    int64_t *const integers[] = {&record->created_at, &record->in_progress_at, &record->expires_at,
        &record->finalizing_at, &record->completed_at, &record->failed_at, &record->expired_at,
        &record->cancelling_at, &record->cancelled_at, &record->total, &record->completed,
        &record->failed, &record->output_bytes, &record->error_bytes, &record->prompt_tokens,
        &record->answer_tokens, &record->output_expires_after};
    int column = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = sql_text(sql, column++);
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        *integers[i] = sql_integer(sql, column++);
}

void batch_record_free(struct batch_record *record) {
    char *const texts[] = {record->id, record->account, record->endpoint, record->input_file,
        record->completion_window, record->status, record->output_file, record->error_file,
        record->metadata, record->errors, record->model, record->callback_url};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memory_free(texts[i]);
    memset(record, 0, sizeof *record);
}

void batch_list_free(struct batch_record *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        batch_record_free(&records[i]);
    memory_free(records);
}

bool batch_status_is_final(const char *status) {
    static const char *const final[] = {"completed", "failed", "expired", "cancelled"};
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        if (!strcmp(status, final[i])) return true;
    return false;
}

bool batch_directory(struct store *store, const char *id, char *path, struct error *error) {
    char folder[FILE_PATH_SIZE];
    return file_path(folder, sizeof folder, error, store->directory, "batches") &&
           file_path(path, FILE_PATH_SIZE, error, folder, id);
}

// The content may be deleted by its owner while the batch runs: the batch has a link of its own.
static bool link_input(
    struct store *store, const struct batch_record *record, char *directory, struct error *error) {
    char content[FILE_PATH_SIZE], input[FILE_PATH_SIZE];
    if (!batch_directory(store, record->id, directory, error) ||
        !file_make_directories(directory, error) ||
        !file_content_path(store, record->input_file, content, error) ||
        !file_path(input, sizeof input, error, directory, "input.jsonl"))
        return false;
    if (link(content, input) != 0)
        return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO,
            "cannot take the content of %s", record->input_file);
    return file_sync_directory(directory, error);
}

static bool insert(struct store *store, const struct batch_record *record, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO batches (id, account, endpoint, input_file, completion_window, status,"
        " metadata, callback_url, created_at, expires_at, output_expires_after)"
        " VALUES (?, ?, ?, ?, ?, 'validating', ?, ?, ?, ?, ?)",
        "tttttttiii", record->id, record->account, record->endpoint, record->input_file,
        record->completion_window, record->metadata, record->callback_url, record->created_at,
        record->expires_at, record->output_expires_after);
    return sql_run(&sql, NULL);
}

bool batch_create(
    struct store *store, struct batch_record *record, int64_t window, struct error *error) {
    char directory[FILE_PATH_SIZE] = "";
    struct error ignored;
    if (!record->id && !store_make_id("batch_", &record->id, error)) return false;
    record->created_at = store_now();
    record->expires_at = record->created_at + window;
    if (link_input(store, record, directory, error) && insert(store, record, error)) return true;
    if (directory[0] && !file_remove_tree(directory, &ignored)) directory[0] = '\0';
    memory_free(record->id);
    record->id = NULL;
    return false;
}

bool batch_get(struct store *store, const char *account, const char *id,
    struct batch_record *record, struct error *error) {
    struct sql sql;
    memset(record, 0, sizeof *record);
    sql_open(&sql, store, error, "SELECT " COLUMNS " FROM batches WHERE account = ? AND id = ?",
        "tt", account, id);
    bool found = sql_row(&sql);
    if (found) read_record(&sql, record);
    if (!sql_close(&sql)) {
        batch_record_free(record);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "no batch %.128s", id);
}

// Reads rows of a list, at most `limit` of them (0: all).
static bool read_batches(struct sql *sql, size_t limit, struct batch_record **records,
    size_t *count, bool *more, struct error *error) {
    *records = NULL;
    *count = 0;
    *more = false;
    while (sql_row(sql)) {
        *more = limit && *count == limit;
        if (*more) break;
        struct batch_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql->failed = true;
            break;
        }
        ++*count;
        read_record(sql, record);
    }
    if (sql_close(sql)) return true;
    batch_list_free(*records, *count);
    return false;
}

bool batch_list(struct store *store, const struct page_query *query, struct batch_record **records,
    size_t *count, bool *more, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT " COLUMNS " FROM batches WHERE account = ?"
        " AND (? IS NULL OR seq < (SELECT seq FROM batches WHERE id = ?))"
        " AND (?4 IS NULL OR instr(lower(id || ' ' || coalesce(model, '') || ' ' ||"
        " coalesce(metadata, '')), lower(?4))) ORDER BY seq DESC LIMIT ?5",
        "tttti", query->account, query->after, query->after, query->search,
        (int64_t)query->limit + 1);
    return read_batches(&sql, (size_t)query->limit, records, count, more, error);
}

bool batch_list_open(
    struct store *store, struct batch_record **records, size_t *count, struct error *error) {
    struct sql sql;
    bool more;
    sql_open(
        &sql, store, error, "SELECT " COLUMNS " FROM batches WHERE " NOT_FINAL " ORDER BY seq", "");
    return read_batches(&sql, 0, records, count, &more, error);
}

bool batch_update(struct store *store, const struct batch_record *record, struct error *error) {
    struct sql sql;
    int changed;
    sql_open(&sql, store, error,
        "UPDATE batches SET status = CASE WHEN status = 'cancelling' AND"
        " ?1 IN ('validating', 'in_progress') THEN status ELSE ?1 END, output_file = ?, error_file "
        "= ?, errors = ?, model = ?,"
        " in_progress_at = ?, finalizing_at = ?, completed_at = ?, failed_at = ?, expired_at = ?,"
        " cancelled_at = ?, total = ?, completed = ?, failed = ?,"
        " output_bytes = ?, error_bytes = ?, prompt_tokens = ?, answer_tokens = ?"
        " WHERE id = ? AND " NOT_FINAL,
        "tttttiiiiiiiiiiiiit", record->status, record->output_file, record->error_file,
        record->errors, record->model, record->in_progress_at, record->finalizing_at,
        record->completed_at, record->failed_at, record->expired_at, record->cancelled_at,
        record->total, record->completed, record->failed, record->output_bytes, record->error_bytes,
        record->prompt_tokens, record->answer_tokens, record->id);
    if (!sql_run(&sql, &changed)) return false;
    return changed || error_set(error, ERROR_CONFLICT, "the batch %s has ended", record->id);
}

bool batch_cancel(struct store *store, const char *account, const char *id, struct error *error) {
    struct sql sql;
    int changed;
    sql_open(&sql, store, error,
        "UPDATE batches SET status = 'cancelling', cancelling_at = ?"
        " WHERE account = ? AND id = ? AND status IN ('validating', 'in_progress')",
        "itt", store_now(), account, id);
    if (!sql_run(&sql, &changed)) return false;
    if (changed) return true;
    struct batch_record record;
    if (!batch_get(store, account, id, &record, error)) return false;
    bool cancelling = !strcmp(record.status, "cancelling");
    if (!cancelling)
        (void)error_set(error, ERROR_CONFLICT,
            "Cannot cancel a batch with status '%s': it has run to its end.", record.status);
    batch_record_free(&record);
    return cancelling;
}

bool batch_uses_file(struct store *store, const char *file, bool *used, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT 1 FROM batches WHERE input_file = ? AND " NOT_FINAL " LIMIT 1", "t", file);
    *used = sql_row(&sql);
    return sql_close(&sql);
}

// ---- requests ----

bool batch_line_add(
    struct store *store, const char *batch, const struct batch_line *line, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO batch_lines (batch, line, offset, length, custom_id) VALUES (?, ?, ?, ?, ?)",
        "tiiit", batch, line->line, line->offset, line->length, line->custom_id);
    return sql_run(&sql, NULL);
}

bool batch_line_list(struct store *store, const char *batch, int64_t after, int limit,
    struct batch_line **lines, size_t *count, struct error *error) {
    struct sql sql;
    *lines = NULL;
    *count = 0;
    sql_open(&sql, store, error,
        "SELECT line, offset, length, custom_id FROM batch_lines WHERE batch = ? AND line > ?"
        " ORDER BY line LIMIT ?",
        "tii", batch, after, (int64_t)limit);
    while (sql_row(&sql)) {
        struct batch_line *line = store_grow((void **)lines, *count, sizeof *line, error);
        if (!line) {
            sql.failed = true;
            break;
        }
        ++*count;
        line->line = sql_integer(&sql, 0);
        line->offset = sql_integer(&sql, 1);
        line->length = sql_integer(&sql, 2);
        line->custom_id = sql_text(&sql, 3);
    }
    if (sql_close(&sql)) return true;
    batch_line_list_free(*lines, *count);
    return false;
}

void batch_line_list_free(struct batch_line *lines, size_t count) {
    for (size_t i = 0; i < count; i++)
        memory_free(lines[i].custom_id);
    memory_free(lines);
}

bool batch_line_remove(struct store *store, const char *batch, int64_t line, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "DELETE FROM batch_lines WHERE batch = ? AND line = ?", "ti",
        batch, line);
    return sql_run(&sql, NULL);
}

bool batch_line_clear(
    struct store *store, const char *batch, int limit, bool *left, struct error *error) {
    struct sql sql;
    int changed;
    sql_open(&sql, store, error,
        "DELETE FROM batch_lines WHERE batch = ?1 AND line IN"
        " (SELECT line FROM batch_lines WHERE batch = ?1 ORDER BY line LIMIT ?2)",
        "ti", batch, (int64_t)limit);
    if (!sql_run(&sql, &changed)) return false;
    *left = changed == limit;
    return true;
}
