// Which examples make up an optimizer batch, and how its tokens are cut into micro-batches.
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

// A batch's examples packed one behind another, up to max_rows tokens at a time. Arrays belong to
// the packer, and a micro-batch is good until the next.
struct packer {
    size_t max_rows;
    int32_t *tokens;
    struct training_target *targets;
    struct training_sequence *sequences;
};

bool packer_create(struct packer *packer, size_t max_rows, struct error *error) WARN_UNUSED;
void packer_free(struct packer *packer);

// Sum of the loss weights of some examples: what the batch's loss is divided by.
double packing_weight(const struct dataset *dataset, const uint32_t *order, size_t count);

// Packs examples from `order` until they are `count` or the next does not fit; returns how many.
// Weights are divided by `total_weight`. A token's row predicts the token behind it, so that an
// example of n tokens takes n - 1 rows.
size_t packer_fill(struct packer *packer, const struct dataset *dataset, const uint32_t *order,
    size_t count, double total_weight, struct training_batch *batch);

#endif
