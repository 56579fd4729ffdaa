// The number formats that matrices are stored in, and what each needs to be read as f32: one table
// of traits, so that a new storage type is one row and its conversions, never a switch in a loop.
// Plain types hold a number in each element; of the others, quantized.h tells.
#ifndef COMPUTE_DATA_TYPE_H
#define COMPUTE_DATA_TYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum data_type {
    DATA_F32,
    DATA_BF16,
    DATA_F16,
    DATA_INT8, // whole numbers with a scale for each row
    DATA_NF4,  // four bits, blocks of 64, double-quantised scales
    DATA_Q8_0, // GGUF's blocks of 32: an f16 scale, then 32 whole numbers
    DATA_TYPES
};

struct data_type_traits {
    const char *name;             // as command lines and messages say it: "bf16"
    const char *safetensors_name; // as in the header of a safetensors file: "BF16"; NULL: none
    size_t size;                  // bytes of one element of a plain type, else 0
    size_t block;                 // elements that are stored together, 1 for plain types
    size_t block_bytes;
    // Of plain types:
    void (*to_f32)(float *to, const void *from, size_t count);
    void (*from_f32)(void *to, const float *from, size_t count); // rounds to nearest, ties to even
};

extern const struct data_type_traits data_type_table[DATA_TYPES];

struct quantization; // compute/quantized.h

// A matrix in row-major order, stored elsewhere. `stride` is the distance of two rows in elements.
struct matrix {
    const void *data;
    enum data_type type;
    size_t rows;
    size_t columns;
    size_t stride;
    const struct quantization *quantization; // of DATA_INT8 and DATA_NF4; else NULL
};

// Elements column … column + count - 1 of a row as f32, whatever the type. The plain reading that
// faster ones are tested against.
void matrix_read(
    const struct matrix *matrix, size_t row, size_t column, size_t count, float *values);

// Bytes of a whole number of blocks.
static inline size_t data_type_bytes(enum data_type type, size_t elements) {
    return elements / data_type_table[type].block * data_type_table[type].block_bytes;
}

static inline struct matrix matrix_of(
    const void *data, enum data_type type, size_t rows, size_t columns) {
    return (struct matrix){data, type, rows, columns, columns, NULL};
}

static inline struct matrix matrix_f32(const float *data, size_t rows, size_t columns) {
    return matrix_of(data, DATA_F32, rows, columns);
}

static inline float bf16_to_f32(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static inline uint16_t bf16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)((bits >> 16) | 0x40); // rounding must not turn a NaN into infinity
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float f16_to_f32(uint16_t bits);
uint16_t f16_from_f32(float value);

#endif
