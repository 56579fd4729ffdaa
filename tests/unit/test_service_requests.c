// The bodies of requests: chat completions and fine-tuning jobs.
#include "base/memory.h"
#include "service/chat_request.h"
#include "service/job_request.h"
#include "service/query.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/shapes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text) {
    json_error_t fault;
    json_t *value = json_loads(text, 0, &fault);
    if (!value) fail_msg("%s: %s", text, fault.text);
    return value;
}

// The reply is an error of that status with that param and code ("" for null).
static void expect_error(struct reply *reply, int status, const char *param, const char *code) {
    assert_int_equal(reply->status, status);
    json_t *body = parse(reply->body);
    json_t *error = json_object_get(body, "error");
    assert_int_equal(json_object_size(error), 4);
    assert_true(json_string_length(json_object_get(error, "message")) > 0);
    assert_string_equal(json_string_value(json_object_get(error, "type")), "invalid_request_error");
    const char *got_param = json_string_value(json_object_get(error, "param"));
    const char *got_code = json_string_value(json_object_get(error, "code"));
    assert_string_equal(got_param ? got_param : "", param);
    assert_string_equal(got_code ? got_code : "", code);
    json_decref(body);
}

static void refuse_chat(const char *text, const char *param, const char *code) {
    struct chat_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body = parse(text);
    assert_false(chat_request_read(&request, body, &reply));
    expect_error(&reply, 400, param, code);
    reply_free(&reply);
    json_decref(body);
}

static void refuse_job(const char *text, const char *param, const char *code) {
    struct job_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body = parse(text);
    assert_false(job_request_read(&request, body, &reply));
    expect_error(&reply, 400, param, code);
    reply_free(&reply);
    json_decref(body);
}

#define HELLO "\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]"

static void test_chat_request_reads_every_field_that_is_supported(void **state) {
    (void)state;
    struct chat_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body =
        parse("{" HELLO ", \"temperature\": 0, \"top_p\": 0.5, \"max_tokens\": 7, \"n\": 2,"
              "\"seed\": -1, \"stop\": [\"a\", \"b\"], \"stream\": true, \"user\": \"u\","
              "\"stream_options\": {\"include_usage\": true}, \"metadata\": {\"k\": \"v\"},"
              "\"tools\": null, \"logprobs\": false, \"frequency_penalty\": 0.0,"
              "\"response_format\": {\"type\": \"text\"}}");
    assert_true(chat_request_read(&request, body, &reply));
    assert_string_equal(request.model, "m");
    assert_true(request.temperature == 0 && request.top_p == 0.5);
    assert_int_equal(request.maximum_tokens, 7);
    assert_int_equal(request.choices, 2);
    assert_true(request.has_seed && request.seed == UINT64_MAX);
    assert_int_equal(request.stop_count, 2);
    assert_string_equal(request.stops[1], "b");
    assert_true(request.stream && request.include_usage);
    chat_request_free(&request);
    json_decref(body);
}

static void test_chat_request_has_the_defaults_of_the_api(void **state) {
    (void)state;
    struct chat_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body = parse("{" HELLO ", \"max_tokens\": null}");
    assert_true(chat_request_read(&request, body, &reply));
    assert_true(request.temperature == 1 && request.top_p == 1 && request.choices == 1);
    assert_true(request.maximum_tokens == 0 && !request.has_seed && !request.stream);
    chat_request_free(&request);
    json_decref(body);
}

static void test_chat_request_joins_text_parts_and_maps_developer_to_system(void **state) {
    (void)state;
    struct chat_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body =
        parse("{\"model\": \"m\", \"messages\": [{\"role\": \"developer\", \"content\": "
              "[{\"type\": \"text\", \"text\": \"a\"}, {\"type\": \"text\", \"text\": "
              "\"b\"}]}, {\"role\": \"assistant\", \"content\": \"\", \"refusal\": null}]}");
    assert_true(chat_request_read(&request, body, &reply));
    json_t *first = json_array_get(request.messages, 0);
    assert_string_equal(json_string_value(json_object_get(first, "role")), "system");
    assert_string_equal(json_string_value(json_object_get(first, "content")), "ab");
    assert_int_equal(json_array_size(request.messages), 2);
    chat_request_free(&request);
    json_decref(body);
}

