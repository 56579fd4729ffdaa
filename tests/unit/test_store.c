// The store: what one account puts in, it gets back, and no other does; also after closing and
// opening.
#include "base/memory.h"
#include "base/model_directory.h"
#include "store/store.h"
#include "test_model.h"

struct fixture {
    char *directory;
    struct store *store;
};

static int set_up(void **state) {
    static struct fixture fixture;
    struct error error;
    fixture.directory = test_directory();
    if (!store_open(&fixture.store, fixture.directory, &error)) fail_msg("%s", error.message);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    store_close(f->store);
    test_directory_remove(f->directory);
    return 0;
}

static void reopen(struct fixture *f) {
    struct error error;
    store_close(f->store);
    if (!store_open(&f->store, f->directory, &error)) fail_msg("%s", error.message);
}

static void test_store_keeps_keys_as_hashes_and_revokes_them(void **state) {
    struct fixture *f = *state;
    struct error error;
    char *key, *account, path[FILE_PATH_SIZE], *bytes;
    struct key_record *list;
    size_t count, length;
    assert_true(key_create(f->store, "anna", "laptop", NULL, &key, &error));
    assert_int_equal(strlen(key), strlen("sk-temper-") + 40);
    reopen(f);
    assert_true(key_find(f->store, key, &account, &error));
    assert_string_equal(account, "anna");
    memory_free(account);
    assert_false(key_find(f->store, "sk-temper-other", &account, &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    store_close(f->store); // so that all of it is in the file
    assert_true(file_path(path, sizeof path, &error, f->directory, "temper.db"));
    assert_true(file_read(path, 1 << 24, &bytes, &length, &error));
    assert_null(memmem(bytes, length, key, strlen(key)));
    memory_free(bytes);
    assert_true(store_open(&f->store, f->directory, &error));
    assert_true(key_list(f->store, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_true(key_revoke(f->store, list[0].id, &error));
    key_list_free(list, count);
    assert_false(key_find(f->store, key, &account, &error));
    assert_false(key_revoke(f->store, key, &error));
    memory_free(key);
}

static char *add_file(
    struct fixture *f, const char *account, const char *purpose, const char *content) {
    char path[FILE_PATH_SIZE];
    struct error error;
    struct file_record record = {.account = (char *)account,
        .filename = (char *)"a.jsonl",
        .purpose = (char *)purpose,
        .status = (char *)"processed",
        .bytes = (int64_t)strlen(content)};
    assert_true(file_path(path, sizeof path, &error, f->directory, "uploads"));
    strcat(path, "/part");
    assert_true(file_write_atomic(path, content, strlen(content), &error));
    if (!file_create(f->store, &record, path, &error)) fail_msg("%s", error.message);
    assert_false(file_exists(path));
    return record.id;
}

static void test_store_keeps_files_of_accounts_apart(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct file_record record;
    char *id = add_file(f, "anna", "fine-tune", "content");
    reopen(f);
    assert_true(file_get(f->store, "anna", id, &record, &error));
    assert_int_equal(record.bytes, 7);
    file_record_free(&record);
    assert_false(file_get(f->store, "ben", id, &record, &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    assert_false(file_delete(f->store, "ben", id, &error));
    assert_true(file_delete(f->store, "anna", id, &error));
    assert_false(file_get(f->store, "anna", id, &record, &error));
    int descriptor;
    uint64_t size;
    assert_false(file_open(f->store, id, &descriptor, &size, &error));
    memory_free(id);
}

static void test_store_pages_through_files(void **state) {
    struct fixture *f = *state;
    struct error error;
    char *ids[5];
    struct file_record *list;
    size_t count;
    bool more;
    for (size_t i = 0; i < 5; i++)
        ids[i] = add_file(f, "anna", i == 2 ? "batch" : "fine-tune", "x");
    struct file_query query = {.account = "anna", .purpose = "fine-tune", .limit = 3};
    assert_true(file_list(f->store, &query, &list, &count, &more, &error));
    assert_int_equal(count, 3);
    assert_true(more);
    assert_string_equal(list[0].id, ids[4]);
    assert_string_equal(list[2].id, ids[1]);
    file_list_free(list, count);
    query.after = ids[1];
    assert_true(file_list(f->store, &query, &list, &count, &more, &error));
    assert_int_equal(count, 1);
    assert_false(more);
    assert_string_equal(list[0].id, ids[0]);
    file_list_free(list, count);
    query = (struct file_query){.account = "anna", .limit = 10, .ascending = true};
    assert_true(file_list(f->store, &query, &list, &count, &more, &error));
    assert_int_equal(count, 5);
    assert_string_equal(list[0].id, ids[0]);
    file_list_free(list, count);
    for (size_t i = 0; i < 5; i++)
        memory_free(ids[i]);
}

static struct job_record new_job(void) {
    return (struct job_record){.account = (char *)"anna",
        .model = (char *)"temper/mini-instruct",
        .training_file = (char *)"file-x",
        .status = (char *)"validating_files",
        .hyperparameters = (char *)"{\"n_epochs\":\"auto\"}",
        .seed = 5};
}

static void test_store_never_changes_a_job_that_has_ended(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct job_record made = new_job(), job, *open;
    size_t count;
    assert_true(job_create(f->store, &made, &error));
    assert_true(job_list_open(f->store, &open, &count, &error));
    assert_int_equal(count, 1);
    job_list_free(open, count);
    assert_true(job_get(f->store, "anna", made.id, &job, &error));
    memory_free(job.status);
    job.status = memory_copy_string("cancelled");
    assert_true(job_update(f->store, &job, &error));
    memory_free(job.status);
    job.status = memory_copy_string("running");
    assert_false(job_update(f->store, &job, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    job_record_free(&job);
    reopen(f);
    assert_true(job_get(f->store, "anna", made.id, &job, &error));
    assert_string_equal(job.status, "cancelled");
    assert_int_equal(job.seed, 5);
    job_record_free(&job);
    assert_false(job_get(f->store, "ben", made.id, &job, &error));
    assert_true(job_list_open(f->store, &open, &count, &error));
    assert_int_equal(count, 0);
    memory_free(made.id);
}

static void test_store_takes_all_of_a_transaction_or_nothing(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct job_record made = new_job();
    struct event_record event = {
        .level = (char *)"info", .message = (char *)"m", .type = (char *)"message"};
    struct event_record *events;
    size_t count;
    bool more;
    assert_true(job_create(f->store, &made, &error));
    assert_true(store_begin(f->store, &error));
    assert_true(event_add(f->store, made.id, &event, &error));
    memory_free(event.id);
    store_rollback(f->store);
    struct page_query query = {.account = "anna", .job = made.id, .limit = 5};
    assert_true(event_list(f->store, &query, &events, &count, &more, &error));
    assert_int_equal(count, 0);
    assert_true(store_begin(f->store, &error));
    for (int i = 0; i < 7; i++) {
        assert_true(event_add(f->store, made.id, &event, &error));
        memory_free(event.id);
    }
    assert_true(store_commit(f->store, &error));
    assert_true(event_list(f->store, &query, &events, &count, &more, &error));
    assert_int_equal(count, 5);
    assert_true(more);
    event_list_free(events, count);
    memory_free(made.id);
}

static void test_store_finds_models_by_name_and_never_by_path(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct model_record model;
    char adapter[FILE_PATH_SIZE];
    setenv("TEMPER_MODELS_DIR", TEMPER_SOURCE_DIR "/models", 1);
    assert_true(model_resolve(f->store, "anna", "mini-instruct", &model, &error));
    assert_string_equal(model.id, BUILT_IN_MODEL);
    model_record_free(&model);
    assert_false(
        model_resolve(f->store, "anna", TEMPER_SOURCE_DIR "/models/mini-instruct", &model, &error));
    assert_false(model_resolve(f->store, "anna", "../models/mini-instruct", &model, &error));
    assert_true(file_path(adapter, sizeof adapter, &error, f->directory, "adapters"));
    strcat(adapter, "/one");
    assert_true(file_make_directories(adapter, &error));
    assert_true(model_add(f->store, "anna", "ft:temper:mini-instruct:anna:1", BUILT_IN_MODEL,
        adapter, false, &error));
    assert_true(model_resolve(f->store, "anna", "ft:temper:mini-instruct:anna:1", &model, &error));
    assert_string_equal(model.adapter, adapter);
    assert_string_equal(model.base, BUILT_IN_MODEL);
    model_record_free(&model);
    assert_false(model_resolve(f->store, "ben", "ft:temper:mini-instruct:anna:1", &model, &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    assert_true(model_delete(f->store, "anna", "ft:temper:mini-instruct:anna:1", &error));
    assert_false(file_exists(adapter));
}

static void test_store_is_held_by_one_server(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct store *other;
    assert_true(store_hold(f->store, &error));
    assert_true(store_open(&other, f->directory, &error));
    assert_false(store_hold(other, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    store_close(other);
}

int main(void) {
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_store_keeps_keys_as_hashes_and_revokes_them),
        WITH_STORE(test_store_keeps_files_of_accounts_apart),
        WITH_STORE(test_store_pages_through_files),
        WITH_STORE(test_store_never_changes_a_job_that_has_ended),
        WITH_STORE(test_store_takes_all_of_a_transaction_or_nothing),
        WITH_STORE(test_store_finds_models_by_name_and_never_by_path),
        WITH_STORE(test_store_is_held_by_one_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
