// The backward pass of attention. With P the softmax and dP = dO·Vᵀ: dS = P ∘ (dP - D) · scale, D
// the row sums of dO ∘ O; then dq = dS·K, and, transposed so that P and dS are right operands as
// they come out of the rows, dkᵀ = qᵀ·dS and dvᵀ = dOᵀ·P.
//
// A task is one head of a whole tree of spans: the keys that branches share get their gradients
// from one thread, in a fixed order. The gradients of heads that share keys and values are sums,
// head by head: made in place where one task has all of these heads, which saves packing and memory
// but leaves fewer tasks; else each head has a place of its own. Both ways give the same bits,
// which with branches they would not.
#include "compute/attention_internal.h"

enum { MOST_KEYS = 512, BLOCK_GROUPS = 12, MOST_PANELS = MOST_KEYS / 8 };

struct backward_work {
    const struct compute *compute;
    const struct attention *attention;
    const struct attention_gradient *gradient;
    bool together; // a task has all heads that share keys and values
};

// One head's queries of a block, and the chunk of keys that they meet.
struct block {
    const struct backward_work *work;
    const struct attention_span *span;
    size_t head, first, count; // queries of the span
    size_t chunk, chunk_keys, most;
    uint8_t *keys, *values, *key_rows; // panels: columns are keys, keys, the head's
    size_t key_panel, row_panel;       // bytes of a panel
    float *scores, *dscores;           // [mr, MOST_KEYS]
    uint8_t *dscore_rows;              // operand [mr, MOST_KEYS]
    uint8_t *p_panels, *ds_panels;     // of MOST_KEYS columns, over the block's queries
    size_t query_panel;                // bytes of such a panel
    uint8_t *queries, *doutputs;       // operands [head_dim, block's queries]: transposed
    float *dkeys, *dvalues;            // [head_dim, most]: transposed sums of the chunk
    float *tile;                       // [mr, padded head_dim]
    uint8_t *buffer, *gathered;
    size_t first_group[MOST_PANELS], end_group[MOST_PANELS]; // of queries that see a panel
    bool summed[MOST_PANELS];                                // dkeys and dvalues have something
    bool first_keys; // the first keys that all queries of the span see: their gradient begins here
};

static size_t block_rows(const struct block *b) {
    return BLOCK_GROUPS * b->work->compute->gemm->mr;
}

static size_t row_of(const struct block *b, size_t query) {
    return b->span->first_row + b->first + query;
}

// What P and dS of one query depend on beside its scores.
static struct softmax_row softmax_row_of(const struct block *b, size_t query) {
    const struct backward_work *w = b->work;
    const struct attention_shape *shape = &w->attention->shape;
    size_t row = row_of(b, query), column = b->head * shape->head_dim;
    struct attention_visible seen = attention_visible_keys(
        shape, b->span->first_position + b->first + query, b->chunk, b->chunk_keys);
    float delta = w->compute->operands->dot(
        compute_operand_at(w->compute, w->attention->output, row, column).data,
        compute_operand_at(w->compute, w->gradient->doutput, row, column).data, shape->head_dim);
    return (struct softmax_row){
        seen.from, seen.to, w->attention->log_sum_exp[row * shape->heads + b->head], delta};
}

static void scores_of(struct block *b, const struct matrix *of, size_t query, size_t rows,
    struct attention_visible seen, const uint8_t *panels, float *to) {
    const struct gemm_kernel *gemm = b->work->compute->gemm;
    size_t dim = b->work->attention->shape.head_dim, stride;
    size_t at = row_of(b, query) * of->stride + b->head * dim;
    const uint8_t *operand =
        attention_operand_rows(b->work->compute, of, at, rows, dim, b->buffer, &stride);
    for (size_t key = seen.from; key < seen.to; key += gemm->nr) {
        struct gemm_segment segment = {
            operand, stride, panels + key / gemm->nr * b->key_panel, dim};
        gemm->multiply(&segment, 1, to + key, MOST_KEYS, rows, gemm->nr, false);
    }
}

