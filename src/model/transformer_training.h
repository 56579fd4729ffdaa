// The pass for training: forward, loss, and backward over packed sequences, into the gradients of
// LoRA's matrices or of all weights. No padding: sequences lie one behind another, and attention
// keeps them apart. Logits are computed only where there is a loss, some rows at a time, and never
// kept.
#ifndef MODEL_TRANSFORMER_TRAINING_H
#define MODEL_TRANSFORMER_TRAINING_H

#include "model/parameters.h"
#include "model/transformer.h"

// A model whose weights are a block of parameters, borrowed and read anew in each pass.
bool transformer_over(struct transformer **transformer, const struct model_config *config,
    struct parameters *parameters, struct error *error) WARN_UNUSED;

// Fills a block (made for the same config) with a model's weights.
void transformer_copy_parameters(
    const struct transformer *transformer, struct parameters *parameters);

// A model of random weights in memory, its linear layers stored as `type` (plain, int8 or nf4), for
// benches.
bool transformer_random(struct transformer **transformer, const struct model_config *config,
    enum data_type type, struct error *error) WARN_UNUSED;

#define TRAINING_NO_PARENT SIZE_MAX

// A node of a tree of tokens: a run of rows that follows the rows of its parent. The positions of
// its rows go on where the parent's end, and its queries see all rows of its ancestors and,
// causally, their own.
struct training_sequence {
    size_t first_row, row_count;
    size_t parent; // index of an earlier sequence of the batch, or TRAINING_NO_PARENT
};

// One supervised prediction: row `row` predicts `token`. Whoever wants the mean over an optimizer
// batch divides the weights by their sum over all of its micro-batches.
struct training_target {
    uint32_t row;
    int32_t token;
    float weight;   // of its loss, above 0: the sum over the examples that share it
    float examples; // how many they are
};

// Sequences are in depth-first order and lie one behind another. Targets are sorted by row; a row
// may have several, or none; they are at most twice as many as the max_rows of training_create().
struct training_batch {
    const int32_t *tokens; // [rows]
    size_t rows;
    const struct training_sequence *sequences;
    size_t sequence_count;
    const struct training_target *targets;
    size_t target_count;
    uint64_t dropout_key; // what is dropped is a function of it; where lora->dropout is above 0
};

struct training_result {
    double loss;       // Σ weight · loss
    double supervised; // Σ examples
    double hits;       // Σ examples, of the targets that had the largest logit
};

struct training;

// Working memory for up to `max_rows` rows in one batch. `lora` (borrowed) is what is trained, or
// NULL for all weights, which takes a transformer made by transformer_over(). Of as many layers as
// fit into `budget` bytes all activations are kept, of the others only what they were given: that
// much is taken in any case. The budget changes no bit of the results.
bool training_create(struct training **training, const struct transformer *transformer,
    struct compute *compute, size_t max_rows, struct lora *lora, uint64_t budget,
    struct error *error) WARN_UNUSED;
void training_free(struct training *training);

// Without `lora`: trains only the weights and biases of these modules (a set of 1 << enum
// lora_module), or, with 0, all weights. The gradients of the others stay as they are.
void training_train_only(struct training *training, unsigned modules);

// Bytes that training_create would take for these, whatever the machine: where operands are f32.
uint64_t training_bytes(
    const struct model_config *config, const struct lora *lora, size_t max_rows, uint64_t budget);

// The same with the operands of this compute, which may be half as wide.
uint64_t training_bytes_on(const struct compute *compute, const struct model_config *config,
    const struct lora *lora, size_t max_rows, uint64_t budget);

// Adds the gradient of Σ weight · loss to `gradients`, a block in the form of lora->parameters or
// parameters->values. Adds to *result. target_losses [target_count] (may be NULL) get each target's
// loss, unweighted.
void training_step(struct training *training, const struct training_batch *batch, float *gradients,
    struct training_result *result, float *target_losses);

// The same without gradients, for validation.
void training_evaluate(struct training *training, const struct training_batch *batch,
    struct training_result *result, float *target_losses);

#endif
