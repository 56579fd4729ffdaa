// What the tests of compute share: numbers to compute with, operands, and how near results must
// come.
#ifndef TEST_COMPUTE_H
#define TEST_COMPUTE_H

#include "base/memory.h"
#include "base/random.h"
#include "compute/compute.h"
#include "test_support.h"
#include <math.h>

// Finishes may read a vector behind the end of what they are given.
enum { TEST_SLACK = 16 };

static inline float *zero_floats(size_t count) {
    float *values = memory_alloc_zeroed(count + TEST_SLACK, sizeof *values);
    assert_non_null(values);
    return values;
}

static inline float *random_floats(uint64_t stream, size_t count, float scale) {
    float *values = zero_floats(count);
    for (size_t i = 0; i < count; i++)
        values[i] = scale * (float)random_normal(1, stream, i);
    return values;
}

// Whole numbers from -bound to bound, which every type holds exactly while they are small.
static inline float *whole_floats(uint64_t stream, size_t count, int bound) {
    float *values = zero_floats(count);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_below(1, stream, i, 2 * (uint64_t)bound + 1) - (float)bound;
    return values;
}

static inline float *copy_floats(const float *from, size_t count) {
    float *values = zero_floats(count);
    memcpy(values, from, count * sizeof *values);
    return values;
}

static inline void assert_near(
    const float *got, const float *want, size_t count, double tolerance, const char *what) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        norm += (double)want[i] * want[i];
    }
    if (!(sqrt(error) <= tolerance * sqrt(norm) + 1e-12))
        fail_msg("%s: relative error %g", what, sqrt(error / norm));
}

// NULL where this processor does not have the path.
static inline struct compute *create(enum compute_path path, int threads) {
    struct compute *compute;
    struct error error;
    return compute_create(&compute, threads, path, &error) ? compute : NULL;
}

static inline bool operands_are_bf16(enum compute_path path) {
    return path == COMPUTE_AVX512_BF16;
}

// bf16 keeps 8 bits of the operands.
static inline double tolerance_of(enum compute_path path) {
    return operands_are_bf16(path) ? 6e-3 : 2e-6;
}

// Zeros. `data` is the caller's to free.
static inline struct operand operand_new(
    const struct compute *compute, size_t rows, size_t columns) {
    size_t stride = compute_operand_stride(columns);
    size_t size = data_type_table[compute_operand_type(compute)].size;
    struct operand operand = {memory_alloc_aligned(rows * stride, size), stride};
    assert_non_null(operand.data);
    return operand;
}

static inline struct operand operand_from(
    struct compute *compute, const float *x, size_t rows, size_t columns) {
    struct operand operand = operand_new(compute, rows, columns);
    compute_to_operand(compute, operand, x, rows, columns);
    return operand;
}

// What an operand holds, [rows, columns] without gaps.
static inline float *operand_floats(
    const struct compute *compute, struct operand operand, size_t rows, size_t columns) {
    float *values = zero_floats(rows * columns);
    struct matrix matrix = compute_operand_matrix(compute, operand, rows, columns);
    for (size_t row = 0; row < rows; row++)
        matrix_read(&matrix, row, 0, columns, values + row * columns);
    return values;
}

// The numbers that are left when they have been operands.
static inline void round_to_operand(const struct compute *compute, float *x, size_t count) {
    if (operands_are_bf16(compute_path_of(compute)))
        for (size_t i = 0; i < count; i++)
            x[i] = bf16_to_f32(bf16_from_f32(x[i]));
}

#endif
