// Training measured end to end, as docs/benchmarks.md reports it: a tokenised batch in, an updated
// adapter (or model) out, on random weights of the shape of a real model or on a model directory.
// LoRA of rank 16 on all seven linear layers, or all parameters; AdamW.
#ifndef TRAIN_TRAIN_BENCH_H
#define TRAIN_TRAIN_BENCH_H

#include "base/error.h"
#include "compute/compute.h"
#include <stddef.h>
#include <stdint.h>

struct train_bench_shape {
    const char *name;
    const char *what;
    size_t vocabulary, hidden, intermediate, layers, heads, kv_heads, head_dim;
    size_t sequences, length; // of one step
};

extern const struct train_bench_shape train_bench_shapes[];
extern const size_t train_bench_shape_count;

struct train_bench_options {
    const struct train_bench_shape *shape; // random weights stored as `weights`, or, where NULL:
    const char *model;                     // a directory, measured from the first step on
    enum data_type weights;                // of a shape: plain, DATA_INT8 or DATA_NF4
    bool full;                             // all parameters, in f32; else LoRA
    size_t length;                         // tokens a sequence; 0: the shape's
    bool headlines;  // examples that share a system prompt, in place of tokens of which all train
    bool separate;   // what examples begin with alike is computed for each
    uint64_t memory; // bytes beside the weights, as in train_spec.h; 0: what the machine can spare
    int threads;     // 0: all cores
    size_t steps;    // to measure, at least 1
};

struct train_bench_result {
    size_t tokens_held, tokens_computed; // of a step: of the data (those with a row), and rows
    double seconds;                      // of a step: the median
    double separate_seconds;             // of `headlines` without sharing, measured in turn; else 0
    double tokens_per_second;            // held
    double operations_per_token;         // computed
    // Of arithmetic: what the machine keeps up beside each step, measured in turn; medians.
    double fraction_of_peak;
    double peak_gflops;
    double burst_gflops; // the best of many runs of a millisecond, before and after
    uint64_t activation_bytes, weight_bytes, peak_rss_bytes;
    size_t steps;
    const char *path; // of compute
    // One more step, by kind of operation, and what it all took; the rest is what no operation is.
    struct compute_profile profiles[COMPUTE_OPERATIONS];
    double profiled_seconds;
    double bandwidth; // bytes a second
};

// The part of the limit that binds it, arithmetic or bandwidth, that an operation reaches. What
// lies in the caches can pass the limit of memory.
double train_bench_reached(
    const struct train_bench_result *result, const struct compute_profile *profile);

bool train_bench_run(const struct train_bench_options *options, struct train_bench_result *result,
    struct error *error) WARN_UNUSED;

#endif
