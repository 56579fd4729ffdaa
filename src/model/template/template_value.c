// Values and the arena they live in.
#include "model/template/template_value.h"
#include "base/memory.h"
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_SIZE = 1 << 16, MAX_DEPTH = 100, MAX_MEMBERS = 4096 };

struct arena_block {
    struct arena_block *next;
    char *at;
    alignas(16) char bytes[];
};

void *arena_take(struct arena *arena, size_t size, struct error *error) {
    size = (size + 15) & ~(size_t)15;
    if (size > arena->maximum - arena->total) {
        error_set(error, ERROR_INVALID,
            "the chat template needs more than %zu MiB of memory for this chat",
            arena->maximum >> 20);
        return NULL;
    }
    if (size > arena->left) {
        size_t block_size = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE;
        struct arena_block *block = memory_alloc(sizeof *block + block_size);
        if (!block) {
            memory_error(error, "a chat template's run");
            return NULL;
        }
        block->next = arena->blocks;
        block->at = block->bytes;
        arena->blocks = block;
        arena->left = block_size;
    }
    void *taken = arena->blocks->at;
    arena->blocks->at += size;
    arena->left -= size;
    arena->total += size;
    memset(taken, 0, size);
    return taken;
}

void arena_free(struct arena *arena) {
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        memory_free(arena->blocks);
        arena->blocks = next;
    }
    arena->left = arena->total = 0;
}

// Room for one more element of an array that doubles.
static bool grow(struct arena *arena, void **items, size_t count, size_t *capacity, size_t size,
    struct error *error) {
    if (count < *capacity) return true;
    size_t wanted = *capacity ? *capacity * 2 : 8;
    void *grown = arena_take(arena, wanted * size, error);
    if (!grown) return false;
    if (count) memcpy(grown, *items, count * size);
    *items = grown;
    *capacity = wanted;
    return true;
}

// ---- making ----

struct value value_none(void) {
    return (struct value){.kind = VALUE_NONE};
}

struct value value_boolean(bool boolean) {
    return (struct value){.kind = VALUE_BOOLEAN, .boolean = boolean};
}

struct value value_integer(int64_t integer) {
    return (struct value){.kind = VALUE_INTEGER, .integer = integer};
}

struct value value_text(const char *text) {
    return (struct value){.kind = VALUE_STRING, .string = {text, NULL, strlen(text)}};
}

bool value_new_list(struct arena *arena, struct value *value, struct error *error) {
    value->kind = VALUE_LIST;
    value->list = arena_take(arena, sizeof *value->list, error);
    return value->list != NULL;
}

bool value_append(
    struct arena *arena, struct value_list *list, const struct value *item, struct error *error) {
    struct value kept = *item;
    if (!grow(arena, (void **)&list->items, list->count, &list->capacity, sizeof kept, error))
        return false;
    list->items[list->count++] = kept;
    return true;
}

bool value_new_map(struct arena *arena, struct value *value, struct error *error) {
    value->kind = VALUE_MAP;
    value->map = arena_take(arena, sizeof *value->map, error);
    return value->map != NULL;
}

bool value_set(struct arena *arena, struct value_map *map, const struct value *key,
    const struct value *value, struct error *error) {
    struct value *present = (struct value *)value_get(map, key);
    if (present) {
        *present = *value;
        return true;
    }
    size_t capacity = map->capacity;
    struct value kept_key = *key, kept = *value;
    if (!grow(arena, (void **)&map->keys, map->count, &capacity, sizeof kept, error) ||
        !grow(arena, (void **)&map->values, map->count, &map->capacity, sizeof kept, error))
        return false;
    map->keys[map->count] = kept_key;
    map->values[map->count++] = kept;
    return true;
}

static bool string_from_json(struct arena *arena, const json_t *json, bool from_data,
    struct value *value, struct error *error) {
    size_t length = json_string_length(json);
    char *bytes = arena_take(arena, length + 1, error);
    uint8_t *marks = from_data && bytes ? arena_take(arena, length + 1, error) : NULL;
    if (!bytes || (from_data && !marks)) return false;
    memcpy(bytes, json_string_value(json), length);
    if (marks) memset(marks, 1, length);
    *value = (struct value){.kind = VALUE_STRING, .string = {bytes, marks, length}};
    return true;
}

