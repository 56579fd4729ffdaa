#include "train/train_bench.h"
#include "base/memory.h"
#include "base/progress.h"
#include "train/packing.h"
#include "train/train_bench_data.h"
#include "train/train_memory.h"
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
    const struct train_bench_options *options;
    struct compute *compute;
    struct transformer *transformer;
    struct parameters *parameters; // with `full`
    struct lora *lora;             // else
    struct dataset *data;
    uint32_t *order;
    struct packer packer, separate; // the latter to compare with, of headlines
    struct training *training;
    size_t count;   // floats that are trained
    float *trained; // they
    float *gradients, *first_moment, *second_moment;
    double *seconds, *separate_seconds, *peaks, *fractions;
    size_t targets, rows, held;
    double visible_keys; // over the rows and layers of a step
};

static struct model_config config_of(const struct train_bench_options *options) {
    const struct train_bench_shape *shape = options->shape;
    return (struct model_config){.model_type = "llama",
        .vocabulary_size = shape->vocabulary,
        .hidden_size = shape->hidden,
        .intermediate_size = shape->intermediate,
        .layers = shape->layers,
        .heads = shape->heads,
        .kv_heads = shape->kv_heads,
        .head_dim = shape->head_dim,
        .context_length = options->length > 2048 ? options->length : 2048,
        .rms_norm_epsilon = 1e-5f,
        .rope_theta = 1e4,
        .rope_factor = 1,
        .tied_embeddings = true,
        .bos_token = -1};
}

// ---- what a step is ----

static void begin(struct bench *b, struct packer *packer) {
    size_t count = b->data->example_count;
    double weight = packing_weight(b->data, b->order, count);
    packer_begin(packer, b->data, b->order, count, weight);
}

static double keys_of_row(const struct model_config *config, size_t position) {
    double keys = 0;
    for (size_t layer = 0; layer < config->layers; layer++) {
        size_t window = model_config_window(config, layer);
        keys += (double)(window && position + 1 > window ? window : position + 1);
    }
    return keys;
}

static void count_batch(struct bench *b, const struct training_batch *batch) {
    const struct model_config *config = transformer_config(b->transformer);
    b->rows += batch->rows;
    b->targets += batch->target_count;
    for (size_t i = 0; i < batch->sequence_count; i++) {
        size_t depth = 0, up = batch->sequences[i].parent;
        for (; up != TRAINING_NO_PARENT; up = batch->sequences[up].parent)
            depth += batch->sequences[up].row_count;
        for (size_t row = 0; row < batch->sequences[i].row_count; row++)
            b->visible_keys += keys_of_row(config, depth + row);
    }
}

// What the gradient calls for, two a multiply-add: frozen weights forward and for the gradient of
// their input, trained ones also for their own; the output layer where there is a target (the
// embedding is a look-up); attention's two products forward and four backward, with the keys that
// each row sees.
static double operations_per_step(const struct bench *b) {
    const struct model_config *config = transformer_config(b->transformer);
    double each = b->lora ? 4 : 6, rows = (double)b->rows;
    double output = (double)(config->vocabulary_size * config->hidden_size);
    double inner =
        (double)model_config_parameters(config) - (config->tied_embeddings ? 1 : 2) * output;
    double attention = 6.0 * 2.0 * b->visible_keys * (double)(config->heads * config->head_dim);
    return each * (rows * inner + (double)b->targets * output) +
           (b->lora ? 6.0 * rows * (double)b->lora->count : 0) + attention;
}

static void one_step(struct bench *b, struct packer *packer, uint64_t step) {
    struct training_result result = {0};
    memset(b->gradients, 0, b->count * sizeof *b->gradients);
    begin(b, packer);
    for (struct training_batch batch; packer_next(packer, &batch);)
        training_step(b->training, &batch, b->gradients, &result, NULL);
    double norm = sqrt(compute_square_sum(b->compute, b->gradients, b->count));
    struct adamw adamw = {1e-4f, 0.9f, 0.999f, 1e-8f, 0, step, (float)fmin(1, 1 / (norm + 1e-6))};
    compute_adamw(
        b->compute, &adamw, b->trained, b->gradients, b->first_moment, b->second_moment, b->count);
}

// ---- opening ----

