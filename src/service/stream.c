// The stream between those who make an answer and the connection that sends it.
#include "service/stream.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "service/reply.h"
#include <pthread.h>
#include <string.h>

// A client that reads slower than a model writes makes this grow; the longest answer of a model
// with a context of a million tokens, each in an event of its own, still fits.
enum { STREAM_MAXIMUM = 256 << 20 };

struct stream {
    pthread_mutex_t lock;
    int references;
    struct reply head;
    bool has_head, events, head_taken;
    struct buffer pending; // written, not yet read
    size_t read;           // bytes of `pending` that were read
    bool ended, abandoned, cancelled;
    void (*canceller)(void *context); // NULL once called, and after the end
    void (*destroy)(void *context);
    void *canceller_context;
    void (*wake)(void *context); // NULL while nobody is parked
    void *wake_context;
};

bool stream_open(struct stream **result, struct error *error) {
    struct stream *stream = memory_alloc_zeroed(1, sizeof *stream);
    if (!stream) return memory_error(error, "a stream");
    pthread_mutex_init(&stream->lock, NULL);
    stream->references = 1;
    reply_init(&stream->head);
    buffer_init(&stream->pending, STREAM_MAXIMUM);
    *result = stream;
    return true;
}

struct stream *stream_retain(struct stream *stream) {
    pthread_mutex_lock(&stream->lock);
    stream->references++;
    pthread_mutex_unlock(&stream->lock);
    return stream;
}

void stream_release(struct stream *stream) {
    if (!stream) return;
    pthread_mutex_lock(&stream->lock);
    bool last = --stream->references == 0;
    pthread_mutex_unlock(&stream->lock);
    if (!last) return;
    if (stream->destroy) stream->destroy(stream->canceller_context);
    reply_free(&stream->head);
    buffer_free(&stream->pending);
    pthread_mutex_destroy(&stream->lock);
    memory_free(stream);
}

// Under the lock.
static void wake(struct stream *stream) {
    void (*function)(void *) = stream->wake;
    stream->wake = NULL;
    if (function) function(stream->wake_context);
}

void stream_on_abandon(struct stream *stream, void (*canceller)(void *context),
    void (*destroy)(void *context), void *context) {
    pthread_mutex_lock(&stream->lock);
    bool at_once = stream->cancelled;
    stream->canceller = at_once ? NULL : canceller;
    stream->destroy = destroy;
    stream->canceller_context = context;
    pthread_mutex_unlock(&stream->lock);
    if (at_once) canceller(context);
}

void stream_start(struct stream *stream, struct reply *reply, bool events) {
    pthread_mutex_lock(&stream->lock);
    if (!stream->has_head) {
        stream->head = *reply;
        reply_init(reply);
        stream->has_head = true;
        stream->events = events;
        wake(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    reply_free(reply);
}

bool stream_started(struct stream *stream) {
    pthread_mutex_lock(&stream->lock);
    bool started = stream->has_head;
    pthread_mutex_unlock(&stream->lock);
    return started;
}

// Under the lock.
static void append(struct stream *stream, const char *bytes, size_t length) {
    if (stream->ended || stream->abandoned) return;
    buffer_append(&stream->pending, bytes, length);
    stream->ended |= stream->pending.failed;
}

void stream_write(struct stream *stream, const char *bytes, size_t length) {
    pthread_mutex_lock(&stream->lock);
    append(stream, bytes, length);
    wake(stream);
    pthread_mutex_unlock(&stream->lock);
}

void stream_write_event(struct stream *stream, const char *text) {
    pthread_mutex_lock(&stream->lock);
    append(stream, "data: ", 6);
    append(stream, text, strlen(text));
    append(stream, "\n\n", 2);
    wake(stream);
    pthread_mutex_unlock(&stream->lock);
}

void stream_end(struct stream *stream) {
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    stream->canceller = NULL;
    wake(stream);
    pthread_mutex_unlock(&stream->lock);
}

bool stream_abandoned(struct stream *stream) {
    pthread_mutex_lock(&stream->lock);
    bool abandoned = stream->abandoned;
    pthread_mutex_unlock(&stream->lock);
    return abandoned;
}

// Under the lock.
static bool something_to_do(const struct stream *stream) {
    if (!stream->head_taken) return stream->has_head;
    return stream->ended || stream->read < stream->pending.length;
}

bool stream_park(struct stream *stream, void (*park)(void *context), void (*waker)(void *context),
    void *context) {
    pthread_mutex_lock(&stream->lock);
    bool parked = !something_to_do(stream) && !stream->abandoned;
    if (parked) {
        stream->wake = waker;
        stream->wake_context = context;
        park(context);
    }
    pthread_mutex_unlock(&stream->lock);
    return parked;
}

bool stream_take_head(struct stream *stream, struct reply *reply, bool *events) {
    pthread_mutex_lock(&stream->lock);
    bool there = stream->has_head && !stream->head_taken;
    if (there) {
        *reply = stream->head;
        reply_init(&stream->head);
        stream->head_taken = true;
        *events = stream->events;
    }
    pthread_mutex_unlock(&stream->lock);
    return there;
}

ssize_t stream_read(struct stream *stream, char *bytes, size_t size) {
    pthread_mutex_lock(&stream->lock);
    size_t left = stream->pending.length - stream->read;
    size_t take = left < size ? left : size;
    if (take > 0) memcpy(bytes, stream->pending.data + stream->read, take);
    stream->read += take;
    if (stream->read == stream->pending.length && !stream->pending.failed) {
        buffer_clear(&stream->pending);
        stream->read = 0;
    }
    ssize_t result = take > 0 ? (ssize_t)take : stream->ended ? -1 : 0;
    pthread_mutex_unlock(&stream->lock);
    return result;
}

static void call_canceller(struct stream *stream, bool connection_gone) {
    pthread_mutex_lock(&stream->lock);
    void (*canceller)(void *) = stream->canceller;
    void *context = stream->canceller_context;
    stream->canceller = NULL;
    stream->cancelled = true;
    if (connection_gone) {
        stream->abandoned = true;
        stream->wake = NULL;
    }
    pthread_mutex_unlock(&stream->lock);
    if (canceller) canceller(context);
}

void stream_abandon(struct stream *stream) {
    call_canceller(stream, true);
}

void stream_cancel(struct stream *stream) {
    call_canceller(stream, false);
}
