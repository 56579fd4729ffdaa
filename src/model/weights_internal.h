// What the files of weights share.
#ifndef MODEL_WEIGHTS_INTERNAL_H
#define MODEL_WEIGHTS_INTERNAL_H

#include "compute/quantized.h"
#include "model/weights.h"

// The quantised matrix that `tensor` (of type I8 or U8) holds, with what bitsandbytes stores beside
// it. `made` is filled in and becomes part of the matrix; *owned is memory that it needs
// (memory_free).
bool weights_quantized(const struct weights *weights, const struct safetensor *tensor, size_t rows,
    size_t columns, struct quantization *made, void **owned, struct matrix *matrix,
    struct error *error) WARN_UNUSED;

#endif
