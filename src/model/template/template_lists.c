// Filters and methods on lists and mappings.
#include "model/template/template_format.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CALLABLE(name)                                                                             \
    static bool name(struct run *run, const struct value *value,                                   \
        const struct arguments *arguments, struct value *result)

// ---- items ----

CALLABLE(call_list) {
    struct value items;
    (void)arguments;
    if (!run_items(run, value, &items) ||
        !value_new_list(&run->arena, LIST_PLAIN, result, run->error))
        return false;
    for (size_t i = 0; i < items.list->count; i++)
        if (!value_append(&run->arena, result->list, &items.list->items[i], run->error))
            return false;
    return arena_work(&run->arena, items.list->count / 4, run->error);
}

CALLABLE(call_first) {
    struct value items;
    (void)arguments;
    struct value zero = value_integer(0);
    if (value->kind == VALUE_STRING) return run_index(run, value, &zero, result);
    if (value->kind == VALUE_LIST && value->list->kind == LIST_ONCE) {
        bool left = value->list->taken < value->list->count;
        *result = left ? value->list->items[value->list->taken++] : (struct value){0};
        return true;
    }
    if (!run_items(run, value, &items)) return false;
    *result = items.list->count ? items.list->items[0] : (struct value){0};
    return true;
}

CALLABLE(call_last) {
    struct value items, last = value_integer(-1);
    (void)arguments;
    if (value->kind == VALUE_STRING) return run_index(run, value, &last, result);
    if (value->kind == VALUE_LIST && value->list->kind == LIST_ONCE)
        return run_fault(run, "the last of what can only be gone over; it lacks a |list");
    if (!run_items(run, value, &items)) return false;
    *result = items.list->count ? items.list->items[items.list->count - 1] : (struct value){0};
    return true;
}

static bool append_reversed(struct run *run, const struct value_list *items, struct value *result) {
    for (size_t i = items->count; i-- > 0;)
        if (!value_append(&run->arena, result->list, &items->items[i], run->error)) return false;
    return arena_work(&run->arena, items->count / 4, run->error);
}

CALLABLE(call_reverse) {
    struct value items, list;
    struct text_builder built = {0};
    (void)arguments;
    if (!run_items(run, value, &items) ||
        !value_new_list(&run->arena, LIST_ONCE, &list, run->error) ||
        !append_reversed(run, items.list, &list))
        return false;
    *result = list;
    if (value->kind != VALUE_STRING) return true;
    for (size_t i = 0; i < list.list->count; i++)
        if (!text_append(&run->arena, &built, &list.list->items[i].string, run->error))
            return false;
    *result = text_value(&built);
    return true;
}

static bool append_pair(
    struct run *run, struct value *list, const struct value *key, const struct value *value) {
    struct value item;
    return value_new_list(&run->arena, LIST_TUPLE, &item, run->error) &&
           value_append(&run->arena, item.list, key, run->error) &&
           value_append(&run->arena, item.list, value, run->error) &&
           value_append(&run->arena, list->list, &item, run->error);
}

static bool pairs(
    struct run *run, const struct value *value, enum list_kind kind, struct value *result) {
    if (!value_new_list(&run->arena, kind, result, run->error)) return false;
    for (size_t i = 0; i < value->map->count; i++)
        if (!append_pair(run, result, &value->map->keys[i], &value->map->values[i])) return false;
    return true;
}

CALLABLE(call_items_filter) {
    (void)arguments;
    if (value->kind == VALUE_UNDEFINED)
        return value_new_list(&run->arena, LIST_ONCE, result, run->error);
    if (value->kind == VALUE_MAP && value->map->namespace)
        return run_fault(run, "items of a namespace");
    return run_need(run, value, VALUE_MAP, "items") && pairs(run, value, LIST_ONCE, result);
}

CALLABLE(call_items) {
    (void)arguments;
    return pairs(run, value, LIST_VIEW, result);
}

static bool view(struct run *run, const struct value *items, size_t count, struct value *result) {
    if (!value_new_list(&run->arena, LIST_VIEW, result, run->error)) return false;
    for (size_t i = 0; i < count; i++)
        if (!value_append(&run->arena, result->list, &items[i], run->error)) return false;
    return true;
}

CALLABLE(call_keys) {
    (void)arguments;
    return view(run, value->map->keys, value->map->count, result);
}

CALLABLE(call_values) {
    (void)arguments;
    return view(run, value->map->values, value->map->count, result);
}

CALLABLE(call_get) {
    const struct value *other = arguments->given[1];
    const struct value *found = value_get(value->map, arguments->given[0]);
    *result = found ? *found : other ? *other : value_none();
    return arena_work(&run->arena, value->map->count / 8, run->error);
}

