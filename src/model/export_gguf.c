#include "model/export_gguf.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/gguf_layout.h"
#include <math.h>
#include <stdio.h>

enum { KEY_SIZE = 96, MAX_PAIRS = 256 };

static const struct family {
    const char *model_type;
    const char *architecture;
    bool interleaved;
} families[] = {
    {"llama", "llama", true},
    {"mistral", "llama", true},
    {"qwen2", "qwen2", false},
    {"qwen3", "qwen3", false},
};

struct gguf_export {
    const struct export_source *source;
    const struct family *family;
    const struct model_config *config;
    struct merged_weights *weights;
    struct export_files files;
    struct export_options *options;
    struct export_progress progress;
    struct gguf_writer *writer;
    struct error *error;
};

static bool find_family(struct gguf_export *e) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].model_type, e->config->model_type)) {
            e->family = &families[i];
            return true;
        }
    return error_set(e->error, ERROR_UNSUPPORTED,
        "config.json: 'model_type' is '%s', which this version cannot write as GGUF",
        e->config->model_type);
}

// ---- metadata ----

static const char *key_of(const struct gguf_export *e, char key[KEY_SIZE], const char *rest) {
    snprintf(key, KEY_SIZE, "%s.%s", e->family->architecture, rest);
    return key;
}

static void write_size(const struct gguf_export *e, const char *rest, size_t value) {
    char key[KEY_SIZE];
    gguf_writer_uint32(e->writer, key_of(e, key, rest), (uint32_t)value);
}

static void write_number(const struct gguf_export *e, const char *rest, double value) {
    char key[KEY_SIZE];
    gguf_writer_float32(e->writer, key_of(e, key, rest), (float)value);
}

// llama.cpp attends to everything in these architectures: within the window that is the same.
static size_t context_of(const struct gguf_export *e) {
    size_t context = e->config->context_length;
    const json_t *window = json_object_get(e->files.config, "sliding_window");
    bool unused = json_is_false(json_object_get(e->files.config, "use_sliding_window"));
    if (!json_is_integer(window) || unused || json_integer_value(window) <= 0) return context;
    size_t size = (size_t)json_integer_value(window);
    if (size >= context) return context;
    snprintf(e->options->note, sizeof e->options->note,
        "llama.cpp does not compute this model's sliding window: the context is given as the %zu "
        "tokens of the window, in which both are the same",
        size);
    return size;
}

static void write_sizes(const struct gguf_export *e) {
    const struct model_config *c = e->config;
    write_size(e, "block_count", c->layers);
    write_size(e, "context_length", context_of(e));
    write_size(e, "embedding_length", c->hidden_size);
    write_size(e, "feed_forward_length", c->intermediate_size);
    write_size(e, "attention.head_count", c->heads);
    write_size(e, "attention.head_count_kv", c->kv_heads);
    write_size(e, "attention.key_length", c->head_dim);
    write_size(e, "attention.value_length", c->head_dim);
    write_size(e, "vocab_size", c->vocabulary_size);
    write_size(e, "rope.dimension_count", c->head_dim);
    write_number(e, "attention.layer_norm_rms_epsilon", c->rms_norm_epsilon);
    write_number(e, "rope.freq_base", c->rope_theta);
}

static bool write_rope(const struct gguf_export *e) {
    const struct model_config *c = e->config;
    char key[KEY_SIZE];
    if (c->rope_scaling == ROPE_SCALING_LINEAR) {
        gguf_writer_text(e->writer, key_of(e, key, "rope.scaling.type"), "linear");
        write_number(e, "rope.scaling.factor", c->rope_factor);
    }
    if (c->rope_scaling != ROPE_SCALING_LLAMA3) return true;
    if (strcmp(e->family->architecture, "llama"))
        return error_set(e->error, ERROR_UNSUPPORTED,
            "llama.cpp does not compute llama3's rope scaling in models of type '%s'",
            c->model_type);
    write_size(e, "rope.scaling.original_context_length", (size_t)c->rope_original_context);
    return true;
}

