#include "model/model_config.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/gguf.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE = 1 << 20 };

// What the classes of transformers differ in, and what they take where config.json says nothing.
static const struct family {
    const char *model_type;
    const char *class_name;
    enum { BIAS_NEVER, BIAS_QKV, BIAS_ASKED } bias; // asked: by attention_bias, then of o_proj, too
    enum { WINDOW_NEVER, WINDOW_ALWAYS, WINDOW_ASKED } window;
    bool query_key_norm;
    size_t kv_heads; // 0: as many as heads
    size_t head_dim; // 0: hidden_size / heads
    size_t context_length;
} families[] = {
    {"llama", "LlamaForCausalLM", BIAS_ASKED, WINDOW_NEVER, false, 0, 0, 2048},
    {"mistral", "MistralForCausalLM", BIAS_NEVER, WINDOW_ALWAYS, false, 8, 0, 131072},
    {"qwen2", "Qwen2ForCausalLM", BIAS_QKV, WINDOW_ASKED, false, 32, 0, 32768},
    {"qwen3", "Qwen3ForCausalLM", BIAS_ASKED, WINDOW_ASKED, true, 32, 128, 32768},
};

static json_t *load_object(const char *directory, const char *name, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    if (!file_path(path, sizeof path, error, directory, name) ||
        !file_read(path, MAX_FILE, &text, &length, error))
        return NULL;
    json_error_t fault;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    memory_free(text);
    if (!root)
        error_set(error, ERROR_INVALID, "%s, line %d: %s", path, fault.line, fault.text);
    else if (!json_is_object(root)) {
        json_decref(root);
        root = NULL;
        error_set(error, ERROR_INVALID, "%s is not a JSON object", path);
    }
    return root;
}

// ---- fields ----

enum { REQUIRED = -1 };

static bool read_size(const json_t *root, const char *name, size_t most, int64_t otherwise,
    size_t *value, struct error *error) {
    const json_t *field = json_object_get(root, name);
    if (!field || json_is_null(field)) {
        if (otherwise == REQUIRED)
            return error_set(error, ERROR_INVALID, "config.json has no '%s'", name);
        *value = (size_t)otherwise;
        return true;
    }
    json_int_t number = json_integer_value(field);
    if (!json_is_integer(field) || number < 1 || (uint64_t)number > most)
        return error_set(error, ERROR_INVALID,
            "config.json: '%s' must be a whole number from 1 to %zu", name, most);
    *value = (size_t)number;
    return true;
}

static bool read_number(
    const json_t *root, const char *name, double otherwise, double *value, struct error *error) {
    const json_t *field = json_object_get(root, name);
    *value = otherwise;
    if (!field || json_is_null(field)) return true;
    if (!json_is_number(field) || !(json_number_value(field) > 0) ||
        !isfinite(json_number_value(field)))
        return error_set(error, ERROR_INVALID, "config.json: '%s' must be a number above 0", name);
    *value = json_number_value(field);
    return true;
}

// null is as good as absence, but that a null num_key_value_heads means as many as heads.
static size_t default_kv_heads(
    const struct model_config *c, const struct family *family, const json_t *root) {
    bool named = json_object_get(root, "num_key_value_heads") != NULL;
    return family->kv_heads && !named ? family->kv_heads : c->heads;
}

