// The input of a batch: a file of requests, one JSON object a line, which a client wrote and which
// may be gigabytes long. It is read line by line; each line is checked by itself.
#ifndef JOBS_BATCH_INPUT_H
#define JOBS_BATCH_INPUT_H

#include "base/buffer.h"
#include "base/error.h"
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

// Bytes of a line. JSON of a few bytes can be an object of a hundred: a line is held at most fifty
// times over while it is checked.
enum { BATCH_LINE_MAXIMUM = 2 << 20 };

struct batch_input {
    FILE *file;
    struct buffer text;     // the line at hand, without its end
    int64_t line;           // its number, from 1
    int64_t offset, length; // where it stands
    int64_t next;           // where the next begins
    bool too_long;          // `text` has only its beginning
};

bool batch_input_open(struct batch_input *input, const char *path, struct error *error) WARN_UNUSED;
void batch_input_close(struct batch_input *input);

// Goes to the next line that is not blank. *end says that there is none.
bool batch_input_next(struct batch_input *input, bool *end, struct error *error) WARN_UNUSED;

// What one line asks for.
struct batch_request {
    char *custom_id; // memory_free
    json_t *body;    // json_decref
};

// What is wrong with a line, as the API tells it.
struct batch_fault {
    const char *code, *param; // static texts; `param` may be NULL
    char message[400];
};

// Reads one line. False with the fault set; the request is empty then.
bool batch_request_read(struct batch_request *request, const char *text, size_t length,
    const char *endpoint, struct batch_fault *fault) WARN_UNUSED;
void batch_request_free(struct batch_request *request);

#endif
