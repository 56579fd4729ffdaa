// A request as the handlers see it, free of the HTTP library, so that tests can make one by hand.
#ifndef SERVICE_REQUEST_H
#define SERVICE_REQUEST_H

#include "base/buffer.h"
#include "base/error.h"
#include "service/route.h"
#include <jansson.h>
#include <stdint.h>

struct plan;
struct reply;
struct upload_form;

enum {
    REQUEST_ID_SIZE = 40,
    REQUEST_QUERY_MAXIMUM = 32,
    REQUEST_JSON_MAXIMUM = 8 << 20, // bytes of a JSON body
};

struct request_pair {
    char *name, *value; // decoded, owned
};

struct request {
    char id[REQUEST_ID_SIZE]; // "req_…", also the header x-request-id
    double started;           // monotonic seconds
    char *method, *path;      // as the client wrote them
    char *authorization;      // headers, NULL if absent
    char *content_type;
    char *range;
    char *accept_encoding;
    char *if_none_match;
    char *cookie;
    char *host;
    char *origin;     // of the page that asks, where a browser says so
    char *fetch_site; // Sec-Fetch-Site: how that page stands to this server
    struct request_pair query[REQUEST_QUERY_MAXIMUM];
    size_t query_count;
    struct route_match match;
    bool local;               // from this machine, and not on behalf of another
    char *account;            // id of the key's owner; NULL on open routes
    const struct plan *plan;  // of the account; NULL on open routes
    bool counted;             // among the account's requests at work
    struct buffer body;       // of ROUTE_BODY_JSON
    struct upload_form *form; // of ROUTE_BODY_FORM
};

// The path's parameter that hole `index` of its pattern took.
const char *request_parameter(const struct request *request, size_t index);

// The query's value of that name, NULL if absent.
const char *request_query(const struct request *request, const char *name);

// Adds a pair of the query, percent signs still in it. False if malformed, too many, or short of
// memory.
bool request_add_query(struct request *request, const char *name, const char *value);

void request_init(struct request *request);
void request_free(struct request *request);

// The body as a JSON object (json_decref). On failure the reply says why and NULL comes back.
json_t *request_json(const struct request *request, struct reply *reply);

#endif
