// POST /v1/chat/completions.
#include "service/chat_later.h"
#include "service/chat_request.h"
#include "service/completion.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "store/store.h"

// Answers a request that was checked: from the model, or that it comes later.
static void answer(struct service *service, const struct request *request,
    const struct chat_request *chat, const struct chat_later *later, const json_t *body,
    struct reply *reply) {
    struct model_record model;
    struct error error = {0};
    if (model_resolve(service->store, request->account, chat->model, &model, &error)) {
        if (later->wanted)
            chat_later_create(service, request, later, body, chat, reply);
        else
            completion_start(service, chat, request->account, request->plan, &model, reply);
        model_record_free(&model);
    } else if (error.code == ERROR_NOT_FOUND) {
        reply_no_model(reply, chat->model);
    } else {
        reply_failure(reply, "looking the model up", &error);
    }
}

void chat_create(struct service *service, struct request *request, struct reply *reply) {
    struct chat_request chat;
    struct chat_later later;
    json_t *body = request_json(request, reply);
    if (!body) return;
    if (chat_later_read(&later, body, reply)) {
        if (chat_request_read(&chat, body, reply)) {
            answer(service, request, &chat, &later, body, reply);
            chat_request_free(&chat);
        }
        chat_later_free(&later);
    }
    json_decref(body);
}
