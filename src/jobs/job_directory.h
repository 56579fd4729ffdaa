// The supervisor's end of a job directory (base/job_format.h): making it, and asking about it.
#ifndef JOBS_JOB_DIRECTORY_H
#define JOBS_JOB_DIRECTORY_H

#include "store/store.h"
#include <sys/types.h>

// <data>/jobs/<id> into `path`, of FILE_PATH_SIZE bytes.
bool job_directory_path(
    struct store *store, const char *job, char *path, struct error *error) WARN_UNUSED;

// What a server gives each of its trainers.
struct trainer_share {
    int threads;     // 0 for all cores
    uint64_t memory; // bytes, beside the base model's weights; 0: what the machine can spare
};

// Makes the directory with its spec.json and its own links to the training data, unless that was
// done before. Where a file or the model is no longer there, *param is the job's field that named
// it; else it is left alone.
bool job_directory_prepare(struct store *store, const struct job_record *job,
    struct trainer_share share, const char **param, struct error *error) WARN_UNUSED;

// The id of the model that the job's model goes back to (memory_free), as it was when the directory
// was made: models may be deleted since.
bool job_directory_base(
    struct store *store, const char *job, char **base, struct error *error) WARN_UNUSED;

// Whether a trainer lives there, whoever started it.
bool job_directory_is_held(const char *path);

// Asks the trainer to end.
// Asks the trainer to rest, or takes that back.
bool job_directory_pause(const char *path, struct error *error) WARN_UNUSED;
bool job_directory_resume(const char *path, struct error *error) WARN_UNUSED;

bool job_directory_cancel(const char *path, struct error *error) WARN_UNUSED;

// Removes what a job that has ended needs no longer: checkpoints and links to data.
void job_directory_tidy(const char *path);

#endif
