// What a run leaves behind: checkpoints on its way, and at its end an adapter or a model.
#include "base/file.h"
#include "base/job_format.h"
#include "base/memory.h"
#include "base/progress.h"
#include "train/trainer_internal.h"
#include <stdio.h>
#include <string.h>

enum { MAX_MODEL_FILE = 64 << 20, KEEP_EPOCHS = 3 };

static const char *base_name(const struct trainer *t) {
    return t->spec->base_model_name ? t->spec->base_model_name : t->spec->model;
}

static bool copy_file(const char *from, const char *to, struct error *error) {
    char *bytes;
    size_t length;
    if (!file_read(from, MAX_MODEL_FILE, &bytes, &length, error)) return false;
    bool ok = file_write_atomic(to, bytes, length, error);
    memory_free(bytes);
    return ok;
}

// A template that is not the model's own goes where the result goes: it answers in the form that it
// was trained in.
static bool copy_template(const struct trainer *t, const char *directory, struct error *error) {
    char to[FILE_PATH_SIZE];
    const char *template = t->spec->chat_template;
    if (!template) return adapter_file_copy_template(t->spec->adapter, directory, error);
    return file_path(to, sizeof to, error, directory, ADAPTER_TEMPLATE_FILE) &&
           copy_file(template, to, error);
}

static bool write_adapter(void *context, const char *directory, struct error *error) {
    const struct trainer *t = context;
    return adapter_file_save(t->lora, directory, base_name(t), error) &&
           copy_template(t, directory, error);
}

// The ends of the last epochs stay, as models that can be used; of the others only the newest is
// needed.
static bool is_kept(void *context, uint64_t step) {
    const struct trainer *t = context;
    size_t epochs = (size_t)t->spec->epochs, done = 0;
    while (done < epochs && t->epoch_ends[done] <= t->state.step)
        done++;
    for (size_t i = done > KEEP_EPOCHS ? done - KEEP_EPOCHS : 0; i < done; i++)
        if (t->epoch_ends[i] == step) return true;
    return false;
}

bool trainer_checkpoint(struct trainer *t, struct error *error) {
    t->checkpointed = progress_clock();
    return checkpoint_save(&t->state, t->job_directory, t->lora ? write_adapter : NULL, t, error) &&
           checkpoint_prune(t->job_directory, 1, is_kept, t, error);
}

// The files of a model directory that training does not change.
static bool copy_model_files(const struct trainer *t, const char *directory, struct error *error) {
    static const char *const names[] = {"config.json", "generation_config.json", "tokenizer.json",
        "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE];
        if (!file_path(from, sizeof from, error, t->spec->model, names[i]) ||
            !file_path(to, sizeof to, error, directory, names[i]))
            return false;
        if (file_exists(from) && !copy_file(from, to, error)) return false;
    }
    return copy_template(t, directory, error);
}

static bool write_result(struct trainer *t, const char *directory, struct error *error) {
    if (t->lora) return write_adapter(t, directory, error);
    return copy_model_files(t, directory, error) &&
           parameters_save(t->parameters, directory, DATA_BF16, error);
}

bool trainer_publish(struct trainer *t, struct error *error) {
    const char *name = t->lora ? JOB_ADAPTER_DIRECTORY : JOB_MODEL_DIRECTORY;
    char final[FILE_PATH_SIZE], partial[FILE_PATH_SIZE];
    if (!file_path(final, sizeof final, error, t->job_directory, name)) return false;
    if ((size_t)snprintf(partial, sizeof partial, "%s.partial", final) >= sizeof partial)
        return error_set(error, ERROR_INVALID, "the path %s is too long", final);
    return file_remove_tree(partial, error) && file_make_directories(partial, error) &&
           write_result(t, partial, error) && file_remove_tree(final, error) &&
           file_rename_durable(partial, final, error);
}
