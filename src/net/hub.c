#include "net/hub.h"
#include "base/memory.h"
#include "net/http_client.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MAX_ANSWER = 64 << 20,
    LIST_SECONDS = 120,
    MAX_WAIT_SECONDS = 600,
    ATTEMPTS = 6,
    PARALLEL = 4,
};

static const char usual_endpoint[] = "https://huggingface.co";

// ---- the environment ----

static bool is_plain_text(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text > '~') return false;
    return true;
}

bool hub_open(struct hub *hub, struct error *error) {
    const char *endpoint = getenv("HF_ENDPOINT"), *token = getenv("HF_TOKEN");
    *hub = (struct hub){.attempts = ATTEMPTS, .parallel = PARALLEL};
    if (!endpoint || !*endpoint) endpoint = usual_endpoint;
    size_t length = strlen(endpoint);
    while (length && endpoint[length - 1] == '/')
        length--;
    if ((strncmp(endpoint, "http://", 7) && strncmp(endpoint, "https://", 8)) ||
        length >= sizeof hub->endpoint || !is_plain_text(endpoint))
        return error_set(error, ERROR_INVALID,
            "HF_ENDPOINT is \"%.200s\": it must be an address like %s", endpoint, usual_endpoint);
    memcpy(hub->endpoint, endpoint, length);
    if (!token || !*token) return true;
    if (!is_plain_text(token))
        return error_set(error, ERROR_INVALID,
            "HF_TOKEN has a space or a sign in it that no token has: set it anew");
    hub->token = token;
    return true;
}

// ---- addresses ----

// Letters, digits and -._~ stay as they are, and so does a slash where `slashes`.
static void append_escaped(struct buffer *url, const char *text, bool slashes) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *text; text++)
        if (strchr(plain, *text) || (slashes && *text == '/'))
            buffer_append_char(url, *text);
        else
            buffer_append_format(url, "%%%02X", (unsigned char)*text);
}

static char *list_url(const struct hub *hub, const char *model, const char *revision) {
    struct buffer url;
    buffer_init(&url, 4096);
    buffer_append_format(&url, "%s/api/models/", hub->endpoint);
    append_escaped(&url, model, true);
    buffer_append_text(&url, "/revision/");
    append_escaped(&url, revision, false);
    buffer_append_text(&url, "?blobs=true");
    return buffer_take(&url);
}

static char *file_url(
    const struct hub *hub, const char *model, const char *commit, const char *name) {
    struct buffer url;
    buffer_init(&url, 4096);
    buffer_append_format(&url, "%s/", hub->endpoint);
    append_escaped(&url, model, true);
    buffer_append_format(&url, "/resolve/%s/", commit);
    append_escaped(&url, name, true);
    return buffer_take(&url);
}

// ---- what the hub refuses ----

struct question {
    const struct hub *hub;
    const char *model, *revision;
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

static bool no_access(const struct question *q, int status, struct error *error) {
    const char *endpoint = q->hub->endpoint;
    if (!q->hub->token)
        return error_set(error, ERROR_NOT_FOUND,
            "%s wants to know who asks for %s (status %d): either there is no such model, or it is "
            "not open to all. For one that is not: accept its licence at %s/%s, make a token at "
            "%s/settings/tokens, and set HF_TOKEN to it",
            endpoint, q->model, status, endpoint, q->model, endpoint);
    if (status == 401)
        return error_set(error, ERROR_NOT_FOUND,
            "%s does not take the token in HF_TOKEN for %s (status 401): there is no such model, "
            "or "
            "the token is wrong or was revoked; make one at %s/settings/tokens",
            endpoint, q->model, endpoint);
    return error_set(error, ERROR_NOT_FOUND,
        "%s does not give %s to the owner of this token (status 403): accept its licence at %s/%s, "
        "and see that the token may read gated models (%s/settings/tokens)",
        endpoint, q->model, endpoint, q->model, endpoint);
}

static bool refusal(void *context, int status, const char *code, struct error *error) {
    const struct question *q = context;
    if (status == 401 || status == 403) return no_access(q, status, error);
    if (status == 404 && (!strcmp(code, "RevisionNotFound") || !strcmp(code, "EntryNotFound")))
        return error_set(error, ERROR_NOT_FOUND, "%s has %s, but not at the revision \"%s\"",
            q->hub->endpoint, q->model, q->revision);
    if (status == 404)
        return error_set(error, ERROR_NOT_FOUND,
            "%s has no model %s at the revision \"%s\": is the name right?", q->hub->endpoint,
            q->model, q->revision);
    return error_set(error, ERROR_IO, "%s answers on %s with status %d %s", q->hub->endpoint,
        q->model, status, code);
}

// ---- listing ----

static void wait_seconds(double seconds) {
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&pause, NULL);
}

