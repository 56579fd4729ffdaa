// The cut of an optimizer batch into trees: expanded, they give back each example with its weights;
// what examples begin with alike is computed once; the same input gives the same cut.
#include "base/memory.h"
#include "base/random.h"
#include "test_support.h"
#include "train/packing.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EXAMPLES = 200, MOST_LENGTH = 100, MOST_TOKENS = MOST_EXAMPLES * MOST_LENGTH };

// A data set with its arrays.
struct data {
    struct dataset dataset;
    struct dataset_example examples[MOST_EXAMPLES];
    int32_t tokens[MOST_TOKENS];
    float weights[MOST_TOKENS];
};

static void add_example(struct data *data, const int32_t *tokens, uint32_t length) {
    struct dataset *dataset = &data->dataset;
    dataset->examples = data->examples;
    dataset->tokens = data->tokens;
    dataset->weights = data->weights;
    data->examples[dataset->example_count++] =
        (struct dataset_example){(size_t)dataset->token_count, length, 0, 0};
    for (uint32_t i = 0; i < length; i++) {
        data->tokens[dataset->token_count] = tokens[i];
        data->weights[dataset->token_count++] = 1;
    }
    dataset->longest = length > dataset->longest ? length : dataset->longest;
}

// Each example goes on from a beginning of some example before it, or is that example again.
static void draw_data(struct data *data, uint64_t seed, size_t examples) {
    int32_t tokens[MOST_LENGTH];
    memset(data, 0, sizeof *data);
    for (size_t i = 0; i < examples; i++) {
        uint32_t kept = 0, length;
        if (i && random_below(seed, 1, i, 5)) {
            const struct dataset_example *from = &data->examples[random_below(seed, 2, i, i)];
            kept = (uint32_t)random_below(seed, 3, i, from->length + 1);
            memcpy(tokens, data->tokens + from->offset, kept * sizeof *tokens);
        }
        length = kept + (uint32_t)random_below(seed, 4, i, MOST_LENGTH - kept + 1);
        length = length ? length : 1;
        for (uint32_t j = kept; j < length; j++)
            tokens[j] = (int32_t)random_below(seed, 5, i * MOST_LENGTH + j, 3);
        add_example(data, tokens, length);
    }
    static const float weights[] = {0, 1, 1, 0.5f};
    for (size_t i = 0; i < data->dataset.token_count; i++)
        data->weights[i] = weights[random_below(seed, 6, i, 4)];
}

// ---- expanding ----

// Rows of the node and its ancestors that stand at the depths 0, 1, …: returns how many.
static size_t path_of(const struct training_batch *batch, size_t node, uint32_t *rows) {
    const struct training_sequence *sequence = &batch->sequences[node];
    size_t depth =
        sequence->parent == TRAINING_NO_PARENT ? 0 : path_of(batch, sequence->parent, rows);
    for (size_t i = 0; i < sequence->row_count; i++)
        rows[depth + i] = (uint32_t)(sequence->first_row + i);
    return depth + sequence->row_count;
}

static struct training_target *target_of(
    const struct training_batch *batch, struct training_target *left, uint32_t row, int32_t token) {
    for (size_t i = 0; i < batch->target_count; i++)
        if (left[i].row == row && left[i].token == token) return &left[i];
    return NULL;
}

// Takes an example's weights off the targets along a path that holds its rows. False: it does not,
// or the targets do not have that much.
static bool take_off(const struct training_batch *batch, struct training_target *left,
    const uint32_t *rows, size_t row_count, const struct dataset *dataset, size_t index) {
    const struct dataset_example *example = &dataset->examples[index];
    const int32_t *tokens = dataset->tokens + example->offset;
    const float *weights = dataset->weights + example->offset;
    if (row_count + 1 < example->length) return false;
    for (uint32_t i = 0; i + 1 < example->length; i++) {
        if (batch->tokens[rows[i]] != tokens[i]) return false;
        if (!(weights[i + 1] > 0)) continue;
        const struct training_target *target = target_of(batch, left, rows[i], tokens[i + 1]);
        if (!target || target->examples < 1) return false;
    }
    for (uint32_t i = 0; i + 1 < example->length; i++) {
        if (!(weights[i + 1] > 0)) continue;
        struct training_target *target = target_of(batch, left, rows[i], tokens[i + 1]);
        target->examples -= 1;
        target->weight -= weights[i + 1];
    }
    return true;
}

