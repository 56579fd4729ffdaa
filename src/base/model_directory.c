#include "base/model_directory.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/model_manifest.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PLACES = 4, MAX_MODELS = 1000 };

#define BUILT_IN_DIRECTORY "mini-instruct"

// ---- places ----

struct places {
    size_t count;
    char paths[MAX_PLACES][FILE_PATH_SIZE];
};

static void add_place(struct places *places, const char *parent, const char *child) {
    char joined[FILE_PATH_SIZE];
    int length = snprintf(joined, sizeof joined, "%s%s%s", parent, *child ? "/" : "", child);
    if (length < 0 || (size_t)length >= sizeof joined || places->count == MAX_PLACES) return;
    // A place that is not there is no fault: it holds nothing.
    if (realpath(joined, places->paths[places->count])) places->count++;
}

static void find_places(struct places *places, const char *data) {
    char program[FILE_PATH_SIZE];
    const char *given = getenv("TEMPER_MODELS_DIR");
    places->count = 0;
    if (given && *given) add_place(places, given, "");
    if (data) add_place(places, data, "models");
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) return;
    program[length] = 0;
    char *slash = strrchr(program, '/');
    if (slash) *slash = 0;
    add_place(places, program, "../models");
    add_place(places, program, "../share/temper/models");
}

// ---- names ----

static bool holds_file(const char *directory, const char *name) {
    char path[FILE_PATH_SIZE];
    struct error ignored;
    return file_path(path, sizeof path, &ignored, directory, name) && file_exists(path);
}

bool model_directory_holds_model(const char *path) {
    return holds_file(path, "config.json") || holds_file(path, "model.gguf");
}

// A name that leads nowhere but down: owner/name at most.
static bool is_plain_name(const char *name) {
    size_t slashes = 0;
    for (const char *at = name; *at; at++)
        slashes += *at == '/';
    return *name && *name != '/' && *name != '.' && slashes <= 1 && !strstr(name, "..") &&
           !strstr(name, "/.") && name[strlen(name) - 1] != '/';
}

// The id of the model in PLACE/name.
static const char *id_of(const char *name) {
    return strcmp(name, BUILT_IN_DIRECTORY) ? name : BUILT_IN_MODEL;
}

// Where the model PLACE/name is, in the first place that has one.
static bool place_of(const struct places *places, const char *name, char *path) {
    struct error ignored;
    if (!is_plain_name(name)) return false;
    for (size_t i = 0; i < places->count; i++)
        if (file_path(path, FILE_PATH_SIZE, &ignored, places->paths[i], name) &&
            model_directory_holds_model(path))
            return true;
    return false;
}

// ---- records ----

void model_directory_free(struct model_directory *directory) {
    for (size_t i = 0; i < directory->alias_count; i++)
        memory_free(directory->aliases[i]);
    memory_free(directory->aliases);
    memory_free(directory->id);
    memory_free(directory->path);
    memset(directory, 0, sizeof *directory);
}

static bool has_name(const struct model_directory *directory, const char *name) {
    if (!strcmp(directory->id, name)) return true;
    for (size_t i = 0; i < directory->alias_count; i++)
        if (!strcmp(directory->aliases[i], name)) return true;
    return false;
}

static bool add_alias(struct model_directory *directory, const char *alias, struct error *error) {
    if (has_name(directory, alias)) return true;
    char **grown = memory_resize(directory->aliases, directory->alias_count + 1, sizeof *grown);
    if (!grown) return memory_error(error, "a model's aliases");
    directory->aliases = grown;
    if (!(grown[directory->alias_count] = memory_copy_string(alias)))
        return memory_error(error, "a model's aliases");
    directory->alias_count++;
    return true;
}

// A manifest that cannot be read gives no aliases; the model is there all the same.
static bool add_own_aliases(struct model_directory *directory, struct error *error) {
    struct model_manifest manifest;
    struct error passed = {0};
    bool ok = true;
    if (!model_manifest_read(&manifest, directory->path, &passed)) {
        if (passed.code != ERROR_MEMORY) return true;
        *error = passed;
        return false;
    }
    for (size_t i = 0; i < manifest.alias_count && ok; i++)
        ok = add_alias(directory, manifest.aliases[i], error);
    model_manifest_free(&manifest);
    return ok;
}

