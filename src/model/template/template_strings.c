// Methods of strings, as Python has them.
#include "model/template/template_format.h"
#include "model/template/template_unicode.h"
#include <string.h>

enum { MAX_STRIPPED = 256 };

#define CALLABLE(name)                                                                             \
    static bool name(struct run *run, const struct value *value,                                   \
        const struct arguments *arguments, struct value *result)

static bool starts(const struct value_string *text, size_t at, const struct value_string *part) {
    return part->length <= text->length && at <= text->length - part->length &&
           !memcmp(text->bytes + at, part->bytes, part->length);
}

// Where `part` is found from `at` on; SIZE_MAX if nowhere.
static size_t find(const struct value_string *text, size_t at, const struct value_string *part) {
    if (at > text->length) return SIZE_MAX;
    const char *found = memmem(text->bytes + at, text->length - at, part->bytes, part->length);
    return found ? (size_t)(found - text->bytes) : SIZE_MAX;
}

static size_t find_last(
    const struct value_string *text, size_t end, const struct value_string *part) {
    for (size_t at = end < part->length ? 0 : end - part->length + 1; at-- > 0;)
        if (starts(text, at, part)) return at;
    return SIZE_MAX;
}

// What looking for `part` from the end may cost.
static bool work_of_search(
    struct run *run, const struct value_string *text, const struct value *part) {
    size_t length = part && part->kind == VALUE_STRING ? part->string.length : 0;
    return length <= text->length
               ? arena_work_bytes(&run->arena, (text->length - length) * length, run->error)
               : true;
}

// ---- stripping ----

// Bytes of the character at `at`, where it is one to strip: of `set`, or (NULL) whitespace.
static size_t stripped(const struct value_string *text, size_t at, const struct value_string *set) {
    size_t length;
    if (!set) return unicode_space_length(text->bytes + at, text->length - at);
    unicode_read(text->bytes + at, &length);
    return memmem(set->bytes, set->length, text->bytes + at, length) ? length : 0;
}

