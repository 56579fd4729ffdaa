// Writing values as text: Python's str() and repr(), and json.dumps.
#include "model/template/template_unicode.h"
#include "model/template/template_value.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 100 };

// One run of writing a value, Python's way or (with a style) JSON's.
struct writing {
    struct arena *arena;
    struct text_builder *text;
    struct error *error;
    const struct json_style *json; // NULL: repr
};

static bool put(const struct writing *w, const char *bytes) {
    return text_append_bytes(w->arena, w->text, bytes, strlen(bytes), w->json != NULL, w->error);
}

// The digits of repr(): the fewest that read back as the same number; its point at *exponent.
static void shortest_digits(double real, char digits[20], int *exponent) {
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(real));
        if (strtod(text, NULL) == fabs(real)) break;
    }
    char *mark = strchr(text, 'e');
    size_t count = 0;
    *exponent = (int)strtol(mark + 1, NULL, 10);
    for (const char *at = text; at < mark && count < 19; at++)
        if (*at != '.') digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = 0;
}

static bool put_real(const struct writing *w, double real) {
    char digits[20], text[64];
    int exponent;
    if (isnan(real)) return put(w, w->json ? "NaN" : "nan");
    if (isinf(real))
        return put(w, real > 0 ? (w->json ? "Infinity" : "inf") : w->json ? "-Infinity" : "-inf");
    shortest_digits(real, digits, &exponent);
    int count = (int)strlen(digits);
    const char *sign = signbit(real) ? "-" : "";
    if (exponent < -4 || exponent >= 16)
        snprintf(text, sizeof text, "%s%c%s%se%c%02d", sign, digits[0], count > 1 ? "." : "",
            digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    else if (exponent < 0)
        snprintf(text, sizeof text, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
    else if (count <= exponent + 1)
        snprintf(text, sizeof text, "%s%s%.*s.0", sign, digits, exponent + 1 - count,
            "0000000000000000");
    else
        snprintf(text, sizeof text, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
    return put(w, text);
}

static const char *known_escape(uint32_t character, bool json) {
    static const struct {
        uint32_t character;
        const char *escape;
    } rows[] = {
        {'\\', "\\\\"}, {'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"}, {'\b', "\\b"}, {'\f', "\\f"}};
    for (size_t i = 0; i < (json ? 6 : 4); i++)
        if (rows[i].character == character) return rows[i].escape;
    return NULL;
}

// How a character stands between quotes, where not as itself: false.
static bool escape(const struct writing *w, uint32_t character, char quote, char text[16]) {
    const char *known = known_escape(character, w->json != NULL);
    if (known)
        strcpy(text, known);
    else if (character == (uint32_t)quote)
        snprintf(text, 16, "\\%c", quote);
    else if (w->json && w->json->ascii && character >= 0x10000)
        snprintf(
            text, 16, "\\u%04x\\u%04x", 0xd7c0 + (character >> 10), 0xdc00 + (character & 0x3ff));
    else if (w->json ? character < 0x20 || (w->json->ascii && character >= 0x7f)
                     : character < 0x20 || character == 0x7f)
        snprintf(text, 16, w->json ? "\\u%04x" : "\\x%02x", character);
    else if (w->json || character < 0x80 || unicode_is_printable(character))
        return false;
    else
        snprintf(text, 16,
            character < 0x100     ? "\\x%02x"
            : character < 0x10000 ? "\\u%04x"
                                  : "\\U%08x",
            character);
    return true;
}

static bool put_quoted(const struct writing *w, const struct value_string *string, char quote) {
    char mark[2] = {quote, 0}, escaped[16];
    size_t size, from = 0;
    struct value_string piece = *string;
    if (!put(w, mark)) return false;
    for (size_t at = 0; at <= string->length; at += size) {
        size = 1;
        bool end = at == string->length;
        if (!end && !escape(w, unicode_read(string->bytes + at, &size), quote, escaped)) continue;
        bool data = w->json || (string->from_data && !end && string->from_data[at]);
        piece.bytes = string->bytes + from;
        piece.from_data = string->from_data ? string->from_data + from : NULL;
        piece.length = at - from;
        if (!(w->json ? text_append_bytes(
                            w->arena, w->text, piece.bytes, piece.length, true, w->error)
                      : text_append(w->arena, w->text, &piece, w->error)) ||
            (!end &&
                !text_append_bytes(w->arena, w->text, escaped, strlen(escaped), data, w->error)))
            return false;
        from = at + size;
    }
    return put(w, mark);
}

static bool put_string(const struct writing *w, const struct value_string *string) {
    bool other = !w->json && memchr(string->bytes, '\'', string->length) &&
                 !memchr(string->bytes, '"', string->length);
    return put_quoted(w, string, w->json || other ? '"' : '\'');
}

static bool put_style(const struct writing *w, const struct value_string *part) {
    return text_append_bytes(w->arena, w->text, part->bytes, part->length, true, w->error);
}

static bool put_line(const struct writing *w, int depth) {
    if (!w->json || !w->json->lines) return true;
    bool ok = put(w, "\n");
    for (int i = 0; i < depth && ok; i++)
        ok = put_style(w, &w->json->indent);
    return ok;
}

static bool put_value(const struct writing *w, const struct value *value, int depth);

static bool put_separator(const struct writing *w, size_t index, int depth) {
    if (index && !(w->json ? put_style(w, &w->json->between) : put(w, ", "))) return false;
    return put_line(w, depth + 1);
}

static bool put_list(const struct writing *w, const struct value_list *list, int depth) {
    bool tuple = list->kind == LIST_TUPLE && !w->json;
    if (list->kind >= LIST_RANGE)
        return error_set(w->error, ERROR_UNSUPPORTED,
            "the chat template writes what can only be gone over; it lacks a |list");
    bool ok = put(w, tuple ? "(" : "[");
    for (size_t i = 0; i < list->count && ok; i++)
        ok = put_separator(w, i, depth) && put_value(w, &list->items[i], depth + 1);
    if (ok && tuple && list->count == 1) ok = put(w, ",");
    return ok && (!list->count || put_line(w, depth)) && put(w, tuple ? ")" : "]");
}

// JSON's names are strings: numbers and the like become such.
static bool put_key(const struct writing *w, const struct value *key) {
    if (!w->json || key->kind == VALUE_STRING) return put_value(w, key, 0);
    return put(w, "\"") && put_value(w, key, 0) && put(w, "\"");
}

static int by_key(const void *left, const void *right) {
    return value_order(*(const struct value *const *)left, *(const struct value *const *)right);
}

// The places of a map's keys in the order of writing, or NULL.
static const struct value **ordered(const struct writing *w, const struct value_map *map) {
    const struct value **keys = arena_take(w->arena, (map->count + 1) * sizeof *keys, w->error);
    bool sorted = w->json && w->json->sorted;
    for (size_t i = 0; keys && i < map->count; i++) {
        keys[i] = &map->keys[i];
        if (sorted && (map->keys[i].kind == VALUE_STRING) != (map->keys[0].kind == VALUE_STRING)) {
            error_set(w->error, ERROR_INVALID, "the chat template sorts keys of several kinds");
            return NULL;
        }
    }
    if (keys && sorted) qsort(keys, map->count, sizeof *keys, by_key);
    return keys;
}

static bool put_map(const struct writing *w, const struct value_map *map, int depth) {
    const struct value **keys = map->namespace ? NULL : ordered(w, map);
    if (map->namespace)
        return error_set(
            w->error, ERROR_UNSUPPORTED, "the chat template writes a namespace as text");
    bool ok = keys && put(w, "{");
    for (size_t i = 0; i < map->count && ok; i++)
        ok = put_separator(w, i, depth) && put_key(w, keys[i]) &&
             (w->json ? put_style(w, &w->json->behind_keys) : put(w, ": ")) &&
             put_value(w, &map->values[keys[i] - map->keys], depth + 1);
    return ok && (!map->count || put_line(w, depth)) && put(w, "}");
}

static bool put_value(const struct writing *w, const struct value *value, int depth) {
    char digits[32];
    if (depth > MAX_DEPTH)
        return error_set(w->error, ERROR_INVALID,
            "the chat template writes a value nested deeper than %d levels", MAX_DEPTH);
    if (!arena_work(w->arena, 1, w->error)) return false;
    switch (value->kind) {
    case VALUE_UNDEFINED:
        if (w->json) break;
        return put(w, "Undefined");
    case VALUE_NONE:
        return put(w, w->json ? "null" : "None");
    case VALUE_BOOLEAN:
        return put(w, value->boolean ? (w->json ? "true" : "True") : (w->json ? "false" : "False"));
    case VALUE_INTEGER:
        snprintf(digits, sizeof digits, "%lld", (long long)value->integer);
        return put(w, digits);
    case VALUE_REAL:
        return put_real(w, value->real);
    case VALUE_STRING:
        return put_string(w, &value->string);
    case VALUE_LIST:
        return put_list(w, value->list, depth);
    case VALUE_MAP:
        return put_map(w, value->map, depth);
    default:
        break;
    }
    return error_set(w->error, ERROR_INVALID, "the chat template writes %s as %s",
        value_kind_name(value), w->json ? "JSON" : "text");
}

bool value_write_repr(struct arena *arena, const struct value *value, struct text_builder *text,
    struct error *error) {
    struct writing writing = {arena, text, error, NULL};
    return put_value(&writing, value, 0);
}

bool value_write(struct arena *arena, const struct value *value, struct text_builder *text,
    struct error *error) {
    if (value->kind == VALUE_STRING) return text_append(arena, text, &value->string, error);
    return value->kind == VALUE_UNDEFINED || value_write_repr(arena, value, text, error);
}

bool value_write_json(struct arena *arena, const struct value *value,
    const struct json_style *style, struct text_builder *text, struct error *error) {
    struct writing writing = {arena, text, error, style};
    return put_value(&writing, value, 0);
}
