// Weights in fewer bits: what bitsandbytes makes of the same matrix, and products with them against
// products with the numbers that they stand for.
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "compute/compute.h"
#include "compute/quantized.h"
#include "test_support.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

// ---- the golden ----

static json_t *golden_load(void) {
    json_error_t fault;
    json_t *golden = json_load_file("tests/golden/quantized.json", JSON_REJECT_DUPLICATES, &fault);
    assert_non_null(golden);
    return golden;
}

static size_t golden_bytes(const json_t *object, const char *name, uint8_t *bytes, size_t most) {
    const char *digits = json_string_value(json_object_get(object, name));
    assert_non_null(digits);
    size_t count = strlen(digits) / 2;
    assert_true(count <= most);
    for (size_t i = 0; i < count; i++) {
        unsigned value;
        assert_int_equal(sscanf(digits + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    return count;
}

static size_t golden_floats(const json_t *object, const char *name, float *values, size_t most) {
    const char *digits = json_string_value(json_object_get(object, name));
    assert_non_null(digits);
    size_t count = strlen(digits) / 8;
    assert_true(count <= most);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        assert_int_equal(sscanf(digits + 8 * i, "%8x", &bits), 1);
        memcpy(&values[i], &bits, sizeof bits);
    }
    return count;
}

enum { ROWS = 24, COLUMNS = 96, ELEMENTS = ROWS * COLUMNS, BLOCKS = ELEMENTS / NF4_BLOCK };

static void test_quantized_nf4_is_that_of_bitsandbytes(void **state) {
    (void)state;
    json_t *root = golden_load(), *golden = json_object_get(root, "nf4");
    static float weights[ELEMENTS], want_values[ELEMENTS], values[ELEMENTS];
    static uint8_t want_codes[ELEMENTS / 2], codes[ELEMENTS / 2];
    uint8_t want_scale_codes[BLOCKS], scale_codes[BLOCKS];
    float levels[NF4_SCALE_LEVELS], want_levels[NF4_SCALE_LEVELS], scales[BLOCKS];
    float scale_scales[1], want_scale_scales[1], offset, want_offset;
    golden_floats(root, "weights", weights, ELEMENTS);
    assert_int_equal(golden_bytes(golden, "codes", want_codes, sizeof want_codes), ELEMENTS / 2);
    assert_int_equal(golden_bytes(golden, "scale_codes", want_scale_codes, BLOCKS), BLOCKS);
    golden_floats(golden, "scale_levels", want_levels, NF4_SCALE_LEVELS);
    golden_floats(golden, "scale_scales", want_scale_scales, 1);
    golden_floats(golden, "offset", &want_offset, 1);
    golden_floats(golden, "values", want_values, ELEMENTS);

    quantized_scale_levels(levels);
    for (size_t i = 0; i < NF4_SCALE_LEVELS; i++)
        assert_float_equal(levels[i], want_levels[i], 1e-7);
    for (size_t i = 0; i < BLOCKS; i++)
        nf4_quantize_block(
            weights + i * NF4_BLOCK, NF4_BLOCK, codes + i * NF4_BLOCK / 2, &scales[i]);
    nf4_quantize_scales(scales, BLOCKS, levels, scale_codes, scale_scales, &offset);
    assert_memory_equal(codes, want_codes, sizeof codes);
    assert_memory_equal(scale_codes, want_scale_codes, sizeof scale_codes);
    assert_float_equal(offset, want_offset, 1e-6);
    assert_float_equal(scale_scales[0], want_scale_scales[0], 1e-6);

    struct quantization q = {.scale_codes = scale_codes,
        .scale_scales = scale_scales,
        .scale_levels = levels,
        .scale_offset = offset};
    memcpy(q.levels, nf4_levels, sizeof q.levels);
    struct matrix m = {codes, DATA_NF4, ROWS, COLUMNS, COLUMNS, &q};
    for (size_t row = 0; row < ROWS; row++)
        matrix_read(&m, row, 0, COLUMNS, values + row * COLUMNS);
    for (size_t i = 0; i < ELEMENTS; i++)
        assert_float_equal(values[i], want_values[i], 2e-6);
    json_decref(root);
}

static void test_quantized_int8_is_that_of_bitsandbytes(void **state) {
    (void)state;
    json_t *root = golden_load(), *golden = json_object_get(root, "int8");
    static float weights[ELEMENTS], want_values[ELEMENTS];
    static uint8_t want_codes[ELEMENTS];
    float want_scales[ROWS], largest, values[COLUMNS];
    int8_t codes[COLUMNS];
    golden_floats(root, "weights", weights, ELEMENTS);
    golden_bytes(golden, "codes", want_codes, sizeof want_codes);
    golden_floats(golden, "scales", want_scales, ROWS);
    golden_floats(golden, "values", want_values, ELEMENTS);
    for (size_t row = 0; row < ROWS; row++) {
        struct matrix stored = matrix_f32(weights, ROWS, COLUMNS);
        int8_quantize_row(&stored, row, codes, &largest);
        assert_float_equal(largest, want_scales[row], 1e-7);
        assert_memory_equal(codes, want_codes + row * COLUMNS, COLUMNS);
        float scale = largest / 127;
        struct quantization q = {.row_scales = &scale};
        struct matrix m = {codes, DATA_INT8, 1, COLUMNS, COLUMNS, &q};
        matrix_read(&m, 0, 0, COLUMNS, values);
        for (size_t i = 0; i < COLUMNS; i++)
            assert_float_equal(values[i], want_values[row * COLUMNS + i], 2e-6);
    }
    json_decref(root);
}

// ---- any quantised matrix ----

struct quantized_case {
    struct matrix matrix;
    struct quantization q;
    void *data, *scales, *codes, *scale_scales;
    float levels[NF4_SCALE_LEVELS];
    float *values; // what it stands for
};

static void make_int8(struct quantized_case *c, const float *from, size_t rows, size_t columns) {
    float *scales = c->scales = memory_alloc_array(rows, sizeof *scales);
    struct matrix stored = matrix_f32(from, rows, columns);
    for (size_t i = 0; i < rows; i++) {
        int8_quantize_row(&stored, i, (int8_t *)c->data + i * columns, &scales[i]);
        scales[i] /= 127;
    }
    c->q.row_scales = scales;
}

static void make_nf4(struct quantized_case *c, const float *from, size_t elements) {
    size_t blocks = (elements + NF4_BLOCK - 1) / NF4_BLOCK;
    float *scales = c->scales = memory_alloc_array(blocks, sizeof *scales);
    c->codes = memory_alloc_array(blocks, 1);
    c->scale_scales = memory_alloc_array(blocks, sizeof(float));
    for (size_t i = 0; i < blocks; i++) {
        size_t left = elements - i * NF4_BLOCK;
        nf4_quantize_block(from + i * NF4_BLOCK, left < NF4_BLOCK ? left : NF4_BLOCK,
            (uint8_t *)c->data + i * NF4_BLOCK / 2, &scales[i]);
    }
    quantized_scale_levels(c->levels);
    nf4_quantize_scales(scales, blocks, c->levels, c->codes, c->scale_scales, &c->q.scale_offset);
    c->q.scale_codes = c->codes;
    c->q.scale_scales = c->scale_scales;
    c->q.scale_levels = c->levels;
    memcpy(c->q.levels, nf4_levels, sizeof c->q.levels);
}

static void case_make(struct quantized_case *c, enum data_type type, size_t rows, size_t columns) {
    size_t elements = rows * columns;
    float *from = memory_alloc_array(elements, sizeof *from);
    memset(c, 0, sizeof *c);
    c->data = memory_alloc_zeroed(elements / 32 + 1, 34);
    c->values = memory_alloc_array(elements, sizeof *c->values);
    for (size_t i = 0; i < elements; i++)
        from[i] = (float)(random_normal(3, 1, i) * (1 + i % 7));
    if (type == DATA_INT8) make_int8(c, from, rows, columns);
    if (type == DATA_NF4) make_nf4(c, from, elements);
    if (type == DATA_Q8_0) q8_0_quantize(from, elements, c->data);
    c->matrix = (struct matrix){c->data, type, rows, columns, columns, &c->q};
    for (size_t row = 0; row < rows; row++)
        matrix_read(&c->matrix, row, 0, columns, c->values + row * columns);
    double error = 0, norm = 0;
    for (size_t i = 0; i < elements; i++) {
        error += pow((double)c->values[i] - from[i], 2);
        norm += pow(from[i], 2);
    }
    assert_true(sqrt(error / norm) < (type == DATA_NF4 ? 0.12 : 0.02));
    memory_free(from);
}

static void case_free(struct quantized_case *c) {
    memory_free(c->data);
    memory_free(c->scales);
    memory_free(c->codes);
    memory_free(c->scale_scales);
    memory_free(c->values);
}

static void assert_near(const float *got, const float *want, size_t count, double tolerance) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        error += pow((double)got[i] - want[i], 2);
        norm += pow(want[i], 2);
    }
    if (!(sqrt(error) <= tolerance * sqrt(norm))) fail_msg("relative error %g", sqrt(error / norm));
}

