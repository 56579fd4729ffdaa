// The kernels around products with f32 operands, for AVX-512.
#define OPERAND_KERNELS operand_kernels_avx512

#include "compute/cpu/operand_kernels.h"
