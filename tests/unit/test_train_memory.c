// A job that cannot fit is refused before it starts, with what it needs, what there is, and what
// would fit.
#include "base/memory.h"
#include "test_model.h"
#include "train/train_memory.h"

// The shape of Llama 3.1 8B.
static const struct model_config large_config = {.model_type = "llama",
    .vocabulary_size = 128256,
    .hidden_size = 4096,
    .intermediate_size = 14336,
    .layers = 32,
    .heads = 32,
    .kv_heads = 8,
    .head_dim = 128,
    .context_length = 131072};

static const struct lora rank_16 = {.rank = 16, .modules = LORA_ALL_MODULES};
static const uint64_t rank_16_floats = 41943040;

static void test_train_memory_names_the_length_that_would_fit(void **state) {
    (void)state;
    struct dataset dataset = {.example_count = 10, .token_count = 200000, .longest = 20000};
    struct trainer_data data = {&dataset, NULL};
    struct error error;
    uint64_t room = (uint64_t)8 << 30;
    assert_false(
        train_memory_check(&large_config, &rank_16, rank_16_floats, &data, room, 0, &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_non_null(strstr(error.message, "there are 8.6 GB"));
    assert_non_null(strstr(error.message, "has 20000 tokens"));
    const char *fitting = strstr(error.message, "examples of up to ");
    assert_non_null(fitting);
    size_t length = strtoul(fitting + strlen("examples of up to "), NULL, 10);
    assert_in_range(length, 2048, 19999);
    dataset.longest = length;
    assert_true(
        train_memory_check(&large_config, &rank_16, rank_16_floats, &data, room, 0, &error));
}

static void test_train_memory_names_the_setting_that_allows_too_little(void **state) {
    (void)state;
    struct dataset dataset = {.example_count = 10, .token_count = 200000, .longest = 20000};
    struct trainer_data data = {&dataset, NULL};
    struct error error;
    uint64_t room = (uint64_t)1 << 40, allowed = (uint64_t)4 << 30;
    assert_true(
        train_memory_check(&large_config, &rank_16, rank_16_floats, &data, room, 0, &error));
    assert_false(
        train_memory_check(&large_config, &rank_16, rank_16_floats, &data, room, allowed, &error));
    assert_non_null(strstr(error.message, "the setting 'memory' allows 4.3 GB"));
}

// Beside what is trained, all that is allowed is for activations; by itself a run leaves the
// base model's weights and a margin.
static void test_train_memory_budget_is_what_the_optimizer_leaves(void **state) {
    (void)state;
    uint64_t free_now = train_memory_budget(0, 0, 0);
    assert_int_equal(train_memory_budget(1000000, 5, 1000), 1000000 - 16000);
    assert_int_equal(train_memory_budget(1000, 0, 1000), 0);
    assert_true(free_now < memory_available() && free_now > 0);
    assert_int_equal(train_memory_budget(0, (uint64_t)1 << 60, 0), 0);
}

static void test_train_memory_says_when_the_optimizer_alone_is_too_large(void **state) {
    (void)state;
    struct dataset dataset = {.example_count = 10, .token_count = 1000, .longest = 100};
    struct trainer_data data = {&dataset, NULL};
    struct error error;
    assert_false(train_memory_check(
        &large_config, NULL, (uint64_t)8030261248, &data, (uint64_t)64 << 30, 0, &error));
    assert_non_null(strstr(error.message, "LoRA or a smaller model"));
}

static void test_train_memory_refuses_a_spec_before_the_model_is_opened(void **state) {
    (void)state;
    struct dataset dataset = {.example_count = 10, .token_count = 1000, .longest = 100};
    struct trainer_data data = {&dataset, NULL};
    struct model_config enormous = large_config;
    struct train_spec spec;
    struct error error;
    train_spec_init(&spec);
    assert_true(train_memory_check_spec(&spec, &test_model_config, &data, &error));
    enormous.hidden_size = 1 << 17;
    enormous.intermediate_size = 1 << 19;
    enormous.layers = 1024;
    assert_false(train_memory_check_spec(&spec, &enormous, &data, &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    train_spec_free(&spec);
}

// Of a micro-batch's rows, the model decides how many, and a long example comes in whole.
static void test_train_memory_takes_fewer_rows_of_a_larger_model(void **state) {
    (void)state;
    struct dataset dataset = {.example_count = 10, .token_count = 100000, .longest = 100};
    struct trainer_data data = {&dataset, NULL};
    assert_int_equal(train_memory_rows(&test_model_config, &rank_16, &data), 2048);
    // Of SmolLM2 135M.
    struct model_config small = test_model_config;
    small.vocabulary_size = 49152;
    small.hidden_size = 576;
    small.intermediate_size = 1536;
    small.layers = 30;
    small.heads = 9;
    small.kv_heads = 3;
    small.head_dim = 64;
    assert_int_equal(train_memory_rows(&small, &rank_16, &data), 1024);
    assert_int_equal(train_memory_rows(&small, NULL, &data), 2048);
    // Of Llama 3.3 70B.
    struct model_config larger = large_config;
    larger.hidden_size = 8192;
    larger.intermediate_size = 28672;
    larger.layers = 80;
    larger.heads = 64;
    size_t rows = train_memory_rows(&larger, &rank_16, &data);
    assert_in_range(rows, 64, 2047);
    assert_true(training_bytes(&larger, &rank_16, rows, 0) <= TRAIN_MEMORY_ROWS_BYTES);
    dataset.longest = 3000;
    assert_int_equal(train_memory_rows(&larger, &rank_16, &data), 3000);
}

// Logits come some rows at a time: what they take does not grow with the vocabulary and the batch.
static void test_train_memory_of_logits_stays_small(void **state) {
    (void)state;
    enum { ROWS = 4096, VOCABULARY = 128256 };
    struct model_config small = {.hidden_size = 8,
        .intermediate_size = 8,
        .layers = 1,
        .heads = 1,
        .kv_heads = 1,
        .head_dim = 8,
        .vocabulary_size = 1};
    struct model_config large = small;
    large.vocabulary_size = VOCABULARY;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        struct compute *compute;
        struct error error;
        if (!compute_create(&compute, 1, path, &error)) continue;
        for (int full = 0; full < 2; full++) {
            const struct lora *lora = full ? NULL : &rank_16;
            uint64_t without = training_bytes_on(compute, &small, lora, ROWS, UINT64_MAX);
            uint64_t with = training_bytes_on(compute, &large, lora, ROWS, UINT64_MAX);
            assert_true(with > without);
            assert_true(with - without < 64000000);
        }
        compute_free(compute);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_memory_names_the_length_that_would_fit),
        cmocka_unit_test(test_train_memory_names_the_setting_that_allows_too_little),
        cmocka_unit_test(test_train_memory_budget_is_what_the_optimizer_leaves),
        cmocka_unit_test(test_train_memory_says_when_the_optimizer_alone_is_too_large),
        cmocka_unit_test(test_train_memory_refuses_a_spec_before_the_model_is_opened),
        cmocka_unit_test(test_train_memory_takes_fewer_rows_of_a_larger_model),
        cmocka_unit_test(test_train_memory_of_logits_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
