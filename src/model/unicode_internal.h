// The tables of model/unicode.h, made by tools/make_tokenizer_tables.py.
#ifndef MODEL_UNICODE_INTERNAL_H
#define MODEL_UNICODE_INTERNAL_H

#include "model/unicode.h"
#include <stddef.h>

// Sorted by `first`; characters in no range have the value 0.
struct unicode_range {
    uint32_t first, last;
    uint32_t value;
};

// Decompositions: a character and its two parts (the second may be 0), sorted by the character.
// Compositions: two parts and the character, sorted by the parts.
struct unicode_triple {
    uint32_t a, b, c;
};

// What a property of patterns holds in `tokenizers` and not yet in Unicode 14, as ranges for a
// class in PCRE2's syntax.
struct unicode_property {
    const char *name;
    const char *ranges;
};

extern const struct unicode_property unicode_newer[];
extern const size_t unicode_newer_count;
extern const struct unicode_range unicode_classes[], unicode_words[], unicode_combining[];
extern const struct unicode_triple unicode_decompositions[], unicode_compositions[];
extern const size_t unicode_classes_count, unicode_words_count, unicode_combining_count;
extern const size_t unicode_decompositions_count, unicode_compositions_count;

#endif