static void add_dquery(struct block *b, size_t query, size_t rows, struct attention_visible seen) {
    const struct backward_work *w = b->work;
    const struct gemm_kernel *gemm = w->compute->gemm;
    size_t dim = w->attention->shape.head_dim, padded = attention_padded(&w->attention->shape);
    for (size_t column = 0; column < dim; column += gemm->nr) {
        size_t width = attention_width(gemm, dim - column);
        struct gemm_segment segment = {b->dscore_rows + seen.from * gemm->element_size, MOST_KEYS,
            b->key_rows + column / gemm->nr * b->row_panel + seen.from * width * gemm->element_size,
            seen.to - seen.from};
        gemm->multiply(&segment, 1, b->tile + column, padded, rows, width, false);
    }
    for (size_t i = 0; i < rows; i++) {
        size_t at = (row_of(b, query + i) * w->attention->shape.heads + b->head) * dim;
        if (b->first_keys)
            memcpy(w->gradient->dquery + at, b->tile + i * padded, dim * sizeof(float));
        else
            w->compute->rows->add(w->gradient->dquery + at, b->tile + i * padded, dim);
    }
}

// A few queries: P and dS as panels, and their own gradient.
static void differentiate_group(struct block *b, size_t group) {
    const struct backward_work *w = b->work;
    const struct gemm_kernel *gemm = w->compute->gemm;
    size_t query = group * gemm->mr, rows = smaller(gemm->mr, b->count - query);
    struct attention_visible seen = attention_group_keys(&w->attention->shape,
        b->span->first_position + b->first + query, rows, b->chunk, b->chunk_keys, gemm->nr);
    if (seen.from >= seen.to) return;
    struct matrix doutput =
        compute_operand_matrix(w->compute, w->gradient->doutput, 0, w->attention->query.columns);
    scores_of(b, &w->attention->query, query, rows, seen, b->keys, b->scores);
    scores_of(b, &doutput, query, rows, seen, b->values, b->dscores);
    struct softmax_gradient softmax = {.scores = b->scores,
        .dscores = b->dscores,
        .stride = MOST_KEYS,
        .queries = rows,
        .from = seen.from,
        .end = round_up(seen.to, gemm->nr),
        .scale = w->attention->shape.scale,
        .rows = b->dscore_rows,
        .p_panels = b->p_panels,
        .ds_panels = b->ds_panels,
        .panel_bytes = b->query_panel,
        .panel_width = gemm->nr,
        .query = query};
    for (size_t i = 0; i < rows; i++)
        softmax.row[i] = softmax_row_of(b, query + i);
    w->compute->operands->softmax_gradient(&softmax);
    for (size_t panel = seen.from / gemm->nr; panel < softmax.end / gemm->nr; panel++) {
        if (b->first_group[panel] > group) b->first_group[panel] = group;
        b->end_group[panel] = group + 1;
    }
    add_dquery(b, query, rows, seen);
}

// What the block's queries add to the sums of the chunk.
static void add_panels(struct block *b) {
    const struct gemm_kernel *gemm = b->work->compute->gemm;
    size_t dim = b->work->attention->shape.head_dim, stride = block_rows(b);
    for (size_t key = 0; key < b->chunk_keys; key += gemm->nr) {
        size_t panel = key / gemm->nr;
        if (b->first_group[panel] >= b->end_group[panel]) continue;
        size_t first = b->first_group[panel] * gemm->mr;
        size_t depth = smaller(b->count, b->end_group[panel] * gemm->mr) - first;
        size_t at = panel * b->query_panel + first * gemm->nr * gemm->element_size;
        struct gemm_segment keys = {
            b->queries + first * gemm->element_size, stride, b->ds_panels + at, depth};
        struct gemm_segment values = {
            b->doutputs + first * gemm->element_size, stride, b->p_panels + at, depth};
        bool more = b->summed[panel];
        gemm_rows(gemm, &keys, 1, b->dkeys + key, b->most, dim, gemm->nr, more);
        gemm_rows(gemm, &values, 1, b->dvalues + key, b->most, dim, gemm->nr, more);
        b->summed[panel] = true;
    }
}

// Panels that no query saw.
static void clear_unseen(struct block *b) {
    size_t nr = b->work->compute->gemm->nr;
    for (size_t key = 0; key < b->chunk_keys; key += nr)
        for (size_t i = 0; !b->summed[key / nr] && i < b->work->attention->shape.head_dim; i++) {
            memset(b->dkeys + i * b->most + key, 0, nr * sizeof *b->dkeys);
            memset(b->dvalues + i * b->most + key, 0, nr * sizeof *b->dvalues);
        }
}

