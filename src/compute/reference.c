// The reference: every row kernel in plain C and libm, written to be read beside the formulas. It
// decides what the faster kernels have to give.
#include "compute/compute_internal.h"
#include <math.h>

static void reference_rmsnorm_again(
    float *y, const float *x, const float *weight, float inverse_rms, size_t columns) {
    for (size_t i = 0; i < columns; i++)
        y[i] = x[i] * inverse_rms * weight[i];
}

static float reference_rmsnorm(
    float *y, const float *x, const float *weight, size_t columns, float epsilon) {
    float sum = 0;
    for (size_t i = 0; i < columns; i++)
        sum += x[i] * x[i];
    float inverse_rms = 1.0f / sqrtf(sum / (float)columns + epsilon);
    reference_rmsnorm_again(y, x, weight, inverse_rms, columns);
    return inverse_rms;
}

// y_i = w_i x_i r with r = (mean x² + ε)^-½, so dx_i = r w_i dy_i - x_i r³ / n · Σ_j w_j dy_j x_j
static void reference_rmsnorm_backward(float *dx, const float *dy, const float *x,
    const float *weight, float inverse_rms, size_t columns) {
    float sum = 0;
    for (size_t i = 0; i < columns; i++)
        sum += weight[i] * dy[i] * x[i];
    float common = sum * inverse_rms * inverse_rms * inverse_rms / (float)columns;
    for (size_t i = 0; i < columns; i++)
        dx[i] += inverse_rms * weight[i] * dy[i] - common * x[i];
}

static void reference_rope(float *row, size_t heads, size_t half, const float *cosine,
    const float *sine, float direction) {
    for (size_t head = 0; head < heads; head++, row += 2 * half)
        for (size_t i = 0; i < half; i++) {
            float first = row[i], second = row[i + half];
            row[i] = first * cosine[i] - direction * second * sine[i];
            row[i + half] = second * cosine[i] + direction * first * sine[i];
        }
}

static void reference_swiglu(float *y, const float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

static void reference_add(float *y, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] += x[i];
}

static void reference_add_scaled(float *y, const float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

static void reference_transpose(float *to, size_t to_stride, const float *from, size_t from_stride,
    size_t rows, size_t columns, bool accumulate) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            float *target = &to[j * to_stride + i];
            *target = from[i * from_stride + j] + (accumulate ? *target : 0);
        }
}

static void reference_scale(float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++)
        x[i] *= factor;
}

static float reference_dot(const float *x, const float *y, size_t count) {
    float sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i] * y[i];
    return sum;
}

static float reference_maximum(const float *x, size_t count) {
    float maximum = -INFINITY;
    for (size_t i = 0; i < count; i++)
        maximum = x[i] > maximum ? x[i] : maximum;
    return maximum;
}

static float reference_exp_sum(float *y, const float *x, float scale, float shift, size_t count) {
    float sum = 0;
    for (size_t i = 0; i < count; i++) {
        y[i] = expf(x[i] * scale - shift);
        sum += y[i];
    }
    return sum;
}

static double reference_square_sum(const float *x, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void reference_adamw(const struct adamw *s, float *parameters, const float *gradients,
    float *first_moment, float *second_moment, size_t count) {
    double correction1 = 1 - pow(s->beta1, (double)s->step);
    double correction2 = 1 - pow(s->beta2, (double)s->step);
    float step_size = (float)(s->learning_rate / correction1);
    float root_correction = (float)sqrt(correction2);
    float decay = 1 - s->learning_rate * s->weight_decay;
    for (size_t i = 0; i < count; i++) {
        float g = gradients[i] * s->gradient_scale;
        first_moment[i] += (1 - s->beta1) * (g - first_moment[i]);
        second_moment[i] = s->beta2 * second_moment[i] + (1 - s->beta2) * g * g;
        float denominator = sqrtf(second_moment[i]) / root_correction + s->epsilon;
        parameters[i] = parameters[i] * decay - step_size * first_moment[i] / denominator;
    }
}

static void reference_few_rows(float *c, size_t c_stride, const float *a, size_t a_stride, size_t m,
    const struct matrix *b, size_t first, size_t n, float alpha, bool accumulate) {
    enum { BLOCK = 256 };
    float weights[BLOCK], sum;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++) {
            sum = 0;
            for (size_t k = 0; k < b->columns; k += BLOCK) {
                size_t size = smaller(BLOCK, b->columns - k);
                matrix_read(b, first + j, k, size, weights);
                for (size_t l = 0; l < size; l++)
                    sum += a[i * a_stride + k + l] * weights[l];
            }
            float *to = &c[i * c_stride + j];
            *to = accumulate ? *to + alpha * sum : alpha * sum;
        }
}

const struct row_kernels row_kernels_reference = {
    .rmsnorm = reference_rmsnorm,
    .rmsnorm_again = reference_rmsnorm_again,
    .rmsnorm_backward = reference_rmsnorm_backward,
    .rope = reference_rope,
    .swiglu = reference_swiglu,
    .add = reference_add,
    .add_scaled = reference_add_scaled,
    .transpose = reference_transpose,
    .scale = reference_scale,
    .dot = reference_dot,
    .maximum = reference_maximum,
    .exp_sum = reference_exp_sum,
    .square_sum = reference_square_sum,
    .adamw = reference_adamw,
    .few_rows = {reference_few_rows, reference_few_rows, reference_few_rows, reference_few_rows,
        reference_few_rows, reference_few_rows},
};
