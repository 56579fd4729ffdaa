// The check of a batch's input. Lines are read and checked outside of transactions, and noted in
// one for each some hundred of them.
#include "jobs/batch_check.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "jobs/batch_input.h"
#include "store/store_batches.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_AT_ONCE = 256, BYTES_AT_ONCE = 1 << 20, FAULTS_MAXIMUM = 100 };

struct batch_check {
    struct store *store;
    char *batch, *endpoint;
    int64_t most_requests, total;
    struct batch_input input;
    bool begun, end; // the input was opened; was read to its end
    struct batch_line lines[LINES_AT_ONCE];
    size_t count; // of lines that are read, and not noted yet
    json_t *faults;
    char *model; // of all lines so far
    bool mixed;  // they differ
};

static bool add_fault(
    struct batch_check *check, const struct batch_fault *fault, int64_t line, struct error *error) {
    json_t *entry = json_pack("{s:s, s:s, s:s?, s:o}", "code", fault->code, "message",
        fault->message, "param", fault->param, "line", line ? json_integer(line) : json_null());
    return json_array_append_new(check->faults, entry) == 0 ||
           memory_error(error, "the faults of a batch");
}

static bool add_plain_fault(struct batch_check *check, const char *code, const char *message,
    int64_t line, struct error *error) {
    struct batch_fault fault = {.code = code};
    snprintf(fault.message, sizeof fault.message, "%s", message);
    utf8_repair(fault.message);
    return add_fault(check, &fault, line, error);
}

static bool has_enough(const struct batch_check *check) {
    return json_array_size(check->faults) >= FAULTS_MAXIMUM ||
           (check->most_requests && check->total + (int64_t)check->count > check->most_requests);
}

// ---- reading ----

static bool note_model(struct batch_check *check, const struct batch_request *request) {
    const char *model = json_string_value(json_object_get(request->body, "model"));
    if (!check->model) check->model = memory_copy_string(model);
    check->mixed = check->mixed || (check->model && strcmp(check->model, model) != 0);
    return check->model != NULL;
}

// The line at hand becomes one of `lines`, or a fault.
static bool take_line(struct batch_check *check, struct error *error) {
    const struct batch_input *input = &check->input;
    struct batch_request request;
    struct batch_fault fault;
    char message[80];
    if (input->too_long) {
        snprintf(message, sizeof message, "The line has more than %d bytes.", BATCH_LINE_MAXIMUM);
        return add_plain_fault(check, "line_too_long", message, input->line, error);
    }
    if (!batch_request_read(
            &request, buffer_text(&input->text), input->text.length, check->endpoint, &fault))
        return add_fault(check, &fault, input->line, error);
    bool good = note_model(check, &request) || memory_error(error, "the check of a batch");
    if (good) {
        check->lines[check->count++] =
            (struct batch_line){input->line, input->offset, input->length, request.custom_id};
        request.custom_id = NULL;
    }
    batch_request_free(&request);
    return good;
}

static bool read_lines(struct batch_check *check, struct error *error) {
    int64_t until = check->input.next + BYTES_AT_ONCE;
    bool good = true;
    while (good && !check->end && check->count < LINES_AT_ONCE && check->input.next < until) {
        good = batch_input_next(&check->input, &check->end, error) &&
               (check->end || take_line(check, error));
        check->end = check->end || has_enough(check);
    }
    return good;
}

// ---- noting ----

static bool add_twice(
    struct batch_check *check, const struct batch_line *line, struct error *error) {
    char message[BATCH_CUSTOM_ID_LENGTH + 80];
    snprintf(message, sizeof message, "custom_id '%s' stands in an earlier line already.",
        line->custom_id);
    return add_plain_fault(check, "duplicate_custom_id", message, line->line, error);
}

static bool add_lines(struct batch_check *check, bool twice[], struct error *error) {
    for (size_t i = 0; i < check->count; i++) {
        twice[i] = !batch_line_add(check->store, check->batch, &check->lines[i], error);
        if (twice[i] && error->code != ERROR_CONFLICT) return false;
    }
    return true;
}

static void forget_read(struct batch_check *check) {
    for (size_t i = 0; i < check->count; i++)
        memory_free(check->lines[i].custom_id);
    check->count = 0;
}

static bool note_lines(struct batch_check *check, struct error *error) {
    bool twice[LINES_AT_ONCE], good = true;
    if (!check->count) return true;
    if (!store_begin(check->store, error)) return false;
    if (!add_lines(check, twice, error)) {
        store_rollback(check->store);
        return false;
    }
    if (!store_commit(check->store, error)) return false;
    for (size_t i = 0; good && i < check->count; i++) {
        check->total += !twice[i];
        if (twice[i]) good = add_twice(check, &check->lines[i], error);
    }
    forget_read(check);
    return good;
}

