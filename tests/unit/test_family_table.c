// What storing weights in bf16, int8 and nf4 changes, for each family: perplexity over the goldens'
// tokens, and the worst logit, against the same model in f32. Printed as a table; TEMPER_GOLDENS
// names other models, in the form of tools/make_goldens.py.
#include "base/memory.h"
#include "model/quantize.h"
#include "model/safetensors.h"
#include "model/transformer.h"
#include "model/transformer_training.h"
#include "test_model.h"
#include <math.h>
#include <stdlib.h>

enum { MAX_ROWS = 128 };

static const char *const names[] = {"separate", "tied", "llama-bias", "mistral", "qwen2", "qwen3"};

// How far the logits of a random model may go from f32's, as a part of their length.
static const struct {
    const char *name;
    enum data_type type;
    double limit;
} kinds[] = {{"bf16", DATA_BF16, 0.02}, {"int8", DATA_INT8, 0.1}, {"nf4", DATA_NF4, 0.5}};

struct text {
    int32_t tokens[MAX_ROWS];
    size_t rows;
};

static struct text golden_text(const char *directory) {
    char path[FILE_PATH_SIZE];
    struct safetensors *file;
    struct error error = {0};
    struct text text = {0};
    assert_true(file_path(path, sizeof path, &error, directory, "golden.safetensors"));
    if (!safetensors_open(&file, path, &error)) fail_msg("%s", error.message);
    const int32_t *lengths = safetensors_find(file, "lengths")->data;
    text.rows = (size_t)lengths[0];
    assert_in_range(text.rows, 2, MAX_ROWS);
    memcpy(text.tokens, safetensors_find(file, "tokens")->data, text.rows * sizeof *text.tokens);
    safetensors_close(file);
    return text;
}

static float *logits_of(const char *directory, const struct text *text, size_t *vocabulary) {
    struct transformer *transformer;
    struct inference *inference;
    struct compute *compute;
    struct error error = {0};
    uint32_t rows[MAX_ROWS];
    if (!transformer_open(&transformer, directory, &error)) fail_msg("%s", error.message);
    *vocabulary = transformer_config(transformer)->vocabulary_size;
    size_t floats = kv_sequence_floats(transformer_config(transformer), MAX_ROWS);
    float *logits = memory_alloc_array(text->rows * *vocabulary, sizeof *logits);
    struct kv_sequence kv = {0, MAX_ROWS, memory_alloc_array(floats, sizeof(float)),
        memory_alloc_array(floats, sizeof(float))};
    assert_true(compute_create(&compute, 2, COMPUTE_REFERENCE, &error));
    assert_true(inference_create(&inference, transformer, compute, MAX_ROWS, &error));
    for (size_t i = 0; i < text->rows; i++)
        rows[i] = (uint32_t)i;
    struct inference_span span = {0, text->rows, &kv, NULL};
    assert_true(inference_forward(
        inference, text->tokens, text->rows, &span, 1, rows, text->rows, logits, &error));
    memory_free(kv.keys);
    memory_free(kv.values);
    inference_free(inference);
    compute_free(compute);
    transformer_close(transformer);
    return logits;
}

static double perplexity(const float *logits, const struct text *text, size_t vocabulary) {
    double loss = 0;
    for (size_t i = 0; i + 1 < text->rows; i++) {
        const float *row = logits + i * vocabulary;
        double sum = 0;
        for (size_t j = 0; j < vocabulary; j++)
            sum += exp((double)row[j] - row[text->tokens[i + 1]]);
        loss += log(sum);
    }
    return exp(loss / (double)(text->rows - 1));
}

static void copy_config(const char *from, const char *to) {
    char path[FILE_PATH_SIZE], *config;
    size_t length;
    struct error error = {0};
    assert_true(file_path(path, sizeof path, &error, from, "config.json"));
    assert_true(file_read(path, 1 << 16, &config, &length, &error));
    assert_true(file_path(path, sizeof path, &error, to, "config.json"));
    assert_true(file_write_atomic(path, config, length, &error));
    memory_free(config);
}

static void write_plain(const char *from, const char *to, enum data_type type) {
    struct transformer *transformer;
    struct parameters *parameters;
    struct error error = {0};
    copy_config(from, to);
    assert_true(transformer_open(&transformer, from, &error));
    assert_true(parameters_create(&parameters, transformer_config(transformer), &error));
    transformer_copy_parameters(transformer, parameters);
    assert_true(parameters_save(parameters, to, type, &error));
    parameters_free(parameters);
    transformer_close(transformer);
}

static char *stored_as(const char *directory, enum data_type type) {
    char *name = test_directory();
    struct compute *compute;
    struct error error = {0};
    if (type == DATA_BF16) {
        write_plain(directory, name, type);
        return name;
    }
    assert_true(compute_create(&compute, 2, COMPUTE_REFERENCE, &error));
    if (!quantize_model(directory, name, type, compute_pool(compute), NULL, NULL, &error))
        fail_msg("%s", error.message);
    compute_free(compute);
    return name;
}

static void compare(const char *name, const char *directory) {
    struct text text = golden_text(directory);
    size_t vocabulary;
    float *want = logits_of(directory, &text, &vocabulary);
    print_message(
        "| %-10s | f32  | %10.4f |         |\n", name, perplexity(want, &text, vocabulary));
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char *copy = stored_as(directory, kinds[k].type);
        float *got = logits_of(copy, &text, &vocabulary);
        double difference = 0, length = 0, worst = 0;
        for (size_t i = 0; i < text.rows * vocabulary; i++) {
            difference += pow((double)got[i] - want[i], 2);
            length += pow(want[i], 2);
            worst = fmax(worst, fabs((double)got[i] - want[i]));
        }
        print_message("| %-10s | %-4s | %10.4f | %7.4f |\n", name, kinds[k].name,
            perplexity(got, &text, vocabulary), worst);
        if (!(worst > 0) || !(sqrt(difference / length) <= kinds[k].limit))
            fail_msg("%s in %s: the logits differ by %g of their length", name, kinds[k].name,
                sqrt(difference / length));
        memory_free(got);
        test_directory_remove(copy);
    }
    memory_free(want);
}

static void test_family_table_of_what_storing_in_fewer_bits_changes(void **state) {
    (void)state;
    const char *given = getenv("TEMPER_GOLDENS");
    print_message("| model      | as   | perplexity | worst logit difference |\n");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char directory[FILE_PATH_SIZE];
        snprintf(directory, sizeof directory, "%s/%s",
            given && *given ? given : TEMPER_SOURCE_DIR "/tests/golden", names[i]);
        compare(names[i], directory);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_family_table_of_what_storing_in_fewer_bits_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
