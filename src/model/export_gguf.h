// The parts of an export to GGUF.
#ifndef MODEL_EXPORT_GGUF_H
#define MODEL_EXPORT_GGUF_H

#include "model/export_internal.h"
#include "model/gguf_writer.h"

// The pre-tokenizer that is named where llama.cpp has none like the model's.
#define GGUF_NEAREST_PRE_TOKENIZER "default"

// Writes a tokenizer of `vocabulary` tokens into the metadata. `note` is filled in where llama.cpp
// will not cut texts as the model does.
bool export_gguf_tokenizer(struct gguf_writer *writer, const struct export_files *files,
    size_t vocabulary, char *note, size_t note_size, struct error *error) WARN_UNUSED;

#endif
