// Runs of quantised rows as f32, for the files in cpu/ to include: compiled for each instruction
// set. They give the very numbers of matrix_read.
#ifndef COMPUTE_CPU_READ_KERNELS_H
#define COMPUTE_CPU_READ_KERNELS_H

#include "compute/compute_internal.h"
#include "compute/quantized.h"
#if defined(__AVX2__)
#include <immintrin.h>
#endif

static inline void fast_read_int8(
    const struct matrix *m, size_t row, size_t column, size_t count, float *restrict values) {
    const int8_t *codes = (const int8_t *)m->data + row * m->stride + column;
    float scale = m->quantization->row_scales[row];
    for (size_t i = 0; i < count; i++)
        values[i] = (float)codes[i] * scale;
}

static inline void fast_read_q8_0(
    const struct matrix *m, size_t row, size_t column, size_t count, float *restrict values) {
    enum { BLOCK = 32, BYTES = 34 };
    size_t first = row * m->stride + column;
    if (first % BLOCK) {
        matrix_read(m, row, column, count, values);
        return;
    }
    const uint8_t *block = (const uint8_t *)m->data + first / BLOCK * BYTES;
    for (size_t at = 0; at < count; at += BLOCK, block += BYTES) {
        uint16_t bits;
        memcpy(&bits, block, sizeof bits);
        float scale = f16_to_f32(bits);
        size_t size = smaller(BLOCK, count - at);
        const int8_t *codes = (const int8_t *)block + 2;
        for (size_t i = 0; i < size; i++)
            values[at + i] = scale * (float)codes[i];
    }
}

#if defined(__AVX512F__) && defined(__AVX512BW__)

// 16 elements that lie in one block, from 8 bytes.
static inline void read_nf4_sixteen(
    const uint8_t *codes, const float *levels, float scale, float *values) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)codes);
    __m128i upper = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(15));
    __m512i index = _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(upper, bytes));
    __m512 level = _mm512_permutexvar_ps(index, _mm512_loadu_ps(levels));
    _mm512_storeu_ps(values, _mm512_mul_ps(level, _mm512_set1_ps(scale)));
}

#elif defined(__AVX2__)

static inline __m256 nf4_eight(__m128i codes, __m256 low, __m256 high, __m256 scale) {
    __m256i index = _mm256_cvtepu8_epi32(codes);
    __m256 level = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index),
        _mm256_permutevar8x32_ps(high, index), _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
    return _mm256_mul_ps(level, scale);
}

static inline void read_nf4_sixteen(
    const uint8_t *codes, const float *levels, float scale, float *values) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)codes);
    __m128i upper = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(15));
    __m128i lower = _mm_and_si128(bytes, _mm_set1_epi8(15));
    __m128i both = _mm_unpacklo_epi8(upper, lower);
    __m256 low = _mm256_loadu_ps(levels), high = _mm256_loadu_ps(levels + 8);
    __m256 factor = _mm256_set1_ps(scale);
    _mm256_storeu_ps(values, nf4_eight(both, low, high, factor));
    _mm256_storeu_ps(values + 8, nf4_eight(_mm_srli_si128(both, 8), low, high, factor));
}

#else

static inline void read_nf4_sixteen(
    const uint8_t *codes, const float *levels, float scale, float *values) {
    for (size_t i = 0; i < 8; i++) {
        values[2 * i] = levels[codes[i] >> 4] * scale;
        values[2 * i + 1] = levels[codes[i] & 15] * scale;
    }
}

#endif

static inline void fast_read_nf4(
    const struct matrix *m, size_t row, size_t column, size_t count, float *restrict values) {
    enum { PIECE = 16 };
    const struct quantization *q = m->quantization;
    size_t first = row * m->stride + column, whole = count - count % PIECE;
    if (first % PIECE) {
        matrix_read(m, row, column, count, values);
        return;
    }
    const uint8_t *codes = (const uint8_t *)m->data + first / 2;
    float scale = 0;
    for (size_t i = 0; i < whole; i += PIECE) {
        if (i == 0 || (first + i) % NF4_BLOCK == 0) scale = nf4_scale(q, (first + i) / NF4_BLOCK);
        read_nf4_sixteen(codes + i / 2, q->levels, scale, values + i);
    }
    if (whole < count) matrix_read(m, row, column + whole, count - whole, values + whole);
}

// Any quantised type.
static inline void fast_read(
    const struct matrix *m, size_t row, size_t column, size_t count, float *restrict values) {
    switch (m->type) {
    case DATA_INT8:
        fast_read_int8(m, row, column, count, values);
        break;
    case DATA_NF4:
        fast_read_nf4(m, row, column, count, values);
        break;
    default:
        fast_read_q8_0(m, row, column, count, values);
        break;
    }
}

#endif