// Finds examples in a micro-batch until no weight is left. Longer ones first: a beginning that
// stands twice (too short for a node) belongs to those that go on from it.
static void expand(const struct training_batch *batch, const struct dataset *dataset, bool *found) {
    struct training_target *left = malloc((batch->target_count + 1) * sizeof *left);
    uint32_t rows[MOST_LENGTH];
    memcpy(left, batch->targets, batch->target_count * sizeof *left);
    for (uint32_t length = MOST_LENGTH; length > 1; length--)
        for (size_t node = 0; node < batch->sequence_count; node++) {
            size_t count = path_of(batch, node, rows);
            for (size_t i = 0; i < dataset->example_count; i++)
                if (!found[i] && dataset->examples[i].length == length)
                    found[i] = take_off(batch, left, rows, count, dataset, i);
        }
    for (size_t i = 0; i < batch->target_count; i++)
        if (left[i].examples != 0 || fabsf(left[i].weight) > 1e-5f)
            fail_msg("a target of row %u has %g examples too many", left[i].row,
                (double)left[i].examples);
    free(left);
}

static void check_form(const struct training_batch *batch, size_t max_rows) {
    size_t rows = 0;
    assert_true(batch->rows <= max_rows && batch->target_count <= 2 * max_rows);
    for (size_t i = 0; i < batch->sequence_count; i++) {
        const struct training_sequence *node = &batch->sequences[i];
        assert_int_equal(node->first_row, rows);
        assert_true(node->row_count > 0);
        assert_true(node->parent == TRAINING_NO_PARENT || node->parent < i);
        rows += node->row_count;
    }
    assert_int_equal(rows, batch->rows);
    for (size_t i = 0; i < batch->target_count; i++) {
        assert_true(batch->targets[i].weight > 0 && batch->targets[i].row < rows);
        assert_true(i == 0 || batch->targets[i].row >= batch->targets[i - 1].row);
    }
}

static size_t pack(struct data *data, size_t max_rows, bool shared, bool *found, size_t *rows) {
    struct packer packer;
    struct training_batch batch;
    struct error error;
    uint32_t order[MOST_EXAMPLES];
    size_t count = data->dataset.example_count, batches = 0;
    random_permutation(3, 3, order, count);
    assert_true(packer_create(&packer, max_rows, count, shared, &error));
    packer_begin(&packer, &data->dataset, order, count, 1);
    *rows = 0;
    for (; packer_next(&packer, &batch); batches++) {
        check_form(&batch, max_rows);
        if (found) expand(&batch, &data->dataset, found);
        *rows += batch.rows;
    }
    packer_free(&packer);
    return batches;
}

static void test_packing_expanded_gives_back_each_example_with_its_weights(void **state) {
    (void)state;
    static struct data data;
    static const size_t room[] = {100, 250, 100000};
    for (uint64_t seed = 0; seed < 12; seed++)
        for (size_t i = 0; i < 6; i++) {
            bool found[MOST_EXAMPLES] = {false};
            size_t rows;
            draw_data(&data, seed, 60);
            pack(&data, room[i % 3], i < 3, found, &rows);
            for (size_t j = 0; j < data.dataset.example_count; j++)
                assert_true(found[j] || data.examples[j].length < 2);
        }
}

// Rows alone, counted without filling arrays, are those that come out.
static void test_packing_counts_what_it_computes(void **state) {
    (void)state;
    static struct data data;
    struct epoch_rules rules = {.batch_size = 16, .seed = 5};
    struct error error;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct epoch_plan plan;
        struct packer packer;
        struct training_batch batch;
        uint64_t counted, computed = 0;
        draw_data(&data, seed, 100);
        assert_true(packing_count(&data.dataset, &rules, 150, true, &counted, &error));
        assert_true(epoch_plan_make(&plan, &data.dataset, &rules, 0, &error));
        assert_true(packer_create(&packer, 150, 16, true, &error));
        for (size_t i = 0; i < plan.batch_count; i++) {
            size_t first = plan.batch_starts[i];
            packer_begin(
                &packer, &data.dataset, plan.order + first, plan.batch_starts[i + 1] - first, 1);
            while (packer_next(&packer, &batch))
                computed += batch.rows;
        }
        assert_int_equal(computed, counted);
        packer_free(&packer);
        epoch_plan_free(&plan);
    }
}

