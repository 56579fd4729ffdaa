// Kernels around products, one source for each instruction set and type of operands. A file defines
// OPERAND_KERNELS (the table's name) and, where operands are bf16, OPERAND_BF16, and includes this.
#include "compute/compute_internal.h"
#include "compute/cpu/vector_math.h"
#include <math.h>

#if defined(OPERAND_BF16)
#include "compute/cpu/shuffle_avx512.h"

typedef uint16_t element;
#define OPERAND_TYPE DATA_BF16
#define EXP2_DEGREE 4
#define NO_LOGIT 0xfc00 // minus infinity in f16

static inline lanes load_lanes(const element *from) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return (lanes)_mm512_slli_epi32(wide, 16);
}

static inline void store_lanes(element *to, lanes values) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh((__m512)values));
}

// A whole line of the cache.
static inline void store_pair(element *to, lanes first, lanes second) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

// Logits wait in f16, which keeps three bits more of them than bf16 would.
static inline void store_logits(element *to, lanes values) {
    const __m512 most = _mm512_set1_ps(65504.0f), least = _mm512_set1_ps(-65504.0f);
    __m512 bounded = _mm512_min_ps(most, _mm512_max_ps(least, (__m512)values));
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtps_ph(bounded, _MM_FROUND_TO_NEAREST_INT));
}

static inline lanes load_logits(const element *from) {
    return (lanes)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}

#else

typedef float element;
#define OPERAND_TYPE DATA_F32
#define EXP2_DEGREE 5
#define NO_LOGIT (-INFINITY)

static inline lanes load_lanes(const element *from) {
    return lanes_load(from);
}

static inline void store_lanes(element *to, lanes values) {
    lanes_store(to, values);
}

static inline void store_pair(element *to, lanes first, lanes second) {
    lanes_store(to, first);
    lanes_store(to + LANES, second);
}

static inline void store_logits(element *to, lanes values) {
    lanes_store(to, values);
}

static inline lanes load_logits(const element *from) {
    return lanes_load(from);
}

#endif

static const float log2_e = 1.44269504f;

// What comes out as bf16 does not need more. Minus infinity has no nearest integer.
static inline lanes exponential(lanes x) {
#if defined(OPERAND_BF16)
    return lanes_exp2((lanes)_mm512_max_ps(_mm512_set1_ps(-200.0f), (__m512)(x * log2_e)), 4);
#else
    return lanes_exp(x);
#endif
}

static inline lanes load_some(const element *from, size_t count) {
    element buffer[LANES] = {0};
    memcpy(buffer, from, count * sizeof *from);
    return load_lanes(buffer);
}

static inline void store_some(element *to, lanes values, size_t count) {
    element buffer[LANES];
    store_lanes(buffer, values);
    memcpy(to, buffer, count * sizeof *to);
}

static void operand_store(void *to, const float *from, size_t count) {
    element *values = to;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store_lanes(values + i, lanes_load(from + i));
    if (i < count) store_some(values + i, lanes_load_some(from + i, count - i, 0), count - i);
}

static void operand_load(float *to, const void *from, size_t count) {
    const element *values = from;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        lanes_store(to + i, load_lanes(values + i));
    if (i < count) lanes_store_some(to + i, load_some(values + i, count - i), count - i);
}

// ---- attention ----

static float operand_dot(const void *a, const void *b, size_t count) {
    const element *x = a, *y = b;
    lanes sum = lanes_all(0);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        sum += load_lanes(x + i) * load_lanes(y + i);
    if (i < count) sum += load_some(x + i, count - i) * load_some(y + i, count - i);
    return lanes_sum(sum);
}

static float operand_exp_sum(void *to, const float *x, float scale, float shift, size_t count) {
    element *values = to;
    float factor = scale * log2_e, less = shift * log2_e;
    lanes sum = lanes_all(0), more = sum;
    size_t i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        lanes first = lanes_exp2(lanes_load(x + i) * factor - less, EXP2_DEGREE);
        lanes second = lanes_exp2(lanes_load(x + i + LANES) * factor - less, EXP2_DEGREE);
        store_lanes(values + i, first);
        store_lanes(values + i + LANES, second);
        sum += first;
        more += second;
    }
    for (; i < count; i += LANES) {
        size_t left = smaller(LANES, count - i);
        lanes some = left == LANES ? lanes_load(x + i) : lanes_load_some(x + i, left, 0);
        lanes value =
            lanes_within(lanes_exp2(some * factor - less, EXP2_DEGREE), 0, 0, (int32_t)left);
        if (left == LANES)
            store_lanes(values + i, value);
        else
            store_some(values + i, value, left);
        sum += value;
    }
    return lanes_sum(sum + more);
}

