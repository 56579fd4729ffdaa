// Attention in blocks of queries and keys (Dao et al., "FlashAttention", 2022): the scores of a few
// queries at a time, with a running maximum and sum where keys come in several chunks.
//
// A task is a run of queries with all the heads that share one key-value head, whose keys and
// values it packs once. A few queries with many keys (decoding) go row by row instead. The backward
// pass is attention_backward.c.
#include "compute/attention_internal.h"
#include <math.h>

enum { QUERY_PART = 512, FEW_QUERIES = 8, MOST_KEYS = 1024 };

struct forward_work {
    const struct compute *compute;
    const struct attention *attention;
    size_t tasks;
};

static size_t parts_of(const struct attention_span *span) {
    return (span->query_count + QUERY_PART - 1) / QUERY_PART;
}

// ---- a few queries ----

static bool goes_by_rows(const struct attention *a, const struct attention_span *span) {
    return span->query_count < FEW_QUERIES && a->output_f32 && !span->parent &&
           a->query.type == DATA_F32 && span->keys.type == DATA_F32 &&
           span->values.type == DATA_F32;
}

static void few_queries(
    const struct forward_work *w, const struct attention_span *span, size_t head, float *scores) {
    const struct row_kernels *kernels = w->compute->rows;
    const struct attention_shape *shape = &w->attention->shape;
    size_t dim = shape->head_dim, column = attention_kv_head(shape, head) * dim;
    size_t stride = span->keys.stride;
    for (size_t i = 0; i < span->query_count; i++) {
        size_t position = span->first_position + i;
        size_t start = attention_first_visible(shape, position), visible = position + 1 - start;
        const float *query = (const float *)w->attention->query.data +
                             (span->first_row + i) * w->attention->query.stride + head * dim;
        float *output =
            w->attention->output_f32 + (span->first_row + i) * shape->heads * dim + head * dim;
        const float *keys = (const float *)span->keys.data + start * stride + column;
        const float *values = (const float *)span->values.data + start * stride + column;
        for (size_t j = 0; j < visible; j++)
            scores[j] = shape->scale * kernels->dot(query, keys + j * stride, dim);
        float maximum = kernels->maximum(scores, visible);
        float sum = kernels->exp_sum(scores, scores, 1.0f, maximum, visible);
        memset(output, 0, dim * sizeof *output);
        for (size_t j = 0; j < visible; j++)
            kernels->add_scaled(output, values + j * stride, scores[j] / sum, dim);
        if (w->attention->log_sum_exp)
            w->attention->log_sum_exp[(span->first_row + i) * shape->heads + head] =
                maximum + logf(sum);
    }
}

// ---- many queries ----

// One head's queries of a part, and the chunk of keys that they meet.
struct part {
    const struct forward_work *work;
    const struct attention_span *span;
    size_t head, first, count; // queries of the span
    size_t chunk, chunk_keys;  // position of the first key, and how many
    bool several;              // chunks
    const uint8_t *keys, *values;
    size_t key_panel, value_panel; // bytes of a panel
    float *scores, *sums;          // [mr, most keys], [QUERY_PART, padded head_dim]
    uint8_t *weights;              // operand [mr, most keys]
    uint8_t *queries;              // operand [mr, padded head_dim], where they are f32
    float maximum[QUERY_PART], sum[QUERY_PART];
};

// The scores of one query become weights; what came before is rescaled to the new maximum.
static void soften(struct part *p, size_t query, size_t i, size_t from, size_t depth) {
    const struct compute *compute = p->work->compute;
    const struct attention_shape *shape = &p->work->attention->shape;
    size_t size = compute->gemm->element_size;
    size_t position = p->span->first_position + p->first + query;
    struct attention_visible seen =
        attention_visible_keys(shape, position, p->chunk, p->chunk_keys);
    const float *row = p->scores + i * MOST_KEYS;
    uint8_t *weights = p->weights + i * MOST_KEYS * size;
    size_t count = seen.to > seen.from ? seen.to - seen.from : 0;
    if (seen.from > from) memset(weights + from * size, 0, (seen.from - from) * size);
    if (depth > seen.to) memset(weights + seen.to * size, 0, (depth - seen.to) * size);
    if (!count) return;
    float maximum = shape->scale * compute->rows->maximum(row + seen.from, count);
    if (!(maximum < p->maximum[query])) {
        float factor = p->several ? expf(p->maximum[query] - maximum) : 0;
        p->maximum[query] = maximum;
        p->sum[query] *= factor;
        if (p->several)
            compute->rows->scale(
                p->sums + query * attention_padded(shape), factor, shape->head_dim);
    }
    p->sum[query] += compute->operands->exp_sum(
        weights + seen.from * size, row + seen.from, shape->scale, p->maximum[query], count);
}

