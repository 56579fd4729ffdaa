// Blocked matrix products. The left operand, activations, is read where it lies: a kernel
// broadcasts its numbers from as many rows as it has sums for. The right operand, weights of any
// type, is packed, a strip of columns at a time, into panels that stay in the second level of the
// cache.
//
// A task is a strip of columns and all of the rows, or many. It sums over all of k, whatever terms
// it comes from, in a tile of its own, and then hands the tile, still in the cache, to what is to
// become of it; so the result passes memory once. Threads that find no task left take rows of
// those that others have packed a strip for. Each element's sum runs along k in an order that
// follows from the product's shape alone: how many threads there are, and how the result is cut
// among them, changes nothing.
#include "compute/compute_internal.h"

enum {
    STRIP_PANELS = 4,      // of a task at most
    WIDE_STRIP_PANELS = 8, // the same for a result of WIDE_PANELS or more
    WIDE_PANELS = 64,
    ROW_GROUP = 8,        // tiles of mr rows that a panel meets while it is in the first level
    WAITING_ROWS = 672,   // of a task at most, where sums wait for the rest of k
    UNPACKED_ROWS = 64,   // for which packing is not worth its time where it can be done without
    UNPACKED_DEPTH = 384, // rows of a right operand that stay in the first level
    TILE_BYTES = 1 << 20  // of sums that wait for the rest of k
};

struct layout {
    const struct product *product;
    bool unpacked; // the right operand meets so few rows that packing it would take as long
    size_t depth;  // of all terms together
    size_t block;  // of k that is packed at a time
    size_t strip_columns, strips, part_rows, parts, tasks;
};

struct products_work {
    const struct compute *compute;
    const struct layout *layouts;
};

static size_t term_depth(const struct product_term *term) {
    return term->b_transposed ? term->b.columns : term->b.rows;
}

// Blocks of at most kc, all alike; in whole blocks of quantised weights.
static void cut_depth(struct layout *l, const struct gemm_kernel *kernel) {
    enum { UNIT = 32 };
    l->depth = 0;
    for (size_t i = 0; i < l->product->term_count; i++)
        l->depth += round_up(term_depth(&l->product->terms[i]), kernel->k_unit);
    size_t blocks = (l->depth + kernel->kc - 1) / kernel->kc;
    l->block = blocks ? round_up((l->depth + blocks - 1) / blocks, UNIT) : UNIT;
    if (l->block > kernel->kc) l->block = kernel->kc;
}

// A run of k of one term, and where its panels lie among the block's.
struct piece {
    size_t term, k, depth, offset;
};

// The pieces of the next block of k.
struct block {
    size_t term, k; // where the one behind it begins
    bool first, last;
    size_t piece_count, bytes; // of a panel
    struct piece pieces[PRODUCT_TERMS];
};

static void next_block(
    struct block *block, const struct layout *l, const struct gemm_kernel *kernel) {
    const struct product *p = l->product;
    block->first = block->term == 0 && block->k == 0;
    block->piece_count = block->bytes = 0;
    for (size_t left = l->block; left && block->term < p->term_count;) {
        size_t depth = term_depth(&p->terms[block->term]), here = smaller(left, depth - block->k);
        size_t whole = round_up(here, kernel->k_unit);
        block->pieces[block->piece_count++] =
            (struct piece){block->term, block->k, here, block->bytes};
        block->bytes += kernel->nr * whole * kernel->element_size;
        left -= smaller(left, whole);
        block->k += here;
        if (block->k < depth) continue;
        block->term++;
        block->k = 0;
    }
    block->last = block->term == p->term_count;
}

static size_t parts_of(size_t whole, size_t part) {
    return (whole + part - 1) / part;
}

// How many of at most `most` each make up the whole, as evenly as can be.
static size_t even_part(size_t whole, size_t most) {
    return parts_of(whole, parts_of(whole, most));
}

