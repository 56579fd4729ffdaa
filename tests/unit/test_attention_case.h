// Attention over spans of any kind, as the formulas have it, in double, and as compute has it.
#ifndef TEST_ATTENTION_CASE_H
#define TEST_ATTENTION_CASE_H

#include "test_compute.h"

enum { MOST_SPANS = 64, NO_PARENT = MOST_SPANS };

struct span_plan {
    size_t first_row, queries, first_position;
    size_t first_key, key_row; // the position of its first key, and the row where that lies
    size_t parent;
};

struct attention_case {
    struct attention_shape shape;
    struct span_plan plans[MOST_SPANS];
    size_t spans, rows, key_rows;
    float *query, *keys, *values, *doutput;
};

// [rows, heads · head_dim], dkeys and dvalues [rows, kv_heads · head_dim].
struct attention_result {
    float *output, *log_sum_exp, *dquery, *dkeys, *dvalues;
};

// What is an operand in a run, and not f32.
enum { OPERAND_QUERY = 1, OPERAND_KEYS = 2, OPERAND_OUTPUT = 4, OPERANDS = 7 };

static inline size_t query_columns(const struct attention_case *c) {
    return c->shape.heads * c->shape.head_dim;
}

static inline size_t key_columns(const struct attention_case *c) {
    return c->shape.kv_heads * c->shape.head_dim;
}

static inline struct attention_shape shape_of(
    size_t heads, size_t kv_heads, size_t head_dim, size_t window) {
    return (struct attention_shape){
        heads, kv_heads, head_dim, 1.0f / sqrtf((float)head_dim), window};
}

// Queries behind `history` keys, all of them rows of its own.
static inline void add_span(struct attention_case *c, size_t queries, size_t history) {
    c->plans[c->spans++] = (struct span_plan){c->rows, queries, history, 0, c->key_rows, NO_PARENT};
    c->rows += queries;
    c->key_rows += history + queries;
}

// A node of a tree: its keys are its own rows. Returns its number.
static inline size_t add_node(struct attention_case *c, size_t rows, size_t parent) {
    const struct span_plan *above = parent == NO_PARENT ? NULL : &c->plans[parent];
    size_t position = above ? above->first_position + above->queries : 0;
    c->plans[c->spans] = (struct span_plan){c->rows, rows, position, position, c->rows, parent};
    c->rows += rows;
    c->key_rows = c->rows;
    return c->spans++;
}

static inline void case_fill(struct attention_case *c) {
    c->query = random_floats(10, c->rows * query_columns(c), 1);
    c->keys = random_floats(11, c->key_rows * key_columns(c), 1);
    c->values = random_floats(12, c->key_rows * key_columns(c), 1);
    c->doutput = random_floats(15, c->rows * query_columns(c), 1);
}

static inline void case_free(struct attention_case *c) {
    memory_free(c->query);
    memory_free(c->keys);
    memory_free(c->values);
    memory_free(c->doutput);
}

static inline struct attention_result result_new(const struct attention_case *c) {
    return (struct attention_result){zero_floats(c->rows * query_columns(c)),
        zero_floats(c->rows * c->shape.heads), zero_floats(c->rows * query_columns(c)),
        zero_floats(c->rows * key_columns(c)), zero_floats(c->rows * key_columns(c))};
}

static inline void result_free(struct attention_result *r) {
    memory_free(r->output);
    memory_free(r->log_sum_exp);
    memory_free(r->dquery);
    memory_free(r->dkeys);
    memory_free(r->dvalues);
}

// ---- the formulas ----

// The row of the key that a span's path has at a position.
static inline size_t key_row_of(
    const struct attention_case *c, const struct span_plan *plan, size_t position) {
    while (position < plan->first_key)
        plan = &c->plans[plan->parent];
    return plan->key_row + position - plan->first_key;
}

