// Checking the input of a batch, line by line, and noting its requests in the store.
#ifndef JOBS_BATCH_CHECK_H
#define JOBS_BATCH_CHECK_H

#include "base/error.h"
#include <stdint.h>

struct store;
struct batch_record;

// Checks the whole input. `go_on` is asked every few hundred lines; false ends the check, with
// *finished false and nothing decided. Else the batch's `total` and `model` are set, or, where
// there are faults, `errors`: the API's list of them, the first hundred with their lines.
bool batch_check(struct store *store, struct batch_record *batch, int64_t most_requests,
    bool (*go_on)(void *context), void *context, bool *finished, struct error *error) WARN_UNUSED;

#endif