// The weights of `source` (closed here), or random ones, as a block that is trained.
static bool open_full(struct bench *b, const struct model_config *config,
    struct transformer *source, struct error *error) {
    bool ok = parameters_create(&b->parameters, config, error);
    if (ok && source)
        transformer_copy_parameters(source, b->parameters);
    else if (ok)
        parameters_initialise(b->parameters, config, 1);
    transformer_close(source);
    if (!ok || !transformer_over(&b->transformer, config, b->parameters, error)) return false;
    b->count = b->parameters->count;
    b->trained = b->parameters->values;
    return true;
}

static bool open_weights(struct bench *b, struct error *error) {
    const struct train_bench_options *options = b->options;
    struct model_config config;
    struct transformer *source = NULL;
    if (options->model && !transformer_open(&source, options->model, error)) return false;
    config = source ? *transformer_config(source) : config_of(options);
    if (config.initializer_range == 0) config.initializer_range = 0.02f;
    if (options->full) return open_full(b, &config, source, error);
    b->transformer = source;
    if ((!source && !transformer_random(&b->transformer, &config, options->weights, error)) ||
        !lora_create(&b->lora, &config, 16, 32, LORA_ALL_MODULES, 1, error))
        return false;
    b->count = b->lora->count;
    b->trained = b->lora->parameters;
    return true;
}

static bool open_data(struct bench *b, struct error *error) {
    const struct train_bench_options *options = b->options;
    size_t vocabulary = transformer_config(b->transformer)->vocabulary_size;
    size_t sequences = options->shape ? options->shape->sequences : 1;
    size_t length = options->length ? options->length : 512;
    if (options->shape && options->length) sequences = sequences * options->shape->length / length;
    if (options->shape && !options->length) length = options->shape->length;
    if (!(options->headlines ? train_bench_headlines(&b->data, vocabulary, error)
                             : train_bench_plain(
                                   &b->data, sequences ? sequences : 1, length, vocabulary, error)))
        return false;
    b->order = memory_alloc_array(b->data->example_count, sizeof *b->order);
    if (!b->order) return memory_error(error, "the bench's data");
    for (size_t i = 0; i < b->data->example_count; i++)
        b->order[i] = (uint32_t)i;
    return true;
}

static bool take_memory(struct bench *b, struct error *error) {
    b->gradients = memory_alloc_aligned(b->count, sizeof(float));
    b->first_moment = memory_alloc_aligned(b->count, sizeof(float));
    b->second_moment = memory_alloc_aligned(b->count, sizeof(float));
    b->seconds = memory_alloc_array(b->options->steps, sizeof *b->seconds);
    b->separate_seconds = memory_alloc_array(b->options->steps, sizeof *b->separate_seconds);
    b->peaks = memory_alloc_array(b->options->steps, sizeof *b->peaks);
    b->fractions = memory_alloc_array(b->options->steps, sizeof *b->fractions);
    return (b->gradients && b->first_moment && b->second_moment && b->seconds &&
               b->separate_seconds && b->peaks && b->fractions) ||
           memory_error(error, "the bench");
}

static bool open_training(struct bench *b, struct train_bench_result *result, struct error *error) {
    const struct train_bench_options *options = b->options;
    const struct model_config *config = transformer_config(b->transformer);
    size_t examples = b->data->example_count;
    b->held = (size_t)b->data->token_count - examples;
    struct trainer_data data = {.training = b->data};
    size_t rows = train_memory_rows(config, b->lora, &data);
    result->weight_bytes = transformer_weight_bytes(b->transformer);
    uint64_t weights = options->full ? 0 : train_memory_weights(b->transformer);
    uint64_t budget = train_memory_budget(options->memory, weights, b->count);
    result->activation_bytes = training_bytes_on(b->compute, config, b->lora, rows, budget);
    if (options->memory && result->activation_bytes > budget)
        return error_set(error, ERROR_MEMORY,
            "this step takes %.0f MB beside the weights, whatever is computed again; allow more "
            "memory, or make it shorter",
            (double)(result->activation_bytes + 4 * b->count * sizeof(float)) * 1e-6);
    return packer_create(&b->packer, rows, examples, !options->separate, error) &&
           packer_create(&b->separate, rows, examples, false, error) &&
           training_create(&b->training, b->transformer, b->compute, rows, b->lora, budget, error);
}

