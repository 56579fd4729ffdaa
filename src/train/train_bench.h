// Training measured end to end, as docs/benchmarks.md reports it: a tokenised batch in, an updated
// adapter out, on random weights of the shape of a real model. LoRA of rank 16 on all seven linear
// layers, base weights in bf16, loss on all tokens, AdamW.
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

struct train_bench_result {
    double tokens_per_second; // the median of the steps
    double fraction_of_peak;  // of arithmetic: operations_per_token · tokens_per_second / peak
    double operations_per_token;
    double peak_gflops;
    uint64_t peak_rss_bytes;
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

bool train_bench_run(const struct train_bench_shape *shape, int threads, size_t steps,
    struct train_bench_result *result, struct error *error) WARN_UNUSED;

// The same with the weights of a model directory, as a job trains it: activations within the
// trainer's own budget, one sequence of `length` tokens a step, and no step before those that are
// measured.
bool train_bench_model(const char *directory, size_t length, int threads, size_t steps,
    struct train_bench_result *result, struct error *error) WARN_UNUSED;

#endif
