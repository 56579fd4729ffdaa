#include "base/memory.h"
#include "compute/compute_internal.h"
#include <stdlib.h>

const char *const compute_path_names[COMPUTE_PATHS] = {
    "auto", "reference", "avx2", "avx512", "avx512_bf16"};

struct path {
    const struct row_kernels *rows;
    const struct gemm_kernel *gemm;
    const struct operand_kernels *operands;
};

static const struct path path_table[COMPUTE_PATHS] = {
    [COMPUTE_REFERENCE] = {&row_kernels_reference, &gemm_kernel_portable,
        &operand_kernels_portable},
#if defined(__x86_64__)
    [COMPUTE_AVX2] = {&row_kernels_avx2, &gemm_kernel_avx2, &operand_kernels_avx2},
    [COMPUTE_AVX512] = {&row_kernels_avx512, &gemm_kernel_avx512, &operand_kernels_avx512},
    [COMPUTE_AVX512_BF16] = {&row_kernels_avx512, &gemm_kernel_avx512_bf16,
        &operand_kernels_avx512_bf16},
#endif
};

static bool processor_has(enum compute_path path) {
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    switch (path) {
    case COMPUTE_AVX2:
        return avx2;
    case COMPUTE_AVX512:
        return avx512;
    case COMPUTE_AVX512_BF16:
        return avx512 && __builtin_cpu_supports("avx512bf16");
    default:
        break;
    }
#endif
    return path == COMPUTE_REFERENCE;
}

static bool path_by_name(enum compute_path *path, const char *name, struct error *error) {
    for (int i = 0; i < COMPUTE_PATHS; i++)
        if (!strcmp(compute_path_names[i], name)) {
            *path = i;
            return true;
        }
    return error_set(error, ERROR_INVALID,
        "TEMPER_COMPUTE is '%s'; it may be auto, reference, avx2, avx512 or avx512_bf16", name);
}

static bool choose_path(enum compute_path *path, struct error *error) {
    const char *wanted = getenv("TEMPER_COMPUTE");
    if (*path == COMPUTE_AUTO && wanted && *wanted && !path_by_name(path, wanted, error))
        return false;
    if (*path == COMPUTE_AUTO) {
        *path = COMPUTE_PATHS - 1;
        while (!processor_has(*path))
            --*path;
    }
    if (!processor_has(*path))
        return error_set(error, ERROR_UNSUPPORTED, "this processor cannot run the %s kernels",
            compute_path_names[*path]);
    return true;
}

bool compute_create(
    struct compute **compute, int threads, enum compute_path path, struct error *error) {
    if (!choose_path(&path, error)) return false;
    struct compute *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "the compute pool");
    new->path = path;
    new->rows = path_table[path].rows;
    new->gemm = path_table[path].gemm;
    new->operands = path_table[path].operands;
    if (!thread_pool_create(&new->pool, threads, error)) {
        memory_free(new);
        return false;
    }
    new->partial_capacity = 1 << 16;
    new->shared = memory_alloc_aligned(SHARED_SCRATCH, 1);
    new->workers = memory_alloc_aligned((size_t)thread_pool_threads(new->pool), WORKER_SCRATCH);
    new->shares = memory_alloc_aligned((size_t)thread_pool_threads(new->pool), sizeof *new->shares);
    new->partial_sums = memory_alloc_array(new->partial_capacity, sizeof(double));
    if (!new->shared || !new->workers || !new->shares || !new->partial_sums) {
        compute_free(new);
        return memory_error(error, "the scratch of matrix products");
    }
    *compute = new;
    return true;
}

void compute_free(struct compute *compute) {
    if (!compute) return;
    thread_pool_free(compute->pool);
    memory_free(compute->shared);
    memory_free(compute->workers);
    memory_free(compute->shares);
    memory_free(compute->partial_sums);
    memory_free(compute);
}

enum compute_path compute_path_of(const struct compute *compute) {
    return compute->path;
}

int compute_threads(const struct compute *compute) {
    return thread_pool_threads(compute->pool);
}

struct thread_pool *compute_pool(struct compute *compute) {
    return compute->pool;
}
