// One chat completion in the making: its choices in the engine, its answer for a connection
// (completion_start) or for whoever asked without one (completion_run).
#ifndef SERVICE_COMPLETION_H
#define SERVICE_COMPLETION_H

#include "base/error.h"
#include <jansson.h>
#include <stdint.h>

struct chat_request;
struct model_record;
struct plan;
struct reply;
struct service;

// Hands the request's choices to the engine and leaves the stream of the answer in `reply`; or an
// error. `account` is whose it is; `plan` (NULL: no limits) says how long the answer may be.
void completion_start(struct service *service, const struct chat_request *request,
    const char *account, const struct plan *plan, const struct model_record *model,
    struct reply *reply);

// Runs a chat completion without a connection: `body` is that of POST /v1/chat/completions, of
// which nothing is kept, and is checked as such; but it cannot ask for a stream. With `background`
// it uses capacity that no live request wants.
//
// Where this is true, `done` is called exactly once, from any thread, and maybe before this
// returns; it must not block. `status` is the HTTP status and `answer` (json_decref, the callee's)
// the completion or the error object; 0 and NULL: it was cancelled, or the server ends. False (the
// engine is full: ERROR_CONFLICT, ask again later; or memory is short) means that `done` is never
// called. *run names it for completion_cancel; 0 where it has ended already.
bool completion_run(struct service *service, const char *account, const json_t *body,
    bool background, void (*done)(void *context, int status, json_t *answer), void *context,
    uint64_t *run, struct error *error) WARN_UNUSED;

// Ends a run within a token. One that has ended, or never was, is none of a fault.
void completion_cancel(struct service *service, uint64_t run);

#endif
