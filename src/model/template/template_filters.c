// Filters, and how rows of the tables are called: their arguments are sorted by the parameters that
// the row names; what fits none is refused.
#include "model/template/template_format.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLABLE(name)                                                                             \
    static bool name(struct run *run, const struct value *value,                                   \
        const struct arguments *arguments, struct value *result)

// ---- calling ----

const struct template_row *template_find(const struct template_row *rows, const char *name) {
    for (; rows->name; rows++)
        if (!strcmp(rows->name, name)) return rows;
    return NULL;
}

const struct template_row *template_method_row(const struct value *value, const char *name) {
    if (value->kind == VALUE_STRING) return template_find(template_string_methods, name);
    if (value->kind == VALUE_LOOP) return template_find(template_loop_methods, name);
    if (value->kind == VALUE_MAP && !value->map->namespace)
        return template_find(template_map_methods, name);
    if (value->kind == VALUE_LIST && value->list->kind < LIST_RANGE)
        return template_find(template_list_methods, name);
    return NULL;
}

// The place of a parameter called `name` in "one two three"; SIZE_MAX if it is none.
static size_t parameter_place(const char *parameters, const char *name) {
    size_t length = strlen(name), place = 0;
    for (const char *at = parameters; *at; place++) {
        size_t size = strcspn(at, " ");
        if (size == length && !memcmp(at, name, length)) return place;
        at += size + (at[size] == ' ');
    }
    return SIZE_MAX;
}

static size_t parameter_count(const char *parameters) {
    size_t count = *parameters != 0;
    for (; *parameters; parameters++)
        count += *parameters == ' ';
    return count;
}

static bool sort_arguments(
    struct run *run, const struct template_row *row, struct arguments *arguments) {
    memset(arguments->given, 0, sizeof arguments->given);
    if (arguments->count > parameter_count(row->parameters))
        return run_fault(run, "%s with too many arguments", row->name);
    for (size_t i = 0; i < arguments->count + arguments->named; i++) {
        size_t place =
            i < arguments->count ? i : parameter_place(row->parameters, arguments->names[i]);
        if (place == SIZE_MAX)
            return run_fault(
                run, "%s takes no argument \"%s\" here", row->name, arguments->names[i]);
        arguments->given[place] = &arguments->values[i];
    }
    for (size_t i = 0; i < row->least; i++)
        if (!arguments->given[i]) return run_fault(run, "%s with too few arguments", row->name);
    return true;
}

bool template_call_row(struct run *run, const struct template_row *row, const struct value *value,
    struct arguments *arguments, struct value *result) {
    size_t bytes = value->kind == VALUE_STRING ? value->string.length : 0;
    if (!arena_work_bytes(&run->arena, bytes, run->error)) return false;
    if (row->parameters && !sort_arguments(run, row, arguments)) return false;
    return row->call(run, value, arguments, result);
}

// ---- text ----

CALLABLE(call_string) {
    (void)arguments;
    return run_text(run, value, result);
}

CALLABLE(call_safe) {
    (void)arguments;
    if (!run_text(run, value, result)) return false;
    result->string.markup = true;
    return true;
}

CALLABLE(call_forceescape) {
    (void)arguments;
    return template_escape(run, value, result);
}

CALLABLE(call_escape) {
    bool done = value->kind == VALUE_STRING && value->string.markup;
    *result = *value;
    return done || call_forceescape(run, value, arguments, result);
}

// The replace filter takes anything for a text.
CALLABLE(call_replace) {
    struct arguments texts = *arguments;
    struct value old, new;
    if (!run_text(run, arguments->given[0], &old) || !run_text(run, arguments->given[1], &new))
        return false;
    texts.given[0] = &old;
    texts.given[1] = &new;
    return template_replace(run, value, &texts, result);
}

