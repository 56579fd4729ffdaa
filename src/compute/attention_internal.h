// What the two passes of attention share: which keys a query sees, and keys and values as panels.
#ifndef COMPUTE_ATTENTION_INTERNAL_H
#define COMPUTE_ATTENTION_INTERNAL_H

#include "compute/compute_internal.h"

static inline size_t attention_group(const struct attention_shape *shape) {
    return shape->heads / shape->kv_heads;
}

static inline size_t attention_kv_head(const struct attention_shape *shape, size_t head) {
    return head / attention_group(shape);
}

// head_dim up to a whole number of the widest panels.
static inline size_t attention_padded(const struct attention_shape *shape) {
    return round_up(shape->head_dim, 32);
}

// How wide the panel is that the last `left` columns begin with.
static inline size_t attention_width(const struct gemm_kernel *gemm, size_t left) {
    return left > gemm->nr / 2 ? gemm->nr : gemm->nr / 2;
}

// The first key that a query at this position sees.
static inline size_t attention_first_visible(const struct attention_shape *shape, size_t position) {
    return shape->window && position >= shape->window ? position + 1 - shape->window : 0;
}

// Where chunks of keys begin for the queries of a span from `first` on: with the panel of `nr` keys
// that has the first of them.
static inline size_t attention_start(const struct attention_shape *shape,
    const struct attention_span *span, size_t first, size_t nr) {
    return attention_first_visible(shape, span->first_position + first) / nr * nr;
}

struct attention_visible {
    size_t from, to; // keys of a chunk, counted from its first
};

// Of the `keys` keys from position `first` on, those that a query at this position sees.
static inline struct attention_visible attention_visible_keys(
    const struct attention_shape *shape, size_t position, size_t first, size_t keys) {
    size_t start = attention_first_visible(shape, position);
    size_t to = position < first ? 0 : smaller(keys, position - first + 1);
    size_t from = start < first ? 0 : smaller(to, start - first);
    return (struct attention_visible){from, to};
}

// The same for `rows` queries from this position on, from a whole panel on.
static inline struct attention_visible attention_group_keys(const struct attention_shape *shape,
    size_t position, size_t rows, size_t first, size_t keys, size_t nr) {
    size_t start = attention_visible_keys(shape, position, first, keys).from / nr * nr;
    size_t to = attention_visible_keys(shape, position + rows - 1, first, keys).to;
    // The first query may see nothing of the chunk, but then the chunk lies behind it.
    return (struct attention_visible){start, to};
}

// Bytes of scratch, on a line of the cache.
static inline void *attention_deal(uint8_t **scratch, size_t bytes) {
    uint8_t *at = *scratch;
    *scratch += round_up(bytes, 64);
    return at;
}

// How many keys are packed at a time: `most`, or as many as scratch has room for.
static inline size_t attention_chunk(
    const struct compute *compute, const struct attention_shape *shape, size_t most) {
    size_t row = attention_padded(shape) * compute->gemm->element_size;
    size_t fitting = (WORKER_SCRATCH / 8) / row / 32 * 32;
    return fitting < most ? fitting : most;
}

enum attention_side { ATTENTION_KEYS, ATTENTION_VALUES };

// Keys or values of one head, of `keys` positions from `first` on along the path to a span.
struct attention_pack {
    const struct compute *compute;
    const struct attention_shape *shape;
    const struct attention_span *span;
    size_t kv_head, first, keys;
    uint8_t *gathered; // operand [keys, padded head_dim]: where the path has several spans
};

// As the right operand whose columns are keys, and as the one whose columns are the head's: `panel`
// bytes from one panel to the next.
void attention_pack_keys(
    const struct attention_pack *pack, enum attention_side side, uint8_t *panels, size_t panel);
void attention_pack_depth(
    const struct attention_pack *pack, enum attention_side side, uint8_t *panels, size_t panel);

// `rows` rows of `dim` numbers at element `at` of a matrix as operands: where they lie, or else in
// `buffer` [rows, dim rounded up to 32].
const uint8_t *attention_operand_rows(const struct compute *compute, const struct matrix *matrix,
    size_t at, size_t rows, size_t dim, uint8_t *buffer, size_t *stride);

// `products` of head_dim multiply-adds for each pair of a query and a key that it sees.
struct compute_cost attention_cost(
    const struct attention *attention, enum compute_operation operation, size_t products);

#endif
