// "%s" % values, "{}".format(values), and what else makes a text from a pattern.
#include "model/template/template_format.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WIDTH = 1000, MAX_PRECISION = 100 };

// One %…x.
struct conversion {
    bool left, zeros, plus, space;
    int64_t width, precision; // precision below 0: none
    char letter;
};

static bool append(struct run *run, struct text_builder *built, const char *bytes, size_t length) {
    return text_append_bytes(&run->arena, built, bytes, length, false, run->error);
}

// Reads behind the %; *at goes behind the letter.
static bool read_conversion(
    struct run *run, const struct value_string *text, size_t *at, struct conversion *conversion) {
    *conversion = (struct conversion){.precision = -1};
    for (; *at < text->length && strchr("-0+ ", text->bytes[*at]) && text->bytes[*at]; ++*at) {
        conversion->left |= text->bytes[*at] == '-';
        conversion->zeros |= text->bytes[*at] == '0';
        conversion->plus |= text->bytes[*at] == '+';
        conversion->space |= text->bytes[*at] == ' ';
    }
    for (; *at < text->length && isdigit((unsigned char)text->bytes[*at]); ++*at)
        if ((conversion->width = conversion->width * 10 + text->bytes[*at] - '0') > MAX_WIDTH)
            return run_fault(run, "a width above %d", MAX_WIDTH);
    if (*at < text->length && text->bytes[*at] == '.')
        for (conversion->precision = 0, ++*at;
             *at < text->length && isdigit((unsigned char)text->bytes[*at]); ++*at) {
            conversion->precision = conversion->precision * 10 + text->bytes[*at] - '0';
            if (conversion->precision > MAX_PRECISION)
                return run_fault(run, "a precision above %d", MAX_PRECISION);
        }
    if (*at >= text->length) return run_fault(run, "a %% that nothing stands behind");
    conversion->letter = text->bytes[(*at)++];
    return strchr("sdifeEgGxXr", conversion->letter) != NULL ||
           run_fault(run, "a conversion %%%c that this program does not know", conversion->letter);
}

static bool write_padded(struct run *run, const struct conversion *conversion,
    const struct value *text, struct text_builder *built) {
    size_t length;
    if (!run_length(run, text, &length)) return false;
    int64_t spaces = conversion->width - (int64_t)length;
    for (int side = 0; side < 2; side++) {
        if (side && !text_append(&run->arena, built, &text->string, run->error)) return false;
        for (int64_t i = 0; (side != 0) == conversion->left && i < spaces; i++)
            if (!append(run, built, " ", 1)) return false;
    }
    return true;
}

static bool write_text(struct run *run, const struct conversion *conversion,
    const struct value *value, struct text_builder *built) {
    struct text_builder whole = {0};
    struct value text = *value;
    if (conversion->letter == 'r' || value->kind != VALUE_STRING) {
        bool ok = conversion->letter == 'r'
                      ? value_write_repr(&run->arena, value, &whole, run->error)
                      : value_write(&run->arena, value, &whole, run->error);
        if (!ok) return false;
        text = text_value(&whole);
    }
    if (conversion->precision >= 0) return run_fault(run, "a precision for a text");
    return write_padded(run, conversion, &text, built);
}

static bool write_number(struct run *run, const struct conversion *conversion,
    const struct value *value, struct text_builder *built) {
    char pattern[16], digits[512];
    bool real = strchr("feEgG", conversion->letter) != NULL;
    if (!value_is_number(value))
        return run_fault(run, "%%%c of %s", conversion->letter, run_describe(run, value));
    if (!real && value->kind == VALUE_REAL && !(value->real < 9e18 && value->real > -9e18))
        return run_fault(run, "a number that is too large");
    int64_t whole = value->kind == VALUE_REAL      ? (int64_t)value->real
                    : value->kind == VALUE_INTEGER ? value->integer
                                                   : value->boolean;
    if (strchr("xX", conversion->letter) && (whole < 0 || value->kind == VALUE_REAL))
        return run_fault(run, "%%x of a number below 0, or of a fraction");
    char letter = conversion->letter == 'i' ? 'd' : conversion->letter;
    snprintf(pattern, sizeof pattern, "%%%s%s%s%s*.*%s%c", conversion->left ? "-" : "",
        conversion->zeros ? "0" : "", conversion->plus ? "+" : "", conversion->space ? " " : "",
        real ? "" : "ll", letter);
    int width = (int)conversion->width, precision = (int)conversion->precision, length;
    if (width > 400) return run_fault(run, "a width above 400 for a number");
    if (real)
        length = snprintf(digits, sizeof digits, pattern, width, precision, value_number(value));
    else
        length = snprintf(digits, sizeof digits, pattern, width, precision, (long long)whole);
    if (length < 0 || (size_t)length >= sizeof digits)
        return run_fault(run, "a number that is too long");
    return append(run, built, digits, (size_t)length);
}

