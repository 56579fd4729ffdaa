// Blocked matrix products after Goto and van de Geijn ("Anatomy of High-Performance Matrix
// Multiplication", 2008), with the roles of the two caches' operands exchanged: a panel of B (nr
// columns) stays in L1 while panels of A stream from L2.
//
// For each block of A (BLOCK_ROWS × kc): all threads pack it into shared scratch; then each task
// takes a strip of B's columns, packs it for itself, and multiplies. Whatever the types of the
// operands, the packers make one type of them. Tiles have fixed sizes and sums run along k in a
// fixed order, so the number of threads changes nothing.
#include "compute/compute_internal.h"

enum {
    BLOCK_PANELS = 144, // of A: 2016 rows of 14, at most SHARED_SCRATCH bytes
    CACHE_PANELS = 36,  // of A that stay in L2 together while a strip of B meets them
    STRIP_PANELS = 8,   // of B in one task
    TASKS_WANTED = 8,
    THIN_SIDE = 64, // of a product that is LoRA's: it is bound by memory
};

struct product {
    const struct gemm_kernel *kernel;
    const struct compute *compute;
    struct matrix a, b;
    bool a_k_contiguous, b_k_contiguous;
    size_t m, n;
    float *c;
    size_t c_stride;
    float alpha;
    bool accumulate;
    // of the present block
    size_t row, rows, k, depth;
    size_t panel_a_size, panel_b_size; // bytes
    size_t strips, strip_panels, row_parts, part_panels;
};

static void pack_a_task(void *context, size_t task, int worker) {
    (void)worker;
    struct product *p = context;
    size_t first = task * p->kernel->mr;
    p->kernel->pack(p->compute->shared + task * p->panel_a_size, p->kernel->mr, &p->a,
        p->a_k_contiguous, p->row + first, smaller(p->kernel->mr, p->rows - first), p->k, p->depth);
}

// Panels of A from `panel` to `end` with a packed strip of B of `columns` columns from `column` on.
static void multiply_block(const struct product *p, const uint8_t *packed_a, size_t panel,
    size_t end, const uint8_t *packed_b, size_t column, size_t columns) {
    const struct gemm_kernel *kernel = p->kernel;
    bool accumulate = p->accumulate || p->k > 0;
    for (size_t j = 0; j < columns; j += kernel->nr)
        for (size_t i = panel; i < end; i++) {
            size_t first = i * kernel->mr;
            kernel->multiply(p->depth, packed_a + i * p->panel_a_size,
                packed_b + j / kernel->nr * p->panel_b_size,
                p->c + (p->row + first) * p->c_stride + column + j, p->c_stride,
                smaller(kernel->mr, p->rows - first), smaller(kernel->nr, columns - j), p->alpha,
                accumulate);
        }
}

static void pack_strip(const struct product *p, uint8_t *packed, size_t column, size_t columns) {
    size_t nr = p->kernel->nr;
    for (size_t j = 0; j < columns; j += nr)
        p->kernel->pack(packed + j / nr * p->panel_b_size, nr, &p->b, p->b_k_contiguous, column + j,
            smaller(nr, columns - j), p->k, p->depth);
}

static void strip_task(void *context, size_t task, int worker) {
    const struct product *p = context;
    size_t strip = task / p->row_parts, part = task % p->row_parts;
    size_t width = p->strip_panels * p->kernel->nr;
    size_t column = strip * width, columns = smaller(width, p->n - column);
    uint8_t *packed = compute_worker_scratch(p->compute, worker);
    pack_strip(p, packed, column, columns);

    size_t panels = (p->rows + p->kernel->mr - 1) / p->kernel->mr;
    size_t end = smaller(panels, (part + 1) * p->part_panels);
    for (size_t panel = part * p->part_panels; panel < end; panel += CACHE_PANELS)
        multiply_block(p, p->compute->shared, panel, smaller(end, panel + CACHE_PANELS), packed,
            column, columns);
}

static void set_shape(struct product *p, enum gemm_form form) {
    p->a_k_contiguous = form != GEMM_TN;
    p->b_k_contiguous = form == GEMM_NT;
    p->m = form == GEMM_TN ? p->a.columns : p->a.rows;
    p->n = form == GEMM_NT ? p->b.rows : p->b.columns;
}

// k cut into equal parts of at most kc.
static size_t depth_step(const struct gemm_kernel *kernel, size_t k) {
    size_t parts = (k + kernel->kc - 1) / kernel->kc;
    return parts ? round_up((k + parts - 1) / parts, kernel->k_unit) : kernel->k_unit;
}

static void set_depth(struct product *p, size_t k, size_t depth) {
    size_t whole = round_up(depth, p->kernel->k_unit);
    p->k = k;
    p->depth = depth;
    p->panel_a_size = round_up(p->kernel->mr * whole * p->kernel->element_size, 64);
    p->panel_b_size = round_up(p->kernel->nr * whole * p->kernel->element_size, 64);
}

