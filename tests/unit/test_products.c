// compute_products on every path: sums of several terms of any type, and all that can become of
// them. The numbers are small multiples of 1/8, which every type holds exactly and whose sums are
// exact in f32: so results are compared to the last bit, in bf16 too.
#include "test_stored.h"

// ---- a product, and what finishes take ----

struct term {
    size_t k;
    bool b_transposed;
    float *a; // [m, k]
    struct stored b;
};

struct fixture {
    size_t m, n, count;
    struct term terms[2][PRODUCT_TERMS]; // the product's and its twin's
    double *sums[2];                     // [m, n]
    float *addend, *bias, *twin_bias, *gate, *up;
};

static float *eighths(uint64_t stream, size_t count, int bound) {
    float *values = whole_floats(stream, count, bound);
    for (size_t i = 0; i < count; i++)
        values[i] *= 0.125f;
    return values;
}

// The formula, with b turned so that the inner loop runs along its columns.
static void add_naive_term(double *sums, const struct term *t, size_t m, size_t n) {
    float *b = zero_floats(t->k * n);
    for (size_t l = 0; l < t->k; l++)
        for (size_t j = 0; j < n; j++)
            b[l * n + j] = t->b.values[t->b_transposed ? j * t->k + l : l * n + j];
    for (size_t i = 0; i < m; i++)
        for (size_t l = 0; l < t->k; l++)
            for (size_t j = 0; j < n; j++)
                sums[i * n + j] += (double)t->a[i * t->k + l] * b[l * n + j];
    memory_free(b);
}

static void add_term(
    struct fixture *f, size_t side, size_t k, enum data_type type, bool b_transposed) {
    size_t number = side ? f->count - 1 : f->count++;
    struct term *t = &f->terms[side][number];
    uint64_t stream = 10 * number + 100 * side;
    *t = (struct term){.k = k, .b_transposed = b_transposed};
    t->a = eighths(stream, f->m * k, 4);
    store_matrix(&t->b, stream + 1, type, b_transposed ? f->n : k, b_transposed ? k : f->n);
    add_naive_term(f->sums[side], t, f->m, f->n);
}

static void add_terms(struct fixture *f, size_t k, enum data_type type, bool b_transposed) {
    add_term(f, 0, k, type, b_transposed);
    add_term(f, 1, k, type, b_transposed);
}

static void fixture_start(struct fixture *f, size_t m, size_t n) {
    *f = (struct fixture){.m = m, .n = n};
    for (int side = 0; side < 2; side++) {
        f->sums[side] = memory_alloc_zeroed(m * n, sizeof(double));
        assert_non_null(f->sums[side]);
    }
    f->addend = eighths(1001, m * n, 9);
    f->bias = eighths(1002, n, 9);
    f->twin_bias = eighths(1003, n, 9);
    f->gate = eighths(1004, m * n, 40);
    f->up = eighths(1005, m * n, 40);
}

static void fixture_end(struct fixture *f) {
    for (int side = 0; side < 2; side++) {
        memory_free(f->sums[side]);
        for (size_t i = 0; i < f->count; i++) {
            memory_free(f->terms[side][i].a);
            if (f->terms[side][i].b.data) stored_free(&f->terms[side][i].b);
        }
    }
    memory_free(f->addend);
    memory_free(f->bias);
    memory_free(f->twin_bias);
    memory_free(f->gate);
    memory_free(f->up);
}

// ---- what comes out ----

enum result { TO, GATE, UP, DGATE, DUP, RESULTS };
enum variant { WITH_BIAS = 1, IN_PLACE = 2, BY_FINISH = 4 };

static const char *const result_names[] = {"result", "gate", "up", "dgate", "dup"};

struct outcome {
    float *values[RESULTS]; // NULL where the finish has none
};

