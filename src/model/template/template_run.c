// Running a template's tree.
#include "model/template/template_run.h"
#include "base/memory.h"
#include "model/chat_template.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_STEPS = 20000000, MAX_DEPTH = 400, MAX_MEMORY = 512 << 20, MAX_SOURCE = 1 << 20 };

struct chat_template {
    struct arena arena;
    char *source;
    struct node *statements;
};

bool run_fault(struct run *run, const char *format, ...) {
    char message[512];
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    return error_set(
        run->error, ERROR_UNSUPPORTED, "chat template, line %d: %s", run->line, message);
}

// ---- names ----

static bool bind(
    struct run *run, struct frame *frame, const char *name, const struct value *value) {
    struct binding *binding = frame->bindings;
    while (binding && strcmp(binding->name, name))
        binding = binding->next;
    if (!binding) {
        binding = arena_take(&run->arena, sizeof *binding, run->error);
        if (!binding) return false;
        binding->name = name;
        binding->next = frame->bindings;
        frame->bindings = binding;
    }
    binding->value = *value;
    return true;
}

static struct value look_up(const struct run *run, const char *name) {
    for (const struct frame *frame = run->frame; frame; frame = frame->parent)
        for (const struct binding *binding = frame->bindings; binding; binding = binding->next)
            if (!strcmp(binding->name, name)) return binding->value;
    return template_function(run, name);
}

// ---- helpers ----

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

static bool characters(struct run *run, const struct value *value, struct value *list) {
    size_t from = 0;
    for (size_t at = 1; at <= value->string.length; at++) {
        bool inside = at < value->string.length && (value->string.bytes[at] & 0xc0) == 0x80;
        struct value one = value_slice_text(value, from, at);
        if (inside) continue;
        if (!value_append(&run->arena, list->list, &one, run->error)) return false;
        from = at;
    }
    return true;
}

bool run_items(struct run *run, const struct value *value, struct value *list) {
    if (value->kind == VALUE_LIST) {
        *list = *value;
        return true;
    }
    if (!value_new_list(&run->arena, list, run->error)) return false;
    if (value->kind == VALUE_STRING) return characters(run, value, list);
    if (value->kind == VALUE_MAP) {
        for (size_t i = 0; i < value->map->count; i++)
            if (!value_append(&run->arena, list->list, &value->map->keys[i], run->error))
                return false;
        return true;
    }
    return value->kind == VALUE_UNDEFINED ||
           run_fault(run, "%s has no items", value_kind_name(value));
}

struct value run_member(const struct value *value, const char *name) {
    const struct value *found = value->kind == VALUE_MAP ? value_get_text(value->map, name) : NULL;
    return found ? *found : (struct value){.kind = VALUE_UNDEFINED};
}

// ---- expressions ----

static bool evaluate(struct run *run, const struct node *node, struct value *result);
static bool execute(struct run *run, const struct node *list);

static bool gather(struct run *run, const struct node *list, struct arguments *arguments) {
    memset(arguments, 0, sizeof *arguments);
    for (; list; list = list->next) {
        size_t at = arguments->count + arguments->named;
        if (at == MAX_ARGUMENTS)
            return run_fault(run, "a call with more than %d arguments", MAX_ARGUMENTS);
        if (!list->name && arguments->named)
            return run_fault(run, "an argument without a name behind one with a name");
        if (!evaluate(run, list->left, &arguments->values[at])) return false;
        arguments->names[at] = list->name;
        arguments->count += list->name == NULL;
        arguments->named += list->name != NULL;
    }
    return true;
}

// Runs statements with their own output, which becomes a string.
static bool capture(struct run *run, const struct node *body, struct value *result) {
    struct text_builder outer = run->output;
    run->output = (struct text_builder){0};
    bool ok = execute(run, body);
    *result = text_value(&run->output);
    run->output = outer;
    return ok;
}