static void test_chat_request_refuses_what_is_wrong_by_its_name(void **state) {
    (void)state;
    refuse_chat("{\"model\": \"m\"}", "messages", "missing_required_parameter");
    refuse_chat("{\"messages\": [], \"model\": null}", "model", "missing_required_parameter");
    refuse_chat("{\"model\": \"m\", \"messages\": []}", "messages", "empty_array");
    refuse_chat("{\"model\": 1, \"messages\": []}", "model", "invalid_type");
    refuse_chat("{" HELLO ", \"colour\": 1}", "colour", "unknown_parameter");
    refuse_chat("{" HELLO ", \"temperature\": 2.5}", "temperature", "decimal_above_max_value");
    refuse_chat("{" HELLO ", \"temperature\": \"hot\"}", "temperature", "invalid_type");
    refuse_chat("{" HELLO ", \"n\": 0}", "n", "integer_below_min_value");
    refuse_chat("{" HELLO ", \"max_tokens\": 1.5}", "max_tokens", "invalid_type");
    refuse_chat("{" HELLO ", \"stop\": [\"1\",\"2\",\"3\",\"4\",\"5\"]}", "stop", "invalid_value");
    refuse_chat("{" HELLO ", \"stop\": \"\"}", "stop", "invalid_value");
    refuse_chat("{" HELLO ", \"tools\": [{}]}", "tools", "unsupported_parameter");
    refuse_chat("{" HELLO ", \"logprobs\": 1}", "logprobs", "invalid_type");
    refuse_chat("{" HELLO ", \"top_logprobs\": 3}", "top_logprobs", "invalid_value");
    refuse_chat("{" HELLO ", \"n\": 129}", "n", "integer_above_max_value");
    refuse_chat(
        "{" HELLO ", \"frequency_penalty\": 2.5}", "frequency_penalty", "decimal_above_max_value");
    refuse_chat("{" HELLO ", \"logit_bias\": {\"a\": 1}}", "logit_bias", "invalid_value");
    refuse_chat("{" HELLO ", \"stream_options\": {}}", "stream_options", "invalid_value");
    refuse_chat("{" HELLO ", \"stream\": true, \"stream_options\": {\"x\": 1}}", "stream_options.x",
        "unknown_parameter");
    refuse_chat("{" HELLO ", \"metadata\": {\"a\": 1}}", "metadata", "invalid_value");
}

#define CALL(arguments)                                                                            \
    "{\"id\": \"call_1\", \"type\": \"function\", \"function\": {\"name\": \"f\", "                \
    "\"arguments\": \"" arguments "\"}}"

static void test_chat_request_takes_calls_of_tools_and_their_answers_in_the_history(void **state) {
    (void)state;
    struct chat_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body =
        parse("{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"a\"}, "
              "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [" CALL(
                  "{}") "]}, {\"role\": \"tool\", \"tool_call_id\": \"call_1\", "
                        "\"content\": \"b\"}]}");
    assert_true(chat_request_read(&request, body, &reply));
    const json_t *call = json_array_get(request.messages, 1);
    assert_null(json_object_get(call, "content"));
    assert_int_equal(json_array_size(json_object_get(call, "tool_calls")), 1);
    const json_t *answer = json_array_get(request.messages, 2);
    assert_string_equal(json_string_value(json_object_get(answer, "role")), "tool");
    assert_string_equal(json_string_value(json_object_get(answer, "tool_call_id")), "call_1");
    chat_request_free(&request);
    reply_free(&reply);
    json_decref(body);
}