struct softmax_lanes {
    lanes p, ds;
};

static inline struct softmax_lanes softmax_lanes_of(
    const struct softmax_gradient *g, const struct softmax_row *row, size_t query, size_t key) {
    size_t at = query * g->stride + key;
    lanes score = lanes_load(g->scores + at), dp = lanes_load(g->dscores + at);
    lanes p = lanes_exp2(score * (g->scale * log2_e) - row->log_sum_exp * log2_e, EXP2_DEGREE);
    lanes ds = p * (dp - row->delta) * g->scale;
    // What a query does not see may be anything.
    if (key < row->from || key + LANES > row->to) {
        p = lanes_within(p, (int32_t)key, (int32_t)row->from, (int32_t)row->to);
        ds = lanes_within(ds, (int32_t)key, (int32_t)row->from, (int32_t)row->to);
    }
    return (struct softmax_lanes){p, ds};
}

#if defined(OPERAND_BF16)

// Two queries at a time: the panels hold pairs of them.
static void softmax_gradient_pair(const struct softmax_gradient *g, size_t query, size_t panel,
    uint8_t *p_panel, uint8_t *ds_panel) {
    bool pair = query + 1 < g->queries;
    struct softmax_row row = g->row[query], next = g->row[pair ? query + 1 : query];
    element *rows = (element *)g->rows + query * g->stride;
    for (size_t key = panel; key < panel + g->panel_width; key += LANES) {
        struct softmax_lanes first = softmax_lanes_of(g, &row, query, key), second = {0};
        if (pair) second = softmax_lanes_of(g, &next, query + 1, key);
        __m512i ds = (__m512i)_mm512_cvtne2ps_pbh((__m512)second.ds, (__m512)first.ds);
        __m512i p = (__m512i)_mm512_cvtne2ps_pbh((__m512)second.p, (__m512)first.p);
        _mm256_storeu_si256((__m256i *)(rows + key), _mm512_castsi512_si256(ds));
        if (pair)
            _mm256_storeu_si256(
                (__m256i *)(rows + g->stride + key), _mm512_extracti64x4_epi64(ds, 1));
        _mm512_storeu_si512(p_panel, interleave_halves(p));
        _mm512_storeu_si512(ds_panel, interleave_halves(ds));
        p_panel += 64, ds_panel += 64;
    }
}

#else

static void softmax_gradient_pair(const struct softmax_gradient *g, size_t query, size_t panel,
    uint8_t *p_panel, uint8_t *ds_panel) {
    for (size_t i = query; i < query + 2 && i < g->queries; i++)
        for (size_t key = panel; key < panel + g->panel_width; key += LANES) {
            struct softmax_lanes of = softmax_lanes_of(g, &g->row[i], i, key);
            lanes_store((float *)g->rows + i * g->stride + key, of.ds);
            lanes_store((float *)p_panel, of.p);
            lanes_store((float *)ds_panel, of.ds);
            p_panel += sizeof of.p, ds_panel += sizeof of.ds;
        }
}

#endif

static void operand_softmax_gradient(const struct softmax_gradient *g) {
    size_t row_bytes = g->panel_width * sizeof(element);
    uint8_t *p = g->p_panels + g->from / g->panel_width * g->panel_bytes + g->query * row_bytes;
    uint8_t *ds = g->ds_panels + g->from / g->panel_width * g->panel_bytes + g->query * row_bytes;
    for (size_t panel = g->from; panel < g->end; panel += g->panel_width) {
        for (size_t query = 0; query < g->queries; query += 2)
            softmax_gradient_pair(g, query, panel, p + query * row_bytes, ds + query * row_bytes);
        p += g->panel_bytes, ds += g->panel_bytes;
    }
}

