// Weights in fewer bits, in the layouts that others write:
//
// int8: each row is a scale times whole numbers from -127 to 127 (LLM.int8(), Dettmers et al. 2022,
// as bitsandbytes stores it).
//
// nf4: four bits an element, an index into 16 quantiles of the normal distribution; blocks of 64
// elements, counted through the whole matrix, share a scale. The scales are quantised again: eight
// bits each, in blocks of 256 with an f32 scale, and an offset that all share (QLoRA, Dettmers et
// al. 2023, as bitsandbytes stores it: the first of two elements lies in the upper half of a byte).
//
// q8_0: GGUF's blocks of 32 elements, an f16 scale and 32 whole numbers.
#ifndef COMPUTE_QUANTIZED_H
#define COMPUTE_QUANTIZED_H

#include "compute/data_type.h"

enum { NF4_LEVELS = 16, NF4_BLOCK = 64, NF4_SCALE_LEVELS = 256, NF4_SCALE_BLOCK = 256 };

// What a quantised matrix needs beside its data. What it points to belongs to whoever opened the
// weights.
struct quantization {
    // int8
    const float *row_scales; // [rows]
    // nf4; the scale of block b is scale_levels[scale_codes[b]] · scale_scales[b / 256] + offset
    const uint8_t *scale_codes; // [elements / 64, rounded up]
    const float *scale_scales;  // [blocks / 256, rounded up]
    const float *scale_levels;  // [256]
    float scale_offset;
    float levels[NF4_LEVELS];
};

static inline float nf4_scale(const struct quantization *quantization, size_t block) {
    return quantization->scale_levels[quantization->scale_codes[block]] *
               quantization->scale_scales[block / NF4_SCALE_BLOCK] +
           quantization->scale_offset;
}

// The quantiles of QLoRA's appendix E.
extern const float nf4_levels[NF4_LEVELS];

// The 256 values of bitsandbytes' dynamic data type for signed numbers (Dettmers 2015), ascending.
void quantized_scale_levels(float levels[NF4_SCALE_LEVELS]);

// One row of a matrix of any type to int8: codes [columns], and the largest magnitude, of which the
// scale is the 127th part.
void int8_quantize_row(const struct matrix *matrix, size_t row, int8_t *codes, float *largest);

// One block of up to 64 elements to nf4: two codes a byte, and the block's largest magnitude.
void nf4_quantize_block(const float *block, size_t count, uint8_t *codes, float *largest);

// The scales of all blocks, as the second level keeps them. `scales` are changed. scale_scales
// [blocks / 256, rounded up].
void nf4_quantize_scales(float *scales, size_t blocks, const float levels[NF4_SCALE_LEVELS],
    uint8_t *scale_codes, float *scale_scales, float *offset);

// A whole number of blocks of 32 to q8_0.
void q8_0_quantize(const float *values, size_t count, void *blocks);

#endif
