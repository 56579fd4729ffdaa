// Uploads: files that come in parts. An upload has a row, and its parts have rows and lie in
// uploads/<upload>/<part> until it is completed, cancelled, or expired; so they survive a restart.
#ifndef STORE_STORE_UPLOADS_H
#define STORE_STORE_UPLOADS_H

#include "store/store.h"

enum { UPLOAD_SECONDS = 3600 }; // how long an upload may take

struct upload_record {
    char *id; // "upload_…"
    char *account, *filename, *purpose, *mime_type;
    char *status; // pending, completed, cancelled, expired
    char *file;   // of one that is completed, else NULL
    int64_t bytes, created_at, expires_at;
    int64_t file_expires_after; // seconds from the file's creation, 0 for never
};

struct upload_part {
    char *id; // "part_…"
    int64_t bytes, created_at;
};

// Fills record->id (memory_free), created_at and expires_at; the status is "pending".
bool upload_create(
    struct store *store, struct upload_record *record, struct error *error) WARN_UNUSED;

// One whose time is over is "expired", whether or not it was swept.
bool upload_get(struct store *store, const char *account, const char *id,
    struct upload_record *record, struct error *error) WARN_UNUSED;
void upload_record_free(struct upload_record *record);

// Moves the synced file at `path` in as a part; fills part->id (memory_free) and created_at.
// ERROR_CONFLICT where the upload is no longer pending, ERROR_INVALID where it has more than enough
// parts already.
bool upload_part_add(struct store *store, const char *account, const char *upload, const char *path,
    struct upload_part *part, struct error *error) WARN_UNUSED;

// The length of a part. ERROR_NOT_FOUND.
bool upload_part_size(struct store *store, const char *upload, const char *part, int64_t *bytes,
    struct error *error) WARN_UNUSED;

// Where a part lies; `path` has room for FILE_PATH_SIZE bytes.
bool upload_part_path(struct store *store, const char *upload, const char *part, char *path,
    struct error *error) WARN_UNUSED;

// Makes a file of the whole at `path` (in the data directory, synced), and the upload "completed",
// in one transaction. ERROR_CONFLICT where it is no longer pending. Fills record->file.
bool upload_complete(struct store *store, struct upload_record *record, const char *path,
    struct error *error) WARN_UNUSED;

// ERROR_CONFLICT where it is no longer pending.
bool upload_cancel(
    struct store *store, const char *account, const char *id, struct error *error) WARN_UNUSED;

// Forgets the parts of uploads whose time is over, and files that have expired.
bool upload_sweep(struct store *store, struct error *error) WARN_UNUSED;

#endif
