// Values of a template's run: Python's, as far as templates know them. All memory comes from an
// arena that is freed as a whole; values are never freed one by one.
#ifndef MODEL_TEMPLATE_VALUE_H
#define MODEL_TEMPLATE_VALUE_H

#include "base/error.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

// ---- memory and work ----

struct arena_block;

// Bounds what a template may take: bytes, and steps of work.
struct arena {
    struct arena_block *blocks;
    size_t left;
    size_t total;
    size_t maximum; // bytes in all
    uint64_t work;
    uint64_t most_work;
};

// Zeroed memory, or NULL with an error.
void *arena_take(struct arena *arena, size_t size, struct error *error) WARN_UNUSED;
void arena_free(struct arena *arena);

// Counts work done; false, with an error, once it is too much.
bool arena_work(struct arena *arena, uint64_t steps, struct error *error) WARN_UNUSED;

// The same for looking through so many bytes.
bool arena_work_bytes(struct arena *arena, size_t bytes, struct error *error) WARN_UNUSED;

// ---- values ----

enum value_kind {
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_REAL,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_MACRO,
    VALUE_LOOP,
    VALUE_METHOD,
    VALUE_FUNCTION,
};

struct value;
struct node;
struct frame;
struct loop_state;

// Bytes, and for each whether it came from the data. Views of other strings are allowed.
struct value_string {
    const char *bytes;
    const uint8_t *from_data; // NULL: none did
    size_t length;
    bool markup; // from |safe or |escape: what is added to it is escaped
};

enum list_kind {
    LIST_PLAIN,
    LIST_TUPLE,
    LIST_RANGE, // of range()
    LIST_VIEW,  // items(), keys(), values(): can be gone over, has no index
    LIST_ONCE,  // of select, map and the like: can be gone over a single time
};

struct value_list {
    struct value *items;
    size_t count;
    size_t capacity;
    enum list_kind kind;
    size_t taken; // LIST_ONCE: items that were gone over
};

struct value_map {
    struct value *keys;
    struct value *values;
    size_t count;
    size_t capacity;
    bool namespace;
};

// A macro, or the body of a {% call %}: what it runs, and where it finds names.
struct closure {
    const struct node *node;
    struct frame *frame;
};

struct value {
    enum value_kind kind;
    union {
        const char *missing; // VALUE_UNDEFINED: the name that nothing stood at, or NULL
        bool boolean;
        int64_t integer;
        double real;
        struct value_string string;
        struct value_list *list;
        struct value_map *map;
        const struct closure *closure;
        struct loop_state *loop;
        struct method *method;
        int function;
    };
};

struct method {
    struct value owner;
    const char *name;
};

struct value value_none(void);
struct value value_boolean(bool boolean);
struct value value_integer(int64_t integer);
struct value value_real(double real);
struct value value_text(const char *text); // borrowed; not from the data

// A copy of JSON; its strings count as data if `from_data`, but for the roles of messages.
bool value_from_json(struct arena *arena, const json_t *json, bool from_data, struct value *value,
    struct error *error) WARN_UNUSED;

bool value_new_list(
    struct arena *arena, enum list_kind kind, struct value *value, struct error *error) WARN_UNUSED;
bool value_append(struct arena *arena, struct value_list *list, const struct value *item,
    struct error *error) WARN_UNUSED;
bool value_new_map(struct arena *arena, struct value *value, struct error *error) WARN_UNUSED;

// Adds or replaces. Keys are strings, numbers, booleans or none.
bool value_set(struct arena *arena, struct value_map *map, const struct value *key,
    const struct value *value, struct error *error) WARN_UNUSED;

// NULL where there is no such key.
const struct value *value_get(const struct value_map *map, const struct value *key);
const struct value *value_get_text(const struct value_map *map, const char *key);

bool value_true(const struct value *value);
bool value_is_number(const struct value *value); // booleans count
double value_number(const struct value *value);

// Whether two values that are no lists or mappings are equal.
bool value_same_scalar(const struct value *left, const struct value *right);

// Below 0, 0 or above, for two numbers or two strings.
int value_order(const struct value *left, const struct value *right);

// True for a string that says `text`.
bool value_is_text(const struct value *value, const char *text);

const char *value_kind_name(const struct value *value);

// Bytes on their way into a string.
struct text_builder {
    char *bytes;
    uint8_t *from_data;
    size_t length;
    size_t capacity;
};

bool text_append(struct arena *arena, struct text_builder *text, const struct value_string *string,
    struct error *error) WARN_UNUSED;
bool text_append_bytes(struct arena *arena, struct text_builder *text, const char *bytes,
    size_t length, bool from_data, struct error *error) WARN_UNUSED;
struct value text_value(const struct text_builder *text);

// As str() and {{ }} write it; lists and maps as Python's repr.
bool value_write(struct arena *arena, const struct value *value, struct text_builder *text,
    struct error *error) WARN_UNUSED;

// As repr() writes it: strings in quotes, too.
bool value_write_repr(struct arena *arena, const struct value *value, struct text_builder *text,
    struct error *error) WARN_UNUSED;

// How json.dumps is to write.
struct json_style {
    bool ascii;
    bool sorted;
    bool lines;                      // each item on a line of its own
    struct value_string indent;      // of a level
    struct value_string between;     // items, as ", "
    struct value_string behind_keys; // as ": "
};

// Counts as data.
bool value_write_json(struct arena *arena, const struct value *value,
    const struct json_style *style, struct text_builder *text, struct error *error) WARN_UNUSED;

#endif
