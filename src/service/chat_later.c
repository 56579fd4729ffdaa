// Making a batch of one chat request.
#include "service/chat_later.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "jobs/batch_input.h"
#include "jobs/batch_runner.h"
#include "net/address_guard.h"
#include "service/batch_object.h"
#include "service/chat_request.h"
#include "service/fields.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/service.h"
#include "store/store_batches.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENDPOINT "/v1/chat/completions"
#define WISH "@kluster.ai"

enum { ID_SIZE = 64, URL_LENGTH = 2048 };

static const char *const endpoints[] = {ENDPOINT, NULL};

static const struct field wish_fields[] = {
    {"async", FIELD_BOOLEAN, FIELD_REQUIRED},
    {"completion_window", FIELD_STRING, .values = batch_windows},
    {"endpoint", FIELD_STRING, .values = endpoints},
    {"strict_completion_window", FIELD_BOOLEAN, FIELD_ADVISORY},
    {"callback_url", FIELD_STRING, FIELD_OPTIONAL, 1, URL_LENGTH},
};
static const struct shape wish_shape = SHAPE("AsynchronousChat", wish_fields);

bool chat_later_read(struct chat_later *later, json_t *body, struct reply *reply) {
    json_t *metadata = json_object_get(body, "metadata");
    json_t *wish = fields_get(metadata, WISH);
    *later = (struct chat_later){0};
    if (!wish) return true;
    if (!json_is_object(wish)) {
        fields_refuse_type(reply, "metadata." WISH, "an object", wish);
        return false;
    }
    if (!shape_check(wish, "metadata." WISH, &wish_shape, reply)) return false;
    later->wanted = json_is_true(json_object_get(wish, "async"));
    if (later->wanted && !fields_get(wish, "completion_window")) {
        reply_error(reply, 400, "missing_required_parameter", "metadata." WISH ".completion_window",
            "Missing required parameter: 'metadata." WISH ".completion_window'.");
        return false;
    }
    later->wish = json_incref(wish);
    json_object_del(metadata, WISH);
    return true;
}

void chat_later_free(struct chat_later *later) {
    json_decref(later->wish);
    later->wish = NULL;
}