static bool from_json(struct arena *arena, const json_t *json, bool from_data, int depth,
    struct value *value, struct error *error);

static bool map_from_json(struct arena *arena, const json_t *json, bool from_data, int depth,
    struct value *value, struct error *error) {
    if (json_object_size(json) > MAX_MEMBERS)
        return error_set(
            error, ERROR_INVALID, "an object of a chat has more than %d members", MAX_MEMBERS);
    if (!value_new_map(arena, value, error)) return false;
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)json, name, member) {
        struct value key, item;
        json_t *text = json_string(name);
        bool ok = text && string_from_json(arena, text, from_data, &key, error);
        json_decref(text);
        // The names of an object differ: no need to look for this one among them.
        if (!ok || !from_json(arena, member, from_data, depth + 1, &item, error) ||
            !value_set(arena, value->map, &key, &item, error))
            return false;
    }
    return true;
}

static bool list_from_json(struct arena *arena, const json_t *json, bool from_data, int depth,
    struct value *value, struct error *error) {
    if (!value_new_list(arena, value, error)) return false;
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct value item;
        if (!from_json(arena, json_array_get(json, i), from_data, depth + 1, &item, error) ||
            !value_append(arena, value->list, &item, error))
            return false;
    }
    return true;
}

static bool from_json(struct arena *arena, const json_t *json, bool from_data, int depth,
    struct value *value, struct error *error) {
    if (depth > MAX_DEPTH)
        return error_set(
            error, ERROR_INVALID, "a chat's JSON is nested deeper than %d levels", MAX_DEPTH);
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return map_from_json(arena, json, from_data, depth, value, error);
    case JSON_ARRAY:
        return list_from_json(arena, json, from_data, depth, value, error);
    case JSON_STRING:
        return string_from_json(arena, json, from_data, value, error);
    case JSON_INTEGER:
        *value = value_integer(json_integer_value(json));
        break;
    case JSON_REAL:
        *value = (struct value){.kind = VALUE_REAL, .real = json_real_value(json)};
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *value = value_boolean(json_is_true(json));
        break;
    case JSON_NULL:
        *value = value_none();
        break;
    }
    return true;
}

bool value_from_json(struct arena *arena, const json_t *json, bool from_data, struct value *value,
    struct error *error) {
    return from_json(arena, json, from_data, 0, value, error);
}

// ---- asking ----

bool value_is_text(const struct value *value, const char *text) {
    return value->kind == VALUE_STRING && value->string.length == strlen(text) &&
           !memcmp(value->string.bytes, text, value->string.length);
}

const struct value *value_get(const struct value_map *map, const struct value *key) {
    for (size_t i = 0; i < map->count; i++)
        if (value_equal(&map->keys[i], key)) return &map->values[i];
    return NULL;
}

const struct value *value_get_text(const struct value_map *map, const char *key) {
    struct value name = value_text(key);
    return value_get(map, &name);
}

bool value_true(const struct value *value) {
    switch (value->kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOLEAN:
        return value->boolean;
    case VALUE_INTEGER:
        return value->integer != 0;
    case VALUE_REAL:
        return value->real != 0;
    case VALUE_STRING:
        return value->string.length > 0;
    case VALUE_LIST:
        return value->list->count > 0;
    case VALUE_MAP:
        return value->map->count > 0 || value->map->writable;
    case VALUE_MACRO:
    case VALUE_FUNCTION:
        break;
    }
    return true;
}

static bool is_number(const struct value *value) {
    return value->kind == VALUE_INTEGER || value->kind == VALUE_REAL ||
           value->kind == VALUE_BOOLEAN;
}

static double number(const struct value *value) {
    return value->kind == VALUE_REAL      ? value->real
           : value->kind == VALUE_INTEGER ? (double)value->integer
                                          : (double)value->boolean;
}

static bool lists_equal(const struct value_list *left, const struct value_list *right) {
    bool equal = left->count == right->count;
    for (size_t i = 0; i < left->count && equal; i++)
        equal = value_equal(&left->items[i], &right->items[i]);
    return equal;
}

