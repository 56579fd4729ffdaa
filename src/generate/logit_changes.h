// What a request changes of the model's logits before a token is drawn: a bias for single tokens,
// and penalties for those that the answer already has (OpenAI's formula, see generate/engine.h).
#ifndef GENERATE_LOGIT_CHANGES_H
#define GENERATE_LOGIT_CHANGES_H

#include "generate/engine.h"

struct token_count {
    int32_t token;
    uint32_t count;
};

// Of one choice. Starts from zeros; free with logit_changes_free.
struct logit_changes {
    double frequency_penalty, presence_penalty;
    const struct engine_bias *biases; // borrowed
    size_t bias_count;
    struct token_count *counts; // tokens of the answer, each once
    size_t count, capacity;
};

void logit_changes_free(struct logit_changes *changes);

// Changes `logits` (of the whole vocabulary, which holds all tokens concerned) in place.
void logit_changes_apply(const struct logit_changes *changes, float *logits);

// A token was taken.
bool logit_changes_note(
    struct logit_changes *changes, int32_t token, struct error *error) WARN_UNUSED;

#endif