static bool open_bench(struct bench *b, struct train_bench_result *result, struct error *error) {
    if (!compute_create(&b->compute, b->options->threads, COMPUTE_AUTO, error) ||
        !open_weights(b, error) || !open_data(b, error) || !take_memory(b, error) ||
        !open_training(b, result, error))
        return false;
    begin(b, &b->packer);
    for (struct training_batch batch; packer_next(&b->packer, &batch);)
        count_batch(b, &batch);
    return true;
}

static void close_bench(struct bench *b) {
    training_free(b->training);
    packer_free(&b->packer);
    packer_free(&b->separate);
    dataset_free(b->data);
    memory_free(b->order);
    lora_free(b->lora);
    transformer_close(b->transformer);
    parameters_free(b->parameters);
    compute_free(b->compute);
    memory_free(b->gradients);
    memory_free(b->first_moment);
    memory_free(b->second_moment);
    memory_free(b->seconds);
    memory_free(b->separate_seconds);
    memory_free(b->peaks);
    memory_free(b->fractions);
}

// ---- measuring ----

static int ascending(const void *a, const void *b) {
    double first = *(const double *)a, second = *(const double *)b;
    return first < second ? -1 : first > second;
}

static double median(double *seconds, size_t count) {
    qsort(seconds, count, sizeof *seconds, ascending);
    return seconds[count / 2];
}

double train_bench_reached(
    const struct train_bench_result *result, const struct compute_profile *profile) {
    double arithmetic = profile->operations / (result->peak_gflops * 1e9);
    double memory = profile->bytes / result->bandwidth;
    return (arithmetic > memory ? arithmetic : memory) / profile->seconds;
}

// Where the time of a step goes.
static bool profile_step(
    struct bench *b, size_t step, struct train_bench_result *result, struct error *error) {
    double gigabytes;
    if (!compute_bandwidth(b->compute, &gigabytes, error)) return false;
    result->bandwidth = gigabytes * 1e9;
    compute_profile_into(b->compute, result->profiles);
    double start = progress_clock();
    one_step(b, &b->packer, step);
    result->profiled_seconds = progress_clock() - start;
    compute_profile_into(b->compute, NULL);
    return true;
}

// Shared and separate in turn, so that a slow moment of the machine meets both; and so does its
// peak, before and after each step.
static void time_steps(struct bench *b, bool compare, double operations) {
    uint64_t step = 1;
    double before = compute_sustained_gflops(b->compute);
    for (size_t i = 0; i < b->options->steps; i++) {
        double start = progress_clock();
        one_step(b, &b->packer, ++step);
        double middle = progress_clock();
        b->seconds[i] = middle - start;
        if (compare) one_step(b, &b->separate, ++step);
        b->separate_seconds[i] = progress_clock() - middle;
        double after = compute_sustained_gflops(b->compute);
        b->peaks[i] = (before + after) / 2;
        b->fractions[i] = operations / b->seconds[i] / (b->peaks[i] * 1e9);
        before = after;
    }
}

static bool measure(struct bench *b, struct train_bench_result *result, struct error *error) {
    bool compare = b->options->headlines && !b->options->separate;
    double burst = compute_peak_gflops(b->compute), operations = operations_per_step(b);
    if (!b->options->model) one_step(b, &b->packer, 1);
    time_steps(b, compare, operations);
    double again = compute_peak_gflops(b->compute);
    result->tokens_held = b->held;
    result->tokens_computed = b->rows;
    result->seconds = median(b->seconds, b->options->steps);
    if (compare) result->separate_seconds = median(b->separate_seconds, b->options->steps);
    result->burst_gflops = again > burst ? again : burst;
    result->peak_gflops = median(b->peaks, b->options->steps);
    result->tokens_per_second = (double)b->held / result->seconds;
    result->operations_per_token = operations / (double)b->rows;
    result->fraction_of_peak = median(b->fractions, b->options->steps);
    result->peak_rss_bytes = memory_peak_resident();
    result->steps = b->options->steps;
    result->path = compute_path_names[compute_path_of(b->compute)];
    return profile_step(b, 2 * b->options->steps + 2, result, error);
}

bool train_bench_run(const struct train_bench_options *options, struct train_bench_result *result,
    struct error *error) {
    struct bench bench = {.options = options};
    *result = (struct train_bench_result){0};
    bool ok = open_bench(&bench, result, error) && measure(&bench, result, error);
    close_bench(&bench);
    return ok;
}
