// The training loop: it learns, and however it is stopped and with whatever threads it runs, it
// ends in the same bytes.
#include "base/memory.h"
#include "base/random.h"
#include "model/adapter_file.h"
#include "test_model.h"
#include "train/packing.h"
#include "train/train_work.h"
#include <math.h>

enum { EXAMPLES = 30, EPOCHS = 4 };

// Sequences that repeat a short pattern: learnable.
static struct dataset *make_dataset(void) {
    struct dataset *data = memory_alloc_zeroed(1, sizeof *data);
    data->example_count = EXAMPLES;
    data->examples = memory_alloc_zeroed(EXAMPLES, sizeof *data->examples);
    data->tokens = memory_alloc_zeroed(EXAMPLES * 64, sizeof *data->tokens);
    data->weights = memory_alloc_zeroed(EXAMPLES * 64, sizeof *data->weights);
    for (uint32_t i = 0; i < EXAMPLES; i++) {
        uint32_t length = 10 + (uint32_t)random_below(3, 1, i, 50);
        data->examples[i] = (struct dataset_example){data->token_count, length, length / 2, i + 1};
        for (uint32_t j = 0; j < length; j++) {
            data->tokens[data->token_count + j] = (int32_t)((i % 5) * 7 + j % 4);
            data->weights[data->token_count + j] = j > length / 2 ? 1 : 0;
        }
        data->token_count += length;
        data->longest = length > data->longest ? length : data->longest;
    }
    return data;
}

static void free_dataset(struct dataset *data) {
    memory_free(data->examples);
    memory_free(data->tokens);
    memory_free(data->weights);
    memory_free(data);
}

struct watch {
    uint64_t stop_after; // micro-batches; 0: never
    uint64_t asked;
    enum trainer_stop answer;
    double first_loss, last_loss, last_full_valid_loss;
    uint64_t steps;
};

static enum trainer_stop asked_to_stop(void *context) {
    struct watch *watch = context;
    return watch->stop_after && ++watch->asked > watch->stop_after ? watch->answer : TRAINER_GO_ON;
}

static void saw_metrics(void *context, const struct train_metrics *metrics) {
    struct watch *watch = context;
    if (metrics->step == 1) watch->first_loss = metrics->train_loss;
    watch->last_loss = metrics->train_loss;
    watch->last_full_valid_loss = metrics->full_valid_loss;
    watch->steps++;
}

static struct train_spec make_spec(char *model, int threads) {
    struct train_spec spec;
    train_spec_init(&spec);
    spec.model = model;
    spec.epochs = EPOCHS;
    spec.batch_size = 4;
    spec.rate_multiplier = 2;
    spec.lora_rank = 4;
    spec.lora_alpha = 8;
    spec.lora_dropout = 0.1; // which elements are dropped is a part of what must not change
    spec.threads = threads;
    spec.seed = 5;
    return spec;
}

static enum trainer_outcome run(const struct train_spec *spec, const struct dataset *data,
    const char *job, struct watch *watch) {
    struct train_events events = {-1};
    struct trainer_data both = {data, data};
    struct trainer_watcher watcher = {asked_to_stop, saw_metrics, watch};
    struct error error = {0};
    enum trainer_outcome outcome = trainer_run(spec, &both, job, &events, &watcher, &error);
    if (outcome == TRAINER_FAILED) print_message("%s\n", error.message);
    return outcome;
}

static char *read_result(const char *job, const char *name, size_t *length) {
    char path[FILE_PATH_SIZE], *bytes;
    struct error error;
    assert_true(file_path(path, sizeof path, &error, job, name));
    assert_true(file_read(path, 1 << 24, &bytes, length, &error));
    return bytes;
}

static const char adapter_name[] = "adapter/adapter_model.safetensors";

static char *undisturbed(const struct dataset *data, char *model, int threads, size_t *length) {
    char *job = test_directory();
    struct watch watch = {0};
    struct train_spec spec = make_spec(model, threads);
    assert_int_equal(run(&spec, data, job, &watch), TRAINER_FINISHED);
    assert_int_equal(watch.steps, EPOCHS * 8);
    assert_true(watch.last_loss < 0.7 * watch.first_loss);
    assert_true(watch.last_full_valid_loss < 0.7 * watch.first_loss);
    char *bytes = read_result(job, adapter_name, length);
    test_directory_remove(job);
    return bytes;
}

