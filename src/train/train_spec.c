#include "train/train_spec.h"
#include "base/hyperparameters.h"
#include "base/memory.h"
#include "model/lora.h"
#include <math.h>
#include <string.h>

void train_spec_init(struct train_spec *spec) {
    memset(spec, 0, sizeof *spec);
    spec->lora_rank = 16;
    spec->lora_alpha = 32;
    spec->lora_modules = LORA_ALL_MODULES;
    spec->checkpoint_seconds = 180;
    spec->full.prompt_weight = 0;
    spec->full.text_weight = 1;
    spec->full.schedule = SCHEDULE_COSINE;
}

void train_spec_free(struct train_spec *spec) {
    memory_free(spec->model);
    memory_free(spec->base_model_name);
    memory_free(spec->training_file);
    memory_free(spec->training_file_name);
    memory_free(spec->validation_file);
    memory_free(spec->validation_file_name);
    memory_free(spec->adapter);
    memory_free(spec->chat_template);
    memset(spec, 0, sizeof *spec);
}

// ---- reading ----

static bool read_text(
    const json_t *root, const char *key, bool required, char **text, struct error *error) {
    const json_t *value = json_object_get(root, key);
    if (!value || json_is_null(value))
        return !required || error_set(error, ERROR_INVALID, "spec.json has no '%s'", key);
    if (!json_is_string(value) || !*json_string_value(value))
        return error_set(error, ERROR_INVALID, "spec.json: '%s' must be a text", key);
    memory_free(*text);
    *text = memory_copy_string(json_string_value(value));
    return *text || memory_error(error, "spec.json");
}

// A number within [least, most]; absent or null leaves *number as it is.
static bool read_number(const json_t *root, const char *key, double least, double most,
    double *number, struct error *error) {
    const json_t *value = json_object_get(root, key);
    if (!value || json_is_null(value)) return true;
    double given = json_number_value(value);
    if (!json_is_number(value) || !(given >= least && given <= most))
        return error_set(error, ERROR_INVALID, "spec.json: '%s' must be a number from %g to %g",
            key, least, most);
    *number = given;
    return true;
}

static bool read_hyperparameter(
    const json_t *root, const char *group, const char *name, double *number, struct error *error) {
    const json_t *value = json_object_get(root, name);
    const char *text = json_string_value(value);
    if (!value || json_is_null(value) || (text && !strcmp(text, "auto"))) return true;
    if (!json_is_number(value))
        return error_set(
            error, ERROR_INVALID, "spec.json: '%s' must be a number or \"auto\"", name);
    *number = json_number_value(value);
    return hyperparameter_check(hyperparameter_find(group, name), *number, error);
}

static bool read_choice(const json_t *root, const char *key, const char *const *names, int *choice,
    struct error *error) {
    const json_t *value = json_object_get(root, key);
    if (!value) return true;
    for (int i = 0; names[i]; i++)
        if (json_is_string(value) && !strcmp(json_string_value(value), names[i])) {
            *choice = i;
            return true;
        }
    return error_set(error, ERROR_INVALID, "spec.json: '%s' is none of those known", key);
}

static bool read_modules(
    const json_t *names, const char *what, unsigned *modules, struct error *error) {
    size_t index;
    json_t *name;
    if (!names) return true;
    *modules = 0;
    json_array_foreach((json_t *)names, index, name) {
        const char *text = json_string_value(name);
        unsigned found = 0;
        for (int module = 0; text && module < LORA_MODULES; module++)
            if (strcmp(lora_module_names[module], text) == 0) found = 1u << module;
        if (!found)
            return error_set(error, ERROR_INVALID,
                "%s: '%s' is none of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and "
                "down_proj",
                what, text ? text : "(no text)");
        *modules |= found;
    }
    return *modules || error_set(error, ERROR_INVALID, "%s must name at least one module", what);
}

static const char *const optimizer_names[] = {"adamw", "muon", NULL};
static const char *const schedule_names[] = {"cosine", "linear_end", "constant", NULL};

