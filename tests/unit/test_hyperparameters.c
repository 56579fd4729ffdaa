// The table of hyperparameters.
#include "base/hyperparameters.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *group, const char *name, double value, bool allowed) {
    struct error error = {0};
    const struct hyperparameter *entry = hyperparameter_find(group, name);
    assert_non_null(entry);
    assert_int_equal(hyperparameter_check(entry, value, &error), allowed);
    if (!allowed) assert_non_null(strstr(error.message, name));
}

static void test_hyperparameters_hold_the_ranges_of_the_api(void **state) {
    (void)state;
    expect(NULL, "n_epochs", 1, true);
    expect(NULL, "n_epochs", 50, true);
    expect(NULL, "n_epochs", 0, false);
    expect(NULL, "n_epochs", 51, false);
    expect(NULL, "n_epochs", 1.5, false);
    expect(NULL, "batch_size", 256, true);
    expect(NULL, "batch_size", 257, false);
    expect(NULL, "learning_rate_multiplier", 0.08, true);
    expect(NULL, "learning_rate_multiplier", 0, false);
    expect(NULL, "learning_rate_multiplier", -1, false);
    expect(NULL, "learning_rate_multiplier", INFINITY, false);
    expect(NULL, "learning_rate_multiplier", NAN, false);
    expect("lora", "rank", 16, true);
    expect("lora", "rank", 0, false);
}

static void test_hyperparameters_are_found_in_their_group_only(void **state) {
    (void)state;
    assert_null(hyperparameter_find(NULL, "rank"));
    assert_null(hyperparameter_find("lora", "n_epochs"));
    assert_null(hyperparameter_find(NULL, "beta"));
}

static void test_hyperparameters_name_each_once_with_its_flag_and_help(void **state) {
    (void)state;
    size_t count;
    const struct hyperparameter *table = hyperparameter_table(&count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(hyperparameter_find(table[i].group, table[i].name), &table[i]);
        assert_true(strncmp(table[i].flag, "--", 2) == 0 && table[i].help && table[i].standard);
        assert_true(table[i].minimum < table[i].maximum);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hyperparameters_hold_the_ranges_of_the_api),
        cmocka_unit_test(test_hyperparameters_are_found_in_their_group_only),
        cmocka_unit_test(test_hyperparameters_name_each_once_with_its_flag_and_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
