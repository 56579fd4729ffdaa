// temper eval: how well a model, with or without an adapter, answers the chats of a file. The loss
// is that of training: the mean over the trained tokens.
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/answer.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "cli/model_choice.h"
#include "model/adapter_file.h"
#include "model/chat_example.h"
#include "model/transformer_training.h"
#include "train/dataset.h"
#include "train/packing.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 16, MAX_DATA = 1 << 30 };

static const char *model = BUILT_IN_MODEL, *adapter, *chat_template, *data = "./temper-data",
                  *account = "personal";
static long max_tokens, threads;
static bool as_json, generate;

static const struct cli_option options[] = {
    {"--model", "M", CLI_TEXT, &model,
        "a base or fine-tuned model, or a directory (the built-in one)"},
    {"--adapter", "DIR", CLI_TEXT, &adapter, "with this adapter"},
    {"--data", "DIR", CLI_TEXT, &data, "look for models in DIR/models, too (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "of a fine-tuned model: whose it is (personal)"},
    {"--chat-template", "FILE", CLI_TEXT, &chat_template,
        "a Jinja template in place of the model's own"},
    {"--generate", NULL, CLI_FLAG, &generate,
        "also answer each chat (greedily), and count the answers that are exactly right"},
    {"--max-tokens", "N", CLI_INTEGER, &max_tokens, "of an answer (what the context holds)"},
    {"--threads", "N", CLI_INTEGER, &threads, "cores (all)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON, with each example's own numbers"},
};

static const struct cli_syntax syntax = {
    .usage = "temper eval DATA.jsonl [--model M] [--adapter DIR] [--generate] [--json]",
    .purpose =
        "The loss over the tokens of the answers in a file of chats, for each example and for all.",
    .example = "  temper eval examples/json-generation-heldout.jsonl --adapter /tmp/json-adapter "
               "--generate",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

// One example's numbers.
struct row {
    double loss; // sum over its trained tokens
    double tokens;
    char *answer; // as generated; NULL without --generate
    bool exact;
};

struct evaluation {
    const char *file;
    struct model_choice model;
    struct dataset *dataset;
    struct row *rows;
};

// ---- loss ----

static bool load(struct evaluation *e, struct compute *compute, struct error *error) {
    struct chat_format *format;
    struct model_config config;
    struct dataset_faults faults;
    if (!model_config_load(&config, e->model.base.path, error) ||
        !chat_format_open_with(&format, e->model.base.path, adapter, chat_template, error))
        return false;
    struct dataset_options rules = {.context_length = config.context_length, .minimum_examples = 1};
    bool ok =
        dataset_load(&e->dataset, e->file, format, &rules, compute_pool(compute), &faults, error);
    chat_format_close(format);
    if (ok) e->rows = memory_alloc_zeroed(e->dataset->example_count, sizeof *e->rows);
    return ok && (e->rows || memory_error(error, "an evaluation"));
}

static bool measure_all(
    struct evaluation *e, struct training *training, size_t longest, struct error *error) {
    struct packer packer;
    struct progress progress;
    if (!packer_create(&packer, longest, 1, false, error)) return false;
    progress_start(&progress, "loss", e->dataset->example_count, false);
    for (size_t i = 0; i < e->dataset->example_count; i++) {
        uint32_t order = (uint32_t)i;
        struct training_batch batch;
        struct training_result result = {0};
        packer_begin(&packer, e->dataset, &order, 1, 1);
        if (packer_next(&packer, &batch)) training_evaluate(training, &batch, &result, NULL);
        e->rows[i].loss = result.loss;
        e->rows[i].tokens = result.supervised;
        progress_update(&progress, i + 1, NULL);
    }
    progress_finish(&progress, NULL);
    packer_free(&packer);
    return true;
}

static bool measure(struct evaluation *e, struct error *error) {
    struct compute *compute = NULL;
    struct transformer *transformer = NULL;
    struct training *training = NULL;
    struct lora *lora = NULL;
    bool ok =
        compute_create(&compute, (int)threads, COMPUTE_AUTO, error) && load(e, compute, error) &&
        transformer_open(&transformer, e->model.base.path, error) &&
        (adapter ? adapter_file_load(&lora, transformer_config(transformer), adapter, error)
                 : lora_create(&lora, transformer_config(transformer), 1, 1, 1, 0, error)) &&
        training_create(&training, transformer, compute, e->dataset->longest, lora, 0, error) &&
        measure_all(e, training, e->dataset->longest, error);
    training_free(training);
    lora_free(lora);
    transformer_close(transformer);
    compute_free(compute);
    return ok;
}

// ---- answers ----

// The chat of an example up to its last answer, which goes to *wanted (borrowed). NULL on failure.
static json_t *question_of(
    const char *text, size_t length, const char **wanted, json_t **keep, struct error *error) {
    json_error_t fault;
    *keep = json_loadb(text, length, 0, &fault);
    json_t *messages = json_object_get(*keep, "messages"), *question = json_array();
    size_t last = json_array_size(messages);
    while (last > 0 &&
           strcmp(json_string_value(json_object_get(json_array_get(messages, last - 1), "role")),
               "assistant"))
        last--;
    for (size_t i = 0; i + 1 < last; i++)
        json_array_append(question, json_array_get(messages, i));
    *wanted = json_string_value(
        json_object_get(json_array_get(messages, last ? last - 1 : 0), "content"));
    if (*wanted && last) return question;
    error_set(error, ERROR_INVALID, "an example has no answer that is a plain text");
    json_decref(question);
    return NULL;
}

// The start of the next line that says something; NULL at the end.
static const char *next_line(const char **at, const char *end, size_t *length) {
    while (*at < end) {
        const char *line = *at, *newline = memchr(line, '\n', (size_t)(end - line));
        *at = newline ? newline + 1 : end;
        *length = (size_t)((newline ? newline : end) - line);
        if (strspn(line, " \t\r\n") < *length) return line;
    }
    return NULL;
}

struct question {
    struct answer answer;
    json_t *row, *messages;
    const char *wanted;
};

static bool ask(struct question *question, struct evaluation *e, struct engine *engine,
    const char **at, const char *end, struct error *error) {
    size_t length;
    const char *line = next_line(at, end, &length);
    answer_init(&question->answer);
    question->row = question->messages = NULL;
    if (!line)
        return error_set(error, ERROR_CONFLICT, "%s became shorter while it was read", e->file);
    question->messages = question_of(line, length, &question->wanted, &question->row, error);
    if (!question->messages) return false;
    question->answer.request.model = e->model.base.path;
    question->answer.request.adapter = adapter;
    question->answer.request.messages = question->messages;
    question->answer.request.tools = json_object_get(question->row, "tools");
    question->answer.request.maximum_tokens = max_tokens;
    return answer_begin(&question->answer, engine, error);
}

static bool take(struct question *question, struct row *row, struct error *error) {
    if (!answer_wait(&question->answer, error)) return false;
    row->answer = memory_copy_string(buffer_text(&question->answer.text));
    row->exact = row->answer && !strcmp(row->answer, question->wanted);
    return row->answer || memory_error(error, "an answer");
}

static void forget(struct question *question) {
    answer_free(&question->answer);
    json_decref(question->messages);
    json_decref(question->row);
}

static bool answer_some(struct evaluation *e, struct engine *engine, const char **at,
    const char *end, size_t first, size_t count, struct error *error) {
    struct question questions[AT_ONCE];
    size_t asked = 0;
    bool ok = true;
    for (; ok && asked < count; asked++)
        ok = ask(&questions[asked], e, engine, at, end, error);
    for (size_t i = 0; i < asked; i++) {
        bool begun = questions[i].answer.ticket != 0;
        struct error ignored;
        if (begun && !take(&questions[i], &e->rows[first + i], ok ? error : &ignored)) ok = false;
        forget(&questions[i]);
    }
    return ok;
}

static bool answer_all(struct evaluation *e, struct error *error) {
    struct engine_options engine_options = {(int)threads, chat_template};
    struct engine *engine;
    struct progress progress;
    char *text;
    size_t length, count = e->dataset->example_count;
    if (!file_read(e->file, MAX_DATA, &text, &length, error)) return false;
    bool ok = engine_open(&engine, &engine_options, error);
    const char *at = text + (length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0);
    if (ok) {
        progress_start(&progress, "answers", count, false);
        for (size_t i = 0; ok && i < count; i += AT_ONCE) {
            size_t some = count - i < AT_ONCE ? count - i : AT_ONCE;
            ok = answer_some(e, engine, &at, text + length, i, some, error);
            progress_update(&progress, i + some, NULL);
        }
        progress_finish(&progress, NULL);
        engine_close(engine);
    }
    memory_free(text);
    return ok;
}

// ---- telling ----

static void print(const struct evaluation *e) {
    double loss = 0, tokens = 0;
    size_t exact = 0, count = e->dataset->example_count;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &e->rows[i];
        json_t *item =
            json_pack("{s:I, s:f, s:I}", "line", (json_int_t)e->dataset->examples[i].line, "loss",
                row->tokens > 0 ? row->loss / row->tokens : 0.0, "tokens", (json_int_t)row->tokens);
        if (row->answer) {
            json_object_set_new(item, "answer", json_string(row->answer));
            json_object_set_new(item, "exact", json_boolean(row->exact));
        }
        json_array_append_new(list, item);
        loss += row->loss;
        tokens += row->tokens;
        exact += row->exact;
    }
    loss = tokens > 0 ? loss / tokens : 0;
    if (as_json) {
        json_t *root = json_pack("{s:f, s:I, s:o, s:o}", "loss", loss, "tokens", (json_int_t)tokens,
            "exact_match", generate ? json_integer((json_int_t)exact) : json_null(), "examples",
            list);
        char *text = json_dumps(root, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
        printf("%s\n", text ? text : "{}");
        free(text);
        json_decref(root);
        return;
    }
    printf("loss %.5f over %.0f tokens of %zu examples\n", loss, tokens, count);
    if (generate) printf("exactly right: %zu of %zu answers\n", exact, count);
    json_decref(list);
}

int command_eval(int count, char **words) {
    struct error error = {0};
    struct evaluation evaluation = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    evaluation.file = words[0];
    bool ok = model_choice_find(&evaluation.model, model, data, account, &error) &&
              model_choice_adapter(&evaluation.model, &adapter, &error) &&
              measure(&evaluation, &error) && (!generate || answer_all(&evaluation, &error));
    if (ok) print(&evaluation);
    for (size_t i = 0; evaluation.rows && i < evaluation.dataset->example_count; i++)
        memory_free(evaluation.rows[i].answer);
    memory_free(evaluation.rows);
    dataset_free(evaluation.dataset);
    model_choice_free(&evaluation.model);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
