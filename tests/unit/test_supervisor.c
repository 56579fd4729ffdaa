// The supervisor: the way of a job from its file to a model, cancelling, and restarts of the
// server.
#include "test_supervisor.h"
#include <sys/wait.h>

// ---- the way of a job ----

static void test_supervisor_takes_a_job_to_a_model_that_answers(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "two epochs");
    wait_until(has_status(f, id, "succeeded"));
    struct job_record job = get_job(f, id);
    assert_int_equal(job.trained_tokens, 4321);
    assert_int_equal(job.finished_at, 1700000000);
    assert_int_equal(job.estimated_finish, 0);
    assert_null(job.error_code);
    assert_string_equal(
        job.hyperparameters, "{\"n_epochs\":2,\"batch_size\":1,\"learning_rate_multiplier\":1.0}");
    assert_string_equal(job.lora, "{\"rank\":16,\"alpha\":32.0}");
    assert_memory_equal(job.fine_tuned_model, "ft:owner:base:personal:mine:", 28);
    assert_int_equal(strlen(job.fine_tuned_model), 28 + 8);
    assert_int_equal(strspn(job.fine_tuned_model + 28, "0123456789abcdef"), 8);
    assert_true(can_resolve(f, job.fine_tuned_model));
    job_record_free(&job);
    memory_free(id);
}

static void test_supervisor_tells_events_in_openais_words_and_order(void **state) {
    static const char *const wanted[] = {"The job has successfully completed",
        "New fine-tuned model created: ft:owner:base:personal:mine:",
        "Checkpoint created at step 4 with Snapshot ID: ft:owner:base:personal:mine:",
        "Step 4/4: training loss=0.50", "Step 3/4: training loss=0.67",
        "Checkpoint created at step 2 with Snapshot ID: ft:owner:base:personal:mine:",
        "Step 2/4: training loss=1.00", "Step 1/4: training loss=2.00", "Fine-tuning job started",
        "Files validated, moving job to queued state"};
    struct fixture *f = *state;
    struct event_record *events;
    struct error error;
    size_t count;
    bool more;
    open_supervisor(f);
    char *id = make_job(f, "two epochs");
    wait_until(has_status(f, id, "succeeded"));
    struct page_query query = {.account = "personal", .job = id, .limit = 100};
    assert_true(event_list(f->store, &query, &events, &count, &more, &error));
    assert_int_equal(count, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(events[i].message, wanted[i], strlen(wanted[i]));
    assert_string_equal(events[3].type, "metrics");
    json_t *data = json_loads(events[3].data, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(data, "step")), 4);
    assert_true(json_is_null(json_object_get(data, "valid_loss")));
    assert_null(json_object_get(data, "type"));
    json_decref(data);
    event_list_free(events, count);
    memory_free(id);
}

static void test_supervisor_writes_the_table_of_metrics_as_a_file(void **state) {
    struct fixture *f = *state;
    struct file_record file;
    struct error error;
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    open_supervisor(f);
    char *id = make_job(f, "two epochs");
    wait_until(has_status(f, id, "succeeded"));
    struct job_record job = get_job(f, id);
    json_t *files = json_loads(job.result_files, 0, NULL);
    assert_int_equal(json_array_size(files), 1);
    const char *file_id = json_string_value(json_array_get(files, 0));
    assert_true(file_get(f->store, "personal", file_id, &file, &error));
    assert_string_equal(file.purpose, "fine-tune-results");
    assert_string_equal(file.filename, "step_metrics.csv");
    assert_true(file_content_path(f->store, file_id, path, &error));
    assert_true(file_read(path, 1 << 20, &text, &length, &error));
    assert_int_equal(file.bytes, length);
    assert_string_equal(text,
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy,full_valid_loss,"
        "full_valid_mean_token_accuracy,learning_rate,grad_norm,tokens,tokens_per_second\n"
        "1,2,0.5,,,,,0.001,1.5,100,2000\n"
        "2,1,0.5,,,,,0.001,1.5,200,2000\n"
        "3,0.67,0.5,,,,,0.001,1.5,300,2000\n"
        "4,0.5,0.5,,,,,0.001,1.5,400,2000\n");
    memory_free(text);
    file_record_free(&file);
    json_decref(files);
    job_record_free(&job);
    memory_free(id);
}

