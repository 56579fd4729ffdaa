// What the server counts about itself, and the lines that it logs.
#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/access_log.h"
#include "service/metrics.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct metrics *open_metrics(void) {
    struct error error;
    struct metrics *metrics = NULL;
    assert_true(metrics_open(&metrics, &error));
    return metrics;
}

static void count(
    struct metrics *metrics, const char *route, const char *method, int status, double seconds) {
    struct metrics_request request = {
        .route = route, .method = method, .status = status, .sent = 10, .seconds = seconds};
    metrics_request_begins(metrics);
    metrics_request_ends(metrics, &request);
}

// Whether the page has that line.
static bool has_line(struct metrics *metrics, const char *line) {
    struct buffer text;
    char whole[1024];
    buffer_init(&text, 1 << 22);
    buffer_append_char(&text, '\n');
    metrics_write(metrics, &text);
    assert_false(text.failed);
    snprintf(whole, sizeof whole, "\n%s\n", line);
    bool found = strstr(buffer_text(&text), whole) != NULL;
    buffer_free(&text);
    return found;
}

static void test_metrics_count_requests_by_route_method_and_status(void **state) {
    (void)state;
    struct metrics *metrics = open_metrics();
    count(metrics, "/a", "GET", 200, 0.1);
    count(metrics, "/a", "GET", 200, 0.1);
    count(metrics, "/a", "GET", 404, 0.1);
    count(metrics, "/a", "POST", 200, 0.1);
    count(metrics, NULL, "BREW", 404, 0.1);
    assert_true(has_line(
        metrics, "temper_http_requests_total{route=\"/a\",method=\"GET\",status=\"200\"} 2"));
    assert_true(has_line(
        metrics, "temper_http_requests_total{route=\"/a\",method=\"GET\",status=\"404\"} 1"));
    assert_true(has_line(
        metrics, "temper_http_requests_total{route=\"/a\",method=\"POST\",status=\"200\"} 1"));
    assert_true(has_line(metrics,
        "temper_http_requests_total{route=\"unmatched\",method=\"other\",status=\"404\"} 1"));
    assert_true(has_line(metrics, "temper_http_sent_bytes_total 50"));
    metrics_close(metrics);
}

static void test_metrics_histogram_counts_up_to_each_end(void **state) {
    (void)state;
    struct metrics *metrics = open_metrics();
    count(metrics, "/a", "GET", 200, 0.0005);
    count(metrics, "/a", "GET", 200, 0.05);
    count(metrics, "/a", "GET", 200, 5000);
    static const char name[] = "temper_http_request_duration_seconds";
    static const struct {
        const char *end;
        int count;
    } expected[] = {{"0.001", 1}, {"0.025", 1}, {"0.05", 2}, {"600", 2}, {"+Inf", 3}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char line[256];
        snprintf(line, sizeof line, "%s_bucket{route=\"/a\",method=\"GET\",le=\"%s\"} %d", name,
            expected[i].end, expected[i].count);
        assert_true(has_line(metrics, line));
    }
    assert_true(has_line(
        metrics, "temper_http_request_duration_seconds_count{route=\"/a\",method=\"GET\"} 3"));
    metrics_close(metrics);
}

static void test_metrics_gauges_go_up_and_down(void **state) {
    (void)state;
    struct metrics *metrics = open_metrics();
    struct metrics_request request = {.method = "GET", .cut_off = true};
    metrics_request_begins(metrics);
    metrics_connections_add(metrics, 1);
    metrics_connections_add(metrics, 1);
    assert_true(has_line(metrics, "temper_http_requests_open 1"));
    assert_true(has_line(metrics, "temper_http_connections_open 2"));
    metrics_request_ends(metrics, &request);
    metrics_connections_add(metrics, -1);
    assert_true(has_line(metrics, "temper_http_requests_open 0"));
    assert_true(has_line(metrics, "temper_http_connections_open 1"));
    assert_true(has_line(metrics, "temper_http_requests_cut_off_total 1"));
    metrics_close(metrics);
}