// Of several directories that bear names of one known model, the first in the order of its names
// answers to those that no directory bears.
static bool answers_for(const struct model_directory *directory, const struct known_model *known,
    const struct places *places) {
    char path[FILE_PATH_SIZE];
    for (size_t i = 0; i < KNOWN_MODEL_NAMES && known->names[i]; i++)
        if (place_of(places, known->names[i], path))
            return !strcmp(directory->id, id_of(known->names[i]));
    return true;
}

static bool bears_name_of(
    const struct model_directory *directory, const struct known_model *known) {
    for (size_t i = 0; i < KNOWN_MODEL_NAMES && known->names[i]; i++)
        if (has_name(directory, known->names[i])) return true;
    return false;
}

static bool add_known_aliases(
    struct model_directory *directory, const struct places *places, struct error *error) {
    char path[FILE_PATH_SIZE];
    for (size_t i = 0; i < KNOWN_MODELS; i++) {
        const struct known_model *known = &known_models[i];
        if (!bears_name_of(directory, known) || !answers_for(directory, known, places)) continue;
        for (size_t j = 0; j < KNOWN_MODEL_NAMES && known->names[j]; j++) {
            bool own = !strcmp(id_of(known->names[j]), directory->id);
            if (!own && place_of(places, known->names[j], path)) continue;
            if (!add_alias(directory, known->names[j], error)) return false;
        }
    }
    return true;
}

static bool set(struct model_directory *directory, const struct places *places, const char *id,
    const char *path, struct error *error) {
    memset(directory, 0, sizeof *directory);
    directory->id = memory_copy_string(id);
    directory->path = memory_copy_string(path);
    if (!directory->id || !directory->path)
        memory_error(error, "a model's name");
    else if (add_own_aliases(directory, error) && add_known_aliases(directory, places, error))
        return true;
    model_directory_free(directory);
    return false;
}

// ---- listing ----

struct listing {
    const struct places *places;
    struct model_directory *list;
    size_t count;
    struct error *error;
};

static bool add_model(struct listing *l, const char *id, const char *path) {
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->list[i].id, id)) return true;
    if (l->count == MAX_MODELS) return true;
    struct model_directory *grown = memory_resize(l->list, l->count + 1, sizeof *grown);
    if (!grown) return memory_error(l->error, "a list of models");
    l->list = grown;
    if (!set(&l->list[l->count], l->places, id, path, l->error)) return false;
    l->count++;
    return true;
}

// Adds what `path` holds; where that is no model and `deeper`, what its directories hold.
static bool scan(struct listing *l, const char *path, const char *owner, bool deeper) {
    struct dirent *entry;
    bool ok = true;
    DIR *directory = opendir(path);
    if (!directory) return true; // not a directory, or not ours to read: no model of ours
    while (ok && (entry = readdir(directory))) {
        char child[FILE_PATH_SIZE], id[FILE_PATH_SIZE];
        struct error ignored;
        int length = snprintf(id, sizeof id, "%s%s%s", owner, *owner ? "/" : "", entry->d_name);
        if (entry->d_name[0] == '.' || length < 0 || (size_t)length >= sizeof id ||
            !file_path(child, sizeof child, &ignored, path, entry->d_name))
            continue;
        if (model_directory_holds_model(child))
            ok = add_model(l, id_of(id), child);
        else if (deeper)
            ok = scan(l, child, id, false);
    }
    closedir(directory);
    return ok;
}

static int by_id(const void *left, const void *right) {
    const struct model_directory *a = left, *b = right;
    int first = strcmp(b->id, BUILT_IN_MODEL) == 0, second = strcmp(a->id, BUILT_IN_MODEL) == 0;
    return first != second ? first - second : strcmp(a->id, b->id);
}

static bool list_places(struct model_directory **list, size_t *count, const struct places *places,
    struct error *error) {
    struct listing listing = {places, NULL, 0, error};
    bool ok = true;
    for (size_t i = 0; i < places->count && ok; i++)
        ok = scan(&listing, places->paths[i], "", true);
    if (!ok) {
        model_directory_list_free(listing.list, listing.count);
        return false;
    }
    if (listing.count) qsort(listing.list, listing.count, sizeof *listing.list, by_id);
    *list = listing.list;
    *count = listing.count;
    return true;
}

