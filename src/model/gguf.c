#include "model/gguf.h"
#include "base/memory.h"
#include "model/gguf_internal.h"
#include "model/gguf_layout.h"
#include <stdlib.h>

enum { MAX_VALUES = 1 << 16, MAX_TENSORS = 1 << 20, MAX_DEPTH = 4, MAX_ALIGNMENT = 1 << 20 };

// ---- a reader that cannot pass the end ----

struct reader {
    const uint8_t *at;
    size_t left;
    struct error *error;
};

static bool cut_off(struct reader *r) {
    return error_set(r->error, ERROR_INVALID, "the GGUF file ends too early: it is cut off");
}

static bool take(struct reader *r, void *to, size_t size) {
    if (size > r->left) return cut_off(r);
    memcpy(to, r->at, size);
    r->at += size;
    r->left -= size;
    return true;
}

static bool pass(struct reader *r, uint64_t size) {
    if (size > r->left) return cut_off(r);
    r->at += size;
    r->left -= size;
    return true;
}

static bool take_text(struct reader *r, struct gguf_text *text) {
    uint64_t length = 0;
    if (!take(r, &length, sizeof length)) return false;
    text->bytes = (const char *)r->at;
    text->length = length;
    return pass(r, length);
}

static int compare_texts(struct gguf_text a, struct gguf_text b) {
    int order = memcmp(a.bytes, b.bytes, a.length < b.length ? a.length : b.length);
    return order ? order : a.length < b.length ? -1 : a.length > b.length;
}

// ---- values ----

