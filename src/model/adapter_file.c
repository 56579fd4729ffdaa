#include "model/adapter_file.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/gguf_layout.h"
#include "model/safetensors_writer.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 128, MAX_CONFIG = 1 << 20, MAX_TEMPLATE = 1 << 20 };

static void tensor_key(char *key, const struct lora_entry *entry, char which) {
    snprintf(key, KEY_SIZE, "base_model.model.model.layers.%zu.%s.%s.lora_%c.weight", entry->layer,
        lora_module_parents[entry->module], lora_module_names[entry->module], which);
}

// ---- writing ----

static json_t *target_modules(unsigned modules) {
    json_t *names = json_array();
    for (int module = 0; module < LORA_MODULES; module++)
        if (modules & 1u << module)
            json_array_append_new(names, json_string(lora_module_names[module]));
    return names;
}

static bool save_config(
    const struct lora *lora, const char *directory, const char *base_model, struct error *error) {
    json_t *config = json_pack("{s:s, s:s, s:s, s:n, s:i, s:f, s:f, s:s, s:b, s:b, s:b, s:b, s:o, "
                               "s:n, s:b, s:b, s:{}, s:{}, s:n, s:n}",
        "peft_type", "LORA", "task_type", "CAUSAL_LM", "base_model_name_or_path", base_model,
        "revision", "r", (int)lora->rank, "lora_alpha", (double)lora->alpha, "lora_dropout",
        (double)lora->dropout, "bias", "none", "fan_in_fan_out", 0, "inference_mode", 1,
        "init_lora_weights", 1, "use_rslora", 0, "target_modules", target_modules(lora->modules),
        "modules_to_save", "use_dora", 0, "lora_bias", 0, "rank_pattern", "alpha_pattern",
        "layers_to_transform", "layers_pattern");
    char *text = config ? json_dumps(config, JSON_INDENT(2)) : NULL;
    char path[FILE_PATH_SIZE];
    bool ok = text ? file_path(path, sizeof path, error, directory, "adapter_config.json") &&
                         file_write_atomic(path, text, strlen(text), error)
                   : memory_error(error, "adapter_config.json");
    free(text);
    json_decref(config);
    return ok;
}

static bool is_rotated(const struct lora *lora, const struct lora_entry *entry) {
    return lora->interleaved_head && (entry->module == LORA_Q || entry->module == LORA_K);
}

// All matrices, with rows in Hugging Face's order.
static void copy_in_file_order(const struct lora *lora, float *block) {
    memcpy(block, lora->parameters, lora->count * sizeof *block);
    for (size_t i = 0; i < lora->entry_count; i++) {
        const struct lora_entry *entry = &lora->entries[i];
        const float *from = lora->parameters + entry->b_offset;
        for (size_t row = 0; is_rotated(lora, entry) && row < entry->out; row++)
            memcpy(
                block + entry->b_offset + gguf_rotary_row(row, lora->interleaved_head) * lora->rank,
                from + row * lora->rank, lora->rank * sizeof *block);
    }
}

static void fill_sources(const struct lora *lora, const float *block,
    struct safetensor_source *sources, char (*keys)[KEY_SIZE]) {
    for (size_t i = 0; i < lora->entry_count; i++) {
        const struct lora_entry *entry = &lora->entries[i];
        tensor_key(keys[2 * i], entry, 'A');
        tensor_key(keys[2 * i + 1], entry, 'B');
        sources[2 * i] = (struct safetensor_source){
            keys[2 * i], DATA_F32, 2, {lora->rank, entry->in}, block + entry->a_offset};
        sources[2 * i + 1] = (struct safetensor_source){
            keys[2 * i + 1], DATA_F32, 2, {entry->out, lora->rank}, block + entry->b_offset};
    }
}

static bool save_tensors(const struct lora *lora, const char *directory, struct error *error) {
    size_t count = 2 * lora->entry_count;
    struct safetensor_source *sources = memory_alloc_array(count, sizeof *sources);
    char(*keys)[KEY_SIZE] = memory_alloc_array(count, sizeof *keys);
    float *block = memory_alloc_array(lora->count, sizeof *block);
    char path[FILE_PATH_SIZE];
    bool ok;
    if (!sources || !keys || !block)
        ok = memory_error(error, "the adapter's table");
    else {
        copy_in_file_order(lora, block);
        fill_sources(lora, block, sources, keys);
        ok = file_path(path, sizeof path, error, directory, "adapter_model.safetensors") &&
             safetensors_write(path, sources, count, error);
    }
    memory_free(sources);
    memory_free(keys);
    memory_free(block);
    return ok;
}

bool adapter_file_save(
    const struct lora *lora, const char *directory, const char *base_model, struct error *error) {
    return save_tensors(lora, directory, error) && save_config(lora, directory, base_model, error);
}

// ---- reading ----

static bool refuse(struct error *error, const char *name, const json_t *value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    error_set(error, ERROR_UNSUPPORTED,
        "adapter_config.json: '%s' is %.200s, which this version cannot apply", name,
        text ? text : "set");
    free(text);
    return false;
}

