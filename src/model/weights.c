#include "base/file.h"
#include "base/memory.h"
#include "model/gguf.h"
#include "model/weights_index.h"
#include "model/weights_internal.h"

enum { MAX_SHARDS = WEIGHTS_MAX_SHARDS };

struct quantized_part {
    struct quantized_part *next;
    struct quantization quantization;
    void *owned;
};

struct weights {
    size_t count;
    struct safetensors *files[MAX_SHARDS];
    char *names[MAX_SHARDS];
    struct quantized_part *parts; // of all matrices handed out
    struct gguf *gguf;            // in place of all files, or NULL
};

static bool open_file(
    struct weights *weights, const char *directory, const char *name, struct error *error) {
    char path[FILE_PATH_SIZE];
    for (size_t i = 0; i < weights->count; i++)
        if (!strcmp(weights->names[i], name)) return true;
    if (weights->count == MAX_SHARDS)
        return error_set(error, ERROR_UNSUPPORTED, "more than %d weight files", MAX_SHARDS);
    if (!file_path(path, sizeof path, error, directory, name) ||
        !safetensors_open(&weights->files[weights->count], path, error))
        return false;
    weights->names[weights->count] = memory_copy_string(name);
    if (!weights->names[weights->count++]) return memory_error(error, "the names of weight files");
    return true;
}

static bool open_shards(struct weights *weights, const char *directory, struct error *error) {
    struct weights_index index;
    if (!weights_index_read(&index, directory, error)) return false;
    bool ok = true;
    for (size_t i = 0; i < index.shard_count && ok; i++)
        ok = open_file(weights, directory, index.shards[i], error);
    weights_index_free(&index);
    return ok;
}

static bool open_all(struct weights *weights, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (gguf_find(path, sizeof path, directory)) return gguf_open(&weights->gguf, path, error);
    if (!file_path(path, sizeof path, error, directory, "model.safetensors")) return false;
    if (file_exists(path)) return open_file(weights, directory, "model.safetensors", error);
    if (!file_path(path, sizeof path, error, directory, WEIGHTS_INDEX_FILE)) return false;
    if (!file_exists(path))
        return error_set(error, ERROR_NOT_FOUND,
            "%s has neither model.safetensors nor " WEIGHTS_INDEX_FILE, directory);
    return open_shards(weights, directory, error);
}

bool weights_open(struct weights **weights, const char *directory, struct error *error) {
    struct weights *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "the table of weight files");
    if (!open_all(new, directory, error)) {
        weights_close(new);
        return false;
    }
    *weights = new;
    return true;
}

void weights_close(struct weights *weights) {
    if (!weights) return;
    gguf_close(weights->gguf);
    for (size_t i = 0; i < weights->count; i++) {
        safetensors_close(weights->files[i]);
        memory_free(weights->names[i]);
    }
    while (weights->parts) {
        struct quantized_part *part = weights->parts;
        weights->parts = part->next;
        memory_free(part->owned);
        memory_free(part);
    }
    memory_free(weights);
}

const struct safetensor *weights_find(const struct weights *weights, const char *name) {
    if (weights->gguf) return gguf_tensor_find(weights->gguf, name);
    for (size_t i = 0; i < weights->count; i++) {
        const struct safetensor *tensor = safetensors_find(weights->files[i], name);
        if (tensor) return tensor;
    }
    return NULL;
}

uint64_t weights_bytes(const struct weights *weights) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < weights_count(weights); i++)
        bytes += weights_at(weights, i)->bytes;
    return bytes;
}

static bool quantized_matrix(struct weights *weights, const struct safetensor *tensor, size_t rows,
    size_t columns, struct matrix *matrix, struct error *error) {
    struct quantized_part *part = memory_alloc_zeroed(1, sizeof *part);
    if (!part) return memory_error(error, "quantised weights");
    part->next = weights->parts;
    weights->parts = part;
    return weights_quantized(
        weights, tensor, rows, columns, &part->quantization, &part->owned, matrix, error);
}

bool weights_matrix(struct weights *weights, const char *name, size_t rows, size_t columns,
    struct matrix *matrix, struct error *error) {
    const struct safetensor *tensor = weights_find(weights, name);
    if (!tensor) return error_set(error, ERROR_INVALID, "the weights have no tensor '%s'", name);
    if (rows > 1 && (!strcmp(tensor->type_name, "I8") || !strcmp(tensor->type_name, "U8")))
        return quantized_matrix(weights, tensor, rows, columns, matrix, error);
    bool vector = rows == 1 && tensor->dimensions == 1 && tensor->shape[0] == columns;
    if (!vector &&
        (tensor->dimensions != 2 || tensor->shape[0] != rows || tensor->shape[1] != columns))
        return error_set(error, ERROR_INVALID,
            "the tensor '%s' has not the shape %zu × %zu that config.json calls for", name, rows,
            columns);
    if (tensor->type == DATA_TYPES)
        return error_set(
            error, ERROR_UNSUPPORTED, "the tensor '%s' is stored as %s", name, tensor->type_name);
    *matrix = matrix_of(tensor->data, tensor->type, rows, columns);
    return true;
}

size_t weights_count(const struct weights *weights) {
    size_t count = 0;
    if (weights->gguf) return gguf_tensor_count(weights->gguf);
    for (size_t i = 0; i < weights->count; i++)
        count += safetensors_count(weights->files[i]);
    return count;
}

const struct safetensor *weights_at(const struct weights *weights, size_t index) {
    if (weights->gguf) return gguf_tensor_at(weights->gguf, index);
    for (size_t i = 0; i < weights->count; i++) {
        size_t here = safetensors_count(weights->files[i]);
        if (index < here) return safetensors_at(weights->files[i], index);
        index -= here;
    }
    return NULL;
}
