// What is exported says the same as what it was made of: logits through every format, read back.
#include "base/memory.h"
#include "generate/kv_cache.h"
#include "model/adapter_file.h"
#include "model/chat_example.h"
#include "model/gguf.h"
#include "model/model_export.h"
#include "model/quantize.h"
#include "model/transformer.h"
#include "test_model.h"
#include <math.h>

enum { TOKENS = 24 };

static const char tokenizer_json[] =
    "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 0, \"content\": \"<unk>\", \"special\": "
    "true}, {\"id\": 1, \"content\": \"<s>\", \"special\": true}, {\"id\": 2, \"content\": "
    "\"</s>\", \"special\": true}], \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": "
    "[{\"type\": \"Prepend\", \"prepend\": \"▁\"}, {\"type\": \"Replace\", \"pattern\": "
    "{\"String\": \" \"}, \"content\": \"▁\"}]}, \"model\": {\"type\": \"BPE\", "
    "\"byte_fallback\": true, \"fuse_unk\": true, \"unk_token\": \"<unk>\", \"vocab\": {\"<unk>\": "
    "0, \"<s>\": 1, \"</s>\": 2, \"▁\": 3, \"a\": 4, \"b\": 5, \"▁a\": 6, \"ab\": 7, \"▁ab\": 8}, "
    "\"merges\": [\"▁ a\", \"a b\", \"▁a b\"]}}";

// ---- a model with an adapter that does something ----

struct scene {
    char *model, *adapter, *output;
    float *logits; // [TOKENS, vocabulary] of the model with its adapter
};

static void write_file(const char *directory, const char *name, const char *text) {
    char path[FILE_PATH_SIZE];
    struct error error;
    assert_true(file_path(path, sizeof path, &error, directory, name));
    assert_true(file_write_atomic(path, text, strlen(text), &error));
}

static float *logits_of(const char *model, const char *adapter) {
    struct transformer *transformer;
    struct compute *compute;
    struct inference *inference;
    struct kv_sequence kv = {0};
    struct lora *lora = NULL;
    struct error error = {0};
    int32_t tokens[TOKENS];
    uint32_t rows[TOKENS];
    if (!transformer_open(&transformer, model, &error)) fail_msg("%s", error.message);
    const struct model_config *config = transformer_config(transformer);
    if (adapter && !adapter_file_load(&lora, config, adapter, &error))
        fail_msg("%s", error.message);
    for (uint32_t i = 0; i < TOKENS; i++) {
        tokens[i] = (int32_t)((i * 37 + 11) % config->vocabulary_size);
        rows[i] = i;
    }
    float *logits = memory_alloc_array(TOKENS * config->vocabulary_size, sizeof *logits);
    struct inference_span span = {0, TOKENS, &kv, lora};
    assert_true(compute_create(&compute, 1, COMPUTE_REFERENCE, &error));
    assert_true(inference_create(&inference, transformer, compute, TOKENS, &error));
    assert_true(kv_cache_reserve(&kv, config, TOKENS, &error));
    assert_true(
        inference_forward(inference, tokens, TOKENS, &span, 1, rows, TOKENS, logits, &error));
    kv_cache_free(&kv);
    inference_free(inference);
    compute_free(compute);
    lora_free(lora);
    transformer_close(transformer);
    return logits;
}

static void save_adapter(const char *directory) {
    struct lora *lora;
    struct error error;
    assert_true(lora_create(&lora, &test_model_config, 4, 8, LORA_ALL_MODULES, 3, &error));
    for (size_t i = 0; i < lora->entry_count; i++)
        for (size_t j = 0; j < lora->entries[i].out * lora->rank; j++)
            lora->parameters[lora->entries[i].b_offset + j] =
                0.01f * (float)((int)((i * 31 + j * 17) % 41) - 20);
    assert_true(adapter_file_save(lora, directory, "test", &error));
    lora_free(lora);
}

