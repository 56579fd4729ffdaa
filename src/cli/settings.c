// Reading settings with inih, which splits the lines; which names there are the tables know.
#include "cli/settings.h"
#include "base/memory.h"
#include <ini.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAXIMUM = 198 }; // bytes: of longer lines inih would make two

struct reading {
    FILE *file;
    const char *path;
    const struct cli_syntax *syntax;
    struct plan_table *plans;
    int line;
    bool *given; // for each option, whether a line has named it
    bool failed;
    struct error *error;
};

static int fail(struct reading *reading, const char *message) {
    if (!reading->failed)
        (void)error_set(reading->error, ERROR_INVALID, "%s, line %d: %s", reading->path,
            reading->line, message);
    reading->failed = true;
    return 0;
}

// inih's reader: knows the number of the line that is looked at. Lines are given without their
// indentation, by which inih would take one for more of the value above it.
static char *read_line(char *text, int size, void *context) {
    struct reading *reading = context;
    if (reading->failed || !fgets(text, size, reading->file)) return NULL;
    reading->line++;
    if (strlen(text) > LINE_MAXIMUM) {
        fail(reading, "the line is longer than 198 bytes");
        return NULL;
    }
    size_t indentation = strspn(text, " \t");
    memmove(text, text + indentation, strlen(text + indentation) + 1);
    return text;
}

static const struct cli_option *find(const struct cli_syntax *syntax, const char *name) {
    for (int i = 0; i < syntax->option_count; i++)
        if (strcmp(syntax->options[i].name + 2, name) == 0) return &syntax->options[i];
    return NULL;
}

static int take_flag(struct reading *reading, const struct cli_option *option, const char *value) {
    bool yes = strcmp(value, "true") == 0;
    if (!yes && strcmp(value, "false") != 0) return fail(reading, "expected true or false");
    *(bool *)option->target = yes;
    return 1;
}

static int take_option(struct reading *reading, const char *name, const char *value) {
    char message[160];
    const struct cli_option *option = find(reading->syntax, name);
    if (!option || strcmp(name, "config") == 0) {
        snprintf(message, sizeof message,
            "there is no setting '%.60s'; `temper serve --help` lists them", name);
        return fail(reading, message);
    }
    bool *given = &reading->given[option - reading->syntax->options];
    if (*given) {
        snprintf(message, sizeof message, "'%.60s' stands in the file twice", name);
        return fail(reading, message);
    }
    *given = true;
    if (option->type == CLI_FLAG) return take_flag(reading, option, value);
    char *copy = memory_copy_string(value);
    if (!copy) return fail(reading, "memory is short");
    if (cli_store(option, copy)) return 1;
    snprintf(message, sizeof message, "'%.60s' needs %s, but has '%.60s'", name,
        cli_expected(option->type), value);
    return fail(reading, message);
}

static int take(void *context, const char *section, const char *name, const char *value) {
    static const char plan[] = "plan ";
    struct reading *reading = context;
    struct error error;
    if (!*section) return take_option(reading, name, value);
    if (strncmp(section, plan, sizeof plan - 1) != 0)
        return fail(reading, "the only sections are those of plans: [plan NAME]");
    if (plan_set(reading->plans, section + sizeof plan - 1, name, value, &error)) return 1;
    return fail(reading, error.message);
}

bool settings_read(const char *path, const struct cli_syntax *syntax, struct plan_table *plans,
    struct error *error) {
    struct reading reading = {
        .file = fopen(path, "re"), .path = path, .syntax = syntax, .plans = plans, .error = error};
    if (!reading.file) return error_set_errno(error, ERROR_IO, "cannot read %s", path);
    reading.given = memory_alloc_zeroed((size_t)syntax->option_count, sizeof *reading.given);
    if (!reading.given) {
        fclose(reading.file);
        return memory_error(error, "the settings");
    }
    int line = ini_parse_stream(read_line, &reading, take, &reading);
    bool broken = ferror(reading.file);
    fclose(reading.file);
    memory_free(reading.given);
    if (broken) return error_set_errno(error, ERROR_IO, "cannot read %s", path);
    if (reading.failed) return false;
    return line == 0 || error_set(error, ERROR_INVALID,
                            "%s, line %d: expected \"name = value\" or a section", path, line);
}
