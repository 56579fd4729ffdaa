// The training loop. Everything that it decides comes from the spec, the data and the model; it
// starts from the newest checkpoint of its job directory where there is one, and ends in the same
// bytes however often it was stopped in between, with any number of threads.
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "train/dataset.h"
#include "train/train_events.h"
#include "train/train_spec.h"

enum trainer_outcome {
    TRAINER_FAILED,
    TRAINER_FINISHED,
    TRAINER_CANCELLED,
    TRAINER_INTERRUPTED, // stopped with a checkpoint, to go on later
};

enum trainer_stop { TRAINER_GO_ON, TRAINER_CANCEL, TRAINER_INTERRUPT };

// Asked between micro-batches, and told of each step. Either may be NULL.
struct trainer_watcher {
    enum trainer_stop (*stop)(void *context);
    void (*metrics)(void *context, const struct train_metrics *metrics);
    void *context;
};

struct trainer_data {
    const struct dataset *training;
    const struct dataset *validation; // or NULL
};

// Runs the job of `spec`, whose "auto" values have been chosen, in `job_directory`. The result is
// left in job_directory/adapter (or, with full_parameters, job_directory/model).
enum trainer_outcome trainer_run(const struct train_spec *spec, const struct trainer_data *data,
    const char *job_directory, struct train_events *events, const struct trainer_watcher *watcher,
    struct error *error);

// Updates that a run of this spec makes over this data. 0 if memory is short.
uint64_t trainer_total_steps(const struct train_spec *spec, const struct dataset *dataset);

#endif
