// The product in bf16 with f32 sums, for processors with vdpbf16ps: each step multiplies a pair of
// neighbouring k for 16 columns. 14 rows by 2 vectors of columns use 28 of the 32 registers for
// sums. Pairs of the left operand are broadcast from where they lie, so that it is never packed.
#include "compute/compute_internal.h"
#include "compute/cpu/read_kernels.h"
#include "compute/cpu/shuffle_avx512.h"
#include <immintrin.h>

enum { MR = 14, NR = 32, KC = 1600 };

// ---- reading 32 neighbouring elements, or 16 of two rows, as bf16 pairs ----

static inline __m512i pair_up(__m512 even, __m512 odd) {
    return interleave_halves((__m512i)_mm512_cvtne2ps_pbh(odd, even));
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
        __m256i low = _mm256_maskz_loadu_epi16(mask, row);
        __m256i high = next ? _mm256_maskz_loadu_epi16(mask, next) : _mm256_setzero_si256();
        return interleave_halves(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
    }
    return pair_up(sixteen_as_f32(row, type, mask),
        next ? sixteen_as_f32(next, type, mask) : _mm512_setzero_ps());
}

// ---- packing ----

// 16 vectors at most, each a row of the matrix, to columns `column` … of the panel.
static inline void pack_rows(uint32_t *panel, size_t width, const uint8_t *data,
    enum data_type type, size_t row_bytes, size_t element, size_t count, size_t lanes,
    size_t depth) {
    enum { AHEAD = 128 };
    __mmask16 mask = (__mmask16)((1u << lanes) - 1);
    for (size_t k = 0; k < depth; k += 32) {
        __m512i r[16];
        size_t size = smaller(32, depth - k);
        for (size_t i = 0; i < 16; i++) {
            if (i < count)
                _mm_prefetch(
                    (const char *)data + i * row_bytes + (k + AHEAD) * element, _MM_HINT_T0);
            r[i] = i < count ? row_pairs(data + i * row_bytes + k * element, type, size)
                             : _mm512_setzero_si512();
        }
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

enum { QUANTIZED_DEPTH = 128 };

// `count` elements of a quantised row as bf16; the buffer has room for whole groups of 32.
static void read_as_bf16(
    const struct matrix *matrix, size_t row, size_t column, size_t count, uint16_t *to) {
    float values[QUANTIZED_DEPTH];
    fast_read(matrix, row, column, count, values);
    for (size_t i = count; i % 32; i++)
        values[i] = 0;
    for (size_t i = 0; i < count; i += 32)
        _mm512_storeu_si512(to + i, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(values + i + 16),
                                        _mm512_loadu_ps(values + i)));
}

// Quantised weights become a small block of bf16 first, and go on as such.
static void pack_quantized(uint32_t *panel, size_t width, const struct matrix *matrix,
    bool k_contiguous, size_t first, size_t count, size_t k, size_t depth) {
    uint16_t block[NR * QUANTIZED_DEPTH];
    size_t row_bytes = 2 * (k_contiguous ? QUANTIZED_DEPTH : NR);
    for (size_t at = 0; at < depth; at += QUANTIZED_DEPTH, panel += QUANTIZED_DEPTH / 2 * width) {
        size_t here = smaller(QUANTIZED_DEPTH, depth - at);
        for (size_t i = 0; k_contiguous && i < count; i++)
            read_as_bf16(matrix, first + i, k + at, here, block + i * QUANTIZED_DEPTH);
        for (size_t i = 0; !k_contiguous && i < here; i++)
            read_as_bf16(matrix, k + at + i, first, count, block + i * NR);
        for (size_t column = 0; column < width; column += 16) {
            size_t lanes = smaller(16, width - column);
            size_t some = count > column ? smaller(16, count - column) : 0;
            const uint8_t *data =
                (const uint8_t *)(block + column * (k_contiguous ? QUANTIZED_DEPTH : 1));
            if (k_contiguous)
                pack_rows(panel + column, width, data, DATA_BF16, row_bytes, 2, some, lanes, here);
            else
                pack_columns(panel + column, width, data, DATA_BF16, row_bytes, some, lanes, here);
        }
    }
}

// 32 columns of two rows of bf16, element beside element: the first and the last 16 of them.
static inline __m512i first_pairs(__m512i even, __m512i odd) {
    const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9,
        40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    return _mm512_permutex2var_epi16(even, order, odd);
}

static inline __m512i last_pairs(__m512i even, __m512i odd) {
    const __m512i order = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25,
        56, 24, 55, 23, 54, 22, 53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
    return _mm512_permutex2var_epi16(even, order, odd);
}

// The way of input gradients.
static void pack_whole_columns(
    uint32_t *panel, const uint8_t *data, size_t row_bytes, size_t depth) {
    for (size_t k = 0; k < depth; k += 2, panel += NR, data += 2 * row_bytes) {
        __m512i even = _mm512_loadu_si512(data);
        __m512i odd = k + 1 < depth ? _mm512_loadu_si512(data + row_bytes) : _mm512_setzero_si512();
        _mm512_storeu_si512(panel, first_pairs(even, odd));
        _mm512_storeu_si512(panel + 16, last_pairs(even, odd));
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
    if (matrix->type == DATA_BF16 && !k_contiguous && width == NR && count == NR) {
        const uint8_t *data = (const uint8_t *)matrix->data + k * row_bytes + first * element;
        pack_whole_columns(to, data, row_bytes, depth);
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

// Fourteen rows hang on three addresses, five to each, so that one register holds their distance.
#define MULTIPLY_ROW(i, address)                                                                   \
    if (i < rows) {                                                                                \
        int bits;                                                                                  \
        memcpy(&bits, address, sizeof bits);                                                       \
        __m512bh pair = (__m512bh)_mm512_set1_epi32(bits);                                         \
        sum[i][0] = _mm512_dpbf16_ps(sum[i][0], pair, b0);                                         \
        if (vectors > 1) sum[i][1] = _mm512_dpbf16_ps(sum[i][1], pair, b1);                        \
    }

// The right operand's pairs for two vectors of columns: packed, or made of two rows as they lie.
static inline __attribute__((always_inline)) void right_pairs(const uint8_t *b, size_t row_bytes,
    bool last, const size_t vectors, const bool packed, __m512bh pairs[2]) {
    if (packed) {
        pairs[0] = pairs[1] = (__m512bh)_mm512_loadu_si512(b);
        if (vectors > 1) pairs[1] = (__m512bh)_mm512_loadu_si512(b + 64);
        return;
    }
    enum { AHEAD = 24 };
    _mm_prefetch((const char *)b + AHEAD * row_bytes, _MM_HINT_T0);
    _mm_prefetch((const char *)b + (AHEAD + 1) * row_bytes, _MM_HINT_T0);
    __m512i even = _mm512_loadu_si512(b);
    __m512i odd = last ? _mm512_setzero_si512() : _mm512_loadu_si512(b + row_bytes);
    pairs[0] = (__m512bh)first_pairs(even, odd);
    pairs[1] = (__m512bh)last_pairs(even, odd);
}

static inline __attribute__((always_inline)) void multiply_rows(const struct gemm_segment *segments,
    size_t count, size_t b_stride, float *tile, size_t stride, bool accumulate, const size_t rows,
    const size_t vectors, const bool packed) {
    __m512 sum[MR][2];
#pragma GCC unroll 14
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < vectors; v++)
            sum[i][v] =
                accumulate ? _mm512_loadu_ps(tile + i * stride + 16 * v) : _mm512_setzero_ps();
    for (size_t s = 0; s < count; s++) {
        size_t step = segments[s].a_stride * 2, triple = 3 * step, depth = segments[s].depth;
        const uint8_t *a = segments[s].a, *b = segments[s].panel;
        const uint8_t *middle = a + 5 * step, *last = a + 10 * step;
        size_t b_step = packed ? vectors * 64 : 4 * b_stride;
        for (size_t k = 0; k < depth; k += 2) {
            __m512bh pairs[2];
            right_pairs(b, 2 * b_stride, k + 1 == depth, vectors, packed, pairs);
            __m512bh b0 = pairs[0], b1 = pairs[1];
            MULTIPLY_ROW(0, a)
            MULTIPLY_ROW(1, a + step)
            MULTIPLY_ROW(2, a + 2 * step)
            MULTIPLY_ROW(3, a + triple)
            MULTIPLY_ROW(4, a + 4 * step)
            MULTIPLY_ROW(5, middle)
            MULTIPLY_ROW(6, middle + step)
            MULTIPLY_ROW(7, middle + 2 * step)
            MULTIPLY_ROW(8, middle + triple)
            MULTIPLY_ROW(9, middle + 4 * step)
            MULTIPLY_ROW(10, last)
            MULTIPLY_ROW(11, last + step)
            MULTIPLY_ROW(12, last + 2 * step)
            MULTIPLY_ROW(13, last + triple)
            a += 4, middle += 4, last += 4, b += b_step;
        }
    }
#pragma GCC unroll 14
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < vectors; v++)
            _mm512_storeu_ps(tile + i * stride + 16 * v, sum[i][v]);
}

#define ROWS_CASE(n)                                                                               \
    case n:                                                                                        \
        if (b_stride)                                                                              \
            multiply_rows(segments, count, b_stride, tile, stride, accumulate, n, 2, false);       \
        else if (width > 16)                                                                       \
            multiply_rows(segments, count, 0, tile, stride, accumulate, n, 2, true);               \
        else                                                                                       \
            multiply_rows(segments, count, 0, tile, stride, accumulate, n, 1, true);               \
        break;

// b_stride 0: packed.
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

static void bf16_multiply(const struct gemm_segment *segments, size_t count, float *tile,
    size_t stride, size_t rows, size_t width, bool accumulate) {
    multiply_any(segments, count, 0, tile, stride, rows, width, accumulate);
}

static void bf16_multiply_unpacked(const struct gemm_segment *segment, size_t b_stride, float *tile,
    size_t stride, size_t rows, bool accumulate) {
    multiply_any(segment, 1, b_stride, tile, stride, rows, NR, accumulate);
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
    .multiply_unpacked = bf16_multiply_unpacked,
    .saturate = bf16_saturate,
};
