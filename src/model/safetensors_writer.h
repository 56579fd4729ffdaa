// Writes safetensors files, atomically: beside their place, brought to disk, then renamed. Tensors
// may be handed over in pieces as they are made, so that a file can be larger than memory.
#ifndef MODEL_SAFETENSORS_WRITER_H
#define MODEL_SAFETENSORS_WRITER_H

#include "model/safetensors.h"

// A tensor in the file's header. The bytes of all tensors follow in the order of the entries.
struct safetensors_entry {
    const char *name;
    const char *type; // "BF16", "U8", …
    size_t dimensions;
    size_t shape[SAFETENSORS_MAX_DIMENSIONS];
    uint64_t bytes;
};

struct safetensors_writer;

// Writes the header, with the metadata {"format": "pt"} that transformers asks for. The caller
// keeps each tensor aligned to its elements: by the order of the entries.
bool safetensors_writer_open(struct safetensors_writer **writer, const char *path,
    const struct safetensors_entry *entries, size_t count, struct error *error) WARN_UNUSED;

bool safetensors_writer_append(struct safetensors_writer *writer, const void *bytes, size_t length,
    struct error *error) WARN_UNUSED;

// Ends the file, which must be whole, and frees the writer in any case.
bool safetensors_writer_finish(struct safetensors_writer *writer, struct error *error) WARN_UNUSED;

// Removes what was written. NULL is allowed.
void safetensors_writer_abandon(struct safetensors_writer *writer);

// A tensor to be written whole: f32 values, stored as `type`, one of the plain ones.
struct safetensor_source {
    const char *name;
    enum data_type type;
    size_t dimensions;
    size_t shape[SAFETENSORS_MAX_DIMENSIONS];
    const float *values;
};

bool safetensors_write(const char *path, const struct safetensor_source *sources, size_t count,
    struct error *error) WARN_UNUSED;

#endif
