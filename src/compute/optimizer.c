// AdamW, Muon and the norm of gradients.
#include "compute/compute_internal.h"
#include <math.h>

enum { TASK_ELEMENTS = 16384 };

struct optimizer_work {
    const struct compute *compute;
    const struct adamw *adamw;
    float *parameters, *first_moment, *second_moment;
    const float *gradients;
    size_t count, step;
};

static void square_sum_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct optimizer_work *w = context;
    size_t at = task * w->step;
    w->compute->partial_sums[task] =
        w->compute->rows->square_sum(w->gradients + at, smaller(w->step, w->count - at));
}

double compute_square_sum(struct compute *compute, const float *x, size_t count) {
    struct optimizer_work work = {.compute = compute, .gradients = x, .count = count};
    work.step = TASK_ELEMENTS;
    while (work.step * compute->partial_capacity < count)
        work.step *= 2;
    size_t tasks = (count + work.step - 1) / work.step;
    compute_run(compute, cost_of(COMPUTE_OPTIMIZER, count, 2.0 * (double)count), tasks,
        square_sum_task, &work);
    double sum = 0;
    for (size_t i = 0; i < tasks; i++)
        sum += compute->partial_sums[i];
    return sum;
}

static void adamw_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct optimizer_work *w = context;
    size_t at = task * w->step;
    w->compute->rows->adamw(w->adamw, w->parameters + at, w->gradients + at, w->first_moment + at,
        w->second_moment + at, smaller(w->step, w->count - at));
}

void compute_adamw(struct compute *compute, const struct adamw *settings, float *parameters,
    const float *gradients, float *first_moment, float *second_moment, size_t count) {
    struct optimizer_work work = {compute, settings, parameters, first_moment, second_moment,
        gradients, count, TASK_ELEMENTS};
    compute_run(compute, cost_of(COMPUTE_OPTIMIZER, 7 * count, 14.0 * (double)count),
        (count + TASK_ELEMENTS - 1) / TASK_ELEMENTS, adamw_task, &work);
}

struct muon_work {
    const struct muon *settings;
    const float *gradients;
    float *momentum_buffer, *update;
    size_t count;
};

static void muon_momentum_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct muon_work *w = context;
    float momentum = w->settings->momentum;
    size_t end = smaller(w->count, (task + 1) * TASK_ELEMENTS);
    for (size_t i = task * TASK_ELEMENTS; i < end; i++) {
        float g = w->gradients[i] * w->settings->gradient_scale;
        w->momentum_buffer[i] += (1 - momentum) * (g - w->momentum_buffer[i]);
        w->update[i] = g + momentum * (w->momentum_buffer[i] - g);
    }
}

static void scale_block(struct compute *compute, float *x, float factor, size_t count) {
    compute->rows->scale(x, factor, count);
}

// x [rows, columns] becomes about U·Vᵀ of its singular value decomposition: five steps of the odd
// polynomial a·x + b·x³ + c·x⁵ on its singular values. The smaller side's Gram matrix is the one
// formed.
static void orthogonalise(
    struct compute *compute, float *x, size_t rows, size_t columns, float *scratch) {
    static const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
    bool wide = rows <= columns;
    size_t side = wide ? rows : columns, count = rows * columns;
    float *gram = scratch, *polynomial = gram + side * side, *product = polynomial + side * side;
    float norm = (float)sqrt(compute_square_sum(compute, x, count));
    scale_block(compute, x, 1.0f / (norm + 1e-7f), count);
    struct matrix of_x = matrix_f32(x, rows, columns), of_gram = matrix_f32(gram, side, side);
    struct matrix of_polynomial = matrix_f32(polynomial, side, side);
    for (int step = 0; step < 5; step++) {
        compute_gemm(compute, wide ? GEMM_NT : GEMM_TN, of_x, of_x, gram, side, 1.0f, false);
        memcpy(polynomial, gram, side * side * sizeof *gram);
        scale_block(compute, polynomial, b, side * side);
        compute_gemm(compute, GEMM_NN, of_gram, of_gram, polynomial, side, c, true);
        memcpy(product, x, count * sizeof *x);
        scale_block(compute, product, a, count);
        if (wide)
            compute_gemm(compute, GEMM_NN, of_polynomial, of_x, product, columns, 1.0f, true);
        else
            compute_gemm(compute, GEMM_NN, of_x, of_polynomial, product, columns, 1.0f, true);
        memcpy(x, product, count * sizeof *x);
    }
}

size_t compute_muon_scratch(size_t rows, size_t columns) {
    size_t side = smaller(rows, columns);
    return 2 * side * side + 2 * rows * columns;
}

void compute_muon(struct compute *compute, const struct muon *settings, float *parameters,
    const float *gradients, float *momentum_buffer, size_t rows, size_t columns, float *scratch) {
    size_t count = rows * columns;
    float *update = scratch;
    struct muon_work work = {settings, gradients, momentum_buffer, update, count};
    compute_run(compute, cost_of(COMPUTE_OPTIMIZER, 4 * count, 6.0 * (double)count),
        (count + TASK_ELEMENTS - 1) / TASK_ELEMENTS, muon_momentum_task, &work);
    orthogonalise(compute, update, rows, columns, scratch + count);
    float stretch = rows > columns ? sqrtf((float)rows / (float)columns) : 1.0f;
    if (settings->weight_decay > 0)
        scale_block(
            compute, parameters, 1.0f - settings->learning_rate * settings->weight_decay, count);
    compute->rows->add_scaled(parameters, update, -settings->learning_rate * stretch, count);
}
