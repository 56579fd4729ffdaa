// Many requests at once, on a tiny random model with the built-in tokenizer: the same answers as
// alone, places and caches that run out, and memory that does.
#include "base/memory.h"
#include "base/random.h"
#include "generate/kv_cache.h"
#include "generate/model_cache.h"
#include "test_asking.h"

enum { CONTEXT = 512, ADAPTERS = 3 };

static char *model, *adapters[ADAPTERS]; // the first is none

static void copy_file(const char *name) {
    char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE], *text;
    size_t length;
    struct error error;
    assert_true(
        file_path(from, sizeof from, &error, TEMPER_SOURCE_DIR "/models/mini-instruct", name));
    assert_true(file_path(to, sizeof to, &error, model, name));
    assert_true(file_read(from, 1 << 24, &text, &length, &error));
    assert_true(file_write_atomic(to, text, length, &error));
    memory_free(text);
}

static void make_model(void) {
    static const char json[] =
        "{\"model_type\": \"llama\", \"vocab_size\": 4096, \"hidden_size\": 32, "
        "\"intermediate_size\": 48, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
        "\"num_key_value_heads\": 2, \"head_dim\": 8, \"max_position_embeddings\": 512, "
        "\"rms_norm_eps\": 1e-5, \"rope_theta\": 10000.0, \"tie_word_embeddings\": true}";
    struct model_config config = test_model_config;
    struct parameters *parameters;
    struct error error;
    char path[FILE_PATH_SIZE];
    config.vocabulary_size = 4096;
    config.context_length = CONTEXT;
    model = test_directory();
    assert_true(parameters_create(&parameters, &config, &error));
    parameters_initialise(parameters, &config, 7);
    assert_true(parameters_save(parameters, model, DATA_BF16, &error));
    parameters_free(parameters);
    assert_true(file_path(path, sizeof path, &error, model, "config.json"));
    assert_true(file_write_atomic(path, json, strlen(json), &error));
    copy_file("tokenizer.json");
    copy_file("tokenizer_config.json");
    copy_file("generation_config.json");
}

static int set_up(void **state) {
    (void)state;
    make_model();
    for (size_t i = 1; i < ADAPTERS; i++)
        adapters[i] = make_adapter(model, i);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 1; i < ADAPTERS; i++)
        test_directory_remove(adapters[i]);
    test_directory_remove(model);
    return 0;
}

// A question of `words` words.
static const char *question(size_t words) {
    static char text[1 << 14];
    text[0] = 0;
    size_t length = 0;
    for (size_t i = 0; i < words; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s ",
            (const char *[]){"tree", "river", "stone", "cloud", "bird"}[(i * i + words) % 5]);
    return text;
}

// ---- the same answer ----

enum { MANY = 40 }; // more than the engine runs at once

static struct engine_request request_of(size_t i) {
    return (struct engine_request){.adapter = adapters[i % ADAPTERS],
        .maximum_tokens = 6 + (long)(i % 5) * 4,
        .temperature = i % 4 ? 0.5 + (double)(i % 4) * 0.25 : 0,
        .top_p = i % 2 ? 0.9 : 1,
        .has_seed = true,
        .seed = i};
}

// Some short, some longer than the engine takes of a prompt in one pass.
static const char *question_of(size_t i) {
    return question(i % 7 == 3 ? 200 : i % 7 == 5 ? 100 : i % 9);
}