static const size_t value_sizes[GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static bool pass_array(struct reader *r, enum gguf_type *element, size_t *count, int depth);

static bool pass_elements(struct reader *r, enum gguf_type type, uint64_t count, int depth) {
    struct gguf_text text;
    enum gguf_type element;
    size_t inner;
    if (value_sizes[type]) return count > r->left ? cut_off(r) : pass(r, count * value_sizes[type]);
    for (uint64_t i = 0; i < count; i++)
        if (type == GGUF_STRING ? !take_text(r, &text) : !pass_array(r, &element, &inner, depth))
            return false;
    return true;
}

static bool take_type(struct reader *r, enum gguf_type *type) {
    uint32_t number = 0;
    if (!take(r, &number, sizeof number)) return false;
    *type = (enum gguf_type)number;
    return number < GGUF_TYPES ||
           error_set(r->error, ERROR_INVALID, "a value is of type %u, which GGUF has not", number);
}

static bool pass_array(struct reader *r, enum gguf_type *element, size_t *count, int depth) {
    uint64_t length = 0;
    if (depth == MAX_DEPTH)
        return error_set(
            r->error, ERROR_INVALID, "arrays stand in arrays, more than %d deep", MAX_DEPTH);
    if (!take_type(r, element) || !take(r, &length, sizeof length)) return false;
    *count = length;
    return pass_elements(r, *element, length, depth + 1);
}

static bool take_value(struct reader *r, struct gguf_value *value) {
    if (!take_text(r, &value->key) || !take_type(r, &value->type)) return false;
    value->count = 1;
    value->data = r->at;
    if (value->type != GGUF_ARRAY) return pass_elements(r, value->type, 1, 0);
    if (!pass_array(r, &value->element, &value->count, 0)) return false;
    value->data += sizeof(uint32_t) + sizeof(uint64_t);
    return true;
}

static int compare_values(const void *a, const void *b) {
    const struct gguf_value *first = a, *second = b;
    return compare_texts(first->key, second->key);
}

static bool take_values(struct gguf *file, struct reader *r, struct error *error) {
    // The smallest value is an empty key with one byte.
    if (file->value_count > MAX_VALUES || file->value_count > r->left / 13)
        return error_set(error, ERROR_INVALID,
            "the file is said to have %zu values: it is cut off "
            "or no GGUF file",
            file->value_count);
    file->values = memory_alloc_zeroed(file->value_count + 1, sizeof *file->values);
    if (!file->values) return memory_error(error, "the values of a GGUF file");
    for (size_t i = 0; i < file->value_count; i++)
        if (!take_value(r, &file->values[i])) return false;
    qsort(file->values, file->value_count, sizeof *file->values, compare_values);
    for (size_t i = 1; i < file->value_count; i++)
        if (!compare_values(&file->values[i - 1], &file->values[i]))
            return error_set(error, ERROR_INVALID, "the key '%.*s' stands twice",
                (int)(file->values[i].key.length < 100 ? file->values[i].key.length : 100),
                file->values[i].key.bytes);
    return true;
}

// ---- tensors ----

static bool bad_tensor(struct error *error, const struct gguf_tensor *tensor, const char *fault) {
    return error_set(error, ERROR_INVALID, "the tensor '%.*s': %s", (int)tensor->name.length,
        tensor->name.bytes, fault);
}

static bool take_shape(struct gguf_tensor *tensor, struct reader *r, struct error *error) {
    uint32_t dimensions = 0;
    uint64_t size = 0, elements = 1;
    if (!take(r, &dimensions, sizeof dimensions)) return false;
    if (!dimensions || dimensions > 4) return bad_tensor(error, tensor, "not of 1 to 4 dimensions");
    tensor->dimensions = dimensions;
    for (size_t i = 0; i < dimensions; i++) {
        if (!take(r, &size, sizeof size)) return false;
        if (!size || __builtin_mul_overflow(elements, size, &elements) || elements > INT64_MAX / 8)
            return bad_tensor(error, tensor, "a dimension is 0, or their product too large");
        tensor->shape[i] = size;
    }
    return true;
}

static bool take_tensor(struct gguf_tensor *tensor, struct reader *r, struct error *error) {
    if (!take_text(r, &tensor->name)) return false;
    if (!tensor->name.length || tensor->name.length >= GGUF_NAME_SIZE ||
        memchr(tensor->name.bytes, 0, tensor->name.length))
        return error_set(error, ERROR_INVALID, "a tensor's name is empty, or longer than %d bytes",
            GGUF_NAME_SIZE - 1);
    return take_shape(tensor, r, error) && take(r, &tensor->type, sizeof tensor->type) &&
           take(r, &tensor->offset, sizeof tensor->offset);
}

static size_t tensor_elements(const struct gguf_tensor *tensor) {
    size_t elements = 1;
    for (size_t i = 0; i < tensor->dimensions; i++)
        elements *= tensor->shape[i];
    return elements;
}

// Bytes of the data; 0 with an error where type and shape do not go together.
static uint64_t tensor_bytes(const struct gguf_tensor *tensor, struct error *error) {
    const struct ggml_type *type = ggml_type_of(tensor->type);
    if (!type) {
        error_set(error, ERROR_UNSUPPORTED,
            "the tensor '%.*s' is of type %u, which this version does not know",
            (int)tensor->name.length, tensor->name.bytes, tensor->type);
        return 0;
    }
    if (tensor->shape[0] % type->block) {
        bad_tensor(error, tensor, "its rows are not whole blocks of its type");
        return 0;
    }
    return (uint64_t)(tensor_elements(tensor) / type->block) * type->bytes;
}

static int compare_offsets(const void *a, const void *b) {
    const struct gguf_tensor *first = a, *second = b;
    return first->offset < second->offset ? -1 : first->offset > second->offset;
}

// Every tensor inside the file, aligned, and none over another.
static bool check_places(
    struct gguf *file, size_t data_size, size_t alignment, struct error *error) {
    uint64_t end = 0;
    qsort(file->tensors, file->tensor_count, sizeof *file->tensors, compare_offsets);
    for (size_t i = 0; i < file->tensor_count; i++) {
        const struct gguf_tensor *tensor = &file->tensors[i];
        uint64_t bytes = tensor_bytes(tensor, error);
        if (!bytes) return false;
        if (tensor->offset % alignment)
            return bad_tensor(error, tensor, "its data are not aligned as general.alignment says");
        if (tensor->offset < end) return bad_tensor(error, tensor, "its data lie over another's");
        if (tensor->offset > data_size || bytes > data_size - tensor->offset)
            return bad_tensor(error, tensor, "its data lie outside the file (is it cut off?)");
        end = tensor->offset + bytes;
    }
    return true;
}

static bool take_tensors(struct gguf *file, struct reader *r, struct error *error) {
    if (file->tensor_count > MAX_TENSORS || file->tensor_count > r->left / 32)
        return error_set(error, ERROR_INVALID,
            "the file is said to have %zu tensors: it is cut off or no GGUF file",
            file->tensor_count);
    file->tensors = memory_alloc_zeroed(file->tensor_count + 1, sizeof *file->tensors);
    if (!file->tensors) return memory_error(error, "the tensors of a GGUF file");
    for (size_t i = 0; i < file->tensor_count; i++)
        if (!take_tensor(&file->tensors[i], r, error)) return false;
    return true;
}

static bool read_alignment(struct gguf *file, size_t *alignment, struct error *error) {
    *alignment = GGUF_ALIGNMENT;
    if (!gguf_read_size(file, "general.alignment", MAX_ALIGNMENT, alignment, error)) return false;
    return (*alignment >= 8 && !(*alignment & (*alignment - 1))) ||
           error_set(error, ERROR_INVALID,
               "general.alignment is %zu; it must be a power of two from 8", *alignment);
}

// ---- the file ----

static bool take_start(struct gguf *file, struct reader *r, struct error *error) {
    char magic[4];
    uint32_t version = 0;
    uint64_t tensors = 0, values = 0;
    if (r->left < sizeof magic || memcmp(r->at, "GGUF", sizeof magic))
        return error_set(error, ERROR_INVALID, "not a GGUF file");
    if (!take(r, magic, sizeof magic) || !take(r, &version, sizeof version)) return false;
    if (version != 2 && version != 3)
        return error_set(error, ERROR_UNSUPPORTED,
            "GGUF of version %u%s; this program reads versions 2 and 3", version,
            version && !(version & 0xffff) ? " (its bytes are in big-endian order)" : "");
    if (!take(r, &tensors, sizeof tensors) || !take(r, &values, sizeof values)) return false;
    file->tensor_count = tensors;
    file->value_count = values;
    return true;
}

bool gguf_read(struct gguf *file, const uint8_t *bytes, size_t size, struct error *error) {
    struct reader reader = {bytes, size, error};
    size_t alignment;
    if (!take_start(file, &reader, error) || !take_values(file, &reader, error) ||
        !take_tensors(file, &reader, error) || !read_alignment(file, &alignment, error))
        return false;
    size_t used = size - reader.left, gap = (alignment - used % alignment) % alignment;
    if (gap > reader.left) gap = reader.left; // a file of metadata alone may end here
    file->data = bytes + used + gap;
    return check_places(file, reader.left - gap, alignment, error);
}

bool gguf_open(struct gguf **file, const char *path, struct error *error) {
    struct gguf *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "a GGUF file");
    if (!file_map_open(&new->map, path, error)) {
        memory_free(new);
        return false;
    }
    if (!gguf_read(new, new->map.data, new->map.size, error) || !gguf_check_kind(new, error) ||
        !gguf_map_tensors(new, error)) {
        gguf_close(new);
        return error_prefix(error, "%s", path);
    }
    *file = new;
    return true;
}