// How the block's tiles are dealt out: by strips of columns, and where those are few by rows as
// well.
static void set_tasks(struct product *p) {
    size_t column_panels = (p->n + p->kernel->nr - 1) / p->kernel->nr;
    size_t row_panels = (p->rows + p->kernel->mr - 1) / p->kernel->mr;
    p->strip_panels = smaller(STRIP_PANELS, column_panels);
    while (p->strip_panels > 2 && column_panels / p->strip_panels < TASKS_WANTED)
        p->strip_panels /= 2;
    p->strips = (column_panels + p->strip_panels - 1) / p->strip_panels;
    size_t wanted = p->strips < TASKS_WANTED ? TASKS_WANTED / p->strips : 1;
    p->part_panels = (row_panels + wanted - 1) / wanted;
    p->row_parts = (row_panels + p->part_panels - 1) / p->part_panels;
}

static size_t product_k(enum gemm_form form, const struct matrix *a) {
    return form == GEMM_TN ? a->rows : a->columns;
}

static struct compute_cost product_cost(const struct product *p, enum gemm_form form, size_t k) {
    static const enum compute_operation operations[] = {[GEMM_NT] = COMPUTE_PRODUCT,
        [GEMM_NN] = COMPUTE_PRODUCT_INPUT,
        [GEMM_TN] = COMPUTE_PRODUCT_WEIGHT};
    bool thin = p->m <= THIN_SIDE || p->n <= THIN_SIDE || k <= THIN_SIDE;
    double results = (double)p->m * (double)p->n;
    return (struct compute_cost){thin ? COMPUTE_PRODUCT_THIN : operations[form],
        2 * results * (double)k,
        matrix_bytes(&p->a) + matrix_bytes(&p->b) + (p->accumulate ? 8 : 4) * results};
}

void compute_gemm(struct compute *compute, enum gemm_form form, struct matrix a, struct matrix b,
    float *c, size_t c_stride, float alpha, bool accumulate) {
    struct product p = {.kernel = compute->gemm,
        .compute = compute,
        .a = a,
        .b = b,
        .c = c,
        .c_stride = c_stride,
        .alpha = alpha,
        .accumulate = accumulate};
    set_shape(&p, form);
    size_t k = product_k(form, &a), step = depth_step(p.kernel, k);
    struct compute_cost cost = product_cost(&p, form, k), parts = {.operation = cost.operation};
    size_t block_rows = BLOCK_PANELS * p.kernel->mr;
    for (p.row = 0; p.row < p.m; p.row += block_rows) {
        p.rows = smaller(block_rows, p.m - p.row);
        set_tasks(&p);
        for (size_t at = 0; at < k; at += step) {
            set_depth(&p, at, smaller(step, k - at));
            size_t panels = (p.rows + p.kernel->mr - 1) / p.kernel->mr;
            compute_run(compute, parts, panels, pack_a_task, &p);
            compute_run(compute, cost, p.strips * p.row_parts, strip_task, &p);
            cost = parts; // counted once
        }
    }
}

void gemm_tile(const struct gemm_kernel *kernel, void *scratch, enum gemm_form form,
    struct matrix a, struct matrix b, float *c, size_t c_stride, float alpha, bool accumulate) {
    struct product p = {.kernel = kernel,
        .a = a,
        .b = b,
        .c = c,
        .c_stride = c_stride,
        .alpha = alpha,
        .accumulate = accumulate};
    set_shape(&p, form);
    p.rows = p.m;
    size_t k = product_k(form, &a), step = depth_step(kernel, k);
    for (size_t at = 0; at < k; at += step) {
        set_depth(&p, at, smaller(step, k - at));
        size_t panels = (p.m + kernel->mr - 1) / kernel->mr;
        uint8_t *packed_a = scratch, *packed_b = packed_a + panels * p.panel_a_size;
        for (size_t i = 0; i < panels; i++)
            kernel->pack(packed_a + i * p.panel_a_size, kernel->mr, &p.a, p.a_k_contiguous,
                i * kernel->mr, smaller(kernel->mr, p.m - i * kernel->mr), at, p.depth);
        pack_strip(&p, packed_b, 0, p.n);
        multiply_block(&p, packed_a, 0, panels, packed_b, 0, p.n);
    }
}

size_t gemm_tile_scratch(const struct gemm_kernel *kernel, size_t m, size_t n, size_t k) {
    size_t depth = round_up(smaller(k, kernel->kc), kernel->k_unit);
    size_t panels_a = (m + kernel->mr - 1) / kernel->mr,
           panels_b = (n + kernel->nr - 1) / kernel->nr;
    return panels_a * round_up(kernel->mr * depth * kernel->element_size, 64) +
           panels_b * round_up(kernel->nr * depth * kernel->element_size, 64);
}
