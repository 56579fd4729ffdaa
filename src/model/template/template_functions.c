// Tests ("x is defined") and functions (raise_exception, namespace, …), each a row of a table, and
// what they share with filters.
#include "model/template/template_run.h"
#include <string.h>
#include <time.h>

const struct value *argument(const struct arguments *arguments, size_t index, const char *name) {
    if (index < arguments->count) return &arguments->values[index];
    for (size_t i = 0; name && i < arguments->named; i++)
        if (!strcmp(arguments->names[arguments->count + i], name))
            return &arguments->values[arguments->count + i];
    return NULL;
}

bool run_need(struct run *run, const struct value *value, enum value_kind kind, const char *what) {
    if (value && value->kind == kind) return true;
    return run_fault(run, "%s cannot take %s", what, value ? value_kind_name(value) : "nothing");
}

// ---- tests ----

static bool contains(struct run *run, const struct value *inside, const struct value *value) {
    struct value items;
    if (inside->kind == VALUE_UNDEFINED || !run_items(run, inside, &items)) return false;
    for (size_t i = 0; i < items.list->count; i++)
        if (value_equal(&items.list->items[i], value)) return true;
    return false;
}

bool template_test(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, bool *result) {
    const struct value *operand = argument(arguments, 0, NULL);
    enum value_kind kind = value->kind;
    int64_t integer = kind == VALUE_INTEGER ? value->integer : 0;
    bool number = kind == VALUE_INTEGER || kind == VALUE_REAL;
    bool sequence = kind == VALUE_LIST || kind == VALUE_STRING || kind == VALUE_MAP;
    const struct {
        const char *name;
        bool answer;
    } rows[] = {{"defined", kind != VALUE_UNDEFINED}, {"undefined", kind == VALUE_UNDEFINED},
        {"none", kind == VALUE_NONE}, {"string", kind == VALUE_STRING},
        {"mapping", kind == VALUE_MAP}, {"iterable", sequence || kind == VALUE_UNDEFINED},
        {"sequence", sequence}, {"number", number || kind == VALUE_BOOLEAN},
        {"integer", kind == VALUE_INTEGER}, {"float", kind == VALUE_REAL},
        {"boolean", kind == VALUE_BOOLEAN}, {"true", kind == VALUE_BOOLEAN && value->boolean},
        {"false", kind == VALUE_BOOLEAN && !value->boolean},
        {"callable", kind == VALUE_MACRO || kind == VALUE_FUNCTION}, {"odd", integer % 2 != 0},
        {"even", kind == VALUE_INTEGER && integer % 2 == 0},
        {"equalto", operand && value_equal(value, operand)},
        {"eq", operand && value_equal(value, operand)},
        {"ne", operand && !value_equal(value, operand)},
        {"in", operand && contains(run, operand, value)},
        {"divisibleby", operand && operand->kind == VALUE_INTEGER && operand->integer &&
                            operand->integer != -1 && integer % operand->integer == 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name)) {
            *result = rows[i].answer;
            return true;
        }
    return run_fault(run, "the test \"%s\" is not one that this program has", name);
}

// ---- functions ----

static bool call_raise(struct run *run, const struct arguments *arguments, struct value *result) {
    const struct value *message = argument(arguments, 0, "message");
    struct value text = value_text("no reason given");
    (void)result;
    if (message && !run_text(run, message, &text)) return false;
    return error_set(run->error, ERROR_INVALID, "the model's chat template refuses this chat: %.*s",
        (int)(text.string.length < 500 ? text.string.length : 500), text.string.bytes);
}

static bool call_strftime_now(
    struct run *run, const struct arguments *arguments, struct value *result) {
    const struct value *format = argument(arguments, 0, "format");
    char pattern[64] = "", text[128];
    time_t seconds = (time_t)run->now;
    struct tm parts;
    struct text_builder built = {0};
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

static bool call_namespace(
    struct run *run, const struct arguments *arguments, struct value *result) {
    if (!value_new_map(&run->arena, result, run->error)) return false;
    result->map->writable = true;
    for (size_t i = arguments->count; i < arguments->count + arguments->named; i++) {
        struct value name = value_text(arguments->names[i]);
        if (!value_set(&run->arena, result->map, &name, &arguments->values[i], run->error))
            return false;
    }
    return true;
}

static bool call_range(struct run *run, const struct arguments *arguments, struct value *result) {
    const struct value *first = argument(arguments, 0, NULL),
                       *second = argument(arguments, 1, NULL),
                       *third = argument(arguments, 2, NULL);
    if (!run_need(run, first, VALUE_INTEGER, "range") ||
        (second && !run_need(run, second, VALUE_INTEGER, "range")) ||
        (third && !run_need(run, third, VALUE_INTEGER, "range")) ||
        !value_new_list(&run->arena, result, run->error))
        return false;
    int64_t from = second ? first->integer : 0, to = second ? second->integer : first->integer;
    int64_t step = third ? third->integer : 1;
    if (!step || from > 1000000 || from < -1000000 || to > 1000000 || to < -1000000 ||
        step > 1000000 || step < -1000000)
        return run_fault(run, "a range that is out of bounds");
    for (; step > 0 ? from < to : from > to; from += step) {
        struct value item = value_integer(from);
        if (!value_append(&run->arena, result->list, &item, run->error)) return false;
    }
    return true;
}

static const struct {
    const char *name;
    bool (*call)(struct run *run, const struct arguments *arguments, struct value *result);
} functions[] = {{"raise_exception", call_raise}, {"strftime_now", call_strftime_now},
    {"namespace", call_namespace}, {"range", call_range}};

struct value template_function(const struct run *run, const char *name) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, name) &&
            (functions[i].call != call_strftime_now || run->now))
            return (struct value){.kind = VALUE_FUNCTION, .function = (int)i};
    return (struct value){.kind = VALUE_UNDEFINED};
}

bool template_call_function(
    struct run *run, int function, const struct arguments *arguments, struct value *result) {
    return functions[function].call(run, arguments, result);
}
