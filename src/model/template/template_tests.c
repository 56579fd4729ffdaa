// Tests ("x is defined"), each a row of a table.
#include "model/template/template_run.h"
#include <math.h>
#include <string.h>

#define TEST(name)                                                                                 \
    static bool name(                                                                              \
        struct run *run, const struct value *value, const struct value *operand, bool *result)

static bool is_sequence(const struct value *value) {
    return value->kind == VALUE_STRING || value->kind == VALUE_UNDEFINED ||
           (value->kind == VALUE_LIST && value->list->kind < LIST_VIEW) ||
           (value->kind == VALUE_MAP && !value->map->namespace);
}

// What the kind alone decides.
static bool answer_by_kind(const struct value *value, const char *name, bool *result) {
    enum value_kind kind = value->kind;
    const struct {
        const char *name;
        bool answer;
    } rows[] = {{"defined", kind != VALUE_UNDEFINED}, {"undefined", kind == VALUE_UNDEFINED},
        {"none", kind == VALUE_NONE}, {"string", kind == VALUE_STRING},
        {"mapping", kind == VALUE_MAP && !value->map->namespace},
        {"iterable", is_sequence(value) || kind == VALUE_LIST || kind == VALUE_LOOP},
        {"sequence", is_sequence(value)}, {"number", value_is_number(value)},
        {"integer", kind == VALUE_INTEGER}, {"float", kind == VALUE_REAL},
        {"boolean", kind == VALUE_BOOLEAN}, {"true", kind == VALUE_BOOLEAN && value->boolean},
        {"false", kind == VALUE_BOOLEAN && !value->boolean},
        {"escaped", kind == VALUE_STRING && value->string.markup},
        {"callable", kind == VALUE_UNDEFINED || kind >= VALUE_MACRO}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name)) {
            *result = rows[i].answer;
            return true;
        }
    return false;
}

static bool remainder_is(struct run *run, const struct value *value, const struct value *by,
    int64_t wanted, bool *result) {
    struct value rest, number = value_integer(wanted);
    if (!value_is_number(value))
        return run_fault(run, "a test of %s for a remainder", run_describe(run, value));
    return template_operate(run, OP_REMAINDER, value, by, &rest) &&
           run_equal(run, &rest, &number, result);
}

TEST(test_odd) {
    struct value two = value_integer(2);
    (void)operand;
    return remainder_is(run, value, &two, 1, result);
}

TEST(test_even) {
    struct value two = value_integer(2);
    (void)operand;
    return remainder_is(run, value, &two, 0, result);
}

TEST(test_divisibleby) {
    return remainder_is(run, value, operand, 0, result);
}

TEST(test_equal) {
    return run_equal(run, value, operand, result);
}

TEST(test_not_equal) {
    if (!run_equal(run, value, operand, result)) return false;
    *result = !*result;
    return true;
}

static bool ordered(struct run *run, enum operation operation, const struct value *value,
    const struct value *operand, bool *result) {
    struct value answer;
    if (!template_operate(run, operation, value, operand, &answer)) return false;
    *result = value_true(&answer);
    return true;
}

TEST(test_less) {
    return ordered(run, OP_LESS, value, operand, result);
}

TEST(test_less_equal) {
    return ordered(run, OP_LESS_EQUAL, value, operand, result);
}

TEST(test_greater) {
    return ordered(run, OP_GREATER, value, operand, result);
}

TEST(test_greater_equal) {
    return ordered(run, OP_GREATER_EQUAL, value, operand, result);
}

TEST(test_in) {
    return run_contains(run, operand, value, result);
}

// Identity: of what has one that a template can rely on.
TEST(test_sameas) {
    bool single = value->kind <= VALUE_BOOLEAN || operand->kind <= VALUE_BOOLEAN;
    bool shared = (value->kind == VALUE_LIST && operand->kind == VALUE_LIST) ||
                  (value->kind == VALUE_MAP && operand->kind == VALUE_MAP);
    if (!single && !shared && value->kind == operand->kind)
        return run_fault(run, "sameas on %s", run_describe(run, value));
    *result = shared ? (value->kind == VALUE_LIST ? value->list == operand->list
                                                  : value->map == operand->map)
                     : value->kind == operand->kind && value_same_scalar(value, operand);
    return true;
}

static bool cased(struct run *run, const struct value *value, const char *method, bool *result) {
    struct arguments none = {0};
    struct value text, answer;
    if (!run_text(run, value, &text) ||
        !template_call_row(
            run, template_find(template_string_methods, method), &text, &none, &answer))
        return false;
    *result = value_true(&answer);
    return true;
}

TEST(test_lower) {
    (void)operand;
    return cased(run, value, "islower", result);
}

TEST(test_upper) {
    (void)operand;
    return cased(run, value, "isupper", result);
}

bool template_test(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, bool *result) {
    static const struct {
        const char *name;
        bool (*test)(struct run *, const struct value *, const struct value *, bool *);
        bool operand;
    } rows[] = {{"odd", test_odd, false}, {"even", test_even, false}, {"lower", test_lower, false},
        {"upper", test_upper, false}, {"divisibleby", test_divisibleby, true},
        {"in", test_in, true}, {"sameas", test_sameas, true}, {"==", test_equal, true},
        {"eq", test_equal, true}, {"equalto", test_equal, true}, {"!=", test_not_equal, true},
        {"ne", test_not_equal, true}, {"<", test_less, true}, {"lt", test_less, true},
        {"lessthan", test_less, true}, {"<=", test_less_equal, true}, {"le", test_less_equal, true},
        {">", test_greater, true}, {"gt", test_greater, true}, {"greaterthan", test_greater, true},
        {">=", test_greater_equal, true}, {"ge", test_greater_equal, true}};
    bool found = answer_by_kind(value, name, result);
    if (found && !arguments->count && !arguments->named) return true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name) && !arguments->named &&
            arguments->count == (rows[i].operand ? 1 : 0))
            return rows[i].test(run, value, &arguments->values[0], result);
    return run_fault(run,
        "the test \"%s\" is not one that this program has, or not with %zu arguments", name,
        arguments->count + arguments->named);
}
