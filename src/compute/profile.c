// Where time goes, by kind of operation.
#include "compute/compute_internal.h"
#include <time.h>

const char *const compute_operation_names[COMPUTE_OPERATIONS] = {
    [COMPUTE_PRODUCT] = "products, forward",
    [COMPUTE_PRODUCT_INPUT] = "products, input gradient",
    [COMPUTE_PRODUCT_WEIGHT] = "products, weight gradient",
    [COMPUTE_PRODUCT_THIN] = "products of LoRA",
    [COMPUTE_PRODUCT_FEW_ROWS] = "products of few rows",
    [COMPUTE_ATTENTION] = "attention",
    [COMPUTE_ATTENTION_BACKWARD] = "attention, backward",
    [COMPUTE_CROSS_ENTROPY] = "cross-entropy",
    [COMPUTE_RMSNORM] = "rmsnorm",
    [COMPUTE_RMSNORM_BACKWARD] = "rmsnorm, backward",
    [COMPUTE_SWIGLU] = "swiglu",
    [COMPUTE_SWIGLU_BACKWARD] = "swiglu, backward",
    [COMPUTE_ROPE] = "rope",
    [COMPUTE_ELEMENTWISE] = "sums, biases, dropout",
    [COMPUTE_EMBEDDING] = "embedding",
    [COMPUTE_OPTIMIZER] = "optimizer",
};

void compute_profile_into(struct compute *compute, struct compute_profile *profiles) {
    compute->profiles = profiles;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void compute_run(struct compute *compute, struct compute_cost cost, size_t tasks,
    thread_pool_task task, void *work) {
    double start = compute->profiles ? now() : 0;
    thread_pool_run(compute->pool, tasks, task, work);
    if (!compute->profiles) return;
    struct compute_profile *profile = &compute->profiles[cost.operation];
    profile->calls += cost.operations > 0 || cost.bytes > 0;
    profile->seconds += now() - start;
    profile->operations += cost.operations;
    profile->bytes += cost.bytes;
}
