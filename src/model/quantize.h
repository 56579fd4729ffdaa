// Makes a quantised copy of a model: the seven linear layers in int8 or nf4, everything else as it
// is, in the files that bitsandbytes and transformers write (weights_quantized.c reads them).
#ifndef MODEL_QUANTIZE_H
#define MODEL_QUANTIZE_H

#include "base/thread_pool.h"
#include "compute/data_type.h"

// Bytes of the source's weights that are done, of all of them.
typedef void (*quantize_progress)(void *context, uint64_t done, uint64_t total);

// Reads a Hugging Face directory and writes config.json (with its quantization_config) and
// model.safetensors to the directory `target`, which exists. `type` is DATA_INT8 or DATA_NF4;
// `progress` may be NULL. The same bytes for any number of threads.
bool quantize_model(const char *source, const char *target, enum data_type type,
    struct thread_pool *pool, quantize_progress progress, void *context,
    struct error *error) WARN_UNUSED;

// Bytes that the quantised weights of a source take on disk.
bool quantize_bytes(
    const char *source, enum data_type type, uint64_t *bytes, struct error *error) WARN_UNUSED;

#endif