static bool call_macro(struct run *run, const struct node *macro, const struct arguments *arguments,
    struct value *result) {
    struct frame frame = {NULL, run->outermost}, *caller = run->frame;
    size_t index = 0;
    for (const struct node *p = macro->first; p; p = p->next, index++) {
        const struct value *given = argument(arguments, index, p->name);
        struct value value = {0};
        if (given)
            value = *given;
        else if (p->left && !evaluate(run, p->left, &value))
            return false;
        if (!bind(run, &frame, p->name, &value)) return false;
    }
    run->frame = &frame;
    bool ok = capture(run, macro->body, result);
    run->frame = caller;
    return ok;
}

static bool call(struct run *run, const struct node *node, struct value *result) {
    struct arguments arguments;
    struct value callee = {0};
    const struct node *target = node->left;
    if (!gather(run, node->first, &arguments)) return false;
    if (target->kind == NODE_ATTRIBUTE) {
        struct value owner;
        if (!evaluate(run, target->left, &owner)) return false;
        callee = run_member(&owner, target->name);
        if (callee.kind != VALUE_MACRO)
            return template_method(run, target->name, &owner, &arguments, result);
    } else if (!evaluate(run, target, &callee)) {
        return false;
    }
    if (callee.kind == VALUE_MACRO) return call_macro(run, callee.macro, &arguments, result);
    if (callee.kind == VALUE_FUNCTION)
        return template_call_function(run, callee.function, &arguments, result);
    return run_fault(run, "%s%s%s is not a function that this program has",
        target->kind == NODE_NAME ? "\"" : "", target->kind == NODE_NAME ? target->name : "this",
        target->kind == NODE_NAME ? "\"" : "");
}

static bool attribute(struct run *run, const struct node *node, struct value *result) {
    struct value owner;
    if (!evaluate(run, node->left, &owner)) return false;
    if (owner.kind == VALUE_UNDEFINED)
        return run_fault(run, "\".%s\" of something that is not there", node->name);
    *result = run_member(&owner, node->name);
    return true;
}

static bool at_index(struct run *run, const struct node *node, struct value *result) {
    struct value owner, key;
    *result = (struct value){.kind = VALUE_UNDEFINED};
    if (!evaluate(run, node->left, &owner) || !evaluate(run, node->right, &key)) return false;
    if (owner.kind == VALUE_UNDEFINED)
        return run_fault(run, "an element of something that is not there");
    if (owner.kind == VALUE_MAP) {
        const struct value *found = value_get(owner.map, &key);
        if (found) *result = *found;
        return true;
    }
    struct value items;
    if (key.kind != VALUE_INTEGER || (owner.kind != VALUE_LIST && owner.kind != VALUE_STRING))
        return true;
    if (!run_items(run, &owner, &items)) return false;
    int64_t count = (int64_t)items.list->count;
    int64_t index = key.integer < 0 ? key.integer + count : key.integer;
    if (index >= 0 && index < count) *result = items.list->items[index];
    return true;
}

static bool bound(struct run *run, const struct node *node, int64_t other, int64_t *index) {
    struct value value;
    *index = other;
    if (node->kind == NODE_NOTHING) return true;
    if (!evaluate(run, node, &value)) return false;
    if (value.kind == VALUE_NONE) return true;
    if (value.kind != VALUE_INTEGER)
        return run_fault(run, "a slice with %s", value_kind_name(&value));
    *index = value.integer;
    return true;
}

static int64_t clamp(int64_t index, int64_t count, int64_t least, int64_t most) {
    if (index < 0) index = index < -count ? -1 : index + count;
    return index < least ? least : index > most ? most : index;
}

static bool slice(struct run *run, const struct node *node, struct value *result) {
    struct value owner, items;
    int64_t from, to, step;
    if (!evaluate(run, node->left, &owner) || !run_items(run, &owner, &items) ||
        !bound(run, node->third, 1, &step))
        return false;
    int64_t count = (int64_t)items.list->count;
    if (!step || step > INT32_MAX || step < -INT32_MAX)
        return run_fault(run, "a slice with a step of %lld", (long long)step);
    bool forward = step > 0;
    if (!bound(run, node->first, forward ? 0 : count - 1, &from) ||
        !bound(run, node->second, forward ? count : INT64_MIN, &to))
        return false;
    from = clamp(from, count, forward ? 0 : -1, forward ? count : count - 1);
    to = to == INT64_MIN ? -1 : clamp(to, count, forward ? 0 : -1, count);
    struct value list;
    if (!value_new_list(&run->arena, &list, run->error)) return false;
    for (int64_t i = from; forward ? i < to : i > to; i += step)
        if (!value_append(&run->arena, list.list, &items.list->items[i], run->error)) return false;
    *result = list;
    if (owner.kind != VALUE_STRING) return true;
    struct text_builder text = {0};
    for (size_t i = 0; i < list.list->count; i++)
        if (!text_append(&run->arena, &text, &list.list->items[i].string, run->error)) return false;
    *result = text_value(&text);
    return true;
}

