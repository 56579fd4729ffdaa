// See access_log.h. One line is one write.
#include "service/access_log.h"
#include "base/log.h"
#include "base/memory.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { FIELD_SIZE = 1024, LINE_SIZE = 4096 };

struct access_log {
    pthread_mutex_t lock; // against a descriptor that is closed while another thread writes
    char *path;           // NULL: standard error
    int descriptor;
};

static bool open_file(const char *path, int *descriptor, struct error *error) {
    *descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return *descriptor >= 0 ||
           error_set_errno(error, ERROR_IO, "cannot open the access log %s", path);
}

bool access_log_open(struct access_log **result, const char *path, struct error *error) {
    struct access_log *log = memory_alloc_zeroed(1, sizeof *log);
    if (!log) return memory_error(error, "the access log");
    pthread_mutex_init(&log->lock, NULL);
    log->descriptor = STDERR_FILENO;
    log->path = path ? memory_copy_string(path) : NULL;
    bool ok = !path || (log->path ? open_file(path, &log->descriptor, error)
                                  : memory_error(error, "the access log"));
    if (ok)
        *result = log;
    else
        access_log_close(log);
    return ok;
}

void access_log_close(struct access_log *log) {
    if (!log) return;
    if (log->path && log->descriptor >= 0 && log->descriptor != STDERR_FILENO)
        close(log->descriptor);
    memory_free(log->path);
    pthread_mutex_destroy(&log->lock);
    memory_free(log);
}

bool access_log_reopen(struct access_log *log, struct error *error) {
    int fresh;
    if (!log || !log->path) return true;
    if (!open_file(log->path, &fresh, error)) return false;
    pthread_mutex_lock(&log->lock);
    int old = log->descriptor;
    log->descriptor = fresh;
    pthread_mutex_unlock(&log->lock);
    close(old);
    return true;
}

static int write_text(char *line, const char *time, const struct access_log_entry *entry,
    const char *account, const char *method, const char *path) {
    return snprintf(line, LINE_SIZE, "%s info  [%s] %s %s %s %d %llu bytes %.1f ms%s\n", time,
        entry->id, entry->account ? account : "-", method, path, entry->status,
        (unsigned long long)entry->bytes, entry->milliseconds, entry->cut_off ? ", cut off" : "");
}

static int write_json(char *line, const char *time, const struct access_log_entry *entry,
    const char *account, const char *method, const char *path) {
    const char *quote = entry->account ? "\"" : "";
    return snprintf(line, LINE_SIZE,
        "{\"time\": \"%s\", \"level\": \"info\", \"request_id\": \"%s\", \"message\": \"request\", "
        "\"account\": %s%s%s, \"method\": \"%s\", \"path\": \"%s\", \"status\": %d, "
        "\"bytes\": %llu, \"milliseconds\": %.1f, \"cut_off\": %s}\n",
        time, entry->id, quote, entry->account ? account : "null", quote, method, path,
        entry->status, (unsigned long long)entry->bytes, entry->milliseconds,
        entry->cut_off ? "true" : "false");
}

void access_log_write(struct access_log *log, const struct access_log_entry *entry) {
    char line[LINE_SIZE], time[LOG_TIME_SIZE], account[256], method[64], path[FIELD_SIZE];
    log_time(time);
    log_escape(account, sizeof account, entry->account ? entry->account : "");
    log_escape(method, sizeof method, entry->method);
    log_escape(path, sizeof path, entry->path);
    int length = (log_form() == LOG_JSON ? write_json : write_text)(
        line, time, entry, account, method, path);
    if (length >= LINE_SIZE) length = LINE_SIZE - 1;
    pthread_mutex_lock(&log->lock);
    // As with the log itself: where it cannot be written, there is nowhere to say so.
    ssize_t written = write(log->descriptor, line, (size_t)length);
    pthread_mutex_unlock(&log->lock);
    (void)written;
}
