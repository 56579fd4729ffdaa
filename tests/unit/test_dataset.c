// Training files: what is taken, what is refused, and in which words.
#include "model/chat_example.h"
#include "test_model.h"
#include "train/dataset.h"

#define MODEL TEMPER_SOURCE_DIR "/models/mini-instruct"
#define SHARED TEMPER_SOURCE_DIR "/../shared/data/"
#define GOOD                                                                                       \
    "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", "         \
    "\"content\": \"b\"}]}\n"

struct loaded {
    bool ok;
    struct dataset *dataset;
    struct dataset_faults faults;
    struct error error;
};

static struct loaded load_file(
    const char *path, const char *template, struct dataset_options options) {
    struct loaded result = {0};
    struct chat_format *format;
    struct thread_pool *pool;
    struct error error;
    assert_true(chat_format_open_with(&format, MODEL, NULL, template, &error));
    assert_true(thread_pool_create(&pool, 2, &error));
    result.ok =
        dataset_load(&result.dataset, path, format, &options, pool, &result.faults, &result.error);
    thread_pool_free(pool);
    chat_format_close(format);
    return result;
}

static struct loaded load(const char *content, size_t length, struct dataset_options options) {
    char *directory = test_directory(), path[FILE_PATH_SIZE];
    struct error error;
    assert_true(file_path(path, sizeof path, &error, directory, "data.jsonl"));
    assert_true(file_write_atomic(path, content, length, &error));
    options.file_name = "data.jsonl";
    if (!options.context_length) options.context_length = 1024;
    struct loaded result = load_file(path, NULL, options);
    test_directory_remove(directory);
    return result;
}

static struct loaded load_text(const char *content) {
    return load(content, strlen(content), (struct dataset_options){0});
}

static void expect_fault(const char *line, size_t length, const char *part) {
    char content[4096];
    size_t good = strlen(GOOD);
    memcpy(content, GOOD, good);
    memcpy(content + good, line, length);
    struct loaded result = load(content, good + length, (struct dataset_options){0});
    assert_false(result.ok);
    assert_int_equal(result.faults.count, 1);
    assert_int_equal(result.faults.items[0].line, 2);
    if (!strstr(result.faults.items[0].message, part))
        fail_msg("\"%s\" does not say \"%s\"", result.faults.items[0].message, part);
    assert_non_null(strstr(result.error.message, "data.jsonl, line 2: "));
}

