// Base models are found by their names in the known places, and a name from outside never leads out
// of them.
#include "base/memory.h"
#include "base/model_directory.h"
#include "base/model_manifest.h"
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

static void assert_not_found(const char *directory, const char *name, const char *expected) {
    struct model_directory found;
    struct error error;
    if (model_directory_by_name(&found, name, test_path(directory, "data"), &error))
        fail_msg("%s was found: %s", name, found.path);
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    if (!strstr(error.message, expected)) fail_msg("%s", error.message);
}

static void test_model_directory_answers_to_all_names_of_a_known_model(void **state) {
    const char *id = "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo";
    const char *path = "given/klusterai/Meta-Llama-3.1-8B-Instruct-Turbo";
    assert_found(*state, "meta-llama/Llama-3.1-8B-Instruct", id, path);
    assert_found(*state, "meta-llama/Meta-Llama-3.1-8B-Instruct", id, path);
    // Where two bear names of it, each has its own, and the first in the table's order the rest.
    const char *own = "data/models/meta-llama/Llama-3.1-8B-Instruct";
    test_make_model(test_path(*state, "data/models"), "meta-llama/Llama-3.1-8B-Instruct");
    assert_found(*state, id, id, path);
    assert_found(*state, "meta-llama/Llama-3.1-8B-Instruct", own + 12, own);
    assert_found(*state, "meta-llama/Meta-Llama-3.1-8B-Instruct", own + 12, own);
}

static void test_model_directory_says_what_to_run_for_a_known_model(void **state) {
    assert_not_found(*state, "klusterai/Meta-Llama-3.3-70B-Instruct-Turbo",
        "temper models pull meta-llama/Llama-3.3-70B-Instruct");
    assert_not_found(*state, "klusterai/Meta-Llama-3.3-70B", "no model");
}

static void test_model_directory_answers_to_aliases(void **state) {
    char place[FILE_PATH_SIZE];
    strcpy(place, test_path(*state, "data/models"));
    test_make_model(place, "me/big");
    test_write(place, "me/big/temper.json",
        "{\"id\": \"me/big\", \"aliases\": [\"big\", \"../outside\", 7, \"plain\","
        " \"klusterai/Meta-Llama-3.3-70B-Instruct-Turbo\"]}");
    assert_found(*state, "big", "me/big", "data/models/me/big");
    assert_found(*state, "meta-llama/Llama-3.3-70B-Instruct", "me/big", "data/models/me/big");
    assert_found(*state, "plain", "plain", "given/plain"); // a directory comes before an alias
    assert_not_found(*state, "../outside", "no model");
    test_write(place, "me/big/temper.json", "{\"aliases\": [\"big\"");
    assert_not_found(*state, "big", "no model");
    assert_found(*state, "me/big", "me/big", "data/models/me/big");
}

static void test_model_directory_finds_gguf_files(void **state) {
    struct error error;
    assert_true(file_make_directories(test_path(*state, "data/models/me/gguf"), &error));
    test_write(test_path(*state, "data/models/me/gguf"), "model.gguf", "GGUF");
    test_write(*state, "some.gguf", "GGUF");
    assert_found(*state, "me/gguf", "me/gguf", "data/models/me/gguf");
    assert_found(
        *state, test_path(*state, "some.gguf"), test_path(*state, "some.gguf"), "some.gguf");
    assert_not_found(*state, test_path(*state, "some.gguf"), "no model");
}

static void test_model_names_are_names_of_directories(void **state) {
    static const char *const good[] = {"a", "me/big", "Qwen2.5-0.5B", "meta-llama/Llama-3.1_x"};
    static const char *const bad[] = {"", "/", "a/", "/a", "a//b", "a/b/c", ".a", "-a", "a/.b",
        "..", "a b", "a\\b", "ft:a:b", "\xc3\xa9", "a\n"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(model_name_is_good(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (model_name_is_good(bad[i])) fail_msg("\"%s\" is taken for a name", bad[i]);
}

static void test_model_manifest_is_read_as_it_was_written(void **state) {
    struct model_manifest written = {.created_at = 1700000000}, read;
    struct error error;
    assert_true(model_manifest_set(&written, "me/big", "/models/big", &error));
    assert_true(model_manifest_add_alias(&written, "big", &error));
    assert_true(model_manifest_add_alias(&written, "big", &error)); // the same once more: no two
    assert_true(model_manifest_write(&written, *state, &error));
    assert_true(model_manifest_read(&read, *state, &error));
    assert_string_equal(read.id, "me/big");
    assert_string_equal(read.source, "/models/big");
    assert_int_equal(read.created_at, 1700000000);
    assert_int_equal(read.alias_count, 1);
    assert_string_equal(read.aliases[0], "big");
    assert_null(read.revision);
    model_manifest_free(&read);
    model_manifest_free(&written);
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
    for (uint64_t n = 1; n < 400 && !ok; n++) {
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
        WITH_PLACES(test_model_directory_answers_to_all_names_of_a_known_model),
        WITH_PLACES(test_model_directory_says_what_to_run_for_a_known_model),
        WITH_PLACES(test_model_directory_answers_to_aliases),
        WITH_PLACES(test_model_directory_finds_gguf_files),
        cmocka_unit_test(test_model_names_are_names_of_directories),
        WITH_PLACES(test_model_manifest_is_read_as_it_was_written),
        WITH_PLACES(test_model_directory_takes_the_first_place),
        WITH_PLACES(test_model_directory_finds_paths),
        WITH_PLACES(test_model_directory_keeps_names_from_outside_in_their_places),
        WITH_PLACES(test_model_directory_says_where_it_looked),
        WITH_PLACES(test_model_directory_lists_each_id_once_and_the_built_in_first),
        WITH_PLACES(test_model_directory_bears_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
