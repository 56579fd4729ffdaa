// Reading what a request carries: query, page, JSON body.
#include "service/request.h"
#include "base/memory.h"
#include "service/reply.h"
#include "service/upload_form.h"
#include <string.h>

void request_init(struct request *request) {
    *request = (struct request){0};
    buffer_init(&request->body, REQUEST_JSON_MAXIMUM);
}

void request_free(struct request *request) {
    for (size_t i = 0; i < request->query_count; i++) {
        memory_free(request->query[i].name);
        memory_free(request->query[i].value);
    }
    memory_free(request->method);
    memory_free(request->path);
    memory_free(request->authorization);
    memory_free(request->content_type);
    memory_free(request->range);
    memory_free(request->accept_encoding);
    memory_free(request->if_none_match);
    memory_free(request->cookie);
    memory_free(request->host);
    memory_free(request->origin);
    memory_free(request->fetch_site);
    memory_free(request->account);
    route_match_free(&request->match);
    buffer_free(&request->body);
    upload_form_free(request->form);
    request_init(request);
}

const char *request_parameter(const struct request *request, size_t index) {
    return request->match.parameters[index];
}

const char *request_query(const struct request *request, const char *name) {
    for (size_t i = 0; i < request->query_count; i++)
        if (strcmp(request->query[i].name, name) == 0) return request->query[i].value;
    return NULL;
}

static char *decoded_copy(const char *text) {
    size_t length = strlen(text);
    char *copy = memory_alloc(length + 1);
    if (copy && route_decode(text, length, copy)) return copy;
    memory_free(copy);
    return NULL;
}

bool request_add_query(struct request *request, const char *name, const char *value) {
    if (request->query_count == REQUEST_QUERY_MAXIMUM) return false;
    struct request_pair pair = {decoded_copy(name), decoded_copy(value ? value : "")};
    if (!pair.name || !pair.value) {
        memory_free(pair.name);
        memory_free(pair.value);
        return false;
    }
    request->query[request->query_count++] = pair;
    return true;
}

json_t *request_json(const struct request *request, struct reply *reply) {
    json_error_t fault;
    json_t *body = json_loadb(
        buffer_text(&request->body), request->body.length, JSON_REJECT_DUPLICATES, &fault);
    if (!body) {
        reply_error(reply, 400, NULL, NULL,
            "We could not parse the JSON body of your request: %s (line %d, column %d). Send one "
            "JSON "
            "object with Content-Type: application/json.",
            request->body.length ? fault.text : "it is empty", fault.line, fault.column);
        return NULL;
    }
    if (json_is_object(body)) return body;
    json_decref(body);
    reply_error(reply, 400, "invalid_type", NULL,
        "The JSON body of your request must be an object, but is something else.");
    return NULL;
}
