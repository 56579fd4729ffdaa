#include "compute/data_type.h"

static void f32_to_f32(float *to, const void *from, size_t count) {
    memcpy(to, from, count * sizeof *to);
}

static void f32_from_f32(void *to, const float *from, size_t count) {
    memcpy(to, from, count * sizeof *from);
}

static void bf16_row_to_f32(float *to, const void *from, size_t count) {
    const uint16_t *bits = from;
    for (size_t i = 0; i < count; i++)
        to[i] = bf16_to_f32(bits[i]);
}

static void bf16_row_from_f32(void *to, const float *from, size_t count) {
    uint16_t *bits = to;
    for (size_t i = 0; i < count; i++)
        bits[i] = bf16_from_f32(from[i]);
}

float f16_to_f32(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t exponent = (bits >> 10) & 0x1f;
    uint32_t fraction = bits & 0x3ff;
    uint32_t wide;
    if (exponent == 31)
        wide = sign | 0x7f800000 | fraction << 13;
    else if (exponent)
        wide = sign | (exponent + 112) << 23 | fraction << 13;
    else {
        float small = (float)fraction * 0x1p-24f; // exact: subnormal halves are multiples of 2⁻²⁴
        memcpy(&wide, &small, sizeof wide);
        wide |= sign;
    }
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

uint16_t f16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return sign | 0x7e00;
    if (bits >= 0x477ff000) // 65520 and more round to infinity
        return sign | 0x7c00;
    if (bits <
        0x38800000) { // below 2⁻¹⁴: adding 0.5 leaves the rounded multiple of 2⁻²⁴ in the fraction
        float shifted;
        memcpy(&shifted, &bits, sizeof shifted);
        shifted += 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return sign | (uint16_t)(bits - 0x3f000000);
    }
    bits += 0xfff + ((bits >> 13) & 1);
    return sign | (uint16_t)((bits >> 13) - (112 << 10));
}

static void f16_row_to_f32(float *to, const void *from, size_t count) {
    const uint16_t *bits = from;
    for (size_t i = 0; i < count; i++)
        to[i] = f16_to_f32(bits[i]);
}

static void f16_row_from_f32(void *to, const float *from, size_t count) {
    uint16_t *bits = to;
    for (size_t i = 0; i < count; i++)
        bits[i] = f16_from_f32(from[i]);
}

const struct data_type_traits data_type_table[DATA_TYPES] = {
    [DATA_F32] = {"f32", "F32", 4, 1, 4, f32_to_f32, f32_from_f32},
    [DATA_BF16] = {"bf16", "BF16", 2, 1, 2, bf16_row_to_f32, bf16_row_from_f32},
    [DATA_F16] = {"f16", "F16", 2, 1, 2, f16_row_to_f32, f16_row_from_f32},
    [DATA_INT8] = {"int8", NULL, 0, 1, 1, NULL, NULL},
    [DATA_NF4] = {"nf4", NULL, 0, 2, 1, NULL, NULL},
    [DATA_Q8_0] = {"q8_0", NULL, 0, 32, 34, NULL, NULL},
};