static bool read_full(struct full_parameters *full, const json_t *root, struct error *error) {
    double tokens = 0, warmup = 0, longest = 0;
    int optimizer = TRAIN_ADAMW, schedule = SCHEDULE_COSINE;
    if (!root || json_is_null(root)) return true;
    if (!json_is_object(root))
        return error_set(error, ERROR_INVALID, "spec.json: 'full_parameters' must be an object");
    full->on = true;
    full->from_random = json_is_true(json_object_get(root, "from_random"));
    full->keep_order = json_is_true(json_object_get(root, "keep_order"));
    if (!read_number(root, "learning_rate", 0, 10, &full->learning_rate, error) ||
        !read_number(root, "muon_learning_rate", 0, 10, &full->muon_learning_rate, error) ||
        !read_number(root, "tokens_per_batch", 0, 1 << 24, &tokens, error) ||
        !read_number(root, "warmup_steps", 0, 1e9, &warmup, error) ||
        !read_number(root, "example_tokens", 0, 1 << 24, &longest, error) ||
        !read_number(root, "prompt_weight", 0, 1, &full->prompt_weight, error) ||
        !read_number(root, "text_weight", 0, 1, &full->text_weight, error) ||
        !read_choice(root, "optimizer", optimizer_names, &optimizer, error) ||
        !read_choice(root, "schedule", schedule_names, &schedule, error) ||
        !read_modules(
            json_object_get(root, "modules"), "full_parameters.modules", &full->modules, error))
        return false;
    full->tokens_per_batch = (size_t)tokens;
    full->warmup_steps = (uint64_t)warmup;
    full->example_tokens = (size_t)longest;
    full->optimizer = optimizer;
    full->schedule = schedule;
    return true;
}

static bool read_flag(const json_t *root, const char *key, bool *flag, struct error *error) {
    const json_t *value = json_object_get(root, key);
    if (!value || json_is_null(value)) return true;
    *flag = json_is_true(value);
    return json_is_boolean(value) ||
           error_set(error, ERROR_INVALID, "spec.json: '%s' must be true or false", key);
}

bool train_spec_read(struct train_spec *spec, const json_t *root, struct error *error) {
    const json_t *numbers = json_object_get(root, "hyperparameters");
    const json_t *lora = json_object_get(root, "lora");
    double seed = 0, threads = spec->threads, rank = (double)spec->lora_rank, chat_time = 0;
    double memory = 0;
    bool shared = true;
    if (!json_is_object(root))
        return error_set(error, ERROR_INVALID, "spec.json is not a JSON object");
    if (!read_text(root, "model", true, &spec->model, error) ||
        !read_text(root, "base_model_name", false, &spec->base_model_name, error) ||
        !read_text(root, "training_file", true, &spec->training_file, error) ||
        !read_text(root, "training_file_name", false, &spec->training_file_name, error) ||
        !read_text(root, "validation_file", false, &spec->validation_file, error) ||
        !read_text(root, "validation_file_name", false, &spec->validation_file_name, error) ||
        !read_text(root, "adapter", false, &spec->adapter, error) ||
        !read_text(root, "chat_template", false, &spec->chat_template, error) ||
        !read_number(root, "chat_time", 0, 1e12, &chat_time, error) ||
        !read_number(root, "seed", 0, 9e15, &seed, error) ||
        !read_number(root, "threads", 0, 1024, &threads, error) ||
        !read_number(root, "memory", 0, 9e15, &memory, error) ||
        !read_flag(root, "shared_prefixes", &shared, error) ||
        !read_number(root, "checkpoint_seconds", 0.01, 1e9, &spec->checkpoint_seconds, error) ||
        !read_hyperparameter(numbers, NULL, "n_epochs", &spec->epochs, error) ||
        !read_hyperparameter(numbers, NULL, "batch_size", &spec->batch_size, error) ||
        !read_hyperparameter(
            numbers, NULL, "learning_rate_multiplier", &spec->rate_multiplier, error) ||
        !read_hyperparameter(lora, "lora", "rank", &rank, error) ||
        !read_hyperparameter(lora, "lora", "alpha", &spec->lora_alpha, error) ||
        !read_hyperparameter(lora, "lora", "dropout", &spec->lora_dropout, error) ||
        !read_modules(json_object_get(lora, "target_modules"), "lora.target_modules",
            &spec->lora_modules, error) ||
        !read_full(&spec->full, json_object_get(root, "full_parameters"), error))
        return false;
    spec->seed = (uint64_t)seed;
    spec->chat_time = (int64_t)chat_time;
    spec->threads = (int)threads;
    spec->memory = (uint64_t)memory;
    spec->separate = !shared;
    spec->lora_rank = (size_t)rank;
    spec->rank_given = json_object_get(lora, "rank") != NULL;
    return true;
}

