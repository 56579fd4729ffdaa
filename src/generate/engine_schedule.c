// The scheduler: one thread, which in each pass gathers the next token of every running choice of
// one base model, whatever their adapters, and at most one piece of a prompt, and runs them
// together.
//
// A prompt is cut into pieces of PREFILL_ROWS tokens counted from its own start, and the kernels of
// a row depend on its own request alone: an answer is the same in company as alone. Of a request
// with several choices the first runs the prompt; the others begin with a copy of its keys and
// values, and draw their first tokens from the same logits.
//
// There are two lanes. While there are live requests, those in the background rest where they are;
// and a piece of a prompt in the background, which has a pass of its own, is put aside between two
// layers when a live one comes, and gone on with later: it gets on in whatever gaps there are.
#include "base/log.h"
#include "base/memory.h"
#include "generate/engine_internal.h"
#include <string.h>

// ---- ending ----

static void forget(struct engine *engine, struct job *job) {
    pthread_mutex_lock(&engine->lock);
    if (job->next) job->next->previous = job->previous;
    if (job->previous)
        job->previous->next = job->next;
    else
        engine->jobs = job->next;
    if (job->taken && engine_job_lane(job) == BACKGROUND && --engine->background_taken == 0)
        pthread_cond_broadcast(&engine->work); // those of another model may follow
    engine->counts.finished++;
    engine->counts.cancelled += job->result.reason == ENGINE_CANCELLED;
    pthread_mutex_unlock(&engine->lock);
}

// Nothing of the request runs any more.
static void finish(struct engine *engine, struct job *job) {
    forget(engine, job); // first: whoever hears of the end finds it counted
    job->request.finished(job->request.context, &job->result);
    model_cache_release_adapter(job->with); // first: with a model that goes, its adapters go
    if (job->loaded) model_cache_release_model(job->loaded);
    engine_job_free(job);
}

// The request is to end before its time: so do its choices, before the next pass. The first reason
// counts.
static void fail(struct job *job, enum engine_reason reason) {
    bool sooner = job->result.reason == ENGINE_FAILED || job->result.reason == ENGINE_CANCELLED;
    if (!sooner) job->result.reason = reason;
    atomic_store(&job->cancelled, true);
}

// Takes the request from those with choices to begin.
static void stop_forking(struct engine *engine, struct job *job) {
    struct job **at = &engine->forking;
    while (*at != job)
        at = &(*at)->behind;
    *at = job->behind;
    job->is_forking = false;
}

static void count_running(struct engine *engine, struct job *job, int change) {
    bool background = engine_job_lane(job) == BACKGROUND;
    job->running += change;
    engine->lane_count[engine_job_lane(job)] += (size_t)change;
    pthread_mutex_lock(&engine->lock);
    if (background)
        engine->counts.background_running += (size_t)change;
    else
        engine->counts.running += (size_t)change;
    pthread_mutex_unlock(&engine->lock);
}

static void end_choice(
    struct engine *engine, struct sequence *sequence, enum engine_reason reason) {
    struct job *job = sequence->job;
    bool whole = reason == ENGINE_STOP || reason == ENGINE_LENGTH;
    if (whole && atomic_load(&job->cancelled))
        reason = ENGINE_CANCELLED;
    else if (whole && !sequence_show_rest(engine, sequence, &job->result.error))
        reason = ENGINE_FAILED;
    job->result.completion_tokens += sequence->tokens;
    if (reason == ENGINE_CANCELLED || reason == ENGINE_FAILED) {
        fail(job, reason);
    } else {
        job->result.reason = reason;
        if (job->request.ended) job->request.ended(job->request.context, sequence->index, reason);
    }
    count_running(engine, job, -1);
    if (sequence == job->first) { // those that are to begin still need its prompt
        job->kv = sequence->kv;
        sequence->kv = (struct kv_sequence){0};
        job->first = NULL;
    }
    sequence_free(sequence);
    if (job->running == 0 && !job->is_forking) finish(engine, job);
}

