// Adapters as people bring them from peft: computed as peft does, or refused by name. The goldens
// are made by tools/make_adapter_goldens.py.
#include "base/memory.h"
#include "model/adapter_file.h"
#include "model/safetensors_writer.h"
#include "model/transformer.h"
#include "test_model.h"
#include <jansson.h>
#include <math.h>

#define GOLDENS TEMPER_SOURCE_DIR "/tests/golden"

enum { MAX_TOKENS = 64 };

static struct transformer *base;

static int open_base(void **state) {
    struct error error;
    (void)state;
    return transformer_open(&base, GOLDENS "/separate", &error) ? 0 : -1;
}

static int close_base(void **state) {
    (void)state;
    transformer_close(base);
    return 0;
}

// ---- the same numbers ----

static const struct safetensor *tensor(const struct safetensors *file, const char *name) {
    const struct safetensor *found = safetensors_find(file, name);
    if (!found) fail_msg("no %s", name);
    return found;
}

static void forward(const struct lora *lora, const int32_t *tokens, size_t count, float *logits) {
    const struct model_config *config = transformer_config(base);
    struct compute *compute;
    struct inference *inference;
    struct error error = {0};
    size_t floats = kv_sequence_floats(config, MAX_TOKENS);
    struct kv_sequence kv = {0, MAX_TOKENS, memory_alloc_array(floats, sizeof(float)),
        memory_alloc_array(floats, sizeof(float))};
    struct inference_span span = {0, count, &kv, lora};
    uint32_t rows[MAX_TOKENS];
    for (size_t i = 0; i < count; i++)
        rows[i] = (uint32_t)i;
    assert_true(kv.keys && kv.values);
    assert_true(compute_create(&compute, 1, COMPUTE_REFERENCE, &error));
    assert_true(inference_create(&inference, base, compute, MAX_TOKENS, &error));
    assert_true(inference_forward(inference, tokens, count, &span, 1, rows, count, logits, &error));
    inference_free(inference);
    compute_free(compute);
    memory_free(kv.keys);
    memory_free(kv.values);
}

static struct lora *load(const char *directory) {
    struct lora *lora;
    struct error error = {0};
    if (!adapter_file_load(&lora, transformer_config(base), directory, &error))
        fail_msg("%s", error.message);
    return lora;
}

static void assert_same_logits(const char *variant) {
    struct safetensors *golden;
    struct error error;
    char name[64], directory[FILE_PATH_SIZE];
    snprintf(name, sizeof name, "logits.%s", variant);
    snprintf(directory, sizeof directory, GOLDENS "/peft/%s", variant);
    assert_true(safetensors_open(&golden, GOLDENS "/peft/golden.safetensors", &error));
    const struct safetensor *tokens = tensor(golden, "tokens"), *wanted = tensor(golden, name);
    float *logits = memory_alloc_array(wanted->elements, sizeof *logits);
    struct lora *lora = load(directory);
    forward(lora, tokens->data, tokens->elements, logits);
    for (size_t i = 0; i < wanted->elements; i++) {
        double difference = fabs((double)logits[i] - ((const float *)wanted->data)[i]);
        if (!(difference < 1e-4)) fail_msg("%s: logit %zu differs by %g", variant, i, difference);
    }
    lora_free(lora);
    memory_free(logits);
    safetensors_close(golden);
}

static void test_adapter_file_of_rslora_in_bf16_gives_the_logits_of_peft(void **state) {
    (void)state;
    assert_same_logits("rslora");
}

static void test_adapter_file_with_a_pattern_of_modules_in_f16_gives_the_logits_of_peft(
    void **state) {
    (void)state;
    assert_same_logits("pattern");
}

static void test_adapter_file_of_all_linear_layers_gives_the_logits_of_peft(void **state) {
    (void)state;
    assert_same_logits("all");
}

// ---- what is refused ----

// An adapter of `variant` whose config has `value` (JSON) at `key`; NULL takes the key away.
static char *changed(const char *variant, const char *key, const char *value) {
    char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE], *directory = test_directory();
    json_error_t fault;
    snprintf(from, sizeof from, GOLDENS "/peft/%s/adapter_config.json", variant);
    json_t *config = json_load_file(from, 0, &fault);
    assert_non_null(config);
    if (value)
        json_object_set_new(config, key, json_loads(value, JSON_DECODE_ANY, &fault));
    else
        json_object_del(config, key);
    snprintf(to, sizeof to, "%s/adapter_config.json", directory);
    assert_int_equal(json_dump_file(config, to, 0), 0);
    json_decref(config);
    snprintf(from, sizeof from, GOLDENS "/peft/%s/adapter_model.safetensors", variant);
    snprintf(to, sizeof to, "%s/adapter_model.safetensors", directory);
    assert_int_equal(symlink(from, to), 0);
    return directory;
}

