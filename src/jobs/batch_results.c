// Appending results, and handing them over at the end.
#include "jobs/batch_results.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/store_batches.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RESULTS_MAXIMUM = 256 << 20, GIVE_UP_AT_ONCE = 500 };

static const char output_name[] = "output.jsonl", error_name[] = "error.jsonl";

static bool result_path(struct store *store, const struct batch_record *batch, const char *name,
    char *path, struct error *error) {
    char directory[FILE_PATH_SIZE];
    return batch_directory(store, batch->id, directory, error) &&
           file_path(path, FILE_PATH_SIZE, error, directory, name);
}

// Brings the lines to disk behind the first *bytes of the file, and counts them in *bytes.
static bool append(struct store *store, const struct batch_record *batch, const char *name,
    const struct buffer *lines, int64_t *bytes, struct error *error) {
    char directory[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    if (!lines->length) return true;
    if (!buffer_ok(lines, "results of a batch", error) ||
        !batch_directory(store, batch->id, directory, error) ||
        !file_path(path, FILE_PATH_SIZE, error, directory, name))
        return false;
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return error_set_errno(error, ERROR_IO, "cannot write %s", path);
    // What a crash left behind the counted bytes never happened.
    bool good = ftruncate(descriptor, *bytes) == 0 && lseek(descriptor, *bytes, SEEK_SET) == *bytes;
    if (!good) error_set_errno(error, ERROR_IO, "cannot write %s", path);
    good = good && file_write_all(descriptor, lines->data, lines->length, error);
    if (good && fdatasync(descriptor) != 0)
        good = error_set_errno(error, ERROR_IO, "cannot write %s", path);
    close(descriptor);
    if (good && !*bytes) good = file_sync_directory(directory, error); // its name, too
    if (good) *bytes += (int64_t)lines->length;
    return good;
}

static bool append_json(struct buffer *lines, json_t *value, struct error *error) {
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    if (!text) return memory_error(error, "a result of a batch");
    buffer_append_text(lines, text);
    buffer_append_char(lines, '\n');
    free(text);
    return true;
}

static bool make_ids(char request[32], char answer[32], struct error *error) {
    memcpy(request, "batch_req_", 10);
    memcpy(answer, "req_", 4);
    return random_secret(request + 10, 20, error) && random_secret(answer + 4, 24, error);
}

static bool append_result(
    struct buffer *lines, const struct batch_result *result, struct error *error) {
    char request[32], answer[32];
    if (!make_ids(request, answer, error)) return false;
    return append_json(lines,
        json_pack("{s:s, s:s, s:{s:i, s:s, s:O}, s:n}", "id", request, "custom_id",
            result->custom_id, "response", "status_code", result->status, "request_id", answer,
            "body", result->answer, "error"),
        error);
}

static void count_result(struct batch_record *batch, const struct batch_result *result) {
    const json_t *usage = json_object_get(result->answer, "usage");
    batch->prompt_tokens += json_integer_value(json_object_get(usage, "prompt_tokens"));
    batch->answer_tokens += json_integer_value(json_object_get(usage, "completion_tokens"));
    if (result->status < 300)
        batch->completed++;
    else
        batch->failed++;
}

static bool store_results(struct store *store, const struct batch_record *batch,
    const struct batch_result *results, size_t count, struct error *error) {
    if (!store_begin(store, error)) return false;
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = batch_line_remove(store, batch->id, results[i].line, error);
    if (good && batch_update(store, batch, error)) return store_commit(store, error);
    store_rollback(store);
    return false;
}

bool batch_results_add(struct store *store, struct batch_record *batch,
    const struct batch_result *results, size_t count, struct error *error) {
    struct batch_record counted = *batch;
    struct buffer output, errors;
    bool good = true;
    buffer_init(&output, RESULTS_MAXIMUM);
    buffer_init(&errors, RESULTS_MAXIMUM);
    for (size_t i = 0; good && i < count; i++) {
        good = append_result(results[i].status < 300 ? &output : &errors, &results[i], error);
        count_result(&counted, &results[i]);
    }
    good = good && append(store, batch, output_name, &output, &counted.output_bytes, error) &&
           append(store, batch, error_name, &errors, &counted.error_bytes, error) &&
           store_results(store, &counted, results, count, error);
    if (good) *batch = counted;
    buffer_free(&output);
    buffer_free(&errors);
    return good;
}

static bool append_never_run(struct buffer *lines, const struct batch_line *line, const char *code,
    const char *message, struct error *error) {
    char request[32], ignored[32];
    if (!make_ids(request, ignored, error)) return false;
    return append_json(lines,
        json_pack("{s:s, s:s, s:n, s:{s:s, s:s}}", "id", request, "custom_id", line->custom_id,
            "response", "error", "code", code, "message", message),
        error);
}

static bool store_never_run(
    struct store *store, const struct batch_record *batch, size_t count, struct error *error) {
    bool left;
    if (!store_begin(store, error)) return false;
    if (batch_line_clear(store, batch->id, (int)count, &left, error) &&
        batch_update(store, batch, error))
        return store_commit(store, error);
    store_rollback(store);
    return false;
}

bool batch_results_give_up(struct store *store, struct batch_record *batch, const char *code,
    const char *message, bool *left, struct error *error) {
    struct batch_record counted = *batch;
    struct batch_line *lines;
    struct buffer errors;
    size_t count;
    if (!batch_line_list(store, batch->id, 0, GIVE_UP_AT_ONCE, &lines, &count, error)) return false;
    *left = count > 0;
    bool good = true;
    buffer_init(&errors, RESULTS_MAXIMUM);
    for (size_t i = 0; good && i < count; i++)
        good = append_never_run(&errors, &lines[i], code, message, error);
    counted.failed += (int64_t)count;
    good = good && append(store, batch, error_name, &errors, &counted.error_bytes, error) &&
           (!count || store_never_run(store, &counted, count, error));
    if (good) *batch = counted;
    buffer_free(&errors);
    batch_line_list_free(lines, count);
    return good;
}

// ---- the end ----

// Makes a file of the account from results. The bytes stay where they are, too, until the batch is
// final: a link to them is what moves.
static bool hand_over(struct store *store, const struct batch_record *batch, const char *name,
    int64_t bytes, char **file_id, struct error *error) {
    char path[FILE_PATH_SIZE], folder[FILE_PATH_SIZE], link_name[128], place[FILE_PATH_SIZE];
    char filename[128];
    if (!bytes) return true;
    snprintf(link_name, sizeof link_name, "%s-%s.part", batch->id, name);
    snprintf(filename, sizeof filename, "%s_%s", batch->id, name);
    if (!result_path(store, batch, name, path, error) ||
        !file_path(folder, sizeof folder, error, store_directory(store), "uploads") ||
        !file_path(place, sizeof place, error, folder, link_name))
        return false;
    unlink(place);
    if (truncate(path, bytes) != 0 || link(path, place) != 0)
        return error_set_errno(error, ERROR_IO, "cannot hand %s over", path);
    struct file_record file = {.account = batch->account,
        .filename = filename,
        .purpose = (char *)"batch_output",
        .status = (char *)"processed",
        .bytes = bytes,
        .expires_at =
            batch->output_expires_after ? (int64_t)time(NULL) + batch->output_expires_after : 0};
    if (!file_create(store, &file, place, error)) return false;
    memory_free(*file_id);
    *file_id = file.id;
    return true;
}

static void note_moment(struct batch_record *batch, const char *status) {
    int64_t now = (int64_t)time(NULL);
    if (!strcmp(status, "completed")) batch->completed_at = now;
    if (!strcmp(status, "failed")) batch->failed_at = now;
    if (!strcmp(status, "expired")) batch->expired_at = now;
    if (!strcmp(status, "cancelled")) batch->cancelled_at = now;
}

static bool set_status(struct batch_record *batch, const char *status, struct error *error) {
    char *copy = memory_copy_string(status);
    if (!copy) return memory_error(error, "a batch");
    memory_free(batch->status);
    batch->status = copy;
    note_moment(batch, status);
    return true;
}

bool batch_results_finish(
    struct store *store, struct batch_record *batch, const char *status, struct error *error) {
    char directory[FILE_PATH_SIZE];
    struct error ignored;
    if (!set_status(batch, status, error) || !store_begin(store, error)) return false;
    bool good =
        hand_over(store, batch, output_name, batch->output_bytes, &batch->output_file, error) &&
        hand_over(store, batch, error_name, batch->error_bytes, &batch->error_file, error) &&
        batch_update(store, batch, error);
    if (!good) {
        store_rollback(store);
        return false;
    }
    if (!store_commit(store, error)) return false;
    return !batch_directory(store, batch->id, directory, &ignored) ||
           file_remove_tree(directory, error);
}
