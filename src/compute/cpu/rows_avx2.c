// The row kernels for AVX2 with FMA.
#define ROW_KERNELS row_kernels_avx2
#define ROW_F16_TO_F32 _cvtsh_ss
#include <immintrin.h>

#include "compute/cpu/row_kernels.h"
