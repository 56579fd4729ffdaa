// The table of routes: the whole API at a glance.
#include "service/request.h"
#include "service/resources.h"
#include "service/route.h"

enum {
    FILE_MAXIMUM = 100 << 20, // bytes of a file uploaded in one piece
    SMALL_JSON = 1 << 20,
};

static const struct route routes[] = {
    {"GET", "/", home_get, .open = true},
    {"GET", "/health", health_get, .open = true},

    {"POST", "/v1/files", files_create, .body = ROUTE_BODY_FORM, .body_maximum = FILE_MAXIMUM},
    {"GET", "/v1/files", files_list},
    {"GET", "/v1/files/{}", files_retrieve},
    {"DELETE", "/v1/files/{}", files_delete},
    {"GET", "/v1/files/{}/content", files_content},

    {"POST", "/v1/fine_tuning/jobs", jobs_create, .body = ROUTE_BODY_JSON,
        .body_maximum = SMALL_JSON},
    {"GET", "/v1/fine_tuning/jobs", jobs_list},
    {"GET", "/v1/fine_tuning/jobs/{}", jobs_retrieve},
    {"POST", "/v1/fine_tuning/jobs/{}/cancel", jobs_cancel},
    {"GET", "/v1/fine_tuning/jobs/{}/events", jobs_events},
    {"GET", "/v1/fine_tuning/jobs/{}/checkpoints", jobs_checkpoints},

    {"GET", "/v1/models", models_list},
    {"GET", "/v1/models/{*}", models_retrieve},
    {"DELETE", "/v1/models/{*}", models_delete},

    {"POST", "/v1/chat/completions", chat_create, .body = ROUTE_BODY_JSON,
        .body_maximum = REQUEST_JSON_MAXIMUM},
};

const struct route *route_table(size_t *count) {
    *count = sizeof routes / sizeof routes[0];
    return routes;
}
