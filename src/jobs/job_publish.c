#include "jobs/job_publish.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/job_format.h"
#include "base/log.h"
#include "base/memory.h"
#include "jobs/job_directory.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_EVENTS = 1 << 30 };

static const char adapter_config[] = "adapter_config.json";
static const char adapter_weights[] = "adapter_model.safetensors";
static const char adapter_template[] = "chat_template.jinja"; // only where it has one of its own

// ---- names ----

bool job_publish_name(
    const struct job_record *job, const char *base, char **name, struct error *error) {
    return model_make_name(name, base, job->account, job->suffix, job->id, strlen(job->id), error);
}

static bool adapter_path(struct store *store, const char *name, char *path, struct error *error) {
    char folder[FILE_PATH_SIZE];
    return file_path(folder, sizeof folder, error, store_directory(store), "adapters") &&
           file_path(path, FILE_PATH_SIZE, error, folder, name);
}

// ---- checkpoints ----

// The files of an adapter never change once they bear their names: a second name is as good as a
// copy.
static bool link_adapter(const char *from, const char *to, struct error *error) {
    static const char *const names[] = {adapter_config, adapter_weights, adapter_template};
    char partial[FILE_PATH_SIZE];
    if (snprintf(partial, sizeof partial, "%s.partial", to) >= (int)sizeof partial)
        return error_set(error, ERROR_INVALID, "the path %s is too long", to);
    if (!file_remove_tree(partial, error) || !file_make_directories(partial, error)) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char source[FILE_PATH_SIZE], target[FILE_PATH_SIZE];
        if (!file_path(source, sizeof source, error, from, names[i]) ||
            !file_path(target, sizeof target, error, partial, names[i]))
            return false;
        if (names[i] == adapter_template && !file_exists(source)) continue;
        if (link(source, target) != 0)
            return error_set_errno(error, ERROR_IO, "cannot link %s", source);
    }
    return file_sync_directory(partial, error) && file_rename_durable(partial, to, error);
}

static json_t *checkpoint_metrics(const json_t *event) {
    static const char *const names[] = {"step", "train_loss", "train_mean_token_accuracy",
        "valid_loss", "valid_mean_token_accuracy", "full_valid_loss",
        "full_valid_mean_token_accuracy"};
    json_t *metrics = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = json_object_get(event, names[i]);
        json_object_set(metrics, names[i], value ? value : json_null());
    }
    return metrics;
}

static bool add_checkpoint(struct store *store, const struct job_record *job, const char *model,
    const char *base, const char *adapter, const json_t *event, struct error *error) {
    json_t *metrics = checkpoint_metrics(event);
    char *text = json_dumps(metrics, JSON_COMPACT | JSON_PRESERVE_ORDER);
    struct checkpoint_record record = {.model = (char *)model,
        .metrics = text,
        .step = json_integer_value(json_object_get(event, "step")),
        .created_at = json_integer_value(json_object_get(event, "time"))};
    bool ok = text ? checkpoint_add(store, job->id, &record, error) &&
                         model_add(store, job->account, model, base, adapter, true, error)
                   : memory_error(error, "a checkpoint");
    memory_free(record.id);
    free(text);
    json_decref(metrics);
    return ok;
}

// A resumed run may tell of a checkpoint again.
static bool is_known(struct store *store, const struct job_record *job, long long step, bool *known,
    struct error *error) {
    struct page_query query = {.account = job->account, .job = job->id, .limit = 1};
    struct checkpoint_record *newest;
    size_t count;
    bool more;
    if (!checkpoint_list(store, &query, &newest, &count, &more, error)) return false;
    *known = count && newest->step >= step;
    checkpoint_list_free(newest, count);
    return true;
}

bool job_publish_checkpoint(struct store *store, const struct job_record *job, const json_t *event,
    char **name, struct error *error) {
    char directory[FILE_PATH_SIZE], from[FILE_PATH_SIZE], to[FILE_PATH_SIZE], folder[128];
    const char *path = json_string_value(json_object_get(event, "path"));
    long long step = (long long)json_integer_value(json_object_get(event, "step"));
    char *base = NULL, *model = NULL;
    *name = NULL;
    if (!path || strncmp(path, JOB_CHECKPOINT_DIRECTORY "/", 12) || strstr(path, "..")) return true;
    bool known;
    if (!is_known(store, job, step, &known, error)) return false;
    if (known) return true;
    snprintf(folder, sizeof folder, "%s-step-%lld", job->id, step);
    if (!job_directory_path(store, job->id, directory, error) ||
        !file_path(from, sizeof from, error, directory, path) ||
        !adapter_path(store, folder, to, error))
        return false;
    // The trainer keeps the last few; one that was passed by while no server ran is gone.
    if (!file_is_directory(to) && !file_is_directory(from)) return true;
    struct error passed;
    if (!file_is_directory(to) && !link_adapter(from, to, &passed)) {
        log_warning(
            "job %s: the checkpoint of step %lld is lost: %s", job->id, step, passed.message);
        return true;
    }
    bool ok = job_directory_base(store, job->id, &base, error) &&
              job_publish_name(job, base, &model, error);
    char *full = ok ? memory_format("%s:ckpt-step-%lld", model, step) : NULL;
    ok = ok && (full || memory_error(error, "a checkpoint's name")) &&
         add_checkpoint(store, job, full, base, to, event, error);
    if (ok)
        *name = full;
    else
        memory_free(full);
    memory_free(model);
    memory_free(base);
    return ok;
}

