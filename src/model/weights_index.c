#include "model/weights_index.h"
#include "base/file.h"
#include "base/memory.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INDEX = 64 << 20, MAX_FILE_NAME = 255 };

// A safetensors file in the model's own directory, of printable ASCII.
static bool is_shard_name(const char *name) {
    size_t length = strlen(name);
    if (length <= 12 || length > MAX_FILE_NAME || *name == '.' ||
        strcmp(name + length - 12, ".safetensors"))
        return false;
    for (const char *at = name; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '/' || *at == '\\') return false;
    return true;
}

static bool find_shard(
    struct weights_index *index, const char *name, uint32_t *shard, struct error *error) {
    // Tensors of one file mostly stand together.
    for (size_t i = index->shard_count; i-- > 0;)
        if (!strcmp(index->shards[i], name)) {
            *shard = (uint32_t)i;
            return true;
        }
    if (!is_shard_name(name))
        return error_set(error, ERROR_INVALID,
            WEIGHTS_INDEX_FILE " names \"%.200s\", which is no .safetensors file beside it", name);
    if (index->shard_count == WEIGHTS_MAX_SHARDS)
        return error_set(error, ERROR_UNSUPPORTED, WEIGHTS_INDEX_FILE " names more than %d files",
            WEIGHTS_MAX_SHARDS);
    if (!(index->shards[index->shard_count] = memory_copy_string(name)))
        return memory_error(error, "the names of weight files");
    *shard = (uint32_t)index->shard_count++;
    return true;
}

static bool add_entry(
    struct weights_index *index, const char *tensor, const json_t *file, struct error *error) {
    struct weights_index_entry *entry = &index->entries[index->entry_count];
    if (!json_is_string(file))
        return error_set(error, ERROR_INVALID,
            WEIGHTS_INDEX_FILE ": the entry of '%.200s' is not the name of a file", tensor);
    if (!find_shard(index, json_string_value(file), &entry->shard, error)) return false;
    if (!(entry->tensor = memory_copy_string(tensor)))
        return memory_error(error, "the index of weight files");
    index->entry_count++;
    return true;
}

static int compare_entries(const void *left, const void *right) {
    const struct weights_index_entry *a = left, *b = right;
    return strcmp(a->tensor, b->tensor);
}

static bool read_map(struct weights_index *index, const json_t *map, struct error *error) {
    const char *tensor;
    json_t *file;
    size_t count = json_object_size(map);
    if (!count)
        return error_set(
            error, ERROR_INVALID, WEIGHTS_INDEX_FILE " has no 'weight_map' that names files");
    index->entries = memory_alloc_array(count, sizeof *index->entries);
    index->shards = memory_alloc_zeroed(WEIGHTS_MAX_SHARDS, sizeof *index->shards);
    if (!index->entries || !index->shards) return memory_error(error, "the index of weight files");
    json_object_foreach((json_t *)map, tensor, file) {
        if (!add_entry(index, tensor, file, error)) return false;
    }
    qsort(index->entries, index->entry_count, sizeof *index->entries, compare_entries);
    return true;
}

bool weights_index_parse(
    struct weights_index *index, const char *text, size_t length, struct error *error) {
    json_error_t fault;
    memset(index, 0, sizeof *index);
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return error_set(
            error, ERROR_INVALID, WEIGHTS_INDEX_FILE ", line %d: %s", fault.line, fault.text);
    bool ok = read_map(index, json_object_get(root, "weight_map"), error);
    json_decref(root);
    if (!ok) weights_index_free(index);
    return ok;
}

bool weights_index_read(struct weights_index *index, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    memset(index, 0, sizeof *index);
    if (!file_path(path, sizeof path, error, directory, WEIGHTS_INDEX_FILE) ||
        !file_read(path, MAX_INDEX, &text, &length, error))
        return false;
    bool ok = weights_index_parse(index, text, length, error);
    memory_free(text);
    return ok || error_prefix(error, "%s", directory);
}

void weights_index_free(struct weights_index *index) {
    for (size_t i = 0; i < index->entry_count; i++)
        memory_free(index->entries[i].tensor);
    for (size_t i = 0; i < index->shard_count; i++)
        memory_free(index->shards[i]);
    memory_free(index->entries);
    memory_free(index->shards);
    memset(index, 0, sizeof *index);
}

const struct weights_index_entry *weights_index_find(
    const struct weights_index *index, const char *tensor) {
    struct weights_index_entry key = {.tensor = (char *)tensor};
    return bsearch(
        &key, index->entries, index->entry_count, sizeof *index->entries, compare_entries);
}
