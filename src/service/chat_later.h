// Asynchronous chat, as kluster.ai has it: a request with metadata["@kluster.ai"] is acknowledged
// at once, and becomes a batch of one, which is answered when there is time.
#ifndef SERVICE_CHAT_LATER_H
#define SERVICE_CHAT_LATER_H

#include "base/error.h"
#include <jansson.h>

struct chat_request;
struct reply;
struct request;
struct service;

struct chat_later {
    bool wanted;
    json_t *wish; // the object "@kluster.ai"; NULL if there is none
};

// Takes the wish out of the body of POST /v1/chat/completions, which is a plain request from then
// on. False with the reply made where the wish is none.
bool chat_later_read(struct chat_later *later, json_t *body, struct reply *reply) WARN_UNUSED;
void chat_later_free(struct chat_later *later);

// Makes the batch of a request that was checked and whose model is there, and answers.
void chat_later_create(struct service *service, const struct request *request,
    const struct chat_later *later, const json_t *body, const struct chat_request *chat,
    struct reply *reply);

#endif
