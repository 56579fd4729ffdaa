// The results of a batch: lines of two files, output.jsonl and error.jsonl, that grow while it
// runs, and its end. store_batches.h says how they survive a crash.
#ifndef JOBS_BATCH_RESULTS_H
#define JOBS_BATCH_RESULTS_H

#include "base/error.h"
#include <jansson.h>
#include <stdint.h>

struct store;
struct batch_record;

// An answered request.
struct batch_result {
    int64_t line;
    const char *custom_id;
    int status;           // HTTP
    const json_t *answer; // the body of the answer
};

// Writes results of one batch, and counts them in the record and in the store, all or none.
bool batch_results_add(struct store *store, struct batch_record *batch,
    const struct batch_result *results, size_t count, struct error *error) WARN_UNUSED;

// Makes a line of error.jsonl for some of the requests that were never run; *left says whether
// there may be more.
bool batch_results_give_up(struct store *store, struct batch_record *batch, const char *code,
    const char *message, bool *left, struct error *error) WARN_UNUSED;

// Makes the results files of the account, and the batch final with that status and the moment in
// its column, in one transaction.
bool batch_results_finish(struct store *store, struct batch_record *batch, const char *status,
    struct error *error) WARN_UNUSED;

#endif
