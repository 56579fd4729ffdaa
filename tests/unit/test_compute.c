// Every fast path of compute against the reference, on shapes that leave remainders everywhere; and
// the reference's attention and loss against the formulas written out.
#include "base/memory.h"
#include "base/random.h"
#include "compute/compute.h"
#include "test_support.h"
#include <math.h>

static float *random_floats(uint64_t stream, size_t count, float scale) {
    float *values = memory_alloc_array(count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = scale * (float)random_normal(1, stream, i);
    return values;
}

static void assert_near(
    const float *got, const float *want, size_t count, double tolerance, const char *what) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        norm += (double)want[i] * want[i];
    }
    if (!(sqrt(error) <= tolerance * sqrt(norm) + 1e-12))
        fail_msg("%s: relative error %g", what, sqrt(error / norm));
}

static struct compute *create(enum compute_path path, int threads) {
    struct compute *compute;
    struct error error;
    return compute_create(&compute, threads, path, &error) ? compute : NULL;
}

static double tolerance_of(enum compute_path path) {
    return path == COMPUTE_AVX512_BF16 ? 6e-3 : 2e-6; // bf16 keeps 8 bits of the operands
}

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

enum { HEADS = 4, KV_HEADS = 2, DIM = 24, QUERIES = 150, KEYS = 300, STRIDE = HEADS * DIM };

// All keys, hardly any, less and more than a block of keys.
static const size_t windows[] = {0, 2, 33, 270};

struct attention_case {
    size_t window;
    float *query, *keys, *values, *output, *log_sum_exp, *doutput, *dquery, *dkeys, *dvalues;
};

static void attention_run(struct compute *compute, struct attention_case *c) {
    c->output = random_floats(13, (size_t)2 * QUERIES * STRIDE, 1);
    c->dquery = random_floats(14, (size_t)2 * QUERIES * STRIDE, 1);
    c->log_sum_exp = memory_alloc_array((size_t)2 * QUERIES * HEADS, sizeof(float));
    c->dkeys = memory_alloc_zeroed((size_t)2 * KEYS * KV_HEADS * DIM, sizeof(float));
    c->dvalues = memory_alloc_zeroed((size_t)2 * KEYS * KV_HEADS * DIM, sizeof(float));
    struct attention_span spans[2];
    size_t half = (size_t)KEYS * KV_HEADS * DIM;
    for (size_t i = 0; i < 2; i++)
        spans[i] = (struct attention_span){i * QUERIES, i ? 5 : QUERIES, KEYS - QUERIES,
            c->keys + i * half, c->values + i * half, KV_HEADS * DIM, c->dkeys + i * half,
            c->dvalues + i * half};
    struct attention_shape shape = {HEADS, KV_HEADS, DIM, STRIDE, 0.2f, c->window};
    compute_attention(compute, c->output, c->log_sum_exp, c->query, spans, 2, &shape);
    compute_attention_backward(
        compute, c->dquery, c->doutput, c->query, c->output, c->log_sum_exp, spans, 2, &shape);
}

static void attention_start(struct attention_case *c) {
    c->query = random_floats(10, (size_t)2 * QUERIES * STRIDE, 1);
    c->keys = random_floats(11, (size_t)2 * KEYS * KV_HEADS * DIM, 1);
    c->values = random_floats(12, (size_t)2 * KEYS * KV_HEADS * DIM, 1);
    c->doutput = random_floats(15, (size_t)2 * QUERIES * STRIDE, 1);
}

static void attention_end(struct attention_case *c, bool inputs) {
    memory_free(c->output);
    memory_free(c->dquery);
    memory_free(c->log_sum_exp);
    memory_free(c->dkeys);
    memory_free(c->dvalues);
    if (!inputs) return;
    memory_free(c->query);
    memory_free(c->keys);
    memory_free(c->values);
    memory_free(c->doutput);
}

// One query's output by the formula.
static void naive_attention(
    const struct attention_case *c, size_t span, size_t i, size_t head, float *out) {
    size_t kv = head / (HEADS / KV_HEADS), visible = KEYS - QUERIES + i + 1;
    size_t first = c->window && visible > c->window ? visible - c->window : 0;
    const float *q = c->query + (span * QUERIES + i) * STRIDE + head * DIM;
    double weights[KEYS], sum = 0, result[DIM] = {0};
    for (size_t j = first; j < visible; j++) {
        const float *k = c->keys + ((span * KEYS + j) * KV_HEADS + kv) * DIM;
        double score = 0;
        for (size_t d = 0; d < DIM; d++)
            score += (double)q[d] * k[d];
        sum += weights[j] = exp(0.2 * score);
    }
    for (size_t j = first; j < visible; j++)
        for (size_t d = 0; d < DIM; d++)
            result[d] +=
                weights[j] / sum * c->values[((span * KEYS + j) * KV_HEADS + kv) * DIM + d];
    for (size_t d = 0; d < DIM; d++)
        out[d] = (float)result[d];
}