static void write_general(const struct gguf_export *e, const char *kind) {
    gguf_writer_text(e->writer, "general.architecture", e->family->architecture);
    gguf_writer_text(e->writer, "general.type", kind);
    gguf_writer_text(e->writer, "general.name", e->source->name);
}

// ---- tensors ----

static enum data_type type_of(struct gguf_export *e, const struct merged_tensor *tensor) {
    enum data_type type = tensor->type == DATA_TYPES ? DATA_BF16 : tensor->type;
    if (e->options->type != DATA_TYPES) type = e->options->type;
    if (tensor->dimensions == 1) return DATA_F32;
    if (tensor->columns % data_type_table[type].block == 0) return type;
    snprintf(e->options->note, sizeof e->options->note,
        "rows of '%s' and others are no multiple of 32 elements: those are stored as f16",
        tensor->name);
    return DATA_F16;
}

// Tied weights may be stored under the output layer's name alone.
static bool gguf_name(const struct gguf_export *e, const struct merged_tensor *tensor, char *name) {
    bool tied = e->config->tied_embeddings && !strcmp(tensor->name, "lm_head.weight");
    return gguf_name_from_hf(name, tied ? "model.embed_tokens.weight" : tensor->name);
}

static bool add_tensors(struct gguf_export *e) {
    char name[GGUF_LONGEST_NAME];
    for (size_t i = 0; i < merged_weights_count(e->weights); i++) {
        const struct merged_tensor *tensor = merged_weights_at(e->weights, i);
        enum data_type type = type_of(e, tensor);
        if (!gguf_name(e, tensor, name))
            return error_set(
                e->error, ERROR_INTERNAL, "the tensor '%s' has no name in GGUF", tensor->name);
        gguf_writer_tensor(e->writer, name, type, tensor->dimensions, tensor->shape);
        e->progress.total += export_tensor_bytes(tensor, type);
    }
    size_t pairs = e->config->head_dim / 2;
    if (e->config->rope_scaling == ROPE_SCALING_LLAMA3)
        gguf_writer_tensor(e->writer, "rope_freqs.weight", DATA_F32, 1, &pairs);
    return true;
}

static bool append(void *context, const void *bytes, size_t length, struct error *error) {
    return gguf_writer_append(context, bytes, length, error);
}

// By what each pair's frequency is divided.
static bool append_rope(const struct gguf_export *e) {
    struct model_config plain = *e->config;
    float unscaled[MAX_PAIRS], scaled[MAX_PAIRS];
    size_t pairs = plain.head_dim / 2;
    if (plain.rope_scaling != ROPE_SCALING_LLAMA3) return true;
    model_config_rope_frequencies(&plain, scaled);
    plain.rope_scaling = ROPE_SCALING_NONE;
    model_config_rope_frequencies(&plain, unscaled);
    for (size_t i = 0; i < pairs; i++)
        scaled[i] = unscaled[i] / scaled[i];
    return gguf_writer_append(e->writer, scaled, pairs * sizeof *scaled, e->error);
}

static bool append_tensors(struct gguf_export *e) {
    for (size_t i = 0; i < merged_weights_count(e->weights); i++)
        if (!export_tensor(e->weights, i, e->family->interleaved,
                type_of(e, merged_weights_at(e->weights, i)), append, e->writer, &e->progress,
                e->error))
            return false;
    return append_rope(e);
}

static bool write_model(struct gguf_export *e, const char *path) {
    write_general(e, "model");
    write_sizes(e);
    if (e->options->type == DATA_Q8_0)
        gguf_writer_uint32(e->writer, "general.quantization_version", 2);
    return write_rope(e) &&
           export_gguf_tokenizer(e->writer, &e->files, e->config->vocabulary_size, e->options->note,
               sizeof e->options->note, e->error) &&
           add_tensors(e) && gguf_writer_start(e->writer, path, e->error) && append_tensors(e) &&
           gguf_writer_finish(e->writer, e->error);
}

