// A GGUF file's metadata as a config.json object. Keys of the architecture that are not known here
// are refused: they may change what the model computes.
#include "base/memory.h"
#include "model/gguf_internal.h"
#include "model/gguf_layout.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct architecture {
    const char *name;
    const char *class_name;
    bool interleaved; // rows of q_proj and k_proj
    bool head_norms;  // q_norm and k_norm
} architectures[] = {
    {"llama", "LlamaForCausalLM", true, false},
    {"qwen2", "Qwen2ForCausalLM", false, false},
    {"qwen3", "Qwen3ForCausalLM", false, true},
};

// Sizes that config.json has under another name.
static const struct {
    const char *key;
    const char *field;
    size_t most;
    bool required;
} sizes[] = {
    {"block_count", "num_hidden_layers", GGUF_MAX_LAYERS, true},
    {"context_length", "max_position_embeddings", 1 << 24, true},
    {"embedding_length", "hidden_size", 1 << 17, true},
    {"feed_forward_length", "intermediate_size", 1 << 19, true},
    {"attention.head_count", "num_attention_heads", 1024, true},
    {"attention.head_count_kv", "num_key_value_heads", 1024, false},
    {"attention.key_length", "head_dim", 512, false},
};

// Keys that are read here one by one, or must have just this value.
static const struct {
    const char *key;
    bool fixed;
    double value;
} others[] = {
    {"attention.layer_norm_rms_epsilon", false, 0},
    {"attention.value_length", false, 0},
    {"attention.sliding_window", false, 0},
    {"attention.causal", true, 1},
    {"attention.scale", true, 0},
    {"expert_count", true, 0},
    {"expert_used_count", true, 0},
    {"logit_scale", true, 0},
    {"embedding_scale", true, 0},
    {"residual_scale", true, 0},
    {"rope.dimension_count", false, 0},
    {"rope.freq_base", false, 0},
    {"rope.scale_linear", false, 0},
    {"rope.scaling.type", false, 0},
    {"rope.scaling.factor", false, 0},
    {"rope.scaling.attn_factor", true, 1},
    {"rope.scaling.original_context_length", false, 0},
    {"rope.scaling.finetuned", false, 0},
    {"use_parallel_residual", true, 0},
    {"vocab_size", false, 0},
};

enum { KEY_SIZE = 96 };

struct conversion {
    const struct gguf *file;
    const struct architecture *architecture;
    json_t *config;
    struct error *error;
};

static const char *key_of(const struct conversion *c, char key[KEY_SIZE], const char *rest) {
    snprintf(key, KEY_SIZE, "%s.%s", c->architecture->name, rest);
    return key;
}

static void set(struct conversion *c, const char *field, json_t *value) {
    json_object_set_new(c->config, field, value);
}

static size_t size_of(const struct conversion *c, const char *field) {
    return (size_t)json_integer_value(json_object_get(c->config, field));
}

// The double that the shortest decimals of an f32 stand for: 1e-05, not 9.999999747378752e-06.
static double shortest(double value) {
    for (int digits = 6; digits < 9; digits++) {
        char text[32];
        snprintf(text, sizeof text, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == (float)value) return strtod(text, NULL);
    }
    return value;
}

// ---- what the file is ----

static const struct architecture *find_architecture(const struct gguf *file, struct error *error) {
    struct gguf_text name = {"", 0}, kind = {"model", 5};
    size_t parts = 1;
    if (!gguf_read_text(file, "general.architecture", &name, error) ||
        !gguf_read_text(file, "general.type", &kind, error) ||
        !gguf_read_size(file, "split.count", 1 << 16, &parts, error))
        return NULL;
    if (!gguf_text_is(kind, "model"))
        error_set(error, ERROR_UNSUPPORTED, "general.type is '%.*s': the file is no model",
            (int)(kind.length < 64 ? kind.length : 64), kind.bytes);
    else if (parts > 1)
        error_set(error, ERROR_UNSUPPORTED,
            "split.count is %zu: join the parts with llama.cpp's gguf-split --merge", parts);
    else {
        for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
            if (gguf_text_is(name, architectures[i].name)) return &architectures[i];
        error_set(error, ERROR_UNSUPPORTED,
            "general.architecture is '%.*s'; this version computes llama, qwen2 and qwen3",
            (int)(name.length < 64 ? name.length : 64), name.bytes);
    }
    return NULL;
}

bool gguf_check_kind(const struct gguf *file, struct error *error) {
    return find_architecture(file, error) != NULL;
}

static bool is_known(const char *key, size_t length) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (strlen(sizes[i].key) == length && !memcmp(sizes[i].key, key, length)) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i].key) == length && !memcmp(others[i].key, key, length)) return true;
    return false;
}

static bool check_keys(struct conversion *c) {
    size_t prefix = strlen(c->architecture->name);
    for (size_t i = 0; i < c->file->value_count; i++) {
        struct gguf_text key = c->file->values[i].key;
        if (key.length <= prefix || memcmp(key.bytes, c->architecture->name, prefix) ||
            key.bytes[prefix] != '.' || is_known(key.bytes + prefix + 1, key.length - prefix - 1))
            continue;
        return error_set(c->error, ERROR_UNSUPPORTED,
            "the key '%.*s' is not one that this version knows how to compute",
            (int)(key.length < 100 ? key.length : 100), key.bytes);
    }
    return true;
}

