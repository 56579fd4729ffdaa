// events.jsonl of a job directory, as base/job_format.h describes it: one JSON object a line, each
// line written in one call, so that a reader sees whole lines and at most one that a crash cut off.
#ifndef TRAIN_TRAIN_EVENTS_H
#define TRAIN_TRAIN_EVENTS_H

#include "base/error.h"
#include <jansson.h>
#include <stdint.h>

struct train_events {
    int descriptor; // -1: events go nowhere (tests, benches)
};

// Opens for appending; a last line without its end is cut off first.
bool train_events_open(
    struct train_events *events, const char *directory, struct error *error) WARN_UNUSED;
void train_events_close(struct train_events *events);

// Each writes one line and takes over `object`'s reference.
bool train_events_write(
    struct train_events *events, json_t *object, struct error *error) WARN_UNUSED;

bool train_events_status(
    struct train_events *events, const char *status, struct error *error) WARN_UNUSED;
bool train_events_message(struct train_events *events, const char *level, struct error *error,
    const char *format, ...) PRINTF_LIKE(4, 5) WARN_UNUSED;
// The event "error", and the status "failed" behind it.
bool train_events_failure(struct train_events *events, const char *code, const char *message,
    const char *param, struct error *error) WARN_UNUSED;

// What one optimizer step gave. NaN stands for "not measured" in the four of validation.
struct train_metrics {
    uint64_t step;
    uint64_t total_steps;
    double epoch;
    double train_loss;
    double train_accuracy;
    double valid_loss;
    double valid_accuracy;
    double full_valid_loss;
    double full_valid_accuracy;
    double learning_rate;
    double grad_norm;
    uint64_t tokens; // seen so far
    double tokens_per_second;
};

json_t *train_metrics_json(const struct train_metrics *metrics, const char *type);

#endif