static inline double dot(const float *x, const float *y, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

// One head of one query: where its numbers lie, and its softmax over the keys that it sees.
struct naive_query {
    const struct span_plan *plan;
    size_t first, seen; // positions
    size_t row, at, kv_column;
    double *weights, log_sum_exp;
};

static inline struct naive_query naive_softmax(
    const struct attention_case *c, const struct span_plan *plan, size_t query, size_t head) {
    size_t dim = c->shape.head_dim, row = plan->first_row + query;
    size_t end = plan->first_position + query + 1;
    size_t first = c->shape.window && end > c->shape.window ? end - c->shape.window : 0;
    struct naive_query q = {plan, first, end - first, row, row * query_columns(c) + head * dim,
        head / (c->shape.heads / c->shape.kv_heads) * dim,
        memory_alloc_array(end - first, sizeof(double)), 0};
    double sum = 0;
    for (size_t j = 0; j < q.seen; j++) {
        const float *key = c->keys + key_row_of(c, plan, first + j) * key_columns(c) + q.kv_column;
        sum += q.weights[j] = exp(c->shape.scale * dot(c->query + q.at, key, dim));
    }
    for (size_t j = 0; j < q.seen; j++)
        q.weights[j] /= sum;
    q.log_sum_exp = log(sum);
    return q;
}

static inline void naive_output(
    const struct attention_case *c, const struct naive_query *q, float *output) {
    double sums[ATTENTION_HEAD_DIM] = {0};
    for (size_t j = 0; j < q->seen; j++) {
        const float *value =
            c->values + key_row_of(c, q->plan, q->first + j) * key_columns(c) + q->kv_column;
        for (size_t d = 0; d < c->shape.head_dim; d++)
            sums[d] += q->weights[j] * value[d];
    }
    for (size_t d = 0; d < c->shape.head_dim; d++)
        output[d] = (float)sums[d];
}

// With P the softmax, dS = P ∘ (dP - Σ P ∘ dP) · scale.
static inline void naive_gradient(
    const struct attention_case *c, const struct naive_query *q, struct attention_result *r) {
    size_t dim = c->shape.head_dim;
    const float *doutput = c->doutput + q->at, *query = c->query + q->at;
    double *dp = memory_alloc_array(q->seen, sizeof *dp), delta = 0;
    for (size_t j = 0; j < q->seen; j++) {
        size_t at = key_row_of(c, q->plan, q->first + j) * key_columns(c) + q->kv_column;
        dp[j] = dot(doutput, c->values + at, dim);
        delta += q->weights[j] * dp[j];
    }
    for (size_t j = 0; j < q->seen; j++) {
        size_t at = key_row_of(c, q->plan, q->first + j) * key_columns(c) + q->kv_column;
        double ds = q->weights[j] * (dp[j] - delta) * c->shape.scale;
        for (size_t d = 0; d < dim; d++) {
            r->dquery[q->at + d] += (float)(ds * c->keys[at + d]);
            r->dkeys[at + d] += (float)(ds * query[d]);
            r->dvalues[at + d] += (float)(q->weights[j] * doutput[d]);
        }
    }
    memory_free(dp);
}

// `gradient`: where keys are the rows of queries.
static inline struct attention_result naive_attention(
    const struct attention_case *c, bool gradient) {
    struct attention_result r = result_new(c);
    for (size_t span = 0; span < c->spans; span++)
        for (size_t i = 0; i < c->plans[span].queries; i++)
            for (size_t head = 0; head < c->shape.heads; head++) {
                struct naive_query q = naive_softmax(c, &c->plans[span], i, head);
                naive_output(c, &q, r.output + q.at);
                r.log_sum_exp[q.row * c->shape.heads + head] = (float)q.log_sum_exp;
                if (gradient) naive_gradient(c, &q, &r);
                memory_free(q.weights);
            }
    return r;
}

// ---- compute ----

// What one run hands to compute.
struct attention_run {
    struct attention attention;
    struct attention_span spans[MOST_SPANS];
    struct operand query, keys, values;
};

static inline struct matrix matrix_in_case(struct compute *compute, const float *values,
    size_t rows, size_t columns, bool operand, struct operand *to) {
    if (!operand) return matrix_f32(values, rows, columns);
    *to = operand_from(compute, values, rows, columns);
    return compute_operand_matrix(compute, *to, rows, columns);
}

static inline struct matrix rows_from(struct matrix matrix, size_t row) {
    size_t bytes = row * matrix.stride * data_type_table[matrix.type].size;
    matrix.data = (const uint8_t *)matrix.data + bytes;
    matrix.rows -= row;
    return matrix;
}

static inline void run_prepare(struct compute *compute, struct attention_run *r,
    const struct attention_case *c, int operands) {
    memset(r, 0, sizeof *r);
    bool keys_are = operands & OPERAND_KEYS;
    struct matrix keys =
        matrix_in_case(compute, c->keys, c->key_rows, key_columns(c), keys_are, &r->keys);
    struct matrix values =
        matrix_in_case(compute, c->values, c->key_rows, key_columns(c), keys_are, &r->values);
    for (size_t i = 0; i < c->spans; i++) {
        const struct span_plan *plan = &c->plans[i];
        r->spans[i] = (struct attention_span){plan->first_row, plan->queries, plan->first_position,
            rows_from(keys, plan->key_row), rows_from(values, plan->key_row), plan->first_key,
            plan->parent == NO_PARENT ? NULL : &r->spans[plan->parent]};
    }
    r->attention = (struct attention){.spans = r->spans,
        .span_count = c->spans,
        .shape = c->shape,
        .query = matrix_in_case(
            compute, c->query, c->rows, query_columns(c), operands & OPERAND_QUERY, &r->query)};
    if (operands & OPERAND_OUTPUT)
        r->attention.output = operand_new(compute, c->rows, query_columns(c));
}

static inline void run_end(struct attention_run *r) {
    memory_free(r->query.data);
    memory_free(r->keys.data);
    memory_free(r->values.data);
    memory_free(r->attention.output.data);
}

// Results are overwritten, whatever was there.
static inline void spoil(float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] = NAN;
}

