#include "store/store_usage.h"
#include "base/memory.h"
#include "store/store_internal.h"

enum { MINUTES_KEPT = 30 * 24 * 3600 };

static bool add(struct store *store, const struct usage_record *r, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO usage (minute, account, model, batch, requests, input_tokens, output_tokens)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, minute, model, batch) DO UPDATE SET"
        " requests = requests + excluded.requests,"
        " input_tokens = input_tokens + excluded.input_tokens,"
        " output_tokens = output_tokens + excluded.output_tokens",
        "ittiiii", r->start - r->start % 60, r->account, r->model, (int64_t)r->batch, r->requests,
        r->input_tokens, r->output_tokens);
    return sql_run(&sql, NULL);
}

bool usage_store(
    struct store *store, const struct usage_record *records, size_t count, struct error *error) {
    if (!store_begin(store, error)) return false;
    for (size_t i = 0; i < count; i++)
        if (!add(store, &records[i], error)) {
            store_rollback(store);
            return false;
        }
    return store_commit(store, error);
}

static bool read_all(struct sql *sql, struct store *store, struct usage_record **records,
    size_t *count, struct error *error) {
    (void)store;
    *records = NULL;
    *count = 0;
    while (sql_row(sql)) {
        struct usage_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql->failed = true;
            break;
        }
        ++*count;
        record->start = sql_integer(sql, 0);
        record->model = sql_text(sql, 1);
        record->requests = sql_integer(sql, 2);
        record->input_tokens = sql_integer(sql, 3);
        record->output_tokens = sql_integer(sql, 4);
        record->seconds = sql_integer(sql, 5);
    }
    if (sql_close(sql)) return true;
    usage_list_free(*records, *count);
    return false;
}

bool usage_list_answers(struct store *store, const struct usage_query *query,
    struct usage_record **records, size_t *count, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT minute - minute % ?1 AS bucket, CASE WHEN ?2 THEN model END AS named,"
        " sum(requests), sum(input_tokens), sum(output_tokens), 0 FROM usage"
        " WHERE account = ?3 AND minute >= ?4 AND minute < ?5 GROUP BY bucket, named"
        " ORDER BY bucket, named",
        "iitii", query->width, (int64_t)query->by_model, query->account, query->start, query->end);
    return read_all(&sql, store, records, count, error);
}

bool usage_list_jobs(struct store *store, const struct usage_query *query,
    struct usage_record **records, size_t *count, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT finished_at - finished_at % ?1 AS bucket, CASE WHEN ?2 THEN model END AS named,"
        " count(*), sum(coalesce(trained_tokens, 0)), 0, sum(finished_at - created_at) FROM jobs"
        " WHERE account = ?3 AND finished_at >= ?4 AND finished_at < ?5 AND finished_at > 0"
        " GROUP BY bucket, named ORDER BY bucket, named",
        "iitii", query->width, (int64_t)query->by_model, query->account, query->start, query->end);
    return read_all(&sql, store, records, count, error);
}

void usage_list_free(struct usage_record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        memory_free(records[i].account);
        memory_free(records[i].model);
    }
    memory_free(records);
}

bool usage_fold(struct store *store, struct error *error) {
    struct sql sql;
    int64_t old = store_now() - MINUTES_KEPT;
    if (!store_begin(store, error)) return false;
    sql_open(&sql, store, error,
        "INSERT INTO usage (minute, account, model, batch, requests, input_tokens, output_tokens)"
        " SELECT minute - minute % 3600 AS hour, account, model, batch, sum(requests),"
        " sum(input_tokens), sum(output_tokens) FROM usage WHERE minute < ? AND minute % 3600 > 0"
        " GROUP BY hour, account, model, batch"
        " ON CONFLICT (account, minute, model, batch) DO UPDATE SET"
        " requests = requests + excluded.requests,"
        " input_tokens = input_tokens + excluded.input_tokens,"
        " output_tokens = output_tokens + excluded.output_tokens",
        "i", old);
    bool ok = sql_run(&sql, NULL);
    if (ok) {
        sql_open(&sql, store, error, "DELETE FROM usage WHERE minute < ? AND minute % 3600 > 0",
            "i", old);
        ok = sql_run(&sql, NULL);
    }
    if (ok) return store_commit(store, error);
    store_rollback(store);
    return false;
}