static void check_formula(size_t window) {
    struct attention_case c = {.window = window};
    struct compute *compute = create(COMPUTE_REFERENCE, 2);
    attention_start(&c);
    attention_run(compute, &c);
    for (size_t i = 0; i < QUERIES; i += 37)
        for (size_t head = 0; head < HEADS; head++) {
            float want[DIM];
            naive_attention(&c, 0, i, head, want);
            assert_near(c.output + i * STRIDE + head * DIM, want, DIM, 1e-5, "output");
            if (i < 5) {
                naive_attention(&c, 1, i, head, want);
                assert_near(
                    c.output + (QUERIES + i) * STRIDE + head * DIM, want, DIM, 1e-5, "few queries");
            }
        }
    attention_end(&c, true);
    compute_free(compute);
}

static void test_compute_attention_follows_the_formula(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        check_formula(windows[i]);
}

// The gradient in a random direction against a difference quotient of the forward pass.
static void check_gradient(size_t window) {
    struct attention_case c = {.window = window};
    struct compute *compute = create(COMPUTE_REFERENCE, 1);
    attention_start(&c);
    attention_run(compute, &c);
    size_t keys = (size_t)2 * KEYS * KV_HEADS * DIM, queries = (size_t)QUERIES * STRIDE;
    for (int which = 0; which < 3; which++) {
        float *input = which == 0 ? c.query : which == 1 ? c.keys : c.values;
        const float *gradient = which == 0 ? c.dquery : which == 1 ? c.dkeys : c.dvalues;
        size_t count = which == 0 ? queries : keys / 2;
        float *direction = random_floats(20, count, 1);
        double want = 0, got = 0, step = 1e-2;
        for (size_t i = 0; i < count; i++)
            want += (double)gradient[i] * direction[i];
        for (int sign = -1; sign <= 1; sign += 2) {
            for (size_t i = 0; i < count; i++)
                input[i] += (float)(sign * step * direction[i]);
            struct attention_case moved = c;
            attention_run(compute, &moved);
            for (size_t i = 0; i < queries; i++)
                got += sign * (double)moved.output[i] * c.doutput[i] / (2 * step);
            attention_end(&moved, false);
            for (size_t i = 0; i < count; i++)
                input[i] -= (float)(sign * step * direction[i]);
        }
        if (fabs(got - want) > 2e-3 * fabs(want) + 1e-2)
            fail_msg("input %d: derivative %g, gradient %g", which, got, want);
        memory_free(direction);
    }
    attention_end(&c, true);
    compute_free(compute);
}

static void test_compute_attention_gradient_is_the_derivative(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        check_gradient(windows[i]);
}

static void check_paths(size_t window) {
    struct attention_case want = {.window = window};
    struct compute *reference = create(COMPUTE_REFERENCE, 1);
    attention_start(&want);
    attention_run(reference, &want);
    compute_free(reference);
    for (int path = COMPUTE_AVX2; path < COMPUTE_PATHS; path++) {
        struct compute *compute = create(path, 2);
        if (!compute) continue;
        struct attention_case got = want;
        attention_run(compute, &got);
        double tolerance = path == COMPUTE_AVX512_BF16 ? 2e-2 : 1e-5;
        size_t queries = (size_t)QUERIES * STRIDE, keys = (size_t)KEYS * KV_HEADS * DIM;
        assert_near(got.output, want.output, queries, tolerance, "output");
        assert_near(got.dquery, want.dquery, queries, tolerance, "dquery");
        assert_near(got.dkeys, want.dkeys, keys, tolerance, "dkeys");
        assert_near(got.dvalues, want.dvalues, keys, tolerance, "dvalues");
        attention_end(&got, false);
        compute_free(compute);
    }
    attention_end(&want, true);
}

static void test_compute_attention_agrees_on_every_path(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        check_paths(windows[i]);
}

enum { ROWS = 37, COLUMNS = 203 };

struct rows_result {
    float norm[ROWS * COLUMNS], dx[ROWS * COLUMNS], dweight[COLUMNS], swiglu[ROWS * COLUMNS];
    float dgate[ROWS * COLUMNS], dup[ROWS * COLUMNS], logits[ROWS * COLUMNS], losses[ROWS];
    float parameters[ROWS * COLUMNS], first[ROWS * COLUMNS], second[ROWS * COLUMNS];
    float few[3][ROWS], biased[ROWS * COLUMNS], dbias[COLUMNS];
};

