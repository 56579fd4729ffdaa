// The supervisor where something goes wrong: files, trainers and launchers that fail.
#include "test_supervisor.h"

static void assert_failed(
    struct fixture *f, const char *id, const char *code, const char *message) {
    wait_until(has_status(f, id, "failed"));
    struct job_record job = get_job(f, id);
    assert_string_equal(job.error_code, code);
    assert_non_null(strstr(job.error_message, message));
    assert_null(job.fine_tuned_model);
    assert_true(job.finished_at > 0);
    job_record_free(&job);
    assert_int_equal(count_events(f, id, "The job failed: "), 1);
}

static void test_supervisor_tells_what_is_wrong_with_a_file(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "invalid");
    assert_failed(f, id, "invalid_training_file", "line 3: it has no messages");
    struct job_record job = get_job(f, id);
    assert_string_equal(job.error_param, "training_file");
    job_record_free(&job);
    assert_int_equal(count_starts(f, id, 't'), 0);
    memory_free(id);
}

static void test_supervisor_fails_a_job_of_which_the_file_is_gone(void **state) {
    struct fixture *f = *state;
    struct error error;
    char *id = make_job(f, "two epochs");
    struct job_record job = get_job(f, id);
    char content[FILE_PATH_SIZE];
    assert_true(file_content_path(f->store, job.training_file, content, &error));
    assert_true(file_remove_tree(content, &error));
    job_record_free(&job);
    open_supervisor(f);
    assert_failed(f, id, "invalid_training_file", "upload it again");
    job = get_job(f, id);
    assert_string_equal(job.error_param, "training_file");
    job_record_free(&job);
    memory_free(id);
}

static void test_supervisor_passes_on_the_failure_of_a_training(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "diverging");
    assert_failed(f, id, "training_failed", "the loss is not finite");
    memory_free(id);
}

static void test_supervisor_goes_on_with_a_trainer_that_died(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "dying once");
    wait_until(has_status(f, id, "succeeded"));
    assert_int_equal(count_starts(f, id, 't'), 2);
    assert_int_equal(count_events(f, id, "goes on from the last checkpoint"), 1);
    // What the second trainer repeated is told once.
    assert_int_equal(count_events(f, id, "Step 1/4"), 1);
    assert_int_equal(count_events(f, id, "Step 2/4"), 1);
    assert_int_equal(count_events(f, id, "Step 3/4"), 1);
    assert_int_equal(count_events(f, id, "Checkpoint created at step 2"), 1);
    memory_free(id);
}

static void test_supervisor_takes_a_repeated_checkpoint_once(void **state) {
    struct fixture *f = *state;
    struct checkpoint_record *list;
    open_supervisor(f);
    char *id = make_job(f, "repeating");
    wait_until(has_status(f, id, "succeeded"));
    assert_int_equal(list_checkpoints(f, id, &list), 1);
    checkpoint_list_free(list, 1);
    memory_free(id);
}

static void test_supervisor_gives_up_a_job_that_kills_its_trainers(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "dying");
    assert_failed(f, id, "server_error", "signal 9");
    assert_in_range(count_starts(f, id, 't'), 2, 10);
    memory_free(id);
}

static void test_supervisor_gives_up_a_job_whose_trainer_never_begins(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "dying unheard");
    assert_failed(f, id, "server_error", "signal 9");
    assert_in_range(count_starts(f, id, 't'), 2, 10);
    memory_free(id);
}

static void test_supervisor_gives_up_a_job_that_kills_its_validators(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "validator dies");
    assert_failed(f, id, "server_error", "signal 9");
    assert_in_range(count_starts(f, id, 'v'), 2, 10);
    memory_free(id);
}

static void test_supervisor_gives_up_when_the_launcher_is_not_there(void **state) {
    struct fixture *f = *state;
    f->launcher = "/no/such/launcher";
    open_supervisor(f);
    char *id = make_job(f, "two epochs");
    assert_failed(f, id, "server_error", "/no/such/launcher");
    memory_free(id);
}

static void test_supervisor_fails_a_success_that_left_no_adapter(void **state) {
    struct fixture *f = *state;
    open_supervisor(f);
    char *id = make_job(f, "without adapter");
    assert_failed(f, id, "server_error", "adapter");
    // The next job is not in its way.
    char *next = make_job(f, "two epochs");
    wait_until(has_status(f, next, "succeeded"));
    memory_free(next);
    memory_free(id);
}

static const struct CMUnitTest tests[] = {
    WITH_SUPERVISOR(test_supervisor_tells_what_is_wrong_with_a_file),
    WITH_SUPERVISOR(test_supervisor_fails_a_job_of_which_the_file_is_gone),
    WITH_SUPERVISOR(test_supervisor_passes_on_the_failure_of_a_training),
    WITH_SUPERVISOR(test_supervisor_goes_on_with_a_trainer_that_died),
    WITH_SUPERVISOR(test_supervisor_takes_a_repeated_checkpoint_once),
    WITH_SUPERVISOR(test_supervisor_gives_up_a_job_that_kills_its_trainers),
    WITH_SUPERVISOR(test_supervisor_gives_up_a_job_whose_trainer_never_begins),
    WITH_SUPERVISOR(test_supervisor_gives_up_a_job_that_kills_its_validators),
    WITH_SUPERVISOR(test_supervisor_gives_up_when_the_launcher_is_not_there),
    WITH_SUPERVISOR(test_supervisor_fails_a_success_that_left_no_adapter),
};

MAIN(tests)
