// Cross-entropy with its gradient, written over the logits: a row of them is read once more, never
// copied.
#include "compute/compute_internal.h"
#include <math.h>

struct cross_entropy_work {
    const struct row_kernels *kernels;
    float *logits, *losses, *hits;
    const int32_t *targets;
    const float *weights;
    size_t rows, vocabulary;
    bool gradient;
};

static void cross_entropy_row(const struct cross_entropy_work *w, size_t row) {
    float *logits = w->logits + row * w->vocabulary;
    size_t target = (size_t)w->targets[row];
    float of_target = logits[target];
    float maximum = w->kernels->maximum(logits, w->vocabulary);
    float sum = w->kernels->exp_sum(logits, logits, maximum, w->vocabulary);
    w->losses[row] = logf(sum) + maximum - of_target;
    w->hits[row] = of_target >= maximum ? 1.0f : 0.0f;
    if (!w->gradient) return;
    w->kernels->scale(logits, w->weights[row] / sum, w->vocabulary);
    logits[target] -= w->weights[row];
}

static void cross_entropy_task(void *context, size_t task, int worker) {
    (void)worker;
    cross_entropy_row(context, task);
}

void compute_cross_entropy(struct compute *compute, float *logits, float *losses, float *hits,
    const int32_t *targets, const float *weights, size_t rows, size_t vocabulary, bool gradient) {
    struct cross_entropy_work work = {
        compute->rows, logits, losses, hits, targets, weights, rows, vocabulary, gradient};
    size_t count = rows * vocabulary;
    compute_run(compute,
        cost_of(COMPUTE_CROSS_ENTROPY, (gradient ? 2 : 1) * count, 10.0 * (double)count), rows,
        cross_entropy_task, &work);
}
