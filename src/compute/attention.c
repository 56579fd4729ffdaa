// Attention in blocks of queries and keys (Dao et al., "FlashAttention", 2022): scores of one block
// at a time, a running maximum and sum for each row, and in the backward pass the same scores once
// more.
//
// A task of the forward pass is one block of queries with all the heads that share one key-value
// head; one of the backward pass is a whole sequence with one key-value head, which so has its sums
// to itself. A few queries with many keys (decoding) go row by row instead.
#include "compute/compute_internal.h"
#include <math.h>

enum { QUERY_BLOCK = 112, KEY_BLOCK = 256, FEW_QUERIES = 8 };

struct attention_work {
    const struct compute *compute;
    float *output, *log_sum_exp;
    const float *query;
    const struct attention_span *spans;
    size_t span_count;
    const struct attention_shape *shape;
    float *dquery;
    const float *doutput;
};

static size_t blocks_of(const struct attention_span *span) {
    return (span->query_count + QUERY_BLOCK - 1) / QUERY_BLOCK;
}

static size_t group_size(const struct attention_shape *shape) {
    return shape->heads / shape->kv_heads;
}

// One head's rows of a sequence: where they are, and where its keys are.
struct head {
    size_t row;    // of the first query in the buffers
    size_t offset; // of the head in a row
    const float *keys, *values;
    float *dkeys, *dvalues;
};

static struct head head_of(const struct attention_work *w, const struct attention_span *span,
    size_t kv_head, size_t index) {
    size_t dim = w->shape->head_dim, at = kv_head * dim;
    return (struct head){
        .row = span->first_row,
        .offset = (kv_head * group_size(w->shape) + index) * dim,
        .keys = span->keys + at,
        .values = span->values + at,
        .dkeys = span->dkeys ? span->dkeys + at : NULL,
        .dvalues = span->dvalues ? span->dvalues + at : NULL,
    };
}

// The first key that a query at this position sees.
static size_t first_visible(const struct attention_shape *shape, size_t position) {
    return shape->window && position >= shape->window ? position + 1 - shape->window : 0;
}

// The block of keys that the first key seen from this position on stands in.
static size_t first_key_block(const struct attention_shape *shape, size_t position) {
    return first_visible(shape, position) / KEY_BLOCK * KEY_BLOCK;
}

// Of the `keys` keys from `first` on, a query at this position sees those from `from` up to `to`.
struct visible {
    size_t from, to;
};

static struct visible visible_keys(
    const struct attention_shape *shape, size_t position, size_t first, size_t keys) {
    size_t start = first_visible(shape, position);
    size_t to = position < first ? 0 : smaller(keys, position - first + 1);
    size_t from = start < first ? 0 : smaller(to, start - first);
    return (struct visible){from, to};
}

static void clear_invisible(float *row, struct visible visible, size_t keys) {
    memset(row, 0, visible.from * sizeof *row);
    memset(row + visible.to, 0, (keys - visible.to) * sizeof *row);
}

static struct matrix strided(const float *data, size_t rows, size_t columns, size_t stride) {
    return (struct matrix){data, DATA_F32, rows, columns, stride};
}

// ---- forward ----

static void few_queries(const struct attention_work *w, const struct attention_span *span,
    const struct head *head, float *scores) {
    const struct row_kernels *kernels = w->compute->rows;
    size_t dim = w->shape->head_dim;
    for (size_t i = 0; i < span->query_count; i++) {
        size_t at = (head->row + i) * w->shape->query_stride + head->offset;
        size_t position = span->first_position + i, start = first_visible(w->shape, position);
        size_t visible = position + 1 - start;
        const float *keys = head->keys + start * span->key_stride;
        const float *values = head->values + start * span->key_stride;
        for (size_t j = 0; j < visible; j++)
            scores[j] =
                w->shape->scale * kernels->dot(w->query + at, keys + j * span->key_stride, dim);
        float maximum = kernels->maximum(scores, visible);
        float sum = kernels->exp_sum(scores, scores, maximum, visible);
        memset(w->output + at, 0, dim * sizeof(float));
        for (size_t j = 0; j < visible; j++)
            kernels->add_scaled(
                w->output + at, values + j * span->key_stride, scores[j] / sum, dim);
        if (w->log_sum_exp)
            w->log_sum_exp[(head->row + i) * w->shape->heads + head->offset / dim] =
                maximum + logf(sum);
    }
}

struct running {
    float maximum[QUERY_BLOCK];
    float sum[QUERY_BLOCK];
};

