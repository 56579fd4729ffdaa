// Files of accounts: a row for each, and the content at files/<id>.
#include "base/memory.h"
#include "store/store_internal.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COLUMNS                                                                                    \
    "id, account, filename, purpose, status, status_details, bytes, created_at, expires_at"

static void read_record(struct sql *sql, struct file_record *record) {
    record->id = sql_text(sql, 0);
    record->account = sql_text(sql, 1);
    record->filename = sql_text(sql, 2);
    record->purpose = sql_text(sql, 3);
    record->status = sql_text(sql, 4);
    record->status_details = sql_text(sql, 5);
    record->bytes = sql_integer(sql, 6);
    record->created_at = sql_integer(sql, 7);
    record->expires_at = sql_integer(sql, 8);
}

void file_record_free(struct file_record *record) {
    memory_free(record->id);
    memory_free(record->account);
    memory_free(record->filename);
    memory_free(record->purpose);
    memory_free(record->status);
    memory_free(record->status_details);
    memset(record, 0, sizeof *record);
}

void file_list_free(struct file_record *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        file_record_free(&records[i]);
    memory_free(records);
}

bool file_content_path(struct store *store, const char *id, char *path, struct error *error) {
    char folder[FILE_PATH_SIZE];
    return file_path(folder, sizeof folder, error, store->directory, "files") &&
           file_path(path, FILE_PATH_SIZE, error, folder, id);
}

static bool insert(struct store *store, const struct file_record *record, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO files (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", "ttttttiii",
        record->id, record->account, record->filename, record->purpose, record->status,
        record->status_details, record->bytes, record->created_at, record->expires_at);
    return sql_run(&sql, NULL);
}

bool file_create(
    struct store *store, struct file_record *record, const char *path, struct error *error) {
    char place[FILE_PATH_SIZE];
    if (!store_make_id("file-", &record->id, error)) return false;
    record->created_at = store_now();
    // The content first: a row without content would be a promise that is not kept.
    bool moved = file_content_path(store, record->id, place, error) &&
                 file_rename_durable(path, place, error);
    if (moved && insert(store, record, error)) return true;
    if (moved) unlink(place);
    memory_free(record->id);
    record->id = NULL;
    return false;
}

bool file_get(struct store *store, const char *account, const char *id, struct file_record *record,
    struct error *error) {
    struct sql sql;
    memset(record, 0, sizeof *record);
    sql_open(&sql, store, error, "SELECT " COLUMNS " FROM files WHERE account = ? AND id = ?", "tt",
        account, id);
    bool found = sql_row(&sql);
    if (found) read_record(&sql, record);
    if (!sql_close(&sql)) {
        file_record_free(record);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "no file %.128s", id);
}

#define SEARCHED " AND (?6 IS NULL OR instr(lower(id || ' ' || filename), lower(?6)))"

bool file_list(struct store *store, const struct file_query *query, struct file_record **records,
    size_t *count, bool *more, struct error *error) {
    struct sql sql;
    const char *text =
        query->ascending
            ? "SELECT " COLUMNS " FROM files WHERE account = ? AND (? IS NULL OR purpose = ?)"
              " AND (? IS NULL OR seq > (SELECT seq FROM files WHERE id = ?))" SEARCHED
              " ORDER BY seq LIMIT ?7"
            : "SELECT " COLUMNS " FROM files WHERE account = ? AND (? IS NULL OR purpose = ?)"
              " AND (? IS NULL OR seq < (SELECT seq FROM files WHERE id = ?))" SEARCHED
              " ORDER BY seq DESC LIMIT ?7";
    *records = NULL;
    *count = 0;
    *more = false;
    sql_open(&sql, store, error, text, "tttttti", query->account, query->purpose, query->purpose,
        query->after, query->after, query->search, (int64_t)query->limit + 1);
    while (sql_row(&sql)) {
        *more = *count == (size_t)query->limit;
        if (*more) break;
        struct file_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        read_record(&sql, record);
    }
    if (sql_close(&sql)) return true;
    file_list_free(*records, *count);
    return false;
}

// What needs the file, as a sentence's subject; the statement gives its id.
static const char *const users[][2] = {
    {"fine-tuning job",
        "SELECT id FROM jobs WHERE (training_file = ?1 OR validation_file = ?1) AND account = ?2"
        " AND status NOT IN ('succeeded', 'failed', 'cancelled') LIMIT 1"},
    {"batch", "SELECT id FROM batches WHERE input_file = ?1 AND account = ?2"
              " AND status NOT IN ('completed', 'failed', 'expired', 'cancelled') LIMIT 1"},
};

static bool check_unused(
    struct store *store, const char *account, const char *id, struct error *error) {
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        struct sql sql;
        sql_open(&sql, store, error, users[i][1], "tt", id, account);
        char *user = sql_row(&sql) ? sql_text(&sql, 0) : NULL;
        if (!sql_close(&sql)) return false;
        if (!user) continue;
        (void)error_set(error, ERROR_CONFLICT,
            "The file %s cannot be deleted: the %s %s needs it until it ends.", id, users[i][0],
            user);
        memory_free(user);
        return false;
    }
    return true;
}

static bool forget(struct store *store, const char *account, const char *id, struct error *error) {
    struct sql sql;
    int changed;
    sql_open(
        &sql, store, error, "DELETE FROM files WHERE account = ? AND id = ?", "tt", account, id);
    if (!sql_run(&sql, &changed)) return false;
    return changed || error_set(error, ERROR_NOT_FOUND, "no file %.128s", id);
}

bool file_delete(struct store *store, const char *account, const char *id, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!store_begin(store, error)) return false;
    if (!check_unused(store, account, id, error) || !forget(store, account, id, error)) {
        store_rollback(store);
        return false;
    }
    if (!store_commit(store, error)) return false;
    // A job that was made from the file has its own link to the content.
    return file_content_path(store, id, path, error) && file_remove_tree(path, error);
}

bool file_open(
    struct store *store, const char *id, int *descriptor, uint64_t *size, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct stat status;
    if (!file_content_path(store, id, path, error)) return false;
    *descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (*descriptor < 0)
        return error_set_errno(error, ERROR_IO, "cannot open the content of %s", id);
    if (fstat(*descriptor, &status) < 0) {
        close(*descriptor);
        return error_set_errno(error, ERROR_IO, "cannot read the content of %s", id);
    }
    *size = (uint64_t)status.st_size;
    return true;
}
