// All weights of a model as one block of f32, described by one table: what full-parameter training
// changes. LoRA's counterpart is lora.h; optimizer, clipping and checkpoint treat the two alike.
#ifndef MODEL_PARAMETERS_H
#define MODEL_PARAMETERS_H

#include "compute/data_type.h"
#include "model/lora.h"

enum parameter_kind {
    PARAMETER_EMBEDDING,
    PARAMETER_INPUT_NORM,
    PARAMETER_ATTENTION_NORM, // post_attention_layernorm
    PARAMETER_LINEAR,
    PARAMETER_BIAS,       // of a linear layer
    PARAMETER_QUERY_NORM, // of a head, where heads are normalised
    PARAMETER_KEY_NORM,
    PARAMETER_FINAL_NORM,
    PARAMETER_OUTPUT, // lm_head, where it is not tied
};

struct parameter_entry {
    enum parameter_kind kind;
    size_t layer;
    enum lora_module module; // of a PARAMETER_LINEAR or PARAMETER_BIAS
    size_t rows;             // 1 for a vector
    size_t columns;
    size_t offset;
    char name[96]; // as in Hugging Face's files
};

struct parameters {
    size_t entry_count;
    struct parameter_entry *entries;
    size_t count;
    float *values;
};

// The table and a cleared block.
bool parameters_create(struct parameters **parameters, const struct model_config *config,
    struct error *error) WARN_UNUSED;
void parameters_free(struct parameters *parameters);

// Normal with config->initializer_range, norms 1, biases 0; and, as GPT-2 has it, the matrices that
// write to the residual stream (o_proj, down_proj) smaller by sqrt(2 · layers).
void parameters_initialise(
    struct parameters *parameters, const struct model_config *config, uint64_t seed);

// The offset of a parameter; the model has it, or the program is wrong.
size_t parameters_offset(const struct parameters *parameters, enum parameter_kind kind,
    size_t layer, enum lora_module module);

// model.safetensors in `directory`, stored as `type`.
bool parameters_save(const struct parameters *parameters, const char *directory,
    enum data_type type, struct error *error) WARN_UNUSED;

#endif
