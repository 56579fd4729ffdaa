// A template as a whole, and the values of its expressions.
#include "model/template/template_run.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "model/chat_template.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_STEPS = 30000000, MAX_DEPTH = 1000, MAX_MEMORY = 512 << 20, MAX_SOURCE = 1 << 20 };

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

struct frame *run_new_frame(struct run *run, struct frame *parent) {
    struct frame *frame = arena_take(&run->arena, sizeof *frame, run->error);
    if (frame) frame->parent = parent;
    return frame;
}

bool run_bind(struct run *run, struct frame *frame, const char *name, const struct value *value) {
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

static bool look_up(struct run *run, const char *name, struct value *result) {
    uint64_t looked_at = 0;
    for (const struct frame *frame = run->frame; frame; frame = frame->parent)
        for (const struct binding *binding = frame->bindings; binding; binding = binding->next) {
            looked_at++;
            if (strcmp(binding->name, name)) continue;
            *result = binding->value;
            return arena_work(&run->arena, looked_at / 16, run->error);
        }
    *result = template_function(name);
    if (result->kind == VALUE_UNDEFINED) result->missing = name;
    return arena_work(&run->arena, looked_at / 16, run->error);
}

// ---- calls ----

static bool gather(struct run *run, const struct node *list, struct arguments *arguments) {
    memset(arguments, 0, sizeof *arguments);
    for (; list; list = list->next) {
        size_t at = arguments->count + arguments->named;
        if (at == MAX_ARGUMENTS)
            return run_fault(run, "a call with more than %d arguments", MAX_ARGUMENTS);
        if (!list->name && arguments->named)
            return run_fault(run, "an argument without a name behind one with a name");
        if (!run_evaluate(run, list->left, &arguments->values[at])) return false;
        arguments->names[at] = list->name;
        arguments->count += list->name == NULL;
        arguments->named += list->name != NULL;
    }
    return true;
}

static const struct value *take_named(const struct arguments *arguments, const char *name) {
    for (size_t i = arguments->count; i < arguments->count + arguments->named; i++)
        if (!strcmp(arguments->names[i], name)) return &arguments->values[i];
    return NULL;
}

static bool bind_parameters(struct run *run, const struct node *macro, struct frame *frame,
    const struct arguments *arguments) {
    size_t index = 0;
    for (const struct node *p = macro->first; p; p = p->next, index++) {
        const struct value *given =
            index < arguments->count ? &arguments->values[index] : take_named(arguments, p->name);
        struct value value = given ? *given : (struct value){0};
        if (!given && p->left && !run_evaluate(run, p->left, &value)) return false;
        if (!run_bind(run, frame, p->name, &value)) return false;
    }
    return true;
}

static bool is_parameter(const struct node *macro, const char *name) {
    for (const struct node *p = macro->first; p; p = p->next)
        if (!strcmp(p->name, name)) return true;
    return macro->takes_caller && !strcmp(name, "caller");
}

// What goes to no parameter: varargs, kwargs and caller, where the macro names them.
static bool bind_others(struct run *run, const struct node *macro, struct frame *frame,
    const struct arguments *arguments) {
    struct value more, named, none = {0};
    size_t count = 0, all = arguments->count + arguments->named;
    if (!value_new_list(&run->arena, LIST_TUPLE, &more, run->error) ||
        !value_new_map(&run->arena, &named, run->error))
        return false;
    for (const struct node *p = macro->first; p; p = p->next)
        count++;
    for (size_t i = 0; i < all; i++) {
        const char *name = arguments->names[i];
        if (name ? is_parameter(macro, name) : i < count) continue;
        if (!(name ? macro->takes_named : macro->takes_more))
            return run_fault(run, "the macro \"%s\" takes no %s%s", macro->name,
                name ? "argument called " : "so many arguments", name ? name : "");
        struct value key = value_text(name ? name : "");
        if (!(name ? value_set(&run->arena, named.map, &key, &arguments->values[i], run->error)
                   : value_append(&run->arena, more.list, &arguments->values[i], run->error)))
            return false;
    }
    const struct value *caller = take_named(arguments, "caller");
    return (!macro->takes_more || run_bind(run, frame, "varargs", &more)) &&
           (!macro->takes_named || run_bind(run, frame, "kwargs", &named)) &&
           (!macro->takes_caller || run_bind(run, frame, "caller", caller ? caller : &none));
}

static bool call_macro(struct run *run, const struct closure *closure,
    const struct arguments *arguments, struct value *result) {
    struct frame *caller = run->frame, *frame = run_new_frame(run, closure->frame);
    if (!frame) return false;
    run->frame = frame;
    bool ok = bind_parameters(run, closure->node, frame, arguments) &&
              bind_others(run, closure->node, frame, arguments) &&
              run_capture(run, closure->node->body, result);
    run->frame = caller;
    return ok;
}

static bool call_loop(struct run *run, const struct loop_state *loop,
    const struct arguments *arguments, struct value *result) {
    if (arguments->count != 1) return run_fault(run, "loop() takes what to go over");
    return run_loop_again(run, loop, &arguments->values[0], result);
}

static bool call_value(struct run *run, const struct value *callee, const struct node *target,
    struct arguments *arguments, struct value *result) {
    switch (callee->kind) {
    case VALUE_MACRO:
        return call_macro(run, callee->closure, arguments, result);
    case VALUE_FUNCTION:
        return template_call_function(run, callee->function, arguments, result);
    case VALUE_METHOD:
        return template_call_row(run,
            template_method_row(&callee->method->owner, callee->method->name),
            &callee->method->owner, arguments, result);
    case VALUE_LOOP:
        return call_loop(run, callee->loop, arguments, result);
    default:
        break;
    }
    bool named = target->kind == NODE_NAME || target->kind == NODE_ATTRIBUTE;
    return run_fault(run, "%s%s%s is not a function that this program has", named ? "\"" : "",
        named ? target->name : "this", named ? "\"" : "");
}

static bool call(struct run *run, const struct node *node, struct value *result) {
    struct arguments arguments;
    struct value owner, callee;
    const struct node *target = node->left;
    if (target->kind != NODE_ATTRIBUTE)
        return run_evaluate(run, target, &callee) && gather(run, node->first, &arguments) &&
               call_value(run, &callee, target, &arguments, result);
    if (!run_evaluate(run, target->left, &owner)) return false;
    // Without a value for the method in between.
    const struct template_row *row = template_method_row(&owner, target->name);
    if (row)
        return gather(run, node->first, &arguments) &&
               template_call_row(run, row, &owner, &arguments, result);
    if (!run_attribute(run, &owner, target->name, &callee)) return false;
    if (callee.kind == VALUE_UNDEFINED)
        return run_fault(
            run, "%s has no method \"%s\" here", run_describe(run, &owner), target->name);
    return gather(run, node->first, &arguments) &&
           call_value(run, &callee, target, &arguments, result);
}

static bool call_block(struct run *run, const struct node *node) {
    struct arguments arguments;
    struct value callee, result;
    struct closure *closure = arena_take(&run->arena, sizeof *closure, run->error);
    const struct node *call_node = node->left;
    if (!closure || !run_evaluate(run, call_node->left, &callee) ||
        !gather(run, call_node->first, &arguments))
        return false;
    size_t at = arguments.count + arguments.named;
    if (at == MAX_ARGUMENTS)
        return run_fault(run, "a call with more than %d arguments", MAX_ARGUMENTS);
    *closure = (struct closure){node->right, run->frame};
    arguments.names[at] = "caller";
    arguments.values[at] = (struct value){.kind = VALUE_MACRO, .closure = closure};
    arguments.named++;
    return call_value(run, &callee, call_node->left, &arguments, &result) &&
           value_write(&run->arena, &result, &run->output, run->error);
}

// ---- expressions ----

static bool list_or_map(struct run *run, const struct node *node, struct value *result) {
    bool map = node->kind == NODE_MAP;
    enum list_kind kind = node->kind == NODE_TUPLE ? LIST_TUPLE : LIST_PLAIN;
    struct value made;
    if (!(map ? value_new_map(&run->arena, &made, run->error)
              : value_new_list(&run->arena, kind, &made, run->error)))
        return false;
    for (const struct node *item = node->first; item; item = item->next) {
        struct value first, second;
        if (!run_evaluate(run, item->left, &first) ||
            (map && !run_evaluate(run, item->right, &second)))
            return false;
        if (!(map ? value_set(&run->arena, made.map, &first, &second, run->error)
                  : value_append(&run->arena, made.list, &first, run->error)))
            return false;
    }
    *result = made;
    return true;
}

static bool attribute(struct run *run, const struct node *node, struct value *result) {
    struct value owner;
    return run_evaluate(run, node->left, &owner) && run_attribute(run, &owner, node->name, result);
}

static bool at_index(struct run *run, const struct node *node, struct value *result) {
    struct value owner, key;
    return run_evaluate(run, node->left, &owner) && run_evaluate(run, node->right, &key) &&
           run_index(run, &owner, &key, result);
}

static bool binary(struct run *run, const struct node *node, struct value *result) {
    struct value left, right;
    return run_evaluate(run, node->left, &left) && run_evaluate(run, node->right, &right) &&
           template_operate(run, node->operation, &left, &right, result);
}

static bool logic(struct run *run, const struct node *node, struct value *result) {
    if (!run_evaluate(run, node->left, result)) return false;
    if (value_true(result) == (node->kind == NODE_OR)) return true;
    return run_evaluate(run, node->right, result);
}

static bool conditional(struct run *run, const struct node *node, struct value *result) {
    struct value condition;
    if (!run_evaluate(run, node->condition, &condition)) return false;
    const struct node *chosen = value_true(&condition) ? node->left : node->right;
    *result = (struct value){.kind = VALUE_UNDEFINED};
    return !chosen || run_evaluate(run, chosen, result);
}

static bool filter_or_test(struct run *run, const struct node *node, struct value *result) {
    struct arguments arguments;
    struct value value;
    bool passes;
    if (!run_evaluate(run, node->left, &value) || !gather(run, node->first, &arguments))
        return false;
    if (node->kind == NODE_FILTER)
        return template_filter(run, node->name, &value, &arguments, result);
    if (!template_test(run, node->name, &value, &arguments, &passes)) return false;
    *result = value_boolean(passes);
    return true;
}

static bool negate(struct run *run, const struct node *node, struct value *result) {
    struct value value, zero = value_integer(0);
    if (!run_evaluate(run, node->left, &value)) return false;
    if (node->kind == NODE_NOT) {
        *result = value_boolean(!value_true(&value));
        return true;
    }
    if (node->kind == NODE_NEGATIVE && value.kind == VALUE_REAL) {
        *result = value_real(-value.real);
        return true;
    }
    return template_operate(
        run, node->kind == NODE_NEGATIVE ? OP_SUBTRACT : OP_ADD, &zero, &value, result);
}

static bool evaluate_kind(struct run *run, const struct node *node, struct value *result) {
    switch (node->kind) {
    case NODE_LITERAL:
        *result = node->literal;
        return true;
    case NODE_NAME:
        return look_up(run, node->name, result);
    case NODE_LIST:
    case NODE_TUPLE:
    case NODE_MAP:
        return list_or_map(run, node, result);
    case NODE_ATTRIBUTE:
        return attribute(run, node, result);
    case NODE_INDEX:
        return at_index(run, node, result);
    case NODE_SLICE:
        return run_slice(run, node, result);
    case NODE_CALL:
        return call(run, node, result);
    case NODE_FILTER:
    case NODE_TEST:
        return filter_or_test(run, node, result);
    case NODE_NOT:
    case NODE_NEGATIVE:
    case NODE_POSITIVE:
        return negate(run, node, result);
    case NODE_AND:
    case NODE_OR:
        return logic(run, node, result);
    case NODE_BINARY:
        return binary(run, node, result);
    case NODE_CONDITIONAL:
        return conditional(run, node, result);
    case NODE_CALL_BLOCK:
        return call_block(run, node);
    default:
        return run_fault(run, "an expression that has no value");
    }
}

bool run_evaluate(struct run *run, const struct node *node, struct value *result) {
    run->line = node->line;
    if (run->depth >= MAX_DEPTH) return run_fault(run, "nested deeper than %d levels", MAX_DEPTH);
    if (!arena_work(&run->arena, 1, run->error)) return false;
    run->depth++;
    bool ok = evaluate_kind(run, node, result);
    run->depth--;
    return ok;
}

// ---- the whole ----

// Every line of a source ends in "\n", as Jinja makes it.
static size_t plain_newlines(char *text, size_t length) {
    size_t to = 0;
    for (size_t from = 0; from < length; from++) {
        bool carriage = text[from] == '\r';
        if (carriage && from + 1 < length && text[from + 1] == '\n') continue;
        text[to++] = carriage ? '\n' : text[from];
    }
    return to;
}

bool chat_template_parse(
    struct chat_template **parsed, const char *text, size_t length, struct error *error) {
    struct word *words;
    *parsed = NULL;
    if (length > MAX_SOURCE)
        return error_set(error, ERROR_INVALID, "a chat template of %zu bytes; the most is %d",
            length, MAX_SOURCE);
    if (utf8_valid_length(text, length) < length)
        return error_set(error, ERROR_INVALID, "the chat template is not UTF-8");
    struct chat_template *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made || !(made->source = memory_copy_bytes(text, length))) {
        memory_free(made);
        return memory_error(error, "a chat template");
    }
    made->arena.maximum = MAX_MEMORY;
    made->arena.most_work = MAX_STEPS;
    length = plain_newlines(made->source, length);
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

static bool bind_members(struct run *run, const json_t *members, bool from_data) {
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)members, name, member) {
        struct value value;
        if (!value_from_json(&run->arena, member, from_data, &value, run->error) ||
            !run_bind(run, run->frame, name, &value))
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
    struct run run = {.arena = {.maximum = MAX_MEMORY, .most_work = MAX_STEPS},
        .error = error,
        .frame = &frame,
        .now = now};
    memset(output, 0, sizeof *output);
    bool ok = bind_members(&run, constants, false) && bind_members(&run, variables, true) &&
              run_execute(&run, parsed->statements) && take_output(&run, output);
    arena_free(&run.arena);
    return ok;
}

void chat_text_free(struct chat_text *text) {
    memory_free(text->text);
    memory_free(text->from_data);
    memset(text, 0, sizeof *text);
}
