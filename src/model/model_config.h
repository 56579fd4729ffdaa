// config.json of a Hugging Face model directory: the shape of a model of the Llama, Mistral, Qwen2
// or Qwen3 family, fields left out being those of the family's class in transformers. Whatever this
// program does not compute exactly is refused here, by the name of the field and its value.
#ifndef MODEL_MODEL_CONFIG_H
#define MODEL_MODEL_CONFIG_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum rope_scaling { ROPE_SCALING_NONE, ROPE_SCALING_LINEAR, ROPE_SCALING_LLAMA3 };

enum { MODEL_CONFIG_MAX_EOS = 8, MODEL_CONFIG_MAX_LAYERS = 1024 };

struct model_config {
    char model_type[32]; // "llama", "mistral", "qwen2", "qwen3"
    size_t vocabulary_size;
    size_t hidden_size;
    size_t intermediate_size;
    size_t layers;
    size_t heads;
    size_t kv_heads; // divides heads
    size_t head_dim; // even
    size_t context_length;
    float rms_norm_epsilon;
    double rope_theta;
    enum rope_scaling rope_scaling;
    double rope_factor;
    double rope_low_frequency_factor; // the three of llama3 scaling
    double rope_high_frequency_factor;
    double rope_original_context;
    bool rope_interleaved; // rows of q_proj and k_proj stand in pairs, as in Llama's GGUF files
    bool tied_embeddings;
    bool attention_bias;        // q_proj, k_proj and v_proj have one
    bool attention_output_bias; // o_proj has one
    bool query_key_norm;        // each head of queries and keys is normalised before its rotation
    size_t sliding_window;      // tokens that a layer sees, the last one among them; 0 for all
    bool windowed[MODEL_CONFIG_MAX_LAYERS]; // the layers that it holds for
    float initializer_range;
    int32_t bos_token;                        // -1 if config.json names none
    int32_t eos_tokens[MODEL_CONFIG_MAX_EOS]; // of generation_config.json too
    size_t eos_count;
};

// Reads `directory`/config.json, or what a GGUF file at this path says (model/gguf.h), and
// generation_config.json's end tokens where that file exists.
bool model_config_load(
    struct model_config *config, const char *directory, struct error *error) WARN_UNUSED;

// How many of the last tokens a layer sees, 0 for all.
static inline size_t model_config_window(const struct model_config *config, size_t layer) {
    return config->windowed[layer] ? config->sliding_window : 0;
}

// Count of all weights, the tied output layer counted once.
uint64_t model_config_parameters(const struct model_config *config);

// Rotary frequencies, one for each pair of a head: head_dim / 2 values into `frequencies`. With
// llama3 scaling as transformers computes it (modeling_rope_utils.py).
void model_config_rope_frequencies(const struct model_config *config, float *frequencies);

#endif
