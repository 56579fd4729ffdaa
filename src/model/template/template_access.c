// Looking into values: items, characters, members, slices, equality and order, as Python has them.
#include "model/template/template_run.h"
#include "model/template/template_unicode.h"
#include <stdio.h>
#include <string.h>

enum { MAX_EQUAL_DEPTH = 100 };

const char *run_describe(struct run *run, const struct value *value) {
    struct error ignored;
    if (value->kind != VALUE_UNDEFINED) return value_kind_name(value);
    size_t size = value->missing ? strlen(value->missing) + 32 : 0;
    char *text = size ? arena_take(&run->arena, size, &ignored) : NULL;
    if (!text) return "something that is not there";
    snprintf(text, size, "\"%s\", which is not there", value->missing);
    return text;
}

bool run_need(struct run *run, const struct value *value, enum value_kind kind, const char *what) {
    if (value && value->kind == kind) return true;
    return run_fault(run, "%s cannot take %s", what, value ? run_describe(run, value) : "nothing");
}

bool run_integer(struct run *run, const struct value *value, int64_t otherwise, int64_t *integer,
    const char *what) {
    *integer = otherwise;
    if (!value || value->kind == VALUE_NONE) return true;
    if (value->kind == VALUE_BOOLEAN) {
        *integer = value->boolean;
        return true;
    }
    *integer = value->kind == VALUE_INTEGER ? value->integer : otherwise;
    return run_need(run, value, VALUE_INTEGER, what);
}

// ---- text ----

struct value value_slice_text(const struct value *string, size_t from, size_t to) {
    struct value slice = *string;
    slice.string.bytes += from;
    if (slice.string.from_data) slice.string.from_data += from;
    slice.string.length = to - from;
    return slice;
}

bool run_text(struct run *run, const struct value *value, struct value *text) {
    struct text_builder built = {0};
    if (value->kind == VALUE_STRING) {
        *text = *value;
        return true;
    }
    if (!value_write(&run->arena, value, &built, run->error)) return false;
    *text = text_value(&built);
    return true;
}

static bool begins_character(const struct value_string *text, size_t at) {
    return at >= text->length || (text->bytes[at] & 0xc0) != 0x80;
}

static bool count_characters(struct run *run, const struct value_string *text, size_t *count) {
    *count = 0;
    for (size_t at = 0; at < text->length; at++)
        *count += begins_character(text, at);
    return arena_work_bytes(&run->arena, text->length, run->error);
}

// The byte where character `index` begins; the text's end where there are fewer.
static size_t byte_of(const struct value_string *text, size_t index) {
    size_t at = 0;
    for (; at < text->length && index; index--)
        for (at++; !begins_character(text, at);)
            at++;
    return at;
}

// ---- items ----

static bool characters(struct run *run, const struct value *value, struct value *list) {
    size_t from = 0;
    for (size_t at = 1; at <= value->string.length; at++) {
        struct value one = value_slice_text(value, from, at);
        if (!begins_character(&value->string, at)) continue;
        if (!value_append(&run->arena, list->list, &one, run->error)) return false;
        from = at;
    }
    return arena_work(&run->arena, list->list->count, run->error);
}

// What is left of a list that can be gone over once.
static bool take_rest(struct run *run, struct value_list *once, struct value *list) {
    struct value_list *rest = arena_take(&run->arena, sizeof *rest, run->error);
    if (!rest) return false;
    rest->items = once->items ? once->items + once->taken : NULL;
    rest->count = rest->capacity = once->count - once->taken;
    once->taken = once->count;
    *list = (struct value){.kind = VALUE_LIST, .list = rest};
    return true;
}

bool run_items(struct run *run, const struct value *value, struct value *list) {
    if (value->kind == VALUE_LIST && value->list->kind == LIST_ONCE)
        return take_rest(run, value->list, list);
    if (value->kind == VALUE_LIST) {
        *list = *value;
        return true;
    }
    if (!value_new_list(&run->arena, LIST_PLAIN, list, run->error)) return false;
    if (value->kind == VALUE_STRING) return characters(run, value, list);
    if (value->kind == VALUE_MAP && !value->map->namespace) {
        for (size_t i = 0; i < value->map->count; i++)
            if (!value_append(&run->arena, list->list, &value->map->keys[i], run->error))
                return false;
        return true;
    }
    return value->kind == VALUE_UNDEFINED ||
           run_fault(run, "%s has no items", run_describe(run, value));
}

