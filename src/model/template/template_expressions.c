// From words to expressions, by recursive descent. Precedence, from loose to tight, is Jinja's:
// if-else, or, and, not, comparisons, + -, ~, * / // %, **, then | is, a sign, and . [] ().
#include "model/template/template_builder.h"
#include <ctype.h>
#include <errno.h>
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

static struct node *string_literal(struct builder *b) {
    struct text_builder text = {0};
    struct node *node = builder_make(b, NODE_LITERAL);
    // Strings side by side are one, as in Python.
    for (; node && b->word->kind == WORD_STRING; b->word++)
        if (!builder_string(b, &text)) return NULL;
    if (node) node->literal = text_value(&text);
    return node;
}

static struct node *number_literal(struct builder *b) {
    char digits[40], *end;
    size_t length = 0;
    struct node *node = builder_make(b, NODE_LITERAL);
    for (size_t i = 0; i < b->word->length && length < sizeof digits - 1; i++)
        if (b->word->text[i] != '_') digits[length++] = b->word->text[i];
    digits[length] = 0;
    bool prefixed = length > 2 && digits[0] == '0' && isalpha((unsigned char)digits[1]);
    bool real = !prefixed && strpbrk(digits, ".eE");
    int base = !prefixed ? 10 : strchr("xX", digits[1]) ? 16 : strchr("oO", digits[1]) ? 8 : 2;
    errno = 0;
    if (!node) return NULL;
    if (real)
        node->literal = value_real(strtod(digits, &end));
    else
        node->literal = value_integer(strtoll(digits + (prefixed ? 2 : 0), &end, base));
    if (length == sizeof digits - 1 || errno || *end) {
        builder_fault(b, "a number that is too long, or none");
        return NULL;
    }
    b->word++;
    return node;
}

static bool is_named_argument(const struct builder *b) {
    return b->word->kind == WORD_NAME && b->word[1].kind == WORD_OPERATOR &&
           b->word[1].length == 1 && *b->word[1].text == '=';
}