// With m rows of `a`: both forms of the product in which weights stand, and the one for few rows.
static void check_products(struct compute *compute, const struct quantized_case *c, size_t m) {
    size_t rows = c->matrix.rows, columns = c->matrix.columns;
    size_t longest = rows > columns ? rows : columns;
    float *a = memory_alloc_array(m * longest, sizeof *a);
    float *got = memory_alloc_array(m * longest, sizeof *got);
    float *want = memory_alloc_array(m * longest, sizeof *want);
    struct matrix values = matrix_f32(c->values, rows, columns);
    // A bf16 product rounds both kinds of weights alike.
    double tolerance = 1e-6;
    for (size_t i = 0; i < m * longest; i++)
        a[i] = (float)random_normal(4, 2, i);
    compute_gemm(compute, GEMM_NT, matrix_f32(a, m, columns), c->matrix, got, rows, 1, false);
    compute_gemm(compute, GEMM_NT, matrix_f32(a, m, columns), values, want, rows, 1, false);
    assert_near(got, want, m * rows, tolerance);
    compute_gemm(compute, GEMM_NN, matrix_f32(a, m, rows), c->matrix, got, columns, 1, false);
    compute_gemm(compute, GEMM_NN, matrix_f32(a, m, rows), values, want, columns, 1, false);
    assert_near(got, want, m * columns, tolerance);
    compute_few_rows(compute, a, columns, m, c->matrix, got, rows, 1, false);
    compute_few_rows(compute, a, columns, m, values, want, rows, 1, false);
    assert_near(got, want, m * rows, tolerance);
    memory_free(a);
    memory_free(got);
    memory_free(want);
}

