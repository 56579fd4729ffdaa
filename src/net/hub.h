// The Hugging Face hub, as far as fetching a model needs it: which files a model has at a revision
// (GET /api/models/ID/revision/REVISION?blobs=true), and the files themselves (GET
// /ID/resolve/COMMIT/FILE). HF_ENDPOINT names another server that speaks its API, HF_TOKEN the
// user's token. What the server says is not believed: names of files that lead out of a directory
// are refused, sizes are bounded, contents are checked against their digests.
#ifndef NET_HUB_H
#define NET_HUB_H

#include "net/download.h"

struct hub {
    char endpoint[512]; // without a slash at its end
    const char *token;  // NULL: none; the environment's
    int attempts;       // breaks in a row before giving up
    int parallel;       // files at once
};

struct hub_file {
    char *name; // "model.safetensors", "sub/folder/model.gguf"
    uint64_t size;
    enum digest_kind kind;
    char digest[DIGEST_TEXT_SIZE];
};

struct hub_listing {
    char commit[41]; // that the revision is at: all files are fetched from it
    struct hub_file *files;
    size_t count;
};

// Reads the environment.
bool hub_open(struct hub *hub, struct error *error) WARN_UNUSED;

// The files of a model ("owner/name") at a revision (a branch, a tag, a commit). Errors say what
// the user can do: which name was wrong, where a licence is to be accepted, that a token is
// missing.
bool hub_list(const struct hub *hub, const char *model, const char *revision,
    struct hub_listing *listing, struct error *error) WARN_UNUSED;

// Reads the API's answer.
bool hub_listing_parse(
    struct hub_listing *listing, const char *text, size_t length, struct error *error) WARN_UNUSED;
void hub_listing_free(struct hub_listing *listing);
const struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *name);

// A file that is wanted, and where it is to go.
struct hub_want {
    const struct hub_file *file;
    char *path; // owned by whoever made it
};

// Fetches files to their places (net/download.h), going on with what an earlier call left.
// `progress` may be NULL.
bool hub_fetch(const struct hub *hub, const char *model, const struct hub_listing *listing,
    const struct hub_want *wants, size_t count,
    void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
    struct error *error) WARN_UNUSED;

// Bytes of them that are still to come.
bool hub_remaining(
    const struct hub_want *wants, size_t count, uint64_t *bytes, struct error *error) WARN_UNUSED;

#endif
