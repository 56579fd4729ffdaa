// The number formats that matrices are stored in, and what each needs to be read as f32: one table
// of traits, so that a new storage type is one row and its two conversions, never a switch in a
// loop.
#ifndef COMPUTE_DATA_TYPE_H
#define COMPUTE_DATA_TYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum data_type { DATA_F32, DATA_BF16, DATA_F16, DATA_TYPES };

struct data_type_traits {
    const char *name;             // as command lines and messages say it: "bf16"
    const char *safetensors_name; // as in the header of a safetensors file: "BF16"
    size_t size;                  // bytes of one element
    void (*to_f32)(float *to, const void *from, size_t count);
    void (*from_f32)(void *to, const float *from, size_t count); // rounds to nearest, ties to even
};

extern const struct data_type_traits data_type_table[DATA_TYPES];

// A matrix in row-major order, stored elsewhere. `stride` is the distance of two rows in elements.
struct matrix {
    const void *data;
    enum data_type type;
    size_t rows;
    size_t columns;
    size_t stride;
};

static inline struct matrix matrix_of(
    const void *data, enum data_type type, size_t rows, size_t columns) {
    return (struct matrix){data, type, rows, columns, columns};
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
