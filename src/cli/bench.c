// temper bench: what this machine can do, how much of it training reaches, and how fast texts
// become tokens.
#include "base/file.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "compute/compute.h"
#include "model/tokenizer.h"
#include "train/train_bench.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *shape_name = "S", *examples = "plain";
static const char *weights, *model, *data = "./temper-data", *text_file;
static long threads, steps = 5, train_length;
static uint64_t memory;
static bool full, separate, as_json;

static const struct cli_option options[] = {
    {"--shape", "S|M|L", CLI_TEXT, &shape_name, "of `train`: the model's size (S)"},
    {"--length", "N", CLI_INTEGER, &train_length,
        "of `train`: tokens a sequence, as many of them as keep a step's tokens (512)"},
    {"--weights", "bf16|int8|nf4", CLI_TEXT, &weights,
        "of `train --shape`: how the frozen weights are stored (bf16)"},
    {"--full", NULL, CLI_FLAG, &full, "of `train`: all parameters in place of LoRA"},
    {"--examples", "plain|shared-prefixes", CLI_TEXT, &examples,
        "of `train`: loss on all tokens, or a system prompt that all share and one-word answers "
        "(plain)"},
    {"--no-shared-prefixes", NULL, CLI_FLAG, &separate,
        "of `train`: compute each example by itself"},
    {"--memory", "SIZE", CLI_BYTES, &memory,
        "of `train`: beside the weights, such as 4GB (what the machine can spare)"},
    {"--steps", "N", CLI_INTEGER, &steps, "of `train`: how many to measure (5)"},
    {"--threads", "N", CLI_INTEGER, &threads, "cores (all)"},
    {"--model", "M", CLI_TEXT, &model,
        "of `train`: a model in place of a shape; of `tokenize`: whose tokenizer (the built-in)"},
    {"--data", "DIR", CLI_TEXT, &data, "look for models in DIR/models, too (./temper-data)"},
    {"--file", "F", CLI_TEXT, &text_file, "of `tokenize`: the text"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper bench peak | train [--shape S|M|L | --model M] [--length N] [--weights TYPE] "
             "[--full] |\n"
             "       tokenize --file F [--model M] [--json]",
    .purpose =
        "peak: the most multiply-adds and bytes a second that this machine does. train: tokens\n"
        "a second of training (LoRA on random weights, loss on all tokens, unless told "
        "otherwise),\n"
        "the fraction of that peak, and for every kind of operation its time, its share, and the\n"
        "part of its limit that it reaches. tokenize: how fast one thread encodes a text, the "
        "best\n"
        "of 5.",
    .example = "  temper bench peak\n  temper bench train --shape M --json\n"
               "  temper bench train --shape M --length 2048\n"
               "  temper bench train --shape L --weights nf4 --steps 3\n"
               "  temper bench train --shape S --full\n"
               "  temper bench train --shape M --examples shared-prefixes\n"
               "  temper bench train --shape M --memory 1GB",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 1,
};

static bool peak(struct error *error) {
    struct compute *compute;
    double gigabytes;
    if (!compute_create(&compute, (int)threads, COMPUTE_AUTO, error)) return false;
    double gflops = compute_peak_gflops(compute);
    bool ok = compute_bandwidth(compute, &gigabytes, error);
    const char *path = compute_path_names[compute_path_of(compute)];
    if (ok)
        printf(as_json ? "{\"path\": \"%s\", \"threads\": %d, \"peak_gflops\": %.1f, "
                         "\"gigabytes_per_second\": %.1f}\n"
                       : "path %s, %d threads: %.1f GFLOP/s, %.1f GB/s read\n",
            path, compute_threads(compute), gflops, gigabytes);
    compute_free(compute);
    return ok;
}

static const struct train_bench_shape *find_shape(struct error *error) {
    for (size_t i = 0; i < train_bench_shape_count; i++)
        if (!strcmp(shape_name, train_bench_shapes[i].name)) return &train_bench_shapes[i];
    error_set(error, ERROR_INVALID, "--shape %s is none of S, M and L", shape_name);
    return NULL;
}

static bool read_weights(enum data_type *type, struct error *error) {
    static const enum data_type types[] = {DATA_BF16, DATA_INT8, DATA_NF4};
    *type = DATA_BF16;
    if (!weights) return true;
    if (model || full)
        return error_set(error, ERROR_INVALID, "--weights is of a shape's frozen weights: %s",
            model ? "those of --model are stored as they are" : "--full trains them all, in f32");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(weights, data_type_table[types[i]].name)) {
            *type = types[i];
            return true;
        }
    return error_set(error, ERROR_INVALID, "--weights %s is none of bf16, int8 and nf4", weights);
}

