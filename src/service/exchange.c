// One request and its reply, from the first header to the last byte.
//
//   begin ──▶ body pieces ──▶ dispatch ──▶ reply queued ──▶ completed
//     │            │               └──▶ parked until the stream's head is there ──▶ reply queued
//     ──▶ … └── error ───┴──▶ body pieces are thrown away, then the error is sent
//
// A refused upload is read to its end (within reason) before its answer is sent: a client that is
// still writing when the connection closes sees a broken pipe instead of the reason. A client that
// asked with "Expect: 100-continue" hears at once.
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "service/access_log.h"
#include "service/auth.h"
#include "service/cors.h"
#include "service/fields.h"
#include "service/framing.h"
#include "service/limits.h"
#include "service/metrics.h"
#include "service/peer.h"
#include "service/query.h"
#include "service/resources.h"
#include "service/server_internal.h"
#include "service/service.h"
#include "service/stream.h"
#include "service/upload_form.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    DRAIN_MAXIMUM = 1 << 30,  // bytes of a refused body that are read
    FORM_OVERHEAD = 64 << 10, // bytes of a form beside its file
    EVENT_BLOCK = 16 << 10,   // bytes sent at a time from a stream
};

struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct exchange *previous, *next; // among server->exchanges
    struct request request;
    struct reply reply;    // status 0 until answered
    struct stream *stream; // NULL unless the answer comes later
    bool preflight;        // a browser asks whether it may ask (service/cors.h)
    uint64_t received;     // bytes of the body
    uint64_t sent;         // bytes of the answer's body, so far where it is a stream
};

static void enlist(struct exchange *exchange) {
    struct server *server = exchange->server;
    pthread_mutex_lock(&server->lock);
    exchange->next = server->exchanges;
    if (exchange->next) exchange->next->previous = exchange;
    server->exchanges = exchange;
    pthread_mutex_unlock(&server->lock);
}

