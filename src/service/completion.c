// From the engine's callbacks to an answer: whole, when the last choice has ended, or piece by
// piece.
//
// The engine calls from its own thread, under no lock; `lock` orders those calls, and the engine's
// and the stream's may be taken under it. A completion lives as long as its stream (or the run that
// it is), and as the engine works on it: each of the two holds a reference.
#include "service/completion.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "generate/engine.h"
#include "service/chat_answer.h"
#include "service/chat_request.h"
#include "service/limits.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/service.h"
#include "service/stream.h"
#include "service/usage.h"
#include "store/store.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { TEXT_MAXIMUM = 64 << 20 }; // bytes of one choice's text

struct choice {
    int index;
    struct buffer text; // where the answer is not streamed
    json_t *scores;     // the same, where they were asked for
    const char *finish_reason;
    bool begun;
};

struct completion {
    pthread_mutex_t lock;
    atomic_int references;
    struct engine *engine;
    uint64_t ticket;                                         // the engine's
    struct stream *stream;                                   // whoever waits: a connection,
    void (*done)(void *context, int status, json_t *answer); // or this
    void *context;
    struct reply outcome; // for `done`; status 0 while there is none
    struct chat_answer answer;
    struct usage *usage; // where it is counted,
    char *account, *model;
    bool background, streaming;
    char request[REQUEST_ID_SIZE]; // whose lines in the log are its own; "" for none
    int count;
    struct choice *choices;
};

static void release(void *context) {
    struct completion *completion = context;
    if (atomic_fetch_sub(&completion->references, 1) > 1) return;
    for (int i = 0; completion->choices && i < completion->count; i++) {
        buffer_free(&completion->choices[i].text);
        json_decref(completion->choices[i].scores);
    }
    memory_free(completion->choices);
    memory_free(completion->account);
    memory_free(completion->model);
    chat_answer_free(&completion->answer);
    reply_free(&completion->outcome);
    pthread_mutex_destroy(&completion->lock);
    memory_free(completion);
}

// The stream's canceller: the client has gone, or the server ends.
static void cancel(void *context) {
    struct completion *completion = context;
    pthread_mutex_lock(&completion->lock);
    uint64_t ticket = completion->ticket;
    pthread_mutex_unlock(&completion->lock);
    if (ticket) engine_cancel(completion->engine, ticket);
}

// ---- what is sent; all under the lock ----

// The whole answer, or the error in its place; takes the reply over.
static void send_reply(struct completion *completion, struct reply *reply) {
    if (completion->stream)
        stream_start(completion->stream, reply, false);
    else
        completion->outcome = *reply;
}

// Frees the chunk's text.
static void send_chunk(struct completion *completion, char *text) {
    if (text) stream_write_event(completion->stream, text);
    memory_free(text);
}

static void begin_choice(struct completion *completion, struct choice *choice) {
    struct reply head;
    if (choice->begun) return;
    choice->begun = true;
    if (!stream_started(completion->stream)) {
        reply_init(&head);
        head.status = 200;
        stream_start(completion->stream, &head, true);
    }
    send_chunk(completion, chat_answer_begin(&completion->answer, choice->index));
}

// In place of the rest of the answer; takes the reply over.
static void break_off(
    struct completion *completion, struct reply *reply, const char *code, const char *message) {
    if (completion->stream && stream_started(completion->stream)) {
        send_chunk(completion, reply_error_text(reply->status, code, NULL, message));
        reply_free(reply);
    } else {
        send_reply(completion, reply);
    }
    if (completion->stream) stream_end(completion->stream);
}

// Whoever still listens hears it because the server ends.
static void send_cancelled(struct completion *completion) {
    static const char message[] = "The server is ending, and this answer with it; ask again.";
    struct reply reply;
    reply_init(&reply);
    reply_error(&reply, 503, "server_ending", NULL, "%s", message);
    break_off(completion, &reply, "server_ending", message);
}

