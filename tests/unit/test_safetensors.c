// safetensors files and adapters from outside: what is wrong is refused, with its name.
#include "base/memory.h"
#include "model/adapter_file.h"
#include "model/safetensors_writer.h"
#include "test_model.h"

// A file of a header, filled up with spaces as the format wants it, and `data` bytes behind it;
// *size is that of the whole.
static char *make(const char *header, size_t data, size_t *size) {
    size_t text = strlen(header);
    uint64_t length = (text + 7) / 8 * 8;
    char *bytes = memory_alloc_zeroed(8 + length + data, 1);
    memset(bytes + 8, ' ', length);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, text);
    *size = 8 + length + data;
    return bytes;
}

static void test_safetensors_refuses_headers_that_lie(void **state) {
    (void)state;
    static const char *const headers[] = {
        "",
        "[]",
        "{",
        "{\"a\": 1}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 400]}}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 0]}}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 4]}}",
        "{\"a\": {\"dtype\": \"F99\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904, 4], \"data_offsets\": [0, "
        "4]}}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}, \"a\": {}}",
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 4]}}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        size_t size;
        struct error error = {0};
        char *bytes = make(headers[i], 8, &size);
        if (safetensors_check(bytes, size, &error)) fail_msg("taken: %s", headers[i]);
        assert_true(*error.message != 0);
        memory_free(bytes);
    }
}

static void test_safetensors_refuses_files_that_are_cut(void **state) {
    (void)state;
    size_t size;
    struct error error;
    char *bytes =
        make("{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}", 8, &size);
    assert_true(safetensors_check(bytes, size, &error));
    for (size_t cut = 0; cut < size; cut++) {
        char *part =
            memory_copy_bytes(bytes, cut); // exactly so long: a sanitizer sees a read behind it
        assert_false(safetensors_check(part, cut, &error));
        memory_free(part);
    }
    uint64_t huge = UINT64_MAX - 3;
    memcpy(bytes, &huge, 8);
    assert_false(safetensors_check(bytes, size, &error));
    memory_free(bytes);
}

static void test_safetensors_gives_back_what_was_written(void **state) {
    (void)state;
    static const float values[6] = {1, -2.5f, 3e-5f, 0, 1e30f, 7};
    struct safetensor_source sources[] = {
        {"b", DATA_F32, 2, {2, 3}, values}, {"a", DATA_F32, 1, {6}, values}};
    struct safetensors *file;
    struct error error;
    char *directory = test_directory(), path[FILE_PATH_SIZE];
    assert_true(file_path(path, sizeof path, &error, directory, "x.safetensors"));
    assert_true(safetensors_write(path, sources, 2, &error));
    assert_true(safetensors_open(&file, path, &error));
    assert_int_equal(safetensors_count(file), 2);
    const struct safetensor *b = safetensors_find(file, "b");
    assert_true(b && b->dimensions == 2 && b->shape[0] == 2 && b->shape[1] == 3);
    assert_memory_equal(b->data, values, sizeof values);
    assert_null(safetensors_find(file, "c"));
    safetensors_close(file);
    test_directory_remove(directory);
}

// Saves an adapter, puts `config` in place of its adapter_config.json, and wants it refused with
// `part`.
static void expect_refused(const char *config, const char *part) {
    struct lora *lora, *loaded;
    struct error error = {0};
    char *directory = test_directory(), path[FILE_PATH_SIZE];
    assert_true(lora_create(&lora, &test_model_config, 2, 4, LORA_ALL_MODULES, 1, &error));
    assert_true(adapter_file_save(lora, directory, "base", &error));
    lora_free(lora);
    assert_true(adapter_file_load(&loaded, &test_model_config, directory, &error));
    lora_free(loaded);
    assert_true(file_path(path, sizeof path, &error, directory, "adapter_config.json"));
    assert_true(file_write_atomic(path, config, strlen(config), &error));
    assert_false(adapter_file_load(&loaded, &test_model_config, directory, &error));
    if (!strstr(error.message, part)) fail_msg("\"%s\" does not say \"%s\"", error.message, part);
    test_directory_remove(directory);
}

static void test_adapter_file_refuses_what_it_would_compute_wrongly(void **state) {
    (void)state;
    expect_refused("{", "adapter_config.json");
    expect_refused("{\"peft_type\": \"IA3\"}", "IA3");
    expect_refused("{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, \"use_dora\": true, "
                   "\"target_modules\": [\"q_proj\"]}",
        "dora");
    expect_refused("{\"peft_type\": \"LORA\", \"r\": 0, \"lora_alpha\": 4, \"target_modules\": "
                   "[\"q_proj\"]}",
        "r");
    expect_refused("{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 4, \"target_modules\": "
                   "[\"q_proj\"]}",
        "");
    expect_refused("{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, \"target_modules\": "
                   "[\"x_proj\"]}",
        "x_proj");
    static const char *const settings[] = {"\"bias\": \"all\"", "\"rank_pattern\": {\"q_proj\": 4}",
        "\"alpha_pattern\": {\"q_proj\": 4}", "\"modules_to_save\": [\"lm_head\"]",
        "\"fan_in_fan_out\": true", "\"layers_to_transform\": [0]", "\"use_qalora\": true",
        "\"alora_invocation_tokens\": [1, 2]", "\"init_lora_weights\": \"pissa\"",
        "\"init_lora_weights\": \"olora\"", "\"lora_alpha\": 0", "\"lora_alpha\": -1"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char text[512], name[64];
        snprintf(text, sizeof text,
            "{\"peft_type\": \"LORA\", \"r\": 2, %s%s, \"target_modules\": [\"q_proj\"]}",
            strstr(settings[i], "lora_alpha") ? "" : "\"lora_alpha\": 4, ", settings[i]);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(settings[i] + 1, "\""), settings[i] + 1);
        expect_refused(text, strstr(name, "alpha") && !strstr(name, "_pattern") ? "alpha" : name);
    }
    expect_refused(
        "{\"peft_type\": \"LORA\", \"r\": 2, \"target_modules\": [\"q_proj\"]}", "alpha");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors_refuses_headers_that_lie),
        cmocka_unit_test(test_safetensors_refuses_files_that_are_cut),
        cmocka_unit_test(test_safetensors_gives_back_what_was_written),
        cmocka_unit_test(test_adapter_file_refuses_what_it_would_compute_wrongly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