// Turns the scores of a block into exponentials and rescales what came before to the new maximum.
static void soften(const struct attention_work *w, struct running *running, float *scores,
    float *output, size_t queries, size_t keys, size_t first_query, size_t first_key) {
    const struct row_kernels *kernels = w->compute->rows;
    for (size_t i = 0; i < queries; i++, scores += KEY_BLOCK, output += w->shape->query_stride) {
        struct visible visible = visible_keys(w->shape, first_query + i, first_key, keys);
        size_t count = visible.to - visible.from;
        float *seen = scores + visible.from;
        clear_invisible(scores, visible, keys);
        if (!count) continue;
        float maximum = fmaxf(running->maximum[i], kernels->maximum(seen, count));
        float factor = expf(running->maximum[i] - maximum);
        running->maximum[i] = maximum;
        running->sum[i] = running->sum[i] * factor + kernels->exp_sum(seen, seen, maximum, count);
        if (factor != 1.0f) kernels->scale(output, factor, w->shape->head_dim);
    }
}

static void finish_rows(const struct attention_work *w, const struct head *head,
    const struct running *running, size_t first, size_t queries) {
    for (size_t i = 0; i < queries; i++) {
        size_t row = head->row + first + i;
        w->compute->rows->scale(w->output + row * w->shape->query_stride + head->offset,
            1.0f / running->sum[i], w->shape->head_dim);
        if (w->log_sum_exp)
            w->log_sum_exp[row * w->shape->heads + head->offset / w->shape->head_dim] =
                running->maximum[i] + logf(running->sum[i]);
    }
}

static void many_queries(const struct attention_work *w, const struct attention_span *span,
    const struct head *head, size_t block, float *scores, void *scratch) {
    const struct gemm_kernel *gemm = w->compute->gemm;
    size_t dim = w->shape->head_dim, stride = w->shape->query_stride;
    size_t first = block * QUERY_BLOCK, queries = smaller(QUERY_BLOCK, span->query_count - first);
    size_t position = span->first_position + first, end = position + queries;
    size_t at = (head->row + first) * stride + head->offset;
    struct running running;
    for (size_t i = 0; i < queries; i++) {
        running.maximum[i] = -INFINITY;
        running.sum[i] = 0;
        memset(w->output + at + i * stride, 0, dim * sizeof(float));
    }
    for (size_t key = first_key_block(w->shape, position); key < end; key += KEY_BLOCK) {
        size_t keys = smaller(KEY_BLOCK, end - key);
        size_t key_at = key * span->key_stride;
        gemm_tile(gemm, scratch, GEMM_NT, strided(w->query + at, queries, dim, stride),
            strided(head->keys + key_at, keys, dim, span->key_stride), scores, KEY_BLOCK,
            w->shape->scale, false);
        soften(w, &running, scores, w->output + at, queries, keys, position, key);
        gemm_tile(gemm, scratch, GEMM_NN, strided(scores, queries, keys, KEY_BLOCK),
            strided(head->values + key_at, keys, dim, span->key_stride), w->output + at, stride,
            1.0f, true);
    }
    finish_rows(w, head, &running, first, queries);
}

static void forward_task(void *context, size_t task, int worker) {
    const struct attention_work *w = context;
    size_t kv_head = task % w->shape->kv_heads, block = task / w->shape->kv_heads;
    const struct attention_span *span = w->spans;
    while (block >= blocks_of(span))
        block -= blocks_of(span++);
    float *scores = compute_worker_scratch(w->compute, worker);
    for (size_t i = 0; i < group_size(w->shape); i++) {
        struct head head = head_of(w, span, kv_head, i);
        if (span->query_count < FEW_QUERIES)
            few_queries(w, span, &head, scores);
        else
            many_queries(w, span, &head, block, scores, scores + QUERY_BLOCK * KEY_BLOCK);
    }
}

// `products` of head_dim multiply-adds for each pair of a query and a key that it sees.
static struct compute_cost attention_cost(
    const struct attention_work *w, enum compute_operation operation, size_t products) {
    double pairs = 0, rows = 0, keys = 0;
    for (size_t i = 0; i < w->span_count; i++) {
        const struct attention_span *span = &w->spans[i];
        double queries = (double)span->query_count, before = (double)span->first_position;
        double whole = queries * before + queries * (queries + 1) / 2;
        double most = w->shape->window ? queries * (double)w->shape->window : whole;
        pairs += whole < most ? whole : most;
        rows += queries;
        keys += before + queries;
    }
    double dim = (double)w->shape->head_dim;
    double floats =
        2 * rows * dim * (double)w->shape->heads + 2 * keys * dim * (double)w->shape->kv_heads;
    bool backward = operation == COMPUTE_ATTENTION_BACKWARD;
    return (struct compute_cost){operation,
        2 * pairs * dim * (double)products * (double)w->shape->heads,
        floats * sizeof(float) * (backward ? 2 : 1)};
}

void compute_attention(struct compute *compute, float *output, float *log_sum_exp,
    const float *query, const struct attention_span *spans, size_t span_count,
    const struct attention_shape *shape) {
    struct attention_work work = {.compute = compute,
        .output = output,
        .log_sum_exp = log_sum_exp,
        .query = query,
        .spans = spans,
        .span_count = span_count,
        .shape = shape};
    size_t blocks = 0;
    for (size_t i = 0; i < span_count; i++)
        blocks += blocks_of(&spans[i]);
    compute_run(compute, attention_cost(&work, COMPUTE_ATTENTION, 2), blocks * shape->kv_heads,
        forward_task, &work);
}