static void outcome_free(struct outcome *o) {
    for (int i = 0; i < RESULTS; i++)
        memory_free(o->values[i]);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static void naive_element(const struct fixture *f, enum product_finish_kind kind, int variant,
    size_t i, size_t j, double results[RESULTS]) {
    size_t at = i * f->n + j;
    bool biased = variant & WITH_BIAS;
    double p = f->sums[0][at], g = f->gate[at], u = f->up[at];
    if (kind == PRODUCT_STORE)
        results[TO] = 0.5 * p + (biased ? (double)f->addend[at] + f->bias[j] : 0);
    if (kind == PRODUCT_STORE_OPERAND) results[TO] = 0.5 * p + (biased ? f->bias[j] : 0);
    if (kind == PRODUCT_ADD_TRANSPOSED) results[TO] = f->addend[at] + 0.5 * p;
    if (kind == PRODUCT_LOGITS) results[TO] = p;
    if (kind == PRODUCT_SWIGLU) {
        g = results[GATE] = p + (biased ? f->bias[j] : 0);
        u = results[UP] = f->sums[1][at] + (biased ? f->twin_bias[j] : 0);
    }
    if (kind != PRODUCT_SWIGLU && kind != PRODUCT_SWIGLU_BACKWARD) return;
    double s = sigmoid(g);
    results[TO] = g * s * u;
    results[DGATE] = p * u * s * (1 + g * (1 - s));
    results[DUP] = p * g * s;
}

// The result as operands hold it, or logits.
static void round_results(const struct compute *compute, enum product_finish_kind kind,
    struct outcome *want, size_t count) {
    bool halves = operands_are_bf16(compute_path_of(compute));
    if (kind == PRODUCT_STORE || kind == PRODUCT_ADD_TRANSPOSED) return;
    for (size_t i = 0; i < count && kind == PRODUCT_LOGITS && halves; i++)
        want->values[TO][i] = f16_to_f32(f16_from_f32(want->values[TO][i]));
    for (int result = 0; result < RESULTS && kind != PRODUCT_LOGITS; result++)
        round_to_operand(compute, want->values[result], count);
}

static struct outcome naive_outcome(const struct compute *compute, const struct fixture *f,
    enum product_finish_kind kind, int variant) {
    struct outcome want;
    for (int i = 0; i < RESULTS; i++)
        want.values[i] = zero_floats(f->m * f->n);
    for (size_t i = 0; i < f->m; i++)
        for (size_t j = 0; j < f->n; j++) {
            double results[RESULTS] = {0};
            naive_element(f, kind, variant, i, j, results);
            for (int result = 0; result < RESULTS; result++)
                want.values[result][i * f->n + j] = (float)results[result];
        }
    round_results(compute, kind, &want, f->m * f->n);
    return want;
}

// ---- running one ----

enum { GAP = 3 }; // floats behind a row of the result, which must stay what they are

static const float untouched = -7.25f;

struct run {
    const struct fixture *fixture;
    enum product_finish_kind kind;
    int variant;
    struct product_term terms[2][PRODUCT_TERMS];
    float *to_f32, *addend; // with a gap
    struct product product;
};

static float *with_gap(const float *from, size_t rows, size_t columns, bool turned) {
    float *to = zero_floats(rows * (columns + GAP));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns + GAP; j++)
            to[i * (columns + GAP) + j] =
                j < columns ? from[turned ? j * rows + i : i * columns + j] : untouched;
    return to;
}

static void prepare_f32(struct run *r) {
    const struct fixture *f = r->fixture;
    struct product_finish *finish = &r->product.finish;
    bool turned = r->kind == PRODUCT_ADD_TRANSPOSED, addend = r->variant & WITH_BIAS;
    size_t rows = turned ? f->n : f->m, columns = turned ? f->m : f->n;
    r->addend = with_gap(f->addend, rows, columns, turned);
    r->to_f32 = copy_floats(r->addend, rows * (columns + GAP));
    finish->to_f32 = r->to_f32;
    finish->to_stride = columns + GAP;
    if (addend && !turned) finish->addend = r->variant & IN_PLACE ? r->to_f32 : r->addend;
}

