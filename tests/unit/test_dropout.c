// Dropout: what it leaves out, and that the gradient is that of the loss with just those left out.
#include "model/lora.h"
#include "model/transformer_training.h"
#include "test_compute.h"
#include "test_model.h"

enum { ROWS = 301, COLUMNS = 67, COUNT = ROWS * COLUMNS, TOKENS = 24 };

static struct compute *open_compute(int threads, enum compute_path path) {
    struct compute *compute;
    struct error error;
    assert_true(compute_create(&compute, threads, path, &error));
    return compute;
}

static void assert_share(const float *x, const float *y) {
    size_t dropped = 0;
    for (size_t i = 0; i < COUNT; i++) {
        dropped += y[i] == 0;
        assert_true(y[i] == 0 || fabsf(y[i] - x[i] / 0.75f) < 1e-6f);
    }
    assert_true(fabs((double)dropped / COUNT - 0.25) < 0.02);
}

static void test_dropout_keeps_its_share_and_scales_it(void **state) {
    (void)state;
    static float x[COUNT], y[COUNT], again[COUNT];
    struct dropout dropout = {7, 3, 0.25f}, other = {8, 3, 0.25f};
    struct compute *compute = open_compute(1, COMPUTE_AUTO), *two = open_compute(2, COMPUTE_AUTO);
    size_t same = 0;
    for (size_t i = 0; i < COUNT; i++)
        x[i] = 1 + (float)i / COUNT;
    compute_dropout_add(compute, &dropout, x, y, ROWS, COLUMNS);
    compute_dropout_add(two, &dropout, x, again, ROWS, COLUMNS);
    assert_memory_equal(y, again, sizeof y);
    assert_share(x, y);
    memset(again, 0, sizeof again);
    compute_dropout_add(compute, &other, x, again, ROWS, COLUMNS);
    for (size_t i = 0; i < COUNT; i++)
        same += (y[i] == 0) == (again[i] == 0);
    assert_true(fabs((double)same / COUNT - (0.75 * 0.75 + 0.25 * 0.25)) < 0.02);
    memcpy(again, x, sizeof x);
    compute_dropout_add(compute, &dropout, x, again, ROWS, COLUMNS);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(again[i] == x[i] + y[i]);
    compute_free(compute);
    compute_free(two);
}

// Forward drops from operands, backward adds to f32.
static void test_dropout_of_operands_leaves_out_the_same(void **state) {
    (void)state;
    struct dropout dropout = {7, 3, 0.25f};
    for (int path = COMPUTE_REFERENCE; path < COMPUTE_PATHS; path++) {
        struct compute *compute = create(path, 2);
        if (!compute) continue;
        float *values = random_floats(4, COUNT, 1), *want = zero_floats(COUNT);
        struct operand x = operand_from(compute, values, ROWS, COLUMNS);
        struct operand y = operand_new(compute, ROWS, COLUMNS);
        round_to_operand(compute, values, COUNT);
        compute_dropout_add(compute, &dropout, values, want, ROWS, COLUMNS);
        round_to_operand(compute, want, COUNT);
        compute_dropout(compute, &dropout, x, y, ROWS, COLUMNS);
        float *got = operand_floats(compute, y, ROWS, COLUMNS);
        assert_memory_equal(got, want, COUNT * sizeof *want);
        memory_free(values);
        memory_free(want);
        memory_free(got);
        memory_free(x.data);
        memory_free(y.data);
        compute_free(compute);
    }
}

struct fixture {
    struct transformer *transformer;
    struct compute *compute;
    struct lora *lora;
    struct training *training;
    struct training_batch batch;
};

static double loss_at(struct fixture *f, float *gradients) {
    struct training_result result = {0};
    training_step(f->training, &f->batch, gradients, &result, NULL);
    return result.loss;
}

static void move(struct lora *lora, const float *start, const float *direction, double by) {
    for (size_t i = 0; i < lora->count; i++)
        lora->parameters[i] = (float)(start[i] + by * direction[i]);
}

// The derivative along random directions, by the gradient and by two losses.
static void check_gradient(struct fixture *f, uint64_t seed) {
    size_t count = f->lora->count;
    float *start = memory_alloc_array(count, sizeof *start);
    float *direction = memory_alloc_array(count, sizeof *direction);
    float *gradients = memory_alloc_zeroed(count, sizeof *gradients);
    float *unused = memory_alloc_zeroed(count, sizeof *unused);
    double slope = 0, step = 1e-3;
    memcpy(start, f->lora->parameters, count * sizeof *start);
    loss_at(f, gradients);
    for (size_t i = 0; i < count; i++) {
        direction[i] = (float)random_normal(seed, 1, i);
        slope += (double)gradients[i] * (double)direction[i];
    }
    move(f->lora, start, direction, step);
    double above = loss_at(f, unused);
    move(f->lora, start, direction, -step);
    double below = loss_at(f, unused);
    move(f->lora, start, direction, 0);
    double measured = (above - below) / (2 * step);
    if (fabs(measured - slope) > 0.005 * fabs(slope) + 1e-3)
        fail_msg("the slope is %g by the gradient and %g by the losses", slope, measured);
    memory_free(start);
    memory_free(direction);
    memory_free(gradients);
    memory_free(unused);
}

static void test_dropout_has_the_gradient_of_its_loss(void **state) {
    (void)state;
    char *model = test_model_directory();
    struct fixture f = {.compute = open_compute(2, COMPUTE_REFERENCE)};
    struct error error;
    int32_t tokens[TOKENS];
    struct training_target targets[TOKENS];
    struct training_sequence sequence = {0, TOKENS, TRAINING_NO_PARENT};
    assert_true(transformer_open(&f.transformer, model, &error));
    assert_true(lora_create(&f.lora, &test_model_config, 4, 8, LORA_ALL_MODULES, 1, &error));
    f.lora->dropout = 0.4f;
    for (size_t i = 0; i < f.lora->count; i++)
        f.lora->parameters[i] += 0.05f * (float)random_normal(2, 2, i);
    for (int i = 0; i < TOKENS; i++) {
        tokens[i] = i * 5 % 40;
        targets[i] = (struct training_target){(uint32_t)i, (i * 5 + 7) % 40, 1.0f / TOKENS, 1};
    }
    f.batch = (struct training_batch){tokens, TOKENS, &sequence, 1, targets, TOKENS, 0};
    assert_true(
        training_create(&f.training, f.transformer, f.compute, TOKENS, f.lora, UINT64_MAX, &error));
    double losses[2];
    for (uint64_t key = 0; key < 2; key++) {
        f.batch.dropout_key = key;
        check_gradient(&f, key);
        float *unused = memory_alloc_zeroed(f.lora->count, sizeof *unused);
        losses[key] = loss_at(&f, unused);
        memory_free(unused);
    }
    assert_true(losses[0] != losses[1]);
    struct training_result plain = {0}, again = {0};
    training_evaluate(f.training, &f.batch, &plain, NULL);
    f.batch.dropout_key = 9;
    training_evaluate(f.training, &f.batch, &again, NULL);
    assert_true(plain.loss == again.loss); // nothing is dropped where nothing is learned
    training_free(f.training);
    lora_free(f.lora);
    compute_free(f.compute);
    transformer_close(f.transformer);
    test_directory_remove(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout_keeps_its_share_and_scales_it),
        cmocka_unit_test(test_dropout_of_operands_leaves_out_the_same),
        cmocka_unit_test(test_dropout_has_the_gradient_of_its_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