// Where it is the server that cannot.
static void fail(struct reply *reply, const struct error *error) {
    if (error->code != ERROR_CONFLICT) {
        reply_failure(reply, "generating an answer", error);
        return;
    }
    reply_error(reply, 429, "rate_limit_exceeded", NULL, "The server is busy: %s.", error->message);
    reply_header(reply, "Retry-After", "1");
}

static void refuse(struct reply *reply, const struct error *error, enum engine_fault fault) {
    static const struct {
        const char *code, *param;
    } faults[] = {
        [ENGINE_FAULT_MESSAGES] = {"invalid_value", "messages"},
        [ENGINE_FAULT_LENGTH] = {"context_length_exceeded", "messages"},
        [ENGINE_FAULT_BIAS] = {"invalid_value", "logit_bias"},
    };
    if (error->code == ERROR_INVALID || error->code == ERROR_UNSUPPORTED)
        reply_error(reply, 400, faults[fault].code, faults[fault].param, "%s.", error->message);
    else
        fail(reply, error);
}

static void send_failure(
    struct completion *completion, const struct error *error, enum engine_fault fault) {
    struct reply reply;
    reply_init(&reply);
    refuse(&reply, error, fault);
    break_off(completion, &reply, NULL, "The answer broke off: the server failed.");
}

static json_t *choice_object(struct choice *choice) {
    json_t *scores = choice->scores;
    choice->scores = NULL;
    return chat_answer_choice(
        choice->index, buffer_text(&choice->text), scores, choice->finish_reason);
}

static void send_whole(struct completion *completion) {
    struct reply reply;
    json_t *choices = json_array();
    for (int i = 0; i < completion->count; i++)
        json_array_append_new(choices, choice_object(&completion->choices[i]));
    reply_init(&reply);
    reply_json(&reply, 200, chat_answer_whole(&completion->answer, choices));
    send_reply(completion, &reply);
}

static void send_end(struct completion *completion) {
    if (completion->streaming) {
        if (completion->answer.include_usage)
            send_chunk(completion, chat_answer_usage(&completion->answer));
        stream_write_event(completion->stream, "[DONE]");
    } else {
        send_whole(completion);
    }
    if (completion->stream) stream_end(completion->stream);
}

// ---- what the engine says ----

static void take_piece(void *context, const struct engine_piece *piece) {
    struct completion *completion = context;
    struct choice *choice = &completion->choices[piece->choice];
    json_t *scores =
        piece->scored_count ? chat_answer_scores(piece->scored, piece->scored_count) : NULL;
    pthread_mutex_lock(&completion->lock);
    if (completion->streaming) {
        begin_choice(completion, choice);
        send_chunk(completion, chat_answer_piece(&completion->answer, piece, scores));
    } else {
        buffer_append(&choice->text, piece->text, piece->length);
        if (scores) json_array_extend(choice->scores, scores);
        json_decref(scores);
    }
    pthread_mutex_unlock(&completion->lock);
}

static void take_choice_end(void *context, int index, enum engine_reason reason) {
    struct completion *completion = context;
    struct choice *choice = &completion->choices[index];
    pthread_mutex_lock(&completion->lock);
    choice->finish_reason = reason == ENGINE_LENGTH ? "length" : "stop";
    if (completion->streaming) {
        begin_choice(completion, choice);
        send_chunk(completion, chat_answer_end(&completion->answer, index, choice->finish_reason));
    }
    pthread_mutex_unlock(&completion->lock);
}

// The engine is done with it: tells a run's owner, and lets go.
static void leave(struct completion *completion) {
    struct reply *outcome = &completion->outcome;
    struct stream *stream = completion->stream;
    if (completion->done)
        completion->done(completion->context, outcome->status,
            outcome->status ? json_loads(outcome->body, 0, NULL) : NULL);
    stream_release(stream);
    release(completion);
}

