#include "model/parameters.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/safetensors_writer.h"
#include "model/transformer_internal.h"
#include <math.h>
#include <stdio.h>

static void add(struct parameters *p, enum parameter_kind kind, size_t layer,
    enum lora_module module, size_t rows, size_t columns, const char *name) {
    struct parameter_entry *entry = &p->entries[p->entry_count++];
    *entry = (struct parameter_entry){kind, layer, module, rows, columns, p->count, ""};
    snprintf(entry->name, sizeof entry->name, "%s", name);
    p->count += rows * columns;
}

static void add_layer(struct parameters *p, const struct model_config *c, size_t layer) {
    char name[96];
    snprintf(name, sizeof name, "model.layers.%zu.input_layernorm.weight", layer);
    add(p, PARAMETER_INPUT_NORM, layer, 0, 1, c->hidden_size, name);
    for (int module = 0; module < LORA_MODULES; module++) {
        size_t in, out;
        lora_module_shape(c, module, &in, &out);
        snprintf(name, sizeof name, "model.layers.%zu.%s.%s.weight", layer,
            lora_module_parents[module], lora_module_names[module]);
        add(p, PARAMETER_LINEAR, layer, module, out, in, name);
        if (!has_bias(c, module)) continue;
        snprintf(name, sizeof name, "model.layers.%zu.%s.%s.bias", layer,
            lora_module_parents[module], lora_module_names[module]);
        add(p, PARAMETER_BIAS, layer, module, 1, out, name);
    }
    if (c->query_key_norm) {
        snprintf(name, sizeof name, "model.layers.%zu.self_attn.q_norm.weight", layer);
        add(p, PARAMETER_QUERY_NORM, layer, 0, 1, c->head_dim, name);
        snprintf(name, sizeof name, "model.layers.%zu.self_attn.k_norm.weight", layer);
        add(p, PARAMETER_KEY_NORM, layer, 0, 1, c->head_dim, name);
    }
    snprintf(name, sizeof name, "model.layers.%zu.post_attention_layernorm.weight", layer);
    add(p, PARAMETER_ATTENTION_NORM, layer, 0, 1, c->hidden_size, name);
}

static void make_table(struct parameters *p, const struct model_config *c) {
    add(p, PARAMETER_EMBEDDING, 0, 0, c->vocabulary_size, c->hidden_size,
        "model.embed_tokens.weight");
    for (size_t layer = 0; layer < c->layers; layer++)
        add_layer(p, c, layer);
    add(p, PARAMETER_FINAL_NORM, 0, 0, 1, c->hidden_size, "model.norm.weight");
    if (!c->tied_embeddings)
        add(p, PARAMETER_OUTPUT, 0, 0, c->vocabulary_size, c->hidden_size, "lm_head.weight");
}

bool parameters_create(
    struct parameters **parameters, const struct model_config *config, struct error *error) {
    struct parameters *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "a model's parameters");
    new->entries =
        memory_alloc_array(config->layers * (2 * LORA_MODULES + 4) + 3, sizeof *new->entries);
    if (new->entries) make_table(new, config);
    new->values = memory_alloc_aligned(new->count, sizeof *new->values);
    if (!new->entries || !new->values) {
        parameters_free(new);
        return memory_error(error, "a model's parameters");
    }
    *parameters = new;
    return true;
}

void parameters_free(struct parameters *parameters) {
    if (!parameters) return;
    memory_free(parameters->entries);
    memory_free(parameters->values);
    memory_free(parameters);
}

void parameters_initialise(
    struct parameters *parameters, const struct model_config *config, uint64_t seed) {
    for (size_t i = 0; i < parameters->entry_count; i++) {
        const struct parameter_entry *entry = &parameters->entries[i];
        float *values = parameters->values + entry->offset;
        bool vector = entry->rows == 1;
        float constant = entry->kind == PARAMETER_BIAS ? 0.0f : 1.0f;
        bool residual = entry->kind == PARAMETER_LINEAR &&
                        (entry->module == LORA_O || entry->module == LORA_DOWN);
        double deviation = config->initializer_range;
        if (residual) deviation /= sqrt(2.0 * (double)config->layers);
        for (size_t j = 0; j < entry->rows * entry->columns; j++)
            values[j] = vector ? constant : (float)(deviation * random_normal(seed, i, j));
    }
}

size_t parameters_offset(const struct parameters *parameters, enum parameter_kind kind,
    size_t layer, enum lora_module module) {
    for (size_t i = 0; i < parameters->entry_count; i++) {
        const struct parameter_entry *entry = &parameters->entries[i];
        if (entry->kind == kind && entry->layer == layer && entry->module == module)
            return entry->offset;
    }
    return 0;
}

bool parameters_save(const struct parameters *parameters, const char *directory,
    enum data_type type, struct error *error) {
    struct safetensor_source *sources =
        memory_alloc_array(parameters->entry_count, sizeof *sources);
    if (!sources) return memory_error(error, "the table of a model file");
    for (size_t i = 0; i < parameters->entry_count; i++) {
        const struct parameter_entry *entry = &parameters->entries[i];
        const float *values = parameters->values + entry->offset;
        sources[i] = entry->rows == 1 ? (struct safetensor_source){entry->name, type, 1,
                                            {entry->columns}, values}
                                      : (struct safetensor_source){entry->name, type, 2,
                                            {entry->rows, entry->columns}, values};
    }
    char path[FILE_PATH_SIZE];
    bool ok = file_path(path, sizeof path, error, directory, "model.safetensors") &&
              safetensors_write(path, sources, parameters->entry_count, error);
    memory_free(sources);
    return ok;
}
