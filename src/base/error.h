// Errors are values: a code and a message that its reader can act on (what, where, what to do).
//
// A function that can fail returns bool and takes a `struct error *` as its last parameter. On
// failure it returns false and the error is set; on success the error is untouched. error_set() is
// the only place where errors are born: one breakpoint there sees them all. It returns false, so
// that `return error_set(error, …)` reads as what it does.
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_MEMORY,      // an allocation failed
    ERROR_IO,          // the operating system refused a read, write, open, …
    ERROR_INVALID,     // an input that we did not make is wrong
    ERROR_NOT_FOUND,   // the named thing is not there
    ERROR_UNSUPPORTED, // correct, but not something that this program can do
    ERROR_CONFLICT,    // not possible in the present state
    ERROR_CANCELLED,   // stopped because somebody asked for it
    ERROR_INTERNAL,    // a fault of this program
};

struct error {
    enum error_code code;
    char message[1024]; // a sentence without a full stop at the end; UTF-8
};

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))

// Sets `error` (may be NULL) and returns false.
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

// The same with ": " and the text of errno's present value at the end; errno is kept.
bool error_set_errno(struct error *error, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

// Puts "prefix: " before the message, for a caller that knows where the fault lies. Returns false.
bool error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
