// The preparers: threads that load a request's models and make its prompt, so that neither holds up
// the answers that run. Two are for live requests, and one of these takes only those whose models
// are there: however many wait for loads, they do not hold up the others. One is for those in the
// background, which come one base model at a time: they must not take all places of the cache.
#include "base/memory.h"
#include "generate/engine_internal.h"
#include <string.h>

// Whether a background request may be taken: those taken before have the same base model, or have
// finished. Under the lock.
static bool fits_background(struct engine *engine, const struct job *job) {
    if (engine->background_taken)
        return engine->background_model && strcmp(engine->background_model, job->model) == 0;
    memory_free(engine->background_model);
    engine->background_model = memory_copy_string(job->model);
    return true;
}

// The oldest request whose models are there. Under the lock.
static struct job *take_loaded(struct job_queue *queue, struct model_cache *cache) {
    struct job *before = NULL, *job = queue->first;
    for (; job && !model_cache_has(cache, job->model, job->adapter); job = job->behind)
        before = job;
    if (!job) return NULL;
    *(before ? &before->behind : &queue->first) = job->behind;
    if (queue->last == job) queue->last = before;
    return job;
}

// The oldest waiting request that the preparer is for, where one may be taken. Under the lock.
static struct job *take(struct engine *engine, const struct preparer *preparer) {
    enum lane lane = preparer->lane;
    struct job_queue *waiting = &engine->waiting[lane];
    if (!waiting->first || engine->ahead[lane] >= MAX_AHEAD) return NULL;
    if (lane == BACKGROUND && !fits_background(engine, waiting->first)) return NULL;
    struct job *job =
        preparer->loads ? job_queue_take(waiting) : take_loaded(waiting, &engine->cache);
    if (!job) return NULL;
    job->taken = true;
    engine->ahead[lane]++;
    if (lane == BACKGROUND) engine->background_taken++;
    return job;
}

static struct job *await_job(const struct preparer *preparer) {
    struct engine *engine = preparer->engine;
    struct job *job = NULL;
    pthread_mutex_lock(&engine->lock);
    while (!engine->closing && !(job = take(engine, preparer)))
        pthread_cond_wait(&engine->work, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
    return job;
}

static void hand_over(struct engine *engine, struct job *job, enum lane lane) {
    pthread_mutex_lock(&engine->lock);
    job_queue_append(&engine->prepared[lane], job);
    engine->some_cancelled |= atomic_load(&job->cancelled); // meanwhile: it must not wait to end
    if (lane == LIVE) atomic_store(&engine->live_arrived, true);
    pthread_cond_signal(&engine->wake);
    pthread_cond_broadcast(&engine->work); // others may have waited for the same models
    pthread_mutex_unlock(&engine->lock);
}

static bool prepare(struct engine *engine, struct job *job, struct error *error) {
    if (!model_cache_model(&engine->cache, job->model, &job->loaded, error)) return false;
    pthread_mutex_lock(&engine->lock);
    pthread_cond_broadcast(&engine->work); // others may have waited for it, not for the adapter
    pthread_mutex_unlock(&engine->lock);
    return engine_job_prepare(job, &engine->cache, error);
}

void *engine_prepare(void *context) {
    const struct preparer *preparer = context;
    struct job *job;
    while ((job = await_job(preparer))) {
        if (!atomic_load(&job->cancelled))
            job->failed = !prepare(preparer->engine, job, &job->result.error);
        hand_over(preparer->engine, job, preparer->lane);
    }
    return NULL;
}