static bool check_fixed(struct conversion *c) {
    char key[KEY_SIZE];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        double value = others[i].value;
        bool truth = others[i].value != 0;
        if (!others[i].fixed) continue;
        key_of(c, key, others[i].key);
        const struct gguf_value *found = gguf_value_find(c->file, key);
        if (found && found->type == GGUF_BOOL) {
            if (!gguf_read_bool(c->file, key, &truth, c->error)) return false;
            value = truth;
        } else if (!gguf_read_number(c->file, key, &value, c->error))
            return false;
        if (value != others[i].value)
            return error_set(
                c->error, ERROR_UNSUPPORTED, "'%s' is %g, which is not supported", key, value);
    }
    return true;
}

// ---- sizes ----

static bool read_sizes(struct conversion *c) {
    char key[KEY_SIZE];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t value = 0;
        if (!gguf_read_size(c->file, key_of(c, key, sizes[i].key), sizes[i].most, &value, c->error))
            return false;
        if (!value && sizes[i].required)
            return error_set(c->error, ERROR_INVALID, "the file has no '%s'", key);
        if (value) set(c, sizes[i].field, json_integer((json_int_t)value));
    }
    if (!size_of(c, "num_key_value_heads"))
        set(c, "num_key_value_heads", json_integer((json_int_t)size_of(c, "num_attention_heads")));
    if (!size_of(c, "head_dim"))
        set(c, "head_dim",
            json_integer(
                (json_int_t)(size_of(c, "hidden_size") / size_of(c, "num_attention_heads"))));
    return true;
}

// Three sizes that must agree with others.
static bool check_sizes(struct conversion *c) {
    static const char *const equal[] = {"attention.value_length", "rope.dimension_count"};
    char key[KEY_SIZE];
    size_t head = size_of(c, "head_dim"), context = size_of(c, "max_position_embeddings");
    for (size_t i = 0; i < 2; i++) {
        size_t value = head;
        if (!gguf_read_size(c->file, key_of(c, key, equal[i]), 1 << 20, &value, c->error))
            return false;
        if (value != head)
            return error_set(c->error, ERROR_UNSUPPORTED,
                "'%s' is %zu where a head has %zu elements, which is not supported", key, value,
                head);
    }
    size_t window = context;
    key_of(c, key, "attention.sliding_window");
    if (!gguf_read_size(c->file, key, 1 << 30, &window, c->error)) return false;
    return !window || window >= context ||
           error_set(c->error, ERROR_UNSUPPORTED,
               "'%s' is %zu, less than the context: not supported in GGUF files", key, window);
}

static bool read_vocabulary_size(struct conversion *c) {
    const struct safetensor *embedding = gguf_tensor_find(c->file, "model.embed_tokens.weight");
    if (!embedding || embedding->dimensions != 2)
        return error_set(c->error, ERROR_INVALID, "the file has no matrix 'token_embd.weight'");
    set(c, "vocab_size", json_integer((json_int_t)embedding->shape[0]));
    return true;
}

// ---- rotary embedding ----

// What rope_freqs.weight holds under llama3 scaling (convert_hf_to_gguf.py of llama.cpp).
static double llama3_divisor(double frequency, double factor, double original) {
    double wavelength = 2 * 3.14159265358979323846 / frequency;
    if (wavelength < original / 4) return 1;
    if (wavelength > original) return factor;
    double smooth = (original / wavelength - 1) / 3;
    return 1 / ((1 - smooth) / factor + smooth);
}

// The divisors themselves are not a config.json's language: they must be those that Llama 3's
// scaling gives, with the parameters that every such model has.
static bool read_divisors(struct conversion *c, const struct safetensor *divisors, double theta) {
    size_t head = size_of(c, "head_dim");
    char key[KEY_SIZE];
    size_t original = 8192;
    const float *values = divisors->data;
    if (divisors->type != DATA_F32 || divisors->elements != head / 2)
        return error_set(c->error, ERROR_INVALID,
            "'" GGUF_ROPE_FREQS "' does not hold an F32 number for each of the %zu pairs of a head",
            head / 2);
    if (!gguf_read_size(c->file, key_of(c, key, "rope.scaling.original_context_length"), 1 << 24,
            &original, c->error))
        return false;
    double factor = values[head / 2 - 1];
    for (size_t i = 0; i < head / 2; i++) {
        double frequency = pow(theta, -2.0 * (double)i / (double)head);
        double wanted = llama3_divisor(frequency, factor, (double)original);
        if (!(fabs(values[i] - wanted) <= 1e-5 * wanted) || !(factor >= 1))
            return error_set(c->error, ERROR_UNSUPPORTED,
                "'" GGUF_ROPE_FREQS "' divides frequency %zu by %g; Llama 3's scaling by %g has %g "
                "there, and no other is supported",
                i, (double)values[i], factor, wanted);
    }
    set(c, "rope_scaling",
        json_pack("{s:s, s:f, s:f, s:f, s:I}", "rope_type", "llama3", "factor", factor,
            "low_freq_factor", 1.0, "high_freq_factor", 4.0, "original_max_position_embeddings",
            (json_int_t)original));
    return true;
}