static void test_trainer_learns_and_ends_in_the_same_bytes_with_any_number_of_threads(
    void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    char *model = test_model_directory();
    size_t length, other;
    char *one = undisturbed(data, model, 1, &length);
    for (int threads = 2; threads <= 3; threads++) {
        char *more = undisturbed(data, model, threads, &other);
        assert_int_equal(length, other);
        assert_memory_equal(one, more, length);
        memory_free(more);
    }
    memory_free(one);
    free_dataset(data);
    test_directory_remove(model);
}

static void test_trainer_stopped_anywhere_goes_on_to_the_same_bytes(void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    char *model = test_model_directory(), *job = test_directory();
    size_t length, other;
    char *want = undisturbed(data, model, 2, &length);
    struct train_spec spec = make_spec(model, 2);
    int stops = 0;
    for (;; stops++) {
        struct watch watch = {
            .stop_after = 1 + random_below(9, 9, (uint64_t)stops, 9), .answer = TRAINER_INTERRUPT};
        spec.threads = 1 + stops % 3;
        enum trainer_outcome outcome = run(&spec, data, job, &watch);
        if (outcome == TRAINER_FINISHED) break;
        assert_int_equal(outcome, TRAINER_INTERRUPTED);
    }
    assert_true(stops > 2);
    char *got = read_result(job, adapter_name, &other);
    assert_int_equal(length, other);
    assert_memory_equal(got, want, length);
    memory_free(got);
    memory_free(want);
    free_dataset(data);
    test_directory_remove(job);
    test_directory_remove(model);
}

// Without dropout, so that what the examples begin with alike is computed once.
static char *run_sharing(const struct dataset *data, struct train_spec *spec, uint64_t stop_after,
    double *last_loss, size_t *length) {
    char *job = test_directory();
    struct watch watch;
    spec->lora_dropout = 0;
    do
        watch = (struct watch){.stop_after = stop_after, .answer = TRAINER_INTERRUPT};
    while (run(spec, data, job, &watch) == TRAINER_INTERRUPTED);
    *last_loss = watch.last_loss;
    char *bytes = read_result(job, adapter_name, length);
    test_directory_remove(job);
    return bytes;
}

static void test_trainer_sharing_prefixes_learns_the_same_and_stops_anywhere(void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    struct trainer_data both = {data, data};
    char *model = test_model_directory();
    struct train_spec spec = make_spec(model, 2), apart = make_spec(model, 2);
    double loss, again, apart_loss;
    uint64_t computed;
    size_t length, other;
    struct error error;
    char *want = run_sharing(data, &spec, 0, &loss, &length);
    spec.threads = 1;
    char *got = run_sharing(data, &spec, 3, &again, &other);
    assert_int_equal(length, other);
    assert_memory_equal(got, want, length);
    assert_true(loss == again);
    assert_true(train_work_count(&spec, &test_model_config, &both, false, &computed, &error));
    assert_true(computed < data->token_count * 9 / 10);
    apart.separate = true;
    memory_free(run_sharing(data, &apart, 0, &apart_loss, &other));
    assert_true(fabs(loss - apart_loss) < 0.01 * apart_loss);
    memory_free(got);
    memory_free(want);
    free_dataset(data);
    test_directory_remove(model);
}

