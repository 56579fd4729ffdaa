// Which tokens of a chat are answers, for chat templates of every behaviour; tools; where a model's
// template comes from.
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/chat_example.h"
#include "test_model.h"
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define MODEL TEMPER_SOURCE_DIR "/models/mini-instruct"
#define STORIES TEMPER_SOURCE_DIR "/../shared/data/weights/stories260K/stories260K.gguf"

#define TURN "<|start_header_id|>{{ m.role }}<|end_header_id|>\n{{ m.content }}<|eot_id|>"
#define OPENING                                                                                    \
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n{% endif %}"
#define PLAIN "{% for m in messages %}" TURN "{% endfor %}" OPENING

// Reasoning of all answers but the last is left out, as Qwen3 does.
#define STRIPPING                                                                                  \
    "{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}"                      \
    "<|start_header_id|>assistant<|end_header_id|>\n{{ m.content.split('</think>')[-1] }}"         \
    "<|eot_id|>{% else %}" TURN "{% endif %}{% endfor %}" OPENING

// An end of text behind the last turn, as Phi-3.5 does.
#define ENDING                                                                                     \
    "{% for m in messages %}" TURN "{% endfor %}{% if add_generation_prompt %}"                    \
    "<|start_header_id|>assistant<|end_header_id|>\n{% else %}<|end_of_text|>{% endif %}"

// Asks for reasoning that answers then lack, as DeepSeek-R1 does.
#define ASKING                                                                                     \
    "{% for m in messages %}" TURN "{% endfor %}{% if add_generation_prompt %}"                    \
    "<|start_header_id|>assistant<|end_header_id|>\n<think>{% endif %}"

#define TOOLS                                                                                      \
    "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}"                         \
    "<|start_header_id|>{{ m.role }}<|end_header_id|>\n"                                           \
    "{% if m.tool_calls is defined %}{% for c in m.tool_calls %}{{ c.function.name }}"             \
    "{{ c.function.arguments | tojson }}{% endfor %}{% else %}{{ m.content }}{% endif %}"          \
    "<|eot_id|>{% endfor %}" OPENING

#define TWO_TURNS                                                                                  \
    "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", "         \
    "\"content\": \"<think>why</think>b\" FIRST}, {\"role\": \"user\", \"content\": \"c\"}, "      \
    "{\"role\": \"assistant\", \"content\": \"d\"}]}"

#define CALLING                                                                                    \
    "{\"messages\": [{\"role\": \"user\", \"content\": \"up\"}, {\"role\": \"assistant\", "        \
    "\"tool_calls\": [{\"id\": \"c1\", \"type\": \"function\", \"function\": {\"name\": \"fly\", " \
    "\"arguments\": \"{\\\"z\\\": 1, \\\"a\\\": [2]}\"}}]}, {\"role\": \"tool\", "                 \
    "\"tool_call_id\": \"c1\", \"content\": \"done\"}, {\"role\": \"assistant\", \"content\": "    \
    "\"It flies.\"}], \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"fly\"}}]}"

static struct chat_format *open_with(const char *template) {
    struct chat_format *format;
    struct error error;
    char *directory = test_directory(), path[FILE_PATH_SIZE];
    assert_true(file_path(path, sizeof path, &error, directory, "template.jinja"));
    assert_true(file_write_atomic(path, template, strlen(template), &error));
    if (!chat_format_open_with(&format, MODEL, NULL, path, &error)) fail_msg("%s", error.message);
    test_directory_remove(directory);
    return format;
}

// What is trained on, a "|" behind every end of a turn, or the error.
static void trained_text(
    const struct chat_format *format, const char *json, int64_t now, struct buffer *text) {
    struct chat chat = {.time = now};
    struct chat_example example = {0};
    struct error error;
    json_error_t fault;
    json_t *root = json_loads(json, 0, &fault);
    if (!root) fail_msg("%s: %s", json, fault.text);
    buffer_init(text, 1 << 16);
    bool ok = chat_read(&chat, root, &error) && chat_has_answers(&chat, &error) &&
              chat_make_example(format, &chat, 0, &example, &error);
    if (!ok) buffer_append_text(text, error.message);
    for (size_t i = 0; ok && i < example.tokens.count; i++) {
        size_t length;
        const char *bytes =
            tokenizer_token_bytes(chat_format_tokenizer(format), example.tokens.ids[i], &length);
        if (example.weights[i] > 0 && chat_format_ends(format, example.tokens.ids[i]))
            buffer_append_text(text, "|");
        else if (example.weights[i] > 0)
            buffer_append(text, bytes, length);
    }
    chat_example_free(&example);
    json_decref(root);
}

