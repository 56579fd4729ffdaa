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
        if (!(node->condition = builder_expression(b)) || !close_block(b) ||
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

// One name, or several with commas between: what for and set assign to.
static bool targets(struct builder *b, struct node **list) {
    struct node **last = list;
    bool bracket = builder_take(b, WORD_OPERATOR, "(");
    do {
        struct node *name = builder_make(b, NODE_NAME);
        if (!name || !(name->name = builder_take_name(b))) return false;
        *last = name;
        last = &name->next;
    } while (builder_take(b, WORD_OPERATOR, ","));
    return !bracket || builder_expect(b, ")");
}

static bool for_statement(struct builder *b, struct node *node) {
    static const char *const ends[] = {"else", "endfor", NULL};
    static const char *const last[] = {"endfor", NULL};
    if (!targets(b, &node->first)) return false;
    if (!builder_take(b, WORD_NAME, "in")) return builder_fault(b, "expected \"in\"");
    // Not an expression with "if … else": here "if" is the loop's own.
    if (!(node->right = builder_disjunction(b))) return false;
    if (builder_take(b, WORD_NAME, "if") && !(node->condition = builder_expression(b)))
        return false;
    if (!close_block(b) || !body(b, ends, &node->body)) return false;
    if (at_tag(b, "else")) {
        enter(b);
        if (!close_block(b) || !body(b, last, &node->second)) return false;
    }
    enter(b);
    return close_block(b);
}

static bool set_statement(struct builder *b, struct node *node) {
    static const char *const ends[] = {"endset", NULL};
    if (!targets(b, &node->first)) return false;
    if (builder_take(b, WORD_OPERATOR, ".")) {
        node->left = builder_make(b, NODE_ATTRIBUTE);
        if (!node->left || !(node->left->name = builder_take_name(b))) return false;
        node->left->left = node->first;
    }
    if (builder_take(b, WORD_OPERATOR, "="))
        return (node->right = builder_expression(b)) && close_block(b);
    node->kind = NODE_SET_BLOCK;
    if (!close_block(b) || !body(b, ends, &node->body)) return false;
    enter(b);
    return close_block(b);
}

static bool macro_statement(struct builder *b, struct node *node) {
    static const char *const ends[] = {"endmacro", NULL};
    struct node **last = &node->first;
    if (!(node->name = builder_take_name(b)) || !builder_expect(b, "(")) return false;
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
    if (!close_block(b) || !body(b, ends, &node->body)) return false;
    enter(b);
    return close_block(b);
}

static bool generation_statement(struct builder *b, struct node *node) {
    static const char *const ends[] = {"endgeneration", NULL};
    if (!close_block(b) || !body(b, ends, &node->body)) return false;
    enter(b);
    return close_block(b);
}

static bool jump_statement(struct builder *b, struct node *node) {
    (void)node;
    return close_block(b);
}

static bool statement(struct builder *b, struct node **made) {
    static const struct {
        const char *name;
        enum node_kind kind;
        bool (*build)(struct builder *, struct node *);
    } rows[] = {{"if", NODE_IF, if_statement}, {"for", NODE_FOR, for_statement},
        {"set", NODE_SET, set_statement}, {"macro", NODE_MACRO, macro_statement},
        {"generation", NODE_BLOCK, generation_statement}, {"break", NODE_BREAK, jump_statement},
        {"continue", NODE_CONTINUE, jump_statement}};
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
    if (!(node->left = builder_expression(b))) return false;
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
    struct builder builder = {arena, error, words, 0};
    return body(&builder, none, statements);
}
