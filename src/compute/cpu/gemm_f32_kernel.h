// The inner product of blocked f32 matrices in GCC's vector extension: one source for every
// instruction set. Each cpu/gemm_<set>.c defines GEMM_KERNEL (the table's name), VECTOR (floats in
// a register) and GEMM_MR (rows; with two vectors of columns they fill the registers), and includes
// this.
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

enum { GEMM_NR = 2 * VECTOR, GEMM_KC = 512 };

static inline void read_run(
    const struct matrix *matrix, size_t row, size_t column, size_t count, float *values) {
    const struct data_type_traits *traits = &data_type_table[matrix->type];
    if (traits->size)
        traits->to_f32(values,
            (const uint8_t *)matrix->data + (row * matrix->stride + column) * traits->size, count);
    else
        fast_read(matrix, row, column, count, values);
}

static void pack_vectors(float *panel, size_t width, const struct matrix *matrix, size_t first,
    size_t count, size_t k, size_t depth) {
    enum { BLOCK = 64 };
    float values[BLOCK];
    for (size_t i = 0; i < count; i++)
        for (size_t block = 0; block < depth; block += BLOCK) {
            size_t size = smaller(BLOCK, depth - block);
            read_run(matrix, first + i, k + block, size, values);
            for (size_t l = 0; l < size; l++)
                panel[(block + l) * width + i] = values[l];
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

static void gemm_multiply(size_t depth, const void *panel_a, const void *panel_b, float *c,
    size_t c_stride, size_t rows, size_t columns, float alpha, bool accumulate) {
    const float *a = panel_a, *b = panel_b;
    vector sum[GEMM_MR][2] = {0};
    for (size_t l = 0; l < depth; l++, a += GEMM_MR, b += GEMM_NR) {
        vector b0 = *(const vector *)b, b1 = *(const vector *)(b + VECTOR);
#pragma GCC unroll 16
        for (size_t i = 0; i < GEMM_MR; i++) {
            sum[i][0] += a[i] * b0;
            sum[i][1] += a[i] * b1;
        }
    }
    float tile[GEMM_MR][GEMM_NR];
#pragma GCC unroll 16
    for (size_t i = 0; i < GEMM_MR; i++) {
        *(vector *)&tile[i][0] = sum[i][0] * alpha;
        *(vector *)&tile[i][VECTOR] = sum[i][1] * alpha;
    }
    for (size_t i = 0; i < rows; i++, c += c_stride)
        for (size_t j = 0; j < columns; j++)
            c[j] = accumulate ? c[j] + tile[i][j] : tile[i][j];
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
    .saturate = gemm_saturate,
};
