// Checking the input of a batch, line by line, and noting its requests in the store: some hundred
// lines at a time, so that other batches and other users of the store get their turn.
#ifndef JOBS_BATCH_CHECK_H
#define JOBS_BATCH_CHECK_H

#include "base/error.h"
#include <stdint.h>

struct store;
struct batch_record;
struct batch_check;

// Begins a check; what an earlier one that was broken off left in the store is forgotten first.
// A batch may have `most_requests`, 0 for any number.
bool batch_check_begin(struct batch_check **check, struct store *store, const char *batch,
    int64_t most_requests, struct error *error) WARN_UNUSED;

// Goes on. *finished: the whole input was looked at, and the record's `total` and `model` are set,
// or, where there are faults, `errors`: the API's list of them, the first hundred with their lines.
// After a failure the same may be asked again.
bool batch_check_go_on(struct batch_check *check, struct batch_record *batch, bool *finished,
    struct error *error) WARN_UNUSED;
void batch_check_end(struct batch_check *check);

// The batch that is checked.
const char *batch_check_batch(const struct batch_check *check);

#endif
