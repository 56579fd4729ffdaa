// Reading ranges of bytes.
#include "service/byte_range.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGITS_MAXIMUM = 18 };

// Reads digits at *text. False where there are none, or too many to be a length.
static bool read_number(const char **text, uint64_t *number) {
    size_t digits = strspn(*text, "0123456789");
    if (digits < 1 || digits > DIGITS_MAXIMUM) return false;
    *number = strtoull(*text, NULL, 10);
    *text += digits;
    return true;
}

// The last `wanted` bytes.
static enum byte_range read_suffix(
    const char *text, uint64_t size, uint64_t *first, uint64_t *count) {
    uint64_t wanted;
    if (!read_number(&text, &wanted) || *text) return BYTE_RANGE_WHOLE;
    if (wanted == 0 || size == 0) return BYTE_RANGE_OUTSIDE;
    *count = wanted < size ? wanted : size;
    *first = size - *count;
    return BYTE_RANGE_PART;
}

enum byte_range byte_range_read(
    const char *header, uint64_t size, uint64_t *first, uint64_t *count) {
    static const char unit[] = "bytes=";
    uint64_t begin, last;
    if (!header || strncasecmp(header, unit, sizeof unit - 1) != 0) return BYTE_RANGE_WHOLE;
    const char *text = header + sizeof unit - 1;
    if (*text == '-') return read_suffix(text + 1, size, first, count);
    if (!read_number(&text, &begin) || *text++ != '-') return BYTE_RANGE_WHOLE;
    if (!*text)
        last = UINT64_MAX;
    else if (!read_number(&text, &last) || *text || last < begin)
        return BYTE_RANGE_WHOLE;
    if (begin >= size) return BYTE_RANGE_OUTSIDE;
    *first = begin;
    *count = (last < size ? last + 1 : size) - begin;
    return BYTE_RANGE_PART;
}
