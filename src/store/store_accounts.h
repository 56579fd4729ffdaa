// Accounts and their keys. An account is whatever keys name; those that have a plan have a row.
#ifndef STORE_STORE_ACCOUNTS_H
#define STORE_STORE_ACCOUNTS_H

#include "store/store.h"

// What a key may do: "all", "read-only", "inference". NULL-terminated.
extern const char *const key_scopes[];

struct key_holder {
    char *account, *scope;
    char *plan; // of the account; NULL: none was given to it
    bool expired;
};

// Who has the key. ERROR_NOT_FOUND where it is unknown or revoked.
bool key_holder_find(struct store *store, const char *key, struct key_holder *holder,
    struct error *error) WARN_UNUSED;
void key_holder_free(struct key_holder *holder);

struct account_record {
    char *name, *plan; // `plan` NULL: none was given to it
    int64_t keys;      // in use
};

// Every account that has a plan or a key, by name.
bool account_list(struct store *store, struct account_record **records, size_t *count,
    struct error *error) WARN_UNUSED;
void account_list_free(struct account_record *records, size_t count);

// Gives the account a plan; NULL takes it away.
bool account_set_plan(
    struct store *store, const char *account, const char *plan, struct error *error) WARN_UNUSED;

// The account's plan (memory_free), NULL if none was given to it.
bool account_plan(
    struct store *store, const char *account, char **plan, struct error *error) WARN_UNUSED;

// How many fine-tuned models the account has, or is about to have: a job that has not ended counts,
// a checkpoint does not.
bool account_count_models(
    struct store *store, const char *account, size_t *count, struct error *error) WARN_UNUSED;

#endif
