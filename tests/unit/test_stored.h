// Matrices of any type whose numbers are small multiples of 1/8 or so: exact in every type, and so
// are their sums in f32.
#ifndef TEST_STORED_H
#define TEST_STORED_H

#include "compute/quantized.h"
#include "test_compute.h"

// A matrix of multiples of 1/8, stored, and as plain numbers.
struct stored {
    size_t rows, columns;
    float *values, *row_scales, *scale_scales;
    void *data;
    uint8_t *scale_codes;
    struct quantization quantization;
    struct matrix matrix;
};

static const float nf4_scale_levels[NF4_SCALE_LEVELS] = {0.125f, 0.25f, 0.0625f};

// What element i of a matrix of this type is a multiple of.
static inline float unit_of(enum data_type type, size_t columns, size_t i) {
    switch (type) {
    case DATA_INT8:
        return i / columns % 2 ? 0.25f : 0.125f;
    case DATA_NF4:
        return nf4_scale_levels[i / NF4_BLOCK % 3];
    case DATA_Q8_0:
        return i / 32 % 2 ? 0.25f : 0.125f;
    default:
        return 0.125f;
    }
}

static inline void store_quantized(struct stored *s, enum data_type type, const float *whole) {
    size_t count = s->rows * s->columns, blocks = count / 32 + 1;
    int8_t *codes = s->data = memory_alloc_zeroed(blocks, 34);
    s->row_scales = zero_floats(s->rows);
    s->scale_scales = zero_floats(blocks / NF4_SCALE_BLOCK + 1);
    s->scale_codes = memory_alloc_zeroed(blocks, 1);
    for (size_t i = 0; i < s->rows; i++)
        s->row_scales[i] = unit_of(type, s->columns, i * s->columns);
    for (size_t i = 0; i <= blocks / NF4_SCALE_BLOCK; i++)
        s->scale_scales[i] = 1;
    for (size_t i = 0; i < blocks; i++)
        s->scale_codes[i] = (uint8_t)(i % 3);
    s->quantization = (struct quantization){.row_scales = s->row_scales,
        .scale_codes = s->scale_codes,
        .scale_scales = s->scale_scales,
        .scale_levels = nf4_scale_levels};
    for (int i = 0; i < NF4_LEVELS; i++)
        s->quantization.levels[i] = (float)(i - 8);
    for (size_t i = 0; i < count; i++) {
        uint16_t scale = f16_from_f32(unit_of(type, s->columns, i));
        if (type == DATA_INT8) codes[i] = (int8_t)whole[i];
        if (type == DATA_NF4) codes[i / 2] |= (int8_t)((int)(whole[i] + 8) << (i % 2 ? 0 : 4));
        if (type != DATA_Q8_0) continue;
        memcpy(codes + i / 32 * 34, &scale, sizeof scale);
        codes[i / 32 * 34 + 2 + i % 32] = (int8_t)whole[i];
    }
}

static inline void store_matrix(
    struct stored *s, uint64_t stream, enum data_type type, size_t rows, size_t columns) {
    size_t count = rows * columns;
    *s = (struct stored){.rows = rows, .columns = columns};
    s->values = whole_floats(stream, count, 4);
    if (!data_type_table[type].size) store_quantized(s, type, s->values);
    for (size_t i = 0; i < count; i++)
        s->values[i] *= unit_of(type, columns, i);
    if (data_type_table[type].size) {
        s->data = memory_alloc_array(count, data_type_table[type].size);
        data_type_table[type].from_f32(s->data, s->values, count);
    }
    s->matrix = matrix_of(s->data, type, rows, columns);
    if (type == DATA_INT8 || type == DATA_NF4) s->matrix.quantization = &s->quantization;
}

static inline void stored_free(struct stored *s) {
    memory_free(s->values);
    memory_free(s->row_scales);
    memory_free(s->scale_scales);
    memory_free(s->scale_codes);
    memory_free(s->data);
}

#endif