static void prepare_operands(struct compute *compute, struct run *r) {
    const struct fixture *f = r->fixture;
    struct product_finish *finish = &r->product.finish;
    finish->to = operand_new(compute, f->m, f->n);
    if (r->kind == PRODUCT_SWIGLU) {
        finish->gate = operand_new(compute, f->m, f->n);
        finish->up = operand_new(compute, f->m, f->n);
    }
    if (r->kind != PRODUCT_SWIGLU_BACKWARD) return;
    finish->gate = finish->dgate = operand_from(compute, f->gate, f->m, f->n);
    finish->up = finish->dup = operand_from(compute, f->up, f->m, f->n);
    if (r->variant & IN_PLACE) return;
    finish->dgate = operand_new(compute, f->m, f->n);
    finish->dup = operand_new(compute, f->m, f->n);
}

static void run_prepare(struct compute *compute, struct run *r, const struct fixture *f,
    enum product_finish_kind kind, int variant) {
    bool twin = kind == PRODUCT_SWIGLU;
    *r = (struct run){.fixture = f, .kind = kind, .variant = variant};
    for (size_t side = 0; side < (twin ? 2 : 1); side++)
        for (size_t i = 0; i < f->count; i++) {
            const struct term *t = &f->terms[side][i];
            struct operand a = operand_from(compute, t->a, f->m, t->k);
            r->terms[side][i] = (struct product_term){
                compute_operand_matrix(compute, a, f->m, t->k), t->b.matrix, t->b_transposed};
        }
    r->product = (struct product){.operation = COMPUTE_PRODUCT,
        .terms = r->terms[0],
        .twin_terms = twin ? r->terms[1] : NULL,
        .term_count = f->count,
        .m = f->m,
        .n = f->n,
        .finish = {.kind = kind, .alpha = 0.5f}};
    if (variant & WITH_BIAS && kind != PRODUCT_ADD_TRANSPOSED) {
        r->product.finish.bias = f->bias;
        r->product.finish.twin_bias = f->twin_bias;
    }
    if (kind == PRODUCT_STORE || kind == PRODUCT_ADD_TRANSPOSED)
        prepare_f32(r);
    else
        prepare_operands(compute, r);
}

static float *take_f32(const struct run *r) {
    const struct fixture *f = r->fixture;
    bool turned = r->kind == PRODUCT_ADD_TRANSPOSED;
    size_t rows = turned ? f->n : f->m, columns = turned ? f->m : f->n;
    float *values = zero_floats(rows * columns);
    for (size_t i = 0; i < rows; i++) {
        const float *row = r->to_f32 + i * (columns + GAP);
        for (size_t j = 0; j < columns; j++)
            values[turned ? j * rows + i : i * columns + j] = row[j];
        for (size_t j = 0; j < GAP; j++)
            assert_true(row[columns + j] == untouched);
    }
    return values;
}

// Behind the columns of an operand's rows there must be the zeros that were there.
static float *take_operand(
    const struct compute *compute, struct operand operand, size_t rows, size_t columns) {
    if (!operand.data) return NULL;
    size_t size = data_type_table[compute_operand_type(compute)].size;
    for (size_t i = 0; i < rows; i++) {
        const uint8_t *row = (const uint8_t *)operand.data + i * operand.stride * size;
        for (size_t at = columns * size; at < operand.stride * size; at++)
            assert_int_equal(row[at], 0);
    }
    return operand_floats(compute, operand, rows, columns);
}

static float *take_logits(
    const struct compute *compute, struct operand operand, size_t rows, size_t columns) {
    float *values = take_operand(compute, operand, rows, columns);
    const uint16_t *halves = operand.data;
    for (size_t i = 0; i < rows * columns && operands_are_bf16(compute_path_of(compute)); i++)
        values[i] = f16_to_f32(halves[i / columns * operand.stride + i % columns]);
    return values;
}

static struct outcome run_take(const struct compute *compute, const struct run *r) {
    const struct product_finish *finish = &r->product.finish;
    size_t m = r->fixture->m, n = r->fixture->n;
    struct outcome got = {0};
    if (r->to_f32)
        got.values[TO] = take_f32(r);
    else if (r->kind == PRODUCT_LOGITS)
        got.values[TO] = take_logits(compute, finish->to, m, n);
    else
        got.values[TO] = take_operand(compute, finish->to, m, n);
    if (r->kind == PRODUCT_SWIGLU) {
        got.values[GATE] = take_operand(compute, finish->gate, m, n);
        got.values[UP] = take_operand(compute, finish->up, m, n);
    }
    got.values[DGATE] = take_operand(compute, finish->dgate, m, n);
    got.values[DUP] = take_operand(compute, finish->dup, m, n);
    return got;
}

