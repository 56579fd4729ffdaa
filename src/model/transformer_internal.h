// What the passes over a transformer share: its weights, and the table of rotations.
#ifndef MODEL_TRANSFORMER_INTERNAL_H
#define MODEL_TRANSFORMER_INTERNAL_H

#include "model/parameters.h"
#include "model/transformer.h"
#include "model/weight_stream.h"
#include <math.h>

struct transformer_layer {
    const float *input_norm;
    const float *attention_norm;
    struct matrix weights[LORA_MODULES];
    const float *biases[LORA_MODULES];  // NULL where there is none
    const float *query_norm, *key_norm; // [head_dim], NULL where heads are not normalised
};

struct transformer {
    struct model_config config;
    struct weights *files;         // NULL where the weights are a block of parameters
    struct parameters *parameters; // borrowed, then
    float *vectors;                // of files: all norm weights and biases as f32
    size_t vectors_used;
    void *random; // of transformer_random(): all else
    uint64_t random_bytes;
    struct matrix embedding;
    struct matrix output;
    const float *final_norm;
    struct transformer_layer *layers;
    struct weight_stream *stream; // of weights that memory does not hold, or NULL
};

// Cosines and sines, [positions][head_dim / 2].
struct rope_table {
    size_t positions;
    float *cosine;
    float *sine;
};

// Makes the table long enough for `positions`; what it held stays.
bool rope_table_reserve(struct rope_table *table, const struct model_config *config,
    size_t positions, struct error *error) WARN_UNUSED;
void rope_table_free(struct rope_table *table);

// Both borrowed.
static inline struct rotation rope_table_rotation(
    const struct rope_table *table, const struct model_config *config, const int32_t *positions) {
    return (struct rotation){
        positions, table->cosine, table->sine, config->head_dim, config->rope_interleaved};
}

static inline size_t query_columns(const struct model_config *config) {
    return config->heads * config->head_dim;
}

static inline size_t kv_columns(const struct model_config *config) {
    return config->kv_heads * config->head_dim;
}

static inline struct attention_shape layer_attention(
    const struct model_config *config, size_t layer) {
    return (struct attention_shape){config->heads, config->kv_heads, config->head_dim,
        1.0f / sqrtf((float)config->head_dim), model_config_window(config, layer)};
}

// Whether this linear layer has a bias.
static inline bool has_bias(const struct model_config *config, enum lora_module module) {
    return module <= LORA_V ? config->attention_bias
                            : module == LORA_O && config->attention_output_bias;
}

#endif
