#include "jobs/job_events.h"
#include "base/file.h"
#include "base/job_format.h"
#include "base/log.h"
#include "base/memory.h"
#include "jobs/job_directory.h"
#include "jobs/job_publish.h"
#include "jobs/job_state.h"
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_READ = 4 << 20,   // bytes of events taken over at a time
    SHOWN_STEPS = 1000,   // about so many a job have an event of their own
    KEPT_CHECKPOINTS = 3, // the API shows the last ones
};

struct reading {
    struct store *store;
    struct job_record *job;
    struct error *error;
    size_t checkpoints; // published
};

static bool set_text(char **text, const char *value, struct error *error) {
    char *copy = value ? memory_copy_string(value) : NULL;
    if (value && !copy) return memory_error(error, "a job");
    memory_free(*text);
    *text = copy;
    return true;
}

// ---- telling ----

static bool add_event(const struct reading *r, const char *level, const char *type,
    const char *message, const json_t *data, int64_t when) {
    char *text = data ? json_dumps(data, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    struct event_record record = {.level = (char *)level,
        .message = (char *)message,
        .type = (char *)type,
        .data = text,
        .created_at = when};
    bool ok = event_add(r->store, r->job->id, &record, r->error);
    memory_free(record.id);
    free(text);
    return ok;
}

static bool tell(const struct reading *r, int64_t when, const char *level, const char *format, ...)
    PRINTF_LIKE(4, 5);

static bool tell(
    const struct reading *r, int64_t when, const char *level, const char *format, ...) {
    char *message = NULL;
    va_list values;
    va_start(values, format);
    int length = vasprintf(&message, format, values);
    va_end(values);
    bool ok = length >= 0 ? add_event(r, level, "message", message, NULL, when)
                          : memory_error(r->error, "an event");
    if (length >= 0) free(message);
    return ok;
}

void job_events_tell(
    struct store *store, const struct job_record *job, const char *level, const char *format, ...) {
    char message[2048];
    struct error error;
    struct reading reading = {store, (struct job_record *)job, &error, 0};
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    if (!add_event(&reading, level, "message", message, NULL, 0))
        log_error("job %s: %s", job->id, error.message);
}

// ---- each kind of event ----

static const char *text_of(const json_t *event, const char *name) {
    return json_string_value(json_object_get(event, name));
}

static int64_t when(const json_t *event) {
    return json_integer_value(json_object_get(event, "time"));
}

static bool take_message(struct reading *r, const json_t *event) {
    const char *level = text_of(event, "level"), *message = text_of(event, "message");
    return !level || !message || add_event(r, level, "message", message, NULL, when(event));
}

static bool set_json(char **text, const json_t *value, struct error *error) {
    if (!value) return true;
    char *dumped = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    bool ok = dumped ? set_text(text, dumped, error) : memory_error(error, "a job");
    free(dumped);
    return ok;
}

static bool take_plan(struct reading *r, const json_t *event) {
    return set_json(
               &r->job->hyperparameters, json_object_get(event, "hyperparameters"), r->error) &&
           set_json(&r->job->lora, json_object_get(event, "lora"), r->error);
}

static void describe(const json_t *event, char *message, size_t size) {
    const json_t *valid = json_object_get(event, "valid_loss");
    const json_t *full = json_object_get(event, "full_valid_loss");
    int used = snprintf(message, size, "Step %lld/%lld: training loss=%.2f",
        (long long)json_integer_value(json_object_get(event, "step")),
        (long long)json_integer_value(json_object_get(event, "total_steps")),
        json_number_value(json_object_get(event, "train_loss")));
    if (json_is_number(valid))
        used += snprintf(message + used, size - (size_t)used, ", validation loss=%.2f",
            json_number_value(valid));
    if (json_is_number(full))
        snprintf(message + used, size - (size_t)used, ", full validation loss=%.2f",
            json_number_value(full));
}

static void estimate(struct job_record *job, const json_t *event) {
    double step = json_number_value(json_object_get(event, "step"));
    double total = json_number_value(json_object_get(event, "total_steps"));
    double tokens = json_number_value(json_object_get(event, "tokens"));
    double pace = json_number_value(json_object_get(event, "tokens_per_second"));
    if (step > 0 && total >= step && pace > 0)
        job->estimated_finish = when(event) + (int64_t)(tokens * (total - step) / step / pace) + 1;
}

// All steps are in the table that the job leaves; of a long job's, the events are spread evenly.
static bool is_shown(const json_t *event) {
    json_int_t step = json_integer_value(json_object_get(event, "step"));
    json_int_t total = json_integer_value(json_object_get(event, "total_steps"));
    json_int_t stride = total > 0 ? (total - 1) / SHOWN_STEPS + 1 : 1;
    return step % stride == 0 || step == 1 || step == total ||
           json_is_number(json_object_get(event, "full_valid_loss"));
}

static bool take_metrics(struct reading *r, const json_t *event) {
    char message[256];
    int64_t step = json_integer_value(json_object_get(event, "step"));
    if (step <= r->job->last_step)
        return true; // a resumed run repeats the steps after its checkpoint
    estimate(r->job, event);
    r->job->last_step = step;
    r->job->attempts = 0;
    if (!set_json(&r->job->metrics, event, r->error)) return false;
    if (!is_shown(event)) return true;
    json_t *data = json_copy((json_t *)event);
    json_object_del(data, "type");
    json_object_del(data, "time");
    describe(event, message, sizeof message);
    bool ok = add_event(r, "info", "metrics", message, data, when(event));
    json_decref(data);
    return ok;
}

static bool take_checkpoint(struct reading *r, const json_t *event) {
    char *name;
    if (!job_publish_checkpoint(r->store, r->job, event, &name, r->error)) return false;
    if (!name) return true;
    bool ok = tell(r, when(event), "info", "Checkpoint created at step %lld with Snapshot ID: %s",
        (long long)json_integer_value(json_object_get(event, "step")), name);
    memory_free(name);
    r->checkpoints++;
    return ok;
}

static bool take_error(struct reading *r, const json_t *event) {
    return set_text(&r->job->error_code, text_of(event, "code"), r->error) &&
           set_text(&r->job->error_message, text_of(event, "message"), r->error) &&
           set_text(&r->job->error_param, text_of(event, "param"), r->error);
}

static bool succeed(const struct reading *r, const json_t *event) {
    r->job->trained_tokens = json_integer_value(json_object_get(event, "trained_tokens"));
    return job_publish_result(r->store, r->job, r->error) &&
           tell(r, when(event), "info", "New fine-tuned model created: %s",
               r->job->fine_tuned_model) &&
           tell(r, when(event), "info", "The job has successfully completed");
}

static bool fail(const struct reading *r, const json_t *event) {
    const char *message = r->job->error_message ? r->job->error_message : "the trainer failed";
    return set_text(&r->job->error_message, message, r->error) &&
           tell(r, when(event), "error", "The job failed: %s", r->job->error_message);
}

static bool take_status(struct reading *r, const json_t *event) {
    struct job_record *job = r->job;
    const char *status = text_of(event, "status");
    bool ok = true;
    // A file that was being checked when the job was paused is good.
    if (status && !strcmp(job->status, "paused") && !strcmp(status, "queued"))
        return set_text(&job->resume_status, status, r->error);
    // A resumed run says again that it is running.
    if (!status || !job_state_may_follow(job->status, status)) return true;
    if (!strcmp(status, "queued"))
        ok = tell(r, when(event), "info", "Files validated, moving job to queued state");
    else if (!strcmp(status, "running"))
        ok = tell(r, when(event), "info", "Fine-tuning job started");
    else if (!strcmp(status, "succeeded"))
        ok = succeed(r, event);
    else if (!strcmp(status, "failed"))
        ok = fail(r, event);
    else if (!strcmp(status, "cancelled"))
        ok = tell(r, when(event), "info", "The job has been cancelled");
    if (job_status_is_final(status)) {
        job->finished_at = when(event);
        job->estimated_finish = 0;
    }
    return ok && set_text(&job->status, status, r->error);
}

static bool take(struct reading *r, const json_t *event) {
    static const struct {
        const char *type;
        bool (*take)(struct reading *, const json_t *);
    } kinds[] = {{"status", take_status}, {"message", take_message}, {"plan", take_plan},
        {"metrics", take_metrics}, {"checkpoint", take_checkpoint}, {"error", take_error}};
    const char *type = text_of(event, "type");
    for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(type, kinds[i].type)) return kinds[i].take(r, event);
    return true;
}