static bool read_examples(bool *headlines, struct error *error) {
    *headlines = !strcmp(examples, "shared-prefixes");
    if (!*headlines && strcmp(examples, "plain"))
        return error_set(
            error, ERROR_INVALID, "--examples %s is neither plain nor shared-prefixes", examples);
    return !*headlines || !train_length ||
           error_set(error, ERROR_INVALID,
               "--length is of plain examples; those with shared prefixes have their own");
}

static bool read_options(struct train_bench_options *wish, struct error *error) {
    *wish = (struct train_bench_options){.full = full,
        .length = (size_t)train_length,
        .separate = separate,
        .memory = memory,
        .threads = (int)threads,
        .steps = (size_t)steps};
    if (train_length && (train_length < 2 || train_length > 1 << 20))
        return error_set(error, ERROR_INVALID, "--length must be from 2 to 1048576");
    if (steps < 1 || steps > 10000)
        return error_set(error, ERROR_INVALID, "--steps must be from 1 to 10000");
    return read_weights(&wish->weights, error) && read_examples(&wish->headlines, error) &&
           (model || (wish->shape = find_shape(error)));
}

static bool run_train(struct train_bench_result *result, struct error *error) {
    struct train_bench_options wish;
    struct model_directory found = {0};
    if (!read_options(&wish, error) || (model && !model_directory_find(&found, model, data, error)))
        return false;
    wish.model = found.path;
    bool ok = train_bench_run(&wish, result, error);
    if (model) model_directory_free(&found);
    return ok;
}

static void print_operations(const struct train_bench_result *r) {
    double rest = r->profiled_seconds;
    printf("\n%-26s %7s %9s %7s %9s %8s %9s\n", "OPERATION", "CALLS", "ms", "SHARE", "GFLOP/s",
        "GB/s", "OF LIMIT");
    for (size_t i = 0; i < COMPUTE_OPERATIONS; i++) {
        const struct compute_profile *p = &r->profiles[i];
        if (!p->calls) continue;
        rest -= p->seconds;
        printf("%-26s %7llu %9.2f %6.1f%% %9.1f %8.2f %9.2f\n", compute_operation_names[i],
            (unsigned long long)p->calls, p->seconds * 1e3, 100 * p->seconds / r->profiled_seconds,
            p->operations / p->seconds * 1e-9, p->bytes / p->seconds * 1e-9,
            train_bench_reached(r, p));
    }
    printf(
        "%-26s %7s %9.2f %6.1f%%\n", "all else", "", rest * 1e3, 100 * rest / r->profiled_seconds);
    printf("Limits of this run: %.1f GFLOP/s, %.1f GB/s. What stays in the caches can pass the "
           "latter.\n",
        r->peak_gflops, r->bandwidth * 1e-9);
}

static void print_train(const struct train_bench_result *r) {
    printf("shape %s on %s: %.1f tokens/s, %.3f of the peak of %.1f GFLOP/s (%.1f in bursts; "
           "%.3g operations a token), %llu bytes at most, %zu steps\n",
        model ? model : shape_name, r->path, r->tokens_per_second, r->fraction_of_peak,
        r->peak_gflops, r->burst_gflops, r->operations_per_token,
        (unsigned long long)r->peak_rss_bytes, r->steps);
    printf("a step: %.4f s; %zu tokens held, %zu computed (%.2f); activations %.0f MB\n",
        r->seconds, r->tokens_held, r->tokens_computed,
        (double)r->tokens_computed / (double)r->tokens_held, (double)r->activation_bytes * 1e-6);
    if (r->separate_seconds > 0)
        printf("without sharing: %.4f s; sharing takes %.2f of it\n", r->separate_seconds,
            r->seconds / r->separate_seconds);
    print_operations(r);
}

