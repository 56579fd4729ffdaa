// Cutting a text into pieces: matches of a pattern and the stretches between them, as the behaviour
// asks for. Well-known patterns have finders of their own (tokenizer_words.c); the others run in
// PCRE2, looking at no more of the text than they need, and with a limit on all that they look at.
#include "base/memory.h"
#include "model/tokenizer_internal.h"
#include "model/unicode.h"

struct segment {
    size_t from, to;
    bool match;
};

struct splitting {
    const struct pre_tokenizer *pre;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    const char *text;
    size_t length;
    size_t budget; // bytes that patterns may still look at
    bool first;
    piece_taker take;
    void *context;
    struct error *error;
    struct segment held; // not yet given on
    bool holding;
    bool previous_match;
};

// ---- behaviours ----

static bool give(struct splitting *s, struct segment segment) {
    size_t length = segment.to - segment.from;
    return !length ||
           s->take(s->context, s->text + segment.from, length, s->first && segment.from == 0);
}

// Holds a segment that later ones may join, after giving on the one that was held.
static bool hold(struct splitting *s, struct segment segment) {
    bool ok = !s->holding || give(s, s->held);
    s->held = segment;
    s->holding = true;
    return ok;
}

static bool take_merged_with_next(struct splitting *s, struct segment segment) {
    if (segment.match) return hold(s, segment);
    if (s->holding) segment.from = s->held.from;
    s->holding = false;
    return give(s, segment);
}

static bool take_segment(struct splitting *s, size_t from, size_t to, bool match) {
    struct segment segment = {from, to, match != s->pre->invert};
    bool previous = s->previous_match, joins = false;
    s->previous_match = segment.match;
    switch (s->pre->behaviour) {
    case BEHAVIOUR_ISOLATED:
        return give(s, segment);
    case BEHAVIOUR_REMOVED:
        return segment.match || give(s, segment);
    case BEHAVIOUR_MERGED_WITH_NEXT:
        return take_merged_with_next(s, segment);
    case BEHAVIOUR_CONTIGUOUS:
        joins = segment.match == previous;
        break;
    case BEHAVIOUR_MERGED_WITH_PREVIOUS:
        joins = segment.match && !previous;
    }
    if (!joins || !s->holding) return hold(s, segment);
    s->held.to = to;
    return true;
}

// ---- finders ----

enum found { FOUND, NOT_FOUND, FAILED };

enum { FIRST_WINDOW = 256, BUDGET_PER_BYTE = 256, LEAST_STEPS = 1000, STEPS_PER_BYTE = 16 };

static enum found pattern_failed(struct splitting *s, const char *why) {
    error_set(
        s->error, ERROR_INVALID, "the tokenizer's pattern takes too long on this text (%s)", why);
    return FAILED;
}

// Where a window ends: not within a character.
static size_t window_end(const struct splitting *s, size_t at, size_t window) {
    if (s->length - at <= window) return s->length;
    size_t end = at + window;
    for (int i = 0; i < 3 && ((uint8_t)s->text[end] & 0xc0) == 0x80; i++)
        end--;
    return end;
}

static int match_window(struct splitting *s, size_t at, size_t end) {
    uint32_t options = end < s->length ? PCRE2_PARTIAL_HARD : 0;
    pcre2_set_match_limit(s->limits, (uint32_t)(LEAST_STEPS + STEPS_PER_BYTE * (end - at)));
    int found =
        pcre2_match(s->pre->pattern, (PCRE2_SPTR)s->text, end, at, options, s->match, s->limits);
    if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    return pcre2_match(
        s->pre->pattern, (PCRE2_SPTR)s->text, end, at, options | PCRE2_NO_JIT, s->match, s->limits);
}

// A match that is sure whatever follows the window; the window grows until it is.
static enum found find_pattern(struct splitting *s, size_t at, size_t *from, size_t *to) {
    for (size_t window = FIRST_WINDOW;; window *= 4) {
        size_t end = window_end(s, at, window);
        if (s->budget < end - at) return pattern_failed(s, "it looks at the same bytes again");
        s->budget -= end - at;
        int found = match_window(s, at, end);
        if (end < s->length && (found == PCRE2_ERROR_PARTIAL || found == PCRE2_ERROR_NOMATCH))
            continue;
        if (found == PCRE2_ERROR_NOMATCH) return NOT_FOUND;
        if (found < 0) {
            char reason[128];
            pcre2_get_error_message(found, (PCRE2_UCHAR *)reason, sizeof reason);
            return pattern_failed(s, reason);
        }
        const size_t *where = pcre2_get_ovector_pointer(s->match);
        *from = where[0];
        *to = where[1];
        return FOUND;
    }
}

static enum found find_literal(struct splitting *s, size_t at, size_t *from, size_t *to) {
    size_t size = strlen(s->pre->literal);
    const char *found = memmem(s->text + at, s->length - at, s->pre->literal, size);
    if (!found) return NOT_FOUND;
    *from = (size_t)(found - s->text);
    *to = *from + size;
    return FOUND;
}

static enum found find_digit(struct splitting *s, size_t at, size_t *from, size_t *to) {
    for (size_t size; at < s->length; at += size) {
        enum character_class class =
            unicode_class(unicode_character(s->text + at, s->length - at, &size));
        if (class != CHARACTER_NUMBER && class != CHARACTER_DIGIT_ONLY) continue;
        *from = at;
        *to = at + size;
        return FOUND;
    }
    return NOT_FOUND;
}

static enum found find(struct splitting *s, size_t at, size_t *from, size_t *to) {
    *from = at;
    switch (s->pre->finder) {
    case FIND_PATTERN:
        return find_pattern(s, at, from, to);
    case FIND_LITERAL:
        return find_literal(s, at, from, to);
    case FIND_DIGITS:
        return find_digit(s, at, from, to);
    case FIND_GPT2_WORDS:
        *to = split_gpt2_word(s->text, s->length, at);
        return FOUND;
    case FIND_WORDS:
        *to = split_word(s->text, s->length, at, s->pre->most_digits);
        return FOUND;
    }
    return NOT_FOUND;
}

// An empty match cuts, but not where a match ended.
static bool split_all(struct splitting *s) {
    size_t done = 0, at = 0, from, to, size;
    while (at < s->length) {
        enum found found = find(s, at, &from, &to);
        if (found == FAILED) return false;
        if (found == NOT_FOUND) break;
        if (from == to && from == done) {
            unicode_character(s->text + at, s->length - at, &size);
            at += size;
            continue;
        }
        if ((from > done && !take_segment(s, done, from, false)) ||
            !take_segment(s, from, to, true))
            return false;
        at = done = to;
    }
    if (done < s->length && !take_segment(s, done, s->length, false)) return false;
    return !s->holding || give(s, s->held);
}

bool split_text(const struct pre_tokenizer *pre, const char *text, size_t length, bool first,
    piece_taker take, void *context, struct error *error) {
    struct splitting s = {.pre = pre,
        .text = text,
        .length = length,
        .budget = length * BUDGET_PER_BYTE + (1 << 20),
        .first = first,
        .take = take,
        .context = context,
        .error = error};
    bool ok = true;
    if (pre->finder == FIND_PATTERN) {
        s.match = pcre2_match_data_create(1, NULL);
        s.limits = pcre2_match_context_create(NULL);
        ok = (s.match && s.limits) || memory_error(error, "a match");
    }
    ok = ok && split_all(&s);
    pcre2_match_data_free(s.match);
    pcre2_match_context_free(s.limits);
    return ok;
}
