// What train_job.c and train_check.c share of a job directory.
#ifndef TRAIN_TRAIN_JOB_INTERNAL_H
#define TRAIN_TRAIN_JOB_INTERNAL_H

#include "train/train_spec.h"

// Reads the directory's spec.json into `spec`, initialised.
bool train_job_read_spec(
    const char *directory, struct train_spec *spec, struct error *error) WARN_UNUSED;

// A run that goes on from an adapter takes its shape. ERROR_INVALID where another rank is asked
// for.
bool train_job_take_adapter(struct train_spec *spec, struct error *error) WARN_UNUSED;

#endif