bool run_length(struct run *run, const struct value *value, size_t *length) {
    *length = 0;
    if (value->kind == VALUE_STRING) return count_characters(run, &value->string, length);
    if (value->kind == VALUE_LIST && value->list->kind != LIST_ONCE) {
        *length = value->list->count;
        return true;
    }
    if (value->kind == VALUE_MAP && !value->map->namespace) {
        *length = value->map->count;
        return true;
    }
    if (value->kind == VALUE_LOOP) {
        *length = value->loop->items->count;
        return true;
    }
    return value->kind == VALUE_UNDEFINED ||
           run_fault(run, "%s has no length", run_describe(run, value));
}

// ---- members ----

static bool loop_attribute(
    struct run *run, const struct loop_state *loop, const char *name, struct value *result) {
    int64_t index = (int64_t)loop->index, count = (int64_t)loop->items->count;
    const struct value *items = loop->items->items;
    const struct {
        const char *name;
        struct value value;
    } rows[] = {{"index", value_integer(index + 1)}, {"index0", value_integer(index)},
        {"first", value_boolean(!index)}, {"last", value_boolean(index + 1 == count)},
        {"length", value_integer(count)}, {"revindex", value_integer(count - index)},
        {"revindex0", value_integer(count - index - 1)}, {"depth", value_integer(loop->depth + 1)},
        {"depth0", value_integer(loop->depth)},
        {"previtem", index ? items[index - 1] : (struct value){0}},
        {"nextitem", index + 1 < count ? items[index + 1] : (struct value){0}}};
    (void)run;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name)) *result = rows[i].value;
    return true;
}

static bool map_member(
    struct run *run, const struct value_map *map, const struct value *key, struct value *result) {
    if (!arena_work(&run->arena, map->count / 8, run->error)) return false;
    const struct value *found = value_get(map, key);
    if (found) *result = *found;
    return true;
}

// What Python's dict and list have and Jinja's sandbox keeps from templates: it hides a key of that
// name, too.
static bool is_hidden(const struct value *value, const char *name) {
    static const char *const of_maps[] = {
        "pop", "popitem", "update", "clear", "setdefault", "fromkeys", NULL};
    if (value->kind != VALUE_MAP || value->map->namespace) return false;
    for (size_t i = 0; of_maps[i]; i++)
        if (!strcmp(of_maps[i], name)) return true;
    return false;
}

static bool bound_method(
    struct run *run, const struct value *value, const char *name, struct value *result) {
    struct method *method = arena_take(&run->arena, sizeof *method, run->error);
    if (!method) return false;
    *method = (struct method){*value, name};
    *result = (struct value){.kind = VALUE_METHOD, .method = method};
    return true;
}

bool run_attribute(
    struct run *run, const struct value *value, const char *name, struct value *result) {
    *result = (struct value){.kind = VALUE_UNDEFINED, .missing = name};
    if (value->kind == VALUE_UNDEFINED)
        return run_fault(run, "\".%s\" of %s", name, run_describe(run, value));
    const struct template_row *row = template_method_row(value, name);
    if (row) return bound_method(run, value, row->name, result);
    if (is_hidden(value, name)) return true;
    if (value->kind == VALUE_LOOP) return loop_attribute(run, value->loop, name, result);
    struct value key = value_text(name);
    return value->kind != VALUE_MAP || map_member(run, value->map, &key, result);
}

// An attribute by a key that is a string: what Jinja falls back to.
static bool attribute_by_key(
    struct run *run, const struct value *value, const struct value *key, struct value *result) {
    if (key->kind != VALUE_STRING || key->string.length >= 64) return true;
    char *name = arena_take(&run->arena, key->string.length + 1, run->error);
    if (!name) return false;
    memcpy(name, key->string.bytes, key->string.length);
    return run_attribute(run, value, name, result);
}

// Where an index stands among `count`; false where nothing is.
static bool place(int64_t index, size_t count, size_t *at) {
    int64_t whole = (int64_t)count;
    if (index < 0) index += whole;
    *at = (size_t)index;
    return index >= 0 && index < whole;
}

static bool character_at(
    struct run *run, const struct value *value, int64_t index, struct value *result) {
    const struct value_string *text = &value->string;
    size_t count, at;
    if (!count_characters(run, text, &count)) return false;
    if (!place(index, count, &at)) return true;
    size_t from = byte_of(text, at);
    size_t to = from + 1;
    while (!begins_character(text, to))
        to++;
    *result = value_slice_text(value, from, to);
    return true;
}

