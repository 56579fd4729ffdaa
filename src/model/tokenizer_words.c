// The patterns of GPT-2 and of Llama 3 and Qwen by hand: where the word ends that begins here. One
// look at each character, so that no text takes longer than its length.
//
// GPT-2:   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Llama 3: (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//           ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+          (Qwen: one digit each)
#include "model/tokenizer_internal.h"
#include "model/unicode.h"

enum { O = CHARACTER_OTHER, L = CHARACTER_LETTER, N = CHARACTER_NUMBER, S = CHARACTER_SPACE };

static const uint8_t ascii_classes[128] = {
    ['\t'] = S,
    ['\n'] = S,
    ['\v'] = S,
    ['\f'] = S,
    ['\r'] = S,
    [' '] = S,
    ['0'] = N,
    N,
    N,
    N,
    N,
    N,
    N,
    N,
    N,
    N,
    ['A'] = L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    ['a'] = L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
    L,
};

static inline unsigned class_at(const char *text, size_t length, size_t at, size_t *size) {
    uint8_t first = (uint8_t)text[at];
    *size = 1;
    if (first < 0x80) return ascii_classes[first];
    enum character_class found = unicode_class(unicode_character(text + at, length - at, size));
    return found == CHARACTER_DIGIT_ONLY ? O : found;
}

// Where the run of one class ends that reaches `at`, `most` characters at most.
static size_t run_end(const char *text, size_t length, size_t at, unsigned class, size_t most) {
    for (size_t size; at < length && most; at += size, most--)
        if (class_at(text, length, at, &size) != class) break;
    return at;
}

static bool is_line_end(char byte) {
    return byte == '\n' || byte == '\r';
}

// 's 't 're 've 'm 'll 'd at an apostrophe: the length behind it, or 0. Any case: ſ is an s as
// well.
static size_t contraction(const char *text, size_t left, bool any_case) {
    if (left < 1) return 0;
    char first = any_case && text[0] >= 'A' && text[0] <= 'Z' ? (char)(text[0] + 32) : text[0];
    if (strchr("stmd", first) && first) return 1;
    if (left < 2) return 0;
    char second = any_case && text[1] >= 'A' && text[1] <= 'Z' ? (char)(text[1] + 32) : text[1];
    if (any_case && !memcmp(text, "\xc5\xbf", 2)) return 2;
    return ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l') ? 2
                                                                                                : 0;
}

// Spaces up to the last one before something else, which goes with that. A run of one stays.
static size_t spaces_end(const char *text, size_t length, size_t at) {
    size_t end = at, last = at, size;
    for (; end < length; last = end, end += size)
        if (class_at(text, length, end, &size) != S) break;
    return end == length || last == at ? end : last;
}

size_t split_gpt2_word(const char *text, size_t length, size_t at) {
    size_t size, more = text[at] == '\'' ? contraction(text + at + 1, length - at - 1, false) : 0;
    if (more) return at + 1 + more;
    size_t begin = text[at] == ' ' && at + 1 < length ? at + 1 : at;
    unsigned class = class_at(text, length, begin, &size);
    return class == S ? spaces_end(text, length, at)
                      : run_end(text, length, begin + size, class, SIZE_MAX);
}

static size_t symbols_end(const char *text, size_t length, size_t at) {
    at = run_end(text, length, at, O, SIZE_MAX);
    while (at < length && is_line_end(text[at]))
        at++;
    return at;
}

// \s*[\r\n]+|\s+(?!\S)|\s+
static size_t lines_end(const char *text, size_t length, size_t at) {
    size_t end = at, last = at, line = 0, size;
    for (; end < length; last = end, end += size) {
        if (class_at(text, length, end, &size) != S) break;
        if (is_line_end(text[end])) line = end + 1;
    }
    return line ? line : end == length || last == at ? end : last;
}

size_t split_word(const char *text, size_t length, size_t at, size_t most_digits) {
    size_t size, next_size, more;
    if (text[at] == '\'' && (more = contraction(text + at + 1, length - at - 1, true)))
        return at + 1 + more;
    unsigned class = class_at(text, length, at, &size), next = S;
    if (class == L) return run_end(text, length, at + size, L, SIZE_MAX);
    if (class == N) return run_end(text, length, at + size, N, most_digits - 1);
    if (at + size < length) next = class_at(text, length, at + size, &next_size);
    if (next == L && !is_line_end(text[at]))
        return run_end(text, length, at + size + next_size, L, SIZE_MAX);
    if (class == O) return symbols_end(text, length, at + size);
    return text[at] == ' ' && next == O ? symbols_end(text, length, at + 1 + next_size)
                                        : lines_end(text, length, at);
}
