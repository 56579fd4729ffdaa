// The multipart parser: a machine of six states that takes one byte, or one run of body bytes, at a
// time.
//
//   PREAMBLE ──delimiter──▶ AFTER_DELIMITER ──CRLF──▶ HEADERS ──blank line──▶ BODY ──delimiter──▶
//   AFTER_…
//                                  └────"--"──▶ EPILOGUE
//
// A delimiter is CRLF "--" boundary. A boundary cannot hold CR, so a CR begins a delimiter or is
// data, and a failed match never hides a later one: the bytes held back are exactly the prefix that
// had matched.
#include "service/multipart.h"
#include "base/buffer.h"
#include "base/memory.h"
#include <string.h>
#include <strings.h>

enum state {
    PREAMBLE,
    AFTER_DELIMITER, // expecting padding, CRLF, or "--"
    AFTER_CR,        // the CR of that CRLF was seen
    AFTER_DASH,      // the first "-" of the closing "--" was seen
    HEADERS,
    BODY,
    EPILOGUE,
    BROKEN,
};

struct multipart {
    struct multipart_listener listener;
    enum state state;
    char delimiter[4 + MULTIPART_BOUNDARY_MAXIMUM + 1];
    size_t delimiter_length;
    size_t matched;        // bytes of the delimiter seen so far
    struct buffer headers; // of the part that begins
    char name[MULTIPART_NAME_MAXIMUM + 1];
    char file_name[MULTIPART_NAME_MAXIMUM + 1];
};