static const uint8_t *query_rows(struct part *p, size_t query, size_t rows, size_t *stride) {
    const struct matrix *of = &p->work->attention->query;
    size_t dim = p->work->attention->shape.head_dim;
    size_t at = (p->span->first_row + p->first + query) * of->stride + p->head * dim;
    return attention_operand_rows(p->work->compute, of, at, rows, dim, p->queries, stride);
}

static void finish_query(const struct part *p, size_t query) {
    const struct attention *a = p->work->attention;
    const struct row_kernels *kernels = p->work->compute->rows;
    size_t dim = a->shape.head_dim, row = p->span->first_row + p->first + query;
    float *values = p->sums + query * attention_padded(&a->shape);
    kernels->scale(values, 1.0f / p->sum[query], dim);
    if (a->output_f32)
        memcpy(
            a->output_f32 + (row * a->shape.heads + p->head) * dim, values, dim * sizeof *values);
    else
        p->work->compute->operands->store(
            compute_operand_at(p->work->compute, a->output, row, p->head * dim).data, values, dim);
    if (a->log_sum_exp)
        a->log_sum_exp[row * a->shape.heads + p->head] = p->maximum[query] + logf(p->sum[query]);
}

// `rows` queries, up to mr, with those keys of the chunk that any of them sees.
static void soften_group(struct part *p, size_t query, size_t rows) {
    const struct gemm_kernel *gemm = p->work->compute->gemm;
    const struct attention_shape *shape = &p->work->attention->shape;
    size_t position = p->span->first_position + p->first + query, padded = attention_padded(shape);
    struct attention_visible seen =
        attention_group_keys(shape, position, rows, p->chunk, p->chunk_keys, gemm->nr);
    if (seen.from < seen.to) {
        size_t stride, depth = seen.to - seen.from;
        const uint8_t *queries = query_rows(p, query, rows, &stride);
        for (size_t key = seen.from; key < seen.to; key += gemm->nr) {
            struct gemm_segment segment = {
                queries, stride, p->keys + key / gemm->nr * p->key_panel, shape->head_dim};
            gemm->multiply(&segment, 1, p->scores + key, MOST_KEYS, rows, gemm->nr, false);
        }
        for (size_t i = 0; i < rows; i++)
            soften(p, query + i, i, seen.from, round_up(seen.to, gemm->k_unit));
        for (size_t column = 0; column < padded; column += gemm->nr) {
            size_t width = attention_width(gemm, shape->head_dim - column);
            struct gemm_segment segment = {p->weights + seen.from * gemm->element_size, MOST_KEYS,
                p->values + column / gemm->nr * p->value_panel +
                    seen.from * width * gemm->element_size,
                depth};
            gemm->multiply(
                &segment, 1, p->sums + query * padded + column, padded, rows, width, p->several);
        }
    }
    // Its last key is behind it: nothing more will come.
    for (size_t i = 0; i < rows; i++)
        if (position + i >= p->chunk && position + i < p->chunk + p->chunk_keys)
            finish_query(p, query + i);
}

static void pack_chunk(struct part *p, uint8_t *gathered) {
    const struct compute *compute = p->work->compute;
    const struct attention_shape *shape = &p->work->attention->shape;
    struct attention_pack pack = {compute, shape, p->span, attention_kv_head(shape, p->head),
        p->chunk, p->chunk_keys, gathered};
    attention_pack_keys(&pack, ATTENTION_KEYS, (uint8_t *)p->keys, p->key_panel);
    attention_pack_depth(&pack, ATTENTION_VALUES, (uint8_t *)p->values, p->value_panel);
}

