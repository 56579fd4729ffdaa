// safetensors files (huggingface/safetensors, README "Format"): eight bytes of header length, a
// JSON header, then the tensors. Read by mapping; everything in the header is checked before it is
// believed.
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include "base/error.h"
#include "compute/data_type.h"
#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_MAX_DIMENSIONS = 8 };

struct safetensor {
    char *name;
    enum data_type type; // DATA_TYPES for a type that this program does not compute with (I64, …)
    char type_name[8];
    size_t dimensions;
    size_t shape[SAFETENSORS_MAX_DIMENSIONS];
    size_t elements;
    const void *data; // in the mapped file; aligned to the element's size
    size_t bytes;
};

struct safetensors;

bool safetensors_open(struct safetensors **file, const char *path, struct error *error) WARN_UNUSED;
void safetensors_close(struct safetensors *file);

size_t safetensors_count(const struct safetensors *file);
const struct safetensor *safetensors_at(const struct safetensors *file, size_t index);
const struct safetensor *safetensors_find(
    const struct safetensors *file, const char *name); // or NULL

// For fuzzing and tests: checks a header as safetensors_open does. `data_size` bytes follow it.
bool safetensors_check(const void *bytes, size_t size, struct error *error) WARN_UNUSED;

#endif
