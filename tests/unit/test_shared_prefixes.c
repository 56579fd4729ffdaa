// A tree of tokens has the loss and the gradient of the separate sequences that it stands for, to
// rounding: over families, adapters, all weights, and kernels that compute in f32.
#include "base/memory.h"
#include "base/random.h"
#include "model/transformer_training.h"
#include "test_model.h"
#include <math.h>

enum { NODES = 12, MOST_NODE_ROWS = 11, TREE_ROWS = NODES * MOST_NODE_ROWS, ROWS = 1024 };

// Rounding: f32 has 24 bits, and sums go over some hundred rows in another order.
static const double limit = 2e-5;

// A batch with its arrays.
struct batch {
    int32_t tokens[ROWS];
    struct training_sequence sequences[NODES];
    struct training_target targets[2 * ROWS];
    struct training_batch batch;
};

static size_t draw(uint64_t seed, size_t *count, size_t bound) {
    return (size_t)random_below(seed, 77, (*count)++, bound);
}

// ---- trees ----

// An ancestor of the node before, that node itself, or none: depth first.
static size_t draw_parent(const struct batch *tree, uint64_t seed, size_t node, size_t *drawn) {
    size_t parent = node ? node - 1 : TRAINING_NO_PARENT;
    while (parent != TRAINING_NO_PARENT && draw(seed, drawn, 5) < 3)
        parent = tree->sequences[parent].parent;
    return parent;
}

// Up to three different tokens after a row; a weight may be a fraction or a sum over examples.
static size_t draw_targets(
    struct batch *tree, uint64_t seed, size_t row, size_t count, size_t *drawn) {
    static const float weights[] = {1, 0.25f, 3, 0.0125f};
    size_t wanted = draw(seed, drawn, 4), token = draw(seed, drawn, 30);
    for (size_t i = 0; i < wanted; i++)
        tree->targets[count++] = (struct training_target){(uint32_t)row, (int32_t)(token + 31 * i),
            weights[draw(seed, drawn, 4)] / 40, (float)(1 + draw(seed, drawn, 3))};
    return count;
}

static void draw_tree(struct batch *tree, uint64_t seed) {
    size_t rows = 0, targets = 0, drawn = 0;
    for (size_t node = 0; node < NODES; node++) {
        size_t parent = draw_parent(tree, seed, node, &drawn);
        size_t length = 1 + draw(seed, &drawn, MOST_NODE_ROWS);
        tree->sequences[node] = (struct training_sequence){rows, length, parent};
        for (size_t end = rows + length; rows < end; rows++) {
            tree->tokens[rows] = (int32_t)draw(seed, &drawn, 96);
            targets = draw_targets(tree, seed, rows, targets, &drawn);
        }
    }
    tree->batch = (struct training_batch){
        tree->tokens, rows, tree->sequences, NODES, tree->targets, targets, 0};
}

static size_t copy_path(struct batch *whole, const struct batch *tree, size_t node, size_t row) {
    if (node == TRAINING_NO_PARENT) return row;
    const struct training_sequence *sequence = &tree->sequences[node];
    row = copy_path(whole, tree, sequence->parent, row);
    memcpy(whole->tokens + row, tree->tokens + sequence->first_row,
        sequence->row_count * sizeof *whole->tokens);
    return row + sequence->row_count;
}

// Each node as a sequence of its own, with all that stands above it, and the node's targets alone.
static void separate(struct batch *whole, const struct batch *tree) {
    size_t rows = 0, targets = 0;
    for (size_t node = 0; node < NODES; node++) {
        const struct training_sequence *sequence = &tree->sequences[node];
        size_t first = rows, end = sequence->first_row + sequence->row_count;
        rows = copy_path(whole, tree, node, rows);
        assert_true(rows <= ROWS);
        whole->sequences[node] =
            (struct training_sequence){first, rows - first, TRAINING_NO_PARENT};
        for (size_t i = 0; i < tree->batch.target_count; i++) {
            struct training_target target = tree->targets[i];
            if (target.row < sequence->first_row || target.row >= end) continue;
            target.row = (uint32_t)(target.row + rows - end);
            whole->targets[targets++] = target;
        }
    }
    whole->batch = (struct training_batch){
        whole->tokens, rows, whole->sequences, NODES, whole->targets, targets, 0};
}

