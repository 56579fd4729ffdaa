// What a job gives to its account: checkpoints and the fine-tuned model, as models, and the table
// of metrics, as a file. Each can be done again after a crash without harm.
#ifndef JOBS_JOB_PUBLISH_H
#define JOBS_JOB_PUBLISH_H

#include "store/store.h"
#include <jansson.h>

// "ft:<owner>:<model>:<account>[:<suffix>]:<8 hex digits>" (memory_free): a function of the job.
bool job_publish_name(
    const struct job_record *job, const char *base, char **name, struct error *error) WARN_UNUSED;

// Keeps a checkpoint's adapter and adds it as a model: *name (memory_free) is its name, NULL where
// it is there already, or its files are gone.
bool job_publish_checkpoint(struct store *store, const struct job_record *job, const json_t *event,
    char **name, struct error *error) WARN_UNUSED;

// Moves the adapter, adds the model, and writes step_metrics.csv: fills in fine_tuned_model and
// result_files of the job.
bool job_publish_result(
    struct store *store, struct job_record *job, struct error *error) WARN_UNUSED;

#endif
