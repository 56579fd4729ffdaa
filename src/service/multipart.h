// A parser of multipart/form-data (RFC 7578, RFC 2046) that is fed pieces of any size and keeps
// none: part bodies go to its caller as they come, so that an upload of any length needs a few
// kilobytes.
//
// It is strict where leniency would let two readers see two different forms: parts are separated by
// CRLF, the boundary is at most 70 characters, a part must say `Content-Disposition: form-data`
// with a name, and the closing delimiter must come. What follows that delimiter is ignored, as the
// RFC says.
#ifndef SERVICE_MULTIPART_H
#define SERVICE_MULTIPART_H

#include "base/error.h"
#include <stddef.h>

enum {
    MULTIPART_BOUNDARY_MAXIMUM = 70, // RFC 2046, 5.1.1
    MULTIPART_HEADER_MAXIMUM = 8192, // all header lines of one part
    MULTIPART_NAME_MAXIMUM = 1024,   // bytes of a field's name or file name
};

struct multipart_part {
    const char *name;
    const char *file_name; // NULL where the part is a plain field; the client's text, unchecked
};

// What the parser tells. Each returns false, with an error, to stop it.
struct multipart_listener {
    void *context;
    bool (*part)(void *context, const struct multipart_part *part, struct error *error);
    bool (*data)(void *context, const char *bytes, size_t length, struct error *error);
    bool (*end)(void *context, struct error *error); // of the part
};

struct multipart;

// `content_type` is the request's header, with the boundary; NULL is an error, as is any other
// type.
bool multipart_open(struct multipart **multipart, const char *content_type,
    const struct multipart_listener *listener, struct error *error) WARN_UNUSED;
void multipart_close(struct multipart *multipart);

// After an error every further call gives an error.
bool multipart_feed(
    struct multipart *multipart, const char *bytes, size_t length, struct error *error) WARN_UNUSED;

// To be called when the body has ended: an error where the closing delimiter did not come.
bool multipart_finish(struct multipart *multipart, struct error *error) WARN_UNUSED;

#endif
