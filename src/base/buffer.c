// See buffer.h.
#include "base/buffer.h"

#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t maximum) {
    *buffer = (struct buffer){.maximum = maximum};
}

void buffer_free(struct buffer *buffer) {
    memory_free(buffer->data);
    *buffer = (struct buffer){.maximum = buffer->maximum};
}

void buffer_clear(struct buffer *buffer) {
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->data) buffer->data[0] = 0;
}

// Makes room for `more` bytes and a NUL; false, and a failure that sticks, if there is none.
static bool buffer_reserve(struct buffer *buffer, size_t more) {
    if (buffer->failed) return false;
    if (more > buffer->maximum - buffer->length) {
        buffer->failed = true;
        return false;
    }
    size_t needed = buffer->length + more + 1;
    if (needed <= buffer->capacity) return true;
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity < needed)
        capacity += capacity / 2 + 1;
    char *data = memory_resize(buffer->data, capacity, 1);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length) {
    if (!buffer_reserve(buffer, length)) return;
    if (length) memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = 0;
}

void buffer_append_text(struct buffer *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char character) {
    buffer_append(buffer, &character, 1);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
    } else if (buffer_reserve(buffer, (size_t)length)) {
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

const char *buffer_text(const struct buffer *buffer) {
    return buffer->data ? buffer->data : "";
}

char *buffer_take(struct buffer *buffer) {
    if (!buffer_reserve(buffer, 0)) {
        buffer_free(buffer);
        return NULL;
    }
    char *data = buffer->data;
    data[buffer->length] = 0;
    *buffer = (struct buffer){.maximum = buffer->maximum};
    return data;
}

bool buffer_ok(const struct buffer *buffer, const char *what, struct error *error) {
    if (!buffer->failed) return true;
    if (buffer->length + 1 >= buffer->maximum || buffer->maximum - buffer->length < 4096) {
        return error_set(
            error, ERROR_INVALID, "%s is longer than the %zu bytes allowed", what, buffer->maximum);
    }
    return memory_error(error, what);
}
