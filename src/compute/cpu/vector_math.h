// Vectors of f32 in GCC's extension, as wide as the instruction set that a file is compiled for,
// and the exponential over them.
#ifndef COMPUTE_CPU_VECTOR_MATH_H
#define COMPUTE_CPU_VECTOR_MATH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t lane_bits
    __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4), may_alias));

static inline lanes lanes_all(float value) {
    lanes zero = {0};
    return zero + value;
}

static inline lanes lanes_load(const float *from) {
    return *(const lanes *)from;
}

static inline void lanes_store(float *to, lanes values) {
    *(lanes *)to = values;
}

// `count` < LANES numbers, with `rest` behind them.
static inline lanes lanes_load_some(const float *from, size_t count, float rest) {
    float buffer[LANES];
    for (size_t i = 0; i < LANES; i++)
        buffer[i] = i < count ? from[i] : rest;
    return lanes_load(buffer);
}

static inline void lanes_store_some(float *to, lanes values, size_t count) {
    float buffer[LANES];
    lanes_store(buffer, values);
    memcpy(to, buffer, count * sizeof *to);
}

static inline lanes lanes_larger(lanes a, lanes b) {
#if defined(__AVX512F__)
    return (lanes)_mm512_max_ps((__m512)a, (__m512)b);
#else
    lane_bits larger = a > b;
    return (lanes)((larger & (lane_bits)a) | (~larger & (lane_bits)b));
#endif
}

// In a fixed order, by halves.
static inline float lanes_sum(lanes values) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)values); // by halves, too
#endif
    float parts[LANES];
    lanes_store(parts, values);
    for (size_t width = LANES / 2; width; width /= 2)
        for (size_t i = 0; i < width; i++)
            parts[i] += parts[i + width];
    return parts[0];
}

static inline float lanes_maximum(lanes values) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)values);
#endif
    float parts[LANES];
    lanes_store(parts, values);
    for (size_t width = LANES / 2; width; width /= 2)
        for (size_t i = 0; i < width; i++)
            parts[i] = parts[i] > parts[i + width] ? parts[i] : parts[i + width];
    return parts[0];
}

// exp(x) by 2^n · e^r with |r| ≤ ln 2 / 2 and a polynomial of degree 6: relative error below 2e-7.
// Below -87.3 the result is 0, not a subnormal number; above 88.3 it stays at the largest. What is
// no number stays none.
static inline lanes lanes_exp(lanes x) {
    lanes p = lanes_all(1.38888889e-3f);
#if defined(__AVX512F__)
    const __m512 log2e = _mm512_set1_ps(1.44269504f);
    __m512 bounded = _mm512_min_ps(_mm512_set1_ps(88.3f), (__m512)x); // what is no number stays
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(bounded, log2e), 0);
    __m512 rest = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), bounded);
    lanes r = (lanes)_mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), rest);
#else
    lane_bits low = x<-87.3f, high = x> 88.3f, none = x != x;
    lanes least = lanes_all(-87.3f), most = lanes_all(88.3f);
    lanes bounded = (lanes)(((lane_bits)least & (low | none)) | ((lane_bits)most & high) |
                            ((lane_bits)x & ~(low | high | none)));
    lanes shifted = bounded * 1.44269504f + 12582912.0f; // 1.5 · 2²³: rounds to an integer
    lanes n = shifted - 12582912.0f;
    lanes r = bounded - n * 0.693359375f + n * 2.12194440e-4f;
#endif
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
#if defined(__AVX512F__)
    __mmask16 small = _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(-87.3f), _CMP_LT_OQ);
    return (lanes)_mm512_mask_scalef_ps(_mm512_setzero_ps(), (__mmask16)~small, (__m512)p, n);
#else
    lane_bits power = (__builtin_convertvector(n, lane_bits) + 127) << 23;
    lane_bits result = (lane_bits)(p * (lanes)power);
    return (lanes)((result & ~(low | none)) | ((lane_bits)x & none));
#endif
}

// 2^x for x up to 0, for softmax: the polynomial of degree 5 (relative error below 1e-7) or, where
// the result will be bf16, of degree 4 (below 3e-6) that comes nearest to what is left of the
// nearest integer. Far below 0 it gives 0. What is no number stays none. With AVX-512, x may be
// above 0.
static inline lanes lanes_exp2(lanes x, const int degree) {
#if defined(__AVX512F__)
    lanes n = (lanes)_mm512_roundscale_ps((__m512)x, 0), r = x - n;
#else
    lane_bits low = x < -126.0f, none = x != x;
    lanes bounded =
        (lanes)(((lane_bits)lanes_all(-126.0f) & (low | none)) | ((lane_bits)x & ~(low | none)));
    lanes shifted = bounded + 12582912.0f; // 1.5 · 2²³: rounds to an integer
    lanes n = shifted - 12582912.0f, r = bounded - n;
#endif
    lanes p;
    if (degree == 4) {
        p = 9.57010143e-3f * r + 5.59178603e-2f;
        p = p * r + 2.40247448e-1f;
        p = p * r + 6.93121815e-1f;
        p = p * r + 9.99999261e-1f;
    } else {
        p = 1.32764715e-3f * r + 9.67554133e-3f;
        p = p * r + 5.55071327e-2f;
        p = p * r + 2.40221197e-1f;
        p = p * r + 6.93146967e-1f;
        p = p * r + 1.00000007f;
    }
#if defined(__AVX512F__)
    return (lanes)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    lane_bits power = (__builtin_convertvector(n, lane_bits) + 127) << 23;
    lane_bits result = (lane_bits)(p * (lanes)power);
    return (lanes)((result & ~(low | none)) | ((lane_bits)x & none));
#endif
}

// The lanes from `from` up to `to`, of numbers that are `first` and the following; zeros else.
static inline lanes lanes_within(lanes values, int32_t first, int32_t from, int32_t to) {
#if defined(__AVX512F__)
    __mmask16 below = to - first >= LANES ? 0xffff : to <= first ? 0 : (1u << (to - first)) - 1;
    __mmask16 before = from <= first           ? 0
                       : from - first >= LANES ? 0xffff
                                               : (1u << (from - first)) - 1;
    return (lanes)_mm512_maskz_mov_ps((__mmask16)(below & ~before), (__m512)values);
#else
    lane_bits place;
    for (int32_t i = 0; i < LANES; i++)
        place[i] = first + i;
    return (lanes)((lane_bits)values & (place >= from) & (place < to));
#endif
}

#endif
