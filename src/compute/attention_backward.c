// The backward pass of attention. With P the softmax and dP = dO·Vᵀ: dS = P ∘ (dP - D) · scale, D
// the row sums of dO ∘ O; then dq = dS·K, and, transposed so that P and dS are right operands as
// they come out of the rows, dkᵀ = qᵀ·dS and dvᵀ = dOᵀ·P.
//
// A task is all the heads that share keys and values, of a whole tree of spans: so the keys that
// branches and heads share are packed once, and get their gradients in a fixed order. Such tasks
// are few and long. Within one, a block of queries meets a chunk of keys in two steps whose parts
// idle threads may take: first P, dS and dq of a few queries each, then dk and dv of a few keys
// each.
#include "compute/attention_internal.h"

enum { MOST_KEYS = 512, BLOCK_GROUPS = 12 };

struct backward_work {
    const struct compute *compute;
    const struct attention *attention;
    const struct attention_gradient *gradient;
};

// One head's queries of a block, and the chunk of keys that they meet.
struct block {
    const struct backward_work *work;
    const struct attention_span *span;
    size_t head, first, count; // queries of the span
    size_t chunk, chunk_keys, most;
    uint8_t *keys, *values, *key_rows; // panels: columns are keys, keys, the head's
    size_t key_panel, row_panel;       // bytes of a panel
    uint8_t *p_panels, *ds_panels;     // of MOST_KEYS columns, over the block's queries
    size_t query_panel;                // bytes of such a panel
    uint8_t *queries, *doutputs;       // operands [head_dim, block's queries]: transposed
    float *dkeys, *dvalues;            // [head_dim, most]: transposed sums of the chunk
    uint8_t *gathered;
    struct attention_visible seen[BLOCK_GROUPS]; // keys of the chunk, by each mr queries
    size_t first_panel, end_panel;               // of keys that any of the block's queries sees
    size_t summed;   // panels from here on have nothing in dkeys and dvalues yet
    bool first_keys; // the first keys that all queries of the span see: their gradient begins here
};

// What a thread needs for a few queries, be the block its own or another's.
struct tiles {
    float *scores, *dscores; // [mr, MOST_KEYS]
    uint8_t *dscore_rows;    // operand [mr, MOST_KEYS]
    float *dqueries;         // [mr, padded head_dim]
    uint8_t *buffer;         // operand, the same shape
};

static struct tiles take_tiles(const struct backward_work *w, uint8_t **scratch) {
    const struct gemm_kernel *gemm = w->compute->gemm;
    size_t mr = gemm->mr, size = gemm->element_size, of_keys = mr * MOST_KEYS;
    size_t of_head = mr * attention_padded(&w->attention->shape);
    struct tiles t;
    t.scores = attention_deal(scratch, of_keys * sizeof(float));
    t.dscores = attention_deal(scratch, of_keys * sizeof(float));
    t.dscore_rows = attention_deal(scratch, of_keys * size);
    t.dqueries = attention_deal(scratch, of_head * sizeof(float));
    t.buffer = attention_deal(scratch, of_head * size);
    return t;
}

static size_t block_rows(const struct block *b) {
    return BLOCK_GROUPS * b->work->compute->gemm->mr;
}

static size_t row_of(const struct block *b, size_t query) {
    return b->span->first_row + b->first + query;
}

// ---- a few queries ----

static void scores_of(const struct block *b, const struct matrix *of, size_t query, size_t rows,
    struct attention_visible seen, const uint8_t *panels, uint8_t *buffer, float *to) {
    const struct gemm_kernel *gemm = b->work->compute->gemm;
    size_t dim = b->work->attention->shape.head_dim, stride;
    size_t at = row_of(b, query) * of->stride + b->head * dim;
    const uint8_t *operand =
        attention_operand_rows(b->work->compute, of, at, rows, dim, buffer, &stride);
    for (size_t key = seen.from; key < seen.to; key += gemm->nr) {
        struct gemm_segment segment = {
            operand, stride, panels + key / gemm->nr * b->key_panel, dim};
        gemm->multiply(&segment, 1, to + key, MOST_KEYS, rows, gemm->nr, false);
    }
}