CALLABLE(call_indent) {
    const struct value *width = arguments->given[0], *first = arguments->given[1],
                       *blank = arguments->given[2];
    struct value spaces = value_text("    "), text, lines;
    struct text_builder built = {0}, ended = {0};
    int64_t count = 4;
    if (width && width->kind == VALUE_STRING)
        spaces = *width;
    else if (!run_integer(run, width, 4, &count, "indent"))
        return false;
    if (count < 0 || count > 64) return run_fault(run, "indent takes 0 to 64 spaces");
    static const char many[] = "                                                                ";
    if (!width || width->kind != VALUE_STRING)
        spaces.string = (struct value_string){many, NULL, (size_t)count, false};
    if (!run_need(run, value, VALUE_STRING, "indent") || !run_text(run, value, &text) ||
        !text_append(&run->arena, &ended, &text.string, run->error) ||
        !text_append_bytes(&run->arena, &ended, "\n", 1, false, run->error))
        return false;
    struct value whole = text_value(&ended);
    if (!template_lines(run, &whole, false, &lines)) return false;
    for (size_t i = 0; i < lines.list->count; i++) {
        const struct value_string *line = &lines.list->items[i].string;
        bool indented =
            i ? line->length || (blank && value_true(blank)) : first && value_true(first);
        if ((i && !text_append_bytes(&run->arena, &built, "\n", 1, false, run->error)) ||
            (indented && !text_append(&run->arena, &built, &spaces.string, run->error)) ||
            !text_append(&run->arena, &built, line, run->error))
            return false;
    }
    *result = text_value(&built);
    return true;
}

CALLABLE(call_wordcount) {
    struct value text;
    int64_t count = 0;
    bool inside = false;
    (void)arguments;
    if (!run_text(run, value, &text)) return false;
    for (size_t i = 0; i < text.string.length; i++) {
        unsigned char byte = (unsigned char)text.string.bytes[i];
        if (byte & 0x80) return run_fault(run, "wordcount of letters beyond ASCII");
        bool letter = isalnum(byte) || byte == '_';
        count += letter && !inside;
        inside = letter;
    }
    *result = value_integer(count);
    return true;
}

static bool separator(struct run *run, const struct value *pair, size_t index,
    const struct value_string *otherwise, struct value_string *part) {
    *part = *otherwise;
    if (!pair || pair->kind == VALUE_NONE) return true;
    if (pair->kind != VALUE_LIST || pair->list->count != 2 ||
        pair->list->items[index].kind != VALUE_STRING)
        return run_fault(run, "separators of tojson that are no two texts");
    *part = pair->list->items[index].string;
    return true;
}

// As transformers has it: json.dumps(x, ensure_ascii=False, indent=None, separators=None,
// sort_keys=False).
CALLABLE(call_tojson) {
    static const char spaces[] = "                                ";
    const struct value *ascii = arguments->given[0], *indent = arguments->given[1],
                       *separators = arguments->given[2], *sorted = arguments->given[3];
    struct text_builder built = {0};
    struct json_style style = {.ascii = ascii && value_true(ascii),
        .sorted = sorted && value_true(sorted),
        .lines = indent && indent->kind != VALUE_NONE};
    int64_t width = 0;
    if (indent && indent->kind == VALUE_STRING)
        style.indent = indent->string;
    else if (!run_integer(run, indent, 0, &width, "tojson"))
        return false;
    if (width > 32) return run_fault(run, "tojson with an indent above 32");
    if (width > 0) style.indent = (struct value_string){spaces, NULL, (size_t)width, false};
    struct value comma = value_text(style.lines ? "," : ", "), colon = value_text(": ");
    if (!separator(run, separators, 0, &comma.string, &style.between) ||
        !separator(run, separators, 1, &colon.string, &style.behind_keys) ||
        !value_write_json(&run->arena, value, &style, &built, run->error))
        return false;
    *result = text_value(&built);
    return true;
}

// ---- numbers ----

// A number as Python's int() and float() read it from a text, white space around it allowed.
static bool read_number(const struct value *value, bool whole, struct value *number) {
    char text[64], *end;
    size_t from = 0, to = value->string.length, length = 0;
    while (from < to && isspace((unsigned char)value->string.bytes[from]))
        from++;
    while (to > from && isspace((unsigned char)value->string.bytes[to - 1]))
        to--;
    if (from == to || to - from >= sizeof text) return false;
    for (; from < to; from++)
        if (value->string.bytes[from] != '_') text[length++] = value->string.bytes[from];
    text[length] = 0;
    if (strpbrk(text, "xXpP") || isspace((unsigned char)*text)) return false;
    *number = whole ? value_integer(strtoll(text, &end, 10)) : value_real(strtod(text, &end));
    return !*end && end != text;
}

