// Routes: patterns, decoding, methods.
#include "base/memory.h"
#include "service/route.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void nothing(struct service *service, struct request *request, struct reply *reply) {
    (void)service;
    (void)request;
    (void)reply;
}

static const struct route routes[] = {
    {"GET", "/", nothing},
    {"POST", "/v1/files", nothing},
    {"GET", "/v1/files", nothing},
    {"GET", "/v1/files/{id}", nothing},
    {"DELETE", "/v1/files/{id}", nothing},
    {"GET", "/v1/files/{id}/content", nothing},
    {"GET", "/v1/jobs/{id}/part/{id}", nothing},
    {"GET", "/v1/models/{model*}", nothing},
};

static enum route_outcome find(const char *method, const char *path, struct route_match *match) {
    return route_find(routes, sizeof routes / sizeof routes[0], method, path, match);
}

static void expect(
    const char *method, const char *path, const char *pattern, const char *parameter) {
    struct route_match match;
    assert_int_equal(find(method, path, &match), ROUTE_FOUND);
    assert_string_equal(match.route->pattern, pattern);
    assert_string_equal(match.route->method, strcmp(method, "HEAD") == 0 ? "GET" : method);
    if (parameter)
        assert_string_equal(match.parameters[0], parameter);
    else
        assert_null(match.parameters[0]);
    route_match_free(&match);
}

static void test_route_finds_literals_and_holes(void **state) {
    (void)state;
    expect("GET", "/", "/", NULL);
    expect("GET", "/v1/files", "/v1/files", NULL);
    expect("GET", "/v1/files/file-1", "/v1/files/{id}", "file-1");
    expect("GET", "/v1/files/file-1/content", "/v1/files/{id}/content", "file-1");
    expect("HEAD", "/v1/files/file-1", "/v1/files/{id}", "file-1");
}

static void test_route_accepts_a_trailing_slash(void **state) {
    (void)state;
    expect("POST", "/v1/files/", "/v1/files", NULL);
    expect("GET", "/v1/files/x/content/", "/v1/files/{id}/content", "x");
}

static void test_route_decodes_after_routing(void **state) {
    (void)state;
    expect("GET", "/v1/files/a%2Fcontent", "/v1/files/{id}", "a/content");
    expect("GET", "/v1/models/meta-llama%2FLlama-3", "/v1/models/{model*}", "meta-llama/Llama-3");
    expect("GET", "/v1/models/ft%3aa%3Ab", "/v1/models/{model*}", "ft:a:b");
}

static void test_route_takes_raw_slashes_of_model_names(void **state) {
    (void)state;
    expect("GET", "/v1/models/meta-llama/Llama-3.1/8B", "/v1/models/{model*}",
        "meta-llama/Llama-3.1/8B");
    expect("GET", "/v1/models/ft:a:b", "/v1/models/{model*}", "ft:a:b");
}

static void test_route_fills_two_holes_in_order(void **state) {
    (void)state;
    struct route_match match;
    assert_int_equal(find("GET", "/v1/jobs/one/part/two", &match), ROUTE_FOUND);
    assert_string_equal(match.parameters[0], "one");
    assert_string_equal(match.parameters[1], "two");
    route_match_free(&match);
}

static void test_route_tells_which_methods_a_path_takes(void **state) {
    (void)state;
    struct route_match match;
    assert_int_equal(find("PATCH", "/v1/files", &match), ROUTE_WRONG_METHOD);
    assert_string_equal(match.allowed, "POST, GET");
    assert_int_equal(find("POST", "/v1/files/x", &match), ROUTE_WRONG_METHOD);
    assert_string_equal(match.allowed, "GET, DELETE");
}

static void test_route_does_not_find_what_is_not_there(void **state) {
    (void)state;
    struct route_match match;
    static const char *const paths[] = {"/v1", "/v1/file", "/v1/filesx", "/v1/files/a/b", "", "*",
        "/v1/files//content", "/v1/files/x/conten", "/v1//files", "/v1/models/"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(find("GET", paths[i], &match), ROUTE_NOT_FOUND);
}

static void test_route_refuses_malformed_percent_signs(void **state) {
    (void)state;
    struct route_match match;
    static const char *const paths[] = {
        "/v1/files/%", "/v1/files/%4", "/v1/files/%zz", "/v1/files/a%00b", "/v1/models/a/%g0"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(find("GET", paths[i], &match), ROUTE_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_finds_literals_and_holes),
        cmocka_unit_test(test_route_accepts_a_trailing_slash),
        cmocka_unit_test(test_route_decodes_after_routing),
        cmocka_unit_test(test_route_takes_raw_slashes_of_model_names),
        cmocka_unit_test(test_route_fills_two_holes_in_order),
        cmocka_unit_test(test_route_tells_which_methods_a_path_takes),
        cmocka_unit_test(test_route_does_not_find_what_is_not_there),
        cmocka_unit_test(test_route_refuses_malformed_percent_signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
