// Reading a batch's input: where lines stand, and what is said of wrong ones.
#include "base/utf8.h"
#include "jobs/batch_input.h"
#include "store/store_batches.h"
#include "test_directory.h"

#define ENDPOINT "/v1/chat/completions"
#define LINE(id, url, body)                                                                        \
    "{\"custom_id\":" id ",\"method\":\"POST\",\"url\":\"" url "\",\"body\":" body "}"
#define BODY "{\"model\":\"m\",\"messages\":[]}"

static void test_batch_input_lines_stand_where_it_says(void **state) {
    static const char text[] = "one\n\n  \t\r\ntwo two\r\nthree";
    static const struct {
        int64_t line, offset, length;
    } expected[] = {{1, 0, 3}, {4, 10, 8}, {5, 19, 5}};
    char directory[FILE_PATH_SIZE];
    struct batch_input input;
    struct error error;
    bool end;
    (void)state;
    test_directory_make(directory);
    test_write(directory, "input", text);
    assert_true(batch_input_open(&input, test_path(directory, "input"), &error));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(batch_input_next(&input, &end, &error));
        assert_false(end);
        assert_int_equal(input.line, expected[i].line);
        assert_int_equal(input.offset, expected[i].offset);
        assert_int_equal(input.length, expected[i].length);
        assert_memory_equal(buffer_text(&input.text), text + input.offset, (size_t)input.length);
    }
    assert_true(batch_input_next(&input, &end, &error));
    assert_true(end);
    batch_input_close(&input);
    test_directory_remove(directory);
}

static void test_batch_input_a_line_beyond_the_most_is_passed_over(void **state) {
    char directory[FILE_PATH_SIZE];
    struct batch_input input;
    struct error error;
    bool end;
    size_t size = (size_t)BATCH_LINE_MAXIMUM + 100;
    char *text = malloc(size + 7);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text + size, "\nshort", 7);
    test_directory_make(directory);
    test_write(directory, "input", text);
    assert_true(batch_input_open(&input, test_path(directory, "input"), &error));
    assert_true(batch_input_next(&input, &end, &error));
    assert_true(!end && input.too_long);
    assert_true(input.text.length <= BATCH_LINE_MAXIMUM);
    assert_true(batch_input_next(&input, &end, &error));
    assert_true(!end && !input.too_long);
    assert_string_equal(buffer_text(&input.text), "short");
    batch_input_close(&input);
    free(text);
    test_directory_remove(directory);
}

static void test_batch_input_a_whole_line_is_a_request(void **state) {
    static const char text[] = LINE("\"one\"", ENDPOINT, BODY);
    struct batch_request request;
    struct batch_fault fault;
    (void)state;
    assert_true(batch_request_read(&request, text, strlen(text), ENDPOINT, &fault));
    assert_string_equal(request.custom_id, "one");
    assert_string_equal(json_string_value(json_object_get(request.body, "model")), "m");
    batch_request_free(&request);
}

static void test_batch_input_what_is_wrong_is_said_by_code_and_name(void **state) {
    static const struct {
        const char *text, *code, *param;
    } cases[] = {
        {"{", "invalid_json_line", NULL},
        {"[]", "invalid_json_line", NULL},
        {"{\"a\":1,\"a\":2}", "invalid_json_line", NULL},
        {"{\"custom_id\":\"\xff\"}", "invalid_json_line", NULL},
        {"{\"colour\":1}", "unknown_parameter", NULL},
        {"{}", "invalid_custom_id", "custom_id"},
        {LINE("7", ENDPOINT, BODY), "invalid_custom_id", "custom_id"},
        {LINE("\"\"", ENDPOINT, BODY), "invalid_custom_id", "custom_id"},
        {"{\"custom_id\":\"a\"}", "invalid_method", "method"},
        {LINE("\"a\"", "/v1/embeddings", BODY), "mismatched_endpoint", "url"},
        {LINE("\"a\"", ENDPOINT, "[]"), "invalid_request", "body"},
        {LINE("\"a\"", ENDPOINT, "{}"), "missing_required_parameter", "body.model"},
        {LINE("\"a\"", ENDPOINT, "{\"model\":\"m\",\"stream\":true}"), "invalid_request",
            "body.stream"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batch_request request;
        struct batch_fault fault;
        assert_false(
            batch_request_read(&request, cases[i].text, strlen(cases[i].text), ENDPOINT, &fault));
        assert_string_equal(fault.code, cases[i].code);
        if (cases[i].param)
            assert_string_equal(fault.param, cases[i].param);
        else
            assert_null(fault.param);
        assert_true(fault.message[0] != '\0');
        assert_null(request.body);
    }
}

// A message that ends within a character would be no JSON, and the fault would be lost.
static void test_batch_input_a_message_is_whole_characters(void **state) {
    (void)state;
    for (int before = 50; before < 64; before++) {
        char text[400] = "{\"";
        struct batch_request request;
        struct batch_fault fault;
        memset(text + 2, 'x', (size_t)before);
        for (int i = 0; i < 60; i++)
            strcat(text, "é");
        strcat(text, "\":1}");
        assert_false(batch_request_read(&request, text, strlen(text), ENDPOINT, &fault));
        assert_string_equal(fault.code, "unknown_parameter");
        assert_int_equal(
            utf8_valid_length(fault.message, strlen(fault.message)), strlen(fault.message));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_input_lines_stand_where_it_says),
        cmocka_unit_test(test_batch_input_a_line_beyond_the_most_is_passed_over),
        cmocka_unit_test(test_batch_input_a_whole_line_is_a_request),
        cmocka_unit_test(test_batch_input_what_is_wrong_is_said_by_code_and_name),
        cmocka_unit_test(test_batch_input_a_message_is_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
