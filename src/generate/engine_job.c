// A request and its choices, from the copy that is taken of it to the prompt that it becomes.
#include "base/memory.h"
#include "base/random.h"
#include "generate/engine_internal.h"

void sequence_free(struct sequence *sequence) {
    if (!sequence) return;
    kv_cache_free(&sequence->kv);
    inference_pause_free(&sequence->pause);
    text_stream_free(&sequence->stream);
    logit_changes_free(&sequence->changes);
    memory_free(sequence->held);
    memory_free(sequence);
}

void engine_job_free(struct job *job) {
    if (!job) return;
    for (size_t i = 0; job->stops && i < job->request.stop_count; i++)
        memory_free(job->stops[i]);
    memory_free(job->stops);
    memory_free(job->biases);
    memory_free(job->model);
    memory_free(job->adapter);
    json_decref(job->messages);
    json_decref(job->tools);
    token_ids_free(&job->prompt);
    kv_cache_free(&job->kv);
    memory_free(job->logits);
    memory_free(job);
}

static bool copy_stops(struct job *job, const struct engine_request *request) {
    job->stops = memory_alloc_zeroed(request->stop_count + 1, sizeof *job->stops);
    bool ok = job->stops != NULL;
    for (size_t i = 0; ok && i < request->stop_count; i++)
        ok = (job->stops[i] = memory_copy_string(request->stops[i])) != NULL;
    return ok;
}

static bool copy_biases(struct job *job, const struct engine_request *request) {
    size_t count = request->bias_count;
    job->biases = count ? memory_alloc_array(count, sizeof *job->biases) : NULL;
    for (size_t i = 0; job->biases && i < count; i++)
        job->biases[i] = request->biases[i];
    return job->biases || !count;
}

static bool copy_all(struct job *job, const struct engine_request *request) {
    job->model = memory_copy_string(request->model);
    job->adapter = request->adapter ? memory_copy_string(request->adapter) : NULL;
    job->messages = json_deep_copy(request->messages);
    job->tools = request->tools ? json_deep_copy(request->tools) : NULL;
    return job->model && job->messages && (job->tools || !request->tools) &&
           (job->adapter || !request->adapter) && copy_stops(job, request) &&
           copy_biases(job, request);
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

bool engine_job_create(
    struct job **made, const struct engine_request *request, struct error *error) {
    struct job *job = memory_alloc_zeroed(1, sizeof *job);
    if (!job) return memory_error(error, "a request");
    job->request = *request;
    job->choices = request->choices > 0 ? request->choices : 1;
    atomic_init(&job->cancelled, false);
    if (!copy_all(job, request)) {
        engine_job_free(job);
        return memory_error(error, "a request");
    }
    if (!request->has_seed) job->request.seed = fresh_seed();
    *made = job;
    return true;
}

// ---- against the model ----

static bool prepare_lengths(
    struct job *job, const struct model_config *config, struct error *error) {
    size_t context = config->context_length, prompt = job->prompt.count;
    int64_t allowed = job->request.context_tokens;
    bool narrowed = allowed > 0 && (size_t)allowed < context;
    if (narrowed) context = (size_t)allowed;
    job->result.prompt_tokens = (int64_t)prompt;
    if (!prompt) return error_set(error, ERROR_INVALID, "The chat is empty once rendered");
    if (prompt >= context) {
        job->result.fault = ENGINE_FAULT_LENGTH;
        return error_set(error, ERROR_INVALID,
            "%s maximum context length is %zu tokens, and the messages have %zu tokens; shorten "
            "them",
            narrowed ? "Your plan's" : "This model's", context, prompt);
    }
    job->most_tokens = context - prompt;
    if (job->request.maximum_tokens > 0 && (size_t)job->request.maximum_tokens < job->most_tokens)
        job->most_tokens = (size_t)job->request.maximum_tokens;
    return true;
}

static bool check_biases(struct job *job, const struct model_config *config, struct error *error) {
    for (size_t i = 0; i < job->request.bias_count; i++) {
        int32_t token = job->biases[i].token;
        if (token >= 0 && (size_t)token < config->vocabulary_size) continue;
        job->result.fault = ENGINE_FAULT_BIAS;
        return error_set(error, ERROR_INVALID,
            "Invalid key in 'logit_bias': %d is no token of this model; its tokens are 0 to %zu",
            token, config->vocabulary_size - 1);
    }
    return true;
}

// In the form of the adapter, where it was trained in one of its own.
static bool make_prompt(struct job *job, struct error *error) {
    const struct chat_format *own = job->with ? job->with->format : NULL;
    struct chat chat = {
        job->messages, json_array_size(job->tools) ? job->tools : NULL, chat_time_now()};
    return chat_prompt(own ? own : job->loaded->format, &chat, &job->prompt, error);
}

bool engine_job_prepare(struct job *job, struct model_cache *cache, struct error *error) {
    if (job->adapter && !model_cache_adapter(cache, job->loaded, job->adapter, &job->with, error))
        return false;
    const struct model_config *config = transformer_config(job->loaded->transformer);
    return check_biases(job, config, error) && make_prompt(job, error) &&
           prepare_lengths(job, config, error);
}

void job_queue_append(struct job_queue *queue, struct job *job) {
    job->behind = NULL;
    *(queue->first ? &queue->last->behind : &queue->first) = job;
    queue->last = job;
}

struct job *job_queue_take(struct job_queue *queue) {
    struct job *job = queue->first;
    if (!job) return NULL;
    queue->first = job->behind;
    job->behind = NULL;
    return job;
}

// ---- choices ----

bool sequence_create(struct sequence **made, struct job *job, struct error *error) {
    const struct engine_request *request = &job->request;
    const struct model_config *config = transformer_config(job->loaded->transformer);
    struct sequence *sequence = memory_alloc_zeroed(1, sizeof *sequence);
    if (!sequence) return memory_error(error, "a choice");
    sequence->job = job;
    sequence->index = job->begun;
    sequence->next_token = -1;
    sequence->sampler = (struct sampler){
        request->temperature, request->top_p, request->seed, (uint32_t)sequence->index};
    sequence->changes = (struct logit_changes){
        request->frequency_penalty, request->presence_penalty, job->biases, request->bias_count};
    text_stream_init(&sequence->stream, (const char *const *)job->stops, request->stop_count);
    const struct kv_sequence *prompt = job->first ? &job->first->kv : &job->kv;
    bool good = sequence->index == 0
                    ? kv_cache_reserve(&sequence->kv, config, job->prompt.count, error)
                    : kv_cache_copy(&sequence->kv, prompt, config, job->prompt.count, error);
    if (!good) {
        sequence_free(sequence);
        return false;
    }
    *made = sequence;
    return true;
}
