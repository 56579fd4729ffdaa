// What the files of compute share: the tables of kernels that a path is made of.
#ifndef COMPUTE_COMPUTE_INTERNAL_H
#define COMPUTE_COMPUTE_INTERNAL_H

#include "base/work_share.h"
#include "compute/compute.h"

// Kernels over one row or one run of numbers, without threads. reference.c holds the plain ones;
// the files in cpu/ are one source (cpu/row_kernels.h) compiled for each instruction set.
struct row_kernels {
    float (*rmsnorm)(float *y, const float *x, const float *weight, size_t columns, float epsilon);
    void (*rmsnorm_again)(
        float *y, const float *x, const float *weight, float inverse_rms, size_t columns);
    void (*rmsnorm_backward)(float *dx, const float *dy, const float *x, const float *weight,
        float inverse_rms, size_t columns);
    void (*rope)(float *row, size_t heads, size_t half, const float *cosine, const float *sine,
        float direction);
    void (*swiglu)(float *y, const float *gate, const float *up, size_t count);
    void (*add)(float *y, const float *x, size_t count);
    void (*add_scaled)(float *y, const float *x, float factor, size_t count); // y += factor · x
    // to [columns, rows] = fromᵀ, or += with `accumulate`; strides in floats.
    void (*transpose)(float *to, size_t to_stride, const float *from, size_t from_stride,
        size_t rows, size_t columns, bool accumulate);
    void (*scale)(float *x, float factor, size_t count);
    float (*dot)(const float *x, const float *y, size_t count);
    float (*maximum)(const float *x, size_t count);
    // y = exp(scale · x - shift); Σ y
    float (*exp_sum)(float *y, const float *x, float scale, float shift, size_t count);
    double (*square_sum)(const float *x, size_t count);
    void (*adamw)(const struct adamw *settings, float *parameters, const float *gradients,
        float *first_moment, float *second_moment, size_t count);
    // c[i, j] = alpha · a[i] · b[first + j] (or +=) for m rows of a and n rows of b: products with
    // few rows, bound by reading b. The sum of one element does not depend on m and n.
    void (*few_rows[DATA_TYPES])(float *c, size_t c_stride, const float *a, size_t a_stride,
        size_t m, const struct matrix *b, size_t first, size_t n, float alpha, bool accumulate);
};

extern const struct row_kernels row_kernels_reference;
extern const struct row_kernels row_kernels_avx2;
extern const struct row_kernels row_kernels_avx512;

// A run of k that a tile sums over: rows of the left operand as they lie in memory, a_stride
// elements apart, and a packed panel of the right one.
struct gemm_segment {
    const void *a;
    size_t a_stride;
    const void *panel;
    size_t depth; // a row of `a` may be read up to the next whole k_unit
};

// A product's inner part. Panels of `width` (nr, or half of it) columns of the right operand are
// packed as [k / k_unit][width][k_unit], padded with zeros to a whole number of k_units.
struct gemm_kernel {
    size_t mr;
    size_t nr;
    size_t k_unit;       // 2 for bf16, whose instruction multiplies pairs
    size_t element_size; // of operands
    size_t kc;           // largest depth of a packed panel
    // Packs `count` (≤ width) of the operand's vectors from `first` on, k from `k` to k + depth.
    // `k_contiguous`: the matrix has one vector a row; else one a column.
    void (*pack)(void *panel, size_t width, const struct matrix *matrix, bool k_contiguous,
        size_t first, size_t count, size_t k, size_t depth);
    // tile [rows ≤ mr][width] = Σ of the segments' products, or += with `accumulate`.
    void (*multiply)(const struct gemm_segment *segments, size_t count, float *tile, size_t stride,
        size_t rows, size_t width, bool accumulate);
    // The same of one run of k whose right operand lies as it is: `depth` rows of operands,
    // b_stride elements apart, of which nr columns may be read.
    void (*multiply_unpacked)(const struct gemm_segment *segment, size_t b_stride, float *tile,
        size_t stride, size_t rows, bool accumulate);
    // Keeps the multipliers busy from registers alone; returns the operations done, 2 a
    // multiply-add.
    double (*saturate)(size_t rounds);
};

extern const struct gemm_kernel gemm_kernel_portable;
extern const struct gemm_kernel gemm_kernel_avx2;
extern const struct gemm_kernel gemm_kernel_avx512;
extern const struct gemm_kernel gemm_kernel_avx512_bf16;

// A part of a product's result, row by row.
struct product_tile {
    const float *values, *twin;
    size_t stride;
    size_t row, rows, column, columns; // where it lies in the result
};

