// The row kernels once more, written so that a compiler turns them into vector code: sums in LANES
// independent parts (added at the end in a fixed order), and an exponential without branches or
// tables. Each cpu/rows_<set>.c defines ROW_KERNELS (the table's name) and includes this.
#include "compute/compute_internal.h"
#include "compute/cpu/read_kernels.h"
#include "compute/cpu/vector_math.h"
#if defined(__AVX512F__)
#include "compute/cpu/shuffle_avx512.h"
#endif
#include <math.h>

static inline float sum_lanes(const float *from) {
    float parts[LANES];
    memcpy(parts, from, sizeof parts);
    for (size_t width = LANES / 2; width; width /= 2)
        for (size_t i = 0; i < width; i++)
            parts[i] += parts[i + width];
    return parts[0];
}

static float fast_dot(const float *x, const float *y, size_t count) {
    float parts[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            parts[j] += x[i + j] * y[i + j];
    float sum = sum_lanes(parts);
    for (size_t i = whole; i < count; i++)
        sum += x[i] * y[i];
    return sum;
}

static void fast_rmsnorm_again(
    float *y, const float *x, const float *weight, float inverse_rms, size_t columns) {
    for (size_t i = 0; i < columns; i++)
        y[i] = x[i] * inverse_rms * weight[i];
}

static float fast_rmsnorm(
    float *y, const float *x, const float *weight, size_t columns, float epsilon) {
    float inverse_rms = 1.0f / sqrtf(fast_dot(x, x, columns) / (float)columns + epsilon);
    fast_rmsnorm_again(y, x, weight, inverse_rms, columns);
    return inverse_rms;
}

static void fast_rmsnorm_backward(float *dx, const float *dy, const float *x, const float *weight,
    float inverse_rms, size_t columns) {
    float parts[LANES] = {0};
    size_t whole = columns - columns % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            parts[j] += weight[i + j] * dy[i + j] * x[i + j];
    float sum = sum_lanes(parts);
    for (size_t i = whole; i < columns; i++)
        sum += weight[i] * dy[i] * x[i];
    float common = sum * inverse_rms * inverse_rms * inverse_rms / (float)columns;
    for (size_t i = 0; i < columns; i++)
        dx[i] += inverse_rms * weight[i] * dy[i] - common * x[i];
}

static void fast_rope(float *row, size_t heads, size_t half, const float *cosine, const float *sine,
    float direction) {
    for (size_t head = 0; head < heads; head++, row += 2 * half) {
        float *restrict low = row, *restrict high = row + half;
        for (size_t i = 0; i < half; i++) {
            float first = low[i], second = high[i];
            low[i] = first * cosine[i] - direction * second * sine[i];
            high[i] = second * cosine[i] + direction * first * sine[i];
        }
    }
}

static inline lanes sigmoid(lanes x) {
    return 1.0f / (1.0f + lanes_exp(-x));
}

static void fast_swiglu(float *y, const float *gate, const float *up, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes g = lanes_load(gate + i);
        lanes_store(y + i, g * sigmoid(g) * lanes_load(up + i));
    }
    if (i == count) return;
    lanes g = lanes_load_some(gate + i, count - i, 0), u = lanes_load_some(up + i, count - i, 0);
    lanes_store_some(y + i, g * sigmoid(g) * u, count - i);
}

static void fast_add(float *restrict y, const float *restrict x, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] += x[i];
}

static void fast_add_scaled(
    float *restrict y, const float *restrict x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

static void transpose_block(float *to, size_t to_stride, const float *from, size_t from_stride,
    size_t rows, size_t columns, bool accumulate) {
    for (size_t j = 0; j < columns; j++)
        for (size_t i = 0; i < rows; i++) {
            float *target = &to[j * to_stride + i];
            *target = from[i * from_stride + j] + (accumulate ? *target : 0);
        }
}

static void fast_transpose(float *to, size_t to_stride, const float *from, size_t from_stride,
    size_t rows, size_t columns, bool accumulate) {
    enum { BLOCK = 16 };
    for (size_t i = 0; i < rows; i += BLOCK)
        for (size_t j = 0; j < columns; j += BLOCK) {
            float *target = to + j * to_stride + i;
            const float *source = from + i * from_stride + j;
#if defined(__AVX512F__)
            if (rows - i >= BLOCK && columns - j >= BLOCK) {
                __m512i words[BLOCK];
                for (size_t row = 0; row < BLOCK; row++)
                    words[row] = _mm512_loadu_si512(source + row * from_stride);
                transpose_words(words);
                for (size_t row = 0; row < BLOCK; row++) {
                    lanes sum = (lanes)words[row];
                    if (accumulate) sum += lanes_load(target + row * to_stride);
                    lanes_store(target + row * to_stride, sum);
                }
                continue;
            }
#endif
            transpose_block(target, to_stride, source, from_stride, smaller(BLOCK, rows - i),
                smaller(BLOCK, columns - j), accumulate);
        }
}

static void fast_scale(float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] *= factor;
}

