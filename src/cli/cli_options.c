// The reader of command lines.
#include "cli/cli_options.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const struct cli_syntax *syntax) {
    printf("usage: %s\n\n%s\n", syntax->usage, syntax->purpose);
    if (syntax->option_count > 0) printf("\noptions:\n");
    for (int i = 0; i < syntax->option_count; i++) {
        const struct cli_option *option = &syntax->options[i];
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", option->name, option->value ? " " : "",
            option->value ? option->value : "");
        printf("  %-32s %s\n", left, option->help);
    }
    if (syntax->example) printf("\nexample:\n%s\n", syntax->example);
}

static enum cli_outcome wrong(const struct cli_syntax *syntax, const char *what, const char *word) {
    fprintf(stderr, "temper: %s%s%s\nusage: %s\n", what, word ? ": " : "", word ? word : "",
        syntax->usage);
    return CLI_WRONG;
}

static const struct cli_option *find(const struct cli_syntax *syntax, const char *word) {
    size_t length = strcspn(word, "=");
    for (int i = 0; i < syntax->option_count; i++) {
        const char *name = syntax->options[i].name;
        if (strlen(name) == length && strncmp(name, word, length) == 0) return &syntax->options[i];
    }
    return NULL;
}

static bool append(struct cli_list *list, const char *text) {
    if (list->count == CLI_LIST_MAXIMUM) return false;
    list->items[list->count++] = text;
    return true;
}

// A number and a unit, of decimal or binary thousands; none: bytes.
static bool read_bytes(const char *text, uint64_t *bytes) {
    static const char *const units[] = {
        "", "B", "KB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB"};
    static const double sizes[] = {1, 1, 1e3, 0x1p10, 1e6, 0x1p20, 1e9, 0x1p30, 1e12, 0x1p40};
    char *end;
    double number = strtod(text, &end);
    if (end == text || !(number >= 0)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i]) == 0 && number * sizes[i] < 0x1p60) {
            *bytes = (uint64_t)(number * sizes[i]);
            return true;
        }
    return false;
}

const char *cli_expected(enum cli_type type) {
    return type == CLI_BYTES ? "a size such as 4GB" : "a number";
}

bool cli_store(const struct cli_option *option, const char *text) {
    char *end = NULL;
    errno = 0;
    switch (option->type) {
    case CLI_FLAG:
        *(bool *)option->target = true;
        return true;
    case CLI_TEXT:
        *(const char **)option->target = text;
        return true;
    case CLI_LIST:
        return append(option->target, text);
    case CLI_BYTES:
        return read_bytes(text, option->target);
    case CLI_INTEGER:
        *(long *)option->target = strtol(text, &end, 10);
        break;
    case CLI_REAL:
        *(double *)option->target = strtod(text, &end);
        break;
    }
    return errno == 0 && end != text && *end == '\0';
}

// Takes the option at words[*at] and its value; *at is left at the last word that belongs to it.
static enum cli_outcome take_option(
    const struct cli_syntax *syntax, int count, char **words, int *at) {
    const char *word = words[*at];
    const struct cli_option *option = find(syntax, word);
    const char *value = strchr(word, '=');
    if (!option) return wrong(syntax, "unknown option", word);
    if (option->type == CLI_FLAG && value) return wrong(syntax, "this option takes no value", word);
    if (value) {
        value++;
    } else if (option->type != CLI_FLAG) {
        if (*at + 1 == count) return wrong(syntax, "this option needs a value", word);
        value = words[++*at];
    }
    if (cli_store(option, value)) return CLI_RUN;
    if (option->type == CLI_LIST) return wrong(syntax, "this option is given too often", word);
    char message[64];
    snprintf(message, sizeof message, "this option needs %s", cli_expected(option->type));
    return wrong(syntax, message, word);
}

enum cli_outcome cli_read(const struct cli_syntax *syntax, int count, char **words, int *given) {
    int kept = 0;
    bool options = true;
    for (int at = 0; at < count; at++) {
        char *word = words[at];
        if (!options || word[0] != '-' || word[1] == '\0') {
            words[kept++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            options = false;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_help(syntax);
            return CLI_HELP;
        }
        enum cli_outcome outcome = take_option(syntax, count, words, &at);
        if (outcome != CLI_RUN) return outcome;
    }
    *given = kept;
    if (kept < syntax->least) return wrong(syntax, "something is missing", NULL);
    if (kept > syntax->most) return wrong(syntax, "one word too many", words[syntax->most]);
    return CLI_RUN;
}

int cli_fail(const struct error *error) {
    fprintf(stderr, "temper: %s\n", error->message);
    return CLI_FAILURE;
}