// A system prompt of 75 tokens, headlines of 20 to 40, one word.
static void test_packing_of_one_system_prompt_computes_a_third(void **state) {
    (void)state;
    static struct data data;
    int32_t tokens[MOST_LENGTH + 20];
    size_t shared, apart;
    memset(&data, 0, sizeof data);
    for (size_t i = 0; i < 32; i++) {
        uint32_t length = 76 + 20 + (uint32_t)random_below(1, 1, i, 21);
        for (uint32_t j = 0; j < length; j++)
            tokens[j] = j < 75 ? (int32_t)j : (int32_t)random_below(1, 2, i * 200 + j, 5000);
        add_example(&data, tokens, length);
    }
    assert_int_equal(pack(&data, 4000, true, NULL, &shared), 1);
    pack(&data, 4000, false, NULL, &apart);
    assert_int_equal(apart, data.dataset.token_count - 32);
    assert_in_range(shared, apart * 30 / 100, apart * 35 / 100);
}

// Where a micro-batch is full, the next one has the shared rows once more.
static void test_packing_repeats_what_two_micro_batches_need(void **state) {
    (void)state;
    static struct data data;
    int32_t tokens[40];
    size_t rows;
    memset(&data, 0, sizeof data);
    for (int32_t i = 0; i < 10; i++) {
        for (int32_t j = 0; j < 40; j++)
            tokens[j] = j < 30 ? j : 100 * (i + 1) + j;
        add_example(&data, tokens, 40);
    }
    assert_int_equal(pack(&data, 30 + 4 * 9, true, NULL, &rows), 3);
    assert_int_equal(rows, 3 * 30 + 10 * 9);
}

// A token that all examples begin with makes no tree, and a chat that goes on from another no
// second node.
static void test_packing_makes_nodes_only_where_they_save(void **state) {
    (void)state;
    static struct data data;
    struct packer packer;
    struct training_batch batch;
    struct error error;
    int32_t tokens[60];
    uint32_t order[] = {0, 1, 2, 3, 4};
    memset(&data, 0, sizeof data);
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t j = 0; j < 60; j++)
            tokens[j] = j < 3 ? j : 100 * (i / 2 + 1) + j;
        add_example(&data, tokens, i % 2 ? 60 : 30);
    }
    add_example(&data, tokens, 1); // nothing follows its one token
    assert_true(packer_create(&packer, 1000, 5, true, &error));
    packer_begin(&packer, &data.dataset, order, 5, 2);
    assert_true(packer_next(&packer, &batch));
    assert_int_equal(batch.sequence_count, 2);
    assert_int_equal(batch.rows, 2 * 59);
    assert_int_equal(batch.target_count, 2 * 59);
    assert_true(batch.targets[0].weight == 1 && batch.targets[0].examples == 2);
    assert_true(batch.targets[58].weight == 0.5f && batch.targets[58].examples == 1);
    assert_false(packer_next(&packer, &batch));
    packer_free(&packer);
}

// Many answers to one question are few rows and many targets, which are cut, too.
static void test_packing_keeps_to_twice_as_many_targets_as_rows(void **state) {
    (void)state;
    static struct data data;
    int32_t tokens[12];
    size_t rows;
    memset(&data, 0, sizeof data);
    for (int32_t i = 0; i < 100; i++) {
        for (int32_t j = 0; j < 12; j++)
            tokens[j] = j < 11 ? j : 1000 + i;
        add_example(&data, tokens, 12);
    }
    assert_int_equal(pack(&data, 20, true, NULL, &rows), 5);
    assert_int_equal(rows, 5 * 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packing_expanded_gives_back_each_example_with_its_weights),
        cmocka_unit_test(test_packing_counts_what_it_computes),
        cmocka_unit_test(test_packing_of_one_system_prompt_computes_a_third),
        cmocka_unit_test(test_packing_repeats_what_two_micro_batches_need),
        cmocka_unit_test(test_packing_makes_nodes_only_where_they_save),
        cmocka_unit_test(test_packing_keeps_to_twice_as_many_targets_as_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
