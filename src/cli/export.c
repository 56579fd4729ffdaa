// temper export: a fine-tuned model in the files that peft, transformers and llama.cpp read.
#include "base/file.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "base/model_manifest.h"
#include "base/progress.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "model/model_export.h"
#include "store/store.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *data = "./temper-data", *account = "personal", *format, *output, *type;
static const char *model, *adapter;
static bool quiet;

static const struct cli_option options[] = {
    {"--format", "F", CLI_TEXT, &format, "peft, merged or gguf"},
    {"--output", "DIR", CLI_TEXT, &output, "a directory that does not exist yet"},
    {"--type", "T", CLI_TEXT, &type,
        "of the merged weights: f32, bf16, f16, and q8_0 for gguf (as the base model has them)"},
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "whose fine-tuned model NAME is (personal)"},
    {"--model", "M", CLI_TEXT, &model, "in place of NAME: a base model, by name or directory"},
    {"--adapter", "DIR", CLI_TEXT, &adapter, "with --model: the adapter's directory"},
    {"--quiet", NULL, CLI_FLAG, &quiet, "no progress bar"},
};

static const struct cli_syntax syntax = {
    .usage = "temper export NAME --format peft|merged|gguf --output DIR [--type T]",
    .purpose =
        "Writes a fine-tuned model so that other programs load it: `peft` is the adapter alone,\n"
        "`merged` a Hugging Face directory of the whole model, `gguf` model.gguf and\n"
        "adapter.gguf for llama.cpp. NAME is a fine-tuned model or checkpoint of the data\n"
        "directory; any other adapter goes with --model and --adapter.",
    .example =
        "  temper export ft:mini-instruct:personal::abc123 --format gguf --output /tmp/gguf\n"
        "  temper export --model mini-instruct --adapter /tmp/json-adapter --format merged "
        "--output /tmp/merged",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .most = 1,
};

typedef bool (*exporter)(const struct export_source *source, const char *directory,
    struct export_options *options, struct error *error);

// What is exported, as found; texts are owned.
struct found {
    char *model;
    char *name;
    char *adapter;
};

static void release(struct found *found) {
    memory_free(found->model);
    memory_free(found->name);
    memory_free(found->adapter);
}

// ---- finding ----

// A model that came from the hub is known to others by its name there.
static char *name_for_others(const char *directory, const char *id) {
    struct model_manifest manifest = {0};
    struct error ignored;
    if (!model_manifest_read(&manifest, directory, &ignored)) return memory_copy_string(id);
    bool hub = manifest.revision && manifest.source;
    char *name = memory_copy_string(hub ? manifest.source : id);
    model_manifest_free(&manifest);
    return name;
}

static bool set_found(struct found *found, const char *directory, const char *id,
    const char *adapter_directory, struct error *error) {
    found->model = memory_copy_string(directory);
    found->name = name_for_others(directory, id);
    if (adapter_directory) found->adapter = memory_copy_string(adapter_directory);
    return (found->model && found->name && (found->adapter || !adapter_directory)) ||
           memory_error(error, "a model's name");
}

static bool find_by_hand(struct found *found, struct error *error) {
    struct model_directory base;
    if (!model_directory_find(&base, model, data, error)) return false;
    bool ok = set_found(found, base.path, base.id, adapter, error);
    model_directory_free(&base);
    return ok;
}

static bool find_in_store(struct found *found, const char *name, struct error *error) {
    struct store *store;
    struct model_record record;
    if (!store_open(&store, data, error)) return false;
    bool ok = model_resolve(store, account, name, &record, error);
    if (ok) {
        ok = record.directory
                 ? set_found(found, record.directory, record.base, record.adapter, error)
                 : error_set(error, ERROR_NOT_FOUND,
                       "the base model of %s, %s, is not on this machine", name, record.base);
        model_record_free(&record);
    }
    store_close(store);
    return ok;
}

static bool find(struct found *found, const char *name, struct error *error) {
    if (model) return find_by_hand(found, error);
    if (file_is_directory(data)) return find_in_store(found, name, error);
    return error_set(
        error, ERROR_NOT_FOUND, "there is no data directory %s: name it with --data", data);
}

// ---- options ----