CALLABLE(call_copy) {
    (void)arguments;
    (void)run;
    *result = *value; // nothing can change it
    return true;
}

CALLABLE(call_index) {
    bool same = false;
    for (size_t i = 0; i < value->list->count; i++) {
        if (!run_equal(run, &value->list->items[i], arguments->given[0], &same)) return false;
        *result = value_integer((int64_t)i);
        if (same) return true;
    }
    return run_fault(run, "index of an item that is not there");
}

CALLABLE(call_count) {
    int64_t count = 0;
    bool same = false;
    for (size_t i = 0; i < value->list->count; i++) {
        if (!run_equal(run, &value->list->items[i], arguments->given[0], &same)) return false;
        count += same;
    }
    *result = value_integer(count);
    return true;
}

// ---- by attribute ----

// item.a.b, or item[0]: what the filters' "attribute" names. NULL: the item itself.
static bool member_of(struct run *run, const struct value *item, const struct value *attribute,
    struct value *result) {
    *result = *item;
    if (!attribute || attribute->kind == VALUE_NONE) return true;
    if (attribute->kind == VALUE_INTEGER) return run_index(run, item, attribute, result);
    if (!run_need(run, attribute, VALUE_STRING, "attribute")) return false;
    const struct value_string *path = &attribute->string;
    for (size_t from = 0; from <= path->length;) {
        const char *dot = memchr(path->bytes + from, '.', path->length - from);
        size_t to = dot ? (size_t)(dot - path->bytes) : path->length;
        struct value key = value_slice_text(attribute, from, to), owner = *result;
        if (to > from && to - from < 10 && isdigit((unsigned char)path->bytes[from]))
            key = value_integer(strtol(path->bytes + from, NULL, 10));
        if (!run_index(run, &owner, &key, result)) return false;
        from = to + 1;
    }
    return true;
}

// Arguments from `first` on, as those of a test or a filter that is called for each item.
static struct arguments rest_of(const struct arguments *arguments, size_t first) {
    struct arguments rest = *arguments;
    size_t skipped = first < arguments->count ? first : arguments->count;
    rest.count -= skipped;
    memmove(
        rest.values, arguments->values + skipped, (MAX_ARGUMENTS - skipped) * sizeof *rest.values);
    memmove(rest.names, arguments->names + skipped, (MAX_ARGUMENTS - skipped) * sizeof *rest.names);
    return rest;
}

static bool name_argument(
    struct run *run, const struct arguments *arguments, size_t index, char name[64]) {
    if (index >= arguments->count) return run_fault(run, "map needs a filter or an attribute");
    const struct value *value = &arguments->values[index];
    if (!run_need(run, value, VALUE_STRING, "a name")) return false;
    if (value->string.length >= 64) return run_fault(run, "a name that is too long");
    memcpy(name, value->string.bytes, value->string.length);
    name[value->string.length] = 0;
    return true;
}

// select, reject, selectattr, rejectattr: items that pass a test, by themselves or by an attribute.
static bool choose(struct run *run, const struct value *value, const struct arguments *arguments,
    bool by_attribute, bool wanted, struct value *result) {
    struct arguments inner = rest_of(arguments, by_attribute ? 2 : 1);
    bool tested = arguments->count > (by_attribute ? 1 : 0);
    struct value items;
    char name[64];
    if (by_attribute && !arguments->count) return run_fault(run, "selectattr needs an attribute");
    if ((tested && !name_argument(run, arguments, by_attribute ? 1 : 0, name)) ||
        !run_items(run, value, &items) ||
        !value_new_list(&run->arena, LIST_ONCE, result, run->error))
        return false;
    for (size_t i = 0; i < items.list->count; i++) {
        const struct value *item = &items.list->items[i];
        struct value looked_at;
        if (!arena_work(&run->arena, 1, run->error) ||
            !member_of(run, item, by_attribute ? &arguments->values[0] : NULL, &looked_at))
            return false;
        bool passes = value_true(&looked_at);
        if (tested && !template_test(run, name, &looked_at, &inner, &passes)) return false;
        if (passes == wanted && !value_append(&run->arena, result->list, item, run->error))
            return false;
    }
    return true;
}

CALLABLE(call_select) {
    return choose(run, value, arguments, false, true, result);
}

CALLABLE(call_reject) {
    return choose(run, value, arguments, false, false, result);
}

CALLABLE(call_selectattr) {
    return choose(run, value, arguments, true, true, result);
}

