// temper models add-adapter: an adapter that peft made becomes a model of an account.
#include "base/file.h"
#include "base/known_models.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "base/model_manifest.h"
#include "base/random.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/models.h"
#include "model/adapter_file.h"
#include "model/chat_example.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *data = "./temper-data", *account = "personal", *base_name, *id;
static bool as_json;

static const struct cli_option options[] = {
    {"--base", "NAME", CLI_TEXT, &base_name, "the base model that it was made for"},
    {"--id", "NAME", CLI_TEXT, &id, "what it is to be called (ft:OWNER:BASE:ACCOUNT:DIGITS)"},
    {"--data", "DIR", CLI_TEXT, &data, "the server's data directory (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "whose model it is to be (personal)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print what was added as JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper models add-adapter DIR --base NAME [--id NAME] [--data DIR] [--account NAME]",
    .purpose =
        "Makes an adapter (adapter_config.json and adapter_model.safetensors, as peft writes\n"
        "them) a fine-tuned model: it is checked against its base model, copied, and answers in\n"
        "the API and in `temper chat`. LoRA and rslora of the linear layers are computed; what\n"
        "is not (DoRA, other modules, patterns of ranks) is refused by its name.",
    .example = "  temper models add-adapter ./my-adapter --base meta-llama/Llama-3.1-8B-Instruct "
               "--id support-v2",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

// The last, the template that it was trained with, where it is not its base model's, may be absent.
static const char *const files[] = {
    "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"};

enum {
    ADAPTER_FILES = sizeof files / sizeof *files,
    NEEDED_FILES = 2,
    SECRET = 24,
    MAX_NAME = 200,
    MAX_CONFIG = 1 << 20
};

// An adapter on its way.
struct addition {
    const char *source; // absolute
    struct store *store;
    struct model_directory base;
    char *name;
    size_t rank;
    char target[FILE_PATH_SIZE]; // DATA/adapters/adapter_…
};

// ---- checks ----

// An adapter's config may say for which model it was made: a hint where it does not fit.
static void add_hint(const struct addition *addition, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    if (!file_path(path, sizeof path, NULL, addition->source, files[0]) ||
        !file_read(path, MAX_CONFIG, &text, &length, NULL))
        return;
    json_t *config = json_loadb(text, length, 0, NULL);
    const char *made_for = json_string_value(json_object_get(config, "base_model_name_or_path"));
    if (made_for && *made_for && strcmp(made_for, addition->base.id))
        error_prefix(
            error, "not for %s (its config says: for %.200s)", addition->base.id, made_for);
    json_decref(config);
    memory_free(text);
}

// Whether a chat renders under this adapter.
static bool check_template(const struct addition *addition, struct error *error) {
    struct chat_format *format;
    struct token_ids ids = {0};
    if (!chat_format_open_with(&format, addition->base.path, addition->source, NULL, error))
        return false;
    json_t *chat = json_pack("[{s:s, s:s}]", "role", "user", "content", "Hello");
    bool ok = !chat_format_has_template(format) || chat_format_prompt(format, chat, &ids, error);
    token_ids_free(&ids);
    json_decref(chat);
    chat_format_close(format);
    return ok;
}

static bool check_adapter(struct addition *addition, struct error *error) {
    struct model_config config;
    struct lora *lora;
    if (!model_config_load(&config, addition->base.path, error)) return false;
    if (!adapter_file_load(&lora, &config, addition->source, error)) {
        if (error->code == ERROR_INVALID) add_hint(addition, error);
        return false;
    }
    addition->rank = lora->rank;
    lora_free(lora);
    return check_template(addition, error);
}

static bool find_base(struct addition *addition, struct error *error) {
    struct error reason = {0};
    if (model_directory_by_name(&addition->base, base_name, data, &reason)) return true;
    if (reason.code == ERROR_NOT_FOUND && model_directory_holds_model(base_name))
        return error_set(error, ERROR_INVALID,
            "--base takes the name of a model, as the server has it: first run: temper models add "
            "%s "
            "--id NAME",
            base_name);
    *error = reason;
    return false;
}

// A name of the fine-tuned kind, or one that a base model could have.
static bool name_is_good(const char *name) {
    size_t length = strlen(name);
    if (strncmp(name, "ft:", 3)) return model_name_is_good(name);
    for (const char *at = name; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '/' || *at == '\\' || *at == '%') return false;
    return length > 3 && length <= MAX_NAME && !strstr(name, "..");
}

static bool own_name(struct addition *addition, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct file_map map;
    if (!file_path(path, sizeof path, error, addition->source, files[1]) ||
        !file_map_open(&map, path, error))
        return false;
    bool ok = model_make_name(
        &addition->name, addition->base.id, account, NULL, map.data, map.size, error);
    file_map_close(&map);
    return ok;
}

static bool choose_name(struct addition *addition, struct error *error) {
    if (!id) return own_name(addition, error);
    if (known_model_find(id))
        return error_set(
            error, ERROR_CONFLICT, "the name \"%s\" is taken: a base model answers to it", id);
    if (!name_is_good(id))
        return error_set(error, ERROR_INVALID,
            "\"%.200s\" cannot be the name of a fine-tuned model: take NAME or OWNER/NAME of "
            "letters, digits, '.', '_' and '-', or a name that begins with ft:",
            id);
    addition->name = memory_copy_string(id);
    return addition->name || memory_error(error, "a model's name");
}

static bool check_name(struct addition *addition, struct error *error) {
    struct model_record taken;
    struct error reason = {0};
    if (!choose_name(addition, error)) return false;
    if (!model_resolve(addition->store, account, addition->name, &taken, &reason)) {
        if (reason.code == ERROR_NOT_FOUND) return true;
        *error = reason;
        return false;
    }
    model_record_free(&taken);
    return error_set(error, ERROR_CONFLICT,
        "the name \"%s\" is taken; take another with --id, or first run: temper models remove %s",
        addition->name, addition->name);
}

// ---- copying ----

static bool copy_files(
    const struct addition *addition, const char *directory, struct error *error) {
    char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE];
    for (size_t i = 0; i < ADAPTER_FILES; i++) {
        if (!file_path(from, sizeof from, error, addition->source, files[i]) ||
            !file_path(to, sizeof to, error, directory, files[i]))
            return false;
        if (i >= NEEDED_FILES && !file_exists(from)) continue;
        if (!file_copy(from, to, error)) return false;
    }
    return true;
}

static bool write_manifest(
    const struct addition *addition, const char *directory, struct error *error) {
    struct model_manifest manifest = {.created_at = (int64_t)time(NULL)};
    bool ok = model_manifest_set(&manifest, addition->name, addition->source, error) &&
              model_manifest_write(&manifest, directory, error);
    model_manifest_free(&manifest);
    return ok;
}

static bool fill(const struct addition *addition, const char *staging, struct error *error) {
    return copy_files(addition, staging, error) && write_manifest(addition, staging, error) &&
           file_sync_directory(staging, error) &&
           file_rename_durable(staging, addition->target, error);
}

static bool copy(struct addition *addition, struct error *error) {
    char folder[FILE_PATH_SIZE], staging[FILE_PATH_SIZE];
    char name[sizeof "adapter_" + SECRET] = "adapter_";
    struct error left;
    if (!random_secret(name + strlen(name), SECRET, error) ||
        !file_path(folder, sizeof folder, error, store_directory(addition->store), "adapters") ||
        !file_path(addition->target, FILE_PATH_SIZE, error, folder, name) ||
        !file_path(staging, sizeof staging, error, folder, ".adding-XXXXXX"))
        return false;
    if (!mkdtemp(staging)) return error_set_errno(error, ERROR_IO, "cannot write to %s", folder);
    if (fill(addition, staging, error)) return true;
    if (!file_remove_tree(staging, &left)) fprintf(stderr, "temper: %s\n", left.message);
    return false;
}

static bool publish(struct addition *addition, struct error *error) {
    struct error left;
    if (model_add(addition->store, account, addition->name, addition->base.id, addition->target,
            false, error))
        return true;
    if (!file_remove_tree(addition->target, &left)) fprintf(stderr, "temper: %s\n", left.message);
    return false;
}

// ---- the command ----

static void print(const struct addition *addition) {
    if (as_json) {
        json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:I}", "id", addition->name, "base",
            addition->base.id, "adapter", addition->target, "source", addition->source, "rank",
            (json_int_t)addition->rank);
        api_client_print(root);
        json_decref(root);
        return;
    }
    printf("%s is here: an adapter of rank %zu over %s\n  try it: temper chat --model %s 'Hello'\n",
        addition->name, addition->rank, addition->base.id, addition->name);
}

static bool add(struct addition *addition, struct error *error) {
    return find_base(addition, error) && check_adapter(addition, error) &&
           store_open(&addition->store, data, error) && check_name(addition, error) &&
           copy(addition, error) && publish(addition, error);
}

int models_add_adapter(int count, char **words) {
    struct error error = {0};
    struct addition addition = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (!base_name) {
        error_set(&error, ERROR_INVALID, "--base NAME is missing: the adapter's base model");
        cli_fail(&error);
        return CLI_USAGE;
    }
    char *source = realpath(words[0], NULL);
    addition.source = source;
    bool ok = source ? add(&addition, &error)
                     : error_set_errno(&error, ERROR_IO, "cannot open %s", words[0]);
    if (ok) print(&addition);
    if (addition.store) store_close(addition.store);
    model_directory_free(&addition.base);
    memory_free(addition.name);
    free(source);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
