// One file on its way: what lies on the disk of it, and what came of the present request.
#ifndef NET_DOWNLOAD_INTERNAL_H
#define NET_DOWNLOAD_INTERNAL_H

#include "base/file.h"
#include "net/download.h"
#include <curl/curl.h>

enum transfer_state { TRANSFER_WAITING, TRANSFER_RUNNING, TRANSFER_DONE };

struct transfer {
    const struct download_file *file;
    const struct download_options *options;
    enum transfer_state state;
    // On the disk.
    char partial[FILE_PATH_SIZE];
    int descriptor;
    uint64_t written;
    struct digest *digest; // of what is written
    // Of all requests so far.
    uint64_t most;     // that was ever written: beyond it, something new came
    int failures;      // in a row
    bool fetched_anew; // because the first time the digest was wrong
    double wait_until; // progress_clock
    // Of this request.
    CURL *curl;
    bool begun; // its first byte came
    bool wrong; // more came than the file has
    struct error disk;
    char fault[CURL_ERROR_SIZE];
};

// Where the file's part lies.
bool transfer_partial_path(
    char *path, const struct download_file *file, struct error *error) WARN_UNUSED;

// Opens the part and reads what is there of it.
bool transfer_open(struct transfer *transfer, struct error *error) WARN_UNUSED;
void transfer_close(struct transfer *transfer);

// Forgets what was written.
bool transfer_restart(struct transfer *transfer, struct error *error) WARN_UNUSED;

// Of libcurl: takes a piece of an answer's body.
size_t transfer_take(char *bytes, size_t size, size_t count, void *context);

// All bytes are there: if they are right, the file gets its name; if they are wrong for the first
// time, it is to be fetched anew.
bool transfer_finish(struct transfer *transfer, struct error *error) WARN_UNUSED;

#endif
