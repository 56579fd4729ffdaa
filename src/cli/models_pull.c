// temper models pull: a model from the Hugging Face hub. What decides whether it can be used at all
// (config, tokenizer, template: small) comes first and is checked before the weights are asked for.
#include "base/buffer.h"
#include "base/file.h"
#include "base/known_models.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/cli_options.h"
#include "cli/model_facts.h"
#include "cli/model_install.h"
#include "cli/models.h"
#include "model/weights_index.h"
#include "net/hub.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAX_PARALLEL = 32, MAX_ATTEMPTS = 1000, MAX_SMALL = 64, MAX_NAMED = 5, MEGABYTE = 1000000 };

static const char *data = "./temper-data", *id, *revision = "main", *only_file, *template_path;
static struct cli_list aliases;
static long parallel, attempts;
static bool as_json;

static const struct cli_option options[] = {
    {"--revision", "R", CLI_TEXT, &revision, "a branch, tag or commit (main)"},
    {"--id", "NAME", CLI_TEXT, &id, "what it is to be called (OWNER/NAME, as on the hub)"},
    {"--alias", "NAME", CLI_LIST, &aliases, "another name that it answers to; may be repeated"},
    {"--file", "X.gguf", CLI_TEXT, &only_file, "this GGUF file, in place of safetensors"},
    {"--chat-template", "FILE", CLI_TEXT, &template_path, "Jinja, in place of the model's own"},
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--parallel", "N", CLI_INTEGER, &parallel, "files at once (4)"},
    {"--attempts", "N", CLI_INTEGER, &attempts, "breaks in a row before giving up (6)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print what was added as JSON"},
};