// ---- the table of metrics ----

static void append_number(struct buffer *csv, const json_t *event, const char *name, bool last) {
    const json_t *value = json_object_get(event, name);
    if (json_is_integer(value))
        buffer_append_format(csv, "%lld", (long long)json_integer_value(value));
    else if (json_is_number(value))
        buffer_append_format(csv, "%.6g", json_number_value(value));
    buffer_append_char(csv, last ? '\n' : ',');
}

// OpenAI's five columns, then our own.
static void append_row(struct buffer *csv, const json_t *event) {
    static const char *const names[] = {"step", "train_loss", "train_mean_token_accuracy",
        "valid_loss", "valid_mean_token_accuracy", "full_valid_loss",
        "full_valid_mean_token_accuracy", "learning_rate", "grad_norm", "tokens",
        "tokens_per_second"};
    size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < count; i++)
        append_number(csv, event, names[i], i + 1 == count);
}

static void append_events(struct buffer *csv, const char *text, size_t length) {
    json_int_t last = 0;
    for (const char *at = text, *end = text + length; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline) return;
        json_t *event = json_loadb(at, (size_t)(newline - at), 0, NULL);
        const char *type = json_string_value(json_object_get(event, "type"));
        json_int_t step = json_integer_value(json_object_get(event, "step"));
        if (type && !strcmp(type, "metrics") && step > last) {
            append_row(csv, event);
            last = step;
        }
        json_decref(event);
        at = newline + 1;
    }
}

static bool write_table(struct store *store, const struct job_record *job, const char *directory,
    char **file_id, struct error *error) {
    char events[FILE_PATH_SIZE], folder[FILE_PATH_SIZE], path[FILE_PATH_SIZE], *text;
    size_t length;
    struct buffer csv;
    if (!file_path(events, sizeof events, error, directory, JOB_EVENTS_FILE) ||
        !file_path(folder, sizeof folder, error, store_directory(store), "uploads") ||
        !file_path(path, sizeof path, error, folder, job->id) ||
        !file_read(events, MAX_EVENTS, &text, &length, error))
        return false;
    buffer_init(&csv, MAX_EVENTS);
    buffer_append_text(&csv,
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy,full_valid_loss,"
        "full_valid_mean_token_accuracy,learning_rate,grad_norm,tokens,tokens_per_second\n");
    append_events(&csv, text, length);
    memory_free(text);
    struct file_record record = {.account = job->account,
        .filename = (char *)"step_metrics.csv",
        .purpose = (char *)"fine-tune-results",
        .status = (char *)"processed",
        .bytes = (int64_t)csv.length};
    bool ok = buffer_ok(&csv, "the table of metrics", error) &&
              file_write_atomic(path, csv.data, csv.length, error) &&
              file_create(store, &record, path, error);
    *file_id = record.id;
    buffer_free(&csv);
    return ok;
}

// ---- the result ----

static bool move_adapter(struct store *store, const struct job_record *job, const char *directory,
    char *to, struct error *error) {
    char from[FILE_PATH_SIZE];
    if (!file_path(from, sizeof from, error, directory, JOB_ADAPTER_DIRECTORY) ||
        !adapter_path(store, job->id, to, error))
        return false;
    if (file_is_directory(to)) return true; // the server ended between here and the commit
    if (!file_is_directory(from))
        return error_set(error, ERROR_INTERNAL,
            "the trainer says that it has succeeded, but left no adapter; its own words are in "
            "trainer.log of the job's directory");
    return file_rename_durable(from, to, error);
}

static bool set_result_file(struct job_record *job, const char *file_id, struct error *error) {
    memory_free(job->result_files);
    job->result_files = memory_format("[\"%s\"]", file_id);
    return job->result_files || memory_error(error, "a job's result");
}

bool job_publish_result(struct store *store, struct job_record *job, struct error *error) {
    char directory[FILE_PATH_SIZE], adapter[FILE_PATH_SIZE];
    char *base = NULL, *name = NULL, *file_id = NULL;
    bool ok = job_directory_path(store, job->id, directory, error) &&
              job_directory_base(store, job->id, &base, error) &&
              job_publish_name(job, base, &name, error) &&
              move_adapter(store, job, directory, adapter, error) &&
              model_add(store, job->account, name, base, adapter, false, error) &&
              write_table(store, job, directory, &file_id, error) &&
              set_result_file(job, file_id, error);
    if (ok) {
        memory_free(job->fine_tuned_model);
        job->fine_tuned_model = name;
        name = NULL;
    }
    memory_free(file_id);
    memory_free(name);
    memory_free(base);
    return ok;
}
