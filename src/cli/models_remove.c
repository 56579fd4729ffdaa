// temper models remove: forgets a model that `temper models add`, `pull` or `add-adapter` made, or
// a fine-tuned one. What the user has put somewhere by hand is the user's to remove.
#include "base/file.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "base/model_manifest.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/model_install.h"
#include "cli/models.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *data = "./temper-data", *account = "personal";
static bool force, as_json;

static const struct cli_option options[] = {
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "of a fine-tuned model: whose it is (personal)"},
    {"--force", NULL, CLI_FLAG, &force, "also where fine-tuned models stand on it"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper models remove NAME [--data DIR] [--account NAME] [--force]",
    .purpose =
        "Forgets a base model that `temper models add` or `pull` made, or a fine-tuned model or\n"
        "adapter. Weights that the model only referred to stay where they are; weights that\n"
        "were pulled or quantised are in the model's own directory, and go with it.",
    .example = "  temper models remove meta-llama/Llama-3.1-8B-Instruct --data /srv/temper",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

// ---- base models ----

static bool by_hand(const struct model_directory *found, struct error *error) {
    return error_set(error, ERROR_CONFLICT,
        "%s was put at %s by hand, not by `temper models add` or `pull`: remove it there yourself",
        found->id, found->path);
}

// Only a real directory of DATA/models that bears our temper.json is ours.
static bool check_ours(const struct model_directory *found, struct error *error) {
    char models[FILE_PATH_SIZE], place[FILE_PATH_SIZE];
    struct model_manifest manifest;
    struct error none;
    struct stat status;
    if (!file_path(models, sizeof models, error, data, "models")) return false;
    if (!realpath(models, place) || strncmp(found->path, place, strlen(place)) ||
        found->path[strlen(place)] != '/' || lstat(found->path, &status) != 0 ||
        !S_ISDIR(status.st_mode) || !model_manifest_read(&manifest, found->path, &none))
        return by_hand(found, error);
    model_manifest_free(&manifest);
    return true;
}

static bool check_jobs(struct store *store, const char *id, struct error *error) {
    struct job_record *jobs;
    size_t count;
    bool ok = true;
    if (!job_list_open(store, &jobs, &count, error)) return false;
    for (size_t i = 0; i < count && ok; i++)
        if (!strcmp(jobs[i].model, id))
            ok = error_set(error, ERROR_CONFLICT,
                "the job %s is at work on %s: wait for its end, or cancel it", jobs[i].id, id);
    job_list_free(jobs, count);
    return ok;
}

static bool check_unused(const char *id, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct store *store;
    size_t count;
    if (!file_path(path, sizeof path, error, data, "temper.db")) return false;
    if (!file_exists(path)) return true;
    if (!store_open(&store, data, error)) return false;
    bool ok = check_jobs(store, id, error) && model_count_over(store, id, &count, error);
    store_close(store);
    if (!ok || !count || force) return ok;
    return error_set(error, ERROR_CONFLICT,
        "%zu fine-tuned models and checkpoints stand on %s and would no longer answer; --force "
        "removes it all the same",
        count, id);
}

// First the name goes, then the files: nobody finds half a model.
static bool remove_directory(const char *path, struct error *error) {
    char owner[FILE_PATH_SIZE], going[FILE_PATH_SIZE], models[FILE_PATH_SIZE];
    if (!file_path(models, sizeof models, error, data, "models") ||
        !file_path(going, sizeof going, error, models, ".removing-XXXXXX"))
        return false;
    if (!mkdtemp(going)) return error_set_errno(error, ERROR_IO, "cannot write to %s", models);
    if (!file_rename_durable(path, going, error)) {
        rmdir(going);
        return false;
    }
    snprintf(owner, sizeof owner, "%s", path);
    *strrchr(owner, '/') = 0;
    char *place = realpath(models, NULL);
    if (place && strcmp(owner, place)) rmdir(owner); // stays where other models of it are
    free(place);
    return file_remove_tree(going, error);
}

// ---- either ----

static bool remove_fine_tuned(const char *name, bool *known, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct store *store;
    struct error failure = {0};
    *known = false;
    if (!file_path(path, sizeof path, error, data, "temper.db")) return false;
    if (!file_exists(path)) return true;
    if (!store_open(&store, data, error)) return false;
    *known = model_delete(store, account, name, &failure);
    store_close(store);
    if (*known || failure.code == ERROR_NOT_FOUND) return true;
    *error = failure;
    return false;
}

// What a pull that did not come to its end has left under this name.
static bool remove_part(const char *name, bool *there, struct error *error) {
    char models[FILE_PATH_SIZE], staging[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    *there = false;
    if (!model_name_is_good(name)) return true;
    if (!file_path(models, sizeof models, error, data, "models") ||
        !model_install_staging_name(staging, name, error) ||
        !file_path(path, sizeof path, error, models, staging))
        return false;
    *there = file_is_directory(path);
    return !*there || file_remove_tree(path, error);
}

static bool remove_base(const char *name, char **id, struct error *error) {
    struct model_directory found;
    struct error absent;
    bool part;
    *id = NULL;
    if (!model_directory_by_name(&found, name, data, &absent)) {
        if (!remove_part(name, &part, error) || part) return part;
        *error = absent;
        return false;
    }
    bool ok = check_ours(&found, error) && check_unused(found.id, error) &&
              remove_directory(found.path, error);
    *id = ok ? memory_copy_string(found.id) : NULL;
    model_directory_free(&found);
    return ok;
}

int models_remove(int count, char **words) {
    struct error error = {0};
    char *id = NULL;
    bool known;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (!remove_fine_tuned(words[0], &known, &error) ||
        (!known && !remove_base(words[0], &id, &error)))
        return cli_fail(&error);
    const char *name = id ? id : words[0];
    if (as_json) {
        json_t *root = json_pack("{s:s, s:b}", "id", name, "removed", true);
        api_client_print(root);
        json_decref(root);
    } else {
        printf("%s is removed\n", name);
    }
    memory_free(id);
    return CLI_SUCCESS;
}