static void many_queries(struct part *p, size_t kv_head, size_t most, uint8_t *gathered) {
    const struct attention_shape *shape = &p->work->attention->shape;
    size_t mr = p->work->compute->gemm->mr, nr = p->work->compute->gemm->nr;
    size_t group = attention_group(shape), start = attention_start(shape, p->span, p->first, nr);
    size_t end = p->span->first_position + p->first + p->count;
    p->several = end - start > most;
    for (size_t i = 0; i < group; i++) {
        p->head = kv_head * group + i;
        if (p->several) memset(p->sums, 0, p->count * attention_padded(shape) * sizeof *p->sums);
        for (size_t query = 0; query < p->count; query++) {
            p->maximum[query] = -INFINITY;
            p->sum[query] = 0;
        }
        for (p->chunk = start; p->chunk < end; p->chunk += most) {
            p->chunk_keys = smaller(most, end - p->chunk);
            if (i == 0 || p->several) pack_chunk(p, gathered);
            for (size_t query = 0; query < p->count; query += mr)
                soften_group(p, query, smaller(mr, p->count - query));
        }
    }
}

// From the last task on: a span's last queries see the most keys, and what takes longest had better
// begin first.
static void forward_task(void *context, size_t before, int worker) {
    const struct forward_work *w = context;
    const struct attention_shape *shape = &w->attention->shape;
    size_t task = w->tasks - 1 - before;
    size_t kv_head = task % shape->kv_heads, number = task / shape->kv_heads;
    const struct attention_span *span = w->attention->spans;
    while (number >= parts_of(span))
        number -= parts_of(span++);
    uint8_t *scratch = compute_worker_scratch(w->compute, worker);
    if (goes_by_rows(w->attention, span)) {
        for (size_t i = 0; i < attention_group(shape); i++)
            few_queries(w, span, kv_head * attention_group(shape) + i, (float *)scratch);
        return;
    }
    const struct gemm_kernel *gemm = w->compute->gemm;
    size_t size = gemm->element_size, padded = attention_padded(shape);
    size_t most = attention_chunk(w->compute, shape, MOST_KEYS);
    size_t parts = parts_of(span), first = span->query_count * number / parts;
    struct part p = {.work = w,
        .span = span,
        .first = first,
        .count = span->query_count * (number + 1) / parts - first,
        .key_panel = round_up(shape->head_dim, gemm->k_unit) * gemm->nr * size,
        .value_panel = most * gemm->nr * size};
    p.scores = attention_deal(&scratch, gemm->mr * MOST_KEYS * sizeof(float));
    p.sums = attention_deal(&scratch, QUERY_PART * padded * sizeof(float));
    p.weights = attention_deal(&scratch, gemm->mr * MOST_KEYS * size);
    p.queries = attention_deal(&scratch, gemm->mr * padded * size);
    p.keys = attention_deal(&scratch, most * padded * size);
    p.values = attention_deal(&scratch, most * padded * size);
    many_queries(&p, kv_head, most, attention_deal(&scratch, most * padded * size));
}

struct compute_cost attention_cost(
    const struct attention *a, enum compute_operation operation, size_t products) {
    double pairs = 0, rows = 0, keys = 0;
    for (size_t i = 0; i < a->span_count; i++) {
        const struct attention_span *span = &a->spans[i];
        double queries = (double)span->query_count, before = (double)span->first_position;
        double whole = queries * before + queries * (queries + 1) / 2;
        double most = a->shape.window ? queries * (double)a->shape.window : whole;
        pairs += whole < most ? whole : most;
        rows += queries;
        keys += (span->parent ? 0 : before) + queries;
    }
    double dim = (double)a->shape.head_dim;
    double floats =
        2 * rows * dim * (double)a->shape.heads + 2 * keys * dim * (double)a->shape.kv_heads;
    bool backward = operation == COMPUTE_ATTENTION_BACKWARD;
    return (struct compute_cost){operation,
        2 * pairs * dim * (double)products * (double)a->shape.heads,
        floats * (double)data_type_table[a->query.type].size * (backward ? 2 : 1)};
}

void compute_attention(struct compute *compute, const struct attention *attention) {
    struct forward_work work = {compute, attention, 0};
    for (size_t i = 0; i < attention->span_count; i++)
        work.tasks += parts_of(&attention->spans[i]) * attention->shape.kv_heads;
    compute_run(
        compute, attention_cost(attention, COMPUTE_ATTENTION, 2), work.tasks, forward_task, &work);
}
