// Quantised copies of a model: what they hold, that they answer as the numbers they stand for do,
// and what is refused.
#include "base/memory.h"
#include "model/quantize.h"
#include "model/safetensors_writer.h"
#include "model/transformer.h"
#include "model/weights.h"
#include "test_model.h"
#include <math.h>

enum { TOKENS = 12, VOCABULARY = 96 };

static void run_logits(const char *directory, float *logits) {
    struct transformer *transformer;
    struct inference *inference;
    struct compute *compute;
    struct error error;
    int32_t tokens[TOKENS];
    if (!transformer_open(&transformer, directory, &error)) fail_msg("%s", error.message);
    assert_true(compute_create(&compute, 1, COMPUTE_REFERENCE, &error));
    assert_true(inference_create(&inference, transformer, compute, TOKENS, &error));
    struct kv_sequence kv = {.capacity = TOKENS};
    size_t floats = kv_sequence_floats(transformer_config(transformer), TOKENS);
    kv.keys = memory_alloc_array(floats, sizeof *kv.keys);
    kv.values = memory_alloc_array(floats, sizeof *kv.values);
    for (int i = 0; i < TOKENS; i++)
        tokens[i] = (i * 31 + 7) % VOCABULARY;
    struct inference_span span = {0, TOKENS, &kv, NULL};
    uint32_t row = TOKENS - 1;
    assert_true(inference_forward(inference, tokens, TOKENS, &span, 1, &row, 1, logits, &error));
    memory_free(kv.keys);
    memory_free(kv.values);
    inference_free(inference);
    compute_free(compute);
    transformer_close(transformer);
}

static double distance(const float *got, const float *want, size_t count) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        difference += pow((double)got[i] - want[i], 2);
        norm += pow(want[i], 2);
    }
    return sqrt(difference / norm);
}

// Writes the numbers that a quantised model stands for as an f32 model.
static char *make_plain(const char *quantised, const char *original) {
    enum { MOST = 64 };
    struct safetensor_source sources[MOST] = {0};
    struct weights *weights, *names;
    struct error error;
    char *name = test_directory(), path[FILE_PATH_SIZE];
    assert_true(weights_open(&weights, quantised, &error));
    assert_true(weights_open(&names, original, &error));
    size_t count = weights_count(names);
    assert_true(count <= MOST);
    for (size_t i = 0; i < count; i++) {
        const struct safetensor *tensor = weights_at(names, i);
        size_t rows = tensor->dimensions == 2 ? tensor->shape[0] : 1;
        size_t columns = tensor->elements / rows;
        struct matrix matrix;
        assert_true(weights_matrix(weights, tensor->name, rows, columns, &matrix, &error));
        float *values = memory_alloc_array(tensor->elements, sizeof *values);
        for (size_t row = 0; row < rows; row++)
            matrix_read(&matrix, row, 0, columns, values + row * columns);
        sources[i] = (struct safetensor_source){.name = tensor->name,
            .type = DATA_F32,
            .dimensions = tensor->dimensions,
            .values = values};
        memcpy(sources[i].shape, tensor->shape, sizeof tensor->shape);
    }
    assert_true(file_path(path, sizeof path, &error, name, "model.safetensors"));
    assert_true(safetensors_write(path, sources, count, &error));
    assert_true(file_path(path, sizeof path, &error, name, "config.json"));
    assert_true(file_write_atomic(path, test_model_json, strlen(test_model_json), &error));
    for (size_t i = 0; i < count; i++)
        memory_free((float *)sources[i].values);
    weights_close(weights);
    weights_close(names);
    return name;
}

static void check_copy(enum data_type type, double tolerance) {
    float original[VOCABULARY], got[VOCABULARY], want[VOCABULARY];
    struct thread_pool *pool;
    struct error error;
    uint64_t expected, size;
    char *source = test_model_directory(), *target = test_directory(), path[FILE_PATH_SIZE];
    assert_true(thread_pool_create(&pool, 2, &error));
    if (!quantize_model(source, target, type, pool, NULL, NULL, &error))
        fail_msg("%s", error.message);
    thread_pool_free(pool);
    char *plain = make_plain(target, source);
    run_logits(source, original);
    run_logits(target, got);
    run_logits(plain, want);
    assert_true(distance(got, want, VOCABULARY) < 1e-5);
    assert_true(distance(got, original, VOCABULARY) < tolerance);
    assert_true(distance(got, original, VOCABULARY) > 1e-6);
    assert_true(quantize_bytes(source, type, &expected, &error));
    assert_true(file_path(path, sizeof path, &error, target, "model.safetensors"));
    assert_true(file_size(path, &size, &error));
    assert_true(size > expected && size < expected + 10000);
    test_directory_remove(source);
    test_directory_remove(target);
    test_directory_remove(plain);
}

static void test_quantize_an_int8_model_answers_as_its_numbers_do(void **state) {
    (void)state;
    check_copy(DATA_INT8, 0.03);
}

static void test_quantize_an_nf4_model_answers_as_its_numbers_do(void **state) {
    (void)state;
    check_copy(DATA_NF4, 0.5);
}

static void test_quantize_a_quantised_model_is_refused_by_tensor_and_type(void **state) {
    (void)state;
    struct thread_pool *pool;
    struct error error;
    char *source = test_model_directory(), *target = test_directory(), *other = test_directory();
    assert_true(thread_pool_create(&pool, 1, &error));
    assert_true(quantize_model(source, target, DATA_NF4, pool, NULL, NULL, &error));
    assert_false(quantize_model(target, other, DATA_INT8, pool, NULL, NULL, &error));
    assert_non_null(strstr(error.message, "is stored as U8"));
    thread_pool_free(pool);
    test_directory_remove(source);
    test_directory_remove(target);
    test_directory_remove(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantize_an_int8_model_answers_as_its_numbers_do),
        cmocka_unit_test(test_quantize_an_nf4_model_answers_as_its_numbers_do),
        cmocka_unit_test(test_quantize_a_quantised_model_is_refused_by_tensor_and_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