static const char *skip_spaces(const char *text) {
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

// Copies a parameter's value, a token or a quoted string, into `value`; returns where it ends, or
// NULL where it is malformed or too long. %22, %0D and %0A are how browsers write what they cannot
// quote.
static const char *copy_value(const char *text, char *value, size_t size) {
    size_t length = 0;
    bool quoted = *text == '"';
    if (quoted) text++;
    while (quoted ? *text != '"' : *text && !strchr("; \t\r\n", *text)) {
        if (*text == '\0' || length + 1 >= size) return NULL;
        if (quoted && *text == '\\' && text[1]) text++;
        if (quoted && strncmp(text, "%22", 3) == 0) {
            value[length++] = '"';
            text += 3;
            continue;
        }
        value[length++] = *text++;
    }
    value[length] = '\0';
    return quoted ? text + 1 : text;
}

// Finds `; name=value` among a header's parameters. Returns 1 if found, 0 if absent, -1 if
// malformed.
static int find_parameter(const char *parameters, const char *name, char *value, size_t size) {
    char scratch[MULTIPART_NAME_MAXIMUM + 1];
    int found = 0;
    const char *at = skip_spaces(parameters);
    while (*at == ';') {
        at = skip_spaces(at + 1);
        size_t length = strcspn(at, "=; \t");
        const char *key = at;
        at = skip_spaces(at + length);
        if (*at != '=') {
            if (length == 0 && *at == '\0') break; // a last ";" with nothing behind it
            return -1;
        }
        bool wanted = length == strlen(name) && strncasecmp(key, name, length) == 0;
        if (wanted && found) return -1;
        at = copy_value(
            skip_spaces(at + 1), wanted ? value : scratch, wanted ? size : sizeof scratch);
        if (!at) return -1;
        found |= wanted;
        at = skip_spaces(at);
    }
    return *at == '\0' ? found : -1;
}

static bool parse_content_type(
    struct multipart *multipart, const char *content_type, struct error *error) {
    static const char form[] = "multipart/form-data";
    char boundary[MULTIPART_BOUNDARY_MAXIMUM + 2];
    if (!content_type || strncasecmp(content_type, form, sizeof form - 1) != 0)
        return error_set(error, ERROR_INVALID,
            "the body must be multipart/form-data, but its Content-Type is %.100s",
            content_type ? content_type : "missing");
    if (find_parameter(content_type + sizeof form - 1, "boundary", boundary, sizeof boundary) !=
            1 ||
        boundary[0] == '\0' || strlen(boundary) > MULTIPART_BOUNDARY_MAXIMUM ||
        strpbrk(boundary, "\r\n"))
        return error_set(error, ERROR_INVALID,
            "the Content-Type multipart/form-data needs a boundary of 1 to %d characters",
            MULTIPART_BOUNDARY_MAXIMUM);
    strcpy(multipart->delimiter, "\r\n--");
    strcat(multipart->delimiter, boundary);
    multipart->delimiter_length = strlen(multipart->delimiter);
    return true;
}

bool multipart_open(struct multipart **result, const char *content_type,
    const struct multipart_listener *listener, struct error *error) {
    struct multipart *multipart = memory_alloc_zeroed(1, sizeof *multipart);
    if (!multipart) return memory_error(error, "a form");
    multipart->listener = *listener;
    multipart->matched = 2; // the first delimiter may stand at the very start, without its CRLF
    buffer_init(&multipart->headers, MULTIPART_HEADER_MAXIMUM);
    if (!parse_content_type(multipart, content_type, error)) {
        multipart_close(multipart);
        return false;
    }
    *result = multipart;
    return true;
}

void multipart_close(struct multipart *multipart) {
    if (!multipart) return;
    buffer_free(&multipart->headers);
    memory_free(multipart);
}

// Reads one header line (NUL-terminated, without CRLF). Only Content-Disposition matters.
static bool read_header(struct multipart *multipart, const char *line, bool *named, bool *is_file,
    struct error *error) {
    static const char disposition[] = "content-disposition:";
    static const char form[] = "form-data";
    if (strncasecmp(line, disposition, sizeof disposition - 1) != 0) return true;
    const char *value = skip_spaces(line + sizeof disposition - 1);
    if (*named || strncasecmp(value, form, sizeof form - 1) != 0)
        return error_set(error, ERROR_INVALID,
            "each part of the form needs one header Content-Disposition: form-data");
    value += sizeof form - 1;
    int found_name = find_parameter(value, "name", multipart->name, sizeof multipart->name);
    int found_file =
        find_parameter(value, "filename", multipart->file_name, sizeof multipart->file_name);
    if (found_name != 1 || found_file < 0)
        return error_set(error, ERROR_INVALID,
            "a part of the form has no name, or its Content-Disposition cannot be read");
    *named = true;
    *is_file = found_file == 1;
    return true;
}

// The header lines are complete: tells the listener of the part.
static bool begin_part(struct multipart *multipart, struct error *error) {
    bool named = false, is_file = false;
    char *line = multipart->headers.data;
    if (memchr(line, '\0', multipart->headers.length))
        return error_set(error, ERROR_INVALID, "a header of a form's part has a NUL byte");
    for (char *end; (end = strstr(line, "\r\n")); line = end + 2) {
        *end = '\0';
        if (!read_header(multipart, line, &named, &is_file, error)) return false;
    }
    if (!named)
        return error_set(error, ERROR_INVALID,
            "a part of the form has no header Content-Disposition: form-data");
    buffer_clear(&multipart->headers);
    struct multipart_part part = {multipart->name, is_file ? multipart->file_name : NULL};
    multipart->state = BODY;
    multipart->matched = 0;
    return multipart->listener.part(multipart->listener.context, &part, error);
}

static bool headers_complete(const struct buffer *headers) {
    if (headers->length < 2) return false;
    const char *end = headers->data + headers->length;
    if (headers->length == 2) return memcmp(headers->data, "\r\n", 2) == 0;
    return headers->length >= 4 && memcmp(end - 4, "\r\n\r\n", 4) == 0;
}

static bool take_header_byte(struct multipart *multipart, char byte, struct error *error) {
    buffer_append_char(&multipart->headers, byte);
    if (multipart->headers.failed)
        return error_set(error, ERROR_INVALID, "the headers of a form's part are over %d bytes",
            MULTIPART_HEADER_MAXIMUM);
    if (byte == '\n' && headers_complete(&multipart->headers)) return begin_part(multipart, error);
    return true;
}

static bool emit(
    struct multipart *multipart, const char *bytes, size_t length, struct error *error) {
    if (multipart->state != BODY || length == 0) return true;
    return multipart->listener.data(multipart->listener.context, bytes, length, error);
}

// Takes a run of bytes up to and with the next delimiter. Returns how many were taken, 0 on an
// error.
static size_t take_body(
    struct multipart *multipart, const char *bytes, size_t length, struct error *error) {
    if (multipart->matched == 0) {
        const char *carriage_return = memchr(bytes, '\r', length);
        size_t run = carriage_return ? (size_t)(carriage_return - bytes) : length;
        if (run > 0) return emit(multipart, bytes, run, error) ? run : 0;
    }
    if (bytes[0] != multipart->delimiter[multipart->matched]) {
        size_t held = multipart->matched;
        multipart->matched = 0;
        if (!emit(multipart, multipart->delimiter, held, error)) return 0;
        return take_body(multipart, bytes, length, error);
    }
    if (++multipart->matched < multipart->delimiter_length) return 1;
    bool was_part = multipart->state == BODY;
    multipart->state = AFTER_DELIMITER;
    if (was_part && !multipart->listener.end(multipart->listener.context, error)) return 0;
    return 1;
}

static bool take_after_delimiter(struct multipart *multipart, char byte, struct error *error) {
    static const struct {
        enum state from;
        char byte;
        enum state to;
    } steps[] = {
        {AFTER_DELIMITER, ' ', AFTER_DELIMITER},
        {AFTER_DELIMITER, '\t', AFTER_DELIMITER},
        {AFTER_DELIMITER, '\r', AFTER_CR},
        {AFTER_DELIMITER, '-', AFTER_DASH},
        {AFTER_CR, '\n', HEADERS},
        {AFTER_DASH, '-', EPILOGUE},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i].from == multipart->state && steps[i].byte == byte) {
            multipart->state = steps[i].to;
            return true;
        }
    return error_set(error, ERROR_INVALID,
        "the form is malformed: its boundary must be followed by CRLF or by \"--\"");
}

// Returns the number of bytes taken, 0 on an error.
static size_t take(
    struct multipart *multipart, const char *bytes, size_t length, struct error *error) {
    switch (multipart->state) {
    case PREAMBLE:
    case BODY:
        return take_body(multipart, bytes, length, error);
    case HEADERS:
        return take_header_byte(multipart, bytes[0], error);
    case EPILOGUE:
        return length;
    case BROKEN:
        error_set(error, ERROR_INVALID, "the form was malformed before");
        return 0;
    default:
        return take_after_delimiter(multipart, bytes[0], error);
    }
}

bool multipart_feed(
    struct multipart *multipart, const char *bytes, size_t length, struct error *error) {
    while (length > 0) {
        size_t taken = take(multipart, bytes, length, error);
        if (taken == 0) {
            multipart->state = BROKEN;
            return false;
        }
        bytes += taken;
        length -= taken;
    }
    return true;
}

bool multipart_finish(struct multipart *multipart, struct error *error) {
    if (multipart->state == EPILOGUE) return true;
    return error_set(
        error, ERROR_INVALID, "the form ends before its closing boundary: the upload was cut off");
}
