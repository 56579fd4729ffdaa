// Every fast path of compute against the reference, on shapes that leave remainders everywhere; and
// the reference's loss against the formula written out. test_products.c and test_attention.c have
// what is larger.
#include "test_compute.h"

static void naive_product(
    enum gemm_form form, const float *a, const float *b, float *c, size_t m, size_t n, size_t k) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t l = 0; l < k; l++)
                sum += (double)(form == GEMM_TN ? a[l * m + i] : a[i * k + l]) *
                       (form == GEMM_NT ? b[j * k + l] : b[l * n + j]);
            c[i * n + j] = (float)sum;
        }
}

static void check_product(struct compute *compute, enum gemm_form form, enum data_type type,
    size_t m, size_t n, size_t k) {
    float *a = random_floats(1, m * k, 1), *b = random_floats(2, n * k, 1);
    float *want = memory_alloc_array(m * n, sizeof *want);
    float *got = random_floats(3, m * n, 1);
    void *stored = memory_alloc_array(n * k, 4);
    data_type_table[type].from_f32(stored, b, n * k);
    data_type_table[type].to_f32(b, stored, n * k);
    naive_product(form, a, b, want, m, n, k);
    for (size_t i = 0; i < m * n; i++)
        want[i] = got[i] + 0.5f * want[i];
    struct matrix of_a = form == GEMM_TN ? matrix_f32(a, k, m) : matrix_f32(a, m, k);
    struct matrix of_b =
        form == GEMM_NT ? matrix_of(stored, type, n, k) : matrix_of(stored, type, k, n);
    compute_gemm(compute, form, of_a, of_b, got, n, 0.5f, true);
    char what[128];
    snprintf(what, sizeof what, "%s form %d %s %zu×%zu×%zu",
        compute_path_names[compute_path_of(compute)], form, data_type_table[type].name, m, n, k);
    assert_near(got, want, m * n, tolerance_of(compute_path_of(compute)), what);
    memory_free(a);
    memory_free(b);
    memory_free(want);
    memory_free(got);
    memory_free(stored);
}

static void test_compute_products_agree_on_every_path_form_and_type(void **state) {
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {14, 32, 64}, {15, 33, 65},
        {29, 257, 31}, {100, 16, 577}, {16, 300, 1153}, {2017, 17, 3}};
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        struct compute *compute = create(path, 2);
        if (!compute) {
            print_message("skipped: this processor has no %s\n", compute_path_names[path]);
            continue;
        }
        for (int form = GEMM_NT; form <= GEMM_TN; form++)
            for (int type = 0; type <= DATA_F16; type++)
                for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                    check_product(compute, form, type, shapes[i][0], shapes[i][1], shapes[i][2]);
        compute_free(compute);
    }
}

enum { ROWS = 37, COLUMNS = 203, COUNT = ROWS * COLUMNS };

struct rows_result {
    float norm[COUNT], dx[COUNT], dweight[COLUMNS], swiglu[COUNT], losses[ROWS], hits[ROWS];
    float parameters[COUNT], first[COUNT], second[COUNT], few[3][ROWS], biased[COUNT];
    // Rounded to the type of operands:
    float norm_operand[COUNT], norm_again[COUNT], dx_operand[COUNT], dgate[COUNT], dup[COUNT],
        logits[COUNT], dbias[COLUMNS];
};

static void take_operand(struct compute *compute, struct operand operand, float *to) {
    float *values = operand_floats(compute, operand, ROWS, COLUMNS);
    memcpy(to, values, COUNT * sizeof *to);
    memory_free(values);
    memory_free(operand.data);
}

static void run_swiglu_backward(
    struct compute *compute, struct rows_result *r, const float *x, const float *y) {
    struct operand gate = operand_from(compute, x, ROWS, COLUMNS);
    struct operand up = operand_from(compute, y, ROWS, COLUMNS);
    struct operand to = operand_new(compute, ROWS, COLUMNS);
    float *gradient = random_floats(33, COUNT, 1);
    struct product_finish finish = {.kind = PRODUCT_SWIGLU_BACKWARD,
        .to = to,
        .gate = gate,
        .up = up,
        .dgate = gate,
        .dup = up};
    compute_finish(compute, &finish, gradient, ROWS, COLUMNS);
    take_operand(compute, gate, r->dgate);
    take_operand(compute, up, r->dup);
    memory_free(to.data);
    memory_free(gradient);
}

