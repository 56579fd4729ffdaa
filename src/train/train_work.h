// How much a run computes, by the trainer's own cut of its batches.
#ifndef TRAIN_TRAIN_WORK_H
#define TRAIN_TRAIN_WORK_H

#include "train/train_memory.h"

// Rows that an epoch of the spec (its first; "auto" chosen) computes of data->training, or, with
// `validation`, that a whole validation computes of data->validation. Of data without anything
// shared these are its tokens but for the last of each example.
bool train_work_count(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data, bool validation, uint64_t *rows,
    struct error *error) WARN_UNUSED;

#endif
