// Looking characters up in Unicode's tables.
#include "model/template/template_unicode.h"
#include <ctype.h>
#include <string.h>

uint32_t unicode_read(const char *text, size_t *length) {
    const uint8_t *byte = (const uint8_t *)text;
    *length = byte[0] < 0x80 ? 1 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    uint32_t character = *length == 1 ? byte[0] : byte[0] & (0x7fu >> *length);
    for (size_t i = 1; i < *length; i++)
        character = character << 6 | (byte[i] & 0x3f);
    return character;
}

size_t unicode_write(uint32_t character, char *text) {
    size_t size = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; character >>= 6)
        text[i] = (char)(0x80 | (character & 0x3f));
    text[0] = (char)(marks[size] | character);
    return size;
}

static uint32_t shifted(const struct unicode_shift *rows, size_t count, uint32_t character) {
    for (size_t low = 0, high = count; low < high;) {
        size_t middle = (low + high) / 2;
        const struct unicode_shift *row = &rows[middle];
        if (character < row->first)
            high = middle;
        else if (character > row->last)
            low = middle + 1;
        else
            return (character - row->first) % row->step
                       ? character
                       : (uint32_t)((int32_t)character + row->delta);
    }
    return character;
}

static const struct unicode_expansion *expansion(uint32_t character) {
    for (size_t low = 0, high = unicode_expansion_count; low < high;) {
        size_t middle = (low + high) / 2;
        if (unicode_expansions[middle].character == character) return &unicode_expansions[middle];
        if (unicode_expansions[middle].character < character)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

size_t unicode_change_case(uint32_t character, enum letter_case wanted, char *text) {
    const struct {
        const struct unicode_shift *rows;
        size_t count;
    } tables[] = {{unicode_upper, unicode_upper_count}, {unicode_lower, unicode_lower_count},
        {unicode_title, unicode_title_count}};
    const struct unicode_expansion *several = expansion(character);
    if (several) {
        size_t length = strlen(several->forms[wanted]);
        memcpy(text, several->forms[wanted], length);
        return length;
    }
    return unicode_write(shifted(tables[wanted].rows, tables[wanted].count, character), text);
}

static bool within(const struct unicode_span *rows, size_t count, uint32_t character) {
    for (size_t low = 0, high = count; low < high;) {
        size_t middle = (low + high) / 2;
        if (character < rows[middle].first)
            high = middle;
        else if (character > rows[middle].last)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

bool unicode_is_cased(uint32_t character) {
    return within(unicode_cased, unicode_cased_count, character);
}

bool unicode_is_printable(uint32_t character) {
    return !within(unicode_hidden, unicode_hidden_count, character);
}

size_t unicode_space_length(const char *text, size_t left) {
    static const char *const wide[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    unsigned char first = left ? (unsigned char)*text : 'x';
    if (isspace(first) || (first >= 0x1c && first <= 0x1f)) return 1;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strlen(wide[i]) <= left && !memcmp(text, wide[i], strlen(wide[i])))
            return strlen(wide[i]);
    bool narrow = left >= 3 && !memcmp(text, "\xe2\x80", 2) // U+2000 … U+200A
                  && (unsigned char)text[2] >= 0x80 && (unsigned char)text[2] <= 0x8a;
    return narrow ? 3 : 0;
}

size_t unicode_space_length_before(const char *text, size_t end) {
    for (size_t size = 1; size <= 3 && size <= end; size++)
        if (unicode_space_length(text + end - size, size) == size) return size;
    return 0;
}