static void test_supervisor_keeps_checkpoints_when_the_trainers_are_gone(void **state) {
    struct fixture *f = *state;
    struct checkpoint_record *list;
    open_supervisor(f);
    char *id = make_job(f, "two epochs");
    wait_until(has_status(f, id, "succeeded"));
    wait_until(!file_exists(job_file(f, id, JOB_CHECKPOINT_DIRECTORY)));
    assert_int_equal(list_checkpoints(f, id, &list), 2);
    assert_int_equal(list[0].step, 4);
    assert_true(can_resolve(f, list[0].model));
    assert_true(can_resolve(f, list[1].model));
    checkpoint_list_free(list, 2);
    memory_free(id);
}

static size_t count_checkpoints(struct fixture *f, const char *id) {
    struct checkpoint_record *list;
    size_t count = (size_t)list_checkpoints(f, id, &list);
    checkpoint_list_free(list, count);
    return count;
}

static void test_supervisor_keeps_the_last_three_checkpoints(void **state) {
    struct fixture *f = *state;
    struct checkpoint_record *list;
    char first[256];
    open_supervisor(f);
    char *id = make_job(f, "many epochs");
    wait_until(has_status(f, id, "succeeded"));
    struct job_record job = get_job(f, id);
    snprintf(first, sizeof first, "%s:ckpt-step-1", job.fine_tuned_model);
    wait_until(!can_resolve(f, first));
    wait_until(count_checkpoints(f, id) == 3); // its row goes a moment after the model
    assert_int_equal(list_checkpoints(f, id, &list), 3);
    assert_int_equal(list[0].step, 6);
    assert_int_equal(list[2].step, 4);
    for (size_t i = 0; i < 3; i++)
        assert_true(can_resolve(f, list[i].model));
    checkpoint_list_free(list, 3);
    job_record_free(&job);
    memory_free(id);
}

static void test_supervisor_thins_the_metrics_of_a_long_job(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "many steps");
    wait_until(has_status(f, id, "succeeded"));
    assert_in_range(count_events(f, id, "training loss"), 500, 1002);
    assert_int_equal(count_events(f, id, "Step 1/2500"), 1);
    assert_int_equal(count_events(f, id, "Step 2500/2500"), 1);
    memory_free(id);
}

static void test_supervisor_trains_one_job_at_a_time_in_their_order(void **state) {
    struct fixture *f = *state;
    char *ids[4];
    for (size_t i = 0; i < 4; i++)
        ids[i] = make_job(f, "two epochs");
    open_supervisor(f);
    for (size_t i = 4; i-- > 0;)
        wait_until(has_status(f, ids[i], "succeeded"));
    assert_false(file_exists(test_path(f->data, "overlap")));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(count_starts(f, ids[i], 'v'), 1);
        assert_int_equal(count_starts(f, ids[i], 't'), 1);
        memory_free(ids[i]);
    }
}

static void test_supervisor_puts_the_launcher_before_the_trainer(void **state) {
    struct fixture *f = *state;
    f->launcher = "env  TEST_LAUNCHED=yes";
    open_supervisor(f);
    char *id = make_job(f, "two epochs");
    wait_until(has_status(f, id, "succeeded"));
    assert_true(file_exists(job_file(f, id, "launched")));
    memory_free(id);
}

static void test_supervisor_never_moves_a_status_back(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "backwards");
    wait_until(has_status(f, id, "succeeded"));
    assert_int_equal(count_events(f, id, "Files validated"), 1);
    assert_int_equal(count_events(f, id, "Fine-tuning job started"), 1);
    memory_free(id);
}

