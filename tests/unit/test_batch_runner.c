// The batch runner, with requests that the test answers: each once, whatever comes between.
#include "base/buffer.h"
#include "base/memory.h"
#include "jobs/batch_runner.h"
#include "store/store_batches.h"
#include "test_directory.h"
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

enum { HELD_MAXIMUM = 64, PATIENCE_MILLISECONDS = 60000 };

struct held {
    void (*done)(void *context, int status, json_t *answer);
    void *context;
};

struct fixture {
    char directory[FILE_PATH_SIZE], data[FILE_PATH_SIZE];
    struct store *store;
    struct batch_runner *runner;
    pthread_mutex_t lock;
    int runs;    // that were begun
    int answers; // how many of the next runs are answered at once; the others are held
    int refusals;
    struct held held[HELD_MAXIMUM];
    size_t held_count;
};

static json_t *echo(const json_t *body) {
    return json_pack("{s:O, s:{s:i, s:i}}", "echo", json_object_get(body, "number"), "usage",
        "prompt_tokens", 3, "completion_tokens", 2);
}

static bool run(void *context, const char *account, const json_t *body,
    void (*done)(void *done_context, int status, json_t *answer), void *done_context, uint64_t *id,
    struct error *error) {
    struct fixture *f = context;
    int status = (int)json_integer_value(json_object_get(body, "status"));
    assert_string_equal(account, "personal");
    pthread_mutex_lock(&f->lock);
    bool refuses = f->refusals > 0, answers = f->answers > 0;
    if (refuses) {
        f->refusals--;
    } else {
        f->runs++;
        if (answers) f->answers--;
        *id = answers ? 0 : f->held_count + 1;
        assert_true(f->held_count < HELD_MAXIMUM);
        if (!answers) f->held[f->held_count++] = (struct held){done, done_context};
    }
    pthread_mutex_unlock(&f->lock);
    if (refuses) return error_set(error, ERROR_CONFLICT, "the engine is full");
    if (answers) done(done_context, status ? status : 200, echo(body));
    return true;
}

static void cancel(void *context, uint64_t id) {
    struct fixture *f = context;
    pthread_mutex_lock(&f->lock);
    struct held held = f->held[id - 1];
    f->held[id - 1].done = NULL;
    pthread_mutex_unlock(&f->lock);
    if (held.done) held.done(held.context, 0, NULL);
}

static void open_runner(struct fixture *f, int answers) {
    struct error error;
    struct batch_runner_options options = {
        .store = f->store, .context = f, .run = run, .cancel = cancel};
    f->answers = answers;
    f->runs = 0;
    f->held_count = 0;
    assert_true(batch_runner_open(&f->runner, &options, &error));
}

