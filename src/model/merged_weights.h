// A model's weights with an adapter merged into them, W + scale · B · A in f32, read row by row: so
// a merged model can be written that is larger than memory. Quantised weights are read as the
// numbers that they stand for.
#ifndef MODEL_MERGED_WEIGHTS_H
#define MODEL_MERGED_WEIGHTS_H

#include "compute/data_type.h"
#include "model/lora.h"

struct merged_weights;

// Tensors go by Hugging Face's names, and are [shape[0], shape[1]] or [shape[0]].
struct merged_tensor {
    const char *name;
    size_t dimensions;
    size_t shape[2];
    enum data_type type; // as the base model stores it; DATA_TYPES for a quantised one
    size_t rows;         // as merged_weights_row gives it
    size_t columns;
};

// `adapter` is a directory in peft's format, or NULL for the base model's own weights.
bool merged_weights_open(struct merged_weights **weights, const char *model_path,
    const char *adapter, struct error *error) WARN_UNUSED;
void merged_weights_close(struct merged_weights *weights);

const struct model_config *merged_weights_config(const struct merged_weights *weights);
const struct lora *merged_weights_adapter(const struct merged_weights *weights); // or NULL

size_t merged_weights_count(const struct merged_weights *weights);
const struct merged_tensor *merged_weights_at(const struct merged_weights *weights, size_t index);

// Row `row` of a tensor. Rows of q_proj and k_proj are counted in Hugging Face's order, or, with
// `interleaved`, in that of Llama's GGUF files, whatever the base model's own order is.
void merged_weights_row(const struct merged_weights *weights, size_t index, size_t row,
    bool interleaved, float *values);

#endif
