// Row operations over the thread pool: each cut into tasks of about TASK_ELEMENTS numbers.
#include "base/random.h"
#include "compute/compute_internal.h"

enum { TASK_ELEMENTS = 16384, COLUMN_BLOCK = 64 };

static size_t rows_of_task(size_t columns) {
    return columns < TASK_ELEMENTS ? TASK_ELEMENTS / (columns ? columns : 1) : 1;
}

static size_t tasks_for(size_t count, size_t of_task) {
    return (count + of_task - 1) / of_task;
}

struct rmsnorm_work {
    const struct compute *compute;
    float *y, *inverse_rms; // y NULL: `operand`
    struct operand operand;
    const float *x, *weight, *known; // inverse_rms of an earlier time, or NULL
    size_t rows, columns;
    float epsilon;
};

static void rmsnorm_task(void *context, size_t task, int worker) {
    const struct rmsnorm_work *w = context;
    size_t step = rows_of_task(w->columns), end = smaller(w->rows, (task + 1) * step);
    for (size_t row = task * step; row < end; row++) {
        float *y = w->y ? w->y + row * w->columns : compute_worker_scratch(w->compute, worker);
        const float *x = w->x + row * w->columns;
        if (w->known) {
            w->compute->rows->rmsnorm_again(y, x, w->weight, w->known[row], w->columns);
        } else {
            float inverse_rms = w->compute->rows->rmsnorm(y, x, w->weight, w->columns, w->epsilon);
            if (w->inverse_rms) w->inverse_rms[row] = inverse_rms;
        }
        if (!w->y)
            w->compute->operands->store(
                compute_operand_at(w->compute, w->operand, row, 0).data, y, w->columns);
    }
}

static void run_rmsnorm(struct compute *compute, struct rmsnorm_work *work) {
    size_t count = work->rows * work->columns;
    compute_run(compute, cost_of(COMPUTE_RMSNORM, 2 * count, 4.0 * (double)count),
        tasks_for(work->rows, rows_of_task(work->columns)), rmsnorm_task, work);
}

void compute_rmsnorm(struct compute *compute, float *y, float *inverse_rms, const float *x,
    const float *weight, size_t rows, size_t columns, float epsilon) {
    struct rmsnorm_work work = {.compute = compute,
        .y = y,
        .inverse_rms = inverse_rms,
        .x = x,
        .weight = weight,
        .rows = rows,
        .columns = columns,
        .epsilon = epsilon};
    run_rmsnorm(compute, &work);
}

void compute_rmsnorm_operand(struct compute *compute, struct operand y, float *inverse_rms,
    const float *x, const float *weight, size_t rows, size_t columns, float epsilon) {
    struct rmsnorm_work work = {.compute = compute,
        .inverse_rms = inverse_rms,
        .operand = y,
        .x = x,
        .weight = weight,
        .rows = rows,
        .columns = columns,
        .epsilon = epsilon};
    run_rmsnorm(compute, &work);
}

void compute_rmsnorm_again(struct compute *compute, struct operand y, const float *inverse_rms,
    const float *x, const float *weight, size_t rows, size_t columns) {
    struct rmsnorm_work work = {.compute = compute,
        .operand = y,
        .x = x,
        .weight = weight,
        .known = inverse_rms,
        .rows = rows,
        .columns = columns};
    run_rmsnorm(compute, &work);
}

struct rmsnorm_backward_work {
    const struct compute *compute;
    float *dx, *dweight;
    struct operand dx_operand;
    const float *dy, *x, *weight, *inverse_rms;
    size_t rows, columns;
};

static void rmsnorm_backward_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct rmsnorm_backward_work *w = context;
    size_t step = rows_of_task(w->columns), end = smaller(w->rows, (task + 1) * step);
    for (size_t row = task * step; row < end; row++) {
        size_t at = row * w->columns;
        w->compute->rows->rmsnorm_backward(
            w->dx + at, w->dy + at, w->x + at, w->weight, w->inverse_rms[row], w->columns);
        if (w->dx_operand.data)
            w->compute->operands->store(
                compute_operand_at(w->compute, w->dx_operand, row, 0).data, w->dx + at, w->columns);
    }
}

