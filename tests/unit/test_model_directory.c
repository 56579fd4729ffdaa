// Base models are found by their names in the known places, and a name from outside never leads out
// of them.
#include "base/memory.h"
#include "base/model_directory.h"
#include "test_directory.h"

static int set_up(void **state) {
    static char directory[FILE_PATH_SIZE];
    test_directory_make(directory);
    test_make_model(test_path(directory, "given"), "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo");
    test_make_model(test_path(directory, "given"), "plain");
    test_make_model(test_path(directory, "data/models"), "plain");
    test_make_model(test_path(directory, "data/models"), "mini-instruct");
    test_make_model(test_path(directory, "data/models"), "a/deep/one");
    test_make_model(directory, "outside");
    setenv("TEMPER_MODELS_DIR", test_path(directory, "given"), 1);
    *state = directory;
    return 0;
}

static int tear_down(void **state) {
    test_directory_remove(*state);
    return 0;
}

static void assert_found(
    const char *directory, const char *name, const char *id, const char *path) {
    struct model_directory found;
    struct error error;
    if (!model_directory_find(&found, name, test_path(directory, "data"), &error))
        fail_msg("%s", error.message);
    assert_string_equal(found.id, id);
    char *real = realpath(test_path(directory, path), NULL);
    assert_string_equal(found.path, real);
    free(real);
    model_directory_free(&found);
}

static void test_model_directory_finds_names_and_aliases(void **state) {
    const char *llama = "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo";
    static const char *const built_in[] = {"temper/mini-instruct", "mini-instruct", "temper-mini"};
    assert_found(*state, llama, llama, "given/klusterai/Meta-Llama-3.1-8B-Instruct-Turbo");
    for (size_t i = 0; i < 3; i++)
        assert_found(*state, built_in[i], BUILT_IN_MODEL, "data/models/mini-instruct");
}

static void test_model_directory_takes_the_first_place(void **state) {
    assert_found(*state, "plain", "plain", "given/plain");
}

static void test_model_directory_finds_paths(void **state) {
    const char *outside = test_path(*state, "outside");
    assert_found(*state, outside, outside, "outside");
    assert_found(*state, test_path(*state, "given/plain"), "plain", "given/plain");
}

static void test_model_directory_keeps_names_from_outside_in_their_places(void **state) {
    const char *hostile[] = {test_path(*state, "outside"), "../outside", "../../outside", "..", ".",
        "", "/", "plain/../../outside", "plain/", "/plain", "./plain", "a/deep/one", "klusterai/..",
        "plain/config.json", "klusterai"};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct model_directory found;
        struct error error;
        if (model_directory_by_name(&found, hostile[i], test_path(*state, "data"), &error))
            fail_msg("\"%s\" was found: %s", hostile[i], found.path);
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        assert_null(found.id);
    }
}

static void test_model_directory_says_where_it_looked(void **state) {
    struct model_directory found;
    struct error error;
    assert_false(model_directory_find(&found, "none", test_path(*state, "data"), &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/given"));
    assert_non_null(strstr(error.message, "/data/models"));
}

static void test_model_directory_lists_each_id_once_and_the_built_in_first(void **state) {
    struct model_directory *list;
    struct error error;
    size_t count, plain = 0, llama = 0;
    assert_true(model_directory_list(&list, &count, test_path(*state, "data"), &error));
    assert_true(count >= 3);
    assert_string_equal(list[0].id, BUILT_IN_MODEL);
    for (size_t i = 0; i < count; i++) {
        plain += !strcmp(list[i].id, "plain");
        llama += !strcmp(list[i].id, "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo");
        if (i > 1) assert_true(strcmp(list[i - 1].id, list[i].id) < 0);
    }
    assert_int_equal(plain, 1);
    assert_int_equal(llama, 1);
    model_directory_list_free(list, count);
}

// However short memory is, nothing leaks and nothing is half there.
static void test_model_directory_bears_short_memory(void **state) {
    struct model_directory *list;
    struct error error;
    size_t count, failures = 0;
    bool ok = false;
    for (uint64_t n = 1; n < 200 && !ok; n++) {
        memory_fail_at(n);
        ok = model_directory_list(&list, &count, test_path(*state, "data"), &error);
        memory_fail_at(0);
        failures += !ok;
        if (!ok) assert_int_equal(error.code, ERROR_MEMORY);
    }
    assert_true(ok);
    assert_true(failures > 3);
    model_directory_list_free(list, count);
}

int main(void) {
#define WITH_PLACES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_PLACES(test_model_directory_finds_names_and_aliases),
        WITH_PLACES(test_model_directory_takes_the_first_place),
        WITH_PLACES(test_model_directory_finds_paths),
        WITH_PLACES(test_model_directory_keeps_names_from_outside_in_their_places),
        WITH_PLACES(test_model_directory_says_where_it_looked),
        WITH_PLACES(test_model_directory_lists_each_id_once_and_the_built_in_first),
        WITH_PLACES(test_model_directory_bears_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
