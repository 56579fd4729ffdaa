// What anyone may ask without a key: whether the server lives, whether it can take requests, and
// what it can do.
#include "base/log.h"
#include "service/openapi_document.h"
#include "service/reply.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "store/store_health.h"

static const struct field health_fields[] = {SHAPE_TEXT("status"), SHAPE_TEXT("version")};
const struct shape health_shape = SHAPE("Health", health_fields);

void health_get(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    (void)request;
    reply_json(reply, 200, json_pack("{s:s, s:s}", "status", "ok", "version", TEMPER_VERSION));
}

void healthz_get(struct service *service, struct request *request, struct reply *reply) {
    health_get(service, request, reply);
}

void readyz_get(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    (void)request;
    if (atomic_load(&service->draining)) {
        reply_error(reply, 503, "draining", NULL, "The server is about to end.");
        return;
    }
    if (!store_check(service->store, &error)) {
        log_error("not ready: %s", error.message);
        reply_error(reply, 503, "store_failed", NULL,
            "The server's store does not work. Its log, at this request's id, says more.");
        return;
    }
    reply_json(reply, 200, json_pack("{s:s, s:s}", "status", "ready", "version", TEMPER_VERSION));
}

static const char page[] =
    "<!doctype html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"><title>temper</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 "
    "1rem}"
    "pre{background:#f4f4f4;padding:1rem;overflow:auto}</style></head><body>\n"
    "<h1>temper " TEMPER_VERSION "</h1>\n"
    "<p>This is a fine-tuning server. Upload a JSONL file of chats, create a job, and chat with "
    "the model "
    "that it makes: with any client of OpenAI's API, whose <code>base_url</code> is this server's "
    "address with <code>/v1</code> behind it.</p>\n"
    "<pre>from openai import OpenAI\n"
    "client = OpenAI(base_url=\"http://THIS-ADDRESS/v1\", api_key=\"sk-temper-…\")\n"
    "file = client.files.create(file=open(\"chats.jsonl\", \"rb\"), purpose=\"fine-tune\")\n"
    "job = client.fine_tuning.jobs.create(training_file=file.id, "
    "model=\"temper/mini-instruct\")</pre>\n"
    "<p>Keys are made on the server's machine: <code>temper keys create</code>.</p>\n"
    "</body></html>\n";

void openapi_get(struct service *service, struct request *request, struct reply *reply) {
    size_t count;
    (void)service;
    (void)request;
    const struct route *routes = route_table(&count);
    reply_json(reply, 200, openapi_document(routes, count));
}

void home_get(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    (void)request;
    reply_text(reply, 200, "text/html; charset=utf-8", page);
}
