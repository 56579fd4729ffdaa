#include "model/safetensors.h"
#include "base/file.h"
#include "base/memory.h"
#include <jansson.h>
#include <stdlib.h>

enum { MAX_HEADER = 100 << 20 }; // the reference implementation's own limit

struct safetensors {
    struct file_map map;
    const uint8_t *data;
    size_t data_size;
    size_t count;
    struct safetensor *tensors; // sorted by name
};

// ---- reading ----

static const struct {
    const char *name;
    size_t size;
    enum data_type type;
} type_names[] = {
    {"F32", 4, DATA_F32},
    {"BF16", 2, DATA_BF16},
    {"F16", 2, DATA_F16},
    {"F64", 8, DATA_TYPES},
    {"I64", 8, DATA_TYPES},
    {"I32", 4, DATA_TYPES},
    {"I16", 2, DATA_TYPES},
    {"I8", 1, DATA_TYPES},
    {"U64", 8, DATA_TYPES},
    {"U32", 4, DATA_TYPES},
    {"U16", 2, DATA_TYPES},
    {"U8", 1, DATA_TYPES},
    {"BOOL", 1, DATA_TYPES},
    {"F8_E4M3", 1, DATA_TYPES},
    {"F8_E5M2", 1, DATA_TYPES},
};

static bool bad(struct error *error, const char *name, const char *fault) {
    return error_set(error, ERROR_INVALID, "tensor '%.200s': %s", name, fault);
}

static bool read_type(
    struct safetensor *tensor, size_t *size, const json_t *value, struct error *error) {
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < sizeof type_names / sizeof *type_names; i++)
        if (!strcmp(text, type_names[i].name)) {
            tensor->type = type_names[i].type;
            *size = type_names[i].size;
            strcpy(tensor->type_name, text);
            return true;
        }
    return bad(error, tensor->name, "unknown dtype");
}

static bool read_shape(struct safetensor *tensor, const json_t *shape, struct error *error) {
    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_MAX_DIMENSIONS)
        return bad(error, tensor->name, "the shape is not a list of at most 8 sizes");
    tensor->dimensions = json_array_size(shape);
    tensor->elements = 1;
    for (size_t i = 0; i < tensor->dimensions; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return bad(error, tensor->name, "a size in the shape is not a whole number");
        tensor->shape[i] = (size_t)json_integer_value(size);
        if (__builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements))
            return bad(error, tensor->name, "the shape is too large");
    }
    return true;
}

static bool read_offsets(struct safetensors *file, struct safetensor *tensor, size_t element,
    const json_t *offsets, struct error *error) {
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return bad(error, tensor->name, "data_offsets is not a pair of numbers");
    json_int_t begin = json_integer_value(from), end = json_integer_value(to);
    if (begin < 0 || end < begin || (uint64_t)end > file->data_size)
        return bad(error, tensor->name, "data_offsets lie outside the file (is it cut off?)");
    if (__builtin_mul_overflow(tensor->elements, element, &tensor->bytes) ||
        tensor->bytes != (size_t)(end - begin))
        return bad(error, tensor->name, "data_offsets do not fit shape and dtype");
    tensor->data = file->data + begin;
    if (tensor->elements && (uintptr_t)tensor->data % element)
        return bad(error, tensor->name, "the data is not aligned to its dtype");
    return true;
}

static bool read_tensor(
    struct safetensors *file, const char *name, const json_t *description, struct error *error) {
    struct safetensor *tensor = &file->tensors[file->count];
    size_t element = 1;
    if (!(tensor->name = memory_copy_string(name)))
        return memory_error(error, "the names of tensors");
    file->count++;
    if (!json_is_object(description)) return bad(error, name, "not described by an object");
    return read_type(tensor, &element, json_object_get(description, "dtype"), error) &&
           read_shape(tensor, json_object_get(description, "shape"), error) &&
           read_offsets(file, tensor, element, json_object_get(description, "data_offsets"), error);
}

static int compare_tensors(const void *a, const void *b) {
    const struct safetensor *first = a, *second = b;
    return strcmp(first->name, second->name);
}

static bool read_tensors(struct safetensors *file, json_t *header, struct error *error) {
    if (!json_is_object(header))
        return error_set(error, ERROR_INVALID, "the header is not a JSON object");
    file->tensors = memory_alloc_zeroed(json_object_size(header) + 1, sizeof *file->tensors);
    if (!file->tensors) return memory_error(error, "the table of tensors");
    const char *name;
    json_t *description;
    json_object_foreach(
        header, name, description) if (strcmp(name, "__metadata__") &&
                                       !read_tensor(file, name, description, error)) return false;
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_tensors);
    return true;
}

static bool read_header(
    struct safetensors *file, const uint8_t *bytes, size_t size, struct error *error) {
    uint64_t length = 0;
    if (size < 8)
        return error_set(error, ERROR_INVALID, "shorter than eight bytes: not a safetensors file");
    for (int i = 7; i >= 0; i--)
        length = length << 8 | bytes[i];
    if (length > MAX_HEADER || length > size - 8)
        return error_set(error, ERROR_INVALID,
            "the header is said to have %llu bytes: not a safetensors file, or cut off",
            (unsigned long long)length);
    file->data = bytes + 8 + length;
    file->data_size = size - 8 - length;
    json_error_t fault;
    json_t *header = json_loadb((const char *)bytes + 8, length, JSON_REJECT_DUPLICATES, &fault);
    if (!header) return error_set(error, ERROR_INVALID, "the header is not JSON: %s", fault.text);
    bool ok = read_tensors(file, header, error);
    json_decref(header);
    return ok;
}

bool safetensors_open(struct safetensors **file, const char *path, struct error *error) {
    struct safetensors *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "a safetensors file");
    if (!file_map_open(&new->map, path, error)) {
        memory_free(new);
        return false;
    }
    if (!read_header(new, new->map.data, new->map.size, error)) {
        safetensors_close(new);
        return error_prefix(error, "%s", path);
    }
    *file = new;
    return true;
}

void safetensors_close(struct safetensors *file) {
    if (!file) return;
    for (size_t i = 0; i < file->count; i++)
        memory_free(file->tensors[i].name);
    memory_free(file->tensors);
    if (file->map.data) file_map_close(&file->map);
    memory_free(file);
}

bool safetensors_check(const void *bytes, size_t size, struct error *error) {
    struct safetensors *file = memory_alloc_zeroed(1, sizeof *file);
    if (!file) return memory_error(error, "a safetensors file");
    bool ok = read_header(file, bytes, size, error);
    safetensors_close(file);
    return ok;
}

size_t safetensors_count(const struct safetensors *file) {
    return file->count;
}

const struct safetensor *safetensors_at(const struct safetensors *file, size_t index) {
    return &file->tensors[index];
}

const struct safetensor *safetensors_find(const struct safetensors *file, const char *name) {
    struct safetensor key = {.name = (char *)name};
    return bsearch(&key, file->tensors, file->count, sizeof key, compare_tensors);
}