static inline void run_backward(struct compute *compute, const struct attention_run *run,
    const struct attention_case *c, struct attention_result *r) {
    size_t count = c->rows * query_columns(c), deltas = c->rows * c->shape.heads;
    float *delta = zero_floats(deltas);
    struct attention_gradient gradient = {
        operand_from(compute, c->doutput, c->rows, query_columns(c)), r->dquery, r->dkeys,
        r->dvalues, delta};
    size_t kv_count = c->rows * c->shape.kv_heads * c->shape.head_dim;
    spoil(r->dquery, count);
    spoil(r->dkeys, kv_count);
    spoil(r->dvalues, kv_count);
    spoil(delta, deltas);
    compute_attention_backward(compute, &run->attention, &gradient);
    memory_free(gradient.doutput.data);
    memory_free(delta);
}

static inline struct attention_result attention_of(
    struct compute *compute, const struct attention_case *c, int operands, bool backward) {
    struct attention_run run;
    struct attention_result r = result_new(c);
    run_prepare(compute, &run, c, operands);
    run.attention.log_sum_exp = r.log_sum_exp;
    if (!(operands & OPERAND_OUTPUT)) run.attention.output_f32 = r.output;
    spoil(r.output, c->rows * query_columns(c));
    spoil(r.log_sum_exp, c->rows * c->shape.heads);
    compute_attention(compute, &run.attention);
    if (operands & OPERAND_OUTPUT) {
        memory_free(r.output);
        r.output = operand_floats(compute, run.attention.output, c->rows, query_columns(c));
    }
    if (backward) run_backward(compute, &run, c, &r);
    run_end(&run);
    return r;
}

#endif
