// From words to statements: the tags {% … %}, with their expressions.
#include "model/template/template_builder.h"
#include <string.h>

static bool body(struct builder *b, const char *const *ends, struct node **list);

static bool close_block(struct builder *b) {
    if (b->word->kind != WORD_BLOCK_CLOSE) return builder_fault(b, "expected the end of the tag");
    b->word++;
    return true;
}

// At "{% name": goes behind the name.
static void enter(struct builder *b) {
    b->word += 2;
}

static bool at_tag(const struct builder *b, const char *name) {
    struct builder next = *b;
    next.word++;
    return b->word->kind == WORD_BLOCK_OPEN && builder_is_name(&next, name);
}

static bool if_statement(struct builder *b, struct node *node) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    static const char *const last[] = {"endif", NULL};
    for (;;) {
        if (!(node->condition = builder_tuple(b, false)) || !close_block(b) ||
            !body(b, ends, &node->body))
            return false;
        if (!at_tag(b, "elif")) break;
        struct node *other = builder_make(b, NODE_IF);
        if (!other) return false;
        enter(b);
        node->second = other;
        node = other;
    }
    if (at_tag(b, "else")) {
        enter(b);
        if (!close_block(b) || !body(b, last, &node->second)) return false;
    }
    enter(b);
    return close_block(b);
}

// What "for" and "set" assign to: a name, an attribute of a namespace, or several names.
static struct node *target(struct builder *b, bool attributes);

static struct node *single_target(struct builder *b, bool attributes) {
    if (builder_take(b, WORD_OPERATOR, "(")) {
        struct node *inside = target(b, false);
        return inside && builder_expect(b, ")") ? inside : NULL;
    }
    struct node *name = builder_make(b, NODE_NAME);
    if (!name || !(name->name = builder_take_name(b))) return NULL;
    if (!attributes || !builder_take(b, WORD_OPERATOR, ".")) return name;
    struct node *attribute = builder_make(b, NODE_ATTRIBUTE);
    if (!attribute || !(attribute->name = builder_take_name(b))) return NULL;
    attribute->left = name;
    return attribute;
}

static struct node *target(struct builder *b, bool attributes) {
    if (b->depth++ > BUILDER_MAX_DEPTH) {
        builder_fault(b, "names that are nested too deep");
        return NULL;
    }
    struct node *first = single_target(b, attributes), *last = first;
    b->depth--;
    if (!first || !builder_is_operator(b, ",")) return first;
    struct node *tuple = builder_make(b, NODE_TUPLE);
    if (!tuple) return NULL;
    tuple->first = first;
    while (builder_take(b, WORD_OPERATOR, ",") && b->word->kind != WORD_BLOCK_CLOSE) {
        last->next = single_target(b, attributes);
        last = last->next;
        if (!last) return NULL;
    }
    return tuple;
}

// A body up to `end`, and that tag.
static bool body_and_end(struct builder *b, const char *end, struct node **list) {
    const char *const ends[] = {end, NULL};
    if (!close_block(b) || !body(b, ends, list)) return false;
    enter(b);
    return close_block(b);
}

static bool for_statement(struct builder *b, struct node *node) {
    static const char *const ends[] = {"else", "endfor", NULL};
    if (!(node->first = target(b, false))) return false;
    if (!builder_take(b, WORD_NAME, "in")) return builder_fault(b, "expected \"in\"");
    // Not an expression with "if … else": here "if" is the loop's own.
    if (!(node->right = builder_tuple(b, false))) return false;
    if (builder_take(b, WORD_NAME, "if") && !(node->condition = builder_expression(b)))
        return false;
    node->recursive = builder_take(b, WORD_NAME, "recursive");
    b->loops++;
    bool ok = close_block(b) && body(b, ends, &node->body);
    b->loops--;
    if (!ok) return false;
    bool otherwise = at_tag(b, "else");
    enter(b);
    return otherwise ? body_and_end(b, "endfor", &node->second) : close_block(b);
}

static struct node *captured(struct builder *b) {
    struct node *node = builder_make(b, NODE_NAME);
    if (node) node->name = NAME_OF_CAPTURED;
    return node;
}

static bool set_statement(struct builder *b, struct node *node) {
    if (!(node->first = target(b, true))) return false;
    if (builder_take(b, WORD_OPERATOR, "="))
        return (node->right = builder_tuple(b, true)) && close_block(b);
    node->kind = NODE_SET_BLOCK;
    if (builder_take(b, WORD_OPERATOR, "|") && !(node->right = builder_filters(b, captured(b))))
        return false;
    return body_and_end(b, "endset", &node->body);
}

static bool filter_statement(struct builder *b, struct node *node) {
    return (node->right = builder_filters(b, captured(b))) &&
           body_and_end(b, "endfilter", &node->body);
}

static bool with_statement(struct builder *b, struct node *node) {
    struct node **last = &node->first;
    while (b->word->kind != WORD_BLOCK_CLOSE) {
        struct node *one = *last = builder_make(b, NODE_SET);
        if (!one || !(one->first = single_target(b, false)) || !builder_expect(b, "=") ||
            !(one->right = builder_expression(b)))
            return false;
        last = &one->next;
        if (!builder_take(b, WORD_OPERATOR, ",") && b->word->kind != WORD_BLOCK_CLOSE)
            return builder_fault(b, "expected ,");
    }
    return body_and_end(b, "endwith", &node->body);
}

