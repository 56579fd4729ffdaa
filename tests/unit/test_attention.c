// Attention against the formulas written out: queries behind a history, trees of spans, windows,
// and the gradient; on every path, whatever the number of threads.
#include "test_attention_case.h"

// All keys, hardly any, less and more than a block of keys.
static const size_t windows[] = {0, 2, 33, 270};

enum { WINDOWS = sizeof windows / sizeof *windows };

static double attention_tolerance(const struct compute *compute) {
    return operands_are_bf16(compute_path_of(compute)) ? 2e-2 : 2e-5;
}

// Row by row, so that a wrong one does not drown among the others.
static void assert_rows(const float *got, const float *want, size_t rows, size_t columns,
    double tolerance, const char *what) {
    double norm = 0;
    for (size_t i = 0; i < rows * columns; i++)
        norm += (double)want[i] * want[i];
    for (size_t row = 0; row < rows; row++) {
        double error = 0, of_row = 0;
        for (size_t i = row * columns; i < (row + 1) * columns; i++) {
            error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
            of_row += (double)want[i] * want[i];
        }
        double most = tolerance * (sqrt(of_row) + sqrt(norm / (double)rows));
        if (!(sqrt(error) <= most + 1e-12))
            fail_msg("%s, row %zu: error %g of %g", what, row, sqrt(error), sqrt(of_row));
    }
}

static void describe(char *text, size_t size, const struct compute *compute,
    const struct attention_case *c, int operands, const char *what) {
    snprintf(text, size, "%s of %s, head_dim %zu, %zu rows, %zu keys, window %zu, operands %d",
        what, compute_path_names[compute_path_of(compute)], c->shape.head_dim, c->rows, c->key_rows,
        c->shape.window, operands);
}

static void assert_forward(const struct compute *compute, const struct attention_case *c,
    const struct attention_result *got, const struct attention_result *want, int operands) {
    double tolerance = attention_tolerance(compute);
    char what[160];
    describe(what, sizeof what, compute, c, operands, "output");
    assert_rows(got->output, want->output, c->rows, query_columns(c), tolerance, what);
    describe(what, sizeof what, compute, c, operands, "log_sum_exp");
    assert_rows(got->log_sum_exp, want->log_sum_exp, c->rows, c->shape.heads, tolerance, what);
}

static void assert_backward(const struct compute *compute, const struct attention_case *c,
    const struct attention_result *got, const struct attention_result *want) {
    double tolerance = attention_tolerance(compute);
    char what[160];
    describe(what, sizeof what, compute, c, OPERANDS, "dquery");
    assert_rows(got->dquery, want->dquery, c->rows, query_columns(c), tolerance, what);
    describe(what, sizeof what, compute, c, OPERANDS, "dkeys");
    assert_rows(got->dkeys, want->dkeys, c->rows, key_columns(c), tolerance, what);
    describe(what, sizeof what, compute, c, OPERANDS, "dvalues");
    assert_rows(got->dvalues, want->dvalues, c->rows, key_columns(c), tolerance, what);
}

// One of each path that this processor has.
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

// ---- forward ----

// All mixtures of operands and f32 where there are few rows; else all of one kind.
static void check_forward(struct attention_case *c) {
    int step = c->rows + c->key_rows < 1000 ? 1 : OPERANDS;
    case_fill(c);
    struct attention_result want = naive_attention(c, false);
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (int operands = 0; operands <= OPERANDS && computes[path]; operands += step) {
            struct attention_result got = attention_of(computes[path], c, operands, false);
            assert_forward(computes[path], c, &got, &want, operands);
            result_free(&got);
        }
    result_free(&want);
    case_free(c);
}

static void check_history(
    struct attention_shape shape, const size_t queries[2], const size_t history[2]) {
    for (size_t i = 0; i < WINDOWS; i++) {
        struct attention_case c = {.shape = shape};
        c.shape.window = windows[i];
        add_span(&c, queries[0], history[0]);
        add_span(&c, queries[1], history[1]);
        check_forward(&c);
    }
}

static void test_attention_follows_the_formula(void **state) {
    (void)state;
    check_history(shape_of(4, 2, 24, 0), (size_t[]){150, 5}, (size_t[]){150, 150});
    check_history(shape_of(2, 2, 48, 0), (size_t[]){37, 9}, (size_t[]){0, 32});
    check_history(shape_of(2, 1, 80, 0), (size_t[]){131, 8}, (size_t[]){7, 0});
    check_history(shape_of(3, 1, 64, 0), (size_t[]){1, 15}, (size_t[]){0, 63});
}

