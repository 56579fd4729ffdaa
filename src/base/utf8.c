#include "base/utf8.h"
#include <stdint.h>
#include <string.h>

// Bytes of the character at `text`, 0 if there is no valid one.
static size_t character_length(const uint8_t *text, size_t left) {
    uint8_t first = text[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;
    if (!size || size > left) return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
        (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
        return 0;
    return size;
}

size_t utf8_valid_length(const char *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        size_t size = character_length((const uint8_t *)text + at, length - at);
        if (!size) break;
        at += size;
    }
    return at;
}

void utf8_repair(char *text) {
    size_t length = strlen(text);
    for (size_t at = utf8_valid_length(text, length); at < length;) {
        text[at++] = '?';
        at += utf8_valid_length(text + at, length - at);
    }
}
