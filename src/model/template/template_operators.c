// Operators on values: +, ~, in, comparisons and arithmetic, as Python has them.
#include "model/template/template_run.h"
#include <math.h>
#include <string.h>

static bool concatenate(
    struct run *run, const struct value *left, const struct value *right, struct value *result) {
    struct text_builder text = {0};
    if (!value_write(&run->arena, left, &text, run->error) ||
        !value_write(&run->arena, right, &text, run->error))
        return false;
    *result = text_value(&text);
    return true;
}

static bool add_lists(
    struct run *run, const struct value *left, const struct value *right, struct value *result) {
    struct value list;
    if (!value_new_list(&run->arena, &list, run->error)) return false;
    for (int side = 0; side < 2; side++) {
        const struct value_list *from = side ? right->list : left->list;
        for (size_t i = 0; i < from->count; i++)
            if (!value_append(&run->arena, list.list, &from->items[i], run->error)) return false;
    }
    *result = list;
    return true;
}

static bool contains(
    struct run *run, const struct value *inside, const struct value *value, bool *found) {
    *found = false;
    if (inside->kind == VALUE_STRING && value->kind == VALUE_STRING) {
        *found = memmem(inside->string.bytes, inside->string.length, value->string.bytes,
                     value->string.length) != NULL;
        return true;
    }
    if (inside->kind == VALUE_MAP) {
        *found = value_get(inside->map, value) != NULL;
        return true;
    }
    struct value items;
    if (!run_items(run, inside, &items)) return false;
    for (size_t i = 0; i < items.list->count && !*found; i++)
        *found = value_equal(&items.list->items[i], value);
    return true;
}

static bool as_real(const struct value *value, double *real) {
    if (value->kind != VALUE_REAL && value->kind != VALUE_INTEGER && value->kind != VALUE_BOOLEAN)
        return false;
    *real = value->kind == VALUE_REAL      ? value->real
            : value->kind == VALUE_INTEGER ? (double)value->integer
                                           : (double)value->boolean;
    return true;
}

static bool arithmetic_reals(
    struct run *run, enum operation operation, double left, double right, struct value *result) {
    double real = 0;
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
        real = floor(left / right);
        break;
    case OP_REMAINDER:
        real = left - floor(left / right) * right;
        break;
    default:
        real = pow(left, right);
        break;
    }
    *result = (struct value){.kind = VALUE_REAL, .real = real};
    return true;
}

static bool arithmetic(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) {
    double l, r;
    if (!as_real(left, &l) || !as_real(right, &r))
        return run_fault(
            run, "an operation on %s and %s", value_kind_name(left), value_kind_name(right));
    if (!arithmetic_reals(run, operation, l, r, result)) return false;
    bool whole = left->kind != VALUE_REAL && right->kind != VALUE_REAL && operation != OP_DIVIDE &&
                 !(operation == OP_POWER && r < 0);
    if (!whole) return true;
    if (!(fabs(result->real) < 9e15)) return run_fault(run, "a number that is too large");
    *result = value_integer((int64_t)result->real);
    return true;
}

static bool compare(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) {
    bool comparable;
    int order = value_compare(left, right, &comparable);
    if (!comparable)
        return run_fault(
            run, "a comparison of %s with %s", value_kind_name(left), value_kind_name(right));
    *result = value_boolean(operation == OP_LESS         ? order < 0
                            : operation == OP_LESS_EQUAL ? order <= 0
                            : operation == OP_GREATER    ? order > 0
                                                         : order >= 0);
    return true;
}

bool template_operate(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) {
    bool found;
    switch (operation) {
    case OP_EQUAL:
    case OP_NOT_EQUAL:
        *result = value_boolean(value_equal(left, right) == (operation == OP_EQUAL));
        return true;
    case OP_IN:
    case OP_NOT_IN:
        if (!contains(run, right, left, &found)) return false;
        *result = value_boolean(found == (operation == OP_IN));
        return true;
    case OP_CONCATENATE:
        return concatenate(run, left, right, result);
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL:
        return compare(run, operation, left, right, result);
    case OP_ADD:
        if (left->kind == VALUE_STRING && right->kind == VALUE_STRING)
            return concatenate(run, left, right, result);
        if (left->kind == VALUE_LIST && right->kind == VALUE_LIST)
            return add_lists(run, left, right, result);
        break;
    default:
        break;
    }
    return arithmetic(run, operation, left, right, result);
}
