#include "generate/logit_changes.h"
#include "base/memory.h"
#include <string.h>

void logit_changes_free(struct logit_changes *changes) {
    memory_free(changes->counts);
    memset(changes, 0, sizeof *changes);
}

void logit_changes_apply(const struct logit_changes *changes, float *logits) {
    for (size_t i = 0; i < changes->bias_count; i++)
        logits[changes->biases[i].token] += changes->biases[i].amount;
    for (size_t i = 0; i < changes->count; i++) {
        const struct token_count *seen = &changes->counts[i];
        logits[seen->token] -=
            (float)(seen->count * changes->frequency_penalty + changes->presence_penalty);
    }
}

static bool grow(struct logit_changes *changes, struct error *error) {
    size_t capacity = changes->capacity ? 2 * changes->capacity : 64;
    struct token_count *counts = memory_resize(changes->counts, capacity, sizeof *changes->counts);
    if (!counts) return memory_error(error, "the tokens of an answer");
    changes->counts = counts;
    changes->capacity = capacity;
    return true;
}

bool logit_changes_note(struct logit_changes *changes, int32_t token, struct error *error) {
    if (changes->frequency_penalty == 0 && changes->presence_penalty == 0) return true;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->counts[i].token == token) {
            changes->counts[i].count++;
            return true;
        }
    if (changes->count == changes->capacity && !grow(changes, error)) return false;
    changes->counts[changes->count++] = (struct token_count){token, 1};
    return true;
}
