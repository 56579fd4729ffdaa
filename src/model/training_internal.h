// What the parts of the training pass share: its buffers (training_memory.c), linear layers
// (training_linear.c), and the pass itself (transformer_training.c).
#ifndef MODEL_TRAINING_INTERNAL_H
#define MODEL_TRAINING_INTERNAL_H

#include "model/transformer_internal.h"
#include "model/transformer_training.h"

// What the gradient of a layer needs and cannot cheaply be had again.
struct layer_activations {
    float *x; // [rows, hidden]: what the layer was given
    struct operand query, key, value, attention;
    float *log_sum_exp;
    // Where heads are normalised: queries and keys before it.
    float *raw_query, *raw_key, *query_inverse_rms, *key_inverse_rms;
    float *middle; // [rows, hidden]: the residual stream after attention
    struct operand gate, up;
    float *input_inverse_rms, *attention_inverse_rms;
    struct operand low[LORA_GROUPS]; // [rows, modules · rank]: alpha / rank · x·Aᵀ
};

struct training {
    const struct transformer *transformer;
    const struct model_config *config;
    struct compute *compute;
    const struct lora *lora;
    unsigned modules; // without `lora`: those whose weights are trained, or 0 for all weights
    size_t max_rows;
    size_t recomputed; // layers 0 … recomputed - 1 share one set of activations, but for x
    uint8_t *block;    // all buffers below
    struct layer_activations *layers;
    float *last;                           // what the last layer gives
    struct operand norm, activation;       // of the layer at work
    float *dx, *dnorm;                     // [rows, hidden]
    struct operand dx_operand, dattention; // [rows, hidden], [rows, query columns]
    float *query_f32;                      // [rows, query columns]: before rotation; gradients
    float *key_f32;                        // [rows, key-value columns]: before rotation
    float *raw_gradient;                   // as query_f32; where queries and keys have norms
    float *attention_delta;                // [rows, heads]
    float *dkey, *dvalue;                  // [rows, key-value columns]
    struct operand dquery_operand, dkey_operand, dvalue_operand, dgate, dup;
    struct operand dlow, dlow_transposed, low_transposed;
    struct operand dy_transposed; // where all weights are trained: outputs or logits, transposed
    struct operand dropped;       // [rows, widest input]
    float *wide;                  // the same in f32; for dropout
    float *gathered, *dgathered, *final_inverse_rms;
    struct operand logits; // [logit_rows, vocabulary]
    float *losses, *hits, *weights;
    size_t logit_rows;
    int32_t *target_tokens, *positions;
    struct attention_span *spans;
    struct rope_table rope;
    // of the present batch
    const struct training_batch *batch;
    bool evaluating; // without gradients, and without dropout
    float *gradients;
};

// ---- training_memory.c ----

bool training_allocate(struct training *training, uint64_t budget, struct error *error) WARN_UNUSED;

// ---- training_linear.c ----

// What becomes of each module's output: finishes[i] of module first + i.
// For gate and up one finish (PRODUCT_SWIGLU) stands for both.
void linear_forward(struct training *training, size_t layer, enum lora_group group,
    struct operand x, const struct product_finish *finishes);

// x·Aᵀ alone, which the backward pass asks for.
void linear_low(struct training *training, size_t layer, enum lora_group group, struct operand x);

// dy: the gradients of the modules' outputs. Adds to the gradients of what is trained, and gives
// the gradient of x to `finish` (NULL: nobody needs it). x may be NULL where only that is wanted
// yet.
void linear_weight_gradients(struct training *training, size_t layer, enum lora_group group,
    struct operand x, const struct operand *dy);
void linear_input_gradient(struct training *training, size_t layer, enum lora_group group,
    const struct operand *dy, const struct product_finish *finish);

// Where the gradient of these weights lies.
float *training_gradient_of(const struct training *training, enum parameter_kind kind, size_t layer,
    enum lora_module module);

#endif