static bool read_sizes(
    struct model_config *c, const struct family *family, const json_t *root, struct error *error) {
    if (!read_size(root, "vocab_size", 1 << 22, REQUIRED, &c->vocabulary_size, error) ||
        !read_size(root, "hidden_size", 1 << 17, REQUIRED, &c->hidden_size, error) ||
        !read_size(root, "intermediate_size", 1 << 19, REQUIRED, &c->intermediate_size, error) ||
        !read_size(
            root, "num_hidden_layers", MODEL_CONFIG_MAX_LAYERS, REQUIRED, &c->layers, error) ||
        !read_size(root, "num_attention_heads", 1024, REQUIRED, &c->heads, error))
        return false;
    size_t head_dim = family->head_dim ? family->head_dim : c->hidden_size / c->heads;
    size_t kv_heads = default_kv_heads(c, family, root);
    if (!read_size(root, "num_key_value_heads", 1024, (int64_t)kv_heads, &c->kv_heads, error) ||
        !read_size(root, "head_dim", 512, (int64_t)head_dim, &c->head_dim, error) ||
        !read_size(root, "max_position_embeddings", 1 << 24, (int64_t)family->context_length,
            &c->context_length, error))
        return false;
    if (c->heads % c->kv_heads)
        return error_set(error, ERROR_INVALID,
            "config.json: num_attention_heads (%zu) is not a multiple of num_key_value_heads (%zu)",
            c->heads, c->kv_heads);
    if (c->head_dim < 2 || c->head_dim > 512 || c->head_dim % 2)
        return error_set(error, ERROR_INVALID,
            "config.json: a head has %zu elements; it must be an even number up to 512",
            c->head_dim);
    return true;
}

// ---- what this program does not compute ----

static bool must_be_absent(const json_t *root, const char *name, struct error *error) {
    const json_t *field = json_object_get(root, name);
    if (!field || json_is_null(field) || json_is_false(field)) return true;
    char *text = json_dumps(field, JSON_ENCODE_ANY | JSON_COMPACT);
    error_set(error, ERROR_UNSUPPORTED, "config.json: '%s' is %.200s, which is not supported", name,
        text ? text : "set");
    free(text);
    return false;
}

// The two forms of bitsandbytes that weights_matrix reads; the tensors themselves say the rest.
static bool check_quantization(const json_t *root, struct error *error) {
    const json_t *field = json_object_get(root, "quantization_config");
    if (!json_is_object(field)) return must_be_absent(root, "quantization_config", error);
    const char *method = json_string_value(json_object_get(field, "quant_method"));
    const char *kind = json_string_value(json_object_get(field, "bnb_4bit_quant_type"));
    bool four = json_is_true(json_object_get(field, "load_in_4bit"));
    if (!method || strcmp(method, "bitsandbytes"))
        return error_set(error, ERROR_UNSUPPORTED,
            "config.json: quantization_config's 'quant_method' is '%.50s'; this version reads "
            "'bitsandbytes'",
            method ? method : "absent");
    if (four && kind && strcmp(kind, "nf4"))
        return error_set(error, ERROR_UNSUPPORTED,
            "config.json: quantization_config's 'bnb_4bit_quant_type' is '%.50s'; this version "
            "reads 'nf4'",
            kind);
    return true;
}

// Fields that mean another computation wherever they are set.
static const char *const foreign_fields[] = {"num_local_experts", "num_experts", "n_routed_experts",
    "moe_intermediate_size", "vision_config", "audio_config", "text_config", "use_mrope",
    "mlp_bias"};

static bool is_number(const json_t *field, double number) {
    return json_is_number(field) && json_number_value(field) == number;
}

static bool check_foreign_fields(const json_t *root, struct error *error) {
    for (size_t i = 0; i < sizeof foreign_fields / sizeof *foreign_fields; i++)
        if (!is_number(json_object_get(root, foreign_fields[i]), 0) &&
            !must_be_absent(root, foreign_fields[i], error))
            return false;
    const json_t *part = json_object_get(root, "partial_rotary_factor");
    if (!is_number(part, 1) && !must_be_absent(root, "partial_rotary_factor", error)) return false;
    if (json_is_false(json_object_get(root, "is_causal")))
        return error_set(error, ERROR_UNSUPPORTED,
            "config.json: 'is_causal' is false: the model attends to what comes after, too, which "
            "is not supported");
    return true;
}