static struct scene scene_open(const char *config) {
    struct scene s = {.model = test_model_directory(), .adapter = test_directory()};
    s.output = test_directory();
    if (config) write_file(s.model, "config.json", config);
    write_file(s.model, "tokenizer.json", tokenizer_json);
    write_file(s.model, "tokenizer_config.json",
        "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"chat_template\": \"{{ bos_token }}"
        "{% for m in messages %}{{ m.content }}{% endfor %}\"}");
    save_adapter(s.adapter);
    s.logits = logits_of(s.model, s.adapter);
    return s;
}

static void scene_close(struct scene *s) {
    memory_free(s->logits);
    test_directory_remove(s->model);
    test_directory_remove(s->adapter);
    test_directory_remove(s->output);
}

static double worst_difference(const float *first, const float *second) {
    double worst = 0;
    for (size_t i = 0; i < TOKENS * test_model_config.vocabulary_size; i++)
        worst = fmax(worst, fabs((double)first[i] - (double)second[i]));
    return worst;
}

static void assert_says_the_same(
    const struct scene *s, const char *model, const char *adapter, double tolerance) {
    float *logits = logits_of(model, adapter);
    double worst = worst_difference(s->logits, logits);
    memory_free(logits);
    if (!(worst <= tolerance)) fail_msg("logits differ by %g", worst);
}

static void export_as(const struct scene *s,
    bool (*run)(
        const struct export_source *, const char *, struct export_options *, struct error *),
    const char *adapter, struct export_options options) {
    struct export_source source = {s->model, "owner/base", adapter};
    struct error error = {0};
    if (!run(&source, s->output, &options, &error)) fail_msg("%s", error.message);
}

// ---- GGUF ----

static void test_export_gguf_reads_back_with_the_same_logits(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    export_as(&s, export_gguf, s.adapter, (struct export_options){.type = DATA_F32});
    assert_says_the_same(&s, s.output, NULL, 1e-4);
    scene_close(&s);
}

static void test_export_gguf_keeps_what_a_smaller_type_can_hold(void **state) {
    (void)state;
    static const struct {
        enum data_type type;
        double tolerance;
    } cases[] = {{DATA_BF16, 0.2}, {DATA_F16, 0.02}, {DATA_Q8_0, 0.3}};
    for (size_t i = 0; i < 3; i++) {
        struct scene s = scene_open(NULL);
        export_as(&s, export_gguf, s.adapter, (struct export_options){.type = cases[i].type});
        float *logits = logits_of(s.output, NULL);
        double worst = worst_difference(s.logits, logits);
        memory_free(logits);
        print_message("%s: logits differ by %g\n", data_type_table[cases[i].type].name, worst);
        assert_true(worst > 0 && worst < cases[i].tolerance);
        scene_close(&s);
    }
}

static void test_export_gguf_keeps_the_scaling_of_rotations(void **state) {
    (void)state;
    static const char *const scalings[] = {"{\"rope_type\": \"linear\", \"factor\": 4.0}",
        "{\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "
        "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 64}"};
    for (size_t i = 0; i < 2; i++) {
        char config[1024];
        snprintf(config, sizeof config, "%.*s, \"rope_scaling\": %s}",
            (int)strlen(test_model_json) - 1, test_model_json, scalings[i]);
        struct scene s = scene_open(config);
        export_as(&s, export_gguf, s.adapter, (struct export_options){.type = DATA_F32});
        assert_says_the_same(&s, s.output, NULL, 1e-4);
        scene_close(&s);
    }
}

