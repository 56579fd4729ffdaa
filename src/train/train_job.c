#include "train/train_job.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "model/adapter_file.h"
#include "model/chat_example.h"
#include "model/model_config.h"
#include "train/schedule.h"
#include "train/train_check.h"
#include "train/train_job_internal.h"
#include "train/train_work.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAX_SPEC = 1 << 20 };

struct job {
    const char *directory;
    const struct train_job_options *options;
    int lock;
    struct train_spec spec;
    struct train_events events;
    struct dataset *training;
    struct dataset *validation;
    char cancel_path[FILE_PATH_SIZE], pause_path[FILE_PATH_SIZE];
    struct progress progress;
    bool progress_started;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

// ---- the directory ----

static bool take_lock(struct job *job, struct error *error) {
    char path[FILE_PATH_SIZE], text[32];
    if (!file_path(path, sizeof path, error, job->directory, JOB_LOCK_FILE)) return false;
    job->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (job->lock < 0) return error_set_errno(error, ERROR_IO, "cannot open %s", path);
    if (flock(job->lock, LOCK_EX | LOCK_NB) < 0)
        return error_set(error, ERROR_CONFLICT,
            "another trainer is at work in %s; wait until it ends", job->directory);
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(job->lock, 0) < 0 || pwrite(job->lock, text, (size_t)length, 0) != length)
        return error_set_errno(error, ERROR_IO, "cannot write %s", path);
    return true;
}

static json_t *read_spec_file(const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    json_error_t fault;
    if (!file_path(path, sizeof path, error, directory, JOB_SPEC_FILE) ||
        !file_read(path, MAX_SPEC, &text, &length, error))
        return NULL;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    memory_free(text);
    if (!root) error_set(error, ERROR_INVALID, "%s, line %d: %s", path, fault.line, fault.text);
    return root;
}

bool train_job_read_spec(const char *directory, struct train_spec *spec, struct error *error) {
    json_t *root = read_spec_file(directory, error);
    bool ok = root && train_spec_read(spec, root, error);
    json_decref(root);
    return ok;
}

// A run goes on with more or fewer cores, more or less memory, and on another day.
static const char *const may_differ[] = {"threads", "memory", "chat_time"};

static bool same_run(const json_t *present, const json_t *wanted) {
    json_t *one = json_copy((json_t *)present), *other = json_copy((json_t *)wanted);
    for (size_t i = 0; i < sizeof may_differ / sizeof *may_differ; i++) {
        json_object_del(one, may_differ[i]);
        json_object_del(other, may_differ[i]);
    }
    bool same = json_equal(one, other);
    json_decref(one);
    json_decref(other);
    return same;
}

// Of a run that goes on: the date of its first day stays.
static bool take_over(
    const char *directory, const json_t *present, json_t *wanted, struct error *error) {
    if (!same_run(present, wanted))
        return error_set(error, ERROR_CONFLICT,
            "%s holds a run with other settings; give another --output, or remove it", directory);
    json_t *date = json_object_get(present, "chat_time");
    return !date || json_object_set(wanted, "chat_time", date) == 0 ||
           memory_error(error, "spec.json");
}

