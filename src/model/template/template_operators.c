// Operators on values: +, ~, in, comparisons and arithmetic, as Python has them.
#include "model/template/template_run.h"
#include <math.h>
#include <string.h>

// ---- text ----

bool template_escape(struct run *run, const struct value *text, struct value *result) {
    static const char signs[] = "&<>\"'";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    struct text_builder built = {0};
    struct value whole;
    size_t from = 0;
    if (!run_text(run, text, &whole)) return false;
    for (size_t at = 0; at <= whole.string.length; at++) {
        bool end = at == whole.string.length;
        const char *sign = end ? NULL : memchr(signs, whole.string.bytes[at], 5);
        if (!end && !sign) continue;
        struct value piece = value_slice_text(&whole, from, at);
        if (!text_append(&run->arena, &built, &piece.string, run->error)) return false;
        const char *name = sign ? names[sign - signs] : "";
        if (!text_append_bytes(&run->arena, &built, name, strlen(name), true, run->error))
            return false;
        from = at + 1;
    }
    *result = text_value(&built);
    result->string.markup = true;
    return true;
}

static bool is_markup(const struct value *value) {
    return value->kind == VALUE_STRING && value->string.markup;
}

// What is added to escaped text is escaped, too; ~ takes all as it is.
static bool concatenate(struct run *run, bool added, const struct value *left,
    const struct value *right, struct value *result) {
    struct text_builder text = {0};
    struct value escaped;
    bool markup = added && (is_markup(left) || is_markup(right));
    for (int side = 0; side < 2; side++) {
        const struct value *part = side ? right : left;
        if (markup && !is_markup(part)) {
            if (!template_escape(run, part, &escaped)) return false;
            part = &escaped;
        }
        if (!value_write(&run->arena, part, &text, run->error)) return false;
    }
    *result = text_value(&text);
    result->string.markup = markup;
    return true;
}

// ---- lists ----

static bool append_all(struct run *run, struct value_list *list, const struct value_list *from) {
    for (size_t i = 0; i < from->count; i++)
        if (!value_append(&run->arena, list, &from->items[i], run->error)) return false;
    return true;
}

static bool add_lists(
    struct run *run, const struct value *left, const struct value *right, struct value *result) {
    struct value list;
    if (!value_new_list(&run->arena, left->list->kind, &list, run->error) ||
        !append_all(run, list.list, left->list) || !append_all(run, list.list, right->list))
        return false;
    *result = list;
    return true;
}

static bool repeat(struct run *run, const struct value *what, int64_t times, struct value *result) {
    struct text_builder text = {0};
    struct value list = *what;
    bool empty = what->kind == VALUE_STRING ? !what->string.length : !what->list->count;
    if (what->kind == VALUE_LIST &&
        !value_new_list(&run->arena, what->list->kind, &list, run->error))
        return false;
    for (int64_t i = 0; i < times && !empty; i++)
        if (!arena_work(&run->arena, 1, run->error) ||
            !(what->kind == VALUE_STRING
                    ? text_append(&run->arena, &text, &what->string, run->error)
                    : append_all(run, list.list, what->list)))
            return false;
    *result = what->kind == VALUE_STRING ? text_value(&text) : list;
    return true;
}

static bool can_repeat(const struct value *value) {
    return value->kind == VALUE_STRING ||
           (value->kind == VALUE_LIST && value->list->kind < LIST_RANGE);
}

// ---- numbers ----

static double floor_quotient(double left, double right) {
    return floor(left / right);
}

static bool real_arithmetic(
    struct run *run, enum operation operation, double left, double right, struct value *result) {
    double real = 0, remainder;
    if (right == 0 &&
        (operation == OP_DIVIDE || operation == OP_FLOOR_DIVIDE || operation == OP_REMAINDER))
        return run_fault(run, "a division by zero");
    switch (operation) {
    case OP_ADD:
        real = left + right;
        break;
    case OP_SUBTRACT:
        real = left - right;
        break;
    case OP_MULTIPLY:
        real = left * right;
        break;
    case OP_DIVIDE:
        real = left / right;
        break;
    case OP_FLOOR_DIVIDE:
        real = floor_quotient(left, right);
        break;
    case OP_REMAINDER:
        remainder = fmod(left, right);
        real = remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
        break;
    default:
        if (left < 0 && right != floor(right)) return run_fault(run, "a power that is not real");
        real = pow(left, right);
        break;
    }
    if (isinf(real) && !isinf(left) && !isinf(right))
        return run_fault(run, "a number that is too large");
    *result = value_real(real);
    return true;
}

static bool whole_power(int64_t base, int64_t exponent, int64_t *whole) {
    *whole = 1;
    if (base == 0 || base == 1 || base == -1) {
        *whole = exponent == 0 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : base;
        return true;
    }
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(*whole, base, whole)) return false;
    return true;
}

