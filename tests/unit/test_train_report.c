// Reports of training files: ranges of lengths.
#include "test_support.h"
#include "train/train_report.h"
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct dataset make_dataset(
    struct dataset_example *examples, size_t count, int32_t *tokens, size_t longest) {
    struct dataset dataset = {
        .example_count = count, .examples = examples, .tokens = tokens, .longest = longest};
    for (size_t i = 0; i < count; i++)
        dataset.token_count += examples[i].length;
    return dataset;
}

static json_int_t member(const json_t *list, size_t index, const char *name) {
    return json_integer_value(json_object_get(json_array_get(list, index), name));
}

static void test_train_report_ranges_of_lengths_have_round_borders(void **state) {
    (void)state;
    struct dataset_example examples[] = {
        {0, 1, 0, 1}, {0, 20, 0, 2}, {0, 21, 0, 3}, {0, 450, 0, 4}};
    struct dataset dataset = make_dataset(examples, COUNT(examples), NULL, 450);
    json_t *ranges = train_report_lengths(&dataset);
    assert_int_equal(json_array_size(ranges), 23);
    assert_int_equal(member(ranges, 0, "from"), 1);
    assert_int_equal(member(ranges, 0, "to"), 20);
    assert_int_equal(member(ranges, 0, "examples"), 2);
    assert_int_equal(member(ranges, 1, "examples"), 1);
    assert_int_equal(member(ranges, 22, "to"), 460);
    assert_int_equal(member(ranges, 22, "examples"), 1);
    json_decref(ranges);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_report_ranges_of_lengths_have_round_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