// ---- reading ----

// Reads what is new, up to the last whole line, into *text (memory_free).
static bool read_new(
    const char *path, int64_t from, char **text, size_t *length, struct error *error) {
    struct stat status;
    *text = NULL;
    *length = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return true; // no trainer has begun
    if (fstat(descriptor, &status) < 0 || status.st_size <= from) {
        close(descriptor);
        return true;
    }
    size_t size = (size_t)(status.st_size - from);
    size = size < MAX_READ ? size : MAX_READ;
    *text = memory_alloc(size);
    ssize_t got = *text ? pread(descriptor, *text, size, (off_t)from) : 0;
    close(descriptor);
    if (!*text) return memory_error(error, "events");
    if (got < 0) return error_set_errno(error, ERROR_IO, "cannot read %s", path);
    const char *last = got ? memrchr(*text, '\n', (size_t)got) : NULL;
    *length = last ? (size_t)(last - *text) + 1 : 0;
    if (!last && got == MAX_READ)
        return error_set(
            error, ERROR_INVALID, "%s has a line of more than %d bytes", path, MAX_READ);
    return true;
}

static bool take_lines(struct reading *r, const char *text, size_t length) {
    bool ok = true;
    for (const char *at = text, *end = text + length; ok && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        json_t *event = json_loadb(at, (size_t)(newline - at), 0, NULL);
        if (event && !job_status_is_final(r->job->status)) ok = take(r, event);
        json_decref(event);
        at = newline + 1;
    }
    return ok;
}

