// A file that comes: its part on the disk, in step with its digest.
#include "base/memory.h"
#include "net/download_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 18 };

// The digest in its name keeps a part of one content from being taken for that of another.
bool transfer_partial_path(char *path, const struct download_file *file, struct error *error) {
    int length = snprintf(path, FILE_PATH_SIZE, "%s.%.16s.partial", file->path, file->digest);
    return (length > 0 && length < FILE_PATH_SIZE) ||
           error_set(error, ERROR_INVALID, "the path %.200s is too long", file->path);
}

static bool new_digest(struct transfer *transfer, struct error *error) {
    digest_free(transfer->digest);
    transfer->digest = NULL;
    return digest_begin(&transfer->digest, transfer->file->kind, transfer->file->size, error);
}

bool transfer_restart(struct transfer *transfer, struct error *error) {
    transfer->written = 0;
    if (ftruncate(transfer->descriptor, 0) != 0 || lseek(transfer->descriptor, 0, SEEK_SET) != 0)
        return error_set_errno(error, ERROR_IO, "cannot write %s", transfer->partial);
    return new_digest(transfer, error);
}

static bool read_part(struct transfer *transfer, struct error *error) {
    char *bytes = memory_alloc(READ_SIZE);
    ssize_t got = 1;
    if (!bytes) return memory_error(error, "a download");
    while (got > 0) {
        got = read(transfer->descriptor, bytes, READ_SIZE);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got <= 0) break;
        digest_add(transfer->digest, bytes, (size_t)got);
        transfer->written += (uint64_t)got;
    }
    memory_free(bytes);
    return got == 0 || error_set_errno(error, ERROR_IO, "cannot read %s", transfer->partial);
}

// A file that bears its name already was checked, but perhaps against the digest of an older
// commit: it is taken for a part that may be whole.
static bool take_earlier(const struct transfer *transfer, struct error *error) {
    struct stat status;
    const char *path = transfer->file->path;
    if (lstat(path, &status) != 0) return true;
    if ((uint64_t)status.st_size == transfer->file->size && S_ISREG(status.st_mode) &&
        rename(path, transfer->partial) == 0)
        return true;
    return unlink(path) == 0 || error_set_errno(error, ERROR_IO, "cannot remove %s", path);
}

bool transfer_open(struct transfer *transfer, struct error *error) {
    struct stat status;
    if (!transfer_partial_path(transfer->partial, transfer->file, error) ||
        !take_earlier(transfer, error))
        return false;
    transfer->descriptor = open(transfer->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (transfer->descriptor < 0 || fstat(transfer->descriptor, &status) != 0)
        return error_set_errno(error, ERROR_IO, "cannot write %s", transfer->partial);
    if ((uint64_t)status.st_size > transfer->file->size) return transfer_restart(transfer, error);
    if (!new_digest(transfer, error) || !read_part(transfer, error)) return false;
    transfer->most = transfer->written;
    return true;
}

void transfer_close(struct transfer *transfer) {
    if (transfer->descriptor >= 0) close(transfer->descriptor);
    transfer->descriptor = -1;
    digest_free(transfer->digest);
    transfer->digest = NULL;
}

// ---- an answer's body ----

// The first byte of "Content-Range: bytes FIRST-LAST/SIZE" is the one that was asked for.
static bool continues(const struct transfer *transfer) {
    struct curl_header *header;
    if (curl_easy_header(transfer->curl, "content-range", 0, CURLH_HEADER, -1, &header) !=
        CURLHE_OK)
        return false;
    return !strncmp(header->value, "bytes ", 6) &&
           strtoull(header->value + 6, NULL, 10) == transfer->written;
}

// A server that knows no ranges sends all of it once more.
static bool begin_body(struct transfer *transfer, long status) {
    transfer->begun = true;
    if (status == 206 ? continues(transfer) : transfer->written == 0) return true;
    return transfer_restart(transfer, &transfer->disk) && status != 206;
}

size_t transfer_take(char *bytes, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    size_t length = size * count;
    long status = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206) return length; // what an error says of itself
    if (!transfer->begun && !begin_body(transfer, status)) return CURL_WRITEFUNC_ERROR;
    if (length > transfer->file->size - transfer->written) {
        transfer->wrong = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (!file_write_all(transfer->descriptor, bytes, length, &transfer->disk)) {
        error_prefix(&transfer->disk, "%s", transfer->partial);
        return CURL_WRITEFUNC_ERROR;
    }
    digest_add(transfer->digest, bytes, length);
    transfer->written += length;
    if (transfer->written > transfer->most) {
        transfer->most = transfer->written;
        transfer->failures = 0;
    }
    return length;
}

// ---- the end ----

static bool wrong_digest(struct transfer *transfer, const char *found, struct error *error) {
    const struct download_file *file = transfer->file;
    if (!transfer->fetched_anew) {
        transfer->fetched_anew = true;
        transfer->most = 0;
        return transfer_restart(transfer, error);
    }
    transfer_close(transfer);
    unlink(transfer->partial);
    return error_set(error, ERROR_INVALID,
        "%s came twice with another content than is announced: %s %s, not %s; it was not kept",
        file->url, digest_names[file->kind], found, file->digest);
}

bool transfer_finish(struct transfer *transfer, struct error *error) {
    char found[DIGEST_TEXT_SIZE] = "of a longer file";
    if (!transfer->wrong) {
        digest_finish(transfer->digest, found);
        transfer->digest = NULL;
    }
    transfer->wrong = false;
    if (strcmp(found, transfer->file->digest)) return wrong_digest(transfer, found, error);
    if (fsync(transfer->descriptor) != 0)
        return error_set_errno(error, ERROR_IO, "cannot bring %s to disk", transfer->partial);
    transfer_close(transfer);
    transfer->state = TRANSFER_DONE;
    return file_rename_durable(transfer->partial, transfer->file->path, error);
}