static void test_supervisor_trains_on_from_a_fine_tuned_model(void **state) {
    struct fixture *f = *state;
    char *text;
    size_t length;
    struct error error;
    open_supervisor(f);
    char *id = make_job(f, "two epochs");
    wait_until(has_status(f, id, "succeeded"));
    struct job_record job = get_job(f, id);
    char *second = make_job_of(f, "until told", job.fine_tuned_model);
    wait_until(has_started(f, second));
    assert_true(file_read(job_file(f, second, JOB_SPEC_FILE), 1 << 16, &text, &length, &error));
    json_t *spec = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(spec, "base_model_name")), "owner/base");
    assert_non_null(json_string_value(json_object_get(spec, "adapter")));
    assert_int_equal(json_integer_value(json_object_get(spec, "threads")), 1);
    assert_int_equal(json_integer_value(json_object_get(spec, "memory")), 1 << 20);
    json_decref(spec);
    memory_free(text);
    // The model that it began with may go while it runs: its own result does not depend on it.
    assert_true(model_delete(f->store, "personal", job.fine_tuned_model, &error));
    give_word(f, second);
    wait_until(has_status(f, second, "succeeded"));
    job_record_free(&job);
    memory_free(second);
    memory_free(id);
}

// ---- cancelling ----

static void cancel(struct fixture *f, const char *id) {
    struct error error;
    assert_true(supervisor_cancel(f->supervisor, "personal", id, &error));
    assert_true(has_status(f, id, "cancelled"));
}

static void test_supervisor_cancels_a_running_job_and_the_next_begins(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *first = make_job(f, "until cancelled"), *second = make_job(f, "two epochs");
    wait_until(has_started(f, first));
    cancel(f, first);
    wait_until(has_status(f, second, "succeeded"));
    assert_false(file_exists(test_path(f->data, "overlap")));
    assert_int_equal(count_events(f, first, "The job has been cancelled"), 1);
    // Nothing large stays behind.
    wait_until(!file_exists(job_file(f, first, "training.jsonl")));
    memory_free(first);
    memory_free(second);
}

static void test_supervisor_cancels_a_queued_job_that_then_never_runs(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *first = make_job(f, "until told"), *second = make_job(f, "two epochs");
    wait_until(has_started(f, first));
    wait_until(has_status(f, second, "queued"));
    cancel(f, second);
    give_word(f, first);
    wait_until(has_status(f, first, "succeeded"));
    assert_int_equal(count_starts(f, second, 't'), 0);
    assert_true(has_status(f, second, "cancelled"));
    memory_free(first);
    memory_free(second);
}

static void test_supervisor_waits_for_a_cancelled_trainer_to_end(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *first = make_job(f, "stubborn"), *second = make_job(f, "two epochs");
    wait_until(has_started(f, first));
    wait_until(has_status(f, second, "queued"));
    cancel(f, first);
    // Also a new server knows that the cores are taken.
    supervisor_close(f->supervisor);
    open_supervisor(f);
    char *third = make_job(f, "invalid");
    wait_until(has_status(f, third, "failed")); // rounds have passed
    assert_true(has_status(f, second, "queued"));
    give_word(f, first);
    wait_until(has_status(f, second, "succeeded"));
    assert_false(file_exists(test_path(f->data, "overlap")));
    // What the cancelled trainer still said is not believed.
    assert_true(has_status(f, first, "cancelled"));
    memory_free(first);
    memory_free(second);
    memory_free(third);
}