static bool maps_equal(const struct value_map *left, const struct value_map *right) {
    bool equal = left->count == right->count;
    for (size_t i = 0; i < left->count && equal; i++) {
        const struct value *other = value_get(right, &left->keys[i]);
        equal = other && value_equal(&left->values[i], other);
    }
    return equal;
}

bool value_equal(const struct value *left, const struct value *right) {
    if (is_number(left) && is_number(right)) return number(left) == number(right);
    if (left->kind != right->kind) return false;
    switch (left->kind) {
    case VALUE_STRING:
        return left->string.length == right->string.length &&
               !memcmp(left->string.bytes, right->string.bytes, left->string.length);
    case VALUE_LIST:
        return left->list == right->list || lists_equal(left->list, right->list);
    case VALUE_MAP:
        return left->map == right->map || maps_equal(left->map, right->map);
    case VALUE_MACRO:
        return left->macro == right->macro;
    case VALUE_FUNCTION:
        return left->function == right->function;
    default:
        return true;
    }
}

int value_compare(const struct value *left, const struct value *right, bool *comparable) {
    *comparable = true;
    if (is_number(left) && is_number(right))
        return (number(left) > number(right)) - (number(left) < number(right));
    *comparable = left->kind == VALUE_STRING && right->kind == VALUE_STRING;
    if (!*comparable) return 0;
    size_t shorter =
        left->string.length < right->string.length ? left->string.length : right->string.length;
    int order = shorter ? memcmp(left->string.bytes, right->string.bytes, shorter) : 0;
    return order ? order
                 : (left->string.length > right->string.length) -
                       (left->string.length < right->string.length);
}

const char *value_kind_name(const struct value *value) {
    static const char *const names[] = {"undefined", "none", "a boolean", "an integer", "a number",
        "a string", "a list", "a mapping", "a macro", "a function"};
    return names[value->kind];
}

// ---- writing ----

bool text_append_bytes(struct arena *arena, struct text_builder *text, const char *bytes,
    size_t length, bool from_data, struct error *error) {
    if (text->length + length > text->capacity) {
        size_t capacity = (text->length + length) * 2 + 32;
        char *grown = arena_take(arena, capacity, error);
        uint8_t *marks = grown ? arena_take(arena, capacity, error) : NULL;
        if (!marks) return false;
        if (text->length) {
            memcpy(grown, text->bytes, text->length);
            memcpy(marks, text->from_data, text->length);
        }
        text->bytes = grown;
        text->from_data = marks;
        text->capacity = capacity;
    }
    if (length) {
        memcpy(text->bytes + text->length, bytes, length);
        memset(text->from_data + text->length, from_data, length);
    }
    text->length += length;
    return true;
}

bool text_append(struct arena *arena, struct text_builder *text, const struct value_string *string,
    struct error *error) {
    size_t start = text->length;
    if (!text_append_bytes(arena, text, string->bytes, string->length, false, error)) return false;
    if (string->from_data && string->length)
        memcpy(text->from_data + start, string->from_data, string->length);
    return true;
}

struct value text_value(const struct text_builder *text) {
    return (struct value){.kind = VALUE_STRING,
        .string = {text->length ? text->bytes : "", text->from_data, text->length}};
}

// One run of writing a value, Python's way or JSON's.
struct writing {
    struct arena *arena;
    struct text_builder *text;
    struct error *error;
    bool json;
    int indent; // JSON: below 0 for one line
};

static bool put(const struct writing *w, const char *bytes) {
    return text_append_bytes(w->arena, w->text, bytes, strlen(bytes), w->json, w->error);
}

// Shortest digits that read back as the same number, with ".0" where it looks whole: repr() of a
// float.
static bool put_real(const struct writing *w, double real) {
    char digits[40];
    if (isnan(real) || isinf(real))
        return put(w, isnan(real) ? (w->json ? "NaN" : "nan") : real > 0 ? "inf" : "-inf");
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, real);
        double back = 0;
        if (sscanf(digits, "%lf", &back) == 1 && back == real) break;
    }
    return put(w, digits) && (strpbrk(digits, ".e") || put(w, ".0"));
}