bool train_job_create(const char *directory, const struct train_spec *spec, struct error *error) {
    char path[FILE_PATH_SIZE];
    json_t *wanted = train_spec_json(spec);
    if (!wanted) return memory_error(error, "spec.json");
    bool ok = file_make_directories(directory, error) &&
              file_path(path, sizeof path, error, directory, JOB_SPEC_FILE);
    if (ok && file_exists(path)) {
        json_t *present = read_spec_file(directory, error);
        ok = present && take_over(directory, present, wanted, error);
        json_decref(present);
    }
    if (ok) {
        char *text = json_dumps(wanted, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        ok = text ? file_write_atomic(path, text, strlen(text), error)
                  : memory_error(error, "spec.json");
        free(text);
    }
    json_decref(wanted);
    return ok;
}

// ---- data ----

static bool load_file(struct job *job, const struct chat_format *format, size_t context,
    bool validation, struct thread_pool *pool, struct dataset_faults *faults, struct error *error) {
    const struct train_spec *spec = &job->spec;
    const char *path = validation ? spec->validation_file : spec->training_file;
    const char *name = validation ? spec->validation_file_name : spec->training_file_name;
    bool full = spec->full.on;
    struct dataset_options options = {name, context, full ? (float)spec->full.prompt_weight : 0,
        full ? (float)spec->full.text_weight : 0, validation ? 1 : DATASET_MINIMUM_EXAMPLES,
        spec->chat_time};
    if (full && spec->full.example_tokens && spec->full.example_tokens < context)
        options.context_length = spec->full.example_tokens;
    return dataset_load(validation ? &job->validation : &job->training, path, format, &options,
        pool, faults, error);
}

// The failure of a file, in the words and codes of OpenAI's job errors.
static bool report_faults(struct job *job, bool validation, const struct dataset_faults *faults,
    const struct error *fault, struct error *error) {
    const struct train_spec *spec = &job->spec;
    const char *param = validation ? "validation_file" : "training_file";
    const char *name = validation ? spec->validation_file_name : spec->training_file_name;
    const char *path = validation ? spec->validation_file : spec->training_file;
    struct buffer text;
    bool too_few = faults->count == 1 && faults->items[0].line == 0;
    const char *code = !faults->count ? "server_error"
                       : too_few      ? "invalid_n_examples"
                       : validation   ? "invalid_validation_file"
                                      : "invalid_training_file";
    if (!faults->count)
        return train_events_failure(&job->events, code, fault->message, param, error);
    buffer_init(&text, 1 << 20);
    dataset_faults_write(faults, name ? name : path, &text);
    bool ok = train_events_failure(&job->events, code, buffer_text(&text), param, error);
    buffer_free(&text);
    return ok;
}

static bool load_data(struct job *job, bool *reported, struct error *error) {
    struct chat_format *format;
    struct model_config config;
    struct thread_pool *pool;
    if (!model_config_load(&config, job->spec.model, error) ||
        !chat_format_open_with(
            &format, job->spec.model, job->spec.adapter, job->spec.chat_template, error))
        return false;
    if (!thread_pool_create(&pool, job->spec.threads, error)) {
        chat_format_close(format);
        return false;
    }
    bool ok = true;
    for (int validation = 0; validation < 2 && ok; validation++) {
        struct dataset_faults faults = {0};
        struct error ignored;
        if (validation && !job->spec.validation_file) break;
        ok = load_file(job, format, config.context_length, validation, pool, &faults, error);
        if (!ok) *reported = report_faults(job, validation, &faults, error, &ignored);
    }
    thread_pool_free(pool);
    chat_format_close(format);
    return ok;
}

static bool write_plan(struct job *job, struct error *error) {
    const struct train_spec *spec = &job->spec;
    struct trainer_data data = {job->training, job->validation};
    struct model_config config;
    uint64_t computed;
    if (!model_config_load(&config, spec->model, error) ||
        !train_work_count(spec, &config, &data, false, &computed, error))
        return false;
    double rate = schedule_base_rate(model_config_parameters(&config)) * spec->rate_multiplier;
    if (spec->full.on && spec->full.learning_rate > 0)
        rate = spec->full.learning_rate * spec->rate_multiplier;
    return train_events_write(&job->events,
        json_pack("{s:s, s:{s:I, s:I, s:f}, s:{s:I, s:f, s:f, s:o}, s:f, s:I, s:I, s:I, s:I, s:I, "
                  "s:I, s:I}",
            "type", "plan", "hyperparameters", "n_epochs", (json_int_t)spec->epochs, "batch_size",
            (json_int_t)spec->batch_size, "learning_rate_multiplier", spec->rate_multiplier, "lora",
            "rank", (json_int_t)spec->lora_rank, "alpha", spec->lora_alpha, "dropout",
            spec->lora_dropout, "target_modules", train_spec_modules(spec->lora_modules),
            "learning_rate", rate, "total_steps",
            (json_int_t)trainer_total_steps(spec, job->training), "examples",
            (json_int_t)job->training->example_count, "tokens",
            (json_int_t)job->training->token_count, "computed_tokens", (json_int_t)computed,
            "supervised_tokens", (json_int_t)job->training->trained_count, "trained_tokens",
            (json_int_t)(job->training->token_count * (uint64_t)spec->epochs), "truncated_examples",
            (json_int_t)job->training->truncated_count),
        error);
}

static bool report_examples(struct job *job, struct error *error) {
    const struct dataset *data = job->training;
    return (!data->truncated_count ||
               train_events_message(&job->events, "warn", error,
                   "%zu of %zu examples are longer than the model's context and were cut at their "
                   "end",
                   data->truncated_count, data->example_count)) &&
           (!data->endless_count ||
               train_events_message(&job->events, "warn", error,
                   "%zu of %zu examples have an answer that the model's chat template ends with no "
                   "end-of-turn token: the model does not learn from them when to stop",
                   data->endless_count, data->example_count));
}

// ---- training ----

static enum trainer_stop asked_to_stop(void *context) {
    const struct job *job = context;
    if (file_exists(job->cancel_path)) return TRAINER_CANCEL;
    return interrupted || file_exists(job->pause_path) ? TRAINER_INTERRUPT : TRAINER_GO_ON;
}

static void show_metrics(void *context, const struct train_metrics *metrics) {
    struct job *job = context;
    char note[128];
    snprintf(note, sizeof note, "loss %.4f  %.0f tokens/s", metrics->train_loss,
        metrics->tokens_per_second);
    if (!job->progress_started)
        progress_start(&job->progress, "training", metrics->total_steps, job->options->quiet);
    job->progress_started = true;
    progress_update(&job->progress, metrics->step, note);
    if (metrics->step == metrics->total_steps) progress_finish(&job->progress, note);
}

static bool finish(
    struct job *job, enum trainer_outcome outcome, const struct error *fault, struct error *error) {
    switch (outcome) {
    case TRAINER_FINISHED:
        return train_events_write(&job->events,
            json_pack("{s:s, s:s, s:I}", "type", "status", "status", "succeeded", "trained_tokens",
                (json_int_t)(job->training->token_count * (uint64_t)job->spec.epochs)),
            error);
    case TRAINER_CANCELLED:
        return train_events_status(&job->events, "cancelled", error);
    case TRAINER_FAILED:
        return train_events_failure(&job->events, "training_failed", fault->message, NULL, error);
    case TRAINER_INTERRUPTED:
        break;
    }
    return true;
}

static enum job_exit train(struct job *job, struct error *error) {
    static const enum job_exit exits[] = {[TRAINER_FAILED] = JOB_EXIT_FAILED,
        [TRAINER_FINISHED] = JOB_EXIT_SUCCEEDED,
        [TRAINER_CANCELLED] = JOB_EXIT_CANCELLED,
        [TRAINER_INTERRUPTED] = JOB_EXIT_INTERRUPTED};
    struct trainer_data data = {job->training, job->validation};
    struct trainer_watcher watcher = {asked_to_stop, show_metrics, job};
    struct error later;
    enum trainer_outcome outcome =
        trainer_run(&job->spec, &data, job->directory, &job->events, &watcher, error);
    if (finish(job, outcome, error, &later)) return exits[outcome];
    *error = later;
    return JOB_EXIT_FAILED;
}

bool train_job_take_adapter(struct train_spec *spec, struct error *error) {
    struct model_config config;
    struct lora *lora;
    if (!spec->adapter || spec->full.on) return true;
    if (!model_config_load(&config, spec->model, error) ||
        !adapter_file_load(&lora, &config, spec->adapter, error))
        return false;
    bool good = !spec->rank_given || lora->rank == spec->lora_rank;
    spec->lora_rank = lora->rank;
    spec->lora_alpha = lora->alpha;
    spec->lora_modules = lora->modules;
    lora_free(lora);
    return good || error_set(error, ERROR_INVALID,
                       "lora.rank differs from that of the model to go on from; leave it out");
}

static bool take_adapter(struct job *job, bool *reported, struct error *error) {
    struct error ignored;
    if (train_job_take_adapter(&job->spec, error)) return true;
    if (error->code == ERROR_INVALID && job->spec.rank_given)
        *reported =
            train_events_failure(&job->events, "invalid_lora", error->message, "lora", &ignored);
    return false;
}

static bool validate(struct job *job, bool *reported, struct error *error) {
    if (!take_adapter(job, reported, error) || !load_data(job, reported, error)) return false;
    train_spec_choose(&job->spec, job->training->example_count);
    return true;
}

static bool check_memory(struct job *job, bool *reported, struct error *error) {
    struct trainer_data data = {job->training, job->validation};
    struct model_config config;
    struct error later;
    if (!model_config_load(&config, job->spec.model, error)) return false;
    if (train_memory_check_spec(&job->spec, &config, &data, error)) return true;
    *reported =
        train_events_failure(&job->events, "insufficient_memory", error->message, NULL, &later);
    return false;
}

static enum job_exit run(struct job *job, struct error *error) {
    bool reported = false, validating = job->options->validate_only;
    struct error ignored;
    if ((validating && !train_events_status(&job->events, "validating_files", error)) ||
        !validate(job, &reported, error) || !check_memory(job, &reported, error)) {
        if (!reported)
            (void)!train_events_failure(
                &job->events, "server_error", error->message, NULL, &ignored);
        return JOB_EXIT_FAILED;
    }
    if (validating)
        return write_plan(job, error) && report_examples(job, error) &&
                       train_events_status(&job->events, "queued", error)
                   ? JOB_EXIT_SUCCEEDED
                   : JOB_EXIT_FAILED;
    if (!write_plan(job, error) || !train_events_status(&job->events, "running", error))
        return JOB_EXIT_FAILED;
    return train(job, error);
}

enum job_exit train_job_run(
    const char *directory, const struct train_job_options *options, struct error *error) {
    struct job job = {
        .directory = directory, .options = options, .lock = -1, .events.descriptor = -1};
    enum job_exit result = JOB_EXIT_FAILED;
    if (options->report_only)
        return train_check_run(directory, error) ? JOB_EXIT_SUCCEEDED : JOB_EXIT_FAILED;
    catch_signals();
    train_spec_init(&job.spec);
    if (take_lock(&job, error) && train_events_open(&job.events, directory, error) &&
        file_path(job.cancel_path, sizeof job.cancel_path, error, directory, JOB_CANCEL_FILE) &&
        file_path(job.pause_path, sizeof job.pause_path, error, directory, JOB_PAUSE_FILE)) {
        struct error ignored;
        if (train_job_read_spec(directory, &job.spec, error))
            result = run(&job, error);
        else
            (void)!train_events_failure(
                &job.events, "server_error", error->message, NULL, &ignored);
    }
    train_events_close(&job.events);
    dataset_free(job.training);
    dataset_free(job.validation);
    train_spec_free(&job.spec);
    if (job.lock >= 0) close(job.lock);
    return result;
}
