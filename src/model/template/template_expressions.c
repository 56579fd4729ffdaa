// From words to expressions, by recursive descent. Precedence, from loose to tight, is Jinja's:
// if-else, or, and, not, comparisons, + -, ~, * / // %, unary -, **, then . [] () | is.
#include "model/template/template_builder.h"
#include <stdlib.h>
#include <string.h>

bool builder_fault(struct builder *b, const char *what) {
    const struct word *w = b->word;
    int length = w->length < 40 ? (int)w->length : 40;
    return error_set(b->error, ERROR_UNSUPPORTED, "chat template, line %d: %s, at \"%.*s\"",
        w->line, what, length, w->text);
}

bool builder_is(const struct builder *b, enum word_kind kind, const char *text) {
    return b->word->kind == kind && b->word->length == strlen(text) &&
           !memcmp(b->word->text, text, b->word->length);
}

bool builder_is_operator(const struct builder *b, const char *text) {
    return builder_is(b, WORD_OPERATOR, text);
}

bool builder_is_name(const struct builder *b, const char *text) {
    return builder_is(b, WORD_NAME, text);
}

bool builder_take(struct builder *b, enum word_kind kind, const char *text) {
    if (!builder_is(b, kind, text)) return false;
    b->word++;
    return true;
}

bool builder_expect(struct builder *b, const char *text) {
    if (builder_take(b, WORD_OPERATOR, text)) return true;
    char what[32] = "expected ";
    strcat(what, text);
    return builder_fault(b, what);
}

struct node *builder_make(struct builder *b, enum node_kind kind) {
    struct node *node = arena_take(b->arena, sizeof *node, b->error);
    if (node) {
        node->kind = kind;
        node->line = b->word->line;
    }
    return node;
}

const char *builder_take_name(struct builder *b) {
    if (b->word->kind != WORD_NAME) {
        builder_fault(b, "expected a name");
        return NULL;
    }
    char *name = arena_take(b->arena, b->word->length + 1, b->error);
    if (name) {
        memcpy(name, b->word->text, b->word->length);
        b->word++;
    }
    return name;
}

// ---- expressions; each returns NULL after a fault ----

static struct node *unary(struct builder *b);

static struct node *string_literal(struct builder *b) {
    static const char escapes[] = "nrtbf", meanings[] = "\n\r\t\b\f";
    struct text_builder text = {0};
    struct node *node = builder_make(b, NODE_LITERAL);
    // Strings side by side are one, as in Python.
    for (; node && b->word->kind == WORD_STRING; b->word++)
        for (size_t i = 0; i < b->word->length; i++) {
            char byte = b->word->text[i];
            if (byte == '\\' && i + 1 < b->word->length) {
                byte = b->word->text[++i];
                const char *escape = strchr(escapes, byte);
                if (escape)
                    byte = meanings[escape - escapes];
                else if (!strchr("\\'\"\n", byte)) {
                    builder_fault(b, "an escape in a string that this program does not know");
                    return NULL;
                } else if (byte == '\n')
                    continue;
            }
            if (!text_append_bytes(b->arena, &text, &byte, 1, false, b->error)) return NULL;
        }
    if (node) node->literal = text_value(&text);
    return node;
}

static struct node *number_literal(struct builder *b) {
    char digits[40];
    struct node *node = builder_make(b, NODE_LITERAL);
    if (!node) return NULL;
    if (b->word->length >= 18) {
        builder_fault(b, "a number that is too long");
        return NULL;
    }
    memcpy(digits, b->word->text, b->word->length);
    digits[b->word->length] = 0;
    if (strchr(digits, '.'))
        node->literal = (struct value){.kind = VALUE_REAL, .real = strtod(digits, NULL)};
    else
        node->literal = value_integer(strtoll(digits, NULL, 10));
    b->word++;
    return node;
}