static bool read_format(exporter *run, struct error *error) {
    static const struct {
        const char *name;
        exporter run;
    } formats[] = {{"peft", export_peft}, {"merged", export_merged}, {"gguf", export_gguf}};
    for (size_t i = 0; format && i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(format, formats[i].name)) {
            *run = formats[i].run;
            return true;
        }
    return error_set(error, ERROR_INVALID, "--format must be peft, merged or gguf");
}

static bool read_type(enum data_type *chosen, struct error *error) {
    static const enum data_type types[] = {DATA_F32, DATA_BF16, DATA_F16, DATA_Q8_0};
    *chosen = DATA_TYPES;
    if (!type) return true;
    if (format && !strcmp(format, "peft"))
        return error_set(error, ERROR_INVALID, "an adapter is exported as it is: without --type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(type, data_type_table[types[i]].name)) {
            *chosen = types[i];
            return true;
        }
    return error_set(error, ERROR_INVALID, "--type must be f32, bf16, f16 or q8_0");
}

static bool read_words(
    const char *name, exporter *run, enum data_type *chosen, struct error *error) {
    if (!output) return error_set(error, ERROR_INVALID, "--output DIR is missing");
    if (model && name)
        return error_set(error, ERROR_INVALID, "give NAME, or --model and --adapter, not both");
    if (!model && adapter)
        return error_set(error, ERROR_INVALID, "--adapter goes with --model, its base model");
    if (!model && !name)
        return error_set(
            error, ERROR_INVALID, "give the NAME of a model, or --model and --adapter");
    return read_format(run, error) && read_type(chosen, error);
}

// ---- writing ----

static void show(void *context, uint64_t done, uint64_t total) {
    struct progress *progress = context;
    if (!progress->title) progress_start(progress, "export", total, quiet);
    progress_update(progress, done, NULL);
}

// What is exported goes to other programs, which may run as others.
static bool open_to_others(const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct dirent *entry;
    bool ok = true;
    DIR *list = opendir(directory);
    if (!list) return error_set_errno(error, ERROR_IO, "cannot read %s", directory);
    while (ok && (entry = readdir(list))) {
        if (entry->d_name[0] == '.') continue;
        ok = file_path(path, sizeof path, error, directory, entry->d_name) &&
             (!chmod(path, 0644) || error_set_errno(error, ERROR_IO, "cannot open %s", path));
    }
    closedir(list);
    return ok && (!chmod(directory, 0755) ||
                     error_set_errno(error, ERROR_IO, "cannot open %s to others", directory));
}

// Written beside its place, and moved there when it is whole.
static bool write_beside(const struct found *found, exporter run, const char *temporary,
    struct export_options *how, struct error *error) {
    struct export_source source = {found->model, found->name, found->adapter};
    return run(&source, temporary, how, error) && open_to_others(temporary, error) &&
           file_sync_directory(temporary, error) && file_rename_durable(temporary, output, error);
}

static bool write_all(
    const struct found *found, exporter run, enum data_type chosen, struct error *error) {
    static char place[FILE_PATH_SIZE];
    char temporary[FILE_PATH_SIZE];
    struct progress progress = {0};
    struct export_options how = {.type = chosen, .progress = show, .context = &progress};
    snprintf(place, sizeof place, "%s", output);
    for (size_t length = strlen(place); length > 1 && place[length - 1] == '/';)
        place[--length] = 0;
    output = place;
    if (file_exists(output))
        return error_set(error, ERROR_CONFLICT, "%s is there already: name another", output);
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", output) >= sizeof temporary)
        return error_set(error, ERROR_INVALID, "the path %s is too long", output);
    if (!mkdtemp(temporary))
        return error_set_errno(error, ERROR_IO, "cannot make a directory beside %s", output);
    bool ok = write_beside(found, run, temporary, &how, error);
    if (!ok) {
        struct error ignored;
        (void)!file_remove_tree(temporary, &ignored);
        return false;
    }
    if (progress.title) progress_finish(&progress, output);
    if (*how.note) fprintf(stderr, "note: %s\n", how.note);
    return true;
}

int command_export(int count, char **words) {
    struct error error = {0};
    struct found found = {0};
    exporter run = NULL;
    enum data_type chosen = DATA_TYPES;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    const char *name = given ? words[0] : NULL;
    if (!read_words(name, &run, &chosen, &error)) {
        cli_fail(&error);
        return CLI_USAGE;
    }
    bool ok = find(&found, name, &error) && write_all(&found, run, chosen, &error);
    release(&found);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
