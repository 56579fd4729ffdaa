#include "jobs/job_directory.h"
#include "base/file.h"
#include "base/job_format.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const char training_link[] = "training.jsonl";
static const char validation_link[] = "validation.jsonl";

enum { MAX_SPEC = 1 << 20 };

bool job_directory_path(struct store *store, const char *job, char *path, struct error *error) {
    char folder[FILE_PATH_SIZE];
    return file_path(folder, sizeof folder, error, store_directory(store), "jobs") &&
           file_path(path, FILE_PATH_SIZE, error, folder, job);
}

// Links a file's content into the directory, so that the job keeps it when the file is deleted.
static bool link_file(struct store *store, const char *directory, const char *name, const char *id,
    struct error *error) {
    char content[FILE_PATH_SIZE], place[FILE_PATH_SIZE];
    if (!file_content_path(store, id, content, error) ||
        !file_path(place, sizeof place, error, directory, name))
        return false;
    if (link(content, place) == 0 || errno == EEXIST) return true;
    return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO,
        "the file %s cannot be read any more; upload it again", id);
}

// Adds "<what>_file" and "<what>_file_name" to the spec.
static bool add_file(struct store *store, const struct job_record *job, const char *directory,
    const char *what, const char *name, const char *id, json_t *spec, struct error *error) {
    struct file_record file;
    char path[FILE_PATH_SIZE], key[64];
    if (!id) return true;
    if (!link_file(store, directory, name, id, error) ||
        !file_path(path, sizeof path, error, directory, name))
        return false;
    snprintf(key, sizeof key, "%s_file", what);
    json_object_set_new(spec, key, json_string(path));
    snprintf(key, sizeof key, "%s_file_name", what);
    struct error ignored;
    if (file_get(store, job->account, id, &file, &ignored)) {
        json_object_set_new(spec, key, json_string(file.filename));
        file_record_free(&file);
    } else {
        json_object_set_new(spec, key, json_string(id));
    }
    return true;
}

static void set_json(json_t *spec, const char *key, const char *text) {
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    if (value) json_object_set_new(spec, key, value);
}

// Whose fault is `error`, from here on: remembers it where the thing is gone.
static bool blame(const char **param, const char *name, const struct error *error) {
    if (error->code == ERROR_NOT_FOUND || error->code == ERROR_CONFLICT) *param = name;
    return false;
}

// The clock on the wall at that time.
static json_int_t local_clock(int64_t seconds) {
    time_t moment = (time_t)seconds;
    struct tm local;
    localtime_r(&moment, &local);
    return (json_int_t)seconds + local.tm_gmtoff;
}

static bool fill_spec(struct store *store, const struct job_record *job, const char *directory,
    struct trainer_share share, json_t *spec, const char **param, struct error *error) {
    struct model_record model;
    if (!model_resolve(store, job->account, job->model, &model, error))
        return blame(param, "model", error);
    json_object_set_new(spec, "model", json_string(model.directory));
    json_object_set_new(spec, "base_model_name", json_string(model.base));
    if (model.adapter) json_object_set_new(spec, "adapter", json_string(model.adapter));
    model_record_free(&model);
    json_object_set_new(spec, "seed", json_integer(job->seed));
    json_object_set_new(spec, "threads", json_integer(share.threads));
    if (share.memory) json_object_set_new(spec, "memory", json_integer((json_int_t)share.memory));
    set_json(spec, "hyperparameters", job->hyperparameters);
    set_json(spec, "lora", job->lora);
    json_object_set_new(spec, "chat_time", json_integer(local_clock(job->created_at)));
    if (!add_file(
            store, job, directory, "training", training_link, job->training_file, spec, error))
        return blame(param, "training_file", error);
    return add_file(store, job, directory, "validation", validation_link, job->validation_file,
               spec, error) ||
           blame(param, "validation_file", error);
}

bool job_directory_prepare(struct store *store, const struct job_record *job,
    struct trainer_share share, const char **param, struct error *error) {
    char directory[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    if (!job_directory_path(store, job->id, directory, error) ||
        !file_make_directories(directory, error) ||
        !file_path(path, sizeof path, error, directory, JOB_SPEC_FILE))
        return false;
    if (file_exists(path)) return true;
    json_t *spec = json_object();
    bool ok = spec ? fill_spec(store, job, directory, share, spec, param, error)
                   : memory_error(error, "a job's spec");
    if (ok) {
        char *text = json_dumps(spec, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        ok = text ? file_write_atomic(path, text, strlen(text), error)
                  : memory_error(error, "a job's spec");
        free(text);
    }
    json_decref(spec);
    return ok;
}

bool job_directory_base(struct store *store, const char *job, char **base, struct error *error) {
    char directory[FILE_PATH_SIZE], path[FILE_PATH_SIZE], *text;
    size_t length;
    if (!job_directory_path(store, job, directory, error) ||
        !file_path(path, sizeof path, error, directory, JOB_SPEC_FILE) ||
        !file_read(path, MAX_SPEC, &text, &length, error))
        return false;
    json_t *spec = json_loadb(text, length, 0, NULL);
    const char *name = json_string_value(json_object_get(spec, "base_model_name"));
    bool ok = name ? (*base = memory_copy_string(name)) || memory_error(error, "a model's name")
                   : error_set(error, ERROR_INVALID, "%s names no base model", path);
    json_decref(spec);
    memory_free(text);
    return ok;
}

bool job_directory_is_held(const char *path) {
    char lock[FILE_PATH_SIZE];
    struct error ignored;
    if (!file_path(lock, sizeof lock, &ignored, path, JOB_LOCK_FILE)) return false;
    int descriptor = open(lock, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return false;
    bool held = flock(descriptor, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    close(descriptor);
    return held;
}

bool job_directory_cancel(const char *path, struct error *error) {
    char cancel[FILE_PATH_SIZE];
    return file_path(cancel, sizeof cancel, error, path, JOB_CANCEL_FILE) &&
           file_write_atomic(cancel, "", 0, error);
}

bool job_directory_pause(const char *path, struct error *error) {
    char pause[FILE_PATH_SIZE];
    return file_path(pause, sizeof pause, error, path, JOB_PAUSE_FILE) &&
           file_write_atomic(pause, "", 0, error);
}

bool job_directory_resume(const char *path, struct error *error) {
    char pause[FILE_PATH_SIZE];
    return file_path(pause, sizeof pause, error, path, JOB_PAUSE_FILE) &&
           file_remove_tree(pause, error);
}

void job_directory_tidy(const char *path) {
    static const char *const names[] = {
        JOB_CHECKPOINT_DIRECTORY, JOB_ADAPTER_DIRECTORY, training_link, validation_link};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char inner[FILE_PATH_SIZE];
        struct error ignored;
        if (file_path(inner, sizeof inner, &ignored, path, names[i]) &&
            !file_remove_tree(inner, &ignored))
            continue; // it stays behind, and takes room: no more than that
    }
}
