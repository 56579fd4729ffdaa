// The scheduler: one thread, which in each pass gathers the next token of every running request of
// one base model, whatever their adapters, and at most one piece of a prompt, and runs them
// together.
//
// A prompt is cut into pieces of PREFILL_ROWS tokens counted from its own start, and the kernels of
// a row depend on its own request alone: an answer is the same in company as alone.
#include "generate/engine.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "generate/kv_cache.h"
#include "generate/model_cache.h"
#include "generate/text_stream.h"
#include <pthread.h>
#include <string.h>

enum {
    PREFILL_ROWS = 256,
    MAX_RUNNING = 32,           // of each lane
    MAX_WAITING = 4096,         // of each lane
    MAX_ANSWER_BYTES = 1 << 20, // of one piece
};

// Background requests take part in a pass only where no live one does.
enum lane { LIVE, BACKGROUND, LANES };

struct job {
    struct job *next; // of those waiting
    uint64_t ticket;
    struct engine_request request; // a copy: its texts belong to the job
    char *model, *adapter;
    json_t *messages, *tools;
    char **stops;
    bool cancelled; // under the engine's lock

    // From here on the scheduler's alone.
    struct loaded_model *loaded;
    struct loaded_adapter *with;
    struct token_ids prompt;
    struct kv_sequence kv;
    struct text_stream stream;
    struct sampler sampler;
    size_t most_tokens;
    int32_t next_token; // not run yet; -1 during the prompt
    bool begun;         // a token of the answer's text was taken
    struct engine_result result;
};

struct engine {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing;
    uint64_t tickets;
    struct job *waiting[LANES]; // oldest first
    size_t waiting_count[LANES];

    struct job *running[LANES * MAX_RUNNING]; // changed by the scheduler alone, under the lock
    size_t running_count, lane_count[LANES];
    size_t turn;             // whose base model is next
    struct engine_load done; // under the lock; its counts of requests are not used
    struct compute *compute;
    struct model_cache cache;
    struct buffer ready; // the piece at hand
};

// ---- requests ----

static enum lane lane_of(const struct job *job) {
    return job->request.background ? BACKGROUND : LIVE;
}

static void free_job(struct job *job) {
    if (!job) return;
    for (size_t i = 0; job->stops && i < job->request.stop_count; i++)
        memory_free(job->stops[i]);
    memory_free(job->stops);
    memory_free(job->model);
    memory_free(job->adapter);
    json_decref(job->messages);
    json_decref(job->tools);
    token_ids_free(&job->prompt);
    kv_cache_free(&job->kv);
    text_stream_free(&job->stream);
    memory_free(job);
}

static bool copy_texts(struct job *job, const struct engine_request *request) {
    job->model = memory_copy_string(request->model);
    job->adapter = request->adapter ? memory_copy_string(request->adapter) : NULL;
    job->messages = json_deep_copy(request->messages);
    job->tools = request->tools ? json_deep_copy(request->tools) : NULL;
    job->stops = memory_alloc_zeroed(request->stop_count + 1, sizeof *job->stops);
    bool ok = job->model && job->messages && (job->tools || !request->tools) && job->stops &&
              (job->adapter || !request->adapter);
    for (size_t i = 0; ok && i < request->stop_count; i++)
        ok = (job->stops[i] = memory_copy_string(request->stops[i])) != NULL;
    return ok;
}

static uint64_t fresh_seed(void) {
    char text[17];
    struct error ignored;
    uint64_t seed = 0;
    if (random_secret(text, 16, &ignored))
        for (size_t i = 0; i < 16; i++)
            seed = seed * 67 + (uint64_t)text[i];
    return seed;
}

static bool make_job(struct job **made, const struct engine_request *request, struct error *error) {
    struct job *job = memory_alloc_zeroed(1, sizeof *job);
    if (!job) return memory_error(error, "a request");
    job->request = *request;
    job->next_token = -1;
    if (!copy_texts(job, request)) {
        free_job(job);
        return memory_error(error, "a request");
    }
    job->sampler = (struct sampler){
        request->temperature, request->top_p, request->has_seed ? request->seed : fresh_seed()};
    text_stream_init(&job->stream, (const char *const *)job->stops, request->stop_count);
    *made = job;
    return true;
}