static void test_engine_gives_many_the_answers_that_they_get_alone(void **state) {
    (void)state;
    struct asked alone[MANY] = {0}, company[MANY] = {0};
    int64_t longest = 0;
    size_t differ = 0;
    struct engine *engine = open_engine(1);
    for (size_t i = 0; i < MANY; i++) {
        ask(engine, &alone[i], model, question_of(i), request_of(i));
        wait_for(&alone[i]);
        if (alone[i].result.prompt_tokens > longest) longest = alone[i].result.prompt_tokens;
    }
    engine_close(engine);
    assert_true(longest > 256 && longest < CONTEXT);
    engine = open_engine(2);
    for (size_t i = MANY; i-- > 0;) // in another order
        ask(engine, &company[i], model, question_of(i), request_of(i));
    for (size_t i = 0; i < MANY; i++) {
        wait_for(&company[i]);
        assert_string_equal(buffer_text(&company[i].text), buffer_text(&alone[i].text));
        assert_int_equal(company[i].result.reason, alone[i].result.reason);
        assert_int_equal(company[i].result.prompt_tokens, alone[i].result.prompt_tokens);
        assert_int_equal(company[i].result.completion_tokens, alone[i].result.completion_tokens);
        differ += i > 0 && strcmp(buffer_text(&alone[i].text), buffer_text(&alone[0].text));
    }
    assert_true(differ > MANY / 2); // the answers say something
    for (size_t i = 0; i < MANY; i++) {
        forget(&alone[i]);
        forget(&company[i]);
    }
    engine_close(engine);
}

static void test_engine_adapters_change_the_answer(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked asked[ADAPTERS] = {0};
    for (size_t i = 0; i < ADAPTERS; i++)
        ask(engine, &asked[i], model, "Hello",
            (struct engine_request){
                .adapter = adapters[i], .maximum_tokens = 20, .temperature = 1, .has_seed = true});
    for (size_t i = 0; i < ADAPTERS; i++)
        wait_for(&asked[i]);
    assert_string_not_equal(buffer_text(&asked[0].text), buffer_text(&asked[1].text));
    assert_string_not_equal(buffer_text(&asked[0].text), buffer_text(&asked[2].text));
    assert_string_not_equal(buffer_text(&asked[1].text), buffer_text(&asked[2].text));
    for (size_t i = 0; i < ADAPTERS; i++)
        forget(&asked[i]);
    engine_close(engine);
}

// What the equal answers rest on: not one bit of the logits depends on who else is in the pass.
struct bench {
    struct compute *compute;
    struct transformer *transformer;
    struct inference *inference;
    struct lora *lora[ADAPTERS];
    float *logits;
};

static void bench_open(struct bench *b, int threads) {
    struct error error;
    memset(b, 0, sizeof *b);
    assert_true(compute_create(&b->compute, threads, COMPUTE_AUTO, &error));
    assert_true(transformer_open(&b->transformer, model, &error));
    assert_true(inference_create(&b->inference, b->transformer, b->compute, 400, &error));
    const struct model_config *config = transformer_config(b->transformer);
    for (size_t i = 1; i < ADAPTERS; i++)
        assert_true(adapter_file_load(&b->lora[i], config, adapters[i], &error));
    b->logits = memory_alloc_array(8 * config->vocabulary_size, sizeof *b->logits);
    assert_non_null(b->logits);
}

static void bench_close(struct bench *b) {
    memory_free(b->logits);
    for (size_t i = 1; i < ADAPTERS; i++)
        lora_free(b->lora[i]);
    inference_free(b->inference);
    transformer_close(b->transformer);
    compute_free(b->compute);
}

// The logits after 70 tokens of a prompt and one more, with `others` sequences around them.
static void logits_in_company(struct bench *b, size_t others, float *result) {
    const struct model_config *config = transformer_config(b->transformer);
    struct kv_sequence kv[8] = {0};
    int32_t tokens[400];
    struct error error;
    size_t mine = others / 2;
    for (size_t i = 0; i < 400; i++)
        tokens[i] = (int32_t)random_below(5, others, i, config->vocabulary_size);
    for (size_t step = 0; step < 2; step++) {
        struct inference_span spans[8];
        size_t rows = 0;
        for (size_t i = 0; i <= others; i++) {
            size_t count = i == mine ? (step ? 1 : 70) : i == others ? 150 : 1 + i % 3;
            spans[i] = (struct inference_span){
                rows, count, &kv[i], i == mine ? b->lora[1] : b->lora[i % ADAPTERS]};
            if (i == mine)
                for (size_t j = 0; j < count; j++)
                    tokens[rows + j] = (int32_t)(100 + 7 * j + step);
            assert_true(kv_cache_reserve(&kv[i], config, kv[i].length + count, &error));
            rows += count;
        }
        uint32_t row = (uint32_t)(spans[mine].first_row + spans[mine].row_count - 1);
        uint32_t wanted[3] = {(uint32_t)rows - 1, row, 0};
        size_t logit_count = others ? 3 : 1;
        assert_true(inference_forward(b->inference, tokens, rows, spans, others + 1,
            others ? wanted : &row, logit_count, b->logits, &error));
        memcpy(result + step * config->vocabulary_size,
            b->logits + (others ? config->vocabulary_size : 0),
            config->vocabulary_size * sizeof *result);
    }
    for (size_t i = 0; i <= others; i++)
        kv_cache_free(&kv[i]);
}

