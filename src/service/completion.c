// From the engine's callbacks to an answer: whole, when the last choice has ended, or piece by
// piece.
//
// The engine calls from its own thread; `lock` orders those calls. The stream's lock may be taken
// under it, the engine's never: cancelling copies the tickets first.
#include "service/completion.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "generate/engine.h"
#include "service/chat_answer.h"
#include "service/chat_request.h"
#include "service/reply.h"
#include "service/stream.h"
#include <pthread.h>

enum { TEXT_MAXIMUM = 64 << 20 }; // bytes of one choice's text

struct choice {
    struct completion *completion;
    int index;
    uint64_t ticket;    // the engine's, 0 before it was submitted
    struct buffer text; // where the answer is not streamed
    const char *finish_reason;
    bool begun;
};

struct completion {
    pthread_mutex_t lock;
    struct engine *engine;
    struct stream *stream; // borrowed: it owns this
    struct chat_answer answer;
    bool streaming, failed;
    int count, running;
    struct choice choices[CHAT_CHOICES_MAXIMUM];
};

static void destroy(void *context) {
    struct completion *completion = context;
    for (int i = 0; i < completion->count; i++)
        buffer_free(&completion->choices[i].text);
    chat_answer_free(&completion->answer);
    pthread_mutex_destroy(&completion->lock);
    memory_free(completion);
}

// The stream's canceller: the client has gone, or the server ends.
static void cancel(void *context) {
    struct completion *completion = context;
    uint64_t tickets[CHAT_CHOICES_MAXIMUM];
    pthread_mutex_lock(&completion->lock);
    for (int i = 0; i < completion->count; i++)
        tickets[i] = completion->choices[i].ticket;
    pthread_mutex_unlock(&completion->lock);
    for (int i = 0; i < completion->count; i++)
        if (tickets[i]) engine_cancel(completion->engine, tickets[i]);
}

// Sends a chunk and frees its text. Under the lock, as is all that follows up to the callbacks.
static void send_chunk(struct completion *completion, char *text) {
    if (text) stream_write_event(completion->stream, text);
    memory_free(text);
}