// ---- transposing ----

static void transpose_block(element *to, size_t to_stride, const element *from, size_t from_stride,
    size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
}

#if defined(OPERAND_BF16)

// 32 rows of 16 elements: pairs of rows become words, and words are transposed.
static void transpose_whole(
    uint16_t *to, size_t to_stride, const uint16_t *from, size_t from_stride) {
    __m512i r[16];
    for (size_t i = 0; i < 16; i++) {
        const uint16_t *row = from + 2 * i * from_stride;
        __m256i first = _mm256_loadu_si256((const __m256i *)row);
        __m256i second = _mm256_loadu_si256((const __m256i *)(row + from_stride));
        r[i] = interleave_halves(_mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1));
    }
    transpose_words(r);
    for (size_t j = 0; j < 16; j++)
        _mm512_storeu_si512(to + j * to_stride, r[j]);
}

enum { WHOLE_ROWS = 32, WHOLE_COLUMNS = 16 };

#else

enum { WHOLE_ROWS = 16, WHOLE_COLUMNS = 16 };

static void transpose_whole(float *to, size_t to_stride, const float *from, size_t from_stride) {
    transpose_block(to, to_stride, from, from_stride, WHOLE_ROWS, WHOLE_COLUMNS);
}

#endif

static void operand_transpose(
    void *to, size_t to_stride, const void *from, size_t from_stride, size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; i += WHOLE_ROWS)
        for (size_t j = 0; j < columns; j += WHOLE_COLUMNS) {
            element *target = (element *)to + j * to_stride + i;
            const element *source = (const element *)from + i * from_stride + j;
            if (rows - i >= WHOLE_ROWS && columns - j >= WHOLE_COLUMNS)
                transpose_whole(target, to_stride, source, from_stride);
            else
                transpose_block(target, to_stride, source, from_stride,
                    smaller(WHOLE_ROWS, rows - i), smaller(WHOLE_COLUMNS, columns - j));
        }
}

// ---- what becomes of a tile ----

static void finish_store(const struct product_finish *finish, const struct product_tile *tile) {
    lanes alpha = lanes_all(finish->alpha);
    for (size_t i = 0; i < tile->rows; i++) {
        size_t at = (tile->row + i) * finish->to_stride + tile->column;
        const float *values = tile->values + i * tile->stride;
        for (size_t j = 0; j < tile->columns; j += LANES) {
            size_t count = smaller(LANES, tile->columns - j);
            bool whole = count == LANES;
            lanes sum = lanes_load(values + j) * alpha;
            if (finish->addend)
                sum += whole ? lanes_load(finish->addend + at + j)
                             : lanes_load_some(finish->addend + at + j, count, 0);
            if (finish->bias)
                sum += whole ? lanes_load(finish->bias + tile->column + j)
                             : lanes_load_some(finish->bias + tile->column + j, count, 0);
            if (whole)
                lanes_store(finish->to_f32 + at + j, sum);
            else
                lanes_store_some(finish->to_f32 + at + j, sum, count);
        }
    }
}

static element *operand_place(struct operand operand, const struct product_tile *tile, size_t i) {
    return (element *)operand.data + (tile->row + i) * operand.stride + tile->column;
}

// What two or fewer neighbouring runs of LANES columns make: `count` columns.
struct pair {
    lanes first, second;
};

static inline void place_pair(element *to, struct pair pair, size_t count) {
    if (count == 2 * LANES) {
        store_pair(to, pair.first, pair.second);
        return;
    }
    element buffer[2 * LANES];
    store_pair(buffer, pair.first, pair.second);
    memcpy(to, buffer, count * sizeof *to);
}

static inline struct pair load_pair(const element *from, size_t count) {
    element buffer[2 * LANES] = {0};
    if (count < 2 * LANES) from = memcpy(buffer, from, count * sizeof *from);
    return (struct pair){load_lanes(from), load_lanes(from + LANES)};
}

