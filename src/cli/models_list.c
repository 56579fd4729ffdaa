// temper models list: what is here and what could be: base models, fine-tuned ones and adapters of
// an account, and known models that are not here yet, with what to run to get them.
#include "base/file.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "base/model_manifest.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/model_facts.h"
#include "cli/models.h"
#include "store/store.h"
#include <stdio.h>
#include <string.h>

enum { MAX_CONFIG = 1 << 20 };

static const char *data = "./temper-data", *account = "personal";
static bool as_json;

static const struct cli_option options[] = {
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "whose fine-tuned models (personal)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper models [list | add | pull | add-adapter | remove] [--data DIR] [--json]",
    .purpose =
        "Lists base models (in DIR/models, in $TEMPER_MODELS_DIR and beside this program), the\n"
        "fine-tuned models and adapters of an account, and models that are supported by name\n"
        "but not here yet. The subcommands, each with a --help of its own:\n\n"
        "  add DIR|FILE.gguf --id NAME      make a model that lies on this machine known\n"
        "  pull OWNER/NAME                  download a model from the Hugging Face hub\n"
        "  add-adapter DIR --base NAME      make an adapter of peft's a model\n"
        "  remove NAME                      forget a model",
    .example = "  temper models --data /srv/temper\n"
               "  temper models pull meta-llama/Llama-3.1-8B-Instruct --data /srv/temper",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

// A row, first as JSON: the table is made from it.
struct row {
    const char *kind;
    json_t *object;
    const char *where;
    char type[FACT_SIZE], size[FACT_SIZE], context[FACT_SIZE];
};

static void print_heading(void) {
    if (!as_json)
        printf(
            "%-52s %-10s %-9s %-9s %-8s %s\n", "MODEL", "KIND", "TYPE", "SIZE", "CONTEXT", "WHERE");
}

static void print_row(const struct row *row) {
    const json_t *aliases = json_object_get(row->object, "aliases"), *alias;
    const char *id = json_string_value(json_object_get(row->object, "id"));
    size_t i;
    printf("%-52s %-10s %-9s %-9s %-8s %s\n", id, row->kind, row->type, row->size, row->context,
        row->where ? row->where : "");
    json_array_foreach(aliases, i, alias) printf("  also %s\n", json_string_value(alias));
}

// Takes the row's object over.
static void take_row(json_t *rows, struct row *row) {
    json_object_set_new(row->object, "kind", json_string(row->kind));
    if (!as_json) print_row(row);
    json_array_append_new(rows, row->object);
}

static json_t *names(char *const *texts, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

// ---- base models ----

static void describe_base(struct row *row, const char *path) {
    struct model_report report;
    struct error error;
    if (!model_describe(&report, path, &error)) {
        row->where = "(cannot be used; `temper models list --json` says why)";
        json_object_set_new(row->object, "error", json_string(error.message));
        return;
    }
    model_facts_json(row->object, &report);
    snprintf(row->type, FACT_SIZE, "%s", data_type_table[report.type].name);
    fact_bytes(row->size, report.bytes);
    snprintf(row->context, FACT_SIZE, "%zu", report.config.context_length);
}

static void add_base(json_t *rows, const struct model_directory *model) {
    struct row row = {.kind = "base", .where = model->path};
    row.object = json_pack("{s:s, s:s, s:s, s:n, s:o}", "id", model->id, "base", model->id,
        "directory", model->path, "adapter", "aliases", names(model->aliases, model->alias_count));
    describe_base(&row, model->path);
    take_row(rows, &row);
}

static bool list_bases(json_t *rows, struct error *error) {
    struct model_directory *list;
    size_t count;
    if (!model_directory_list(&list, &count, data, error)) return false;
    for (size_t i = 0; i < count; i++)
        add_base(rows, &list[i]);
    model_directory_list_free(list, count);
    return true;
}

// ---- fine-tuned models and adapters ----

static void describe_adapter(struct row *row, const char *directory) {
    char path[FILE_PATH_SIZE], *text = NULL;
    size_t length;
    uint64_t bytes = 0;
    struct error ignored;
    if (file_path(path, sizeof path, &ignored, directory, "adapter_config.json") &&
        file_read(path, MAX_CONFIG, &text, &length, &ignored)) {
        json_t *config = json_loadb(text, length, 0, NULL);
        json_int_t rank = json_integer_value(json_object_get(config, "r"));
        snprintf(row->type, FACT_SIZE, "rank %lld", (long long)rank);
        json_object_set_new(row->object, "rank", json_integer(rank));
        json_decref(config);
    }
    memory_free(text);
    if (file_path(path, sizeof path, &ignored, directory, "adapter_model.safetensors") &&
        file_size(path, &bytes, &ignored)) {
        fact_bytes(row->size, bytes);
        json_object_set_new(row->object, "bytes", json_integer((json_int_t)bytes));
    }
    if (file_path(path, sizeof path, &ignored, directory, MODEL_MANIFEST_FILE) && file_exists(path))
        row->kind = "adapter"; // not trained here
}

static void add_fine_tuned(json_t *rows, const struct model_record *model) {
    struct row row = {.kind = "fine-tuned", .where = model->adapter};
    row.object = json_pack("{s:s, s:s, s:s?, s:s}", "id", model->id, "base", model->base,
        "directory", model->directory, "adapter", model->adapter);
    describe_adapter(&row, model->adapter);
    if (!model->directory) row.where = "(its base model is gone)";
    take_row(rows, &row);
}

// Without a database there are none, and listing makes none.
static bool list_fine_tuned(json_t *rows, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct store *store;
    struct model_record *models;
    size_t count;
    if (!file_path(path, sizeof path, error, data, "temper.db")) return false;
    if (!file_exists(path)) return true;
    if (!store_open(&store, data, error)) return false;
    bool ok = model_list(store, account, &models, &count, error);
    for (size_t i = 0; ok && i < count; i++)
        if (models[i].fine_tuned) add_fine_tuned(rows, &models[i]);
    if (ok) model_list_free(models, count);
    store_close(store);
    return ok;
}

// ---- known models ----

static bool add_known(json_t *rows, const struct known_model *known, struct error *error) {
    struct model_directory found;
    struct error absent;
    if (model_directory_by_name(&found, known->names[0], data, &absent)) {
        model_directory_free(&found);
        return true;
    }
    char *command = memory_format("temper models pull %s%s%s", known->hub,
        strcmp(data, "./temper-data") ? " --data " : "", strcmp(data, "./temper-data") ? data : "");
    if (!command) return memory_error(error, "a list of models");
    size_t count = 1;
    while (count < KNOWN_MODEL_NAMES && known->names[count])
        count++;
    struct row row = {.kind = "known", .where = command};
    row.object = json_pack("{s:s, s:s, s:n, s:n, s:s, s:o}", "id", known->names[0], "base",
        known->names[0], "directory", "adapter", "pull", command, "aliases",
        names((char *const *)known->names + 1, count - 1));
    snprintf(row.size, FACT_SIZE, "%s", known->size);
    take_row(rows, &row);
    memory_free(command);
    return true;
}

static bool list_known(json_t *rows, struct error *error) {
    for (size_t i = 0; i < KNOWN_MODELS; i++)
        if (known_models[i].hub && !add_known(rows, &known_models[i], error)) return false;
    return true;
}

int models_list_all(int count, char **words) {
    struct error error = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    json_t *rows = json_array();
    print_heading();
    bool ok = list_bases(rows, &error) && list_fine_tuned(rows, &error) && list_known(rows, &error);
    if (ok && as_json) api_client_print(rows);
    json_decref(rows);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
