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

void openapi_get(struct service *service, struct request *request, struct reply *reply) {
    size_t count;
    (void)service;
    (void)request;
    const struct route *routes = route_table(&count);
    reply_json(reply, 200, openapi_document(routes, count));
}