// Some of a tile; a vector may be read behind the end of a row.
static inline struct pair tile_pair(
    const float *values, float alpha, const float *bias, size_t count) {
    lanes by = lanes_all(alpha), first = lanes_load(values) * by, second = first;
    if (count > LANES) second = lanes_load(values + LANES) * by;
    if (!bias) return (struct pair){first, second};
    float buffer[2 * LANES] = {0};
    if (count < 2 * LANES) bias = memcpy(buffer, bias, count * sizeof *bias);
    return (struct pair){first + lanes_load(bias), second + lanes_load(bias + LANES)};
}

static const float *bias_of_tile(const float *bias, const struct product_tile *tile, size_t j) {
    return bias ? bias + tile->column + j : NULL;
}

static void finish_store_operand(
    const struct product_finish *finish, const struct product_tile *tile) {
    for (size_t i = 0; i < tile->rows; i++)
        for (size_t j = 0; j < tile->columns; j += 2 * LANES) {
            size_t count = smaller(2 * LANES, tile->columns - j);
            struct pair sum = tile_pair(tile->values + i * tile->stride + j, finish->alpha,
                bias_of_tile(finish->bias, tile, j), count);
            place_pair(operand_place(finish->to, tile, i) + j, sum, count);
        }
}

static void finish_add_transposed(
    const struct product_finish *finish, const struct product_tile *tile) {
    for (size_t j = 0; j < tile->columns; j++) {
        float *to = finish->to_f32 + (tile->column + j) * finish->to_stride + tile->row;
        for (size_t i = 0; i < tile->rows; i++)
            to[i] += finish->alpha * tile->values[i * tile->stride + j];
    }
}

static inline lanes sigmoid(lanes x) {
#if defined(OPERAND_BF16)
    return (lanes)_mm512_rcp14_ps(
        (__m512)(1.0f + exponential(-x))); // 14 bits, of which bf16 keeps 8
#else
    return 1.0f / (1.0f + exponential(-x));
#endif
}

static inline lanes swiglu(lanes gate, lanes up) {
    return gate * sigmoid(gate) * up;
}

static void finish_swiglu(const struct product_finish *finish, const struct product_tile *tile) {
    for (size_t i = 0; i < tile->rows; i++)
        for (size_t j = 0; j < tile->columns; j += 2 * LANES) {
            size_t count = smaller(2 * LANES, tile->columns - j), at = i * tile->stride + j;
            struct pair g =
                tile_pair(tile->values + at, 1.0f, bias_of_tile(finish->bias, tile, j), count);
            struct pair u =
                tile_pair(tile->twin + at, 1.0f, bias_of_tile(finish->twin_bias, tile, j), count);
            struct pair y = {swiglu(g.first, u.first), swiglu(g.second, u.second)};
            place_pair(operand_place(finish->gate, tile, i) + j, g, count);
            place_pair(operand_place(finish->up, tile, i) + j, u, count);
            place_pair(operand_place(finish->to, tile, i) + j, y, count);
        }
}

struct swiglu_gradient {
    lanes y, dgate, dup;
};

static inline struct swiglu_gradient swiglu_backward(lanes d, lanes g, lanes u) {
    lanes s = sigmoid(g), swish = g * s;
    return (struct swiglu_gradient){swish * u, d * u * s * (1.0f + g * (1.0f - s)), d * swish};
}

static void finish_swiglu_backward(
    const struct product_finish *finish, const struct product_tile *tile) {
    for (size_t i = 0; i < tile->rows; i++)
        for (size_t j = 0; j < tile->columns; j += 2 * LANES) {
            size_t count = smaller(2 * LANES, tile->columns - j);
            struct pair d = tile_pair(tile->values + i * tile->stride + j, 1.0f, NULL, count);
            struct pair g = load_pair(operand_place(finish->gate, tile, i) + j, count);
            struct pair u = load_pair(operand_place(finish->up, tile, i) + j, count);
            struct swiglu_gradient a = swiglu_backward(d.first, g.first, u.first);
            struct swiglu_gradient b = swiglu_backward(d.second, g.second, u.second);
            place_pair(operand_place(finish->to, tile, i) + j, (struct pair){a.y, b.y}, count);
            place_pair(
                operand_place(finish->dgate, tile, i) + j, (struct pair){a.dgate, b.dgate}, count);
            place_pair(operand_place(finish->dup, tile, i) + j, (struct pair){a.dup, b.dup}, count);
        }
}