// A block of columns over all rows in order, so that the sum is the same for any number of threads.
static void rmsnorm_weight_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct rmsnorm_backward_work *w = context;
    size_t first = task * COLUMN_BLOCK, count = smaller(COLUMN_BLOCK, w->columns - first);
    float sum[COLUMN_BLOCK] = {0};
    for (size_t row = 0; row < w->rows; row++) {
        const float *dy = w->dy + row * w->columns + first, *x = w->x + row * w->columns + first;
        for (size_t i = 0; i < count; i++)
            sum[i] += dy[i] * x[i] * w->inverse_rms[row];
    }
    for (size_t i = 0; i < count; i++)
        w->dweight[first + i] += sum[i];
}

void compute_rmsnorm_backward(struct compute *compute, float *dx, struct operand dx_operand,
    float *dweight, const float *dy, const float *x, const float *weight, const float *inverse_rms,
    size_t rows, size_t columns) {
    struct rmsnorm_backward_work work = {
        compute, dx, dweight, dx_operand, dy, x, weight, inverse_rms, rows, columns};
    double count = (double)(rows * columns);
    compute_run(compute, cost_of(COMPUTE_RMSNORM_BACKWARD, 4 * rows * columns, 8 * count),
        tasks_for(rows, rows_of_task(columns)), rmsnorm_backward_task, &work);
    if (dweight)
        compute_run(compute, cost_of(COMPUTE_RMSNORM_BACKWARD, 2 * rows * columns, 3 * count),
            tasks_for(columns, COLUMN_BLOCK), rmsnorm_weight_task, &work);
}

struct rope_work {
    const struct compute *compute;
    const struct rotation *rotation;
    float *x;          // in place, or NULL:
    const float *from; // to an operand
    struct operand to;
    size_t stride, rows, heads;
    int direction;
};

static void rotate_pairs(float *row, size_t heads, size_t half, const float *cosine,
    const float *sine, float direction) {
    for (size_t head = 0; head < heads; head++, row += 2 * half)
        for (size_t i = 0; i < half; i++) {
            float first = row[2 * i], second = row[2 * i + 1];
            row[2 * i] = first * cosine[i] - direction * second * sine[i];
            row[2 * i + 1] = second * cosine[i] + direction * first * sine[i];
        }
}

static void rotate_row(const struct compute *compute, const struct rotation *rotation, float *x,
    size_t row, size_t heads, int direction) {
    size_t half = rotation->head_dim / 2, at = (size_t)rotation->positions[row] * half;
    const float *cosine = rotation->cosine + at, *sine = rotation->sine + at;
    if (rotation->interleaved)
        rotate_pairs(x, heads, half, cosine, sine, (float)direction);
    else
        compute->rows->rope(x, heads, half, cosine, sine, (float)direction);
}

static void rope_task(void *context, size_t task, int worker) {
    const struct rope_work *w = context;
    size_t columns = w->heads * w->rotation->head_dim;
    size_t step = rows_of_task(columns), end = smaller(w->rows, (task + 1) * step);
    for (size_t row = task * step; row < end; row++) {
        float *x = w->x + row * w->stride;
        if (w->from) {
            x = compute_worker_scratch(w->compute, worker);
            memcpy(x, w->from + row * columns, columns * sizeof *x);
        }
        rotate_row(w->compute, w->rotation, x, row, w->heads, w->direction);
        if (w->from)
            w->compute->operands->store(
                compute_operand_at(w->compute, w->to, row, 0).data, x, columns);
    }
}

static void run_rope(struct compute *compute, struct rope_work *work) {
    size_t columns = work->heads * work->rotation->head_dim, count = work->rows * columns;
    compute_run(compute, cost_of(COMPUTE_ROPE, 2 * count, 3.0 * (double)count),
        tasks_for(work->rows, rows_of_task(columns)), rope_task, work);
}

void compute_rope(struct compute *compute, const struct rotation *rotation, float *x, size_t stride,
    size_t rows, size_t heads, int direction) {
    struct rope_work work = {.compute = compute,
        .rotation = rotation,
        .x = x,
        .stride = stride,
        .rows = rows,
        .heads = heads,
        .direction = direction};
    run_rope(compute, &work);
}