static void transpose_queries(struct block *b, struct operand from, uint8_t *to) {
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

static void differentiate_block(struct block *b) {
    const struct backward_work *w = b->work;
    size_t groups = (b->count + w->compute->gemm->mr - 1) / w->compute->gemm->mr;
    for (size_t panel = 0; panel < MOST_PANELS; panel++) {
        b->first_group[panel] = BLOCK_GROUPS;
        b->end_group[panel] = 0;
    }
    struct operand query = {(void *)w->attention->query.data, w->attention->query.stride};
    transpose_queries(b, query, b->queries);
    transpose_queries(b, w->gradient->doutput, b->doutputs);
    for (size_t group = 0; group < groups; group++)
        differentiate_group(b, group);
    add_panels(b);
}

// The sums of the chunk go to the rows of its keys, which may belong to several spans. A span's own
// pass is the first that comes to its keys, with the first head.
static void add_chunk(const struct block *b) {
    const struct backward_work *w = b->work;
    const struct attention_shape *shape = &w->attention->shape;
    size_t dim = shape->head_dim, head = b->head, stride = shape->heads * dim;
    float *dkeys = w->gradient->head_dkeys, *dvalues = w->gradient->head_dvalues;
    if (w->together) {
        dkeys = w->gradient->dkeys, dvalues = w->gradient->dvalues;
        head = attention_kv_head(shape, head), stride = shape->kv_heads * dim;
    }
    bool first = !w->together || b->head % attention_group(shape) == 0;
    const struct attention_span *span = b->span;
    for (size_t end = b->chunk + b->chunk_keys; end > b->chunk;) {
        while (end <= span->first_key)
            span = span->parent;
        size_t start = span->first_key > b->chunk ? span->first_key : b->chunk;
        size_t at = (span->first_row + start - span->first_key) * stride + head * dim;
        bool more = !first || span != b->span;
        w->compute->rows->transpose(
            dkeys + at, stride, b->dkeys + (start - b->chunk), b->most, dim, end - start, more);
        w->compute->rows->transpose(
            dvalues + at, stride, b->dvalues + (start - b->chunk), b->most, dim, end - start, more);
        end = start;
    }
}

static void pack_chunk(const struct block *b) {
    const struct backward_work *w = b->work;
    const struct attention_shape *shape = &w->attention->shape;
    struct attention_pack pack = {w->compute, shape, b->span, attention_kv_head(shape, b->head),
        b->chunk, b->chunk_keys, b->gathered};
    attention_pack_keys(&pack, ATTENTION_KEYS, b->keys, b->key_panel);
    attention_pack_keys(&pack, ATTENTION_VALUES, b->values, b->key_panel);
    attention_pack_depth(&pack, ATTENTION_KEYS, b->key_rows, b->row_panel);
}

// One head's queries with the chunk that is packed.
static void differentiate_chunk(struct block *b) {
    const struct attention_shape *shape = &b->work->attention->shape;
    memset(b->summed, 0, sizeof b->summed);
    size_t start = b->chunk > b->span->first_position ? b->chunk - b->span->first_position : 0;
    for (b->first = start; b->first < b->span->query_count; b->first += b->count) {
        b->count = smaller(block_rows(b), b->span->query_count - b->first);
        if (attention_first_visible(shape, b->span->first_position + b->first) >=
            b->chunk + b->chunk_keys)
            break;
        differentiate_block(b);
    }
    clear_unseen(b);
    add_chunk(b);
}

// With a window, no keys are the first for all queries.
static void clear_dquery(const struct block *b) {
    size_t dim = b->work->attention->shape.head_dim, heads = b->work->attention->shape.heads;
    for (size_t i = 0; i < b->span->query_count; i++)
        memset(b->work->gradient->dquery + ((b->span->first_row + i) * heads + b->head) * dim, 0,
            dim * sizeof(float));
}

static void take_scratch(struct block *b, uint8_t *scratch) {
    const struct compute *compute = b->work->compute;
    const struct attention_shape *shape = &b->work->attention->shape;
    const struct gemm_kernel *gemm = compute->gemm;
    size_t size = gemm->element_size, padded = attention_padded(shape), rows = block_rows(b);
    const uint8_t *end = scratch + WORKER_SCRATCH;
    b->query_panel = rows * gemm->nr * size;
    b->scores = attention_deal(&scratch, gemm->mr * MOST_KEYS * sizeof(float));
    b->dscores = attention_deal(&scratch, gemm->mr * MOST_KEYS * sizeof(float));
    b->dscore_rows = attention_deal(&scratch, gemm->mr * MOST_KEYS * size);
    b->p_panels = attention_deal(&scratch, rows * MOST_KEYS * size);
    b->ds_panels = attention_deal(&scratch, rows * MOST_KEYS * size);
    b->queries = attention_deal(&scratch, shape->head_dim * rows * size);
    b->doutputs = attention_deal(&scratch, shape->head_dim * rows * size);
    b->tile = attention_deal(&scratch, gemm->mr * padded * sizeof(float));
    b->buffer = attention_deal(&scratch, gemm->mr * padded * size);
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
    size_t heads = w->together ? attention_group(&a->shape) : 1, units = a->shape.heads / heads;
    for (size_t tree = task / units; tree > 0; tree--)
        for (span++; span->parent;)
            span++;
    size_t first = task % units * heads;
    struct block b = {.work = w, .head = first};
    take_scratch(&b, compute_worker_scratch(w->compute, worker));
    const struct attention_span *root = span;
    do {
        b.span = span;
        for (b.head = first; a->shape.window && b.head < first + heads; b.head++)
            clear_dquery(&b);
        size_t keys = span->first_position + span->query_count;
        for (b.chunk = attention_start(&a->shape, span, 0); b.chunk < keys; b.chunk += b.most) {
            b.chunk_keys = smaller(b.most, keys - b.chunk);
            b.first_keys = !a->shape.window && b.chunk == 0;
            b.head = first;
            pack_chunk(&b);
            for (; b.head < first + heads; b.head++)
                differentiate_chunk(&b);
        }
        span++;
    } while (span < end && span->parent && span != root);
}

// ---- sums over heads ----

enum { SUM_ROWS = 16 };

static void sum_heads(const struct backward_work *w, float *to, const float *from, size_t row) {
    const struct attention_shape *shape = &w->attention->shape;
    size_t dim = shape->head_dim, group = attention_group(shape);
    for (size_t head = 0; head < shape->kv_heads; head++) {
        float *sums = to + (row * shape->kv_heads + head) * dim;
        const float *heads = from + (row * shape->kv_heads + head) * group * dim;
        for (size_t i = 0; i < dim; i++) {
            float sum = heads[i];
            for (size_t share = 1; share < group; share++)
                sum += heads[share * dim + i];
            sums[i] = sum;
        }
    }
}

static void sum_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct backward_work *w = context;
    size_t end = smaller(w->attention->query.rows, (task + 1) * SUM_ROWS);
    for (size_t row = task * SUM_ROWS; row < end; row++) {
        sum_heads(w, w->gradient->dkeys, w->gradient->head_dkeys, row);
        sum_heads(w, w->gradient->dvalues, w->gradient->head_dvalues, row);
    }
}