static void finish_logits(const struct product_finish *finish, const struct product_tile *tile) {
    for (size_t i = 0; i < tile->rows; i++) {
        element *to = operand_place(finish->to, tile, i);
        for (size_t j = 0; j < tile->columns; j += LANES) {
            size_t count = smaller(LANES, tile->columns - j);
            lanes values = lanes_load(tile->values + i * tile->stride + j);
            if (count == LANES) {
                store_logits(to + j, values);
            } else {
                element buffer[LANES];
                store_logits(buffer, values);
                memcpy(to + j, buffer, count * sizeof *to);
            }
        }
    }
}

// ---- cross-entropy ----

// The logits of one row from `at` on; behind its end, what exp makes 0 of.
static inline lanes logits_at(const element *logits, size_t vocabulary, size_t at) {
    if (vocabulary - at >= LANES) return load_logits(logits + at);
    element buffer[LANES];
    for (size_t i = 0; i < LANES; i++)
        buffer[i] = NO_LOGIT;
    memcpy(buffer, logits + at, (vocabulary - at) * sizeof *buffer);
    return load_logits(buffer);
}

struct logit_sums {
    float largest, exponentials; // max, and Σ exp(logit - reference)
};

static struct logit_sums sum_logits(const element *logits, size_t vocabulary, float reference) {
    enum { CHAINS = 2 };
    lanes largest[CHAINS] = {lanes_all(-INFINITY), lanes_all(-INFINITY)}, sum[CHAINS] = {{0}};
    for (size_t i = 0; i < vocabulary; i += CHAINS * LANES)
        for (size_t chain = 0; chain < CHAINS && i + chain * LANES < vocabulary; chain++) {
            lanes values = logits_at(logits, vocabulary, i + chain * LANES);
            largest[chain] = lanes_larger(values, largest[chain]);
            sum[chain] += exponential(values - reference);
        }
    return (struct logit_sums){
        lanes_maximum(lanes_larger(largest[0], largest[1])), lanes_sum(sum[0] + sum[1])};
}

// The target's logit is as good a reference as the largest, unless they are very far apart: then
// the sum is no use, and is made once more.
static float cross_entropy(
    void *row, size_t vocabulary, size_t target, float weight, bool gradient, bool *hit) {
    const float most = 1e30f;
    element *logits = row;
    float of_target = lanes_maximum(logits_at(logits + target, 1, 0)), reference = of_target;
    struct logit_sums sums = sum_logits(logits, vocabulary, reference);
    if (!(sums.exponentials < most) && sums.largest > reference) {
        reference = sums.largest;
        sums = sum_logits(logits, vocabulary, reference);
    }
    float log_sum = reference + logf(sums.exponentials);
    *hit = of_target >= sums.largest;
    if (!gradient) return log_sum - of_target;
    for (size_t i = 0; i < vocabulary; i += LANES) {
        lanes p = exponential(logits_at(logits, vocabulary, i) - log_sum) * weight;
        if (vocabulary - i >= LANES)
            store_lanes(logits + i, p);
        else
            store_some(logits + i, p, vocabulary - i);
    }
    float of_gradient = (expf(of_target - log_sum) - 1.0f) * weight;
    operand_store(logits + target, &of_gradient, 1);
    return log_sum - of_target;
}

const struct operand_kernels OPERAND_KERNELS = {
    .type = OPERAND_TYPE,
    .store = operand_store,
    .load = operand_load,
    .transpose = operand_transpose,
    .dot = operand_dot,
    .exp_sum = operand_exp_sum,
    .softmax_gradient = operand_softmax_gradient,
    .finish = {[PRODUCT_STORE] = finish_store,
        [PRODUCT_STORE_OPERAND] = finish_store_operand,
        [PRODUCT_ADD_TRANSPOSED] = finish_add_transposed,
        [PRODUCT_SWIGLU] = finish_swiglu,
        [PRODUCT_SWIGLU_BACKWARD] = finish_swiglu_backward,
        [PRODUCT_LOGITS] = finish_logits},
    .cross_entropy = cross_entropy,
};