static void test_export_gguf_takes_the_tokenizer_and_the_template_along(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    struct chat_format *first, *second;
    struct token_ids wanted = {0}, found = {0};
    struct error error = {0};
    json_t *chat = json_pack("[{s:s, s:s}]", "role", "user", "content", "abba ab\nbab");
    export_as(&s, export_gguf, NULL, (struct export_options){.type = DATA_F32});
    assert_true(chat_format_open(&first, s.model, &error));
    if (!chat_format_open(&second, s.output, &error)) fail_msg("%s", error.message);
    assert_true(chat_format_prompt(first, chat, &wanted, &error));
    assert_true(chat_format_prompt(second, chat, &found, &error));
    assert_true(wanted.count > 4);
    assert_int_equal(found.count, wanted.count);
    assert_memory_equal(found.ids, wanted.ids, wanted.count * sizeof *wanted.ids);
    assert_true(chat_format_ends(second, 2));
    json_decref(chat);
    token_ids_free(&wanted);
    token_ids_free(&found);
    chat_format_close(first);
    chat_format_close(second);
    scene_close(&s);
}

static void test_export_takes_the_template_that_the_adapter_was_trained_with(void **state) {
    (void)state;
    bool (*const runs[])(const struct export_source *, const char *, struct export_options *,
        struct error *) = {export_merged, export_gguf, export_peft};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct scene s = scene_open(NULL);
        struct chat_format *format;
        struct token_ids ids = {0};
        struct error error = {0};
        bool peft = runs[i] == export_peft;
        json_t *chat = json_pack("[{s:s, s:s}]", "role", "user", "content", "a");
        write_file(s.adapter, "chat_template.jinja", "{{ eos_token }}{{ eos_token }}");
        export_as(
            &s, runs[i], s.adapter, (struct export_options){.type = i ? DATA_F32 : DATA_TYPES});
        if (!chat_format_open_with(
                &format, peft ? s.model : s.output, peft ? s.output : NULL, NULL, &error) ||
            !chat_format_prompt(format, chat, &ids, &error))
            fail_msg("%s", error.message);
        assert_int_equal(ids.count, 2);
        assert_int_equal(ids.ids[1], 2);
        token_ids_free(&ids);
        json_decref(chat);
        chat_format_close(format);
        scene_close(&s);
    }
}

// ---- merged ----

static void test_export_merged_reads_back_with_the_same_logits(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    export_as(&s, export_merged, s.adapter, (struct export_options){.type = DATA_TYPES});
    assert_says_the_same(&s, s.output, NULL, 1e-4);
    scene_close(&s);
}

static void test_export_merged_is_cut_into_files_of_the_size_that_is_asked_for(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    char path[FILE_PATH_SIZE];
    struct error error;
    export_as(&s, export_merged, s.adapter,
        (struct export_options){.type = DATA_TYPES, .shard_bytes = 20000});
    assert_true(file_path(path, sizeof path, &error, s.output, "model.safetensors.index.json"));
    assert_true(file_exists(path));
    assert_true(file_path(path, sizeof path, &error, s.output, "model.safetensors"));
    assert_false(file_exists(path));
    assert_says_the_same(&s, s.output, NULL, 1e-4);
    scene_close(&s);
}

static void test_export_refuses_numbers_that_the_type_cannot_hold(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    struct parameters *parameters;
    struct export_source source = {s.model, "base", NULL};
    struct export_options options = {.type = DATA_F16};
    struct error error = {0};
    assert_true(parameters_create(&parameters, &test_model_config, &error));
    parameters_initialise(parameters, &test_model_config, 7);
    parameters->values[100] = 1e6f;
    assert_true(parameters_save(parameters, s.model, DATA_F32, &error));
    parameters_free(parameters);
    assert_false(export_merged(&source, s.output, &options, &error));
    assert_non_null(strstr(error.message, "f16"));
    scene_close(&s);
}

