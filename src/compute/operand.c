// Operands: rows in the type that products take; and products of matrices that are none yet, which
// become operands in shared scratch, some rows at a time.
#include "compute/compute_internal.h"

enum { ROWS_A_TASK = 32, THIN_SIDE = 64, LINE = 32 };

enum data_type compute_operand_type(const struct compute *compute) {
    return compute->operands->type;
}

size_t compute_operand_stride(size_t columns) {
    size_t lines = (columns + LINE - 1) / LINE;
    return (lines | 1) * LINE;
}

struct matrix compute_operand_matrix(
    const struct compute *compute, struct operand operand, size_t rows, size_t columns) {
    return (struct matrix){
        operand.data, compute->operands->type, rows, columns, operand.stride, NULL};
}

struct operand compute_operand_at(
    const struct compute *compute, struct operand operand, size_t row, size_t column) {
    size_t at = (row * operand.stride + column) * compute->gemm->element_size;
    return (struct operand){(uint8_t *)operand.data + at, operand.stride};
}

static size_t tasks_for(size_t count, size_t of_task) {
    return (count + of_task - 1) / of_task;
}

struct operand_work {
    const struct compute *compute;
    struct operand to, from;
    struct matrix matrix; // the source, where it is no operand
    size_t first, rows, columns, padded;
};

// ---- from f32 ----

static void convert_row(const struct operand_work *w, size_t row) {
    enum { PIECE = 512 };
    float values[PIECE];
    size_t size = w->compute->gemm->element_size;
    uint8_t *to = compute_operand_at(w->compute, w->to, row, 0).data;
    if (w->matrix.type == DATA_F32) {
        const float *from = w->matrix.data;
        w->compute->operands->store(to, from + (w->first + row) * w->matrix.stride, w->columns);
    } else {
        for (size_t at = 0; at < w->columns; at += PIECE) {
            size_t count = smaller(PIECE, w->columns - at);
            matrix_read(&w->matrix, w->first + row, at, count, values);
            w->compute->operands->store(to + at * size, values, count);
        }
    }
    memset(to + w->columns * size, 0, (w->padded - w->columns) * size);
}

static void convert_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct operand_work *w = context;
    size_t end = smaller(w->rows, (task + 1) * ROWS_A_TASK);
    for (size_t row = task * ROWS_A_TASK; row < end; row++)
        convert_row(w, row);
}

void compute_to_operand(
    struct compute *compute, struct operand to, const float *x, size_t rows, size_t columns) {
    struct operand_work work = {.compute = compute,
        .to = to,
        .matrix = matrix_f32(x, rows, columns),
        .rows = rows,
        .columns = columns,
        .padded = columns};
    compute_run(compute, cost_of(COMPUTE_ELEMENTWISE, 2 * rows * columns, 0),
        tasks_for(rows, ROWS_A_TASK), convert_task, &work);
}

// ---- transposing ----

static void transpose_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct operand_work *w = context;
    size_t column = task * ROWS_A_TASK, count = smaller(ROWS_A_TASK, w->columns - column);
    size_t size = w->compute->gemm->element_size;
    w->compute->operands->transpose(compute_operand_at(w->compute, w->to, column, 0).data,
        w->to.stride, compute_operand_at(w->compute, w->from, 0, column).data, w->from.stride,
        w->rows, count);
    for (size_t i = 0; i < count; i++)
        memset(compute_operand_at(w->compute, w->to, column + i, w->rows).data, 0,
            (w->padded - w->rows) * size);
}

void compute_transpose(
    struct compute *compute, struct operand to, struct operand from, size_t rows, size_t columns) {
    struct operand_work work = {.compute = compute,
        .to = to,
        .from = from,
        .rows = rows,
        .columns = columns,
        .padded = round_up(rows, compute->gemm->k_unit)};
    compute_run(compute, cost_of(COMPUTE_ELEMENTWISE, 2 * rows * columns, 0),
        tasks_for(columns, ROWS_A_TASK), transpose_task, &work);
}

// ---- products of any matrices ----

// Columns first … first + rows of a matrix as rows of an operand, a block at a time.
static void convert_transposed_task(void *context, size_t task, int worker) {
    const struct operand_work *w = context;
    enum { BLOCK = 32 };
    float values[BLOCK];
    size_t size = w->compute->gemm->element_size, k = w->matrix.rows;
    size_t column = task * BLOCK, count = smaller(BLOCK, w->rows - column);
    uint8_t *block = compute_worker_scratch(w->compute, worker);
    for (size_t row = 0; row < k; row += BLOCK) {
        size_t rows = smaller(BLOCK, k - row);
        for (size_t i = 0; i < rows; i++) {
            matrix_read(&w->matrix, row + i, w->first + column, count, values);
            w->compute->operands->store(block + i * BLOCK * size, values, count);
        }
        w->compute->operands->transpose(compute_operand_at(w->compute, w->to, column, row).data,
            w->to.stride, block, BLOCK, rows, count);
    }
    for (size_t i = 0; i < count; i++)
        memset(
            compute_operand_at(w->compute, w->to, column + i, k).data, 0, (w->padded - k) * size);
}

void compute_gemm(struct compute *compute, enum gemm_form form, struct matrix a, struct matrix b,
    float *c, size_t c_stride, float alpha, bool accumulate) {
    static const enum compute_operation operations[] = {[GEMM_NT] = COMPUTE_PRODUCT,
        [GEMM_NN] = COMPUTE_PRODUCT_INPUT,
        [GEMM_TN] = COMPUTE_PRODUCT_WEIGHT};
    size_t m = form == GEMM_TN ? a.columns : a.rows, k = form == GEMM_TN ? a.rows : a.columns;
    size_t n = form == GEMM_NT ? b.rows : b.columns, stride = compute_operand_stride(k);
    bool thin = m <= THIN_SIDE || n <= THIN_SIDE || k <= THIN_SIDE;
    size_t step = SHARED_SCRATCH / (stride * compute->gemm->element_size);
    for (size_t row = 0; row < m; row += step) {
        size_t rows = smaller(step, m - row);
        struct operand_work work = {.compute = compute,
            .to = {compute->shared, stride},
            .matrix = a,
            .first = row,
            .rows = rows,
            .columns = k,
            .padded = round_up(k, compute->gemm->k_unit)};
        struct product_term term = {
            compute_operand_matrix(compute, work.to, rows, k), b, form == GEMM_NT};
        float *to = c + row * c_stride;
        struct product product = {.operation = thin ? COMPUTE_PRODUCT_THIN : operations[form],
            .terms = &term,
            .term_count = 1,
            .m = rows,
            .n = n,
            .finish = {.kind = PRODUCT_STORE,
                .alpha = alpha,
                .to_f32 = to,
                .to_stride = c_stride,
                .addend = accumulate ? to : NULL}};
        compute_run(compute, (struct compute_cost){.operation = product.operation},
            tasks_for(rows, ROWS_A_TASK), form == GEMM_TN ? convert_transposed_task : convert_task,
            &work);
        compute_products(compute, &product, 1);
    }
}