static void rows_run(struct compute *compute, struct rows_result *r) {
    size_t count = (size_t)ROWS * COLUMNS;
    float *x = random_floats(30, count, 2), *y = random_floats(31, count, 1);
    float *weight = random_floats(32, COLUMNS, 1), inverse[ROWS], hits[ROWS];
    int32_t targets[ROWS];
    memset(r, 0, sizeof *r);
    for (int i = 0; i < ROWS; i++)
        targets[i] = i * 5;
    compute_rmsnorm(compute, r->norm, inverse, x, weight, ROWS, COLUMNS, 1e-5f);
    compute_rmsnorm_backward(compute, r->dx, r->dweight, y, x, weight, inverse, ROWS, COLUMNS);
    compute_swiglu(compute, r->swiglu, x, y, count);
    compute_swiglu_backward(compute, r->dgate, r->dup, weight, x, y, COLUMNS);
    memcpy(r->biased, x, sizeof r->biased);
    compute_add_bias(compute, r->biased, weight, ROWS, COLUMNS);
    compute_bias_backward(compute, r->dbias, x, ROWS, COLUMNS);
    memcpy(r->logits, x, sizeof r->logits);
    compute_cross_entropy(
        compute, r->logits, r->losses, hits, targets, weight, ROWS, COLUMNS, true);
    memcpy(r->parameters, x, sizeof r->parameters);
    struct adamw adamw = {1e-2f, 0.9f, 0.999f, 1e-8f, 0.01f, 1, 0.7f};
    for (adamw.step = 1; adamw.step < 4; adamw.step++)
        compute_adamw(compute, &adamw, r->parameters, y, r->first, r->second, count);
    for (int type = 0; type <= DATA_F16; type++) {
        void *stored = memory_alloc_array(count, 4);
        data_type_table[type].from_f32(stored, x, count);
        compute_few_rows(compute, y, COLUMNS, 1, matrix_of(stored, type, ROWS, COLUMNS),
            r->few[type], ROWS, 1.0f, false);
        memory_free(stored);
    }
    memory_free(x);
    memory_free(y);
    memory_free(weight);
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
        assert_near(got->norm, want->norm, ROWS * COLUMNS, 1e-6, "rmsnorm");
        assert_near(got->dx, want->dx, ROWS * COLUMNS, 1e-6, "rmsnorm dx");
        assert_near(got->dweight, want->dweight, COLUMNS, 1e-6, "rmsnorm dweight");
        assert_near(got->swiglu, want->swiglu, ROWS * COLUMNS, 1e-6, "swiglu");
        assert_near(got->dgate, want->dgate, ROWS * COLUMNS, 1e-6, "swiglu dgate");
        assert_near(got->dup, want->dup, ROWS * COLUMNS, 1e-6, "swiglu dup");
        assert_near(got->logits, want->logits, ROWS * COLUMNS, 1e-6, "cross-entropy gradient");
        assert_near(got->losses, want->losses, ROWS, 1e-6, "cross-entropy");
        assert_near(got->parameters, want->parameters, ROWS * COLUMNS, 1e-6, "adamw");
        assert_near(got->biased, want->biased, ROWS * COLUMNS, 1e-6, "bias");
        assert_near(got->dbias, want->dbias, COLUMNS, 1e-6, "dbias");
        for (int type = 0; type <= DATA_F16; type++)
            assert_near(got->few[type], want->few[type], ROWS, 1e-6, "few rows");
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
    compute_cross_entropy(compute, logits, &loss, &hit, &target, &weight, 1, 3, true);
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
    compute_add(compute, a, c, 7000);
    compute_profile_into(compute, NULL);
    compute_add(compute, a, c, 7000);
    assert_int_equal(profiles[COMPUTE_PRODUCT].calls, 1);
    assert_true(profiles[COMPUTE_PRODUCT].operations == 2.0 * 100 * 70 * 80);
    assert_true(profiles[COMPUTE_PRODUCT].bytes == 4.0 * (100 * 80 + 70 * 80 + 100 * 70));
    assert_true(profiles[COMPUTE_PRODUCT].seconds > 0);
    assert_int_equal(profiles[COMPUTE_PRODUCT_THIN].calls, 1);
    assert_true(profiles[COMPUTE_PRODUCT_THIN].operations == 2.0 * 100 * 8 * 80);
    assert_int_equal(profiles[COMPUTE_ELEMENTWISE].calls, 1);
    assert_true(profiles[COMPUTE_ELEMENTWISE].bytes == 3.0 * 7000 * 4);
    compute_free(compute);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compute_products_agree_on_every_path_form_and_type),
        cmocka_unit_test(test_compute_attention_follows_the_formula),
        cmocka_unit_test(test_compute_attention_gradient_is_the_derivative),
        cmocka_unit_test(test_compute_attention_agrees_on_every_path),
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