static void test_quantized_products_are_those_of_the_numbers_they_stand_for(void **state) {
    (void)state;
    static const size_t shapes[][2] = {
        {1, 32}, {33, 64}, {40, 96}, {65, 160}, {300, 1184}, {96, 576}};
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        struct compute *compute;
        struct error error;
        if (!compute_create(&compute, 2, path, &error)) {
            print_message("skipped: this processor has no %s\n", compute_path_names[path]);
            continue;
        }
        for (int type = DATA_INT8; type < DATA_TYPES; type++)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
                struct quantized_case c;
                case_make(&c, type, shapes[i][0], shapes[i][1]);
                check_products(compute, &c, 1);
                check_products(compute, &c, 19);
                case_free(&c);
            }
        compute_free(compute);
    }
}

static void test_quantized_columns_of_any_number_are_read(void **state) {
    (void)state;
    struct compute *compute;
    struct error error;
    assert_true(compute_create(&compute, 1, COMPUTE_AUTO, &error));
    for (int type = DATA_INT8; type <= DATA_NF4; type++) {
        struct quantized_case c;
        case_make(&c, type, 37, 50);
        check_products(compute, &c, 3);
        case_free(&c);
    }
    compute_free(compute);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantized_nf4_is_that_of_bitsandbytes),
        cmocka_unit_test(test_quantized_int8_is_that_of_bitsandbytes),
        cmocka_unit_test(test_quantized_products_are_those_of_the_numbers_they_stand_for),
        cmocka_unit_test(test_quantized_columns_of_any_number_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
