// The preparers: threads that load a request's models and make its prompt, so that neither holds up
// the answers that run. Two are for live requests, so that one whose model has yet to be loaded
// does not hold up all others; one is for those in the background, which come one base model at a
// time: they must not take all places of the cache.
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

// The lane's oldest waiting request, where one may be taken. Under the lock.
static struct job *take(struct engine *engine, enum lane lane) {
    const struct job *oldest = engine->waiting[lane].first;
    if (!oldest || engine->ahead[lane] >= MAX_AHEAD) return NULL;
    if (lane == BACKGROUND && !fits_background(engine, oldest)) return NULL;
    struct job *job = job_queue_take(&engine->waiting[lane]);
    job->taken = true;
    engine->ahead[lane]++;
    if (lane == BACKGROUND) engine->background_taken++;
    return job;
}

static struct job *await_job(struct engine *engine, enum lane lane) {
    struct job *job = NULL;
    pthread_mutex_lock(&engine->lock);
    while (!engine->closing && !(job = take(engine, lane)))
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
    pthread_mutex_unlock(&engine->lock);
}

void *engine_prepare(void *context) {
    const struct preparer *preparer = context;
    struct job *job;
    while ((job = await_job(preparer->engine, preparer->lane))) {
        if (!atomic_load(&job->cancelled))
            job->failed = !engine_job_prepare(job, &preparer->engine->cache, &job->result.error);
        hand_over(preparer->engine, job, preparer->lane);
    }
    return NULL;
}
