// The metadata of a GGUF file by key, each value checked for its type and range.
#include "model/gguf_internal.h"
#include <math.h>
#include <stdlib.h>

static int compare_key(const void *key, const void *value) {
    const struct gguf_text *text = key;
    const struct gguf_value *each = value;
    size_t shorter = text->length < each->key.length ? text->length : each->key.length;
    int order = memcmp(text->bytes, each->key.bytes, shorter);
    return order ? order : text->length < each->key.length ? -1 : text->length > each->key.length;
}

const struct gguf_value *gguf_value_find(const struct gguf *file, const char *key) {
    struct gguf_text text = {key, strlen(key)};
    return bsearch(&text, file->values, file->value_count, sizeof *file->values, compare_key);
}

static bool wrong(struct error *error, const char *key, const char *wanted) {
    return error_set(error, ERROR_INVALID, "the value of '%s' must be %s", key, wanted);
}

#define READ_AS(c_type)                                                                            \
    {                                                                                              \
        c_type value;                                                                              \
        memcpy(&value, data, sizeof value);                                                        \
        return (double)value;                                                                      \
    }

// Whole numbers beyond 2^53 lose their last digits; nothing that is read here comes near them.
static double number_at(enum gguf_type type, const uint8_t *data) {
    switch (type) {
    case GGUF_UINT8:
    case GGUF_BOOL:
        READ_AS(uint8_t)
    case GGUF_INT8:
        READ_AS(int8_t)
    case GGUF_UINT16:
        READ_AS(uint16_t)
    case GGUF_INT16:
        READ_AS(int16_t)
    case GGUF_UINT32:
        READ_AS(uint32_t)
    case GGUF_INT32:
        READ_AS(int32_t)
    case GGUF_FLOAT32:
        READ_AS(float)
    case GGUF_UINT64:
        READ_AS(uint64_t)
    case GGUF_INT64:
        READ_AS(int64_t)
    case GGUF_FLOAT64:
        READ_AS(double)
    default:
        return NAN;
    }
}

static bool is_whole(enum gguf_type type) {
    return type != GGUF_FLOAT32 && type != GGUF_FLOAT64 && type != GGUF_BOOL &&
           type != GGUF_STRING && type != GGUF_ARRAY;
}

bool gguf_read_size(
    const struct gguf *file, const char *key, size_t most, size_t *value, struct error *error) {
    const struct gguf_value *found = gguf_value_find(file, key);
    if (!found) return true;
    double number = is_whole(found->type) ? number_at(found->type, found->data) : -1;
    if (!(number >= 0 && number <= (double)most))
        return error_set(error, ERROR_INVALID,
            "the value of '%s' must be a whole number from 0 to %zu", key, most);
    *value = (size_t)number;
    return true;
}

bool gguf_read_number(
    const struct gguf *file, const char *key, double *value, struct error *error) {
    const struct gguf_value *found = gguf_value_find(file, key);
    if (!found) return true;
    double number = found->type == GGUF_BOOL ? NAN : number_at(found->type, found->data);
    if (!isfinite(number)) return wrong(error, key, "a finite number");
    *value = number;
    return true;
}

bool gguf_read_bool(const struct gguf *file, const char *key, bool *value, struct error *error) {
    const struct gguf_value *found = gguf_value_find(file, key);
    if (!found) return true;
    if (found->type != GGUF_BOOL || *found->data > 1) return wrong(error, key, "true or false");
    *value = *found->data;
    return true;
}

bool gguf_read_text(
    const struct gguf *file, const char *key, struct gguf_text *value, struct error *error) {
    const struct gguf_value *found = gguf_value_find(file, key);
    if (!found) return true;
    if (found->type != GGUF_STRING) return wrong(error, key, "a text");
    const uint8_t *at = found->data;
    *value = gguf_next_text(&at);
    return true;
}

const struct gguf_value *gguf_array(
    const struct gguf *file, const char *key, enum gguf_type element, struct error *error) {
    const struct gguf_value *found = gguf_value_find(file, key);
    if (found && found->type == GGUF_ARRAY && found->element == element) return found;
    error_set(
        error, ERROR_INVALID, found ? "'%s' is not a list of the right type" : "no '%s'", key);
    return NULL;
}

double gguf_element(const struct gguf_value *array, size_t index) {
    static const size_t sizes[GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return number_at(array->element, array->data + index * sizes[array->element]);
}

struct gguf_text gguf_next_text(const uint8_t **at) {
    uint64_t length;
    memcpy(&length, *at, sizeof length);
    struct gguf_text text = {(const char *)*at + sizeof length, length};
    *at += sizeof length + length;
    return text;
}

bool gguf_text_is(struct gguf_text text, const char *wanted) {
    return text.length == strlen(wanted) && !memcmp(text.bytes, wanted, text.length);
}
