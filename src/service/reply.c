// Making replies: JSON, errors, lists.
#include "service/reply.h"
#include "base/known_models.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/stream.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char no_memory[] =
    "{\"error\": {\"message\": \"The server is short of memory; try again "
    "later.\", \"type\": \"server_error\", \"param\": null, "
    "\"code\": null}}\n";

void reply_init(struct reply *reply) {
    *reply = (struct reply){.file = -1, .content_type = "application/json"};
}

void reply_free(struct reply *reply) {
    memory_free(reply->body);
    memory_free(reply->file_name);
    if (reply->file >= 0) close(reply->file);
    stream_release(reply->stream);
    reply_init(reply);
}

// Forgets an earlier answer, but not its headers: an error found late replaces what stood there.
static void restart(struct reply *reply, int status) {
    struct reply_header headers[REPLY_HEADERS];
    size_t count = reply->header_count;
    memcpy(headers, reply->headers, count * sizeof *headers);
    reply_free(reply);
    memcpy(reply->headers, headers, count * sizeof *headers);
    reply->header_count = count;
    reply->status = status;
}

static struct reply_header *find_header(struct reply *reply, const char *name) {
    for (size_t i = 0; i < reply->header_count; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0) return &reply->headers[i];
    return reply->header_count < REPLY_HEADERS ? &reply->headers[reply->header_count++] : NULL;
}

void reply_header(struct reply *reply, const char *name, const char *format, ...) {
    va_list arguments;
    struct reply_header *header = find_header(reply, name);
    if (!header) return;
    header->name = name;
    va_start(arguments, format);
    vsnprintf(header->value, sizeof header->value, format, arguments);
    va_end(arguments);
    for (char *at = header->value; *at; at++)
        if ((unsigned char)*at < ' ') *at = ' ';
}

// jansson allocates with malloc; the reply's body is freed by memory_free, so it is copied.
static char *json_text(const json_t *value, size_t *length) {
    char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    char *copy = text ? memory_format("%s\n", text) : NULL;
    free(text);
    *length = copy ? strlen(copy) : 0;
    return copy;
}

void reply_json(struct reply *reply, int status, json_t *value) {
    restart(reply, status);
    reply->body = json_text(value, &reply->length);
    json_decref(value);
    if (reply->body) return;
    reply_text(reply, 500, "application/json", no_memory);
}

void reply_text(struct reply *reply, int status, const char *content_type, const char *text) {
    restart(reply, status);
    reply->content_type = content_type;
    reply->body = memory_copy_string(text);
    reply->length = reply->body ? strlen(text) : 0;
}

void reply_bytes(
    struct reply *reply, int status, const char *content_type, const void *bytes, size_t length) {
    restart(reply, status);
    reply->content_type = content_type;
    reply->body = memory_alloc(length ? length : 1);
    if (!reply->body) {
        reply_text(reply, 500, "application/json", no_memory);
        return;
    }
    memcpy(reply->body, bytes, length);
    reply->length = length;
}

static json_t *error_object(int status, const char *code, const char *param, const char *message) {
    const char *type = status >= 500                                     ? "server_error"
                       : status != 429                                   ? "invalid_request_error"
                       : code && strcmp(code, "insufficient_quota") == 0 ? code
                                                                         : "requests";
    return json_pack("{s:{s:s, s:s, s:s?, s:s?}}", "error", "message", message, "type", type,
        "param", param, "code", code);
}

// A message may quote a client's bytes: whatever is not UTF-8 would make no JSON, and is shown as
// "?".
static void keep_ascii(char *text) {
    json_t *probe = json_string(text);
    if (!probe)
        for (; *text; text++)
            if ((unsigned char)*text >= 0x80) *text = '?';
    json_decref(probe);
}

void reply_error(
    struct reply *reply, int status, const char *code, const char *param, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    keep_ascii(message);
    reply_json(reply, status, error_object(status, code, param, message));
    reply->never_retry = status == 409;
}

void reply_failure(struct reply *reply, const char *doing, const struct error *error) {
    static const int statuses[] = {
        [ERROR_INVALID] = 400,
        [ERROR_NOT_FOUND] = 404,
        [ERROR_UNSUPPORTED] = 400,
        [ERROR_CONFLICT] = 409,
    };
    size_t count = sizeof statuses / sizeof statuses[0];
    int status = error->code < count ? statuses[error->code] : 0;
    if (status) {
        reply_error(reply, status, NULL, NULL, "%s", error->message);
        return;
    }
    log_error("%s: %s", doing, error->message);
    reply_error(reply, 500, NULL, NULL,
        "The server had an error while %s. Its log, at this request's id, says more.", doing);
}

void reply_not_found(struct reply *reply, const char *what, const char *id) {
    reply_error(reply, 404, NULL, "id", "No such %s object: %.200s", what, id);
}

void reply_no_model(struct reply *reply, const char *model) {
    const struct known_model *known = known_model_find(model);
    if (known && known->hub) {
        reply_error(reply, 404, "model_not_found", "model",
            "The model '%.200s' is supported, but it is not on this server yet. Whoever runs the "
            "server can get it: temper models pull %s",
            model, known->hub);
        return;
    }
    reply_error(reply, 404, "model_not_found", "model",
        "The model '%.200s' does not exist or you do not have access to it. GET /v1/models lists "
        "those "
        "that you can use.",
        model);
}

char *reply_error_text(int status, const char *code, const char *param, const char *message) {
    json_t *object = error_object(status, code, param, message);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    char *copy = text ? memory_copy_string(text) : NULL;
    free(text);
    json_decref(object);
    return copy;
}

json_t *reply_list(json_t *data, bool has_more) {
    size_t count = json_array_size(data);
    json_t *first = count ? json_object_get(json_array_get(data, 0), "id") : NULL;
    json_t *last = count ? json_object_get(json_array_get(data, count - 1), "id") : NULL;
    return json_pack("{s:s, s:o, s:O?, s:O?, s:b}", "object", "list", "data", data, "first_id",
        first, "last_id", last, "has_more", has_more);
}
