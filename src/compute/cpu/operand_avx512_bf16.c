// The kernels around products with bf16 operands, for AVX-512 with its bf16 instructions.
#define OPERAND_KERNELS operand_kernels_avx512_bf16
#define OPERAND_BF16

#include "compute/cpu/operand_kernels.h"