// ---- the end ----

static bool add_faults_of_the_whole(struct batch_check *check, struct error *error) {
    char message[160];
    if (check->most_requests && check->total > check->most_requests) {
        snprintf(message, sizeof message,
            "The file has more requests than the %lld that a batch of your plan may have.",
            (long long)check->most_requests);
        return add_plain_fault(check, "too_many_requests", message, 0, error);
    }
    if (!check->total && !json_array_size(check->faults))
        return add_plain_fault(check, "empty_file", "The file has no requests.", 0, error);
    return true;
}

static int by_line(const void *one, const void *other) {
    json_int_t a = json_integer_value(json_object_get(*(json_t *const *)one, "line"));
    json_int_t b = json_integer_value(json_object_get(*(json_t *const *)other, "line"));
    return a < b ? -1 : a > b;
}

static json_t *sorted_faults(const struct batch_check *check) {
    json_t *all[FAULTS_MAXIMUM + LINES_AT_ONCE + 1], *sorted = json_array();
    size_t count = json_array_size(check->faults);
    for (size_t i = 0; i < count; i++)
        all[i] = json_array_get(check->faults, i);
    qsort(all, count, sizeof *all, by_line);
    for (size_t i = 0; i < count && i < FAULTS_MAXIMUM; i++)
        json_array_append(sorted, all[i]);
    return sorted;
}

static bool write_faults(
    const struct batch_check *check, struct batch_record *batch, struct error *error) {
    json_t *list = json_pack("{s:s, s:o}", "object", "list", "data", sorted_faults(check));
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    memory_free(batch->errors);
    batch->errors = text ? memory_copy_string(text) : NULL;
    free(text);
    json_decref(list);
    return batch->errors || memory_error(error, "the faults of a batch");
}

static bool forget_some(struct batch_check *check, bool *left, struct error *error) {
    return batch_line_clear(check->store, check->batch, LINES_AT_ONCE, left, error);
}

static bool conclude(
    struct batch_check *check, struct batch_record *batch, bool *finished, struct error *error) {
    bool left = false;
    if (!json_array_size(check->faults) && !add_faults_of_the_whole(check, error)) return false;
    if (json_array_size(check->faults)) {
        if (!forget_some(check, &left, error)) return false;
        *finished = !left;
        return left || write_faults(check, batch, error);
    }
    batch->total = check->total;
    *finished = true;
    if (check->mixed) return true;
    memory_free(batch->model);
    batch->model = check->model;
    check->model = NULL;
    return true;
}

// ---- the outside ----

static bool open_input(struct batch_check *check, struct error *error) {
    char directory[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    return batch_directory(check->store, check->batch, directory, error) &&
           file_path(path, sizeof path, error, directory, "input.jsonl") &&
           batch_input_open(&check->input, path, error);
}

bool batch_check_begin(struct batch_check **check, struct store *store, const char *batch,
    int64_t most_requests, struct error *error) {
    struct batch_check *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made) return memory_error(error, "the check of a batch");
    made->store = store;
    made->most_requests = most_requests;
    made->faults = json_array();
    made->batch = memory_copy_string(batch);
    if (made->faults && made->batch) {
        *check = made;
        return true;
    }
    batch_check_end(made);
    return memory_error(error, "the check of a batch");
}

// Forgets what an earlier check noted, and opens the input.
static bool begin(
    struct batch_check *check, const struct batch_record *batch, struct error *error) {
    bool left;
    if (!forget_some(check, &left, error)) return false;
    if (left) return true;
    if (!check->endpoint) check->endpoint = memory_copy_string(batch->endpoint);
    if (!check->endpoint) return memory_error(error, "the check of a batch");
    check->begun = open_input(check, error);
    return check->begun;
}

bool batch_check_go_on(
    struct batch_check *check, struct batch_record *batch, bool *finished, struct error *error) {
    *finished = false;
    if (!check->begun) return begin(check, batch, error);
    if (!read_lines(check, error) || !note_lines(check, error)) return false;
    return !check->end || conclude(check, batch, finished, error);
}

void batch_check_end(struct batch_check *check) {
    if (!check) return;
    forget_read(check);
    batch_input_close(&check->input);
    json_decref(check->faults);
    memory_free(check->model);
    memory_free(check->batch);
    memory_free(check->endpoint);
    memory_free(check);
}

const char *batch_check_batch(const struct batch_check *check) {
    return check->batch;
}