// "batch_<24 letters and digits>_<milliseconds>": the batch's id, and when it was asked for. It is
// the answer's id and the request's custom_id, so that a client finds the one by the other.
static bool make_id(char id[ID_SIZE], struct error *error) {
    char secret[25];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!random_secret(secret, 24, error)) return false;
    snprintf(
        id, ID_SIZE, "batch_%s_%lld", secret, (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    return true;
}

// The one line of the batch's input (free), NULL where memory is short.
static char *input_line(const char *id, const json_t *body) {
    json_t *line = json_pack(
        "{s:s, s:s, s:s, s:O}", "custom_id", id, "method", "POST", "url", ENDPOINT, "body", body);
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    return text;
}

// Brings the line to disk where uploads wait to become files.
static bool write_input(
    struct service *service, const char *id, const char *line, char *path, struct error *error) {
    char folder[FILE_PATH_SIZE], name[ID_SIZE + 8];
    snprintf(name, sizeof name, "%s.part", id);
    return file_path(folder, sizeof folder, error, service->data, "uploads") &&
           file_path(path, FILE_PATH_SIZE, error, folder, name) &&
           file_write_atomic(path, line, strlen(line), error);
}

// The input as a file of the account, and the batch; both or neither.
static bool store_batch(struct service *service, struct file_record *file, const char *path,
    struct batch_record *batch, struct error *error) {
    int64_t window = batch_window_seconds(batch->completion_window);
    if (!store_begin(service->store, error)) return false;
    bool good = file_create(service->store, file, path, error);
    batch->input_file = file->id;
    if (good && batch_create(service->store, batch, window, error))
        return store_commit(service->store, error);
    store_rollback(service->store);
    return false;
}

// The words are kluster.ai's.
static json_t *acknowledgement(const char *id, const char *model) {
    json_t *answer = json_pack("{s:s, s:s, s:I, s:s, s:s}", "id", id, "object", "chat.completion",
        "created", (json_int_t)time(NULL), "model", model, "system_fingerprint",
        "fp_temper_" TEMPER_VERSION);
    json_t *choice = json_pack("{s:i, s:{s:s, s:s, s:n}, s:n, s:s}", "index", 0, "message", "role",
        "assistant", "content",
        "Your request has been queued for adaptive inference. Check your batch jobs for results.",
        "refusal", "logprobs", "finish_reason", "stop");
    if (!answer || json_object_set_new(answer, "choices", json_pack("[o]", choice)) != 0 ||
        json_object_set_new(answer, "usage",
            json_pack("{s:i, s:i, s:i}", "prompt_tokens", 0, "completion_tokens", 0, "total_tokens",
                0)) != 0) {
        json_decref(answer);
        return NULL;
    }
    return answer;
}

// What else stood in the metadata is the batch's (free); NULL if there is none.
static char *other_metadata(const json_t *body) {
    const json_t *metadata = fields_get(body, "metadata");
    return json_object_size(metadata) ? json_dumps(metadata, JSON_COMPACT) : NULL;
}

static bool create(struct service *service, const struct request *request,
    const struct chat_later *later, const json_t *body, const char *id, const char *line,
    struct error *error) {
    char path[FILE_PATH_SIZE];
    struct file_record file = {.account = request->account,
        .filename = (char *)"chat.jsonl",
        .purpose = (char *)"batch",
        .status = (char *)"processed",
        .bytes = (int64_t)strlen(line)};
    struct batch_record batch = {.id = memory_copy_bytes(id, strcspn(id + 6, "_") + 6),
        .account = request->account,
        .endpoint = (char *)ENDPOINT,
        .completion_window =
            (char *)json_string_value(json_object_get(later->wish, "completion_window")),
        .status = (char *)"validating",
        .metadata = other_metadata(body),
        .callback_url = (char *)json_string_value(fields_get(later->wish, "callback_url"))};
    bool good = (batch.id || memory_error(error, "a batch")) &&
                write_input(service, id, line, path, error) &&
                store_batch(service, &file, path, &batch, error);
    memory_free(file.id);
    memory_free(batch.id);
    free(batch.metadata);
    return good;
}

static bool check_line(const char *line, struct reply *reply) {
    if (strlen(line) <= BATCH_LINE_MAXIMUM) return true;
    reply_error(reply, 413, NULL, NULL,
        "The request has %zu bytes, but one that is answered later can have at most %d.",
        strlen(line), BATCH_LINE_MAXIMUM);
    return false;
}

static bool check_callback(
    struct service *service, const struct chat_later *later, struct reply *reply) {
    struct error error;
    const char *url = json_string_value(fields_get(later->wish, "callback_url"));
    if (!url || address_check_url(url, service->inward_webhooks, &error)) return true;
    reply_error(reply, 400, "invalid_value", "metadata." WISH ".callback_url",
        "Invalid 'metadata." WISH ".callback_url': %s.", error.message);
    return false;
}

void chat_later_create(struct service *service, const struct request *request,
    const struct chat_later *later, const json_t *body, const struct chat_request *chat,
    struct reply *reply) {
    char id[ID_SIZE];
    struct error error = {0};
    if (chat->stream) {
        reply_error(reply, 400, "invalid_value", "stream",
            "Invalid value for 'stream': an asynchronous request cannot ask for a stream.");
        return;
    }
    if (!check_callback(service, later, reply)) return;
    char *line = make_id(id, &error) ? input_line(id, body) : NULL;
    if (!line && error.code == ERROR_NONE) memory_error(&error, "a batch");
    if (!line) {
        reply_failure(reply, "making a batch", &error);
    } else if (!check_line(line, reply)) {
        // refused
    } else if (create(service, request, later, body, id, line, &error)) {
        reply_json(reply, 200, acknowledgement(id, chat->model));
        batch_runner_wake(service->batches);
    } else {
        reply_failure(reply, "making a batch", &error);
    }
    free(line);
}
