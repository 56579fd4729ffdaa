// temper models: the models that commands find by name, and those that were fine-tuned on this
// machine.
#include "base/file.h"
#include "base/model_directory.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "store/store.h"
#include <stdio.h>
#include <string.h>

static const char *data = "./temper-data", *account = "personal";
static bool as_json;

static const struct cli_option options[] = {
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "whose fine-tuned models (personal)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper models [--data DIR] [--json]",
    .purpose =
        "Lists base models (directories in DIR/models, in $TEMPER_MODELS_DIR and beside this\n"
        "program) and the fine-tuned models of an account. To add a base model, put its\n"
        "directory, in Hugging Face's layout, at DIR/models/OWNER/NAME.",
    .example = "  temper models --data /srv/temper",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

static void print_models(const struct model_record *models, size_t count) {
    json_t *rows = json_array();
    if (!as_json) printf("%-56s %-11s %s\n", "MODEL", "KIND", "DIRECTORY");
    for (size_t i = 0; i < count; i++) {
        const struct model_record *model = &models[i];
        const char *kind = model->fine_tuned ? "fine-tuned" : "base";
        const char *directory = model->adapter ? model->adapter : model->directory;
        if (as_json)
            json_array_append_new(rows,
                json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "id", model->id, "kind", kind, "base",
                    model->base, "directory", model->directory, "adapter", model->adapter));
        else
            printf("%-56s %-11s %s\n", model->id, kind, directory ? directory : "(base is gone)");
    }
    if (as_json) api_client_print(rows);
    json_decref(rows);
}

// Without a data directory there are base models all the same.
static bool list_bases(struct error *error) {
    struct model_directory *list;
    size_t count;
    if (!model_directory_list(&list, &count, NULL, error)) return false;
    json_t *rows = json_array();
    if (!as_json) printf("%-56s %-11s %s\n", "MODEL", "KIND", "DIRECTORY");
    for (size_t i = 0; i < count; i++)
        if (as_json)
            json_array_append_new(
                rows, json_pack("{s:s, s:s, s:s, s:s, s:n}", "id", list[i].id, "kind", "base",
                          "base", list[i].id, "directory", list[i].path, "adapter"));
        else
            printf("%-56s %-11s %s\n", list[i].id, "base", list[i].path);
    if (as_json) api_client_print(rows);
    json_decref(rows);
    model_directory_list_free(list, count);
    return true;
}

static bool list_all(struct error *error) {
    struct store *store;
    struct model_record *models;
    size_t count;
    if (!store_open(&store, data, error)) return false;
    bool ok = model_list(store, account, &models, &count, error);
    if (ok) {
        print_models(models, count);
        model_list_free(models, count);
    }
    store_close(store);
    return ok;
}

int command_models(int count, char **words) {
    struct error error = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    bool ok = file_is_directory(data) ? list_all(&error) : list_bases(&error);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
