// temper chat: talk to a model in the terminal, with or without an adapter.
#include "base/memory.h"
#include "cli/answer.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "cli/model_choice.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *model = BUILT_IN_MODEL, *adapter, *chat_template, *data = "./temper-data",
                  *system_text, *account = "personal";
static double temperature;
static long max_tokens, threads, seed = -1;
static bool as_json;

static const struct cli_option options[] = {
    {"--model", "M", CLI_TEXT, &model,
        "a base or fine-tuned model, or a directory (the built-in one)"},
    {"--adapter", "DIR", CLI_TEXT, &adapter, "answer with this adapter"},
    {"--data", "DIR", CLI_TEXT, &data, "look for models in DIR/models, too (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "of a fine-tuned model: whose it is (personal)"},
    {"--chat-template", "FILE", CLI_TEXT, &chat_template,
        "a Jinja template in place of the model's own"},
    {"--system", "TEXT", CLI_TEXT, &system_text, "what stands before the chat"},
    {"--temperature", "X", CLI_REAL, &temperature, "0 takes the likeliest token, always (0)"},
    {"--max-tokens", "N", CLI_INTEGER, &max_tokens, "of an answer (what the context holds)"},
    {"--seed", "N", CLI_INTEGER, &seed, "makes a temperature above 0 repeatable"},
    {"--threads", "N", CLI_INTEGER, &threads, "cores (all)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print the answer as JSON, with the counts of tokens"},
};

static const struct cli_syntax syntax = {
    .usage = "temper chat [--model M] [--adapter DIR] [--system TEXT] [PROMPT]",
    .purpose =
        "Answers PROMPT, or, without one, each line of standard input, keeping the chat so far.\n"
        "An empty line begins a new chat.",
    .example = "  temper chat 'What is the capital of France?'\n"
               "  temper chat --adapter /tmp/json-adapter --system 'Answer in JSON.'",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .most = 1,
};

static json_t *new_chat(void) {
    json_t *messages = json_array();
    if (system_text)
        json_array_append_new(
            messages, json_pack("{s:s, s:s}", "role", "system", "content", system_text));
    return messages;
}

static bool add_message(
    json_t *messages, const char *role, const char *text, size_t length, struct error *error) {
    json_t *content = json_stringn(text, length);
    if (!content) return error_set(error, ERROR_INVALID, "the text is not UTF-8");
    return !json_array_append_new(
               messages, json_pack("{s:s, s:o}", "role", role, "content", content)) ||
           memory_error(error, "a message");
}

static void print_json(const struct answer *answer) {
    static const char *const reasons[] = {"stop", "length", "cancelled", "failed"};
    json_t *root = json_pack("{s:s, s:s, s:I, s:I}", "answer", buffer_text(&answer->text),
        "finish_reason", reasons[answer->result.reason], "prompt_tokens",
        (json_int_t)answer->result.prompt_tokens, "completion_tokens",
        (json_int_t)answer->result.completion_tokens);
    char *text = json_dumps(root, JSON_PRESERVE_ORDER);
    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(root);
}

static bool answer_chat(
    struct engine *engine, const char *directory, json_t *messages, struct error *error) {
    struct answer answer;
    answer_init(&answer);
    answer.print = !as_json;
    answer.request.model = directory;
    answer.request.adapter = adapter;
    answer.request.messages = messages;
    answer.request.temperature = temperature;
    answer.request.maximum_tokens = max_tokens;
    answer.request.has_seed = seed >= 0;
    answer.request.seed = (uint64_t)seed;
    bool ok =
        answer_begin(&answer, engine, error) && answer_wait(&answer, error) &&
        add_message(messages, "assistant", buffer_text(&answer.text), answer.text.length, error);
    if (ok && as_json)
        print_json(&answer);
    else if (ok)
        printf("\n");
    answer_free(&answer);
    return ok;
}

static bool converse(struct engine *engine, const char *directory, struct error *error) {
    char *line = NULL;
    size_t capacity = 0;
    bool ok = true, terminal = isatty(STDIN_FILENO);
    json_t *messages = new_chat();
    while (ok) {
        if (terminal) {
            printf("> ");
            fflush(stdout);
        }
        ssize_t length = getline(&line, &capacity, stdin);
        if (length < 0) break;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            length--;
        ok = length && add_message(messages, "user", line, (size_t)length, error) &&
             answer_chat(engine, directory, messages, error);
        if (!length || (!ok && terminal && error->code == ERROR_INVALID)) {
            if (length) cli_fail(error); // the chat is longer than the context, say: begin again
            json_decref(messages);
            messages = new_chat();
            ok = true;
        }
    }
    if (terminal) printf("\n");
    free(line);
    json_decref(messages);
    return ok;
}

static bool once(
    struct engine *engine, const char *directory, const char *prompt, struct error *error) {
    json_t *messages = new_chat();
    bool ok = add_message(messages, "user", prompt, strlen(prompt), error) &&
              answer_chat(engine, directory, messages, error);
    json_decref(messages);
    return ok;
}

int command_chat(int count, char **words) {
    struct error error = {0};
    struct engine *engine = NULL;
    struct model_choice found = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    struct engine_options engine_options = {(int)threads, chat_template};
    bool ok = model_choice_find(&found, model, data, account, &error) &&
              model_choice_adapter(&found, &adapter, &error) &&
              engine_open(&engine, &engine_options, &error) &&
              (given ? once(engine, found.base.path, words[0], &error)
                     : converse(engine, found.base.path, &error));
    engine_close(engine);
    model_choice_free(&found);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
