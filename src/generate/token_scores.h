// How likely a model found a token, and which it found the likeliest: the log-softmax of its
// logits, in f64.
#ifndef GENERATE_TOKEN_SCORES_H
#define GENERATE_TOKEN_SCORES_H

#include <stddef.h>
#include <stdint.h>

struct token_score {
    int32_t token;
    double log_probability;
};

// The `count` likeliest (at most the vocabulary) go to `likeliest`, the likeliest first, of equals
// the smaller id first. Returns the log-probability of `token`.
double token_scores(const float *logits, size_t vocabulary, int32_t token,
    struct token_score *likeliest, size_t count);

#endif
