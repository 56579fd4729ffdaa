#include "train/train_events.h"
#include "base/file.h"
#include "base/job_format.h"
#include "base/memory.h"
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// The end of the last whole line.
static off_t whole_lines(int descriptor, off_t size) {
    char block[4096];
    while (size > 0) {
        off_t at = size > (off_t)sizeof block ? size - (off_t)sizeof block : 0;
        ssize_t got = pread(descriptor, block, (size_t)(size - at), at);
        if (got != size - at) return -1;
        for (ssize_t i = got; i > 0; i--)
            if (block[i - 1] == '\n') return at + i;
        size = at;
    }
    return 0;
}

bool train_events_open(struct train_events *events, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    events->descriptor = -1;
    if (!file_path(path, sizeof path, error, directory, JOB_EVENTS_FILE)) return false;
    int descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) return error_set_errno(error, ERROR_IO, "cannot open %s", path);
    struct stat status;
    off_t end = fstat(descriptor, &status) < 0 ? -1 : whole_lines(descriptor, status.st_size);
    if (end < 0 || (end < status.st_size && ftruncate(descriptor, end) < 0)) {
        error_set_errno(error, ERROR_IO, "cannot read %s", path);
        close(descriptor);
        return false;
    }
    events->descriptor = descriptor;
    return true;
}

void train_events_close(struct train_events *events) {
    if (events->descriptor >= 0) close(events->descriptor);
    events->descriptor = -1;
}

bool train_events_write(struct train_events *events, json_t *object, struct error *error) {
    if (events->descriptor < 0) {
        json_decref(object);
        return true;
    }
    char *text = NULL;
    if (object && json_object_set_new(object, "time", json_integer(time(NULL))) == 0)
        text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(object);
    char *line = text ? memory_format("%s\n", text) : NULL;
    free(text);
    if (!line) return memory_error(error, "an event");
    bool ok = file_write_all(events->descriptor, line, strlen(line), error);
    memory_free(line);
    return ok || error_prefix(error, "cannot write %s", JOB_EVENTS_FILE);
}

bool train_events_status(struct train_events *events, const char *status, struct error *error) {
    return train_events_write(
        events, json_pack("{s:s, s:s}", "type", "status", "status", status), error);
}

bool train_events_message(
    struct train_events *events, const char *level, struct error *error, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return train_events_write(events,
        json_pack("{s:s, s:s, s:s}", "type", "message", "level", level, "message", text), error);
}

bool train_events_failure(struct train_events *events, const char *code, const char *message,
    const char *param, struct error *error) {
    return train_events_write(events,
               json_pack("{s:s, s:s, s:s, s:s?}", "type", "error", "code", code, "message", message,
                   "param", param),
               error) &&
           train_events_status(events, "failed", error);
}

static json_t *number_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *train_metrics_json(const struct train_metrics *m, const char *type) {
    return json_pack("{s:s, s:I, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:I, s:f}",
        "type", type, "step", (json_int_t)m->step, "total_steps", (json_int_t)m->total_steps,
        "epoch", m->epoch, "train_loss", number_or_null(m->train_loss), "train_mean_token_accuracy",
        number_or_null(m->train_accuracy), "valid_loss", number_or_null(m->valid_loss),
        "valid_mean_token_accuracy", number_or_null(m->valid_accuracy), "full_valid_loss",
        number_or_null(m->full_valid_loss), "full_valid_mean_token_accuracy",
        number_or_null(m->full_valid_accuracy), "learning_rate", m->learning_rate, "grad_norm",
        number_or_null(m->grad_norm), "tokens", (json_int_t)m->tokens, "tokens_per_second",
        m->tokens_per_second);
}
