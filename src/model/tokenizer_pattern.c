// Patterns of tokenizer.json. They are Oniguruma's; PCRE2 runs those that mean the same to both,
// and what does not is refused by name. `\s` is written out, as PCRE2's holds one character more,
// and properties get the characters that PCRE2's version of Unicode may not have.
#include "model/tokenizer_internal.h"
#include "model/unicode.h"

#define SPACES                                                                                     \
    "\\t-\\r\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"   \
    "\\x{3000}"

const char split_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

#define WORDS(digits)                                                                              \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                           \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

// Patterns that match all of any text: their words follow one another.
static const struct {
    const char *pattern;
    enum finder finder;
    size_t most_digits;
} known[] = {
    {split_gpt2_pattern, FIND_GPT2_WORDS, 0},
    {WORDS("\\p{N}{1,3}"), FIND_WORDS, 3},
    {WORDS("\\p{N}"), FIND_WORDS, 1},
};

enum { MAX_PATTERN = 4096 };

struct translation {
    const char *at;
    struct buffer *to;
    bool in_class;
    struct error *error;
};

static bool refuse(struct translation *t, const char *what, size_t length) {
    return error_set(t->error, ERROR_UNSUPPORTED,
        "tokenizer.json: '%.*s' in the pre_tokenizer's pattern is not supported", (int)length,
        what);
}

// \p{L}, and \d as \p{Nd}.
static void put_property(struct translation *t, const char *name, size_t length, bool negated) {
    const char *ranges = unicode_newer_ranges(name, length);
    if (!t->in_class) buffer_append_text(t->to, negated ? "[^" : "[");
    buffer_append_format(t->to, "\\%c{%.*s}%s", negated && t->in_class ? 'P' : 'p', (int)length,
        name, negated && t->in_class ? "" : ranges);
    if (!t->in_class) buffer_append_text(t->to, "]");
}

static bool translate_escape(struct translation *t) {
    char kind = t->at[1];
    if (!kind || (!strchr("pPsSrntfvdDx", kind) &&
                     ((kind >= '0' && kind <= '9') || (kind >= 'a' && kind <= 'z') ||
                         (kind >= 'A' && kind <= 'Z') || (uint8_t)kind >= 0x80)))
        return refuse(t, t->at, 2);
    const char *brace =
        (kind == 'p' || kind == 'P' || kind == 'x') && t->at[2] == '{' ? strchr(t->at, '}') : NULL;
    size_t length = brace ? (size_t)(brace - t->at) + 1 : 2;
    if (kind == 's')
        buffer_append_text(t->to, t->in_class ? SPACES : "[" SPACES "]");
    else if (kind == 'S' && !t->in_class)
        buffer_append_text(t->to, "[^" SPACES "]");
    else if (brace && kind != 'x' && t->at[3] != '^')
        put_property(t, t->at + 3, length - 4, kind == 'P');
    else if (kind == 'd' || kind == 'D')
        put_property(t, "Nd", 2, kind == 'D');
    else if (kind == 'v')
        buffer_append_text(t->to, "\\x0b");
    else
        buffer_append(t->to, t->at, length);
    t->at += length;
    return true;
}

// What stands for something else in Oniguruma's syntax.
static size_t foreign(const struct translation *t) {
    static const char *const in_classes[] = {"[", "&&"};
    static const char *const outside[] = {"^", "$", "}+", "(?#", "(?R", "(*", "(?&", "(?P", "(?~"};
    const char *const *list = t->in_class ? in_classes : outside;
    size_t count = t->in_class ? 2 : sizeof outside / sizeof *outside;
    for (size_t i = 0; i < count; i++)
        if (!strncmp(t->at, list[i], strlen(list[i]))) return strlen(list[i]);
    return 0;
}

static bool translate_one(struct translation *t) {
    size_t strange;
    if (*t->at == '\\') return translate_escape(t);
    if ((strange = foreign(t))) return refuse(t, t->at, strange);
    if (t->in_class) {
        if (*t->at == ']') t->in_class = false;
    } else if (*t->at == '[') {
        t->in_class = true;
        buffer_append_char(t->to, *t->at++);
        if (*t->at == '^') buffer_append_char(t->to, *t->at++);
        if (*t->at == ']') return refuse(t, "[]", 2);
        return true;
    }
    buffer_append_char(t->to, *t->at++);
    return true;
}

static bool compile(struct pre_tokenizer *pre, const char *pattern, struct error *error) {
    int code;
    size_t where;
    pre->pattern = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
        PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &where,
        NULL);
    if (!pre->pattern) {
        char reason[128];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
        return error_set(error, ERROR_UNSUPPORTED,
            "tokenizer.json: the pre_tokenizer's pattern, at %zu: %s", where, reason);
    }
    pcre2_jit_compile(pre->pattern, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
    return true;
}

static bool set_foreign(struct pre_tokenizer *pre, const char *pattern, struct error *error) {
    struct buffer translated;
    buffer_init(&translated, 1 << 20);
    struct translation t = {pattern, &translated, false, error};
    bool ok = true;
    while (ok && *t.at)
        ok = translate_one(&t);
    ok = ok && buffer_ok(&translated, "a pattern", error) &&
         compile(pre, buffer_text(&translated), error);
    buffer_free(&translated);
    return ok;
}

bool split_pattern_set(struct pre_tokenizer *pre, const char *pattern, struct error *error) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(pattern, known[i].pattern)) {
            pre->finder = known[i].finder;
            pre->most_digits = known[i].most_digits;
            return true;
        }
    pre->finder = FIND_PATTERN;
    if (strlen(pattern) > MAX_PATTERN)
        return error_set(error, ERROR_UNSUPPORTED,
            "tokenizer.json: a pre_tokenizer's pattern of more than %d bytes", MAX_PATTERN);
    return set_foreign(pre, pattern, error);
}
