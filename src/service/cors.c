#include "service/cors.h"
#include <string.h>
#include <strings.h>

enum { HEADERS_MAXIMUM = 1024 };

static const char *header(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool is_listed(const char *origins, const char *origin) {
    size_t length = strlen(origin);
    for (const char *at = origins; *at; at += *at == ',') {
        at += strspn(at, " ");
        size_t size = strcspn(at, ", ");
        if (size == length && strncasecmp(at, origin, size) == 0) return true;
        at += size + strspn(at + size, " ");
    }
    return false;
}

// The origin to name in the answer, NULL where it may not ask.
static const char *allowed_origin(const char *origins, struct MHD_Connection *connection) {
    const char *origin = origins ? header(connection, MHD_HTTP_HEADER_ORIGIN) : NULL;
    if (!origin || !*origin) return NULL;
    if (strcmp(origins, "*") == 0) return "*";
    return is_listed(origins, origin) ? origin : NULL;
}

bool cors_is_preflight(const char *origins, struct MHD_Connection *connection, const char *method) {
    return strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0 && allowed_origin(origins, connection) &&
           header(connection, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD);
}

// A list of names of headers, and nothing else.
static bool is_list_of_names(const char *text) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_, ";
    return text && strlen(text) <= HEADERS_MAXIMUM && text[strspn(text, letters)] == '\0';
}

void cors_add_headers(const char *origins, struct MHD_Connection *connection, bool preflight,
    struct MHD_Response *response) {
    const char *origin = allowed_origin(origins, connection);
    if (origins) MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Origin");
    if (!origin) return;
    MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if (!preflight) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_EXPOSE_HEADERS,
            "x-request-id, openai-processing-ms, retry-after, x-should-retry, "
            "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
            "x-ratelimit-reset-requests");
        return;
    }
    const char *wanted = header(connection, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS);
    MHD_add_response_header(
        response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, DELETE");
    MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
        is_list_of_names(wanted) ? wanted : "authorization, content-type");
    MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, "600");
}
