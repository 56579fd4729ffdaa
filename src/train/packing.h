// Which examples make up an optimizer batch, and how its tokens are cut into micro-batches: as a
// tree, in which what examples begin with alike stands once.
#ifndef TRAIN_PACKING_H
#define TRAIN_PACKING_H

#include "model/transformer_training.h"
#include "train/dataset.h"

// The order of examples in one epoch and the batches cut from it: a function of the dataset, the
// seed and the epoch alone.
struct epoch_plan {
    size_t batch_count;
    uint32_t *order;      // [examples]
    size_t *batch_starts; // [batch_count + 1], indices into `order`
};

struct epoch_rules {
    size_t batch_size; // examples a batch; 0: as many as make `tokens_per_batch` tokens
    size_t tokens_per_batch;
    bool keep_order; // as in the file
    uint64_t seed;
};

bool epoch_plan_make(struct epoch_plan *plan, const struct dataset *dataset,
    const struct epoch_rules *rules, uint64_t epoch, struct error *error) WARN_UNUSED;
void epoch_plan_free(struct epoch_plan *plan);

// The most examples that a batch can have.
size_t epoch_most_examples(const struct epoch_rules *rules, const struct dataset *dataset);

// Makes micro-batches of up to max_rows tokens of an optimizer batch's examples. An example of n
// tokens has n - 1 rows: each predicts the token behind it. With `shared`, rows that examples begin
// with alike are computed once, with the loss weights of all of them; without, examples stand in
// the order given. What comes out is a function of the data, the order, max_rows and `shared`.
//
// Arrays belong to the packer; it borrows the dataset from packer_begin() on.
struct packer {
    size_t max_rows;
    bool shared;
    int32_t *tokens;                     // [max_rows]
    struct training_sequence *sequences; // [max_rows]
    struct training_target *targets;     // [2 · max_rows]
    // of the optimizer batch
    const struct dataset *dataset;
    double total_weight;
    size_t count, at; // its examples, but for those without rows; those before `at` are done
    uint32_t *order;  // [max_examples]: with `shared`, sorted by their rows
    uint32_t *parts;  // [max_examples]: the first row in which one differs from the one before
    // of the micro-batch
    bool counting; // rows alone
    size_t rows, sequence_count, target_count;
};

// max_rows: no example of any batch may have more. max_examples: of a batch.
bool packer_create(struct packer *packer, size_t max_rows, size_t max_examples, bool shared,
    struct error *error) WARN_UNUSED;
void packer_free(struct packer *packer);

// Sum of the loss weights of some examples: what the batch's loss is divided by.
double packing_weight(const struct dataset *dataset, const uint32_t *order, size_t count);

// Begins an optimizer batch of the examples in `order`. Weights are divided by `total_weight`.
void packer_begin(struct packer *packer, const struct dataset *dataset, const uint32_t *order,
    size_t count, double total_weight);

// Its next micro-batch, good until the one after it. False: there is no more.
bool packer_next(struct packer *packer, struct training_batch *batch);

// Rows that an epoch (the first) computes, by the same cut. False where memory is short.
bool packing_count(const struct dataset *dataset, const struct epoch_rules *rules, size_t max_rows,
    bool shared, uint64_t *rows, struct error *error) WARN_UNUSED;

#endif