static const struct cli_syntax syntax = {
    .usage =
        "temper models pull OWNER/NAME [--revision R] [--id NAME] [--file X.gguf] [--data DIR]",
    .purpose =
        "Downloads a model from the Hugging Face hub: config, tokenizer, template and weights,\n"
        "each file checked by its digest. Broken off, the same command goes on where it was. A\n"
        "model that is not open to all needs a token in HF_TOKEN; HF_ENDPOINT names another hub.",
    .example = "  HF_TOKEN=hf_… temper models pull meta-llama/Llama-3.1-8B-Instruct\n"
               "  temper models pull Qwen/Qwen2.5-0.5B-Instruct --id qwen",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

// A pull: what is asked of whom, and where it goes.
struct pull {
    const char *model;
    struct hub hub;
    struct hub_listing listing;
    struct model_install install;
    struct model_report report;
    int lock;
    struct progress progress;
    bool begun;
    bool hopeless; // what came shows that the model cannot be used
    uint64_t last_done;
    double last_time, speed; // bytes a second
};

// ---- progress ----

// Measured over the last second or more, and until then since the start.
static double speed(struct pull *pull, uint64_t done, double now) {
    double passed = now - pull->last_time;
    double bytes = done > pull->last_done ? (double)(done - pull->last_done) : 0;
    if (passed >= 1) {
        pull->speed = bytes / passed;
        pull->last_time = now;
        pull->last_done = done;
    }
    return pull->speed > 0 || passed <= 0 ? pull->speed : bytes / passed;
}

static void draw(void *context, uint64_t done, uint64_t total) {
    struct pull *pull = context;
    char note[FACT_SIZE], rate[FACT_SIZE];
    double now = progress_clock();
    if (!pull->begun) {
        progress_start(&pull->progress, "fetching, MB", total / MEGABYTE, false);
        pull->begun = true;
        pull->last_time = now;
        pull->last_done = done;
    }
    fact_bytes(rate, (uint64_t)speed(pull, done, now));
    snprintf(note, sizeof note, "%.32s/s", rate);
    progress_update(&pull->progress, done / MEGABYTE, note);
}

// ---- which files ----

static void free_wants(struct hub_want *wants, size_t count) {
    for (size_t i = 0; i < count; i++)
        memory_free(wants[i].path);
}

static bool want(struct pull *pull, struct hub_want *wants, size_t *count, const char *name,
    const char *as, struct error *error) {
    const struct hub_file *file = hub_listing_find(&pull->listing, name);
    if (!file)
        return error_set(error, ERROR_NOT_FOUND,
            "%s on the hub has no file %.200s, which its index names", pull->model, name);
    char path[FILE_PATH_SIZE];
    if (!model_install_path(&pull->install, path, as, error)) return false;
    wants[*count] = (struct hub_want){file, memory_copy_string(path)};
    if (!wants[*count].path) return memory_error(error, "a list of files");
    ++*count;
    return true;
}

static void announce(const struct pull *pull, size_t count, uint64_t bytes) {
    char size[FACT_SIZE];
    fact_bytes(size, bytes);
    fprintf(stderr, "%s at %.12s: %zu weight file%s, %s to come\n", pull->model,
        pull->listing.commit, count, count == 1 ? "" : "s", size);
}

static bool fetch(struct pull *pull, const struct hub_want *wants, size_t count, bool large,
    struct error *error) {
    uint64_t bytes;
    if (!hub_remaining(wants, count, &bytes, error) ||
        !model_install_has_room(&pull->install, bytes, pull->model, error))
        return false;
    if (large) announce(pull, count, bytes);
    if (!hub_fetch(&pull->hub, pull->model, &pull->listing, wants, count, large ? draw : NULL, pull,
            error))
        return false;
    if (large && pull->begun) progress_finish(&pull->progress, NULL);
    return true;
}

static bool fetch_small(struct pull *pull, struct error *error) {
    struct hub_want wants[MAX_SMALL];
    size_t count = 0;
    bool ok = true;
    for (size_t i = 0; model_small_files[i] && ok; i++)
        if (hub_listing_find(&pull->listing, model_small_files[i]))
            ok = want(pull, wants, &count, model_small_files[i], model_small_files[i], error);
    ok = ok && fetch(pull, wants, count, false, error);
    free_wants(wants, count);
    return ok;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && !strcmp(text + length - tail, end);
}

// Names the first few files with that ending.
static void name_files(const struct pull *pull, const char *end, struct buffer *names) {
    size_t found = 0;
    for (size_t i = 0; i < pull->listing.count; i++) {
        if (!ends_with(pull->listing.files[i].name, end)) continue;
        if (found++ < MAX_NAMED)
            buffer_append_format(
                names, "%s%.80s", found > 1 ? ", " : "", pull->listing.files[i].name);
    }
    if (found > MAX_NAMED) buffer_append_text(names, ", …");
}

static bool no_weights(const struct pull *pull, struct error *error) {
    struct buffer gguf, pickled;
    buffer_init(&gguf, 600);
    buffer_init(&pickled, 600);
    name_files(pull, ".gguf", &gguf);
    name_files(pull, ".bin", &pickled);
    if (gguf.length)
        error_set(error, ERROR_UNSUPPORTED,
            "%s has no safetensors, but GGUF files: choose one with --file (it has %s)",
            pull->model, buffer_text(&gguf));
    else if (pickled.length)
        error_set(error, ERROR_UNSUPPORTED,
            "%s has its weights as PyTorch's pickles only (%s), which can run any code and are not "
            "read here; take a repository with safetensors",
            pull->model, buffer_text(&pickled));
    else
        error_set(error, ERROR_UNSUPPORTED,
            "%s has neither model.safetensors nor " WEIGHTS_INDEX_FILE ": it is no whole model",
            pull->model);
    buffer_free(&gguf);
    buffer_free(&pickled);
    return false;
}

// The shards that the index names, or the one file.
static bool want_weights(
    struct pull *pull, struct hub_want **wants, size_t *count, struct error *error) {
    struct weights_index index = {0};
    bool sharded = !hub_listing_find(&pull->listing, "model.safetensors");
    if (sharded && !weights_index_read(&index, pull->install.staging, error)) return false;
    *wants = memory_alloc_zeroed(index.shard_count + 1, sizeof **wants);
    bool ok = *wants || memory_error(error, "a list of files");
    if (ok && !sharded)
        ok = want(pull, *wants, count, "model.safetensors", "model.safetensors", error);
    for (size_t i = 0; i < index.shard_count && ok; i++)
        ok = want(pull, *wants, count, index.shards[i], index.shards[i], error);
    weights_index_free(&index);
    return ok;
}

static bool fetch_weights(struct pull *pull, struct error *error) {
    struct hub_want *wants = NULL;
    size_t count = 0;
    bool ok = want_weights(pull, &wants, &count, error) && fetch(pull, wants, count, true, error);
    free_wants(wants, count);
    memory_free(wants);
    return ok;
}

// ---- what earlier pulls left ----

// Files that the model does not have at this commit go; at the end, parts do, too.
static bool is_wanted(const struct pull *pull, const char *name, bool parts) {
    if (ends_with(name, ".partial")) return parts;
    if (!strcmp(name, MODEL_TEMPLATES_DIRECTORY))
        return hub_listing_find(&pull->listing, MODEL_TEMPLATES_DIRECTORY "/tool_use.jinja");
    return !strcmp(name, "model.gguf") || hub_listing_find(&pull->listing, name) ||
           (!parts && !strcmp(name, "chat_template.jinja"));
}

static bool tidy(const struct pull *pull, bool parts, struct error *error) {
    const char *directory = pull->install.staging;
    char path[FILE_PATH_SIZE];
    struct dirent *entry;
    DIR *folder = opendir(directory);
    if (!folder) return error_set_errno(error, ERROR_IO, "cannot read %s", directory);
    bool ok = true;
    while (ok && (entry = readdir(folder))) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..") || is_wanted(pull, name, parts)) continue;
        ok = file_path(path, sizeof path, error, directory, name) && file_remove_tree(path, error);
    }
    closedir(folder);
    return ok;
}

