// An answer that is not there yet: threads that make it write, the connection's thread reads, and
// neither waits for the other. A connection with nothing to send is parked (suspended) and woken by
// the next write.
//
// First comes the head, a reply (stream_start): whole, or, for server-sent events, followed by
// bytes (stream_write) until stream_end. Before the head, the producer can still choose an error
// status.
//
// References are counted: the connection holds one, each producer one. When the connection goes,
// the stream is abandoned: what is written is dropped, and the canceller is called once, under no
// lock.
#ifndef SERVICE_STREAM_H
#define SERVICE_STREAM_H

#include "base/error.h"
#include <stddef.h>
#include <sys/types.h>

struct stream;
struct reply;

bool stream_open(struct stream **stream, struct error *error) WARN_UNUSED; // with one reference
struct stream *stream_retain(struct stream *stream);
void stream_release(struct stream *stream); // NULL is allowed

// ---- the producer's side

// What to call, once, when the client goes away or the server ends; called at once if it already
// has. The context lives as long as the stream: `destroy` is called with the last reference.
void stream_on_abandon(struct stream *stream, void (*canceller)(void *context),
    void (*destroy)(void *context), void *context);

// Takes the reply over (it is left empty). With `events`, the body is what stream_write brings.
void stream_start(struct stream *stream, struct reply *reply, bool events);
bool stream_started(struct stream *stream);
void stream_write(struct stream *stream, const char *bytes, size_t length);

// One server-sent event: "data: ", the text, an empty line.
void stream_write_event(struct stream *stream, const char *text);
void stream_end(struct stream *stream);
bool stream_abandoned(struct stream *stream);

// ---- the connection's side

// Has the connection parked by `park` unless there is something to do: a head before
// `stream_take_head`, bytes or the end after. Returns true if it was parked; `wake` is called,
// once, when that changes. Both are called under the stream's lock, so that no wake can overtake
// its park.
bool stream_park(
    struct stream *stream, void (*park)(void *context), void (*wake)(void *context), void *context);

// Moves the head out, once. False if it is not there yet. *events: bytes follow.
bool stream_take_head(struct stream *stream, struct reply *reply, bool *events);

// Reads up to `size` bytes: their number, 0 if there are none at present, -1 at the end.
ssize_t stream_read(struct stream *stream, char *bytes, size_t size);

// The client has gone, or the server ends: calls the canceller. After it, `wake` is never called
// again.
void stream_abandon(struct stream *stream);

// Calls the canceller, but keeps the connection: the producer ends the stream in its own manner.
void stream_cancel(struct stream *stream);

#endif