static void end_running(
    struct engine *engine, struct sequence *sequence, enum engine_reason reason) {
    size_t at = 0;
    while (engine->running[at] != sequence)
        at++;
    memmove(&engine->running[at], &engine->running[at + 1],
        (engine->running_count - at - 1) * sizeof *engine->running);
    engine->running_count--;
    end_choice(engine, sequence, reason);
}

static bool is_cancelled(const struct job *job) {
    return atomic_load(&job->cancelled);
}

// Moves the cancelled requests of a queue to `taken`. Returns how many. Under the lock.
static size_t sift(struct job_queue *queue, struct job **taken) {
    struct job_queue kept = {0};
    struct job *job;
    size_t count = 0;
    while ((job = job_queue_take(queue)))
        if (is_cancelled(job)) {
            job->behind = *taken;
            *taken = job;
            count++;
        } else {
            job_queue_append(&kept, job);
        }
    *queue = kept;
    return count;
}

// Takes the cancelled requests out of those that do not run yet: they must not wait for a place to
// end.
static struct job *take_cancelled(struct engine *engine) {
    struct job *taken = NULL;
    pthread_mutex_lock(&engine->lock);
    for (enum lane lane = 0; engine->some_cancelled && lane < LANES; lane++) {
        size_t prepared = sift(&engine->prepared[lane], &taken);
        size_t *waiting =
            lane == LIVE ? &engine->counts.waiting : &engine->counts.background_waiting;
        *waiting -= prepared + sift(&engine->waiting[lane], &taken);
        engine->ahead[lane] -= prepared;
        if (prepared) pthread_cond_broadcast(&engine->work);
    }
    engine->some_cancelled = false;
    pthread_mutex_unlock(&engine->lock);
    return taken;
}

static void end_cancelled(struct engine *engine) {
    struct job *behind;
    for (struct job *job = take_cancelled(engine); job; job = behind) {
        behind = job->behind;
        job->result.reason = ENGINE_CANCELLED;
        finish(engine, job);
    }
    for (size_t i = engine->running_count; i-- > 0;)
        if (i < engine->running_count && is_cancelled(engine->running[i]->job))
            end_running(engine, engine->running[i], ENGINE_CANCELLED);
    for (struct job *job = engine->forking; job; job = behind) {
        behind = job->behind;
        if (job->running > 0 || !is_cancelled(job)) continue;
        fail(job, ENGINE_CANCELLED);
        stop_forking(engine, job);
        finish(engine, job);
    }
}

// ---- beginning ----

// Takes the oldest prepared request out of its lane, live ones first; NULL if it has no place.
// Under the lock.
static struct job *take_oldest(struct engine *engine) {
    enum lane lane = engine->prepared[LIVE].first ? LIVE : BACKGROUND;
    if (engine->lane_count[lane] >= MAX_RUNNING) return NULL;
    struct job *job = job_queue_take(&engine->prepared[lane]);
    if (!job) return NULL;
    engine->ahead[lane]--;
    --*(lane == LIVE ? &engine->counts.waiting : &engine->counts.background_waiting);
    pthread_cond_broadcast(&engine->work);
    return job;
}

// The same, and waits for one if nothing runs. *ending says that all is to end.
static struct job *take_prepared(struct engine *engine, bool *ending) {
    pthread_mutex_lock(&engine->lock);
    while (!engine->prepared[LIVE].first && !engine->prepared[BACKGROUND].first &&
           !engine->running_count && !engine->forking && !engine->some_cancelled && !engine->ending)
        pthread_cond_wait(&engine->wake, &engine->lock);
    atomic_store(&engine->live_arrived, false);
    *ending = engine->ending;
    struct job *job = *ending ? NULL : take_oldest(engine);
    pthread_mutex_unlock(&engine->lock);
    return job;
}

// Begins the request's next choice.
static bool begin_choice(struct engine *engine, struct job *job, struct sequence **begun) {
    if (!sequence_create(begun, job, &job->result.error)) return false;
    job->begun++;
    engine->running[engine->running_count++] = *begun;
    count_running(engine, job, 1);
    return true;
}

static void start(struct engine *engine, struct job *job) {
    struct sequence *first;
    if (is_cancelled(job)) {
        fail(job, ENGINE_CANCELLED);
    } else if (!job->failed && begin_choice(engine, job, &first)) {
        return;
    } else {
        fail(job, ENGINE_FAILED);
    }
    finish(engine, job);
}

