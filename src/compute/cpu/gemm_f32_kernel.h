// The inner product of f32 matrices in GCC's vector extension: one source for every instruction
// set. Each cpu/gemm_<set>.c defines GEMM_KERNEL (the table's name), VECTOR (floats in a register)
// and GEMM_MR (rows; with two vectors of columns they fill the registers), and includes this.
#include "compute/compute_internal.h"
#include "compute/cpu/read_kernels.h"

// The constraint for a vector register in inline assembly.
#if defined(__AVX512F__)
#define VECTOR_REGISTER "v"
#elif defined(__x86_64__)
#define VECTOR_REGISTER "x"
#else
#define VECTOR_REGISTER "w"
#endif

typedef float vector __attribute__((vector_size(VECTOR * sizeof(float)), aligned(4), may_alias));

enum { GEMM_NR = 2 * VECTOR, GEMM_KC = 800 };

static inline void read_run(
    const struct matrix *matrix, size_t row, size_t column, size_t count, float *values) {
    const struct data_type_traits *traits = &data_type_table[matrix->type];
    const uint8_t *from =
        (const uint8_t *)matrix->data + (row * matrix->stride + column) * traits->size;
    if (matrix->type == DATA_F32)
        memcpy(values, from, count * sizeof *values);
    else if (matrix->type == DATA_BF16)
        for (size_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, from + 2 * i, sizeof bits);
            values[i] = bf16_to_f32(bits);
        }
    else if (traits->size)
        traits->to_f32(values, from, count);
    else
        fast_read(matrix, row, column, count, values);
}

static void pack_vectors(float *panel, size_t width, const struct matrix *matrix, size_t first,
    size_t count, size_t k, size_t depth) {
    enum { BLOCK = 64 };
    float values[GEMM_NR][BLOCK];
    for (size_t block = 0; block < depth; block += BLOCK) {
        size_t size = smaller(BLOCK, depth - block);
        for (size_t i = 0; i < count; i++)
            read_run(matrix, first + i, k + block, size, values[i]);
        for (size_t l = 0; l < size; l++)
            for (size_t i = 0; i < count; i++)
                panel[(block + l) * width + i] = values[i][l];
    }
}

static void gemm_pack(void *to, size_t width, const struct matrix *matrix, bool k_contiguous,
    size_t first, size_t count, size_t k, size_t depth) {
    float *panel = to;
    if (count < width) memset(panel, 0, depth * width * sizeof *panel);
    if (k_contiguous) {
        pack_vectors(panel, width, matrix, first, count, k, depth);
        return;
    }
    for (size_t l = 0; l < depth; l++)
        read_run(matrix, k + l, first, count, panel + l * width);
}

// b_stride: from one row of the right operand to the next, packed or as it lies.
static inline __attribute__((always_inline)) void multiply_rows(const struct gemm_segment *segments,
    size_t count, size_t b_stride, float *tile, size_t stride, bool accumulate, const size_t rows,
    const size_t vectors) {
    vector sum[GEMM_MR][2];
#pragma GCC unroll 14
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < vectors; v++) {
            vector zero = {0};
            sum[i][v] = accumulate ? *(const vector *)(tile + i * stride + v * VECTOR) : zero;
        }
    for (size_t s = 0; s < count; s++) {
        const float *a = segments[s].a, *b = segments[s].panel;
        size_t a_stride = segments[s].a_stride;
        for (size_t l = 0; l < segments[s].depth; l++, a++, b += b_stride) {
            vector b0 = *(const vector *)b, b1 = b0;
            if (vectors > 1) b1 = *(const vector *)(b + VECTOR);
#pragma GCC unroll 14
            for (size_t i = 0; i < rows; i++) {
                float x = a[i * a_stride];
                sum[i][0] += x * b0;
                if (vectors > 1) sum[i][1] += x * b1;
            }
        }
    }
#pragma GCC unroll 14
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < vectors; v++)
            *(vector *)(tile + i * stride + v * VECTOR) = sum[i][v];
}

#define ROWS_CASE(n)                                                                               \
    case n:                                                                                        \
        if (n > GEMM_MR) break;                                                                    \
        if (width > VECTOR)                                                                        \
            multiply_rows(                                                                         \
                segments, count, b_stride, tile, stride, accumulate, n > GEMM_MR ? 1 : n, 2);      \
        else                                                                                       \
            multiply_rows(                                                                         \
                segments, count, b_stride, tile, stride, accumulate, n > GEMM_MR ? 1 : n, 1);      \
        break;

static void multiply_any(const struct gemm_segment *segments, size_t count, size_t b_stride,
    float *tile, size_t stride, size_t rows, size_t width, bool accumulate) {
    switch (rows) {
        ROWS_CASE(1)
        ROWS_CASE(2)
        ROWS_CASE(3)
        ROWS_CASE(4)
        ROWS_CASE(5)
        ROWS_CASE(6)
        ROWS_CASE(7)
        ROWS_CASE(8)
        ROWS_CASE(9)
        ROWS_CASE(10)
        ROWS_CASE(11)
        ROWS_CASE(12)
        ROWS_CASE(13)
        ROWS_CASE(14)
    default:
        break;
    }
}

static void gemm_multiply(const struct gemm_segment *segments, size_t count, float *tile,
    size_t stride, size_t rows, size_t width, bool accumulate) {
    multiply_any(segments, count, width, tile, stride, rows, width, accumulate);
}

static void gemm_multiply_unpacked(const struct gemm_segment *segment, size_t b_stride, float *tile,
    size_t stride, size_t rows, bool accumulate) {
    multiply_any(segment, 1, b_stride, tile, stride, rows, GEMM_NR, accumulate);
}

static double gemm_saturate(size_t rounds) {
    vector sum[GEMM_MR * 2], x;
    for (size_t j = 0; j < VECTOR; j++)
        x[j] = 1e-3f;
#pragma GCC unroll 32
    for (size_t i = 0; i < GEMM_MR * 2; i++)
        sum[i] = x;
    for (size_t round = 0; round < rounds; round++) {
#pragma GCC unroll 32
        for (size_t i = 0; i < GEMM_MR * 2; i++) {
            sum[i] += sum[i] * x;
            __asm__ volatile("" : "+" VECTOR_REGISTER(sum[i]));
        }
    }
    return (double)rounds * GEMM_MR * 2 * VECTOR * 2;
}

const struct gemm_kernel GEMM_KERNEL = {
    .mr = GEMM_MR,
    .nr = GEMM_NR,
    .k_unit = 1,
    .element_size = sizeof(float),
    .kc = GEMM_KC,
    .pack = gemm_pack,
    .multiply = gemm_multiply,
    .multiply_unpacked = gemm_multiply_unpacked,
    .saturate = gemm_saturate,
};
