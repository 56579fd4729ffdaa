// The kernels around products with f32 operands, for plain C.
#define OPERAND_KERNELS operand_kernels_portable

#include "compute/cpu/operand_kernels.h"