static bool is_busy(int status) {
    return status == 408 || status == 429 || status >= 500;
}

// Sends; where the server is busy or the connection breaks, waits and asks again.
static bool ask(const struct hub *hub, const struct http_request *request,
    struct http_answer *answer, struct error *error) {
    double pause = 0.25;
    for (int attempt = 0;; attempt++, pause *= 2) {
        bool answered = http_client_send(request, MAX_ANSWER, answer, error);
        if (answered && !is_busy(answer->status)) return true;
        long wait = answered ? answer->retry_after : 0;
        if (answered) {
            error_set(error, ERROR_IO, "%s answers with status %d; try again later", hub->endpoint,
                answer->status);
            http_answer_free(answer);
        }
        if (attempt + 1 >= hub->attempts || wait > MAX_WAIT_SECONDS) return false;
        wait_seconds(pause > (double)wait ? pause : (double)wait);
    }
}

static bool read_answer(const struct question *q, const struct http_answer *answer,
    struct hub_listing *listing, struct error *error) {
    if (answer->status != 200) return refusal((void *)q, answer->status, answer->error_code, error);
    return hub_listing_parse(listing, buffer_text(&answer->body), answer->body.length, error);
}

bool hub_list(const struct hub *hub, const char *model, const char *revision,
    struct hub_listing *listing, struct error *error) {
    struct question question = {hub, model, revision, NULL, NULL};
    struct http_answer answer;
    char *url = list_url(hub, model, revision);
    if (!url) return memory_error(error, "an address of the hub");
    struct http_request request = {.method = "GET",
        .url = url,
        .timeout_seconds = LIST_SECONDS,
        .token = hub->token,
        .follow = true};
    bool ok = ask(hub, &request, &answer, error);
    if (ok) {
        ok = read_answer(&question, &answer, listing, error);
        http_answer_free(&answer);
    }
    memory_free(url);
    return ok;
}

// ---- fetching ----

static void progress(void *context, uint64_t done, uint64_t total) {
    const struct question *q = context;
    if (q->progress) q->progress(q->context, done, total);
}

static struct download_file *make_files(const struct hub_want *wants, size_t count) {
    struct download_file *files = memory_alloc_zeroed(count, sizeof *files);
    for (size_t i = 0; files && i < count; i++) {
        const struct hub_file *file = wants[i].file;
        files[i] = (struct download_file){
            .path = wants[i].path, .size = file->size, .kind = file->kind, .digest = file->digest};
    }
    return files;
}

bool hub_fetch(const struct hub *hub, const char *model, const struct hub_listing *listing,
    const struct hub_want *wants, size_t count,
    void (*tell)(void *context, uint64_t done, uint64_t total), void *context,
    struct error *error) {
    struct question question = {hub, model, listing->commit, tell, context};
    struct download_options options = {.token = hub->token,
        .parallel = hub->parallel,
        .attempts = hub->attempts,
        .refusal = refusal,
        .progress = progress,
        .context = &question};
    struct download_file *files = make_files(wants, count);
    bool ok = files != NULL;
    for (size_t i = 0; i < count && ok; i++)
        ok = (files[i].url = file_url(hub, model, listing->commit, wants[i].file->name)) != NULL;
    ok = ok ? download_files(files, count, &options, error)
            : memory_error(error, "addresses of the hub");
    for (size_t i = 0; files && i < count; i++)
        memory_free((char *)files[i].url);
    memory_free(files);
    return ok;
}

bool hub_remaining(
    const struct hub_want *wants, size_t count, uint64_t *bytes, struct error *error) {
    struct download_file *files = make_files(wants, count);
    if (!files) return memory_error(error, "a list of files");
    *bytes = download_remaining(files, count);
    memory_free(files);
    return true;
}