static bool nothing_in(const json_t *value) {
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_object(value) && !json_object_size(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

// Some ways to begin change the base weights, too: such an adapter is one over another model.
static bool check_beginning(const json_t *config, struct error *error) {
    static const char *const harmless[] = {"gaussian", "orthogonal", "eva"};
    const json_t *value = json_object_get(config, "init_lora_weights");
    if (!json_is_string(value)) return true;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (!strcmp(json_string_value(value), harmless[i])) return true;
    return refuse(error, "init_lora_weights", value);
}

// Keys that change what an adapter computes, in ways that are not computed here.
static const char *const must_be_empty[] = {"use_dora", "lora_bias", "modules_to_save",
    "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "fan_in_fan_out",
    "trainable_token_indices", "target_parameters", "layer_replication", "exclude_modules",
    "use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config", "kasa_config",
    "monteclora_config", "velora_config"};

// Keys that may hold objects, lists or true without a bearing on what is computed, and those that
// are read elsewhere.
static const char *const may_be_full[] = {"auto_mapping", "corda_config", "ensure_weight_tying",
    "eva_config", "inference_mode", "init_lora_weights", "loftq_config", "lora_ga_config",
    "megatron_config", "target_modules", "use_rslora"};

static bool is_among(const char *const names[], size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

// A key that a later peft has made up may change what is computed; if it only is a number or a
// word, it says more on one that does.
static bool check_keys(const json_t *config, struct error *error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)config, name, value) {
        bool known = is_among(may_be_full, sizeof may_be_full / sizeof *may_be_full, name);
        bool empty = is_among(must_be_empty, sizeof must_be_empty / sizeof *must_be_empty, name);
        bool harmless = json_is_number(value) || json_is_string(value);
        if (!known && !nothing_in(value) && (empty || !harmless)) return refuse(error, name, value);
    }
    return true;
}

static bool check_config(const json_t *config, struct error *error) {
    const char *type = json_string_value(json_object_get(config, "peft_type"));
    const char *bias = json_string_value(json_object_get(config, "bias"));
    const json_t *rslora = json_object_get(config, "use_rslora");
    if (!type || strcmp(type, "LORA"))
        return error_set(error, ERROR_UNSUPPORTED,
            "adapter_config.json: 'peft_type' is '%s'; only 'LORA' is supported",
            type ? type : "absent");
    if (bias && strcmp(bias, "none")) return refuse(error, "bias", json_object_get(config, "bias"));
    if (!json_is_true(rslora) && !nothing_in(rslora)) return refuse(error, "use_rslora", rslora);
    return check_keys(config, error) && check_beginning(config, error);
}

// peft writes "q_proj", or, where it was asked for all linear layers, the way to each of them:
// "model.layers.0.self_attn.q_proj". That each layer has its tensors is seen when they are read.
static bool module_by_name(const char *name, unsigned *modules) {
    const char *dot = strrchr(name, '.');
    if (dot) name = dot + 1;
    for (int module = 0; module < LORA_MODULES; module++)
        if (!strcmp(name, lora_module_names[module])) {
            *modules |= 1u << module;
            return true;
        }
    return false;
}

// Where the config has a pattern in place of names, the tensors say what it matched.
static unsigned modules_of(const struct safetensors *file) {
    unsigned modules = 0;
    for (size_t i = 0; i < safetensors_count(file); i++)
        for (int module = 0; module < LORA_MODULES; module++) {
            char part[KEY_SIZE];
            snprintf(part, sizeof part, ".%s.%s.lora_A.weight", lora_module_parents[module],
                lora_module_names[module]);
            if (strstr(safetensors_at(file, i)->name, part)) modules |= 1u << module;
        }
    return modules;
}

static bool read_modules(
    const json_t *config, const struct safetensors *file, unsigned *modules, struct error *error) {
    const json_t *names = json_object_get(config, "target_modules"), *each;
    size_t i;
    *modules = 0;
    if (json_is_string(names)) {
        *modules = modules_of(file);
        return *modules || refuse(error, "target_modules", names);
    }
    if (!json_is_array(names) || !json_array_size(names))
        return refuse(error, "target_modules", names);
    json_array_foreach(names, i, each) {
        if (!json_is_string(each) || !module_by_name(json_string_value(each), modules))
            return refuse(error, "target_modules", each);
    }
    return true;
}

// rslora's scale is alpha / sqrt(rank): the same as LoRA's with another alpha.
static float read_alpha(const json_t *config, json_int_t rank) {
    double alpha = json_number_value(json_object_get(config, "lora_alpha"));
    return (float)(json_is_true(json_object_get(config, "use_rslora")) ? alpha * sqrt((double)rank)
                                                                       : alpha);
}

static bool create(struct lora **lora, const struct model_config *model, const json_t *config,
    const struct safetensors *file, struct error *error) {
    unsigned modules;
    json_int_t rank = json_integer_value(json_object_get(config, "r"));
    if (rank < 0) rank = 0;
    return check_config(config, error) && read_modules(config, file, &modules, error) &&
           lora_create(lora, model, (size_t)rank, read_alpha(config, rank), modules, 0, error);
}

static bool read_config(struct lora **lora, const struct model_config *model,
    const struct safetensors *file, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    json_error_t fault;
    if (!file_path(path, sizeof path, error, directory, "adapter_config.json") ||
        !file_read(path, MAX_CONFIG, &text, &length, error))
        return false;
    json_t *config = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    memory_free(text);
    if (!config)
        return error_set(
            error, ERROR_INVALID, "adapter_config.json, line %d: %s", fault.line, fault.text);
    bool ok = create(lora, model, config, file, error);
    json_decref(config);
    return ok;
}

static bool read_matrix(const struct safetensors *file, const char *key, size_t rows,
    size_t columns, float *values, struct error *error) {
    const struct safetensor *tensor = safetensors_find(file, key);
    if (!tensor) return error_set(error, ERROR_INVALID, "the adapter has no tensor '%s'", key);
    if (tensor->dimensions != 2 || tensor->shape[0] != rows || tensor->shape[1] != columns)
        return error_set(error, ERROR_INVALID,
            "the adapter's tensor '%s' is not %zu × %zu: it was made for another base model or "
            "rank",
            key, rows, columns);
    if (tensor->type == DATA_TYPES)
        return error_set(error, ERROR_UNSUPPORTED, "the adapter's tensor '%s' is stored as %s", key,
            tensor->type_name);
    data_type_table[tensor->type].to_f32(values, tensor->data, rows * columns);
    for (size_t i = 0; i < rows * columns; i++)
        if (!isfinite(values[i]))
            return error_set(error, ERROR_INVALID,
                "the adapter's tensor '%s' has a value that is no finite number: its training "
                "broke",
                key);
    return true;
}

static bool to_model_order(
    const struct lora *lora, const struct lora_entry *entry, struct error *error) {
    size_t rank = lora->rank, bytes = entry->out * rank * sizeof(float);
    float *to = lora->parameters + entry->b_offset, *from = memory_alloc(bytes);
    if (!from) return memory_error(error, "an adapter");
    memcpy(from, to, bytes);
    for (size_t row = 0; row < entry->out; row++)
        memcpy(to + row * rank, from + gguf_rotary_row(row, lora->interleaved_head) * rank,
            rank * sizeof *to);
    memory_free(from);
    return true;
}

static bool read_tensors(struct lora *lora, const struct safetensors *file, struct error *error) {
    char key[KEY_SIZE];
    for (size_t i = 0; i < lora->entry_count; i++) {
        const struct lora_entry *entry = &lora->entries[i];
        tensor_key(key, entry, 'A');
        if (!read_matrix(
                file, key, lora->rank, entry->in, lora->parameters + entry->a_offset, error))
            return false;
        tensor_key(key, entry, 'B');
        if (!read_matrix(
                file, key, entry->out, lora->rank, lora->parameters + entry->b_offset, error))
            return false;
        if (is_rotated(lora, entry) && !to_model_order(lora, entry, error)) return false;
    }
    if (safetensors_count(file) == 2 * lora->entry_count) return true;
    return error_set(error, ERROR_INVALID,
        "the adapter has %zu tensors where its config and this base model call for %zu",
        safetensors_count(file), 2 * lora->entry_count);
}

static bool load(struct lora **lora, const struct model_config *config,
    const struct safetensors *file, const char *directory, struct error *error) {
    if (!read_config(lora, config, file, directory, error)) return false;
    if (read_tensors(*lora, file, error)) return true;
    lora_free(*lora);
    return false;
}

bool adapter_file_load(struct lora **lora, const struct model_config *config, const char *directory,
    struct error *error) {
    char path[FILE_PATH_SIZE];
    struct safetensors *file;
    struct lora *new;
    if (!file_path(path, sizeof path, error, directory, "adapter_model.safetensors") ||
        !safetensors_open(&file, path, error))
        return false;
    bool ok = load(&new, config, file, directory, error);
    safetensors_close(file);
    if (!ok) return error_prefix(error, "%s", directory);
    *lora = new;
    return true;
}

// ---- the chat template ----

bool adapter_file_copy_template(const char *from, const char *to, struct error *error) {
    char source[FILE_PATH_SIZE], target[FILE_PATH_SIZE], *bytes;
    size_t length;
    if (!from) return true;
    if (!file_path(source, sizeof source, error, from, ADAPTER_TEMPLATE_FILE) ||
        !file_path(target, sizeof target, error, to, ADAPTER_TEMPLATE_FILE))
        return false;
    if (!file_exists(source)) return true;
    if (!file_read(source, MAX_TEMPLATE, &bytes, &length, error)) return false;
    bool ok = file_write_atomic(target, bytes, length, error);
    memory_free(bytes);
    return ok;
}