bool model_directory_list(
    struct model_directory **list, size_t *count, const char *data, struct error *error) {
    struct places places;
    find_places(&places, data);
    return list_places(list, count, &places, error);
}

void model_directory_list_free(struct model_directory *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        model_directory_free(&list[i]);
    memory_free(list);
}

// ---- finding ----

// By alias: what no directory is named. *ok is false where memory was short.
static bool find_by_alias(struct model_directory *found, const struct places *places,
    const char *name, bool *ok, struct error *error) {
    struct model_directory *list;
    size_t count;
    bool taken = false;
    *ok = list_places(&list, &count, places, error);
    if (!*ok) return true;
    for (size_t i = 0; i < count && !taken; i++) {
        if (!has_name(&list[i], name)) continue;
        *found = list[i];
        memset(&list[i], 0, sizeof list[i]);
        taken = true;
    }
    model_directory_list_free(list, count);
    return taken;
}

// True where the search has ended, well (*ok) or not.
static bool find_by_name(struct model_directory *found, const struct places *places,
    const char *name, bool *ok, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (place_of(places, name, path)) {
        *ok = set(found, places, id_of(name), path, error);
        return true;
    }
    return model_name_is_good(name) && find_by_alias(found, places, name, ok, error);
}

static bool find_by_path(struct model_directory *found, const struct places *places,
    const char *name, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!realpath(name, path))
        return error_set_errno(error, ERROR_IO, "cannot open the model %s", name);
    for (size_t i = 0; i < places->count; i++) {
        size_t length = strlen(places->paths[i]);
        if (!strncmp(path, places->paths[i], length) && path[length] == '/' &&
            is_plain_name(path + length + 1))
            return set(found, places, id_of(path + length + 1), path, error);
    }
    return set(found, places, path, path, error);
}

static bool is_gguf_file(const char *name) {
    size_t length = strlen(name);
    return length > 5 && !strcmp(name + length - 5, ".gguf") && file_exists(name) &&
           !file_is_directory(name);
}

static bool not_here(
    const struct known_model *known, const char *name, const char *data, struct error *error) {
    return error_set(error, ERROR_NOT_FOUND,
        "\"%.200s\" is supported, but not on this machine; to get it, run: temper models pull "
        "%s%s%s",
        name, known->hub, data ? " --data " : "", data ? data : "");
}

bool model_directory_by_name(
    struct model_directory *found, const char *name, const char *data, struct error *error) {
    struct places places;
    bool ok = false;
    memset(found, 0, sizeof *found);
    find_places(&places, data);
    if (find_by_name(found, &places, name, &ok, error)) return ok;
    const struct known_model *known = known_model_find(name);
    if (known && known->hub) return not_here(known, name, data, error);
    return error_set(error, ERROR_NOT_FOUND, "no model \"%.200s\"", name);
}

static bool not_found(const struct places *places, const char *name, struct error *error) {
    char looked[768] = "";
    for (size_t i = 0; i < places->count; i++) {
        size_t used = strlen(looked);
        snprintf(looked + used, sizeof looked - used, "%s%.200s", i ? ", " : "", places->paths[i]);
    }
    return error_set(error, ERROR_NOT_FOUND,
        "no model \"%.200s\": it is no directory with a config.json, no .gguf file, and not in %s; "
        "`temper models` lists what is there, `temper models add` and `pull` add more",
        name, *looked ? looked : "any known place");
}

bool model_directory_find(
    struct model_directory *found, const char *name, const char *data, struct error *error) {
    struct places places;
    bool ok = false;
    memset(found, 0, sizeof *found);
    find_places(&places, data);
    if (find_by_name(found, &places, name, &ok, error)) return ok;
    if (model_directory_holds_model(name) || is_gguf_file(name))
        return find_by_path(found, &places, name, error);
    const struct known_model *known = known_model_find(name);
    return known && known->hub ? not_here(known, name, data, error)
                               : not_found(&places, name, error);
}
