#include "train/train_bench.h"
#include "base/memory.h"
#include "base/progress.h"
#include "model/transformer_training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct train_bench_shape train_bench_shapes[] = {
    {"S", "15 M parameters, 4×512 tokens", 32000, 288, 768, 6, 6, 6, 48, 4, 512},
    {"M", "SmolLM2-135M, 4×512 tokens", 49152, 576, 1536, 30, 9, 3, 64, 4, 512},
    {"L", "Llama-3.2-1B, 1×512 tokens", 128256, 2048, 8192, 16, 32, 8, 64, 1, 512},
};
const size_t train_bench_shape_count = sizeof train_bench_shapes / sizeof *train_bench_shapes;

struct bench {
    struct compute *compute;
    struct transformer *transformer;
    struct lora *lora;
    struct training *training;
    float *gradients, *first_moment, *second_moment;
    int32_t *tokens;
    struct training_target *targets;
    struct training_sequence *sequences;
    double *seconds;
    size_t rows;
};

static struct model_config config_of(const struct train_bench_shape *shape) {
    return (struct model_config){.model_type = "llama",
        .vocabulary_size = shape->vocabulary,
        .hidden_size = shape->hidden,
        .intermediate_size = shape->intermediate,
        .layers = shape->layers,
        .heads = shape->heads,
        .kv_heads = shape->kv_heads,
        .head_dim = shape->head_dim,
        .context_length = 2048,
        .rms_norm_epsilon = 1e-5f,
        .rope_theta = 1e4,
        .rope_factor = 1,
        .tied_embeddings = true,
        .bos_token = -1};
}

// What the gradient calls for, two a multiply-add: frozen weights forward and for the gradient of
// their input (embeddings once, as the output layer); LoRA's weights also for their own;
// attention's two products forward and four backward over the half of the positions that a query
// sees.
static double operations_per_token(const struct model_config *config,
    const struct train_bench_shape *shape, const struct lora *lora) {
    double attention = 6.0 * 2.0 * (double)shape->length / 2 *
                       (double)(shape->heads * shape->head_dim) * (double)shape->layers;
    double embedding =
        config->tied_embeddings ? 0 : (double)(config->vocabulary_size * config->hidden_size);
    return 4.0 * ((double)model_config_parameters(config) - embedding) + 6.0 * (double)lora->count +
           attention;
}

static bool take_memory(
    struct bench *b, const struct train_bench_shape *shape, size_t steps, struct error *error) {
    b->rows = shape->sequences * shape->length;
    b->gradients = memory_alloc_aligned(b->lora->count, sizeof(float));
    b->first_moment = memory_alloc_aligned(b->lora->count, sizeof(float));
    b->second_moment = memory_alloc_aligned(b->lora->count, sizeof(float));
    b->tokens = memory_alloc_array(b->rows, sizeof *b->tokens);
    b->targets = memory_alloc_array(b->rows, sizeof *b->targets);
    b->sequences = memory_alloc_array(shape->sequences, sizeof *b->sequences);
    b->seconds = memory_alloc_array(steps, sizeof *b->seconds);
    return (b->gradients && b->first_moment && b->second_moment && b->tokens && b->targets &&
               b->sequences && b->seconds) ||
           memory_error(error, "the bench");
}

static void make_batch(struct bench *b, const struct train_bench_shape *shape) {
    for (size_t i = 0; i < b->rows; i++) {
        b->tokens[i] = (int32_t)(i * 7919 % shape->vocabulary);
        b->targets[i] = (struct training_target){
            (uint32_t)i, (int32_t)((i + 1) * 7919 % shape->vocabulary), 1.0f / (float)b->rows, 1};
    }
    for (size_t i = 0; i < shape->sequences; i++)
        b->sequences[i] =
            (struct training_sequence){i * shape->length, shape->length, TRAINING_NO_PARENT};
}

static bool open_bench(struct bench *b, const struct train_bench_shape *shape, size_t steps,
    uint64_t budget, struct error *error) {
    const struct model_config *config = transformer_config(b->transformer);
    if (!lora_create(&b->lora, config, 16, 32, LORA_ALL_MODULES, 1, error) ||
        !take_memory(b, shape, steps, error) ||
        !training_create(&b->training, b->transformer, b->compute, b->rows, b->lora, budget, error))
        return false;
    make_batch(b, shape);
    return true;
}

static void close_bench(struct bench *b) {
    training_free(b->training);
    lora_free(b->lora);
    transformer_close(b->transformer);
    compute_free(b->compute);
    memory_free(b->gradients);
    memory_free(b->first_moment);
    memory_free(b->second_moment);
    memory_free(b->tokens);
    memory_free(b->targets);
    memory_free(b->sequences);
    memory_free(b->seconds);
}