static void test_attention_of_many_keys_follows_the_formula(void **state) {
    (void)state;
    check_history(shape_of(2, 1, 64, 0), (size_t[]){41, 13}, (size_t[]){1100, 2200});
    check_history(shape_of(2, 1, 256, 0), (size_t[]){15, 9}, (size_t[]){1030, 500});
    check_history(shape_of(1, 1, 512, 0), (size_t[]){33, 11}, (size_t[]){300, 501});
}

static void test_attention_of_many_queries_follows_the_formula(void **state) {
    (void)state;
    check_history(shape_of(2, 1, 128, 0), (size_t[]){521, 3}, (size_t[]){0, 0});
    check_history(shape_of(1, 1, 24, 0), (size_t[]){1045, 2}, (size_t[]){0, 0});
}

static void test_attention_of_few_queries_follows_the_formula(void **state) {
    (void)state;
    check_history(shape_of(4, 2, 24, 0), (size_t[]){1, 2}, (size_t[]){299, 0});
    check_history(shape_of(4, 1, 64, 0), (size_t[]){7, 1}, (size_t[]){1500, 1});
    check_history(shape_of(2, 2, 128, 0), (size_t[]){1, 6}, (size_t[]){30, 260});
}

// ---- the gradient ----

static void check_backward(struct attention_case *c) {
    case_fill(c);
    struct attention_result want = naive_attention(c, true);
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        if (!computes[path]) continue;
        struct attention_result got = attention_of(computes[path], c, OPERANDS, true);
        assert_forward(computes[path], c, &got, &want, OPERANDS);
        assert_backward(computes[path], c, &got, &want);
        result_free(&got);
    }
    result_free(&want);
    case_free(c);
}

static void check_sequences(struct attention_shape shape, size_t first, size_t second) {
    for (size_t i = 0; i < WINDOWS; i++) {
        struct attention_case c = {.shape = shape};
        c.shape.window = windows[i];
        add_node(&c, first, NO_PARENT);
        add_node(&c, second, NO_PARENT);
        check_backward(&c);
    }
}

static void test_attention_gradient_follows_the_formula(void **state) {
    (void)state;
    check_sequences(shape_of(4, 2, 24, 0), 151, 1);
    check_sequences(shape_of(2, 2, 48, 0), 37, 113);
    check_sequences(shape_of(3, 1, 64, 0), 1, 225);
    check_sequences(shape_of(2, 1, 80, 0), 131, 14);
    check_sequences(shape_of(2, 1, 128, 0), 99, 29);
    check_sequences(shape_of(2, 1, 256, 0), 67, 15);
}

static void test_attention_gradient_of_many_keys_follows_the_formula(void **state) {
    (void)state;
    check_sequences(shape_of(1, 1, 24, 0), 1101, 5);
    check_sequences(shape_of(1, 1, 64, 0), 545, 15);
}

static void test_attention_gradient_of_the_largest_heads_follows_the_formula(void **state) {
    (void)state;
    check_sequences(shape_of(1, 1, 384, 0), 333, 35);
    check_sequences(shape_of(1, 1, ATTENTION_HEAD_DIM, 0), 281, 15);
}

// The sum of doutput ∘ output where one input has moved along a direction.
static double moved_sum(struct compute *compute, const struct attention_case *c, float *input,
    const float *direction, size_t count, double step) {
    double sum = 0;
    float *before = copy_floats(input, count);
    for (size_t i = 0; i < count; i++)
        input[i] += (float)(step * direction[i]);
    struct attention_result r = attention_of(compute, c, OPERANDS, false);
    sum = dot(r.output, c->doutput, c->rows * query_columns(c));
    memcpy(input, before, count * sizeof *input);
    memory_free(before);
    result_free(&r);
    return sum;
}

static void check_derivative(struct attention_case *c) {
    case_fill(c);
    struct compute *compute = computes[COMPUTE_REFERENCE];
    struct attention_result r = attention_of(compute, c, OPERANDS, true);
    float *inputs[] = {c->query, c->keys, c->values};
    const float *gradients[] = {r.dquery, r.dkeys, r.dvalues};
    for (int which = 0; which < 3; which++) {
        size_t count = c->rows * (which ? key_columns(c) : query_columns(c));
        float *direction = random_floats(20, count, 1);
        double step = 1e-2, want = dot(gradients[which], direction, count);
        double got = (moved_sum(compute, c, inputs[which], direction, count, step) -
                         moved_sum(compute, c, inputs[which], direction, count, -step)) /
                     (2 * step);
        if (fabs(got - want) > 2e-3 * fabs(want) + 2e-2)
            fail_msg("input %d: derivative %g, gradient %g", which, got, want);
        memory_free(direction);
    }
    result_free(&r);
    case_free(c);
}