// ---- writing ----

json_t *train_spec_modules(unsigned modules) {
    json_t *names = json_array();
    for (int module = 0; module < LORA_MODULES; module++)
        if (modules >> module & 1)
            json_array_append_new(names, json_string(lora_module_names[module]));
    return names;
}

static json_t *number_or_auto(double number) {
    if (number == 0) return json_string("auto");
    return number == floor(number) ? json_integer((json_int_t)number) : json_real(number);
}

static json_t *full_json(const struct full_parameters *full) {
    if (!full->on) return json_null();
    return json_pack("{s:b, s:b, s:s, s:f, s:f, s:I, s:I, s:s, s:f, s:f, s:I}", "from_random",
        full->from_random, "keep_order", full->keep_order, "optimizer",
        optimizer_names[full->optimizer], "learning_rate", full->learning_rate,
        "muon_learning_rate", full->muon_learning_rate, "tokens_per_batch",
        (json_int_t)full->tokens_per_batch, "warmup_steps", (json_int_t)full->warmup_steps,
        "schedule", schedule_names[full->schedule], "prompt_weight", full->prompt_weight,
        "text_weight", full->text_weight, "example_tokens", (json_int_t)full->example_tokens);
}

static json_t *full_json_with_modules(const struct full_parameters *full) {
    json_t *root = full_json(full);
    if (root && full->on && full->modules)
        json_object_set_new(root, "modules", train_spec_modules(full->modules));
    return root;
}

json_t *train_spec_json(const struct train_spec *spec) {
    json_t *root = json_pack("{s:s, s:s?, s:s, s:s?, s:s?, s:s?, s:s?, s:I, s:{s:o, s:o, s:o}, "
                             "s:{s:I, s:f, s:f, s:o}, s:i, s:f}",
        "model", spec->model, "base_model_name", spec->base_model_name, "training_file",
        spec->training_file, "training_file_name", spec->training_file_name, "validation_file",
        spec->validation_file, "validation_file_name", spec->validation_file_name, "adapter",
        spec->adapter, "seed", (json_int_t)spec->seed, "hyperparameters", "n_epochs",
        number_or_auto(spec->epochs), "batch_size", number_or_auto(spec->batch_size),
        "learning_rate_multiplier", number_or_auto(spec->rate_multiplier), "lora", "rank",
        (json_int_t)spec->lora_rank, "alpha", spec->lora_alpha, "dropout", spec->lora_dropout,
        "target_modules", train_spec_modules(spec->lora_modules), "threads", spec->threads,
        "checkpoint_seconds", spec->checkpoint_seconds);
    if (root && spec->adapter && !spec->rank_given)
        json_object_del(json_object_get(root, "lora"), "rank");
    if (root && spec->chat_template)
        json_object_set_new(root, "chat_template", json_string(spec->chat_template));
    if (root && spec->chat_time)
        json_object_set_new(root, "chat_time", json_integer(spec->chat_time));
    if (root && spec->memory)
        json_object_set_new(root, "memory", json_integer((json_int_t)spec->memory));
    if (root && spec->separate) json_object_set_new(root, "shared_prefixes", json_false());
    if (root && spec->full.on)
        json_object_set_new(root, "full_parameters", full_json_with_modules(&spec->full));
    return root;
}

// ---- choosing ----

// With dropout each example has its own inputs left out, the first rows too: what they begin with
// alike is then no longer alike.
bool train_spec_shares(const struct train_spec *spec) {
    return !spec->separate && (spec->full.on || spec->lora_dropout == 0);
}

static double between(double least, double value, double most) {
    return value < least ? least : value > most ? most : value;
}

void train_spec_choose(struct train_spec *spec, size_t examples) {
    if (spec->batch_size == 0) spec->batch_size = between(1, round(0.002 * (double)examples), 32);
    if (spec->epochs == 0) {
        double steps = ceil((double)examples / spec->batch_size);
        spec->epochs = spec->full.on ? 1 : between(1, ceil(100 / steps), 10);
    }
    if (spec->rate_multiplier == 0) spec->rate_multiplier = 1;
}
