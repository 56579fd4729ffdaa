// The store: what must survive a crash, the account's files, jobs, events, checkpoints, models and
// keys. The records are plain values; SQL is nowhere but behind this header.
//
// Any function may be called from any thread. Look-ups by id take the account: what belongs to
// another is ERROR_NOT_FOUND, exactly as what never was. Texts of records that a function fills in
// belong to the record (its _free); texts of records that a function reads are borrowed for the
// call. Times are seconds.
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct store;

// Opens the data directory, and makes it where it is missing. Commands may open it beside a server.
bool store_open(struct store **store, const char *data, struct error *error) WARN_UNUSED;
void store_close(struct store *store);

// Only one server works on a data directory: holds it until store_close, or ERROR_CONFLICT. Uploads
// that the last one left half done are removed.
bool store_hold(struct store *store, struct error *error) WARN_UNUSED;

// What happens between the two happens as a whole or not at all; other threads wait.
bool store_begin(struct store *store, struct error *error) WARN_UNUSED;
bool store_commit(struct store *store, struct error *error) WARN_UNUSED;
void store_rollback(struct store *store);

// The directory that was opened, as an absolute path.
const char *store_directory(const struct store *store);

// ---- API keys, kept as SHA-256

// A key to be made.
struct key_wish {
    const char *account, *name;
    const char *scope;  // of store/store_accounts.h; NULL: "all"
    int64_t expires_at; // 0: never
};

// Makes a key, "sk-temper-…" (memory_free): the only time that it can be seen. *id (memory_free;
// `id` may be NULL) is what it is called from then on.
bool key_create(struct store *store, const struct key_wish *wish, char **id, char **key,
    struct error *error) WARN_UNUSED;
bool key_count(struct store *store, size_t *count, struct error *error) WARN_UNUSED;

struct key_record {
    char *id; // "key_…"
    char *account, *name;
    char *hint; // its first and last letters
    char *scope;
    int64_t created_at, revoked_at, expires_at; // 0: in use; 0: never
};

// Of one account, or (NULL) of all.
bool key_list(struct store *store, const char *account, struct key_record **records, size_t *count,
    struct error *error) WARN_UNUSED;
void key_list_free(struct key_record *records, size_t count);

// By its id or its whole text; of one account, or (NULL) of any.
bool key_revoke(
    struct store *store, const char *account, const char *key, struct error *error) WARN_UNUSED;

// ---- files

struct file_record {
    char *id; // "file-…"
    char *account, *filename, *purpose, *status;
    char *status_details; // NULL if none
    int64_t bytes, created_at;
    int64_t expires_at; // 0: never
};

struct file_query {
    const char *account;
    const char *purpose; // NULL for all
    const char *after;   // the id that the page follows; NULL for the first page
    int limit;
    bool ascending;     // oldest first
    const char *search; // only files whose names have this text; or NULL
};

// Moves the synced file at `path` (in the data directory) in. Fills record->id (memory_free) and
// created_at.
bool file_create(struct store *store, struct file_record *record, const char *path,
    struct error *error) WARN_UNUSED;
bool file_get(struct store *store, const char *account, const char *id, struct file_record *record,
    struct error *error) WARN_UNUSED;
bool file_list(struct store *store, const struct file_query *query, struct file_record **records,
    size_t *count, bool *more, struct error *error) WARN_UNUSED;

// ERROR_CONFLICT while a job or a batch that has not ended needs it.
bool file_delete(
    struct store *store, const char *account, const char *id, struct error *error) WARN_UNUSED;

// Where the content lies: `path` has room for FILE_PATH_SIZE bytes.
bool file_content_path(
    struct store *store, const char *id, char *path, struct error *error) WARN_UNUSED;

// Opens the content for reading.
bool file_open(struct store *store, const char *id, int *descriptor, uint64_t *size,
    struct error *error) WARN_UNUSED;
void file_record_free(struct file_record *record);
void file_list_free(struct file_record *records, size_t count);

// ---- fine-tuning jobs; lists are newest first

struct job_record {
    char *id; // "ftjob-…"
    char *account, *model, *training_file, *status;
    char *validation_file, *suffix, *fine_tuned_model; // NULL if none
    char *hyperparameters;                             // JSON: as asked for, later as chosen
    char *lora;                                        // JSON, NULL if nothing was asked for
    char *metadata, *result_files;                     // JSON, NULL if none
    char *error_code, *error_message, *error_param;    // NULL if none
    char *resume_status;                               // of one that is paused: what it goes on as
    char *metrics;                                     // JSON: the last step's, NULL if none
    int64_t seed, created_at;
    int64_t finished_at, estimated_finish, trained_tokens; // 0 while not known
    // The supervisor's own notes.
    int64_t events_read; // bytes of events.jsonl that are in the store
    int64_t last_step;   // of which metrics are in the store
    int64_t attempts;    // trainers that died on it
};