static void test_attention_gradient_is_the_derivative(void **state) {
    (void)state;
    for (size_t i = 0; i < WINDOWS; i++) {
        struct attention_case c = {.shape = shape_of(4, 2, 24, windows[i])};
        size_t root = add_node(&c, 120, NO_PARENT);
        add_node(&c, 31, root);
        add_node(&c, 170, root);
        check_derivative(&c);
    }
}

// ---- trees ----

// Random branching, any lengths, some of a single row.
static void grow(struct attention_case *c, uint64_t stream, size_t nodes, size_t longest) {
    size_t root = c->spans;
    for (size_t i = 0; i < nodes; i++) {
        size_t parent = i ? root + random_below(3, stream, 2 * i, i) : NO_PARENT;
        size_t rows =
            random_below(4, stream, i, 4) ? random_below(3, stream, 2 * i + 1, longest) : 0;
        add_node(c, 1 + rows, parent);
    }
}

static void test_attention_of_trees_follows_the_formula(void **state) {
    (void)state;
    for (size_t i = 0; i < WINDOWS; i++) {
        struct attention_case c = {.shape = shape_of(4, 2, 24, windows[i])};
        grow(&c, 2 * i, 9, 60);
        grow(&c, 2 * i + 1, 4, 40);
        check_backward(&c);
        struct attention_case d = {.shape = shape_of(2, 2, 80, windows[i])};
        grow(&d, 20 + i, 12, 33);
        check_forward(&d);
    }
}

// A tree whose spans meet within a chunk of keys and in several.
static void test_attention_of_deep_trees_follows_the_formula(void **state) {
    (void)state;
    for (size_t i = 0; i < WINDOWS; i++) {
        struct attention_case c = {.shape = shape_of(1, 1, 24, windows[i])};
        size_t root = add_node(&c, 505, NO_PARENT), inner = add_node(&c, 131, root);
        add_node(&c, 1, inner);
        add_node(&c, 0, inner);
        add_node(&c, 417, inner);
        add_node(&c, 20, add_node(&c, 1, root));
        check_backward(&c);
    }
}

// The paths of a tree's leaves as sequences of their own; rows[i]: where row i comes from.
struct unrolled {
    struct attention_case sequences;
    size_t *rows;
};

static bool is_leaf(const struct attention_case *c, size_t node) {
    for (size_t i = 0; i < c->spans; i++)
        if (c->plans[i].parent == node) return false;
    return true;
}

static void unroll(struct unrolled *u, const struct attention_case *c) {
    *u = (struct unrolled){.sequences = {.shape = c->shape}};
    u->rows = memory_alloc_array(c->rows * c->spans, sizeof *u->rows);
    for (size_t leaf = 0; leaf < c->spans; leaf++) {
        if (!is_leaf(c, leaf)) continue;
        size_t end = c->plans[leaf].first_position + c->plans[leaf].queries;
        size_t first = u->sequences.rows;
        add_node(&u->sequences, end, NO_PARENT);
        for (size_t position = 0; position < end; position++)
            u->rows[first + position] = key_row_of(c, &c->plans[leaf], position);
    }
}

// A row that several sequences share has the gradient of its output in the first of them alone, so
// that what sequences get adds up to what the tree gets.
static void unroll_inputs(struct unrolled *u, const struct attention_case *c) {
    struct attention_case *s = &u->sequences;
    bool *met = memory_alloc_zeroed(c->rows, sizeof *met);
    size_t wide = query_columns(c), narrow = key_columns(c);
    case_fill(s);
    for (size_t i = 0; i < s->rows; i++) {
        size_t from = u->rows[i];
        memcpy(s->query + i * wide, c->query + from * wide, wide * sizeof(float));
        memcpy(s->keys + i * narrow, c->keys + from * narrow, narrow * sizeof(float));
        memcpy(s->values + i * narrow, c->values + from * narrow, narrow * sizeof(float));
        for (size_t j = 0; j < wide; j++)
            s->doutput[i * wide + j] = met[from] ? 0 : c->doutput[from * wide + j];
        met[from] = true;
    }
    memory_free(met);
}

static void add_row(float *to, const float *from, size_t columns) {
    for (size_t i = 0; i < columns; i++)
        to[i] += from[i];
}

