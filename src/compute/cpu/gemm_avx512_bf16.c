// The product in bf16 with f32 sums, for processors with vdpbf16ps: each step multiplies a pair of
// neighbouring k for 16 columns. 14 rows by 2 vectors of columns use 28 of the 32 registers for
// sums.
#include "compute/compute_internal.h"
#include "compute/cpu/read_kernels.h"
#include <immintrin.h>

enum { MR = 14, NR = 32, KC = 576 };

// ---- reading 32 neighbouring elements, or 16 of two rows, as bf16 pairs ----

static inline __m512i pair_up(__m512 even, __m512 odd) {
    __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(even));
    __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(odd));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// `count` ≤ 32 elements of one row: pair j is elements 2j and 2j + 1; zeros behind the end.
static inline __m512i row_pairs(const uint8_t *row, enum data_type type, size_t count) {
    __mmask32 mask = count >= 32 ? 0xffffffffu : (1u << count) - 1;
    if (type == DATA_BF16) return _mm512_maskz_loadu_epi16(mask, row);
    __m512 low, high;
    if (type == DATA_F32) {
        low = _mm512_maskz_loadu_ps((__mmask16)mask, row);
        high = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), row + 64);
    } else {
        low = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((__mmask16)mask, row));
        high = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((__mmask16)(mask >> 16), row + 32));
    }
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

static inline __m512 sixteen_as_f32(const uint8_t *row, enum data_type type, __mmask16 mask) {
    return type == DATA_F32 ? _mm512_maskz_loadu_ps(mask, row)
                            : _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, row));
}

// 16 elements (by mask) of row k and of row k + 1 (NULL: zeros), interleaved.
static inline __m512i column_pairs(
    const uint8_t *row, const uint8_t *next, enum data_type type, __mmask16 mask) {
    if (type == DATA_BF16) {
        __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row));
        if (!next) return low;
        __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, next));
        return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    }
    return pair_up(sixteen_as_f32(row, type, mask),
        next ? sixteen_as_f32(next, type, mask) : _mm512_setzero_ps());
}

// ---- packing ----

// The transpose of 16 × 16 words in four rounds of interleaving.
static inline void transpose_words(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 4; j++) {
            t[i + j] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0x88);
            t[i + j + 4] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
    }
}

// 16 vectors at most, each a row of the matrix, to columns `column` … of the panel.
static inline void pack_rows(uint32_t *panel, size_t width, const uint8_t *data,
    enum data_type type, size_t row_bytes, size_t element, size_t count, size_t lanes,
    size_t depth) {
    __mmask16 mask = (__mmask16)((1u << lanes) - 1);
    for (size_t k = 0; k < depth; k += 32) {
        __m512i r[16];
        size_t size = smaller(32, depth - k);
        for (size_t i = 0; i < 16; i++)
            r[i] = i < count ? row_pairs(data + i * row_bytes + k * element, type, size)
                             : _mm512_setzero_si512();
        transpose_words(r);
        size_t pairs = (size + 1) / 2;
        for (size_t j = 0; j < 16; j++)
            if (j < pairs) _mm512_mask_storeu_epi32(panel + (k / 2 + j) * width, mask, r[j]);
    }
}

static inline void pack_columns(uint32_t *panel, size_t width, const uint8_t *data,
    enum data_type type, size_t row_bytes, size_t count, size_t lanes, size_t depth) {
    __mmask16 load = (__mmask16)((1u << count) - 1);
    __mmask16 store = (__mmask16)((1u << lanes) - 1);
    for (size_t k = 0; k < depth; k += 2) {
        const uint8_t *row = data + k * row_bytes;
        __m512i pairs = column_pairs(row, k + 1 < depth ? row + row_bytes : NULL, type, load);
        _mm512_mask_storeu_epi32(panel + k / 2 * width, store, pairs);
    }
}

#define PACK_TYPE(type)                                                                            \
    if (k_contiguous)                                                                              \
        pack_rows(panel, width, data, type, row_bytes, element, here, lanes, depth);               \
    else                                                                                           \
        pack_columns(panel, width, data, type, row_bytes, here, lanes, depth);