// ---- the two ways ----

static bool place_template(struct pull *pull, struct error *error) {
    return !template_path || model_install_template(&pull->install, template_path, error);
}

// What a model is told by before its weights: if this cannot be used, the weights need not come.
static bool check_early(struct pull *pull, struct error *error) {
    pull->hopeless = !model_config_load(&pull->report.config, pull->install.staging, error) ||
                     !model_check_chat(&pull->report, pull->install.staging, error);
    return !pull->hopeless;
}

static bool check_listing(const struct pull *pull, struct error *error) {
    if (!hub_listing_find(&pull->listing, "config.json") ||
        (!hub_listing_find(&pull->listing, "model.safetensors") &&
            !hub_listing_find(&pull->listing, WEIGHTS_INDEX_FILE)))
        return no_weights(pull, error);
    return hub_listing_find(&pull->listing, "tokenizer.json") ||
           error_set(error, ERROR_UNSUPPORTED,
               "%s has no tokenizer.json, which other forms of a tokenizer cannot stand for; take "
               "a "
               "repository that has one",
               pull->model);
}

static bool pull_directory(struct pull *pull, struct error *error) {
    return check_listing(pull, error) && fetch_small(pull, error) && place_template(pull, error) &&
           check_early(pull, error) && fetch_weights(pull, error);
}

static bool pull_gguf(struct pull *pull, struct error *error) {
    struct hub_want wants[1];
    struct buffer names;
    size_t count = 0;
    if (!ends_with(only_file, ".gguf"))
        return error_set(error, ERROR_INVALID, "--file takes the name of a .gguf file");
    if (!hub_listing_find(&pull->listing, only_file)) {
        buffer_init(&names, 600);
        name_files(pull, ".gguf", &names);
        error_set(error, ERROR_NOT_FOUND, "%s has no file %.200s; its GGUF files: %s", pull->model,
            only_file, names.length ? buffer_text(&names) : "none");
        buffer_free(&names);
        return false;
    }
    bool ok = want(pull, wants, &count, only_file, "model.gguf", error) &&
              fetch(pull, wants, count, true, error) && place_template(pull, error);
    free_wants(wants, count);
    return ok;
}

