// The body of POST /v1/chat/completions, checked and made plain: what the engine needs, and what
// shapes the answer. What this server does not do is refused by name, never left aside.
#ifndef SERVICE_CHAT_REQUEST_H
#define SERVICE_CHAT_REQUEST_H

#include "base/error.h"
#include "generate/engine.h"
#include <jansson.h>
#include <stdint.h>

struct reply;

enum { CHAT_STOPS_MAXIMUM = 4 };

struct chat_request {
    const char *model; // as the client called it; borrowed from the body
    json_t *messages;  // [{"role", "content": text}]; owned
    double temperature, top_p;
    double frequency_penalty, presence_penalty;
    struct engine_bias *biases; // logit_bias; owned
    size_t bias_count;
    bool logprobs;
    int top_logprobs;
    long maximum_tokens; // 0: as many as the context holds
    int choices;         // n
    bool has_seed;
    uint64_t seed;
    const char *stops[CHAT_STOPS_MAXIMUM]; // borrowed
    size_t stop_count;
    bool stream, include_usage;
};

// Reads `body`, which must outlive the request. On failure the reply is made.
bool chat_request_read(
    struct chat_request *request, const json_t *body, struct reply *reply) WARN_UNUSED;
void chat_request_free(struct chat_request *request);

#endif
