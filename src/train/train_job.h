// A job directory from its spec to its result: lock, validation, training, events, and how the
// process ends. base/job_format.h is the contract; this is the trainer's end of it.
#ifndef TRAIN_TRAIN_JOB_H
#define TRAIN_TRAIN_JOB_H

#include "base/job_format.h"
#include "train/trainer.h"

struct train_job_options {
    bool validate_only;
    bool report_only; // write the report (train_check.h), and nothing else
    bool quiet;       // no progress on standard error
};

// Runs the job and returns how the process is to end. What went wrong is in events.jsonl, and in
// *error for who started it by hand. SIGTERM and SIGINT end it with a checkpoint.
enum job_exit train_job_run(
    const char *directory, const struct train_job_options *options, struct error *error);

// Writes spec.json into a directory (made if need be) for a run by hand. A spec that is already
// there must be the same: then the run goes on.
bool train_job_create(
    const char *directory, const struct train_spec *spec, struct error *error) WARN_UNUSED;

#endif
