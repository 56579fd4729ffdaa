// A job's metrics as curves: a column for each quantity, thinned to as many points as are wanted.
#ifndef SERVICE_JOB_CURVES_H
#define SERVICE_JOB_CURVES_H

#include "store/store.h"
#include <jansson.h>

enum { JOB_CURVES_POINTS = 5000 }; // at most

// {"object": "fine_tuning.job.metrics", …} of metrics events, oldest first. Neighbouring steps
// share a point: of losses, accuracies and speeds it has the mean, of the rest the last. What was
// not measured is null. NULL where memory is short.
json_t *job_curves(
    const char *job, const struct event_record *events, size_t count, size_t most_points);

#endif
