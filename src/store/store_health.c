#include "store/store_health.h"
#include "base/memory.h"
#include "store/store_internal.h"
#include <jansson.h>
#include <unistd.h>

static bool check_files(const struct store *store, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (access(store->directory, W_OK | X_OK) != 0)
        return error_set_errno(
            error, ERROR_IO, "cannot write to the data directory %s", store->directory);
    if (!file_path(path, sizeof path, error, store->directory, "temper.db")) return false;
    return access(path, R_OK | W_OK) == 0 ||
           error_set_errno(error, ERROR_IO, "cannot write to the database %s", path);
}

bool store_check(struct store *store, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "SELECT count(*) FROM sqlite_schema", "");
    sql_row(&sql);
    return sql_close(&sql) && check_files(store, error);
}

bool job_tally_list(
    struct store *store, struct job_tally **tallies, size_t *count, struct error *error) {
    struct sql sql;
    *tallies = NULL;
    *count = 0;
    sql_open(
        &sql, store, error, "SELECT status, count(*) FROM jobs GROUP BY status ORDER BY 1", "");
    while (sql_row(&sql)) {
        struct job_tally *tally = store_grow((void **)tallies, *count, sizeof *tally, error);
        if (!tally) {
            sql.failed = true;
            break;
        }
        ++*count;
        tally->status = sql_text(&sql, 0);
        tally->count = sql_integer(&sql, 1);
    }
    if (sql_close(&sql)) return true;
    job_tally_free(*tallies, *count);
    return false;
}

void job_tally_free(struct job_tally *tallies, size_t count) {
    for (size_t i = 0; i < count; i++)
        memory_free(tallies[i].status);
    memory_free(tallies);
}

static double pace_of(const char *metrics) {
    json_t *object = metrics ? json_loads(metrics, 0, NULL) : NULL;
    double pace = json_number_value(json_object_get(object, "tokens_per_second"));
    json_decref(object);
    return pace;
}

bool job_pace_list(
    struct store *store, struct job_pace **paces, size_t *count, struct error *error) {
    struct sql sql;
    *paces = NULL;
    *count = 0;
    sql_open(&sql, store, error,
        "SELECT id, (SELECT data FROM events WHERE job = jobs.id AND type = 'metrics'"
        " ORDER BY seq DESC LIMIT 1) FROM jobs WHERE status = 'running' ORDER BY seq",
        "");
    while (sql_row(&sql)) {
        struct job_pace *pace = store_grow((void **)paces, *count, sizeof *pace, error);
        if (!pace) {
            sql.failed = true;
            break;
        }
        ++*count;
        char *metrics = sql_text(&sql, 1);
        pace->job = sql_text(&sql, 0);
        pace->tokens_per_second = pace_of(metrics);
        memory_free(metrics);
    }
    if (sql_close(&sql)) return true;
    job_pace_free(*paces, *count);
    return false;
}

void job_pace_free(struct job_pace *paces, size_t count) {
    for (size_t i = 0; i < count; i++)
        memory_free(paces[i].job);
    memory_free(paces);
}