static const struct family *find_family(const json_t *root, struct error *error) {
    const char *type = json_string_value(json_object_get(root, "model_type"));
    for (size_t i = 0; type && i < sizeof families / sizeof *families; i++)
        if (!strcmp(type, families[i].model_type)) return &families[i];
    error_set(error, ERROR_UNSUPPORTED,
        "config.json: 'model_type' is '%.50s'; this version computes 'llama', 'mistral', 'qwen2' "
        "and 'qwen3'",
        type ? type : "absent");
    return NULL;
}

// Another class of the same family has another head, or none.
static bool check_class(const struct family *family, const json_t *root, struct error *error) {
    const json_t *first = json_array_get(json_object_get(root, "architectures"), 0);
    const char *name = json_string_value(first);
    return !name || !strcmp(name, family->class_name) ||
           error_set(error, ERROR_UNSUPPORTED,
               "config.json: 'architectures' is '%.80s'; of model_type '%s', this version computes "
               "'%s'",
               name, family->model_type, family->class_name);
}

// Of Mistral, transformers does not read attention_bias, and Qwen2's biases are always there.
static bool read_biases(
    struct model_config *c, const struct family *family, const json_t *root, struct error *error) {
    bool asked = json_is_true(json_object_get(root, "attention_bias"));
    if (family->bias == BIAS_NEVER && !must_be_absent(root, "attention_bias", error)) return false;
    c->attention_bias = family->bias == BIAS_QKV || asked;
    c->attention_output_bias = family->bias == BIAS_ASKED && asked;
    return true;
}

static bool check_kind(
    struct model_config *c, const struct family *family, const json_t *root, struct error *error) {
    snprintf(c->model_type, sizeof c->model_type, "%s", family->model_type);
    c->query_key_norm = family->query_key_norm;
    const char *activation = json_string_value(json_object_get(root, "hidden_act"));
    if (activation && strcmp(activation, "silu"))
        return error_set(error, ERROR_UNSUPPORTED,
            "config.json: 'hidden_act' is '%.50s'; this version computes 'silu' only", activation);
    return check_class(family, root, error) && read_biases(c, family, root, error) &&
           check_quantization(root, error);
}

// ---- sliding window ----

static bool read_layer_type(
    struct model_config *c, size_t layer, const json_t *each, struct error *error) {
    const char *type = json_string_value(each);
    c->windowed[layer] = type && !strcmp(type, "sliding_attention");
    if (!c->windowed[layer] && (!type || strcmp(type, "full_attention")))
        return error_set(error, ERROR_UNSUPPORTED,
            "config.json: 'layer_types' has '%.50s' for layer %zu; this version computes "
            "'full_attention' and 'sliding_attention'",
            type ? type : "no text", layer);
    if (c->windowed[layer] && !c->sliding_window)
        return error_set(error, ERROR_UNSUPPORTED,
            "config.json: 'layer_types' has 'sliding_attention' for layer %zu, without a "
            "'sliding_window' that is in use",
            layer);
    return true;
}

static bool read_layer_types(struct model_config *c, const json_t *types, struct error *error) {
    if (json_array_size(types) != c->layers)
        return error_set(error, ERROR_INVALID,
            "config.json: 'layer_types' must name a type for each of the %zu layers", c->layers);
    const json_t *each;
    size_t i;
    json_array_foreach(types, i, each) {
        if (!read_layer_type(c, i, each, error)) return false;
    }
    return true;
}

