#include "train/checkpoint.h"
#include "base/file.h"
#include "base/job_format.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/safetensors_writer.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STATE = 1 << 16, MAX_CHECKPOINTS = 4096 };

static const char *const array_names[3] = {"parameters", "first_moment", "second_moment"};

void checkpoint_name(char *name, size_t size, uint64_t step) {
    snprintf(name, size, "%s/step-%08llu", JOB_CHECKPOINT_DIRECTORY, (unsigned long long)step);
}

// ---- writing ----

static bool save_arrays(
    const struct checkpoint_state *state, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    const float *arrays[3] = {state->parameters, state->first_moment, state->second_moment};
    struct safetensor_source sources[3];
    for (int i = 0; i < 3; i++)
        sources[i] =
            (struct safetensor_source){array_names[i], DATA_F32, 1, {state->count}, arrays[i]};
    return file_path(path, sizeof path, error, directory, "state.safetensors") &&
           safetensors_write(path, sources, 3, error);
}

static bool save_position(
    const struct checkpoint_state *state, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], text[256];
    int length = snprintf(text, sizeof text,
        "{\"step\": %llu, \"tokens\": %llu, \"fingerprint\": \"%016llx\"}\n",
        (unsigned long long)state->step, (unsigned long long)state->tokens,
        (unsigned long long)state->fingerprint);
    return file_path(path, sizeof path, error, directory, "state.json") &&
           file_write_atomic(path, text, (size_t)length, error);
}

bool checkpoint_save(const struct checkpoint_state *state, const char *job_directory,
    checkpoint_writer writer, void *context, struct error *error) {
    char name[64], final[FILE_PATH_SIZE], partial[FILE_PATH_SIZE];
    checkpoint_name(name, sizeof name, state->step);
    if (!file_path(final, sizeof final, error, job_directory, name)) return false;
    if (file_is_directory(final)) return true;
    if ((size_t)snprintf(partial, sizeof partial, "%s.partial", final) >= sizeof partial)
        return error_set(error, ERROR_INVALID, "the path %s is too long", final);
    return file_remove_tree(partial, error) && file_make_directories(partial, error) &&
           save_arrays(state, partial, error) && save_position(state, partial, error) &&
           (!writer || writer(context, partial, error)) && file_sync_directory(partial, error) &&
           file_rename_durable(partial, final, error);
}

// ---- finding ----

struct steps {
    size_t count;
    uint64_t steps[MAX_CHECKPOINTS]; // newest first
};

static int newest_first(const void *a, const void *b) {
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return first < second ? 1 : first > second ? -1 : 0;
}

static bool list_steps(struct steps *steps, const char *job_directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    steps->count = 0;
    if (!file_path(path, sizeof path, error, job_directory, JOB_CHECKPOINT_DIRECTORY)) return false;
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT || error_set_errno(error, ERROR_IO, "cannot read %s", path);
    const struct dirent *entry;
    while ((entry = readdir(directory)) && steps->count < MAX_CHECKPOINTS) {
        unsigned long long step;
        int end = 0;
        if (sscanf(entry->d_name, "step-%8llu%n", &step, &end) == 1 && !entry->d_name[end])
            steps->steps[steps->count++] = step;
    }
    closedir(directory);
    qsort(steps->steps, steps->count, sizeof *steps->steps, newest_first);
    return true;
}

// ---- reading ----

static bool read_position(
    struct checkpoint_state *state, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    if (!file_path(path, sizeof path, error, directory, "state.json") ||
        !file_read(path, MAX_STATE, &text, &length, error))
        return false;
    json_t *root = json_loadb(text, length, 0, NULL);
    memory_free(text);
    const char *fingerprint = json_string_value(json_object_get(root, "fingerprint"));
    json_t *step = json_object_get(root, "step"), *tokens = json_object_get(root, "tokens");
    bool ok = fingerprint && json_is_integer(step) && json_is_integer(tokens);
    if (ok) {
        state->step = (uint64_t)json_integer_value(step);
        state->tokens = (uint64_t)json_integer_value(tokens);
        uint64_t theirs = strtoull(fingerprint, NULL, 16);
        if (theirs != state->fingerprint) {
            json_decref(root);
            return error_set(error, ERROR_CONFLICT,
                "%s was made with other data, model or settings; give another output directory, "
                "or remove this one",
                directory);
        }
    }
    json_decref(root);
    return ok || error_set(error, ERROR_INVALID, "%s is damaged", path);
}

static bool read_arrays(
    struct checkpoint_state *state, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    float *arrays[3] = {state->parameters, state->first_moment, state->second_moment};
    struct safetensors *file;
    if (!file_path(path, sizeof path, error, directory, "state.safetensors") ||
        !safetensors_open(&file, path, error))
        return false;
    bool ok = true;
    for (int i = 0; i < 3 && ok; i++) {
        const struct safetensor *tensor = safetensors_find(file, array_names[i]);
        ok = tensor && tensor->type == DATA_F32 && tensor->elements == state->count;
        if (ok) memcpy(arrays[i], tensor->data, tensor->bytes);
    }
    safetensors_close(file);
    return ok || error_set(error, ERROR_INVALID, "%s is damaged", path);
}

bool checkpoint_load_newest(
    struct checkpoint_state *state, const char *job_directory, bool *found, struct error *error) {
    struct steps *steps = memory_alloc_zeroed(1, sizeof *steps);
    if (!steps) return memory_error(error, "the list of checkpoints");
    bool ok = list_steps(steps, job_directory, error);
    *found = false;
    for (size_t i = 0; ok && !*found && i < steps->count; i++) {
        char name[64], directory[FILE_PATH_SIZE];
        struct error fault;
        checkpoint_name(name, sizeof name, steps->steps[i]);
        ok = file_path(directory, sizeof directory, error, job_directory, name);
        if (ok && read_position(state, directory, &fault) && read_arrays(state, directory, &fault))
            *found = true;
        else if (ok && fault.code == ERROR_CONFLICT)
            ok = error_set(error, fault.code, "%s", fault.message);
        else if (ok)
            log_warning("a checkpoint is passed over: %s", fault.message);
    }
    memory_free(steps);
    return ok;
}

bool checkpoint_prune(const char *job_directory, size_t keep,
    bool (*kept)(void *context, uint64_t step), void *context, struct error *error) {
    struct steps *steps = memory_alloc_zeroed(1, sizeof *steps);
    if (!steps) return memory_error(error, "the list of checkpoints");
    bool ok = list_steps(steps, job_directory, error);
    for (size_t i = keep; ok && i < steps->count; i++) {
        char name[64], directory[FILE_PATH_SIZE];
        if (kept && kept(context, steps->steps[i])) continue;
        checkpoint_name(name, sizeof name, steps->steps[i]);
        ok = file_path(directory, sizeof directory, error, job_directory, name) &&
             file_remove_tree(directory, error);
    }
    memory_free(steps);
    return ok;
}
