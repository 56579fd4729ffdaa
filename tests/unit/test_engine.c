// The engine: answers alone and in company, stops, cancelling, bounds.
#include "base/buffer.h"
#include "base/memory.h"
#include "generate/engine.h"
#include "generate/sampler.h"
#include "generate/text_stream.h"
#include "model/adapter_file.h"
#include "test_model.h"
#include <pthread.h>

#define MODEL TEMPER_SOURCE_DIR "/models/mini-instruct"

struct asked {
    struct buffer text;
    struct engine_result result;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool finished;
    size_t pieces;
    struct engine *cancel_in; // cancels itself at its first piece
    uint64_t ticket;
};

static void take_piece(void *context, const char *text, size_t length) {
    struct asked *asked = context;
    pthread_mutex_lock(&asked->lock);
    buffer_append(&asked->text, text, length);
    asked->pieces++;
    uint64_t ticket = asked->ticket;
    pthread_mutex_unlock(&asked->lock);
    if (asked->cancel_in) engine_cancel(asked->cancel_in, ticket);
}

static void take_result(void *context, const struct engine_result *result) {
    struct asked *asked = context;
    pthread_mutex_lock(&asked->lock);
    asked->result = *result;
    asked->finished = true;
    pthread_cond_signal(&asked->changed);
    pthread_mutex_unlock(&asked->lock);
}

static void ask(struct engine *engine, struct asked *asked, const char *question,
    struct engine_request request) {
    struct error error;
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", question);
    buffer_init(&asked->text, 1 << 20);
    pthread_mutex_init(&asked->lock, NULL);
    pthread_cond_init(&asked->changed, NULL);
    request.model = MODEL;
    request.messages = messages;
    request.context = asked;
    request.piece = take_piece;
    request.finished = take_result;
    if (!request.top_p) request.top_p = 1;
    pthread_mutex_lock(&asked->lock);
    assert_true(engine_submit(engine, &request, &asked->ticket, &error));
    pthread_mutex_unlock(&asked->lock);
    json_decref(messages);
}

static void wait_for(struct asked *asked) {
    pthread_mutex_lock(&asked->lock);
    while (!asked->finished)
        pthread_cond_wait(&asked->changed, &asked->lock);
    pthread_mutex_unlock(&asked->lock);
}

static void forget(struct asked *asked) {
    buffer_free(&asked->text);
    pthread_mutex_destroy(&asked->lock);
    pthread_cond_destroy(&asked->changed);
}

static struct engine *open_engine(int threads) {
    struct engine *engine;
    struct error error;
    struct engine_options options = {threads};
    if (!engine_open(&engine, &options, &error)) fail_msg("%s", error.message);
    return engine;
}

// A random adapter for the built-in model, in a new directory.
static char *make_adapter(uint64_t seed) {
    struct model_config config;
    struct lora *lora;
    struct error error;
    char *directory = test_directory();
    assert_true(model_config_load(&config, MODEL, &error));
    assert_true(lora_create(&lora, &config, 4, 8, LORA_ALL_MODULES, seed, &error));
    for (size_t i = 0; i < lora->entry_count; i++)
        for (size_t j = 0; j < lora->entries[i].out * lora->rank; j++)
            lora->parameters[lora->entries[i].b_offset + j] =
                (float)((double)((seed * 31 + i * 17 + j * 7) % 13) - 6.0) / 50;
    assert_true(adapter_file_save(lora, directory, "base", &error));
    lora_free(lora);
    return directory;
}

