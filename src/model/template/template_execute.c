// Running a template's statements.
#include "model/template/template_run.h"
#include <string.h>

bool run_capture(struct run *run, const struct node *body, struct value *result) {
    struct text_builder outer = run->output;
    run->output = (struct text_builder){0};
    bool ok = run_execute(run, body);
    *result = text_value(&run->output);
    run->output = outer;
    return ok;
}

// The same with names of its own.
static bool capture_in_frame(struct run *run, const struct node *body, struct value *result) {
    struct frame *outer = run->frame, *frame = run_new_frame(run, outer);
    if (!frame) return false;
    run->frame = frame;
    bool ok = run_capture(run, body, result);
    run->frame = outer;
    return ok;
}

// What filters behind a block make of what it wrote.
static bool apply_filters(struct run *run, const struct node *filters, struct value *value) {
    struct frame *outer = run->frame, *frame = run_new_frame(run, outer);
    if (!filters) return true;
    if (!frame || !run_bind(run, frame, NAME_OF_CAPTURED, value)) return false;
    run->frame = frame;
    bool ok = run_evaluate(run, filters, value);
    run->frame = outer;
    return ok;
}

// ---- assigning ----

static bool assign(
    struct run *run, struct frame *frame, const struct node *target, const struct value *value);

static bool assign_several(
    struct run *run, struct frame *frame, const struct node *targets, const struct value *value) {
    struct value items;
    size_t index = 0;
    if (!run_items(run, value, &items)) return false;
    for (const struct node *one = targets->first; one; one = one->next, index++)
        if (index >= items.list->count)
            return run_fault(run, "too few values for the names on the left");
        else if (!assign(run, frame, one, &items.list->items[index]))
            return false;
    return index == items.list->count ||
           run_fault(run, "too many values for the names on the left");
}

static bool assign_member(struct run *run, const struct node *target, const struct value *value) {
    struct value owner, name = value_text(target->name);
    if (!run_evaluate(run, target->left, &owner)) return false;
    if (owner.kind != VALUE_MAP || !owner.map->namespace)
        return run_fault(run, "only a namespace() can be assigned into");
    if (*target->name == '_')
        return run_fault(run, "a namespace() holds no name that begins with _");
    return value_set(&run->arena, owner.map, &name, value, run->error);
}

static bool assign(
    struct run *run, struct frame *frame, const struct node *target, const struct value *value) {
    if (target->kind == NODE_TUPLE) return assign_several(run, frame, target, value);
    if (target->kind == NODE_ATTRIBUTE) return assign_member(run, target, value);
    return run_bind(run, frame, target->name, value);
}

static bool set(struct run *run, const struct node *node) {
    struct value value;
    if (node->kind == NODE_SET)
        return run_evaluate(run, node->right, &value) &&
               assign(run, run->frame, node->first, &value);
    return capture_in_frame(run, node->body, &value) && apply_filters(run, node->right, &value) &&
           assign(run, run->frame, node->first, &value);
}

static bool with(struct run *run, const struct node *node) {
    struct frame *outer = run->frame, *frame = run_new_frame(run, outer);
    struct value value;
    if (!frame) return false;
    for (const struct node *one = node->first; one; one = one->next)
        if (!run_evaluate(run, one->right, &value) || !assign(run, frame, one->first, &value))
            return false;
    run->frame = frame;
    bool ok = run_execute(run, node->body);
    run->frame = outer;
    return ok;
}

// ---- loops ----

// The items that pass the loop's own "if".
static bool filtered(struct run *run, const struct node *node, struct value *items) {
    struct frame *outer = run->frame;
    struct value kept, passes;
    if (!node->condition) return true;
    if (!value_new_list(&run->arena, LIST_PLAIN, &kept, run->error)) return false;
    for (size_t i = 0; i < items->list->count; i++) {
        struct frame *frame = run_new_frame(run, outer);
        if (!frame || !assign(run, frame, node->first, &items->list->items[i])) return false;
        run->frame = frame;
        bool ok = run_evaluate(run, node->condition, &passes);
        run->frame = outer;
        if (!ok || (value_true(&passes) &&
                       !value_append(&run->arena, kept.list, &items->list->items[i], run->error)))
            return false;
    }
    *items = kept;
    return true;
}