static void expect_trained(const char *template, const char *json, const char *wanted) {
    struct chat_format *format = open_with(template);
    struct buffer text;
    trained_text(format, json, 0, &text);
    assert_string_equal(buffer_text(&text), wanted);
    buffer_free(&text);
    chat_format_close(format);
}

static void expect_refused(const char *template, const char *json, const char *part) {
    struct chat_format *format = open_with(template);
    struct buffer text;
    trained_text(format, json, 0, &text);
    if (!strstr(buffer_text(&text), part))
        fail_msg("\"%s\" does not say \"%s\"", buffer_text(&text), part);
    buffer_free(&text);
    chat_format_close(format);
}

// TWO_TURNS with something in its first answer.
static const char *two_turns(const char *first) {
    static char json[1024];
    const char *place = strstr(TWO_TURNS, " FIRST");
    snprintf(json, sizeof json, "%.*s%s%s", (int)(place - TWO_TURNS), TWO_TURNS, first, place + 6);
    return json;
}

static void test_chat_turns_are_found_in_every_answer(void **state) {
    (void)state;
    expect_trained(PLAIN, two_turns(""), "<think>why</think>b|d|");
    expect_trained(PLAIN, two_turns(", \"weight\": 0"), "d|");
    expect_trained(PLAIN, two_turns(", \"weight\": 1"), "<think>why</think>b|d|");
    expect_trained(PLAIN, two_turns(", \"weight\": null"), "<think>why</think>b|d|");
}

static void test_chat_turns_end_at_the_end_of_turn_token_whatever_stands_behind(void **state) {
    (void)state;
    expect_trained(ENDING, two_turns(""), "<think>why</think>b|d|");
}

static void test_chat_turns_that_a_template_rewrites_are_refused_by_number(void **state) {
    (void)state;
    expect_refused(STRIPPING, two_turns(""), "message 2");
    expect_refused(STRIPPING, two_turns(""), "\"<think>why</think>b");
    expect_refused(STRIPPING, two_turns(""), "give it \"weight\": 0");
    expect_trained(STRIPPING, two_turns(", \"weight\": 0"), "d|");
    expect_refused(ASKING, two_turns(""), "before it, it writes \"<think>\" when it asks");
    expect_refused(
        "{% for m in messages | reverse %}" TURN "{% endfor %}", two_turns(""), "be told apart");
}

static void test_chat_turns_hold_calls_of_tools(void **state) {
    (void)state;
    expect_trained(TOOLS, CALLING, "fly{\"z\": 1, \"a\": [2]}|It flies.|");
}

// Templates that are not as transformers documents them: content that must be there, arguments that
// must be texts.
static void test_chat_turns_hold_calls_for_templates_of_other_kinds(void **state) {
    (void)state;
    expect_trained(
        "{{ tools | tojson }}{% for m in messages %}" TURN
        "{{ m.content.strip() }}{% for c in m.tool_calls or [] %}{{ c.function.arguments "
        "| tojson }}<|eot_id|>{% endfor %}{% endfor %}" OPENING,
        CALLING, "|It flies.|");
    expect_trained("{{ tools | tojson }}{% for m in messages %}<|start_header_id|>{{ m.role }}"
                   "<|end_header_id|>\n{% if m.content is none %}{% for c in m.tool_calls %}"
                   "{{ 'call ' + c.function.arguments }}{% endfor %}{% else %}{{ m.content + '' }}"
                   "{% endif %}<|eot_id|>{% endfor %}" OPENING,
        CALLING, "call {\"z\": 1, \"a\": [2]}|It flies.|");
}

static void test_chat_turns_are_never_trained_without_the_tools_that_they_had(void **state) {
    (void)state;
    expect_refused(PLAIN, CALLING, "does not write tools");
    expect_refused("{{ tools | tojson }}" PLAIN, CALLING, "does not write tool calls");
    expect_refused(
        "{{ tools | tojson }}{% for m in messages if m.role != 'tool' %}"
        "{{ m.tool_calls | tojson if m.tool_calls is defined else m.content }}{% endfor %}",
        CALLING, "messages of role \"tool\"");
}

