// What templates can call: filters, tests, methods of strings, lists and mappings, and functions.
// Each is a row of a table; a name that is in no table is refused.
#include "model/template/template_run.h"
#include <ctype.h>
#include <string.h>

typedef bool (*callable)(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result);

struct row {
    const char *name;
    callable call;
};

// Bytes of the whitespace character at `text`, 0 if there is none: those that Python's str.strip
// takes.
static size_t space_length(const char *text, size_t left) {
    static const char *const wide[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    unsigned char first = left ? (unsigned char)*text : 'x';
    if (isspace(first) || (first >= 0x1c && first <= 0x1f)) return 1;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strlen(wide[i]) <= left && !memcmp(text, wide[i], strlen(wide[i])))
            return strlen(wide[i]);
    bool narrow = left >= 3 && !memcmp(text, "\xe2\x80", 2) // U+2000 … U+200A
                  && (unsigned char)text[2] >= 0x80 && (unsigned char)text[2] <= 0x8a;
    return narrow ? 3 : 0;
}

// The same for the character that ends at `end`.
static size_t space_length_before(const char *text, size_t end) {
    for (size_t size = 1; size <= 3 && size <= end; size++)
        if (space_length(text + end - size, size) == size) return size;
    return 0;
}

// ---- strings ----

// Which bytes to strip: those of a string argument, or whitespace.
static bool strip(struct run *run, const struct value *value, const struct arguments *arguments,
    bool left, bool right, struct value *result) {
    struct value text;
    const struct value *set = argument(arguments, 0, "chars");
    if (!run_text(run, value, &text) ||
        (set && set->kind != VALUE_NONE && !run_need(run, set, VALUE_STRING, "strip")))
        return false;
    const char *bytes = text.string.bytes;
    size_t from = 0, to = text.string.length;
    bool given = set && set->kind == VALUE_STRING;
    for (size_t size = 1; left && size && from < to; from += size)
        size = given ? memchr(set->string.bytes, bytes[from], set->string.length) != NULL
                     : space_length(bytes + from, to - from);
    for (size_t size = 1; right && size && to > from; to -= size)
        size = given ? memchr(set->string.bytes, bytes[to - 1], set->string.length) != NULL
                     : space_length_before(bytes + from, to - from);
    *result = value_slice_text(&text, from, to);
    return true;
}

static bool call_strip(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    return strip(run, value, arguments, true, true, result);
}

static bool call_lstrip(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    return strip(run, value, arguments, true, false, result);
}

static bool call_rstrip(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    return strip(run, value, arguments, false, true, result);
}

enum letter_case { UPPER, LOWER, TITLE, CAPITAL };

static bool change_case(
    struct run *run, const struct value *value, enum letter_case wanted, struct value *result) {
    struct value text;
    struct text_builder built = {0};
    bool inside = false;
    if (!run_text(run, value, &text) || !text_append(&run->arena, &built, &text.string, run->error))
        return false;
    for (size_t i = 0; i < built.length; i++) {
        unsigned char byte = (unsigned char)built.bytes[i];
        bool upper = wanted == UPPER || (wanted == TITLE && !inside) || (wanted == CAPITAL && !i);
        built.bytes[i] = (char)(upper ? toupper(byte) : tolower(byte));
        inside = isalpha(byte) || byte >= 0x80;
    }
    *result = text_value(&built);
    return true;
}

static bool call_upper(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    return change_case(run, value, UPPER, result);
}

static bool call_lower(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    return change_case(run, value, LOWER, result);
}

static bool call_title(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    return change_case(run, value, TITLE, result);
}

static bool call_capitalize(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    return change_case(run, value, CAPITAL, result);
}

static bool starts(const struct value_string *text, size_t at, const struct value_string *part) {
    return at + part->length <= text->length &&
           !memcmp(text->bytes + at, part->bytes, part->length);
}

static bool call_startswith(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *part = argument(arguments, 0, NULL);
    if (!run_need(run, part, VALUE_STRING, "startswith")) return false;
    *result = value_boolean(starts(&value->string, 0, &part->string));
    return true;
}

static bool call_endswith(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *part = argument(arguments, 0, NULL);
    if (!run_need(run, part, VALUE_STRING, "endswith")) return false;
    size_t length = value->string.length;
    *result = value_boolean(length >= part->string.length &&
                            starts(&value->string, length - part->string.length, &part->string));
    return true;
}

