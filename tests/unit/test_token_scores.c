// Scores and changes of logits, by arithmetic.
#include "base/memory.h"
#include "generate/logit_changes.h"
#include "generate/token_scores.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_token_scores_are_the_logarithm_of_the_softmax(void **state) {
    (void)state;
    static const float logits[5] = {1.0f, 3.0f, -2.0f, 3.0f, 0.5f};
    struct token_score best[5];
    double sum = 0;
    for (int i = 0; i < 5; i++)
        sum += exp((double)logits[i]);
    for (int32_t token = 0; token < 5; token++)
        assert_true(fabs(token_scores(logits, 5, token, best, 0) -
                         ((double)logits[token] - log(sum))) < 1e-12);
    token_scores(logits, 5, 0, best, 5);
    static const int32_t order[5] = {1, 3, 0, 4, 2}; // of equals the smaller id first
    for (int i = 0; i < 5; i++) {
        assert_int_equal(best[i].token, order[i]);
        assert_true(fabs(best[i].log_probability - ((double)logits[order[i]] - log(sum))) < 1e-12);
    }
}

static void test_token_scores_bear_large_logits(void **state) {
    (void)state;
    static const float logits[3] = {10000.0f, 9999.0f, -10000.0f};
    struct token_score best[1];
    double rest = log(1 + exp(-1.0));
    assert_true(fabs(token_scores(logits, 3, 0, best, 1) + rest) < 1e-9);
    assert_true(token_scores(logits, 3, 2, best, 1) < -19000);
}

static void test_logit_changes_are_those_of_the_formula(void **state) {
    (void)state;
    static const struct engine_bias biases[] = {{0, 5.0f}, {3, -100.0f}};
    struct logit_changes changes = {
        .frequency_penalty = 0.5, .presence_penalty = 0.25, .biases = biases, .bias_count = 2};
    float logits[4] = {1, 2, 3, 4};
    struct error error;
    static const int32_t taken[] = {1, 2, 1, 1};
    for (int i = 0; i < 4; i++)
        assert_true(logit_changes_note(&changes, taken[i], &error));
    logit_changes_apply(&changes, logits);
    static const float wanted[4] = {6, 2 - 3 * 0.5f - 0.25f, 3 - 0.5f - 0.25f, -96};
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(logits[i] - wanted[i]) < 1e-6f);
    logit_changes_free(&changes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_scores_are_the_logarithm_of_the_softmax),
        cmocka_unit_test(test_token_scores_bear_large_logits),
        cmocka_unit_test(test_logit_changes_are_those_of_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
