#include "base/utf8.h"
#include <stdint.h>
#include <string.h>

// Bytes of a character that begins with `first`, 0 if none does.
static size_t size_of(uint8_t first) {
    return first < 0x80   ? 1
           : first < 0xc2 ? 0
           : first < 0xe0 ? 2
           : first < 0xf0 ? 3
           : first < 0xf5 ? 4
                          : 0;
}

static bool may_be_second(uint8_t first, uint8_t second) {
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

// How many bytes, 1 at least, can stand together in one character of `size` bytes.
static size_t together(const uint8_t *text, size_t left, size_t size) {
    size_t count = 1;
    if (size > 1 && left > 1 && may_be_second(text[0], text[1])) count = 2;
    while (count > 1 && count < size && count < left && (text[count] & 0xc0) == 0x80)
        count++;
    return count;
}

// Bytes of the character at `text`, 0 if there is no valid one.
static size_t character_length(const uint8_t *text, size_t left) {
    size_t size = size_of(text[0]);
    return size && together(text, left, size) == size ? size : 0;
}

size_t utf8_broken_length(const char *text, size_t length, bool *unfinished) {
    const uint8_t *bytes = (const uint8_t *)text;
    size_t size = size_of(bytes[0]), count = together(bytes, length, size);
    *unfinished = size > count && count == length;
    return count;
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