static void delist(struct exchange *exchange) {
    struct server *server = exchange->server;
    pthread_mutex_lock(&server->lock);
    if (exchange->next) exchange->next->previous = exchange->previous;
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        server->exchanges = exchange->next;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static const char *header(struct exchange *exchange, const char *name) {
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static char *copy_header(struct exchange *exchange, const char *name) {
    const char *value = header(exchange, name);
    return value ? memory_copy_string(value) : NULL;
}

static enum MHD_Result take_query(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct exchange *exchange = context;
    (void)kind;
    if (request_add_query(&exchange->request, name, value)) return MHD_YES;
    reply_error(&exchange->reply, 400, NULL, NULL,
        "The query of the URL is malformed, or has more than %d parameters.",
        REQUEST_QUERY_MAXIMUM);
    return MHD_NO;
}

// Whoever mistypes the address of a page is told so by a page; a client of the API, as ever.
static bool is_lost_reader(struct exchange *exchange) {
    const struct request *request = &exchange->request;
    const char *accept = header(exchange, MHD_HTTP_HEADER_ACCEPT);
    return accept && strstr(accept, "text/html") && strcmp(request->method, "GET") == 0 &&
           strncmp(request->path, "/v1", 3) != 0;
}

static bool find_route(struct exchange *exchange) {
    struct request *request = &exchange->request;
    size_t count;
    const struct route *routes = route_table(&count);
    switch (route_find(routes, count, request->method, request->path, &request->match)) {
    case ROUTE_FOUND:
        return true;
    case ROUTE_NOT_FOUND:
        if (is_lost_reader(exchange))
            web_get_lost(exchange->server->service, request, &exchange->reply);
        else
            reply_error(&exchange->reply, 404, "unknown_url", NULL, "Invalid URL (%s %.200s)",
                request->method, request->path);
        return false;
    case ROUTE_WRONG_METHOD:
        reply_error(&exchange->reply, 405, "method_not_supported", NULL,
            "Not allowed to %s on %.200s; this path takes %s.", request->method, request->path,
            request->match.allowed);
        strcpy(exchange->reply.allow, request->match.allowed);
        return false;
    case ROUTE_MALFORMED:
        break;
    }
    reply_error(&exchange->reply, 400, NULL, NULL, "The path of the URL is not properly encoded.");
    return false;
}

// The field that the route's form has its file in.
static const char *form_file_field(const struct route *route) {
    for (size_t i = 0; route->request && i < route->request->count; i++)
        if (route->request->fields[i].type == FIELD_FILE) return route->request->fields[i].name;
    return "file";
}

static void refuse_length(struct exchange *exchange) {
    const struct route *route = exchange->request.match.route;
    reply_error(&exchange->reply, 413, route->body == ROUTE_BODY_FORM ? "file_too_large" : NULL,
        route->body == ROUTE_BODY_FORM ? form_file_field(route) : NULL,
        route->body == ROUTE_BODY_FORM
            ? "The file is too large: at most %zu bytes (%zu MB) can be uploaded in one piece."
            : "The body of the request is too large: at most %zu bytes (%zu MB) are taken.",
        route->body_maximum, route->body_maximum >> 20);
}

static uint64_t announced_length(struct exchange *exchange) {
    const char *text = header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text ? strtoull(text, NULL, 10) : 0;
}

static bool length_allowed(const struct exchange *exchange, uint64_t length) {
    const struct route *route = exchange->request.match.route;
    if (route->body == ROUTE_BODY_NONE) return true;
    uint64_t overhead = route->body == ROUTE_BODY_FORM ? FORM_OVERHEAD : 0;
    return length <= route->body_maximum + overhead;
}

static bool prepare_body(struct exchange *exchange) {
    struct request *request = &exchange->request;
    if (!length_allowed(exchange, announced_length(exchange))) {
        refuse_length(exchange);
        return false;
    }
    if (request->match.route->body != ROUTE_BODY_FORM) return true;
    return upload_form_open(&request->form, request->content_type, exchange->server->service->data,
        form_file_field(request->match.route), request->match.route->body_maximum,
        &exchange->reply);
}

static bool copy_request(struct exchange *exchange, const char *url, const char *method) {
    struct request *request = &exchange->request;
    struct error error = {0};
    memcpy(request->id, "req_", 4);
    request->method = memory_copy_string(method);
    request->path = memory_copy_string(url);
    request->authorization = copy_header(exchange, MHD_HTTP_HEADER_AUTHORIZATION);
    request->content_type = copy_header(exchange, MHD_HTTP_HEADER_CONTENT_TYPE);
    request->range = copy_header(exchange, MHD_HTTP_HEADER_RANGE);
    request->accept_encoding = copy_header(exchange, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    request->if_none_match = copy_header(exchange, MHD_HTTP_HEADER_IF_NONE_MATCH);
    request->cookie = copy_header(exchange, MHD_HTTP_HEADER_COOKIE);
    request->host = copy_header(exchange, MHD_HTTP_HEADER_HOST);
    request->origin = copy_header(exchange, MHD_HTTP_HEADER_ORIGIN);
    request->fetch_site = copy_header(exchange, "Sec-Fetch-Site");
    request->started = progress_clock();
    request->local = peer_is_local(exchange->connection);
    return request->method && request->path && random_secret(request->id + 4, 24, &error);
}

// Reads what stands in the headers. False where the reply is already made: an error.
static bool read_head(struct exchange *exchange) {
    struct request *request = &exchange->request;
    if (!find_route(exchange)) return false;
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, take_query, exchange);
    if (exchange->reply.status) return false;
    if (!request->match.route->open &&
        !auth_check(exchange->server->service, request, &exchange->reply))
        return false;
    const struct route *route = request->match.route;
    return (route->page || query_check(request, route->query, &exchange->reply)) &&
           prepare_body(exchange);
}

// A stream's wake: the connection's thread calls the handler, or the reader, again.
static void resume(void *context) {
    struct exchange *exchange = context;
    MHD_resume_connection(exchange->connection);
}

static void suspend(void *context) {
    struct exchange *exchange = context;
    MHD_suspend_connection(exchange->connection);
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t size) {
    struct exchange *exchange = context;
    (void)position;
    for (;;) {
        ssize_t length = stream_read(exchange->stream, bytes, size);
        if (length < 0) return MHD_CONTENT_READER_END_OF_STREAM;
        exchange->sent += (uint64_t)length;
        if (length > 0 || stream_park(exchange->stream, suspend, resume, exchange)) return length;
    }
}

static struct MHD_Response *make_response(struct exchange *exchange, bool events) {
    struct reply *reply = &exchange->reply;
    struct MHD_Response *response;
    if (!events) exchange->sent = reply->file >= 0 ? reply->file_size : reply->length;
    if (events)
        return MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, EVENT_BLOCK, read_stream, exchange, NULL);
    if (reply->file >= 0) {
        response = MHD_create_response_from_fd_at_offset64(
            reply->file_size, reply->file, reply->file_offset);
        if (response) reply->file = -1;
        return response;
    }
    if (!reply->body) return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    response =
        MHD_create_response_from_buffer_with_free_callback(reply->length, reply->body, memory_free);
    if (response) reply->body = NULL;
    return response;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value) {
    MHD_add_response_header(response, name, value);
}

static void add_headers(struct exchange *exchange, struct MHD_Response *response, bool events) {
    struct reply *reply = &exchange->reply;
    char milliseconds[32];
    snprintf(milliseconds, sizeof milliseconds, "%.0f",
        (progress_clock() - exchange->request.started) * 1000);
    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
        events ? "text/event-stream; charset=utf-8" : reply->content_type);
    add_header(response, "x-request-id", exchange->request.id);
    add_header(response, "openai-processing-ms", milliseconds);
    add_header(response, "openai-version", "2020-10-01");
    add_header(response, "x-content-type-options", "nosniff");
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
        events                 ? "no-cache"
        : reply->cache_control ? reply->cache_control
                               : "no-store");
    cors_add_headers(exchange->server->service->allowed_origins, exchange->connection,
        exchange->preflight, response);
    if (exchange->request.account)
        add_header(response, "openai-organization", exchange->request.account);
    if (reply->status == 401) add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (reply->allow[0]) add_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
    if (atomic_load(&exchange->server->service->draining))
        add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (reply->never_retry) add_header(response, "x-should-retry", "false");
    for (size_t i = 0; i < reply->header_count; i++)
        add_header(response, reply->headers[i].name, reply->headers[i].value);
    if (reply->file_name) {
        char *disposition = memory_format("attachment; filename=\"%s\"", reply->file_name);
        if (disposition) add_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, disposition);
        memory_free(disposition);
    }
}

