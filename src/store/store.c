// The data directory and its database: opening, transactions, and the small layer over SQL.
#include "base/memory.h"
#include "base/random.h"
#include "store/store_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_MILLISECONDS = 10000, WAL_PAUSE_MILLISECONDS = 10 };

// ---- statements ----

static void fail(struct sql *sql) {
    bool twice = sqlite3_errcode(sql->store->database) == SQLITE_CONSTRAINT;
    if (!sql->failed)
        error_set(sql->error, twice ? ERROR_CONFLICT : ERROR_IO, "the database in %s failed: %s",
            sql->store->directory, sqlite3_errmsg(sql->store->database));
    sql->failed = true;
}

static void bind_values(struct sql *sql, const char *types, va_list values) {
    for (int i = 1; *types && !sql->failed; types++, i++) {
        int code;
        if (*types == 't') {
            code = sqlite3_bind_text(
                sql->statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
        } else if (*types == 'i') {
            code = sqlite3_bind_int64(sql->statement, i, va_arg(values, int64_t));
        } else {
            const void *bytes = va_arg(values, const void *);
            size_t length = va_arg(values, size_t);
            code = sqlite3_bind_blob(sql->statement, i, bytes, (int)length, SQLITE_STATIC);
        }
        if (code != SQLITE_OK) fail(sql);
    }
}

void sql_open(struct sql *sql, struct store *store, struct error *error, const char *text,
    const char *types, ...) {
    va_list values;
    *sql = (struct sql){store, NULL, error, false};
    pthread_mutex_lock(&store->lock);
    if (sqlite3_prepare_v2(store->database, text, -1, &sql->statement, NULL) != SQLITE_OK)
        fail(sql);
    va_start(values, types);
    bind_values(sql, types, values);
    va_end(values);
}

bool sql_row(struct sql *sql) {
    if (sql->failed) return false;
    int code = sqlite3_step(sql->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail(sql);
    return code == SQLITE_ROW;
}

char *sql_text(struct sql *sql, int column) {
    const char *text = (const char *)sqlite3_column_text(sql->statement, column);
    char *copy = text ? memory_copy_string(text) : NULL;
    if (text && !copy && !sql->failed) sql->failed = !memory_error(sql->error, "a record");
    return copy;
}

int64_t sql_integer(const struct sql *sql, int column) {
    return sqlite3_column_int64(sql->statement, column);
}

bool sql_close(struct sql *sql) {
    sqlite3_finalize(sql->statement);
    pthread_mutex_unlock(&sql->store->lock);
    return !sql->failed;
}

bool sql_run(struct sql *sql, int *changed) {
    while (sql_row(sql)) {
    }
    if (changed) *changed = sqlite3_changes(sql->store->database);
    return sql_close(sql);
}

// ---- transactions ----

static bool execute(struct store *store, const char *text, struct error *error) {
    if (sqlite3_exec(store->database, text, NULL, NULL, NULL) == SQLITE_OK) return true;
    return error_set(error, ERROR_IO, "the database in %s failed: %s", store->directory,
        sqlite3_errmsg(store->database));
}

bool store_begin(struct store *store, struct error *error) {
    pthread_mutex_lock(&store->lock);
    if (execute(store, "BEGIN IMMEDIATE", error)) return true;
    pthread_mutex_unlock(&store->lock);
    return false;
}

bool store_commit(struct store *store, struct error *error) {
    bool ok = execute(store, "COMMIT", error);
    if (!ok) sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&store->lock);
    return ok;
}

void store_rollback(struct store *store) {
    sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&store->lock);
}

// ---- helpers ----

bool store_make_id(const char *prefix, char **id, struct error *error) {
    char secret[25];
    if (!random_secret(secret, 24, error)) return false;
    *id = memory_format("%s%s", prefix, secret);
    return *id || memory_error(error, "an id");
}

void *store_grow(void **records, size_t count, size_t size, struct error *error) {
    // Doubles at each power of two.
    if ((count & (count - 1)) == 0) {
        char *grown = memory_resize(*records, count ? count * 2 : 1, size);
        if (!grown) {
            memory_error(error, "a list");
            return NULL;
        }
        *records = grown;
    }
    void *record = (char *)*records + count * size;
    memset(record, 0, size);
    return record;
}

int64_t store_now(void) {
    return (int64_t)time(NULL);
}

const char *store_directory(const struct store *store) {
    return store->directory;
}

// ---- opening ----

