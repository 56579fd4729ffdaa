// What parsing expressions and parsing statements share.
#ifndef MODEL_TEMPLATE_BUILDER_H
#define MODEL_TEMPLATE_BUILDER_H

#include "model/template/template_syntax.h"

enum { BUILDER_MAX_DEPTH = 120 };

struct builder {
    struct arena *arena;
    struct error *error;
    const struct word *word;
    int depth;
    int loops;          // around the word at hand, in this macro
    struct node *macro; // around it, or NULL
};

// Each returns false or NULL after a fault, which is then in builder->error.
bool builder_fault(struct builder *b, const char *what);
bool builder_is(const struct builder *b, enum word_kind kind, const char *text);
bool builder_is_operator(const struct builder *b, const char *text);
bool builder_is_name(const struct builder *b, const char *text);
bool builder_take(struct builder *b, enum word_kind kind, const char *text);
bool builder_expect(struct builder *b, const char *text);
struct node *builder_make(struct builder *b, enum node_kind kind);
const char *builder_take_name(struct builder *b);
struct node *builder_expression(struct builder *b);

// A single expression, or several with commas between, which make a tuple. `conditional`: they may
// have an "if … else" of their own.
struct node *builder_tuple(struct builder *b, bool conditional);

// Arguments up to the closing bracket, whose opening one is taken.
bool builder_arguments(struct builder *b, struct node **list);

// A chain of filters, the first of them at hand, on `left`.
struct node *builder_filters(struct builder *b, struct node *left);

// Digits and escapes: what stands in a string's quotes, appended to the text.
bool builder_string(struct builder *b, struct text_builder *text);

#endif