static void take_token(struct engine *engine, struct sequence *sequence, const float *logits) {
    enum engine_reason reason;
    if (is_cancelled(sequence->job)) return; // it ends before the next pass
    bool goes_on = sequence_take_token(engine, sequence, logits, &reason);
    pthread_mutex_lock(&engine->lock);
    engine->counts.completion_tokens++;
    pthread_mutex_unlock(&engine->lock);
    if (!goes_on) end_running(engine, sequence, reason);
}

// The prompt of a request with several choices is done: keeps what the others begin with.
static void keep_prompt(
    struct engine *engine, struct sequence *first, const float *logits, size_t vocabulary) {
    struct job *job = first->job;
    job->logits = memory_alloc_array(vocabulary, sizeof *logits);
    if (!job->logits) {
        (void)memory_error(&job->result.error, "several choices");
        fail(job, ENGINE_FAILED);
        return;
    }
    memcpy(job->logits, logits, vocabulary * sizeof *logits);
    job->first = first;
    struct job **last = &engine->forking;
    while (*last)
        last = &(*last)->behind;
    *last = job;
    job->is_forking = true;
}

static void begin_other(struct engine *engine, struct job *job) {
    struct sequence *choice;
    if (!begin_choice(engine, job, &choice)) {
        fail(job, ENGINE_FAILED);
        return;
    }
    if (job->begun == job->choices) stop_forking(engine, job);
    take_token(engine, choice, job->logits);
}

// Begins as many of the choices that are left as have places.
static void begin_others(struct engine *engine) {
    struct job *behind;
    for (struct job *job = engine->forking; job; job = behind) {
        behind = job->behind;
        int left = job->choices - job->begun; // the request may be gone with the last of them
        for (; left > 0 && !is_cancelled(job) && job->running < MAX_TOGETHER &&
               engine->lane_count[engine_job_lane(job)] < MAX_RUNNING;
             left--)
            begin_other(engine, job);
    }
}

// ---- a pass ----

struct pass {
    struct loaded_model *model;
    enum lane lane;
    bool has_prompt;
    size_t rows, span_count, logit_count;
    int32_t tokens[PREFILL_ROWS + MAX_RUNNING];
    struct inference_span spans[MAX_RUNNING];
    struct sequence *sequences[MAX_RUNNING]; // of the spans
    uint32_t logit_rows[MAX_RUNNING];
    struct sequence *logit_sequences[MAX_RUNNING];
};

static void add_span(struct pass *pass, struct sequence *sequence, const int32_t *tokens,
    size_t count, bool wants_logits) {
    const struct loaded_adapter *with = sequence->job->with;
    memcpy(pass->tokens + pass->rows, tokens, count * sizeof *tokens);
    pass->sequences[pass->span_count] = sequence;
    pass->spans[pass->span_count++] =
        (struct inference_span){pass->rows, count, &sequence->kv, with ? with->lora : NULL};
    pass->rows += count;
    if (wants_logits) {
        pass->logit_sequences[pass->logit_count] = sequence;
        pass->logit_rows[pass->logit_count++] = (uint32_t)pass->rows - 1;
    }
}

static void add_prompt(struct pass *pass, struct sequence *sequence) {
    const struct token_ids *prompt = &sequence->job->prompt;
    size_t done = sequence->kv.length, left = prompt->count - done;
    size_t count = left < PREFILL_ROWS ? left : PREFILL_ROWS;
    add_span(pass, sequence, prompt->ids + done, count, count == left);
    pass->has_prompt = true;
}

static bool is_in(const struct pass *pass, const struct sequence *sequence) {
    return sequence->job->loaded == pass->model && engine_job_lane(sequence->job) == pass->lane;
}

// What a pass of the background is made of, in turns: a piece of a prompt, or the next tokens of
// the rest.
static bool prompt_is_next(struct engine *engine, const struct pass *pass) {
    bool prompts = false, tokens = false;
    for (size_t i = 0; i < engine->running_count; i++) {
        const struct sequence *sequence = engine->running[i];
        if (!is_in(pass, sequence)) continue;
        prompts |= sequence->next_token < 0;
        tokens |= sequence->next_token >= 0;
    }
    engine->prompt_was_last = prompts && !(tokens && engine->prompt_was_last);
    return engine->prompt_was_last;
}

