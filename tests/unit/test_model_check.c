// What is wrong with a model is found before it is used, and named.
#include "base/memory.h"
#include "model/model_check.h"
#include "model/safetensors_writer.h"
#include "model/weights_index.h"
#include "test_model.h"

static char *path_in(const char *directory, const char *name) {
    static _Thread_local char paths[4][FILE_PATH_SIZE];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];
    struct error error;
    assert_true(file_path(path, FILE_PATH_SIZE, &error, directory, name));
    return path;
}

static void write_text(const char *directory, const char *name, const char *text) {
    struct error error;
    assert_true(file_write_atomic(path_in(directory, name), text, strlen(text), &error));
}

// A file of the tensors of `from` with an even (or odd) place in it.
static void write_half(const struct safetensors *from, const char *path, size_t odd) {
    struct safetensor_source sources[64];
    struct error error;
    size_t count = 0;
    for (size_t i = odd; i < safetensors_count(from); i += 2) {
        const struct safetensor *tensor = safetensors_at(from, i);
        struct safetensor_source *source = &sources[count++];
        *source = (struct safetensor_source){.name = tensor->name,
            .type = DATA_F32,
            .dimensions = tensor->dimensions,
            .values = tensor->data};
        memcpy(source->shape, tensor->shape, sizeof source->shape);
    }
    assert_true(safetensors_write(path, sources, count, &error));
}

// Turns the model of one file into one of two, a.safetensors and b.safetensors, with an index in
// which `swapped` stands in the wrong one.
static void split(const char *directory, const char *swapped) {
    struct safetensors *whole;
    struct error error;
    char index[16384] = "{\"weight_map\": {";
    assert_true(safetensors_open(&whole, path_in(directory, "model.safetensors"), &error));
    for (size_t i = 0; i < safetensors_count(whole); i++) {
        const char *name = safetensors_at(whole, i)->name;
        bool second = (i % 2 == 1) != (swapped && !strcmp(swapped, name));
        size_t used = strlen(index);
        snprintf(index + used, sizeof index - used, "%s\"%s\": \"%s.safetensors\"", i ? ", " : "",
            name, second ? "b" : "a");
    }
    strcat(index, "}}");
    write_half(whole, path_in(directory, "a.safetensors"), 0);
    write_half(whole, path_in(directory, "b.safetensors"), 1);
    safetensors_close(whole);
    write_text(directory, WEIGHTS_INDEX_FILE, index);
    assert_int_equal(unlink(path_in(directory, "model.safetensors")), 0);
}

static int set_up(void **state) {
    *state = test_model_directory();
    return 0;
}

static int tear_down(void **state) {
    test_directory_remove(*state);
    return 0;
}

static void assert_refused(const char *directory, const char *expected) {
    struct model_report report;
    struct error error = {0};
    if (model_check(&report, directory, &error)) fail_msg("nothing is wrong with it");
    if (!strstr(error.message, expected)) fail_msg("%s", error.message);
}

static void test_model_check_describes_weights(void **state) {
    struct model_report report;
    struct error error;
    split(*state, NULL);
    if (!model_check_weights(&report, *state, &error)) fail_msg("%s", error.message);
    assert_int_equal(report.config.layers, 2);
    assert_int_equal(report.type, DATA_F32);
    assert_int_equal(report.parameters * sizeof(float), report.bytes);
}

static void test_model_check_names_files_that_are_missing(void **state) {
    split(*state, NULL);
    assert_int_equal(unlink(path_in(*state, "b.safetensors")), 0);
    assert_refused(*state, "1 of the 2 files");
    assert_refused(*state, "b.safetensors");
}

static void test_model_check_names_a_tensor_that_is_in_another_file_than_the_index_says(
    void **state) {
    split(*state, "model.layers.0.mlp.down_proj.weight");
    assert_refused(*state, "'model.layers.0.mlp.down_proj.weight' stands in a");
}

static void test_model_check_names_a_tensor_that_its_file_does_not_hold(void **state) {
    char *text;
    size_t length;
    struct error error;
    split(*state, NULL);
    assert_true(file_read(path_in(*state, WEIGHTS_INDEX_FILE), 1 << 20, &text, &length, &error));
    char *longer =
        memory_format("%.*s, \"lm_head.weight\": \"a.safetensors\"}}", (int)length - 2, text);
    write_text(*state, WEIGHTS_INDEX_FILE, longer);
    memory_free(longer);
    memory_free(text);
    assert_refused(*state, "a.safetensors has no tensor 'lm_head.weight'");
}

static void test_model_check_names_a_shape_that_the_config_does_not_call_for(void **state) {
    char *changed = strdup(test_model_json);
    char *at = strstr(changed, "\"intermediate_size\": 48");
    memcpy(at + strlen("\"intermediate_size\": "), "40", 2);
    write_text(*state, "config.json", changed);
    free(changed);
    assert_refused(*state, "gate_proj.weight");
}