static void test_supervisor_cancels_no_job_that_has_ended_or_is_not_yours(void **state) {
    struct fixture *f = *state;
    struct error error;
    open_supervisor(f);
    char *id = make_job(f, "invalid");
    wait_until(has_status(f, id, "failed"));
    assert_false(supervisor_cancel(f->supervisor, "personal", id, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_false(supervisor_cancel(f->supervisor, "other", id, &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    memory_free(id);
}

// ---- the server's restart ----

static void test_supervisor_adopts_a_trainer_of_an_earlier_server(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "until told"), *next = make_job(f, "two epochs");
    wait_until(has_started(f, id));
    supervisor_close(f->supervisor);
    open_supervisor(f);
    char *marker = make_job(f, "invalid");
    wait_until(has_status(f, marker, "failed")); // rounds have passed
    give_word(f, id);
    wait_until(has_status(f, id, "succeeded"));
    wait_until(has_status(f, next, "succeeded"));
    assert_int_equal(count_starts(f, id, 't'), 1);
    assert_int_equal(count_events(f, id, "goes on"), 0);
    assert_false(file_exists(test_path(f->data, "overlap")));
    memory_free(marker);
    memory_free(next);
    memory_free(id);
}

static void test_supervisor_finds_what_was_finished_while_no_server_ran(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "until told");
    wait_until(has_started(f, id));
    supervisor_close(f->supervisor);
    f->supervisor = NULL;
    give_word(f, id);
    wait_until(!file_exists(test_path(f->data, "jobs/working")));
    open_supervisor(f);
    wait_until(has_status(f, id, "succeeded"));
    assert_int_equal(count_starts(f, id, 't'), 1);
    assert_int_equal(count_events(f, id, "goes on"), 0);
    memory_free(id);
}

static void test_supervisor_resumes_what_died_while_no_server_ran(void **state) {
    struct fixture *f = *state;
    char *text;
    size_t length;
    struct error error;
    open_supervisor(f);
    char *id = make_job(f, "until told");
    wait_until(has_started(f, id));
    supervisor_close(f->supervisor);
    f->supervisor = NULL;
    assert_true(file_read(job_file(f, id, "process"), 64, &text, &length, &error));
    pid_t process = (pid_t)strtol(text, NULL, 10);
    memory_free(text);
    kill(process, SIGKILL);
    assert_int_equal(waitpid(process, NULL, 0), process);
    rmdir(test_path(f->data, "jobs/working"));
    give_word(f, id);
    open_supervisor(f);
    wait_until(has_status(f, id, "succeeded"));
    assert_int_equal(count_starts(f, id, 't'), 2);
    assert_int_equal(count_events(f, id, "goes on from the last checkpoint"), 1);
    memory_free(id);
}

static void test_supervisor_tidies_a_job_whose_trainer_ends_late(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "lingering");
    wait_until(has_status(f, id, "succeeded"));
    assert_true(file_exists(job_file(f, id, "training.jsonl")));
    give_word(f, id);
    wait_until(!file_exists(job_file(f, id, "training.jsonl")));
    memory_free(id);
}

static const struct CMUnitTest tests[] = {
    WITH_SUPERVISOR(test_supervisor_takes_a_job_to_a_model_that_answers),
    WITH_SUPERVISOR(test_supervisor_tells_events_in_openais_words_and_order),
    WITH_SUPERVISOR(test_supervisor_writes_the_table_of_metrics_as_a_file),
    WITH_SUPERVISOR(test_supervisor_keeps_checkpoints_when_the_trainers_are_gone),
    WITH_SUPERVISOR(test_supervisor_keeps_the_last_three_checkpoints),
    WITH_SUPERVISOR(test_supervisor_thins_the_metrics_of_a_long_job),
    WITH_SUPERVISOR(test_supervisor_trains_one_job_at_a_time_in_their_order),
    WITH_SUPERVISOR(test_supervisor_puts_the_launcher_before_the_trainer),
    WITH_SUPERVISOR(test_supervisor_never_moves_a_status_back),
    WITH_SUPERVISOR(test_supervisor_trains_on_from_a_fine_tuned_model),
    WITH_SUPERVISOR(test_supervisor_cancels_a_running_job_and_the_next_begins),
    WITH_SUPERVISOR(test_supervisor_cancels_a_queued_job_that_then_never_runs),
    WITH_SUPERVISOR(test_supervisor_waits_for_a_cancelled_trainer_to_end),
    WITH_SUPERVISOR(test_supervisor_cancels_no_job_that_has_ended_or_is_not_yours),
    WITH_SUPERVISOR(test_supervisor_adopts_a_trainer_of_an_earlier_server),
    WITH_SUPERVISOR(test_supervisor_finds_what_was_finished_while_no_server_ran),
    WITH_SUPERVISOR(test_supervisor_resumes_what_died_while_no_server_ran),
    WITH_SUPERVISOR(test_supervisor_tidies_a_job_whose_trainer_ends_late),
};

MAIN(tests)