static void test_engine_answers_the_same_alone_and_in_company(void **state) {
    (void)state;
    enum { COUNT = 6 };
    static const char *const questions[COUNT] = {"Hello", "Name a colour of the sky, please.",
        "1 + 1", "Repeat after me: apples and pears and plums and figs and nuts", "x",
        "What is this?"};
    char *adapters[3] = {NULL, make_adapter(1), make_adapter(2)};
    char *alone[COUNT];
    struct engine *engine = open_engine(1);
    for (size_t i = 0; i < COUNT; i++) {
        struct asked asked = {0};
        ask(engine, &asked, questions[i],
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
        ask(engine, &company[i], questions[i],
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
    ask(engine, &whole, question, (struct engine_request){.maximum_tokens = 30});
    wait_for(&whole);
    const char *text = buffer_text(&whole.text);
    int64_t tokens = whole.result.completion_tokens;
    assert_true(whole.text.length > 6 && tokens > 2 && tokens <= 30);
    ask(engine, &shorter, question, (struct engine_request){.maximum_tokens = (long)tokens - 1});
    wait_for(&shorter);
    assert_int_equal(shorter.result.completion_tokens, tokens - 1);
    assert_int_equal(shorter.result.reason, ENGINE_LENGTH);
    char stop[3] = {text[3], text[4], 0};
    const char *stops[] = {stop};
    ask(engine, &stopped, question,
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
    struct asked cancelled = {.cancel_in = engine}, other = {0};
    ask(engine, &cancelled, "Tell me a story", (struct engine_request){0});
    ask(engine, &other, "Hello", (struct engine_request){.maximum_tokens = 4});
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
        ask(engine, &asked[i], "Tell me a story", (struct engine_request){.temperature = 2});
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
    ask(engine, &asked, text, (struct engine_request){0});
    wait_for(&asked);
    assert_int_equal(asked.result.reason, ENGINE_FAILED);
    assert_int_equal(asked.result.error.code, ERROR_INVALID);
    assert_non_null(strstr(asked.result.error.message, "1024 tokens"));
    memory_free(text);
    forget(&asked);
    engine_close(engine);
}

static void test_engine_says_that_a_model_is_missing(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked asked = {0};
    ask(engine, &asked, "x", (struct engine_request){.adapter = "/nowhere"});
    wait_for(&asked);
    assert_int_equal(asked.result.reason, ENGINE_FAILED);
    assert_true(asked.result.error.code != ERROR_INVALID);
    forget(&asked);
    engine_close(engine);
}

// ---- parts ----

static void test_sampler_keeps_to_the_nucleus(void **state) {
    (void)state;
    enum { VOCABULARY = 1000 };
    float logits[VOCABULARY];
    struct sampler_scratch scratch;
    struct error error;
    size_t seen[3] = {0};
    for (size_t i = 0; i < VOCABULARY; i++)
        logits[i] = -20;
    logits[7] = 2; // the three likeliest: about 0.665, 0.245, 0.090
    logits[900] = 1;
    logits[3] = 0;
    assert_true(sampler_scratch_create(&scratch, VOCABULARY, &error));
    struct sampler narrow = {1, 0.8, 1}, greedy = {0, 1, 1};
    for (uint64_t i = 0; i < 1000; i++) {
        int32_t token = sampler_pick(&narrow, logits, VOCABULARY, i, &scratch);
        assert_true(token == 7 || token == 900);
        seen[token == 7]++;
        assert_int_equal(token, sampler_pick(&narrow, logits, VOCABULARY, i, &scratch));
    }
    assert_in_range(seen[1], 650, 810);
    assert_int_equal(sampler_pick(&greedy, logits, VOCABULARY, 0, &scratch), 7);
    sampler_scratch_free(&scratch);
}

static void test_text_stream_shows_whole_characters_and_no_part_of_a_stop(void **state) {
    (void)state;
    static const char *const stops[] = {"END", "\n\n"};
    static const char bytes[] = "a\xc3\xa9"
                                "E\xf0\x9f\x99\x82"
                                "EN\xff"
                                "x\n.\n\nrest";
    struct text_stream stream;
    struct buffer ready, shown;
    struct error error;
    buffer_init(&ready, 1 << 16);
    buffer_init(&shown, 1 << 16);
    text_stream_init(&stream, stops, 2);
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_true(text_stream_add(&stream, bytes + i, 1, &ready, &error));
        buffer_append(&shown, buffer_text(&ready), ready.length);
    }
    assert_true(stream.stopped);
    assert_string_equal(buffer_text(&shown), "a\xc3\xa9"
                                             "E\xf0\x9f\x99\x82"
                                             "EN\xef\xbf\xbd"
                                             "x\n.");
    text_stream_free(&stream);
    buffer_free(&ready);
    buffer_free(&shown);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_answers_the_same_alone_and_in_company),
        cmocka_unit_test(test_engine_ends_at_a_stop_text_and_at_the_most_tokens),
        cmocka_unit_test(test_engine_cancels_a_request_and_goes_on),
        cmocka_unit_test(test_engine_close_cancels_what_runs),
        cmocka_unit_test(test_engine_refuses_a_prompt_longer_than_the_context),
        cmocka_unit_test(test_engine_says_that_a_model_is_missing),
        cmocka_unit_test(test_sampler_keeps_to_the_nucleus),
        cmocka_unit_test(test_text_stream_shows_whole_characters_and_no_part_of_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
