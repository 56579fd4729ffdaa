// The kernels around products with f32 operands, for AVX2 with FMA.
#define OPERAND_KERNELS operand_kernels_avx2

#include "compute/cpu/operand_kernels.h"