static enum MHD_Result send_reply(struct exchange *exchange, bool events) {
    if (!exchange->reply.status)
        reply_error(&exchange->reply, 500, NULL, NULL, "The server gave no answer.");
    struct MHD_Response *response = make_response(exchange, events);
    if (!response) return MHD_NO;
    add_headers(exchange, response, events);
    enum MHD_Result result =
        MHD_queue_response(exchange->connection, (unsigned int)exchange->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

// The stream's head, once there, is the reply; until then the connection sleeps.
static enum MHD_Result await_head(struct exchange *exchange) {
    bool events = false;
    for (;;) {
        struct reply before = exchange->reply;
        if (stream_take_head(exchange->stream, &exchange->reply, &events)) {
            for (size_t i = 0; i < before.header_count; i++)
                reply_header(
                    &exchange->reply, before.headers[i].name, "%s", before.headers[i].value);
            return send_reply(exchange, events);
        }
        if (stream_park(exchange->stream, suspend, resume, exchange)) return MHD_YES;
    }
}

static int socket_of(const struct exchange *exchange) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

// The library does not look at a connection that sleeps: the watcher is told when its client goes.
static void watch_client(struct exchange *exchange) {
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT};
    int client = socket_of(exchange);
    if (client >= 0) epoll_ctl(exchange->server->hangups, EPOLL_CTL_ADD, client, &event);
}

static void adopt_stream(struct exchange *exchange) {
    pthread_mutex_lock(&exchange->server->lock);
    exchange->stream = exchange->reply.stream;
    exchange->reply.stream = NULL;
    pthread_mutex_unlock(&exchange->server->lock);
    watch_client(exchange);
}

static void turn(struct exchange *exchange, enum connection_phase phase) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info) connection_turn(exchange->server->connections, info->socket_context, phase);
}

static enum MHD_Result answer(struct exchange *exchange) {
    struct request *request = &exchange->request;
    turn(exchange, CONNECTION_ANSWER);
    if (exchange->stream) return await_head(exchange);
    bool good = !exchange->reply.status &&
                (!request->form || upload_form_finish(request->form, &exchange->reply));
    if (good) request->match.route->handler(exchange->server->service, request, &exchange->reply);
    if (!exchange->reply.stream) return send_reply(exchange, false);
    adopt_stream(exchange);
    return await_head(exchange);
}

static enum MHD_Result take_body(struct exchange *exchange, const char *bytes, size_t length) {
    struct request *request = &exchange->request;
    exchange->received += length;
    if (exchange->reply.status) return exchange->received <= DRAIN_MAXIMUM ? MHD_YES : MHD_NO;
    if (!length_allowed(exchange, exchange->received)) {
        refuse_length(exchange);
    } else if (request->form) {
        if (!upload_form_feed(request->form, bytes, length, &exchange->reply)) return MHD_YES;
    } else if (request->match.route->body == ROUTE_BODY_JSON) {
        buffer_append(&request->body, bytes, length);
        if (request->body.failed) refuse_length(exchange);
    }
    return MHD_YES;
}

