// The batch runner: one thread that takes batches from validating to their end. It checks their
// input, keeps some of their requests running, writes results, and ends batches whose time is over
// or whose owner wishes so. What a batch needs next is read off the store: nothing that a restart
// could lose.
//
// It knows neither service nor generate: how a request is run it is told when it is opened.
#ifndef JOBS_BATCH_RUNNER_H
#define JOBS_BATCH_RUNNER_H

#include "base/error.h"
#include <jansson.h>
#include <stdint.h>

struct store;
struct batch_runner;

struct batch_runner_options {
    struct store *store; // borrowed
    void *context;       // of the functions

    // Begins a request in the background. True: `done` will be called once, from any thread,
    // with the HTTP status and the answer (json_decref), or with 0 and NULL where it was cancelled.
    // False: it never will; ERROR_CONFLICT says to ask again later.
    bool (*run)(void *context, const char *account, const json_t *body,
        void (*done)(void *done_context, int status, json_t *answer), void *done_context,
        uint64_t *run, struct error *error);
    void (*cancel)(void *context, uint64_t run);

    // How many requests a batch of the account may have; 0 for any number. NULL: any.
    int64_t (*most_requests)(void *context, const char *account);
};

// Takes up every batch that is not final.
bool batch_runner_open(struct batch_runner **runner, const struct batch_runner_options *options,
    struct error *error) WARN_UNUSED;

// Cancels what runs, waits for its end, and ends the thread; the next runner goes on.
void batch_runner_close(struct batch_runner *runner);

// A batch was created, or is to be cancelled: look now.
void batch_runner_wake(struct batch_runner *runner);

#endif