// At half of what it would take by itself, more is computed again, and nothing is different.
static void test_trainer_ends_in_the_same_bytes_with_half_of_the_memory(void **state) {
    (void)state;
    enum { LAYERS = 24 };
    struct dataset *data = make_dataset();
    struct trainer_data both = {data, data};
    struct model_config config = test_model_config;
    config.layers = LAYERS;
    char *model = test_model_directory_of(&config), *bytes[2];
    struct train_spec spec = make_spec(model, 2);
    struct lora shape = {.rank = spec.lora_rank, .modules = spec.lora_modules};
    size_t lengths[2], rows = train_memory_rows_of(&spec, &config, &both);
    uint64_t optimizer = 16 * train_memory_trained(&spec, &config);
    uint64_t whole = training_bytes(&config, &shape, rows, UINT64_MAX) + optimizer;
    double losses[2];
    uint64_t budget = train_memory_budget(whole / 2, 0, train_memory_trained(&spec, &config));
    assert_int_equal(budget, whole / 2 - optimizer);
    assert_true(training_bytes(&config, &shape, rows, budget) <= budget);
    for (size_t i = 0; i < 2; i++) {
        spec.memory = i ? whole / 2 : 0;
        spec.epochs = 1;
        bytes[i] = run_sharing(data, &spec, 0, &losses[i], &lengths[i]);
    }
    assert_true(losses[0] == losses[1]);
    assert_int_equal(lengths[0], lengths[1]);
    assert_memory_equal(bytes[0], bytes[1], lengths[0]);
    memory_free(bytes[0]);
    memory_free(bytes[1]);
    free_dataset(data);
    test_directory_remove(model);
}

static void test_trainer_refuses_a_checkpoint_of_other_data(void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    char *model = test_model_directory(), *job = test_directory();
    struct watch watch = {.stop_after = 5, .answer = TRAINER_INTERRUPT}, again = {0};
    struct train_spec spec = make_spec(model, 1);
    assert_int_equal(run(&spec, data, job, &watch), TRAINER_INTERRUPTED);
    data->tokens[3]++;
    assert_int_equal(run(&spec, data, job, &again), TRAINER_FAILED);
    free_dataset(data);
    test_directory_remove(job);
    test_directory_remove(model);
}

static void test_trainer_cancelled_leaves_no_adapter(void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    char *model = test_model_directory(), *job = test_directory(), path[FILE_PATH_SIZE];
    struct watch watch = {.stop_after = 3, .answer = TRAINER_CANCEL};
    struct train_spec spec = make_spec(model, 1);
    struct error error;
    assert_int_equal(run(&spec, data, job, &watch), TRAINER_CANCELLED);
    assert_true(file_path(path, sizeof path, &error, job, "adapter"));
    assert_false(file_exists(path));
    free_dataset(data);
    test_directory_remove(job);
    test_directory_remove(model);
}

static void test_trainer_trains_all_parameters_from_random_with_muon(void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    char *model = test_model_directory(), *jobs[2] = {test_directory(), test_directory()};
    char *results[2];
    size_t lengths[2];
    for (int i = 0; i < 2; i++) {
        struct train_spec spec = make_spec(model, i + 1);
        struct watch watch = {0};
        spec.full = (struct full_parameters){.on = true,
            .from_random = true,
            .optimizer = TRAIN_MUON,
            .learning_rate = 3e-3,
            .muon_learning_rate = 0.02,
            .tokens_per_batch = 200,
            .schedule = SCHEDULE_LINEAR_END,
            .text_weight = 1};
        assert_int_equal(run(&spec, data, jobs[i], &watch), TRAINER_FINISHED);
        assert_true(watch.last_loss < 0.7 * watch.first_loss);
        results[i] = read_result(jobs[i], "model/model.safetensors", &lengths[i]);
        memory_free(read_result(jobs[i], "model/config.json", &lengths[1 - i]));
        test_directory_remove(jobs[i]);
    }
    assert_memory_equal(results[0], results[1], lengths[0] < lengths[1] ? lengths[0] : lengths[1]);
    memory_free(results[0]);
    memory_free(results[1]);
    free_dataset(data);
    test_directory_remove(model);
}