static enum MHD_Result begin(struct server *server, struct MHD_Connection *connection,
    const char *url, const char *method, void **state) {
    struct exchange *exchange = memory_alloc_zeroed(1, sizeof *exchange);
    if (!exchange) return MHD_NO;
    exchange->server = server;
    exchange->connection = connection;
    turn(exchange, CONNECTION_BODY);
    request_init(&exchange->request);
    reply_init(&exchange->reply);
    enlist(exchange);
    *state = exchange;
    if (server->service->metrics) metrics_request_begins(server->service->metrics);
    if (!copy_request(exchange, url, method)) return MHD_NO;
    log_set_request(exchange->request.id);
    if (!framing_check(connection, &exchange->reply)) return send_reply(exchange, false);
    exchange->preflight = cors_is_preflight(server->service->allowed_origins, connection, method);
    if (exchange->preflight) {
        reply_text(&exchange->reply, 204, "text/plain", "");
        return MHD_YES;
    }
    if (read_head(exchange)) return MHD_YES;
    bool at_once =
        header(exchange, MHD_HTTP_HEADER_EXPECT) || announced_length(exchange) > DRAIN_MAXIMUM;
    return at_once ? send_reply(exchange, false) : MHD_YES;
}

enum MHD_Result exchange_handle(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload_data, size_t *upload_size,
    void **state) {
    struct exchange *exchange = *state;
    size_t length = *upload_size;
    enum MHD_Result result;
    (void)version;
    log_set_request(exchange ? exchange->request.id : NULL);
    if (!exchange)
        result = begin(context, connection, url, method, state);
    else
        result = length ? take_body(exchange, upload_data, length) : answer(exchange);
    if (exchange) *upload_size = 0;
    log_set_request(NULL);
    return result;
}

static void count_request(struct exchange *exchange, bool cut_off) {
    const struct request *request = &exchange->request;
    struct metrics_request counted = {
        .route = request->match.route ? request->match.route->pattern : NULL,
        .method = request->method,
        .status = exchange->reply.status,
        .received = exchange->received,
        .sent = exchange->sent,
        .seconds = progress_clock() - request->started,
        .cut_off = cut_off,
    };
    metrics_request_ends(exchange->server->service->metrics, &counted);
}

// What asks every few seconds whether the server lives is of no interest while it does.
static bool is_probe(const struct exchange *exchange) {
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics"};
    const struct route *route = exchange->request.match.route;
    for (size_t i = 0; route && i < sizeof paths / sizeof *paths; i++)
        if (strcmp(route->pattern, paths[i]) == 0) return exchange->reply.status == 200;
    return false;
}

static void log_request_end(struct exchange *exchange, bool cut_off) {
    const struct request *request = &exchange->request;
    struct access_log_entry entry = {
        .id = request->id,
        .account = request->account,
        .method = request->method ? request->method : "-",
        .path = request->path ? request->path : "-",
        .status = exchange->reply.status,
        .bytes = exchange->sent,
        .milliseconds = (progress_clock() - request->started) * 1000,
        .cut_off = cut_off,
    };
    if (!is_probe(exchange)) access_log_write(exchange->server->service->access_log, &entry);
}

void exchange_completed(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code) {
    struct exchange *exchange = *state;
    (void)context;
    (void)connection;
    if (!exchange) return;
    *state = NULL;
    turn(exchange, CONNECTION_IDLE);
    if (exchange->stream)
        epoll_ctl(exchange->server->hangups, EPOLL_CTL_DEL, socket_of(exchange), NULL);
    delist(exchange);
    if (exchange->stream) stream_abandon(exchange->stream);
    stream_release(exchange->stream);
    bool cut_off = code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (exchange->server->service->metrics) count_request(exchange, cut_off);
    if (exchange->server->service->access_log) log_request_end(exchange, cut_off);
    if (exchange->request.counted)
        limits_leave(exchange->server->service->limits, exchange->request.account);
    request_free(&exchange->request);
    reply_free(&exchange->reply);
    memory_free(exchange);
}

static bool client_gone(struct exchange *exchange) {
    struct pollfd descriptor = {.fd = socket_of(exchange), .events = POLLRDHUP};
    return poll(&descriptor, 1, 0) == 1 && descriptor.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

void exchange_cancel_all(struct server *server, bool only_gone) {
    for (struct exchange *exchange = server->exchanges; exchange; exchange = exchange->next)
        if (exchange->stream && (!only_gone || client_gone(exchange)))
            stream_cancel(exchange->stream);
}