static bool iterate(struct run *run, const struct node *node, struct loop_state *state) {
    struct value loop = {.kind = VALUE_LOOP, .loop = state};
    for (size_t count = state->items->count; state->index < count; state->index++) {
        struct frame *frame = run_new_frame(run, state->frame);
        if (!frame || !run_bind(run, frame, "loop", &loop) ||
            !assign(run, frame, node->first, &state->items->items[state->index]))
            return false;
        run->frame = frame;
        bool ok = run_execute(run, node->body);
        run->frame = state->frame;
        enum jump jump = run->jump;
        run->jump = JUMP_NONE;
        if (!ok || jump == JUMP_BREAK) return ok;
    }
    return true;
}

static bool loop_over(
    struct run *run, const struct node *node, const struct value *over, int depth) {
    struct value items;
    if (!run_items(run, over, &items) || !filtered(run, node, &items)) return false;
    if (!items.list->count) {
        struct frame *outer = run->frame;
        run->frame = run_new_frame(run, outer);
        bool ok = run->frame && run_execute(run, node->second);
        run->frame = outer;
        return ok;
    }
    struct loop_state *state = arena_take(&run->arena, sizeof *state, run->error);
    if (!state) return false;
    *state =
        (struct loop_state){.items = items.list, .depth = depth, .node = node, .frame = run->frame};
    return iterate(run, node, state);
}

bool run_loop_again(struct run *run, const struct loop_state *loop, const struct value *items,
    struct value *result) {
    struct frame *caller = run->frame;
    struct text_builder outer = run->output;
    if (!loop->node->recursive)
        return run_fault(run, "loop() in a loop that is not {%% for … recursive %%}");
    run->frame = loop->frame;
    run->output = (struct text_builder){0};
    bool ok = loop_over(run, loop->node, items, loop->depth + 1);
    *result = text_value(&run->output);
    run->output = outer;
    run->frame = caller;
    return ok;
}

static bool loop(struct run *run, const struct node *node) {
    struct value over;
    return run_evaluate(run, node->right, &over) && loop_over(run, node, &over, 0);
}

// ---- others ----

static bool branch(struct run *run, const struct node *node) {
    struct value condition;
    if (!run_evaluate(run, node->condition, &condition)) return false;
    return run_execute(run, value_true(&condition) ? node->body : node->second);
}

static bool define(struct run *run, const struct node *node) {
    struct closure *closure = arena_take(&run->arena, sizeof *closure, run->error);
    if (!closure) return false;
    *closure = (struct closure){node, run->frame};
    struct value macro = {.kind = VALUE_MACRO, .closure = closure};
    return run_bind(run, run->frame, node->name, &macro);
}

static bool write_block(struct run *run, const struct node *node) {
    struct value value;
    return capture_in_frame(run, node->body, &value) && apply_filters(run, node->right, &value) &&
           value_write(&run->arena, &value, &run->output, run->error);
}

static bool output(struct run *run, const struct node *node) {
    struct value value;
    return run_evaluate(run, node->left, &value) &&
           value_write(&run->arena, &value, &run->output, run->error);
}

static bool execute_one(struct run *run, const struct node *node) {
    struct value none;
    switch (node->kind) {
    case NODE_TEXT:
        return text_append(&run->arena, &run->output, &node->literal.string, run->error);
    case NODE_OUTPUT:
        return output(run, node);
    case NODE_IF:
        return branch(run, node);
    case NODE_FOR:
        return loop(run, node);
    case NODE_SET:
    case NODE_SET_BLOCK:
        return set(run, node);
    case NODE_WITH:
        return with(run, node);
    case NODE_SCOPE:
    case NODE_FILTER_BLOCK:
        return write_block(run, node);
    case NODE_CALL_BLOCK:
        return run_evaluate(run, node, &none);
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

bool run_execute(struct run *run, const struct node *list) {
    bool ok = true;
    run->depth++;
    for (; list && ok && run->jump == JUMP_NONE; list = list->next) {
        run->line = list->line;
        ok = arena_work(&run->arena, 1, run->error) && execute_one(run, list);
    }
    run->depth--;
    return ok;
}