bool engine_submit(struct engine *engine, const struct engine_request *request, uint64_t *ticket,
    struct error *error) {
    struct job *job = NULL;
    if (!make_job(&job, request, error)) return false;
    enum lane lane = lane_of(job);
    pthread_mutex_lock(&engine->lock);
    bool room = engine->waiting_count[lane] < MAX_WAITING && !engine->closing;
    if (room) {
        struct job **last = &engine->waiting[lane];
        while (*last)
            last = &(*last)->next;
        *last = job;
        engine->waiting_count[lane]++;
        job->ticket = *ticket = request->joins ? request->joins : ++engine->tickets;
        pthread_cond_signal(&engine->wake);
    }
    pthread_mutex_unlock(&engine->lock);
    if (!room) free_job(job);
    return room || error_set(error, ERROR_CONFLICT,
                       "%d requests are waiting already; ask again in a moment", MAX_WAITING);
}

void engine_cancel(struct engine *engine, uint64_t ticket) {
    pthread_mutex_lock(&engine->lock);
    for (size_t lane = 0; lane < LANES; lane++)
        for (struct job *job = engine->waiting[lane]; job; job = job->next)
            if (job->ticket == ticket) job->cancelled = true;
    for (size_t i = 0; i < engine->running_count; i++)
        if (engine->running[i]->ticket == ticket) engine->running[i]->cancelled = true;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->lock);
}

// ---- beginning and ending ----

static void show_ready(struct engine *engine, struct job *job) {
    if (engine->ready.length && job->request.piece)
        job->request.piece(job->request.context, engine->ready.data, engine->ready.length);
}

static void count_tokens(struct engine *engine, const struct engine_result *result) {
    pthread_mutex_lock(&engine->lock);
    engine->done.prompt_tokens += (uint64_t)result->prompt_tokens;
    engine->done.completion_tokens += (uint64_t)result->completion_tokens;
    pthread_mutex_unlock(&engine->lock);
}

void engine_measure(struct engine *engine, struct engine_load *load) {
    pthread_mutex_lock(&engine->lock);
    *load = engine->done;
    load->running = engine->lane_count[LIVE];
    load->waiting = engine->waiting_count[LIVE];
    load->background_running = engine->lane_count[BACKGROUND];
    load->background_waiting = engine->waiting_count[BACKGROUND];
    pthread_mutex_unlock(&engine->lock);
}

static void finish(struct engine *engine, struct job *job, enum engine_reason reason) {
    struct error ignored;
    job->result.reason = reason;
    count_tokens(engine, &job->result);
    if (reason == ENGINE_STOP || reason == ENGINE_LENGTH) {
        if (text_stream_finish(&job->stream, &engine->ready, &ignored)) show_ready(engine, job);
    }
    job->request.finished(job->request.context, &job->result);
    if (job->loaded) model_cache_release_model(job->loaded);
    model_cache_release_adapter(job->with);
    free_job(job);
}

static bool prepare_lengths(struct job *job, struct error *error) {
    const struct model_config *config = transformer_config(job->loaded->transformer);
    size_t context = config->context_length, prompt = job->prompt.count;
    job->result.prompt_tokens = (int64_t)prompt;
    if (!prompt) return error_set(error, ERROR_INVALID, "The chat is empty once rendered");
    job->result.too_long = prompt >= context;
    if (prompt >= context)
        return error_set(error, ERROR_INVALID,
            "This model's maximum context length is %zu tokens, and the messages have %zu tokens; "
            "shorten them",
            context, prompt);
    job->most_tokens = context - prompt;
    if (job->request.maximum_tokens > 0 && (size_t)job->request.maximum_tokens < job->most_tokens)
        job->most_tokens = (size_t)job->request.maximum_tokens;
    return true;
}

// In the form of the adapter, where it was trained in one of its own.
static bool make_prompt(struct job *job, struct error *error) {
    const struct chat_format *own = job->with ? job->with->format : NULL;
    struct chat chat = {
        job->messages, json_array_size(job->tools) ? job->tools : NULL, chat_time_now()};
    return chat_prompt(own ? own : job->loaded->format, &chat, &job->prompt, error);
}

static bool begin(struct engine *engine, struct job *job, struct error *error) {
    return model_cache_model(&engine->cache, job->model, &job->loaded, error) &&
           (!job->adapter ||
               model_cache_adapter(&engine->cache, job->loaded, job->adapter, &job->with, error)) &&
           make_prompt(job, error) && prepare_lengths(job, error) &&
           kv_cache_reserve(
               &job->kv, transformer_config(job->loaded->transformer), job->prompt.count, error);
}

