// What a handler answers: the one door for JSON and errors. A reply is a value that knows nothing
// of sockets; `server` turns it into bytes on a connection.
//
// Every error has OpenAI's shape, {"error": {"message", "type", "param", "code"}}, all four keys
// always there. Messages say what is wrong and what to do.
#ifndef SERVICE_REPLY_H
#define SERVICE_REPLY_H

#include "base/error.h"
#include <jansson.h>
#include <stdint.h>

struct stream;

enum { REPLY_HEADERS = 16, REPLY_HEADER_SIZE = 320 };

struct reply_header {
    const char *name; // static text
    char value[REPLY_HEADER_SIZE];
};

struct reply {
    int status;               // HTTP status; 0 while nothing was answered
    const char *content_type; // static text
    char *body;               // owned; NULL where a file or a stream answers
    size_t length;
    int file;                        // descriptor to send and close, -1 if none
    uint64_t file_offset, file_size; // what part of it
    char *file_name;                 // owned; for Content-Disposition, NULL if none
    struct stream *stream;           // the answer comes from here, later; a reference is owned
    char allow[64];                  // header Allow, "" if none
    bool never_retry;                // header x-should-retry: false
    const char *cache_control;       // static text; NULL: nothing of it may be kept
    struct reply_header headers[REPLY_HEADERS]; // others; they outlast an answer that is replaced
    size_t header_count;
};

void reply_init(struct reply *reply);
void reply_free(struct reply *reply); // also closes `file`; leaves an empty reply

// Answers with that JSON value, whose reference is taken over (NULL: memory was short, answers
// 500).
void reply_json(struct reply *reply, int status, json_t *value);

// Answers with text that outlives the reply.
void reply_text(struct reply *reply, int status, const char *content_type, const char *text);

// Answers with a copy of bytes.
void reply_bytes(
    struct reply *reply, int status, const char *content_type, const void *bytes, size_t length);

// Answers with an error. `code` and `param` may be NULL. The type is "invalid_request_error" below
// 500, "server_error" from there on, as OpenAI has it.
void reply_error(struct reply *reply, int status, const char *code, const char *param,
    const char *format, ...) PRINTF_LIKE(5, 6);

// Sets a header of the answer, whatever the answer will be: a stream's and an error's too. `name`
// is static text; a later value of the same name replaces it. Line ends in values become spaces.
void reply_header(struct reply *reply, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

// Answers with an error that a lower layer gave: one map from its code to a status. What is our
// fault is logged with `doing` ("storing the file") and told to the client without its details.
void reply_failure(struct reply *reply, const char *doing, const struct error *error);

// 404 for an object of another account as for one that never was.
void reply_not_found(struct reply *reply, const char *what, const char *id);

// 404 model_not_found; of a known model with what the operator must run to get it.
void reply_no_model(struct reply *reply, const char *model);

// The error object's text for a stream that has begun (memory_free), NULL where memory is short.
char *reply_error_text(int status, const char *code, const char *param, const char *message);

// {"object": "list", "data": data, "first_id", "last_id", "has_more"}; takes `data` over. The ids
// are those of its first and last members, null for an empty list.
json_t *reply_list(json_t *data, bool has_more);

#endif
