// The header Range of a request for bytes, RFC 9110 section 14: one range of bytes.
#ifndef SERVICE_BYTE_RANGE_H
#define SERVICE_BYTE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum byte_range {
    BYTE_RANGE_WHOLE, // there is none, or one that is not understood, and is passed over
    BYTE_RANGE_PART,
    BYTE_RANGE_OUTSIDE, // it asks for bytes behind the end: 416
};

// Reads "bytes=first-last", "bytes=first-", "bytes=-count" (NULL: no header) for content of `size`
// bytes; *first and *count are written for a part only. Several ranges are answered with the whole,
// as the RFC allows.
enum byte_range byte_range_read(
    const char *header, uint64_t size, uint64_t *first, uint64_t *count);

#endif