// As few tasks as can be, since each packs its strip: threads that find none left take rows of
// those at work.
static void cut_tasks(struct layout *l, const struct gemm_kernel *kernel) {
    const struct product *p = l->product;
    size_t panels = parts_of(p->n, kernel->nr);
    size_t most =
        (panels >= WIDE_PANELS ? WIDE_STRIP_PANELS : STRIP_PANELS) / (p->twin_terms ? 2 : 1);
    size_t strip = even_part(panels, most);
    size_t rows = l->depth > l->block ? even_part(p->m, WAITING_ROWS) : p->m;
    l->strip_columns = strip * kernel->nr;
    l->strips = parts_of(panels, strip);
    l->part_rows = round_up(rows, kernel->mr);
    l->parts = parts_of(p->m, l->part_rows);
    l->tasks = l->strips * l->parts;
}

// A right operand of operands, as gradients of LoRA's matrices have it.
static bool goes_unpacked(const struct compute *compute, const struct product *p) {
    const struct matrix *b = &p->terms[0].b;
    return p->m <= UNPACKED_ROWS && p->term_count == 1 && !p->twin_terms &&
           !p->terms[0].b_transposed && b->type == compute->operands->type &&
           b->stride >= round_up(p->n, compute->gemm->nr);
}

static void cut_panels(struct layout *l, const struct gemm_kernel *kernel) {
    l->strip_columns = kernel->nr;
    l->strips = l->tasks = parts_of(l->product->n, kernel->nr);
    l->part_rows = l->product->m;
    l->parts = 1;
}

static void make_layout(
    struct layout *l, const struct compute *compute, const struct product *product) {
    const struct gemm_kernel *kernel = compute->gemm;
    *l = (struct layout){.product = product, .strips = 1};
    if (!product->m || !product->n) return; // no tasks
    cut_depth(l, kernel);
    l->unpacked = goes_unpacked(compute, product);
    if (l->unpacked)
        cut_panels(l, kernel);
    else
        cut_tasks(l, kernel);
}

// ---- one task ----

struct task {
    const struct compute *compute;
    const struct layout *layout;
    size_t column, columns, row, rows; // of the result
    size_t panels;                     // of columns, without the twin's
    uint8_t *packed;
    float *tile;
    size_t group_rows;
};

// Panels are as narrow as their columns allow.
static size_t panel_width(const struct task *t, size_t panel) {
    size_t nr = t->compute->gemm->nr, left = t->columns - panel * nr;
    return left > nr / 2 ? nr : nr / 2;
}

static const struct product_term *term_of(
    const struct task *t, const struct piece *piece, bool twin) {
    const struct product *p = t->layout->product;
    return &(twin ? p->twin_terms : p->terms)[piece->term];
}

static uint8_t *panel_of(const struct task *t, const struct block *block, const struct piece *piece,
    bool twin, size_t panel) {
    return t->packed + ((twin ? t->panels : 0) + panel) * block->bytes + piece->offset;
}

enum {
    SLAB = 32, // rows of a right operand that are packed together
    SLAB_BYTES = SLAB * WIDE_STRIP_PANELS * 32 * sizeof(float),
};

// Asks for cache lines that will be needed in a while. A compiler takes a function that does no
// more than that for one that does nothing, and leaves it out, unless an empty statement keeps it.
static inline void fetch(const void *from, size_t bytes) {
    enum { LINE = 64 };
    for (size_t at = 0; at < bytes; at += LINE)
        __builtin_prefetch((const uint8_t *)from + at);
    __asm__ volatile("");
}

// A few rows of the strip's columns, fetched in the order in which they lie: the panels' own order
// would ask memory for one line here and one there.
static struct matrix copy_slab(const struct task *t, const struct matrix *b, size_t row,
    size_t rows, size_t left, uint8_t *slab) {
    size_t size = data_type_table[b->type].size, step = b->stride * size;
    size_t bytes = t->columns * size;
    const uint8_t *from = (const uint8_t *)b->data + row * step + t->column * size;
    for (size_t i = 0; i < rows; i++, from += step) {
        if (i + SLAB < left) fetch(from + SLAB * step, bytes);
        memcpy(slab + i * bytes, from, bytes);
    }
    return matrix_of(slab, b->type, rows, t->columns);
}