// ---- models ----

static struct model_config family(const char *name) {
    struct model_config config = test_model_config;
    snprintf(config.model_type, sizeof config.model_type, "%s", name);
    config.attention_bias = !strcmp(name, "qwen2");
    config.query_key_norm = !strcmp(name, "qwen3");
    config.tied_embeddings = strcmp(name, "llama") != 0;
    config.layers = 3;
    if (!strcmp(name, "mistral")) {
        config.sliding_window = 9;
        config.windowed[0] = config.windowed[2] = true;
    }
    return config;
}

struct fixture {
    struct model_config config;
    struct compute *compute;
    struct parameters *parameters;
    struct transformer *transformer;
    struct lora *lora; // NULL: all weights
};

// Norms and biases differ from what they begin as, so that each has a say.
static void open_fixture(
    struct fixture *f, const char *name, size_t rank, unsigned modules, struct compute *compute) {
    struct error error;
    *f = (struct fixture){.config = family(name), .compute = compute};
    assert_true(parameters_create(&f->parameters, &f->config, &error));
    parameters_initialise(f->parameters, &f->config, 11);
    for (size_t i = 0; i < f->parameters->count; i++)
        f->parameters->values[i] += 0.05f * (float)random_normal(11, 12, i);
    assert_true(transformer_over(&f->transformer, &f->config, f->parameters, &error));
    if (!rank) return;
    assert_true(lora_create(&f->lora, &f->config, rank, 2 * (float)rank, modules, 13, &error));
    for (size_t i = 0; i < f->lora->count; i++)
        f->lora->parameters[i] += 0.05f * (float)random_normal(13, 14, i);
}

static void close_fixture(struct fixture *f) {
    lora_free(f->lora);
    transformer_close(f->transformer);
    parameters_free(f->parameters);
}

static size_t trained(const struct fixture *f) {
    return f->lora ? f->lora->count : f->parameters->count;
}

static float *gradients_of(struct fixture *f, const struct batch *batch, size_t max_rows,
    uint64_t budget, struct training_result *result, float *losses) {
    struct training *training;
    struct error error;
    float *gradients = memory_alloc_zeroed(trained(f), sizeof *gradients);
    *result = (struct training_result){0};
    assert_true(
        training_create(&training, f->transformer, f->compute, max_rows, f->lora, budget, &error));
    training_step(training, &batch->batch, gradients, result, losses);
    training_free(training);
    return gradients;
}

// ---- comparing ----

static double distance(const float *a, const float *b, size_t count) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    assert_true(size > 0);
    return sqrt(difference / size);
}

static void expect_close(const struct fixture *f, const char *what, const float *got,
    const float *wanted, size_t count) {
    double far = distance(got, wanted, count);
    if (!(far < limit))
        fail_msg("%s, %s: %s is off by %g of its size", f->config.model_type,
            compute_path_names[compute_path_of(f->compute)], what, far);
}

// Each matrix and vector by itself: a small one must not hide behind a large one.
static void compare_gradients(const struct fixture *f, const float *got, const float *wanted) {
    for (size_t i = 0; f->lora && i < f->lora->entry_count; i++) {
        const struct lora_entry *entry = &f->lora->entries[i];
        expect_close(f, lora_module_names[entry->module], got + entry->a_offset,
            wanted + entry->a_offset, f->lora->rank * entry->in);
        expect_close(f, lora_module_names[entry->module], got + entry->b_offset,
            wanted + entry->b_offset, f->lora->rank * entry->out);
    }
    for (size_t i = 0; !f->lora && i < f->parameters->entry_count; i++) {
        const struct parameter_entry *entry = &f->parameters->entries[i];
        // Softmax does not see what all keys have in common: this gradient is nought but rounding.
        if (entry->kind == PARAMETER_BIAS && entry->module == LORA_K) continue;
        expect_close(f, entry->name, got + entry->offset, wanted + entry->offset,
            entry->rows * entry->columns);
    }
}

