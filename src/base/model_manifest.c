#include "base/model_manifest.h"
#include "base/file.h"
#include "base/memory.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 16, MAX_NAME = 96 };

bool model_name_is_good(const char *name) {
    size_t slashes = 0, length = 0; // of the part between slashes
    for (const char *at = name; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                      (*at >= '0' && *at <= '9') || *at == '_';
        bool inside = *at == '.' || *at == '-';
        if (*at == '/') {
            if (length == 0 || ++slashes > 1) return false;
            length = 0;
        } else if ((!letter && !inside) || (inside && length == 0) || ++length > MAX_NAME) {
            return false;
        }
    }
    return length > 0;
}

// ---- values ----

void model_manifest_free(struct model_manifest *manifest) {
    memory_free(manifest->id);
    memory_free(manifest->source);
    memory_free(manifest->revision);
    for (size_t i = 0; i < manifest->alias_count; i++)
        memory_free(manifest->aliases[i]);
    memset(manifest, 0, sizeof *manifest);
}

bool model_manifest_set(
    struct model_manifest *manifest, const char *id, const char *source, struct error *error) {
    manifest->id = memory_copy_string(id);
    manifest->source = memory_copy_string(source);
    return (manifest->id && manifest->source) || memory_error(error, MODEL_MANIFEST_FILE);
}

bool model_manifest_add_alias(
    struct model_manifest *manifest, const char *alias, struct error *error) {
    for (size_t i = 0; i < manifest->alias_count; i++)
        if (!strcmp(manifest->aliases[i], alias)) return true;
    if (manifest->alias_count == MODEL_MAX_ALIASES)
        return error_set(error, ERROR_INVALID, "a model has at most %d aliases", MODEL_MAX_ALIASES);
    char *copy = memory_copy_string(alias);
    if (!copy) return memory_error(error, "an alias");
    manifest->aliases[manifest->alias_count++] = copy;
    return true;
}

// ---- the file ----

static bool copy_text(char **copy, const json_t *value, struct error *error) {
    if (!json_is_string(value)) return true;
    *copy = memory_copy_string(json_string_value(value));
    return *copy || memory_error(error, MODEL_MANIFEST_FILE);
}

static bool read_fields(struct model_manifest *manifest, const json_t *root, struct error *error) {
    const json_t *aliases = json_object_get(root, "aliases"), *alias;
    size_t i;
    manifest->created_at = json_integer_value(json_object_get(root, "created_at"));
    if (!copy_text(&manifest->id, json_object_get(root, "id"), error) ||
        !copy_text(&manifest->source, json_object_get(root, "source"), error) ||
        !copy_text(&manifest->revision, json_object_get(root, "revision"), error))
        return false;
    json_array_foreach(aliases, i, alias) {
        const char *name = json_string_value(alias);
        if (!name || !model_name_is_good(name) || manifest->alias_count == MODEL_MAX_ALIASES)
            continue;
        if (!model_manifest_add_alias(manifest, name, error)) return false;
    }
    return true;
}

bool model_manifest_read(
    struct model_manifest *manifest, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    json_error_t fault;
    memset(manifest, 0, sizeof *manifest);
    if (!file_path(path, sizeof path, error, directory, MODEL_MANIFEST_FILE) ||
        !file_read(path, MAX_FILE, &text, &length, error))
        return false;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    memory_free(text);
    bool ok = json_is_object(root) ? read_fields(manifest, root, error)
                                   : error_set(error, ERROR_INVALID, "%s is not a JSON object: %s",
                                         path, root ? "it is of another type" : fault.text);
    json_decref(root);
    if (!ok) model_manifest_free(manifest);
    return ok;
}

bool model_manifest_write(
    const struct model_manifest *manifest, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    json_t *aliases = json_array();
    for (size_t i = 0; i < manifest->alias_count; i++)
        json_array_append_new(aliases, json_string(manifest->aliases[i]));
    json_t *root = json_pack("{s:s, s:o, s:s, s:s?, s:I}", "id", manifest->id, "aliases", aliases,
        "source", manifest->source, "revision", manifest->revision, "created_at",
        (json_int_t)manifest->created_at);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
    bool ok =
        text ? file_path(path, sizeof path, error, directory, MODEL_MANIFEST_FILE) &&
                   file_write_atomic(path, text, strlen(text), error)
             : error_set(error, ERROR_INVALID,
                   "%s cannot be written: the source's name is not UTF-8", MODEL_MANIFEST_FILE);
    free(text);
    json_decref(root);
    return ok;
}
