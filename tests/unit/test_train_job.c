// A run by hand: what its directory keeps, and what may differ when it goes on.
#include "base/memory.h"
#include "test_model.h"
#include "train/train_job.h"
#include <jansson.h>

static bool create(const char *directory, const char *template, int64_t chat_time) {
    struct train_spec spec;
    struct error error;
    train_spec_init(&spec);
    spec.model = memory_copy_string("/models/a");
    spec.training_file = memory_copy_string("/data.jsonl");
    spec.chat_template = template ? memory_copy_string(template) : NULL;
    spec.chat_time = chat_time;
    bool ok = train_job_create(directory, &spec, &error);
    train_spec_free(&spec);
    return ok;
}

static json_t *read_spec(const char *directory) {
    char path[FILE_PATH_SIZE];
    struct error error;
    assert_true(file_path(path, sizeof path, &error, directory, "spec.json"));
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

// Templates that print the date make the same tokens when a run goes on on another day.
static void test_train_job_keeps_the_date_of_its_first_day(void **state) {
    (void)state;
    char *directory = test_directory();
    assert_true(create(directory, NULL, 1752148800));
    assert_true(create(directory, NULL, 1752235200));
    json_t *spec = read_spec(directory);
    assert_int_equal(json_integer_value(json_object_get(spec, "chat_time")), 1752148800);
    json_decref(spec);
    test_directory_remove(directory);
}

static void test_train_job_does_not_go_on_with_another_template(void **state) {
    (void)state;
    char *directory = test_directory();
    assert_true(create(directory, "/a.jinja", 1));
    assert_true(create(directory, "/a.jinja", 1));
    assert_false(create(directory, "/b.jinja", 1));
    assert_false(create(directory, NULL, 1));
    test_directory_remove(directory);
}

static void fill(struct train_spec *spec, int threads, uint64_t memory, bool separate) {
    train_spec_init(spec);
    spec->model = memory_copy_string("/models/a");
    spec->training_file = memory_copy_string("/data.jsonl");
    spec->threads = threads;
    spec->memory = memory;
    spec->separate = separate;
}

// Cores and memory may change between two starts, and the later start's hold; what decides the
// result may not.
static void test_train_job_goes_on_with_other_cores_and_memory(void **state) {
    (void)state;
    static const struct {
        int threads;
        uint64_t memory;
        bool separate, good;
    } starts[] = {{2, 0, false, true}, {1, (uint64_t)4 << 30, false, true}, {1, 0, true, false}};
    char *directory = test_directory();
    struct error error;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct train_spec spec, read;
        fill(&spec, starts[i].threads, starts[i].memory, starts[i].separate);
        assert_true(train_job_create(directory, &spec, &error) == starts[i].good);
        json_t *root = read_spec(directory);
        train_spec_init(&read);
        assert_true(train_spec_read(&read, root, &error));
        if (starts[i].good) {
            assert_int_equal(read.threads, starts[i].threads);
            assert_int_equal(read.memory, starts[i].memory);
        }
        assert_true(train_spec_shares(&read));
        json_decref(root);
        train_spec_free(&read);
        train_spec_free(&spec);
    }
    test_directory_remove(directory);
}

static void test_train_spec_shares_prefixes_unless_told_or_with_dropout(void **state) {
    (void)state;
    struct train_spec spec, read;
    struct error error;
    fill(&spec, 0, 0, true);
    json_t *root = train_spec_json(&spec);
    train_spec_init(&read);
    assert_true(train_spec_read(&read, root, &error));
    assert_false(train_spec_shares(&read));
    json_object_set_new(root, "shared_prefixes", json_true());
    json_object_set_new(json_object_get(root, "lora"), "dropout", json_real(0.1));
    assert_true(train_spec_read(&read, root, &error));
    assert_false(train_spec_shares(&read));
    read.full.on = true; // which has no dropout
    assert_true(train_spec_shares(&read));
    json_object_set_new(root, "shared_prefixes", json_string("no"));
    assert_false(train_spec_read(&read, root, &error));
    assert_non_null(strstr(error.message, "'shared_prefixes' must be true or false"));
    json_decref(root);
    train_spec_free(&read);
    train_spec_free(&spec);
}

static void test_train_spec_reads_what_it_writes_of_templates(void **state) {
    (void)state;
    char *directory = test_directory();
    struct train_spec spec;
    struct error error;
    assert_true(create(directory, "/a.jinja", 1752148800));
    json_t *root = read_spec(directory);
    train_spec_init(&spec);
    assert_true(train_spec_read(&spec, root, &error));
    assert_string_equal(spec.chat_template, "/a.jinja");
    assert_int_equal(spec.chat_time, 1752148800);
    train_spec_free(&spec);
    json_object_set_new(root, "chat_time", json_string("today"));
    train_spec_init(&spec);
    assert_false(train_spec_read(&spec, root, &error));
    assert_non_null(strstr(error.message, "chat_time"));
    train_spec_free(&spec);
    json_decref(root);
    test_directory_remove(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_job_keeps_the_date_of_its_first_day),
        cmocka_unit_test(test_train_job_does_not_go_on_with_another_template),
        cmocka_unit_test(test_train_job_goes_on_with_other_cores_and_memory),
        cmocka_unit_test(test_train_spec_shares_prefixes_unless_told_or_with_dropout),
        cmocka_unit_test(test_train_spec_reads_what_it_writes_of_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