static void compare_losses(
    const struct batch *tree, const struct batch *whole, const float *got, const float *wanted) {
    size_t at = 0;
    assert_int_equal(tree->batch.target_count, whole->batch.target_count);
    for (size_t i = 0; i < tree->batch.target_count; i++, at++)
        assert_true(fabsf(got[i] - wanted[at]) < 1e-4f * (1 + wanted[at]));
}

static void check_tree(struct fixture *f, uint64_t seed, uint64_t budget) {
    static struct batch tree, whole;
    static float got_losses[2 * ROWS], wanted_losses[2 * ROWS];
    struct training_result got, wanted;
    draw_tree(&tree, seed);
    separate(&whole, &tree);
    // Room for twice as many targets as rows, and not a row more than there are.
    float *of_tree = gradients_of(f, &tree, tree.batch.rows, budget, &got, got_losses);
    float *of_whole = gradients_of(f, &whole, ROWS, UINT64_MAX, &wanted, wanted_losses);
    assert_true(fabs(got.loss - wanted.loss) < limit * wanted.loss);
    assert_true(got.supervised == wanted.supervised && got.hits == wanted.hits);
    compare_losses(&tree, &whole, got_losses, wanted_losses);
    compare_gradients(f, of_tree, of_whole);
    memory_free(of_tree);
    memory_free(of_whole);
}

static void on_f32_paths(void (*check)(struct compute *compute)) {
    static const enum compute_path paths[] = {COMPUTE_REFERENCE, COMPUTE_AVX2};
    for (size_t i = 0; i < 2; i++) {
        struct compute *compute;
        struct error error;
        if (!compute_create(&compute, 2, paths[i], &error)) {
            print_message("skipped: %s\n", error.message);
            continue;
        }
        check(compute);
        compute_free(compute);
    }
}

static const char *const families[] = {"llama", "qwen2", "qwen3", "mistral"};

static void check_adapters(struct compute *compute) {
    static const struct {
        size_t rank;
        unsigned modules;
    } adapters[] = {{4, LORA_ALL_MODULES}, {1, 1 << LORA_Q | 1 << LORA_V},
        {7, 1 << LORA_K | 1 << LORA_O | 1 << LORA_DOWN}};
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (size_t j = 0; j < sizeof adapters / sizeof *adapters; j++) {
            struct fixture f;
            open_fixture(&f, families[i], adapters[j].rank, adapters[j].modules, compute);
            for (int round = 0; round < 3; round++)
                check_tree(&f, seed++, round == 1 ? 0 : UINT64_MAX);
            close_fixture(&f);
        }
}

static void test_shared_prefixes_have_the_gradient_of_adapters(void **state) {
    (void)state;
    on_f32_paths(check_adapters);
}

static void check_all_weights(struct compute *compute) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct fixture f;
        open_fixture(&f, families[i], 0, 0, compute);
        for (uint64_t seed = 100; seed < 104; seed++)
            check_tree(&f, seed + 10 * i, seed == 101 ? 0 : UINT64_MAX);
        close_fixture(&f);
    }
}

static void test_shared_prefixes_have_the_gradient_of_all_weights(void **state) {
    (void)state;
    on_f32_paths(check_all_weights);
}

// The same bits, whatever the threads and whatever is computed again.
static void test_shared_prefixes_are_the_same_bytes_with_any_threads_and_memory(void **state) {
    (void)state;
    static struct batch tree;
    struct training_result results[3];
    float *gradients[3];
    struct error error;
    draw_tree(&tree, 9);
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        struct compute *compute;
        assert_true(compute_create(&compute, i + 1, COMPUTE_AUTO, &error));
        open_fixture(&f, "qwen3", 4, LORA_ALL_MODULES, compute);
        gradients[i] = gradients_of(&f, &tree, TREE_ROWS, i ? 0 : UINT64_MAX, &results[i], NULL);
        assert_true(results[i].loss == results[0].loss);
        assert_memory_equal(gradients[i], gradients[0], trained(&f) * sizeof(float));
        close_fixture(&f);
        compute_free(compute);
    }
    for (int i = 0; i < 3; i++)
        memory_free(gradients[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_prefixes_have_the_gradient_of_adapters),
        cmocka_unit_test(test_shared_prefixes_have_the_gradient_of_all_weights),
        cmocka_unit_test(test_shared_prefixes_are_the_same_bytes_with_any_threads_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
