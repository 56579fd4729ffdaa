// A growing run of bytes with a maximum given at birth. The first failure (memory short, maximum
// passed) sticks: later appends do nothing, and the caller asks once, at the end, with buffer_ok.
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/error.h"
#include <stddef.h>

struct buffer {
    char *data; // always followed by a NUL once anything was appended; may be NULL while empty
    size_t length;
    size_t capacity;
    size_t maximum; // most bytes that `length` may reach
    bool failed;
};

void buffer_init(struct buffer *buffer, size_t maximum);
void buffer_free(struct buffer *buffer);  // also of a buffer that failed; leaves it empty
void buffer_clear(struct buffer *buffer); // keeps the memory; forgets a failure

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char character);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

// The text so far, "" if there is none. Owned by the buffer.
const char *buffer_text(const struct buffer *buffer);

// Hands the bytes over to the caller (memory_free) and leaves the buffer empty. NULL if it failed.
char *buffer_take(struct buffer *buffer) WARN_UNUSED;

// True if nothing failed; else sets the error, naming what the buffer was for.
bool buffer_ok(const struct buffer *buffer, const char *what, struct error *error) WARN_UNUSED;

#endif
