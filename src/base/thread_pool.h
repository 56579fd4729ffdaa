// A pool of threads that runs numbered tasks. The caller decides how work is cut into tasks, always
// by fixed sizes and never by the number of threads, so that results do not depend on that number.
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include "base/error.h"
#include <stddef.h>

struct thread_pool;

// `worker` is in 0 … threads-1: the thread that runs this task, for scratch memory of its own.
typedef void (*thread_pool_task)(void *context, size_t task, int worker);

// threads ≥ 1 counts the caller, who works too; 0 means one for each core that this process may
// use.
bool thread_pool_create(struct thread_pool **pool, int threads, struct error *error) WARN_UNUSED;
void thread_pool_free(struct thread_pool *pool);

int thread_pool_threads(const struct thread_pool *pool);

// Runs tasks 0 … count-1, each once, in any order, and returns when all are done. One caller at a
// time; a task must not call this for its own pool.
void thread_pool_run(struct thread_pool *pool, size_t count, thread_pool_task task, void *context);

// A moment's pause of a thread that looks for something to do; `spins` counts them, from 0 on.
void thread_pool_pause(unsigned *spins);

#endif