bool run_index(
    struct run *run, const struct value *value, const struct value *key, struct value *result) {
    size_t at;
    *result = (struct value){.kind = VALUE_UNDEFINED};
    if (value->kind == VALUE_UNDEFINED)
        return run_fault(run, "an index into %s", run_describe(run, value));
    if (value->kind == VALUE_MAP && !value->map->namespace) {
        if (!map_member(run, value->map, key, result)) return false;
        return result->kind != VALUE_UNDEFINED || attribute_by_key(run, value, key, result);
    }
    if (key->kind != VALUE_INTEGER && key->kind != VALUE_BOOLEAN)
        return attribute_by_key(run, value, key, result);
    int64_t index = key->kind == VALUE_INTEGER ? key->integer : key->boolean;
    if (value->kind == VALUE_STRING) return character_at(run, value, index, result);
    if (value->kind == VALUE_LIST && value->list->kind < LIST_VIEW &&
        place(index, value->list->count, &at))
        *result = value->list->items[at];
    return true;
}

// ---- slices ----

static bool bound(struct run *run, const struct node *node, int64_t other, int64_t *index) {
    struct value value;
    *index = other;
    return node->kind == NODE_NOTHING ||
           (run_evaluate(run, node, &value) && run_integer(run, &value, other, index, "a slice"));
}

static int64_t clamp(int64_t index, int64_t count, int64_t least, int64_t most) {
    if (index < 0) index = index < -count ? -1 : index + count;
    return index < least ? least : index > most ? most : index;
}

struct slice {
    int64_t from, to, step;
};

static bool slice_bounds(
    struct run *run, const struct node *node, int64_t count, struct slice *slice) {
    if (!bound(run, node->third, 1, &slice->step)) return false;
    if (!slice->step || slice->step > INT32_MAX || slice->step < -INT32_MAX)
        return run_fault(run, "a slice with a step of %lld", (long long)slice->step);
    bool forward = slice->step > 0;
    if (!bound(run, node->first, forward ? 0 : count - 1, &slice->from) ||
        !bound(run, node->second, forward ? count : INT64_MIN, &slice->to))
        return false;
    slice->from = clamp(slice->from, count, forward ? 0 : -1, forward ? count : count - 1);
    slice->to = slice->to == INT64_MIN ? -1 : clamp(slice->to, count, forward ? 0 : -1, count);
    return true;
}

static bool slice_text(
    struct run *run, const struct value *owner, const struct slice *slice, struct value *result) {
    struct text_builder text = {0};
    struct value list;
    if (slice->step == 1) {
        size_t from = byte_of(&owner->string, (size_t)slice->from);
        size_t to = byte_of(&owner->string, (size_t)slice->to);
        *result = value_slice_text(owner, from, to > from ? to : from);
        return true;
    }
    if (!value_new_list(&run->arena, LIST_PLAIN, &list, run->error) ||
        !characters(run, owner, &list))
        return false;
    for (int64_t i = slice->from; slice->step > 0 ? i < slice->to : i > slice->to; i += slice->step)
        if (!text_append(&run->arena, &text, &list.list->items[i].string, run->error)) return false;
    *result = text_value(&text);
    return true;
}

bool run_slice(struct run *run, const struct node *node, struct value *result) {
    struct value owner, list;
    struct slice slice = {0};
    size_t count;
    if (!run_evaluate(run, node->left, &owner)) return false;
    bool sliced =
        owner.kind == VALUE_STRING || (owner.kind == VALUE_LIST && owner.list->kind < LIST_VIEW);
    if (!sliced) return run_fault(run, "a slice of %s", run_describe(run, &owner));
    if (!run_length(run, &owner, &count) || !slice_bounds(run, node, (int64_t)count, &slice))
        return false;
    if (owner.kind == VALUE_STRING) return slice_text(run, &owner, &slice, result);
    if (!value_new_list(&run->arena, owner.list->kind, &list, run->error)) return false;
    for (int64_t i = slice.from; slice.step > 0 ? i < slice.to : i > slice.to; i += slice.step)
        if (!value_append(&run->arena, list.list, &owner.list->items[i], run->error)) return false;
    *result = list;
    return arena_work(&run->arena, list.list->count / 4, run->error);
}

// ---- equality and order ----

static bool equal(
    struct run *run, const struct value *left, const struct value *right, int depth, bool *same);