static void gather(struct engine *engine, struct pass *pass) {
    pass->lane = engine->lane_count[LIVE] ? LIVE : BACKGROUND;
    pass->rows = pass->span_count = pass->logit_count = 0;
    pass->has_prompt = false;
    do
        engine->turn = (engine->turn + 1) % engine->running_count;
    while (engine_job_lane(engine->running[engine->turn]->job) != pass->lane);
    pass->model = engine->running[engine->turn]->job->loaded;
    bool with_tokens = true, with_prompt = true;
    if (pass->lane == BACKGROUND) {
        with_prompt = prompt_is_next(engine, pass);
        with_tokens = !with_prompt;
    }
    for (size_t i = 0; i < engine->running_count; i++) {
        struct sequence *sequence = engine->running[i];
        if (!is_in(pass, sequence)) continue;
        if (sequence->next_token >= 0 && with_tokens)
            add_span(pass, sequence, &sequence->next_token, 1, true);
        else if (sequence->next_token < 0 && with_prompt && !pass->has_prompt)
            add_prompt(pass, sequence);
    }
}

static void fail_pass(const struct pass *pass, const struct error *error) {
    log_error("generating: %s", error->message);
    for (size_t i = 0; i < pass->span_count; i++) {
        struct job *job = pass->sequences[i]->job;
        job->result.error = *error;
        fail(job, ENGINE_FAILED);
    }
}

// Requests whose keys and values have no room left in memory end here; the others go on.
static void make_room(struct engine *engine) {
    for (size_t i = engine->running_count; i-- > 0;) {
        struct sequence *sequence = engine->running[i];
        struct job *job = sequence->job;
        if (!kv_cache_reserve(&sequence->kv, transformer_config(job->loaded->transformer),
                sequence->kv.length + 1, &job->result.error))
            fail(job, ENGINE_FAILED);
    }
}

static void take_tokens(struct engine *engine, const struct pass *pass) {
    size_t vocabulary = transformer_config(pass->model->transformer)->vocabulary_size;
    for (size_t i = 0; i < pass->logit_count; i++) {
        struct sequence *sequence = pass->logit_sequences[i];
        const float *logits = pass->model->logits + i * vocabulary;
        bool prompt_done = sequence->next_token < 0;
        if (prompt_done && sequence->job->choices > 1)
            keep_prompt(engine, sequence, logits, vocabulary);
        take_token(engine, sequence, logits);
    }
}

static bool live_has_come(void *context) {
    const struct engine *engine = context;
    return atomic_load(&engine->live_arrived);
}

static void run_pass(struct engine *engine, struct pass *pass) {
    struct error error;
    struct inference_pause *pause = NULL;
    gather(engine, pass);
    if (pass->lane == BACKGROUND && pass->has_prompt) {
        pause = &pass->sequences[0]->pause;
        pause->asked = live_has_come;
        pause->context = engine;
    }
    inference_pause_by(pass->model->inference, pause);
    if (!inference_forward(pass->model->inference, pass->tokens, pass->rows, pass->spans,
            pass->span_count, pass->logit_rows, pass->logit_count, pass->model->logits, &error)) {
        if (!inference_was_paused(pass->model->inference)) fail_pass(pass, &error);
        return;
    }
    pthread_mutex_lock(&engine->lock);
    engine->counts.prompt_tokens += pass->rows - (pass->span_count - pass->has_prompt);
    pthread_mutex_unlock(&engine->lock);
    take_tokens(engine, pass);
}

void *engine_schedule(void *context) {
    struct engine *engine = context;
    struct pass pass;
    bool ending;
    for (;;) {
        struct job *job;
        begin_others(engine);
        while ((job = take_prepared(engine, &ending)))
            start(engine, job);
        make_room(engine);
        end_cancelled(engine);
        if (ending) return NULL;
        if (engine->running_count) run_pass(engine, &pass);
    }
}
