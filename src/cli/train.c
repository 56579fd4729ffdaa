// temper train: the trainer, for a job directory that the server (or a cluster's scheduler) hands
// over, or by hand from a file to an adapter.
#include "base/file.h"
#include "base/hyperparameters.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "cli/model_choice.h"
#include "model/chat_example.h"
#include "train/train_job.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JOB_NICENESS = 5 };

static const char *model = BUILT_IN_MODEL, *output, *validation, *adapter, *chat_template,
                  *data = "./temper-data";
static const char *account = "personal";
static long epochs, batch_size, lora_rank = 16, seed = TRAIN_SEED, threads;
static double multiplier, lora_alpha, lora_dropout;
static uint64_t memory;
static bool separate, validate_only, report_only, quiet, as_json;

static const struct cli_option options[] = {
    {"--output", "DIR", CLI_TEXT, &output, "where a run by hand works, and leaves its adapter"},
    {"--model", "M", CLI_TEXT, &model,
        "a base or fine-tuned model, or a directory (the built-in one)"},
    {"--data", "DIR", CLI_TEXT, &data, "look for models in DIR/models, too (./temper-data)"},
    {"--account", "NAME", CLI_TEXT, &account, "of a fine-tuned model: whose it is (personal)"},
    {"--validation", "FILE", CLI_TEXT, &validation, "chats to measure the loss on, too"},
    {"--adapter", "DIR", CLI_TEXT, &adapter, "go on from this adapter"},
    {"--chat-template", "FILE", CLI_TEXT, &chat_template,
        "a Jinja template in place of the model's own; the adapter keeps it"},
    {"--epochs", "N", CLI_INTEGER, &epochs, "passes over the data (auto)"},
    {"--batch-size", "N", CLI_INTEGER, &batch_size, "examples an update (auto)"},
    {"--learning-rate-multiplier", "X", CLI_REAL, &multiplier, "on the usual rate (1)"},
    {"--lora-rank", "N", CLI_INTEGER, &lora_rank, "rank of the adapter's matrices (16)"},
    {"--lora-alpha", "X", CLI_REAL, &lora_alpha, "scale of the adapter (twice the rank)"},
    {"--lora-dropout", "X", CLI_REAL, &lora_dropout,
        "share of the adapter's inputs that each step leaves out (0)"},
    {"--seed", "N", CLI_INTEGER, &seed, "of the order of examples and the first weights (42)"},
    {"--threads", "N", CLI_INTEGER, &threads, "cores (all); the result is the same"},
    {"--memory", "SIZE", CLI_BYTES, &memory,
        "that the run may take beside the base model's weights, such as 4GB (what the machine can "
        "spare); the result is the same"},
    {"--no-shared-prefixes", NULL, CLI_FLAG, &separate,
        "compute each example by itself, also what those of a batch begin with alike"},
    {"--validate-only", NULL, CLI_FLAG, &validate_only, "of a job directory: check the data"},
    {"--report-only", NULL, CLI_FLAG, &report_only,
        "of a job directory: write report.json, what its data holds and what it will take"},
    {"--quiet", NULL, CLI_FLAG, &quiet, "no progress"},
    {"--json", NULL, CLI_FLAG, &as_json, "print where the adapter is as JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper train DATA.jsonl --output DIR [--model M] [options]\n"
             "       temper train JOBDIR [--validate-only]",
    .purpose =
        "Fine-tunes a model with LoRA. By hand: DIR holds the adapter in peft's format at the\n"
        "end; stopped at any moment and started again, the run goes on where it was. The\n"
        "second form runs a job directory as the server writes it (spec.json, events.jsonl).",
    .example = "  temper train examples/json-generation.jsonl --output /tmp/json-adapter\n"
               "  temper train chats.jsonl --output /tmp/chats --memory 2GB --epochs 3\n"
               "  temper chat --adapter /tmp/json-adapter",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

static bool absolute(const char *path, char **copy, struct error *error) {
    char resolved[FILE_PATH_SIZE];
    if (!realpath(path, resolved)) return error_set_errno(error, ERROR_IO, "cannot open %s", path);
    *copy = memory_copy_string(resolved);
    return *copy || memory_error(error, "a path");
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool check_number(const char *group, const char *name, double number, struct error *error) {
    return number == 0 || hyperparameter_check(hyperparameter_find(group, name), number, error);
}

static bool check_options(struct error *error) {
    if (seed < 0) return error_set(error, ERROR_INVALID, "--seed must be 0 or more");
    if (threads < 0 || threads > 1024)
        return error_set(error, ERROR_INVALID, "--threads must be from 1 to 1024");
    return check_number(NULL, "n_epochs", (double)epochs, error) &&
           check_number(NULL, "batch_size", (double)batch_size, error) &&
           check_number(NULL, "learning_rate_multiplier", multiplier, error) &&
           hyperparameter_check(hyperparameter_find("lora", "rank"), (double)lora_rank, error) &&
           hyperparameter_check(hyperparameter_find("lora", "dropout"), lora_dropout, error);
}

// The base model, and the adapter to go on from: the model's own, or one given by hand.
static bool fill_model(struct train_spec *spec, struct error *error) {
    struct model_choice choice;
    const char *start = adapter;
    if (!model_choice_find(&choice, model, data, account, error)) return false;
    bool ok = model_choice_adapter(&choice, &start, error) &&
              (!start || absolute(start, &spec->adapter, error));
    spec->model = choice.base.path;
    spec->base_model_name = choice.base.id;
    choice.base.path = choice.base.id = NULL;
    model_choice_free(&choice);
    return ok;
}

static bool fill_spec(struct train_spec *spec, const char *file, struct error *error) {
    train_spec_init(spec);
    if (!check_options(error) || !fill_model(spec, error)) return false;
    spec->seed = (uint64_t)seed;
    spec->epochs = (double)epochs;
    spec->batch_size = (double)batch_size;
    spec->rate_multiplier = multiplier;
    spec->lora_rank = (size_t)lora_rank;
    spec->lora_dropout = lora_dropout;
    spec->lora_alpha = lora_alpha > 0 ? lora_alpha : 2 * (double)lora_rank;
    spec->threads = (int)threads;
    spec->memory = memory;
    spec->separate = separate;
    if (!absolute(file, &spec->training_file, error) ||
        (validation && !absolute(validation, &spec->validation_file, error)) ||
        (chat_template && !absolute(chat_template, &spec->chat_template, error)))
        return false;
    spec->chat_time = chat_time_now();
    spec->training_file_name = memory_copy_string(base_name(file));
    spec->validation_file_name = validation ? memory_copy_string(base_name(validation)) : NULL;
    return true;
}

// The adapter's two files also stand in the output directory itself, where peft and `temper chat`
// are pointed at.
static bool expose_adapter(const char *directory, struct error *error) {
    static const char *const names[] = {
        "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char inner[FILE_PATH_SIZE], from[FILE_PATH_SIZE], to[FILE_PATH_SIZE];
        if (!file_path(inner, sizeof inner, error, directory, JOB_ADAPTER_DIRECTORY) ||
            !file_path(from, sizeof from, error, inner, names[i]) ||
            !file_path(to, sizeof to, error, directory, names[i]))
            return false;
        if (!file_exists(from)) continue;
        unlink(to);
        if (link(from, to) != 0)
            return error_set_errno(error, ERROR_IO, "cannot link %s to %s", from, to);
    }
    return true;
}

static void print_json(const char *directory) {
    json_t *root =
        json_pack("{s:s, s:s, s:s}", "status", "succeeded", "adapter", directory, "model", model);
    char *text = json_dumps(root, JSON_PRESERVE_ORDER);
    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(root);
}

static int finish(enum job_exit outcome, const char *directory, bool by_hand, struct error *error) {
    if (outcome == JOB_EXIT_SUCCEEDED && by_hand && !expose_adapter(directory, error))
        outcome = JOB_EXIT_FAILED;
    if (outcome == JOB_EXIT_FAILED) cli_fail(error);
    if (outcome == JOB_EXIT_INTERRUPTED && by_hand)
        fprintf(stderr, "temper: stopped; the same command goes on from here\n");
    if (outcome == JOB_EXIT_SUCCEEDED && by_hand && as_json)
        print_json(directory);
    else if (outcome == JOB_EXIT_SUCCEEDED && by_hand && !quiet)
        printf("adapter in %s; try it: temper chat --model %s --adapter %s\n", directory, model,
            directory);
    return (int)outcome;
}

static int by_hand(const char *file, struct error *error) {
    struct train_job_options job_options = {.quiet = quiet};
    struct train_spec spec;
    if (!output) {
        error_set(error, ERROR_INVALID, "--output DIR is missing: where the adapter is to go");
        cli_fail(error);
        return CLI_USAGE;
    }
    bool ok = fill_spec(&spec, file, error) && train_job_create(output, &spec, error);
    train_spec_free(&spec);
    if (!ok) return cli_fail(error);
    return finish(train_job_run(output, &job_options, error), output, true, error);
}

// A server's trainer takes what the server leaves: an answer that someone waits for comes first.
static void give_way(void) {
    errno = 0;
    if (nice(JOB_NICENESS) == -1 && errno != 0) log_debug("the priority could not be lowered");
}

int command_train(int count, char **words) {
    struct error error = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (!file_is_directory(words[0])) return by_hand(words[0], &error);
    give_way();
    struct train_job_options job_options = {
        .validate_only = validate_only, .report_only = report_only, .quiet = quiet};
    return finish(train_job_run(words[0], &job_options, &error), words[0], false, &error);
}