static void close_runner(struct fixture *f) {
    batch_runner_close(f->runner);
    f->runner = NULL;
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct error error;
    test_directory_make(f->directory);
    snprintf(f->data, sizeof f->data, "%.4000s/data", f->directory);
    assert_true(store_open(&f->store, f->data, &error));
    pthread_mutex_init(&f->lock, NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    batch_runner_close(f->runner);
    store_close(f->store);
    pthread_mutex_destroy(&f->lock);
    test_directory_remove(f->directory);
    free(f);
    return 0;
}

// Makes a batch of that input; its id is the caller's.
static char *make_batch(struct fixture *f, const char *input, int64_t window) {
    struct error error;
    test_write(f->data, "uploads/one", input);
    struct file_record file = {.account = (char *)"personal",
        .filename = (char *)"requests.jsonl",
        .purpose = (char *)"batch",
        .status = (char *)"processed",
        .bytes = (int64_t)strlen(input)};
    assert_true(file_create(f->store, &file, test_path(f->data, "uploads/one"), &error));
    struct batch_record batch = {.account = (char *)"personal",
        .endpoint = (char *)"/v1/chat/completions",
        .input_file = file.id,
        .completion_window = (char *)"24h",
        .status = (char *)"validating"};
    assert_true(batch_create(f->store, &batch, window, &error));
    // Whatever happens to the file: the batch has the content.
    char content[FILE_PATH_SIZE];
    assert_true(file_content_path(f->store, file.id, content, &error));
    assert_true(file_remove_tree(content, &error));
    memory_free(file.id);
    if (f->runner) batch_runner_wake(f->runner);
    return batch.id;
}

// `count` requests, the last `failing` of which are answered with 400.
static char *make_batch_of(struct fixture *f, int count, int failing) {
    struct buffer lines;
    buffer_init(&lines, 1 << 24);
    for (int i = 0; i < count; i++)
        buffer_append_format(&lines,
            "{\"custom_id\":\"request-%d\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\","
            "\"body\":{\"model\":\"m\",\"number\":%d,\"status\":%d}}\n",
            i, i, i >= count - failing ? 400 : 200);
    char *id = make_batch(f, buffer_text(&lines), 86400);
    buffer_free(&lines);
    return id;
}

static struct batch_record get_batch(struct fixture *f, const char *id) {
    struct batch_record batch;
    struct error error;
    assert_true(batch_get(f->store, "personal", id, &batch, &error));
    return batch;
}

// Waits for the batch's status, and for that many finished requests.
static struct batch_record wait_for(
    struct fixture *f, const char *id, const char *status, int64_t finished) {
    struct batch_record batch;
    for (int waited = 0; waited < PATIENCE_MILLISECONDS; waited += 2) {
        batch = get_batch(f, id);
        if (!strcmp(batch.status, status) && batch.completed + batch.failed >= finished)
            return batch;
        batch_record_free(&batch);
        usleep(2000);
    }
    fail_msg("%s never was %s", id, status);
    return batch;
}

static void wait_for_runs(struct fixture *f, size_t held) {
    for (int waited = 0; waited < PATIENCE_MILLISECONDS; waited += 2) {
        pthread_mutex_lock(&f->lock);
        size_t now = f->held_count;
        pthread_mutex_unlock(&f->lock);
        if (now >= held) return;
        usleep(2000);
    }
    fail_msg("%zu requests never ran", held);
}

// Every line of a results file is an object; each request has at most one. Returns how many.
static int count_results(struct fixture *f, const char *file, bool seen[], int count) {
    char path[FILE_PATH_SIZE], *text, *rest;
    struct error error;
    size_t length;
    int lines = 0;
    if (!file) return 0;
    assert_true(file_content_path(f->store, file, path, &error));
    assert_true(file_read(path, 1 << 26, &text, &length, &error));
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *result = json_loads(line, 0, NULL);
        const char *id = json_string_value(json_object_get(result, "custom_id"));
        assert_non_null(id);
        int number = atoi(id + strlen("request-"));
        assert_true(number >= 0 && number < count && !seen[number]);
        seen[number] = true;
        lines++;
        json_decref(result);
    }
    memory_free(text);
    return lines;
}

static void check_all_answered(
    struct fixture *f, const struct batch_record *batch, int count, int failing) {
    bool *seen = calloc((size_t)count, sizeof *seen);
    assert_int_equal(batch->total, count);
    assert_int_equal(batch->completed, count - failing);
    assert_int_equal(batch->failed, failing);
    assert_int_equal(count_results(f, batch->output_file, seen, count), count - failing);
    assert_int_equal(count_results(f, batch->error_file, seen, count), failing);
    free(seen);
}

static void test_batch_runner_answers_each_request_once(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct file_record file;
    open_runner(f, 1000);
    char *id = make_batch_of(f, 700, 7);
    struct batch_record batch = wait_for(f, id, "completed", 700);
    check_all_answered(f, &batch, 700, 7);
    assert_int_equal(f->runs, 700);
    assert_int_equal(batch.prompt_tokens, 3 * 700);
    assert_int_equal(batch.answer_tokens, 2 * 700);
    assert_string_equal(batch.model, "m");
    assert_true(batch.in_progress_at && batch.finalizing_at && batch.completed_at);
    assert_true(file_get(f->store, "personal", batch.output_file, &file, &error));
    assert_string_equal(file.purpose, "batch_output");
    file_record_free(&file);
    close_runner(f);
    char path[FILE_PATH_SIZE];
    assert_true(batch_directory(f->store, id, path, &error));
    assert_false(file_exists(path));
    batch_record_free(&batch);
    memory_free(id);
}