static struct attention_result roll_up(
    const struct unrolled *u, const struct attention_case *c, const struct attention_result *from) {
    struct attention_result to = result_new(c);
    size_t wide = query_columns(c), narrow = key_columns(c), heads = c->shape.heads;
    for (size_t i = 0; i < u->sequences.rows; i++) {
        size_t row = u->rows[i];
        memcpy(to.output + row * wide, from->output + i * wide, wide * sizeof(float));
        memcpy(to.log_sum_exp + row * heads, from->log_sum_exp + i * heads, heads * sizeof(float));
        add_row(to.dquery + row * wide, from->dquery + i * wide, wide);
        add_row(to.dkeys + row * narrow, from->dkeys + i * narrow, narrow);
        add_row(to.dvalues + row * narrow, from->dvalues + i * narrow, narrow);
    }
    return to;
}

static void check_tree(struct attention_case *c) {
    struct unrolled u;
    case_fill(c);
    unroll(&u, c);
    unroll_inputs(&u, c);
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        if (!computes[path]) continue;
        struct attention_result got = attention_of(computes[path], c, OPERANDS, true);
        struct attention_result separate =
            attention_of(computes[path], &u.sequences, OPERANDS, true);
        struct attention_result want = roll_up(&u, c, &separate);
        assert_forward(computes[path], c, &got, &want, OPERANDS);
        assert_backward(computes[path], c, &got, &want);
        result_free(&got);
        result_free(&separate);
        result_free(&want);
    }
    case_free(&u.sequences);
    memory_free(u.rows);
    case_free(c);
}

static void test_attention_of_trees_is_that_of_the_sequences(void **state) {
    (void)state;
    static const size_t dims[] = {24, 64};
    for (size_t i = 0; i < WINDOWS; i++)
        for (size_t dim = 0; dim < 2; dim++) {
            struct attention_case c = {.shape = shape_of(4, 2, dims[dim], windows[i])};
            grow(&c, 4 * i + dim, 12, 90);
            grow(&c, 4 * i + dim + 50, 1, 40);
            grow(&c, 4 * i + dim + 90, 6, 200);
            check_tree(&c);
        }
}

// ---- threads ----

static void check_threads(const struct attention_case *c, enum compute_path path, int threads) {
    struct compute *other = create(path, threads);
    struct attention_result got = attention_of(other, c, OPERANDS, true);
    struct attention_result want = attention_of(computes[path], c, OPERANDS, true);
    size_t wide = c->rows * query_columns(c) * sizeof(float);
    size_t narrow = c->rows * key_columns(c) * sizeof(float);
    assert_memory_equal(got.output, want.output, wide);
    assert_memory_equal(got.dquery, want.dquery, wide);
    assert_memory_equal(got.dkeys, want.dkeys, narrow);
    assert_memory_equal(got.dvalues, want.dvalues, narrow);
    result_free(&got);
    result_free(&want);
    compute_free(other);
}

static void check_any_threads(struct attention_case *c) {
    case_fill(c);
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++)
        for (int threads = 1; threads <= 3 && computes[path]; threads += 2)
            check_threads(c, path, threads);
    case_free(c);
}

static void test_attention_does_not_depend_on_the_number_of_threads(void **state) {
    (void)state;
    struct attention_case tree = {.shape = shape_of(4, 2, 24, 0)};
    grow(&tree, 7, 9, 150);
    grow(&tree, 8, 1, 600);
    check_any_threads(&tree);
    // Fewer tasks than threads, of several chunks of keys: those without one help.
    for (size_t window = 0; window < 100; window += 70) {
        struct attention_case alone = {.shape = shape_of(3, 1, 24, window)};
        grow(&alone, 9, 1, 1300);
        check_any_threads(&alone);
        struct attention_case separate = {.shape = shape_of(6, 2, 24, window)};
        for (uint64_t i = 0; i < 2; i++)
            grow(&separate, 10 + i, 1, 600);
        check_any_threads(&separate);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_follows_the_formula),
        cmocka_unit_test(test_attention_of_many_keys_follows_the_formula),
        cmocka_unit_test(test_attention_of_many_queries_follows_the_formula),
        cmocka_unit_test(test_attention_of_few_queries_follows_the_formula),
        cmocka_unit_test(test_attention_gradient_follows_the_formula),
        cmocka_unit_test(test_attention_gradient_of_many_keys_follows_the_formula),
        cmocka_unit_test(test_attention_gradient_of_the_largest_heads_follows_the_formula),
        cmocka_unit_test(test_attention_gradient_is_the_derivative),
        cmocka_unit_test(test_attention_of_trees_follows_the_formula),
        cmocka_unit_test(test_attention_of_deep_trees_follows_the_formula),
        cmocka_unit_test(test_attention_of_trees_is_that_of_the_sequences),
        cmocka_unit_test(test_attention_does_not_depend_on_the_number_of_threads),
    };
    return cmocka_run_group_tests(tests, computes_start, computes_end);
}
