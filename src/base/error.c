// See error.h.
#include "base/error.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void error_write(
    struct error *error, enum error_code code, const char *format, va_list arguments) {
    error->code = code;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    utf8_repair(error->message); // a text may have been cut, or quoted from a file
}

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error_write(error, code, format, arguments);
        va_end(arguments);
    }
    return false;
}

bool error_set_errno(struct error *error, enum error_code code, const char *format, ...) {
    int saved = errno;
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error_write(error, code, format, arguments);
        va_end(arguments);
        char text[128];
        const char *reason = strerror_r(saved, text, sizeof text);
        size_t used = strlen(error->message);
        snprintf(error->message + used, sizeof error->message - used, ": %s", reason);
    }
    errno = saved;
    return false;
}

bool error_prefix(struct error *error, const char *format, ...) {
    if (error) {
        char prefix[512];
        char whole[sizeof error->message + sizeof prefix + 2];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(prefix, sizeof prefix, format, arguments);
        va_end(arguments);
        snprintf(whole, sizeof whole, "%s: %s", prefix, error->message);
        snprintf(
            error->message, sizeof error->message, "%.*s", (int)sizeof error->message - 1, whole);
        utf8_repair(error->message);
    }
    return false;
}