static void run_free(struct run *r) {
    struct product_finish *finish = &r->product.finish;
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < PRODUCT_TERMS; i++)
            memory_free((void *)r->terms[side][i].a.data);
    memory_free(r->to_f32);
    memory_free(r->addend);
    memory_free(finish->to.data);
    if (finish->dgate.data != finish->gate.data) memory_free(finish->dgate.data);
    if (finish->dup.data != finish->up.data) memory_free(finish->dup.data);
    memory_free(finish->gate.data);
    memory_free(finish->up.data);
}

static void run_compute(struct compute *compute, const struct run *r) {
    const struct fixture *f = r->fixture;
    if (!(r->variant & BY_FINISH)) {
        compute_products(compute, &r->product, 1);
        return;
    }
    float *values = zero_floats(f->m * f->n);
    for (size_t i = 0; i < f->m * f->n; i++)
        values[i] = (float)f->sums[0][i];
    compute_finish(compute, &r->product.finish, values, f->m, f->n);
    memory_free(values);
}

// To the last bit, but for exponentials: there a unit in the last place.
static void assert_outcome(const struct compute *compute, const struct run *r,
    const struct outcome *got, const struct outcome *want) {
    bool swiglu = r->kind == PRODUCT_SWIGLU || r->kind == PRODUCT_SWIGLU_BACKWARD;
    double unit = operands_are_bf16(compute_path_of(compute)) ? 0x1p-7 : 2e-6;
    for (int result = 0; result < RESULTS; result++)
        for (size_t i = 0; i < r->fixture->m * r->fixture->n && got->values[result]; i++) {
            float is = got->values[result][i], should = want->values[result][i];
            bool near = swiglu && result != GATE && result != UP;
            if (near ? fabsf(is - should) <= unit * fabs(should) + 1e-5 : is == should) continue;
            fail_msg("%s, %zu×%zu of %zu terms from k = %zu (%s), finish %d, variant %d: %s %zu is "
                     "%.9g, not %.9g",
                compute_path_names[compute_path_of(compute)], r->fixture->m, r->fixture->n,
                r->fixture->count, r->fixture->terms[0][0].k,
                data_type_table[r->fixture->terms[0][0].b.matrix.type].name, r->kind, r->variant,
                result_names[result], i, is, should);
        }
}

static void run_check(struct compute *compute, const struct run *r) {
    struct outcome want = naive_outcome(compute, r->fixture, r->kind, r->variant);
    struct outcome got = run_take(compute, r);
    assert_outcome(compute, r, &got, &want);
    outcome_free(&want);
    outcome_free(&got);
}

static void check(
    struct compute *compute, const struct fixture *f, enum product_finish_kind kind, int variant) {
    struct run r;
    run_prepare(compute, &r, f, kind, variant);
    run_compute(compute, &r);
    run_check(compute, &r);
    run_free(&r);
}

// One of each path that this processor has, for all tests.
static struct compute *computes[COMPUTE_PATHS];

static int computes_start(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        computes[path] = create(path, 2);
        if (!computes[path])
            print_message("skipped: this processor has no %s\n", compute_path_names[path]);
    }
    return 0;
}

static int computes_end(void **state) {
    (void)state;
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        compute_free(computes[path]);
    return 0;
}

static void check_on_every_path(
    const struct fixture *f, enum product_finish_kind kind, int variant) {
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        if (computes[path]) check(computes[path], f, kind, variant);
}

// ---- tests ----

static const size_t shapes[][3] = {{1, 1, 1}, {13, 14, 15}, {14, 15, 16}, {15, 29, 2}, {29, 113, 7},
    {113, 1009, 3}, {1009, 13, 33}, {2017, 14, 129}, {1, 2017, 64}, {28, 96, 1700}, {15, 33, 4000},
    {29, 1, 1601}, {505, 20, 1603}};

