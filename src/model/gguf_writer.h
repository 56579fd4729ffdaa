// Writes GGUF files, version 3, little-endian, atomically: metadata and the table of tensors are
// gathered first, then the tensors' bytes are handed over in pieces as they are made.
#ifndef MODEL_GGUF_WRITER_H
#define MODEL_GGUF_WRITER_H

#include "base/error.h"
#include "compute/data_type.h"
#include <stddef.h>
#include <stdint.h>

struct gguf_writer;

bool gguf_writer_create(struct gguf_writer **writer, struct error *error) WARN_UNUSED;

// Removes what was written of an unfinished file. NULL is allowed.
void gguf_writer_free(struct gguf_writer *writer);

// ---- metadata. A failure sticks and comes out of gguf_writer_start. ----

void gguf_writer_text(struct gguf_writer *writer, const char *key, const char *text);
void gguf_writer_uint32(struct gguf_writer *writer, const char *key, uint32_t value);
void gguf_writer_float32(struct gguf_writer *writer, const char *key, float value);
void gguf_writer_bool(struct gguf_writer *writer, const char *key, bool value);
void gguf_writer_texts(
    struct gguf_writer *writer, const char *key, const char *const *texts, size_t count);
void gguf_writer_floats(
    struct gguf_writer *writer, const char *key, const float *values, size_t count);
void gguf_writer_int32s(
    struct gguf_writer *writer, const char *key, const int32_t *values, size_t count);

// ---- tensors ----

// Adds a tensor of this shape, in Hugging Face's order: [rows, columns] or [elements]. Their bytes
// follow in the order in which they were added.
void gguf_writer_tensor(struct gguf_writer *writer, const char *name, enum data_type type,
    size_t dimensions, const size_t *shape);

// Makes the file and writes all but the tensors' bytes.
bool gguf_writer_start(
    struct gguf_writer *writer, const char *path, struct error *error) WARN_UNUSED;

// More bytes of the present tensor; the next begins by itself.
bool gguf_writer_append(
    struct gguf_writer *writer, const void *bytes, size_t length, struct error *error) WARN_UNUSED;

// Brings the file, which must be whole, to disk and to its name.
bool gguf_writer_finish(struct gguf_writer *writer, struct error *error) WARN_UNUSED;

#endif
