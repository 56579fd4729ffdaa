// A template as words and as a tree.
#ifndef MODEL_TEMPLATE_SYNTAX_H
#define MODEL_TEMPLATE_SYNTAX_H

#include "model/template/template_value.h"

// ---- words ----

enum word_kind {
    WORD_TEXT, // between tags
    WORD_OUTPUT_OPEN,
    WORD_OUTPUT_CLOSE,
    WORD_BLOCK_OPEN,
    WORD_BLOCK_CLOSE,
    WORD_NAME,
    WORD_STRING, // text is what stands between the quotes
    WORD_NUMBER,
    WORD_OPERATOR,
    WORD_END,
};

struct word {
    enum word_kind kind;
    int line;
    const char *text; // in the source
    size_t length;
};

// Cuts a source into words; the last is WORD_END.
bool template_cut(struct arena *arena, const char *source, size_t length, struct word **words,
    struct error *error) WARN_UNUSED;

// ---- the tree ----

enum node_kind {
    // expressions
    NODE_LITERAL,   // literal
    NODE_NAME,      // name
    NODE_LIST,      // first: items
    NODE_TUPLE,     // first: items
    NODE_MAP,       // first: key, value, key, value …
    NODE_ATTRIBUTE, // left . name
    NODE_INDEX,     // left [ right ]
    NODE_SLICE,     // left [ first : second : third ], each may be NODE_NOTHING
    NODE_NOTHING,
    NODE_CALL,     // left ( first … )
    NODE_FILTER,   // left | name ( first … )
    NODE_TEST,     // left is name ( first … )
    NODE_NOT,      // not left
    NODE_NEGATIVE, // - left
    NODE_POSITIVE, // + left
    NODE_AND,
    NODE_OR,
    NODE_BINARY,      // left op right
    NODE_CONDITIONAL, // left if condition else right
    NODE_ARGUMENT,    // left, with name if it was named
    // statements
    NODE_TEXT,         // literal
    NODE_OUTPUT,       // left
    NODE_IF,           // condition, first: body, second: else
    NODE_FOR,          // first: target, right: over, condition (or NULL), body, second: else
    NODE_SET,          // first: target = right
    NODE_SET_BLOCK,    // first: target, right (or NULL): filters on NAME_OF_CAPTURED, body
    NODE_WITH,         // first: NODE_SETs, body
    NODE_SCOPE,        // body: {% generation %}
    NODE_FILTER_BLOCK, // right: filters on NAME_OF_CAPTURED, body
    NODE_MACRO,        // name, first: NODE_ARGUMENT parameters with defaults, body; third: the
                       // macro around it
    NODE_CALL_BLOCK,   // left: a call, right: a NODE_MACRO, its caller()
    NODE_BREAK,
    NODE_CONTINUE,
};

// What a filter of a block is given: a name that no template can write.
#define NAME_OF_CAPTURED " captured"

enum operation {
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_FLOOR_DIVIDE,
    OP_REMAINDER,
    OP_POWER,
    OP_CONCATENATE,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IN,
    OP_NOT_IN,
};

struct node {
    enum node_kind kind;
    enum operation operation;
    int line;
    bool recursive;                             // of a NODE_FOR: loop() runs it again
    bool takes_more, takes_named, takes_caller; // of a NODE_MACRO: varargs, kwargs, caller
    const char *name;
    struct value literal;
    struct node *left, *right, *condition, *first, *second, *third, *body;
    struct node *next; // in the list that this node is part of
};

// Parses words into a list of statements.
bool template_build(struct arena *arena, const struct word *words, struct node **statements,
    struct error *error) WARN_UNUSED;

#endif
