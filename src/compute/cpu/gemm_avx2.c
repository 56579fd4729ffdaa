// The f32 product for AVX2 with FMA.
#define GEMM_KERNEL gemm_kernel_avx2
#define VECTOR 8
#define GEMM_MR 6

#include "compute/cpu/gemm_f32_kernel.h"
