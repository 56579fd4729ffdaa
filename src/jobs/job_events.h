// From a trainer's events.jsonl to the store: what the API shows of a job. The new lines of a file
// and the place up to which it was read are stored together, so that no event is lost or told
// twice.
#ifndef JOBS_JOB_EVENTS_H
#define JOBS_JOB_EVENTS_H

#include "store/store.h"

// Takes over what is new in the job's events.jsonl, into the store and into *job.
bool job_events_follow(
    struct store *store, struct job_record *job, struct error *error) WARN_UNUSED;

// Adds a message to the job's events. A failure is logged: the job does not depend on it.
void job_events_tell(struct store *store, const struct job_record *job, const char *level,
    const char *format, ...) PRINTF_LIKE(4, 5);

// Ends a job that has no trainer to end it.
bool job_events_fail(struct store *store, struct job_record *job, const char *code,
    const char *message, const char *param, struct error *error) WARN_UNUSED;

// From validating, queued or running to paused, and back. ERROR_CONFLICT from any other.
bool job_events_pause(struct store *store, struct job_record *job, struct error *error) WARN_UNUSED;
bool job_events_resume(
    struct store *store, struct job_record *job, struct error *error) WARN_UNUSED;

bool job_events_cancel(
    struct store *store, struct job_record *job, struct error *error) WARN_UNUSED;

#endif