void compute_rope_operand(struct compute *compute, const struct rotation *rotation,
    struct operand to, const float *x, size_t rows, size_t heads, int direction) {
    struct rope_work work = {.compute = compute,
        .rotation = rotation,
        .from = x,
        .to = to,
        .rows = rows,
        .heads = heads,
        .direction = direction};
    run_rope(compute, &work);
}

struct elements_work {
    const struct row_kernels *kernels;
    float *y;
    const float *x, *gate, *up;
    size_t count;
};

static void swiglu_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct elements_work *w = context;
    size_t at = task * TASK_ELEMENTS, count = smaller(TASK_ELEMENTS, w->count - at);
    w->kernels->swiglu(w->y + at, w->gate + at, w->up + at, count);
}

void compute_swiglu(
    struct compute *compute, float *y, const float *gate, const float *up, size_t count) {
    struct elements_work work = {
        .kernels = compute->rows, .y = y, .gate = gate, .up = up, .count = count};
    compute_run(compute, cost_of(COMPUTE_SWIGLU, 3 * count, 10.0 * (double)count),
        tasks_for(count, TASK_ELEMENTS), swiglu_task, &work);
}

struct bias_work {
    const struct row_kernels *kernels;
    float *to;
    const float *from;
    size_t rows, columns;
};

static void add_bias_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct bias_work *w = context;
    size_t step = rows_of_task(w->columns), end = smaller(w->rows, (task + 1) * step);
    for (size_t row = task * step; row < end; row++)
        w->kernels->add(w->to + row * w->columns, w->from, w->columns);
}

void compute_add_bias(
    struct compute *compute, float *y, const float *bias, size_t rows, size_t columns) {
    struct bias_work work = {compute->rows, y, bias, rows, columns};
    compute_run(compute, cost_of(COMPUTE_ELEMENTWISE, 2 * rows * columns, (double)(rows * columns)),
        tasks_for(rows, rows_of_task(columns)), add_bias_task, &work);
}

struct bias_backward_work {
    const struct compute *compute;
    float *dbias;
    struct operand dy;
    size_t rows, columns;
};

static void bias_backward_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct bias_backward_work *w = context;
    float values[COLUMN_BLOCK];
    size_t first = task * COLUMN_BLOCK, count = smaller(COLUMN_BLOCK, w->columns - first);
    for (size_t row = 0; row < w->rows; row++) {
        w->compute->operands->load(
            values, compute_operand_at(w->compute, w->dy, row, first).data, count);
        w->compute->rows->add(w->dbias + first, values, count);
    }
}

void compute_bias_backward(
    struct compute *compute, float *dbias, struct operand dy, size_t rows, size_t columns) {
    struct bias_backward_work work = {compute, dbias, dy, rows, columns};
    compute_run(compute, cost_of(COMPUTE_ELEMENTWISE, rows * columns, (double)(rows * columns)),
        tasks_for(columns, COLUMN_BLOCK), bias_backward_task, &work);
}

struct dropout_work {
    const struct compute *compute;
    const struct dropout *dropout;
    struct operand from, to; // or, added up:
    const float *x;
    float *y;
    size_t rows, columns;
};

// What is left of an element: four share a random number, sixteen bits each.
static void drop(const struct dropout *dropout, float *values, uint64_t first, size_t count) {
    uint32_t dropped = (uint32_t)(dropout->probability * 65536.0f);
    float scale = 1.0f / (1.0f - dropout->probability);
    for (size_t i = 0; i < count; i++) {
        uint64_t at = first + i;
        uint64_t bits = random_bits(dropout->key, dropout->stream, at / 4) >> at % 4 * 16;
        values[i] = (bits & 0xffff) < dropped ? 0.0f : values[i] * scale;
    }
}

static void dropout_task(void *context, size_t row, int worker) {
    enum { PIECE = 512 };
    (void)worker;
    const struct dropout_work *w = context;
    float values[PIECE];
    for (size_t at = 0; at < w->columns; at += PIECE) {
        size_t count = smaller(PIECE, w->columns - at), first = row * w->columns + at;
        if (w->y)
            memcpy(values, w->x + first, count * sizeof *values);
        else
            w->compute->operands->load(
                values, compute_operand_at(w->compute, w->from, row, at).data, count);
        drop(w->dropout, values, first, count);
        if (w->y)
            w->compute->rows->add(w->y + first, values, count);
        else
            w->compute->operands->store(
                compute_operand_at(w->compute, w->to, row, at).data, values, count);
    }
}

