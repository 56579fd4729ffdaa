// The access log: a line for each request that has ended, text or JSON as the log is (base/log.h),
// on standard error or in a file of its own.
//
//   2026-01-31T12:00:00Z info  [req_…] personal GET /v1/models 200 512 bytes 0.8 ms
//
// It never holds a key, a query, a body or a header. Every function may be called from any thread.
#ifndef SERVICE_ACCESS_LOG_H
#define SERVICE_ACCESS_LOG_H

#include "base/error.h"
#include <stdint.h>

struct access_log;

struct access_log_entry {
    const char *id, *account; // account NULL where none was found
    const char *method, *path;
    int status; // 0: it was not answered
    uint64_t bytes;
    double milliseconds;
    bool cut_off;
};

// Appends to `path`; NULL for standard error.
bool access_log_open(struct access_log **log, const char *path, struct error *error) WARN_UNUSED;
void access_log_close(struct access_log *log); // NULL is allowed

// Opens the file anew, after it was moved away. Where that fails the old one is kept.
bool access_log_reopen(struct access_log *log, struct error *error) WARN_UNUSED;

void access_log_write(struct access_log *log, const struct access_log_entry *entry);

#endif
