#include "cli/model_install.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "cli/model_facts.h"
#include "model/gguf.h"
#include "model/weights_index.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SMALL_FILE = 64 << 20, QUANTIZED_AWAY = 1, SPARE_BYTES = 64 << 20 };

const char *const model_small_files[] = {WEIGHTS_INDEX_FILE, "config.json",
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", MODEL_TEMPLATES_DIRECTORY "/tool_use.jinja",
    "tokenizer.model", "vocab.json", "merges.txt", "README.md", "LICENSE", "LICENSE.txt",
    "LICENSE.md", "USE_POLICY.md", "NOTICE", NULL};

static const char template_file[] = "chat_template.jinja";

// ---- names ----

static bool check_name(const char *name, const char *data, struct error *error) {
    struct model_directory found;
    struct error free_name;
    if (!model_name_is_good(name))
        return error_set(error, ERROR_INVALID,
            "\"%.200s\" cannot be a model's name: take NAME or OWNER/NAME, of letters, digits, "
            "'.', "
            "'_' and '-'",
            name);
    if (!model_directory_by_name(&found, name, data, &free_name)) {
        if (free_name.code == ERROR_NOT_FOUND) return true;
        *error = free_name;
        return false;
    }
    error_set(error, ERROR_CONFLICT,
        "the name \"%s\" is taken by the model %s in %s; take another, or first run: temper models "
        "remove %s",
        name, found.id, found.path, found.id);
    model_directory_free(&found);
    return false;
}

// A model cannot lie inside of another, nor where models of an owner lie.
static bool check_place(
    const char *models, const char *id, const char *target, struct error *error) {
    char owner[FILE_PATH_SIZE];
    const char *slash = strchr(id, '/');
    if (file_exists(target))
        return error_set(error, ERROR_CONFLICT,
            "%s exists and is no model; take another name than %s", target, id);
    if (!slash) return true;
    if (!file_path(owner, sizeof owner, error, models, id)) return false;
    owner[strlen(owner) - strlen(slash)] = 0;
    if (!model_directory_holds_model(owner)) return true;
    return error_set(error, ERROR_CONFLICT,
        "%s is a model, so that it cannot hold %s; take another name", owner, id);
}

static bool check_names(
    const struct model_install *install, const char *models, struct error *error) {
    const struct model_manifest *manifest = &install->manifest;
    if (!check_name(manifest->id, install->data, error)) return false;
    for (size_t i = 0; i < manifest->alias_count; i++)
        if (!check_name(manifest->aliases[i], install->data, error)) return false;
    return check_place(models, manifest->id, install->target, error);
}

// ---- beginning and end ----

static bool fill_manifest(struct model_manifest *manifest, const char *id,
    const char *const *aliases, size_t alias_count, const char *source, struct error *error) {
    manifest->created_at = (int64_t)time(NULL);
    if (!model_manifest_set(manifest, id, source, error)) return false;
    for (size_t i = 0; i < alias_count; i++)
        if (!model_manifest_add_alias(manifest, aliases[i], error)) return false;
    return true;
}

static bool make_staging(
    struct model_install *install, const char *models, const char *staging, struct error *error) {
    if (!file_path(install->staging, sizeof install->staging, error, models,
            staging ? staging : ".adding-XXXXXX"))
        return false;
    if (staging) return file_make_directories(install->staging, error);
    return mkdtemp(install->staging) != NULL ||
           error_set_errno(error, ERROR_IO, "cannot make a directory in %s", models);
}

static bool begin(struct model_install *install, const char *staging, struct error *error) {
    char models[FILE_PATH_SIZE];
    return file_path(models, sizeof models, error, install->data, "models") &&
           file_path(
               install->target, sizeof install->target, error, models, install->manifest.id) &&
           check_names(install, models, error) && file_make_directories(models, error) &&
           make_staging(install, models, staging, error);
}

bool model_install_staging_name(char *name, const char *id, struct error *error) {
    const char *slash = strchr(id, '/');
    int owner = slash ? (int)(slash - id) : 0;
    int length = snprintf(name, FILE_PATH_SIZE, ".pulling-%.*s%s%s", owner, id, slash ? "--" : "",
        slash ? slash + 1 : id);
    return (length > 0 && length < FILE_PATH_SIZE) ||
           error_set(error, ERROR_INVALID, "the name %.100s is too long", id);
}

bool model_install_begin(struct model_install *install, const char *data, const char *id,
    const char *const *aliases, size_t alias_count, const char *source, const char *staging,
    struct error *error) {
    memset(install, 0, sizeof *install);
    install->data = data;
    if (fill_manifest(&install->manifest, id, aliases, alias_count, source, error) &&
        begin(install, staging, error))
        return true;
    model_install_free(install);
    return false;
}

