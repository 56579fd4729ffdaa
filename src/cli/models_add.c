// temper models add: checks a model that lies on this machine, and makes it known by a name.
#include "base/file.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "base/progress.h"
#include "cli/cli_options.h"
#include "cli/model_facts.h"
#include "cli/model_install.h"
#include "cli/models.h"
#include "model/gguf.h"
#include "model/quantize.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEGABYTE = 1000000 };

static const char *data = "./temper-data", *id, *quantize, *template_path;
static struct cli_list aliases;
static long threads;
static bool as_json;

static const struct cli_option options[] = {
    {"--id", "NAME", CLI_TEXT, &id, "what it is to be called: NAME or OWNER/NAME"},
    {"--alias", "NAME", CLI_LIST, &aliases, "another name that it answers to; may be repeated"},
    {"--quantize", "int8|nf4", CLI_TEXT, &quantize, "write a smaller copy of the weights (none)"},
    {"--chat-template", "FILE", CLI_TEXT, &template_path, "Jinja, in place of the model's own"},
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--threads", "N", CLI_INTEGER, &threads, "of --quantize: cores (all)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print what was added as JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper models add DIR|FILE.gguf --id NAME [--alias NAME]... [--quantize int8|nf4]\n"
             "           [--chat-template FILE] [--data DIR]",
    .purpose =
        "Makes a base model known: a directory in Hugging Face's layout, or a GGUF file. All of "
        "it\n"
        "is checked first. The weights stay where they are, and must stay there, unless they are\n"
        "quantised: then a smaller copy is written. A running server sees the model at once.",
    .example = "  temper models add /models/Llama-3.1-8B-Instruct --id "
               "meta-llama/Llama-3.1-8B-Instruct\n"
               "  temper models add mistral.gguf --id mistral --chat-template mistral.jinja",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

static bool read_type(enum data_type *type, struct error *error) {
    *type = !quantize || !strcmp(quantize, "int8") ? DATA_INT8 : DATA_NF4;
    return !quantize || !strcmp(quantize, data_type_table[*type].name) ||
           error_set(error, ERROR_INVALID, "--quantize %.100s is none of int8 and nf4", quantize);
}

// ---- quantising ----

struct bar {
    struct progress progress;
    bool begun;
};

static void draw(void *context, uint64_t done, uint64_t total) {
    struct bar *bar = context;
    if (!bar->begun) progress_start(&bar->progress, "quantising, MB", total / MEGABYTE, false);
    bar->begun = true;
    progress_update(&bar->progress, done / MEGABYTE, NULL);
}

static bool write_quantized(
    struct model_install *install, const char *source, enum data_type type, struct error *error) {
    struct thread_pool *pool;
    struct bar bar = {.begun = false};
    uint64_t bytes;
    if (!quantize_bytes(source, type, &bytes, error) ||
        !model_install_has_room(install, bytes, "the quantised copy", error) ||
        !thread_pool_create(&pool, (int)threads, error))
        return false;
    bool ok = quantize_model(source, install->staging, type, pool, draw, &bar, error);
    thread_pool_free(pool);
    if (ok && bar.begun) progress_finish(&bar.progress, NULL);
    return ok;
}

// ---- what is no model ----

static bool has_file(const char *directory, const char *name) {
    char path[FILE_PATH_SIZE];
    return file_path(path, sizeof path, NULL, directory, name) && file_exists(path);
}

// The first GGUF file of a directory (memory_free), or NULL.
static char *find_gguf(const char *directory) {
    struct dirent *entry;
    char *found = NULL;
    DIR *folder = opendir(directory);
    while (folder && !found && (entry = readdir(folder))) {
        size_t length = strlen(entry->d_name);
        if (length > 5 && !strcmp(entry->d_name + length - 5, ".gguf"))
            found = memory_format("%s/%s", directory, entry->d_name);
    }
    if (folder) closedir(folder);
    return found;
}

static bool check_kind(const char *source, struct error *error) {
    char gguf[FILE_PATH_SIZE];
    if (model_directory_holds_model(source) || gguf_find(gguf, sizeof gguf, source)) return true;
    if (!file_is_directory(source))
        return error_set(
            error, ERROR_INVALID, "%s is neither a directory nor a .gguf file", source);
    if (has_file(source, "adapter_config.json"))
        return error_set(error, ERROR_INVALID,
            "%s holds an adapter, not a whole model; run: temper models add-adapter %s --base NAME",
            source, source);
    char *inside = find_gguf(source);
    if (inside)
        error_set(error, ERROR_INVALID, "%s has no config.json; to add its GGUF file, give %s",
            source, inside);
    else
        error_set(error, ERROR_INVALID,
            "%s has no config.json: it is no model in Hugging Face's layout", source);
    memory_free(inside);
    return false;
}

// ---- adding ----

// Faults are named with the path that the user gave, as far as they lie there; the last look is at
// what was made of it.
static bool fill(struct model_install *install, const char *source, enum data_type type,
    struct model_report *report, struct error *error) {
    if (!check_kind(source, error) || !model_check_weights(report, source, error) ||
        (!template_path && !model_check_chat(report, source, error)) ||
        !model_install_refer(install, source, quantize != NULL, error) ||
        (template_path && (!model_install_template(install, template_path, error) ||
                              !model_check_chat(report, install->staging, error))))
        return false;
    return (!quantize || write_quantized(install, source, type, error)) &&
           model_check(report, install->staging, error);
}

static bool add(const char *source, enum data_type type, struct error *error) {
    struct model_install install;
    struct model_report report;
    if (!model_install_begin(&install, data, id, aliases.items, aliases.count, source, NULL, error))
        return false;
    if (!fill(&install, source, type, &report, error) || !model_install_publish(&install, error)) {
        model_install_abandon(&install);
        return false;
    }
    model_facts_added(&install.manifest, install.target,
        quantize ? install.target : install.manifest.source, &report, as_json);
    model_install_free(&install);
    return true;
}

int models_add(int count, char **words) {
    struct error error = {0};
    enum data_type type;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (!id) {
        error_set(&error, ERROR_INVALID, "--id NAME is missing: what the model is to be called");
        cli_fail(&error);
        return CLI_USAGE;
    }
    char *source = realpath(words[0], NULL);
    bool ok = source ? read_type(&type, &error) && add(source, type, &error)
                     : error_set_errno(&error, ERROR_IO, "cannot open %s", words[0]);
    free(source);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