static void take_result(void *context, const struct engine_result *result) {
    struct completion *completion = context;
    log_set_request(completion->request[0] ? completion->request : NULL);
    pthread_mutex_lock(&completion->lock);
    completion->answer.prompt_tokens = result->prompt_tokens;
    completion->answer.completion_tokens = result->completion_tokens;
    usage_add(completion->usage, completion->account, completion->model, completion->background,
        result->prompt_tokens, result->completion_tokens);
    if (result->reason == ENGINE_FAILED) {
        send_failure(completion, &result->error, result->fault);
    } else if (result->reason != ENGINE_CANCELLED) {
        send_end(completion);
    } else if (completion->stream) {
        send_cancelled(completion);
    }
    pthread_mutex_unlock(&completion->lock);
    log_set_request(NULL);
    leave(completion);
}

// ---- beginning ----

// The engine's reference is taken where it takes the request.
static bool submit(
    struct completion *completion, struct engine_request *request, struct error *error) {
    uint64_t ticket = 0;
    request->context = completion;
    pthread_mutex_lock(&completion->lock); // no result is taken before the ticket is known
    atomic_fetch_add(&completion->references, 1);
    if (completion->stream) stream_retain(completion->stream);
    bool good = engine_submit(completion->engine, request, &ticket, error);
    completion->ticket = ticket;
    pthread_mutex_unlock(&completion->lock);
    if (good) return true;
    stream_release(completion->stream);
    release(completion);
    return false;
}

static bool create_choices(
    struct completion *completion, const struct chat_request *request, struct error *error) {
    size_t count = (size_t)completion->count;
    completion->choices = memory_alloc_zeroed(count, sizeof *completion->choices);
    if (!completion->choices) return memory_error(error, "a completion's choices");
    for (int i = 0; i < completion->count; i++) {
        struct choice *choice = &completion->choices[i];
        choice->index = i;
        choice->scores = request->logprobs && !request->stream ? json_array() : NULL;
        buffer_init(&choice->text, TEXT_MAXIMUM);
    }
    return true;
}

// Whose answer it is, and of which model: for what is counted.
struct source {
    const char *account;
    const struct model_record *model;
    bool background;
};

static struct completion *create(struct service *service, const struct chat_request *request,
    const struct source *source, struct error *error) {
    struct completion *completion = memory_alloc_zeroed(1, sizeof *completion);
    if (!completion) {
        memory_error(error, "a completion");
        return NULL;
    }
    pthread_mutex_init(&completion->lock, NULL);
    reply_init(&completion->outcome);
    atomic_init(&completion->references, 1);
    completion->engine = service->engine;
    completion->usage = service->usage;
    completion->account = memory_copy_string(source->account);
    completion->model = memory_copy_string(source->model->id);
    completion->background = source->background;
    completion->streaming = request->stream;
    if (log_request()) snprintf(completion->request, REQUEST_ID_SIZE, "%s", log_request());
    completion->count = request->choices;
    if (!completion->account || !completion->model)
        memory_error(error, "a completion");
    else if (create_choices(completion, request, error) &&
             chat_answer_init(&completion->answer, request->model, request->include_usage, error))
        return completion;
    release(completion);
    return NULL;
}

// The shorter of what is asked for and what the plan (NULL: no limits) gives; 0 is no limit.
static long output_tokens(const struct chat_request *request, const struct plan *plan) {
    long most = plan ? (long)plan->output_tokens : 0;
    return request->maximum_tokens ? request->maximum_tokens : most;
}

// False, with the reply made, where more is asked for than the plan has.
static bool check_plan(
    const struct chat_request *request, const struct plan *plan, struct reply *reply) {
    if (!plan || !plan->output_tokens || request->maximum_tokens <= plan->output_tokens)
        return true;
    reply_error(reply, 400, "integer_above_max_value", "max_completion_tokens",
        "Invalid 'max_completion_tokens': your plan '%s' has answers of at most %lld tokens.",
        plan->name, (long long)plan->output_tokens);
    return false;
}

