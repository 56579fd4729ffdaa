// A template's run: what evaluating its tree and its built-in filters, tests and methods share.
#ifndef MODEL_TEMPLATE_RUN_H
#define MODEL_TEMPLATE_RUN_H

#include "model/template/template_syntax.h"

struct binding {
    const char *name;
    struct value value;
    struct binding *next;
};

// Names of one scope: the template's, an iteration's, a block's or a macro's. They live in the
// arena, since macros keep the scope that they were made in.
struct frame {
    struct binding *bindings;
    struct frame *parent;
};

// What the name "loop" stands for.
struct loop_state {
    const struct value_list *items;
    size_t index;
    int depth;               // from 0
    const struct node *node; // the {% for %}
    struct frame *frame;     // around it
    struct value changed;    // what loop.changed() was given last; undefined: nothing yet
};

enum jump { JUMP_NONE, JUMP_BREAK, JUMP_CONTINUE };

struct run {
    struct arena arena;
    struct error *error;
    struct frame *frame;
    struct text_builder output;
    enum jump jump;
    int depth;
    int line;
    int64_t now; // what strftime_now tells, in seconds of a clock on the wall
};

enum { MAX_ARGUMENTS = 24, MAX_PARAMETERS = 5 };

struct arguments {
    size_t count; // in order; names are NULL for these
    size_t named;
    const char *names[MAX_ARGUMENTS];
    struct value values[MAX_ARGUMENTS]; // first those in order, then those with names
    // By the parameters of the row that is called; NULL where one was not given.
    const struct value *given[MAX_PARAMETERS];
};

// Sets the error, with the line at work. Returns false.
bool run_fault(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

// What a value is, for a fault: "a string", or what is missing, by its name.
const char *run_describe(struct run *run, const struct value *value);

bool run_bind(
    struct run *run, struct frame *frame, const char *name, const struct value *value) WARN_UNUSED;
struct frame *run_new_frame(struct run *run, struct frame *parent);

bool run_evaluate(struct run *run, const struct node *node, struct value *result) WARN_UNUSED;

// Runs statements.
bool run_execute(struct run *run, const struct node *list) WARN_UNUSED;

// Runs statements with their own output, which becomes a string.
bool run_capture(struct run *run, const struct node *body, struct value *result) WARN_UNUSED;

// loop(items): runs a recursive {% for %} again, and gives what it wrote.
bool run_loop_again(struct run *run, const struct loop_state *loop, const struct value *items,
    struct value *result) WARN_UNUSED;

// What a `for` goes over, as a list: items, keys or characters. Uses up what can be gone over once.
bool run_items(struct run *run, const struct value *value, struct value *list) WARN_UNUSED;

// The value as a string, as {{ }} would write it.
bool run_text(struct run *run, const struct value *value, struct value *text) WARN_UNUSED;

// How many characters, items or members.
bool run_length(struct run *run, const struct value *value, size_t *length) WARN_UNUSED;

bool run_equal(
    struct run *run, const struct value *left, const struct value *right, bool *equal) WARN_UNUSED;

// Below 0, 0 or above; a fault where the two have no order.
bool run_compare(
    struct run *run, const struct value *left, const struct value *right, int *order) WARN_UNUSED;

bool run_contains(struct run *run, const struct value *inside, const struct value *value,
    bool *found) WARN_UNUSED;

// False, with the error set, where the value cannot be looked up among keys: lists and mappings.
bool run_need_key(struct run *run, const struct value *value) WARN_UNUSED;

// value.name and value[key], as Jinja finds them.
bool run_attribute(
    struct run *run, const struct value *value, const char *name, struct value *result) WARN_UNUSED;
bool run_index(struct run *run, const struct value *value, const struct value *key,
    struct value *result) WARN_UNUSED;
bool run_slice(struct run *run, const struct node *node, struct value *result) WARN_UNUSED;

// The items of a list from..to, a string's characters as strings.
struct value value_slice_text(const struct value *string, size_t from, size_t to);

bool template_operate(struct run *run, enum operation operation, const struct value *left,
    const struct value *right, struct value *result) WARN_UNUSED;

// "%s and %d" % values.
bool template_percent(struct run *run, const struct value *format, const struct arguments *values,
    struct value *result) WARN_UNUSED;

// text & < > " ' as HTML has them.
bool template_escape(struct run *run, const struct value *text, struct value *result) WARN_UNUSED;

// ---- what can be called by name ----

typedef bool (*template_callable)(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result);

struct template_row {
    const char *name;
    template_callable call;
    const char *parameters; // their names, with spaces between; NULL: the callee sorts them out
    size_t least;           // of them must be given
};

extern const struct template_row template_string_methods[], template_list_methods[],
    template_map_methods[], template_filters[], template_list_filters[], template_loop_methods[];

// The row of that name in a table that ends with a row without one; NULL if there is none.
const struct template_row *template_find(const struct template_row *rows, const char *name);

// The method that a value has under this name, NULL if none.
const struct template_row *template_method_row(const struct value *value, const char *name);

bool template_call_row(struct run *run, const struct template_row *row, const struct value *value,
    struct arguments *arguments, struct value *result) WARN_UNUSED;

bool template_filter(struct run *run, const char *name, const struct value *value,
    struct arguments *arguments, struct value *result) WARN_UNUSED;
bool template_test(struct run *run, const char *name, const struct value *value,
    const struct arguments *arguments, bool *result) WARN_UNUSED;

// Functions known by name, as values: VALUE_UNDEFINED where there is none.
struct value template_function(const char *name);
bool template_call_function(
    struct run *run, int function, struct arguments *arguments, struct value *result) WARN_UNUSED;

// False, with the error set, where `value` (NULL: not given) is not of that kind.
bool run_need(struct run *run, const struct value *value, enum value_kind kind, const char *what);

// An integer that may be absent (or none): `otherwise` then.
bool run_integer(struct run *run, const struct value *value, int64_t otherwise, int64_t *integer,
    const char *what) WARN_UNUSED;

#endif
