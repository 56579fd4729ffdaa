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
        cmocka_unit_test(test_train_spec_reads_what_it_writes_of_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
