// temper validate: what a fine-tuning job would say of a training file, before there is a job.
#include "base/file.h"
#include "base/hyperparameters.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "cli/model_choice.h"
#include "cli/show_examples.h"
#include "model/chat_example.h"
#include "model/model_config.h"
#include "train/dataset.h"
#include "train/train_report.h"
#include "train/train_work.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *model = BUILT_IN_MODEL, *chat_template, *data = "./temper-data",
                  *account = "personal";
static bool as_json;
static long threads, show, batch_size;

static const struct cli_option options[] = {
    {"--model", "M", CLI_TEXT, &model,
        "whose tokens to count: a base or fine-tuned model, or a directory"},
    {"--data", "DIR", CLI_TEXT, &data, "look for models in DIR/models, too (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "of a fine-tuned model: whose it is (personal)"},
    {"--chat-template", "FILE", CLI_TEXT, &chat_template,
        "a Jinja template in place of the model's own"},
    {"--batch-size", "N", CLI_INTEGER, &batch_size,
        "examples an update, of which what they begin with alike is computed once (auto)"},
    {"--show", "N", CLI_INTEGER, &show,
        "print the tokens of N examples: what is trained on is "
        "green, or stands in ⟦ ⟧"},
    {"--threads", "N", CLI_INTEGER, &threads, "cores (all)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper validate DATA.jsonl [--model M] [--show N] [--json]",
    .purpose =
        "Checks a training file as a fine-tuning job does: up to ten faults, each with its line\n"
        "and what to do, or how many examples and tokens there are, and how many of the tokens an\n"
        "epoch of `temper train` computes. Ends with 1 on faults.",
    .example = "  temper validate examples/json-generation.jsonl\n"
               "  temper validate examples/json-generation.jsonl --show 2",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

// What reading a file gave.
struct validation {
    struct chat_format *format;
    struct dataset *dataset; // NULL: it has faults
    struct dataset_faults faults;
    size_t context;
    uint64_t computed; // tokens an epoch, in batches of `batch` examples
    size_t batch;
};

static void print_json(const struct validation *v) {
    const struct tokenizer *tokenizer = chat_format_tokenizer(v->format);
    json_t *root = train_report(v->dataset, v->computed, &v->faults, tokenizer, 0);
    json_object_del(root, "shown");
    if (v->dataset) json_object_set_new(root, "batch_size", json_integer((json_int_t)v->batch));
    if (v->dataset && show > 0)
        json_object_set_new(root, "shown", show_examples_json(v->dataset, tokenizer, (size_t)show));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(root);
}

static void print_counts(const char *file, const struct validation *v) {
    const struct dataset *dataset = v->dataset;
    printf("%s is good\n", file);
    printf("  examples          %zu\n", dataset->example_count);
    printf("  tokens            %llu\n", (unsigned long long)dataset->token_count);
    printf(
        "  trained on        %llu of them (answers)\n", (unsigned long long)dataset->trained_count);
    printf("  computed          %llu an epoch: in batches of %zu, what examples begin with alike "
           "counts once\n",
        (unsigned long long)v->computed, v->batch);
    printf("  longest example   %zu tokens; the model holds %zu\n", dataset->longest, v->context);
    printf("  to be truncated   %zu\n", dataset->truncated_count);
    if (dataset->endless_count)
        printf("  without an end    %zu (the chat template puts no end-of-turn token behind an "
               "answer: the model\n                    does not learn when to stop)\n",
            dataset->endless_count);
}

static void print_faults(const char *file, const struct dataset_faults *faults) {
    struct buffer text;
    buffer_init(&text, 1 << 20);
    dataset_faults_write(faults, file, &text);
    printf("%s\n", buffer_text(&text));
    buffer_free(&text);
}

// As a run with the same batch size and nothing else asked for.
static bool count_work(
    struct validation *v, const struct model_config *config, struct error *error) {
    struct trainer_data of = {v->dataset, NULL};
    struct train_spec spec;
    train_spec_init(&spec);
    spec.seed = TRAIN_SEED;
    spec.batch_size = (double)batch_size;
    train_spec_choose(&spec, v->dataset->example_count);
    v->batch = (size_t)spec.batch_size;
    return train_work_count(&spec, config, &of, false, &v->computed, error);
}

static bool load(const char *file, struct validation *v, struct error *error) {
    struct model_choice found;
    struct thread_pool *pool = NULL;
    struct model_config config;
    if (!model_choice_find(&found, model, data, account, error)) return false;
    bool ok =
        model_config_load(&config, found.base.path, error) &&
        chat_format_open_with(&v->format, found.base.path, found.adapter, chat_template, error) &&
        thread_pool_create(&pool, (int)threads, error);
    model_choice_free(&found);
    if (ok) {
        struct dataset_options rules = {
            .context_length = config.context_length, .minimum_examples = DATASET_MINIMUM_EXAMPLES};
        v->context = config.context_length;
        ok = dataset_load(&v->dataset, file, v->format, &rules, pool, &v->faults, error) &&
             count_work(v, &config, error);
    }
    thread_pool_free(pool);
    return ok;
}

static void print_text(const char *file, const struct validation *v) {
    if (!v->dataset) {
        print_faults(file, &v->faults);
        return;
    }
    if (show > 0) show_examples(v->dataset, chat_format_tokenizer(v->format), (size_t)show);
    print_counts(file, v);
}

static bool check_options(struct error *error) {
    return !batch_size ||
           hyperparameter_check(hyperparameter_find(NULL, "batch_size"), (double)batch_size, error);
}

int command_validate(int count, char **words) {
    struct error error = {0};
    struct validation validation = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    bool ok = check_options(&error) && load(words[0], &validation, &error),
         told = ok || validation.faults.count;
    if (told && as_json)
        print_json(&validation);
    else if (told)
        print_text(words[0], &validation);
    dataset_free(validation.dataset);
    chat_format_close(validation.format);
    return ok ? CLI_SUCCESS : told ? CLI_FAILURE : cli_fail(&error);
}
