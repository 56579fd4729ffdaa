// The weight files of a model directory: model.safetensors, or the shards of its index, as one set
// of tensors that are found by name; or a GGUF file, whose tensors bear the same names.
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "model/safetensors.h"

struct weights;

bool weights_open(struct weights **weights, const char *directory, struct error *error) WARN_UNUSED;
void weights_close(struct weights *weights);

const struct safetensor *weights_find(const struct weights *weights, const char *name); // or NULL
uint64_t weights_bytes(const struct weights *weights);

// All tensors, file by file.
size_t weights_count(const struct weights *weights);
const struct safetensor *weights_at(const struct weights *weights, size_t index);

// The tensor as a matrix [rows, columns], or, with rows 1, a vector; quantised ones with what
// belongs to them (compute/quantized.h). It lives as long as the weights. An error names what is
// wrong with it.
bool weights_matrix(struct weights *weights, const char *name, size_t rows, size_t columns,
    struct matrix *matrix, struct error *error) WARN_UNUSED;

#endif