// Panels lie one behind the other, first those of the product, then its twin's.
static void pack_rows_of_k(
    const struct task *t, const struct block *block, const struct piece *piece, bool twin) {
    const struct gemm_kernel *kernel = t->compute->gemm;
    const struct product_term *term = term_of(t, piece, twin);
    bool plain = data_type_table[term->b.type].size > 0;
    _Alignas(64) uint8_t slab[SLAB_BYTES];
    for (size_t at = 0; at < piece->depth; at += SLAB) {
        size_t rows = smaller(SLAB, piece->depth - at);
        struct matrix b =
            plain ? copy_slab(t, &term->b, piece->k + at, rows, piece->depth - at, slab) : term->b;
        for (size_t panel = 0; panel < t->panels; panel++) {
            size_t first = panel * kernel->nr, width = panel_width(t, panel);
            kernel->pack(panel_of(t, block, piece, twin, panel) + at * width * kernel->element_size,
                width, &b, false, (plain ? 0 : t->column) + first,
                smaller(kernel->nr, t->columns - first), plain ? 0 : piece->k + at, rows);
        }
    }
}

static void pack_block(const struct task *t, const struct block *block) {
    const struct gemm_kernel *kernel = t->compute->gemm;
    size_t sides = t->layout->product->twin_terms ? 2 : 1;
    for (size_t i = 0; i < block->piece_count; i++)
        for (size_t side = 0; side < sides; side++) {
            const struct piece *piece = &block->pieces[i];
            const struct product_term *term = term_of(t, piece, side);
            if (!term->b_transposed) {
                pack_rows_of_k(t, block, piece, side);
                continue;
            }
            for (size_t panel = 0; panel < t->panels; panel++) {
                size_t first = panel * kernel->nr;
                kernel->pack(panel_of(t, block, piece, side, panel), panel_width(t, panel),
                    &term->b, true, t->column + first, smaller(kernel->nr, t->columns - first),
                    piece->k, piece->depth);
            }
        }
}

// Rows `row` … of the task, up to mr, times one panel.
static void multiply_panel(const struct task *t, const struct block *block, bool twin, size_t panel,
    size_t row, size_t rows, float *tile) {
    const struct gemm_kernel *kernel = t->compute->gemm;
    struct gemm_segment segments[PRODUCT_TERMS];
    const uint8_t *packed = t->packed + ((twin ? t->panels : 0) + panel) * block->bytes;
    for (size_t i = 0; i < block->piece_count; i++) {
        const struct piece *piece = &block->pieces[i];
        const struct matrix *a = &term_of(t, piece, twin)->a;
        size_t at = (t->row + row) * a->stride + piece->k;
        segments[i] = (struct gemm_segment){(const uint8_t *)a->data + at * kernel->element_size,
            a->stride, packed + piece->offset, piece->depth};
    }
    kernel->multiply(
        segments, block->piece_count, tile, kernel->nr, rows, panel_width(t, panel), !block->first);
}

// What a finish reads lies far apart, row by row: it is asked for a tile ahead. (What it writes is
// better left alone: measured.)
static void fetch_results(const struct task *t, size_t panel, size_t row, size_t rows) {
    const struct product_finish *f = &t->layout->product->finish;
    bool activations = f->kind == PRODUCT_SWIGLU_BACKWARD;
    size_t nr = t->compute->gemm->nr, size = t->compute->gemm->element_size;
    size_t column = t->column + panel * nr, count = smaller(nr, t->columns - panel * nr);
    for (size_t i = t->row + row; i < t->row + row + rows; i++) {
        if (f->addend) fetch(f->addend + i * f->to_stride + column, count * sizeof(float));
        if (!activations) continue;
        fetch(compute_operand_at(t->compute, f->gate, i, column).data, count * size);
        fetch(compute_operand_at(t->compute, f->up, i, column).data, count * size);
    }
}