static void test_dataset_names_the_line_and_the_fault(void **state) {
    (void)state;
    static const char latin1[] = "{\"messages\": \"caf\xe9\"}";
    static const struct {
        const char *line, *part;
    } rows[] = {
        {"{oops", "not JSON"},
        {"[1, 2]", "not a JSON object"},
        {"{\"prompt\": \"x\"}", "no \"messages\""},
        {"{\"text\": \"plain\"}", "no \"messages\""},
        {"{\"messages\": []}", "0 messages"},
        {"{\"messages\": [], \"messages\": []}", "duplicate"},
        {latin1, "0xE9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_fault(rows[i].line, strlen(rows[i].line), rows[i].part);
    expect_fault("{\"a\": \"\0\"}", 9, "not JSON");
}

static void test_dataset_tells_ten_faults_and_that_there_are_more(void **state) {
    (void)state;
    char content[512] = "";
    for (int i = 0; i < 25; i++)
        strcat(content, "x\n");
    struct loaded result = load_text(content);
    assert_false(result.ok);
    assert_int_equal(result.faults.count, 10);
    assert_true(result.faults.more);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(result.faults.items[i].line, i + 1);
}

static void test_dataset_wants_enough_examples(void **state) {
    (void)state;
    struct loaded result =
        load(GOOD GOOD GOOD, 3 * strlen(GOOD), (struct dataset_options){.minimum_examples = 10});
    assert_false(result.ok);
    assert_int_equal(result.faults.items[0].line, 0);
    assert_non_null(strstr(result.faults.items[0].message, "3 examples"));
    assert_non_null(strstr(result.faults.items[0].message, "add 7 more"));
}

static void test_dataset_passes_over_blank_lines_and_a_byte_order_mark(void **state) {
    (void)state;
    struct loaded result = load_text("\xef\xbb\xbf" GOOD "\n  \r\n" GOOD);
    assert_true(result.ok);
    assert_int_equal(result.dataset->example_count, 2);
    assert_int_equal(result.dataset->examples[1].line, 4);
    dataset_free(result.dataset);
}

static void test_dataset_cuts_at_the_context_and_counts(void **state) {
    (void)state;
    static const char row[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": "
        "\"assistant\", \"content\": \"one two three four five six seven\"}]}\n";
    struct loaded whole = load_text(row);
    assert_true(whole.ok);
    size_t length = whole.dataset->examples[0].length, trained = whole.dataset->trained_count;
    struct loaded cut =
        load(row, strlen(row), (struct dataset_options){.context_length = length - 3});
    assert_true(cut.ok);
    assert_int_equal(cut.dataset->truncated_count, 1);
    assert_int_equal(cut.dataset->examples[0].length, length - 3);
    assert_int_equal(cut.dataset->trained_count, trained - 3);
    struct loaded nothing =
        load(row, strlen(row), (struct dataset_options){.context_length = length - trained});
    assert_false(nothing.ok);
    assert_non_null(strstr(nothing.error.message, "shorten what stands before the answer"));
    dataset_free(whole.dataset);
    dataset_free(cut.dataset);
}

static void test_dataset_takes_plain_texts_for_pretraining(void **state) {
    (void)state;
    static const char row[] = "{\"text\": \"Once upon a time\"}\n";
    struct loaded result = load(row, strlen(row), (struct dataset_options){.text_weight = 0.5f});
    assert_true(result.ok);
    struct dataset *dataset = result.dataset;
    assert_int_equal(dataset->weights[0], 0);
    for (size_t i = 1; i < dataset->token_count; i++)
        assert_true(dataset->weights[i] == 0.5f);
    dataset_free(dataset);
}

static void test_dataset_takes_every_line_of_a_real_file_with_tools(void **state) {
    (void)state;
    static const char data[] = SHARED "finetune/openai-cookbook/drone_training.jsonl";
    static const char *const templates[] = {"meta-llama-Llama-3.1-8B-Instruct",
        "meta-llama-Llama-3.2-3B-Instruct", "meta-llama-Llama-3.3-70B-Instruct",
        "Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B"};
    struct dataset_options options = {.context_length = 8192, .minimum_examples = 10};
    if (!file_exists(data)) {
        print_message("skipped: %s is not here\n", data);
        skip();
    }
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        char path[FILE_PATH_SIZE];
        snprintf(path, sizeof path, SHARED "chat-templates/%s.jinja", templates[i]);
        struct loaded loaded = load_file(data, path, options);
        if (!loaded.ok) fail_msg("%s: %s", templates[i], loaded.error.message);
        assert_int_equal(loaded.dataset->example_count, 103);
        assert_int_equal(loaded.dataset->truncated_count, 0);
        assert_true(loaded.dataset->trained_count > 103 * 10);
        dataset_free(loaded.dataset);
    }
    struct loaded own = load_file(data, NULL, options);
    assert_false(own.ok);
    assert_non_null(strstr(own.faults.items[0].message, "does not write tools"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dataset_names_the_line_and_the_fault),
        cmocka_unit_test(test_dataset_tells_ten_faults_and_that_there_are_more),
        cmocka_unit_test(test_dataset_wants_enough_examples),
        cmocka_unit_test(test_dataset_passes_over_blank_lines_and_a_byte_order_mark),
        cmocka_unit_test(test_dataset_cuts_at_the_context_and_counts),
        cmocka_unit_test(test_dataset_takes_plain_texts_for_pretraining),
        cmocka_unit_test(test_dataset_takes_every_line_of_a_real_file_with_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