// ( name, name=default ), whose opening bracket is taken.
static bool parameters(struct builder *b, struct node *node) {
    struct node **last = &node->first;
    while (!builder_is_operator(b, ")")) {
        struct node *parameter = builder_make(b, NODE_ARGUMENT);
        if (!parameter || !(parameter->name = builder_take_name(b))) return false;
        if (builder_take(b, WORD_OPERATOR, "=") && !(parameter->left = builder_expression(b)))
            return false;
        *last = parameter;
        last = &parameter->next;
        if (!builder_take(b, WORD_OPERATOR, ",") && !builder_is_operator(b, ")"))
            return builder_fault(b, "expected , or )");
    }
    b->word++;
    return true;
}

static bool macro_body(struct builder *b, struct node *node, const char *end) {
    struct builder outer = *b;
    b->macro = node;
    node->third = outer.macro;
    b->loops = 0;
    bool ok = body_and_end(b, end, &node->body);
    b->macro = outer.macro;
    b->loops = outer.loops;
    return ok;
}

static bool macro_statement(struct builder *b, struct node *node) {
    return (node->name = builder_take_name(b)) && builder_expect(b, "(") && parameters(b, node) &&
           macro_body(b, node, "endmacro");
}

static bool call_statement(struct builder *b, struct node *node) {
    if (!(node->right = builder_make(b, NODE_MACRO))) return false;
    node->right->name = "caller";
    if (builder_take(b, WORD_OPERATOR, "(") && !parameters(b, node->right)) return false;
    if (!(node->left = builder_expression(b))) return false;
    if (node->left->kind != NODE_CALL) return builder_fault(b, "{% call %} of what is no call");
    return macro_body(b, node->right, "endcall");
}

static bool generation_statement(struct builder *b, struct node *node) {
    return body_and_end(b, "endgeneration", &node->body);
}

static bool jump_statement(struct builder *b, struct node *node) {
    (void)node;
    return b->loops ? close_block(b) : builder_fault(b, "a jump that is in no loop");
}

static bool statement(struct builder *b, struct node **made) {
    static const struct {
        const char *name;
        enum node_kind kind;
        bool (*build)(struct builder *, struct node *);
    } rows[] = {{"if", NODE_IF, if_statement}, {"for", NODE_FOR, for_statement},
        {"set", NODE_SET, set_statement}, {"macro", NODE_MACRO, macro_statement},
        {"call", NODE_CALL_BLOCK, call_statement}, {"filter", NODE_FILTER_BLOCK, filter_statement},
        {"with", NODE_WITH, with_statement}, {"generation", NODE_SCOPE, generation_statement},
        {"break", NODE_BREAK, jump_statement}, {"continue", NODE_CONTINUE, jump_statement}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (at_tag(b, rows[i].name)) {
            enter(b);
            *made = builder_make(b, rows[i].kind);
            return *made && rows[i].build(b, *made);
        }
    b->word++;
    return builder_fault(b, "a tag that this program does not know");
}

static bool output(struct builder *b, struct node *node) {
    b->word++;
    if (!(node->left = builder_tuple(b, true))) return false;
    if (b->word->kind != WORD_OUTPUT_CLOSE) return builder_fault(b, "expected }}");
    b->word++;
    return true;
}

static bool at_end(const struct builder *b, const char *const *ends) {
    for (; *ends; ends++)
        if (at_tag(b, *ends)) return true;
    return false;
}

static bool one(struct builder *b, struct node **made) {
    if (b->word->kind == WORD_BLOCK_OPEN) return statement(b, made);
    bool text = b->word->kind == WORD_TEXT;
    struct node *node = *made = builder_make(b, text ? NODE_TEXT : NODE_OUTPUT);
    if (!node) return false;
    if (!text) return output(b, node);
    node->literal =
        (struct value){.kind = VALUE_STRING, .string = {b->word->text, NULL, b->word->length}};
    b->word++;
    return true;
}

// Statements up to a tag that `ends` names, which stays; without `ends`, up to the template's end.
static bool body(struct builder *b, const char *const *ends, struct node **list) {
    if (b->depth++ > BUILDER_MAX_DEPTH) return builder_fault(b, "blocks that are nested too deep");
    struct node **last = list;
    while (b->word->kind != WORD_END && !at_end(b, ends)) {
        if (!one(b, last)) return false;
        last = &(*last)->next;
    }
    b->depth--;
    return !*ends || b->word->kind != WORD_END ||
           error_set(b->error, ERROR_INVALID, "chat template: {%% %s %%} is missing", *ends);
}

bool template_build(
    struct arena *arena, const struct word *words, struct node **statements, struct error *error) {
    static const char *const none[] = {NULL};
    struct builder builder = {.arena = arena, .error = error, .word = words};
    return body(&builder, none, statements);
}