// Mistral's window holds for all layers. Qwen's is in use with use_sliding_window alone, from layer
// max_window_layers on or where layer_types says so. Llama has none, whatever its file says.
static bool read_window(
    struct model_config *c, const struct family *family, const json_t *root, struct error *error) {
    const json_t *types = json_object_get(root, "layer_types");
    const json_t *window = json_object_get(root, "sliding_window");
    size_t first = 0;
    bool used = family->window == WINDOW_ALWAYS ||
                (family->window == WINDOW_ASKED &&
                    json_is_true(json_object_get(root, "use_sliding_window")));
    if (used && !json_is_null(window) &&
        !read_size(root, "sliding_window", 1 << 30, 4096, &c->sliding_window, error))
        return false;
    if (json_is_array(types) && !read_layer_types(c, types, error)) return false;
    if (json_is_array(types) && family->window == WINDOW_ASKED) return true;
    if (family->window == WINDOW_ASKED &&
        !is_number(json_object_get(root, "max_window_layers"), 0) &&
        !read_size(root, "max_window_layers", 1 << 20, 28, &first, error))
        return false;
    for (size_t i = 0; i < c->layers; i++) {
        bool windowed = c->sliding_window && i >= first;
        if (json_is_array(types) && windowed != c->windowed[i])
            return error_set(error, ERROR_UNSUPPORTED,
                "config.json: 'layer_types' gives layer %zu another attention than "
                "'sliding_window' does, which is not supported in models of type '%s'",
                i, family->model_type);
        c->windowed[i] = windowed;
    }
    return true;
}

// ---- rotary embedding ----

static bool required_number(
    const json_t *scaling, const char *name, double *value, struct error *error) {
    const json_t *field = json_object_get(scaling, name);
    if (!field || json_is_null(field))
        return error_set(error, ERROR_INVALID, "config.json: rope_scaling has no '%s'", name);
    return read_number(scaling, name, 0, value, error);
}

static bool read_scaling(struct model_config *c, const json_t *scaling, struct error *error) {
    const char *type = json_string_value(json_object_get(scaling, "rope_type"));
    const json_t *part = json_object_get(scaling, "partial_rotary_factor");
    if (!is_number(part, 1) && !must_be_absent(scaling, "partial_rotary_factor", error))
        return false;
    if (!type) type = json_string_value(json_object_get(scaling, "type"));
    if (!type || !strcmp(type, "default")) return true;
    bool linear = !strcmp(type, "linear");
    if (!linear && strcmp(type, "llama3"))
        return error_set(error, ERROR_UNSUPPORTED,
            "config.json: 'rope_scaling' is of type '%.50s'; this version computes 'linear' and "
            "'llama3'",
            type);
    c->rope_scaling = linear ? ROPE_SCALING_LINEAR : ROPE_SCALING_LLAMA3;
    return required_number(scaling, "factor", &c->rope_factor, error) &&
           (linear ||
               (required_number(scaling, "low_freq_factor", &c->rope_low_frequency_factor, error) &&
                   required_number(
                       scaling, "high_freq_factor", &c->rope_high_frequency_factor, error) &&
                   required_number(scaling, "original_max_position_embeddings",
                       &c->rope_original_context, error)));
}

// One set of parameters for each type of layer, as some families have.
static bool check_one_set(const json_t *scaling, struct error *error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)scaling, name, value) {
        if (json_is_object(value) || json_is_array(value))
            return error_set(error, ERROR_UNSUPPORTED,
                "config.json: 'rope_parameters' has a '%.50s' with values of its own, which is not "
                "supported",
                name);
    }
    return true;
}

// transformers 5 writes rope_parameters, with the base frequency inside; older ones rope_scaling.
static bool read_rope(struct model_config *c, const json_t *root, struct error *error) {
    c->rope_factor = 1;
    const json_t *parameters = json_object_get(root, "rope_parameters");
    const json_t *scaling =
        json_is_object(parameters) ? parameters : json_object_get(root, "rope_scaling");
    double theta;
    if (!read_number(root, "rope_theta", 10000, &theta, error) ||
        !read_number(scaling, "rope_theta", theta, &c->rope_theta, error))
        return false;
    return !json_is_object(scaling) ||
           (read_scaling(c, scaling, error) && check_one_set(scaling, error));
}

