// From bytes of tokens to pieces of text that may be shown: whole UTF-8 characters, and nothing
// that may yet turn out to be the beginning of a stop text.
#ifndef GENERATE_TEXT_STREAM_H
#define GENERATE_TEXT_STREAM_H

#include "base/buffer.h"

struct text_stream {
    const char *const *stops; // borrowed
    size_t stop_count;
    struct buffer held; // not shown yet
    size_t released;    // bytes of tokens that were shown, or replaced
    bool stopped;       // a stop text came: what follows is dropped
};

void text_stream_init(struct text_stream *stream, const char *const *stops, size_t stop_count);
void text_stream_free(struct text_stream *stream);

// Adds a token's bytes. `ready` (kept by the caller, cleared here) gets what may be shown now.
bool text_stream_add(struct text_stream *stream, const char *bytes, size_t length,
    struct buffer *ready, struct error *error) WARN_UNUSED;

// The end: the rest. Here as above U+FFFD stands for bytes that are no character.
bool text_stream_finish(
    struct text_stream *stream, struct buffer *ready, struct error *error) WARN_UNUSED;

#endif
