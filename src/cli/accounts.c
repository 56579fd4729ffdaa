// temper accounts: who uses a data directory, and by which plan. Works beside a running server,
// which sees each change at once.
#include "base/plan.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "store/store_accounts.h"
#include <stdio.h>
#include <string.h>

static const char *data = "./temper-data";
static bool as_json;

static const struct cli_option options[] = {
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper accounts list | set-plan ACCOUNT PLAN",
    .purpose =
        "An account is what API keys belong to (temper keys create --account NAME). Its plan says "
        "how\n"
        "much it may ask; without one it is \"unlimited\". Plans stand in the server's settings\n"
        "(docs/settings.md); trial, core, scale and enterprise are always there.",
    .example = "  temper accounts set-plan acme trial\n  temper accounts list",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 3,
};

static void print_json(const struct account_record *accounts, size_t count) {
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, json_pack("{s:s, s:s, s:I}", "name", accounts[i].name, "plan",
                                        accounts[i].plan ? accounts[i].plan : PLAN_UNLIMITED,
                                        "keys", (json_int_t)accounts[i].keys));
    api_client_print(rows);
    json_decref(rows);
}

static bool list(struct store *store, char **words, struct error *error) {
    struct account_record *accounts;
    size_t count;
    (void)words;
    if (!account_list(store, &accounts, &count, error)) return false;
    if (as_json) {
        print_json(accounts, count);
    } else {
        printf("%-32s %-20s %s\n", "ACCOUNT", "PLAN", "KEYS");
        for (size_t i = 0; i < count; i++)
            printf("%-32s %-20s %lld\n", accounts[i].name,
                accounts[i].plan ? accounts[i].plan : PLAN_UNLIMITED, (long long)accounts[i].keys);
    }
    account_list_free(accounts, count);
    return true;
}

// The plan's name is not checked: only the server knows its settings, and it says so where it has
// no such plan.
static bool set_plan(struct store *store, char **words, struct error *error) {
    if (!account_set_plan(store, words[0], words[1], error)) return false;
    printf(as_json ? "{\"account\": \"%s\", \"plan\": \"%s\"}\n" : "%s has the plan %s\n", words[0],
        words[1]);
    return true;
}

static const struct verb {
    const char *name;
    int words; // after it
    bool (*run)(struct store *store, char **words, struct error *error);
} verbs[] = {{"list", 0, list}, {"set-plan", 2, set_plan}};

static bool is_name(const char *word) {
    size_t length = strlen(word);
    return length > 0 && length <= 64 &&
           strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

int command_accounts(int count, char **words) {
    struct error error = {0};
    struct store *store;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    for (int i = 1; i < given; i++) {
        if (is_name(words[i])) continue;
        error_set(&error, ERROR_INVALID, "'%.80s' must be 1 to 64 small letters, digits, - and _",
            words[i]);
        return cli_fail(&error);
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(words[0], verbs[i].name) || given != 1 + verbs[i].words) continue;
        if (!store_open(&store, data, &error)) return cli_fail(&error);
        bool ok = verbs[i].run(store, words + 1, &error);
        store_close(store);
        return ok ? CLI_SUCCESS : cli_fail(&error);
    }
    fprintf(stderr, "temper: usage: %s\n", syntax.usage);
    return CLI_USAGE;
}
