// What a run needs before its first step: the model, what is trained of it, and memory, taken once.
#include "base/memory.h"
#include "base/progress.h"
#include "train/train_work.h"
#include "train/trainer_internal.h"
#include <string.h>

struct epoch_rules trainer_rules(const struct train_spec *spec) {
    return (struct epoch_rules){
        .batch_size = spec->full.tokens_per_batch ? 0 : (size_t)spec->batch_size,
        .tokens_per_batch = spec->full.tokens_per_batch,
        .keep_order = spec->full.keep_order,
        .seed = spec->seed,
    };
}

// Fills `ends` (may be NULL) with the last step of each epoch.
static bool count_steps(const struct train_spec *spec, const struct dataset *dataset,
    uint64_t *ends, uint64_t *steps, struct error *error) {
    struct epoch_rules rules = trainer_rules(spec);
    *steps = 0;
    for (uint64_t epoch = 0; epoch < (uint64_t)spec->epochs; epoch++) {
        struct epoch_plan plan;
        if (!epoch_plan_make(&plan, dataset, &rules, epoch, error)) return false;
        *steps += plan.batch_count;
        epoch_plan_free(&plan);
        if (ends) ends[epoch] = *steps;
    }
    return true;
}

uint64_t trainer_total_steps(const struct train_spec *spec, const struct dataset *dataset) {
    uint64_t steps;
    return count_steps(spec, dataset, NULL, &steps, NULL) ? steps : 0;
}

// ---- what is trained ----

static bool open_full(struct trainer *t, struct error *error) {
    struct model_config config;
    struct transformer *source = NULL;
    bool random = t->spec->full.from_random;
    if (!(random ? model_config_load(&config, t->spec->model, error)
                 : transformer_open(&source, t->spec->model, error)))
        return false;
    if (source) config = *transformer_config(source);
    bool ok = parameters_create(&t->parameters, &config, error);
    if (ok && source)
        transformer_copy_parameters(source, t->parameters);
    else if (ok)
        parameters_initialise(t->parameters, &config, t->spec->seed);
    transformer_close(source);
    if (!ok || !transformer_over(&t->transformer, &config, t->parameters, error)) return false;
    t->state.count = t->parameters->count;
    t->state.parameters = t->parameters->values;
    return true;
}

static bool open_lora(struct trainer *t, struct error *error) {
    const struct train_spec *spec = t->spec;
    if (!transformer_open(&t->transformer, spec->model, error)) return false;
    const struct model_config *config = transformer_config(t->transformer);
    bool ok = spec->adapter ? adapter_file_load(&t->lora, config, spec->adapter, error)
                            : lora_create(&t->lora, config, spec->lora_rank,
                                  (float)spec->lora_alpha, spec->lora_modules, spec->seed, error);
    if (!ok) return false;
    t->lora->dropout = (float)spec->lora_dropout;
    t->state.count = t->lora->count;
    t->state.parameters = t->lora->parameters;
    return true;
}

// ---- memory ----

static size_t largest_muon_scratch(const struct trainer *t) {
    size_t largest = 0;
    for (size_t i = 0; i < t->parameters->entry_count; i++) {
        const struct parameter_entry *entry = &t->parameters->entries[i];
        size_t size =
            entry->kind == PARAMETER_LINEAR ? compute_muon_scratch(entry->rows, entry->columns) : 0;
        largest = size > largest ? size : largest;
    }
    return largest;
}

static size_t most_examples(const struct trainer *t) {
    struct epoch_rules rules = trainer_rules(t->spec);
    size_t most = epoch_most_examples(&rules, t->data->training);
    return most > TRAINER_VALIDATION_EXAMPLES ? most : TRAINER_VALIDATION_EXAMPLES;
}

static bool allocate(struct trainer *t, struct error *error) {
    const struct model_config *config = transformer_config(t->transformer);
    size_t rows = train_memory_rows(config, t->lora, t->data);
    // Where all weights are trained, they are counted as that.
    uint64_t weights = t->parameters ? 0 : train_memory_weights(t->transformer);
    uint64_t budget = train_memory_budget(t->spec->memory, weights, t->state.count);
    if (!train_memory_check(
            config, t->lora, t->state.count, t->data, memory_available(), t->spec->memory, error) ||
        !packer_create(&t->packer, rows, most_examples(t), train_spec_shares(t->spec), error) ||
        !training_create(&t->training, t->transformer, t->compute, rows, t->lora, budget, error))
        return false;
    if (!t->lora) training_train_only(t->training, t->spec->full.modules);
    t->gradients = memory_alloc_aligned(t->state.count, sizeof(float));
    t->state.first_moment = memory_alloc_aligned(t->state.count, sizeof(float));
    t->state.second_moment = memory_alloc_aligned(t->state.count, sizeof(float));
    if (!t->gradients || !t->state.first_moment || !t->state.second_moment)
        return memory_error(error, "gradients and the optimizer's moments");
    if (!t->lora && t->spec->full.optimizer == TRAIN_MUON &&
        !(t->muon_scratch = memory_alloc_aligned(largest_muon_scratch(t), sizeof(float))))
        return memory_error(error, "the optimizer");
    return true;
}

