// Uploads and their parts.
#include "store/store_uploads.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/store_internal.h"
#include <string.h>

#define COLUMNS                                                                                    \
    "id, account, filename, purpose, mime_type, CASE WHEN status = 'pending' AND expires_at <= ?"  \
    " THEN 'expired' ELSE status END, file, bytes, created_at, expires_at, file_expires_after"

enum { PARTS_MAXIMUM = 10000, PART_BYTES = 64 << 20 };

static void read_record(struct sql *sql, struct upload_record *record) {
    record->id = sql_text(sql, 0);
    record->account = sql_text(sql, 1);
    record->filename = sql_text(sql, 2);
    record->purpose = sql_text(sql, 3);
    record->mime_type = sql_text(sql, 4);
    record->status = sql_text(sql, 5);
    record->file = sql_text(sql, 6);
    record->bytes = sql_integer(sql, 7);
    record->created_at = sql_integer(sql, 8);
    record->expires_at = sql_integer(sql, 9);
    record->file_expires_after = sql_integer(sql, 10);
}

void upload_record_free(struct upload_record *record) {
    memory_free(record->id);
    memory_free(record->account);
    memory_free(record->filename);
    memory_free(record->purpose);
    memory_free(record->mime_type);
    memory_free(record->status);
    memory_free(record->file);
    memset(record, 0, sizeof *record);
}

static bool upload_directory(
    struct store *store, const char *upload, char *path, struct error *error) {
    char folder[FILE_PATH_SIZE];
    return file_path(folder, sizeof folder, error, store->directory, "uploads") &&
           file_path(path, FILE_PATH_SIZE, error, folder, upload);
}

bool upload_part_path(
    struct store *store, const char *upload, const char *part, char *path, struct error *error) {
    char directory[FILE_PATH_SIZE];
    return upload_directory(store, upload, directory, error) &&
           file_path(path, FILE_PATH_SIZE, error, directory, part);
}

bool upload_create(struct store *store, struct upload_record *record, struct error *error) {
    char directory[FILE_PATH_SIZE];
    struct sql sql;
    if (!store_make_id("upload_", &record->id, error)) return false;
    record->created_at = store_now();
    record->expires_at = record->created_at + UPLOAD_SECONDS;
    bool made = upload_directory(store, record->id, directory, error) &&
                file_make_directories(directory, error);
    if (made) {
        sql_open(&sql, store, error,
            "INSERT INTO uploads (id, account, filename, purpose, mime_type, status, bytes,"
            " created_at, expires_at, file_expires_after)"
            " VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)",
            "tttttiiii", record->id, record->account, record->filename, record->purpose,
            record->mime_type, record->bytes, record->created_at, record->expires_at,
            record->file_expires_after);
        if (sql_run(&sql, NULL)) return true;
    }
    memory_free(record->id);
    record->id = NULL;
    return false;
}

bool upload_get(struct store *store, const char *account, const char *id,
    struct upload_record *record, struct error *error) {
    struct sql sql;
    memset(record, 0, sizeof *record);
    sql_open(&sql, store, error, "SELECT " COLUMNS " FROM uploads WHERE account = ? AND id = ?",
        "itt", store_now(), account, id);
    bool found = sql_row(&sql);
    if (found) read_record(&sql, record);
    if (!sql_close(&sql)) {
        upload_record_free(record);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "no upload %.128s", id);
}

// Fails unless the upload takes parts.
static bool get_pending(struct store *store, const char *account, const char *id,
    struct upload_record *record, struct error *error) {
    if (!upload_get(store, account, id, record, error)) return false;
    if (!strcmp(record->status, "pending")) return true;
    (void)error_set(error, ERROR_CONFLICT,
        "The upload %s is %s, and no longer pending. Make a new one.", record->id, record->status);
    upload_record_free(record);
    return false;
}

// Parts may come again, and be more than are used in the end; but not without limit.
static bool check_room(
    struct store *store, const struct upload_record *upload, int64_t bytes, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT count(*), coalesce(sum(bytes), 0) FROM upload_parts WHERE upload = ?", "t",
        upload->id);
    bool found = sql_row(&sql);
    int64_t count = found ? sql_integer(&sql, 0) : 0, sum = found ? sql_integer(&sql, 1) : 0;
    if (!sql_close(&sql)) return false;
    if (count < PARTS_MAXIMUM && sum + bytes <= 2 * upload->bytes + PART_BYTES) return true;
    return error_set(error, ERROR_INVALID,
        "The parts of this upload have %lld bytes already, and %lld were announced for the whole. "
        "Complete it, or make a new one.",
        (long long)sum, (long long)upload->bytes);
}

static bool insert_part(
    struct store *store, const char *upload, const struct upload_part *part, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO upload_parts (id, upload, bytes, created_at) VALUES (?, ?, ?, ?)", "ttii",
        part->id, upload, part->bytes, part->created_at);
    return sql_run(&sql, NULL);
}

// Under the store's lock, so that no completion or cancellation comes between.
static bool add_part(struct store *store, const struct upload_record *upload, const char *path,
    struct upload_part *part, struct error *error) {
    char place[FILE_PATH_SIZE];
    part->created_at = store_now();
    return check_room(store, upload, part->bytes, error) &&
           store_make_id("part_", &part->id, error) &&
           upload_part_path(store, upload->id, part->id, place, error) &&
           file_rename_durable(path, place, error) && insert_part(store, upload->id, part, error);
}