CALLABLE(call_rejectattr) {
    return choose(run, value, arguments, true, false, result);
}

static const struct value *named(const struct arguments *arguments, const char *name) {
    for (size_t i = arguments->count; i < arguments->count + arguments->named; i++)
        if (!strcmp(arguments->names[i], name)) return &arguments->values[i];
    return NULL;
}

CALLABLE(call_map) {
    const struct value *attribute = arguments->count ? NULL : named(arguments, "attribute");
    const struct value *otherwise = attribute ? named(arguments, "default") : NULL;
    struct arguments inner = rest_of(arguments, 1);
    struct value items, mapped;
    char name[64];
    if ((!attribute && !name_argument(run, arguments, 0, name)) || !run_items(run, value, &items) ||
        !value_new_list(&run->arena, LIST_ONCE, result, run->error))
        return false;
    for (size_t i = 0; i < items.list->count; i++) {
        const struct value *item = &items.list->items[i];
        struct arguments own = inner;
        if (!arena_work(&run->arena, 1, run->error) ||
            !(attribute ? member_of(run, item, attribute, &mapped)
                        : template_filter(run, name, item, &own, &mapped)))
            return false;
        if (attribute && mapped.kind == VALUE_UNDEFINED && otherwise) mapped = *otherwise;
        if (!value_append(&run->arena, result->list, &mapped, run->error)) return false;
    }
    return true;
}

CALLABLE(call_join) {
    const struct value *between = arguments->given[0], *attribute = arguments->given[1];
    struct text_builder built = {0};
    struct value items, item;
    if (!run_items(run, value, &items)) return false;
    for (size_t i = 0; i < items.list->count; i++)
        if (!arena_work(&run->arena, 1, run->error) ||
            (i && between && !value_write(&run->arena, between, &built, run->error)) ||
            !member_of(run, &items.list->items[i], attribute, &item) ||
            !value_write(&run->arena, &item, &built, run->error))
            return false;
    *result = text_value(&built);
    return true;
}

// ---- order ----

// What an item is sorted or compared by.
struct sorted {
    struct value key;
    struct value item;
};

static bool key_of(struct run *run, const struct value *item, const struct value *attribute,
    const struct value *case_sensitive, struct value *key) {
    struct value member;
    struct arguments none = {0};
    if (!member_of(run, item, attribute, &member)) return false;
    *key = member;
    bool lower = member.kind == VALUE_STRING && !(case_sensitive && value_true(case_sensitive));
    return !lower || template_lower(run, &member, &none, key);
}

static bool merge(
    struct run *run, struct sorted *rows, struct sorted *space, size_t count, int direction) {
    size_t half = count / 2, left = 0, right = half, at = 0;
    int order;
    if (count < 2) return true;
    if (!merge(run, rows, space, half, direction) ||
        !merge(run, rows + half, space, count - half, direction))
        return false;
    while (left < half && right < count) {
        bool same;
        order = 0;
        if (!run_equal(run, &rows[right].key, &rows[left].key, &same) ||
            (!same && !run_compare(run, &rows[right].key, &rows[left].key, &order)))
            return false;
        space[at++] = order * direction < 0 ? rows[right++] : rows[left++];
    }
    while (left < half)
        space[at++] = rows[left++];
    memcpy(rows, space, at * sizeof *rows);
    return true;
}

