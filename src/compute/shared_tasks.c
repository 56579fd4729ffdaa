// Tasks that are cut into parts, so that threads which find no task left do parts of those at work.
#include "compute/compute_internal.h"

struct parts {
    compute_part part;
    const void *work;
};

static bool do_part(struct work_share *share, int worker) {
    size_t part;
    const void *offered;
    if (!work_share_take(share, &part, &offered)) return false;
    const struct parts *parts = offered;
    parts->part(parts->work, part, worker);
    work_share_finish(share);
    return true;
}

void compute_share_parts(
    const struct compute *compute, int worker, size_t count, compute_part part, const void *work) {
    struct work_share *share = &compute->shares[worker];
    struct parts parts = {part, work};
    if (count == 1) {
        part(work, 0, worker);
        return;
    }
    work_share_offer(share, count, &parts);
    while (do_part(share, worker)) {
    }
    work_share_wait(share, count);
}

struct shared_run {
    const struct compute *compute;
    thread_pool_task task;
    void *work;
    size_t tasks;
    atomic_size_t next, unfinished; // tasks
};

// Parts of others' tasks, until the last of them is done.
static void help(struct shared_run *run, int worker) {
    size_t threads = (size_t)compute_threads(run->compute);
    for (unsigned spins = 0; atomic_load_explicit(&run->unfinished, memory_order_acquire) > 0;) {
        bool found = false;
        for (size_t i = 0; i < threads; i++)
            found |= do_part(&run->compute->shares[i], worker);
        if (found)
            spins = 0;
        else
            thread_pool_pause(&spins);
    }
}

static void run_thread(void *context, size_t thread, int worker) {
    (void)thread;
    struct shared_run *run = context;
    size_t task;
    while ((task = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed)) < run->tasks) {
        run->task(run->work, task, worker);
        atomic_fetch_sub_explicit(&run->unfinished, 1, memory_order_release);
    }
    help(run, worker);
}

void compute_run_shared(struct compute *compute, struct compute_cost cost, size_t tasks,
    thread_pool_task task, void *work) {
    struct shared_run run = {compute, task, work, tasks, 0, tasks};
    compute_run(compute, cost, (size_t)compute_threads(compute), run_thread, &run);
}
