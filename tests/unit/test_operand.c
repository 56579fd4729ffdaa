// Operands: how rows are stored, converted and transposed; and what exponentials make of extremes,
// in swiglu and in cross-entropy.
#include "test_compute.h"

static struct compute *computes[COMPUTE_PATHS];

static int computes_start(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        computes[path] = create(path, 2);
        if (!computes[path])
            print_message("skipped: this processor has no %s\n", compute_path_names[path]);
    }
    return 0;
}

static int computes_end(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        compute_free(computes[path]);
    return 0;
}

// ---- rows ----

static void test_operand_rows_have_room_and_do_not_lie_on_the_same_lines(void **state) {
    (void)state;
    for (size_t columns = 0; columns < 9000; columns++) {
        size_t stride = compute_operand_stride(columns);
        assert_true(stride > 0 && stride >= columns && stride <= columns + 64);
        assert_int_equal(stride % 32, 0);
        assert_true(stride % 1024 != 0);
    }
}

static const size_t shapes[][2] = {
    {1, 1}, {1, 33}, {14, 15}, {16, 16}, {31, 17}, {32, 64}, {33, 31}, {113, 70}, {257, 5}};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static void check_conversion(struct compute *compute, size_t rows, size_t columns) {
    float *x = random_floats(1, rows * columns, 1);
    struct operand operand = operand_from(compute, x, rows, columns);
    float *got = operand_floats(compute, operand, rows, columns);
    round_to_operand(compute, x, rows * columns);
    assert_memory_equal(got, x, rows * columns * sizeof *x);
    struct operand part = compute_operand_at(compute, operand, rows / 2, columns / 3);
    struct matrix view = compute_operand_matrix(compute, part, 1, 1);
    float value;
    matrix_read(&view, 0, 0, 1, &value);
    assert_true(value == x[rows / 2 * columns + columns / 3]);
    memory_free(x);
    memory_free(got);
    memory_free(operand.data);
}

static void test_operand_rows_are_rounded_to_nearest(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (size_t i = 0; i < SHAPES && computes[path]; i++)
            check_conversion(computes[path], shapes[i][0], shapes[i][1]);
}

// Rows of an odd number get the zero that a product needs behind them, over what was there.
static void check_transpose(struct compute *compute, size_t rows, size_t columns) {
    size_t padded = rows + (operands_are_bf16(compute_path_of(compute)) ? rows % 2 : 0);
    float *x = random_floats(2, rows * columns, 1);
    struct operand from = operand_from(compute, x, rows, columns);
    struct operand to = operand_new(compute, columns, rows + 1);
    memset(
        to.data, 0x3f, columns * to.stride * data_type_table[compute_operand_type(compute)].size);
    compute_transpose(compute, to, from, rows, columns);
    float *got = operand_floats(compute, to, columns, padded);
    round_to_operand(compute, x, rows * columns);
    for (size_t i = 0; i < columns; i++)
        for (size_t j = 0; j < padded; j++)
            assert_true(got[i * padded + j] == (j < rows ? x[j * columns + i] : 0));
    memory_free(x);
    memory_free(got);
    memory_free(from.data);
    memory_free(to.data);
}

static void test_operand_transposing_turns_rows_into_columns(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (size_t i = 0; i < SHAPES && computes[path]; i++)
            check_transpose(computes[path], shapes[i][0], shapes[i][1]);
}

// The weight gradient of a linear layer: dyᵀ · x, with a number of rows that is odd.
static void check_transposed_product(struct compute *compute) {
    enum { ROWS = 37, OUT = 20, IN = 45 };
    float *dy = whole_floats(3, ROWS * OUT, 4), *x = whole_floats(4, ROWS * IN, 4);
    float *got = zero_floats(OUT * IN);
    struct operand of_dy = operand_from(compute, dy, ROWS, OUT);
    struct operand of_x = operand_from(compute, x, ROWS, IN);
    struct operand turned = operand_new(compute, OUT, ROWS);
    compute_transpose(compute, turned, of_dy, ROWS, OUT);
    struct product_term term = {compute_operand_matrix(compute, turned, OUT, ROWS),
        compute_operand_matrix(compute, of_x, ROWS, IN), false};
    struct product product = {.operation = COMPUTE_PRODUCT_WEIGHT,
        .terms = &term,
        .term_count = 1,
        .m = OUT,
        .n = IN,
        .finish = {.kind = PRODUCT_STORE, .alpha = 1, .to_f32 = got, .to_stride = IN}};
    compute_products(compute, &product, 1);
    for (size_t i = 0; i < OUT; i++)
        for (size_t j = 0; j < IN; j++) {
            float want = 0;
            for (size_t row = 0; row < ROWS; row++)
                want += dy[row * OUT + i] * x[row * IN + j];
            assert_true(got[i * IN + j] == want);
        }
    memory_free(dy);
    memory_free(x);
    memory_free(got);
    memory_free(of_dy.data);
    memory_free(of_x.data);
    memory_free(turned.data);
}