// ---- the run ----

static bool set_schedule(struct trainer *t, struct error *error) {
    const struct train_spec *spec = t->spec;
    uint64_t parameters = model_config_parameters(transformer_config(t->transformer)), steps;
    t->epoch_ends = memory_alloc_array((size_t)spec->epochs, sizeof *t->epoch_ends);
    if (!t->epoch_ends) return memory_error(error, "the schedule");
    if (!count_steps(spec, t->data->training, t->epoch_ends, &steps, error)) return false;
    double base = schedule_base_rate(parameters);
    if (t->spec->full.on)
        base = spec->full.learning_rate > 0 ? spec->full.learning_rate : base / 10;
    t->schedule = (struct schedule){
        .shape = spec->full.on ? spec->full.schedule : SCHEDULE_COSINE,
        .learning_rate = base * spec->rate_multiplier,
        .warmup_steps = spec->full.on && spec->full.warmup_steps ? spec->full.warmup_steps
                                                                 : (steps * 3 + 99) / 100,
        .total_steps = steps,
    };
    if (t->schedule.warmup_steps > steps) t->schedule.warmup_steps = steps;
    return true;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t length) // FNV-1a
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

// Of all that decides the run's numbers: threads and the pace of checkpoints do not.
static uint64_t fingerprint(const struct trainer *t) {
    const struct train_spec *s = t->spec;
    const struct dataset *data = t->data->training;
    const double numbers[] = {(double)s->seed, s->epochs, s->batch_size, s->rate_multiplier,
        (double)s->lora_rank, s->lora_alpha, s->full.on, s->full.from_random, s->full.optimizer,
        s->full.learning_rate, s->full.muon_learning_rate, (double)s->full.tokens_per_batch,
        s->full.keep_order, (double)s->full.warmup_steps, s->full.schedule, (double)t->state.count,
        (double)model_config_parameters(transformer_config(t->transformer))};
    uint64_t hash = mix(0xcbf29ce484222325u, numbers, sizeof numbers);
    if (s->full.on) hash = mix(hash, &s->full.modules, sizeof s->full.modules);
    if (s->separate) hash = mix(hash, &s->separate, sizeof s->separate);
    hash = mix(hash, data->tokens, data->token_count * sizeof *data->tokens);
    return mix(hash, data->weights, data->token_count * sizeof *data->weights);
}

// What a run is about to do, told once.
static bool tell_work(struct trainer *t, struct error *error) {
    const struct model_config *config = transformer_config(t->transformer);
    uint64_t held = t->data->training->token_count, rows;
    const char *how = train_spec_shares(t->spec)
                          ? "what the examples of a batch begin with alike is computed once"
                      : t->spec->separate
                          ? "each example is computed by itself"
                          : "each example is computed by itself, since dropout makes it differ";
    if (!train_work_count(t->spec, config, t->data, false, &rows, error)) return false;
    return train_events_message(t->events, "info", error,
        "The training data holds %llu tokens, of which an epoch computes %llu: %s",
        (unsigned long long)held, (unsigned long long)rows, how);
}

bool trainer_open(struct trainer *t, struct error *error) {
    if (!compute_create(&t->compute, t->spec->threads, COMPUTE_AUTO, error) ||
        !(t->spec->full.on ? open_full(t, error) : open_lora(t, error)) || !allocate(t, error))
        return false;
    if (!set_schedule(t, error)) return false;
    t->state.fingerprint = fingerprint(t);
    bool found = false;
    if (!checkpoint_load_newest(&t->state, t->job_directory, &found, error)) return false;
    if (!found && !tell_work(t, error)) return false;
    if (found &&
        !train_events_message(t->events, "info", error, "Resuming from step %llu of %llu",
            (unsigned long long)t->state.step, (unsigned long long)t->schedule.total_steps))
        return false;
    t->tokens_before = t->state.tokens;
    t->started = t->checkpointed = progress_clock();
    return true;
}

void trainer_close(struct trainer *t) {
    training_free(t->training);
    packer_free(&t->packer);
    transformer_close(t->transformer);
    parameters_free(t->parameters);
    lora_free(t->lora);
    memory_free(t->gradients);
    memory_free(t->muon_scratch);
    memory_free(t->epoch_ends);
    memory_free(t->state.first_moment);
    memory_free(t->state.second_moment);
    compute_free(t->compute);
}
