// Keys and values of one sequence, growing as it does.
#ifndef GENERATE_KV_CACHE_H
#define GENERATE_KV_CACHE_H

#include "model/transformer.h"

// Makes room for `tokens` in all, keeping what is there. Starts from zeros; free with
// kv_cache_free.
bool kv_cache_reserve(struct kv_sequence *kv, const struct model_config *config, size_t tokens,
    struct error *error) WARN_UNUSED;

// Makes `to` (empty) a copy of the first `tokens` of `from`.
bool kv_cache_copy(struct kv_sequence *to, const struct kv_sequence *from,
    const struct model_config *config, size_t tokens, struct error *error) WARN_UNUSED;
void kv_cache_free(struct kv_sequence *kv);

#endif