// ---- backward ----

// With P the softmax and dP = dO·Vᵀ: dS = P ∘ (dP - D), D the row sums of dO ∘ O, and from dS the
// rest.
static void backward_block(const struct attention_work *w, const struct attention_span *span,
    const struct head *head, size_t first, size_t key, float *scratch) {
    const struct gemm_kernel *gemm = w->compute->gemm;
    const struct row_kernels *kernels = w->compute->rows;
    size_t dim = w->shape->head_dim, stride = w->shape->query_stride;
    size_t queries = smaller(QUERY_BLOCK, span->query_count - first);
    size_t position = span->first_position + first;
    size_t keys = smaller(KEY_BLOCK, position + queries - key);
    size_t at = (head->row + first) * stride + head->offset, key_at = key * span->key_stride;
    float *p = scratch, *ds = p + QUERY_BLOCK * KEY_BLOCK;
    void *packing = ds + QUERY_BLOCK * KEY_BLOCK;
    struct matrix q = strided(w->query + at, queries, dim, stride);
    struct matrix k = strided(head->keys + key_at, keys, dim, span->key_stride);
    struct matrix v = strided(head->values + key_at, keys, dim, span->key_stride);
    struct matrix d_out = strided(w->doutput + at, queries, dim, stride);

    gemm_tile(gemm, packing, GEMM_NT, q, k, p, KEY_BLOCK, w->shape->scale, false);
    gemm_tile(gemm, packing, GEMM_NT, d_out, v, ds, KEY_BLOCK, 1.0f, false);
    for (size_t i = 0; i < queries; i++) {
        size_t row = head->row + first + i;
        struct visible visible = visible_keys(w->shape, position + i, key, keys);
        size_t from = visible.from, count = visible.to - visible.from;
        float *p_row = p + i * KEY_BLOCK, *ds_row = ds + i * KEY_BLOCK;
        float delta = kernels->dot(w->doutput + at + i * stride, w->output + at + i * stride, dim);
        float log_sum_exp = w->log_sum_exp[row * w->shape->heads + head->offset / dim];
        kernels->exp_sum(p_row + from, p_row + from, log_sum_exp, count);
        kernels->softmax_gradient(
            ds_row + from, p_row + from, ds_row + from, delta, w->shape->scale, count);
        clear_invisible(p_row, visible, keys);
        clear_invisible(ds_row, visible, keys);
    }
    struct matrix of_p = strided(p, queries, keys, KEY_BLOCK);
    struct matrix of_ds = strided(ds, queries, keys, KEY_BLOCK);
    gemm_tile(gemm, packing, GEMM_NN, of_ds, k, w->dquery + at, stride, 1.0f, true);
    gemm_tile(gemm, packing, GEMM_TN, of_ds, q, head->dkeys + key_at, span->key_stride, 1.0f, true);
    gemm_tile(
        gemm, packing, GEMM_TN, of_p, d_out, head->dvalues + key_at, span->key_stride, 1.0f, true);
}

static void backward_task(void *context, size_t task, int worker) {
    const struct attention_work *w = context;
    const struct attention_span *span = &w->spans[task / w->shape->kv_heads];
    float *scratch = compute_worker_scratch(w->compute, worker);
    size_t stride = w->shape->query_stride, dim = w->shape->head_dim;
    for (size_t i = 0; i < group_size(w->shape); i++) {
        struct head head = head_of(w, span, task % w->shape->kv_heads, i);
        for (size_t row = 0; row < span->query_count; row++)
            memset(w->dquery + (head.row + row) * stride + head.offset, 0, dim * sizeof(float));
        for (size_t first = 0; first < span->query_count; first += QUERY_BLOCK) {
            size_t position = span->first_position + first;
            size_t end = span->first_position + smaller(first + QUERY_BLOCK, span->query_count);
            for (size_t key = first_key_block(w->shape, position); key < end; key += KEY_BLOCK)
                backward_block(w, span, &head, first, key, scratch);
        }
    }
}

void compute_attention_backward(struct compute *compute, float *dquery, const float *doutput,
    const float *query, const float *output, const float *log_sum_exp,
    const struct attention_span *spans, size_t span_count, const struct attention_shape *shape) {
    struct attention_work work = {.compute = compute,
        .output = (float *)output,
        .log_sum_exp = (float *)log_sum_exp,
        .query = query,
        .spans = spans,
        .span_count = span_count,
        .shape = shape,
        .dquery = dquery,
        .doutput = doutput};
    // Five products of a tile: scores and weights again, then dq, dk, dv.
    compute_run(compute, attention_cost(&work, COMPUTE_ATTENTION_BACKWARD, 5),
        span_count * shape->kv_heads, backward_task, &work);
}