static struct engine_request submission(const struct chat_request *request, const struct plan *plan,
    const char *model_directory, const char *adapter_directory, bool background) {
    return (struct engine_request){
        .model = model_directory,
        .adapter = adapter_directory,
        .messages = request->messages,
        .temperature = request->temperature,
        .top_p = request->top_p,
        .frequency_penalty = request->frequency_penalty,
        .presence_penalty = request->presence_penalty,
        .biases = request->biases,
        .bias_count = request->bias_count,
        .choices = request->choices,
        .maximum_tokens = output_tokens(request, plan),
        .context_tokens = plan ? plan->context_tokens : 0,
        .has_seed = request->has_seed,
        .seed = request->seed,
        .stops = request->stops,
        .stop_count = request->stop_count,
        .scores = request->logprobs,
        .likeliest = (size_t)request->top_logprobs,
        .background = background,
        .piece = take_piece,
        .ended = take_choice_end,
        .finished = take_result,
    };
}

void completion_start(struct service *service, const struct chat_request *request,
    const char *account, const struct plan *plan, const struct model_record *model,
    struct reply *reply) {
    struct error error = {0};
    if (!check_plan(request, plan, reply)) return;
    struct engine_request asked =
        submission(request, plan, model->directory, model->adapter, false);
    struct source source = {account, model, false};
    struct completion *completion = create(service, request, &source, &error);
    if (!completion || !stream_open(&completion->stream, &error)) {
        if (completion) release(completion);
        reply_failure(reply, "starting an answer", &error);
        return;
    }
    struct stream *stream = completion->stream;
    stream_on_abandon(stream, cancel, release, completion);
    if (submit(completion, &asked, &error)) {
        reply->stream = stream;
        return;
    }
    fail(reply, &error);
    stream_release(stream); // and with it the completion
}

// Who wants to hear of a run.
struct owner {
    void (*done)(void *context, int status, json_t *answer);
    void *context;
};

static bool run_chat(struct service *service, const struct chat_request *chat,
    const struct plan *plan, const struct source *source, struct owner owner, uint64_t *run,
    struct error *error) {
    struct engine_request asked = submission(
        chat, plan, source->model->directory, source->model->adapter, source->background);
    struct completion *completion = create(service, chat, source, error);
    if (!completion) return false;
    completion->done = owner.done;
    completion->context = owner.context;
    bool good = submit(completion, &asked, error);
    *run = completion->ticket;
    release(completion);
    return good;
}

// Checks the body and finds the model. Where the reply is made, it is the answer; false with the
// error set where it is the server that failed.
static bool prepare_run(struct service *service, const char *account, const struct plan *plan,
    const json_t *body, struct chat_request *chat, struct model_record *model, struct reply *reply,
    struct error *error) {
    if (!chat_request_read(chat, body, reply)) return true;
    if (chat->stream)
        reply_error(reply, 400, "invalid_value", "stream",
            "Invalid value for 'stream': this answer is not sent to a connection; leave it out.");
    else if (check_plan(chat, plan, reply) &&
             model_resolve(service->store, account, chat->model, model, error))
        return true;
    else if (!reply->status && error->code == ERROR_NOT_FOUND)
        reply_no_model(reply, chat->model);
    chat_request_free(chat);
    return reply->status != 0;
}

bool completion_run(struct service *service, const char *account, const json_t *body,
    bool background, void (*done)(void *context, int status, json_t *answer), void *context,
    uint64_t *run, struct error *error) {
    struct chat_request chat;
    struct model_record model;
    struct reply reply;
    const struct plan *plan = service->limits ? limits_account_plan(service, account) : NULL;
    *run = 0;
    reply_init(&reply);
    if (!prepare_run(service, account, plan, body, &chat, &model, &reply, error)) return false;
    if (reply.status) {
        done(context, reply.status, json_loads(reply.body, 0, NULL));
        reply_free(&reply);
        return true;
    }
    struct owner owner = {done, context};
    struct source source = {account, &model, background};
    bool good = run_chat(service, &chat, plan, &source, owner, run, error);
    model_record_free(&model);
    chat_request_free(&chat);
    return good;
}

void completion_cancel(struct service *service, uint64_t run) {
    engine_cancel(service->engine, run);
}
