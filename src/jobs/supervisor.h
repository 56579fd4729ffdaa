// The supervisor: one thread that takes jobs from validating_files to their end. It makes job
// directories, starts and follows trainers (base/job_format.h), finds those of an earlier server
// again, and publishes their adapters.
#ifndef JOBS_SUPERVISOR_H
#define JOBS_SUPERVISOR_H

#include "jobs/job_directory.h"

struct supervisor;

struct supervisor_options {
    struct store *store;  // borrowed
    const char *data;     // the data directory
    const char *launcher; // put before the trainer's command ("srun …"); NULL for none
    struct trainer_share share;
};

// Takes up every job that is not final.
bool supervisor_open(struct supervisor **supervisor, const struct supervisor_options *options,
    struct error *error) WARN_UNUSED;

// Ends the thread; running trainers go on, and the next supervisor adopts them.
void supervisor_close(struct supervisor *supervisor);

// A job was created in the store: look at it now.
void supervisor_wake(struct supervisor *supervisor);

// Cancels the account's job. ERROR_NOT_FOUND; ERROR_CONFLICT where it is final already.
bool supervisor_cancel(struct supervisor *supervisor, const char *account, const char *job,
    struct error *error) WARN_UNUSED;

// Pauses the account's job: its trainer writes a checkpoint and ends within a step, and the machine
// is free for others. A resumed job ends in the same bytes as one that never rested.
// ERROR_NOT_FOUND; ERROR_CONFLICT where its status does not allow it.
bool supervisor_pause(struct supervisor *supervisor, const char *account, const char *job,
    struct error *error) WARN_UNUSED;
bool supervisor_resume(struct supervisor *supervisor, const char *account, const char *job,
    struct error *error) WARN_UNUSED;

#endif
