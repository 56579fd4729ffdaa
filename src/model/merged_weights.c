#include "model/merged_weights.h"
#include "base/memory.h"
#include "model/adapter_file.h"
#include "model/gguf_layout.h"
#include "model/weights.h"
#include <stdio.h>
#include <stdlib.h>

struct item {
    struct merged_tensor tensor;
    struct matrix matrix;
    const struct lora_entry *entry; // NULL: nothing is merged into it
    bool rotated;                   // q_proj or k_proj, weight or bias
};

struct merged_weights {
    struct model_config config;
    struct weights *files;
    struct lora *lora;
    size_t count;
    struct item *items;
};

// ---- which tensors ----

// The linear layer that a name is the weight or bias of: "model.layers.3.self_attn.q_proj.weight".
static bool find_module(const char *name, size_t *layer, int *module, bool *bias) {
    char expected[64];
    unsigned number;
    int used = 0;
    if (sscanf(name, "model.layers.%4u.%n", &number, &used) != 1 || !used) return false;
    *layer = number;
    for (*module = 0; *module < LORA_MODULES; ++*module) {
        int length = snprintf(expected, sizeof expected, "%s.%s.", lora_module_parents[*module],
            lora_module_names[*module]);
        if (strncmp(name + used, expected, (size_t)length)) continue;
        *bias = !strcmp(name + used + length, "bias");
        return *bias || !strcmp(name + used + length, "weight");
    }
    return false;
}

static bool set_matrix(struct item *item, size_t rows, size_t columns) {
    item->tensor.rows = rows;
    item->tensor.columns = columns;
    return true;
}

static bool add_linear(
    struct merged_weights *w, struct item *item, size_t layer, int module, struct error *error) {
    size_t in, out;
    lora_module_shape(&w->config, (enum lora_module)module, &in, &out);
    if (!weights_matrix(w->files, item->tensor.name, out, in, &item->matrix, error)) return false;
    item->entry = lora_find(w->lora, layer, (enum lora_module)module);
    item->tensor.dimensions = 2;
    item->tensor.shape[0] = out;
    item->tensor.shape[1] = in;
    return set_matrix(item, out, in);
}

static bool add_other(struct merged_weights *w, struct item *item, const struct safetensor *stored,
    struct error *error) {
    bool vector = stored->dimensions == 1;
    size_t rows = vector ? 1 : stored->shape[0], columns = stored->shape[vector ? 0 : 1];
    if (stored->dimensions < 1 || stored->dimensions > 2)
        return error_set(
            error, ERROR_INVALID, "the tensor '%.200s' is no matrix or vector", stored->name);
    if (!weights_matrix(w->files, stored->name, rows, columns, &item->matrix, error)) return false;
    item->tensor.dimensions = stored->dimensions;
    item->tensor.shape[0] = vector ? columns : rows;
    item->tensor.shape[1] = vector ? 0 : columns;
    if (!item->rotated) return set_matrix(item, rows, columns);
    // A bias is read element by element, so that its elements can be reordered.
    item->matrix = matrix_of(item->matrix.data, item->matrix.type, columns, 1);
    return set_matrix(item, columns, 1);
}

// Of tied weights, the output layer is written only where it is all there is.
static bool is_second_of_tied(const struct merged_weights *w, const char *name) {
    return w->config.tied_embeddings && !strcmp(name, "lm_head.weight") &&
           weights_find(w->files, "model.embed_tokens.weight");
}

static bool add_tensor(
    struct merged_weights *w, const struct safetensor *stored, struct error *error) {
    char known[GGUF_LONGEST_NAME];
    struct item *item = &w->items[w->count];
    size_t layer;
    int module;
    bool bias;
    if (!gguf_name_from_hf(known, stored->name) || is_second_of_tied(w, stored->name)) return true;
    bool linear = find_module(stored->name, &layer, &module, &bias);
    if (linear && layer >= w->config.layers)
        return error_set(
            error, ERROR_INVALID, "the tensor '%.200s' is of no layer of this model", stored->name);
    item->tensor.name = stored->name;
    item->rotated = linear && (module == LORA_Q || module == LORA_K);
    if (!(linear && !bias ? add_linear(w, item, layer, module, error)
                          : add_other(w, item, stored, error)))
        return false;
    bool plain = data_type_table[item->matrix.type].size != 0;
    item->tensor.type = plain ? item->matrix.type : DATA_TYPES;
    w->count++;
    return true;
}

static bool add_tensors(struct merged_weights *w, struct error *error) {
    size_t count = weights_count(w->files);
    w->items = memory_alloc_zeroed(count + 1, sizeof *w->items);
    if (!w->items) return memory_error(error, "the table of tensors");
    for (size_t i = 0; i < count; i++)
        if (!add_tensor(w, weights_at(w->files, i), error)) return false;
    return true;
}

bool merged_weights_open(struct merged_weights **weights, const char *model_path,
    const char *adapter, struct error *error) {
    struct merged_weights *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "the weights of a model");
    if (!model_config_load(&new->config, model_path, error) ||
        !weights_open(&new->files, model_path, error) ||
        (adapter && !adapter_file_load(&new->lora, &new->config, adapter, error)) ||
        !add_tensors(new, error)) {
        merged_weights_close(new);
        return false;
    }
    *weights = new;
    return true;
}

void merged_weights_close(struct merged_weights *weights) {
    if (!weights) return;
    memory_free(weights->items);
    lora_free(weights->lora);
    weights_close(weights->files);
    memory_free(weights);
}

const struct model_config *merged_weights_config(const struct merged_weights *weights) {
    return &weights->config;
}

const struct lora *merged_weights_adapter(const struct merged_weights *weights) {
    return weights->lora;
}

size_t merged_weights_count(const struct merged_weights *weights) {
    return weights->count;
}

const struct merged_tensor *merged_weights_at(const struct merged_weights *weights, size_t index) {
    return &weights->items[index].tensor;
}

// ---- rows ----

static void add_product(
    const struct lora *lora, const struct lora_entry *entry, size_t row, float *values) {
    const float *a = lora->parameters + entry->a_offset;
    const float *b = lora->parameters + entry->b_offset + row * lora->rank;
    float scale = lora_scale(lora);
    for (size_t i = 0; i < lora->rank; i++) {
        float factor = scale * b[i];
        for (size_t column = 0; column < entry->in; column++)
            values[column] += factor * a[i * entry->in + column];
    }
}

void merged_weights_row(const struct merged_weights *weights, size_t index, size_t row,
    bool interleaved, float *values) {
    const struct item *item = &weights->items[index];
    size_t head = weights->config.head_dim;
    if (item->rotated && interleaved && !weights->config.rope_interleaved)
        row = gguf_rotary_row(row, head);
    if (item->rotated && !interleaved && weights->config.rope_interleaved)
        row = gguf_interleaved_row(row, head);
    matrix_read(&item->matrix, row, 0, item->tensor.columns, values);
    if (item->entry) add_product(weights->lora, item->entry, row, values);
}