// ---- from the name to the model ----

// Two pulls to the same name would write to the same files.
static bool lock(struct pull *pull, struct error *error) {
    pull->lock = open(pull->install.staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pull->lock < 0)
        return error_set_errno(error, ERROR_IO, "cannot open %s", pull->install.staging);
    if (flock(pull->lock, LOCK_EX | LOCK_NB) == 0) return true;
    return error_set(
        error, ERROR_CONFLICT, "another `temper models pull` is fetching %s", pull->model);
}

static bool begin(struct pull *pull, struct error *error) {
    char staging[FILE_PATH_SIZE];
    const char *name = id ? id : pull->model;
    return model_install_staging_name(staging, name, error) &&
           model_install_begin(&pull->install, data, name, aliases.items, aliases.count,
               pull->model, staging, error);
}

static bool run(struct pull *pull, struct error *error) {
    struct model_manifest *manifest = &pull->install.manifest;
    if (!lock(pull, error) || !hub_list(&pull->hub, pull->model, revision, &pull->listing, error))
        return false;
    if (!(manifest->revision = memory_copy_string(pull->listing.commit)))
        return memory_error(error, "a model's revision");
    return tidy(pull, true, error) &&
           (only_file ? pull_gguf(pull, error) : pull_directory(pull, error)) &&
           tidy(pull, false, error) && model_check(&pull->report, pull->install.staging, error) &&
           model_install_publish(&pull->install, error);
}

// What is left of a pull that failed: parts to go on from, or nothing of use.
static void leave(struct pull *pull) {
    struct error left;
    if (rmdir(pull->install.staging) == 0) return;
    if (pull->hopeless && file_remove_tree(pull->install.staging, &left)) return;
    fprintf(stderr,
        "temper: what has come stays in %s; the same command goes on from there, and `temper "
        "models "
        "remove %s` removes it\n",
        pull->install.staging, pull->install.manifest.id);
}

static bool check_options(struct hub *hub, struct error *error) {
    if (parallel < 0 || parallel > MAX_PARALLEL)
        return error_set(error, ERROR_INVALID, "--parallel must be from 1 to %d", MAX_PARALLEL);
    if (attempts < 0 || attempts > MAX_ATTEMPTS)
        return error_set(error, ERROR_INVALID, "--attempts must be from 1 to %d", MAX_ATTEMPTS);
    if (parallel) hub->parallel = (int)parallel;
    if (attempts) hub->attempts = (int)attempts;
    return true;
}

int models_pull(int count, char **words) {
    struct error error = {0};
    struct pull pull = {.lock = -1};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    const struct known_model *known = known_model_find(words[0]);
    pull.model = known && known->hub ? known->hub : words[0];
    bool named = model_name_is_good(pull.model) ||
                 error_set(&error, ERROR_INVALID,
                     "\"%.200s\" is no name of a model on the hub: those are OWNER/NAME", words[0]);
    if (!named || !hub_open(&pull.hub, &error) || !check_options(&pull.hub, &error) ||
        !begin(&pull, &error))
        return cli_fail(&error);
    bool ok = run(&pull, &error);
    if (ok)
        model_facts_added(&pull.install.manifest, pull.install.target, pull.install.target,
            &pull.report, as_json);
    else
        cli_fail(&error);
    if (!ok && error.code != ERROR_CONFLICT) leave(&pull);
    if (pull.lock >= 0) close(pull.lock);
    hub_listing_free(&pull.listing);
    model_install_free(&pull.install);
    return ok ? CLI_SUCCESS : CLI_FAILURE;
}