static void test_products_of_every_type_and_shape_are_exact(void **state) {
    (void)state;
    for (int type = 0; type < DATA_TYPES; type++)
        for (int b_transposed = 0; b_transposed < 2; b_transposed++)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
                struct fixture f;
                fixture_start(&f, shapes[i][0], shapes[i][1]);
                add_term(&f, 0, shapes[i][2], type, b_transposed);
                check_on_every_path(&f, PRODUCT_STORE, WITH_BIAS);
                fixture_end(&f);
            }
}

static void test_products_sum_several_terms(void **state) {
    (void)state;
    static const size_t depths[][PRODUCT_TERMS] = {{1, 1, 1, 1, 1, 1}, {1, 2, 3, 4, 5, 16},
        {16, 15, 14, 13}, {1700, 1}, {1, 1700, 3}, {799, 2, 801}, {1599, 3, 15, 1},
        {4000, 7, 1601, 64}, {800, 1600, 800}};
    static const size_t sizes[][2] = {{29, 45}, {1, 7}, {1009, 3}};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
            struct fixture f;
            fixture_start(&f, sizes[size][0], sizes[size][1]);
            for (size_t term = 0; term < PRODUCT_TERMS && depths[i][term]; term++)
                add_term(&f, 0, depths[i][term], (i + term) % DATA_TYPES, (i + term / 2) % 2);
            check_on_every_path(&f, PRODUCT_STORE, 0);
            fixture_end(&f);
        }
}

static void test_products_are_finished_in_every_way(void **state) {
    (void)state;
    static const size_t sizes[][3] = {{1, 1, 1}, {14, 32, 5}, {15, 33, 16}, {113, 29, 13},
        {29, 113, 1700}, {1009, 15, 9}, {37, 200, 900}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f;
        fixture_start(&f, sizes[i][0], sizes[i][1]);
        add_terms(&f, sizes[i][2], DATA_BF16, true);
        add_terms(&f, 8, DATA_F32, false);
        for (int kind = 0; kind < PRODUCT_FINISHES; kind++)
            for (int variant = 0; variant < BY_FINISH; variant++)
                check_on_every_path(&f, kind, variant);
        fixture_end(&f);
    }
}

static void test_products_a_matrix_is_finished_as_a_product_is(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {31, 16}, {33, 45}, {100, 257}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f;
        fixture_start(&f, sizes[i][0], sizes[i][1]);
        add_term(&f, 0, 40, DATA_F32, true);
        for (int kind = 0; kind < PRODUCT_FINISHES; kind++)
            for (int variant = BY_FINISH; variant < 2 * BY_FINISH; variant++)
                if (kind != PRODUCT_SWIGLU) check_on_every_path(&f, kind, variant);
        fixture_end(&f);
    }
}

// More of them than are laid out at a time, of all shapes and finishes.
static void test_products_many_in_one_call_are_each_its_own(void **state) {
    (void)state;
    enum { MANY = 19 };
    static struct fixture f[MANY];
    static struct run runs[MANY];
    struct product products[MANY];
    for (size_t i = 0; i < MANY; i++) {
        fixture_start(&f[i], 1 + i * 37 % 210, 1 + i * 53 % 130);
        add_terms(&f[i], 1 + i * 97 % 900, i % DATA_TYPES, i % 2);
    }
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        struct compute *compute = computes[path];
        if (!compute) continue;
        for (size_t i = 0; i < MANY; i++) {
            run_prepare(compute, &runs[i], &f[i], i % PRODUCT_FINISHES, WITH_BIAS);
            products[i] = runs[i].product;
        }
        compute_products(compute, products, MANY);
        for (size_t i = 0; i < MANY; i++) {
            run_check(compute, &runs[i]);
            run_free(&runs[i]);
        }
    }
    for (size_t i = 0; i < MANY; i++)
        fixture_end(&f[i]);
}

