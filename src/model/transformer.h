// A Llama-family model: its weights, mapped read-only from a Hugging Face directory and shared by
// whoever uses it, and the forward pass for generation. The pass for training is in
// transformer_training.h.
//
// RMSNorm, rotary embedding (half-split order, as in transformers), grouped-query attention,
// SwiGLU, tied or separate output layer.
#ifndef MODEL_TRANSFORMER_H
#define MODEL_TRANSFORMER_H

#include "compute/compute.h"
#include "model/lora.h"
#include "model/model_config.h"
#include <stdatomic.h>

struct transformer;

// Opens a model directory: config.json and model.safetensors, or the shards that
// model.safetensors.index.json names. Every tensor's name, type and shape is checked. After this
// the model is read-only and may be used from several threads.
bool transformer_open(
    struct transformer **transformer, const char *directory, struct error *error) WARN_UNUSED;
void transformer_close(struct transformer *transformer);

const struct model_config *transformer_config(const struct transformer *transformer);
uint64_t transformer_weight_bytes(const struct transformer *transformer);

// True where the weights are larger than the memory that was free when the model was opened: each
// layer is then read from its file ahead of its turn, in every pass anew.
bool transformer_streams(const struct transformer *transformer);

// Makes it so, whatever the memory. Only for a model that was opened from files.
bool transformer_stream(struct transformer *transformer, struct error *error) WARN_UNUSED;

// Reads the weights in from their files, in the calling thread, so that no pass waits for a disk;
// ends early once *stop is true. Where they are streamed it does nothing.
void transformer_read_in(const struct transformer *transformer, const atomic_bool *stop);

// Keys and values of one sequence: `keys` and `values` each [layers][capacity][kv_heads · head_dim]
// f32. Owned by the caller. `length` tokens are there; inference_forward writes from there on and
// adds the rows that it wrote.
struct kv_sequence {
    size_t length;
    size_t capacity;
    float *keys;
    float *values;
};

// Floats in `keys` (and again in `values`) for a capacity.
size_t kv_sequence_floats(const struct model_config *config, size_t capacity);

// Consecutive rows of a batch that go on with one sequence, under one adapter (NULL for the base
// model).
struct inference_span {
    size_t first_row;
    size_t row_count;
    struct kv_sequence *kv;
    const struct lora *adapter;
};

struct inference; // working memory of one batch at a time

bool inference_create(struct inference **inference, const struct transformer *transformer,
    struct compute *compute, size_t max_rows, struct error *error) WARN_UNUSED;
void inference_free(struct inference *inference);

// A pass that may be put aside between two layers, and gone on with later: where it stands, and its
// rows as the last layer left them. Zeros: it begins.
struct inference_pause {
    bool (*asked)(void *context); // whether to put it aside now
    void *context;
    size_t layer; // the next one
    float *rows;  // [rows, hidden_size]; owned
    size_t floats;
};

void inference_pause_free(struct inference_pause *pause);

// The next inference_forward may be put aside: it then returns false, and
// inference_was_paused says so. Called again with the same tokens and spans, whose sequences were
// left alone meanwhile, it goes on where it stopped and ends with the same bits. NULL: never.
void inference_pause_by(struct inference *inference, struct inference_pause *pause);
bool inference_was_paused(const struct inference *inference);

// Runs `rows` tokens (at most max_rows), which the spans divide in order and without gaps. The
// logits after each of the rows named by logit_rows go to `logits` [logit_count, vocabulary_size];
// 0 of them is allowed. Prefill and decoding, of several sequences and adapters, may stand in one
// call. Fails without touching anything on a token outside the vocabulary, a full kv_sequence, or
// spans that do not fit.
bool inference_forward(struct inference *inference, const int32_t *tokens, size_t rows,
    const struct inference_span *spans, size_t span_count, const uint32_t *logit_rows,
    size_t logit_count, float *logits, struct error *error) WARN_UNUSED;

#endif