static void test_operand_transposed_gives_the_gradient_of_weights(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        if (computes[path]) check_transposed_product(computes[path]);
}

// ---- exponentials in swiglu ----

// In vectors and behind them. Far below 0 nothing is left of a gate, far above it stays itself.
static void check_swiglu(struct compute *compute, float gate, double want, double tolerance) {
    enum { COUNT = 37 };
    float gates[COUNT], up[COUNT], y[COUNT];
    for (int i = 0; i < COUNT; i++) {
        gates[i] = gate;
        up[i] = 2;
    }
    compute_swiglu(compute, y, gates, up, COUNT);
    for (int i = 0; i < COUNT; i++)
        if (!(fabs(y[i] - 2 * want) <= tolerance))
            fail_msg("%s: silu(%g) is %g, not %g", compute_path_names[compute_path_of(compute)],
                gate, y[i] / 2, want);
}

static void test_operand_swiglu_bears_extremes(void **state) {
    (void)state;
    static const float gates[] = {0, 1e-30f, -1e-30f, 0.3f, 10, -10, 80, -80, 87.2f, -87.2f, 87.4f,
        -87.4f, 88.4f, -88.4f, 104, -104, 1e4f, -1e4f, 1e30f, -1e30f};
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (size_t i = 0; i < sizeof gates / sizeof *gates && computes[path]; i++) {
            double gate = gates[i], want = gate / (1 + exp(-gate));
            check_swiglu(computes[path], gates[i], want, 4e-7 * fabs(want) + 1e-7);
        }
}

static void test_operand_swiglu_of_what_is_no_number_is_none(void **state) {
    (void)state;
    enum { COUNT = 40 };
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        float gate[COUNT], up[COUNT], y[COUNT];
        if (!computes[path]) continue;
        for (int i = 0; i < COUNT; i++) {
            gate[i] = i % 4 == 0 ? NAN : i % 4 == 1 ? INFINITY : i % 4 == 2 ? -INFINITY : 1;
            up[i] = i % 8 == 3 ? NAN : 1;
        }
        compute_swiglu(computes[path], y, gate, up, COUNT);
        for (int i = 0; i < COUNT; i++) {
            if (i % 4 == 0 || i % 8 == 3) assert_true(isnan(y[i]));
            if (i % 4 == 1) assert_true(isinf(y[i]) && y[i] > 0);
            if (i % 4 == 2) assert_true(!isfinite(y[i]));
            if (i % 8 == 7) assert_float_equal(y[i], 0.7310586, 1e-6);
        }
    }
}

// ---- exponentials in cross-entropy ----

enum { MOST_VOCABULARY = 203 };

struct loss_result {
    float loss, hit, gradient[MOST_VOCABULARY];
};

static struct loss_result loss_of(
    struct compute *compute, const float *logits, size_t vocabulary, int32_t target) {
    struct loss_result r;
    float weight = 0.5f, values[MOST_VOCABULARY + TEST_SLACK] = {0};
    struct operand to = operand_new(compute, 1, vocabulary);
    struct product_finish finish = {.kind = PRODUCT_LOGITS, .to = to};
    memcpy(values, logits, vocabulary * sizeof *values);
    compute_finish(compute, &finish, values, 1, vocabulary);
    compute_cross_entropy(compute, to, &r.loss, &r.hit, &target, &weight, 1, vocabulary, true);
    float *gradient = operand_floats(compute, to, 1, vocabulary);
    memcpy(r.gradient, gradient, vocabulary * sizeof *gradient);
    memory_free(gradient);
    memory_free(to.data);
    return r;
}

// Logits wait as f16 where operands are bf16.
static double logit_of(const struct compute *compute, float logit) {
    if (!operands_are_bf16(compute_path_of(compute))) return logit;
    return f16_to_f32(f16_from_f32(fmaxf(-65504, fminf(65504, logit))));
}