static bool read_scaling(struct conversion *c) {
    struct gguf_text type = {"none", 4};
    double factor = 0;
    char key[KEY_SIZE];
    if (!gguf_read_number(c->file, key_of(c, key, "rope.scale_linear"), &factor, c->error))
        return false;
    if (factor > 0) type = (struct gguf_text){"linear", 6};
    if (!gguf_read_number(c->file, key_of(c, key, "rope.scaling.factor"), &factor, c->error) ||
        !gguf_read_text(c->file, key_of(c, key, "rope.scaling.type"), &type, c->error))
        return false;
    if (gguf_text_is(type, "none")) return true;
    if (!gguf_text_is(type, "linear"))
        return error_set(c->error, ERROR_UNSUPPORTED,
            "'%s' is '%.*s'; this version computes 'linear', and Llama 3's", key,
            (int)(type.length < 64 ? type.length : 64), type.bytes);
    if (!(factor > 0))
        return error_set(c->error, ERROR_INVALID, "linear rope scaling without a factor above 0");
    set(c, "rope_scaling",
        json_pack("{s:s, s:f}", "rope_type", "linear", "factor", shortest(factor)));
    return true;
}

static bool read_rope(struct conversion *c) {
    const struct safetensor *divisors = gguf_tensor_find(c->file, GGUF_ROPE_FREQS);
    double theta = 10000;
    char key[KEY_SIZE];
    if (!gguf_read_number(c->file, key_of(c, key, "rope.freq_base"), &theta, c->error))
        return false;
    if (!(theta > 0)) return error_set(c->error, ERROR_INVALID, "'%s' must be above 0", key);
    set(c, "rope_theta", json_real(shortest(theta)));
    if (!read_scaling(c)) return false;
    if (!divisors) return true;
    if (json_object_get(c->config, "rope_scaling"))
        return error_set(c->error, ERROR_UNSUPPORTED,
            "linear rope scaling together with '" GGUF_ROPE_FREQS "' is not supported");
    return read_divisors(c, divisors, theta);
}

// ---- the rest ----

// A tensor that the architecture has no use for would be left out silently.
static bool check_tensors(struct conversion *c) {
    bool norms = gguf_tensor_find(c->file, "model.layers.0.self_attn.q_norm.weight") != NULL;
    bool bias = gguf_tensor_find(c->file, "model.layers.0.self_attn.q_proj.bias") != NULL;
    bool output_bias = gguf_tensor_find(c->file, "model.layers.0.self_attn.o_proj.bias") != NULL;
    bool qwen2 = !strcmp(c->architecture->name, "qwen2");
    if (norms != c->architecture->head_norms)
        return error_set(c->error, ERROR_INVALID,
            "architecture %s %s the tensor 'blk.0.attn_q_norm.weight'", c->architecture->name,
            norms ? "does not have" : "needs");
    if (qwen2 ? output_bias || !bias : bias != output_bias)
        return error_set(c->error, ERROR_UNSUPPORTED,
            "architecture %s with the biases that this file has is not supported",
            c->architecture->name);
    if (!qwen2) set(c, "attention_bias", json_boolean(bias));
    return true;
}

static bool read_epsilon(struct conversion *c) {
    char key[KEY_SIZE];
    double epsilon = 0;
    if (!gguf_read_number(
            c->file, key_of(c, key, "attention.layer_norm_rms_epsilon"), &epsilon, c->error))
        return false;
    if (!(epsilon > 0)) return error_set(c->error, ERROR_INVALID, "the file has no '%s'", key);
    set(c, "rms_norm_eps", json_real(shortest(epsilon)));
    return true;
}

static bool fill(struct conversion *c) {
    set(c, "architectures", json_pack("[s]", c->architecture->class_name));
    set(c, "model_type", json_string(c->architecture->name));
    set(c, "hidden_act", json_string("silu"));
    set(c, "tie_word_embeddings", json_boolean(!gguf_tensor_find(c->file, "lm_head.weight")));
    if (c->architecture->interleaved) set(c, "temper_rope_interleaved", json_true());
    return check_keys(c) && check_fixed(c) && read_sizes(c) && check_sizes(c) &&
           read_vocabulary_size(c) && read_epsilon(c) && read_rope(c) && check_tensors(c) &&
           gguf_special_tokens(c->file, c->config, c->error);
}

bool gguf_config_of(const struct gguf *file, json_t **config, struct error *error) {
    struct conversion conversion = {file, find_architecture(file, error), json_object(), error};
    if (conversion.architecture && conversion.config && fill(&conversion)) {
        *config = conversion.config;
        return true;
    }
    if (!conversion.config) memory_error(error, "a model's config");
    json_decref(conversion.config);
    return false;
}