static bool lists_equal(struct run *run, const struct value_list *left,
    const struct value_list *right, int depth, bool *same) {
    *same = left == right;
    if (*same || left->kind != right->kind || left->kind == LIST_ONCE) return true;
    *same = left->count == right->count;
    for (size_t i = 0; i < left->count && *same; i++)
        if (!equal(run, &left->items[i], &right->items[i], depth, same)) return false;
    return true;
}

static bool maps_equal(struct run *run, const struct value_map *left, const struct value_map *right,
    int depth, bool *same) {
    *same = left == right;
    if (*same || left->namespace || right->namespace) return true;
    *same = left->count == right->count;
    for (size_t i = 0; i < left->count && *same; i++) {
        if (!arena_work(&run->arena, right->count / 8, run->error)) return false;
        const struct value *other = value_get(right, &left->keys[i]);
        *same = other != NULL;
        if (other && !equal(run, &left->values[i], other, depth, same)) return false;
    }
    return true;
}

static bool equal(
    struct run *run, const struct value *left, const struct value *right, int depth, bool *same) {
    size_t bytes = left->kind == VALUE_STRING ? left->string.length : 0;
    if (depth > MAX_EQUAL_DEPTH)
        return run_fault(run, "values that are nested deeper than %d levels", MAX_EQUAL_DEPTH);
    if (!arena_work(&run->arena, 1, run->error) ||
        !arena_work_bytes(&run->arena, bytes, run->error))
        return false;
    if (left->kind == VALUE_LIST && right->kind == VALUE_LIST)
        return lists_equal(run, left->list, right->list, depth + 1, same);
    if (left->kind == VALUE_MAP && right->kind == VALUE_MAP)
        return maps_equal(run, left->map, right->map, depth + 1, same);
    *same = value_same_scalar(left, right);
    return true;
}

bool run_equal(struct run *run, const struct value *left, const struct value *right, bool *same) {
    return equal(run, left, right, 0, same);
}

static bool compare_lists(
    struct run *run, const struct value_list *left, const struct value_list *right, int *order) {
    size_t shorter = left->count < right->count ? left->count : right->count;
    bool same;
    for (size_t i = 0; i < shorter; i++) {
        if (!run_equal(run, &left->items[i], &right->items[i], &same)) return false;
        if (same) continue;
        if (left->items[i].kind == VALUE_LIST)
            return run_fault(run, "a comparison of lists of lists");
        return run_compare(run, &left->items[i], &right->items[i], order);
    }
    *order = (left->count > right->count) - (left->count < right->count);
    return true;
}

bool run_compare(struct run *run, const struct value *left, const struct value *right, int *order) {
    bool numbers = value_is_number(left) && value_is_number(right);
    bool strings = left->kind == VALUE_STRING && right->kind == VALUE_STRING;
    if (left->kind == VALUE_LIST && right->kind == VALUE_LIST &&
        left->list->kind == right->list->kind && left->list->kind < LIST_RANGE)
        return compare_lists(run, left->list, right->list, order);
    if (!numbers && !strings)
        return run_fault(
            run, "a comparison of %s with %s", run_describe(run, left), run_describe(run, right));
    *order = value_order(left, right);
    return !strings || arena_work_bytes(&run->arena, left->string.length, run->error);
}

bool run_need_key(struct run *run, const struct value *value) {
    bool changes = (value->kind == VALUE_MAP && !value->map->namespace) ||
                   (value->kind == VALUE_LIST &&
                       (value->list->kind == LIST_PLAIN || value->list->kind == LIST_VIEW));
    return !changes || run_fault(run, "%s where a key must stand", run_describe(run, value));
}

bool run_contains(
    struct run *run, const struct value *inside, const struct value *value, bool *found) {
    struct value items;
    *found = false;
    if (inside->kind == VALUE_STRING) {
        if (!run_need(run, value, VALUE_STRING, "\"in\" a string")) return false;
        *found = memmem(inside->string.bytes, inside->string.length, value->string.bytes,
                     value->string.length) != NULL;
        return arena_work_bytes(&run->arena, 4 * inside->string.length, run->error);
    }
    if (inside->kind == VALUE_MAP && !inside->map->namespace) {
        if (!run_need_key(run, value)) return false;
        *found = value_get(inside->map, value) != NULL;
        return arena_work(&run->arena, inside->map->count / 8, run->error);
    }
    if (!run_items(run, inside, &items)) return false;
    for (size_t i = 0; i < items.list->count && !*found; i++)
        if (!run_equal(run, &items.list->items[i], value, found)) return false;
    return true;
}