// Items up to `closing`, with names where `named`.
static bool arguments(struct builder *b, const char *closing, bool named, struct node **list) {
    struct node **last = list;
    while (!builder_is_operator(b, closing)) {
        const char *name = NULL;
        if (named && b->word->kind == WORD_NAME && b->word[1].kind == WORD_OPERATOR &&
            b->word[1].length == 1 && *b->word[1].text == '=') {
            name = builder_take_name(b);
            b->word++;
            if (!name) return false;
        }
        struct node *node = builder_make(b, NODE_ARGUMENT);
        if (!node || !(node->left = builder_expression(b))) return false;
        node->name = name;
        *last = node;
        last = &node->next;
        if (!builder_take(b, WORD_OPERATOR, ",") && !builder_is_operator(b, closing))
            return builder_fault(b, "expected , or a closing bracket");
    }
    b->word++;
    return true;
}

static struct node *list_literal(struct builder *b) {
    struct node *node = builder_make(b, NODE_LIST);
    b->word++;
    return node && arguments(b, "]", false, &node->first) ? node : NULL;
}

static struct node *map_literal(struct builder *b) {
    struct node *node = builder_make(b, NODE_MAP), **last = node ? &node->first : NULL;
    for (b->word++; node && !builder_is_operator(b, "}");) {
        struct node *key = builder_expression(b);
        struct node *value = key && builder_expect(b, ":") ? builder_expression(b) : NULL;
        if (!value || (!builder_take(b, WORD_OPERATOR, ",") && !builder_is_operator(b, "}") &&
                          !builder_expect(b, "}")))
            return NULL;
        // A key may be a node of a list already; what holds key and value is fresh.
        struct node *pair = builder_make(b, NODE_ARGUMENT);
        if (!pair) return NULL;
        pair->left = key;
        pair->right = value;
        *last = pair;
        last = &pair->next;
    }
    b->word++;
    return node;
}

// ( a ) or a tuple ( a, b ), which is a list here.
static struct node *parenthesis(struct builder *b) {
    b->word++;
    struct node *list = builder_make(b, NODE_LIST);
    if (!list) return NULL;
    if (builder_take(b, WORD_OPERATOR, ")")) return list;
    struct node *first = builder_expression(b);
    if (!first || builder_is_operator(b, ")")) {
        b->word += first != NULL;
        return first;
    }
    struct node *item = builder_make(b, NODE_ARGUMENT);
    if (!item || !builder_expect(b, ",") || !arguments(b, ")", false, &item->next)) return NULL;
    item->left = first;
    list->first = item;
    return list;
}

static struct node *primary(struct builder *b) {
    static const struct {
        const char *name;
        enum value_kind kind;
        bool boolean;
    } constants[] = {{"true", VALUE_BOOLEAN, true}, {"True", VALUE_BOOLEAN, true},
        {"false", VALUE_BOOLEAN, false}, {"False", VALUE_BOOLEAN, false},
        {"none", VALUE_NONE, false}, {"None", VALUE_NONE, false}};
    if (b->word->kind == WORD_STRING) return string_literal(b);
    if (b->word->kind == WORD_NUMBER) return number_literal(b);
    if (builder_is_operator(b, "[")) return list_literal(b);
    if (builder_is_operator(b, "{")) return map_literal(b);
    if (builder_is_operator(b, "(")) return parenthesis(b);
    struct node *node = builder_make(b, NODE_NAME);
    if (!node || !(node->name = builder_take_name(b))) return NULL;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!strcmp(node->name, constants[i].name)) {
            node->kind = NODE_LITERAL;
            node->literal = constants[i].kind == VALUE_BOOLEAN ? value_boolean(constants[i].boolean)
                                                               : value_none();
        }
    return node;
}

static struct node *subscript_part(struct builder *b) {
    if (builder_is_operator(b, ":") || builder_is_operator(b, "]"))
        return builder_make(b, NODE_NOTHING);
    return builder_expression(b);
}