static bool split_words(struct run *run, const struct value *value, struct value *result) {
    size_t length = value->string.length;
    for (size_t at = 0; at < length;) {
        size_t from = at, space = 0;
        while (at < length && !(space = space_length(value->string.bytes + at, length - at)))
            at++;
        struct value word = value_slice_text(value, from, at);
        if (at > from && !value_append(&run->arena, result->list, &word, run->error)) return false;
        at += space;
    }
    return true;
}

static bool call_split(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *part = argument(arguments, 0, "sep");
    const struct value *most = argument(arguments, 1, "maxsplit");
    int64_t left =
        most && most->kind == VALUE_INTEGER && most->integer >= 0 ? most->integer : INT64_MAX;
    if (!value_new_list(&run->arena, result, run->error)) return false;
    if (!part || part->kind == VALUE_NONE) return split_words(run, value, result);
    if (!run_need(run, part, VALUE_STRING, "split")) return false;
    if (!part->string.length) return run_fault(run, "split cannot take an empty separator");
    size_t from = 0;
    for (size_t at = 0; at + part->string.length <= value->string.length && left > 0;) {
        if (!starts(&value->string, at, &part->string)) {
            at++;
            continue;
        }
        struct value piece = value_slice_text(value, from, at);
        if (!value_append(&run->arena, result->list, &piece, run->error)) return false;
        from = at += part->string.length;
        left--;
    }
    struct value rest = value_slice_text(value, from, value->string.length);
    return value_append(&run->arena, result->list, &rest, run->error);
}

static bool call_replace(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *old = argument(arguments, 0, "old"), *new = argument(arguments, 1, "new");
    struct text_builder built = {0};
    struct value text;
    if (!run_text(run, value, &text) || !run_need(run, old, VALUE_STRING, "replace") ||
        !run_need(run, new, VALUE_STRING, "replace"))
        return false;
    if (!old->string.length) return run_fault(run, "replace cannot take an empty text");
    for (size_t at = 0; at < text.string.length;) {
        bool found = starts(&text.string, at, &old->string);
        struct value one = value_slice_text(&text, at, at + 1);
        if (!text_append(&run->arena, &built, found ? &new->string : &one.string, run->error))
            return false;
        at += found ? old->string.length : 1;
    }
    *result = text_value(&built);
    return true;
}

static bool call_join(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    const struct value *between = argument(arguments, 0, "d");
    struct text_builder built = {0};
    struct value items;
    if (!run_items(run, value, &items) ||
        (between && !run_need(run, between, VALUE_STRING, "join")))
        return false;
    for (size_t i = 0; i < items.list->count; i++) {
        if (i && between && !text_append(&run->arena, &built, &between->string, run->error))
            return false;
        if (!value_write(&run->arena, &items.list->items[i], &built, run->error)) return false;
    }
    *result = text_value(&built);
    return true;
}

static bool call_indent(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *width = argument(arguments, 0, "width"),
                       *first = argument(arguments, 1, "first");
    int64_t spaces = width && width->kind == VALUE_INTEGER ? width->integer : 4;
    struct text_builder built = {0};
    struct value text;
    if (!run_text(run, value, &text)) return false;
    if (spaces < 0 || spaces > 64) return run_fault(run, "indent takes 0 to 64 spaces");
    bool line_start = first && value_true(first);
    for (size_t i = 0; i < text.string.length; i++) {
        char byte = text.string.bytes[i];
        struct value one = value_slice_text(&text, i, i + 1);
        for (int64_t s = 0; line_start && byte != '\n' && s < spaces; s++)
            if (!text_append_bytes(&run->arena, &built, " ", 1, false, run->error)) return false;
        if (!text_append(&run->arena, &built, &one.string, run->error)) return false;
        line_start = byte == '\n';
    }
    *result = text_value(&built);
    return true;
}

static bool call_string(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    return run_text(run, value, result);
}

static bool call_tojson(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *indent = argument(arguments, 0, "indent");
    struct text_builder built = {0};
    int width = -1;
    if (indent && indent->kind == VALUE_INTEGER && indent->integer >= 0 && indent->integer <= 16)
        width = (int)indent->integer;
    if (!value_write_json(&run->arena, value, width, &built, run->error)) return false;
    *result = text_value(&built);
    return true;
}

// ---- lists and mappings ----

static bool call_length(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    struct value items;
    (void)arguments;
    if (!run_items(run, value, &items)) return false;
    *result = value_integer((int64_t)items.list->count);
    return true;
}

static bool call_list(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    (void)arguments;
    return run_items(run, value, result);
}

