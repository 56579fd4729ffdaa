// Added tokens: texts that become one token wherever they stand, before anything else is done. Of
// those that begin at one place the longest counts, as in the automaton (Aho and Corasick 1975) of
// Hugging Face's tokenizers; here the sorted list is narrowed byte by byte.
#include "base/memory.h"
#include "model/tokenizer_internal.h"
#include "model/unicode.h"
#include <stdlib.h>

static int by_text(const void *a, const void *b) {
    const struct added_token *first = a, *second = b;
    size_t shorter = first->length < second->length ? first->length : second->length;
    int order = memcmp(first->text, second->text, shorter);
    if (order) return order;
    if (first->length != second->length) return first->length < second->length ? -1 : 1;
    return first->order < second->order ? -1 : 1;
}

void added_set_finish(struct added_set *set) {
    if (set->count) qsort(set->tokens, set->count, sizeof *set->tokens, by_text);
    for (size_t i = 0; i < set->count; i++)
        set->starts[(uint8_t)*set->tokens[i].text] = true;
}

void added_set_free(struct added_set *set) {
    for (size_t i = 0; i < set->count; i++)
        memory_free(set->tokens[i].text);
    memory_free(set->tokens);
}

// The first token in [low, high) whose byte at `depth` is not below `byte`; all are longer.
static size_t lower_bound(
    const struct added_set *set, size_t low, size_t high, size_t depth, unsigned byte) {
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((uint8_t)set->tokens[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool may_be(const struct tokenizer *t, const struct added_token *token,
    const struct span *span, size_t at) {
    return !t->tokens[token->id].special || !span->marked ||
           !memchr(span->marked + at, 1, token->length);
}

static const struct added_token *longest_at(
    const struct tokenizer *t, const struct added_set *set, const struct span *span, size_t at) {
    const struct added_token *best = NULL;
    size_t low = 0, high = set->count;
    for (size_t depth = 0; low < high; depth++) {
        if (set->tokens[low].length == depth) {
            if (may_be(t, &set->tokens[low], span, at)) best = &set->tokens[low];
            while (low < high && set->tokens[low].length == depth)
                low++;
        }
        if (at + depth == span->length) break;
        unsigned byte = (uint8_t)span->text[at + depth];
        low = lower_bound(set, low, high, depth, byte);
        high = lower_bound(set, low, high, depth, byte + 1);
    }
    return best;
}

static bool is_space(uint32_t character) {
    return unicode_class(character) == CHARACTER_SPACE;
}

// Where the character begins that ends at `end` > 0.
static size_t character_before(const char *text, size_t end, uint32_t *character) {
    for (size_t size = 1, found; size <= 4 && size <= end; size++) {
        *character = unicode_character(text + end - size, size, &found);
        if (found == size && *character < 0x110000) return end - size;
    }
    *character = 0x110000;
    return end - 1;
}

static bool is_single_word(const struct span *span, size_t from, size_t to) {
    uint32_t before = ' ', after = ' ';
    size_t size;
    if (from) character_before(span->text, from, &before);
    if (to < span->length) after = unicode_character(span->text + to, span->length - to, &size);
    return !unicode_is_word(before) && !unicode_is_word(after);
}

static size_t skip_left(const struct span *span, size_t from, size_t done) {
    uint32_t character;
    while (from > done) {
        size_t begin = character_before(span->text, from, &character);
        if (!is_space(character) || begin < done) break;
        from = begin;
    }
    return from;
}

static size_t skip_right(const struct span *span, size_t to) {
    size_t size;
    while (
        to < span->length && is_space(unicode_character(span->text + to, span->length - to, &size)))
        to += size;
    return to;
}

bool added_set_next(const struct tokenizer *t, const struct added_set *set, const struct span *span,
    size_t *at, size_t done, struct added_match *match) {
    while (*at < span->length) {
        const struct added_token *token = NULL;
        if (set->starts[(uint8_t)span->text[*at]]) token = longest_at(t, set, span, *at);
        if (!token) {
            ++*at;
            continue;
        }
        *match = (struct added_match){*at, *at + token->length, token->id};
        *at = match->to;
        if ((t->tokens[token->id].special && !span->special) ||
            (token->single_word && !is_single_word(span, match->from, match->to)))
            continue;
        if (token->left_strip) match->from = skip_left(span, match->from, done);
        if (token->right_strip) match->to = skip_right(span, match->to);
        return true;
    }
    return false;
}
