// The states of a job, and which may follow which: the one table of it.
#ifndef JOBS_JOB_STATE_H
#define JOBS_JOB_STATE_H

#include <stdbool.h>

// False also where either is no state.
bool job_state_may_follow(const char *from, const char *to);

#endif