static void test_model_check_names_a_file_that_is_cut_off(void **state) {
    uint64_t size;
    struct error error;
    char *path = path_in(*state, "model.safetensors");
    assert_true(file_size(path, &size, &error));
    assert_int_equal(truncate(path, (off_t)size - 4), 0);
    assert_refused(*state, "model.safetensors");
}

static void test_model_check_refuses_an_index_that_leads_elsewhere(void **state) {
    static const char *const names[] = {"../x.safetensors", "/x.safetensors", "x.bin",
        "x\\\\y.safetensors", ".safetensors", "x.safetensors\\u0000y", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct weights_index index;
        struct error error;
        char text[128];
        snprintf(text, sizeof text, "{\"weight_map\": {\"a\": \"%s\"}}", names[i]);
        if (weights_index_parse(&index, text, strlen(text), &error)) fail_msg("%s", names[i]);
    }
    unlink(path_in(*state, "model.safetensors"));
    write_text(*state, WEIGHTS_INDEX_FILE, "{\"weight_map\": {\"a\": \"../x.safetensors\"}}");
    assert_refused(*state, "../x.safetensors");
}

static void test_weights_index_bears_short_memory(void **state) {
    static const char text[] = "{\"weight_map\": {\"b\": \"2.safetensors\", \"a\": "
                               "\"1.safetensors\", \"c\": \"2.safetensors\"}}";
    struct weights_index index;
    struct error error;
    uint64_t failures = 0;
    (void)state;
    for (;; failures++) {
        memory_fail_at(failures + 1);
        bool ok = weights_index_parse(&index, text, strlen(text), &error);
        memory_fail_at(0);
        if (ok) break;
        assert_int_equal(error.code, ERROR_MEMORY);
        assert_true(failures < 20);
    }
    assert_true(failures >= 7);
    assert_int_equal(index.shard_count, 2);
    assert_string_equal(index.shards[weights_index_find(&index, "a")->shard], "1.safetensors");
    assert_null(weights_index_find(&index, "d"));
    weights_index_free(&index);
}

static void test_model_check_names_a_tokenizer_of_another_model(void **state) {
    assert_int_equal(symlink(TEMPER_SOURCE_DIR "/models/mini-instruct/tokenizer.json",
                         path_in(*state, "tokenizer.json")),
        0);
    assert_refused(*state, "only 96 ('vocab_size' of config.json)");
}

static void test_model_check_finds_nothing_wrong_with_the_built_in_model(void **state) {
    struct model_report report;
    struct error error;
    (void)state;
    if (!model_check(&report, TEMPER_SOURCE_DIR "/models/mini-instruct", &error))
        fail_msg("%s", error.message);
    assert_true(report.has_template);
    assert_int_equal(report.type, DATA_BF16);
    assert_in_range(report.vocabulary, 1, report.config.vocabulary_size);
}

static void test_model_check_renders_the_template(void **state) {
    static const char *const files[] = {
        "tokenizer.json", "config.json", "generation_config.json", "model.safetensors"};
    struct model_report report;
    struct error error;
    unlink(path_in(*state, "config.json"));
    unlink(path_in(*state, "model.safetensors"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(symlink(path_in(TEMPER_SOURCE_DIR "/models/mini-instruct", files[i]),
                             path_in(*state, files[i])),
            0);
    if (!model_check(&report, *state, &error)) fail_msg("%s", error.message);
    assert_false(report.has_template);
    write_text(*state, "chat_template.jinja", "{{ raise_exception('never this way') }}");
    assert_refused(*state, "never this way");
    write_text(*state, "chat_template.jinja", "{% for x in %}");
    assert_refused(*state, "chat_template.jinja");
    write_text(*state, "chat_template.jinja", "{{ messages[0]['content'] }}");
    if (!model_check(&report, *state, &error)) fail_msg("%s", error.message);
    assert_true(report.has_template);
}

int main(void) {
#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_MODEL(test_model_check_describes_weights),
        WITH_MODEL(test_model_check_names_files_that_are_missing),
        WITH_MODEL(test_model_check_names_a_tensor_that_is_in_another_file_than_the_index_says),
        WITH_MODEL(test_model_check_names_a_tensor_that_its_file_does_not_hold),
        WITH_MODEL(test_model_check_names_a_shape_that_the_config_does_not_call_for),
        WITH_MODEL(test_model_check_names_a_file_that_is_cut_off),
        WITH_MODEL(test_model_check_refuses_an_index_that_leads_elsewhere),
        WITH_MODEL(test_model_check_names_a_tokenizer_of_another_model),
        cmocka_unit_test(test_weights_index_bears_short_memory),
        cmocka_unit_test(test_model_check_finds_nothing_wrong_with_the_built_in_model),
        WITH_MODEL(test_model_check_renders_the_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