static void begin_choice(struct choice *choice) {
    struct completion *completion = choice->completion;
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

static void send_failure(struct completion *completion, const struct error *error, bool too_long) {
    bool refused = error->code == ERROR_INVALID || error->code == ERROR_UNSUPPORTED;
    const char *code = too_long ? "context_length_exceeded" : refused ? "invalid_value" : NULL;
    struct reply reply;
    reply_init(&reply);
    completion->failed = true;
    if (refused)
        reply_error(&reply, 400, code, "messages", "%s.", error->message);
    else
        reply_failure(&reply, "generating an answer", error);
    if (!stream_started(completion->stream))
        stream_start(completion->stream, &reply, false);
    else
        send_chunk(completion,
            reply_error_text(reply.status, code, NULL, "The answer broke off: the server failed."));
    reply_free(&reply);
    stream_end(completion->stream);
}

static void send_whole(struct completion *completion) {
    struct reply reply;
    json_t *choices = json_array();
    for (int i = 0; i < completion->count; i++)
        json_array_append_new(
            choices, chat_answer_choice(i, buffer_text(&completion->choices[i].text),
                         completion->choices[i].finish_reason));
    reply_init(&reply);
    reply_json(&reply, 200, chat_answer_whole(&completion->answer, choices));
    stream_start(completion->stream, &reply, false);
}

static void finish_all(struct completion *completion) {
    if (completion->streaming) {
        if (completion->answer.include_usage)
            send_chunk(completion, chat_answer_usage(&completion->answer));
        stream_write_event(completion->stream, "[DONE]");
    } else {
        send_whole(completion);
    }
    stream_end(completion->stream);
}

static void take_piece(void *context, const char *text, size_t length) {
    struct choice *choice = context;
    struct completion *completion = choice->completion;
    pthread_mutex_lock(&completion->lock);
    if (completion->streaming && !completion->failed) {
        begin_choice(choice);
        send_chunk(completion, chat_answer_piece(&completion->answer, choice->index, text, length));
    } else if (!completion->failed) {
        buffer_append(&choice->text, text, length);
    }
    pthread_mutex_unlock(&completion->lock);
}

static void take_result(void *context, const struct engine_result *result) {
    static const char *const reasons[] = {
        [ENGINE_STOP] = "stop",
        [ENGINE_LENGTH] = "length",
        [ENGINE_CANCELLED] = "stop",
    };
    struct choice *choice = context;
    struct completion *completion = choice->completion;
    struct stream *stream = completion->stream;
    pthread_mutex_lock(&completion->lock);
    completion->running--;
    completion->answer.prompt_tokens = result->prompt_tokens;
    completion->answer.completion_tokens += result->completion_tokens;
    bool fails = result->reason == ENGINE_FAILED && !completion->failed;
    if (fails) {
        send_failure(completion, &result->error, result->too_long);
    } else if (!completion->failed) {
        choice->finish_reason = reasons[result->reason];
        if (completion->streaming) {
            begin_choice(choice);
            send_chunk(completion,
                chat_answer_end(&completion->answer, choice->index, choice->finish_reason));
        }
        if (completion->running == 0) finish_all(completion);
    }
    pthread_mutex_unlock(&completion->lock);
    if (fails) cancel(completion); // the other choices
    stream_release(stream);        // the choice's own reference; may free the completion
}

static bool submit(struct completion *completion, struct choice *choice,
    struct engine_request *request, struct error *error) {
    uint64_t ticket = 0;
    stream_retain(completion->stream);
    request->context = choice;
    if (!engine_submit(completion->engine, request, &ticket, error)) {
        stream_release(completion->stream);
        return false;
    }
    pthread_mutex_lock(&completion->lock);
    choice->ticket = ticket;
    pthread_mutex_unlock(&completion->lock);
    return true;
}

// Submits all choices. Those after a failure are never begun; those before it are cancelled.
static void submit_all(struct completion *completion, struct engine_request *request) {
    struct error error = {0};
    for (int i = 0; i < completion->count; i++) {
        if (i > 0) request->seed++;
        if (submit(completion, &completion->choices[i], request, &error)) continue;
        pthread_mutex_lock(&completion->lock);
        completion->running -= completion->count - i;
        if (!completion->failed) send_failure(completion, &error, false);
        pthread_mutex_unlock(&completion->lock);
        cancel(completion);
        return;
    }
}

static struct completion *create(
    struct engine *engine, const struct chat_request *request, struct error *error) {
    struct completion *completion = memory_alloc_zeroed(1, sizeof *completion);
    if (!completion) {
        memory_error(error, "a completion");
        return NULL;
    }
    pthread_mutex_init(&completion->lock, NULL);
    completion->engine = engine;
    completion->streaming = request->stream;
    completion->count = completion->running = request->choices;
    for (int i = 0; i < completion->count; i++) {
        struct choice *choice = &completion->choices[i];
        choice->completion = completion;
        choice->index = i;
        buffer_init(&choice->text, TEXT_MAXIMUM);
    }
    if (chat_answer_init(&completion->answer, request->model, request->include_usage, error))
        return completion;
    destroy(completion);
    return NULL;
}

void completion_start(struct engine *engine, const struct chat_request *request,
    const char *model_directory, const char *adapter_directory, struct reply *reply) {
    struct error error = {0};
    struct stream *stream = NULL;
    struct completion *completion = create(engine, request, &error);
    if (!completion || !stream_open(&stream, &error)) {
        if (completion) destroy(completion);
        reply_failure(reply, "starting an answer", &error);
        return;
    }
    completion->stream = stream;
    stream_on_abandon(stream, cancel, destroy, completion);
    struct engine_request submission = {
        .model = model_directory,
        .adapter = adapter_directory,
        .messages = request->messages,
        .temperature = request->temperature,
        .top_p = request->top_p,
        .maximum_tokens = request->maximum_tokens,
        .has_seed = request->has_seed,
        .seed = request->seed,
        .stops = request->stops,
        .stop_count = request->stop_count,
        .piece = take_piece,
        .finished = take_result,
    };
    submit_all(completion, &submission);
    reply->stream = stream;
}