static void run_cross_entropy(
    struct compute *compute, struct rows_result *r, const float *x, const float *weights) {
    int32_t targets[ROWS];
    for (int i = 0; i < ROWS; i++)
        targets[i] = i * 5;
    struct operand logits = operand_new(compute, ROWS, COLUMNS);
    struct product_finish finish = {.kind = PRODUCT_LOGITS, .to = logits};
    compute_finish(compute, &finish, x, ROWS, COLUMNS);
    compute_cross_entropy(
        compute, logits, r->losses, r->hits, targets, weights, ROWS, COLUMNS, true);
    take_operand(compute, logits, r->logits);
}

static void run_bias(
    struct compute *compute, struct rows_result *r, const float *x, const float *bias) {
    struct operand dy = operand_from(compute, x, ROWS, COLUMNS);
    memcpy(r->biased, x, sizeof r->biased);
    compute_add_bias(compute, r->biased, bias, ROWS, COLUMNS);
    compute_bias_backward(compute, r->dbias, dy, ROWS, COLUMNS);
    memory_free(dy.data);
}

static void run_rmsnorm(struct compute *compute, struct rows_result *r, const float *x,
    const float *y, const float *weight) {
    float inverse[ROWS];
    struct operand norm = operand_new(compute, ROWS, COLUMNS);
    compute_rmsnorm_operand(compute, norm, NULL, x, weight, ROWS, COLUMNS, 1e-5f);
    take_operand(compute, norm, r->norm_operand);
    compute_rmsnorm(compute, r->norm, inverse, x, weight, ROWS, COLUMNS, 1e-5f);
    struct operand again = operand_new(compute, ROWS, COLUMNS);
    compute_rmsnorm_again(compute, again, inverse, x, weight, ROWS, COLUMNS);
    take_operand(compute, again, r->norm_again);
    struct operand dx = operand_new(compute, ROWS, COLUMNS);
    compute_rmsnorm_backward(compute, r->dx, dx, r->dweight, y, x, weight, inverse, ROWS, COLUMNS);
    take_operand(compute, dx, r->dx_operand);
}

static void run_few_rows(
    struct compute *compute, struct rows_result *r, const float *x, const float *y) {
    for (int type = 0; type <= DATA_F16; type++) {
        void *stored = memory_alloc_array(COUNT, 4);
        data_type_table[type].from_f32(stored, x, COUNT);
        compute_few_rows(compute, y, COLUMNS, 1, matrix_of(stored, type, ROWS, COLUMNS),
            r->few[type], ROWS, 1.0f, false);
        memory_free(stored);
    }
}

static void rows_run(struct compute *compute, struct rows_result *r) {
    float *x = random_floats(30, COUNT, 2), *y = random_floats(31, COUNT, 1);
    float *weight = random_floats(32, COLUMNS, 1);
    memset(r, 0, sizeof *r);
    run_rmsnorm(compute, r, x, y, weight);
    compute_swiglu(compute, r->swiglu, x, y, COUNT);
    run_swiglu_backward(compute, r, x, y);
    run_bias(compute, r, x, weight);
    run_cross_entropy(compute, r, x, weight);
    memcpy(r->parameters, x, sizeof r->parameters);
    struct adamw adamw = {1e-2f, 0.9f, 0.999f, 1e-8f, 0.01f, 1, 0.7f};
    for (adamw.step = 1; adamw.step < 4; adamw.step++)
        compute_adamw(compute, &adamw, r->parameters, y, r->first, r->second, COUNT);
    run_few_rows(compute, r, x, y);
    memory_free(x);
    memory_free(y);
    memory_free(weight);
}