// Together, a task is so long that threads had better have several.
static bool goes_together(
    const struct compute *compute, const struct attention *attention, size_t trees) {
    enum { TASKS_EACH = 3 };
    size_t threads = (size_t)compute_threads(compute), tasks = trees * attention->shape.kv_heads;
    if (attention_group(&attention->shape) == 1) return true;
    return trees == attention->span_count && tasks >= TASKS_EACH * threads;
}

void compute_attention_backward(struct compute *compute, const struct attention *attention,
    const struct attention_gradient *gradient) {
    struct backward_work work = {compute, attention, gradient, false};
    size_t trees = 0, rows = attention->query.rows, heads = attention->shape.heads;
    for (size_t i = 0; i < attention->span_count; i++)
        trees += !attention->spans[i].parent;
    work.together = goes_together(compute, attention, trees);
    // Five products of a tile: scores and weights again, then dq, dk, dv.
    compute_run(compute, attention_cost(attention, COMPUTE_ATTENTION_BACKWARD, 5),
        trees * (work.together ? attention->shape.kv_heads : heads), backward_task, &work);
    if (work.together) return;
    compute_run(compute,
        cost_of(COMPUTE_ATTENTION_BACKWARD, 4 * rows * heads * attention->shape.head_dim, 0),
        (rows + SUM_ROWS - 1) / SUM_ROWS, sum_task, &work);
}
