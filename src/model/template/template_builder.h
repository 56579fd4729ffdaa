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

// Without an "if … else" of its own.
struct node *builder_disjunction(struct builder *b);

#endif
