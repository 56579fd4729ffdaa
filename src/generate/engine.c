// Requests in, and counts out; the engine's opening and closing. What happens to a request is
// engine_schedule.c's.
#include "generate/engine.h"
#include "base/memory.h"
#include "generate/engine_internal.h"

// Under the lock.
static void enlist(struct engine *engine, struct job *job) {
    enum lane lane = engine_job_lane(job);
    job->next = engine->jobs;
    if (job->next) job->next->previous = job;
    engine->jobs = job;
    job_queue_append(&engine->waiting[lane], job);
    pthread_cond_broadcast(&engine->work);
}

bool engine_submit(struct engine *engine, const struct engine_request *request, uint64_t *ticket,
    struct error *error) {
    struct job *job = NULL;
    if (!engine_job_create(&job, request, error)) return false;
    pthread_mutex_lock(&engine->lock);
    size_t *waiting =
        request->background ? &engine->counts.background_waiting : &engine->counts.waiting;
    bool room = *waiting < MAX_WAITING && !engine->closing;
    if (room) {
        job->ticket = *ticket = ++engine->tickets;
        enlist(engine, job);
        ++*waiting;
    }
    pthread_mutex_unlock(&engine->lock);
    if (!room) engine_job_free(job);
    return room || error_set(error, ERROR_CONFLICT,
                       "%d requests are waiting already; ask again in a moment", MAX_WAITING);
}

void engine_cancel(struct engine *engine, uint64_t ticket) {
    pthread_mutex_lock(&engine->lock);
    for (struct job *job = engine->jobs; job; job = job->next)
        if (job->ticket == ticket) {
            atomic_store(&job->cancelled, true);
            engine->some_cancelled = true;
        }
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->lock);
}

void engine_count(struct engine *engine, struct engine_counts *counts) {
    pthread_mutex_lock(&engine->lock);
    *counts = engine->counts;
    pthread_mutex_unlock(&engine->lock);
}

static void free_engine(struct engine *engine) {
    model_cache_free(&engine->cache);
    compute_free(engine->compute);
    buffer_free(&engine->ready);
    memory_free(engine->shown);
    pthread_mutex_destroy(&engine->lock);
    pthread_cond_destroy(&engine->wake);
    pthread_cond_destroy(&engine->work);
    memory_free(engine->background_model);
    memory_free(engine);
}

// Ends the threads that there are: first the preparers, so that the scheduler finds all requests in
// its own hands.
static void end_threads(struct engine *engine, bool has_scheduler) {
    pthread_mutex_lock(&engine->lock);
    engine->closing = engine->some_cancelled = true;
    atomic_store(&engine->cache.closing, true);
    for (struct job *job = engine->jobs; job; job = job->next)
        atomic_store(&job->cancelled, true);
    pthread_cond_broadcast(&engine->work);
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < engine->preparer_count; i++)
        pthread_join(engine->preparers[i].thread, NULL);
    pthread_mutex_lock(&engine->lock);
    engine->ending = engine->some_cancelled = true;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->lock);
    if (has_scheduler) pthread_join(engine->thread, NULL);
}

static bool start_threads(struct engine *engine) {
    for (size_t i = 0; i < PREPARERS; i++) {
        struct preparer *preparer = &engine->preparers[i];
        *preparer = (struct preparer){engine, i + 1 < PREPARERS ? LIVE : BACKGROUND, i > 0};
        if (pthread_create(&preparer->thread, NULL, engine_prepare, preparer) != 0) break;
        engine->preparer_count++;
    }
    if (engine->preparer_count == PREPARERS &&
        pthread_create(&engine->thread, NULL, engine_schedule, engine) == 0)
        return true;
    end_threads(engine, false);
    return false;
}

bool engine_open(
    struct engine **engine, const struct engine_options *options, struct error *error) {
    struct engine *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made) return memory_error(error, "the engine");
    if (!compute_create(&made->compute, options->threads, COMPUTE_AUTO, error)) {
        memory_free(made);
        return false;
    }
    model_cache_init(&made->cache, made->compute, PREFILL_ROWS + MAX_RUNNING, MAX_RUNNING);
    made->cache.chat_template = options->chat_template;
    buffer_init(&made->ready, MAX_ANSWER_BYTES);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    pthread_cond_init(&made->work, NULL);
    if (!start_threads(made)) {
        free_engine(made);
        return error_set(error, ERROR_IO, "cannot start the engine's threads");
    }
    *engine = made;
    return true;
}

void engine_close(struct engine *engine) {
    if (!engine) return;
    end_threads(engine, true);
    free_engine(engine);
}
