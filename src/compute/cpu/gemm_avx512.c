// The f32 product for AVX-512.
#define GEMM_KERNEL gemm_kernel_avx512
#define VECTOR 16
#define GEMM_MR 14

#include "compute/cpu/gemm_f32_kernel.h"
