// From logits to a token: the likeliest, the nucleus, temperature, seeds.
#include "generate/sampler.h"
#include "test_support.h"
#include <math.h>

enum { VOCABULARY = 1000, DRAWS = 20000 };

static struct sampler_scratch scratch;
static float logits[VOCABULARY];

static int set_up(void **state) {
    (void)state;
    struct error error;
    return sampler_scratch_create(&scratch, VOCABULARY, &error) ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    sampler_scratch_free(&scratch);
    return 0;
}

static void set_logits(float others) {
    for (size_t i = 0; i < VOCABULARY; i++)
        logits[i] = others;
}

static int32_t pick(double temperature, double top_p, uint64_t seed, uint64_t position) {
    struct sampler sampler = {temperature, top_p, seed};
    return sampler_pick(&sampler, logits, VOCABULARY, position, &scratch);
}

static void test_sampler_takes_the_smallest_of_the_likeliest_at_temperature_zero(void **state) {
    (void)state;
    set_logits(-3);
    logits[700] = logits[41] = logits[999] = 5;
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(pick(0, 1, i, i), 41);
    assert_int_equal(pick(0, 0.1, 1, 1), 41);
}

static void test_sampler_keeps_to_the_nucleus(void **state) {
    (void)state;
    size_t seen[3] = {0};
    for (size_t i = 0; i < VOCABULARY; i++)
        logits[i] = -20;
    logits[7] = 2; // the three likeliest: about 0.665, 0.245, 0.090
    logits[900] = 1;
    logits[3] = 0;
    struct sampler narrow = {1, 0.8, 1}, greedy = {0, 1, 1};
    for (uint64_t i = 0; i < 1000; i++) {
        int32_t token = sampler_pick(&narrow, logits, VOCABULARY, i, &scratch);
        assert_true(token == 7 || token == 900);
        seen[token == 7]++;
        assert_int_equal(token, sampler_pick(&narrow, logits, VOCABULARY, i, &scratch));
    }
    assert_in_range(seen[1], 650, 810);
    assert_int_equal(sampler_pick(&greedy, logits, VOCABULARY, 0, &scratch), 7);
}

static void test_sampler_draws_as_often_as_the_softmax_says(void **state) {
    (void)state;
    static const double temperatures[] = {0.5, 1, 2};
    for (size_t t = 0; t < 3; t++) {
        size_t seen[5] = {0};
        double sum = 0;
        set_logits(-INFINITY);
        for (size_t i = 0; i < 5; i++) {
            logits[i * 200] = (float)i * 0.7f;
            sum += exp((double)logits[i * 200] / temperatures[t]);
        }
        for (uint64_t i = 0; i < DRAWS; i++) {
            int32_t token = pick(temperatures[t], 1, 3, i);
            assert_int_equal(token % 200, 0); // what is impossible is never drawn
            seen[token / 200]++;
        }
        for (size_t i = 0; i < 5; i++) {
            double wanted = exp((double)logits[i * 200] / temperatures[t]) / sum;
            double error = (double)seen[i] / DRAWS - wanted;
            assert_true(fabs(error) < 5 * sqrt(wanted * (1 - wanted) / DRAWS)); // five sigmas
        }
    }
}

static void test_sampler_depends_on_seed_and_position_alone(void **state) {
    (void)state;
    int32_t forth[200];
    size_t other_seed = 0, other_position = 0;
    for (size_t i = 0; i < VOCABULARY; i++)
        logits[i] = (float)sin((double)i);
    for (uint64_t i = 0; i < 200; i++)
        forth[i] = pick(1, 0.9, 11, i);
    for (uint64_t i = 200; i-- > 0;) {
        assert_int_equal(pick(1, 0.9, 11, i), forth[i]);
        other_seed += pick(1, 0.9, 12, i) != forth[i];
        other_position += pick(1, 0.9, 11, i + 1) != forth[i];
    }
    assert_true(other_seed > 150);
    assert_true(other_position > 150);
}

static void test_sampler_with_the_narrowest_nucleus_takes_the_likeliest(void **state) {
    (void)state;
    set_logits(1);
    logits[77] = 1.5f;
    for (uint64_t i = 0; i < 200; i++) {
        assert_int_equal(pick(1, 0, 5, i), 77);
        assert_int_equal(pick(1, 1e-9, 5, i), 77);
    }
}

static void test_sampler_keeps_the_smaller_ids_where_a_nucleus_ends_among_equals(void **state) {
    (void)state;
    bool seen[VOCABULARY] = {false};
    set_logits(0);
    for (uint64_t i = 0; i < DRAWS; i++) {
        int32_t token = pick(1, 0.25, 5, i);
        assert_in_range(token, 0, VOCABULARY / 4);
        seen[token] = true;
    }
    for (size_t i = 0; i < VOCABULARY / 4; i++)
        assert_true(seen[i]);
}

static void test_sampler_bears_a_temperature_next_to_zero_and_a_huge_one(void **state) {
    (void)state;
    size_t other = 0;
    set_logits(-50);
    logits[5] = 50;
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(pick(1e-300, 1, 2, i), 5);
        int32_t token = pick(1e300, 1, 2, i);
        assert_in_range(token, 0, VOCABULARY - 1);
        other += token != 5;
    }
    assert_true(other > 90);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampler_takes_the_smallest_of_the_likeliest_at_temperature_zero),
        cmocka_unit_test(test_sampler_keeps_to_the_nucleus),
        cmocka_unit_test(test_sampler_draws_as_often_as_the_softmax_says),
        cmocka_unit_test(test_sampler_depends_on_seed_and_position_alone),
        cmocka_unit_test(test_sampler_with_the_narrowest_nucleus_takes_the_likeliest),
        cmocka_unit_test(test_sampler_keeps_the_smaller_ids_where_a_nucleus_ends_among_equals),
        cmocka_unit_test(test_sampler_bears_a_temperature_next_to_zero_and_a_huge_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
