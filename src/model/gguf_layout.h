// Tables that reading and writing GGUF files share: ggml's tensor types, the names of tensors there
// and in Hugging Face's files, and the pre-tokenizers that llama.cpp knows by name.
#ifndef MODEL_GGUF_LAYOUT_H
#define MODEL_GGUF_LAYOUT_H

#include "compute/data_type.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GGUF_NAME_SIZE = 64, // of tensors, with a NUL
    GGUF_ALIGNMENT = 32,
    GGUF_MAX_LAYERS = 1024
};

// ggml's types: elements and bytes of a block. NULL for a number that is none.
struct ggml_type {
    const char *name;
    uint32_t block;
    uint32_t bytes;
    enum data_type type; // DATA_TYPES for one that this program does not read
};

const struct ggml_type *ggml_type_of(uint32_t number);
uint32_t ggml_type_number(enum data_type type);

// Between "blk.3.attn_q.weight" and "model.layers.3.self_attn.q_proj.weight": false for a name that
// is not in the table. `to` has GGUF_LONGEST_NAME bytes.
enum { GGUF_LONGEST_NAME = 128 };
bool gguf_name_to_hf(char *to, const char *name, size_t length);
bool gguf_name_from_hf(char *to, const char *name);

// The row of q_proj or k_proj in Hugging Face's order that stands at `row` of a GGUF file of
// architecture llama: pairs side by side there, halves here.
static inline size_t gguf_rotary_row(size_t row, size_t head_dim) {
    size_t in_head = row % head_dim;
    return row - in_head + in_head % 2 * (head_dim / 2) + in_head / 2;
}

// The inverse: where Hugging Face's row stands.
static inline size_t gguf_interleaved_row(size_t row, size_t head_dim) {
    size_t in_head = row % head_dim, half = head_dim / 2;
    return row - in_head + in_head % half * 2 + in_head / half;
}

// A pre-tokenizer of byte-level vocabularies.
struct gguf_pre_tokenizer {
    const char *name;       // tokenizer.ggml.pre
    const char *json;       // tokenizer.json's pre_tokenizer
    const char *normalizer; // and its normalizer, as JSON
    bool ignore_merges;
    bool add_bos; // unless the file says otherwise
};

// By name, aliases included; NULL for one that is not known.
const struct gguf_pre_tokenizer *gguf_pre_tokenizer_find(const char *name, size_t length);

// One after another, to look for the one that does what a tokenizer.json says: NULL at the end.
const struct gguf_pre_tokenizer *gguf_pre_tokenizer_at(size_t index);

#endif