static void add_dquery(const struct block *b, const struct tiles *t, size_t query, size_t rows,
    struct attention_visible seen) {
    const struct backward_work *w = b->work;
    const struct gemm_kernel *gemm = w->compute->gemm;
    size_t dim = w->attention->shape.head_dim, padded = attention_padded(&w->attention->shape);
    for (size_t column = 0; column < dim; column += gemm->nr) {
        size_t width = attention_width(gemm, dim - column);
        struct gemm_segment segment = {t->dscore_rows + seen.from * gemm->element_size, MOST_KEYS,
            b->key_rows + column / gemm->nr * b->row_panel + seen.from * width * gemm->element_size,
            seen.to - seen.from};
        gemm->multiply(&segment, 1, t->dqueries + column, padded, rows, width, false);
    }
    for (size_t i = 0; i < rows; i++) {
        size_t at = (row_of(b, query + i) * w->attention->shape.heads + b->head) * dim;
        if (b->first_keys)
            memcpy(w->gradient->dquery + at, t->dqueries + i * padded, dim * sizeof(float));
        else
            w->compute->rows->add(w->gradient->dquery + at, t->dqueries + i * padded, dim);
    }
}

// What P and dS of one query depend on beside its scores.
static struct softmax_row softmax_row_of(const struct block *b, size_t query) {
    const struct backward_work *w = b->work;
    const struct attention_shape *shape = &w->attention->shape;
    size_t at = row_of(b, query) * shape->heads + b->head;
    struct attention_visible seen = attention_visible_keys(
        shape, b->span->first_position + b->first + query, b->chunk, b->chunk_keys);
    return (struct softmax_row){
        seen.from, seen.to, w->attention->log_sum_exp[at], w->gradient->delta[at]};
}

// P and dS as panels, and the queries' own gradient.
static void differentiate_group(const void *work, size_t group, int worker) {
    const struct block *b = work;
    const struct backward_work *w = b->work;
    const struct gemm_kernel *gemm = w->compute->gemm;
    size_t query = group * gemm->mr, rows = smaller(gemm->mr, b->count - query);
    struct attention_visible seen = b->seen[group];
    if (seen.from >= seen.to) return;
    uint8_t *scratch = compute_worker_scratch(w->compute, worker);
    struct tiles t = take_tiles(w, &scratch);
    struct matrix doutput =
        compute_operand_matrix(w->compute, w->gradient->doutput, 0, w->attention->query.columns);
    scores_of(b, &w->attention->query, query, rows, seen, b->keys, t.buffer, t.scores);
    scores_of(b, &doutput, query, rows, seen, b->values, t.buffer, t.dscores);
    struct softmax_gradient softmax = {.scores = t.scores,
        .dscores = t.dscores,
        .stride = MOST_KEYS,
        .queries = rows,
        .from = seen.from,
        .end = round_up(seen.to, gemm->nr),
        .scale = w->attention->shape.scale,
        .rows = t.dscore_rows,
        .p_panels = b->p_panels,
        .ds_panels = b->ds_panels,
        .panel_bytes = b->query_panel,
        .panel_width = gemm->nr,
        .query = query};
    for (size_t i = 0; i < rows; i++)
        softmax.row[i] = softmax_row_of(b, query + i);
    w->compute->operands->softmax_gradient(&softmax);
    add_dquery(b, &t, query, rows, seen);
}

// ---- a few keys ----

// What the block's queries add to the sums of a panel of keys: those from the first to the last
// that see any of them.
static void add_panel(const void *work, size_t part, int worker) {
    (void)worker;
    const struct block *b = work;
    const struct gemm_kernel *gemm = b->work->compute->gemm;
    size_t dim = b->work->attention->shape.head_dim, stride = block_rows(b);
    size_t panel = b->first_panel + part, key = panel * gemm->nr;
    size_t groups = (b->count + gemm->mr - 1) / gemm->mr, first = 0;
    while (b->seen[first].to <= key)
        first++;
    while (b->seen[groups - 1].from >= key + gemm->nr)
        groups--;
    size_t query = first * gemm->mr, depth = smaller(b->count, groups * gemm->mr) - query;
    size_t at = panel * b->query_panel + query * gemm->nr * gemm->element_size;
    struct gemm_segment keys = {
        b->queries + query * gemm->element_size, stride, b->ds_panels + at, depth};
    struct gemm_segment values = {
        b->doutputs + query * gemm->element_size, stride, b->p_panels + at, depth};
    bool more = panel < b->summed;
    gemm_rows(gemm, &keys, 1, b->dkeys + key, b->most, dim, gemm->nr, more);
    gemm_rows(gemm, &values, 1, b->dvalues + key, b->most, dim, gemm->nr, more);
}

// ---- a block ----

