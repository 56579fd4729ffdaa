// temper bench: what this machine can do, and how much of it training reaches.
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "compute/compute.h"
#include "train/train_bench.h"
#include <stdio.h>
#include <string.h>

static const char *shape_name = "S";
static long threads, steps = 5;
static bool as_json;

static const struct cli_option options[] = {
    {"--shape", "S|M|L", CLI_TEXT, &shape_name, "of `train`: the model's size (S)"},
    {"--steps", "N", CLI_INTEGER, &steps, "of `train`: how many to measure (5)"},
    {"--threads", "N", CLI_INTEGER, &threads, "cores (all)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print JSON"},
};

static const struct cli_syntax syntax = {
    .usage = "temper bench peak | train [--shape S|M|L] [--threads N] [--json]",
    .purpose =
        "peak: the most multiply-adds and bytes a second that this machine does. train: tokens\n"
        "a second of LoRA training on random weights, and the fraction of that peak.",
    .example = "  temper bench peak\n  temper bench train --shape M --json",
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

static bool train(struct error *error) {
    struct train_bench_result result;
    const struct train_bench_shape *shape = find_shape(error);
    if (!shape) return false;
    if (steps < 1 || steps > 10000)
        return error_set(error, ERROR_INVALID, "--steps must be from 1 to 10000");
    if (!train_bench_run(shape, (int)threads, (size_t)steps, &result, error)) return false;
    printf(
        as_json
            ? "{\"shape\": \"%s\", \"path\": \"%s\", \"tokens_per_second\": %.2f, "
              "\"fraction_of_peak\": %.4f, \"peak_gflops\": %.1f, \"operations_per_token\": %.0f, "
              "\"peak_rss_bytes\": %llu, \"steps\": %zu}\n"
            : "shape %s on %s: %.1f tokens/s, %.3f of the peak of %.1f GFLOP/s "
              "(%.3g operations a token), %llu bytes at most, %zu steps\n",
        shape->name, result.path, result.tokens_per_second, result.fraction_of_peak,
        result.peak_gflops, result.operations_per_token, (unsigned long long)result.peak_rss_bytes,
        result.steps);
    return true;
}

int command_bench(int count, char **words) {
    struct error error = {0};
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    bool ok = !strcmp(words[0], "peak") ? peak(&error)
              : !strcmp(words[0], "train")
                  ? train(&error)
                  : error_set(&error, ERROR_INVALID,
                        "there is no bench '%s'; there are peak and train", words[0]);
    return ok ? CLI_SUCCESS : cli_fail(&error);
}