// With a stride of 0 every row of a is the same one.
static void test_products_rows_may_all_be_the_same(void **state) {
    (void)state;
    struct fixture f;
    struct run r;
    fixture_start(&f, 113, 45);
    add_term(&f, 0, 37, DATA_BF16, true);
    for (size_t i = 0; i < 113; i++) {
        memcpy(f.terms[0][0].a + i * 37, f.terms[0][0].a, 37 * sizeof(float));
        memset(f.sums[0] + i * 45, 0, 45 * sizeof(double));
    }
    add_naive_term(f.sums[0], &f.terms[0][0], 113, 45);
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        struct compute *compute = computes[path];
        if (!compute) continue;
        run_prepare(compute, &r, &f, PRODUCT_STORE, WITH_BIAS);
        r.terms[0][0].a.stride = 0;
        run_compute(compute, &r);
        run_check(compute, &r);
        run_free(&r);
    }
    fixture_end(&f);
}

// More groups of rows than a thread can offer to the others.
static void test_products_have_any_number_of_rows(void **state) {
    (void)state;
    enum { ROWS = 7500000, DEPTH = 2 };
    float *result = memory_alloc_array(ROWS, sizeof *result), b[DEPTH] = {3, 5};
    assert_non_null(result);
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        if (!computes[path]) continue;
        float row[DEPTH] = {2, 4};
        struct operand a = operand_from(computes[path], row, 1, DEPTH);
        struct product_term term = {
            compute_operand_matrix(computes[path], a, ROWS, DEPTH), matrix_f32(b, 1, DEPTH), true};
        term.a.stride = 0;
        struct product product = {.terms = &term,
            .term_count = 1,
            .m = ROWS,
            .n = 1,
            .finish = {.alpha = 1, .to_f32 = result, .to_stride = 1}};
        memset(result, 0, ROWS * sizeof *result);
        compute_products(computes[path], &product, 1);
        size_t wrong = 0;
        for (size_t i = 0; i < ROWS; i++)
            wrong += result[i] != 26;
        assert_int_equal(wrong, 0);
        memory_free(a.data);
    }
    memory_free(result);
}

// Numbers whose sums are not exact show any change of order.
static void spoil(struct fixture *f) {
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < f->count; i++) {
            struct term *t = &f->terms[side][i];
            for (size_t at = 0; at < f->m * t->k; at++)
                t->a[at] *= 1 + (float)random_uniform(9, i, at);
        }
}

static struct outcome outcome_of(
    struct compute *compute, const struct fixture *f, enum product_finish_kind kind) {
    struct run r;
    run_prepare(compute, &r, f, kind, WITH_BIAS);
    run_compute(compute, &r);
    struct outcome got = run_take(compute, &r);
    run_free(&r);
    return got;
}

static void check_threads(struct compute *two, struct compute *other, const struct fixture *f) {
    for (int kind = 0; kind < PRODUCT_FINISHES; kind++) {
        struct outcome got = outcome_of(other, f, kind), want = outcome_of(two, f, kind);
        for (int i = 0; i < RESULTS; i++)
            if (want.values[i])
                assert_memory_equal(got.values[i], want.values[i], f->m * f->n * sizeof(float));
        outcome_free(&got);
        outcome_free(&want);
    }
}

static void test_products_do_not_depend_on_the_number_of_threads(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, 405, 333);
    add_terms(&f, 900, DATA_BF16, true);
    add_terms(&f, 17, DATA_F32, false);
    spoil(&f);
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (int threads = 1; threads <= 3 && computes[path]; threads += 2) {
            struct compute *other = create(path, threads);
            check_threads(computes[path], other, &f);
            compute_free(other);
        }
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_of_every_type_and_shape_are_exact),
        cmocka_unit_test(test_products_sum_several_terms),
        cmocka_unit_test(test_products_are_finished_in_every_way),
        cmocka_unit_test(test_products_a_matrix_is_finished_as_a_product_is),
        cmocka_unit_test(test_products_many_in_one_call_are_each_its_own),
        cmocka_unit_test(test_products_rows_may_all_be_the_same),
        cmocka_unit_test(test_products_have_any_number_of_rows),
        cmocka_unit_test(test_products_do_not_depend_on_the_number_of_threads),
    };
    return cmocka_run_group_tests(tests, computes_start, computes_end);
}
