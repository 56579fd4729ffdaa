// Endpoints, and the account's secret for callbacks.
#include "store/store_webhooks.h"
#include "base/memory.h"
#include "net/webhook_signature.h"
#include "store/store_internal.h"
#include <string.h>

#define COLUMNS "id, account, url, events, description, secret, disabled_reason, created_at"

const char *const webhook_event_types[] = {"fine_tuning.job.succeeded", "fine_tuning.job.failed",
    "fine_tuning.job.cancelled", "batch.completed", "batch.failed", "batch.expired",
    "batch.cancelled", NULL};

static void read_record(struct sql *sql, struct webhook_endpoint *record) {
    char **const texts[] = {&record->id, &record->account, &record->url, &record->events,
        &record->description, &record->secret, &record->disabled_reason};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = sql_text(sql, (int)i);
    record->created_at = sql_integer(sql, sizeof texts / sizeof *texts);
}

void webhook_endpoint_free(struct webhook_endpoint *record) {
    char *const texts[] = {record->id, record->account, record->url, record->events,
        record->description, record->secret, record->disabled_reason};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memory_free(texts[i]);
    memset(record, 0, sizeof *record);
}

void webhook_endpoint_list_free(struct webhook_endpoint *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        webhook_endpoint_free(&records[i]);
    memory_free(records);
}

static bool make_secret(char **secret, struct error *error) {
    char text[WEBHOOK_SECRET_SIZE];
    if (!webhook_secret_make(text, error)) return false;
    *secret = memory_copy_string(text);
    return *secret || memory_error(error, "a secret");
}

bool webhook_endpoint_create(
    struct store *store, struct webhook_endpoint *record, struct error *error) {
    struct sql sql;
    if (!store_make_id("whep_", &record->id, error)) return false;
    record->created_at = store_now();
    bool good = make_secret(&record->secret, error);
    if (good) {
        sql_open(&sql, store, error,
            "INSERT INTO webhook_endpoints (id, account, url, events, description, secret,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            "tttttti", record->id, record->account, record->url, record->events,
            record->description, record->secret, record->created_at);
        if (sql_run(&sql, NULL)) return true;
    }
    memory_free(record->id);
    memory_free(record->secret);
    record->id = record->secret = NULL;
    return false;
}

bool webhook_endpoint_get(struct store *store, const char *account, const char *id,
    struct webhook_endpoint *record, struct error *error) {
    struct sql sql;
    memset(record, 0, sizeof *record);
    sql_open(&sql, store, error,
        "SELECT " COLUMNS " FROM webhook_endpoints WHERE account = ? AND id = ?", "tt", account,
        id);
    bool found = sql_row(&sql);
    if (found) read_record(&sql, record);
    if (!sql_close(&sql)) {
        webhook_endpoint_free(record);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "no webhook endpoint %.128s", id);
}

bool webhook_endpoint_list(struct store *store, const struct page_query *query,
    struct webhook_endpoint **records, size_t *count, bool *more, struct error *error) {
    struct sql sql;
    *records = NULL;
    *count = 0;
    *more = false;
    sql_open(&sql, store, error,
        "SELECT " COLUMNS " FROM webhook_endpoints WHERE account = ?"
        " AND (? IS NULL OR seq < (SELECT seq FROM webhook_endpoints WHERE id = ?))"
        " ORDER BY seq DESC LIMIT ?",
        "ttti", query->account, query->after, query->after, (int64_t)query->limit + 1);
    while (sql_row(&sql)) {
        *more = *count == (size_t)query->limit;
        if (*more) break;
        struct webhook_endpoint *record =
            store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        read_record(&sql, record);
    }
    if (sql_close(&sql)) return true;
    webhook_endpoint_list_free(*records, *count);
    return false;
}

bool webhook_endpoint_update(
    struct store *store, const struct webhook_endpoint *record, struct error *error) {
    struct sql sql;
    int changed;
    if (!store_begin(store, error)) return false;
    sql_open(&sql, store, error,
        "UPDATE webhook_endpoints SET url = ?, events = ?, description = ?, disabled_reason = ?"
        " WHERE id = ?",
        "ttttt", record->url, record->events, record->description, record->disabled_reason,
        record->id);
    bool good = sql_run(&sql, &changed);
    if (good && !changed)
        good = error_set(error, ERROR_NOT_FOUND, "no webhook endpoint %.128s", record->id);
    if (good) {
        sql_open(&sql, store, error,
            "UPDATE webhook_deliveries SET url = ? WHERE endpoint = ? AND status = 'pending'", "tt",
            record->url, record->id);
        good = sql_run(&sql, NULL);
    }
    if (good) return store_commit(store, error);
    store_rollback(store);
    return false;
}

bool webhook_endpoint_delete(
    struct store *store, const char *account, const char *id, struct error *error) {
    struct sql sql;
    int changed;
    if (!store_begin(store, error)) return false;
    sql_open(&sql, store, error, "DELETE FROM webhook_endpoints WHERE account = ? AND id = ?", "tt",
        account, id);
    bool good = sql_run(&sql, &changed);
    if (good && !changed)
        good = error_set(error, ERROR_NOT_FOUND, "no webhook endpoint %.128s", id);
    if (good) {
        sql_open(&sql, store, error, "DELETE FROM webhook_deliveries WHERE endpoint = ?", "t", id);
        good = sql_run(&sql, NULL);
    }
    if (good) return store_commit(store, error);
    store_rollback(store);
    return false;
}

static bool find_secret(
    struct store *store, const char *account, char **secret, struct error *error) {
    struct sql sql;
    sql_open(
        &sql, store, error, "SELECT secret FROM webhook_secrets WHERE account = ?", "t", account);
    *secret = sql_row(&sql) ? sql_text(&sql, 0) : NULL;
    return sql_close(&sql);
}

bool webhook_callback_secret(
    struct store *store, const char *account, char **secret, struct error *error) {
    struct sql sql;
    if (!find_secret(store, account, secret, error)) return false;
    if (*secret) return true;
    if (!make_secret(secret, error)) return false;
    sql_open(&sql, store, error,
        "INSERT OR IGNORE INTO webhook_secrets (account, secret) VALUES (?, ?)", "tt", account,
        *secret);
    bool good = sql_run(&sql, NULL);
    memory_free(*secret);
    return good && find_secret(store, account, secret, error);
}
