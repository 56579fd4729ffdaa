// The transfers of all files, driven by libcurl's multi interface in the caller's thread.
#include "net/download.h"
#include "base/memory.h"
#include "base/progress.h"
#include "net/download_internal.h"
#include "net/http_client.h"
#include <string.h>

enum {
    CONNECT_SECONDS = 20,
    STALLED_SECONDS = 30, // without a byte: the connection is taken for broken
    MAX_REDIRECTS = 8,
    MAX_WAIT_SECONDS = 600, // that a server may ask for
    POLL_MILLISECONDS = 100,
};

static const double first_pause = 0.25, longest_pause = 15;

struct download {
    const struct download_options *options;
    CURLM *multi;
    struct transfer *transfers;
    size_t count;
    uint64_t total;
};

// ---- requests ----

static bool is_https(const char *url) {
    return !strncmp(url, "https://", 8);
}

static bool set_address(CURL *curl, const struct transfer *transfer) {
    const char *url = transfer->file->url, *token = transfer->options->token;
    // libcurl's own bearer goes to the first host only; a header set by hand might follow
    // redirects.
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
               is_https(url) ? "https" : "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_UNRESTRICTED_AUTH, 0L) == CURLE_OK &&
           (!token ||
               (curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) == CURLE_OK &&
                   curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, token) == CURLE_OK));
}

static bool set_limits(CURL *curl, struct transfer *transfer) {
    return curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, HTTP_USER_AGENT) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALLED_SECONDS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->fault) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, transfer_take) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer) == CURLE_OK;
}

static bool set_range(CURL *curl, const struct transfer *transfer) {
    char range[32];
    if (!transfer->written) return true;
    snprintf(range, sizeof range, "%llu-", (unsigned long long)transfer->written);
    return curl_easy_setopt(curl, CURLOPT_RANGE, range) == CURLE_OK;
}

static bool request(struct download *download, struct transfer *transfer, struct error *error) {
    CURL *curl = transfer->curl = curl_easy_init();
    transfer->begun = transfer->wrong = false;
    transfer->fault[0] = 0;
    if (!curl || !set_address(curl, transfer) || !set_limits(curl, transfer) ||
        !set_range(curl, transfer) || curl_multi_add_handle(download->multi, curl) != CURLM_OK)
        return error_set(
            error, ERROR_INVALID, "cannot prepare a request to %.200s", transfer->file->url);
    transfer->state = TRANSFER_RUNNING;
    return true;
}

static bool start(struct download *download, struct transfer *transfer, struct error *error) {
    if (transfer->descriptor < 0 && !transfer_open(transfer, error)) return false;
    if (transfer->written == transfer->file->size) {
        if (!transfer_finish(transfer, error)) return false;
        if (transfer->state == TRANSFER_DONE) return true;
    }
    return request(download, transfer, error);
}

static void end_request(struct download *download, struct transfer *transfer) {
    if (!transfer->curl) return;
    curl_multi_remove_handle(download->multi, transfer->curl);
    curl_easy_cleanup(transfer->curl);
    transfer->curl = NULL;
    transfer->state = TRANSFER_WAITING;
}

// ---- what came of a request ----

// `least`: seconds that the server asked for.
static bool try_again(
    struct transfer *transfer, double least, const char *reason, struct error *error) {
    if (++transfer->failures >= transfer->options->attempts)
        return error_set(error, ERROR_IO, "%.300s: %s (tried %d times in a row)",
            transfer->file->url, reason, transfer->failures);
    double pause = first_pause;
    for (int i = 1; i < transfer->failures && pause < longest_pause; i++)
        pause *= 2;
    if (pause < least) pause = least;
    transfer->wait_until = progress_clock() + pause;
    return true;
}

static bool busy(struct transfer *transfer, long status, curl_off_t seconds, struct error *error) {
    char reason[64];
    snprintf(reason, sizeof reason, "the server answers with status %ld", status);
    if (seconds > MAX_WAIT_SECONDS)
        return error_set(error, ERROR_IO, "%.300s: %s and asks to wait %ld seconds; try again then",
            transfer->file->url, reason, (long)seconds);
    return try_again(transfer, (double)seconds, reason, error);
}

static bool is_busy(long status) {
    return status == 408 || status == 429 || status >= 500;
}

static bool settle_status(struct transfer *transfer, long status, curl_off_t wait, const char *code,
    struct error *error) {
    if (status == 200 || status == 206) {
        if (transfer->written == transfer->file->size) return transfer_finish(transfer, error);
        return try_again(transfer, 0, "the answer ended early", error);
    }
    if (status == 416) // a part that the server will not go on with
        return transfer_restart(transfer, error) &&
               try_again(transfer, 0, "the server refuses the range", error);
    if (is_busy(status)) return busy(transfer, status, wait, error);
    return transfer->options->refusal(transfer->options->context, (int)status, code, error);
}

