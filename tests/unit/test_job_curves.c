// Curves of a job: what is shared by a point, and what stands alone.
#include "base/memory.h"
#include "service/job_curves.h"
#include "test_support.h"

enum { EVENTS = 10 };

static void make_events(struct event_record *events) {
    for (int i = 0; i < EVENTS; i++)
        events[i] = (struct event_record){
            .data = memory_format("{\"step\": %d, \"total_steps\": 20, \"train_loss\": %d,"
                                  " \"valid_loss\": %s, \"learning_rate\": %d.5}",
                i + 1, 2 * i, i == 7 ? "3.5" : "null", i)};
}

static void free_events(struct event_record *events) {
    for (int i = 0; i < EVENTS; i++)
        memory_free(events[i].data);
}

static double at(const json_t *curves, const char *name, size_t index) {
    return json_number_value(json_array_get(json_object_get(curves, name), index));
}

static size_t length(const json_t *curves, const char *name) {
    return json_array_size(json_object_get(curves, name));
}

static void test_job_curves_have_every_step_where_there_is_room(void **state) {
    struct event_record events[EVENTS];
    (void)state;
    make_events(events);
    json_t *curves = job_curves("ftjob-1", events, EVENTS, 100);
    assert_int_equal(length(curves, "steps"), EVENTS);
    assert_int_equal(length(curves, "grad_norm"), EVENTS);
    assert_true(json_is_null(json_array_get(json_object_get(curves, "grad_norm"), 0)));
    assert_true(at(curves, "train_loss", 9) == 18);
    assert_int_equal(json_integer_value(json_object_get(curves, "total_steps")), 20);
    json_decref(curves);
    free_events(events);
}

static void test_job_curves_share_points_by_the_mean_of_losses(void **state) {
    struct event_record events[EVENTS];
    (void)state;
    make_events(events);
    json_t *curves = job_curves("ftjob-1", events, EVENTS, 4);
    assert_int_equal(length(curves, "steps"), 4);
    double steps[] = {2, 5, 7, 10}, losses[] = {1, 6, 11, 16};
    for (size_t i = 0; i < 4; i++) {
        assert_true(at(curves, "steps", i) == steps[i]);
        assert_true(at(curves, "train_loss", i) == losses[i]);
        assert_true(at(curves, "learning_rate", i) == steps[i] - 0.5);
    }
    assert_true(at(curves, "valid_loss", 3) == 3.5);
    assert_true(json_is_null(json_array_get(json_object_get(curves, "valid_loss"), 2)));
    json_decref(curves);
    free_events(events);
}

static void test_job_curves_of_nothing_are_empty(void **state) {
    (void)state;
    struct event_record broken = {.data = (char *)"no JSON"};
    json_t *curves = job_curves("ftjob-1", NULL, 0, 10);
    assert_int_equal(length(curves, "steps"), 0);
    assert_true(json_is_null(json_object_get(curves, "total_steps")));
    json_decref(curves);
    curves = job_curves("ftjob-1", &broken, 1, 10);
    assert_true(json_is_null(json_array_get(json_object_get(curves, "train_loss"), 0)));
    json_decref(curves);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_curves_have_every_step_where_there_is_room),
        cmocka_unit_test(test_job_curves_share_points_by_the_mean_of_losses),
        cmocka_unit_test(test_job_curves_of_nothing_are_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
