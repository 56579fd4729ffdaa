// Values and the arena they live in.
#include "model/template/template_value.h"
#include "base/memory.h"
#include <stdalign.h>
#include <string.h>

enum { BLOCK_SIZE = 1 << 16, MAX_DEPTH = 100, BYTES_A_STEP = 16 };

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
    if (!arena_work_bytes(arena, size, error)) return NULL;
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

bool arena_work(struct arena *arena, uint64_t steps, struct error *error) {
    arena->work += steps;
    return arena->work <= arena->most_work ||
           error_set(error, ERROR_INVALID, "the chat template does more than %llu steps of work",
               (unsigned long long)arena->most_work);
}

bool arena_work_bytes(struct arena *arena, size_t bytes, struct error *error) {
    return arena_work(arena, bytes / BYTES_A_STEP, error);
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

struct value value_real(double real) {
    return (struct value){.kind = VALUE_REAL, .real = real};
}

struct value value_text(const char *text) {
    return (struct value){.kind = VALUE_STRING, .string = {text, NULL, strlen(text), false}};
}

bool value_new_list(
    struct arena *arena, enum list_kind kind, struct value *value, struct error *error) {
    value->kind = VALUE_LIST;
    value->list = arena_take(arena, sizeof *value->list, error);
    if (value->list) value->list->kind = kind;
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

// Adds a key that is not there yet.
static bool add(struct arena *arena, struct value_map *map, const struct value *key,
    const struct value *value, struct error *error) {
    size_t capacity = map->capacity;
    struct value kept_key = *key, kept = *value;
    if (!grow(arena, (void **)&map->keys, map->count, &capacity, sizeof kept, error) ||
        !grow(arena, (void **)&map->values, map->count, &map->capacity, sizeof kept, error))
        return false;
    map->keys[map->count] = kept_key;
    map->values[map->count++] = kept;
    return true;
}

bool value_set(struct arena *arena, struct value_map *map, const struct value *key,
    const struct value *value, struct error *error) {
    if (key->kind == VALUE_LIST || key->kind >= VALUE_MAP)
        return error_set(error, ERROR_INVALID, "the chat template takes %s for a key of a mapping",
            value_kind_name(key));
    if (!arena_work(arena, 1 + map->count / 8, error)) return false;
    struct value *present = (struct value *)value_get(map, key);
    if (!present) return add(arena, map, key, value, error);
    *present = *value;
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
    *value = (struct value){.kind = VALUE_STRING, .string = {bytes, marks, length, false}};
    return true;
}

static bool from_json(struct arena *arena, const json_t *json, bool from_data, int depth,
    struct value *value, struct error *error);

// Roles are names that whoever renders has checked. Templates make control of them, as in
// "<|" + message.role + "|>": that it is control must not depend on where the name lay.
static bool is_role(const char *name, const json_t *member) {
    static const char *const roles[] = {"system", "user", "assistant", "tool", "developer"};
    for (size_t i = 0; !strcmp(name, "role") && i < sizeof roles / sizeof *roles; i++)
        if (json_is_string(member) && !strcmp(json_string_value(member), roles[i])) return true;
    return false;
}

static bool map_from_json(struct arena *arena, const json_t *json, bool from_data, int depth,
    struct value *value, struct error *error) {
    if (!value_new_map(arena, value, error)) return false;
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)json, name, member) {
        struct value key, item;
        json_t *text = json_string(name);
        bool ok = text && string_from_json(arena, text, from_data, &key, error);
        json_decref(text);
        bool data = from_data && !is_role(name, member);
        // The names of an object differ: no need to look for this one among them.
        if (!ok || !from_json(arena, member, data, depth + 1, &item, error) ||
            !add(arena, value->map, &key, &item, error))
            return false;
    }
    return true;
}

static bool list_from_json(struct arena *arena, const json_t *json, bool from_data, int depth,
    struct value *value, struct error *error) {
    if (!value_new_list(arena, LIST_PLAIN, value, error)) return false;
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
        *value = value_real(json_real_value(json));
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
        if (value_same_scalar(&map->keys[i], key)) return &map->values[i];
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
        return value->list->count > 0 || value->list->kind == LIST_ONCE;
    case VALUE_MAP:
        return value->map->count > 0 || value->map->namespace;
    default:
        break;
    }
    return true;
}

bool value_is_number(const struct value *value) {
    return value->kind == VALUE_INTEGER || value->kind == VALUE_REAL ||
           value->kind == VALUE_BOOLEAN;
}

double value_number(const struct value *value) {
    return value->kind == VALUE_REAL      ? value->real
           : value->kind == VALUE_INTEGER ? (double)value->integer
                                          : (double)value->boolean;
}

static int order_strings(const struct value_string *left, const struct value_string *right) {
    size_t shorter = left->length < right->length ? left->length : right->length;
    int order = shorter ? memcmp(left->bytes, right->bytes, shorter) : 0;
    return order ? order : (left->length > right->length) - (left->length < right->length);
}

int value_order(const struct value *left, const struct value *right) {
    if (left->kind == VALUE_STRING) return order_strings(&left->string, &right->string);
    if (left->kind == VALUE_INTEGER && right->kind == VALUE_INTEGER)
        return (left->integer > right->integer) - (left->integer < right->integer);
    double l = value_number(left), r = value_number(right);
    return (l > r) - (l < r);
}

bool value_same_scalar(const struct value *left, const struct value *right) {
    if (value_is_number(left) && value_is_number(right))
        return value_order(left, right) == 0 && value_number(left) == value_number(right);
    if (left->kind != right->kind) return false;
    switch (left->kind) {
    case VALUE_STRING:
        return left->string.length == right->string.length &&
               !memcmp(left->string.bytes, right->string.bytes, left->string.length);
    case VALUE_MACRO:
        return left->closure == right->closure;
    case VALUE_LOOP:
        return left->loop == right->loop;
    case VALUE_METHOD:
        return left->method == right->method;
    case VALUE_FUNCTION:
        return left->function == right->function;
    default:
        return true;
    }
}

const char *value_kind_name(const struct value *value) {
    static const char *const names[] = {"undefined", "none", "a boolean", "an integer", "a number",
        "a string", "a list", "a mapping", "a macro", "a loop", "a method", "a function"};
    return names[value->kind];
}

// ---- text ----

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
        .string = {text->length ? text->bytes : "", text->from_data, text->length, false}};
}
