// Routes: which handler answers which method and path. One table (route_table.c), read in order.
//
// A pattern is a path whose segments are literal, `{name}` (one segment) or, at the end, `{name*}`
// (all the rest, with its slashes: model names such as "meta-llama/Llama-3.1-8B" come raw as well
// as with %2F). Percent signs are decoded in parameters only, after routing, so that %2F never
// separates. A trailing slash is ignored.
#ifndef SERVICE_ROUTE_H
#define SERVICE_ROUTE_H

#include "base/error.h"
#include <stddef.h>

struct service;
struct request;
struct reply;
struct shape;

typedef void (*route_handler)(
    struct service *service, struct request *request, struct reply *reply);

enum route_body {
    ROUTE_BODY_NONE, // a body is read and thrown away
    ROUTE_BODY_JSON, // kept in memory, at most `body_maximum` bytes
    ROUTE_BODY_FORM, // multipart, its file streamed to disk
};

// Which keys with less than all rights may ask, beside those that have them all.
enum route_scope {
    SCOPE_ALL = 0,
    SCOPE_READ = 1,      // it changes nothing: keys that may only read
    SCOPE_INFERENCE = 2, // keys that may only use models
};

struct route {
    const char *method;
    const char *pattern;
    route_handler handler;
    bool open;  // answers without an API key
    bool page;  // of the platform, not of the API: takes any query, and is in no documentation
    int scopes; // of enum route_scope, or'ed
    enum route_body body;
    size_t body_maximum;
    // What the documentation says of it; `query` is also what the server checks before the handler
    // runs. NULL: it takes none, and refuses any.
    const char *name;            // the handler's
    const char *summary;         // a sentence
    const struct shape *query;   // its parameters; NULL for none
    const struct shape *request; // of the body
    const struct shape *answer;  // NULL: of `answer_type`
    bool lists;                  // the answer is a list of `answer`
    bool streams;                // may answer with server-sent events
    int status;                  // of success; 0 for 200
    const char *answer_type;     // content type of an answer that is not JSON
};

#define ROUTE_HANDLER(function) .handler = function, .name = #function

enum { ROUTE_PARAMETERS = 2, ROUTE_METHODS_SIZE = 64 };

enum route_outcome { ROUTE_FOUND, ROUTE_NOT_FOUND, ROUTE_WRONG_METHOD, ROUTE_MALFORMED };

struct route_match {
    const struct route *route;
    char *parameters[ROUTE_PARAMETERS]; // decoded, memory_free'd by route_match_free; NULL beyond
    char allowed[ROUTE_METHODS_SIZE];   // "GET, POST" where the method is wrong
};

// The table of this service.
const struct route *route_table(size_t *count);

// Looks `path`, as the client wrote it, up. HEAD is answered by GET's route. ROUTE_MALFORMED: a
// percent sign without two hexadecimal digits, or a NUL.
enum route_outcome route_find(const struct route *routes, size_t count, const char *method,
    const char *path, struct route_match *match);
void route_match_free(struct route_match *match);

// Decodes %XX into `text` (at least as long as the source, with its NUL). False where it is
// malformed.
bool route_decode(const char *encoded, size_t length, char *text);

#endif