// `count` elements of a quantised row as bf16; the buffer has room for whole groups of 32.
static void read_as_bf16(
    const struct matrix *matrix, size_t row, size_t column, size_t count, uint16_t *to) {
    float values[KC];
    fast_read(matrix, row, column, count, values);
    for (size_t i = 0; i < count; i += 32) {
        size_t left = count - i;
        __m512 low =
            _mm512_maskz_loadu_ps(left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1), values + i);
        __m512 high = _mm512_maskz_loadu_ps(left >= 32   ? 0xffff
                                            : left <= 16 ? 0
                                                         : (__mmask16)((1u << (left - 16)) - 1),
            left > 16 ? values + i + 16 : values);
        _mm512_storeu_si512(to + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

// Quantised weights become a small block of bf16 first, and go on as such.
static void pack_quantized(uint32_t *panel, size_t width, const struct matrix *matrix,
    bool k_contiguous, size_t first, size_t count, size_t k, size_t depth) {
    uint16_t block[NR * KC];
    for (size_t i = 0; k_contiguous && i < count; i++)
        read_as_bf16(matrix, first + i, k, depth, block + i * KC);
    for (size_t i = 0; !k_contiguous && i < depth; i++)
        read_as_bf16(matrix, k + i, first, count, block + i * NR);
    for (size_t column = 0; column < width; column += 16) {
        size_t lanes = smaller(16, width - column);
        size_t here = count > column ? smaller(16, count - column) : 0;
        const uint8_t *data = (const uint8_t *)(block + column * (k_contiguous ? KC : 1));
        if (k_contiguous)
            pack_rows(panel + column, width, data, DATA_BF16, KC * 2, 2, here, lanes, depth);
        else
            pack_columns(panel + column, width, data, DATA_BF16, NR * 2, here, lanes, depth);
    }
}

static void bf16_pack(void *to, size_t width, const struct matrix *matrix, bool k_contiguous,
    size_t first, size_t count, size_t k, size_t depth) {
    size_t element = data_type_table[matrix->type].size;
    size_t row_bytes = matrix->stride * element;
    if (!element) {
        pack_quantized(to, width, matrix, k_contiguous, first, count, k, depth);
        return;
    }
    for (size_t column = 0; column < width; column += 16) {
        uint32_t *panel = (uint32_t *)to + column;
        size_t lanes = smaller(16, width - column);
        size_t here = count > column ? smaller(16, count - column) : 0;
        size_t row = k_contiguous ? first + column : k;
        size_t offset = k_contiguous ? k : first + column;
        // With nothing to read, no address may lie outside the matrix either.
        const uint8_t *data =
            (const uint8_t *)matrix->data + (here ? row * row_bytes + offset * element : 0);
        switch (matrix->type) {
        case DATA_F32:
            PACK_TYPE(DATA_F32);
            break;
        case DATA_BF16:
            PACK_TYPE(DATA_BF16);
            break;
        default:
            PACK_TYPE(DATA_F16);
            break;
        }
    }
}

// ---- multiplying ----

static inline void store_row(float *c, __m512 sum, __mmask16 mask, __m512 alpha, bool accumulate) {
    sum = _mm512_mul_ps(sum, alpha);
    if (accumulate) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c));
    _mm512_mask_storeu_ps(c, mask, sum);
}

static void bf16_multiply(size_t depth, const void *panel_a, const void *panel_b, float *c,
    size_t c_stride, size_t rows, size_t columns, float alpha, bool accumulate) {
    const int *a = panel_a;
    const uint32_t *b = panel_b;
    __m512 sum[MR][2];
#pragma GCC unroll 14
    for (size_t i = 0; i < MR; i++)
        sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    for (size_t k = 0; k < depth; k += 2, a += MR, b += NR) {
        __m512bh b0 = (__m512bh)_mm512_loadu_si512(b);
        __m512bh b1 = (__m512bh)_mm512_loadu_si512(b + 16);
#pragma GCC unroll 14
        for (size_t i = 0; i < MR; i++) {
            __m512bh pair = (__m512bh)_mm512_set1_epi32(a[i]);
            sum[i][0] = _mm512_dpbf16_ps(sum[i][0], pair, b0);
            sum[i][1] = _mm512_dpbf16_ps(sum[i][1], pair, b1);
        }
    }
    uint32_t bits = columns >= NR ? 0xffffffffu : (1u << columns) - 1;
    __m512 factor = _mm512_set1_ps(alpha);
#pragma GCC unroll 14
    for (size_t i = 0; i < MR; i++)
        if (i < rows) {
            store_row(c + i * c_stride, sum[i][0], (__mmask16)bits, factor, accumulate);
            store_row(
                c + i * c_stride + 16, sum[i][1], (__mmask16)(bits >> 16), factor, accumulate);
        }
}

static double bf16_saturate(size_t rounds) {
    enum { CHAINS = 24 };
    __m512 sum[CHAINS];
    __m512bh x = (__m512bh)_mm512_set1_epi16(0x3c00);
#pragma GCC unroll 24
    for (size_t i = 0; i < CHAINS; i++)
        sum[i] = _mm512_setzero_ps();
    for (size_t round = 0; round < rounds; round++) {
#pragma GCC unroll 24
        for (size_t i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_dpbf16_ps(sum[i], x, x);
            __asm__ volatile("" : "+v"(sum[i]));
        }
    }
    return (double)rounds * CHAINS * 64;
}

const struct gemm_kernel gemm_kernel_avx512_bf16 = {
    .mr = MR,
    .nr = NR,
    .k_unit = 2,
    .element_size = 2,
    .kc = KC,
    .pack = bf16_pack,
    .multiply = bf16_multiply,
    .saturate = bf16_saturate,
};
