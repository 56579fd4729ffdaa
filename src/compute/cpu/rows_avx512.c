// The row kernels for AVX-512.
#define ROW_KERNELS row_kernels_avx512
#define ROW_F16_TO_F32 _cvtsh_ss
#include <immintrin.h>

#include "compute/cpu/row_kernels.h"