static void release(struct gguf *file) {
    for (size_t i = 0; file->model_tensors && i < file->tensor_count; i++)
        memory_free(file->model_tensors[i].name);
    memory_free(file->model_tensors);
    memory_free(file->values);
    memory_free(file->tensors);
}

void gguf_close(struct gguf *file) {
    if (!file) return;
    release(file);
    if (file->map.data) file_map_close(&file->map);
    memory_free(file);
}

// ---- tensors in Hugging Face's terms ----

static int compare_names(const void *a, const void *b) {
    const struct safetensor *first = a, *second = b;
    return strcmp(first->name, second->name);
}

static bool map_tensor(const struct gguf *file, const struct gguf_tensor *from,
    struct safetensor *to, struct error *error) {
    const struct ggml_type *type = ggml_type_of(from->type);
    char name[GGUF_LONGEST_NAME] = GGUF_ROPE_FREQS;
    if (!gguf_text_is(from->name, GGUF_ROPE_FREQS) &&
        !gguf_name_to_hf(name, from->name.bytes, from->name.length))
        return error_set(error, ERROR_UNSUPPORTED,
            "the tensor '%.*s' is not one of a model that this version computes",
            (int)from->name.length, from->name.bytes);
    if (type->type == DATA_TYPES)
        return error_set(error, ERROR_UNSUPPORTED,
            "the tensor '%.*s' is of type %s; this version reads F32, F16, BF16 and Q8_0",
            (int)from->name.length, from->name.bytes, type->name);
    if (!(to->name = memory_copy_string(name))) return memory_error(error, "the names of tensors");
    snprintf(to->type_name, sizeof to->type_name, "%s", type->name);
    to->type = type->type;
    to->dimensions = from->dimensions;
    for (size_t i = 0; i < from->dimensions; i++)
        to->shape[i] = from->shape[from->dimensions - 1 - i];
    to->elements = tensor_elements(from);
    to->data = file->data + from->offset;
    to->bytes = data_type_bytes(to->type, to->elements);
    return true;
}