static bool call_first(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    struct value items;
    (void)arguments;
    if (!run_items(run, value, &items)) return false;
    *result = items.list->count ? items.list->items[0] : (struct value){0};
    return true;
}

static bool call_last(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    struct value items;
    (void)arguments;
    if (!run_items(run, value, &items)) return false;
    *result = items.list->count ? items.list->items[items.list->count - 1] : (struct value){0};
    return true;
}

static bool call_reverse(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    struct value items;
    (void)arguments;
    if (!run_items(run, value, &items) || !value_new_list(&run->arena, result, run->error))
        return false;
    for (size_t i = items.list->count; i-- > 0;)
        if (!value_append(&run->arena, result->list, &items.list->items[i], run->error))
            return false;
    return true;
}

static bool pair(
    struct run *run, const struct value *key, const struct value *value, struct value *result) {
    return value_new_list(&run->arena, result, run->error) &&
           value_append(&run->arena, result->list, key, run->error) &&
           value_append(&run->arena, result->list, value, run->error);
}

static bool call_items(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    if (!value_new_list(&run->arena, result, run->error)) return false;
    if (value->kind == VALUE_UNDEFINED) return true;
    if (!run_need(run, value, VALUE_MAP, "items")) return false;
    for (size_t i = 0; i < value->map->count; i++) {
        struct value item;
        if (!pair(run, &value->map->keys[i], &value->map->values[i], &item) ||
            !value_append(&run->arena, result->list, &item, run->error))
            return false;
    }
    return true;
}

static bool call_values(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    if (!value_new_list(&run->arena, result, run->error)) return false;
    for (size_t i = 0; i < value->map->count; i++)
        if (!value_append(&run->arena, result->list, &value->map->values[i], run->error))
            return false;
    return true;
}

static bool call_get(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    const struct value *key = argument(arguments, 0, "key"),
                       *other = argument(arguments, 1, "default");
    const struct value *found = key ? value_get(value->map, key) : NULL;
    (void)run;
    *result = found ? *found : other ? *other : value_none();
    return true;
}

static bool call_append(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *item = argument(arguments, 0, NULL);
    *result = value_none();
    if (!item) return run_fault(run, "append needs an item");
    return value_append(&run->arena, value->list, item, run->error);
}

// select, reject, selectattr, rejectattr: items that pass a test, by themselves or by an attribute.
static bool choose(struct run *run, const struct value *value, const struct arguments *arguments,
    bool by_attribute, bool wanted, struct value *result) {
    const struct value *attribute = by_attribute ? argument(arguments, 0, NULL) : NULL;
    const struct value *name = argument(arguments, by_attribute ? 1 : 0, NULL);
    const struct value *operand = argument(arguments, by_attribute ? 2 : 1, NULL);
    struct arguments inner = {.count = operand != NULL};
    struct value items;
    char text[64] = "";
    if (operand) inner.values[0] = *operand;
    if ((by_attribute && !run_need(run, attribute, VALUE_STRING, "selectattr")) ||
        (name && !run_need(run, name, VALUE_STRING, "select")) || !run_items(run, value, &items) ||
        !value_new_list(&run->arena, result, run->error))
        return false;
    if (name && name->string.length < sizeof text)
        memcpy(text, name->string.bytes, name->string.length);
    for (size_t i = 0; i < items.list->count; i++) {
        const struct value *item = &items.list->items[i], *looked_at = item;
        struct value missing = {0};
        if (by_attribute && item->kind == VALUE_MAP)
            looked_at = value_get(item->map, attribute);
        else if (by_attribute)
            looked_at = NULL;
        if (!looked_at) looked_at = &missing;
        bool passes = value_true(looked_at);
        if (name && !template_test(run, text, looked_at, &inner, &passes)) return false;
        if (passes == wanted && !value_append(&run->arena, result->list, item, run->error))
            return false;
    }
    return true;
}

static bool call_select(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    return choose(run, value, arguments, false, true, result);
}

static bool call_reject(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    return choose(run, value, arguments, false, false, result);
}

static bool call_selectattr(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    return choose(run, value, arguments, true, true, result);
}

static bool call_rejectattr(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    return choose(run, value, arguments, true, false, result);
}

