// The bodies of requests: any bytes must give a request or an error reply with a status below 500,
// and the content type of a form any text.
#include "service/chat_request.h"
#include "service/job_request.h"
#include "service/reply.h"
#include "service/request.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_answer(bool good, const struct reply *reply) {
    if (good ? reply->status != 0 : reply->status < 400 || reply->status >= 500) abort();
}

static void read_both(const json_t *body) {
    struct chat_request chat;
    struct job_request job;
    struct reply reply;
    reply_init(&reply);
    bool good = chat_request_read(&chat, body, &reply);
    expect_answer(good, &reply);
    if (good) chat_request_free(&chat);
    reply_free(&reply);
    good = job_request_read(&job, body, &reply);
    expect_answer(good, &reply);
    if (good) job_request_free(&job);
    reply_free(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct request request;
    struct reply reply;
    request_init(&request);
    reply_init(&reply);
    buffer_append(&request.body, data, size);
    json_t *body = request_json(&request, &reply);
    expect_answer(body != NULL, &reply);
    if (body) read_both(body);
    json_decref(body);
    reply_free(&reply);
    request_free(&request);
    return 0;
}
