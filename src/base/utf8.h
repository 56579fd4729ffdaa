// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

// How many bytes from the start are whole, valid characters; `length` if all are.
size_t utf8_valid_length(const char *text, size_t length);

// Writes '?' over each byte that is no part of a valid character, as where a text was cut short.
void utf8_repair(char *text);

#endif