static void check_loss(
    struct compute *compute, const float *logits, size_t vocabulary, int32_t target) {
    struct loss_result got = loss_of(compute, logits, vocabulary, target);
    double sum = 0, largest = -INFINITY, of_target = logit_of(compute, logits[target]);
    for (size_t i = 0; i < vocabulary; i++)
        largest = fmax(largest, logit_of(compute, logits[i]));
    for (size_t i = 0; i < vocabulary; i++)
        sum += exp(logit_of(compute, logits[i]) - largest);
    double want = largest - of_target + log(sum);
    const char *path = compute_path_names[compute_path_of(compute)];
    // The logarithm of the sum is a float beside the logits.
    if (!(fabs(got.loss - want) <= 1e-6 + 2e-6 * fabs(want) + 1.2e-7 * fabs(largest)))
        fail_msg("%s, vocabulary %zu, logit 0 is %g: loss %g, not %g", path, vocabulary, logits[0],
            got.loss, want);
    assert_true(got.hit == (of_target >= largest));
    double tolerance = operands_are_bf16(compute_path_of(compute)) ? 2e-3 : 1e-6;
    for (size_t i = 0; i < vocabulary; i++) {
        double p = exp(logit_of(compute, logits[i]) - largest) / sum;
        double gradient = 0.5 * (p - (i == (size_t)target));
        if (!(fabs(got.gradient[i] - gradient) <= tolerance + 1.2e-7 * fabs(largest)))
            fail_msg("%s, vocabulary %zu: gradient %zu is %g, not %g", path, vocabulary, i,
                got.gradient[i], gradient);
    }
}

// Remainders of every length behind whole vectors.
static const size_t vocabularies[] = {1, 2, 7, 15, 16, 17, 31, 64, 77, 130, 203};

enum { VOCABULARIES = sizeof vocabularies / sizeof *vocabularies };

static void check_losses(float scale, float shift) {
    float *logits = random_floats(5, MOST_VOCABULARY, scale);
    for (size_t i = 0; i < MOST_VOCABULARY; i++)
        logits[i] += shift;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (size_t i = 0; i < VOCABULARIES && computes[path]; i++) {
            int32_t last = (int32_t)vocabularies[i] - 1;
            check_loss(computes[path], logits, vocabularies[i], 0);
            check_loss(computes[path], logits, vocabularies[i], last / 2);
            check_loss(computes[path], logits, vocabularies[i], last);
        }
    memory_free(logits);
}

static void test_operand_loss_bears_logits_of_every_size(void **state) {
    (void)state;
    check_losses(0, 0);
    check_losses(1, 0);
    check_losses(2, -30);
    check_losses(30, 100);
    check_losses(500, 0);
    check_losses(1, -1000);
    check_losses(1, 60000);
    check_losses(1, -60000);
}

// Below all that f16 holds: no class may be counted that is not there.
static void test_operand_loss_bears_the_lowest_logits(void **state) {
    (void)state;
    check_losses(0, -65504);
    check_losses(1, -70000);
    check_losses(100, -1e6f);
    check_losses(0, -1e30f);
}

static void test_operand_loss_of_what_is_no_number_is_none(void **state) {
    (void)state;
    float logits[MOST_VOCABULARY] = {0};
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (size_t i = 0; i < VOCABULARIES && computes[path]; i++) {
            size_t last = vocabularies[i] - 1;
            logits[last] = NAN;
            assert_true(isnan(loss_of(computes[path], logits, last + 1, 0).loss));
            assert_true(isnan(loss_of(computes[path], logits, last + 1, (int32_t)last).loss));
            logits[last] = 0;
        }
}

// An infinite logit is bounded where logits wait as f16; else nothing is left of a number.
static void test_operand_loss_of_infinite_logits_is_no_small_number(void **state) {
    (void)state;
    float logits[MOST_VOCABULARY] = {0};
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        if (!computes[path]) continue;
        logits[20] = INFINITY;
        struct loss_result got = loss_of(computes[path], logits, 37, 3);
        assert_true(isnan(got.loss) || got.loss > 65000);
        logits[20] = -INFINITY;
        got = loss_of(computes[path], logits, 37, 3);
        assert_float_equal(got.loss, log(36), 1e-5);
        assert_true(got.gradient[20] == 0);
        logits[20] = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operand_rows_have_room_and_do_not_lie_on_the_same_lines),
        cmocka_unit_test(test_operand_rows_are_rounded_to_nearest),
        cmocka_unit_test(test_operand_transposing_turns_rows_into_columns),
        cmocka_unit_test(test_operand_transposed_gives_the_gradient_of_weights),
        cmocka_unit_test(test_operand_swiglu_bears_extremes),
        cmocka_unit_test(test_operand_swiglu_of_what_is_no_number_is_none),
        cmocka_unit_test(test_operand_loss_bears_logits_of_every_size),
        cmocka_unit_test(test_operand_loss_bears_the_lowest_logits),
        cmocka_unit_test(test_operand_loss_of_what_is_no_number_is_none),
        cmocka_unit_test(test_operand_loss_of_infinite_logits_is_no_small_number),
    };
    return cmocka_run_group_tests(tests, computes_start, computes_end);
}
