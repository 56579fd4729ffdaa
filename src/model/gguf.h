// GGUF files (ggml-org/ggml, docs/gguf.md; versions 2 and 3): metadata and tensors of a model in
// one file, read by mapping. Nothing in the file is believed before it was checked.
//
// What such a file says is given in Hugging Face's terms: its config as a config.json object, its
// tokenizer as a tokenizer.json object, its tensors under Hugging Face's names. So whoever reads a
// model need not know where it came from. Architectures llama, qwen2 and qwen3, tensors of type
// F32, F16, BF16 and Q8_0; everything else is refused by its name.
#ifndef MODEL_GGUF_H
#define MODEL_GGUF_H

#include "model/safetensors.h"
#include <jansson.h>

// True where the model at this path is a GGUF file, whose own path goes to `gguf_path`: a directory
// with model.gguf and no config.json, or a file whose name ends in .gguf.
bool gguf_find(char *gguf_path, size_t size, const char *model_path);

// The file's config as config.json has it. Rows of q_proj and k_proj in files of architecture llama
// are in interleaved rotary order: the object says "temper_rope_interleaved": true, then. The
// caller drops the reference.
bool gguf_config(json_t **config, const char *gguf_path, struct error *error) WARN_UNUSED;

// The file's tokenizer as tokenizer.json has it. Merges of a sentencepiece vocabulary follow from
// its scores.
bool gguf_tokenizer(json_t **tokenizer, const char *gguf_path, struct error *error) WARN_UNUSED;

// The file's chat template and special tokens as tokenizer_config.json has them.
bool gguf_tokenizer_config(json_t **config, const char *gguf_path, struct error *error) WARN_UNUSED;

// ---- the file itself ----

struct gguf;

bool gguf_open(struct gguf **file, const char *path, struct error *error) WARN_UNUSED;
void gguf_close(struct gguf *file);

// Tensors by Hugging Face's names ("model.layers.0.self_attn.q_proj.weight"), shapes as there.
size_t gguf_tensor_count(const struct gguf *file);
const struct safetensor *gguf_tensor_at(const struct gguf *file, size_t index);
const struct safetensor *gguf_tensor_find(const struct gguf *file, const char *name); // or NULL

// For fuzzing and tests: reads a file that lies in memory, and everything that can be made of it.
bool gguf_check(const void *bytes, size_t size, struct error *error) WARN_UNUSED;

#endif