static void finish_panel(const struct task *t, size_t panel, size_t row, size_t rows,
    const float *tile, const float *twin) {
    const struct product_finish *finish = &t->layout->product->finish;
    size_t nr = t->compute->gemm->nr, first = panel * nr;
    struct product_tile of = {
        tile, twin, nr, t->row + row, rows, t->column + first, smaller(nr, t->columns - first)};
    t->compute->operands->finish[finish->kind](finish, &of);
}

// Some rows of a panel, a tile at a time: multiplied and, where this is the last of k, finished
// while it is in the first level of the cache.
static void multiply_tiles(const struct task *t, const struct block *block, size_t panel,
    size_t row, size_t rows, float *tile, float *twin) {
    size_t mr = t->compute->gemm->mr, nr = t->compute->gemm->nr, parts = parts_of(rows, mr);
    bool waits = !block->first || !block->last;
    if (block->last) fetch_results(t, panel, row, rows / parts);
    for (size_t part = 0; part < parts; part++) {
        size_t first = rows * part / parts, end = rows * (part + 1) / parts;
        size_t next = rows * (part + 2 < parts ? part + 2 : parts) / parts;
        size_t at = waits ? first * nr : 0;
        if (block->last) fetch_results(t, panel, row + end, next - end);
        multiply_panel(t, block, false, panel, row + first, end - first, tile + at);
        if (twin) multiply_panel(t, block, true, panel, row + first, end - first, twin + at);
        if (block->last)
            finish_panel(t, panel, row + first, end - first, tile + at, twin ? twin + at : NULL);
    }
}

// A block of k that is packed: its rows are there for whoever has the time.
struct packed_block {
    const struct task *task;
    const struct block *block;
};

// Where k is one block, a tile is finished before the next one takes its place, the thread's own;
// else the tiles of all rows wait in the task's.
static void multiply_group(const void *work, size_t group, int worker) {
    const struct packed_block *packed = work;
    const struct task *t = packed->task;
    float *own_tile = compute_worker_scratch(t->compute, worker);
    const struct block *block = packed->block;
    size_t nr = t->compute->gemm->nr, sides = t->layout->product->twin_terms ? 2 : 1;
    bool waits = !block->first || !block->last;
    size_t panel_floats = (waits ? t->layout->part_rows : t->compute->gemm->mr) * nr;
    size_t row = group * t->group_rows, rows = smaller(t->group_rows, t->rows - row);
    for (size_t panel = 0; panel < t->panels; panel++) {
        float *tile = waits ? t->tile + panel * sides * panel_floats + row * nr : own_tile;
        multiply_tiles(t, block, panel, row, rows, tile, sides > 1 ? tile + panel_floats : NULL);
    }
}

// One panel, all rows, some of k at a time.
static void multiply_unpacked(const struct task *t) {
    const struct gemm_kernel *kernel = t->compute->gemm;
    const struct product_term *term = &t->layout->product->terms[0];
    size_t size = kernel->element_size, depth = term_depth(term);
    size_t parts = parts_of(t->rows, kernel->mr);
    for (size_t k = 0; k < depth; k += UNPACKED_DEPTH)
        for (size_t part = 0; part < parts; part++) {
            size_t row = t->rows * part / parts, end = t->rows * (part + 1) / parts;
            struct gemm_segment segment = {
                (const uint8_t *)term->a.data + (row * term->a.stride + k) * size, term->a.stride,
                (const uint8_t *)term->b.data + (k * term->b.stride + t->column) * size,
                smaller(UNPACKED_DEPTH, depth - k)};
            kernel->multiply_unpacked(
                &segment, term->b.stride, t->tile + row * kernel->nr, kernel->nr, end - row, k > 0);
        }
    finish_panel(t, 0, 0, t->rows, t->tile, NULL);
}