void compute_dropout(struct compute *compute, const struct dropout *dropout, struct operand x,
    struct operand y, size_t rows, size_t columns) {
    struct dropout_work work = {
        .compute = compute, .dropout = dropout, .from = x, .to = y, .columns = columns};
    compute_run(compute, cost_of(COMPUTE_ELEMENTWISE, 2 * rows * columns, (double)(rows * columns)),
        rows, dropout_task, &work);
}

void compute_dropout_add(struct compute *compute, const struct dropout *dropout, const float *x,
    float *y, size_t rows, size_t columns) {
    struct dropout_work work = {
        .compute = compute, .dropout = dropout, .x = x, .y = y, .columns = columns};
    compute_run(compute, cost_of(COMPUTE_ELEMENTWISE, 3 * rows * columns, (double)(rows * columns)),
        rows, dropout_task, &work);
}

struct embedding_work {
    float *x, *dtable;
    const float *dx;
    const int32_t *tokens;
    size_t rows, columns;
    struct matrix table;
};

static void embedding_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct embedding_work *w = context;
    size_t step = rows_of_task(w->columns), end = smaller(w->rows, (task + 1) * step);
    for (size_t row = task * step; row < end; row++)
        matrix_read(&w->table, (size_t)w->tokens[row], 0, w->columns, w->x + row * w->columns);
}

void compute_embedding(
    struct compute *compute, float *x, const int32_t *tokens, size_t rows, struct matrix table) {
    struct embedding_work work = {
        .x = x, .tokens = tokens, .rows = rows, .columns = table.columns, .table = table};
    compute_run(compute, cost_of(COMPUTE_EMBEDDING, 2 * rows * table.columns, 0),
        tasks_for(rows, rows_of_task(table.columns)), embedding_task, &work);
}

static void embedding_backward_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct embedding_work *w = context;
    size_t first = task * COLUMN_BLOCK, count = smaller(COLUMN_BLOCK, w->columns - first);
    for (size_t row = 0; row < w->rows; row++) {
        float *to = w->dtable + (size_t)w->tokens[row] * w->columns + first;
        const float *from = w->dx + row * w->columns + first;
        for (size_t i = 0; i < count; i++)
            to[i] += from[i];
    }
}

void compute_embedding_backward(struct compute *compute, float *dtable, const float *dx,
    const int32_t *tokens, size_t rows, size_t columns) {
    struct embedding_work work = {
        .dtable = dtable, .dx = dx, .tokens = tokens, .rows = rows, .columns = columns};
    compute_run(compute, cost_of(COMPUTE_EMBEDDING, 3 * rows * columns, (double)(rows * columns)),
        tasks_for(columns, COLUMN_BLOCK), embedding_backward_task, &work);
}

struct few_rows_work {
    const struct row_kernels *kernels;
    float *c;
    size_t c_stride;
    const float *a;
    size_t a_stride, m;
    struct matrix b;
    float alpha;
    bool accumulate;
};

enum { FEW_ROWS_TASK = 32 };

static void few_rows_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct few_rows_work *w = context;
    size_t first = task * FEW_ROWS_TASK, count = smaller(FEW_ROWS_TASK, w->b.rows - first);
    w->kernels->few_rows[w->b.type](w->c + first, w->c_stride, w->a, w->a_stride, w->m, &w->b,
        first, count, w->alpha, w->accumulate);
}

void compute_few_rows(struct compute *compute, const float *a, size_t a_stride, size_t m,
    struct matrix b, float *c, size_t c_stride, float alpha, bool accumulate) {
    struct few_rows_work work = {compute->rows, c, c_stride, a, a_stride, m, b, alpha, accumulate};
    struct compute_cost cost = {COMPUTE_PRODUCT_FEW_ROWS,
        2.0 * (double)m * (double)b.rows * (double)b.columns,
        matrix_bytes(&b) + 4.0 * (double)(m * (b.rows + b.columns))};
    compute_run(compute, cost, tasks_for(b.rows, FEW_ROWS_TASK), few_rows_task, &work);
}