static float fast_maximum(const float *x, size_t count) {
    enum { CHAINS = 4 };
    lanes largest[CHAINS];
    for (size_t chain = 0; chain < CHAINS; chain++)
        largest[chain] = lanes_all(-INFINITY);
    size_t i = 0;
    for (; i + CHAINS * LANES <= count; i += CHAINS * LANES)
        for (size_t chain = 0; chain < CHAINS; chain++)
            largest[chain] = lanes_larger(lanes_load(x + i + chain * LANES), largest[chain]);
    for (; i + LANES <= count; i += LANES)
        largest[0] = lanes_larger(lanes_load(x + i), largest[0]);
    if (i < count)
        largest[0] = lanes_larger(lanes_load_some(x + i, count - i, -INFINITY), largest[0]);
    return lanes_maximum(
        lanes_larger(lanes_larger(largest[0], largest[1]), lanes_larger(largest[2], largest[3])));
}

static float fast_exp_sum(float *y, const float *x, float scale, float shift, size_t count) {
    lanes sum = lanes_all(0);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes value = lanes_exp(lanes_load(x + i) * scale - shift);
        lanes_store(y + i, value);
        sum += value;
    }
    if (i < count) {
        float rest[LANES] = {0};
        lanes value = lanes_exp(lanes_load_some(x + i, count - i, 0) * scale - shift);
        lanes_store_some(y + i, value, count - i);
        lanes_store_some(rest, value, count - i);
        sum += lanes_load(rest);
    }
    return lanes_sum(sum);
}

static double fast_square_sum(const float *x, size_t count) {
    double parts[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            parts[j] += (double)x[i + j] * (double)x[i + j];
    double sum = 0;
    for (size_t j = 0; j < LANES; j++)
        sum += parts[j];
    for (size_t i = whole; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void fast_adamw(const struct adamw *s, float *restrict parameters,
    const float *restrict gradients, float *restrict first_moment, float *restrict second_moment,
    size_t count) {
    double correction1 = 1 - pow(s->beta1, (double)s->step);
    double correction2 = 1 - pow(s->beta2, (double)s->step);
    float step_size = (float)(s->learning_rate / correction1);
    float root_correction = 1.0f / (float)sqrt(correction2);
    float decay = 1 - s->learning_rate * s->weight_decay;
    float beta1 = s->beta1, beta2 = s->beta2, epsilon = s->epsilon, scale = s->gradient_scale;
    for (size_t i = 0; i < count; i++) {
        float g = gradients[i] * scale;
        first_moment[i] += (1 - beta1) * (g - first_moment[i]);
        second_moment[i] = beta2 * second_moment[i] + (1 - beta2) * g * g;
        float denominator = sqrtf(second_moment[i]) * root_correction + epsilon;
        parameters[i] = parameters[i] * decay - step_size * first_moment[i] / denominator;
    }
}

// A block of weights is read once, into the stack, and meets every row of `a` there.
#define FAST_FEW_ROWS(name, read)                                                                  \
    static void name(float *c, size_t c_stride, const float *a, size_t a_stride, size_t m,         \
        const struct matrix *b, size_t first, size_t n, float alpha, bool accumulate) {            \
        enum { BLOCK = 1024 };                                                                     \
        float weights[BLOCK];                                                                      \
        for (size_t j = 0; j < n; j++)                                                             \
            for (size_t k = 0; k < b->columns; k += BLOCK) {                                       \
                size_t size = smaller(BLOCK, b->columns - k);                                      \
                read(b, first + j, k, size, weights);                                              \
                for (size_t i = 0; i < m; i++) {                                                   \
                    float sum = alpha * fast_dot(a + i * a_stride + k, weights, size);             \
                    float *to = &c[i * c_stride + j];                                              \
                    *to = accumulate || k ? *to + sum : sum;                                       \
                }                                                                                  \
            }                                                                                      \
    }

#define FAST_READ(name, type, convert)                                                             \
    static inline void name(                                                                       \
        const struct matrix *m, size_t row, size_t column, size_t count, float *restrict values) { \
        const type *from = (const type *)m->data + row * m->stride + column;                       \
        for (size_t i = 0; i < count; i++)                                                         \
            values[i] = convert(from[i]);                                                          \
    }

FAST_READ(fast_read_f32, float, )
FAST_READ(fast_read_bf16, uint16_t, bf16_to_f32)
FAST_READ(fast_read_f16, uint16_t, ROW_F16_TO_F32)
FAST_FEW_ROWS(fast_few_rows_f32, fast_read_f32)
FAST_FEW_ROWS(fast_few_rows_bf16, fast_read_bf16)
FAST_FEW_ROWS(fast_few_rows_f16, fast_read_f16)
FAST_FEW_ROWS(fast_few_rows_int8, fast_read_int8)
FAST_FEW_ROWS(fast_few_rows_nf4, fast_read_nf4)
FAST_FEW_ROWS(fast_few_rows_q8_0, fast_read_q8_0)

const struct row_kernels ROW_KERNELS = {
    .rmsnorm = fast_rmsnorm,
    .rmsnorm_again = fast_rmsnorm_again,
    .rmsnorm_backward = fast_rmsnorm_backward,
    .rope = fast_rope,
    .swiglu = fast_swiglu,
    .add = fast_add,
    .add_scaled = fast_add_scaled,
    .transpose = fast_transpose,
    .scale = fast_scale,
    .dot = fast_dot,
    .maximum = fast_maximum,
    .exp_sum = fast_exp_sum,
    .square_sum = fast_square_sum,
    .adamw = fast_adamw,
    .few_rows = {fast_few_rows_f32, fast_few_rows_bf16, fast_few_rows_f16, fast_few_rows_int8,
        fast_few_rows_nf4, fast_few_rows_q8_0},
};