static void test_chat_turns_take_parts_roles_and_reasoning_as_transformers_does(void **state) {
    (void)state;
    expect_trained(
        "{% for m in messages %}{{ m.keys() | list }}<|eot_id|>{{ m.role }}:"
        "{{ m.content }}:{{ m.thinking }}{{ m.reasoning_content }}<|eot_id|>{% endfor %}",
        "{\"messages\": [{\"role\": \"developer\", \"content\": [{\"type\": \"text\", \"text\": "
        "\"a\"}, "
        "{\"type\": \"text\", \"text\": \"b\"}], \"name\": null}, {\"role\": \"assistant\", "
        "\"content\": \"c\", \"weight\": 1, \"reasoning\": \"r\"}]}",
        "['role', 'content', 'reasoning', 'thinking', 'reasoning_content']|");
    expect_trained("{% for m in messages %}{{ m.role }}{{ m.content }}<|eot_id|>{% endfor %}",
        "{\"messages\": [{\"role\": \"developer\", \"content\": [{\"type\": \"text\", \"text\": "
        "\"a\"}, "
        "{\"type\": \"text\", \"text\": \"b\"}]}, {\"role\": \"assistant\", \"content\": \"c\"}]}",
        "assistantc|");
}

static void test_chat_turns_print_the_date_of_the_chat(void **state) {
    (void)state;
    static const char json[] = "{\"messages\": [{\"role\": \"assistant\", \"content\": \"x\"}]}";
    struct chat_format *format = open_with("{{ bos_token }}{% for m in messages %}{{ "
                                           "strftime_now('%d %b %Y') }}<|eot_id|>{% endfor %}");
    struct buffer text;
    trained_text(format, json, 1752148800, &text);
    assert_string_equal(buffer_text(&text), "10 Jul 2025|");
    buffer_free(&text);
    chat_format_close(format);
}

static void test_chat_turns_without_an_end_are_noticed(void **state) {
    (void)state;
    struct chat_format *format = open_with("{% for m in messages %}{{ m.content }} {% endfor %}");
    struct chat_example example = {0};
    struct error error;
    json_t *root = json_loads(two_turns(""), 0, NULL);
    struct chat chat = {.messages = json_object_get(root, "messages")};
    assert_true(chat_make_example(format, &chat, 0, &example, &error));
    assert_true(example.endless);
    chat_format_close(format);
    format = open_with(PLAIN);
    assert_true(chat_make_example(format, &chat, 0, &example, &error));
    assert_false(example.endless);
    chat_example_free(&example);
    chat_format_close(format);
    json_decref(root);
}

// ---- where a template comes from ----

// A model's directory with the built-in tokenizer and this tokenizer_config.json.
static char *model_with(const char *config) {
    static const char *const names[] = {"config.json", "generation_config.json", "tokenizer.json"};
    char *directory = test_directory(), from[FILE_PATH_SIZE], to[FILE_PATH_SIZE];
    struct error error;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(file_path(from, sizeof from, &error, MODEL, names[i]));
        assert_true(file_path(to, sizeof to, &error, directory, names[i]));
        assert_int_equal(symlink(from, to), 0);
    }
    assert_true(file_path(to, sizeof to, &error, directory, "tokenizer_config.json"));
    assert_true(file_write_atomic(to, config, strlen(config), &error));
    return directory;
}

static void test_chat_format_says_what_a_model_without_a_template_needs(void **state) {
    (void)state;
    char *directory = model_with("{}");
    struct chat_format *format;
    struct error error;
    struct token_ids ids = {0};
    json_t *messages = json_loads("[{\"role\": \"user\", \"content\": \"x\"}]", 0, NULL);
    assert_true(chat_format_open(&format, directory, &error));
    assert_false(chat_format_prompt(format, messages, &ids, &error));
    assert_int_equal(error.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "--chat-template FILE"));
    json_decref(messages);
    token_ids_free(&ids);
    chat_format_close(format);
    test_directory_remove(directory);
}

static void test_chat_format_takes_the_template_named_for_tools_where_there_are_tools(
    void **state) {
    (void)state;
    char *directory = model_with(
        "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"{{ tools | tojson }}"
        "{% for m in messages %}T{{ m.content }}<|eot_id|>{% endfor %}\"}, {\"name\": \"default\", "
        "\"template\": "
        "\"D{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}\"}]}");
    struct chat_format *format;
    struct buffer text;
    struct error error;
    assert_true(chat_format_open(&format, directory, &error));
    trained_text(
        format, "{\"messages\": [{\"role\": \"assistant\", \"content\": \"x\"}]}", 0, &text);
    assert_string_equal(buffer_text(&text), "x|");
    buffer_free(&text);
    trained_text(format,
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"x\"}], \"tools\": [{\"type\": "
        "\"function\", \"function\": {\"name\": \"f\"}}]}",
        0, &text);
    assert_string_equal(buffer_text(&text), "Tx|");
    buffer_free(&text);
    chat_format_close(format);
    test_directory_remove(directory);
}

