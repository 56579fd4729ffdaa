// See thread_pool.h.
//
// Workers sleep on a condition variable between runs, after a short spin: a training step makes
// hundreds of short runs, and a wake-up through the kernel costs more than some of them.
//
// A run is open from its start until its caller finds no task left. A worker that comes in between
// takes part and is waited for; one that wakes up later, because other processes have its core, is
// not: the caller has done its tasks by then.
#include "base/thread_pool.h"

#include "base/memory.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { SPINS = 4000 };

struct thread_pool {
    int threads;
    pthread_t *workers; // threads - 1 of them
    int started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    atomic_uint_fast64_t generation; // grows by one for each run
    atomic_bool stop;
    thread_pool_task task;
    void *context;
    size_t count;
    atomic_size_t next;
    bool open;       // under the mutex: workers may join the present run
    atomic_int busy; // workers that joined it and have not left
    atomic_int numbered;
};

static void work(struct thread_pool *pool, int worker) {
    for (;;) {
        size_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (task >= pool->count) return;
        pool->task(pool->context, task, worker);
    }
}

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void *worker_main(void *argument) {
    struct thread_pool *pool = argument;
    int worker = atomic_fetch_add(&pool->numbered, 1) + 1;
    uint64_t seen = 0;
    for (;;) {
        int spins = SPINS;
        while (
            atomic_load_explicit(&pool->generation, memory_order_acquire) == seen && spins-- > 0) {
            relax();
        }
        pthread_mutex_lock(&pool->mutex);
        while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->stop)) {
            pthread_cond_wait(&pool->wake, &pool->mutex);
        }
        seen = atomic_load(&pool->generation);
        bool stop = atomic_load(&pool->stop), joins = pool->open && !stop;
        if (joins) atomic_fetch_add_explicit(&pool->busy, 1, memory_order_relaxed);
        pthread_mutex_unlock(&pool->mutex);
        if (stop) return NULL;
        if (!joins) continue;
        work(pool, worker);
        atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_release);
    }
}

static int usable_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int cores = CPU_COUNT(&set);
    return cores > 0 ? cores : 1;
}

bool thread_pool_create(struct thread_pool **out, int threads, struct error *error) {
    if (threads <= 0) threads = usable_cores();
    struct thread_pool *pool = memory_alloc_zeroed(1, sizeof *pool);
    if (!pool) return memory_error(error, "a thread pool");
    pool->threads = threads;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->workers = memory_alloc_zeroed((size_t)threads, sizeof *pool->workers);
    if (!pool->workers) {
        thread_pool_free(pool);
        return memory_error(error, "a thread pool");
    }
    for (int i = 0; i < threads - 1; i++) {
        if (pthread_create(&pool->workers[i], NULL, worker_main, pool) != 0) {
            error_set_errno(error, ERROR_IO, "cannot start thread %d of %d", i + 2, threads);
            thread_pool_free(pool);
            return false;
        }
        pool->started++;
    }
    *out = pool;
    return true;
}

void thread_pool_free(struct thread_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->generation, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    memory_free(pool->workers);
    memory_free(pool);
}

int thread_pool_threads(const struct thread_pool *pool) {
    return pool->threads;
}

void thread_pool_run(struct thread_pool *pool, size_t count, thread_pool_task task, void *context) {
    if (count == 0) return;
    if (pool->threads == 1 || count == 1) {
        for (size_t i = 0; i < count; i++)
            task(context, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->task = task;
    pool->context = context;
    pool->count = count;
    pool->open = true;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    work(pool, 0);
    pthread_mutex_lock(&pool->mutex);
    pool->open = false;
    pthread_mutex_unlock(&pool->mutex);
    unsigned spins = 0;
    while (atomic_load_explicit(&pool->busy, memory_order_acquire) > 0)
        thread_pool_pause(&spins);
}

void thread_pool_pause(unsigned *spins) {
    // With more threads than free cores, spinning would keep the others off theirs.
    if (++*spins > SPINS)
        sched_yield();
    else
        relax();
}
