// temper tokenize: the token ids of a text, or of a chat as the model sees it.
#include "base/buffer.h"
#include "base/memory.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "cli/model_choice.h"
#include "model/chat_example.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUT = 256 << 20 };

static const char *model = BUILT_IN_MODEL, *chat_template, *data = "./temper-data",
                  *account = "personal";
static bool chat, prompt, special, lines, as_json;

static const struct cli_option options[] = {
    {"--model", "M", CLI_TEXT, &model,
        "whose tokenizer: a base or fine-tuned model, or a directory"},
    {"--data", "DIR", CLI_TEXT, &data, "look for models in DIR/models, too (./temper-data)"},
    {"--chat", NULL, CLI_FLAG, &chat,
        "the input is a chat's JSON: a list of messages, or {\"messages\": …, \"tools\": …}"},
    {"--prompt", NULL, CLI_FLAG, &prompt, "of a chat: up to where the next answer begins"},
    {"--account", "NAME", CLI_TEXT, &account, "of a fine-tuned model: whose it is (personal)"},
    {"--chat-template", "FILE", CLI_TEXT, &chat_template,
        "a Jinja template in place of the model's own"},
    {"--special", NULL, CLI_FLAG, &special, "special tokens in a text become those tokens"},
    {"--lines", NULL, CLI_FLAG, &lines,
        "each line of the input is a text as JSON (\"…\"): print the ids of each on a line"},
    {"--json", NULL, CLI_FLAG, &as_json, "print {\"ids\": …, \"count\": …, \"tokens\": …}"},
};

static const struct cli_syntax syntax = {
    .usage =
        "temper tokenize [--model M] [--chat [--prompt] | --lines] [--special] [--json] < TEXT",
    .purpose = "Reads a text (or a chat's JSON) on standard input and prints its token ids.",
    .example =
        "  echo -n 'Hello, world' | temper tokenize --json\n"
        "  echo '[{\"role\": \"user\", \"content\": \"Hi\"}]' | temper tokenize --chat --prompt",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

static bool read_input(struct buffer *input, struct error *error) {
    char block[65536];
    size_t length;
    buffer_init(input, MAX_INPUT);
    while ((length = fread(block, 1, sizeof block, stdin)) > 0)
        buffer_append(input, block, length);
    if (ferror(stdin)) return error_set_errno(error, ERROR_IO, "cannot read standard input");
    return buffer_ok(input, "the input", error);
}

// As for training, but that a chat needs no answer here.
static bool whole_chat(const struct chat_format *format, const struct chat *messages,
    struct token_ids *ids, struct error *error) {
    struct chat_example example = {0};
    bool ok = chat_make_example(format, messages, 0, &example, error) &&
              token_ids_append(ids, example.tokens.ids, example.tokens.count, error);
    chat_example_free(&example);
    return ok;
}

static bool encode_chat(const struct chat_format *format, const struct buffer *input,
    struct token_ids *ids, struct error *error) {
    json_error_t fault;
    struct chat read = {.time = chat_time_now()};
    json_t *root = json_loadb(buffer_text(input), input->length, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return error_set(error, ERROR_INVALID, "the input is not JSON (line %d, column %d: %s)",
            fault.line, fault.column, fault.text);
    if (json_is_array(root)) {
        json_t *list = root;
        root = json_pack("{s:o}", "messages", list);
    }
    bool ok =
        (root || memory_error(error, "a chat")) && chat_read(&read, root, error) &&
        (prompt ? chat_prompt(format, &read, ids, error) : whole_chat(format, &read, ids, error));
    json_decref(root);
    return ok;
}

static void print_ids(const struct tokenizer *tokenizer, const struct token_ids *ids) {
    if (!as_json) {
        for (size_t i = 0; i < ids->count; i++)
            printf("%s%d", i ? " " : "", ids->ids[i]);
        printf("\n");
        return;
    }
    json_t *numbers = json_array(), *texts = json_array();
    for (size_t i = 0; i < ids->count; i++) {
        const char *text = tokenizer_token_text(tokenizer, ids->ids[i]);
        json_array_append_new(numbers, json_integer(ids->ids[i]));
        json_array_append_new(texts, json_string(text ? text : ""));
    }
    json_t *root = json_pack(
        "{s:o, s:I, s:o}", "ids", numbers, "count", (json_int_t)ids->count, "tokens", texts);
    char *dumped = json_dumps(root, JSON_PRESERVE_ORDER);
    printf("%s\n", dumped ? dumped : "{}");
    free(dumped);
    json_decref(root);
}

static bool encode_line(const struct tokenizer *tokenizer, const char *line, size_t length,
    struct token_ids *ids, struct error *error) {
    json_error_t fault;
    json_t *text = json_loadb(line, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
    ids->count = 0;
    bool ok = json_is_string(text)
                  ? tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text),
                        special, ids, error)
                  : error_set(error, ERROR_INVALID, "a line of the input is no text in JSON: %.40s",
                        text ? "another value" : fault.text);
    json_decref(text);
    return ok;
}

static bool print_lines(
    const struct tokenizer *tokenizer, const struct buffer *input, struct error *error) {
    struct token_ids ids = {0};
    bool ok = true;
    const char *line = buffer_text(input), *end = line + input->length, *next;
    for (; ok && line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        if (!next) next = end;
        ok = encode_line(tokenizer, line, (size_t)(next - line), &ids, error);
        if (ok) print_ids(tokenizer, &ids);
    }
    token_ids_free(&ids);
    return ok;
}

static bool print_input(
    const struct chat_format *format, const struct buffer *input, struct error *error) {
    const struct tokenizer *tokenizer = chat_format_tokenizer(format);
    struct token_ids ids = {0};
    if (lines) return print_lines(tokenizer, input, error);
    bool ok =
        chat ? encode_chat(format, input, &ids, error)
             : tokenizer_encode(tokenizer, buffer_text(input), input->length, special, &ids, error);
    if (ok) print_ids(tokenizer, &ids);
    token_ids_free(&ids);
    return ok;
}

static bool run(const struct buffer *input, struct error *error) {
    struct model_choice found;
    struct chat_format *format;
    if (!model_choice_find(&found, model, data, account, error)) return false;
    bool ok = chat_format_open_with(&format, found.base.path, found.adapter, chat_template, error);
    model_choice_free(&found);
    if (!ok) return false;
    ok = print_input(format, input, error);
    chat_format_close(format);
    return ok;
}

int command_tokenize(int count, char **words) {
    struct error error = {0};
    struct buffer input;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    bool ok = read_input(&input, &error) && run(&input, &error);
    buffer_free(&input);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