static void test_chat_format_takes_the_template_that_an_adapter_was_trained_with(void **state) {
    (void)state;
    char *adapter = test_directory(), path[FILE_PATH_SIZE];
    static const char template[] = "A{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}";
    struct chat_format *format;
    struct buffer text;
    struct error error;
    assert_true(file_path(path, sizeof path, &error, adapter, "chat_template.jinja"));
    assert_true(file_write_atomic(path, template, strlen(template), &error));
    assert_true(chat_format_open_with(&format, MODEL, adapter, NULL, &error));
    trained_text(
        format, "{\"messages\": [{\"role\": \"assistant\", \"content\": \"x\"}]}", 0, &text);
    assert_string_equal(buffer_text(&text), "x|");
    buffer_free(&text);
    chat_format_close(format);
    test_directory_remove(adapter);
}

// A sentencepiece tokenizer puts a space before a text: not before each turn of a chat.
static void test_chat_turns_have_the_tokens_of_the_whole_text(void **state) {
    (void)state;
    struct chat_format *format;
    struct chat_example example = {0};
    struct token_ids wanted = {0};
    struct error error;
    char *directory = test_directory(), path[FILE_PATH_SIZE];
    static const char template[] =
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[I] {{ m.content }} [/I]"
        "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}";
    static const char whole[] = "<s>[I] a [/I] One day</s>[I] c [/I] the end</s>";
    if (!file_exists(STORIES)) {
        print_message("skipped: %s is not here\n", STORIES);
        test_directory_remove(directory);
        skip();
    }
    assert_true(file_path(path, sizeof path, &error, directory, "template.jinja"));
    assert_true(file_write_atomic(path, template, strlen(template), &error));
    if (!chat_format_open_with(&format, STORIES, NULL, path, &error)) fail_msg("%s", error.message);
    json_t *root =
        json_loads("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": "
                   "\"assistant\", \"content\": \"One day\"}, {\"role\": \"user\", "
                   "\"content\": \"c\"}, {\"role\": \"assistant\", \"content\": \"the "
                   "end\"}]}",
            0, NULL);
    struct chat chat = {.messages = json_object_get(root, "messages")};
    if (!chat_make_example(format, &chat, 0, &example, &error)) fail_msg("%s", error.message);
    assert_true(tokenizer_encode(
        chat_format_tokenizer(format), whole, strlen(whole), true, &wanted, &error));
    assert_int_equal(example.tokens.count, wanted.count);
    assert_memory_equal(example.tokens.ids, wanted.ids, wanted.count * sizeof(int32_t));
    assert_false(example.endless);
    token_ids_free(&wanted);
    chat_example_free(&example);
    json_decref(root);
    chat_format_close(format);
    test_directory_remove(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat_turns_are_found_in_every_answer),
        cmocka_unit_test(test_chat_turns_end_at_the_end_of_turn_token_whatever_stands_behind),
        cmocka_unit_test(test_chat_turns_that_a_template_rewrites_are_refused_by_number),
        cmocka_unit_test(test_chat_turns_hold_calls_of_tools),
        cmocka_unit_test(test_chat_turns_hold_calls_for_templates_of_other_kinds),
        cmocka_unit_test(test_chat_turns_are_never_trained_without_the_tools_that_they_had),
        cmocka_unit_test(test_chat_turns_take_parts_roles_and_reasoning_as_transformers_does),
        cmocka_unit_test(test_chat_turns_print_the_date_of_the_chat),
        cmocka_unit_test(test_chat_turns_without_an_end_are_noticed),
        cmocka_unit_test(test_chat_turns_have_the_tokens_of_the_whole_text),
        cmocka_unit_test(test_chat_format_says_what_a_model_without_a_template_needs),
        cmocka_unit_test(test_chat_format_takes_the_template_named_for_tools_where_there_are_tools),
        cmocka_unit_test(test_chat_format_takes_the_template_that_an_adapter_was_trained_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
