// API keys. The database has their SHA-256 alone: who steals it has no key.
#include "base/memory.h"
#include "base/random.h"
#include "store/store_internal.h"
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { SECRET_LENGTH = 40 };

static const char key_prefix[] = "sk-temper-";

static void hash_key(const char *key, unsigned char hash[SHA256_DIGEST_LENGTH]) {
    SHA256((const unsigned char *)key, strlen(key), hash);
}

static bool insert(struct store *store, const char *id, const struct key_wish *wish,
    const char *key, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char hint[32];
    struct sql sql;
    hash_key(key, hash);
    snprintf(
        hint, sizeof hint, "%.*s...%s", (int)sizeof key_prefix + 2, key, key + strlen(key) - 4);
    sql_open(&sql, store, error,
        "INSERT INTO keys (id, hash, account, name, hint, scope, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        "tbttttii", id, hash, sizeof hash, wish->account, wish->name, hint,
        wish->scope ? wish->scope : "all", store_now(), wish->expires_at);
    return sql_run(&sql, NULL);
}

bool key_create(
    struct store *store, const struct key_wish *wish, char **id, char **key, struct error *error) {
    char secret[SECRET_LENGTH + 1], *made = NULL;
    *key = NULL;
    bool ok = random_secret(secret, SECRET_LENGTH, error) && store_make_id("key_", &made, error);
    ok = ok && ((*key = memory_format("%s%s", key_prefix, secret)) || memory_error(error, "a key"));
    ok = ok && insert(store, made, wish, *key, error);
    if (!ok) {
        memory_free(*key);
        *key = NULL;
    }
    if (ok && id)
        *id = made;
    else
        memory_free(made);
    return ok;
}

bool key_count(struct store *store, size_t *count, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "SELECT count(*) FROM keys", "");
    *count = sql_row(&sql) ? (size_t)sql_integer(&sql, 0) : 0;
    return sql_close(&sql);
}

void key_list_free(struct key_record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        memory_free(records[i].id);
        memory_free(records[i].account);
        memory_free(records[i].name);
        memory_free(records[i].hint);
        memory_free(records[i].scope);
    }
    memory_free(records);
}

bool key_list(struct store *store, const char *account, struct key_record **records, size_t *count,
    struct error *error) {
    struct sql sql;
    *records = NULL;
    *count = 0;
    sql_open(&sql, store, error,
        "SELECT id, account, name, hint, scope, created_at, revoked_at, expires_at FROM keys"
        " WHERE ? IS NULL OR account = ? ORDER BY seq",
        "tt", account, account);
    while (sql_row(&sql)) {
        struct key_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        record->id = sql_text(&sql, 0);
        record->account = sql_text(&sql, 1);
        record->name = sql_text(&sql, 2);
        record->hint = sql_text(&sql, 3);
        record->scope = sql_text(&sql, 4);
        record->created_at = sql_integer(&sql, 5);
        record->revoked_at = sql_integer(&sql, 6);
        record->expires_at = sql_integer(&sql, 7);
    }
    if (sql_close(&sql)) return true;
    key_list_free(*records, *count);
    return false;
}

bool key_revoke(struct store *store, const char *account, const char *key, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct sql sql;
    int changed;
    hash_key(key, hash);
    sql_open(&sql, store, error,
        "UPDATE keys SET revoked_at = ? WHERE (id = ? OR hash = ?) AND revoked_at = 0"
        " AND (? IS NULL OR account = ?)",
        "itbtt", store_now(), key, hash, sizeof hash, account, account);
    if (!sql_run(&sql, &changed)) return false;
    return changed || error_set(error, ERROR_NOT_FOUND,
                          "no key in use is called that; `temper keys list` shows their ids");
}