static bool binary(struct run *run, const struct node *node, struct value *result) {
    struct value left, right;
    return evaluate(run, node->left, &left) && evaluate(run, node->right, &right) &&
           template_operate(run, node->operation, &left, &right, result);
}

static bool list_or_map(struct run *run, const struct node *node, struct value *result) {
    bool map = node->kind == NODE_MAP;
    struct value made;
    if (!(map ? value_new_map : value_new_list)(&run->arena, &made, run->error)) return false;
    for (const struct node *item = node->first; item; item = item->next) {
        struct value first, second;
        if (!evaluate(run, item->left, &first) || (map && !evaluate(run, item->right, &second)))
            return false;
        if (!(map ? value_set(&run->arena, made.map, &first, &second, run->error)
                  : value_append(&run->arena, made.list, &first, run->error)))
            return false;
    }
    *result = made;
    return true;
}

static bool logic(struct run *run, const struct node *node, struct value *result) {
    if (!evaluate(run, node->left, result)) return false;
    if (value_true(result) == (node->kind == NODE_OR)) return true;
    return evaluate(run, node->right, result);
}

static bool conditional(struct run *run, const struct node *node, struct value *result) {
    struct value condition;
    if (!evaluate(run, node->condition, &condition)) return false;
    const struct node *chosen = value_true(&condition) ? node->left : node->right;
    *result = (struct value){.kind = VALUE_UNDEFINED};
    return !chosen || evaluate(run, chosen, result);
}

static bool filter_or_test(struct run *run, const struct node *node, struct value *result) {
    struct arguments arguments;
    struct value value;
    bool passes;
    if (!evaluate(run, node->left, &value) || !gather(run, node->first, &arguments)) return false;
    if (node->kind == NODE_FILTER)
        return template_filter(run, node->name, &value, &arguments, result);
    if (!template_test(run, node->name, &value, &arguments, &passes)) return false;
    *result = value_boolean(passes);
    return true;
}

static bool negate(struct run *run, const struct node *node, struct value *result) {
    struct value value;
    if (!evaluate(run, node->left, &value)) return false;
    if (node->kind == NODE_NOT) {
        *result = value_boolean(!value_true(&value));
        return true;
    }
    struct value zero = value_integer(0);
    return template_operate(run, OP_SUBTRACT, &zero, &value, result);
}

static bool evaluate_kind(struct run *run, const struct node *node, struct value *result) {
    switch (node->kind) {
    case NODE_LITERAL:
        *result = node->literal;
        return true;
    case NODE_NAME:
        *result = look_up(run, node->name);
        return true;
    case NODE_LIST:
    case NODE_MAP:
        return list_or_map(run, node, result);
    case NODE_ATTRIBUTE:
        return attribute(run, node, result);
    case NODE_INDEX:
        return at_index(run, node, result);
    case NODE_SLICE:
        return slice(run, node, result);
    case NODE_CALL:
        return call(run, node, result);
    case NODE_FILTER:
    case NODE_TEST:
        return filter_or_test(run, node, result);
    case NODE_NOT:
    case NODE_NEGATIVE:
        return negate(run, node, result);
    case NODE_AND:
    case NODE_OR:
        return logic(run, node, result);
    case NODE_BINARY:
        return binary(run, node, result);
    case NODE_CONDITIONAL:
        return conditional(run, node, result);
    default:
        return run_fault(run, "an expression that has no value");
    }
}

