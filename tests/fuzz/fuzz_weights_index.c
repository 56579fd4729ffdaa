// model.safetensors.index.json: whatever parses names only files beside itself, and finds each of
// its tensors.
#include "model/weights_index.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weights_index index;
    struct error error;
    if (!weights_index_parse(&index, (const char *)data, size, &error)) return 0;
    for (size_t i = 0; i < index.shard_count; i++)
        if (strchr(index.shards[i], '/') || index.shards[i][0] == '.') abort();
    for (size_t i = 0; i < index.entry_count; i++) {
        const struct weights_index_entry *entry = &index.entries[i];
        if (entry->shard >= index.shard_count) abort();
        if (weights_index_find(&index, entry->tensor) != entry) abort();
    }
    weights_index_free(&index);
    return 0;
}
