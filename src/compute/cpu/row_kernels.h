// The row kernels once more, written so that a compiler turns them into vector code: sums in LANES
// independent parts (added at the end in a fixed order), and an exponential without branches or
// tables. Each cpu/rows_<set>.c defines ROW_KERNELS (the table's name) and LANES, and includes
// this.
#include "compute/compute_internal.h"
#include "compute/cpu/read_kernels.h"
#include <math.h>

// exp(x) by 2^n · e^r with |r| ≤ ln 2 / 2 and a polynomial of degree 6: relative error below 2e-7.
// Below -87.3 the result is 0, not a subnormal number; above 88.3 it stays at the largest. What is
// no number stays none.
static inline float fast_exp(float x) {
    float bounded = x > -87.3f ? (x < 88.3f ? x : 88.3f) : -87.3f; // what is no number, too
    float shifted = bounded * 1.44269504f + 12582912.0f; // 1.5 · 2²³: rounds to an integer
    float n = shifted - 12582912.0f;
    float r = bounded - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t power = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &power, sizeof scale);
    return x < -87.3f ? 0.0f : x == x ? p * scale : x;
}

static inline float sum_lanes(const float *lanes) {
    float parts[LANES];
    memcpy(parts, lanes, sizeof parts);
    for (size_t width = LANES / 2; width; width /= 2)
        for (size_t i = 0; i < width; i++)
            parts[i] += parts[i + width];
    return parts[0];
}

static float fast_dot(const float *x, const float *y, size_t count) {
    float lanes[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += x[i + j] * y[i + j];
    float sum = sum_lanes(lanes);
    for (size_t i = whole; i < count; i++)
        sum += x[i] * y[i];
    return sum;
}

static float fast_rmsnorm(
    float *y, const float *x, const float *weight, size_t columns, float epsilon) {
    float inverse_rms = 1.0f / sqrtf(fast_dot(x, x, columns) / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++)
        y[i] = x[i] * inverse_rms * weight[i];
    return inverse_rms;
}

static void fast_rmsnorm_backward(float *dx, const float *dy, const float *x, const float *weight,
    float inverse_rms, size_t columns) {
    float lanes[LANES] = {0};
    size_t whole = columns - columns % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += weight[i + j] * dy[i + j] * x[i + j];
    float sum = sum_lanes(lanes);
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

// In blocks through the stack, here and in the backward pass, because results may replace operands.
static void fast_swiglu(float *y, const float *gate, const float *up, size_t count) {
    enum { BLOCK = 64 };
    float block[BLOCK];
    for (size_t first = 0; first < count; first += BLOCK) {
        size_t size = smaller(BLOCK, count - first);
        for (size_t i = 0; i < size; i++) {
            float g = gate[first + i];
            block[i] = g / (1.0f + fast_exp(-g)) * up[first + i];
        }
        memcpy(y + first, block, size * sizeof *y);
    }
}

static void fast_swiglu_backward(
    float *dgate, float *dup, const float *dy, const float *gate, const float *up, size_t count) {
    enum { BLOCK = 64 };
    float new_gate[BLOCK], new_up[BLOCK];
    for (size_t first = 0; first < count; first += BLOCK) {
        size_t size = smaller(BLOCK, count - first);
        for (size_t i = 0; i < size; i++) {
            float g = gate[first + i], u = up[first + i], d = dy[first + i];
            float sigmoid = 1.0f / (1.0f + fast_exp(-g));
            new_gate[i] = d * u * sigmoid * (1.0f + g * (1.0f - sigmoid));
            new_up[i] = d * g * sigmoid;
        }
        memcpy(dgate + first, new_gate, size * sizeof *dgate);
        memcpy(dup + first, new_up, size * sizeof *dup);
    }
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

static void fast_scale(float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] *= factor;
}

static float fast_maximum(const float *x, size_t count) {
    float lanes[LANES];
    for (size_t j = 0; j < LANES; j++)
        lanes[j] = -INFINITY;
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    float maximum = -INFINITY;
    for (size_t j = 0; j < LANES; j++)
        maximum = lanes[j] > maximum ? lanes[j] : maximum;
    for (size_t i = whole; i < count; i++)
        maximum = x[i] > maximum ? x[i] : maximum;
    return maximum;
}

static float fast_exp_sum(float *y, const float *x, float shift, size_t count) {
    float lanes[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            float value = fast_exp(x[i + j] - shift);
            y[i + j] = value;
            lanes[j] += value;
        }
    float sum = sum_lanes(lanes);
    for (size_t i = whole; i < count; i++) {
        y[i] = fast_exp(x[i] - shift);
        sum += y[i];
    }
    return sum;
}

static void fast_softmax_gradient(float *restrict ds, const float *restrict p,
    const float *restrict dp, float delta, float scale, size_t count) {
    for (size_t i = 0; i < count; i++)
        ds[i] = p[i] * (dp[i] - delta) * scale;
}

static double fast_square_sum(const float *x, size_t count) {
    double lanes[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] += (double)x[i + j] * (double)x[i + j];
    double sum = 0;
    for (size_t j = 0; j < LANES; j++)
        sum += lanes[j];
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
    .rmsnorm_backward = fast_rmsnorm_backward,
    .rope = fast_rope,
    .swiglu = fast_swiglu,
    .swiglu_backward = fast_swiglu_backward,
    .add = fast_add,
    .add_scaled = fast_add_scaled,
    .scale = fast_scale,
    .dot = fast_dot,
    .maximum = fast_maximum,
    .exp_sum = fast_exp_sum,
    .softmax_gradient = fast_softmax_gradient,
    .square_sum = fast_square_sum,
    .adamw = fast_adamw,
    .few_rows = {fast_few_rows_f32, fast_few_rows_bf16, fast_few_rows_f16, fast_few_rows_int8,
        fast_few_rows_nf4, fast_few_rows_q8_0},
};