// Takes the oldest waiting request out of its lane, live ones first; NULL if there is no place.
// Under the lock.
static struct job *take_oldest(struct engine *engine) {
    for (size_t lane = 0; lane < LANES; lane++) {
        struct job *job = engine->waiting[lane];
        if (job && (engine->lane_count[lane] < MAX_RUNNING || engine->closing)) {
            engine->waiting[lane] = job->next;
            engine->waiting_count[lane]--;
            return job;
        }
        if (job) return NULL;
    }
    return NULL;
}

// The same, and waits for one if nothing runs. *closing says that all is to end.
static struct job *take_waiting(struct engine *engine, bool *closing) {
    pthread_mutex_lock(&engine->lock);
    while (!engine->waiting[LIVE] && !engine->waiting[BACKGROUND] && !engine->running_count &&
           !engine->closing)
        pthread_cond_wait(&engine->wake, &engine->lock);
    *closing = engine->closing;
    struct job *job = take_oldest(engine);
    pthread_mutex_unlock(&engine->lock);
    return job;
}

static bool is_cancelled(struct engine *engine, const struct job *job) {
    pthread_mutex_lock(&engine->lock);
    bool cancelled = job->cancelled || engine->closing;
    pthread_mutex_unlock(&engine->lock);
    return cancelled;
}

static void start(struct engine *engine, struct job *job) {
    if (is_cancelled(engine, job)) {
        finish(engine, job, ENGINE_CANCELLED);
        return;
    }
    if (!begin(engine, job, &job->result.error)) {
        finish(engine, job, ENGINE_FAILED);
        return;
    }
    pthread_mutex_lock(&engine->lock);
    engine->running[engine->running_count++] = job;
    engine->lane_count[lane_of(job)]++;
    pthread_mutex_unlock(&engine->lock);
}

static void end_running(struct engine *engine, struct job *job, enum engine_reason reason) {
    pthread_mutex_lock(&engine->lock);
    size_t at = 0;
    while (engine->running[at] != job)
        at++;
    memmove(&engine->running[at], &engine->running[at + 1],
        (engine->running_count - at - 1) * sizeof *engine->running);
    engine->running_count--;
    engine->lane_count[lane_of(job)]--;
    pthread_mutex_unlock(&engine->lock);
    finish(engine, job, reason);
}

// Takes a cancelled request out of those waiting, or NULL: it must not wait for a place to end.
static struct job *take_cancelled(struct engine *engine) {
    pthread_mutex_lock(&engine->lock);
    struct job *job = NULL;
    for (size_t lane = 0; lane < LANES && !job; lane++) {
        struct job **at = &engine->waiting[lane];
        while (*at && !(*at)->cancelled)
            at = &(*at)->next;
        job = *at;
        if (!job) continue;
        *at = job->next;
        engine->waiting_count[lane]--;
    }
    pthread_mutex_unlock(&engine->lock);
    return job;
}

static void end_cancelled(struct engine *engine) {
    struct job *waiting;
    while ((waiting = take_cancelled(engine)))
        finish(engine, waiting, ENGINE_CANCELLED);
    for (size_t i = engine->running_count; i-- > 0;)
        if (is_cancelled(engine, engine->running[i]))
            end_running(engine, engine->running[i], ENGINE_CANCELLED);
}

// ---- a pass ----

struct pass {
    struct loaded_model *model;
    size_t rows, span_count, logit_count;
    int32_t tokens[PREFILL_ROWS + MAX_RUNNING];
    struct inference_span spans[MAX_RUNNING];
    struct job *jobs[MAX_RUNNING]; // of the spans
    uint32_t logit_rows[MAX_RUNNING];
    struct job *logit_jobs[MAX_RUNNING];
};

static void add_span(
    struct pass *pass, struct job *job, const int32_t *tokens, size_t count, bool wants_logits) {
    memcpy(pass->tokens + pass->rows, tokens, count * sizeof *tokens);
    pass->jobs[pass->span_count] = job;
    pass->spans[pass->span_count++] =
        (struct inference_span){pass->rows, count, &job->kv, job->with ? job->with->lora : NULL};
    pass->rows += count;
    if (wants_logits) {
        pass->logit_jobs[pass->logit_count] = job;
        pass->logit_rows[pass->logit_count++] = (uint32_t)pass->rows - 1;
    }
}

static void add_prompt(struct pass *pass, struct job *job) {
    size_t done = job->kv.length, left = job->prompt.count - done;
    size_t count = left < PREFILL_ROWS ? left : PREFILL_ROWS;
    add_span(pass, job, job->prompt.ids + done, count, count == left);
}