static void one_step(struct bench *b, const struct train_bench_shape *shape, uint64_t step) {
    struct training_batch batch = {
        b->tokens, b->rows, b->sequences, shape->sequences, b->targets, b->rows, 0};
    struct training_result result = {0};
    memset(b->gradients, 0, b->lora->count * sizeof *b->gradients);
    training_step(b->training, &batch, b->gradients, &result, NULL);
    double norm = sqrt(compute_square_sum(b->compute, b->gradients, b->lora->count));
    struct adamw adamw = {1e-4f, 0.9f, 0.999f, 1e-8f, 0, step, (float)fmin(1, 1 / (norm + 1e-6))};
    compute_adamw(b->compute, &adamw, b->lora->parameters, b->gradients, b->first_moment,
        b->second_moment, b->lora->count);
}

static int ascending(const void *a, const void *b) {
    double first = *(const double *)a, second = *(const double *)b;
    return first < second ? -1 : first > second;
}

double train_bench_reached(
    const struct train_bench_result *result, const struct compute_profile *profile) {
    double arithmetic = profile->operations / (result->peak_gflops * 1e9);
    double memory = profile->bytes / result->bandwidth;
    return (arithmetic > memory ? arithmetic : memory) / profile->seconds;
}

// Where the time of a step goes.
static bool profile_step(struct bench *b, const struct train_bench_shape *shape, size_t step,
    struct train_bench_result *result, struct error *error) {
    double gigabytes;
    if (!compute_bandwidth(b->compute, &gigabytes, error)) return false;
    result->bandwidth = gigabytes * 1e9;
    compute_profile_into(b->compute, result->profiles);
    double start = progress_clock();
    one_step(b, shape, step);
    result->profiled_seconds = progress_clock() - start;
    compute_profile_into(b->compute, NULL);
    return true;
}

static bool measure(struct bench *b, const struct train_bench_shape *shape, size_t steps,
    bool warm_up, struct train_bench_result *result, struct error *error) {
    *result = (struct train_bench_result){0};
    double peak = compute_peak_gflops(b->compute);
    if (warm_up) one_step(b, shape, 1);
    for (size_t i = 0; i < steps; i++) {
        double start = progress_clock();
        one_step(b, shape, i + 2);
        b->seconds[i] = progress_clock() - start;
    }
    qsort(b->seconds, steps, sizeof *b->seconds, ascending);
    double again = compute_peak_gflops(b->compute);
    result->peak_gflops = again > peak ? again : peak;
    result->tokens_per_second = (double)b->rows / b->seconds[steps / 2];
    result->operations_per_token =
        operations_per_token(transformer_config(b->transformer), shape, b->lora);
    result->fraction_of_peak =
        result->operations_per_token * result->tokens_per_second / (result->peak_gflops * 1e9);
    result->peak_rss_bytes = memory_peak_resident();
    result->steps = steps;
    result->path = compute_path_names[compute_path_of(b->compute)];
    return profile_step(b, shape, steps + 2, result, error);
}

bool train_bench_run(const struct train_bench_shape *shape, int threads, size_t steps,
    struct train_bench_result *result, struct error *error) {
    struct bench bench = {0};
    struct model_config config = config_of(shape);
    bool ok = compute_create(&bench.compute, threads, COMPUTE_AUTO, error) &&
              transformer_random(&bench.transformer, &config, DATA_BF16, error) &&
              open_bench(&bench, shape, steps, UINT64_MAX, error);
    ok = ok && measure(&bench, shape, steps, true, result, error);
    close_bench(&bench);
    return ok;
}

static struct train_bench_shape shape_of(const struct model_config *config, size_t length) {
    return (struct train_bench_shape){"model", "a model directory", config->vocabulary_size,
        config->hidden_size, config->intermediate_size, config->layers, config->heads,
        config->kv_heads, config->head_dim, 1, length};
}

bool train_bench_model(const char *directory, size_t length, int threads, size_t steps,
    struct train_bench_result *result, struct error *error) {
    struct bench bench = {0};
    bool ok = compute_create(&bench.compute, threads, COMPUTE_AUTO, error) &&
              transformer_open(&bench.transformer, directory, error);
    if (ok) {
        struct train_bench_shape shape = shape_of(transformer_config(bench.transformer), length);
        ok = open_bench(&bench, &shape, steps, TRAINING_BUDGET, error);
        ok = ok && measure(&bench, &shape, steps, false, result, error);
    }
    close_bench(&bench);
    return ok;
}
