// A data directory with a supervisor at work in it. Nothing here waits for a time to pass: what is
// waited for comes, or the test fails.
#ifndef TEST_SUPERVISOR_H
#define TEST_SUPERVISOR_H

#include "base/memory.h"
#include "jobs/supervisor.h"
#include "store/store.h"
#include "test_directory.h"
#include "test_fake_trainer.h"
#include <jansson.h>

enum { PATIENCE_SECONDS = 60 };

struct fixture {
    char directory[FILE_PATH_SIZE], data[FILE_PATH_SIZE];
    struct store *store;
    struct supervisor *supervisor;
    const char *launcher;
};

static inline void open_supervisor(struct fixture *f) {
    struct error error;
    struct supervisor_options options = {
        .store = f->store, .data = f->data, .launcher = f->launcher, .share = {1, 1 << 20}};
    assert_true(supervisor_open(&f->supervisor, &options, &error));
}

static inline int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct error error;
    test_directory_make(f->directory);
    snprintf(f->data, sizeof f->data, "%.4000s/data", f->directory);
    const char *models = test_path(f->directory, "models");
    test_make_model(models, "owner/base");
    setenv("TEMPER_MODELS_DIR", models, 1);
    assert_true(store_open(&f->store, f->data, &error));
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    struct fixture *f = *state;
    supervisor_close(f->supervisor);
    store_close(f->store);
    test_directory_remove(f->directory);
    free(f);
    return 0;
}

// A job whose trainer behaves so. Its id is malloc'ed by the store.
static inline char *make_job_of(struct fixture *f, const char *behaviour, const char *model) {
    struct error error;
    test_write(f->data, "uploads/one", behaviour);
    struct file_record file = {.account = (char *)"personal",
        .filename = (char *)"chats.jsonl",
        .purpose = (char *)"fine-tune",
        .status = (char *)"processed",
        .bytes = (int64_t)strlen(behaviour)};
    assert_true(file_create(f->store, &file, test_path(f->data, "uploads/one"), &error));
    struct job_record job = {.account = (char *)"personal",
        .model = (char *)model,
        .training_file = file.id,
        .status = (char *)"validating_files",
        .suffix = (char *)"mine",
        .hyperparameters = (char *)"{\"n_epochs\":\"auto\"}",
        .seed = 7};
    assert_true(job_create(f->store, &job, &error));
    memory_free(file.id);
    if (f->supervisor) supervisor_wake(f->supervisor);
    return job.id;
}

static inline char *make_job(struct fixture *f, const char *behaviour) {
    return make_job_of(f, behaviour, "owner/base");
}

static inline struct job_record get_job(struct fixture *f, const char *id) {
    struct job_record job;
    struct error error;
    assert_true(job_get(f->store, "personal", id, &job, &error));
    return job;
}

// A file in the job's directory.
static inline const char *job_file(struct fixture *f, const char *id, const char *name) {
    char relative[256];
    snprintf(relative, sizeof relative, "jobs/%s/%s", id, name);
    return test_path(f->data, relative);
}

// What wait_for_word waits for.
static inline void give_word(struct fixture *f, const char *id) {
    touch(job_file(f, id, "go"));
}

#define wait_until(condition)                                                                      \
    do {                                                                                           \
        time_t end = time(NULL) + PATIENCE_SECONDS;                                                \
        while (!(condition)) {                                                                     \
            if (time(NULL) > end) fail_msg("this never came to be: %s", #condition);               \
            sleep_a_little();                                                                      \
        }                                                                                          \
    } while (0)

static inline bool has_status(struct fixture *f, const char *id, const char *status) {
    struct job_record job = get_job(f, id);
    bool has = !strcmp(job.status, status);
    if (!has && job_status_is_final(job.status))
        fail_msg("the job is %s, not %s: %s", job.status, status,
            job.error_message ? job.error_message : "");
    job_record_free(&job);
    return has;
}

static inline bool has_started(struct fixture *f, const char *id) {
    struct job_record job = get_job(f, id);
    bool has = job.last_step > 0;
    job_record_free(&job);
    return has;
}

static inline size_t count_events(struct fixture *f, const char *id, const char *part) {
    struct page_query query = {.account = "personal", .job = id, .limit = 10000};
    struct event_record *events;
    struct error error;
    size_t count, found = 0;
    bool more;
    assert_true(event_list(f->store, &query, &events, &count, &more, &error));
    for (size_t i = 0; i < count; i++)
        found += strstr(events[i].message, part) != NULL;
    event_list_free(events, count);
    return found;
}

static inline size_t count_starts(struct fixture *f, const char *id, char kind) {
    char *text;
    size_t length, found = 0;
    struct error error;
    assert_true(file_read(job_file(f, id, "starts"), 1 << 16, &text, &length, &error));
    for (size_t i = 0; i < length; i++)
        found += text[i] == kind;
    memory_free(text);
    return found;
}

static inline bool can_resolve(struct fixture *f, const char *name) {
    struct model_record model;
    struct error error;
    if (!model_resolve(f->store, "personal", name, &model, &error)) return false;
    bool there = file_exists(test_path(model.adapter, "adapter_model.safetensors"));
    model_record_free(&model);
    return there;
}

static inline size_t list_checkpoints(
    struct fixture *f, const char *id, struct checkpoint_record **list) {
    struct page_query query = {.account = "personal", .job = id, .limit = 100};
    struct error error;
    size_t count;
    bool more;
    assert_true(checkpoint_list(f->store, &query, list, &count, &more, &error));
    return count;
}

#define WITH_SUPERVISOR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

// The main of a test's program.
#define MAIN(tests)                                                                                \
    int main(int count, char **words) {                                                            \
        if (count > 2 && !strcmp(words[1], "train")) return be_trainer(count, words);              \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }

#endif
