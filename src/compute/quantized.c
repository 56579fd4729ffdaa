#include "compute/quantized.h"
#include <math.h>
#include <stdlib.h>

const float nf4_levels[NF4_LEVELS] = {-1.0f, -0.6961928009986877f, -0.5250730514526367f,
    -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f,
    0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

// ---- reading ----

static void read_int8(
    const struct matrix *m, size_t row, size_t column, size_t count, float *values) {
    const int8_t *codes = (const int8_t *)m->data + row * m->stride + column;
    for (size_t i = 0; i < count; i++)
        values[i] = (float)codes[i] * m->quantization->row_scales[row];
}

static void read_nf4(
    const struct matrix *m, size_t row, size_t column, size_t count, float *values) {
    const uint8_t *codes = m->data;
    size_t first = row * m->stride + column;
    for (size_t i = 0; i < count; i++) {
        size_t element = first + i;
        unsigned code = element % 2 ? codes[element / 2] & 15u : codes[element / 2] >> 4;
        values[i] = m->quantization->levels[code] * nf4_scale(m->quantization, element / NF4_BLOCK);
    }
}

enum { Q8_0_BLOCK = 32, Q8_0_BYTES = 34 };

static void read_q8_0(
    const struct matrix *m, size_t row, size_t column, size_t count, float *values) {
    const uint8_t *blocks = m->data;
    size_t first = row * m->stride + column;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *block = blocks + (first + i) / Q8_0_BLOCK * Q8_0_BYTES;
        uint16_t scale;
        memcpy(&scale, block, sizeof scale);
        values[i] = f16_to_f32(scale) * (float)(int8_t)block[2 + (first + i) % Q8_0_BLOCK];
    }
}

void matrix_read(
    const struct matrix *matrix, size_t row, size_t column, size_t count, float *values) {
    static void (*const quantized[DATA_TYPES])(const struct matrix *, size_t, size_t, size_t,
        float *) = {[DATA_INT8] = read_int8, [DATA_NF4] = read_nf4, [DATA_Q8_0] = read_q8_0};
    const struct data_type_traits *traits = &data_type_table[matrix->type];
    if (quantized[matrix->type])
        quantized[matrix->type](matrix, row, column, count, values);
    else
        traits->to_f32(values,
            (const uint8_t *)matrix->data + (row * matrix->stride + column) * traits->size, count);
}

// ---- quantising ----

// Not a number if one of the values is none.
static float largest_magnitude(const float *values, size_t count) {
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fabsf(values[i]) <= largest ? largest : fabsf(values[i]);
    return largest;
}

void int8_quantize_row(const struct matrix *matrix, size_t row, int8_t *codes, float *largest) {
    enum { BLOCK = 1024 };
    float values[BLOCK];
    *largest = 0;
    for (size_t at = 0; at < matrix->columns; at += BLOCK) {
        size_t count = matrix->columns - at < BLOCK ? matrix->columns - at : BLOCK;
        matrix_read(matrix, row, at, count, values);
        float here = largest_magnitude(values, count);
        if (!(here <= *largest)) *largest = here;
    }
    float factor = *largest > 0 ? 1.0f / *largest * 127.0f : 0.0f; // in PyTorch's order
    for (size_t at = 0; at < matrix->columns; at += BLOCK) {
        size_t count = matrix->columns - at < BLOCK ? matrix->columns - at : BLOCK;
        matrix_read(matrix, row, at, count, values);
        for (size_t i = 0; i < count; i++)
            codes[at + i] = (int8_t)lrintf(values[i] * factor);
    }
}

// The level nearest to x; at the middle between two, the lower one. Without branches, since which
// way they go is chance.
static unsigned nf4_nearest(float x) {
    unsigned code = 0;
    for (unsigned step = NF4_LEVELS / 2; step; step /= 2) {
        unsigned middle = code + step - 1;
        code += x > (nf4_levels[middle] + nf4_levels[middle + 1]) / 2 ? step : 0;
    }
    return code;
}

void nf4_quantize_block(const float *block, size_t count, uint8_t *codes, float *largest) {
    *largest = largest_magnitude(block, count);
    float factor = *largest > 0 ? 1.0f / *largest : 0.0f;
    for (size_t i = 0; i < count; i += 2) {
        unsigned first = nf4_nearest(block[i] * factor);
        unsigned second = nf4_nearest(i + 1 < count ? block[i + 1] * factor : 0.0f);
        codes[i / 2] = (uint8_t)(first << 4 | second);
    }
}

static int ascending(const void *a, const void *b) {
    float first = *(const float *)a, second = *(const float *)b;
    return (first > second) - (first < second);
}

// Seven decades; decade i holds 2^i values on each side, the middles of equal parts of 0.1 … 1.
void quantized_scale_levels(float levels[NF4_SCALE_LEVELS]) {
    size_t count = 0;
    for (int decade = 0; decade < 7; decade++) {
        int parts = 1 << decade;
        double unit = pow(10, decade - 6);
        for (int i = 0; i < parts; i++) {
            double low = 0.1 + 0.9 * i / parts, high = 0.1 + 0.9 * (i + 1) / parts;
            levels[count++] = (float)(unit * (low + high) / 2);
            levels[count++] = (float)(-unit * (low + high) / 2);
        }
    }
    levels[count++] = 0;
    levels[count++] = 1;
    qsort(levels, count, sizeof *levels, ascending);
}

static uint8_t nearest_level(const float *levels, float x) {
    size_t low = 0, high = NF4_SCALE_LEVELS - 1;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (levels[middle] <= x)
            low = middle;
        else
            high = middle;
    }
    return (uint8_t)(x - levels[low] <= levels[high] - x ? low : high);
}

void nf4_quantize_scales(float *scales, size_t blocks, const float levels[NF4_SCALE_LEVELS],
    uint8_t *scale_codes, float *scale_scales, float *offset) {
    double sum = 0;
    for (size_t i = 0; i < blocks; i++)
        sum += scales[i];
    *offset = blocks ? (float)(sum / (double)blocks) : 0;
    for (size_t i = 0; i < blocks; i++)
        scales[i] -= *offset;
    for (size_t first = 0; first < blocks; first += NF4_SCALE_BLOCK) {
        size_t count = blocks - first < NF4_SCALE_BLOCK ? blocks - first : NF4_SCALE_BLOCK;
        float largest = largest_magnitude(scales + first, count);
        scale_scales[first / NF4_SCALE_BLOCK] = largest;
        for (size_t i = first; i < first + count; i++)
            scale_codes[i] = nearest_level(levels, largest > 0 ? scales[i] / largest : 0.0f);
    }
}

void q8_0_quantize(const float *values, size_t count, void *blocks) {
    uint8_t *to = blocks;
    for (size_t first = 0; first < count; first += Q8_0_BLOCK, to += Q8_0_BYTES) {
        float scale = largest_magnitude(values + first, Q8_0_BLOCK) / 127.0f;
        uint16_t stored = f16_from_f32(scale);
        memcpy(to, &stored, sizeof stored);
        for (size_t i = 0; i < Q8_0_BLOCK; i++)
            to[2 + i] = (uint8_t)(int8_t)roundf(scale > 0 ? values[first + i] / scale : 0.0f);
    }
}