// A stable sort of `items` by attribute (or themselves), as a list.
static bool sort_items(struct run *run, const struct value_list *items,
    const struct value *attribute, const struct value *case_sensitive, bool reverse,
    struct value *result) {
    size_t count = items->count;
    struct sorted *rows = arena_take(&run->arena, 2 * (count + 1) * sizeof *rows, run->error);
    if (!rows) return false;
    for (size_t i = 0; i < count; i++) {
        rows[i].item = items->items[i];
        if (!key_of(run, &items->items[i], attribute, case_sensitive, &rows[i].key)) return false;
    }
    if (!merge(run, rows, rows + count, count, reverse ? -1 : 1) ||
        !value_new_list(&run->arena, LIST_PLAIN, result, run->error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!value_append(&run->arena, result->list, &rows[i].item, run->error)) return false;
    return true;
}

CALLABLE(call_sort) {
    const struct value *reverse = arguments->given[0];
    struct value items;
    return run_items(run, value, &items) &&
           sort_items(run, items.list, arguments->given[2], arguments->given[1],
               reverse && value_true(reverse), result);
}

CALLABLE(call_dictsort) {
    const struct value *by = arguments->given[1], *reverse = arguments->given[2];
    struct value items;
    if (!run_need(run, value, VALUE_MAP, "dictsort") || !pairs(run, value, LIST_PLAIN, &items))
        return false;
    bool by_value = by && value_is_text(by, "value");
    if (by && !by_value && !value_is_text(by, "key"))
        return run_fault(run, "dictsort by what is neither key nor value");
    struct value attribute = value_integer(by_value);
    return sort_items(
        run, items.list, &attribute, arguments->given[0], reverse && value_true(reverse), result);
}

static bool extreme(struct run *run, const struct value *value, const struct arguments *arguments,
    bool largest, struct value *result) {
    struct value items, sorted;
    if (!run_items(run, value, &items) ||
        !sort_items(run, items.list, arguments->given[1], arguments->given[0], largest, &sorted))
        return false;
    *result = sorted.list->count ? sorted.list->items[0] : (struct value){0};
    return true;
}

CALLABLE(call_min) {
    return extreme(run, value, arguments, false, result);
}

CALLABLE(call_max) {
    return extreme(run, value, arguments, true, result);
}

CALLABLE(call_unique) {
    struct value items, keys, key;
    bool seen;
    if (!run_items(run, value, &items) ||
        !value_new_list(&run->arena, LIST_PLAIN, &keys, run->error) ||
        !value_new_list(&run->arena, LIST_ONCE, result, run->error))
        return false;
    for (size_t i = 0; i < items.list->count; i++) {
        const struct value *item = &items.list->items[i];
        if (!key_of(run, item, arguments->given[1], arguments->given[0], &key) ||
            !run_need_key(run, &key) || !run_contains(run, &keys, &key, &seen))
            return false;
        if (!seen && (!value_append(&run->arena, keys.list, &key, run->error) ||
                         !value_append(&run->arena, result->list, item, run->error)))
            return false;
    }
    return true;
}

CALLABLE(call_sum) {
    struct value items, item, total = value_integer(0);
    if (arguments->given[1]) total = *arguments->given[1];
    if (!run_items(run, value, &items)) return false;
    for (size_t i = 0; i < items.list->count; i++) {
        if (total.kind == VALUE_STRING) return run_fault(run, "a sum of strings");
        struct value before = total;
        if (!member_of(run, &items.list->items[i], arguments->given[0], &item) ||
            !template_operate(run, OP_ADD, &before, &item, &total))
            return false;
    }
    *result = total;
    return true;
}

CALLABLE(call_batch) {
    struct value items, row = {0};
    int64_t size;
    if (!run_items(run, value, &items) ||
        !run_integer(run, arguments->given[0], 0, &size, "batch") ||
        !value_new_list(&run->arena, LIST_ONCE, result, run->error))
        return false;
    if (size < 1 || size > 1000000) return run_fault(run, "batch of a size that is none");
    for (size_t i = 0; i < items.list->count; i++)
        if ((i % (size_t)size == 0 &&
                (!value_new_list(&run->arena, LIST_PLAIN, &row, run->error) ||
                    !value_append(&run->arena, result->list, &row, run->error))) ||
            !value_append(&run->arena, row.list, &items.list->items[i], run->error))
            return false;
    while (arguments->given[1] && row.kind == VALUE_LIST && row.list->count < (size_t)size)
        if (!value_append(&run->arena, row.list, arguments->given[1], run->error)) return false;
    return true;
}

const struct template_row template_list_filters[] = {{"list", call_list, ""},
    {"first", call_first, ""}, {"last", call_last, ""}, {"reverse", call_reverse, ""},
    {"items", call_items_filter, ""}, {"select", call_select, NULL}, {"reject", call_reject, NULL},
    {"selectattr", call_selectattr, NULL}, {"rejectattr", call_rejectattr, NULL},
    {"map", call_map, NULL}, {"join", call_join, "d attribute"},
    {"sort", call_sort, "reverse case_sensitive attribute"},
    {"dictsort", call_dictsort, "case_sensitive by reverse"},
    {"min", call_min, "case_sensitive attribute"}, {"max", call_max, "case_sensitive attribute"},
    {"unique", call_unique, "case_sensitive attribute"}, {"sum", call_sum, "attribute start"},
    {"batch", call_batch, "linecount fill_with", 1}, {0}};

const struct template_row template_map_methods[] = {{"items", call_items, ""},
    {"keys", call_keys, ""}, {"values", call_values, ""}, {"get", call_get, "key default", 1},
    {"copy", call_copy, ""}, {0}};

const struct template_row template_list_methods[] = {{"index", call_index, "value", 1},
    {"count", call_count, "value", 1}, {"copy", call_copy, ""}, {0}};