bool gguf_map_tensors(struct gguf *file, struct error *error) {
    file->model_tensors = memory_alloc_zeroed(file->tensor_count + 1, sizeof *file->model_tensors);
    if (!file->model_tensors) return memory_error(error, "the tensors of a GGUF file");
    for (size_t i = 0; i < file->tensor_count; i++)
        if (!map_tensor(file, &file->tensors[i], &file->model_tensors[i], error)) return false;
    qsort(file->model_tensors, file->tensor_count, sizeof *file->model_tensors, compare_names);
    for (size_t i = 1; i < file->tensor_count; i++)
        if (!compare_names(&file->model_tensors[i - 1], &file->model_tensors[i]))
            return error_set(
                error, ERROR_INVALID, "the tensor '%s' stands twice", file->model_tensors[i].name);
    return true;
}

size_t gguf_tensor_count(const struct gguf *file) {
    return file->tensor_count;
}

const struct safetensor *gguf_tensor_at(const struct gguf *file, size_t index) {
    return &file->model_tensors[index];
}

const struct safetensor *gguf_tensor_find(const struct gguf *file, const char *name) {
    struct safetensor key = {.name = (char *)name};
    return bsearch(&key, file->model_tensors, file->tensor_count, sizeof key, compare_names);
}

// ---- a model's path ----

bool gguf_find(char *gguf_path, size_t size, const char *model_path) {
    static const char ending[] = ".gguf";
    char config[FILE_PATH_SIZE];
    size_t length = strlen(model_path);
    if (length >= size) return false;
    if (!file_is_directory(model_path)) {
        memcpy(gguf_path, model_path, length + 1);
        return length > strlen(ending) && !strcmp(model_path + length - strlen(ending), ending) &&
               file_exists(model_path);
    }
    return file_path(config, sizeof config, NULL, model_path, "config.json") &&
           !file_exists(config) && file_path(gguf_path, size, NULL, model_path, "model.gguf") &&
           file_exists(gguf_path);
}

// ---- conversions by path ----

static bool convert(json_t **object, const char *path, struct error *error,
    bool (*conversion)(const struct gguf *, json_t **, struct error *)) {
    struct gguf *file;
    if (!gguf_open(&file, path, error)) return false;
    bool ok = conversion(file, object, error);
    gguf_close(file);
    return ok || error_prefix(error, "%s", path);
}

bool gguf_config(json_t **config, const char *gguf_path, struct error *error) {
    return convert(config, gguf_path, error, gguf_config_of);
}

bool gguf_tokenizer(json_t **tokenizer, const char *gguf_path, struct error *error) {
    return convert(tokenizer, gguf_path, error, gguf_tokenizer_of);
}

bool gguf_tokenizer_config(json_t **config, const char *gguf_path, struct error *error) {
    return convert(config, gguf_path, error, gguf_tokenizer_config_of);
}

bool gguf_check(const void *bytes, size_t size, struct error *error) {
    static bool (*const conversions[])(const struct gguf *, json_t **, struct error *) = {
        gguf_config_of, gguf_tokenizer_of, gguf_tokenizer_config_of};
    struct gguf file = {0};
    json_t *object;
    bool ok = gguf_read(&file, bytes, size, error) && gguf_check_kind(&file, error) &&
              gguf_map_tensors(&file, error);
    for (size_t i = 0; ok && i < sizeof conversions / sizeof *conversions; i++)
        if ((ok = conversions[i](&file, &object, error))) json_decref(object);
    release(&file);
    return ok;
}
