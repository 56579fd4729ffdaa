// model.safetensors.index.json: which tensor stands in which file, for a model whose weights are in
// several. The file comes from outside: names that lead out of the model's directory are refused.
#ifndef MODEL_WEIGHTS_INDEX_H
#define MODEL_WEIGHTS_INDEX_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define WEIGHTS_INDEX_FILE "model.safetensors.index.json"

enum { WEIGHTS_MAX_SHARDS = 1024 };

struct weights_index_entry {
    char *tensor;
    uint32_t shard; // index into `shards`
};

struct weights_index {
    struct weights_index_entry *entries; // in order of their tensors' names
    size_t entry_count;
    char **shards; // names of files, in the order in which the index names them first
    size_t shard_count;
};

// Free with weights_index_free. ERROR_NOT_FOUND where the directory has no index.
bool weights_index_read(
    struct weights_index *index, const char *directory, struct error *error) WARN_UNUSED;
bool weights_index_parse(
    struct weights_index *index, const char *text, size_t length, struct error *error) WARN_UNUSED;
void weights_index_free(struct weights_index *index);

// The entry of a tensor, or NULL.
const struct weights_index_entry *weights_index_find(
    const struct weights_index *index, const char *tensor);

#endif