// ---- the adapter alone ----

static void adapter_tensor_name(char name[KEY_SIZE], const struct lora_entry *entry, char which) {
    char hf[GGUF_LONGEST_NAME], gguf[GGUF_LONGEST_NAME];
    snprintf(hf, sizeof hf, "model.layers.%zu.%s.%s.weight", entry->layer,
        lora_module_parents[entry->module], lora_module_names[entry->module]);
    snprintf(name, KEY_SIZE, "%.60s.lora_%c", gguf_name_from_hf(gguf, hf) ? gguf : hf, which);
}

static void add_adapter_tensors(const struct gguf_export *e, const struct lora *lora) {
    char name[KEY_SIZE];
    for (size_t i = 0; i < lora->entry_count; i++) {
        const struct lora_entry *entry = &lora->entries[i];
        size_t a[] = {lora->rank, entry->in}, b[] = {entry->out, lora->rank};
        adapter_tensor_name(name, entry, 'a');
        gguf_writer_tensor(e->writer, name, DATA_F32, 2, a);
        adapter_tensor_name(name, entry, 'b');
        gguf_writer_tensor(e->writer, name, DATA_F32, 2, b);
    }
}

// The row of B, in the adapter's own order, that stands at `row` of the file.
static size_t adapter_row(const struct gguf_export *e, const struct lora_entry *entry, size_t row) {
    bool rotated = entry->module == LORA_Q || entry->module == LORA_K;
    return rotated && e->family->interleaved && !e->config->rope_interleaved
               ? gguf_rotary_row(row, e->config->head_dim)
               : row;
}

static bool append_adapter(const struct gguf_export *e, const struct lora *lora) {
    for (size_t i = 0; i < lora->entry_count; i++) {
        const struct lora_entry *entry = &lora->entries[i];
        const float *b = lora->parameters + entry->b_offset;
        if (!gguf_writer_append(e->writer, lora->parameters + entry->a_offset,
                lora->rank * entry->in * sizeof(float), e->error))
            return false;
        for (size_t row = 0; row < entry->out; row++)
            if (!gguf_writer_append(e->writer, b + adapter_row(e, entry, row) * lora->rank,
                    lora->rank * sizeof(float), e->error))
                return false;
    }
    return true;
}

static bool write_adapter(struct gguf_export *e, const char *path) {
    const struct lora *lora = merged_weights_adapter(e->weights);
    write_general(e, "adapter");
    gguf_writer_text(e->writer, "adapter.type", "lora");
    gguf_writer_float32(e->writer, "adapter.lora.alpha", lora->alpha);
    add_adapter_tensors(e, lora);
    return gguf_writer_start(e->writer, path, e->error) && append_adapter(e, lora) &&
           gguf_writer_finish(e->writer, e->error);
}

// ---- all of it ----

static bool write_file(struct gguf_export *e, const char *directory, const char *name,
    bool (*write)(struct gguf_export *, const char *)) {
    char path[FILE_PATH_SIZE];
    if (!file_path(path, sizeof path, e->error, directory, name) ||
        !gguf_writer_create(&e->writer, e->error))
        return false;
    bool ok = write(e, path);
    gguf_writer_free(e->writer);
    e->writer = NULL;
    return ok;
}

bool export_gguf(const struct export_source *source, const char *directory,
    struct export_options *options, struct error *error) {
    struct gguf_export e = {
        .source = source, .options = options, .progress = {options, 0, 0}, .error = error};
    *options->note = 0;
    if (!merged_weights_open(&e.weights, source->model, source->adapter, error)) return false;
    e.config = merged_weights_config(e.weights);
    bool ok = find_family(&e) && export_files_read(&e.files, source, error) &&
              write_file(&e, directory, "model.gguf", write_model) &&
              (!source->adapter || write_file(&e, directory, "adapter.gguf", write_adapter));
    export_files_free(&e.files);
    merged_weights_close(e.weights);
    return ok;
}
