// Cutting a template into words. The whitespace rules are those of transformers' Jinja environment:
// trim_blocks (the newline behind a block tag goes), lstrip_blocks (spaces before a block tag that
// is first on its line go), and one newline at the very end goes. The source has no newlines but
// "\n".
#include "model/template/template_syntax.h"
#include "model/template/template_unicode.h"
#include <ctype.h>
#include <string.h>

enum { MAX_BRACKETS = 64 };

struct cutter {
    struct arena *arena;
    struct error *error;
    const char *source;
    size_t length;
    size_t at;
    int line;
    struct word *words;
    size_t count;
    size_t capacity;
    bool line_start; // what stands at `at` begins a line
};

static bool add(struct cutter *c, enum word_kind kind, const char *text, size_t length) {
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? c->capacity * 2 : 256;
        struct word *grown = arena_take(c->arena, capacity * sizeof *grown, c->error);
        if (!grown) return false;
        if (c->count) memcpy(grown, c->words, c->count * sizeof *grown);
        c->words = grown;
        c->capacity = capacity;
    }
    c->words[c->count++] = (struct word){kind, c->line, text, length};
    return true;
}

static bool fault(struct cutter *c, const char *what) {
    return error_set(c->error, ERROR_INVALID, "chat template, line %d: %s", c->line, what);
}

static void advance(struct cutter *c, size_t to) {
    for (; c->at < to; c->at++)
        c->line += c->source[c->at] == '\n';
}

static bool is_at(const struct cutter *c, size_t at, const char *text) {
    size_t size = strlen(text);
    return at + size <= c->length && !memcmp(c->source + at, text, size);
}

// Where the next tag begins, or the end.
static size_t find_tag(const struct cutter *c) {
    for (size_t at = c->at; at + 1 < c->length; at++)
        if (c->source[at] == '{' && memchr("{%#", c->source[at + 1], 3)) return at;
    return c->length;
}

// Where the text before a tag ends, once the whitespace that the tag takes away is gone.
static size_t text_end(const struct cutter *c, size_t tag) {
    size_t end = tag;
    char sign = tag + 2 < c->length ? c->source[tag + 2] : 0;
    if (tag == c->length || sign == '+') return end;
    if (sign == '-') {
        for (size_t size = 1; size && end > c->at; end -= size)
            size = unicode_space_length_before(c->source + c->at, end - c->at);
        return end;
    }
    if (c->source[tag + 1] == '{') return end;
    while (end > c->at && c->source[end - 1] != '\n' && isspace((unsigned char)c->source[end - 1]))
        end--;
    bool first_on_line = end > c->at ? c->source[end - 1] == '\n' : c->line_start;
    return first_on_line ? end : tag;
}

// Goes behind a tag's end, `closing` of which is at hand, and takes the whitespace behind it.
static void close_tag(struct cutter *c, bool strip, bool output) {
    size_t at = c->at + 2;
    if (strip)
        for (size_t size = 1; size; at += size)
            size = unicode_space_length(c->source + at, c->length - at);
    else if (!output && at < c->length && c->source[at] == '\n')
        at++;
    advance(c, at);
    c->line_start = at > 0 && c->source[at - 1] == '\n';
}

static bool cut_comment(struct cutter *c) {
    size_t at = c->at + 2;
    while (at < c->length && !is_at(c, at, "#}"))
        at++;
    if (at >= c->length) return fault(c, "a comment {# has no end");
    size_t inside = c->at + 2 + (c->source[c->at + 2] == '-' || c->source[c->at + 2] == '+');
    char sign = at > inside ? c->source[at - 1] : 0;
    advance(c, at);
    close_tag(c, sign == '-', sign == '+');
    return true;
}

static bool cut_string(struct cutter *c) {
    char quote = c->source[c->at];
    size_t at = c->at + 1;
    while (at < c->length && c->source[at] != quote)
        at += c->source[at] == '\\' ? 2 : 1;
    if (at >= c->length) return fault(c, "a string has no end");
    bool ok = add(c, WORD_STRING, c->source + c->at + 1, at - c->at - 1);
    advance(c, at + 1);
    return ok;
}

// Bytes of digits (or of a name's characters) from `at` on.
static size_t run_of(const struct cutter *c, size_t at, bool name) {
    size_t from = at;
    while (
        at < c->length && (c->source[at] == '_' || (name ? isalnum((unsigned char)c->source[at])
                                                         : isdigit((unsigned char)c->source[at]))))
        at++;
    return at - from;
}

static bool is_digit(const struct cutter *c, size_t at) {
    return at < c->length && isdigit((unsigned char)c->source[at]);
}

// "1_000", "1.5", "2e-3", "0x1f".
static size_t number_length(const struct cutter *c) {
    size_t at = c->at;
    if (c->source[at] == '0' && at + 1 < c->length && strchr("xXoObB", c->source[at + 1]))
        return 2 + run_of(c, at + 2, true);
    at += run_of(c, at, false);
    if (at < c->length && c->source[at] == '.' && is_digit(c, at + 1))
        at += 1 + run_of(c, at + 1, false);
    if (at < c->length && (c->source[at] == 'e' || c->source[at] == 'E')) {
        bool sign = at + 1 < c->length && strchr("+-", c->source[at + 1]);
        if (is_digit(c, at + 1 + sign)) at += 1 + sign + run_of(c, at + 1 + sign, false);
    }
    return at - c->at;
}