static void transpose_queries(const struct block *b, struct operand from, uint8_t *to) {
    const struct compute *compute = b->work->compute;
    size_t dim = b->work->attention->shape.head_dim, size = compute->gemm->element_size;
    size_t stride = block_rows(b);
    compute->operands->transpose(to, stride,
        compute_operand_at(compute, from, row_of(b, 0), b->head * dim).data, from.stride, b->count,
        dim);
    if (b->count % compute->gemm->k_unit)
        for (size_t i = 0; i < dim; i++)
            memset(to + (i * stride + b->count) * size, 0, size);
}

// Blocks come in the order of their queries, so the panels that have sums are always the first.
static void differentiate_block(struct block *b, int worker) {
    const struct backward_work *w = b->work;
    const struct attention_shape *shape = &w->attention->shape;
    size_t mr = w->compute->gemm->mr, nr = w->compute->gemm->nr, groups = (b->count + mr - 1) / mr;
    size_t position = b->span->first_position + b->first;
    for (size_t group = 0; group < groups; group++)
        b->seen[group] = attention_group_keys(shape, position + group * mr,
            smaller(mr, b->count - group * mr), b->chunk, b->chunk_keys, nr);
    b->first_panel = b->seen[0].from / nr;
    b->end_panel = (b->seen[groups - 1].to + nr - 1) / nr;
    struct operand query = {(void *)w->attention->query.data, w->attention->query.stride};
    transpose_queries(b, query, b->queries);
    transpose_queries(b, w->gradient->doutput, b->doutputs);
    compute_share_parts(w->compute, worker, groups, differentiate_group, b);
    compute_share_parts(w->compute, worker, b->end_panel - b->first_panel, add_panel, b);
    if (b->summed < b->end_panel) b->summed = b->end_panel;
}

// ---- a chunk of keys ----

static void pack_chunk(const struct block *b) {
    const struct backward_work *w = b->work;
    const struct attention_shape *shape = &w->attention->shape;
    struct attention_pack pack = {w->compute, shape, b->span, attention_kv_head(shape, b->head),
        b->chunk, b->chunk_keys, b->gathered};
    attention_pack_keys(&pack, ATTENTION_KEYS, b->keys, b->key_panel);
    attention_pack_keys(&pack, ATTENTION_VALUES, b->values, b->key_panel);
    attention_pack_depth(&pack, ATTENTION_KEYS, b->key_rows, b->row_panel);
}

// The sums of the chunk go to the rows of its keys, which may belong to several spans. A span's own
// pass is the first that comes to its keys.
static void add_chunk(const struct block *b) {
    const struct backward_work *w = b->work;
    const struct attention_shape *shape = &w->attention->shape;
    size_t dim = shape->head_dim, stride = shape->kv_heads * dim;
    const struct attention_span *span = b->span;
    for (size_t end = b->chunk + b->chunk_keys; end > b->chunk;) {
        while (end <= span->first_key)
            span = span->parent;
        size_t start = span->first_key > b->chunk ? span->first_key : b->chunk;
        size_t row = span->first_row + start - span->first_key;
        size_t at = row * stride + attention_kv_head(shape, b->head) * dim;
        size_t from = start - b->chunk, count = end - start;
        bool more = span != b->span;
        w->compute->rows->transpose(
            w->gradient->dkeys + at, stride, b->dkeys + from, b->most, dim, count, more);
        w->compute->rows->transpose(
            w->gradient->dvalues + at, stride, b->dvalues + from, b->most, dim, count, more);
        end = start;
    }
}

// One head's queries with the chunk that is packed.
static void differentiate_head(struct block *b, int worker) {
    const struct attention_shape *shape = &b->work->attention->shape;
    size_t start = b->chunk > b->span->first_position ? b->chunk - b->span->first_position : 0;
    for (b->first = start; b->first < b->span->query_count; b->first += b->count) {
        b->count = smaller(block_rows(b), b->span->query_count - b->first);
        if (attention_first_visible(shape, b->span->first_position + b->first) >=
            b->chunk + b->chunk_keys)
            break;
        differentiate_block(b, worker);
    }
}

static void differentiate_chunk(struct block *b, int worker) {
    size_t first = b->head, heads = attention_group(&b->work->attention->shape);
    pack_chunk(b);
    b->summed = 0;
    for (; b->head < first + heads; b->head++)
        differentiate_head(b, worker);
    b->head = first;
    add_chunk(b);
}

// ---- a tree ----

// With a window, no keys are the first for all queries.
static void clear_dquery(const struct block *b) {
    const struct attention_shape *shape = &b->work->attention->shape;
    size_t floats = attention_group(shape) * shape->head_dim;
    for (size_t i = 0; i < b->span->query_count; i++) {
        size_t at = (b->span->first_row + i) * shape->heads + b->head;
        memset(b->work->gradient->dquery + at * shape->head_dim, 0, floats * sizeof(float));
    }
}

