#include "base/memory.h"
#include "model/transformer_internal.h"
#include "model/transformer_training.h"
#include "model/weights.h"
#include <math.h>
#include <stdio.h>

// ---- weights from files ----

// Takes the next `size` floats of the block of vectors.
static bool read_vector(struct transformer *t, const char *name, size_t size, const float **vector,
    struct error *error) {
    struct matrix stored;
    if (!weights_matrix(t->files, name, 1, size, &stored, error)) return false;
    float *values = t->vectors + t->vectors_used;
    matrix_read(&stored, 0, 0, size, values);
    t->vectors_used += size;
    *vector = values;
    return true;
}

static bool read_linear(struct transformer *t, size_t index, int module, struct error *error) {
    struct transformer_layer *layer = &t->layers[index];
    size_t in, out;
    char name[128];
    lora_module_shape(&t->config, module, &in, &out);
    snprintf(name, sizeof name, "model.layers.%zu.%s.%s.weight", index, lora_module_parents[module],
        lora_module_names[module]);
    if (!weights_matrix(t->files, name, out, in, &layer->weights[module], error)) return false;
    if (!has_bias(&t->config, module)) return true;
    snprintf(name, sizeof name, "model.layers.%zu.%s.%s.bias", index, lora_module_parents[module],
        lora_module_names[module]);
    return read_vector(t, name, out, &layer->biases[module], error);
}

static bool read_norm(struct transformer *t, size_t index, const char *which, size_t size,
    const float **norm, struct error *error) {
    char name[128];
    snprintf(name, sizeof name, "model.layers.%zu.%s.weight", index, which);
    return read_vector(t, name, size, norm, error);
}

static bool read_layer(struct transformer *t, size_t index, struct error *error) {
    struct transformer_layer *layer = &t->layers[index];
    const struct model_config *c = &t->config;
    for (int module = 0; module < LORA_MODULES; module++)
        if (!read_linear(t, index, module, error)) return false;
    if (!read_norm(t, index, "input_layernorm", c->hidden_size, &layer->input_norm, error) ||
        !read_norm(
            t, index, "post_attention_layernorm", c->hidden_size, &layer->attention_norm, error))
        return false;
    return !c->query_key_norm ||
           (read_norm(t, index, "self_attn.q_norm", c->head_dim, &layer->query_norm, error) &&
               read_norm(t, index, "self_attn.k_norm", c->head_dim, &layer->key_norm, error));
}

// Tied embeddings may be saved under the output layer's name alone (transformers lets either one
// go).
static bool read_ends(struct transformer *t, struct error *error) {
    const struct model_config *c = &t->config;
    const char *embedding = "model.embed_tokens.weight";
    if (c->tied_embeddings && !weights_find(t->files, embedding)) embedding = "lm_head.weight";
    if (!weights_matrix(
            t->files, embedding, c->vocabulary_size, c->hidden_size, &t->embedding, error) ||
        !read_vector(t, "model.norm.weight", c->hidden_size, &t->final_norm, error))
        return false;
    t->output = t->embedding;
    return c->tied_embeddings || weights_matrix(t->files, "lm_head.weight", c->vocabulary_size,
                                     c->hidden_size, &t->output, error);
}

static bool read_weights(struct transformer *t, const char *directory, struct error *error) {
    if (!weights_open(&t->files, directory, error)) return false;
    for (size_t i = 0; i < t->config.layers; i++)
        if (!read_layer(t, i, error)) return error_prefix(error, "%s", directory);
    return read_ends(t, error) || error_prefix(error, "%s", directory);
}

static bool allocate(struct transformer *t, struct error *error) {
    const struct model_config *c = &t->config;
    size_t layer = 3 * c->hidden_size + query_columns(c) + 2 * kv_columns(c) + 2 * c->head_dim;
    t->layers = memory_alloc_zeroed(c->layers, sizeof *t->layers);
    t->vectors = memory_alloc_array(c->layers * layer + c->hidden_size, sizeof(float));
    return (t->layers && t->vectors) || memory_error(error, "the table of a model's weights");
}

// ---- weights larger than memory ----

bool transformer_streams(const struct transformer *transformer) {
    return transformer->stream != NULL;
}

bool transformer_stream(struct transformer *transformer, struct error *error) {
    size_t layers = transformer->config.layers;
    if (transformer->stream) return true;
    if (!transformer->files)
        return error_set(error, ERROR_INTERNAL, "only weights in files can be read as needed");
    if (!weight_stream_create(&transformer->stream, layers, error)) return false;
    for (size_t i = 0; i < layers; i++)
        for (int module = 0; module < LORA_MODULES; module++)
            if (!weight_stream_add(
                    transformer->stream, i, &transformer->layers[i].weights[module], error))
                return false;
    return true;
}

// Some room is left for everything that is not weights.
void transformer_read_in(const struct transformer *transformer, const atomic_bool *stop) {
    size_t count =
        transformer->files && !transformer->stream ? weights_count(transformer->files) : 0;
    for (size_t i = 0; i < count && !atomic_load(stop); i++) {
        const struct safetensor *tensor = weights_at(transformer->files, i);
        weight_stream_read(tensor->data, tensor->bytes);
    }
}

static bool stream_if_needed(struct transformer *transformer, struct error *error) {
    uint64_t room = memory_available() / 8 * 7;
    return weights_bytes(transformer->files) <= room || transformer_stream(transformer, error);
}

