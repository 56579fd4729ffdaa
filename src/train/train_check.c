#include "train/train_check.h"
#include "base/file.h"
#include "base/job_format.h"
#include "compute/compute.h"
#include "model/chat_example.h"
#include "model/model_config.h"
#include "train/train_job_internal.h"
#include "train/train_report.h"
#include "train/train_work.h"
#include "train/trainer.h"
#include <stdlib.h>
#include <string.h>

// The part of the machine's arithmetic that training reaches (docs/benchmarks.md), and what a token
// of validation, forward only, costs of one that is trained on.
static const double reached = 0.3, forward_only = 0.4;

struct check {
    struct train_spec spec;
    struct model_config config;
    struct chat_format *format;
    struct thread_pool *pool;
    struct dataset *training, *validation; // NULL where they are at fault
    struct dataset_faults training_faults, validation_faults;
    uint64_t training_rows, validation_rows; // that an epoch computes
};

static bool open_check(struct check *check, const char *directory, struct error *error) {
    struct train_spec *spec = &check->spec;
    return train_job_read_spec(directory, spec, error) && train_job_take_adapter(spec, error) &&
           model_config_load(&check->config, spec->model, error) &&
           chat_format_open_with(
               &check->format, spec->model, spec->adapter, spec->chat_template, error) &&
           thread_pool_create(&check->pool, spec->threads, error);
}

static void close_check(struct check *check) {
    dataset_free(check->training);
    dataset_free(check->validation);
    thread_pool_free(check->pool);
    chat_format_close(check->format);
    train_spec_free(&check->spec);
}

// False where more than the file is at fault.
static bool read_file(struct check *check, bool validation, struct error *error) {
    const struct train_spec *spec = &check->spec;
    struct dataset **dataset = validation ? &check->validation : &check->training;
    struct dataset_faults *faults =
        validation ? &check->validation_faults : &check->training_faults;
    struct dataset_options options = {
        .file_name = validation ? spec->validation_file_name : spec->training_file_name,
        .context_length = check->config.context_length,
        .minimum_examples = validation ? 1 : DATASET_MINIMUM_EXAMPLES,
        .chat_time = spec->chat_time,
    };
    if (dataset_load(dataset, validation ? spec->validation_file : spec->training_file,
            check->format, &options, check->pool, faults, error))
        return true;
    *dataset = NULL;
    return faults->count > 0;
}

// What of the files is good is cut as a run would cut it.
static bool count_work(struct check *check, struct error *error) {
    const struct dataset *any = check->training ? check->training : check->validation;
    struct trainer_data data = {any, check->validation};
    return (!check->training || train_work_count(&check->spec, &check->config, &data, false,
                                    &check->training_rows, error)) &&
           (!check->validation || train_work_count(&check->spec, &check->config, &data, true,
                                      &check->validation_rows, error));
}

static json_t *report_file(const struct check *check, bool validation) {
    if (validation && !check->spec.validation_file) return json_null();
    return train_report(validation ? check->validation : check->training,
        validation ? check->validation_rows : check->training_rows,
        validation ? &check->validation_faults : &check->training_faults,
        chat_format_tokenizer(check->format), TRAIN_REPORT_SHOWN);
}

// Two operations a multiply-add: frozen weights forward and for the gradient of their input, those
// of LoRA also for their own; attention over half of the positions of a typical example.
static double operations_per_token(const struct check *check) {
    const struct model_config *config = &check->config;
    double length = (double)check->training->token_count / (double)check->training->example_count;
    double attention = 6.0 * length * (double)(config->heads * config->head_dim * config->layers);
    double embedding =
        config->tied_embeddings ? 0 : (double)(config->vocabulary_size * config->hidden_size);
    double frozen = (double)model_config_parameters(config) - embedding;
    return 4 * frozen + 6.0 * (double)train_memory_trained(&check->spec, config) + attention;
}

static double work_tokens(const struct check *check) {
    double tokens = (double)check->training->token_count * check->spec.epochs;
    if (check->validation)
        tokens += forward_only * (double)check->validation->token_count * check->spec.epochs;
    return tokens;
}

// In tokens of the data, of which what examples begin with alike is computed once.
static double tokens_per_second(const struct check *check, double peak) {
    double computed = reached * 1e9 * peak / operations_per_token(check);
    return computed * (double)check->training->token_count / (double)check->training_rows;
}

static json_t *estimate(const struct check *check, struct error *error) {
    struct trainer_data data = {check->training, check->validation};
    struct compute *compute;
    if (!check->training || (check->spec.validation_file && !check->validation)) return json_null();
    if (!compute_create(&compute, check->spec.threads, COMPUTE_AUTO, error)) return NULL;
    double speed = tokens_per_second(check, compute_peak_gflops(compute));
    compute_free(compute);
    return json_pack("{s:I, s:I, s:f, s:I}", "steps",
        (json_int_t)trainer_total_steps(&check->spec, check->training), "work_tokens",
        (json_int_t)work_tokens(check), "tokens_per_second", speed, "memory_bytes",
        (json_int_t)train_memory_needed(&check->spec, &check->config, &data));
}

static json_t *make_report(struct check *check, struct error *error) {
    struct train_spec *spec = &check->spec;
    if (!read_file(check, false, error) ||
        (spec->validation_file && !read_file(check, true, error)))
        return NULL;
    train_spec_choose(spec, check->training ? check->training->example_count : 1);
    if (!count_work(check, error)) return NULL;
    json_t *taken = estimate(check, error);
    if (!taken) return NULL;
    return json_pack("{s:o, s:o, s:{s:I, s:I, s:f}, s:{s:I, s:f, s:f, s:o}, s:o}", "training_file",
        report_file(check, false), "validation_file", report_file(check, true), "hyperparameters",
        "n_epochs", (json_int_t)spec->epochs, "batch_size", (json_int_t)spec->batch_size,
        "learning_rate_multiplier", spec->rate_multiplier, "lora", "rank",
        (json_int_t)spec->lora_rank, "alpha", spec->lora_alpha, "dropout", spec->lora_dropout,
        "target_modules", train_spec_modules(spec->lora_modules), "estimate", taken);
}

static bool write_report(const char *directory, const json_t *report, struct error *error) {
    char path[FILE_PATH_SIZE];
    char *text = json_dumps(report, JSON_COMPACT | JSON_PRESERVE_ORDER);
    bool ok = text ? file_path(path, sizeof path, error, directory, JOB_REPORT_FILE) &&
                         file_write_atomic(path, text, strlen(text), error)
                   : error_set(error, ERROR_MEMORY, "no memory for the report");
    free(text);
    return ok;
}

bool train_check_run(const char *directory, struct error *error) {
    struct check check = {0};
    train_spec_init(&check.spec);
    json_t *report = open_check(&check, directory, error) ? make_report(&check, error) : NULL;
    bool ok = report && write_report(directory, report, error);
    json_decref(report);
    close_check(&check);
    return ok;
}
