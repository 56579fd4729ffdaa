// One optimizer step: gradients of a batch, clipping, update; and validation.
#include "base/memory.h"
#include "base/random.h"
#include "train/trainer_internal.h"
#include <math.h>
#include <string.h>

enum { DROPOUT_STREAM = 0x64726f70 };

static const float clip_norm = 1.0f;

static enum trainer_stop asked_to_stop(const struct trainer *t) {
    const struct trainer_watcher *watcher = t->watcher;
    return watcher && watcher->stop ? watcher->stop(watcher->context) : TRAINER_GO_ON;
}

static size_t tokens_of(const struct dataset *dataset, const uint32_t *order, size_t count) {
    size_t tokens = 0;
    for (size_t i = 0; i < count; i++)
        tokens += dataset->examples[order[i]].length;
    return tokens;
}

enum trainer_stop trainer_gradients(
    struct trainer *t, const uint32_t *order, size_t count, struct train_metrics *metrics) {
    const struct dataset *dataset = t->data->training;
    double weight = packing_weight(dataset, order, count);
    struct training_result result = {0};
    uint64_t piece = 0;
    memset(t->gradients, 0, t->state.count * sizeof *t->gradients);
    packer_begin(&t->packer, dataset, order, count, weight > 0 ? weight : 1);
    for (struct training_batch batch; packer_next(&t->packer, &batch);) {
        enum trainer_stop stop = asked_to_stop(t);
        if (stop != TRAINER_GO_ON) return stop;
        // Steps and pieces of a batch are the same however often the run was broken off.
        batch.dropout_key =
            random_bits(t->spec->seed, DROPOUT_STREAM, t->state.step << 20 | piece++);
        training_step(t->training, &batch, t->gradients, &result, NULL);
    }
    t->state.tokens += tokens_of(dataset, order, count);
    metrics->train_loss = result.loss;
    metrics->train_accuracy = result.supervised ? result.hits / result.supervised : 0;
    return TRAINER_GO_ON;
}

// ---- update ----

static void update_range(
    struct trainer *t, const struct adamw *adamw, size_t offset, size_t count) {
    compute_adamw(t->compute, adamw, t->state.parameters + offset, t->gradients + offset,
        t->state.first_moment + offset, t->state.second_moment + offset, count);
}

static void update_muon(struct trainer *t, const struct adamw *adamw, double factor) {
    struct muon muon = {(float)(t->spec->full.muon_learning_rate * factor), 0.95f, 1.0f, 0.01f};
    for (size_t i = 0; i < t->parameters->entry_count; i++) {
        const struct parameter_entry *entry = &t->parameters->entries[i];
        unsigned modules = t->spec->full.modules;
        if (modules && entry->kind == PARAMETER_LINEAR && !(modules >> entry->module & 1))
            continue; // it would shrink
        if (entry->kind == PARAMETER_LINEAR)
            compute_muon(t->compute, &muon, t->state.parameters + entry->offset,
                t->gradients + entry->offset, t->state.first_moment + entry->offset, entry->rows,
                entry->columns, t->muon_scratch);
        else
            update_range(t, adamw, entry->offset, entry->rows * entry->columns);
    }
}

bool trainer_update(struct trainer *t, struct train_metrics *metrics, struct error *error) {
    uint64_t step = t->state.step + 1;
    double norm = sqrt(compute_square_sum(t->compute, t->gradients, t->state.count));
    double rate = schedule_learning_rate(&t->schedule, step);
    metrics->grad_norm = norm;
    metrics->learning_rate = rate;
    if (!isfinite(norm) || !isfinite(metrics->train_loss))
        return error_set(error, ERROR_INVALID,
            "at step %llu the loss (%g) or the gradient (norm %g) is not a finite number; the last "
            "checkpoint is kept: try a smaller learning_rate_multiplier",
            (unsigned long long)step, metrics->train_loss, norm);
    struct adamw adamw = {
        (float)rate, 0.9f, 0.999f, 1e-8f, 0.0f, step, (float)fmin(1.0, clip_norm / (norm + 1e-6))};
    // Beside Muon, Adam has the embedding and the norms alone, with what pretraining by Muon gives
    // it.
    struct adamw beside_muon = {(float)rate, 0.9f, 0.95f, 1e-10f, 0.0f, step, 1.0f};
    if (t->spec->full.on && t->spec->full.optimizer == TRAIN_MUON)
        update_muon(t, &beside_muon, rate / t->schedule.learning_rate);
    else
        update_range(t, &adamw, 0, t->state.count);
    t->state.step = step;
    return true;
}

// ---- validation ----

void trainer_validate(
    struct trainer *t, size_t first, size_t count, double *loss, double *accuracy) {
    const struct dataset *dataset = t->data->validation;
    struct training_result result = {0};
    double weight = 0;
    for (size_t done = 0; done < count;) {
        uint32_t order[TRAINER_VALIDATION_EXAMPLES];
        size_t left = count - done, most = TRAINER_VALIDATION_EXAMPLES;
        size_t chunk = left < most ? left : most;
        struct training_batch batch;
        for (size_t i = 0; i < chunk; i++)
            order[i] = (uint32_t)((first + done + i) % dataset->example_count);
        weight += packing_weight(dataset, order, chunk);
        packer_begin(&t->packer, dataset, order, chunk, 1);
        while (packer_next(&t->packer, &batch))
            training_evaluate(t->training, &batch, &result, NULL);
        done += chunk;
    }
    *loss = weight > 0 ? result.loss / weight : NAN;
    *accuracy = result.supervised ? result.hits / result.supervised : NAN;
}