struct page_query {
    const char *account;
    const char *job;   // of events and checkpoints; of deliveries the endpoint
    const char *after; // the id that the page follows; NULL for the first page
    int limit;
    bool ascending;           // of events: oldest first
    const char *metadata_key; // of jobs: only those whose metadata has this pair
    const char *metadata_value;
    bool without_metadata; // of jobs: only those that have none
    const char *search;    // of jobs and batches: only those whose names have this text; or NULL
};

struct event_record {
    char *id; // "ftevent-…"
    char *level, *message, *type;
    char *data; // JSON, NULL if none
    int64_t created_at;
};

struct checkpoint_record {
    char *id;      // "ftckpt_…"
    char *model;   // "ft:…:ckpt-step-<n>"
    char *metrics; // JSON
    int64_t step, created_at;
};

// Fills record->id (memory_free) and created_at.
bool job_create(struct store *store, struct job_record *record, struct error *error) WARN_UNUSED;
bool job_get(struct store *store, const char *account, const char *id, struct job_record *record,
    struct error *error) WARN_UNUSED;
bool job_list(struct store *store, const struct page_query *query, struct job_record **records,
    size_t *count, bool *more, struct error *error) WARN_UNUSED;
bool event_list(struct store *store, const struct page_query *query, struct event_record **records,
    size_t *count, bool *more, struct error *error) WARN_UNUSED;
// A job's metrics, oldest first: the data of all its events of that type.
bool event_list_metrics(struct store *store, const char *job, struct event_record **records,
    size_t *count, struct error *error) WARN_UNUSED;
bool checkpoint_list(struct store *store, const struct page_query *query,
    struct checkpoint_record **records, size_t *count, bool *more, struct error *error) WARN_UNUSED;

// Whether a job's status is one that it never leaves.
bool job_status_is_final(const char *status);

// Writes all that can change of a job: everything behind `status` but what its maker asked for, and
// hyperparameters and lora. A job that is final stays as it is: ERROR_CONFLICT.
bool job_update(
    struct store *store, const struct job_record *record, struct error *error) WARN_UNUSED;

// All jobs of all accounts that are not final, oldest first.
bool job_list_open(struct store *store, struct job_record **records, size_t *count,
    struct error *error) WARN_UNUSED;

// Fill in the record's id (memory_free) and, where it is 0, created_at. A second checkpoint of
// the same step is ERROR_CONFLICT.
bool event_add(struct store *store, const char *job, struct event_record *record,
    struct error *error) WARN_UNUSED;
bool checkpoint_add(struct store *store, const char *job, struct checkpoint_record *record,
    struct error *error) WARN_UNUSED;

// Forgets all but a job's newest checkpoints, with their models and adapters.
bool checkpoint_keep_newest(struct store *store, const char *account, const char *job, size_t keep,
    struct error *error) WARN_UNUSED;

void job_record_free(struct job_record *record);
void job_list_free(struct job_record *records, size_t count);
void event_list_free(struct event_record *records, size_t count);
void checkpoint_list_free(struct checkpoint_record *records, size_t count);

// ---- models

struct model_record {
    char *id;        // canonical: "temper/mini-instruct", "ft:…", "ft:…:ckpt-step-<n>"
    char *base;      // id of the base model: of a base model its own
    char *owner;     // "temper", an account, …
    char *directory; // of the base model
    char *adapter;   // directory of the adapter, NULL for a base model
    char **aliases;  // of a base model: other names that it answers to
    size_t alias_count;
    int64_t created;
    bool fine_tunable, fine_tuned;
};

// Finds a base model by its id or an alias, or a fine-tuned model or checkpoint of the account.
// ERROR_NOT_FOUND of a known model says what to run to get it.
bool model_resolve(struct store *store, const char *account, const char *name,
    struct model_record *record, struct error *error) WARN_UNUSED;

// Base models, then the account's fine-tuned ones, newest first; checkpoints are not listed.
bool model_list(struct store *store, const char *account, struct model_record **records,
    size_t *count, struct error *error) WARN_UNUSED;

// Adds a fine-tuned model, or (`checkpoint`) one that is not listed. `base` is the id of its base
// model, `adapter` a directory in the data directory, which the store owns from here on.
bool model_add(struct store *store, const char *account, const char *id, const char *base,
    const char *adapter, bool checkpoint, struct error *error) WARN_UNUSED;

// "ft:<owner>:<model>:<account>[:<nickname>]:<8 hex digits>" (memory_free): what a fine-tuned model
// is called. Known base models go by their makers' names; the digits are a hash of the `length`
// bytes at `origin`. `nickname` may be NULL or empty.
bool model_make_name(char **name, const char *base, const char *account, const char *nickname,
    const void *origin, size_t length, struct error *error) WARN_UNUSED;

// Forgets a fine-tuned model and removes its adapter.
bool model_delete(
    struct store *store, const char *account, const char *name, struct error *error) WARN_UNUSED;
void model_record_free(struct model_record *record);

// How many fine-tuned models and checkpoints of all accounts stand on a base model.
bool model_count_over(
    struct store *store, const char *base, size_t *count, struct error *error) WARN_UNUSED;
void model_list_free(struct model_record *records, size_t count);

#endif
