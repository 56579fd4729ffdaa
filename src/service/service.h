// What the handlers work with: the parts of the house that `temper serve` has opened. All are
// borrowed, outlive the server, and may be used from any thread.
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>

struct access_log;
struct metrics;
struct limits;
struct store;
struct supervisor;
struct batch_runner;
struct upload_keeper;
struct usage;
struct job_checks;
struct job_streams;
struct webhook_sender;
struct engine;

struct service {
    struct store *store;
    struct limits *limits; // NULL: nothing is limited
    struct supervisor *supervisor;
    struct batch_runner *batches;
    struct upload_keeper *uploads;
    struct job_checks *checks;
    struct job_streams *job_streams;
    struct webhook_sender *webhooks;
    bool inward_webhooks; // the operator allows addresses of this machine and its network
    struct engine *engine;
    const char *data;    // the data directory
    struct usage *usage; // NULL: nothing is counted
    struct metrics *metrics;
    struct access_log *access_log; // NULL: none is kept
    bool secure;                   // it speaks HTTPS
    bool metrics_open;             // /metrics answers everyone, not only this machine
    const char *allowed_origins;   // whose pages may ask from a browser; NULL for none
    atomic_bool draining;          // the server is about to end
};

#endif
