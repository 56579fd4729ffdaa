// The bench of training: what it counts, for each kind of weights and of data.
#include "base/memory.h"
#include "model/transformer_internal.h"
#include "model/transformer_training.h"
#include "test_support.h"
#include "train/train_bench.h"
#include <math.h>
#include <string.h>

static const struct train_bench_shape tiny = {
    .name = "tiny",
    .what = "a test's",
    .vocabulary = 320,
    .hidden = 64,
    .intermediate = 128,
    .layers = 2,
    .heads = 4,
    .kv_heads = 2,
    .head_dim = 16,
    .sequences = 2,
    .length = 32,
};

static struct train_bench_result run(struct train_bench_options options) {
    struct train_bench_result result;
    struct error error;
    options.shape = &tiny;
    options.threads = 1;
    options.steps = 1;
    if (!train_bench_run(&options, &result, &error)) fail_msg("%s", error.message);
    assert_true(result.seconds > 0 && result.tokens_per_second > 0);
    assert_true(result.fraction_of_peak > 0 && result.fraction_of_peak < 1);
    return result;
}

// Of the tiny shape: a layer's matrices and norms, the output layer, LoRA's, and attention.
static const double layer_weights = 64 * (64 + 32 + 32 + 64) + 3 * 64 * 128 + 2 * 64;
static const double output_weights = 320 * 64;
static const double lora_weights =
    2 * 16 * (64 + 64 + 2 * (64 + 32) + 64 + 64 + 3 * (64 + 128)); // two layers, rank 16

static double attention_per_token(double length) {
    return 12 * (length + 1) / 2 * 64 * 2;
}

static void test_train_bench_counts_the_operations_that_the_gradient_calls_for(void **state) {
    (void)state;
    struct train_bench_result lora = run((struct train_bench_options){.weights = DATA_BF16});
    struct train_bench_result full = run((struct train_bench_options){.full = true});
    struct train_bench_result longer =
        run((struct train_bench_options){.weights = DATA_BF16, .length = 64});
    double weights = 2 * layer_weights + 64 + output_weights;
    double wanted = 4 * weights + 6 * lora_weights + attention_per_token(32);
    assert_int_equal(lora.tokens_held, 64);
    assert_int_equal(lora.tokens_computed, 64);
    assert_true(fabs(lora.operations_per_token - wanted) < 1e-9 * wanted);
    wanted = 6 * weights + attention_per_token(32);
    assert_true(fabs(full.operations_per_token - wanted) < 1e-9 * wanted);
    assert_int_equal(longer.tokens_held, 64);
    wanted = attention_per_token(64) - attention_per_token(32);
    assert_true(fabs(longer.operations_per_token - lora.operations_per_token - wanted) < 1e-3);
}

static void test_train_bench_compares_shared_prefixes_with_separate_ones(void **state) {
    (void)state;
    struct train_bench_options options = {.weights = DATA_NF4, .headlines = true};
    struct train_bench_result shared = run(options);
    options.separate = true;
    struct train_bench_result separate = run(options);
    assert_true(shared.tokens_held >= 2000 && shared.tokens_held < 2200);
    assert_in_range(
        shared.tokens_computed, shared.tokens_held * 30 / 100, shared.tokens_held * 35 / 100);
    assert_true(shared.separate_seconds > 0);
    assert_int_equal(separate.tokens_held, shared.tokens_held);
    assert_int_equal(separate.tokens_computed, shared.tokens_held);
    assert_true(separate.separate_seconds == 0);
}

static void test_train_bench_keeps_within_its_memory_or_says_that_it_cannot(void **state) {
    (void)state;
    struct train_bench_options options = {
        .shape = &tiny, .weights = DATA_INT8, .threads = 1, .steps = 1, .memory = 1000};
    struct train_bench_result result;
    struct error error;
    assert_false(train_bench_run(&options, &result, &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    options.memory = (uint64_t)100 << 20;
    result = run(options);
    assert_in_range(result.activation_bytes, 1, options.memory);
}

// Codes and scales of random weights are those of weights, in each form.
static void test_train_bench_has_random_weights_in_fewer_bits(void **state) {
    (void)state;
    static const enum data_type types[] = {DATA_BF16, DATA_INT8, DATA_NF4};
    struct model_config config = {.model_type = "llama",
        .vocabulary_size = 320,
        .hidden_size = 64,
        .intermediate_size = 192,
        .layers = 2,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 16};
    uint64_t bytes[3];
    for (size_t i = 0; i < 3; i++) {
        struct transformer *transformer;
        struct error error;
        float row[192];
        double squares = 0;
        assert_true(transformer_random(&transformer, &config, types[i], &error));
        const struct matrix *down = &transformer->layers[1].weights[LORA_DOWN];
        assert_int_equal(down->type, types[i]);
        assert_int_equal(transformer->output.type, DATA_BF16);
        for (size_t r = 0; r < down->rows; r++) {
            matrix_read(down, r, 0, down->columns, row);
            for (size_t j = 0; j < down->columns; j++) {
                assert_true(fabsf(row[j]) < 0.05f);
                squares += (double)row[j] * (double)row[j];
            }
        }
        assert_true(squares > 0.003 * 0.003 * (double)(down->rows * down->columns));
        bytes[i] = transformer_weight_bytes(transformer);
        transformer_close(transformer);
    }
    assert_true(bytes[0] > bytes[1] && bytes[1] > bytes[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_bench_counts_the_operations_that_the_gradient_calls_for),
        cmocka_unit_test(test_train_bench_compares_shared_prefixes_with_separate_ones),
        cmocka_unit_test(test_train_bench_keeps_within_its_memory_or_says_that_it_cannot),
        cmocka_unit_test(test_train_bench_has_random_weights_in_fewer_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
