// Plans as settings make them, and what limits let through.
#include "base/plan.h"
#include "service/limits.h"
#include "service/reply.h"
#include "test_support.h"
#include <string.h>

static const char *header(const struct reply *reply, const char *name) {
    for (size_t i = 0; i < reply->header_count; i++)
        if (strcmp(reply->headers[i].name, name) == 0) return reply->headers[i].value;
    return NULL;
}

static int64_t number(const struct plan *plan, const char *name) {
    size_t count;
    const struct plan_limit *limits = plan_limits(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(limits[i].name, name) == 0)
            return *(const int64_t *)(const void *)((const char *)plan + limits[i].offset);
    fail_msg("no limit %s", name);
    return 0;
}

static void test_plan_the_standard_ones_are_those_of_the_documents(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int64_t requests, concurrent, batch, models;
    } known[] = {{"unlimited", 0, 0, 0, 0}, {"trial", 30, 20, 1000, 1},
        {"core", 600, 100, 100000, 10}, {"scale", 1200, 100, 500000, 25},
        {"enterprise", 0, 100, 0, 0}};
    struct plan_table table;
    plan_table_init(&table);
    assert_int_equal(table.count, sizeof known / sizeof *known);
    for (size_t i = 0; i < table.count; i++) {
        const struct plan *plan = plan_find(&table, known[i].name);
        assert_non_null(plan);
        assert_int_equal(number(plan, "requests_per_minute"), known[i].requests);
        assert_int_equal(number(plan, "concurrent_requests"), known[i].concurrent);
        assert_int_equal(number(plan, "batch_requests"), known[i].batch);
        assert_int_equal(number(plan, "fine_tuned_models"), known[i].models);
    }
}

static void test_plan_a_setting_changes_one_limit_or_makes_a_plan(void **state) {
    (void)state;
    struct plan_table table;
    struct error error;
    plan_table_init(&table);
    assert_true(plan_set(&table, "trial", "requests_per_minute", "60", &error));
    assert_true(plan_set(&table, "trial", "fine_tuned_models", "unlimited", &error));
    assert_true(plan_set(&table, "students", "output_tokens", "9", &error));
    assert_int_equal(plan_find(&table, "trial")->requests_per_minute, 60);
    assert_int_equal(plan_find(&table, "trial")->fine_tuned_models, 0);
    assert_int_equal(plan_find(&table, "trial")->concurrent_requests, 20);
    assert_int_equal(plan_find(&table, "students")->output_tokens, 9);
    assert_int_equal(plan_find(&table, "students")->requests_per_minute, 0);
}

static void test_plan_what_is_no_number_name_or_limit_is_refused(void **state) {
    (void)state;
    static const char *const values[] = {"", "0", "-1", "1.5", "1e3", "99999999999999999999", "no"};
    struct plan_table table;
    struct error error;
    plan_table_init(&table);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_false(plan_set(&table, "trial", "output_tokens", values[i], &error));
    assert_int_equal(plan_find(&table, "trial")->output_tokens, 4096);
    assert_false(plan_set(&table, "trial", "colour", "1", &error));
    assert_false(plan_set(&table, "A B", "output_tokens", "1", &error));
    assert_false(plan_set(&table, "", "output_tokens", "1", &error));
    char name[] = "plan-a";
    bool made = true;
    for (name[5] = 'a'; made && name[5] <= 'z'; name[5]++)
        made = plan_set(&table, name, "output_tokens", "1", &error);
    for (memcpy(name, "more-a", 6); made && name[5] <= 'z'; name[5]++)
        made = plan_set(&table, name, "output_tokens", "1", &error);
    assert_false(made);
    assert_int_equal(table.count, PLANS_MAXIMUM);
}

static struct limits *open_limits(void) {
    struct plan_table table;
    struct limits *limits;
    struct error error;
    plan_table_init(&table);
    assert_true(limits_open(&limits, &table, &error));
    return limits;
}

// The status of the answer, 0 where the request may go on; `reset` takes that header.
static int enter(
    struct limits *limits, const char *account, const struct plan *plan, char *reset, size_t size) {
    struct reply reply;
    reply_init(&reply);
    bool entered = limits_enter(limits, account, plan, &reply);
    assert_int_equal(entered, reply.status == 0);
    const char *value = header(&reply, "x-ratelimit-reset-requests");
    if (reset) snprintf(reset, size, "%s", value ? value : "");
    int status = reply.status;
    assert_true(entered || header(&reply, "Retry-After"));
    reply_free(&reply);
    return status;
}

static void test_limits_requests_at_a_time_are_counted_by_account(void **state) {
    (void)state;
    struct limits *limits = open_limits();
    const struct plan plan = {.name = "two", .concurrent_requests = 2};
    assert_int_equal(enter(limits, "a", &plan, NULL, 0), 0);
    assert_int_equal(enter(limits, "a", &plan, NULL, 0), 0);
    assert_int_equal(enter(limits, "a", &plan, NULL, 0), 429);
    assert_int_equal(enter(limits, "b", &plan, NULL, 0), 0);
    limits_leave(limits, "a");
    assert_int_equal(enter(limits, "a", &plan, NULL, 0), 0);
    limits_close(limits);
}

// Plans so slow that the bucket does not fill while the test runs.
static void test_limits_times_to_wait_are_written_as_openai_does(void **state) {
    (void)state;
    struct limits *limits = open_limits();
    const struct plan one = {.name = "one", .requests_per_minute = 1};
    char reset[64];
    assert_int_equal(enter(limits, "a", &one, reset, sizeof reset), 0);
    assert_string_equal(reset, "1m0s");
    assert_int_equal(enter(limits, "a", &one, NULL, 0), 429);
    const struct plan many = {.name = "many", .requests_per_minute = 60000};
    assert_int_equal(enter(limits, "b", &many, reset, sizeof reset), 0);
    assert_string_equal(reset, "1ms");
    limits_close(limits);
}

static void test_limits_a_plan_that_is_not_there_is_told(void **state) {
    (void)state;
    struct limits *limits = open_limits();
    assert_null(limits_plan(limits, "gone"));
    assert_string_equal(limits_plan(limits, NULL)->name, PLAN_UNLIMITED);
    assert_string_equal(limits_plan(limits, "core")->name, "core");
    limits_close(limits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_the_standard_ones_are_those_of_the_documents),
        cmocka_unit_test(test_plan_a_setting_changes_one_limit_or_makes_a_plan),
        cmocka_unit_test(test_plan_what_is_no_number_name_or_limit_is_refused),
        cmocka_unit_test(test_limits_requests_at_a_time_are_counted_by_account),
        cmocka_unit_test(test_limits_times_to_wait_are_written_as_openai_does),
        cmocka_unit_test(test_limits_a_plan_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