static void check_f32_rows(const struct rows_result *got, const struct rows_result *want) {
    assert_near(got->norm, want->norm, COUNT, 1e-6, "rmsnorm");
    assert_near(got->dx, want->dx, COUNT, 1e-6, "rmsnorm dx");
    assert_near(got->dweight, want->dweight, COLUMNS, 1e-6, "rmsnorm dweight");
    assert_near(got->swiglu, want->swiglu, COUNT, 1e-6, "swiglu");
    assert_near(got->parameters, want->parameters, COUNT, 1e-6, "adamw");
    assert_near(got->biased, want->biased, COUNT, 1e-6, "bias");
    for (int type = 0; type <= DATA_F16; type++)
        assert_near(got->few[type], want->few[type], ROWS, 1e-6, "few rows");
}

static void check_operand_rows(
    const struct rows_result *got, const struct rows_result *want, double tolerance) {
    assert_near(got->norm_operand, want->norm, COUNT, tolerance, "rmsnorm to an operand");
    assert_memory_equal(got->norm_again, got->norm_operand, sizeof got->norm_operand);
    assert_near(got->dx_operand, want->dx, COUNT, tolerance, "rmsnorm's dx as an operand");
    assert_near(got->dgate, want->dgate, COUNT, tolerance, "swiglu dgate");
    assert_near(got->dup, want->dup, COUNT, tolerance, "swiglu dup");
    assert_near(got->dbias, want->dbias, COLUMNS, tolerance, "dbias");
    assert_near(got->logits, want->logits, COUNT, tolerance, "cross-entropy gradient");
    assert_near(got->losses, want->losses, ROWS, tolerance / 2, "cross-entropy");
}

static void test_compute_rows_agree_on_every_path(void **state) {
    (void)state;
    struct rows_result *want = memory_alloc_zeroed(2, sizeof *want), *got = want + 1;
    struct compute *reference = create(COMPUTE_REFERENCE, 2);
    rows_run(reference, want);
    compute_free(reference);
    for (int path = COMPUTE_AVX2; path < COMPUTE_PATHS; path++) {
        struct compute *compute = create(path, 1);
        if (!compute) continue;
        rows_run(compute, got);
        check_f32_rows(got, want);
        check_operand_rows(got, want, tolerance_of(path));
        compute_free(compute);
    }
    memory_free(want);
}

// A model may hold anything: what is no number must come out as that, on every path.
static void test_compute_what_is_no_number_stays_none(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        struct compute *compute = create(path, 1);
        if (!compute) continue;
        float gate[40], up[40], y[40];
        for (int i = 0; i < 40; i++)
            gate[i] = up[i] = i % 3 ? 1.0f : NAN;
        compute_swiglu(compute, y, gate, up, 40);
        for (int i = 0; i < 40; i++)
            assert_true(i % 3 ? fabsf(y[i] - 0.7310586f) < 1e-5f : isnan(y[i]));
        compute_free(compute);
    }
}

static void test_compute_loss_is_the_logarithm_of_the_softmax(void **state) {
    (void)state;
    struct compute *compute = create(COMPUTE_REFERENCE, 1);
    float logits[3] = {1, 2, 4}, loss, hit, weight = 0.5f;
    int32_t target = 1;
    compute_cross_entropy(
        compute, (struct operand){logits, 3}, &loss, &hit, &target, &weight, 1, 3, true);
    double sum = exp(1) + exp(2) + exp(4);
    assert_float_equal(loss, (float)(log(sum) - 2), 1e-6);
    assert_float_equal(hit, 0, 0);
    assert_float_equal(logits[0], (float)(0.5 * exp(1) / sum), 1e-6);
    assert_float_equal(logits[1], (float)(0.5 * (exp(2) / sum - 1)), 1e-6);
    compute_free(compute);
}

static void test_compute_results_do_not_depend_on_the_number_of_threads(void **state) {
    (void)state;
    float *results[2];
    size_t m = 700, n = 520, k = 600;
    float *a = random_floats(40, m * k, 1), *b = random_floats(41, n * k, 1);
    for (int i = 0; i < 2; i++) {
        struct compute *compute = create(COMPUTE_AUTO, i ? 3 : 1);
        results[i] = memory_alloc_array(m * n, sizeof(float));
        compute_gemm(
            compute, GEMM_NT, matrix_f32(a, m, k), matrix_f32(b, n, k), results[i], n, 1, false);
        compute_free(compute);
    }
    assert_memory_equal(results[0], results[1], m * n * sizeof(float));
    memory_free(results[0]);
    memory_free(results[1]);
    memory_free(a);
    memory_free(b);
}

