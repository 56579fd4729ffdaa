#include "generate/kv_cache.h"
#include "base/memory.h"
#include <string.h>

enum { LEAST_TOKENS = 256 };

// Copies layer by layer: the distance of two layers is the capacity.
static void move(float *to, const float *from, const struct kv_sequence *kv, size_t capacity,
    size_t layers, size_t columns) {
    for (size_t layer = 0; layer < layers && kv->length; layer++)
        memcpy(to + layer * capacity * columns, from + layer * kv->capacity * columns,
            kv->length * columns * sizeof *to);
}

bool kv_cache_reserve(
    struct kv_sequence *kv, const struct model_config *config, size_t tokens, struct error *error) {
    size_t capacity = kv->capacity ? kv->capacity : LEAST_TOKENS;
    size_t columns = config->kv_heads * config->head_dim;
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
    move(keys, kv->keys, kv, capacity, config->layers, columns);
    move(values, kv->values, kv, capacity, config->layers, columns);
    memory_free(kv->keys);
    memory_free(kv->values);
    kv->keys = keys;
    kv->values = values;
    kv->capacity = capacity;
    return true;
}

void kv_cache_free(struct kv_sequence *kv) {
    memory_free(kv->keys);
    memory_free(kv->values);
    memset(kv, 0, sizeof *kv);
}
