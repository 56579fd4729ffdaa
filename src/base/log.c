// See log.h.
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int least_level = LOG_INFO;

void log_set_level(enum log_level least) {
    atomic_store(&least_level, (int)least);
}

static void log_write(enum log_level level, const char *format, va_list arguments) {
    static const char *const names[] = {"debug", "info ", "warn ", "error"};
    if ((int)level < atomic_load(&least_level)) return;
    char text[2048], line[4096];
    vsnprintf(text, sizeof text, format, arguments);
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%SZ ", &parts);
    used += (size_t)snprintf(line + used, sizeof line - used, "%s ", names[level]);
    for (const char *c = text; *c && used < sizeof line - 8; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            used += (size_t)snprintf(line + used, sizeof line - used, "\\x%02x", *c);
        } else {
            line[used++] = *c;
        }
    }
    line[used++] = '\n';
    // A log that cannot be written has nowhere to say so.
    if (write(STDERR_FILENO, line, used) < 0) return;
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *format, ...) {                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        log_write(level, format, arguments);                                                       \
        va_end(arguments);                                                                         \
    }

LOG_FUNCTION(log_debug, LOG_DEBUG)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_warning, LOG_WARNING)
LOG_FUNCTION(log_error, LOG_ERROR)
