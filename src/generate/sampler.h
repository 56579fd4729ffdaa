// From logits to a token. The same seed and logits give the same token, whatever else runs.
#ifndef GENERATE_SAMPLER_H
#define GENERATE_SAMPLER_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct sampler {
    double
        temperature; // 0: the most likely token, always (of equals, the one with the smallest id)
    double top_p;    // only the likeliest tokens that together have this probability; 1: all
    uint64_t seed;
    uint32_t choice; // of several answers with one seed
};

// Working memory for a vocabulary.
struct sampler_scratch {
    double *probabilities;
    uint32_t *candidates;
    float *changed; // for the caller: logits of its own
};

bool sampler_scratch_create(
    struct sampler_scratch *scratch, size_t vocabulary, struct error *error) WARN_UNUSED;
void sampler_scratch_free(struct sampler_scratch *scratch);

// The `position`-th token of an answer.
int32_t sampler_pick(const struct sampler *sampler, const float *logits, size_t vocabulary,
    uint64_t position, struct sampler_scratch *scratch);

#endif
