// One chat completion in the making: its choices in the engine, its answer in a stream. It belongs
// to the stream, which outlives every callback of the engine.
#ifndef SERVICE_COMPLETION_H
#define SERVICE_COMPLETION_H

#include "base/error.h"

struct chat_request;
struct engine;
struct reply;

// Hands the request's choices to the engine and leaves the stream of the answer in `reply`; or an
// error. `model_directory` and `adapter_directory` (NULL for none) say where the model lies.
void completion_start(struct engine *engine, const struct chat_request *request,
    const char *model_directory, const char *adapter_directory, struct reply *reply);

#endif