static bool cut_word(struct cutter *c) {
    static const char *const pairs[] = {"==", "!=", "<=", ">=", "//", "**"};
    const char *text = c->source + c->at;
    bool name = isalpha((unsigned char)*text) || *text == '_', number = is_digit(c, c->at);
    if (name || number) {
        size_t length = name ? run_of(c, c->at, true) : number_length(c);
        c->at += length;
        return add(c, name ? WORD_NAME : WORD_NUMBER, text, length);
    }
    size_t size = 1;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (is_at(c, c->at, pairs[i])) size = 2;
    if (!memchr("+-*/%~<>=!()[]{},:.|", *text, 20))
        return fault(c, "a character that no template has");
    c->at += size;
    return add(c, WORD_OPERATOR, text, size);
}

// The inside of {{ }} or {% %}. Closing signs inside brackets belong to the expression.
static bool cut_inside(struct cutter *c, bool output) {
    const char *closing = output ? "}}" : "%}";
    int depth = 0;
    for (;;) {
        while (c->at < c->length && isspace((unsigned char)c->source[c->at]))
            advance(c, c->at + 1);
        if (c->at >= c->length) return fault(c, "a tag has no end");
        char sign = c->source[c->at];
        bool signs = (sign == '-' || sign == '+') && is_at(c, c->at + 1, closing);
        if (!depth && (signs || is_at(c, c->at, closing))) {
            c->at += signs;
            bool ok = add(c, output ? WORD_OUTPUT_CLOSE : WORD_BLOCK_CLOSE, c->source + c->at, 2);
            close_tag(c, signs && sign == '-', output || signs);
            return ok;
        }
        depth += strchr("([{", sign) != NULL;
        depth -= strchr(")]}", sign) != NULL;
        if (depth < 0 || depth > MAX_BRACKETS) return fault(c, "brackets do not match");
        if (!(sign == '"' || sign == '\'' ? cut_string(c) : cut_word(c))) return false;
    }
}

// At "{% raw %}" (or endraw): where that tag ends, with what its signs take away; 0 if it is none.
static size_t raw_tag(
    const struct cutter *c, size_t at, const char *name, bool *strip, bool *keep) {
    size_t length = strlen(name);
    if (!is_at(c, at, "{%")) return 0;
    at += 2 + (at + 2 < c->length && strchr("-+", c->source[at + 2]) != NULL);
    while (at < c->length && isspace((unsigned char)c->source[at]))
        at++;
    if (!is_at(c, at, name)) return 0;
    for (at += length; at < c->length && isspace((unsigned char)c->source[at]);)
        at++;
    *strip = is_at(c, at, "-%}");
    *keep = is_at(c, at, "+%}");
    at += *strip || *keep;
    return is_at(c, at, "%}") ? at : 0;
}

// Text up to the tag that ends it, whatever it looks like.
static bool cut_raw(struct cutter *c, size_t opening, bool strip, bool keep) {
    advance(c, opening);
    close_tag(c, strip, keep);
    size_t closing = c->at, end = 0;
    for (; closing < c->length; closing++)
        if ((end = raw_tag(c, closing, "endraw", &strip, &keep))) break;
    if (!end) return fault(c, "{% endraw %} is missing");
    size_t to = text_end(c, closing);
    if (to > c->at && !add(c, WORD_TEXT, c->source + c->at, to - c->at)) return false;
    advance(c, end);
    close_tag(c, strip, keep);
    return true;
}

static bool cut_tag(struct cutter *c) {
    char kind = c->source[c->at + 1];
    bool strip, keep;
    if (kind == '#') return cut_comment(c);
    size_t raw = raw_tag(c, c->at, "raw", &strip, &keep);
    if (raw) return cut_raw(c, raw, strip, keep);
    bool output = kind == '{';
    if (!add(c, output ? WORD_OUTPUT_OPEN : WORD_BLOCK_OPEN, c->source + c->at, 2)) return false;
    c->at += 2;
    if (c->at < c->length && (c->source[c->at] == '-' || c->source[c->at] == '+')) c->at++;
    return cut_inside(c, output);
}

bool template_cut(struct arena *arena, const char *source, size_t length, struct word **words,
    struct error *error) {
    struct cutter c = {.arena = arena,
        .error = error,
        .source = source,
        .length = length,
        .line = 1,
        .line_start = true};
    if (memchr(source, 0, length)) return fault(&c, "a NUL byte");
    if (c.length && source[c.length - 1] == '\n') c.length--;
    while (c.at < c.length) {
        size_t tag = find_tag(&c), end = text_end(&c, tag);
        if (end > c.at && !add(&c, WORD_TEXT, source + c.at, end - c.at)) return false;
        advance(&c, tag);
        if (tag < c.length && !cut_tag(&c)) return false;
    }
    bool ok = add(&c, WORD_END, source + length, 0);
    *words = c.words;
    return ok;
}