// However a batch is cut into micro-batches, its loss is the mean over its supervised tokens.
static void test_trainer_loss_does_not_depend_on_the_cut_into_micro_batches(void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    char *model = test_model_directory();
    struct transformer *transformer;
    struct compute *compute;
    struct lora *lora;
    struct error error;
    assert_true(transformer_open(&transformer, model, &error));
    assert_true(compute_create(&compute, 1, COMPUTE_REFERENCE, &error));
    assert_true(lora_create(&lora, &test_model_config, 4, 8, LORA_ALL_MODULES, 1, &error));
    uint32_t order[8] = {1, 5, 9, 2, 7, 11, 3, 8};
    double weight = packing_weight(data, order, 8), losses[2];
    size_t sizes[2] = {1000, 64};
    for (int i = 0; i < 2; i++) {
        struct packer packer;
        struct training *training;
        struct training_result result = {0};
        assert_true(packer_create(&packer, sizes[i], 8, i == 0, &error));
        assert_true(
            training_create(&training, transformer, compute, sizes[i], lora, UINT64_MAX, &error));
        struct training_batch batch;
        packer_begin(&packer, data, order, 8, weight);
        while (packer_next(&packer, &batch))
            training_evaluate(training, &batch, &result, NULL);
        losses[i] = result.loss;
        training_free(training);
        packer_free(&packer);
    }
    assert_true(fabs(losses[0] - losses[1]) < 1e-5 * losses[0]);
    lora_free(lora);
    compute_free(compute);
    transformer_close(transformer);
    free_dataset(data);
    test_directory_remove(model);
}

// Whatever is kept and whatever is computed again, and wherever the weights are, every bit of the
// gradient is the same.
static void test_trainer_gradients_are_the_same_bytes_under_any_memory_budget(void **state) {
    (void)state;
    struct dataset *data = make_dataset();
    char *model = test_model_directory();
    struct transformer *transformer;
    struct compute *compute;
    struct lora *lora;
    struct error error;
    struct packer packer;
    struct training_batch batch;
    enum { ROWS = 256 };
    uint32_t order[4] = {1, 5, 9, 2};
    float *gradients[3];
    double losses[3];
    assert_true(transformer_open(&transformer, model, &error));
    assert_true(compute_create(&compute, 2, COMPUTE_AUTO, &error));
    assert_true(lora_create(&lora, &test_model_config, 4, 8, LORA_ALL_MODULES, 1, &error));
    for (size_t i = 0; i < lora->count; i++) // B is zero at first, and A's gradient with it
        lora->parameters[i] += 0.01f * (float)(i % 7);
    assert_true(packer_create(&packer, ROWS, 4, true, &error));
    packer_begin(&packer, data, order, 4, packing_weight(data, order, 4));
    assert_true(packer_next(&packer, &batch));
    assert_true(training_bytes(&test_model_config, lora, ROWS, 0) <
                training_bytes(&test_model_config, lora, ROWS, UINT64_MAX));
    for (int i = 0; i < 3; i++) {
        struct training *training;
        struct training_result result = {0};
        if (i == 2) assert_true(transformer_stream(transformer, &error));
        gradients[i] = memory_alloc_zeroed(lora->count, sizeof(float));
        assert_true(training_create(
            &training, transformer, compute, ROWS, lora, i ? 0 : UINT64_MAX, &error));
        training_step(training, &batch, gradients[i], &result, NULL);
        losses[i] = result.loss;
        training_free(training);
    }
    for (int i = 1; i < 3; i++) {
        assert_true(losses[0] == losses[i] && losses[0] > 0);
        assert_memory_equal(gradients[0], gradients[i], lora->count * sizeof(float));
    }
    for (int i = 0; i < 3; i++)
        memory_free(gradients[i]);
    packer_free(&packer);
    lora_free(lora);
    compute_free(compute);
    transformer_close(transformer);
    free_dataset(data);
    test_directory_remove(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trainer_learns_and_ends_in_the_same_bytes_with_any_number_of_threads),
        cmocka_unit_test(test_trainer_stopped_anywhere_goes_on_to_the_same_bytes),
        cmocka_unit_test(test_trainer_sharing_prefixes_learns_the_same_and_stops_anywhere),
        cmocka_unit_test(test_trainer_ends_in_the_same_bytes_with_half_of_the_memory),
        cmocka_unit_test(test_trainer_refuses_a_checkpoint_of_other_data),
        cmocka_unit_test(test_trainer_cancelled_leaves_no_adapter),
        cmocka_unit_test(test_trainer_trains_all_parameters_from_random_with_muon),
        cmocka_unit_test(test_trainer_loss_does_not_depend_on_the_cut_into_micro_batches),
        cmocka_unit_test(test_trainer_gradients_are_the_same_bytes_under_any_memory_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
