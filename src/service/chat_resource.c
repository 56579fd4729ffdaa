// POST /v1/chat/completions.
#include "service/chat_request.h"
#include "service/completion.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "store/store.h"

void chat_create(struct service *service, struct request *request, struct reply *reply) {
    struct chat_request chat;
    struct model_record model;
    struct error error = {0};
    json_t *body = request_json(request, reply);
    if (!body) return;
    if (!chat_request_read(&chat, body, reply)) {
        json_decref(body);
        return;
    }
    if (model_resolve(service->store, request->account, chat.model, &model, &error)) {
        completion_start(service, &chat, model.directory, model.adapter, reply);
        model_record_free(&model);
    } else if (error.code == ERROR_NOT_FOUND) {
        reply_no_model(reply, chat.model);
    } else {
        reply_failure(reply, "looking the model up", &error);
    }
    chat_request_free(&chat);
    json_decref(body);
}
