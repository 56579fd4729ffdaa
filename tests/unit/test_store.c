// The store: what one account puts in, it gets back, and no other does; also after closing and
// opening.
#include "base/memory.h"
#include "base/model_directory.h"
#include "store/store_accounts.h"
#include "test_model.h"
#include <pthread.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

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
    static const struct key_wish laptop = {.account = "anna", .name = "laptop"};
    char *key, path[FILE_PATH_SIZE], *bytes;
    struct key_holder holder;
    struct key_record *list;
    size_t count, length;
    assert_true(key_create(f->store, &laptop, NULL, &key, &error));
    assert_int_equal(strlen(key), strlen("sk-temper-") + 40);
    reopen(f);
    assert_true(key_holder_find(f->store, key, &holder, &error));
    assert_string_equal(holder.account, "anna");
    assert_string_equal(holder.scope, "all");
    assert_false(holder.expired);
    key_holder_free(&holder);
    assert_false(key_holder_find(f->store, "sk-temper-other", &holder, &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    store_close(f->store); // so that all of it is in the file
    assert_true(file_path(path, sizeof path, &error, f->directory, "temper.db"));
    assert_true(file_read(path, 1 << 24, &bytes, &length, &error));
    assert_null(memmem(bytes, length, key, strlen(key)));
    memory_free(bytes);
    assert_true(store_open(&f->store, f->directory, &error));
    assert_true(key_list(f->store, NULL, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_true(key_revoke(f->store, "anna", list[0].id, &error));
    key_list_free(list, count);
    assert_false(key_holder_find(f->store, key, &holder, &error));
    assert_false(key_revoke(f->store, NULL, key, &error));
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

// ---- crashes and company ----

// Runs `work` in that many processes at once; each ends without closing anything.
static void run_in_processes(struct fixture *f, int count, bool (*work)(struct fixture *, int)) {
    pid_t children[16];
    assert_in_range(count, 1, 16);
    for (int i = 0; i < count; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (!children[i]) _exit(work(f, i) ? 0 : 1);
    }
    for (int i = 0; i < count; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

static bool open_and_make_a_key(struct fixture *f, int number) {
    struct store *store;
    struct error error;
    char *key, name[32];
    struct key_wish wish = {.account = "anna", .name = name};
    snprintf(name, sizeof name, "%d", number);
    if (store_open(&store, f->directory, &error) && key_create(store, &wish, NULL, &key, &error))
        return true;
    fprintf(stderr, "%s\n", error.message);
    return false;
}

static void test_store_is_made_by_several_at_once(void **state) {
    struct fixture *f = *state;
    struct error error;
    size_t count;
    store_close(f->store);
    f->store = NULL;
    assert_true(file_remove_tree(f->directory, &error));
    run_in_processes(f, 8, open_and_make_a_key);
    assert_true(store_open(&f->store, f->directory, &error));
    assert_true(key_count(f->store, &count, &error));
    assert_int_equal(count, 8); // and nobody closed it
}

static bool begin_without_end(struct fixture *f, int number) {
    struct store *store;
    struct error error;
    static const struct key_wish wish = {.account = "anna", .name = ""};
    char *key;
    (void)number;
    return store_open(&store, f->directory, &error) && store_begin(store, &error) &&
           key_create(store, &wish, NULL, &key, &error);
}

static void test_store_forgets_what_was_not_committed(void **state) {
    struct fixture *f = *state;
    struct error error;
    size_t count;
    run_in_processes(f, 1, begin_without_end);
    assert_true(key_count(f->store, &count, &error));
    assert_int_equal(count, 0);
}

static void test_store_of_a_newer_version_is_refused(void **state) {
    struct fixture *f = *state;
    struct error error;
    char path[FILE_PATH_SIZE];
    sqlite3 *database;
    store_close(f->store);
    f->store = NULL;
    assert_true(file_path(path, sizeof path, &error, f->directory, "temper.db"));
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(database, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
    assert_false(store_open(&f->store, f->directory, &error));
    assert_int_equal(error.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "newer"));
}

enum { THREADS = 4, EVENTS = 25 };

struct writer {
    struct store *store;
    const char *job;
    bool ok;
};

static void *write_events(void *context) {
    struct writer *w = context;
    struct event_record event = {
        .level = (char *)"info", .message = (char *)"m", .type = (char *)"message"};
    struct error error;
    w->ok = true;
    for (int i = 0; i < EVENTS && w->ok; i++) {
        w->ok = store_begin(w->store, &error) && event_add(w->store, w->job, &event, &error);
        memory_free(event.id);
        w->ok =
            w->ok && event_add(w->store, w->job, &event, &error) && store_commit(w->store, &error);
        memory_free(event.id);
    }
    return NULL;
}

static void test_store_serves_threads_at_once(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct job_record made = new_job();
    struct event_record *events;
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    size_t count;
    bool more;
    assert_true(job_create(f->store, &made, &error));
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){f->store, made.id, false};
        assert_int_equal(pthread_create(&threads[i], NULL, write_events, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(writers[i].ok);
    }
    struct page_query query = {.account = "anna", .job = made.id, .limit = 1000};
    assert_true(event_list(f->store, &query, &events, &count, &more, &error));
    assert_int_equal(count, 2 * THREADS * EVENTS);
    event_list_free(events, count);
    memory_free(made.id);
}

// ---- checkpoints and models that go ----

static void add_checkpoint(struct fixture *f, const char *job, int64_t step, char *adapter) {
    struct error error;
    char model[64], name[64], folder[FILE_PATH_SIZE];
    snprintf(model, sizeof model, "ft:o:b:anna:1:ckpt-step-%d", (int)step);
    snprintf(name, sizeof name, "step-%d", (int)step);
    struct checkpoint_record record = {.model = model, .metrics = (char *)"{}", .step = step};
    assert_true(file_path(folder, sizeof folder, &error, f->directory, "adapters"));
    assert_true(file_path(adapter, FILE_PATH_SIZE, &error, folder, name));
    assert_true(file_make_directories(adapter, &error));
    assert_true(checkpoint_add(f->store, job, &record, &error));
    memory_free(record.id);
    assert_true(model_add(f->store, "anna", model, "o/b", adapter, true, &error));
    assert_false(checkpoint_add(f->store, job, &record, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_null(record.id);
}

static void test_store_keeps_the_newest_checkpoints_with_their_adapters(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct job_record made = new_job();
    struct checkpoint_record *list;
    static char adapters[5][FILE_PATH_SIZE];
    size_t count;
    bool more;
    assert_true(job_create(f->store, &made, &error));
    for (int i = 0; i < 5; i++)
        add_checkpoint(f, made.id, 10 * (i + 1), adapters[i]);
    // Its owner deleted one in the meantime, and its base model is in no place any more.
    assert_true(model_delete(f->store, "anna", "ft:o:b:anna:1:ckpt-step-10", &error));
    assert_true(checkpoint_keep_newest(f->store, "anna", made.id, 3, &error));
    struct page_query query = {.account = "anna", .job = made.id, .limit = 10};
    assert_true(checkpoint_list(f->store, &query, &list, &count, &more, &error));
    assert_int_equal(count, 3);
    assert_int_equal(list[0].step, 50);
    assert_int_equal(list[2].step, 30);
    checkpoint_list_free(list, count);
    for (int i = 0; i < 5; i++)
        assert_int_equal(file_exists(adapters[i]), i >= 2);
    memory_free(made.id);
}

static void test_store_says_that_a_base_model_is_gone(void **state) {
    struct fixture *f = *state;
    struct error error;
    struct model_record model;
    char adapter[FILE_PATH_SIZE];
    assert_true(file_path(adapter, sizeof adapter, &error, f->directory, "adapters"));
    strcat(adapter, "/one");
    assert_true(file_make_directories(adapter, &error));
    assert_true(model_add(f->store, "anna", "ft:o:gone:anna:1", "o/gone", adapter, false, &error));
    assert_false(model_resolve(f->store, "anna", "ft:o:gone:anna:1", &model, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_true(model_delete(f->store, "anna", "ft:o:gone:anna:1", &error));
    assert_false(file_exists(adapter));
    assert_false(model_delete(f->store, "anna", "ft:o:gone:anna:1", &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
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
        WITH_STORE(test_store_is_made_by_several_at_once),
        WITH_STORE(test_store_forgets_what_was_not_committed),
        WITH_STORE(test_store_of_a_newer_version_is_refused),
        WITH_STORE(test_store_serves_threads_at_once),
        WITH_STORE(test_store_keeps_the_newest_checkpoints_with_their_adapters),
        WITH_STORE(test_store_says_that_a_base_model_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