CALLABLE(call_int) {
    const struct value *otherwise = arguments->given[0];
    struct value read, real;
    *result = otherwise ? *otherwise : value_integer(0);
    if (value->kind == VALUE_UNDEFINED) return run_fault(run, "int of something that is not there");
    if (value->kind == VALUE_INTEGER || value->kind == VALUE_BOOLEAN) {
        *result = value_integer(value->kind == VALUE_INTEGER ? value->integer : value->boolean);
        return true;
    }
    if (value->kind == VALUE_STRING && read_number(value, true, &read)) {
        *result = read;
        return true;
    }
    bool is_real = value->kind == VALUE_REAL ||
                   (value->kind == VALUE_STRING && read_number(value, false, &real));
    if (value->kind == VALUE_REAL) real = *value;
    if (is_real && real.real < 9e18 && real.real > -9e18)
        *result = value_integer((int64_t)real.real);
    return true;
}

CALLABLE(call_float) {
    const struct value *otherwise = arguments->given[0];
    struct value read;
    *result = otherwise ? *otherwise : value_real(0);
    if (value->kind == VALUE_UNDEFINED)
        return run_fault(run, "float of something that is not there");
    if (value_is_number(value)) *result = value_real(value_number(value));
    if (value->kind == VALUE_STRING && read_number(value, false, &read)) *result = read;
    return true;
}

CALLABLE(call_abs) {
    (void)arguments;
    if (!value_is_number(value)) return run_need(run, value, VALUE_INTEGER, "abs");
    if (value->kind == VALUE_REAL) {
        *result = value_real(fabs(value->real));
        return true;
    }
    struct value zero = value_integer(0);
    return template_operate(
        run, value_number(value) < 0 ? OP_SUBTRACT : OP_ADD, &zero, value, result);
}

CALLABLE(call_round) {
    const struct value *method = arguments->given[1];
    char text[400];
    int64_t digits;
    if (!run_integer(run, arguments->given[0], 0, &digits, "round")) return false;
    if (!value_is_number(value)) return run_need(run, value, VALUE_REAL, "round");
    if (digits < 0 || digits > 15) return run_fault(run, "round to 0 to 15 places only");
    double real = value_number(value), scale = pow(10, (double)digits);
    if (!method || value_is_text(method, "common")) {
        if (value->kind != VALUE_REAL) {
            *result = value_integer(value->kind == VALUE_INTEGER ? value->integer : value->boolean);
            return true;
        }
        snprintf(text, sizeof text, "%.*f", (int)digits, real);
        *result = value_real(strtod(text, NULL));
        return true;
    }
    bool up = value_is_text(method, "ceil");
    if (!up && !value_is_text(method, "floor"))
        return run_fault(run, "round by a method that it does not have");
    *result = value_real((up ? ceil(real * scale) : floor(real * scale)) / scale);
    return true;
}

// ---- others ----

CALLABLE(call_default) {
    const struct value *other = arguments->given[0], *falsy = arguments->given[1];
    bool missing =
        value->kind == VALUE_UNDEFINED || (falsy && value_true(falsy) && !value_true(value));
    (void)run;
    *result = !missing ? *value : other ? *other : value_text("");
    return true;
}

CALLABLE(call_length) {
    size_t length;
    (void)arguments;
    if (!run_length(run, value, &length)) return false;
    *result = value_integer((int64_t)length);
    return true;
}

const struct template_row template_filters[] = {{"trim", template_strip, "chars"},
    {"upper", template_upper, ""}, {"lower", template_lower, ""},
    {"capitalize", template_capitalize, ""}, {"title", template_title_filter, ""},
    {"center", template_center, "width"}, {"replace", call_replace, "old new count", 2},
    {"format", template_format_filter, NULL}, {"indent", call_indent, "width first blank"},
    {"string", call_string, ""}, {"safe", call_safe, ""}, {"e", call_escape, ""},
    {"escape", call_escape, ""}, {"forceescape", call_forceescape, ""},
    {"wordcount", call_wordcount, ""},
    {"tojson", call_tojson, "ensure_ascii indent separators sort_keys"},
    {"int", call_int, "default"}, {"float", call_float, "default"}, {"abs", call_abs, ""},
    {"round", call_round, "precision method"}, {"default", call_default, "default_value boolean"},
    {"d", call_default, "default_value boolean"}, {"length", call_length, ""},
    {"count", call_length, ""}, {0}};

bool template_filter(struct run *run, const char *name, const struct value *value,
    struct arguments *arguments, struct value *result) {
    const struct template_row *row = template_find(template_filters, name);
    if (!row) row = template_find(template_list_filters, name);
    if (!row) return run_fault(run, "the filter \"%s\" is not one that this program has", name);
    return template_call_row(run, row, value, arguments, result);
}