static bool is_hopeless(CURLcode result) {
    return result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_URL_MALFORMAT ||
           result == CURLE_TOO_MANY_REDIRECTS || result == CURLE_PEER_FAILED_VERIFICATION;
}

static bool settle_break(struct transfer *transfer, CURLcode result, struct error *error) {
    const char *reason = transfer->fault[0] ? transfer->fault : curl_easy_strerror(result);
    if (transfer->disk.code != ERROR_NONE) {
        *error = transfer->disk;
        return false;
    }
    if (transfer->wrong) return transfer_finish(transfer, error);
    if (is_hopeless(result))
        return error_set(error, ERROR_IO, "%.300s: %s", transfer->file->url, reason);
    return try_again(transfer, 0, reason, error);
}

static bool settle(
    struct download *download, struct transfer *transfer, CURLcode result, struct error *error) {
    struct curl_header *header;
    char code[64] = "";
    long status = 0;
    curl_off_t wait = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->curl, CURLINFO_RETRY_AFTER, &wait);
    if (curl_easy_header(transfer->curl, "x-error-code", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(code, sizeof code, "%s", header->value);
    end_request(download, transfer);
    return result == CURLE_OK ? settle_status(transfer, status, wait, code, error)
                              : settle_break(transfer, result, error);
}

// ---- the loop ----

static bool start_some(struct download *download, size_t *left, struct error *error) {
    int running = 0;
    double now = progress_clock();
    *left = 0;
    for (size_t i = 0; i < download->count; i++)
        running += download->transfers[i].state == TRANSFER_RUNNING;
    for (size_t i = 0; i < download->count; i++) {
        struct transfer *transfer = &download->transfers[i];
        if (transfer->state == TRANSFER_WAITING && running < download->options->parallel &&
            transfer->wait_until <= now) {
            if (!start(download, transfer, error)) return false;
            running += transfer->state == TRANSFER_RUNNING;
        }
        *left += transfer->state != TRANSFER_DONE;
    }
    return true;
}

static bool settle_some(struct download *download, struct error *error) {
    CURLMsg *message;
    int more;
    while ((message = curl_multi_info_read(download->multi, &more))) {
        struct transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        if (!settle(download, transfer, result, error)) return false;
    }
    return true;
}

static void tell(const struct download *download) {
    uint64_t done = 0;
    if (!download->options->progress) return;
    for (size_t i = 0; i < download->count; i++) {
        const struct transfer *transfer = &download->transfers[i];
        done += transfer->state == TRANSFER_DONE ? transfer->file->size : transfer->written;
    }
    download->options->progress(download->options->context, done, download->total);
}

static bool drive(struct download *download, struct error *error) {
    size_t left;
    int running;
    for (;;) {
        if (!start_some(download, &left, error)) return false;
        tell(download);
        if (!left) return true;
        if (curl_multi_perform(download->multi, &running) != CURLM_OK ||
            curl_multi_poll(download->multi, NULL, 0, POLL_MILLISECONDS, NULL) != CURLM_OK)
            return error_set(error, ERROR_INTERNAL, "libcurl cannot go on");
        if (!settle_some(download, error)) return false;
    }
}

static bool is_there(const struct download_file *file) {
    uint64_t size;
    struct error ignored;
    return file_size(file->path, &size, &ignored) && size == file->size;
}

static bool prepare(struct download *download, const struct download_file *files,
    const struct download_options *options) {
    download->transfers = memory_alloc_zeroed(download->count, sizeof *download->transfers);
    if (!download->transfers) return false;
    for (size_t i = 0; i < download->count; i++) {
        struct transfer *transfer = &download->transfers[i];
        transfer->file = &files[i];
        transfer->options = options;
        transfer->descriptor = -1;
        download->total += files[i].size;
    }
    return true;
}

bool download_files(const struct download_file *files, size_t count,
    const struct download_options *options, struct error *error) {
    struct download download = {.options = options, .count = count};
    if (!count) return true;
    http_client_start();
    download.multi = curl_multi_init();
    bool ok = download.multi && prepare(&download, files, options)
                  ? drive(&download, error)
                  : memory_error(error, "downloads");
    for (size_t i = 0; download.transfers && i < count; i++) {
        end_request(&download, &download.transfers[i]);
        transfer_close(&download.transfers[i]);
    }
    curl_multi_cleanup(download.multi);
    memory_free(download.transfers);
    return ok;
}

uint64_t download_remaining(const struct download_file *files, size_t count) {
    uint64_t remaining = 0;
    for (size_t i = 0; i < count; i++) {
        char partial[FILE_PATH_SIZE];
        uint64_t there = 0;
        struct error ignored;
        if (is_there(&files[i])) continue;
        if (transfer_partial_path(partial, &files[i], &ignored) && file_exists(partial) &&
            !file_size(partial, &there, &ignored))
            there = 0;
        remaining += there < files[i].size ? files[i].size - there : 0;
    }
    return remaining;
}
