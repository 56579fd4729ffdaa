// Reports of training files: shared beginnings as a tree would count them, and ranges of lengths.
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

static void test_train_report_counts_equal_beginnings_once(void **state) {
    (void)state;
    int32_t tokens[] = {1, 2, 3, 1, 2, 4, 5, 1, 2, 3, 9, 1, 2};
    struct dataset_example examples[] = {
        {0, 3, 0, 1}, {3, 4, 0, 2}, {7, 1, 0, 3}, {8, 1, 0, 4}, {0, 3, 0, 5}, {11, 2, 0, 6}};
    struct dataset dataset = make_dataset(examples, COUNT(examples), tokens, 4);
    // The tree of 123, 1245, 1, 2, 123, 12: 1-2-3, 4-5 below 2, and 2 alone.
    assert_int_equal(train_report_shared(&dataset), 6);
}

// The reference: how many different beginnings there are.
static uint64_t beginnings(const struct dataset *data) {
    uint64_t count = 0;
    for (size_t i = 0; i < data->example_count; i++)
        for (uint32_t length = 1; length <= data->examples[i].length; length++) {
            bool seen = false;
            for (size_t j = 0; j < i && !seen; j++)
                seen = data->examples[j].length >= length &&
                       memcmp(data->tokens + data->examples[j].offset,
                           data->tokens + data->examples[i].offset,
                           length * sizeof *data->tokens) == 0;
            count += !seen;
        }
    return count;
}

static void test_train_report_agrees_with_counting_beginnings_one_by_one(void **state) {
    enum { EXAMPLES = 60, LENGTH = 12 };
    static int32_t tokens[EXAMPLES * LENGTH];
    static struct dataset_example examples[EXAMPLES];
    uint32_t random = 1;
    (void)state;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT(tokens); i++) {
            random = random * 1664525 + 1013904223;
            tokens[i] = (int32_t)(random >> 30);
        }
        for (uint32_t i = 0; i < EXAMPLES; i++)
            examples[i] =
                (struct dataset_example){i * LENGTH, 1 + (i * 7 + (uint32_t)round) % LENGTH, 0, i};
        struct dataset dataset = make_dataset(examples, EXAMPLES, tokens, LENGTH);
        assert_int_equal(train_report_shared(&dataset), beginnings(&dataset));
    }
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
        cmocka_unit_test(test_train_report_counts_equal_beginnings_once),
        cmocka_unit_test(test_train_report_agrees_with_counting_beginnings_one_by_one),
        cmocka_unit_test(test_train_report_ranges_of_lengths_have_round_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