static bool call_map(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    const struct value *attribute = argument(arguments, MAX_ARGUMENTS, "attribute");
    const struct value *name = argument(arguments, 0, NULL);
    struct arguments none = {0};
    struct value items;
    char text[64] = "";
    if (!run_need(run, attribute ? attribute : name, VALUE_STRING, "map") ||
        !run_items(run, value, &items) || !value_new_list(&run->arena, result, run->error))
        return false;
    if (name && name->string.length < sizeof text)
        memcpy(text, name->string.bytes, name->string.length);
    for (size_t i = 0; i < items.list->count; i++) {
        struct value *item = &items.list->items[i], mapped = {0};
        const struct value *member =
            attribute && item->kind == VALUE_MAP ? value_get(item->map, attribute) : NULL;
        if (member) mapped = *member;
        if ((!attribute && !template_filter(run, text, item, &none, &mapped)) ||
            !value_append(&run->arena, result->list, &mapped, run->error))
            return false;
    }
    return true;
}

// ---- others ----

static bool call_default(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value *other = argument(arguments, 0, "default_value");
    const struct value *falsy = argument(arguments, 1, "boolean");
    bool missing =
        value->kind == VALUE_UNDEFINED || (falsy && value_true(falsy) && !value_true(value));
    (void)run;
    *result = !missing ? *value : other ? *other : value_text("");
    return true;
}

static bool call_int(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    int64_t number = 0;
    bool negative = false;
    (void)run;
    (void)arguments;
    if (value->kind == VALUE_INTEGER)
        number = value->integer;
    else if (value->kind == VALUE_BOOLEAN)
        number = value->boolean;
    else if (value->kind == VALUE_REAL && value->real > -9e15 && value->real < 9e15)
        number = (int64_t)value->real;
    else if (value->kind == VALUE_STRING && value->string.length < 18)
        for (size_t i = 0; i < value->string.length; i++) {
            char byte = value->string.bytes[i];
            if (byte == '-' && !i)
                negative = true;
            else if (isdigit((unsigned char)byte))
                number = number * 10 + (byte - '0');
            else
                break;
        }
    *result = value_integer(negative ? -number : number);
    return true;
}

static bool call_abs(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    (void)arguments;
    *result = *value;
    if (value->kind == VALUE_REAL) {
        result->real = value->real < 0 ? -value->real : value->real;
        return true;
    }
    if (!run_need(run, value, VALUE_INTEGER, "abs")) return false;
    result->integer = value->integer < 0 ? (int64_t) - (uint64_t)value->integer : value->integer;
    return true;
}

static bool call_same(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    (void)run;
    (void)arguments;
    *result = *value;
    return true;
}

static const struct row filters[] = {{"trim", call_strip}, {"length", call_length},
    {"count", call_length}, {"tojson", call_tojson}, {"join", call_join}, {"upper", call_upper},
    {"lower", call_lower}, {"title", call_title}, {"capitalize", call_capitalize},
    {"default", call_default}, {"d", call_default}, {"first", call_first}, {"last", call_last},
    {"replace", call_replace}, {"string", call_string}, {"int", call_int}, {"list", call_list},
    {"items", call_items}, {"select", call_select}, {"reject", call_reject},
    {"selectattr", call_selectattr}, {"rejectattr", call_rejectattr}, {"map", call_map},
    {"reverse", call_reverse}, {"indent", call_indent}, {"abs", call_abs}, {"safe", call_same},
    {"e", call_same}, {"escape", call_same}};

static const struct row string_methods[] = {{"strip", call_strip}, {"lstrip", call_lstrip},
    {"rstrip", call_rstrip}, {"split", call_split}, {"startswith", call_startswith},
    {"endswith", call_endswith}, {"replace", call_replace}, {"upper", call_upper},
    {"lower", call_lower}, {"title", call_title}, {"capitalize", call_capitalize}};

static const struct row map_methods[] = {
    {"items", call_items}, {"keys", call_list}, {"values", call_values}, {"get", call_get}};

static const struct row list_methods[] = {{"append", call_append}};

static callable find(const struct row *rows, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(rows[i].name, name)) return rows[i].call;
    return NULL;
}

#define FIND(rows, name) find(rows, sizeof rows / sizeof *rows, name)

bool template_filter(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    callable call = FIND(filters, name);
    if (!call) return run_fault(run, "the filter \"%s\" is not one that this program has", name);
    return call(run, value, arguments, result);
}

bool template_method(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    callable call = NULL;
    if (value->kind == VALUE_STRING)
        call = FIND(string_methods, name);
    else if (value->kind == VALUE_MAP)
        call = FIND(map_methods, name);
    else if (value->kind == VALUE_LIST)
        call = FIND(list_methods, name);
    if (!call) return run_fault(run, "%s has no method \"%s\" here", value_kind_name(value), name);
    return call(run, value, arguments, result);
}