static void test_metrics_are_bounded_whatever_comes(void **state) {
    (void)state;
    struct metrics *metrics = open_metrics();
    static char routes[1000][16];
    for (int i = 0; i < 1000; i++) {
        snprintf(routes[i], sizeof routes[i], "/%d", i);
        count(metrics, routes[i], "GET", 100 + i % 500, 0.1);
    }
    assert_true(has_line(
        metrics, "temper_http_requests_total{route=\"/0\",method=\"GET\",status=\"100\"} 1"));
    assert_true(has_line(metrics, "temper_http_requests_open 0"));
    metrics_close(metrics);
}

// What one entry becomes, as a text without its time (memory_free).
static char *written(const struct access_log_entry *entry, enum log_form form) {
    char path[] = "/tmp/temper-access-XXXXXX", *bytes;
    size_t length;
    struct error error;
    struct access_log *log = NULL;
    close(mkstemp(path));
    log_set_form(form);
    assert_true(access_log_open(&log, path, &error));
    access_log_write(log, entry);
    assert_true(access_log_reopen(log, &error));
    access_log_close(log);
    log_set_form(LOG_TEXT);
    assert_true(file_read(path, 1 << 16, &bytes, &length, &error));
    unlink(path);
    assert_int_equal(strlen(bytes), length);
    return bytes;
}

static const struct access_log_entry forged = {
    .id = "req_1",
    .account = "per\"sonal",
    .method = "GET",
    .path = "/v1/\n2026 \"x\"\xff",
    .status = 200,
    .bytes = 12,
    .milliseconds = 1.25,
    .cut_off = true,
};

static void test_access_log_line_cannot_be_forged(void **state) {
    (void)state;
    char *line = written(&forged, LOG_TEXT);
    assert_string_equal(strchr(line, ' '), " info  [req_1] per\\\"sonal GET /v1/\\u000a2026 "
                                           "\\\"x\\\"? 200 12 bytes 1.2 ms, cut off\n");
    memory_free(line);
}

static void test_access_log_line_can_be_json(void **state) {
    (void)state;
    char *line = written(&forged, LOG_JSON);
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "request_id")), "req_1");
    assert_string_equal(json_string_value(json_object_get(object, "account")), "per\"sonal");
    assert_string_equal(json_string_value(json_object_get(object, "path")), "/v1/\n2026 \"x\"?");
    assert_int_equal(json_integer_value(json_object_get(object, "status")), 200);
    assert_true(json_is_true(json_object_get(object, "cut_off")));
    json_decref(object);
    memory_free(line);
}

static void test_access_log_says_where_it_cannot_be_opened(void **state) {
    (void)state;
    struct error error;
    struct access_log *log = NULL;
    assert_false(access_log_open(&log, "/nowhere/at/all", &error));
    assert_non_null(strstr(error.message, "/nowhere/at/all"));
}

static void test_log_escapes_within_its_room(void **state) {
    (void)state;
    char escaped[16];
    assert_int_equal(log_escape(escaped, sizeof escaped, "a\"\\\x01"), 11);
    assert_string_equal(escaped, "a\\\"\\\\\\u0001");
    log_escape(escaped, sizeof escaped, "ääääääääääääääääää");
    assert_true(strlen(escaped) < sizeof escaped);
    log_escape(escaped, sizeof escaped, "\x01\x02\x03\x04\x05\x06");
    assert_true(strlen(escaped) < sizeof escaped);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_count_requests_by_route_method_and_status),
        cmocka_unit_test(test_metrics_histogram_counts_up_to_each_end),
        cmocka_unit_test(test_metrics_gauges_go_up_and_down),
        cmocka_unit_test(test_metrics_are_bounded_whatever_comes),
        cmocka_unit_test(test_access_log_line_cannot_be_forged),
        cmocka_unit_test(test_access_log_line_can_be_json),
        cmocka_unit_test(test_access_log_says_where_it_cannot_be_opened),
        cmocka_unit_test(test_log_escapes_within_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
