// Unicode's letters, as Python's strings know them: upper, lower and title case, and which
// characters repr() writes as they are.
#ifndef MODEL_TEMPLATE_UNICODE_H
#define MODEL_TEMPLATE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum letter_case { CASE_UPPER, CASE_LOWER, CASE_TITLE };

enum { UNICODE_CASE_SIZE = 16 };

// The character that begins at `text` (valid UTF-8); *length: its bytes.
uint32_t unicode_read(const char *text, size_t *length);

// Writes a character as UTF-8 (up to 4 bytes) and returns how many bytes it took.
size_t unicode_write(uint32_t character, char *text);

// Writes the character in that case (up to UNICODE_CASE_SIZE bytes); returns how many bytes.
size_t unicode_change_case(uint32_t character, enum letter_case wanted, char *text);

bool unicode_is_cased(uint32_t character);
bool unicode_is_printable(uint32_t character);

// Bytes of the whitespace character (of str.strip and str.isspace) at `text`, 0 if there is none.
size_t unicode_space_length(const char *text, size_t left);

// The same for the character that ends at `end`.
size_t unicode_space_length_before(const char *text, size_t end);

// ---- the tables ----

// Characters from first to last, in steps, become themselves plus delta.
struct unicode_shift {
    uint32_t first, last;
    int32_t delta;
    uint32_t step;
};

// Characters that become several.
struct unicode_expansion {
    uint32_t character;
    const char *forms[3]; // by enum letter_case
};

struct unicode_span {
    uint32_t first, last;
};

extern const struct unicode_shift unicode_upper[], unicode_lower[], unicode_title[];
extern const size_t unicode_upper_count, unicode_lower_count, unicode_title_count;
extern const struct unicode_expansion unicode_expansions[];
extern const size_t unicode_expansion_count;
extern const struct unicode_span unicode_hidden[], unicode_cased[];
extern const size_t unicode_hidden_count, unicode_cased_count;

#endif