static bool whole_arithmetic(
    struct run *run, enum operation operation, int64_t left, int64_t right, struct value *result) {
    int64_t whole = 0;
    bool fits = true;
    if ((operation == OP_FLOOR_DIVIDE || operation == OP_REMAINDER) && right == 0)
        return run_fault(run, "a division by zero");
    if ((operation == OP_FLOOR_DIVIDE || operation == OP_REMAINDER) && right == -1) {
        fits = !__builtin_sub_overflow(0, left, &whole);
        if (operation == OP_REMAINDER) whole = 0;
    } else if (operation == OP_FLOOR_DIVIDE) {
        whole = left / right - (left % right != 0 && (left < 0) != (right < 0));
    } else if (operation == OP_REMAINDER) {
        whole = left % right;
        if (whole && (whole < 0) != (right < 0)) whole += right;
    } else if (operation == OP_ADD) {
        fits = !__builtin_add_overflow(left, right, &whole);
    } else if (operation == OP_SUBTRACT) {
        fits = !__builtin_sub_overflow(left, right, &whole);
    } else if (operation == OP_MULTIPLY) {
        fits = !__builtin_mul_overflow(left, right, &whole);
    } else {
        fits = whole_power(left, right, &whole);
    }
    *result = value_integer(whole);
    return fits || run_fault(run, "a number that is too large");
}

static int64_t whole_of(const struct value *value) {
    return value->kind == VALUE_INTEGER ? value->integer : value->boolean;
}

static bool is_whole(const struct value *value) {
    return value->kind == VALUE_INTEGER || value->kind == VALUE_BOOLEAN;
}

static bool arithmetic(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) {
    if (!value_is_number(left) || !value_is_number(right))
        return run_fault(
            run, "an operation on %s and %s", run_describe(run, left), run_describe(run, right));
    bool whole = left->kind != VALUE_REAL && right->kind != VALUE_REAL && operation != OP_DIVIDE &&
                 !(operation == OP_POWER && whole_of(right) < 0);
    return whole ? whole_arithmetic(run, operation, whole_of(left), whole_of(right), result)
                 : real_arithmetic(run, operation, value_number(left), value_number(right), result);
}

// ---- the table ----

static bool compare(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) {
    int order;
    if (!run_compare(run, left, right, &order)) return false;
    bool unordered =
        value_is_number(left) && (isnan(value_number(left)) || isnan(value_number(right)));
    *result = value_boolean(!unordered && (operation == OP_LESS            ? order < 0
                                              : operation == OP_LESS_EQUAL ? order <= 0
                                              : operation == OP_GREATER    ? order > 0
                                                                           : order >= 0));
    return true;
}

static bool remainder_of(
    struct run *run, const struct value *left, const struct value *right, struct value *result) {
    struct arguments values = {.count = 1};
    if (left->kind != VALUE_STRING) return arithmetic(run, OP_REMAINDER, left, right, result);
    values.values[0] = *right;
    if (right->kind == VALUE_LIST && right->list->kind == LIST_TUPLE) {
        values.count = right->list->count;
        if (values.count > MAX_ARGUMENTS) return run_fault(run, "%% with too many values");
        for (size_t i = 0; i < values.count; i++)
            values.values[i] = right->list->items[i];
    }
    return template_percent(run, left, &values, result);
}

bool template_operate(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) {
    bool answer;
    switch (operation) {
    case OP_EQUAL:
    case OP_NOT_EQUAL:
        if (!run_equal(run, left, right, &answer)) return false;
        *result = value_boolean(answer == (operation == OP_EQUAL));
        return true;
    case OP_IN:
    case OP_NOT_IN:
        if (!run_contains(run, right, left, &answer)) return false;
        *result = value_boolean(answer == (operation == OP_IN));
        return true;
    case OP_CONCATENATE:
        return concatenate(run, operation == OP_ADD, left, right, result);
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
        return compare(run, operation, left, right, result);
    case OP_REMAINDER:
        return remainder_of(run, left, right, result);
    case OP_ADD:
        if (left->kind == VALUE_STRING && right->kind == VALUE_STRING)
            return concatenate(run, operation == OP_ADD, left, right, result);
        if (left->kind == VALUE_LIST && right->kind == VALUE_LIST &&
            left->list->kind == right->list->kind && left->list->kind < LIST_RANGE)
            return add_lists(run, left, right, result);
        break;
    case OP_MULTIPLY:
        if (can_repeat(left) && is_whole(right)) return repeat(run, left, whole_of(right), result);
        if (can_repeat(right) && is_whole(left)) return repeat(run, right, whole_of(left), result);
        break;
    default:
        break;
    }
    return arithmetic(run, operation, left, right, result);
}