static bool step(struct run *run, const struct node *node) {
    run->line = node->line;
    if (++run->steps > MAX_STEPS)
        return run_fault(run, "more than %d steps for one chat", MAX_STEPS);
    if (run->depth >= MAX_DEPTH) return run_fault(run, "nested deeper than %d levels", MAX_DEPTH);
    return true;
}

static bool evaluate(struct run *run, const struct node *node, struct value *result) {
    if (!step(run, node)) return false;
    run->depth++;
    bool ok = evaluate_kind(run, node, result);
    run->depth--;
    return ok;
}

// ---- statements ----

static bool assign(
    struct run *run, struct frame *frame, const struct node *names, const struct value *value) {
    struct value items;
    if (!names->next) return bind(run, frame, names->name, value);
    if (!run_items(run, value, &items)) return false;
    size_t index = 0;
    for (; names; names = names->next, index++)
        if (index >= items.list->count)
            return run_fault(run, "too few values for the names on the left");
        else if (!bind(run, frame, names->name, &items.list->items[index]))
            return false;
    return index == items.list->count ||
           run_fault(run, "too many values for the names on the left");
}

static bool set_loop(
    struct run *run, struct frame *frame, const struct value_list *items, size_t i) {
    struct value loop;
    size_t count = items->count;
    const struct {
        const char *name;
        struct value value;
    } rows[] = {{"index", value_integer((int64_t)i + 1)}, {"index0", value_integer((int64_t)i)},
        {"revindex", value_integer((int64_t)(count - i))},
        {"revindex0", value_integer((int64_t)(count - i - 1))}, {"first", value_boolean(!i)},
        {"last", value_boolean(i + 1 == count)}, {"length", value_integer((int64_t)count)},
        {"previtem", i ? items->items[i - 1] : (struct value){0}},
        {"nextitem", i + 1 < count ? items->items[i + 1] : (struct value){0}}};
    if (!value_new_map(&run->arena, &loop, run->error)) return false;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct value name = value_text(rows[r].name);
        if (!value_set(&run->arena, loop.map, &name, &rows[r].value, run->error)) return false;
    }
    return bind(run, frame, "loop", &loop);
}

// The items that pass the loop's own "if".
static bool filtered(struct run *run, const struct node *node, struct value *items) {
    struct value kept, passes;
    if (!node->condition) return true;
    if (!value_new_list(&run->arena, &kept, run->error)) return false;
    for (size_t i = 0; i < items->list->count; i++) {
        struct frame frame = {NULL, run->frame};
        if (!assign(run, &frame, node->first, &items->list->items[i])) return false;
        run->frame = &frame;
        bool ok = evaluate(run, node->condition, &passes);
        run->frame = frame.parent;
        if (!ok || (value_true(&passes) &&
                       !value_append(&run->arena, kept.list, &items->list->items[i], run->error)))
            return false;
    }
    *items = kept;
    return true;
}

static bool loop(struct run *run, const struct node *node) {
    struct value over, items;
    if (!evaluate(run, node->right, &over) || !run_items(run, &over, &items) ||
        !filtered(run, node, &items))
        return false;
    if (!items.list->count) return execute(run, node->second);
    // The list may grow while it is gone over; Python's would too, without end.
    for (size_t i = 0, count = items.list->count; i < count; i++) {
        struct frame frame = {NULL, run->frame};
        if (!assign(run, &frame, node->first, &items.list->items[i]) ||
            !set_loop(run, &frame, items.list, i))
            return false;
        run->frame = &frame;
        bool ok = execute(run, node->body);
        run->frame = frame.parent;
        enum jump jump = run->jump;
        run->jump = JUMP_NONE;
        if (!ok || jump == JUMP_BREAK) return ok;
    }
    return true;
}

static bool set(struct run *run, const struct node *node) {
    struct value value, owner;
    if (!(node->kind == NODE_SET ? evaluate(run, node->right, &value)
                                 : capture(run, node->body, &value)))
        return false;
    if (!node->left) return assign(run, run->frame, node->first, &value);
    if (!evaluate(run, node->left->left, &owner)) return false;
    if (owner.kind != VALUE_MAP || !owner.map->writable)
        return run_fault(run, "only a namespace() can be assigned into");
    struct value name = value_text(node->left->name);
    return value_set(&run->arena, owner.map, &name, &value, run->error);
}

