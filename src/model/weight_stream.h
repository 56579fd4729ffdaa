// For models larger than memory: brings each layer's weights in from their files ahead of the layer
// that needs them, on a thread of its own, and lets those of past layers go. The pages stay the
// kernel's to keep; nothing is copied.
#ifndef MODEL_WEIGHT_STREAM_H
#define MODEL_WEIGHT_STREAM_H

#include "base/error.h"
#include "compute/quantized.h"
#include <stddef.h>

struct weight_stream;

// Brings bytes of a mapped file in, in the calling thread.
void weight_stream_read(const void *bytes, size_t length);

// For a number of layers, of which each has a list of matrices in mapped files.
bool weight_stream_create(
    struct weight_stream **stream, size_t layers, struct error *error) WARN_UNUSED;
void weight_stream_free(struct weight_stream *stream); // NULL is allowed

// Adds a matrix to a layer: its data and, of nf4, the codes of its scales.
bool weight_stream_add(struct weight_stream *stream, size_t layer, const struct matrix *matrix,
    struct error *error) WARN_UNUSED;

// Tells that `layer` is about to be computed and `next` after it: waits for the first, starts
// reading the second, and lets go of all others that were read. Without a stream (NULL) it does
// nothing.
void weight_stream_enter(struct weight_stream *stream, size_t layer, size_t next);

#endif
