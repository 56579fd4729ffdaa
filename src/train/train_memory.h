// What memory a run takes, told before it starts.
//
// Base weights are mapped from their files, so that they need not be in memory all at once; what
// must be is the activations of a micro-batch, and what is trained, its gradient and the
// optimizer's two moments.
#ifndef TRAIN_TRAIN_MEMORY_H
#define TRAIN_TRAIN_MEMORY_H

#include "model/transformer_training.h"
#include "train/train_spec.h"
#include "train/trainer.h"

// Rows of a micro-batch: decided by model and data alone, so that every machine cuts batches alike,
// with any budget: as many as make it faster and keep the least that activations take within
// TRAIN_MEMORY_ROWS_BYTES, but no fewer than the longest example has. `lora` is NULL where all
// weights are trained.
#define TRAIN_MEMORY_ROWS_BYTES ((uint64_t)2 << 30)
size_t train_memory_rows(
    const struct model_config *config, const struct lora *lora, const struct trainer_data *data);

size_t train_memory_rows_of(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data);

// Of the base model's weights, the bytes that are to stay in memory while it is trained.
uint64_t train_memory_weights(const struct transformer *transformer);

// Bytes for activations (training_create's budget) of a run that may take `allowed` bytes beside
// the base model's weights, or, where that is 0, what the machine can spare now, with `weights`
// bytes of the base model in memory. It decides how much is kept and how much computed
// again: of speed, and of no bit of the result.
uint64_t train_memory_budget(uint64_t allowed, uint64_t weights, uint64_t trained);

// Refuses a run that takes more than `room` bytes, or than the `allowed` (0: any), however much it
// computes again, saying what it needs, what there is, and what would fit. `trained` counts the
// floats that are trained.
bool train_memory_check(const struct model_config *config, const struct lora *lora,
    uint64_t trained, const struct trainer_data *data, uint64_t room, uint64_t allowed,
    struct error *error) WARN_UNUSED;

// How many floats a run trains.
uint64_t train_memory_trained(const struct train_spec *spec, const struct model_config *config);

// The bytes that a run takes beside the base model's weights.
uint64_t train_memory_needed(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data);

// The same from the spec alone, against all the memory that the machine has: a job that can never
// fit is refused before it waits for its turn.
bool train_memory_check_spec(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data, struct error *error) WARN_UNUSED;

#endif
