// Functions that templates know by name (raise_exception, namespace, …), and those of loops.
#include "model/template/template_run.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_RANGE = 100000 };

#define CALLABLE(name)                                                                             \
    static bool name(struct run *run, const struct value *value,                                   \
        const struct arguments *arguments, struct value *result)

CALLABLE(call_raise) {
    struct value text;
    (void)value;
    (void)result;
    if (!run_text(run, arguments->given[0], &text)) return false;
    return error_set(run->error, ERROR_INVALID, "the model's chat template refuses this chat: %.*s",
        (int)(text.string.length < 500 ? text.string.length : 500), text.string.bytes);
}

CALLABLE(call_strftime_now) {
    const struct value *format = arguments->given[0];
    char pattern[64] = "", text[256];
    time_t seconds = (time_t)run->now;
    struct tm parts;
    struct text_builder built = {0};
    (void)value;
    if (!run_need(run, format, VALUE_STRING, "strftime_now")) return false;
    if (format->string.length >= sizeof pattern)
        return run_fault(run, "a pattern for the date that is too long");
    memcpy(pattern, format->string.bytes, format->string.length);
    gmtime_r(&seconds, &parts);
    size_t length = strftime(text, sizeof text, pattern, &parts);
    if (!text_append_bytes(&run->arena, &built, text, length, false, run->error)) return false;
    *result = text_value(&built);
    return true;
}

// ---- mappings ----

static bool add_pairs(struct run *run, const struct value *from, struct value_map *map) {
    struct value items, both;
    bool is_map = from->kind == VALUE_MAP && !from->map->namespace;
    if (!run_items(run, from, &items)) return false;
    for (size_t i = 0; i < items.list->count; i++) {
        struct value key = items.list->items[i], value;
        if (is_map) {
            value = from->map->values[i];
        } else {
            if (!run_items(run, &items.list->items[i], &both)) return false;
            if (both.list->count != 2) return run_fault(run, "dict of what is no pairs");
            key = both.list->items[0];
            value = both.list->items[1];
        }
        if (!value_set(&run->arena, map, &key, &value, run->error)) return false;
    }
    return true;
}

static bool make_map(
    struct run *run, const struct arguments *arguments, bool namespace, struct value *result) {
    if (!value_new_map(&run->arena, result, run->error)) return false;
    result->map->namespace = namespace;
    if (arguments->count > 1) return run_fault(run, "dict with more than one mapping");
    if (arguments->count && !add_pairs(run, &arguments->values[0], result->map)) return false;
    for (size_t i = arguments->count; i < arguments->count + arguments->named; i++) {
        struct value name = value_text(arguments->names[i]);
        if (namespace && *arguments->names[i] == '_')
            return run_fault(run, "a namespace() holds no name that begins with _");
        if (!value_set(&run->arena, result->map, &name, &arguments->values[i], run->error))
            return false;
    }
    return true;
}

CALLABLE(call_namespace) {
    (void)value;
    return make_map(run, arguments, true, result);
}

CALLABLE(call_dict) {
    (void)value;
    return make_map(run, arguments, false, result);
}

CALLABLE(call_range) {
    const struct value *const *given = arguments->given;
    int64_t first, second, step;
    (void)value;
    if (!run_need(run, given[0], VALUE_INTEGER, "range") ||
        !run_integer(run, given[0], 0, &first, "range") ||
        !run_integer(run, given[1], 0, &second, "range") ||
        !run_integer(run, given[2], 1, &step, "range") ||
        !value_new_list(&run->arena, LIST_RANGE, result, run->error))
        return false;
    int64_t from = given[1] ? first : 0, to = given[1] ? second : first;
    if (!step) return run_fault(run, "a range with a step of 0");
    for (int64_t at = from; step > 0 ? at < to : at > to;) {
        struct value item = value_integer(at);
        if (result->list->count == MAX_RANGE)
            return run_fault(run, "a range of more than %d numbers", MAX_RANGE);
        if (!value_append(&run->arena, result->list, &item, run->error)) return false;
        if (__builtin_add_overflow(at, step, &at)) break;
    }
    return arena_work(&run->arena, result->list->count / 4, run->error);
}

static const struct template_row functions[] = {{"raise_exception", call_raise, "message", 1},
    {"strftime_now", call_strftime_now, "format", 1}, {"namespace", call_namespace, NULL},
    {"dict", call_dict, NULL}, {"range", call_range, "start stop step", 1}, {0}};

struct value template_function(const char *name) {
    const struct template_row *row = template_find(functions, name);
    if (!row) return (struct value){.kind = VALUE_UNDEFINED};
    return (struct value){.kind = VALUE_FUNCTION, .function = (int)(row - functions)};
}

bool template_call_function(
    struct run *run, int function, struct arguments *arguments, struct value *result) {
    struct value none = value_none();
    return template_call_row(run, &functions[function], &none, arguments, result);
}

// ---- of loops ----

CALLABLE(call_cycle) {
    if (!arguments->count) return run_fault(run, "cycle of nothing");
    *result = arguments->values[value->loop->index % arguments->count];
    return true;
}

CALLABLE(call_changed) {
    struct value now;
    bool same = false;
    if (!value_new_list(&run->arena, LIST_TUPLE, &now, run->error)) return false;
    for (size_t i = 0; i < arguments->count; i++)
        if (!value_append(&run->arena, now.list, &arguments->values[i], run->error)) return false;
    if (!run_equal(run, &value->loop->changed, &now, &same)) return false;
    value->loop->changed = now;
    *result = value_boolean(!same);
    return true;
}

const struct template_row template_loop_methods[] = {
    {"cycle", call_cycle, NULL}, {"changed", call_changed, NULL}, {0}};
