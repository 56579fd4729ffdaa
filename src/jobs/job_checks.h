// Checks of training data before there is a job: each a trainer's process in a directory of its
// own, so that a hostile file never meets the server's memory. A few at a time; others wait their
// turn.
#ifndef JOBS_JOB_CHECKS_H
#define JOBS_JOB_CHECKS_H

#include "jobs/job_directory.h"
#include <jansson.h>

struct job_checks;

// `share`: that of each process. Directories that an earlier server left are removed.
bool job_checks_open(struct job_checks **checks, struct store *store, struct trainer_share share,
    struct error *error) WARN_UNUSED;

// Ends the processes; `done` is called of every check that was taken.
void job_checks_close(struct job_checks *checks); // NULL is allowed

struct job_check {
    const struct job_record *job; // as it would be created: account, model, files, settings
    // Called once, from a thread of the checks. `report` is train/train_check.h's (borrowed), NULL
    // where there is none, and *error says why: ERROR_CANCELLED where nobody waits any more.
    void (*done)(void *context, const json_t *report, const struct error *error);
    void *context;
};

// Queues a check, of which a copy is taken. *ticket, never 0, names it. ERROR_CONFLICT where too
// many wait.
bool job_checks_submit(struct job_checks *checks, const struct job_check *check, uint64_t *ticket,
    struct error *error) WARN_UNUSED;

// Nobody waits for it any more: its process ends, or never begins. `done` is still called.
void job_checks_cancel(struct job_checks *checks, uint64_t ticket);

#endif
