#include "generate/text_stream.h"
#include "base/utf8.h"
#include <string.h>

enum { MAX_HELD = 1 << 20 };

static const char replacement[] = "\xef\xbf\xbd";

void text_stream_init(struct text_stream *stream, const char *const *stops, size_t stop_count) {
    memset(stream, 0, sizeof *stream);
    stream->stops = stops;
    stream->stop_count = stop_count;
    buffer_init(&stream->held, MAX_HELD);
}

void text_stream_free(struct text_stream *stream) {
    buffer_free(&stream->held);
}

// Where the first stop text begins, or the length.
static size_t find_stop(const struct text_stream *stream) {
    size_t first = stream->held.length;
    for (size_t i = 0; i < stream->stop_count; i++) {
        size_t size = strlen(stream->stops[i]);
        const char *found =
            size && stream->held.length
                ? memmem(stream->held.data, stream->held.length, stream->stops[i], size)
                : NULL;
        if (found && (size_t)(found - stream->held.data) < first)
            first = (size_t)(found - stream->held.data);
    }
    return first;
}

// How many bytes at the end may be the beginning of a stop text.
static size_t maybe_stop(const struct text_stream *stream) {
    size_t most = 0;
    for (size_t i = 0; i < stream->stop_count; i++) {
        size_t size = strlen(stream->stops[i]);
        for (size_t n = size ? size - 1 : 0; n > most; n--)
            if (n <= stream->held.length &&
                !memcmp(stream->held.data + stream->held.length - n, stream->stops[i], n))
                most = n;
    }
    return most;
}

// How many of the first `length` bytes are characters, or bytes that no further byte can make one.
static size_t whole_characters(const char *text, size_t length) {
    bool unfinished = false;
    size_t whole = utf8_valid_length(text, length);
    while (whole < length) {
        size_t broken = utf8_broken_length(text + whole, length - whole, &unfinished);
        if (unfinished) break;
        whole += broken;
        whole += utf8_valid_length(text + whole, length - whole);
    }
    return whole;
}

static void show(struct buffer *ready, const char *text, size_t length) {
    while (length) {
        bool unfinished;
        size_t valid = utf8_valid_length(text, length);
        buffer_append(ready, text, valid);
        if (valid < length) {
            buffer_append_text(ready, replacement);
            valid += utf8_broken_length(text + valid, length - valid, &unfinished);
        }
        text += valid;
        length -= valid;
    }
}

static void drop(struct buffer *held, size_t length) {
    memmove(held->data, held->data + length, held->length - length);
    held->length -= length;
}

bool text_stream_add(struct text_stream *stream, const char *bytes, size_t length,
    struct buffer *ready, struct error *error) {
    buffer_clear(ready);
    if (stream->stopped || !length) return true;
    buffer_append(&stream->held, bytes, length);
    if (!buffer_ok(&stream->held, "an answer", error)) return false;
    size_t stop = find_stop(stream);
    if (stop < stream->held.length) {
        stream->stopped = true;
        show(ready, stream->held.data, stop);
        stream->released += stop;
        buffer_clear(&stream->held);
        return buffer_ok(ready, "an answer", error);
    }
    size_t free_to_go = stream->held.length - maybe_stop(stream);
    size_t whole = whole_characters(stream->held.data, free_to_go);
    show(ready, stream->held.data, whole);
    drop(&stream->held, whole);
    stream->released += whole;
    return buffer_ok(ready, "an answer", error);
}

bool text_stream_finish(struct text_stream *stream, struct buffer *ready, struct error *error) {
    buffer_clear(ready);
    if (stream->held.length) show(ready, stream->held.data, stream->held.length);
    stream->released += stream->held.length;
    buffer_clear(&stream->held);
    return buffer_ok(ready, "an answer", error);
}