static void test_batch_runner_asks_again_where_the_engine_is_full(void **state) {
    struct fixture *f = *state;
    f->refusals = 1;
    open_runner(f, 1000);
    char *id = make_batch_of(f, 20, 0);
    struct batch_record batch = wait_for(f, id, "completed", 20);
    check_all_answered(f, &batch, 20, 0);
    batch_record_free(&batch);
    memory_free(id);
}

static void test_batch_runner_does_not_run_again_what_was_answered(void **state) {
    struct fixture *f = *state;
    open_runner(f, 30);
    char *id = make_batch_of(f, 100, 0);
    struct batch_record batch = wait_for(f, id, "in_progress", 30);
    assert_int_equal(batch.completed, 30);
    batch_record_free(&batch);
    close_runner(f); // what was held is cancelled
    open_runner(f, 1000);
    batch = wait_for(f, id, "completed", 100);
    assert_int_equal(f->runs, 70);
    check_all_answered(f, &batch, 100, 0);
    batch_record_free(&batch);
    memory_free(id);
}

// A crash between the results' way to disk and the transaction that counts them.
static void test_batch_runner_cuts_off_results_that_do_not_count(void **state) {
    struct fixture *f = *state;
    struct error error;
    char path[FILE_PATH_SIZE];
    open_runner(f, 30);
    char *id = make_batch_of(f, 100, 0);
    struct batch_record batch = wait_for(f, id, "in_progress", 30);
    batch_record_free(&batch);
    close_runner(f);
    assert_true(batch_directory(f->store, id, path, &error));
    FILE *output = fopen(test_path(path, "output.jsonl"), "a");
    assert_non_null(output);
    fputs("{\"custom_id\":\"request-30\"}\n{\"custom_id\":\"request-3", output);
    fclose(output);
    open_runner(f, 1000);
    batch = wait_for(f, id, "completed", 100);
    check_all_answered(f, &batch, 100, 0);
    batch_record_free(&batch);
    memory_free(id);
}

static void test_batch_runner_begins_a_broken_check_again(void **state) {
    struct fixture *f = *state;
    struct error error;
    char *id = make_batch_of(f, 1000, 0);
    for (int64_t i = 0; i < 600; i++) {
        char custom_id[32];
        snprintf(custom_id, sizeof custom_id, "request-%d", (int)i);
        struct batch_line line = {i + 1, 0, 0, custom_id};
        assert_true(batch_line_add(f->store, id, &line, &error));
    }
    open_runner(f, 2000);
    struct batch_record batch = wait_for(f, id, "completed", 1000);
    check_all_answered(f, &batch, 1000, 0);
    batch_record_free(&batch);
    memory_free(id);
}

