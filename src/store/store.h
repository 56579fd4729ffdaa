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

// Opens the data directory, and makes it where it is missing. One process at a time.
bool store_open(struct store **store, const char *data, struct error *error) WARN_UNUSED;
void store_close(struct store *store);

// ---- API keys, kept as SHA-256

// The account (memory_free) that owns the key, ERROR_NOT_FOUND where it is unknown or revoked.
bool key_find(
    struct store *store, const char *key, char **account, struct error *error) WARN_UNUSED;

// Makes a key, "sk-temper-…" (memory_free): the only time that it can be seen.
bool key_create(struct store *store, const char *account, const char *name, char **key,
    struct error *error) WARN_UNUSED;
bool key_count(struct store *store, size_t *count, struct error *error) WARN_UNUSED;

// ---- files

struct file_record {
    char *id; // "file-…"
    char *account, *filename, *purpose, *status;
    char *status_details; // NULL if none
    int64_t bytes, created_at;
};

struct file_query {
    const char *account;
    const char *purpose; // NULL for all
    const char *after;   // the id that the page follows; NULL for the first page
    int limit;
    bool ascending; // oldest first
};

// Moves the synced file at `path` (in the data directory) in. Fills record->id (memory_free) and
// created_at.
bool file_create(struct store *store, struct file_record *record, const char *path,
    struct error *error) WARN_UNUSED;
bool file_get(struct store *store, const char *account, const char *id, struct file_record *record,
    struct error *error) WARN_UNUSED;
bool file_list(struct store *store, const struct file_query *query, struct file_record **records,
    size_t *count, bool *more, struct error *error) WARN_UNUSED;
bool file_delete(
    struct store *store, const char *account, const char *id, struct error *error) WARN_UNUSED;

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
    int64_t seed, created_at;
    int64_t finished_at, estimated_finish, trained_tokens; // 0 while not known
};

struct page_query {
    const char *account;
    const char *job;   // of events and checkpoints
    const char *after; // the id that the page follows; NULL for the first page
    int limit;
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
bool checkpoint_list(struct store *store, const struct page_query *query,
    struct checkpoint_record **records, size_t *count, bool *more, struct error *error) WARN_UNUSED;
void job_record_free(struct job_record *record);
void job_list_free(struct job_record *records, size_t count);
void event_list_free(struct event_record *records, size_t count);
void checkpoint_list_free(struct checkpoint_record *records, size_t count);

// ---- models

struct model_record {
    char *id;        // canonical: "temper/mini-instruct", "ft:…", "ft:…:ckpt-step-<n>"
    char *owner;     // "temper", an account, …
    char *directory; // of the base model
    char *adapter;   // directory of the adapter, NULL for a base model
    int64_t created;
    bool fine_tunable, fine_tuned;
};

// Finds a base model by its id or an alias, or a fine-tuned model or checkpoint of the account.
bool model_resolve(struct store *store, const char *account, const char *name,
    struct model_record *record, struct error *error) WARN_UNUSED;

// Base models, then the account's fine-tuned ones, newest first; checkpoints are not listed.
bool model_list(struct store *store, const char *account, struct model_record **records,
    size_t *count, struct error *error) WARN_UNUSED;

// Forgets a fine-tuned model and removes its adapter.
bool model_delete(
    struct store *store, const char *account, const char *name, struct error *error) WARN_UNUSED;
void model_record_free(struct model_record *record);
void model_list_free(struct model_record *records, size_t count);

#endif