// Items up to `closing`, with names where `named`.
static bool arguments(struct builder *b, const char *closing, bool named, struct node **list) {
    struct node **last = list;
    while (!builder_is_operator(b, closing)) {
        const char *name = NULL;
        if (named && (builder_is_operator(b, "*") || builder_is_operator(b, "**")))
            return builder_fault(b, "arguments that are unpacked");
        if (named && is_named_argument(b)) {
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

bool builder_arguments(struct builder *b, struct node **list) {
    return arguments(b, ")", true, list);
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

static struct node *condition_of(struct builder *b);

static bool ends_tuple(const struct builder *b) {
    return b->word->kind == WORD_BLOCK_CLOSE || b->word->kind == WORD_OUTPUT_CLOSE ||
           builder_is_operator(b, ")") || builder_is_operator(b, "=") ||
           builder_is_name(b, "recursive") || builder_is_name(b, "if");
}

struct node *builder_tuple(struct builder *b, bool conditional) {
    struct node *(*const part)(struct builder *) = conditional ? builder_expression : condition_of;
    struct node *first = part(b);
    if (!first || !builder_is_operator(b, ",")) return first;
    struct node *tuple = builder_make(b, NODE_TUPLE), *item = builder_make(b, NODE_ARGUMENT);
    if (!tuple || !item) return NULL;
    item->left = first;
    tuple->first = item;
    while (builder_take(b, WORD_OPERATOR, ",") && !ends_tuple(b)) {
        item->next = builder_make(b, NODE_ARGUMENT);
        item = item->next;
        if (!item || !(item->left = part(b))) return NULL;
    }
    return tuple;
}

// ( a ), or a tuple ( a, b ).
static struct node *parenthesis(struct builder *b) {
    b->word++;
    if (builder_take(b, WORD_OPERATOR, ")")) return builder_make(b, NODE_TUPLE);
    struct node *inside = builder_tuple(b, true);
    return inside && builder_expect(b, ")") ? inside : NULL;
}

static void note_use(struct builder *b, const char *name) {
    for (struct node *macro = b->macro; macro; macro = macro->third) {
        macro->takes_more |= !strcmp(name, "varargs");
        macro->takes_named |= !strcmp(name, "kwargs");
        macro->takes_caller |= !strcmp(name, "caller");
    }
}

static struct node *name_or_constant(struct builder *b) {
    static const struct {
        const char *name;
        enum value_kind kind;
        bool boolean;
    } constants[] = {{"true", VALUE_BOOLEAN, true}, {"True", VALUE_BOOLEAN, true},
        {"false", VALUE_BOOLEAN, false}, {"False", VALUE_BOOLEAN, false},
        {"none", VALUE_NONE, false}, {"None", VALUE_NONE, false}};
    struct node *node = builder_make(b, NODE_NAME);
    if (!node || !(node->name = builder_take_name(b))) return NULL;
    note_use(b, node->name);
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!strcmp(node->name, constants[i].name)) {
            node->kind = NODE_LITERAL;
            node->literal = constants[i].kind == VALUE_BOOLEAN ? value_boolean(constants[i].boolean)
                                                               : value_none();
        }
    return node;
}

static struct node *primary(struct builder *b) {
    if (b->word->kind == WORD_STRING) return string_literal(b);
    if (b->word->kind == WORD_NUMBER) return number_literal(b);
    if (builder_is_operator(b, "[")) return list_literal(b);
    if (builder_is_operator(b, "{")) return map_literal(b);
    if (builder_is_operator(b, "(")) return parenthesis(b);
    return name_or_constant(b);
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

static struct node *attribute(struct builder *b, struct node *left) {
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
    return node;
}

static struct node *call(struct builder *b, struct node *left) {
    struct node *node = builder_make(b, NODE_CALL);
    b->word++;
    if (!node || !builder_arguments(b, &node->first)) return NULL;
    node->left = left;
    return node;
}

// .name, [index] and (arguments) behind a value.
static struct node *postfix(struct builder *b, struct node *left) {
    while (left)
        if (builder_is_operator(b, "."))
            left = attribute(b, left);
        else if (builder_is_operator(b, "["))
            left = subscript(b, left);
        else if (builder_is_operator(b, "("))
            left = call(b, left);
        else
            break;
    return left;
}

static struct node *filter(struct builder *b, struct node *left) {
    struct node *node = builder_make(b, NODE_FILTER);
    if (!node || !(node->name = builder_take_name(b))) return NULL;
    node->left = left;
    if (builder_take(b, WORD_OPERATOR, "(") && !builder_arguments(b, &node->first)) return NULL;
    return node;
}

struct node *builder_filters(struct builder *b, struct node *left) {
    do
        left = filter(b, left);
    while (left && builder_take(b, WORD_OPERATOR, "|"));
    return left;
}

static bool begins_argument(const struct builder *b) {
    static const char *const others[] = {"and", "or", "not", "if", "else", "is", "in", "recursive"};
    if (b->word->kind == WORD_STRING || b->word->kind == WORD_NUMBER ||
        builder_is_operator(b, "[") || builder_is_operator(b, "{"))
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
        if (!builder_arguments(b, &node->first)) return NULL;
    } else if (begins_argument(b)) { // "x is divisibleby 3"
        node->first = builder_make(b, NODE_ARGUMENT);
        if (!node->first || !(node->first->left = postfix(b, primary(b)))) return NULL;
    }
    if (negated) negated->left = node;
    return negated ? negated : node;
}

// Filters and tests, and calls of what they give.
static struct node *filters_and_tests(struct builder *b, struct node *left) {
    while (left)
        if (builder_take(b, WORD_OPERATOR, "|"))
            left = filter(b, left);
        else if (builder_is_name(b, "is"))
            left = test(b, left);
        else if (builder_is_operator(b, "("))
            left = call(b, left);
        else
            break;
    return left;
}

struct operator_row {
    const char *text;
    enum operation operation;
};

static struct node *binary(
    struct builder *b, struct node *left, enum operation operation, struct node *right) {
    struct node *node = right ? builder_make(b, NODE_BINARY) : NULL;
    if (!node) return NULL;
    node->left = left;
    node->right = right;
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
        left = binary(b, left, rows[i].operation, operand(b));
        i = 0;
    }
    return left;
}

static struct node *nested(struct builder *b, struct node *(*part)(struct builder *)) {
    if (b->depth++ > BUILDER_MAX_DEPTH) {
        builder_fault(b, "an expression that is nested too deep");
        return NULL;
    }
    struct node *node = part(b);
    b->depth--;
    return node;
}

// A sign binds looser than . [ ] ( ) and tighter than filters, which only the outermost takes.
static struct node *signed_value(struct builder *b) {
    bool minus = builder_is_operator(b, "-");
    if (!minus && !builder_is_operator(b, "+")) return postfix(b, primary(b));
    struct node *node = builder_make(b, minus ? NODE_NEGATIVE : NODE_POSITIVE);
    b->word++;
    return node && (node->left = nested(b, signed_value)) ? postfix(b, node) : NULL;
}

static struct node *unary(struct builder *b) {
    return filters_and_tests(b, signed_value(b));
}

static struct node *power(struct builder *b) {
    static const struct operator_row rows[] = {{"**", OP_POWER}};
    return level(b, unary, rows, 1);
}

static struct node *product(struct builder *b) {
    static const struct operator_row rows[] = {
        {"*", OP_MULTIPLY}, {"/", OP_DIVIDE}, {"//", OP_FLOOR_DIVIDE}, {"%", OP_REMAINDER}};
    return level(b, power, rows, 4);
}

static struct node *concatenation(struct builder *b) {
    static const struct operator_row rows[] = {{"~", OP_CONCATENATE}};
    return level(b, product, rows, 1);
}

static struct node *sum(struct builder *b) {
    static const struct operator_row rows[] = {{"+", OP_ADD}, {"-", OP_SUBTRACT}};
    return level(b, concatenation, rows, 2);
}

// Goes behind a sign of comparison, if there is one.
static bool take_comparison(struct builder *b, enum operation *operation) {
    static const struct operator_row rows[] = {{"==", OP_EQUAL}, {"!=", OP_NOT_EQUAL},
        {"<", OP_LESS}, {"<=", OP_LESS_EQUAL}, {">", OP_GREATER}, {">=", OP_GREATER_EQUAL}};
    struct builder next = *b;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (builder_take(b, WORD_OPERATOR, rows[i].text)) {
            *operation = rows[i].operation;
            return true;
        }
    bool negated = builder_take(&next, WORD_NAME, "not");
    if (!builder_take(&next, WORD_NAME, "in")) return false;
    *operation = negated ? OP_NOT_IN : OP_IN;
    b->word = next.word;
    return true;
}

static struct node *both(struct builder *b, struct node *left, struct node *right) {
    struct node *node = right ? builder_make(b, NODE_AND) : NULL;
    if (!node) return NULL;
    node->left = left;
    node->right = right;
    return node;
}

// a < b < c is a < b and b < c.
static struct node *comparison(struct builder *b) {
    struct node *left = sum(b), *whole = left;
    enum operation operation;
    for (bool chained = false; whole && take_comparison(b, &operation); chained = true) {
        struct node *right = sum(b), *one = right ? binary(b, left, operation, right) : NULL;
        whole = chained ? both(b, whole, one) : one;
        left = right;
    }
    return whole;
}

static struct node *negation(struct builder *b) {
    if (!builder_is_name(b, "not")) return comparison(b);
    struct node *node = builder_make(b, NODE_NOT);
    b->word++;
    return node && (node->left = nested(b, negation)) ? node : NULL;
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

// Without an "if … else" of its own.
static struct node *condition_of(struct builder *b) {
    return logic(b, "or", NODE_OR, conjunction);
}

static struct node *conditional(struct builder *b) {
    struct node *left = condition_of(b);
    while (left && builder_take(b, WORD_NAME, "if")) {
        struct node *node = builder_make(b, NODE_CONDITIONAL);
        if (!node || !(node->condition = condition_of(b))) return NULL;
        node->left = left;
        if (builder_take(b, WORD_NAME, "else") && !(node->right = nested(b, conditional)))
            return NULL;
        left = node;
    }
    return left;
}

struct node *builder_expression(struct builder *b) {
    return nested(b, conditional);
}