static void test_inference_logits_have_the_same_bits_in_any_company(void **state) {
    (void)state;
    static float alone[2 * 4096], company[2 * 4096];
    for (int threads = 1; threads <= 2; threads++) {
        struct bench b;
        bench_open(&b, threads);
        if (threads == 1) logits_in_company(&b, 0, alone);
        for (size_t others = 1; others < 8; others++) {
            logits_in_company(&b, others, company);
            assert_memory_equal(company, alone, sizeof alone);
        }
        bench_close(&b);
    }
    assert_memory_not_equal(alone, alone + 4096, sizeof alone / 2);
}

static bool asked_at_last(void *context) {
    size_t *left = context;
    return (*left)-- == 0;
}

// The logits behind a prompt that is put aside before `stop` (or never) layers more, again and
// again, while another sequence goes on.
static void logits_with_pauses(struct bench *b, size_t stop, float *result, size_t *pauses) {
    const struct model_config *config = transformer_config(b->transformer);
    struct kv_sequence mine = {0}, other = {0};
    struct inference_pause pause = {asked_at_last};
    int32_t tokens[90];
    uint32_t row = 89, first = 0;
    struct error error;
    for (size_t i = 0; i < 90; i++)
        tokens[i] = (int32_t)(100 + 7 * i);
    assert_true(kv_cache_reserve(&mine, config, 90, &error));
    assert_true(kv_cache_reserve(&other, config, 90, &error));
    struct inference_span span = {0, 90, &mine, b->lora[1]}, beside = {0, 1, &other, NULL};
    for (*pauses = 0;; ++*pauses) {
        size_t left = stop;
        pause.context = &left;
        inference_pause_by(b->inference, &pause);
        if (inference_forward(b->inference, tokens, 90, &span, 1, &row, 1, result, &error)) break;
        assert_true(inference_was_paused(b->inference));
        assert_int_equal(mine.length, 0);
        assert_true(*pauses < config->layers);
        inference_pause_by(b->inference, NULL);
        assert_true(inference_forward(
            b->inference, tokens + *pauses, 1, &beside, 1, &first, 1, b->logits, &error));
    }
    inference_pause_by(b->inference, NULL);
    assert_int_equal(mine.length, 90);
    inference_pause_free(&pause);
    kv_cache_free(&mine);
    kv_cache_free(&other);
}

static void test_inference_put_aside_ends_with_the_same_bits(void **state) {
    (void)state;
    static float whole[4096], paused[4096];
    size_t pauses;
    struct bench b;
    bench_open(&b, 2);
    size_t layers = transformer_config(b.transformer)->layers;
    logits_with_pauses(&b, layers, whole, &pauses);
    assert_int_equal(pauses, 0);
    for (size_t stop = 1; stop < layers; stop++) {
        logits_with_pauses(&b, stop, paused, &pauses);
        assert_int_equal(pauses, (layers - 1) / stop);
        assert_memory_equal(paused, whole, sizeof whole);
    }
    bench_close(&b);
}

// ---- seeds, characters, lengths ----