// What was taken is stored as a whole, or not at all.
static bool take_over(struct reading *r, const char *text, size_t length) {
    if (!store_begin(r->store, r->error)) return false;
    bool ok = take_lines(r, text, length);
    r->job->events_read += (int64_t)length;
    if (ok && job_update(r->store, r->job, r->error)) return store_commit(r->store, r->error);
    store_rollback(r->store);
    return false;
}

bool job_events_follow(struct store *store, struct job_record *job, struct error *error) {
    char directory[FILE_PATH_SIZE], path[FILE_PATH_SIZE], *text = NULL;
    size_t length = 0;
    struct error later;
    struct reading reading = {store, job, error, 0};
    if (!job_directory_path(store, job->id, directory, error) ||
        !file_path(path, sizeof path, error, directory, JOB_EVENTS_FILE))
        return false;
    bool ok = read_new(path, job->events_read, &text, &length, error) &&
              (!length || take_over(&reading, text, length));
    memory_free(text);
    if (ok && reading.checkpoints &&
        !checkpoint_keep_newest(store, job->account, job->id, KEPT_CHECKPOINTS, &later))
        log_warning("job %s: %s", job->id, later.message); // one too many is no harm
    return ok;
}

// ---- changes without a trainer ----

// The event and the status, both or neither.
static bool change(struct reading *r, const char *status, const char *level, const char *message) {
    r->job->estimated_finish = 0;
    if (!set_text(&r->job->status, status, r->error) || !store_begin(r->store, r->error))
        return false;
    if (job_update(r->store, r->job, r->error) && tell(r, 0, level, "%s", message))
        return store_commit(r->store, r->error);
    store_rollback(r->store);
    return false;
}

static bool end(struct reading *r, const char *status, const char *level, const char *message) {
    r->job->finished_at = (int64_t)time(NULL);
    return change(r, status, level, message);
}

bool job_events_fail(struct store *store, struct job_record *job, const char *code,
    const char *message, const char *param, struct error *error) {
    struct reading reading = {store, job, error, 0};
    char *last = memory_format("The job failed: %s", message);
    bool ok = (last || memory_error(error, "an event")) &&
              set_text(&job->error_code, code, error) &&
              set_text(&job->error_message, message, error) &&
              set_text(&job->error_param, param, error) && end(&reading, "failed", "error", last);
    memory_free(last);
    return ok;
}

bool job_events_cancel(struct store *store, struct job_record *job, struct error *error) {
    struct reading reading = {store, job, error, 0};
    return end(&reading, "cancelled", "info", "The job has been cancelled");
}

bool job_events_pause(struct store *store, struct job_record *job, struct error *error) {
    struct reading reading = {store, job, error, 0};
    bool validating = !strcmp(job->status, "validating_files");
    if (!job_state_may_follow(job->status, "paused"))
        return error_set(
            error, ERROR_CONFLICT, "the job cannot be paused: its status is %s", job->status);
    return set_text(&job->resume_status, validating ? "validating_files" : "queued", error) &&
           change(&reading, "paused", "info", "The job has been paused");
}

bool job_events_resume(struct store *store, struct job_record *job, struct error *error) {
    struct reading reading = {store, job, error, 0};
    if (strcmp(job->status, "paused") != 0)
        return error_set(
            error, ERROR_CONFLICT, "the job cannot be resumed: its status is %s", job->status);
    return change(&reading, job->resume_status ? job->resume_status : "queued", "info",
        "The job has been resumed");
}
