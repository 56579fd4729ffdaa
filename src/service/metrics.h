// What the server counts about itself, for /metrics: requests and how long they took, by route,
// method and status; requests and connections that are open; bytes.
//
// Every function may be called from any thread.
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdint.h>

struct metrics;

struct metrics_request {
    const char *route;  // its pattern, static text; NULL where no route was found
    const char *method; // as the client wrote it
    int status;         // 0: it was cut off before it was answered
    uint64_t received, sent;
    double seconds;
    bool cut_off;
};

bool metrics_open(struct metrics **metrics, struct error *error) WARN_UNUSED;
void metrics_close(struct metrics *metrics); // NULL is allowed

void metrics_request_begins(struct metrics *metrics);
void metrics_request_ends(struct metrics *metrics, const struct metrics_request *request);
void metrics_connections_add(struct metrics *metrics, int change);

// Appends all of them in Prometheus' text format (exposition format 0.0.4).
void metrics_write(struct metrics *metrics, struct buffer *text);

#endif