static void gather(struct engine *engine, struct pass *pass) {
    bool prompt_taken = false;
    enum lane lane = engine->lane_count[LIVE] ? LIVE : BACKGROUND;
    pass->rows = pass->span_count = pass->logit_count = 0;
    do
        engine->turn = (engine->turn + 1) % engine->running_count;
    while (lane_of(engine->running[engine->turn]) != lane);
    pass->model = engine->running[engine->turn]->loaded;
    for (size_t i = 0; i < engine->running_count; i++) {
        struct job *job = engine->running[i];
        if (job->loaded != pass->model || lane_of(job) != lane) continue;
        if (job->next_token >= 0) {
            add_span(pass, job, &job->next_token, 1, true);
        } else if (!prompt_taken) {
            add_prompt(pass, job);
            prompt_taken = true;
        }
    }
}

// Takes the next token of a request: shows its text, and ends the request where it is at its end.
static void take_token(struct engine *engine, struct job *job, const float *logits) {
    struct loaded_model *model = job->loaded;
    size_t vocabulary = transformer_config(model->transformer)->vocabulary_size, length;
    int32_t token = sampler_pick(&job->sampler, logits, vocabulary,
        (uint64_t)job->result.completion_tokens, &model->scratch);
    job->result.completion_tokens++;
    if (chat_format_ends(model->format, token)) {
        end_running(engine, job, ENGINE_STOP);
        return;
    }
    const struct tokenizer *tokenizer = chat_format_tokenizer(model->format);
    const char *bytes = job->begun ? tokenizer_token_bytes(tokenizer, token, &length)
                                   : tokenizer_first_bytes(tokenizer, token, &length);
    job->begun = job->begun || !tokenizer_is_special(tokenizer, token);
    bool ok = text_stream_add(&job->stream, bytes, length, &engine->ready, &job->result.error);
    if (ok) show_ready(engine, job);
    job->next_token = token;
    if (!ok)
        end_running(engine, job, ENGINE_FAILED);
    else if (job->stream.stopped)
        end_running(engine, job, ENGINE_STOP);
    else if ((size_t)job->result.completion_tokens >= job->most_tokens)
        end_running(engine, job, ENGINE_LENGTH);
}

static void fail_pass(struct engine *engine, const struct pass *pass, const struct error *error) {
    log_error("generating: %s", error->message);
    for (size_t i = 0; i < pass->span_count; i++) {
        pass->jobs[i]->result.error = *error;
        end_running(engine, pass->jobs[i], ENGINE_FAILED);
    }
}

// Requests whose keys and values have no room left in memory end here; the others go on.
static void make_room(struct engine *engine) {
    for (size_t i = engine->running_count; i-- > 0;) {
        struct job *job = engine->running[i];
        if (!kv_cache_reserve(&job->kv, transformer_config(job->loaded->transformer),
                job->kv.length + 1, &job->result.error))
            end_running(engine, job, ENGINE_FAILED);
    }
}

static void run_pass(struct engine *engine, struct pass *pass) {
    struct error error;
    gather(engine, pass);
    size_t vocabulary = transformer_config(pass->model->transformer)->vocabulary_size;
    if (!inference_forward(pass->model->inference, pass->tokens, pass->rows, pass->spans,
            pass->span_count, pass->logit_rows, pass->logit_count, pass->model->logits, &error)) {
        fail_pass(engine, pass, &error);
        return;
    }
    for (size_t i = 0; i < pass->logit_count; i++)
        take_token(engine, pass->logit_jobs[i], pass->model->logits + i * vocabulary);
}

static void *schedule(void *context) {
    struct engine *engine = context;
    struct pass pass;
    bool closing;
    for (;;) {
        struct job *job;
        while ((job = take_waiting(engine, &closing)))
            start(engine, job);
        end_cancelled(engine);
        if (closing) return NULL;
        make_room(engine);
        if (engine->running_count) run_pass(engine, &pass);
    }
}

// ---- opening and closing ----

static void free_engine(struct engine *engine) {
    model_cache_free(&engine->cache);
    compute_free(engine->compute);
    buffer_free(&engine->ready);
    pthread_mutex_destroy(&engine->lock);
    pthread_cond_destroy(&engine->wake);
    memory_free(engine);
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
    if (pthread_create(&made->thread, NULL, schedule, made) != 0) {
        free_engine(made);
        return error_set(error, ERROR_IO, "cannot start the engine's thread");
    }
    *engine = made;
    return true;
}

void engine_close(struct engine *engine) {
    if (!engine) return;
    pthread_mutex_lock(&engine->lock);
    engine->closing = true;
    pthread_cond_signal(&engine->wake);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    free_engine(engine);
}