static bool make_directories(struct store *store, const char *data, struct error *error) {
    static const char *const names[] = {
        "files", "uploads", "jobs", "adapters", "models", "batches"};
    char path[FILE_PATH_SIZE];
    if (!file_make_directories(data, error)) return false;
    if (!realpath(data, store->directory))
        return error_set_errno(error, ERROR_IO, "cannot open the data directory %s", data);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!file_path(path, sizeof path, error, store->directory, names[i]) ||
            !file_make_directories(path, error))
            return false;
    return true;
}

static bool read_version(struct store *store, int *version, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "PRAGMA user_version", "");
    *version = sql_row(&sql) ? (int)sql_integer(&sql, 0) : -1;
    return sql_close(&sql);
}

static bool migrate(struct store *store, int version, struct error *error) {
    size_t count;
    char number[64];
    const char *const *migrations = store_migrations(&count);
    if (version > (int)count)
        return error_set(error, ERROR_UNSUPPORTED,
            "%s was written by a newer temper (its schema is %d, this one knows %zu); use that one",
            store->directory, version, count);
    if (version == (int)count) return true;
    for (size_t i = (size_t)version; i < count; i++)
        if (!execute(store, migrations[i], error)) return false;
    snprintf(number, sizeof number, "PRAGMA user_version = %zu;", count);
    return execute(store, number, error);
}

static bool make_schema(struct store *store, struct error *error) {
    int version;
    if (!store_begin(store, error)) return false;
    if (read_version(store, &version, error) && migrate(store, version, error))
        return store_commit(store, error);
    store_rollback(store);
    return false;
}

// SQLite does not wait by itself where two turn a new database to WAL at the same time.
static bool turn_to_wal(struct store *store, struct error *error) {
    static const char text[] = "PRAGMA journal_mode = WAL";
    struct error refused;
    int waited = 0;
    while (!execute(store, text, &refused)) {
        if (sqlite3_errcode(store->database) != SQLITE_BUSY || waited > BUSY_MILLISECONDS) {
            *error = refused;
            return false;
        }
        sqlite3_sleep(WAL_PAUSE_MILLISECONDS);
        waited += WAL_PAUSE_MILLISECONDS;
    }
    return true;
}

static bool open_database(struct store *store, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!file_path(path, sizeof path, error, store->directory, "temper.db")) return false;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (sqlite3_open_v2(path, &store->database, flags, NULL) != SQLITE_OK)
        return error_set(
            error, ERROR_IO, "cannot open %s: %s", path, sqlite3_errmsg(store->database));
    sqlite3_busy_timeout(store->database, BUSY_MILLISECONDS);
    return turn_to_wal(store, error) &&
           execute(store, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;", error) &&
           make_schema(store, error);
}

bool store_open(struct store **store, const char *data, struct error *error) {
    pthread_mutexattr_t recursive;
    struct store *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made) return memory_error(error, "the store");
    made->held = -1;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&made->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    if (!make_directories(made, data, error) || !open_database(made, error)) {
        store_close(made);
        return false;
    }
    *store = made;
    return true;
}

void store_close(struct store *store) {
    if (!store) return;
    sqlite3_close(store->database);
    if (store->held >= 0) close(store->held);
    pthread_mutex_destroy(&store->lock);
    memory_free(store);
}

// What uploads left behind when their server was killed: nobody else writes here.
static bool remove_parts(struct store *store, struct error *error) {
    char path[FILE_PATH_SIZE], part[FILE_PATH_SIZE];
    struct dirent *entry;
    if (!file_path(path, sizeof path, error, store->directory, "uploads")) return false;
    DIR *folder = opendir(path);
    if (!folder) return error_set_errno(error, ERROR_IO, "cannot read %s", path);
    bool ok = true;
    while (ok && (entry = readdir(folder))) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".part")) continue;
        ok = file_path(part, sizeof part, error, path, entry->d_name) &&
             file_remove_tree(part, error);
    }
    closedir(folder);
    return ok;
}

bool store_hold(struct store *store, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!file_path(path, sizeof path, error, store->directory, "server.lock")) return false;
    store->held = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->held < 0) return error_set_errno(error, ERROR_IO, "cannot open %s", path);
    if (flock(store->held, LOCK_EX | LOCK_NB) == 0) return remove_parts(store, error);
    if (errno != EWOULDBLOCK) return error_set_errno(error, ERROR_IO, "cannot lock %s", path);
    return error_set(error, ERROR_CONFLICT,
        "another temper serve works on %s; end it, or give --data another directory",
        store->directory);
}
