// Cross-entropy with its gradient, written over the logits, one row at a time.
#include "compute/compute_internal.h"

struct cross_entropy_work {
    const struct compute *compute;
    struct operand logits;
    float *losses, *hits;
    const int32_t *targets;
    const float *weights;
    size_t vocabulary;
    bool gradient;
};

static void cross_entropy_task(void *context, size_t row, int worker) {
    (void)worker;
    const struct cross_entropy_work *w = context;
    bool hit;
    w->losses[row] =
        w->compute->operands->cross_entropy(compute_operand_at(w->compute, w->logits, row, 0).data,
            w->vocabulary, (size_t)w->targets[row], w->weights[row], w->gradient, &hit);
    w->hits[row] = hit ? 1.0f : 0.0f;
}

void compute_cross_entropy(struct compute *compute, struct operand logits, float *losses,
    float *hits, const int32_t *targets, const float *weights, size_t rows, size_t vocabulary,
    bool gradient) {
    struct cross_entropy_work work = {
        compute, logits, losses, hits, targets, weights, vocabulary, gradient};
    double count = (double)rows * (double)vocabulary;
    struct compute_cost cost = {COMPUTE_CROSS_ENTROPY, 10.0 * count,
        (gradient ? 2 : 1) * count * (double)compute->gemm->element_size};
    compute_run(compute, cost, rows, cross_entropy_task, &work);
}