static bool make_owner(const struct model_install *install, struct error *error) {
    char owner[FILE_PATH_SIZE];
    snprintf(owner, sizeof owner, "%s", install->target);
    *strrchr(owner, '/') = 0;
    return file_make_directories(owner, error);
}

bool model_install_publish(struct model_install *install, struct error *error) {
    return model_manifest_write(&install->manifest, install->staging, error) &&
           file_sync_directory(install->staging, error) && make_owner(install, error) &&
           file_rename_durable(install->staging, install->target, error);
}

void model_install_free(struct model_install *install) {
    model_manifest_free(&install->manifest);
}

void model_install_abandon(struct model_install *install) {
    struct error left;
    if (*install->staging && !file_remove_tree(install->staging, &left))
        fprintf(stderr, "temper: %s\n", left.message);
    model_install_free(install);
}

// ---- files ----

static bool copy_file(const char *from, const char *to, struct error *error) {
    char *bytes;
    size_t length;
    if (!file_read(from, MAX_SMALL_FILE, &bytes, &length, error)) return false;
    bool ok = file_write_atomic(to, bytes, length, error);
    memory_free(bytes);
    return ok;
}

bool model_install_path(const struct model_install *install, char path[FILE_PATH_SIZE],
    const char *name, struct error *error) {
    if (!file_path(path, FILE_PATH_SIZE, error, install->staging, name)) return false;
    if (!strchr(name, '/')) return true;
    char directory[FILE_PATH_SIZE];
    snprintf(directory, sizeof directory, "%s", path);
    *strrchr(directory, '/') = 0;
    return file_make_directories(directory, error);
}

static bool copy_small_files(
    struct model_install *install, const char *source, bool quantized, struct error *error) {
    char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE];
    for (size_t i = quantized ? QUANTIZED_AWAY : 0; model_small_files[i]; i++) {
        const char *name = model_small_files[i];
        if (!file_path(from, sizeof from, error, source, name)) return false;
        if (!file_exists(from)) continue;
        if (!model_install_path(install, to, name, error) || !copy_file(from, to, error))
            return false;
    }
    return true;
}

static bool link_file(
    struct model_install *install, const char *target, const char *name, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!file_path(path, sizeof path, error, install->staging, name)) return false;
    return symlink(target, path) == 0 ||
           error_set_errno(error, ERROR_IO, "cannot make the link %s", path);
}

static bool link_weights(struct model_install *install, const char *source, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct weights_index index;
    if (!file_path(path, sizeof path, error, source, "model.safetensors")) return false;
    if (file_exists(path)) return link_file(install, path, "model.safetensors", error);
    if (!weights_index_read(&index, source, error)) return false;
    bool ok = true;
    for (size_t i = 0; i < index.shard_count && ok; i++)
        ok = file_path(path, sizeof path, error, source, index.shards[i]) &&
             link_file(install, path, index.shards[i], error);
    weights_index_free(&index);
    return ok;
}

static bool refer_to_gguf(struct model_install *install, const char *path, struct error *error) {
    char *real = realpath(path, NULL);
    if (!real) return error_set_errno(error, ERROR_IO, "cannot open %s", path);
    bool ok = link_file(install, real, "model.gguf", error);
    free(real);
    return ok;
}

bool model_install_refer(
    struct model_install *install, const char *source, bool quantized, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (gguf_find(path, sizeof path, source)) {
        if (quantized)
            return error_set(error, ERROR_UNSUPPORTED,
                "--quantize takes models in Hugging Face's layout; %s is GGUF", path);
        return (!file_is_directory(source) || copy_small_files(install, source, false, error)) &&
               refer_to_gguf(install, path, error);
    }
    return copy_small_files(install, source, quantized, error) &&
           (quantized || link_weights(install, source, error));
}

bool model_install_template(struct model_install *install, const char *path, struct error *error) {
    char to[FILE_PATH_SIZE], others[FILE_PATH_SIZE];
    return file_path(to, sizeof to, error, install->staging, template_file) &&
           file_path(others, sizeof others, error, install->staging, MODEL_TEMPLATES_DIRECTORY) &&
           file_remove_tree(others, error) && copy_file(path, to, error);
}

bool model_install_has_room(
    const struct model_install *install, uint64_t bytes, const char *what, struct error *error) {
    char needed[FACT_SIZE], there[FACT_SIZE];
    struct statvfs status;
    if (statvfs(install->staging, &status) != 0)
        return error_set_errno(error, ERROR_IO, "cannot examine %s", install->staging);
    uint64_t room = (uint64_t)status.f_bavail * status.f_frsize;
    if (room >= SPARE_BYTES && bytes <= room - SPARE_BYTES) return true;
    fact_bytes(needed, bytes);
    fact_bytes(there, room);
    return error_set(error, ERROR_IO,
        "%s takes %s, and the disk of %s has room for %s; make room, or give --data a directory on "
        "another disk",
        what, needed, install->data, there);
}