static struct node *subscript(struct builder *b, struct node *left) {
    struct node *node = builder_make(b, NODE_INDEX);
    b->word++;
    if (!node || !(node->first = subscript_part(b))) return NULL;
    node->left = left;
    if (!builder_is_operator(b, ":")) {
        node->right = node->first;
        return node->right->kind != NODE_NOTHING ? (builder_expect(b, "]") ? node : NULL)
                                                 : (builder_fault(b, "expected an index"), NULL);
    }
    node->kind = NODE_SLICE;
    b->word++;
    node->second = subscript_part(b);
    if (node->second && builder_is_operator(b, ":")) b->word++;
    node->third = node->second ? subscript_part(b) : NULL;
    return node->third && builder_expect(b, "]") ? node : NULL;
}

static struct node *filter(struct builder *b, struct node *left) {
    struct node *node = builder_make(b, NODE_FILTER);
    b->word++;
    if (!node || !(node->name = builder_take_name(b))) return NULL;
    node->left = left;
    if (builder_take(b, WORD_OPERATOR, "(") && !arguments(b, ")", true, &node->first)) return NULL;
    return node;
}

static bool begins_argument(const struct builder *b) {
    static const char *const others[] = {"and", "or", "not", "if", "else", "is", "in"};
    if (b->word->kind == WORD_STRING || b->word->kind == WORD_NUMBER || builder_is_operator(b, "["))
        return true;
    if (b->word->kind != WORD_NAME) return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (builder_is_name(b, others[i])) return false;
    return true;
}

static struct node *test(struct builder *b, struct node *left) {
    b->word++;
    struct node *negated = builder_is_name(b, "not") ? builder_make(b, NODE_NOT) : NULL;
    b->word += negated != NULL;
    struct node *node = builder_make(b, NODE_TEST);
    if (!node || !(node->name = builder_take_name(b))) return NULL;
    node->left = left;
    if (builder_take(b, WORD_OPERATOR, "(")) {
        if (!arguments(b, ")", true, &node->first)) return NULL;
    } else if (begins_argument(b)) { // "x is divisibleby 3"
        node->first = builder_make(b, NODE_ARGUMENT);
        if (!node->first || !(node->first->left = primary(b))) return NULL;
    }
    if (negated) negated->left = node;
    return negated ? negated : node;
}

static struct node *postfix(struct builder *b) {
    struct node *left = primary(b);
    while (left) {
        if (builder_is_operator(b, ".")) {
            struct node *node = builder_make(b, NODE_ATTRIBUTE);
            b->word++;
            if (node && b->word->kind == WORD_NUMBER) { // Jinja's other spelling of [0]
                node->kind = NODE_INDEX;
                node->right = number_literal(b);
            } else if (node) {
                node->name = builder_take_name(b);
            }
            if (!node || (!node->right && !node->name)) return NULL;
            node->left = left;
            left = node;
        } else if (builder_is_operator(b, "[")) {
            left = subscript(b, left);
        } else if (builder_is_operator(b, "(")) {
            struct node *node = builder_make(b, NODE_CALL);
            b->word++;
            if (!node || !arguments(b, ")", true, &node->first)) return NULL;
            node->left = left;
            left = node;
        } else if (builder_is_operator(b, "|")) {
            left = filter(b, left);
        } else if (builder_is_name(b, "is")) {
            left = test(b, left);
        } else {
            break;
        }
    }
    return left;
}

struct operator_row {
    const char *text;
    enum operation operation;
};

static struct node *binary(struct builder *b, struct node *left, enum operation operation,
    struct node *(*operand)(struct builder *)) {
    struct node *node = builder_make(b, NODE_BINARY);
    if (!node || !(node->right = operand(b))) return NULL;
    node->left = left;
    node->operation = operation;
    return node;
}

static struct node *level(struct builder *b, struct node *(*operand)(struct builder *),
    const struct operator_row *rows, size_t count) {
    struct node *left = operand(b);
    for (size_t i = 0; left && i < count;) {
        if (!builder_is_operator(b, rows[i].text)) {
            i++;
            continue;
        }
        b->word++;
        left = binary(b, left, rows[i].operation, operand);
        i = 0;
    }
    return left;
}

