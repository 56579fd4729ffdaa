// LoRA (Hu et al. 2021), as peft does it: y = x·Wᵀ + (alpha / rank) · (x·Aᵀ)·Bᵀ, A [rank, in], B
// [out, rank].
//
// All A and B of all layers are one block of floats described by one table, so that the optimizer,
// clipping and the checkpoint are one loop each; gradients are a second block of the same form.
#ifndef MODEL_LORA_H
#define MODEL_LORA_H

#include "model/model_config.h"

enum lora_module { LORA_Q, LORA_K, LORA_V, LORA_O, LORA_GATE, LORA_UP, LORA_DOWN, LORA_MODULES };

enum { LORA_ALL_MODULES = (1 << LORA_MODULES) - 1, LORA_MAX_RANK = 512 };

extern const char *const lora_module_names[LORA_MODULES];   // "q_proj", …
extern const char *const lora_module_parents[LORA_MODULES]; // "self_attn" or "mlp"

// Modules of one group have the same input: q, k and v; o; gate and up; down. The As of a group lie
// one behind the other, so that they are one matrix.
enum lora_group { LORA_QKV, LORA_OUTPUT, LORA_GATE_UP, LORA_INNER, LORA_GROUPS };

extern const enum lora_module lora_group_ends[LORA_GROUPS]; // the last module of each

struct lora_entry {
    size_t layer;
    enum lora_module module;
    size_t in;
    size_t out;
    size_t a_offset; // of A [rank, in] in the block
    size_t b_offset; // of B [out, rank]
};

struct lora {
    size_t rank;
    float alpha;
    float dropout;    // of x before A, in training alone
    unsigned modules; // bit set of 1 << lora_module
    size_t layers;
    size_t interleaved_head; // elements of a head, where rows of q and k stand in pairs; else 0
    size_t entry_count;
    struct lora_entry *entries;
    int32_t *entry_of; // [layers][LORA_MODULES]: index of the entry, -1 where there is none
    size_t count;      // floats in the block
    float *parameters;
};

// A drawn uniformly from ±1/sqrt(in) (kaiming with a = √5) by `seed`, B zero: peft's default.
bool lora_create(struct lora **lora, const struct model_config *config, size_t rank, float alpha,
    unsigned modules, uint64_t seed, struct error *error) WARN_UNUSED;
void lora_free(struct lora *lora);

static inline float lora_scale(const struct lora *lora) {
    return lora->alpha / (float)lora->rank;
}

// The entry, or NULL if this module is not adapted. `lora` may be NULL.
const struct lora_entry *lora_find(const struct lora *lora, size_t layer, enum lora_module module);

// in and out features of a module in this model.
void lora_module_shape(
    const struct model_config *config, enum lora_module module, size_t *in, size_t *out);

#endif
