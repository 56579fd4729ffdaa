// The engine with the built-in model: answers alone and in company, stops, cancelling, bounds.
#include "base/memory.h"
#include "test_asking.h"

#define MODEL TEMPER_SOURCE_DIR "/models/mini-instruct"

static void cancel_itself(struct asked *asked) {
    engine_cancel(asked->engine, asked->ticket);
}

static void test_engine_answers_the_same_alone_and_in_company(void **state) {
    (void)state;
    enum { COUNT = 6 };
    static const char *const questions[COUNT] = {"Hello", "Name a colour of the sky, please.",
        "1 + 1", "Repeat after me: apples and pears and plums and figs and nuts", "x",
        "What is this?"};
    char *adapters[3] = {NULL, make_adapter(MODEL, 1), make_adapter(MODEL, 2)};
    char *alone[COUNT];
    struct engine *engine = open_engine(1);
    for (size_t i = 0; i < COUNT; i++) {
        struct asked asked = {0};
        ask(engine, &asked, MODEL, questions[i],
            (struct engine_request){.adapter = adapters[i % 3],
                .maximum_tokens = 24,
                .temperature = i % 2 ? 0.8 : 0,
                .has_seed = true,
                .seed = i});
        wait_for(&asked);
        alone[i] = buffer_take(&asked.text);
        forget(&asked);
    }
    engine_close(engine);
    engine = open_engine(2);
    struct asked company[COUNT] = {0};
    for (size_t i = 0; i < COUNT; i++)
        ask(engine, &company[i], MODEL, questions[i],
            (struct engine_request){.adapter = adapters[i % 3],
                .maximum_tokens = 24,
                .temperature = i % 2 ? 0.8 : 0,
                .has_seed = true,
                .seed = i});
    for (size_t i = 0; i < COUNT; i++) {
        wait_for(&company[i]);
        assert_string_equal(buffer_text(&company[i].text), alone[i] ? alone[i] : "");
        forget(&company[i]);
        memory_free(alone[i]);
    }
    engine_close(engine);
    test_directory_remove(adapters[1]);
    test_directory_remove(adapters[2]);
}

static void test_engine_ends_at_a_stop_text_and_at_the_most_tokens(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked whole = {0}, shorter = {0}, stopped = {0};
    static const char question[] = "Repeat after me: apples and pears and plums";
    ask(engine, &whole, MODEL, question, (struct engine_request){.maximum_tokens = 30});
    wait_for(&whole);
    const char *text = buffer_text(&whole.text);
    int64_t tokens = whole.result.completion_tokens;
    assert_true(whole.text.length > 6 && tokens > 2 && tokens <= 30);
    ask(engine, &shorter, MODEL, question,
        (struct engine_request){.maximum_tokens = (long)tokens - 1});
    wait_for(&shorter);
    assert_int_equal(shorter.result.completion_tokens, tokens - 1);
    assert_int_equal(shorter.result.reason, ENGINE_LENGTH);
    char stop[3] = {text[3], text[4], 0};
    const char *stops[] = {stop};
    ask(engine, &stopped, MODEL, question,
        (struct engine_request){.maximum_tokens = 30, .stops = stops, .stop_count = 1});
    wait_for(&stopped);
    assert_int_equal(stopped.result.reason, ENGINE_STOP);
    size_t kept = (size_t)(strstr(text, stop) - text);
    assert_int_equal(stopped.text.length, kept);
    assert_memory_equal(buffer_text(&stopped.text), text, kept);
    forget(&whole);
    forget(&shorter);
    forget(&stopped);
    engine_close(engine);
}

static void test_engine_cancels_a_request_and_goes_on(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked cancelled = {.at_first_piece = cancel_itself}, other = {0};
    ask(engine, &cancelled, MODEL, "Tell me a story", (struct engine_request){0});
    ask(engine, &other, MODEL, "Hello", (struct engine_request){.maximum_tokens = 4});
    wait_for(&cancelled);
    wait_for(&other);
    assert_int_equal(cancelled.result.reason, ENGINE_CANCELLED);
    assert_int_equal(cancelled.pieces, 1);
    assert_true(other.result.reason == ENGINE_LENGTH || other.result.reason == ENGINE_STOP);
    engine_cancel(engine, other.ticket); // has ended: no fault
    forget(&cancelled);
    forget(&other);
    engine_close(engine);
}

static void test_engine_close_cancels_what_runs(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked asked[3] = {0};
    for (size_t i = 0; i < 3; i++)
        ask(engine, &asked[i], MODEL, "Tell me a story", (struct engine_request){.temperature = 2});
    engine_close(engine);
    for (size_t i = 0; i < 3; i++) {
        assert_true(asked[i].finished);
        forget(&asked[i]);
    }
}

static void test_engine_refuses_a_prompt_longer_than_the_context(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked asked = {0};
    char *text = memory_alloc(10001);
    for (size_t i = 0; i < 10000; i++)
        text[i] = i % 2 ? ' ' : 'x';
    text[10000] = 0;
    ask(engine, &asked, MODEL, text, (struct engine_request){0});
    wait_for(&asked);
    assert_int_equal(asked.result.reason, ENGINE_FAILED);
    assert_int_equal(asked.result.error.code, ERROR_INVALID);
    char prompt[32];
    snprintf(prompt, sizeof prompt, "%lld tokens", (long long)asked.result.prompt_tokens);
    assert_non_null(strstr(asked.result.error.message, prompt));
    assert_non_null(strstr(asked.result.error.message, "1024 tokens"));
    memory_free(text);
    forget(&asked);
    engine_close(engine);
}

static void test_engine_says_that_a_model_is_missing(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked asked = {0};
    ask(engine, &asked, MODEL, "x", (struct engine_request){.adapter = "/nowhere"});
    wait_for(&asked);
    assert_int_equal(asked.result.reason, ENGINE_FAILED);
    assert_true(asked.result.error.code != ERROR_INVALID);
    forget(&asked);
    engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_answers_the_same_alone_and_in_company),
        cmocka_unit_test(test_engine_ends_at_a_stop_text_and_at_the_most_tokens),
        cmocka_unit_test(test_engine_cancels_a_request_and_goes_on),
        cmocka_unit_test(test_engine_close_cancels_what_runs),
        cmocka_unit_test(test_engine_refuses_a_prompt_longer_than_the_context),
        cmocka_unit_test(test_engine_says_that_a_model_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