static char *answer_to(struct engine *engine, struct engine_request request) {
    struct asked asked = {0};
    ask(engine, &asked, model, "Hello", request);
    wait_for(&asked);
    char *text = buffer_take(&asked.text);
    forget(&asked);
    assert_non_null(text);
    return text;
}

static void test_engine_repeats_an_answer_for_its_seed_alone(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct engine_request request = {.maximum_tokens = 20, .temperature = 2, .has_seed = true};
    char *first = answer_to(engine, request), *again = answer_to(engine, request);
    request.seed = 1;
    char *other = answer_to(engine, request);
    request.has_seed = false;
    char *free_one = answer_to(engine, request), *free_two = answer_to(engine, request);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_string_not_equal(free_one, free_two);
    memory_free(first);
    memory_free(again);
    memory_free(other);
    memory_free(free_one);
    memory_free(free_two);
    engine_close(engine);
}

static void test_engine_shows_whole_characters_of_random_bytes(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    bool broken_bytes = false;
    for (uint64_t seed = 0; seed < 4; seed++) {
        char *text = answer_to(engine, (struct engine_request){.maximum_tokens = 200,
                                           .temperature = 50, // any token
                                           .has_seed = true,
                                           .seed = seed});
        assert_int_equal(utf8_valid_length(text, strlen(text)), strlen(text));
        broken_bytes |= strstr(text, "\xef\xbf\xbd") != NULL;
        memory_free(text);
    }
    assert_true(broken_bytes); // or nothing was put to the test
    engine_close(engine);
}

static void test_engine_ends_where_the_context_is_full(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked asked = {0};
    ask(engine, &asked, model, question(10), (struct engine_request){0});
    wait_for(&asked);
    assert_int_equal(asked.result.reason, ENGINE_LENGTH);
    assert_int_equal(asked.result.prompt_tokens + asked.result.completion_tokens, CONTEXT);
    forget(&asked);
    engine_close(engine);
}

static void test_engine_tells_the_prompt_and_the_context_where_the_one_is_longer(void **state) {
    (void)state;
    struct engine *engine = open_engine(1);
    struct asked asked = {0}, next = {0};
    char prompt[32];
    ask(engine, &asked, model, question(1000), (struct engine_request){0});
    ask(engine, &next, model, "Hello", (struct engine_request){.maximum_tokens = 1});
    wait_for(&asked);
    wait_for(&next);
    assert_int_equal(asked.result.reason, ENGINE_FAILED);
    assert_int_equal(asked.result.error.code, ERROR_INVALID);
    assert_true(asked.result.prompt_tokens > CONTEXT);
    snprintf(prompt, sizeof prompt, "%lld tokens", (long long)asked.result.prompt_tokens);
    assert_non_null(strstr(asked.result.error.message, prompt));
    assert_non_null(strstr(asked.result.error.message, "512 tokens"));
    assert_true(next.result.reason != ENGINE_FAILED);
    forget(&asked);
    forget(&next);
    engine_close(engine);
}

// ---- places ----

// What a first piece waits at, and with it the scheduler.
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool reached, open;
};

