// temper sign-in: an address that signs a browser in, once. Works beside a running server.
#include "base/memory.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "store/store_sessions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *data = "./temper-data", *account = "personal", *url;
static bool as_json;

static const struct cli_option options[] = {
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "whose files, jobs and models are seen (personal)"},
    {"--url", "URL", CLI_TEXT, &url,
        "where the server's pages stand (TEMPER_BASE_URL without its /v1, or "
        "http://127.0.0.1:8080)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper sign-in [--account NAME] [--url URL]",
    .purpose =
        "Prints an address that signs a browser in to the server's pages, with all rights of\n"
        "the account. It works once, within an hour.",
    .example = "  temper sign-in\n  xdg-open \"$(temper sign-in)\"",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

// Where the pages stand (memory_free).
static char *pages_url(void) {
    const char *base = url ? url : getenv("TEMPER_BASE_URL");
    if (!base || !*base) base = "http://127.0.0.1:8080";
    size_t length = strlen(base);
    while (length && base[length - 1] == '/')
        length--;
    if (length > 3 && strncmp(base + length - 3, "/v1", 3) == 0) length -= 3;
    return memory_format("%.*s", (int)length, base);
}

static bool print_address(struct store *store, struct error *error) {
    char *token, *base = pages_url();
    bool ok = base && sign_in_create(store, account, &token, error);
    char *whole = ok ? memory_format("%s/sign-in#%s", base, token) : NULL;
    if (whole && as_json) {
        json_t *root = json_pack(
            "{s:s, s:s, s:i}", "address", whole, "account", account, "expires_in", SIGN_IN_SECONDS);
        api_client_print(root);
        json_decref(root);
    } else if (whole) {
        printf("%s\n", whole);
    }
    if (ok) memory_free(token);
    ok = ok && (whole || memory_error(error, "an address"));
    memory_free(whole);
    memory_free(base);
    return ok;
}

int command_sign_in(int count, char **words) {
    struct error error = {0};
    struct store *store;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (!store_open(&store, data, &error)) return cli_fail(&error);
    bool ok = print_address(store, &error);
    store_close(store);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
