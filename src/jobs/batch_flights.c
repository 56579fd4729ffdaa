// Places for running requests.
#include "jobs/batch_flights.h"
#include "base/memory.h"
#include "base/progress.h"
#include <string.h>

size_t batch_flights_running(struct batch_flights *flights, const char *batch) {
    size_t count = 0;
    pthread_mutex_lock(flights->lock);
    for (size_t i = 0; i < BATCH_FLIGHTS; i++) {
        const struct batch_flight *flight = &flights->places[i];
        count += flight->used && !flight->ended && (!batch || !strcmp(flight->batch, batch));
    }
    pthread_mutex_unlock(flights->lock);
    return count;
}

struct batch_flight *batch_flights_free(struct batch_flights *flights) {
    if (batch_flights_running(flights, NULL) >= BATCH_RUNNING) return NULL;
    for (size_t i = 0; i < BATCH_FLIGHTS; i++)
        if (!flights->places[i].used) return &flights->places[i];
    return NULL;
}

// Called from any thread, also before `run` has returned.
static void take_answer(void *context, int status, json_t *answer) {
    struct batch_flight *flight = context;
    struct batch_flights *flights = flight->flights;
    pthread_mutex_lock(flights->lock);
    flight->status = status;
    flight->answer = answer;
    flight->ended = true;
    flight->ended_at = progress_clock();
    *flights->woken = true;
    pthread_cond_signal(flights->wake);
    pthread_mutex_unlock(flights->lock);
}

bool batch_flight_begin(struct batch_flight *flight, const struct batch_runner_options *options,
    const char *account, const json_t *body, struct error *error) {
    uint64_t run = 0;
    flight->used = true;
    if (options->run(options->context, account, body, take_answer, flight, &run, error)) {
        flight->run = run;
        return true;
    }
    batch_flight_release(flight);
    return false;
}

size_t batch_flights_count(struct batch_flights *flights, const char *batch) {
    size_t count = 0;
    for (size_t i = 0; i < BATCH_FLIGHTS; i++)
        count += flights->places[i].used && (!batch || !strcmp(flights->places[i].batch, batch));
    return count;
}

bool batch_flight_ended(struct batch_flight *flight) {
    pthread_mutex_lock(flight->flights->lock);
    bool ended = flight->used && flight->ended;
    pthread_mutex_unlock(flight->flights->lock);
    return ended;
}

void batch_flight_release(struct batch_flight *flight) {
    struct batch_flights *flights = flight->flights;
    memory_free(flight->custom_id);
    json_decref(flight->answer);
    *flight = (struct batch_flight){.flights = flights};
}

void batch_flights_cancel(
    struct batch_flights *flights, const struct batch_runner_options *options, const char *batch) {
    for (size_t i = 0; i < BATCH_FLIGHTS; i++) {
        struct batch_flight *flight = &flights->places[i];
        if (flight->used && flight->run && (!batch || !strcmp(flight->batch, batch)))
            options->cancel(options->context, flight->run);
    }
}