static struct node *power(struct builder *b) {
    static const struct operator_row rows[] = {{"**", OP_POWER}};
    return level(b, postfix, rows, 1);
}

static struct node *unary(struct builder *b) {
    if (builder_is_operator(b, "+")) {
        b->word++;
        return unary(b);
    }
    if (!builder_is_operator(b, "-")) return power(b);
    struct node *node = builder_make(b, NODE_NEGATIVE);
    b->word++;
    if (b->depth++ > BUILDER_MAX_DEPTH) {
        builder_fault(b, "an expression that is nested too deep");
        return NULL;
    }
    bool ok = node && (node->left = unary(b));
    b->depth--;
    return ok ? node : NULL;
}

static struct node *product(struct builder *b) {
    static const struct operator_row rows[] = {
        {"*", OP_MULTIPLY}, {"/", OP_DIVIDE}, {"//", OP_FLOOR_DIVIDE}, {"%", OP_REMAINDER}};
    return level(b, unary, rows, 4);
}

static struct node *concatenation(struct builder *b) {
    static const struct operator_row rows[] = {{"~", OP_CONCATENATE}};
    return level(b, product, rows, 1);
}

static struct node *sum(struct builder *b) {
    static const struct operator_row rows[] = {{"+", OP_ADD}, {"-", OP_SUBTRACT}};
    return level(b, concatenation, rows, 2);
}

static struct node *comparison(struct builder *b) {
    static const struct operator_row rows[] = {{"==", OP_EQUAL}, {"!=", OP_NOT_EQUAL},
        {"<", OP_LESS}, {"<=", OP_LESS_EQUAL}, {">", OP_GREATER}, {">=", OP_GREATER_EQUAL}};
    struct node *left = level(b, sum, rows, 6);
    while (left) {
        bool negated = builder_is_name(b, "not") && b->word[1].kind == WORD_NAME &&
                       b->word[1].length == 2 && !memcmp(b->word[1].text, "in", 2);
        if (!negated && !builder_is_name(b, "in")) break;
        b->word += negated ? 2 : 1;
        left = binary(b, left, negated ? OP_NOT_IN : OP_IN, sum);
    }
    return left;
}

static struct node *negation(struct builder *b) {
    if (!builder_is_name(b, "not")) return comparison(b);
    struct node *node = builder_make(b, NODE_NOT);
    b->word++;
    if (b->depth++ > BUILDER_MAX_DEPTH) {
        builder_fault(b, "an expression that is nested too deep");
        return NULL;
    }
    bool ok = node && (node->left = negation(b));
    b->depth--;
    return ok ? node : NULL;
}

static struct node *logic(struct builder *b, const char *name, enum node_kind kind,
    struct node *(*operand)(struct builder *)) {
    struct node *left = operand(b);
    while (left && builder_take(b, WORD_NAME, name)) {
        struct node *node = builder_make(b, kind);
        if (!node || !(node->right = operand(b))) return NULL;
        node->left = left;
        left = node;
    }
    return left;
}

static struct node *conjunction(struct builder *b) {
    return logic(b, "and", NODE_AND, negation);
}

struct node *builder_disjunction(struct builder *b) {
    return logic(b, "or", NODE_OR, conjunction);
}

static struct node *conditional(struct builder *b) {
    struct node *left = builder_disjunction(b);
    while (left && builder_take(b, WORD_NAME, "if")) {
        struct node *node = builder_make(b, NODE_CONDITIONAL);
        if (!node || !(node->condition = builder_disjunction(b))) return NULL;
        node->left = left;
        if (builder_take(b, WORD_NAME, "else") && !(node->right = conditional(b))) return NULL;
        left = node;
    }
    return left;
}

struct node *builder_expression(struct builder *b) {
    if (b->depth++ > BUILDER_MAX_DEPTH) {
        builder_fault(b, "an expression that is nested too deep");
        return NULL;
    }
    struct node *node = conditional(b);
    b->depth--;
    return node;
}
