// The requests of batches that are running: a fixed number of places. Answers come from other
// threads; the runner's thread collects them.
#ifndef JOBS_BATCH_FLIGHTS_H
#define JOBS_BATCH_FLIGHTS_H

#include "jobs/batch_runner.h"
#include <pthread.h>

// As many run at once as fill the engine's passes; further places hold answers that are not written
// yet.
enum { BATCH_FLIGHTS = 64, BATCH_RUNNING = 16, BATCH_ID_SIZE = 48 };

struct batch_flight {
    struct batch_flights *flights;
    bool used, ended; // `ended` under the lock, as are status and answer until it is set
    char batch[BATCH_ID_SIZE];
    int64_t line;
    char *custom_id;
    uint64_t run;
    int status;
    json_t *answer;
    double ended_at; // monotonic seconds
};

struct batch_flights {
    struct batch_flight places[BATCH_FLIGHTS];
    pthread_mutex_t *lock; // of the runner
    pthread_cond_t *wake;
    bool *woken;
};

// A free place, or NULL where there is none, or enough requests run.
struct batch_flight *batch_flights_free(struct batch_flights *flights);

// Begins the request in the place. What `run` says; where it is false the place is free again.
bool batch_flight_begin(struct batch_flight *flight, const struct batch_runner_options *options,
    const char *account, const json_t *body, struct error *error) WARN_UNUSED;

// How many places that batch has (all batches: NULL).
size_t batch_flights_count(struct batch_flights *flights, const char *batch);

// How many of a batch still run.
size_t batch_flights_running(struct batch_flights *flights, const char *batch);

// Whether it has come to its end.
bool batch_flight_ended(struct batch_flight *flight);
void batch_flight_release(struct batch_flight *flight);

// Cancels those of a batch (NULL: all); they end soon.
void batch_flights_cancel(
    struct batch_flights *flights, const struct batch_runner_options *options, const char *batch);

#endif
