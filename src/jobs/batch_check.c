// The check of a batch's input. Lines go into the store some hundred at a time, so that others get
// their turn; a check that was broken off begins again.
#include "jobs/batch_check.h"
#include "base/file.h"
#include "base/memory.h"
#include "jobs/batch_input.h"
#include "store/store_batches.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_AT_ONCE = 256, FAULTS_MAXIMUM = 100 };

struct check {
    struct store *store;
    struct batch_record *batch;
    int64_t most_requests;
    json_t *faults;
    int64_t total;
    char *model; // of all lines so far
    bool mixed;  // they differ
};

static void add_fault(struct check *check, const struct batch_fault *fault, int64_t line) {
    json_array_append_new(check->faults,
        json_pack("{s:s, s:s, s:s?, s:o}", "code", fault->code, "message", fault->message, "param",
            fault->param, "line", line ? json_integer(line) : json_null()));
}

static void add_plain_fault(
    struct check *check, const char *code, const char *message, int64_t line) {
    struct batch_fault fault = {.code = code};
    snprintf(fault.message, sizeof fault.message, "%s", message);
    add_fault(check, &fault, line);
}

static bool note_model(struct check *check, const struct batch_request *request) {
    const char *model = json_string_value(json_object_get(request->body, "model"));
    if (!check->model) check->model = memory_copy_string(model);
    check->mixed = check->mixed || (check->model && strcmp(check->model, model) != 0);
    return check->model != NULL;
}

// Notes the request that stands at the input's line.
static bool note_request(struct check *check, const struct batch_input *input,
    const struct batch_request *request, struct error *error) {
    struct batch_line line = {input->line, input->offset, input->length, request->custom_id};
    char message[BATCH_CUSTOM_ID_LENGTH + 100];
    if (!note_model(check, request)) return memory_error(error, "the check of a batch");
    if (batch_line_add(check->store, check->batch->id, &line, error)) {
        check->total++;
        return true;
    }
    if (error->code != ERROR_CONFLICT) return false;
    snprintf(message, sizeof message, "custom_id '%s' stands in an earlier line already.",
        request->custom_id);
    add_plain_fault(check, "duplicate_custom_id", message, input->line);
    return true;
}

static bool take_line(struct check *check, const struct batch_input *input, struct error *error) {
    struct batch_request request;
    struct batch_fault fault;
    if (input->too_long) {
        add_plain_fault(check, "line_too_long", "The line has more than 8 MB.", input->line);
        return true;
    }
    if (!batch_request_read(&request, buffer_text(&input->text), input->text.length,
            check->batch->endpoint, &fault)) {
        add_fault(check, &fault, input->line);
        return true;
    }
    bool good = note_request(check, input, &request, error);
    batch_request_free(&request);
    return good;
}

static bool enough(const struct check *check) {
    return json_array_size(check->faults) >= FAULTS_MAXIMUM ||
           (check->most_requests && check->total > check->most_requests);
}

// Some lines, as one transaction.
static bool take_lines(
    struct check *check, struct batch_input *input, bool *end, struct error *error) {
    if (!store_begin(check->store, error)) return false;
    bool good = true;
    *end = false;
    for (int i = 0; good && !*end && i < LINES_AT_ONCE && !enough(check); i++)
        good = batch_input_next(input, end, error) && (*end || take_line(check, input, error));
    *end = *end || enough(check);
    if (good) return store_commit(check->store, error);
    store_rollback(check->store);
    return false;
}

static bool forget_lines(struct check *check, struct error *error) {
    bool left = true;
    while (left)
        if (!batch_line_clear(check->store, check->batch->id, LINES_AT_ONCE, &left, error))
            return false;
    return true;
}

static bool open_input(struct check *check, struct batch_input *input, struct error *error) {
    char directory[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    return batch_directory(check->store, check->batch->id, directory, error) &&
           file_path(path, sizeof path, error, directory, "input.jsonl") &&
           batch_input_open(input, path, error);
}

// Writes what was found into the record.
static bool conclude(struct check *check, struct error *error) {
    struct batch_record *batch = check->batch;
    char message[160];
    if (check->most_requests && check->total > check->most_requests) {
        snprintf(message, sizeof message,
            "The file has more requests than the %lld that a batch of your plan may have.",
            (long long)check->most_requests);
        add_plain_fault(check, "too_many_requests", message, 0);
    } else if (!check->total && !json_array_size(check->faults)) {
        add_plain_fault(check, "empty_file", "The file has no requests.", 0);
    }
    if (json_array_size(check->faults)) {
        json_t *list = json_pack("{s:s, s:O}", "object", "list", "data", check->faults);
        char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
        batch->errors = text ? memory_copy_string(text) : NULL;
        free(text);
        json_decref(list);
        return batch->errors || memory_error(error, "the faults of a batch");
    }
    batch->total = check->total;
    if (check->mixed) return true;
    memory_free(batch->model);
    batch->model = check->model;
    check->model = NULL;
    return true;
}

bool batch_check(struct store *store, struct batch_record *batch, int64_t most_requests,
    bool (*go_on)(void *context), void *context, bool *finished, struct error *error) {
    struct check check = {store, batch, most_requests, .faults = json_array()};
    struct batch_input input;
    bool end = false;
    *finished = false;
    if (!check.faults) return memory_error(error, "the check of a batch");
    bool good = forget_lines(&check, error) && open_input(&check, &input, error);
    if (good) {
        while (good && !end && go_on(context))
            good = take_lines(&check, &input, &end, error);
        *finished = good && end;
        if (*finished) good = conclude(&check, error);
        if (good && *finished && batch->errors) good = forget_lines(&check, error);
        batch_input_close(&input);
    }
    json_decref(check.faults);
    memory_free(check.model);
    return good;
}