static void test_chat_request_refuses_messages_that_it_cannot_render(void **state) {
    (void)state;
#define MESSAGES(text) "{\"model\": \"m\", \"messages\": [" text "]}"
    refuse_chat(MESSAGES("1"), "messages[0]", "invalid_type");
    refuse_chat(
        MESSAGES("{\"role\": \"robot\", \"content\": \"\"}"), "messages[0].role", "invalid_value");
    refuse_chat(MESSAGES("{\"role\": \"assistant\", \"tool_calls\": []}"), "messages[0].content",
        "missing_required_parameter");
    refuse_chat(MESSAGES("{\"role\": \"assistant\", \"tool_calls\": [1]}"),
        "messages[0].tool_calls[0]", "invalid_type");
    refuse_chat(
        MESSAGES("{\"role\": \"user\", \"content\": \"\", \"tool_calls\": [" CALL("{}") "]}"),
        "messages[0].tool_calls", "invalid_value");
    refuse_chat(MESSAGES("{\"role\": \"assistant\", \"tool_calls\": [" CALL("{oops") "]}"),
        "messages[0].tool_calls[0].function", "invalid_value");
    refuse_chat(MESSAGES("{\"role\": \"user\", \"content\": \"\", \"tool_call_id\": \"a\"}"),
        "messages[0].tool_call_id", "invalid_value");
    refuse_chat(
        MESSAGES("{\"role\": \"user\"}"), "messages[0].content", "missing_required_parameter");
    refuse_chat(
        MESSAGES("{\"role\": \"user\", \"content\": 5}"), "messages[0].content", "invalid_type");
    refuse_chat(MESSAGES("{\"role\": \"user\", \"content\": \"a\", \"name\": \"x\"}"),
        "messages[0].name", "unsupported_parameter");
    refuse_chat(MESSAGES("{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}"),
        "messages[0].content[0]", "unsupported_value");
    refuse_chat(MESSAGES("{\"role\": \"user\", \"content\": [\"a\"]}"), "messages[0].content[0]",
        "invalid_type");
}

#define JOB "\"model\": \"m\", \"training_file\": \"file-1\""

static void test_job_request_fills_in_auto(void **state) {
    (void)state;
    struct job_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body =
        parse("{" JOB ", \"integrations\": [], \"hyperparameters\": {\"n_epochs\": 3.0}}");
    json_t *expected = parse(
        "{\"n_epochs\": 3, \"batch_size\": \"auto\", \"learning_rate_multiplier\": \"auto\"}");
    assert_true(job_request_read(&request, body, &reply));
    assert_true(json_equal(request.hyperparameters, expected));
    assert_true(!request.lora && !request.suffix && !request.has_seed && !request.validation_file);
    job_request_free(&request);
    json_decref(expected);
    json_decref(body);
}

static void test_job_request_lets_the_method_win_over_the_flat_form(void **state) {
    (void)state;
    struct job_request request;
    struct reply reply;
    reply_init(&reply);
    json_t *body =
        parse("{" JOB ", \"hyperparameters\": {\"n_epochs\": 3, \"batch_size\": 4},"
              "\"method\": {\"type\": \"supervised\", \"supervised\": {\"hyperparameters\":"
              "{\"n_epochs\": \"auto\", \"learning_rate_multiplier\": 0.5}}},"
              "\"suffix\": \"s\", \"nickname\": \"s\", \"seed\": 7,"
              "\"lora\": {\"rank\": 8}}");
    json_t *expected =
        parse("{\"n_epochs\": \"auto\", \"batch_size\": 4, \"learning_rate_multiplier\": 0.5}");
    assert_true(job_request_read(&request, body, &reply));
    assert_true(json_equal(request.hyperparameters, expected));
    assert_string_equal(request.suffix, "s");
    assert_true(request.has_seed && request.seed == 7);
    assert_int_equal(json_integer_value(json_object_get(request.lora, "rank")), 8);
    job_request_free(&request);
    json_decref(expected);
    json_decref(body);
}

