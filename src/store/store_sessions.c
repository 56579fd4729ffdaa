#include "store/store_sessions.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/store_internal.h"
#include <openssl/sha.h>
#include <string.h>

enum { SECRET_LENGTH = 40 };

static void digest(const char *secret, unsigned char hash[SHA256_DIGEST_LENGTH]) {
    SHA256((const unsigned char *)secret, strlen(secret), hash);
}

static bool make_secret(char **secret, struct error *error) {
    *secret = memory_alloc(SECRET_LENGTH + 1);
    if (!*secret) return memory_error(error, "a session");
    if (random_secret(*secret, SECRET_LENGTH, error)) return true;
    memory_free(*secret);
    *secret = NULL;
    return false;
}

static bool forget_expired(struct store *store, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "DELETE FROM sign_ins WHERE expires_at <= ?", "i", store_now());
    if (!sql_run(&sql, NULL)) return false;
    sql_open(&sql, store, error, "DELETE FROM sessions WHERE expires_at <= ?", "i", store_now());
    return sql_run(&sql, NULL);
}

bool sign_in_create(struct store *store, const char *account, char **token, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct sql sql;
    *token = NULL;
    if (!forget_expired(store, error) || !make_secret(token, error)) return false;
    digest(*token, hash);
    sql_open(&sql, store, error,
        "INSERT INTO sign_ins (hash, account, expires_at) VALUES (?, ?, ?)", "bti", hash,
        sizeof hash, account, store_now() + SIGN_IN_SECONDS);
    if (sql_run(&sql, NULL)) return true;
    memory_free(*token);
    *token = NULL;
    return false;
}

// `source` inserts a session for whatever has that hash. ERROR_NOT_FOUND with `absent` where
// nothing has.
static bool begin(struct store *store, const char *source, const unsigned char *from,
    const char *absent, char **secret, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct sql sql;
    int begun = 0;
    if (!forget_expired(store, error) || !make_secret(secret, error)) return false;
    digest(*secret, hash);
    sql_open(&sql, store, error, source, "biibi", hash, sizeof hash, store_now(),
        store_now() + SESSION_SECONDS, from, (size_t)SHA256_DIGEST_LENGTH, store_now());
    bool ok = sql_run(&sql, &begun);
    if (ok && begun) return true;
    memory_free(*secret);
    *secret = NULL;
    return ok ? error_set(error, ERROR_NOT_FOUND, "%s", absent) : false;
}

static bool use_up(struct store *store, const unsigned char *hash, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "DELETE FROM sign_ins WHERE hash = ?", "b", hash,
        (size_t)SHA256_DIGEST_LENGTH);
    return sql_run(&sql, NULL);
}

bool session_begin_by_token(
    struct store *store, const char *token, char **secret, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    *secret = NULL;
    digest(token, hash);
    if (!store_begin(store, error)) return false;
    bool ok =
        begin(store,
            "INSERT INTO sessions (hash, created_at, expires_at, account)"
            " SELECT ?, ?, ?, account FROM sign_ins WHERE hash = ? AND expires_at > ?",
            hash,
            "This sign-in was used already, or is older than an hour. `temper sign-in`, on the "
            "server's machine, prints a new one.",
            secret, error) &&
        use_up(store, hash, error);
    if (ok)
        ok = store_commit(store, error);
    else
        store_rollback(store);
    if (ok) return true;
    memory_free(*secret);
    *secret = NULL;
    return false;
}

bool session_begin_by_key(
    struct store *store, const char *key, char **secret, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    *secret = NULL;
    digest(key, hash);
    return begin(store,
        "INSERT INTO sessions (hash, created_at, expires_at, account, key)"
        " SELECT ?, ?, ?, account, id FROM keys WHERE hash = ? AND revoked_at = 0"
        " AND (expires_at = 0 OR expires_at > ?)",
        hash,
        "Incorrect API key provided: it is unknown, revoked or expired. `temper keys create`, on "
        "the server's machine, makes a new one.",
        secret, error);
}

bool session_find(
    struct store *store, const char *secret, struct session_record *session, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct sql sql;
    *session = (struct session_record){0};
    digest(secret, hash);
    sql_open(&sql, store, error,
        "SELECT s.account, coalesce(k.scope, 'all'),"
        " (SELECT plan FROM accounts WHERE name = s.account), s.created_at, s.expires_at"
        " FROM sessions AS s LEFT JOIN keys AS k ON k.id = s.key"
        " WHERE s.hash = ?1 AND s.expires_at > ?2 AND (s.key IS NULL OR"
        " (k.revoked_at = 0 AND (k.expires_at = 0 OR k.expires_at > ?2)))",
        "bi", hash, sizeof hash, store_now());
    bool found = sql_row(&sql);
    if (found) {
        session->account = sql_text(&sql, 0);
        session->scope = sql_text(&sql, 1);
        session->plan = sql_text(&sql, 2);
        session->created_at = sql_integer(&sql, 3);
        session->expires_at = sql_integer(&sql, 4);
    }
    if (!sql_close(&sql)) {
        session_free(session);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "there is no such session");
}

void session_free(struct session_record *session) {
    memory_free(session->account);
    memory_free(session->scope);
    memory_free(session->plan);
    *session = (struct session_record){0};
}

bool session_end(struct store *store, const char *secret, struct error *error) {
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct sql sql;
    digest(secret, hash);
    sql_open(&sql, store, error, "DELETE FROM sessions WHERE hash = ?", "b", hash, sizeof hash);
    return sql_run(&sql, NULL);
}
