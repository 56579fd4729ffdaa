// A fine-tuned model in the files of other programs: an adapter as peft reads it, the merged model
// as a Hugging Face directory, and both as GGUF files for llama.cpp. Nothing is rounded twice: what
// is merged is computed in f32 and rounded once, when it is stored.
#ifndef MODEL_MODEL_EXPORT_H
#define MODEL_MODEL_EXPORT_H

#include "base/error.h"
#include "compute/data_type.h"

struct export_source {
    const char *model;   // path of the base model
    const char *name;    // of the base model, as others know it
    const char *adapter; // directory of the adapter; NULL for the base model alone
};

struct export_options {
    enum data_type type;  // DATA_TYPES: as the base model stores each tensor
    uint64_t shard_bytes; // most in one safetensors file; 0 for 5 GB
    // Bytes that are done, of all; may be NULL.
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    char note[512]; // filled in: what the reader of the files should know; "" for nothing
};

// Each writes into `directory`, which exists and is empty.

// adapter_config.json and adapter_model.safetensors.
bool export_peft(const struct export_source *source, const char *directory,
    struct export_options *options, struct error *error) WARN_UNUSED;

// config.json, model.safetensors (or shards with their index), and the files of the tokenizer. A
// quantised base model comes out as the plain numbers that it stands for, in bf16.
bool export_merged(const struct export_source *source, const char *directory,
    struct export_options *options, struct error *error) WARN_UNUSED;

// model.gguf, and, of an adapter, adapter.gguf. Vectors are stored as f32, as llama.cpp wants them.
bool export_gguf(const struct export_source *source, const char *directory,
    struct export_options *options, struct error *error) WARN_UNUSED;

#endif
