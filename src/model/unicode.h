// Characters as Hugging Face's `tokenizers` sees them: its classes of letters, numbers and spaces,
// and its canonical forms (Unicode Standard Annex 15). Bytes that are not UTF-8 pass through as
// they are.
#ifndef MODEL_UNICODE_H
#define MODEL_UNICODE_H

#include "base/buffer.h"
#include <stddef.h>
#include <stdint.h>

enum character_class {
    CHARACTER_OTHER,
    CHARACTER_LETTER,
    CHARACTER_NUMBER,
    CHARACTER_SPACE,
    CHARACTER_DIGIT_ONLY // a number for the Digits pre-tokenizer, but not for patterns
};

// The first character of a text (length > 0), and how many bytes it takes. A byte that begins no
// valid character is one of its own, above U+10FFFF.
uint32_t unicode_character(const char *text, size_t length, size_t *size);

enum character_class unicode_class(uint32_t character);

// Whether it is part of a word: what `\w` matches.
bool unicode_is_word(uint32_t character);

// Characters that a property ("L", "Nd") of this name has gained since Unicode 14, as ranges of a
// pattern in PCRE2's syntax; "" for other names.
const char *unicode_newer_ranges(const char *property, size_t length);

// Appends the text in its canonical form: decomposed (NFD), or decomposed and composed (NFC).
bool unicode_normalise(struct buffer *to, const char *text, size_t length, bool compose,
    struct error *error) WARN_UNUSED;

#endif