bool upload_part_add(struct store *store, const char *account, const char *upload, const char *path,
    struct upload_part *part, struct error *error) {
    struct upload_record record;
    part->id = NULL;
    if (!store_begin(store, error)) return false;
    bool good = get_pending(store, account, upload, &record, error);
    if (good) {
        good = add_part(store, &record, path, part, error);
        upload_record_free(&record);
    }
    if (good && store_commit(store, error)) return true;
    if (!good) store_rollback(store);
    memory_free(part->id);
    part->id = NULL;
    return false;
}

bool upload_part_size(struct store *store, const char *upload, const char *part, int64_t *bytes,
    struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "SELECT bytes FROM upload_parts WHERE upload = ? AND id = ?", "tt",
        upload, part);
    bool found = sql_row(&sql);
    if (found) *bytes = sql_integer(&sql, 0);
    if (!sql_close(&sql)) return false;
    return found ||
           error_set(error, ERROR_NOT_FOUND, "The upload %s has no part %.128s.", upload, part);
}

// Leaves the pending state, and forgets the parts' rows. Their files go after the commit.
static bool settle(struct store *store, const char *id, const char *status, const char *file,
    struct error *error) {
    struct sql sql;
    int changed;
    sql_open(&sql, store, error,
        "UPDATE uploads SET status = ?, file = ? WHERE id = ? AND status = 'pending'", "ttt",
        status, file, id);
    if (!sql_run(&sql, &changed)) return false;
    if (!changed)
        return error_set(error, ERROR_CONFLICT, "The upload %s is no longer pending.", id);
    sql_open(&sql, store, error, "DELETE FROM upload_parts WHERE upload = ?", "t", id);
    return sql_run(&sql, NULL);
}

static void remove_parts(struct store *store, const char *upload) {
    char directory[FILE_PATH_SIZE];
    struct error error;
    if (!upload_directory(store, upload, directory, &error) || !file_remove_tree(directory, &error))
        log_warning("upload %s: %s", upload, error.message);
}

bool upload_complete(
    struct store *store, struct upload_record *record, const char *path, struct error *error) {
    struct file_record file = {.account = record->account,
        .filename = record->filename,
        .purpose = record->purpose,
        .status = (char *)"processed",
        .bytes = record->bytes};
    if (!store_begin(store, error)) return false;
    if (record->file_expires_after) file.expires_at = store_now() + record->file_expires_after;
    bool good = file_create(store, &file, path, error) &&
                settle(store, record->id, "completed", file.id, error);
    if (!good)
        store_rollback(store);
    else
        good = store_commit(store, error);
    if (!good) {
        memory_free(file.id);
        return false;
    }
    record->file = file.id;
    remove_parts(store, record->id);
    return true;
}

bool upload_cancel(struct store *store, const char *account, const char *id, struct error *error) {
    struct upload_record record;
    if (!store_begin(store, error)) return false;
    bool good = get_pending(store, account, id, &record, error);
    if (good) {
        upload_record_free(&record);
        good = settle(store, id, "cancelled", NULL, error);
    }
    if (!good) {
        store_rollback(store);
        return false;
    }
    if (!store_commit(store, error)) return false;
    remove_parts(store, id);
    return true;
}

// ---- what is over ----

// The first column of some rows, as texts.
static bool read_ids(
    struct store *store, const char *text, char ***ids, size_t *count, struct error *error) {
    struct sql sql;
    *ids = NULL;
    *count = 0;
    sql_open(&sql, store, error, text, "i", store_now());
    while (sql_row(&sql)) {
        char **id = store_grow((void **)ids, *count, sizeof *id, error);
        if (!id) {
            sql.failed = true;
            break;
        }
        ++*count;
        *id = sql_text(&sql, 0);
    }
    return sql_close(&sql);
}

static void free_ids(char **ids, size_t count) {
    for (size_t i = 0; i < count; i++)
        memory_free(ids[i]);
    memory_free(ids);
}

static bool expire_upload(struct store *store, const char *id, struct error *error) {
    if (!store_begin(store, error)) return false;
    if (!settle(store, id, "expired", NULL, error)) {
        store_rollback(store);
        return error->code == ERROR_CONFLICT;
    }
    if (!store_commit(store, error)) return false;
    remove_parts(store, id);
    return true;
}

static bool expire_uploads(struct store *store, struct error *error) {
    char **ids;
    size_t count;
    bool good = read_ids(store,
        "SELECT id FROM uploads WHERE status = 'pending' AND expires_at <= ? LIMIT 1000", &ids,
        &count, error);
    for (size_t i = 0; good && i < count; i++)
        good = expire_upload(store, ids[i], error);
    free_ids(ids, count);
    return good;
}

// One that a job or a batch needs waits for its end.
static bool expire_files(struct store *store, struct error *error) {
    char **ids;
    size_t count;
    bool good = read_ids(store,
        "SELECT account || ' ' || id FROM files WHERE expires_at > 0 AND expires_at <= ?"
        " LIMIT 1000",
        &ids, &count, error);
    for (size_t i = 0; good && i < count; i++) {
        char *id = strrchr(ids[i], ' ');
        *id++ = '\0';
        good = file_delete(store, ids[i], id, error) || error->code == ERROR_CONFLICT ||
               error->code == ERROR_NOT_FOUND;
    }
    free_ids(ids, count);
    return good;
}

bool upload_sweep(struct store *store, struct error *error) {
    return expire_uploads(store, error) && expire_files(store, error);
}
