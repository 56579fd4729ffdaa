// A template's run: what evaluating its tree and its built-in filters, tests and methods share.
#ifndef MODEL_TEMPLATE_RUN_H
#define MODEL_TEMPLATE_RUN_H

#include "model/template/template_syntax.h"

struct binding {
    const char *name;
    struct value value;
    struct binding *next;
};

// Names of one scope: the template's, an iteration's or a macro's.
struct frame {
    struct binding *bindings;
    struct frame *parent;
};

enum jump { JUMP_NONE, JUMP_BREAK, JUMP_CONTINUE };

struct run {
    struct arena arena;
    struct error *error;
    struct frame *frame;
    struct frame *outermost;
    struct text_builder output;
    enum jump jump;
    uint64_t steps;
    int depth;
    int line;
    int64_t now; // 0: the template is told of no date
};

enum { MAX_ARGUMENTS = 16 };

struct arguments {
    size_t count; // in order; names are NULL for these
    size_t named;
    const char *names[MAX_ARGUMENTS];
    struct value values[MAX_ARGUMENTS]; // first those in order, then those with names
};

// The argument at `index`, or called `name` (may be NULL); NULL where it was not given.
const struct value *argument(const struct arguments *arguments, size_t index, const char *name);

// Sets the error, with the line at work. Returns false.
bool run_fault(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

// What a `for` goes over, as a list: items, keys or characters.
bool run_items(struct run *run, const struct value *value, struct value *list) WARN_UNUSED;

// The value as a string, as {{ }} would write it.
bool run_text(struct run *run, const struct value *value, struct value *text) WARN_UNUSED;

struct value value_slice_text(const struct value *string, size_t from, size_t to);

// What stands at a name or a key: undefined where nothing does.
struct value run_member(const struct value *value, const char *name);

bool template_operate(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) WARN_UNUSED;

// False, with the error set, where `value` (NULL: not given) is not of that kind.
bool run_need(struct run *run, const struct value *value, enum value_kind kind, const char *what);

bool template_filter(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, struct value *result) WARN_UNUSED;
bool template_test(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, bool *result) WARN_UNUSED;
bool template_method(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, struct value *result) WARN_UNUSED;

// Functions known by name, as values: VALUE_UNDEFINED where there is none.
struct value template_function(const struct run *run, const char *name);
bool template_call_function(struct run *run, int function, const struct arguments *arguments,
    struct value *result) WARN_UNUSED;

#endif