// Scores S and dP of a few queries become P = exp(scale · S - log_sum_exp) and
// dS = P ∘ (dP - delta) · scale: both as panels whose columns are keys, from their row `query` on,
// and dS as rows too. Keys `from` to `end` are whole panels; of them, query i sees those of
// row[i].
struct softmax_gradient {
    const float *scores, *dscores; // [queries, stride]
    size_t stride, queries, from, end;
    float scale;
    struct softmax_row {
        size_t from, to;
        float log_sum_exp, delta;
    } row[16];
    void *rows; // operand [queries, stride]
    uint8_t *p_panels, *ds_panels;
    size_t panel_bytes, panel_width, query;
};

// Kernels around products that know how operands are stored: cpu/operand_kernels.h, compiled for
// each type and instruction set.
struct operand_kernels {
    enum data_type type;
    void (*store)(void *to, const float *from, size_t count);
    void (*load)(float *to, const void *from, size_t count);
    // to[columns][rows] = from[rows][columns]ᵀ; strides in elements.
    void (*transpose)(void *to, size_t to_stride, const void *from, size_t from_stride, size_t rows,
        size_t columns);
    float (*dot)(const void *a, const void *b, size_t count);
    // to = exp(scale · x - shift), where no exponent is above 0; Σ to.
    float (*exp_sum)(void *to, const float *x, float scale, float shift, size_t count);
    void (*softmax_gradient)(const struct softmax_gradient *gradient);
    // What becomes of a tile of a product (and of its twin), by kind.
    void (*finish[PRODUCT_FINISHES])(
        const struct product_finish *finish, const struct product_tile *tile);
    // Logits that PRODUCT_LOGITS stored become the gradient of weight · loss, in the operand's
    // type, where `gradient`. Returns the loss without its weight, and whether the target was the
    // largest.
    float (*cross_entropy)(
        void *logits, size_t vocabulary, size_t target, float weight, bool gradient, bool *hit);
};

extern const struct operand_kernels operand_kernels_portable;
extern const struct operand_kernels operand_kernels_avx2;
extern const struct operand_kernels operand_kernels_avx512;
extern const struct operand_kernels operand_kernels_avx512_bf16;

enum {
    WORKER_SCRATCH = 4 << 20, // bytes for each thread: packed strips, attention tiles
    SHARED_SCRATCH = 8 << 20, // bytes for a left operand in the type that products take
};

struct compute {
    struct thread_pool *pool;
    enum compute_path path;
    const struct row_kernels *rows;
    const struct gemm_kernel *gemm;
    const struct operand_kernels *operands;
    uint8_t *shared;           // SHARED_SCRATCH
    uint8_t *workers;          // threads × WORKER_SCRATCH
    struct work_share *shares; // one for each thread
    double *partial_sums;
    size_t partial_capacity;
    struct compute_profile *profiles; // or NULL
};

// What one operation costs.
struct compute_cost {
    enum compute_operation operation;
    double operations; // of arithmetic
    double bytes;
};

// thread_pool_run, counted where somebody wants to know.
void compute_run(struct compute *compute, struct compute_cost cost, size_t tasks,
    thread_pool_task task, void *work);

// The same, where tasks are few and each can be done in parts: a thread that finds no task left
// does parts that others offer, with the scratch of its own worker.
void compute_run_shared(struct compute *compute, struct compute_cost cost, size_t tasks,
    thread_pool_task task, void *work);

typedef void (*compute_part)(const void *work, size_t part, int worker);

// From within such a task: does parts 0 … count - 1 (at most WORK_SHARE_MOST_PARTS), this worker's
// own thread among others, and returns when all are done.
void compute_share_parts(
    const struct compute *compute, int worker, size_t count, compute_part part, const void *work);

// Bytes of a matrix's elements as they are stored.
static inline double matrix_bytes(const struct matrix *matrix) {
    return (double)matrix->rows * (double)data_type_bytes(matrix->type, matrix->columns);
}

// An operation on `floats` numbers in memory, with so many operations of arithmetic.
static inline struct compute_cost cost_of(
    enum compute_operation operation, size_t floats, double operations) {
    return (struct compute_cost){operation, operations, (double)floats * sizeof(float)};
}

static inline void *compute_worker_scratch(const struct compute *compute, int worker) {
    return compute->workers + (size_t)worker * WORKER_SCRATCH;
}

// Calls the kernel for a tile of any number of rows, in parts that are as even as can be.
static inline void gemm_rows(const struct gemm_kernel *kernel, struct gemm_segment *segments,
    size_t count, float *tile, size_t stride, size_t rows, size_t width, bool accumulate) {
    size_t parts = (rows + kernel->mr - 1) / kernel->mr;
    for (size_t part = 0; part < parts; part++) {
        size_t first = rows * part / parts, here = rows * (part + 1) / parts - first;
        kernel->multiply(segments, count, tile + first * stride, stride, here, width, accumulate);
        for (size_t i = 0; i < count; i++)
            segments[i].a =
                (const uint8_t *)segments[i].a + here * segments[i].a_stride * kernel->element_size;
    }
}

static inline size_t round_up(size_t value, size_t unit) {
    return (value + unit - 1) / unit * unit;
}

static inline size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

#endif
