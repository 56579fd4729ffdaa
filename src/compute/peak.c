// The limits that every speed is given as a fraction of, measured with the threads that do the
// work.
#include "base/memory.h"
#include "compute/compute_internal.h"
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct peak_work {
    const struct gemm_kernel *kernel;
    size_t rounds;
    const float *block;
    size_t step; // floats a task
    double sums[64];
};

static void saturate_task(void *context, size_t task, int worker) {
    (void)worker;
    struct peak_work *work = context;
    work->sums[task] = work->kernel->saturate(work->rounds);
}

// Runs until the time is over; what each did a second, at best and on the whole.
static void saturate(
    struct compute *compute, size_t rounds, double time, double *best, double *mean) {
    struct peak_work work = {.kernel = compute->gemm, .rounds = rounds};
    size_t tasks = 8 * (size_t)thread_pool_threads(compute->pool);
    double start = now(), before = start, all = 0;
    if (tasks > 64) tasks = 64;
    *best = 0;
    do {
        double operations = 0;
        thread_pool_run(compute->pool, tasks, saturate_task, &work);
        double after = now();
        for (size_t i = 0; i < tasks; i++)
            operations += work.sums[i];
        if (operations / (after - before) > *best) *best = operations / (after - before);
        all += operations;
        before = after;
    } while (before < start + time);
    *mean = all / (before - start);
}

double compute_peak_gflops(struct compute *compute) {
    double best, mean;
    saturate(compute, 50000, 0.3, &best, &mean);
    return best * 1e-9;
}

double compute_sustained_gflops(struct compute *compute) {
    double best, mean;
    saturate(compute, 200000, 0.2, &best, &mean);
    return mean * 1e-9;
}

static void read_task(void *context, size_t task, int worker) {
    (void)worker;
    struct peak_work *work = context;
    typedef float vector __attribute__((vector_size(64)));
    const vector *at = (const vector *)(work->block + task * work->step);
    vector sums[8] = {0};
    for (size_t i = 0; i + 8 <= work->step / 16; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += at[i + j];
    for (size_t j = 1; j < 8; j++)
        sums[0] += sums[j];
    work->sums[task] = (double)sums[0][0];
}

bool compute_bandwidth(struct compute *compute, double *gigabytes, struct error *error) {
    enum { TASKS = 64, FLOATS = 64 << 20 };
    struct peak_work work = {.step = FLOATS / TASKS};
    float *block = memory_alloc_aligned(FLOATS, sizeof *block);
    if (!block) return memory_error(error, "the measurement of bandwidth");
    work.block = block;
    double best = 0, end = now() + 0.4;
    do {
        double start = now();
        thread_pool_run(compute->pool, TASKS, read_task, &work);
        double rate = (double)FLOATS * sizeof *block / (now() - start);
        best = rate > best ? rate : best;
    } while (now() < end);
    memory_free(block);
    *gigabytes = best * 1e-9;
    return true;
}
