// The server over real sockets on loopback, with routes and keys of this test's own: what it reads,
// what it refuses, how it streams, and how it ends. No store, no model.
#include "base/file.h"
#include "base/memory.h"
#include "service/auth.h"
#include "service/fields.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/server.h"
#include "service/service.h"
#include "service/stream.h"
#include "service/upload_form.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { UPLOAD_MAXIMUM = 1000, EVENTS = 200 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int cancelled; // streams whose canceller was called; guarded by `lock`, as is the next
static int writing;   // threads that write a stream

static void wait_cancelled(int count) {
    pthread_mutex_lock(&lock);
    while (cancelled < count)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void count_writers(int change) {
    pthread_mutex_lock(&lock);
    writing += change;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void note_cancel(void *context) {
    (void)context;
    pthread_mutex_lock(&lock);
    cancelled++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

bool auth_check(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    if (request->authorization && strcmp(request->authorization, "Bearer good") == 0) return true;
    reply_error(reply, 401, "invalid_api_key", NULL, "Incorrect API key provided.");
    return false;
}

static void hello(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    const char *name = request_query(request, "name");
    reply_json(reply, 200, json_pack("{s:s}", "hello", name ? name : "nobody"));
}

static void echo(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    json_t *body = request_json(request, reply);
    if (body) reply_json(reply, 200, body);
}

static void upload(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    reply_json(reply, 200,
        json_pack("{s:s?, s:s?, s:I}", "purpose", upload_form_field(request->form, "purpose"),
            "name", upload_form_file_name(request->form), "bytes",
            (json_int_t)upload_form_size(request->form)));
}

static void *write_events(void *context) {
    struct stream *stream = context;
    struct reply head;
    char text[32];
    reply_init(&head);
    head.status = 200;
    stream_start(stream, &head, true);
    for (int i = 0; i < EVENTS; i++) {
        snprintf(text, sizeof text, "event %d", i);
        stream_write_event(stream, text);
        if (i % 50 == 0) usleep(1000);
    }
    stream_end(stream);
    stream_release(stream);
    count_writers(-1);
    return NULL;
}

static void *write_late(void *context) {
    struct stream *stream = context;
    struct reply head;
    reply_init(&head);
    usleep(2000);
    reply_error(&head, 418, "late", NULL, "Late, but whole.");
    stream_start(stream, &head, false);
    stream_end(stream);
    stream_release(stream);
    count_writers(-1);
    return NULL;
}

// Writes until it is cancelled.
static void *write_endlessly(void *context) {
    struct stream *stream = context;
    struct reply head;
    reply_init(&head);
    head.status = 200;
    stream_start(stream, &head, true);
    pthread_mutex_lock(&lock);
    while (cancelled == 0) {
        pthread_mutex_unlock(&lock);
        stream_write_event(stream, "more");
        usleep(200);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    stream_end(stream);
    stream_release(stream);
    count_writers(-1);
    return NULL;
}

// Makes no answer until it is cancelled.
static void *wait_silently(void *context) {
    struct stream *stream = context;
    struct reply head;
    reply_init(&head);
    wait_cancelled(1);
    reply_error(&head, 503, NULL, NULL, "Ended.");
    stream_start(stream, &head, false);
    stream_end(stream);
    stream_release(stream);
    count_writers(-1);
    return NULL;
}

static void start(struct reply *reply, void *(*writer)(void *context)) {
    struct error error = {0};
    pthread_t thread;
    assert_true(stream_open(&reply->stream, &error));
    stream_on_abandon(reply->stream, note_cancel, NULL, NULL);
    count_writers(1);
    assert_int_equal(pthread_create(&thread, NULL, writer, stream_retain(reply->stream)), 0);
    pthread_detach(thread);
}

#define STREAM_HANDLER(name, writer)                                                               \
    static void name(struct service *service, struct request *request, struct reply *reply) {      \
        (void)service;                                                                             \
        (void)request;                                                                             \
        start(reply, writer);                                                                      \
    }
STREAM_HANDLER(events, write_events)
STREAM_HANDLER(late, write_late)
STREAM_HANDLER(endless, write_endlessly)
STREAM_HANDLER(silent, wait_silently)

static const struct field hello_fields[] = {{"name", FIELD_STRING}};
static const struct shape hello_shape = SHAPE("Hello", hello_fields);

static const struct route routes[] = {
    {"GET", "/hello", hello, .open = true, .query = &hello_shape},
    {"GET", "/secret", hello},
    {"POST", "/echo", echo, .body = ROUTE_BODY_JSON, .body_maximum = 100, .open = true},
    {"POST", "/upload", upload, .body = ROUTE_BODY_FORM, .body_maximum = UPLOAD_MAXIMUM},
    {"GET", "/events", events, .open = true},
    {"GET", "/late", late, .open = true},
    {"GET", "/endless", endless, .open = true},
    {"GET", "/silent", silent, .open = true},
};

const struct route *route_table(size_t *count) {
    *count = sizeof routes / sizeof routes[0];
    return routes;
}

struct fixture {
    struct server *server;
    struct service service;
    char directory[64];
};

static int set_up(void **state) {
    struct error error = {0};
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct server_options options = {.listen = "127.0.0.1:0", .threads = 2};
    strcpy(fixture->directory, "/tmp/temper-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->service.data = fixture->directory;
    pthread_mutex_lock(&lock);
    cancelled = 0;
    pthread_mutex_unlock(&lock);
    if (!server_open(&fixture->server, &options, &fixture->service, &error))
        fail_msg("%s", error.message);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    struct error error = {0};
    server_close(fixture->server, 5);
    pthread_mutex_lock(&lock);
    while (writing > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    assert_true(file_remove_tree(fixture->directory, &error));
    free(fixture);
    return 0;
}

static int dial(struct fixture *fixture) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    const char *port = strrchr(server_address(fixture->server), ':') + 1;
    address.sin_port = htons((uint16_t)atoi(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(connection, (struct sockaddr *)&address, sizeof address), 0);
    return connection;
}

static void send_text(int connection, const char *text) {
    struct error error = {0};
    assert_true(file_write_all(connection, text, strlen(text), &error));
}

// Sends the request (which must ask for the connection's end) and returns the whole answer.
static const char *ask(struct fixture *fixture, const char *text) {
    static char answer[1 << 16];
    size_t length = 0;
    int connection = dial(fixture);
    send_text(connection, text);
    for (;;) {
        ssize_t got = read(connection, answer + length, sizeof answer - 1 - length);
        if (got <= 0) break;
        length += (size_t)got;
    }
    answer[length] = '\0';
    close(connection);
    return answer;
}

static void expect_in(const char *answer, const char *part) {
    if (!strstr(answer, part)) fail_msg("'%s' is not in: %s", part, answer);
}

#define END "Host: x\r\nConnection: close\r\n\r\n"

static void test_server_refuses_a_query_that_the_route_does_not_know(void **state) {
    const char *answer = ask(*state, "GET /hello?name=a&colour=red HTTP/1.1\r\n" END);
    expect_in(answer, "HTTP/1.1 400");
    expect_in(answer, "\"param\": \"colour\"");
}

static void test_server_answers_with_the_headers_of_the_api(void **state) {
    const char *answer = ask(*state, "GET /hello/?name=a%2Fb+c HTTP/1.1\r\n" END);
    expect_in(answer, "HTTP/1.1 200");
    expect_in(answer, "x-request-id: req_");
    expect_in(answer, "openai-processing-ms: ");
    expect_in(answer, "openai-version: 2020-10-01");
    expect_in(answer, "application/json");
    expect_in(answer, "\"a/b c\"");
}

static void test_server_refuses_unknown_paths_and_methods(void **state) {
    expect_in(ask(*state, "GET /nothing HTTP/1.1\r\n" END), "HTTP/1.1 404");
    const char *answer = ask(*state, "DELETE /hello HTTP/1.1\r\n" END);
    expect_in(answer, "HTTP/1.1 405");
    expect_in(answer, "Allow: GET\r\n");
    expect_in(ask(*state, "GET /hello?a=%zz HTTP/1.1\r\n" END), "HTTP/1.1 400");
}

static void test_server_asks_for_a_key(void **state) {
    const char *answer = ask(*state, "GET /secret HTTP/1.1\r\n" END);
    expect_in(answer, "HTTP/1.1 401");
    expect_in(answer, "\"code\": \"invalid_api_key\"");
    expect_in(
        ask(*state, "GET /secret HTTP/1.1\r\nAuthorization: Bearer good\r\n" END), "HTTP/1.1 200");
}

static void test_server_takes_json_within_its_limit(void **state) {
    expect_in(
        ask(*state, "POST /echo HTTP/1.1\r\nContent-Length: 8\r\n" END "{\"a\": 1}"), "\"a\": 1");
    char large[512] = "POST /echo HTTP/1.1\r\nContent-Length: 101\r\n" END;
    memset(large + strlen(large), ' ', 101);
    expect_in(ask(*state, large), "HTTP/1.1 413");
}

static void test_server_bounds_a_body_of_unannounced_length(void **state) {
    char large[1024] = "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "c8\r\n";
    memset(large + strlen(large), ' ', 200);
    strcat(large, "\r\n0\r\n\r\n");
    expect_in(ask(*state, large), "HTTP/1.1 413");
}

static const char *send_form(struct fixture *fixture, size_t size, const char *key) {
    static char text[1 << 18];
    static char body[1 << 17];
    strcpy(body,
        "--XX\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfine-tune\r\n--XX\r\n"
        "Content-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n");
    size_t length = strlen(body);
    memset(body + length, 'x', size);
    strcpy(body + length + size, "\r\n--XX--\r\n");
    snprintf(text, sizeof text,
        "POST /upload HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/form-data; "
        "boundary=XX\r\nContent-Length: %zu\r\n" END "%s",
        key, strlen(body), body);
    return ask(fixture, text);
}

static void test_server_streams_a_form_to_disk_and_removes_what_nobody_takes(void **state) {
    struct fixture *fixture = *state;
    const char *answer = send_form(fixture, UPLOAD_MAXIMUM, "good");
    expect_in(answer, "\"bytes\": 1000");
    expect_in(answer, "\"name\": \"a.jsonl\"");
    expect_in(answer, "\"purpose\": \"fine-tune\"");
    char path[128];
    snprintf(path, sizeof path, "%s/uploads", fixture->directory);
    assert_true(file_is_directory(path));
    server_close(fixture->server, 5);
    fixture->server = NULL;
    assert_int_equal(rmdir(path), 0); // it is empty
}

static void test_server_refuses_files_over_the_limit_and_still_answers(void **state) {
    expect_in(send_form(*state, UPLOAD_MAXIMUM + 1, "good"), "HTTP/1.1 413");
    expect_in(send_form(*state, 100000, "good"), "\"file_too_large\"");
    expect_in(send_form(*state, 100000, "bad"), "HTTP/1.1 401");
}

static void test_server_streams_events_to_their_end(void **state) {
    const char *answer = ask(*state, "GET /events HTTP/1.1\r\n" END);
    expect_in(answer, "Content-Type: text/event-stream");
    char last[32];
    snprintf(last, sizeof last, "data: event %d\n\n", EVENTS - 1);
    expect_in(answer, "data: event 0\n\n");
    expect_in(answer, last);
}

static void test_server_waits_for_an_answer_that_comes_late(void **state) {
    const char *answer = ask(*state, "GET /late HTTP/1.1\r\n" END);
    expect_in(answer, "HTTP/1.1 418");
    expect_in(answer, "Late, but whole.");
}

static void test_server_cancels_a_stream_when_its_client_goes_away(void **state) {
    char byte;
    int connection = dial(*state);
    send_text(connection, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read(connection, &byte, 1), 1);
    close(connection);
    wait_cancelled(1);
}

static void test_server_cancels_a_silent_answer_when_its_client_goes_away(void **state) {
    int connection = dial(*state);
    send_text(connection, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n");
    close(connection);
    wait_cancelled(1);
}

static void test_server_ends_with_streams_running(void **state) {
    struct fixture *fixture = *state;
    char byte;
    int connection = dial(fixture);
    send_text(connection, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read(connection, &byte, 1), 1);
    server_close(fixture->server, 0);
    fixture->server = NULL;
    wait_cancelled(1);
    close(connection);
}

static void test_server_refuses_addresses_that_it_cannot_listen_on(void **state) {
    struct fixture *fixture = *state;
    static const char *const addresses[] = {
        "", "8080", ":", "127.0.0.1:", "127.0.0.1:99999999", "127.0.0.1:80x", ":80"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct error error = {0};
        struct server *server = NULL;
        struct server_options options = {.listen = addresses[i]};
        assert_false(server_open(&server, &options, &fixture->service, &error));
        assert_true(error.message[0] != '\0');
    }
    struct error error = {0};
    struct server *server = NULL;
    struct server_options options = {.listen = server_address(fixture->server)};
    assert_false(server_open(&server, &options, &fixture->service, &error));
    assert_non_null(strstr(error.message, "in use"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_server_answers_with_the_headers_of_the_api),
        TEST(test_server_refuses_a_query_that_the_route_does_not_know),
        TEST(test_server_refuses_unknown_paths_and_methods),
        TEST(test_server_asks_for_a_key),
        TEST(test_server_takes_json_within_its_limit),
        TEST(test_server_bounds_a_body_of_unannounced_length),
        TEST(test_server_streams_a_form_to_disk_and_removes_what_nobody_takes),
        TEST(test_server_refuses_files_over_the_limit_and_still_answers),
        TEST(test_server_streams_events_to_their_end),
        TEST(test_server_waits_for_an_answer_that_comes_late),
        TEST(test_server_cancels_a_stream_when_its_client_goes_away),
        TEST(test_server_cancels_a_silent_answer_when_its_client_goes_away),
        TEST(test_server_ends_with_streams_running),
        TEST(test_server_refuses_addresses_that_it_cannot_listen_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
