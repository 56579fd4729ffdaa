#include "generate/kv_cache.h"
#include "base/memory.h"
#include <string.h>

enum { LEAST_TOKENS = 256 };

// Copies layer by layer: the distance of two layers is the capacity.
static void move(float *to, size_t to_capacity, const float *from, size_t from_capacity,
    size_t tokens, const struct model_config *config) {
    size_t columns = config->kv_heads * config->head_dim;
    for (size_t layer = 0; layer < config->layers && tokens; layer++)
        memcpy(to + layer * to_capacity * columns, from + layer * from_capacity * columns,
            tokens * columns * sizeof *to);
}

bool kv_cache_reserve(
    struct kv_sequence *kv, const struct model_config *config, size_t tokens, struct error *error) {
    size_t capacity = kv->capacity ? kv->capacity : LEAST_TOKENS;
    if (tokens <= kv->capacity) return true;
    while (capacity < tokens)
        capacity *= 2;
    if (capacity > config->context_length && tokens <= config->context_length)
        capacity = config->context_length;
    size_t floats = kv_sequence_floats(config, capacity);
    float *keys = memory_alloc_array(floats, sizeof *keys);
    float *values = memory_alloc_array(floats, sizeof *values);
    if (!keys || !values) {
        memory_free(keys);
        memory_free(values);
        return memory_error(error, "the keys and values of a chat");
    }
    move(keys, capacity, kv->keys, kv->capacity, kv->length, config);
    move(values, capacity, kv->values, kv->capacity, kv->length, config);
    memory_free(kv->keys);
    memory_free(kv->values);
    kv->keys = keys;
    kv->values = values;
    kv->capacity = capacity;
    return true;
}

bool kv_cache_copy(struct kv_sequence *to, const struct kv_sequence *from,
    const struct model_config *config, size_t tokens, struct error *error) {
    if (!kv_cache_reserve(to, config, tokens, error)) return false;
    move(to->keys, to->capacity, from->keys, from->capacity, tokens, config);
    move(to->values, to->capacity, from->values, from->capacity, tokens, config);
    to->length = tokens;
    return true;
}

void kv_cache_free(struct kv_sequence *kv) {
    memory_free(kv->keys);
    memory_free(kv->values);
    memset(kv, 0, sizeof *kv);
}