bool transformer_open(
    struct transformer **transformer, const char *directory, struct error *error) {
    struct transformer *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "a model");
    if (!model_config_load(&new->config, directory, error) || !allocate(new, error) ||
        !read_weights(new, directory, error) || !stream_if_needed(new, error)) {
        transformer_close(new);
        return false;
    }
    *transformer = new;
    return true;
}

void transformer_close(struct transformer *transformer) {
    if (!transformer) return;
    weight_stream_free(transformer->stream);
    weights_close(transformer->files);
    memory_free(transformer->layers);
    memory_free(transformer->vectors);
    memory_free(transformer->random);
    memory_free(transformer);
}

const struct model_config *transformer_config(const struct transformer *transformer) {
    return &transformer->config;
}

uint64_t transformer_weight_bytes(const struct transformer *transformer) {
    if (transformer->files) return weights_bytes(transformer->files);
    if (transformer->parameters) return transformer->parameters->count * sizeof(float);
    return transformer->random_bytes;
}

// ---- weights from a block of parameters ----

static void place_entry(struct transformer *t, const struct parameter_entry *entry) {
    const float *values = t->parameters->values + entry->offset;
    struct transformer_layer *layer = &t->layers[entry->layer];
    struct matrix matrix = matrix_f32(values, entry->rows, entry->columns);
    switch (entry->kind) {
    case PARAMETER_EMBEDDING:
        t->embedding = matrix;
        break;
    case PARAMETER_INPUT_NORM:
        layer->input_norm = values;
        break;
    case PARAMETER_ATTENTION_NORM:
        layer->attention_norm = values;
        break;
    case PARAMETER_LINEAR:
        layer->weights[entry->module] = matrix;
        break;
    case PARAMETER_BIAS:
        layer->biases[entry->module] = values;
        break;
    case PARAMETER_QUERY_NORM:
        layer->query_norm = values;
        break;
    case PARAMETER_KEY_NORM:
        layer->key_norm = values;
        break;
    case PARAMETER_FINAL_NORM:
        t->final_norm = values;
        break;
    case PARAMETER_OUTPUT:
        t->output = matrix;
        break;
    }
}

bool transformer_over(struct transformer **transformer, const struct model_config *config,
    struct parameters *parameters, struct error *error) {
    struct transformer *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "a model");
    new->config = *config;
    new->parameters = parameters;
    if (!allocate(new, error)) {
        transformer_close(new);
        return false;
    }
    for (size_t i = 0; i < parameters->entry_count; i++)
        place_entry(new, &parameters->entries[i]);
    if (config->tied_embeddings) new->output = new->embedding;
    *transformer = new;
    return true;
}

static void copy_matrix(float *to, const struct matrix *from) {
    for (size_t row = 0; row < from->rows; row++)
        matrix_read(from, row, 0, from->columns, to + row * from->columns);
}

static void copy_entry(
    const struct transformer *t, const struct parameter_entry *entry, float *to) {
    const struct transformer_layer *layer = &t->layers[entry->layer];
    size_t bytes = entry->columns * sizeof *to;
    switch (entry->kind) {
    case PARAMETER_EMBEDDING:
        copy_matrix(to, &t->embedding);
        break;
    case PARAMETER_INPUT_NORM:
        memcpy(to, layer->input_norm, bytes);
        break;
    case PARAMETER_ATTENTION_NORM:
        memcpy(to, layer->attention_norm, bytes);
        break;
    case PARAMETER_LINEAR:
        copy_matrix(to, &layer->weights[entry->module]);
        break;
    case PARAMETER_BIAS:
        memcpy(to, layer->biases[entry->module], bytes);
        break;
    case PARAMETER_QUERY_NORM:
        memcpy(to, layer->query_norm, bytes);
        break;
    case PARAMETER_KEY_NORM:
        memcpy(to, layer->key_norm, bytes);
        break;
    case PARAMETER_FINAL_NORM:
        memcpy(to, t->final_norm, bytes);
        break;
    case PARAMETER_OUTPUT:
        copy_matrix(to, &t->output);
        break;
    }
}

void transformer_copy_parameters(
    const struct transformer *transformer, struct parameters *parameters) {
    for (size_t i = 0; i < parameters->entry_count; i++)
        copy_entry(transformer, &parameters->entries[i],
            parameters->values + parameters->entries[i].offset);
}

// ---- rotations ----

bool rope_table_reserve(struct rope_table *table, const struct model_config *config,
    size_t positions, struct error *error) {
    if (positions <= table->positions) return true;
    size_t half = config->head_dim / 2, wanted = 256;
    while (wanted < positions)
        wanted *= 2;
    float *cosine = memory_resize(table->cosine, wanted * half, sizeof *cosine);
    if (!cosine) return memory_error(error, "the table of rotations");
    table->cosine = cosine;
    float *sine = memory_resize(table->sine, wanted * half, sizeof *sine);
    if (!sine) return memory_error(error, "the table of rotations");
    table->sine = sine;
    float frequencies[256];
    model_config_rope_frequencies(config, frequencies);
    for (size_t position = table->positions; position < wanted; position++)
        for (size_t i = 0; i < half; i++) {
            // transformers multiplies in f32, and the angle's rounding there is part of the model
            float angle = (float)position * frequencies[i];
            cosine[position * half + i] = (float)cos(angle);
            sine[position * half + i] = (float)sin(angle);
        }
    table->positions = wanted;
    return true;
}

void rope_table_free(struct rope_table *table) {
    memory_free(table->cosine);
    memory_free(table->sine);
}