static void print_train_json(const struct train_bench_result *r) {
    json_t *operations = json_array();
    for (size_t i = 0; i < COMPUTE_OPERATIONS; i++) {
        const struct compute_profile *p = &r->profiles[i];
        if (p->calls)
            json_array_append_new(operations,
                json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f}", "operation",
                    compute_operation_names[i], "calls", (json_int_t)p->calls, "seconds",
                    p->seconds, "share", p->seconds / r->profiled_seconds, "gflops",
                    p->operations / p->seconds * 1e-9, "gigabytes_per_second",
                    p->bytes / p->seconds * 1e-9, "fraction_of_limit", train_bench_reached(r, p)));
    }
    json_t *root = json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:o}", "shape",
        model ? model : shape_name, "path", r->path, "tokens_per_second", r->tokens_per_second,
        "fraction_of_peak", r->fraction_of_peak, "peak_gflops", r->peak_gflops,
        "operations_per_token", r->operations_per_token, "peak_rss_bytes",
        (json_int_t)r->peak_rss_bytes, "steps", (json_int_t)r->steps, "step_seconds",
        r->profiled_seconds, "gigabytes_per_second", r->bandwidth * 1e-9, "operations", operations);
    json_object_update_new(
        root, json_pack("{s:f, s:s, s:b, s:s, s:f, s:o, s:I, s:I, s:I, s:I}", "burst_gflops",
                  r->burst_gflops, "weights",
                  model     ? "as stored"
                  : full    ? "f32"
                  : weights ? weights
                            : "bf16",
                  "full", full, "examples", examples, "median_seconds", r->seconds,
                  "median_seconds_without_sharing",
                  r->separate_seconds > 0 ? json_real(r->separate_seconds) : json_null(),
                  "tokens_held", (json_int_t)r->tokens_held, "tokens_computed",
                  (json_int_t)r->tokens_computed, "activation_bytes",
                  (json_int_t)r->activation_bytes, "weight_bytes", (json_int_t)r->weight_bytes));
    char *text = json_dumps(root, JSON_PRESERVE_ORDER);
    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(root);
}

static bool train(struct error *error) {
    struct train_bench_result result;
    if (!run_train(&result, error)) return false;
    if (as_json)
        print_train_json(&result);
    else
        print_train(&result);
    return true;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool time_encoding(
    const struct tokenizer *tokenizer, const char *text, size_t length, struct error *error) {
    struct token_ids ids = {0};
    double best = 0;
    bool ok = true;
    for (int round = 0; ok && round < 5; round++) {
        ids.count = 0;
        double begin = seconds_now();
        ok = tokenizer_encode(tokenizer, text, length, false, &ids, error);
        double seconds = seconds_now() - begin;
        if (!round || seconds < best) best = seconds;
    }
    if (ok)
        printf(as_json ? "{\"bytes\": %zu, \"tokens\": %zu, \"seconds\": %.6f, "
                         "\"megabytes_per_second\": %.2f}\n"
                       : "%zu bytes, %zu tokens, %.4f s: %.2f MB/s on one thread\n",
            length, ids.count, best, (double)length / best / 1e6);
    token_ids_free(&ids);
    return ok;
}

static bool tokenize(struct error *error) {
    struct model_directory found;
    struct tokenizer *tokenizer;
    char *text;
    size_t length;
    if (!text_file) return error_set(error, ERROR_INVALID, "give a text: --file F");
    if (!model_directory_find(&found, model ? model : BUILT_IN_MODEL, data, error)) return false;
    bool ok = tokenizer_open(&tokenizer, found.path, error);
    model_directory_free(&found);
    if (!ok) return false;
    if ((ok = file_read(text_file, 1 << 30, &text, &length, error))) {
        ok = time_encoding(tokenizer, text, length, error);
        memory_free(text);
    }
    tokenizer_close(tokenizer);
    return ok;
}

static const struct {
    const char *name;
    bool (*run)(struct error *error);
} benches[] = {{"peak", peak}, {"train", train}, {"tokenize", tokenize}};

static bool run(const char *name, struct error *error) {
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++)
        if (!strcmp(name, benches[i].name)) return benches[i].run(error);
    return error_set(
        error, ERROR_INVALID, "there is no bench '%s'; there are peak, train and tokenize", name);
}

int command_bench(int count, char **words) {
    struct error error = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    return run(words[0], &error) ? CLI_SUCCESS : cli_fail(&error);
}
