// Strings and numbers as templates write them.
#include "model/template/template_builder.h"
#include "model/template/template_unicode.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int digit_of(char byte) {
    return isdigit((unsigned char)byte)    ? byte - '0'
           : isxdigit((unsigned char)byte) ? tolower((unsigned char)byte) - 'a' + 10
                                           : 99;
}

// Reads up to `most` digits; returns how many there were.
static size_t read_digits(const char *text, size_t left, int base, size_t most, uint32_t *number) {
    size_t count = 0;
    *number = 0;
    while (count < most && count < left && digit_of(text[count]) < base)
        *number = *number * (uint32_t)base + (uint32_t)digit_of(text[count++]);
    return count;
}

// The bytes of an escape behind its backslash: how many were read, 0 if it is none (the backslash
// stays then, as in Python).
static size_t read_escape(const char *text, size_t left, char written[4], size_t *length) {
    static const char letters[] = "ntrbfav\\'\"", meanings[] = "\n\t\r\b\f\a\v\\'\"";
    const char *letter = strchr(letters, *text);
    size_t wanted = *text == 'x' ? 2 : *text == 'u' ? 4 : *text == 'U' ? 8 : 0, count;
    uint32_t number;
    *length = 1;
    if (*text && letter) {
        written[0] = meanings[letter - letters];
        return 1;
    }
    *length = 0;
    if (*text == '\n') return 1;
    if (!wanted) {
        count = read_digits(text, left, 8, 3, &number);
        if (count) *length = unicode_write(number, written);
        return count;
    }
    count = read_digits(text + 1, left - 1, 16, wanted, &number);
    if (count < wanted || number > 0x10ffff || (number >= 0xd800 && number < 0xe000)) return 0;
    *length = unicode_write(number, written);
    return 1 + count;
}

bool builder_string(struct builder *b, struct text_builder *text) {
    const char *source = b->word->text;
    size_t length = b->word->length, from = 0, size;
    char written[4];
    for (size_t at = 0; at < length; at++) {
        size_t read = source[at] == '\\' && at + 1 < length
                          ? read_escape(source + at + 1, length - at - 1, written, &size)
                          : 0;
        if (source[at] == '\\' && at + 1 < length && !read && strchr("xuUN", source[at + 1]))
            return builder_fault(b, "an escape in a string that names no character");
        if (!read) continue;
        if (!text_append_bytes(b->arena, text, source + from, at - from, false, b->error) ||
            !text_append_bytes(b->arena, text, written, size, false, b->error))
            return false;
        at += read;
        from = at + 1;
    }
    return text_append_bytes(b->arena, text, source + from, length - from, false, b->error);
}