static bool put_escaped(const struct writing *w, const struct value_string *string, char quote) {
    char mark[2] = {quote, 0};
    if (!put(w, mark)) return false;
    for (size_t i = 0; i < string->length; i++) {
        unsigned char byte = (unsigned char)string->bytes[i];
        char escaped[8];
        bool data = w->json || (string->from_data && string->from_data[i]);
        const char *from = "\n\r\t\b\f", *to = "nrtbf", *found = byte ? strchr(from, byte) : NULL;
        if (byte == (unsigned char)quote || byte == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", byte);
        else if (found && (w->json || found - from < 3))
            snprintf(escaped, sizeof escaped, "\\%c", to[found - from]);
        else if (byte < 0x20)
            snprintf(escaped, sizeof escaped, w->json ? "\\u%04x" : "\\x%02x", byte);
        else
            snprintf(escaped, sizeof escaped, "%c", byte);
        if (!text_append_bytes(w->arena, w->text, escaped, strlen(escaped), data, w->error))
            return false;
    }
    return put(w, mark);
}

static bool put_line(const struct writing *w, int depth) {
    static const char spaces[] = "                                ";
    if (!w->json || w->indent < 0) return true;
    bool ok = put(w, "\n");
    for (int left = depth * w->indent; left > 0 && ok; left -= 32)
        ok = text_append_bytes(
            w->arena, w->text, spaces, (size_t)(left < 32 ? left : 32), true, w->error);
    return ok;
}

static bool put_value(const struct writing *w, const struct value *value, int depth);

static bool put_separator(const struct writing *w, size_t index, int depth) {
    if (index && !put(w, w->json && w->indent >= 0 ? "," : ", ")) return false;
    return put_line(w, depth + 1);
}

static bool put_list(const struct writing *w, const struct value_list *list, int depth) {
    bool ok = put(w, "[");
    for (size_t i = 0; i < list->count && ok; i++)
        ok = put_separator(w, i, depth) && put_value(w, &list->items[i], depth + 1);
    return ok && (!list->count || put_line(w, depth)) && put(w, "]");
}

static bool put_map(const struct writing *w, const struct value_map *map, int depth) {
    bool ok = put(w, "{");
    for (size_t i = 0; i < map->count && ok; i++)
        ok = put_separator(w, i, depth) && put_value(w, &map->keys[i], depth + 1) && put(w, ": ") &&
             put_value(w, &map->values[i], depth + 1);
    return ok && (!map->count || put_line(w, depth)) && put(w, "}");
}

static bool put_value(const struct writing *w, const struct value *value, int depth) {
    char digits[32];
    if (depth > MAX_DEPTH)
        return error_set(w->error, ERROR_INVALID,
            "the chat template writes a value nested deeper than %d levels", MAX_DEPTH);
    switch (value->kind) {
    case VALUE_UNDEFINED:
        return put(w, w->json ? "null" : "Undefined");
    case VALUE_NONE:
        return put(w, w->json ? "null" : "None");
    case VALUE_BOOLEAN:
        return put(w, value->boolean ? (w->json ? "true" : "True") : (w->json ? "false" : "False"));
    case VALUE_INTEGER:
        snprintf(digits, sizeof digits, "%lld", (long long)value->integer);
        return put(w, digits);
    case VALUE_REAL:
        return put_real(w, value->real);
    case VALUE_STRING: {
        bool quoted = !w->json && memchr(value->string.bytes, '\'', value->string.length) &&
                      !memchr(value->string.bytes, '"', value->string.length);
        return put_escaped(w, &value->string, w->json || quoted ? '"' : '\'');
    }
    case VALUE_LIST:
        return put_list(w, value->list, depth);
    case VALUE_MAP:
        return put_map(w, value->map, depth);
    case VALUE_MACRO:
    case VALUE_FUNCTION:
        break;
    }
    return error_set(
        w->error, ERROR_INVALID, "the chat template writes %s as text", value_kind_name(value));
}

bool value_write(struct arena *arena, const struct value *value, struct text_builder *text,
    struct error *error) {
    struct writing writing = {arena, text, error, false, -1};
    if (value->kind == VALUE_STRING) return text_append(arena, text, &value->string, error);
    return value->kind == VALUE_UNDEFINED || put_value(&writing, value, 0);
}

bool value_write_json(struct arena *arena, const struct value *value, int indent,
    struct text_builder *text, struct error *error) {
    struct writing writing = {arena, text, error, true, indent};
    return put_value(&writing, value, 0);
}