// The next value for a conversion, or the one of the name in %(name)s.
static bool next_value(struct run *run, const struct value_string *text, size_t *at,
    const struct arguments *values, size_t *used, const struct value **value) {
    if (*at < text->length && text->bytes[*at] == '(') {
        const char *from = text->bytes + *at + 1, *to = memchr(from, ')', text->length - *at - 1);
        *value = NULL;
        for (size_t i = values->count; to && i < values->count + values->named; i++)
            if (strlen(values->names[i]) == (size_t)(to - from) &&
                !memcmp(values->names[i], from, (size_t)(to - from)))
                *value = &values->values[i];
        struct value key = {
            .kind = VALUE_STRING, .string = {from, NULL, to ? (size_t)(to - from) : 0, false}};
        if (!*value && to && values->count == 1 && values->values[0].kind == VALUE_MAP)
            *value = value_get(values->values[0].map, &key);
        *at = to ? (size_t)(to - text->bytes) + 1 : text->length;
        return *value || run_fault(run, "%%(…) names no value");
    }
    *value = *used < values->count ? &values->values[*used] : NULL;
    ++*used;
    return *value || run_fault(run, "fewer values than %% asks for");
}

bool template_percent(struct run *run, const struct value *format, const struct arguments *values,
    struct value *result) {
    const struct value_string *text = &format->string;
    struct text_builder built = {0};
    size_t used = 0, from = 0;
    for (size_t at = 0; at < text->length;) {
        if (text->bytes[at] != '%') {
            at++;
            continue;
        }
        struct value piece = value_slice_text(format, from, at++);
        struct conversion conversion;
        const struct value *value;
        if (!text_append(&run->arena, &built, &piece.string, run->error)) return false;
        from = at;
        if (at < text->length && text->bytes[at] == '%') { // the second stays
            at++;
            continue;
        }
        if (!next_value(run, text, &at, values, &used, &value) ||
            !read_conversion(run, text, &at, &conversion))
            return false;
        bool plain = conversion.letter == 's' || conversion.letter == 'r';
        if (!(plain ? write_text(run, &conversion, value, &built)
                    : write_number(run, &conversion, value, &built)))
            return false;
        from = at;
    }
    struct value rest = value_slice_text(format, from, text->length);
    // Python takes a list for a mapping here.
    bool map =
        values->count == 1 &&
        (values->values[0].kind == VALUE_MAP ||
            (values->values[0].kind == VALUE_LIST && values->values[0].list->kind < LIST_VIEW));
    if (!values->named && !map && used < values->count)
        return run_fault(run, "more values than %% asks for");
    if (!text_append(&run->arena, &built, &rest.string, run->error)) return false;
    *result = text_value(&built);
    return true;
}

bool template_format_filter(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    struct value text;
    return run_text(run, value, &text) && template_percent(run, &text, arguments, result);
}

// The value for what stands between { and }: nothing, a number or a name.
static const struct value *field(
    const struct arguments *arguments, const char *name, size_t length, size_t *used) {
    size_t index = 0, digits = 0;
    if (!length) return *used < arguments->count ? &arguments->values[(*used)++] : NULL;
    while (digits < length && digits < 4 && isdigit((unsigned char)name[digits]))
        index = index * 10 + (size_t)(name[digits++] - '0');
    if (digits == length) return index < arguments->count ? &arguments->values[index] : NULL;
    for (size_t i = arguments->count; i < arguments->count + arguments->named; i++)
        if (strlen(arguments->names[i]) == length && !memcmp(arguments->names[i], name, length))
            return &arguments->values[i];
    return NULL;
}

bool template_format_method(struct run *run, const struct value *value,
    const struct arguments *arguments, struct value *result) {
    const struct value_string *text = &value->string;
    struct text_builder built = {0};
    size_t used = 0;
    for (size_t at = 0; at < text->length; at++) {
        struct value one = value_slice_text(value, at, at + 1);
        char sign = text->bytes[at];
        if (sign != '{' && sign != '}') {
            if (!text_append(&run->arena, &built, &one.string, run->error)) return false;
            continue;
        }
        if (at + 1 < text->length && text->bytes[at + 1] == sign) {
            at++;
            if (!text_append(&run->arena, &built, &one.string, run->error)) return false;
            continue;
        }
        const char *from = text->bytes + at + 1, *to = memchr(from, '}', text->length - at - 1);
        if (sign == '}' || !to) return run_fault(run, "format: a bracket without its other");
        const struct value *given = field(arguments, from, (size_t)(to - from), &used);
        if (!given) return run_fault(run, "format: no value for {%.*s}", (int)(to - from), from);
        if (!value_write(&run->arena, given, &built, run->error)) return false;
        at = (size_t)(to - text->bytes);
    }
    *result = text_value(&built);
    return true;
}
