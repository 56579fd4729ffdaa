// The engine: all that `service` sees of a model. Requests go in, text comes out through callbacks;
// which requests share a pass through which weights is the engine's own affair.
//
// Callbacks come from the engine's threads, never from inside a call of this header, and none comes
// after `finished`. They must not block. Any function may be called from any thread.
#ifndef GENERATE_ENGINE_H
#define GENERATE_ENGINE_H

#include "base/error.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

struct engine_options {
    int threads;               // 0 for all cores
    const char *chat_template; // a file in place of every model's own template, or NULL; borrowed
};

bool engine_open(
    struct engine **engine, const struct engine_options *options, struct error *error) WARN_UNUSED;

// Cancels what still runs, and waits for its callbacks.
void engine_close(struct engine *engine);

enum engine_reason {
    ENGINE_STOP,   // the model ended its turn, or a stop text came
    ENGINE_LENGTH, // the most tokens were reached, or the context was full
    ENGINE_CANCELLED,
    ENGINE_FAILED, // `error` says why; ERROR_INVALID: the prompt does not fit the context
};

struct engine_result {
    enum engine_reason reason;
    bool too_long; // why it failed: the prompt does not fit the context
    int64_t prompt_tokens, completion_tokens;
    struct error error;
};

struct engine_request {
    const char *model;      // directory of the base model
    const char *adapter;    // directory of the adapter, NULL for none
    const json_t *messages; // [{"role", "content"}], checked
    const json_t *tools;    // that the model is told of, or NULL
    double temperature, top_p;
    long maximum_tokens; // 0: as many as the context holds
    bool has_seed;
    uint64_t seed;
    const char *const *stops;
    size_t stop_count;
    bool background; // waits while any other request is there, and never delays one
    uint64_t joins;  // the ticket of an earlier request, to be cancelled together; 0: its own
    void *context;   // of the callbacks
    // A piece of the answer: whole UTF-8 characters only; what may become a stop text is held back.
    void (*piece)(void *context, const char *text, size_t length);
    void (*finished)(void *context, const struct engine_result *result);
};

// Queues a request, of which a copy is taken. *ticket, never 0, names it for engine_cancel.
bool engine_submit(struct engine *engine, const struct engine_request *request, uint64_t *ticket,
    struct error *error) WARN_UNUSED;

// What the engine has to do, and has done since it was opened.
struct engine_load {
    size_t running, waiting; // requests that someone waits for
    size_t background_running, background_waiting;
    uint64_t prompt_tokens, completion_tokens; // of requests that have ended
};

void engine_measure(struct engine *engine, struct engine_load *load);

// Ends a request within a token. One that has ended, or never was, is none of a fault.
void engine_cancel(struct engine *engine, uint64_t ticket);

#endif