void model_config_rope_frequencies(const struct model_config *c, float *frequencies) {
    static const double pi = 3.14159265358979323846;
    for (size_t i = 0; i < c->head_dim / 2; i++) {
        double frequency = 1.0 / pow(c->rope_theta, 2.0 * (double)i / (double)c->head_dim);
        if (c->rope_scaling == ROPE_SCALING_LINEAR) frequency /= c->rope_factor;
        if (c->rope_scaling == ROPE_SCALING_LLAMA3) {
            double wavelength = 2 * pi / frequency;
            double low = c->rope_original_context / c->rope_low_frequency_factor;
            double high = c->rope_original_context / c->rope_high_frequency_factor;
            double smooth = (c->rope_original_context / wavelength - c->rope_low_frequency_factor) /
                            (c->rope_high_frequency_factor - c->rope_low_frequency_factor);
            if (wavelength > low)
                frequency /= c->rope_factor;
            else if (wavelength >= high)
                frequency = (1 - smooth) * frequency / c->rope_factor + smooth * frequency;
        }
        frequencies[i] = (float)frequency;
    }
}

// ---- tokens ----

static void add_eos(struct model_config *c, const json_t *value) {
    if (!json_is_integer(value) || c->eos_count == MODEL_CONFIG_MAX_EOS) return;
    for (size_t i = 0; i < c->eos_count; i++)
        if (c->eos_tokens[i] == json_integer_value(value)) return;
    c->eos_tokens[c->eos_count++] = (int32_t)json_integer_value(value);
}

static void read_tokens(struct model_config *c, const json_t *root) {
    const json_t *bos = json_object_get(root, "bos_token_id");
    if (json_is_integer(bos)) c->bos_token = (int32_t)json_integer_value(bos);
    const json_t *eos = json_object_get(root, "eos_token_id"), *each;
    size_t i;
    add_eos(c, eos);
    json_array_foreach(eos, i, each) add_eos(c, each);
}

static bool read_config(struct model_config *c, const json_t *root, struct error *error) {
    double epsilon, range;
    if (!check_foreign_fields(root, error)) return false;
    const struct family *family = find_family(root, error);
    if (!family || !check_kind(c, family, root, error) || !read_sizes(c, family, root, error) ||
        !read_window(c, family, root, error) || !read_rope(c, root, error) ||
        !read_number(root, "rms_norm_eps", 1e-6, &epsilon, error) ||
        !read_number(root, "initializer_range", 0.02, &range, error))
        return false;
    c->rms_norm_epsilon = (float)epsilon;
    c->initializer_range = (float)range;
    c->tied_embeddings = json_is_true(json_object_get(root, "tie_word_embeddings"));
    c->rope_interleaved = json_is_true(json_object_get(root, "temper_rope_interleaved"));
    c->bos_token = -1;
    read_tokens(c, root);
    return true;
}

static json_t *load_config(const char *path, struct error *error) {
    char gguf[FILE_PATH_SIZE];
    json_t *config = NULL;
    if (!gguf_find(gguf, sizeof gguf, path)) return load_object(path, "config.json", error);
    return gguf_config(&config, gguf, error) ? config : NULL;
}

bool model_config_load(struct model_config *config, const char *directory, struct error *error) {
    memset(config, 0, sizeof *config);
    json_t *root = load_config(directory, error);
    if (!root) return false;
    bool ok = read_config(config, root, error);
    json_decref(root);
    if (!ok) return error_prefix(error, "%s", directory);
    char path[FILE_PATH_SIZE];
    if (file_path(path, sizeof path, NULL, directory, "generation_config.json") &&
        file_exists(path)) {
        if (!(root = load_object(directory, "generation_config.json", error))) return false;
        read_tokens(config, root);
        json_decref(root);
    }
    return true;
}

uint64_t model_config_parameters(const struct model_config *c) {
    uint64_t query = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    uint64_t layer = c->hidden_size * (2 * query + 2 * kv + 3 * c->intermediate_size + 2);
    if (c->attention_bias) layer += query + 2 * kv;
    if (c->attention_output_bias) layer += c->hidden_size;
    if (c->query_key_norm) layer += 2 * c->head_dim;
    uint64_t embedding = c->vocabulary_size * c->hidden_size;
    return layer * c->layers + embedding * (c->tied_embeddings ? 1 : 2) + c->hidden_size;
}