// Behind the tiles, of which a thread has one set, whatever block it works at.
static void take_scratch(struct block *b, uint8_t *scratch) {
    const struct compute *compute = b->work->compute;
    const struct attention_shape *shape = &b->work->attention->shape;
    const struct gemm_kernel *gemm = compute->gemm;
    size_t size = gemm->element_size, padded = attention_padded(shape), rows = block_rows(b);
    const uint8_t *end = scratch + WORKER_SCRATCH;
    take_tiles(b->work, &scratch);
    b->query_panel = rows * gemm->nr * size;
    b->p_panels = attention_deal(&scratch, rows * MOST_KEYS * size);
    b->ds_panels = attention_deal(&scratch, rows * MOST_KEYS * size);
    b->queries = attention_deal(&scratch, shape->head_dim * rows * size);
    b->doutputs = attention_deal(&scratch, shape->head_dim * rows * size);
    // As many keys as the rest has room for.
    size_t of_key = padded * (4 * size + 2 * sizeof(float));
    b->most = smaller(MOST_KEYS, (size_t)(end - scratch) / of_key / 32 * 32);
    b->key_panel = round_up(shape->head_dim, gemm->k_unit) * gemm->nr * size;
    b->row_panel = b->most * gemm->nr * size;
    b->keys = attention_deal(&scratch, b->most * padded * size);
    b->values = attention_deal(&scratch, b->most * padded * size);
    b->key_rows = attention_deal(&scratch, b->most * padded * size);
    b->gathered = attention_deal(&scratch, b->most * padded * size);
    b->dkeys = attention_deal(&scratch, padded * b->most * sizeof(float));
    b->dvalues = attention_deal(&scratch, padded * b->most * sizeof(float));
}

// The spans of a tree stand together, its root first.
static void backward_task(void *context, size_t task, int worker) {
    const struct backward_work *w = context;
    const struct attention *a = w->attention;
    const struct attention_span *span = a->spans, *end = a->spans + a->span_count;
    for (size_t tree = task / a->shape.kv_heads; tree > 0; tree--)
        for (span++; span->parent;)
            span++;
    struct block b = {.work = w, .head = task % a->shape.kv_heads * attention_group(&a->shape)};
    take_scratch(&b, compute_worker_scratch(w->compute, worker));
    const struct attention_span *root = span;
    do {
        b.span = span;
        if (a->shape.window) clear_dquery(&b);
        size_t keys = span->query_count ? span->first_position + span->query_count : 0;
        size_t start = attention_start(&a->shape, span, 0, w->compute->gemm->nr);
        for (b.chunk = start; b.chunk < keys; b.chunk += b.most) {
            b.chunk_keys = smaller(b.most, keys - b.chunk);
            b.first_keys = !a->shape.window && b.chunk == 0;
            differentiate_chunk(&b, worker);
        }
        span++;
    } while (span < end && span->parent && span != root);
}

// ---- D ----

enum { DELTA_ROWS = 16 };

static void delta_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct backward_work *w = context;
    const struct attention_shape *shape = &w->attention->shape;
    size_t first = task * DELTA_ROWS, end = smaller(w->attention->query.rows, first + DELTA_ROWS);
    for (size_t row = first; row < end; row++)
        for (size_t head = 0; head < shape->heads; head++) {
            size_t column = head * shape->head_dim;
            w->gradient->delta[row * shape->heads + head] = w->compute->operands->dot(
                compute_operand_at(w->compute, w->attention->output, row, column).data,
                compute_operand_at(w->compute, w->gradient->doutput, row, column).data,
                shape->head_dim);
        }
}

void compute_attention_backward(struct compute *compute, const struct attention *attention,
    const struct attention_gradient *gradient) {
    struct backward_work work = {compute, attention, gradient};
    size_t trees = 0;
    for (size_t i = 0; i < attention->span_count; i++)
        trees += !attention->spans[i].parent;
    compute_run(compute, cost_of(COMPUTE_ATTENTION_BACKWARD, 0, 0),
        (attention->query.rows + DELTA_ROWS - 1) / DELTA_ROWS, delta_task, &work);
    // Five products of a tile: scores and weights again, then dq, dk, dv.
    compute_run_shared(compute, attention_cost(attention, COMPUTE_ATTENTION_BACKWARD, 5),
        trees * attention->shape.kv_heads, backward_task, &work);
}
