#include "train/trainer.h"
#include "base/memory.h"
#include "base/progress.h"
#include "train/trainer_internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VALIDATIONS_A_RUN = 20 };

struct position {
    uint64_t epoch;
    struct epoch_plan plan;
    size_t batch; // the next one
};

// Where the step count says the run is: the plan of that epoch, and the batch within it.
static bool find_position(struct trainer *t, struct position *position, struct error *error) {
    struct epoch_rules rules = trainer_rules(t->spec);
    uint64_t done = t->state.step;
    for (position->epoch = 0;; position->epoch++) {
        if (!epoch_plan_make(&position->plan, t->data->training, &rules, position->epoch, error))
            return false;
        if (done < position->plan.batch_count) break;
        done -= position->plan.batch_count;
        epoch_plan_free(&position->plan);
    }
    position->batch = (size_t)done;
    return true;
}

static void measure_validation(struct trainer *t, bool epoch_end, struct train_metrics *metrics) {
    if (!t->data->validation) return;
    size_t examples = t->data->validation->example_count, batch = (size_t)t->spec->batch_size;
    uint64_t every = t->schedule.total_steps / VALIDATIONS_A_RUN;
    if (epoch_end) {
        trainer_validate(t, 0, examples, &metrics->full_valid_loss, &metrics->full_valid_accuracy);
        metrics->valid_loss = metrics->full_valid_loss;
        metrics->valid_accuracy = metrics->full_valid_accuracy;
    } else if (every == 0 || metrics->step % every == 0)
        trainer_validate(t, (size_t)metrics->step * batch % examples,
            batch < examples ? batch : examples, &metrics->valid_loss, &metrics->valid_accuracy);
}

static void complete_metrics(
    struct trainer *t, const struct position *position, struct train_metrics *metrics) {
    double seconds = progress_clock() - t->started;
    metrics->step = t->state.step;
    metrics->total_steps = t->schedule.total_steps;
    metrics->epoch = (double)position->epoch +
                     (double)(position->batch + 1) / (double)position->plan.batch_count;
    metrics->tokens = t->state.tokens;
    metrics->tokens_per_second =
        seconds > 0 ? (double)(t->state.tokens - t->tokens_before) / seconds : 0;
}

// Tells of the checkpoint that ends an epoch (counted from 1).
static bool announce_checkpoint(
    struct trainer *t, uint64_t epoch, const struct train_metrics *metrics, struct error *error) {
    char name[64];
    checkpoint_name(name, sizeof name, t->state.step);
    json_t *event = train_metrics_json(metrics, "checkpoint");
    if (event) {
        json_object_set_new(event, "epoch", json_integer((json_int_t)epoch));
        json_object_set_new(event, "path", json_string(name));
    }
    return train_events_write(t->events, event, error);
}

static bool end_epoch(struct trainer *t, const struct position *position,
    const struct train_metrics *metrics, struct error *error) {
    return trainer_checkpoint(t, error) &&
           announce_checkpoint(t, position->epoch + 1, metrics, error);
}

// A process that ended between a checkpoint and its event: the event is written again, without the
// metrics, which were told before. Readers know a step that they have seen.
static bool announce_resumed(struct trainer *t, struct error *error) {
    struct train_metrics metrics = {.step = t->state.step,
        .total_steps = t->schedule.total_steps,
        .tokens = t->state.tokens,
        .train_loss = NAN,
        .train_accuracy = NAN,
        .valid_loss = NAN,
        .valid_accuracy = NAN,
        .full_valid_loss = NAN,
        .full_valid_accuracy = NAN,
        .grad_norm = NAN};
    for (uint64_t epoch = 0; t->state.step && epoch < (uint64_t)t->spec->epochs; epoch++)
        if (t->epoch_ends[epoch] == t->state.step)
            return announce_checkpoint(t, epoch + 1, &metrics, error);
    return true;
}

static bool after_step(struct trainer *t, const struct position *position,
    struct train_metrics *metrics, struct error *error) {
    bool epoch_end = position->batch + 1 == position->plan.batch_count;
    complete_metrics(t, position, metrics);
    measure_validation(t, epoch_end, metrics);
    if (!train_events_write(t->events, train_metrics_json(metrics, "metrics"), error)) return false;
    if (t->watcher && t->watcher->metrics) t->watcher->metrics(t->watcher->context, metrics);
    if (epoch_end) return end_epoch(t, position, metrics, error);
    if (progress_clock() - t->checkpointed >= t->spec->checkpoint_seconds)
        return trainer_checkpoint(t, error);
    return true;
}

static enum trainer_outcome stopped(
    struct trainer *t, enum trainer_stop stop, struct error *error) {
    if (stop == TRAINER_CANCEL) return TRAINER_CANCELLED;
    return trainer_checkpoint(t, error) ? TRAINER_INTERRUPTED : TRAINER_FAILED;
}

static enum trainer_outcome run_epoch(
    struct trainer *t, struct position *position, struct error *error) {
    const struct epoch_plan *plan = &position->plan;
    for (; position->batch < plan->batch_count; position->batch++) {
        size_t first = plan->batch_starts[position->batch];
        size_t end = plan->batch_starts[position->batch + 1];
        struct train_metrics metrics = {.valid_loss = NAN,
            .valid_accuracy = NAN,
            .full_valid_loss = NAN,
            .full_valid_accuracy = NAN};
        enum trainer_stop stop = trainer_gradients(t, plan->order + first, end - first, &metrics);
        if (stop != TRAINER_GO_ON) return stopped(t, stop, error);
        if (!trainer_update(t, &metrics, error) || !after_step(t, position, &metrics, error))
            return TRAINER_FAILED;
    }
    return TRAINER_FINISHED;
}

static enum trainer_outcome run(struct trainer *t, struct error *error) {
    if (!announce_resumed(t, error)) return TRAINER_FAILED;
    while (t->state.step < t->schedule.total_steps) {
        struct position position;
        if (!find_position(t, &position, error)) return TRAINER_FAILED;
        enum trainer_outcome outcome = run_epoch(t, &position, error);
        epoch_plan_free(&position.plan);
        if (outcome != TRAINER_FINISHED) return outcome;
    }
    return trainer_publish(t, error) ? TRAINER_FINISHED : TRAINER_FAILED;
}

enum trainer_outcome trainer_run(const struct train_spec *spec, const struct trainer_data *data,
    const char *job_directory, struct train_events *events, const struct trainer_watcher *watcher,
    struct error *error) {
    struct trainer *t = memory_alloc_zeroed(1, sizeof *t);
    if (!t) return memory_error(error, "training") ? TRAINER_FINISHED : TRAINER_FAILED;
    t->spec = spec;
    t->data = data;
    t->job_directory = job_directory;
    t->events = events;
    t->watcher = watcher;
    enum trainer_outcome outcome = trainer_open(t, error) ? run(t, error) : TRAINER_FAILED;
    trainer_close(t);
    memory_free(t);
    return outcome;
}
