// See log.h.
#include "base/log.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_SIZE = 2048, LINE_SIZE = 4096, ESCAPE_LENGTH = 6 };

static atomic_int least_level = LOG_INFO;
static atomic_int chosen_form = LOG_TEXT;
static _Thread_local const char *request_id;

void log_set_level(enum log_level least) {
    atomic_store(&least_level, (int)least);
}

void log_set_form(enum log_form form) {
    atomic_store(&chosen_form, (int)form);
}

enum log_form log_form(void) {
    return (enum log_form)atomic_load(&chosen_form);
}

void log_set_request(const char *id) {
    request_id = id;
}

const char *log_request(void) {
    return request_id;
}

void log_time(char text[LOG_TIME_SIZE]) {
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, LOG_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

size_t log_escape(char *escaped, size_t size, const char *text) {
    size_t used = 0, left = strlen(text), whole = utf8_valid_length(text, left);
    for (; left > 0 && used + ESCAPE_LENGTH < size; text++, left--) {
        unsigned char c = (unsigned char)*text;
        if (whole == 0) whole = utf8_valid_length(text, left);
        if (whole == 0) {
            escaped[used++] = '?';
            continue;
        }
        whole--;
        if (c == '"' || c == '\\') escaped[used++] = '\\';
        if (c < 0x20 || c == 0x7f)
            used += (size_t)snprintf(escaped + used, size - used, "\\u%04x", c);
        else
            escaped[used++] = (char)c;
    }
    escaped[used] = '\0';
    utf8_repair(escaped); // where it was cut
    return used;
}

static int write_text(char *line, const char *time, enum log_level level, const char *text) {
    static const char *const names[] = {"debug", "info ", "warn ", "error"};
    const char *id = request_id;
    int used = snprintf(line, LINE_SIZE, "%s %s %s%s%s", time, names[level], id ? "[" : "",
        id ? id : "", id ? "] " : "");
    for (; *text && used < LINE_SIZE - 8; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            used += snprintf(line + used, (size_t)(LINE_SIZE - used), "\\x%02x", *text);
        else
            line[used++] = *text;
    }
    line[used++] = '\n';
    return used;
}

static int write_json(char *line, const char *time, enum log_level level, const char *text) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    const char *id = request_id;
    int used =
        snprintf(line, LINE_SIZE, "{\"time\": \"%s\", \"level\": \"%s\", %s%s%s\"message\": \"",
            time, names[level], id ? "\"request_id\": \"" : "", id ? id : "", id ? "\", " : "");
    used += (int)log_escape(line + used, (size_t)(LINE_SIZE - used - 4), text);
    return used + snprintf(line + used, (size_t)(LINE_SIZE - used), "\"}\n");
}

static void log_write(enum log_level level, const char *format, va_list arguments) {
    if ((int)level < atomic_load(&least_level)) return;
    char text[TEXT_SIZE], line[LINE_SIZE], time[LOG_TIME_SIZE];
    vsnprintf(text, sizeof text, format, arguments);
    log_time(time);
    int length = log_form() == LOG_JSON ? write_json(line, time, level, text)
                                        : write_text(line, time, level, text);
    // A log that cannot be written has nowhere to say so.
    if (write(STDERR_FILENO, line, (size_t)length) < 0) return;
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
