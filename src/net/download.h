// Files over HTTP, several at once, each to its place once it is whole and its digest is right.
//
// While a file comes it is PATH.DIGEST.partial; where a connection breaks, or the program ended,
// the next attempt asks for the bytes that are missing (Range). Whatever the server sends, a file
// with another digest never gets its name: it is fetched anew once, then that is an error. 429 and
// 5xx are waited out (Retry-After). The token goes to the address's own host only, never to another
// that it redirects to.
#ifndef NET_DOWNLOAD_H
#define NET_DOWNLOAD_H

#include "net/digest.h"

struct download_file {
    const char *url;
    const char *path; // its directory exists
    uint64_t size;
    enum digest_kind kind;
    const char *digest;
};

struct download_options {
    const char *token; // sent as a bearer token; NULL for none
    int parallel;      // files at once
    int attempts;      // breaks in a row that bring nothing new before giving up
    // What a status from 400 on means, for people; `code` is the header X-Error-Code, "" if none.
    // Returns false.
    bool (*refusal)(void *context, int status, const char *code, struct error *error);
    void (*progress)(void *context, uint64_t done, uint64_t total); // bytes; may be NULL
    void *context;
};

// Blocks until all are there. Files that are there already are read and checked again. On an error
// the parts stay, so that a later call goes on.
bool download_files(const struct download_file *files, size_t count,
    const struct download_options *options, struct error *error) WARN_UNUSED;

// Bytes that are still to come.
uint64_t download_remaining(const struct download_file *files, size_t count);

#endif
