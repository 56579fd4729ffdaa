// The f32 product for plain C (SSE2 or NEON by the compiler).
#define GEMM_KERNEL gemm_kernel_portable
#define VECTOR 4
#define GEMM_MR 4

#include "compute/cpu/gemm_f32_kernel.h"