static bool branch(struct run *run, const struct node *node) {
    struct value condition;
    if (!evaluate(run, node->condition, &condition)) return false;
    return execute(run, value_true(&condition) ? node->body : node->second);
}

static bool define(struct run *run, const struct node *node) {
    struct value macro = {.kind = VALUE_MACRO, .macro = node};
    return bind(run, run->frame, node->name, &macro);
}

static bool execute_one(struct run *run, const struct node *node) {
    struct value value;
    switch (node->kind) {
    case NODE_TEXT:
        return text_append(&run->arena, &run->output, &node->literal.string, run->error);
    case NODE_OUTPUT:
        return evaluate(run, node->left, &value) &&
               value_write(&run->arena, &value, &run->output, run->error);
    case NODE_IF:
        return branch(run, node);
    case NODE_FOR:
        return loop(run, node);
    case NODE_SET:
    case NODE_SET_BLOCK:
        return set(run, node);
    case NODE_BLOCK:
        return execute(run, node->body);
    case NODE_MACRO:
        return define(run, node);
    case NODE_BREAK:
        run->jump = JUMP_BREAK;
        return true;
    case NODE_CONTINUE:
        run->jump = JUMP_CONTINUE;
        return true;
    default:
        return run_fault(run, "a statement that cannot stand here");
    }
}

static bool execute(struct run *run, const struct node *list) {
    bool ok = true;
    run->depth++;
    for (; list && ok && run->jump == JUMP_NONE; list = list->next)
        ok = step(run, list) && execute_one(run, list);
    run->depth--;
    return ok;
}

// ---- the whole ----

bool chat_template_parse(
    struct chat_template **parsed, const char *text, size_t length, struct error *error) {
    struct word *words;
    *parsed = NULL;
    if (length > MAX_SOURCE)
        return error_set(error, ERROR_INVALID, "a chat template of %zu bytes; the most is %d",
            length, MAX_SOURCE);
    struct chat_template *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made || !(made->source = memory_copy_bytes(text, length))) {
        memory_free(made);
        return memory_error(error, "a chat template");
    }
    made->arena.maximum = MAX_MEMORY;
    if (!template_cut(&made->arena, made->source, length, &words, error) ||
        !template_build(&made->arena, words, &made->statements, error)) {
        chat_template_free(made);
        return false;
    }
    *parsed = made;
    return true;
}

void chat_template_free(struct chat_template *parsed) {
    if (!parsed) return;
    arena_free(&parsed->arena);
    memory_free(parsed->source);
    memory_free(parsed);
}

static bool bind_members(
    struct run *run, struct frame *frame, const json_t *members, bool from_data) {
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)members, name, member) {
        struct value value;
        if (!value_from_json(&run->arena, member, from_data, &value, run->error) ||
            !bind(run, frame, name, &value))
            return false;
    }
    return true;
}

static bool take_output(const struct run *run, struct chat_text *output) {
    output->length = run->output.length;
    output->text = memory_copy_bytes(run->output.length ? run->output.bytes : "", output->length);
    output->from_data = (uint8_t *)memory_copy_bytes(
        run->output.length ? (const char *)run->output.from_data : "", output->length);
    if (output->text && output->from_data) return true;
    chat_text_free(output);
    return memory_error(run->error, "a rendered chat");
}

bool chat_template_render(const struct chat_template *parsed, const json_t *constants,
    const json_t *variables, int64_t now, struct chat_text *output, struct error *error) {
    struct frame frame = {0};
    struct run run = {.arena.maximum = MAX_MEMORY,
        .error = error,
        .frame = &frame,
        .outermost = &frame,
        .now = now};
    memset(output, 0, sizeof *output);
    bool ok = bind_members(&run, &frame, constants, false) &&
              bind_members(&run, &frame, variables, true) && execute(&run, parsed->statements) &&
              take_output(&run, output);
    arena_free(&run.arena);
    return ok;
}

void chat_text_free(struct chat_text *text) {
    memory_free(text->text);
    memory_free(text->from_data);
    memset(text, 0, sizeof *text);
}