static void test_job_request_refuses_what_is_wrong_by_its_name(void **state) {
    (void)state;
    refuse_job("{\"model\": \"m\"}", "training_file", "missing_required_parameter");
    refuse_job("{" JOB ", \"epochs\": 3}", "epochs", "unknown_parameter");
    refuse_job("{" JOB ", \"hyperparameters\": {\"n_epochs\": 51}}", "hyperparameters.n_epochs",
        "invalid_value");
    refuse_job("{" JOB ", \"hyperparameters\": {\"n_epochs\": \"many\"}}",
        "hyperparameters.n_epochs", "invalid_type");
    refuse_job("{" JOB ", \"hyperparameters\": {\"learning_rate_multiplier\": 0}}",
        "hyperparameters.learning_rate_multiplier", "invalid_value");
    refuse_job("{" JOB ", \"hyperparameters\": {\"beta\": 1}}", "hyperparameters.beta",
        "unknown_parameter");
    refuse_job("{" JOB ", \"method\": {\"type\": \"dpo\"}}", "method.type", "unsupported_value");
    refuse_job("{" JOB ", \"method\": {\"type\": \"magic\"}}", "method.type", "invalid_value");
    refuse_job("{" JOB ", \"method\": {}}", "method.type", "missing_required_parameter");
    refuse_job("{" JOB ", \"suffix\": \"a b\"}", "suffix", "invalid_value");
    refuse_job("{" JOB ", \"suffix\": \"\"}", "suffix", "string_below_min_length");
    refuse_job("{" JOB ", \"suffix\": \"a\", \"nickname\": \"b\"}", "nickname", "invalid_value");
    refuse_job("{" JOB ", \"seed\": -1}", "seed", "integer_below_min_value");
    refuse_job("{" JOB ", \"integrations\": [{\"type\": \"wandb\"}]}", "integrations",
        "unsupported_parameter");
    refuse_job("{" JOB ", \"lora\": {\"rank\": \"auto\"}}", "lora.rank", "invalid_type");
    refuse_job("{" JOB ", \"lora\": {\"bias\": 0}}", "lora.bias", "unknown_parameter");
}

static json_t *read_body(const char *bytes, size_t length, struct reply *reply) {
    struct request request;
    request_init(&request);
    buffer_append(&request.body, bytes, length);
    json_t *body = request_json(&request, reply);
    request_free(&request);
    return body;
}

static void test_request_json_refuses_what_is_no_object(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "{", "nonsense", "{\"a\": 1, \"a\": 2}", "{} {}",
        "{\"a\": \"\xff\"}", "{\"a\": \"\\u0000\"}"};
    struct reply reply;
    reply_init(&reply);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_null(read_body(bodies[i], strlen(bodies[i]), &reply));
        expect_error(&reply, 400, "", "");
    }
    assert_null(read_body("[]", 2, &reply));
    expect_error(&reply, 400, "", "invalid_type");
    reply_free(&reply);
}

static void test_request_json_bounds_the_depth(void **state) {
    (void)state;
    enum { DEPTH = 100000 };
    static char deep[2 * DEPTH + 16];
    struct reply reply;
    reply_init(&reply);
    strcpy(deep, "{\"a\": ");
    memset(deep + 6, '[', DEPTH);
    memset(deep + 6 + DEPTH, ']', DEPTH);
    deep[6 + 2 * DEPTH] = '}';
    assert_null(read_body(deep, 7 + 2 * DEPTH, &reply));
    expect_error(&reply, 400, "", "");
    reply_free(&reply);
}

static bool page(
    const char *name, const char *value, int *limit, const char **after, struct reply *reply) {
    static const struct route route = {"GET", "/", .query = &page_query_shape};
    struct request request;
    request_init(&request);
    request.match.route = &route;
    assert_true(request_add_query(&request, name, value));
    bool good = query_check(&request, route.query, reply);
    if (good) query_page(&request, limit, after);
    if (good && *after) assert_string_equal(*after, "file/1");
    request_free(&request);
    return good;
}

