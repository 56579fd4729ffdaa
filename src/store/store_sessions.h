// Sessions of browsers, and the tokens that begin one. The database has the SHA-256 of their
// secrets alone, as of keys. A secret has 40 letters of 64 kinds, 240 bits: guessing is hopeless.
#ifndef STORE_STORE_SESSIONS_H
#define STORE_STORE_SESSIONS_H

#include "store/store.h"

enum {
    SESSION_SECONDS = 30 * 24 * 3600, // that a session lasts
    SIGN_IN_SECONDS = 3600,           // that a token waits for its use
};

struct session_record {
    char *account, *scope; // as a key's
    char *plan;            // of the account; NULL: none was given to it
    int64_t created_at, expires_at;
};

// Makes a token for one sign-in to the account, with all rights. (memory_free)
bool sign_in_create(
    struct store *store, const char *account, char **token, struct error *error) WARN_UNUSED;

// Begins a session with a token, which is used up, or with a key, whose scope it has, and with
// whose revocation or expiry it ends. ERROR_NOT_FOUND where the token or key is of no use.
bool session_begin_by_token(
    struct store *store, const char *token, char **secret, struct error *error) WARN_UNUSED;
bool session_begin_by_key(
    struct store *store, const char *key, char **secret, struct error *error) WARN_UNUSED;

// ERROR_NOT_FOUND where there is no such session any more.
bool session_find(struct store *store, const char *secret, struct session_record *session,
    struct error *error) WARN_UNUSED;
void session_free(struct session_record *session);

// Ends it; that there is none is no fault.
bool session_end(struct store *store, const char *secret, struct error *error) WARN_UNUSED;

#endif