static void wait_at_gate(struct asked *asked) {
    struct gate *gate = asked->hook_context;
    pthread_mutex_lock(&gate->lock);
    gate->reached = true;
    pthread_cond_signal(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void await_gate(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    while (!gate->reached)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_signal(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void test_engine_ends_a_cancelled_request_that_still_waits_for_a_place(void **state) {
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    atomic_size_t ended = 0;
    struct asked asked[MANY] = {0};
    struct engine *engine = open_engine(1);
    asked[0].at_first_piece = wait_at_gate;
    asked[0].hook_context = &gate;
    for (size_t i = 0; i < MANY; i++) {
        asked[i].counter = &ended;
        ask(engine, &asked[i], model, "Hello",
            (struct engine_request){.maximum_tokens = 60, .temperature = 1, .has_seed = true});
        if (i == 0) await_gate(&gate);
    }
    engine_cancel(engine, asked[MANY - 1].ticket);
    open_gate(&gate);
    for (size_t i = 0; i < MANY; i++)
        wait_for(&asked[i]);
    assert_int_equal(asked[MANY - 1].result.reason, ENGINE_CANCELLED);
    assert_int_equal(asked[MANY - 1].ended_as, 0);
    assert_int_equal(asked[MANY - 1].pieces, 0);
    for (size_t i = 0; i + 1 < MANY; i++)
        assert_string_equal(buffer_text(&asked[i].text), buffer_text(&asked[0].text));
    for (size_t i = 0; i < MANY; i++)
        forget(&asked[i]);
    engine_close(engine);
}

// Other names of one directory: entries of their own for the caches.
static void make_name(char *path, size_t size, const char *below, const char *target, size_t i) {
    snprintf(path, size, "%s/%zu", below, i);
    assert_int_equal(symlink(target, path), 0);
}

static bool holds_adapter(const struct model_cache *cache, const char *directory) {
    for (size_t i = 0; i < MODEL_CACHE_ADAPTERS; i++)
        if (cache->adapters[i] && !strcmp(cache->adapters[i]->directory, directory)) return true;
    return false;
}

static void test_model_cache_drops_the_adapter_unused_for_longest_but_none_in_use(void **state) {
    (void)state;
    enum { NAMES = MODEL_CACHE_ADAPTERS + 2 };
    static char names[NAMES][FILE_PATH_SIZE];
    struct loaded_adapter *held[NAMES] = {NULL}, *adapter;
    struct loaded_model *loaded;
    struct compute *compute;
    struct model_cache cache;
    struct error error;
    char *directory = test_directory();
    assert_true(compute_create(&compute, 1, COMPUTE_AUTO, &error));
    model_cache_init(&cache, compute, 16, 4);
    assert_true(model_cache_model(&cache, model, &loaded, &error));
    for (size_t i = 0; i < NAMES; i++)
        make_name(names[i], sizeof names[i], directory, adapters[1], i);
    for (size_t i = 0; i < MODEL_CACHE_ADAPTERS; i++) {
        assert_true(model_cache_adapter(&cache, loaded, names[i], &adapter, &error));
        if (i != 1) model_cache_release_adapter(adapter); // the second stays in use
        held[1] = i == 1 ? adapter : held[1];
    }
    assert_true(model_cache_adapter(&cache, loaded, names[0], &adapter, &error)); // used again
    model_cache_release_adapter(adapter);
    assert_true(model_cache_adapter(&cache, loaded, names[MODEL_CACHE_ADAPTERS], &adapter, &error));
    model_cache_release_adapter(adapter);
    assert_true(holds_adapter(&cache, names[0]));
    assert_true(holds_adapter(&cache, names[1]));
    assert_false(holds_adapter(&cache, names[2]));
    assert_true(holds_adapter(&cache, names[3]));
    assert_true(holds_adapter(&cache, names[MODEL_CACHE_ADAPTERS]));

    for (size_t i = 2; i < MODEL_CACHE_ADAPTERS + 1; i++)
        assert_true(model_cache_adapter(&cache, loaded, names[i], &held[i], &error));
    assert_false(
        model_cache_adapter(&cache, loaded, names[MODEL_CACHE_ADAPTERS + 1], &adapter, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    for (size_t i = 0; i < NAMES; i++)
        model_cache_release_adapter(held[i]);
    assert_true(
        model_cache_adapter(&cache, loaded, names[MODEL_CACHE_ADAPTERS + 1], &adapter, &error));
    model_cache_release_adapter(adapter);
    model_cache_release_model(loaded);
    model_cache_free(&cache);
    compute_free(compute);
    test_directory_remove(directory);
}

static void test_model_cache_opens_a_model_once_and_drops_it_with_its_adapters(void **state) {
    (void)state;
    char names[MODEL_CACHE_MODELS + 1][FILE_PATH_SIZE];
    struct loaded_model *first, *loaded;
    struct loaded_adapter *adapter;
    struct compute *compute;
    struct model_cache cache;
    struct error error;
    char *directory = test_directory();
    assert_true(compute_create(&compute, 1, COMPUTE_AUTO, &error));
    model_cache_init(&cache, compute, 16, 4);
    for (size_t i = 0; i <= MODEL_CACHE_MODELS; i++)
        make_name(names[i], sizeof names[i], directory, model, i);
    assert_true(model_cache_model(&cache, names[0], &first, &error));
    assert_true(model_cache_model(&cache, names[0], &loaded, &error));
    assert_ptr_equal(first, loaded);
    model_cache_release_model(loaded);
    assert_true(model_cache_adapter(&cache, first, adapters[1], &adapter, &error));
    model_cache_release_adapter(adapter);
    model_cache_release_model(first);
    for (size_t i = 1; i <= MODEL_CACHE_MODELS; i++) {
        assert_true(holds_adapter(&cache, adapters[1]));
        assert_true(model_cache_model(&cache, names[i], &loaded, &error));
        model_cache_release_model(loaded);
    }
    assert_false(holds_adapter(&cache, adapters[1]));
    model_cache_free(&cache);
    compute_free(compute);
    test_directory_remove(directory);
}

// ---- memory ----

// Asks with the n-th allocation failing, then again with memory to spare. False once n is beyond
// all.
static bool survives(uint64_t n) {
    struct engine_options options = {1};
    struct engine_request request = {.adapter = adapters[1], .maximum_tokens = 5};
    struct engine *engine;
    struct asked asked = {0}, next = {0};
    struct error error = {0};
    uint64_t before = memory_allocations();
    memory_fail_at(n);
    if (!engine_open(&engine, &options, &error)) {
        memory_fail_at(0);
        assert_int_equal(error.code, ERROR_MEMORY);
        return true;
    }
    bool taken = try_to_ask(engine, &asked, model, question(60), request, &error);
    if (taken) wait_for(&asked);
    memory_fail_at(0);
    bool beyond = memory_allocations() - before < n;
    if (!taken) assert_int_equal(error.code, ERROR_MEMORY);
    if (asked.result.reason == ENGINE_FAILED) {
        if (asked.result.error.code != ERROR_MEMORY)
            fail_msg("allocation %llu: %s", (unsigned long long)n, asked.result.error.message);
        assert_false(beyond);
    }
    ask(engine, &next, model, question(60), request);
    wait_for(&next);
    assert_true(next.result.reason == ENGINE_LENGTH || next.result.reason == ENGINE_STOP);
    forget(&asked);
    forget(&next);
    engine_close(engine);
    return !beyond;
}

static void test_engine_goes_on_after_memory_ran_out_anywhere(void **state) {
    (void)state;
    uint64_t n = 1;
    while (survives(n))
        n += 1 + n / 8;
    assert_true(n > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_gives_many_the_answers_that_they_get_alone),
        cmocka_unit_test(test_engine_adapters_change_the_answer),
        cmocka_unit_test(test_inference_logits_have_the_same_bits_in_any_company),
        cmocka_unit_test(test_inference_put_aside_ends_with_the_same_bits),
        cmocka_unit_test(test_engine_repeats_an_answer_for_its_seed_alone),
        cmocka_unit_test(test_engine_shows_whole_characters_of_random_bytes),
        cmocka_unit_test(test_engine_ends_where_the_context_is_full),
        cmocka_unit_test(test_engine_tells_the_prompt_and_the_context_where_the_one_is_longer),
        cmocka_unit_test(test_engine_ends_a_cancelled_request_that_still_waits_for_a_place),
        cmocka_unit_test(test_model_cache_drops_the_adapter_unused_for_longest_but_none_in_use),
        cmocka_unit_test(test_model_cache_opens_a_model_once_and_drops_it_with_its_adapters),
        cmocka_unit_test(test_engine_goes_on_after_memory_ran_out_anywhere),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
