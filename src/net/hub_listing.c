// What the hub's API says of a model's files.
#include "base/memory.h"
#include "net/hub.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 100000, MAX_NAME = 255 };

static const uint64_t max_size = (uint64_t)1 << 46; // 64 TiB

// A way down from a directory, of printable ASCII or UTF-8, without "." and "..".
static bool leads_down(const char *name) {
    size_t length = strlen(name);
    if (!length || length > MAX_NAME || *name == '/' || name[length - 1] == '/') return false;
    for (const char *at = name; at;) {
        const char *slash = strchr(at, '/');
        size_t part = slash ? (size_t)(slash - at) : strlen(at);
        if (!part || (part == 1 && at[0] == '.') || (part == 2 && !strncmp(at, "..", 2)))
            return false;
        at = slash ? slash + 1 : NULL;
    }
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127 || *at == '\\') return false;
    return true;
}

static bool wrong(struct error *error, const char *name, const char *what) {
    return error_set(
        error, ERROR_INVALID, "the hub's answer on the file \"%.200s\" has no good %s", name, what);
}

// Large files have an "lfs" with the SHA-256 of their content, small ones git's name of their blob.
static bool read_digest(struct hub_file *file, const json_t *sibling, struct error *error) {
    const json_t *lfs = json_object_get(sibling, "lfs");
    const json_t *size = json_object_get(lfs, "size");
    const char *text = json_string_value(json_object_get(lfs, "sha256"));
    file->kind = DIGEST_SHA256;
    if (!json_is_object(lfs)) {
        file->kind = DIGEST_GIT_BLOB;
        size = json_object_get(sibling, "size");
        text = json_string_value(json_object_get(sibling, "blobId"));
    }
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        (uint64_t)json_integer_value(size) > max_size)
        return wrong(error, file->name, "size");
    if (!text || !digest_is_text(file->kind, text))
        return wrong(error, file->name, digest_names[file->kind]);
    file->size = (uint64_t)json_integer_value(size);
    strcpy(file->digest, text);
    return true;
}

static bool read_file(struct hub_listing *listing, const json_t *sibling, struct error *error) {
    struct hub_file *file = &listing->files[listing->count];
    const char *name = json_string_value(json_object_get(sibling, "rfilename"));
    if (!name) return error_set(error, ERROR_INVALID, "the hub's answer has a file without a name");
    if (!leads_down(name))
        return error_set(error, ERROR_INVALID,
            "the hub's answer names a file outside of the model's directory: \"%.200s\"; nothing "
            "was "
            "fetched",
            name);
    if (!(file->name = memory_copy_string(name))) return memory_error(error, "a list of files");
    listing->count++;
    return read_digest(file, sibling, error);
}

static bool read_listing(struct hub_listing *listing, const json_t *root, struct error *error) {
    const json_t *siblings = json_object_get(root, "siblings"), *sibling;
    const char *commit = json_string_value(json_object_get(root, "sha"));
    size_t i, count = json_array_size(siblings);
    if (!commit || !digest_is_text(DIGEST_GIT_BLOB, commit) || !count || count > MAX_FILES)
        return error_set(error, ERROR_INVALID,
            "the hub's answer has no commit ('sha') or no list of files ('siblings'): is "
            "HF_ENDPOINT "
            "a Hugging Face hub?");
    strcpy(listing->commit, commit);
    listing->files = memory_alloc_zeroed(count, sizeof *listing->files);
    if (!listing->files) return memory_error(error, "a list of files");
    json_array_foreach(siblings, i, sibling) {
        if (!read_file(listing, sibling, error)) return false;
    }
    return true;
}

bool hub_listing_parse(
    struct hub_listing *listing, const char *text, size_t length, struct error *error) {
    json_error_t fault;
    memset(listing, 0, sizeof *listing);
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return error_set(error, ERROR_INVALID, "the hub's answer is not JSON: line %d: %s",
            fault.line, fault.text);
    bool ok = read_listing(listing, root, error);
    json_decref(root);
    if (!ok) hub_listing_free(listing);
    return ok;
}

void hub_listing_free(struct hub_listing *listing) {
    for (size_t i = 0; i < listing->count; i++)
        memory_free(listing->files[i].name);
    memory_free(listing->files);
    memset(listing, 0, sizeof *listing);
}

const struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *name) {
    for (size_t i = 0; i < listing->count; i++)
        if (!strcmp(listing->files[i].name, name)) return &listing->files[i];
    return NULL;
}
