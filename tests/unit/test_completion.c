// Completions without a connection: what batches run, checked as requests are, cancelled, and told
// of exactly once.
#include "generate/engine.h"
#include "service/completion.h"
#include "service/service.h"
#include "store/store.h"
#include "test_directory.h"
#include <jansson.h>
#include <pthread.h>

static char directory[FILE_PATH_SIZE];
static struct service service;

struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int times, status;
    json_t *answer;
};

static void hear(void *context, int status, json_t *answer) {
    struct told *told = context;
    pthread_mutex_lock(&told->lock);
    told->times++;
    told->status = status;
    told->answer = answer;
    pthread_cond_signal(&told->changed);
    pthread_mutex_unlock(&told->lock);
}

static void wait_told(struct told *told) {
    pthread_mutex_lock(&told->lock);
    while (!told->times)
        pthread_cond_wait(&told->changed, &told->lock);
    pthread_mutex_unlock(&told->lock);
}

static uint64_t start(struct told *told, json_t *body, bool background) {
    struct error error;
    uint64_t run;
    *told = (struct told){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    assert_non_null(body);
    if (!completion_run(&service, "personal", body, background, hear, told, &run, &error))
        fail_msg("%s", error.message);
    json_decref(body);
    return run;
}

static json_t *chat(const char *model, const char *extra) {
    json_t *body = json_pack("{s:s, s:[{s:s, s:s}], s:i, s:i}", "model", model, "messages", "role",
        "user", "content", "Tell me a story", "max_tokens", 12, "seed", 7);
    json_t *more = json_loads(extra, 0, NULL);
    json_object_update_new(body, more);
    return body;
}

static const char *text_of(const struct told *told, size_t choice) {
    const json_t *choices = json_object_get(told->answer, "choices");
    const json_t *message = json_object_get(json_array_get(choices, choice), "message");
    return json_string_value(json_object_get(message, "content"));
}

static void forget(struct told *told) {
    assert_int_equal(told->times, 1);
    json_decref(told->answer);
}

static void test_completion_runs_in_the_background_as_it_would_live(void **state) {
    (void)state;
    struct told live, background;
    start(&live, chat("temper/mini-instruct", "{\"n\": 2}"), false);
    start(&background, chat("temper/mini-instruct", "{\"n\": 2}"), true);
    wait_told(&live);
    wait_told(&background);
    assert_int_equal(live.status, 200);
    assert_int_equal(background.status, 200);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(text_of(&live, i), text_of(&background, i));
    assert_string_not_equal(text_of(&live, 0), text_of(&live, 1));
    forget(&live);
    forget(&background);
}

static void test_completion_is_refused_as_a_request_is(void **state) {
    (void)state;
    static const struct {
        const char *model, *extra, *param;
        int status;
    } cases[] = {
        {"temper/mini-instruct", "{\"temperature\": 3}", "temperature", 400},
        {"temper/mini-instruct", "{\"unheard_of\": 3}", "unheard_of", 400},
        {"temper/mini-instruct", "{\"stream\": true}", "stream", 400},
        {"nobody/nothing", "{}", "model", 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct told told;
        assert_int_equal(start(&told, chat(cases[i].model, cases[i].extra), true), 0);
        wait_told(&told);
        assert_int_equal(told.status, cases[i].status);
        const json_t *fault = json_object_get(told.answer, "error");
        assert_string_equal(json_string_value(json_object_get(fault, "param")), cases[i].param);
        forget(&told);
    }
}

static void test_completion_that_is_cancelled_has_no_answer(void **state) {
    (void)state;
    struct told told;
    uint64_t run =
        start(&told, chat("temper/mini-instruct", "{\"n\": 3, \"max_tokens\": 900}"), true);
    assert_true(run > 0);
    completion_cancel(&service, run);
    wait_told(&told);
    completion_cancel(&service, run); // has ended: no fault
    assert_int_equal(told.status, 0);
    assert_null(told.answer);
    forget(&told);
}

static int set_up(void **state) {
    (void)state;
    struct error error;
    struct engine_options options = {1};
    test_directory_make(directory);
    return store_open(&service.store, directory, &error) &&
                   engine_open(&service.engine, &options, &error)
               ? 0
               : -1;
}

static int tear_down(void **state) {
    (void)state;
    engine_close(service.engine);
    store_close(service.store);
    test_directory_remove(directory);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completion_runs_in_the_background_as_it_would_live),
        cmocka_unit_test(test_completion_is_refused_as_a_request_is),
        cmocka_unit_test(test_completion_that_is_cancelled_has_no_answer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