static void test_batch_runner_keeps_the_answers_of_a_cancelled_batch(void **state) {
    struct fixture *f = *state;
    struct error error;
    bool seen[2000] = {false};
    open_runner(f, 10);
    char *id = make_batch_of(f, 2000, 0);
    struct batch_record batch = wait_for(f, id, "in_progress", 10);
    batch_record_free(&batch);
    wait_for_runs(f, 1);
    assert_true(batch_cancel(f->store, "personal", id, &error));
    assert_true(batch_cancel(f->store, "personal", id, &error)); // twice is once
    batch_runner_wake(f->runner);
    batch = wait_for(f, id, "cancelled", 2000);
    assert_int_equal(count_results(f, batch.output_file, seen, 2000), 10);
    assert_int_equal(count_results(f, batch.error_file, seen, 2000), 1990);
    assert_true(batch.cancelling_at && batch.cancelled_at && !batch.completed_at);
    assert_false(batch_cancel(f->store, "personal", id, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    batch_record_free(&batch);
    memory_free(id);
}

static void test_batch_runner_expires_what_its_time_is_over_for(void **state) {
    struct fixture *f = *state;
    bool seen[50] = {false};
    sqlite3 *database;
    open_runner(f, 10);
    char *id = make_batch_of(f, 50, 0);
    struct batch_record batch = wait_for(f, id, "in_progress", 10);
    batch_record_free(&batch);
    assert_int_equal(sqlite3_open(test_path(f->data, "temper.db"), &database), SQLITE_OK);
    sqlite3_busy_timeout(database, PATIENCE_MILLISECONDS);
    assert_int_equal(
        sqlite3_exec(database, "UPDATE batches SET expires_at = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
    batch_runner_wake(f->runner);
    batch = wait_for(f, id, "expired", 50);
    assert_int_equal(count_results(f, batch.output_file, seen, 50), 10);
    assert_int_equal(count_results(f, batch.error_file, seen, 50), 40);
    assert_true(batch.expired_at);
    batch_record_free(&batch);
    memory_free(id);
    id = make_batch(f, "{", 0);
    batch = wait_for(f, id, "expired", 0);
    assert_null(batch.error_file);
    batch_record_free(&batch);
    memory_free(id);
}

static void test_batch_runner_fails_a_batch_by_its_lines(void **state) {
    struct fixture *f = *state;
    struct buffer input;
    open_runner(f, 10);
    buffer_init(&input, 1 << 16);
    // A name whose cut would fall within a character, and an id that stands twice.
    buffer_append_text(&input, "{\"x");
    for (int i = 0; i < 60; i++)
        buffer_append_text(&input, "é");
    buffer_append_text(&input, "\":1}\n");
    for (int i = 0; i < 2; i++)
        buffer_append_text(&input,
            "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\","
            "\"body\":{\"model\":\"m\"}}\n\n");
    buffer_append_text(&input, "{");
    char *id = make_batch(f, buffer_text(&input), 86400);
    struct batch_record batch = wait_for(f, id, "failed", 0);
    json_t *list = json_loads(batch.errors, 0, NULL), *errors = json_object_get(list, "data");
    static const struct {
        int line;
        const char *code;
    } expected[] = {{1, "unknown_parameter"}, {4, "duplicate_custom_id"}, {6, "invalid_json_line"}};
    assert_int_equal(json_array_size(errors), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *fault = json_array_get(errors, i);
        assert_int_equal(json_integer_value(json_object_get(fault, "line")), expected[i].line);
        assert_string_equal(json_string_value(json_object_get(fault, "code")), expected[i].code);
    }
    json_decref(list);
    assert_int_equal(f->runs, 0);
    assert_true(batch.failed_at && !batch.output_file && !batch.error_file);
    buffer_free(&input);
    batch_record_free(&batch);
    memory_free(id);
}

static void test_batch_runner_removes_what_final_batches_left(void **state) {
    struct fixture *f = *state;
    struct error error;
    char *id = make_batch_of(f, 3, 0);
    assert_true(file_make_directories(test_path(f->data, "batches/batch_gone"), &error));
    open_runner(f, 10);
    assert_false(file_exists(test_path(f->data, "batches/batch_gone")));
    struct batch_record batch = wait_for(f, id, "completed", 3);
    batch_record_free(&batch);
    memory_free(id);
}

int main(void) {
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_batch_runner_answers_each_request_once),
        WITH(test_batch_runner_asks_again_where_the_engine_is_full),
        WITH(test_batch_runner_does_not_run_again_what_was_answered),
        WITH(test_batch_runner_cuts_off_results_that_do_not_count),
        WITH(test_batch_runner_begins_a_broken_check_again),
        WITH(test_batch_runner_keeps_the_answers_of_a_cancelled_batch),
        WITH(test_batch_runner_expires_what_its_time_is_over_for),
        WITH(test_batch_runner_fails_a_batch_by_its_lines),
        WITH(test_batch_runner_removes_what_final_batches_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
