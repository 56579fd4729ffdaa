// Accounts, and who holds a key.
#include "store/store_accounts.h"
#include "base/memory.h"
#include "store/store_internal.h"
#include <openssl/sha.h>
#include <string.h>

const char *const key_scopes[] = {"all", "read-only", "inference", NULL};

bool key_holder_find(
    struct store *store, const char *key, struct key_holder *holder, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct sql sql;
    *holder = (struct key_holder){0};
    SHA256((const unsigned char *)key, strlen(key), hash);
    sql_open(&sql, store, error,
        "SELECT account, scope, (SELECT plan FROM accounts WHERE name = keys.account),"
        " expires_at > 0 AND expires_at <= ? FROM keys WHERE hash = ? AND revoked_at = 0",
        "ib", store_now(), hash, sizeof hash);
    bool found = sql_row(&sql);
    if (found) {
        holder->account = sql_text(&sql, 0);
        holder->scope = sql_text(&sql, 1);
        holder->plan = sql_text(&sql, 2);
        holder->expired = sql_integer(&sql, 3) != 0;
    }
    if (!sql_close(&sql)) {
        key_holder_free(holder);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "the API key is unknown or revoked");
}

void key_holder_free(struct key_holder *holder) {
    memory_free(holder->account);
    memory_free(holder->scope);
    memory_free(holder->plan);
    *holder = (struct key_holder){0};
}

bool account_list(
    struct store *store, struct account_record **records, size_t *count, struct error *error) {
    struct sql sql;
    *records = NULL;
    *count = 0;
    sql_open(&sql, store, error,
        "SELECT name, (SELECT plan FROM accounts WHERE accounts.name = every.name),"
        " (SELECT count(*) FROM keys WHERE account = name AND revoked_at = 0)"
        " FROM (SELECT name FROM accounts UNION SELECT account FROM keys) AS every ORDER BY name",
        "");
    while (sql_row(&sql)) {
        struct account_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        record->name = sql_text(&sql, 0);
        record->plan = sql_text(&sql, 1);
        record->keys = sql_integer(&sql, 2);
    }
    if (sql_close(&sql)) return true;
    account_list_free(*records, *count);
    return false;
}

void account_list_free(struct account_record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        memory_free(records[i].name);
        memory_free(records[i].plan);
    }
    memory_free(records);
}

bool account_set_plan(
    struct store *store, const char *account, const char *plan, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO accounts (name, plan, created_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET plan = excluded.plan",
        "tti", account, plan, store_now());
    return sql_run(&sql, NULL);
}

bool account_plan(struct store *store, const char *account, char **plan, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "SELECT plan FROM accounts WHERE name = ?", "t", account);
    *plan = sql_row(&sql) ? sql_text(&sql, 0) : NULL;
    return sql_close(&sql);
}

bool account_count_models(
    struct store *store, const char *account, size_t *count, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT (SELECT count(*) FROM models WHERE account = ?1 AND checkpoint = 0)"
        " + (SELECT count(*) FROM jobs WHERE account = ?1"
        " AND status NOT IN ('succeeded', 'failed', 'cancelled'))",
        "t", account);
    *count = sql_row(&sql) ? (size_t)sql_integer(&sql, 0) : 0;
    return sql_close(&sql);
}
