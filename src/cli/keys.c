// temper keys: API keys of a data directory. Works beside a running server, which sees each change
// at once.
#include "base/memory.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "store/store_accounts.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECONDS_A_DAY = 24 * 3600, DAYS_MAXIMUM = 3650 };

static const char *data = "./temper-data", *account = "personal", *name = "", *scope = "all";
static long days;
static bool as_json;

static const struct cli_option options[] = {
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account,
        "of `create`: whose files, jobs and models the key sees (personal)"},
    {"--name", "TEXT", CLI_TEXT, &name, "of `create`: a note for your own use"},
    {"--scope", "SCOPE", CLI_TEXT, &scope,
        "of `create`: all, read-only, or inference (models and chats) (all)"},
    {"--expires", "DAYS", CLI_INTEGER, &days, "of `create`: days until it expires (never)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper keys create [--account NAME] [--name TEXT] [--scope SCOPE] [--expires DAYS] | "
             "list | revoke ID",
    .purpose =
        "API keys are kept as hashes: a new one is shown once, here, and never again. Keys of\n"
        "different accounts do not see each other's files, jobs and models.",
    .example = "  temper keys create --name laptop --json\n  temper keys revoke "
               "key_w3fQ2mL9xYc0AbT7dKpVs1Zn",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 2,
};

static bool check_account(struct error *error) {
    size_t length = strlen(account);
    bool good = length > 0 && length <= 64;
    for (size_t i = 0; i < length && good; i++)
        good = strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", account[i]) != NULL;
    return good || error_set(error, ERROR_INVALID,
                       "--account must be 1 to 64 small letters, digits, - and _: it is part of "
                       "the names of fine-tuned models");
}

static bool check_scope(struct error *error) {
    for (size_t i = 0; key_scopes[i]; i++)
        if (strcmp(scope, key_scopes[i]) == 0) return true;
    return error_set(error, ERROR_INVALID,
        "--scope is '%s', but can only be all, read-only or inference", scope);
}

static bool check_days(struct error *error) {
    return (days >= 0 && days <= DAYS_MAXIMUM) ||
           error_set(error, ERROR_INVALID, "--expires must be 1 to %d days", DAYS_MAXIMUM);
}

static bool create(struct store *store, const char *word, struct error *error) {
    char *id, *key;
    (void)word;
    struct key_wish wish = {
        account, name, scope, days ? (int64_t)time(NULL) + days * SECONDS_A_DAY : 0};
    if (!check_account(error) || !check_scope(error) || !check_days(error) ||
        !key_create(store, &wish, &id, &key, error))
        return false;
    if (as_json) {
        json_t *root = json_pack(
            "{s:s, s:s, s:s, s:s}", "id", id, "key", key, "account", account, "name", name);
        api_client_print(root);
        json_decref(root);
    } else {
        printf("%s\n", key);
        fprintf(stderr, "This is the only time that the key is shown.\n");
    }
    memory_free(key);
    memory_free(id);
    return true;
}

static json_t *key_json(const struct key_record *key) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "id", key->id, "account",
        key->account, "name", key->name, "hint", key->hint, "scope", key->scope, "created_at",
        (json_int_t)key->created_at);
    json_object_set_new(
        object, "expires_at", key->expires_at ? json_integer(key->expires_at) : json_null());
    json_object_set_new(
        object, "revoked_at", key->revoked_at ? json_integer(key->revoked_at) : json_null());
    return object;
}

static void print_table(const struct key_record *keys, size_t count) {
    printf(
        "%-28s %-12s %-22s %-10s %-17s %s\n", "ID", "ACCOUNT", "KEY", "SCOPE", "CREATED", "NAME");
    for (size_t i = 0; i < count; i++) {
        char created[32];
        time_t seconds = (time_t)keys[i].created_at;
        struct tm parts;
        strftime(created, sizeof created, "%Y-%m-%d %H:%M", localtime_r(&seconds, &parts));
        bool expired = keys[i].expires_at && keys[i].expires_at <= (int64_t)time(NULL);
        printf("%-28s %-12s %-22s %-10s %-17s %s%s\n", keys[i].id, keys[i].account, keys[i].hint,
            keys[i].scope, created,
            keys[i].revoked_at ? "(revoked) "
            : expired          ? "(expired) "
                               : "",
            keys[i].name);
    }
}

static bool list(struct store *store, const char *word, struct error *error) {
    struct key_record *keys;
    size_t count;
    (void)word;
    if (!key_list(store, NULL, &keys, &count, error)) return false;
    if (as_json) {
        json_t *rows = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(rows, key_json(&keys[i]));
        api_client_print(rows);
        json_decref(rows);
    } else {
        print_table(keys, count);
    }
    key_list_free(keys, count);
    return true;
}

static bool revoke(struct store *store, const char *word, struct error *error) {
    if (!key_revoke(store, NULL, word, error)) return false;
    if (as_json)
        printf("{\"revoked\": true}\n");
    else
        printf("revoked\n");
    return true;
}

static const struct verb {
    const char *name;
    int words; // after it
    bool (*run)(struct store *store, const char *word, struct error *error);
} verbs[] = {{"create", 0, create}, {"list", 0, list}, {"revoke", 1, revoke}};

int command_keys(int count, char **words) {
    struct error error = {0};
    struct store *store;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(words[0], verbs[i].name) || given != 1 + verbs[i].words) continue;
        if (!store_open(&store, data, &error)) return cli_fail(&error);
        bool ok = verbs[i].run(store, given > 1 ? words[1] : NULL, &error);
        store_close(store);
        return ok ? CLI_SUCCESS : cli_fail(&error);
    }
    fprintf(stderr, "temper: usage: %s\n", syntax.usage);
    return CLI_USAGE;
}
