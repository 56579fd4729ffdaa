#include "base/model_directory.h"
#include "base/file.h"
#include "base/memory.h"
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

static bool holds_model(const char *path) {
    char config[FILE_PATH_SIZE];
    struct error ignored;
    return file_path(config, sizeof config, &ignored, path, "config.json") && file_exists(config);
}

static bool set(
    struct model_directory *directory, const char *id, const char *path, struct error *error) {
    directory->id = memory_copy_string(!strcmp(id, BUILT_IN_DIRECTORY) ? BUILT_IN_MODEL : id);
    directory->path = memory_copy_string(path);
    if (directory->id && directory->path) return true;
    model_directory_free(directory);
    return memory_error(error, "a model's name");
}

void model_directory_free(struct model_directory *directory) {
    memory_free(directory->id);
    memory_free(directory->path);
    directory->id = directory->path = NULL;
}

// A name that leads nowhere but down: owner/name at most.
static bool is_plain_name(const char *name) {
    size_t slashes = 0;
    for (const char *at = name; *at; at++)
        slashes += *at == '/';
    return *name && *name != '/' && *name != '.' && slashes <= 1 && !strstr(name, "..") &&
           !strstr(name, "/.") && name[strlen(name) - 1] != '/';
}

static const char *without_alias(const char *name) {
    static const char *const aliases[] = {BUILT_IN_MODEL, "temper-mini"};
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (!strcmp(name, aliases[i])) return BUILT_IN_DIRECTORY;
    return name;
}

// ---- finding ----

static bool find_by_name(struct model_directory *found, const struct places *places,
    const char *name, bool *ok, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!is_plain_name(name)) return false;
    for (size_t i = 0; i < places->count; i++) {
        struct error ignored;
        if (!file_path(path, sizeof path, &ignored, places->paths[i], name) || !holds_model(path))
            continue;
        *ok = set(found, name, path, error);
        return true;
    }
    return false;
}

static bool find_by_path(struct model_directory *found, const struct places *places,
    const char *name, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!realpath(name, path))
        return error_set_errno(error, ERROR_IO, "cannot open the model directory %s", name);
    for (size_t i = 0; i < places->count; i++) {
        size_t length = strlen(places->paths[i]);
        if (!strncmp(path, places->paths[i], length) && path[length] == '/' &&
            is_plain_name(path + length + 1))
            return set(found, path + length + 1, path, error);
    }
    return set(found, path, path, error);
}

bool model_directory_by_name(
    struct model_directory *found, const char *name, const char *data, struct error *error) {
    struct places places;
    bool ok = false;
    found->id = found->path = NULL;
    find_places(&places, data);
    if (find_by_name(found, &places, without_alias(name), &ok, error)) return ok;
    return error_set(error, ERROR_NOT_FOUND, "no model \"%.200s\"", name);
}

bool model_directory_find(
    struct model_directory *found, const char *name, const char *data, struct error *error) {
    struct places places;
    bool ok = false;
    char looked[768] = "";
    found->id = found->path = NULL;
    find_places(&places, data);
    if (find_by_name(found, &places, without_alias(name), &ok, error)) return ok;
    if (holds_model(name)) return find_by_path(found, &places, name, error);
    for (size_t i = 0; i < places.count; i++) {
        size_t used = strlen(looked);
        snprintf(looked + used, sizeof looked - used, "%s%.200s", i ? ", " : "", places.paths[i]);
    }
    return error_set(error, ERROR_NOT_FOUND,
        "no model \"%.200s\": it is no directory with a config.json, and not in %s; put the "
        "model's files into one of these, or set TEMPER_MODELS_DIR",
        name, *looked ? looked : "any known place");
}

// ---- listing ----

struct listing {
    struct model_directory *list;
    size_t count;
    struct error *error;
};

static bool add_model(struct listing *l, const char *id, const char *path) {
    const char *wanted = !strcmp(id, BUILT_IN_DIRECTORY) ? BUILT_IN_MODEL : id;
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->list[i].id, wanted)) return true;
    if (l->count == MAX_MODELS) return true;
    struct model_directory *grown = memory_resize(l->list, l->count + 1, sizeof *grown);
    if (!grown) return memory_error(l->error, "a list of models");
    l->list = grown;
    if (!set(&l->list[l->count], id, path, l->error)) return false;
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
        if (holds_model(child))
            ok = add_model(l, id, child);
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

bool model_directory_list(
    struct model_directory **list, size_t *count, const char *data, struct error *error) {
    struct places places;
    struct listing listing = {NULL, 0, error};
    bool ok = true;
    find_places(&places, data);
    for (size_t i = 0; i < places.count && ok; i++)
        ok = scan(&listing, places.paths[i], "", true);
    if (!ok) {
        model_directory_list_free(listing.list, listing.count);
        return false;
    }
    if (listing.count) qsort(listing.list, listing.count, sizeof *listing.list, by_id);
    *list = listing.list;
    *count = listing.count;
    return true;
}

void model_directory_list_free(struct model_directory *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        model_directory_free(&list[i]);
    memory_free(list);
}