static void test_export_of_a_quantised_base_holds_the_numbers_that_it_stands_for(void **state) {
    (void)state;
    static const enum data_type types[] = {DATA_INT8, DATA_NF4};
    for (size_t i = 0; i < 2; i++) {
        struct scene s = scene_open(NULL);
        char *quantised = test_directory();
        struct thread_pool *pool;
        struct error error = {0};
        assert_true(thread_pool_create(&pool, 1, &error));
        if (!quantize_model(s.model, quantised, types[i], pool, NULL, NULL, &error))
            fail_msg("%s", error.message);
        thread_pool_free(pool);
        write_file(quantised, "tokenizer.json", tokenizer_json);
        memory_free(s.logits);
        s.logits = logits_of(quantised, s.adapter);
        struct export_source source = {quantised, "owner/base", s.adapter};
        struct export_options options = {.type = DATA_F32};
        if (!export_merged(&source, s.output, &options, &error)) fail_msg("%s", error.message);
        assert_says_the_same(&s, s.output, NULL, 1e-4);
        test_directory_remove(quantised);
        scene_close(&s);
    }
}

// ---- adapters over a GGUF file ----

static void test_export_adapters_say_the_same_over_a_gguf_file(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    export_as(&s, export_gguf, NULL, (struct export_options){.type = DATA_F32});
    assert_says_the_same(&s, s.output, s.adapter, 1e-4);
    scene_close(&s);
}

static void test_export_peft_of_a_gguf_base_is_in_hugging_faces_order(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    char *copy = test_directory(), path[FILE_PATH_SIZE], *first, *second;
    size_t length, other;
    struct error error = {0};
    export_as(&s, export_gguf, NULL, (struct export_options){.type = DATA_F32});
    struct export_source source = {s.output, "owner/base", s.adapter};
    struct export_options options = {.type = DATA_TYPES};
    if (!export_peft(&source, copy, &options, &error)) fail_msg("%s", error.message);
    assert_true(file_path(path, sizeof path, &error, copy, "adapter_model.safetensors"));
    assert_true(file_read(path, 1 << 24, &first, &length, &error));
    assert_true(file_path(path, sizeof path, &error, s.adapter, "adapter_model.safetensors"));
    assert_true(file_read(path, 1 << 24, &second, &other, &error));
    assert_int_equal(length, other);
    assert_memory_equal(first, second, length);
    memory_free(first);
    memory_free(second);
    test_directory_remove(copy);
    scene_close(&s);
}

static void test_export_merged_of_a_gguf_base_is_in_hugging_faces_order(void **state) {
    (void)state;
    struct scene s = scene_open(NULL);
    char *copy = test_directory();
    struct error error = {0};
    export_as(&s, export_gguf, NULL, (struct export_options){.type = DATA_F32});
    struct export_source source = {s.output, "owner/base", s.adapter};
    struct export_options options = {.type = DATA_TYPES};
    if (!export_merged(&source, copy, &options, &error)) fail_msg("%s", error.message);
    struct model_config config;
    assert_true(model_config_load(&config, copy, &error));
    assert_false(config.rope_interleaved);
    assert_says_the_same(&s, copy, NULL, 1e-4);
    test_directory_remove(copy);
    scene_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export_gguf_reads_back_with_the_same_logits),
        cmocka_unit_test(test_export_gguf_keeps_what_a_smaller_type_can_hold),
        cmocka_unit_test(test_export_gguf_keeps_the_scaling_of_rotations),
        cmocka_unit_test(test_export_gguf_takes_the_tokenizer_and_the_template_along),
        cmocka_unit_test(test_export_takes_the_template_that_the_adapter_was_trained_with),
        cmocka_unit_test(test_export_merged_reads_back_with_the_same_logits),
        cmocka_unit_test(test_export_merged_is_cut_into_files_of_the_size_that_is_asked_for),
        cmocka_unit_test(test_export_refuses_numbers_that_the_type_cannot_hold),
        cmocka_unit_test(test_export_of_a_quantised_base_holds_the_numbers_that_it_stands_for),
        cmocka_unit_test(test_export_adapters_say_the_same_over_a_gguf_file),
        cmocka_unit_test(test_export_peft_of_a_gguf_base_is_in_hugging_faces_order),
        cmocka_unit_test(test_export_merged_of_a_gguf_base_is_in_hugging_faces_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
