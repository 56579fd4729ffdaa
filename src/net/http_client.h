// One HTTP request and its answer, through libcurl. Blocking; an answer's body goes to memory
// within a maximum, or to a function as it comes.
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/buffer.h"
#include "base/error.h"
#include <stddef.h>

// A part of a multipart form: a field with its text, or a file that is read from disk while it is
// sent.
struct http_part {
    const char *name;
    const char *text; // NULL for a file
    const char *path; // of the file
};

#define HTTP_USER_AGENT "temper/" TEMPER_VERSION

struct http_request {
    const char *method; // "GET", "POST", …
    const char *url;
    const char *const *headers; // "Name: value", `header_count` of them
    size_t header_count;
    const void *body; // NULL for none
    size_t body_length;
    const struct http_part *parts; // a form in place of a body
    size_t part_count;
    int timeout_seconds; // for the whole exchange; 0 for none
    const char *token;   // a bearer token for the address's own host; NULL for none
    bool outward;        // connects to the open internet only, and through no proxy
    bool excerpt;        // of a body longer than the maximum, its beginning is enough
    bool follow;         // redirects, to wherever they lead, without the token
    // Where the answer's body goes if its status is below 300: returns false to stop. NULL: to
    // `body` of the answer, as every other body does.
    bool (*sink)(void *context, const void *bytes, size_t length);
    void *sink_context;
};

struct http_answer {
    int status;
    long retry_after;    // seconds, 0 if the header is not there
    char error_code[64]; // header X-Error-Code, "" if it is not there
    struct buffer body;  // at most `maximum` bytes of http_client_send
};

// Sends the request and waits. True if an answer came, of whatever status; http_answer_free it
// then.
bool http_client_send(const struct http_request *request, size_t maximum,
    struct http_answer *answer, struct error *error) WARN_UNUSED;
void http_answer_free(struct http_answer *answer);

// Makes libcurl ready; the functions of this folder do so by themselves.
void http_client_start(void);

#endif
