// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// How many bytes from the start are whole, valid characters; `length` if all are.
size_t utf8_valid_length(const char *text, size_t length);

// Bytes, 1 at least, that stand for one U+FFFD where the text (length > 0) begins with no valid
// character: the longest beginning of one, as Unicode (3.9, "maximal subpart"), Python and Rust
// have it. *unfinished: more bytes could still make a character of them.
size_t utf8_broken_length(const char *text, size_t length, bool *unfinished);

// Writes '?' over each byte that is no part of a valid character, as where a text was cut short.
void utf8_repair(char *text);

#endif
