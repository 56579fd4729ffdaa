// Cutting a template into words. The whitespace rules are those of transformers' Jinja environment:
// trim_blocks (the newline behind a block tag goes), lstrip_blocks (spaces before a block tag that
// is first on its line go), and one newline at the very end goes.
#include "model/template/template_syntax.h"
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
        while (end > c->at && isspace((unsigned char)c->source[end - 1]))
            end--;
        return end;
    }
    if (c->source[tag + 1] == '{') return end;
    while (end > c->at && (c->source[end - 1] == ' ' || c->source[end - 1] == '\t'))
        end--;
    bool first_on_line = end > c->at ? c->source[end - 1] == '\n' : c->line_start;
    return first_on_line ? end : tag;
}

// Goes behind a tag's end, `closing` of which is at hand, and takes the whitespace behind it.
static void close_tag(struct cutter *c, bool strip, bool output) {
    size_t at = c->at + 2;
    if (strip)
        while (at < c->length && isspace((unsigned char)c->source[at]))
            at++;
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
    bool strip = c->source[at - 1] == '-';
    advance(c, at);
    close_tag(c, strip, false);
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

static bool cut_word(struct cutter *c) {
    static const char *const pairs[] = {"==", "!=", "<=", ">=", "//", "**"};
    const char *text = c->source + c->at;
    size_t size = 0, left = c->length - c->at;
    if (isalpha((unsigned char)*text) || *text == '_') {
        while (size < left && (isalnum((unsigned char)text[size]) || text[size] == '_'))
            size++;
        c->at += size;
        return add(c, WORD_NAME, text, size);
    }
    if (isdigit((unsigned char)*text)) {
        while (size < left && isdigit((unsigned char)text[size]))
            size++;
        if (size + 1 < left && text[size] == '.' && isdigit((unsigned char)text[size + 1]))
            for (size++; size < left && isdigit((unsigned char)text[size]);)
                size++;
        c->at += size;
        return add(c, WORD_NUMBER, text, size);
    }
    size = 1;
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

static bool cut_tag(struct cutter *c) {
    char kind = c->source[c->at + 1];
    if (kind == '#') return cut_comment(c);
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
