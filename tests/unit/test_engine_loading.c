// Loading beside answering: an adapter whose adapter_config.json is a pipe is being loaded for as
// long as the test likes, and nothing hangs on time.
#include "base/file.h"
#include "base/memory.h"
#include "test_asking.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL TEMPER_SOURCE_DIR "/models/mini-instruct"

struct slow_adapter {
    char *directory;
    char pipe[FILE_PATH_SIZE];
    char *config; // what comes out of the pipe in the end
};

static void make_slow(struct slow_adapter *slow) {
    struct error error;
    size_t length;
    slow->directory = make_adapter(MODEL, 1);
    assert_true(
        file_path(slow->pipe, sizeof slow->pipe, &error, slow->directory, "adapter_config.json"));
    assert_true(file_read(slow->pipe, 1 << 20, &slow->config, &length, &error));
    assert_int_equal(unlink(slow->pipe), 0);
    assert_int_equal(mkfifo(slow->pipe, 0600), 0);
}

static void free_slow(struct slow_adapter *slow) {
    memory_free(slow->config);
    test_directory_remove(slow->directory);
}

// Waits until the adapter is being loaded: it is, until end_load.
static int await_load(const struct slow_adapter *slow) {
    int descriptor = open(slow->pipe, O_WRONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    return descriptor;
}

static void end_load(int descriptor, const char *text) {
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
}

static void let_load(const struct slow_adapter *slow, const char *text) {
    end_load(await_load(slow), text);
}

static bool has_finished(struct asked *asked) {
    pthread_mutex_lock(&asked->lock);
    bool finished = asked->finished;
    pthread_mutex_unlock(&asked->lock);
    return finished;
}

static void check_answers_beside_a_load(bool background) {
    struct slow_adapter slow;
    struct asked loading = {0}, other = {0};
    struct engine *engine = open_engine(1);
    make_slow(&slow);
    ask(engine, &loading, MODEL, "Hello",
        (struct engine_request){
            .adapter = slow.directory, .maximum_tokens = 4, .background = background});
    ask(engine, &other, MODEL, "Hello", (struct engine_request){.maximum_tokens = 8});
    wait_for(&other);
    assert_true(other.result.completion_tokens > 0);
    assert_false(has_finished(&loading));
    let_load(&slow, slow.config);
    wait_for(&loading);
    assert_true(loading.result.reason == ENGINE_LENGTH || loading.result.reason == ENGINE_STOP);
    forget(&loading);
    forget(&other);
    engine_close(engine);
    free_slow(&slow);
}

static void test_engine_answers_while_an_adapter_is_loaded_for_another(void **state) {
    (void)state;
    check_answers_beside_a_load(false);
}

static void test_engine_answers_while_an_adapter_is_loaded_for_the_background(void **state) {
    (void)state;
    check_answers_beside_a_load(true);
}

static void test_engine_answers_while_several_wait_for_loads(void **state) {
    (void)state;
    struct slow_adapter slow[2];
    struct asked loading[4] = {0}, other = {0};
    struct engine *engine = open_engine(1);
    for (size_t i = 0; i < 2; i++)
        make_slow(&slow[i]);
    for (size_t i = 0; i < 4; i++)
        ask(engine, &loading[i], MODEL, "Hello",
            (struct engine_request){.adapter = slow[i % 2].directory, .maximum_tokens = 4});
    ask(engine, &other, MODEL, "Hello", (struct engine_request){.maximum_tokens = 8});
    wait_for(&other);
    assert_true(other.result.completion_tokens > 0);
    for (size_t i = 0; i < 2; i++) {
        assert_false(has_finished(&loading[i]));
        let_load(&slow[i], slow[i].config);
    }
    for (size_t i = 0; i < 4; i++) {
        wait_for(&loading[i]);
        assert_true(loading[i].result.completion_tokens > 0);
        forget(&loading[i]);
    }
    forget(&other);
    engine_close(engine);
    for (size_t i = 0; i < 2; i++)
        free_slow(&slow[i]);
}

static void test_engine_loads_once_what_two_requests_want(void **state) {
    (void)state;
    struct slow_adapter slow;
    struct asked asked[2] = {0};
    struct engine *engine = open_engine(1);
    make_slow(&slow);
    for (size_t i = 0; i < 2; i++)
        ask(engine, &asked[i], MODEL, "Hello",
            (struct engine_request){.adapter = slow.directory, .maximum_tokens = 4});
    let_load(&slow, slow.config); // a second load would wait at the pipe for good
    for (size_t i = 0; i < 2; i++) {
        wait_for(&asked[i]);
        assert_true(asked[i].result.completion_tokens > 0);
    }
    assert_string_equal(buffer_text(&asked[0].text), buffer_text(&asked[1].text));
    forget(&asked[0]);
    forget(&asked[1]);
    engine_close(engine);
    free_slow(&slow);
}

static void test_engine_fails_only_the_request_whose_load_fails(void **state) {
    (void)state;
    struct slow_adapter slow;
    struct asked loading = {0}, other = {0};
    struct engine *engine = open_engine(1);
    make_slow(&slow);
    ask(engine, &loading, MODEL, "Hello", (struct engine_request){.adapter = slow.directory});
    let_load(&slow, "no JSON");
    wait_for(&loading);
    assert_int_equal(loading.result.reason, ENGINE_FAILED);
    assert_non_null(strstr(loading.result.error.message, "adapter_config.json"));
    ask(engine, &other, MODEL, "Hello", (struct engine_request){.maximum_tokens = 4});
    wait_for(&other);
    assert_true(other.result.completion_tokens > 0);
    forget(&loading);
    forget(&other);
    engine_close(engine);
    free_slow(&slow);
}

static void test_engine_ends_a_request_that_is_cancelled_during_its_load(void **state) {
    (void)state;
    struct slow_adapter slow;
    struct asked loading = {0}, other = {0};
    struct engine_counts counts;
    struct engine *engine = open_engine(1);
    make_slow(&slow);
    ask(engine, &loading, MODEL, "Hello", (struct engine_request){.adapter = slow.directory});
    int held = await_load(&slow);
    engine_cancel(engine, loading.ticket);
    ask(engine, &other, MODEL, "Hello", (struct engine_request){.maximum_tokens = 4});
    wait_for(&other);
    end_load(held, slow.config);
    wait_for(&loading);
    assert_int_equal(loading.result.reason, ENGINE_CANCELLED);
    assert_int_equal(loading.pieces, 0);
    engine_count(engine, &counts);
    assert_int_equal(counts.waiting, 0);
    forget(&loading);
    forget(&other);
    engine_close(engine);
    free_slow(&slow);
}

struct later {
    const struct slow_adapter *slow;
    int descriptor;
};

static void *end_load_later(void *context) {
    const struct later *later = context;
    usleep(50000); // most often the engine is about to close by then; either way all must end
    end_load(later->descriptor, later->slow->config);
    return NULL;
}

static void test_engine_close_waits_for_a_load_and_cancels_its_request(void **state) {
    (void)state;
    struct slow_adapter slow;
    struct asked loading = {0}, waiting[20] = {0};
    pthread_t thread;
    struct engine *engine = open_engine(1);
    make_slow(&slow);
    ask(engine, &loading, MODEL, "Hello", (struct engine_request){.adapter = slow.directory});
    struct later later = {&slow, await_load(&slow)};
    for (size_t i = 0; i < 20; i++)
        ask(engine, &waiting[i], MODEL, "Tell me a story",
            (struct engine_request){.adapter = slow.directory, .background = i % 2});
    assert_int_equal(pthread_create(&thread, NULL, end_load_later, &later), 0);
    engine_close(engine);
    pthread_join(thread, NULL);
    assert_true(loading.finished);
    forget(&loading);
    for (size_t i = 0; i < 20; i++) {
        assert_true(waiting[i].finished);
        forget(&waiting[i]);
    }
    free_slow(&slow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_answers_while_an_adapter_is_loaded_for_another),
        cmocka_unit_test(test_engine_answers_while_an_adapter_is_loaded_for_the_background),
        cmocka_unit_test(test_engine_answers_while_several_wait_for_loads),
        cmocka_unit_test(test_engine_loads_once_what_two_requests_want),
        cmocka_unit_test(test_engine_fails_only_the_request_whose_load_fails),
        cmocka_unit_test(test_engine_ends_a_request_that_is_cancelled_during_its_load),
        cmocka_unit_test(test_engine_close_waits_for_a_load_and_cancels_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
