// Following jobs.
#include "service/job_stream.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/job_object.h"
#include "service/reply.h"
#include "service/stream.h"
#include "store/store.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POLL_MILLISECONDS = 200,
    EVENTS_AT_ONCE = 100,
    SIGN_SECONDS = 15, // of life, where nothing happens: proxies cut silent connections
};

struct follower {
    struct follower *next;
    struct stream *stream; // a reference of the thread
    char *account, *job, *after;
    time_t spoken;
    atomic_bool gone; // the client, or the server
};

struct job_streams {
    struct store *store;
    const atomic_bool *draining;
    pthread_t thread;
    pthread_mutex_t lock; // guards the list and `closing`
    pthread_cond_t wake;
    struct follower *followers;
    bool closing;
};

// With the stream's last reference.
static void destroy(void *context) {
    struct follower *follower = context;
    memory_free(follower->account);
    memory_free(follower->job);
    memory_free(follower->after);
    memory_free(follower);
}

static void leave(void *context) {
    struct follower *follower = context;
    follower->gone = true;
}

// ---- sending ----

static bool send_event(struct follower *follower, const struct event_record *event) {
    json_t *object = job_event_object(event);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    char *after = memory_copy_string(event->id);
    bool good = text && after;
    if (good) {
        stream_write_event(follower->stream, text);
        memory_free(follower->after);
        follower->after = after;
        follower->spoken = time(NULL);
    } else {
        memory_free(after);
    }
    free(text);
    json_decref(object);
    return good;
}

// Sends what is new. *more: there may be more already.
static bool send_new(
    struct job_streams *streams, struct follower *follower, bool *more, struct error *error) {
    struct page_query query = {
        follower->account, follower->job, follower->after, EVENTS_AT_ONCE, .ascending = true};
    struct event_record *events;
    size_t count;
    if (!event_list(streams->store, &query, &events, &count, more, error)) return false;
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = send_event(follower, &events[i]);
    event_list_free(events, count);
    return good || memory_error(error, "an event");
}

static void give_sign(struct follower *follower) {
    time_t now = time(NULL);
    if (now - follower->spoken < SIGN_SECONDS) return;
    stream_write(follower->stream, ": waiting\n\n", 11);
    follower->spoken = now;
}

// Whether the follower is to be kept. The job's end is asked for before its events are read, so
// that none comes between.
static bool look(struct job_streams *streams, struct follower *follower) {
    struct job_record job;
    struct error error;
    bool more = true;
    if (follower->gone || *streams->draining) return false;
    bool good = job_get(streams->store, follower->account, follower->job, &job, &error);
    bool over = good && job_status_is_final(job.status);
    if (good) job_record_free(&job);
    while (good && more)
        good = send_new(streams, follower, &more, &error);
    if (!good) log_error("events of %s: %s", follower->job, error.message);
    if (good && over) stream_write_event(follower->stream, "[DONE]");
    if (good && !over) give_sign(follower);
    return good && !over;
}

static void drop(struct follower *follower) {
    struct stream *stream = follower->stream;
    stream_end(stream);
    stream_release(stream); // may free the follower
}

// ---- the thread ----

static void wait_a_moment(struct job_streams *streams) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MILLISECONDS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&streams->wake, &streams->lock, &until);
}

// Under the lock: new followers wait for their turn. Nothing here waits for a client.
static void look_at_all(struct job_streams *streams) {
    for (struct follower **at = &streams->followers; *at;) {
        struct follower *follower = *at;
        if (!streams->closing && look(streams, follower)) {
            at = &follower->next;
            continue;
        }
        *at = follower->next;
        drop(follower);
    }
}

static void *follow(void *context) {
    struct job_streams *streams = context;
    pthread_mutex_lock(&streams->lock);
    while (!streams->closing) {
        look_at_all(streams);
        if (streams->followers)
            wait_a_moment(streams);
        else if (!streams->closing)
            pthread_cond_wait(&streams->wake, &streams->lock);
    }
    look_at_all(streams);
    pthread_mutex_unlock(&streams->lock);
    return NULL;
}

// ---- the outside ----

static struct follower *make_follower(
    const char *account, const char *job, const char *after, struct stream *stream) {
    struct follower *follower = memory_alloc_zeroed(1, sizeof *follower);
    if (!follower) return NULL;
    *follower = (struct follower){
        .account = memory_copy_string(account),
        .job = memory_copy_string(job),
        .after = after ? memory_copy_string(after) : NULL,
        .spoken = time(NULL),
    };
    if (follower->account && follower->job && (follower->after || !after)) {
        follower->stream = stream_retain(stream);
        return follower;
    }
    destroy(follower);
    return NULL;
}

static void enlist(struct job_streams *streams, struct follower *follower) {
    pthread_mutex_lock(&streams->lock);
    follower->next = streams->followers;
    streams->followers = follower;
    pthread_cond_signal(&streams->wake);
    pthread_mutex_unlock(&streams->lock);
}

void job_streams_follow(struct job_streams *streams, const char *account, const char *job,
    const char *after, struct reply *reply) {
    struct stream *stream = NULL;
    struct reply head;
    struct error error = {0};
    bool good = stream_open(&stream, &error);
    struct follower *follower = good ? make_follower(account, job, after, stream) : NULL;
    if (good && !follower) good = memory_error(&error, "a stream of events");
    if (!good) {
        stream_release(stream);
        reply_failure(reply, "following the job", &error);
        return;
    }
    stream_on_abandon(stream, leave, destroy, follower);
    reply_init(&head);
    head.status = 200;
    stream_start(stream, &head, true);
    reply->stream = stream;
    enlist(streams, follower);
}

bool job_streams_open(struct job_streams **result, struct store *store, const atomic_bool *draining,
    struct error *error) {
    pthread_condattr_t attributes;
    struct job_streams *streams = memory_alloc_zeroed(1, sizeof *streams);
    if (!streams) return memory_error(error, "streams of events");
    streams->store = store;
    streams->draining = draining;
    pthread_mutex_init(&streams->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&streams->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&streams->thread, NULL, follow, streams) == 0) {
        *result = streams;
        return true;
    }
    pthread_cond_destroy(&streams->wake);
    pthread_mutex_destroy(&streams->lock);
    memory_free(streams);
    return error_set(error, ERROR_IO, "cannot start the thread that follows jobs");
}

void job_streams_close(struct job_streams *streams) {
    if (!streams) return;
    pthread_mutex_lock(&streams->lock);
    streams->closing = true;
    pthread_cond_signal(&streams->wake);
    pthread_mutex_unlock(&streams->lock);
    pthread_join(streams->thread, NULL);
    pthread_cond_destroy(&streams->wake);
    pthread_mutex_destroy(&streams->lock);
    memory_free(streams);
}