static void test_query_page_reads_limit_and_after(void **state) {
    (void)state;
    int limit;
    const char *after;
    struct reply reply;
    reply_init(&reply);
    assert_true(page("limit", "100", &limit, &after, &reply));
    assert_int_equal(limit, 100);
    assert_true(page("after", "file%2F1", &limit, &after, &reply));
    assert_int_equal(limit, 20);
    static const char *const wrong[][2] = {{"0", "integer_out_of_range"},
        {"101", "integer_out_of_range"}, {"-3", "integer_out_of_range"},
        {"99999999999999999999", "integer_out_of_range"}, {"ten", "invalid_type"},
        {"1x", "invalid_type"}, {"", "invalid_type"}, {" 5", "invalid_type"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(page("limit", wrong[i][0], &limit, &after, &reply));
        expect_error(&reply, 400, "limit", wrong[i][1]);
    }
    assert_false(page("colour", "red", &limit, &after, &reply));
    expect_error(&reply, 400, "colour", "unknown_parameter");
    reply_free(&reply);
}

static void test_query_refuses_a_name_that_comes_twice(void **state) {
    (void)state;
    struct reply reply;
    struct request request;
    reply_init(&reply);
    request_init(&request);
    assert_true(request_add_query(&request, "limit", "3"));
    assert_true(request_add_query(&request, "limit", "4"));
    assert_false(query_check(&request, &page_query_shape, &reply));
    expect_error(&reply, 400, "limit", "invalid_value");
    request_free(&request);
    reply_free(&reply);
}

static const char *const colours[] = {"red", "green", NULL};
static const struct field leaf_fields[] = {
    {"colour", FIELD_STRING, FIELD_REQUIRED, .values = colours}};
static const struct shape leaf_shape = SHAPE("Leaf", leaf_fields);
static const struct field tree_fields[] = {
    {"leaves", FIELD_ARRAY, .shape = &leaf_shape},
    {"names", FIELD_ARRAY, .items = FIELD_STRING},
};
static const struct shape tree_shape = SHAPE("Tree", tree_fields);

static void test_shape_refuses_what_lies_inside_by_its_path(void **state) {
    (void)state;
    static const char *const wrong[][3] = {
        {"{\"leaves\": [{\"colour\": \"red\"}, {\"colour\": \"blue\"}]}", "leaves[1].colour",
            "invalid_value"},
        {"{\"leaves\": [3]}", "leaves[0]", "invalid_type"},
        {"{\"leaves\": [{}]}", "leaves[0].colour", "missing_required_parameter"},
        {"{\"names\": [\"a\", 1]}", "names[1]", "invalid_type"},
    };
    struct reply reply;
    reply_init(&reply);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *object = json_loads(wrong[i][0], 0, NULL);
        assert_false(shape_check(object, NULL, &tree_shape, &reply));
        expect_error(&reply, 400, wrong[i][1], wrong[i][2]);
        json_decref(object);
    }
    reply_free(&reply);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat_request_reads_every_field_that_is_supported),
        cmocka_unit_test(test_chat_request_has_the_defaults_of_the_api),
        cmocka_unit_test(test_chat_request_joins_text_parts_and_maps_developer_to_system),
        cmocka_unit_test(test_chat_request_refuses_what_is_wrong_by_its_name),
        cmocka_unit_test(test_chat_request_takes_calls_of_tools_and_their_answers_in_the_history),
        cmocka_unit_test(test_chat_request_refuses_messages_that_it_cannot_render),
        cmocka_unit_test(test_job_request_fills_in_auto),
        cmocka_unit_test(test_job_request_lets_the_method_win_over_the_flat_form),
        cmocka_unit_test(test_job_request_refuses_what_is_wrong_by_its_name),
        cmocka_unit_test(test_request_json_refuses_what_is_no_object),
        cmocka_unit_test(test_request_json_bounds_the_depth),
        cmocka_unit_test(test_query_page_reads_limit_and_after),
        cmocka_unit_test(test_query_refuses_a_name_that_comes_twice),
        cmocka_unit_test(test_shape_refuses_what_lies_inside_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
