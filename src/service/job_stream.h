// Events of jobs as they come: one thread looks into the store for all clients that wait, a few
// times a second, and sends what is new as server-sent events, each once, until the job has ended.
#ifndef SERVICE_JOB_STREAM_H
#define SERVICE_JOB_STREAM_H

#include "base/error.h"
#include <stdatomic.h>

struct job_streams;
struct reply;
struct store;

// `draining`: the server is about to end, and clients are to ask another one. Borrowed.
bool job_streams_open(struct job_streams **streams, struct store *store,
    const atomic_bool *draining, struct error *error) WARN_UNUSED;
void job_streams_close(struct job_streams *streams);

// Answers with the job's events, oldest first, from behind the event `after` (NULL: from the
// first).
void job_streams_follow(struct job_streams *streams, const char *account, const char *job,
    const char *after, struct reply *reply);

#endif
