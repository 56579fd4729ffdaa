// SQL, as the parts of the store use it.
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include "base/file.h"
#include "store/store.h"
#include <pthread.h>
#include <sqlite3.h>

struct store {
    sqlite3 *database;
    pthread_mutex_t lock; // recursive: held from store_begin to store_commit, and in each call
    char directory[FILE_PATH_SIZE];
    int held; // descriptor of the server's lock, -1 if it is not held
};

// One statement at work, under the store's lock from sql_open to sql_close. The first failure
// sticks.
struct sql {
    struct store *store;
    sqlite3_stmt *statement;
    struct error *error;
    bool failed;
};

// Prepares a statement. `types` has a letter for each value that follows: t text (NULL allowed),
// i int64_t, b bytes and their size_t length. Texts are borrowed until sql_close.
void sql_open(struct sql *sql, struct store *store, struct error *error, const char *text,
    const char *types, ...);

// True where there is (another) row.
bool sql_row(struct sql *sql);

// Of the present row. sql_text gives a copy (memory_free), NULL where the column is.
char *sql_text(struct sql *sql, int column);
int64_t sql_integer(const struct sql *sql, int column);

// True if nothing failed.
bool sql_close(struct sql *sql) WARN_UNUSED;

// For statements without rows; *changed (may be NULL) is the number of rows that it changed.
bool sql_run(struct sql *sql, int *changed) WARN_UNUSED;

// "prefix" and 24 letters and digits (memory_free).
bool store_make_id(const char *prefix, char **id, struct error *error) WARN_UNUSED;

// Makes room for one more record of `size` bytes, cleared, at *records + *count. NULL with the
// error set.
void *store_grow(void **records, size_t count, size_t size, struct error *error);

int64_t store_now(void);

// The steps that make the schema, oldest first.
const char *const *store_migrations(size_t *count);

#endif