static void assert_refused(char *directory, const char *expected) {
    struct lora *lora;
    struct error error = {0};
    if (adapter_file_load(&lora, transformer_config(base), directory, &error))
        fail_msg("it is taken, in spite of %s", expected);
    if (!strstr(error.message, expected)) fail_msg("%s", error.message);
    test_directory_remove(directory);
}

static void test_adapter_file_refuses_by_name_what_is_not_computed(void **state) {
    static const char *const cases[][2] = {{"use_dora", "true"}, {"bias", "\"lora_only\""},
        {"modules_to_save", "[\"lm_head\"]"}, {"rank_pattern", "{\"q_proj\": 8}"},
        {"alpha_pattern", "{\"q_proj\": 8}"}, {"layers_to_transform", "[0]"},
        {"layers_to_transform", "1"}, {"layers_pattern", "\"layers\""}, {"peft_type", "\"IA3\""},
        {"init_lora_weights", "\"pissa\""}, {"target_modules", "[\"q_proj\", \"lm_head\"]"},
        {"target_modules", "[]"}, {"use_rslora", "1"}, {"use_something_new", "true"},
        {"new_config", "{\"a\": 1}"}, {"trainable_token_indices", "[1]"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(changed("rslora", cases[i][0], cases[i][1]), cases[i][0]);
}

static void test_adapter_file_takes_what_has_no_bearing(void **state) {
    static const char *const cases[][2] = {{"lora_dropout", "0.5"}, {"peft_version", "\"9.9\""},
        {"some_new_size", "16"}, {"auto_mapping", "{\"a\": \"b\"}"}, {"inference_mode", "false"},
        {"target_modules", "[\"self_attn.q_proj\", \"model.layers.0.self_attn.v_proj\"]"},
        {"init_lora_weights", "\"gaussian\""}, {"rank_pattern", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *directory = changed("rslora", cases[i][0], cases[i][1]);
        lora_free(load(directory));
        test_directory_remove(directory);
    }
}

static void test_adapter_file_names_tensors_that_do_not_fit(void **state) {
    (void)state;
    assert_refused(changed("rslora", "r", "8"), "lora_A.weight");
    assert_refused(changed("rslora", "target_modules", "[\"q_proj\", \"k_proj\"]"), "k_proj");
    assert_refused(changed("rslora", "target_modules", "[\"q_proj\"]"), "tensors");
    assert_refused(changed("rslora", "lora_alpha", NULL), "alpha");
}

static void test_adapter_file_refuses_values_that_are_not_finite(void **state) {
    struct safetensor_source sources[64];
    struct safetensors *file;
    struct error error;
    char path[FILE_PATH_SIZE], *directory = changed("all", "r", "8");
    (void)state;
    assert_true(safetensors_open(&file, GOLDENS "/peft/all/adapter_model.safetensors", &error));
    size_t count = safetensors_count(file);
    assert_in_range(count, 1, 64);
    float bad[4096];
    for (size_t i = 0; i < count; i++) {
        const struct safetensor *from = safetensors_at(file, i);
        sources[i] = (struct safetensor_source){
            .name = from->name, .type = DATA_F32, .dimensions = 2, .values = from->data};
        memcpy(sources[i].shape, from->shape, sizeof sources[i].shape);
    }
    assert_in_range(safetensors_at(file, 3)->elements, 1, 4096);
    memcpy(bad, sources[3].values, safetensors_at(file, 3)->bytes);
    bad[1] = NAN;
    sources[3].values = bad;
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", directory);
    assert_int_equal(unlink(path), 0);
    assert_true(safetensors_write(path, sources, count, &error));
    safetensors_close(file);
    assert_refused(directory, "no finite number");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter_file_of_rslora_in_bf16_gives_the_logits_of_peft),
        cmocka_unit_test(
            test_adapter_file_with_a_pattern_of_modules_in_f16_gives_the_logits_of_peft),
        cmocka_unit_test(test_adapter_file_of_all_linear_layers_gives_the_logits_of_peft),
        cmocka_unit_test(test_adapter_file_refuses_by_name_what_is_not_computed),
        cmocka_unit_test(test_adapter_file_takes_what_has_no_bearing),
        cmocka_unit_test(test_adapter_file_names_tensors_that_do_not_fit),
        cmocka_unit_test(test_adapter_file_refuses_values_that_are_not_finite),
    };
    return cmocka_run_group_tests(tests, open_base, close_base);
}
