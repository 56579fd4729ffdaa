#include "generate/token_scores.h"
#include <math.h>
#include <string.h>

// Puts a token where it belongs among the `count` that are there, of at most `most`.
static size_t insert(
    struct token_score *best, size_t count, size_t most, int32_t token, double logit) {
    if (count == most && !(logit > best[count - 1].log_probability)) return count;
    size_t at = count < most ? count++ : most - 1;
    for (; at > 0 && logit > best[at - 1].log_probability; at--)
        best[at] = best[at - 1];
    best[at] = (struct token_score){token, logit};
    return count;
}

// log Σ exp(logit), taken from the largest so that nothing overflows.
static double log_sum(const float *logits, size_t vocabulary) {
    double most = logits[0], sum = 0;
    for (size_t i = 1; i < vocabulary; i++)
        if (logits[i] > most) most = logits[i];
    for (size_t i = 0; i < vocabulary; i++)
        sum += exp(logits[i] - most);
    return most + log(sum);
}

double token_scores(const float *logits, size_t vocabulary, int32_t token,
    struct token_score *likeliest, size_t count) {
    double sum = log_sum(logits, vocabulary);
    size_t found = 0;
    for (size_t i = 0; i < vocabulary && count; i++)
        found = insert(likeliest, found, count, (int32_t)i, logits[i]);
    for (size_t i = 0; i < found; i++)
        likeliest[i].log_probability -= sum;
    return logits[token] - sum;
}