static void test_compute_half_precision_round_trips(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = f16_to_f32((uint16_t)bits);
        if (!isnan(value)) assert_int_equal(f16_from_f32(value), bits);
        value = bf16_to_f32((uint16_t)bits);
        if (!isnan(value)) assert_int_equal(bf16_from_f32(value), bits);
    }
}

// Of a matrix with singular values near one another Muon's step makes an almost orthogonal one.
static void test_compute_muon_steps_are_orthogonal(void **state) {
    (void)state;
    enum { R = 24, C = 40 };
    struct compute *compute = create(COMPUTE_REFERENCE, 1);
    float *gradient = random_floats(50, R * C, 1);
    float parameters[R * C] = {0}, momentum[R * C] = {0};
    float *scratch = memory_alloc_array(compute_muon_scratch(R, C), sizeof *scratch);
    struct muon muon = {1.0f, 0.95f, 1.0f, 0};
    compute_muon(compute, &muon, parameters, gradient, momentum, R, C, scratch);
    for (size_t i = 0; i < R; i++) {
        double square = 0, along = 0;
        for (size_t j = 0; j < C; j++) {
            square += (double)parameters[i * C + j] * parameters[i * C + j];
            along -= (double)parameters[i * C + j] * gradient[i * C + j];
        }
        assert_true(square > 0.4 && square < 1.6);
        assert_true(along > 0);
    }
    memory_free(scratch);
    memory_free(gradient);
    compute_free(compute);
}

static void test_compute_profile_counts_what_operations_cost(void **state) {
    (void)state;
    static float a[100 * 80], b[70 * 80], c[100 * 70], thin[100 * 8];
    struct compute_profile profiles[COMPUTE_OPERATIONS] = {0};
    struct compute *compute;
    struct error error;
    assert_true(compute_create(&compute, 2, COMPUTE_AUTO, &error));
    struct matrix of_a = matrix_f32(a, 100, 80), of_b = matrix_f32(b, 70, 80);
    compute_gemm(compute, GEMM_NT, of_a, of_b, c, 70, 1, false); // before: it does not count
    compute_profile_into(compute, profiles);
    compute_gemm(compute, GEMM_NT, of_a, of_b, c, 70, 1, false);
    compute_gemm(compute, GEMM_NT, of_a, matrix_f32(b, 8, 80), thin, 8, 1, false);
    compute_add_bias(compute, c, a, 100, 70);
    compute_profile_into(compute, NULL);
    compute_add_bias(compute, c, a, 100, 70);
    assert_int_equal(profiles[COMPUTE_PRODUCT].calls, 1);
    assert_true(profiles[COMPUTE_PRODUCT].operations == 2.0 * 100 * 70 * 80);
    // The left side and the result are operands, or count as such.
    double size = (double)data_type_table[compute_operand_type(compute)].size;
    assert_true(profiles[COMPUTE_PRODUCT].bytes == size * (100 * 80 + 100 * 70) + 4.0 * 70 * 80);
    assert_true(profiles[COMPUTE_PRODUCT].seconds > 0);
    assert_int_equal(profiles[COMPUTE_PRODUCT_THIN].calls, 1);
    assert_true(profiles[COMPUTE_PRODUCT_THIN].operations == 2.0 * 100 * 8 * 80);
    assert_int_equal(profiles[COMPUTE_ELEMENTWISE].calls, 1);
    assert_true(profiles[COMPUTE_ELEMENTWISE].bytes == 2.0 * 7000 * 4);
    compute_free(compute);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compute_products_agree_on_every_path_form_and_type),
        cmocka_unit_test(test_compute_rows_agree_on_every_path),
        cmocka_unit_test(test_compute_what_is_no_number_stays_none),
        cmocka_unit_test(test_compute_loss_is_the_logarithm_of_the_softmax),
        cmocka_unit_test(test_compute_results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(test_compute_half_precision_round_trips),
        cmocka_unit_test(test_compute_muon_steps_are_orthogonal),
        cmocka_unit_test(test_compute_profile_counts_what_operations_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