static size_t character_before(const struct value_string *text, size_t end) {
    size_t at = end - 1;
    while (at > 0 && (text->bytes[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static bool strip(struct run *run, const struct value *value, const struct arguments *arguments,
    bool left, bool right, struct value *result) {
    struct value text;
    const struct value *set = arguments->given[0];
    if (set && set->kind == VALUE_NONE) set = NULL;
    if (!run_text(run, value, &text) || (set && !run_need(run, set, VALUE_STRING, "strip")))
        return false;
    if (set && set->string.length > MAX_STRIPPED)
        return run_fault(run, "strip of more than %d bytes of characters", MAX_STRIPPED);
    const struct value_string *string = &text.string, *chars = set ? &set->string : NULL;
    size_t from = 0, to = string->length;
    for (size_t size = 1; left && size && from < to; from += size)
        size = stripped(string, from, chars);
    while (right && to > from) {
        size_t before = character_before(string, to);
        if (!stripped(string, before, chars)) break;
        to = before;
    }
    *result = value_slice_text(&text, from, to);
    return arena_work_bytes(&run->arena, string->length, run->error);
}

bool template_strip(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    return strip(run, value, arguments, true, true, result);
}

CALLABLE(call_lstrip) {
    return strip(run, value, arguments, true, false, result);
}

CALLABLE(call_rstrip) {
    return strip(run, value, arguments, false, true, result);
}

CALLABLE(call_removeprefix) {
    const struct value *part = arguments->given[0];
    if (!run_need(run, part, VALUE_STRING, "removeprefix")) return false;
    bool there = starts(&value->string, 0, &part->string);
    *result = value_slice_text(value, there ? part->string.length : 0, value->string.length);
    return true;
}

CALLABLE(call_removesuffix) {
    const struct value *part = arguments->given[0];
    if (!run_need(run, part, VALUE_STRING, "removesuffix")) return false;
    size_t length = value->string.length, size = part->string.length;
    bool there = size <= length && starts(&value->string, length - size, &part->string);
    *result = value_slice_text(value, 0, there ? length - size : length);
    return true;
}

// ---- case ----

// A capital sigma at the end of a word has a form of its own.
static bool is_final_sigma(
    const struct value_string *text, size_t at, size_t size, bool inside, uint32_t character) {
    size_t next;
    return character == 0x3a3 && inside &&
           (at + size >= text->length ||
               !unicode_is_cased(unicode_read(text->bytes + at + size, &next)));
}

// `title`: the case of a word's first letter; `other`: of the rest. `words` says whether there are
// words at all, or each letter counts as the text's only first.
static bool change_case(struct run *run, const struct value *value, enum letter_case first,
    enum letter_case rest, bool words, struct value *result) {
    struct value text;
    struct text_builder built = {0};
    size_t size;
    bool inside = false;
    if (!run_text(run, value, &text)) return false;
    for (size_t at = 0; at < text.string.length; at += size) {
        char changed[UNICODE_CASE_SIZE];
        uint32_t character = unicode_read(text.string.bytes + at, &size);
        bool begins = words ? !inside : at == 0;
        enum letter_case wanted = begins ? first : rest;
        size_t length = unicode_change_case(character, wanted, changed);
        if (wanted == CASE_LOWER && is_final_sigma(&text.string, at, size, inside, character))
            length = unicode_write(0x3c2, changed);
        bool data = text.string.from_data && text.string.from_data[at];
        if (!text_append_bytes(&run->arena, &built, changed, length, data, run->error))
            return false;
        inside = unicode_is_cased(character);
    }
    *result = text_value(&built);
    result->string.markup = text.string.markup;
    return true;
}

bool template_upper(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    (void)arguments;
    return change_case(run, value, CASE_UPPER, CASE_UPPER, false, result);
}

bool template_lower(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    (void)arguments;
    return change_case(run, value, CASE_LOWER, CASE_LOWER, false, result);
}

bool template_capitalize(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    (void)arguments;
    return change_case(run, value, CASE_TITLE, CASE_LOWER, false, result);
}

CALLABLE(call_title) {
    (void)arguments;
    return change_case(run, value, CASE_TITLE, CASE_LOWER, true, result);
}

// Words begin behind "-", whitespace and opening brackets; each is upper case, then lower.
bool template_title_filter(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    struct value text, word, changed;
    struct text_builder built = {0};
    size_t from = 0, size = 0;
    (void)arguments;
    if (!run_text(run, value, &text)) return false;
    for (size_t at = 0; at <= text.string.length; at += size ? size : 1) {
        bool end = at == text.string.length;
        size = end ? 0 : unicode_space_length(text.string.bytes + at, text.string.length - at);
        if (!end && !size) size = memchr("-({[<", text.string.bytes[at], 5) != NULL;
        if (!end && !size) continue;
        word = value_slice_text(&text, from, at + size);
        if (!change_case(run, &word, CASE_UPPER, CASE_LOWER, false, &changed) ||
            !text_append(&run->arena, &built, &changed.string, run->error))
            return false;
        from = at + size;
        if (end) break;
    }
    *result = text_value(&built);
    return true;
}

// ---- parts ----

static bool append_slice(
    struct run *run, struct value *list, const struct value *text, size_t from, size_t to) {
    struct value slice = value_slice_text(text, from, to);
    return value_append(&run->arena, list->list, &slice, run->error);
}

static bool split_words(
    struct run *run, const struct value *value, int64_t left, struct value *result) {
    const struct value_string *text = &value->string;
    for (size_t at = 0; at < text->length; left--) {
        size_t space = 0;
        while ((space = unicode_space_length(text->bytes + at, text->length - at)))
            at += space;
        size_t from = at;
        if (at == text->length) break;
        while (at < text->length &&
               (!left || !unicode_space_length(text->bytes + at, text->length - at)))
            at++;
        if (!append_slice(run, result, value, from, at)) return false;
    }
    return true;
}

static bool split_by(struct run *run, const struct value *value, const struct value_string *part,
    int64_t left, struct value *result) {
    size_t from = 0;
    for (; left > 0; left--) {
        size_t found = find(&value->string, from, part);
        if (found == SIZE_MAX) break;
        if (!append_slice(run, result, value, from, found)) return false;
        from = found + part->length;
    }
    return append_slice(run, result, value, from, value->string.length);
}

static bool split_from_end(struct run *run, const struct value *value,
    const struct value_string *part, int64_t left, struct value *result) {
    size_t to = value->string.length;
    for (; left > 0; left--) {
        size_t found = find_last(&value->string, to, part);
        if (found == SIZE_MAX) break;
        if (!append_slice(run, result, value, found + part->length, to)) return false;
        to = found;
    }
    if (!append_slice(run, result, value, 0, to)) return false;
    struct value *items = result->list->items;
    for (size_t i = 0, j = result->list->count - 1; i < j; i++, j--) {
        struct value held = items[i];
        items[i] = items[j];
        items[j] = held;
    }
    return true;
}

static bool split(struct run *run, const struct value *value, const struct arguments *arguments,
    bool from_end, struct value *result) {
    const struct value *part = arguments->given[0];
    int64_t left;
    if (!run_integer(run, arguments->given[1], -1, &left, "split") ||
        !arena_work_bytes(&run->arena, 4 * value->string.length, run->error) ||
        !value_new_list(&run->arena, LIST_PLAIN, result, run->error))
        return false;
    if (left < 0) left = INT64_MAX;
    if (from_end && !work_of_search(run, &value->string, part)) return false;
    if (!part || part->kind == VALUE_NONE)
        return from_end && left < INT64_MAX ? run_fault(run, "rsplit at whitespace with a limit")
                                            : split_words(run, value, left, result);
    if (!run_need(run, part, VALUE_STRING, "split")) return false;
    if (!part->string.length) return run_fault(run, "split cannot take an empty separator");
    return from_end ? split_from_end(run, value, &part->string, left, result)
                    : split_by(run, value, &part->string, left, result);
}

CALLABLE(call_split) {
    return split(run, value, arguments, false, result);
}

CALLABLE(call_rsplit) {
    return split(run, value, arguments, true, result);
}

static bool partition(struct run *run, const struct value *value, const struct value *part,
    bool last, struct value *result) {
    size_t length = value->string.length;
    if (!run_need(run, part, VALUE_STRING, "partition") ||
        !value_new_list(&run->arena, LIST_TUPLE, result, run->error))
        return false;
    if (!part->string.length) return run_fault(run, "partition cannot take an empty separator");
    if (last && !work_of_search(run, &value->string, part)) return false;
    size_t at = last ? find_last(&value->string, length, &part->string)
                     : find(&value->string, 0, &part->string);
    bool found = at != SIZE_MAX;
    size_t size = found ? part->string.length : 0;
    if (!found) at = last ? 0 : length;
    return append_slice(run, result, value, 0, at) &&
           append_slice(run, result, value, at, at + size) &&
           append_slice(run, result, value, at + size, length);
}

CALLABLE(call_partition) {
    return partition(run, value, arguments->given[0], false, result);
}

CALLABLE(call_rpartition) {
    return partition(run, value, arguments->given[0], true, result);
}

// Bytes of the line's end at `at`, 0 if there is none.
static size_t line_end(const struct value_string *text, size_t at) {
    const char *bytes = text->bytes + at;
    size_t left = text->length - at;
    if (*bytes == '\r' && left > 1 && bytes[1] == '\n') return 2;
    if (memchr("\n\r\v\f\x1c\x1d\x1e", *bytes, 7)) return 1;
    if (left > 1 && !memcmp(bytes, "\xc2\x85", 2)) return 2;
    return left > 2 && (!memcmp(bytes, "\xe2\x80\xa8", 3) || !memcmp(bytes, "\xe2\x80\xa9", 3)) ? 3
                                                                                                : 0;
}

bool template_lines(
    struct run *run, const struct value *text, bool keep_ends, struct value *result) {
    size_t from = 0;
    if (!value_new_list(&run->arena, LIST_PLAIN, result, run->error)) return false;
    for (size_t at = 0; at < text->string.length;) {
        size_t end = line_end(&text->string, at);
        if (end && !append_slice(run, result, text, from, keep_ends ? at + end : at)) return false;
        at += end ? end : 1;
        if (end) from = at;
    }
    return from == text->string.length ||
           append_slice(run, result, text, from, text->string.length);
}

CALLABLE(call_splitlines) {
    const struct value *keep = arguments->given[0];
    return template_lines(run, value, keep && value_true(keep), result);
}

bool template_replace(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    const struct value *old = arguments->given[0], *new = arguments->given[1];
    struct text_builder built = {0};
    struct value text;
    int64_t left;
    size_t from = 0;
    if (!run_text(run, value, &text) || !run_need(run, old, VALUE_STRING, "replace") ||
        !run_need(run, new, VALUE_STRING, "replace") ||
        !run_integer(run, arguments->given[2], -1, &left, "replace"))
        return false;
    if (!old->string.length) return run_fault(run, "replace cannot take an empty text");
    for (; left; left--) {
        size_t found = find(&text.string, from, &old->string);
        if (found == SIZE_MAX) break;
        struct value piece = value_slice_text(&text, from, found);
        if (!text_append(&run->arena, &built, &piece.string, run->error) ||
            !text_append(&run->arena, &built, &new->string, run->error) ||
            !arena_work(&run->arena, 1, run->error))
            return false;
        from = found + old->string.length;
    }
    struct value rest = value_slice_text(&text, from, text.string.length);
    if (!text_append(&run->arena, &built, &rest.string, run->error)) return false;
    *result = text_value(&built);
    return true;
}

CALLABLE(call_join) {
    const struct value *over = arguments->given[0];
    struct text_builder built = {0};
    struct value items;
    if (!run_items(run, over, &items)) return false;
    for (size_t i = 0; i < items.list->count; i++) {
        if (!run_need(run, &items.list->items[i], VALUE_STRING, "join") ||
            (i && !text_append(&run->arena, &built, &value->string, run->error)) ||
            !text_append(&run->arena, &built, &items.list->items[i].string, run->error) ||
            !arena_work(&run->arena, 1, run->error))
            return false;
    }
    *result = text_value(&built);
    return true;
}

// ---- asking ----

// Whether one of the texts (a string, or a tuple of them) stands at the beginning, or the end.
static bool borders(struct run *run, const struct value *value, const struct value *parts,
    bool at_end, struct value *result) {
    struct value single;
    size_t length = value->string.length;
    if (parts->kind == VALUE_LIST && parts->list->kind == LIST_TUPLE) {
        *result = value_boolean(false);
        for (size_t i = 0; i < parts->list->count && !result->boolean; i++)
            if (!borders(run, value, &parts->list->items[i], at_end, result)) return false;
        return true;
    }
    if (!run_need(run, parts, VALUE_STRING, at_end ? "endswith" : "startswith")) return false;
    single = *parts;
    size_t size = single.string.length;
    *result = value_boolean(
        size <= length && starts(&value->string, at_end ? length - size : 0, &single.string));
    return true;
}

CALLABLE(call_startswith) {
    return borders(run, value, arguments->given[0], false, result);
}

CALLABLE(call_endswith) {
    return borders(run, value, arguments->given[0], true, result);
}

static bool position(struct run *run, const struct value *value, const struct value *part,
    bool last, bool needed, struct value *result) {
    size_t length;
    if (!run_need(run, part, VALUE_STRING, "find") ||
        (last && !work_of_search(run, &value->string, part)))
        return false;
    size_t at = last ? find_last(&value->string, value->string.length, &part->string)
                     : find(&value->string, 0, &part->string);
    struct value before = value_slice_text(value, 0, at == SIZE_MAX ? 0 : at);
    if (at == SIZE_MAX && needed) return run_fault(run, "index of a text that is not there");
    if (!run_length(run, &before, &length) ||
        !arena_work_bytes(&run->arena, 4 * value->string.length, run->error))
        return false;
    *result = value_integer(at == SIZE_MAX ? -1 : (int64_t)length);
    return true;
}

CALLABLE(call_find) {
    return position(run, value, arguments->given[0], false, false, result);
}

CALLABLE(call_rfind) {
    return position(run, value, arguments->given[0], true, false, result);
}

CALLABLE(call_index) {
    return position(run, value, arguments->given[0], false, true, result);
}

CALLABLE(call_count) {
    const struct value *part = arguments->given[0];
    int64_t count = 0;
    if (!run_need(run, part, VALUE_STRING, "count")) return false;
    if (!part->string.length) return run_fault(run, "count of an empty text");
    for (size_t at = 0; (at = find(&value->string, at, &part->string)) != SIZE_MAX; count++)
        at += part->string.length;
    *result = value_integer(count);
    return arena_work_bytes(&run->arena, 4 * value->string.length, run->error);
}

// What isdigit, isalpha and the like ask of every character; the text must not be empty.
static bool every(
    struct run *run, const struct value *value, const char *allowed, struct value *result) {
    bool all = value->string.length > 0;
    for (size_t i = 0; i < value->string.length && all; i++) {
        char byte = value->string.bytes[i];
        if (byte & 0x80) return run_fault(run, "a test of letters beyond ASCII");
        all = byte && strchr(allowed, byte) != NULL;
    }
    *result = value_boolean(all);
    return true;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

CALLABLE(call_isdigit) {
    (void)arguments;
    return every(run, value, DIGITS, result);
}

CALLABLE(call_isalpha) {
    (void)arguments;
    return every(run, value, LETTERS, result);
}

CALLABLE(call_isalnum) {
    (void)arguments;
    return every(run, value, DIGITS LETTERS, result);
}

CALLABLE(call_isspace) {
    size_t at = 0, space = 1;
    (void)run;
    (void)arguments;
    for (; at < value->string.length && space; at += space)
        space = unicode_space_length(value->string.bytes + at, value->string.length - at);
    *result = value_boolean(value->string.length && space);
    return true;
}

// Whether the text has cased letters, and all of them are in that case.
static bool in_case(
    struct run *run, const struct value *value, enum letter_case wanted, struct value *result) {
    struct value changed;
    bool cased = false;
    size_t size;
    if (!change_case(run, value, wanted, wanted, false, &changed)) return false;
    for (size_t at = 0; at < value->string.length && !cased; at += size)
        cased = unicode_is_cased(unicode_read(value->string.bytes + at, &size));
    *result = value_boolean(cased && value_same_scalar(value, &changed));
    return true;
}

CALLABLE(call_isupper) {
    (void)arguments;
    return in_case(run, value, CASE_UPPER, result);
}

CALLABLE(call_islower) {
    (void)arguments;
    return in_case(run, value, CASE_LOWER, result);
}

// ---- widths ----

static bool fill(
    struct run *run, struct text_builder *built, int64_t count, const struct value_string *with) {
    for (int64_t i = 0; i < count; i++)
        if (!text_append(&run->arena, built, with, run->error)) return false;
    return true;
}

// `share` of the room goes before the text: 0 for none, 2 for all, 1 for half.
static bool pad(struct run *run, const struct value *value, const struct arguments *arguments,
    int share, struct value *result) {
    struct value space = value_text(" "), text;
    const struct value *with = arguments->given[1] ? arguments->given[1] : &space;
    struct text_builder built = {0};
    int64_t width;
    size_t length;
    if (!run_text(run, value, &text) || !run_need(run, with, VALUE_STRING, "a width") ||
        !run_integer(run, arguments->given[0], 80, &width, "a width") ||
        !run_length(run, &text, &length))
        return false;
    if (width > 1000000) return run_fault(run, "a width above 1000000");
    int64_t room = width > (int64_t)length ? width - (int64_t)length : 0;
    int64_t before = share == 1 ? room / 2 + (room & width & 1) : share ? room : 0;
    if (!arena_work(&run->arena, (uint64_t)room, run->error) ||
        !fill(run, &built, before, &with->string) ||
        !text_append(&run->arena, &built, &text.string, run->error) ||
        !fill(run, &built, room - before, &with->string))
        return false;
    *result = text_value(&built);
    return true;
}

bool template_center(struct run *run, const struct value *value, const struct arguments *arguments,
    struct value *result) {
    return pad(run, value, arguments, 1, result);
}

CALLABLE(call_ljust) {
    return pad(run, value, arguments, 0, result);
}

CALLABLE(call_rjust) {
    return pad(run, value, arguments, 2, result);
}

const struct template_row template_string_methods[] = {{"strip", template_strip, "chars"},
    {"lstrip", call_lstrip, "chars"}, {"rstrip", call_rstrip, "chars"},
    {"removeprefix", call_removeprefix, "prefix", 1},
    {"removesuffix", call_removesuffix, "suffix", 1}, {"upper", template_upper, ""},
    {"lower", template_lower, ""}, {"title", call_title, ""},
    {"capitalize", template_capitalize, ""}, {"split", call_split, "sep maxsplit"},
    {"rsplit", call_rsplit, "sep maxsplit"}, {"partition", call_partition, "sep", 1},
    {"rpartition", call_rpartition, "sep", 1}, {"splitlines", call_splitlines, "keepends"},
    {"replace", template_replace, "old new count", 2}, {"join", call_join, "iterable", 1},
    {"startswith", call_startswith, "prefix", 1}, {"endswith", call_endswith, "suffix", 1},
    {"find", call_find, "sub", 1}, {"rfind", call_rfind, "sub", 1}, {"index", call_index, "sub", 1},
    {"count", call_count, "sub", 1}, {"isdigit", call_isdigit, ""}, {"isalpha", call_isalpha, ""},
    {"isalnum", call_isalnum, ""}, {"isspace", call_isspace, ""}, {"isupper", call_isupper, ""},
    {"islower", call_islower, ""}, {"center", template_center, "width fillchar", 1},
    {"ljust", call_ljust, "width fillchar", 1}, {"rjust", call_rjust, "width fillchar", 1},
    {"format", template_format_method, NULL}, {0}};