static void product_task(void *context, size_t task, int worker) {
    const struct products_work *w = context;
    const struct layout *l = w->layouts;
    while (task >= l->tasks)
        task -= l++->tasks;
    size_t part = task / l->strips, strip = task % l->strips;
    struct task t = {.compute = w->compute,
        .layout = l,
        .column = strip * l->strip_columns,
        .row = part * l->part_rows};
    t.columns = smaller(l->strip_columns, l->product->n - t.column);
    t.rows = smaller(l->part_rows, l->product->m - t.row);
    t.panels = parts_of(t.columns, w->compute->gemm->nr);
    t.tile = compute_worker_scratch(w->compute, worker);
    t.packed = (uint8_t *)t.tile + TILE_BYTES;
    size_t mr = w->compute->gemm->mr, most = ROW_GROUP * mr;
    while (parts_of(t.rows, most) > WORK_SHARE_MOST_PARTS)
        most *= 2;
    t.group_rows = round_up(even_part(t.rows, most), mr);
    if (l->unpacked) {
        multiply_unpacked(&t);
        return;
    }
    struct block block = {0};
    do {
        next_block(&block, l, w->compute->gemm);
        pack_block(&t, &block);
        struct packed_block packed = {&t, &block};
        compute_share_parts(
            t.compute, worker, parts_of(t.rows, t.group_rows), multiply_group, &packed);
    } while (!block.last);
}

// ---- all of them ----

static double product_operations(const struct product *p) {
    double depth = 0;
    for (size_t i = 0; i < p->term_count; i++)
        depth += (double)term_depth(&p->terms[i]);
    return 2.0 * (double)p->m * (double)p->n * depth * (p->twin_terms ? 2 : 1);
}

static double product_bytes(const struct compute *compute, const struct product *p) {
    double bytes = (double)p->m * (double)p->n * (double)compute->gemm->element_size;
    for (size_t side = 0; side < (p->twin_terms ? 2u : 1u); side++)
        for (size_t i = 0; i < p->term_count; i++) {
            const struct product_term *term = &(side ? p->twin_terms : p->terms)[i];
            bytes += matrix_bytes(&term->a) + matrix_bytes(&term->b);
        }
    return bytes;
}

void compute_products(struct compute *compute, const struct product *products, size_t count) {
    enum { TOGETHER = 16 };
    struct layout layouts[TOGETHER];
    for (size_t first = 0; first < count; first += TOGETHER) {
        size_t here = smaller(TOGETHER, count - first), tasks = 0;
        struct compute_cost cost = {.operation = products[first].operation};
        for (size_t i = 0; i < here; i++) {
            make_layout(&layouts[i], compute, &products[first + i]);
            tasks += layouts[i].tasks;
            cost.operations += product_operations(&products[first + i]);
            cost.bytes += product_bytes(compute, &products[first + i]);
        }
        struct products_work work = {compute, layouts};
        compute_run_shared(compute, cost, tasks, product_task, &work);
    }
}

// ---- a matrix in place of a product ----

enum { FINISH_ROWS = 32 };

struct finish_work {
    const struct compute *compute;
    const struct product_finish *finish;
    const float *values;
    size_t rows, columns;
};

static void finish_task(void *context, size_t task, int worker) {
    (void)worker;
    const struct finish_work *w = context;
    size_t row = task * FINISH_ROWS;
    struct product_tile tile = {w->values + row * w->columns, NULL, w->columns, row,
        smaller(FINISH_ROWS, w->rows - row), 0, w->columns};
    w->compute->operands->finish[w->finish->kind](w->finish, &tile);
}

void compute_finish(struct compute *compute, const struct product_finish *finish,
    const float *values, size_t rows, size_t columns) {
    struct finish_work work = {compute, finish, values, rows, columns};
    compute_run(compute, cost_of(COMPUTE_ELEMENTWISE, 2 * rows * columns, 0),
        parts_of(rows, FINISH_ROWS), finish_task, &work);
}
