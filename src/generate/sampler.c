#include "generate/sampler.h"
#include "base/memory.h"
#include "base/random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_STREAM = 0x73616d70 }; // apart from the other uses of a seed

bool sampler_scratch_create(
    struct sampler_scratch *scratch, size_t vocabulary, struct error *error) {
    scratch->probabilities = memory_alloc_array(vocabulary, sizeof *scratch->probabilities);
    scratch->candidates = memory_alloc_array(vocabulary, sizeof *scratch->candidates);
    scratch->changed = memory_alloc_array(vocabulary, sizeof *scratch->changed);
    if (scratch->probabilities && scratch->candidates && scratch->changed) return true;
    sampler_scratch_free(scratch);
    return memory_error(error, "sampling");
}

void sampler_scratch_free(struct sampler_scratch *scratch) {
    memory_free(scratch->probabilities);
    memory_free(scratch->candidates);
    memory_free(scratch->changed);
    memset(scratch, 0, sizeof *scratch);
}

static size_t likeliest(const float *logits, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

// Unscaled: the likeliest has 1. Returns their sum.
static double exponentials(
    double *probabilities, const float *logits, size_t count, double temperature) {
    double most = logits[likeliest(logits, count)], sum = 0;
    for (size_t i = 0; i < count; i++) {
        probabilities[i] = exp((logits[i] - most) / temperature);
        sum += probabilities[i];
    }
    return sum;
}

static int by_probability(const void *left, const void *right, void *context) {
    const double *probabilities = context;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    if (probabilities[a] != probabilities[b]) return probabilities[a] < probabilities[b] ? 1 : -1;
    return a < b ? -1 : 1; // of equals the smaller id comes first, on every machine
}

// The fewest of the likeliest tokens that reach `wanted`, in order; *reached is their sum. Only
// what lies above a falling threshold is sorted: mostly a handful of a vocabulary of many
// thousands.
static size_t nucleus(
    struct sampler_scratch *scratch, size_t count, double wanted, double *reached) {
    for (double threshold = 0.1;; threshold = threshold > 1e-12 ? threshold * 0.1 : -1) {
        size_t found = 0;
        double sum = 0;
        for (size_t i = 0; i < count; i++)
            if (scratch->probabilities[i] > threshold) {
                scratch->candidates[found++] = (uint32_t)i;
                sum += scratch->probabilities[i];
            }
        if (sum < wanted && threshold >= 0) continue;
        qsort_r(scratch->candidates, found, sizeof *scratch->candidates, by_probability,
            scratch->probabilities);
        *reached = 0;
        for (size_t i = 0; i < found; i++) {
            *reached += scratch->probabilities[scratch->candidates[i]];
            if (*reached >= wanted) return i + 1;
        }
        return found;
    }
}

int32_t sampler_pick(const struct sampler *sampler, const float *logits, size_t vocabulary,
    uint64_t position, struct sampler_scratch *scratch) {
    if (!(sampler->temperature > 0)) return (int32_t)likeliest(logits, vocabulary);
    double sum = exponentials(scratch->probabilities, logits, vocabulary, sampler->temperature);
    size_t count = vocabulary;
    bool some = sampler->top_p < 1;
    if (some) count = nucleus(scratch, vocabulary, sampler->top_p * sum, &sum);
    uint64_t stream = RANDOM_STREAM | (uint64_t)sampler->choice << 32;
    double left = sum * random_uniform(sampler->seed, stream, position);
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        size_t token = some ? scratch->candidates[i] : i;
        if (scratch->probabilities[token] <= 0) continue;
        last = token;
        left -= scratch->probabilities[token];
        if (left < 0) break;
    }
    return (int32_t)last;
}
