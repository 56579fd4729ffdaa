#include "train/train_memory.h"
#include "base/memory.h"

enum { MICRO_BATCH_ROWS = 2048, LEAST_ROWS = 64 };

static size_t longest_example(const struct trainer_data *data) {
    size_t longest = data->training->longest;
    return data->validation && data->validation->longest > longest ? data->validation->longest
                                                                   : longest;
}

size_t train_memory_rows(
    const struct model_config *config, const struct lora *lora, const struct trainer_data *data) {
    size_t longest = longest_example(data), rows = MICRO_BATCH_ROWS;
    while (rows > LEAST_ROWS && training_bytes(config, lora, rows, 0) > TRAINING_BUDGET)
        rows /= 2;
    if (data->training->token_count < rows) rows = (size_t)data->training->token_count;
    return rows < longest ? longest : rows;
}

static double gigabytes(uint64_t bytes) {
    return (double)bytes / 1e9;
}

bool train_memory_check(const struct model_config *config, const struct lora *lora,
    uint64_t trained, const struct trainer_data *data, uint64_t room, struct error *error) {
    uint64_t optimizer = 4 * trained * sizeof(float);
    uint64_t fitting = train_memory_rows(config, lora, data);
    uint64_t needed = training_bytes(config, lora, fitting, 0) + optimizer;
    if (needed <= room) return true;
    while (fitting > 1 && training_bytes(config, lora, fitting, 0) + optimizer > room)
        fitting = fitting * 7 / 8;
    if (fitting > 1)
        return error_set(error, ERROR_MEMORY,
            "This job needs %.1f GB of memory beside the base model's weights, and there are "
            "%.1f GB. Its longest example has %zu tokens; examples of up to %llu tokens would fit.",
            gigabytes(needed), gigabytes(room), longest_example(data), (unsigned long long)fitting);
    return error_set(error, ERROR_MEMORY,
        "This job needs %.1f GB of memory beside the base model's weights, and there are %.1f GB. "
        "%.1f GB are for what is trained and its optimizer, so that no example would fit: use %s, "
        "or a machine with more memory.",
        gigabytes(needed), gigabytes(room), gigabytes(optimizer),
        lora ? "a smaller LoRA rank or a smaller base model" : "LoRA or a smaller model");
}

static struct lora lora_of(const struct train_spec *spec) {
    return (struct lora){.rank = spec->lora_rank,
        .modules = spec->lora_modules,
        .dropout = (float)spec->lora_dropout};
}

uint64_t train_memory_trained(const struct train_spec *spec, const struct model_config *config) {
    uint64_t trained = 0;
    if (spec->full.on) return model_config_parameters(config);
    for (int module = 0; module < LORA_MODULES; module++) {
        size_t in, out;
        if (!(spec->lora_modules & 1u << module)) continue;
        lora_module_shape(config, module, &in, &out);
        trained += (uint64_t)config->layers * spec->lora_rank * (in + out);
    }
    return trained;
}

uint64_t train_memory_needed(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data) {
    struct lora shape = lora_of(spec), *lora = spec->full.on ? NULL : &shape;
    return training_bytes(config, lora, train_memory_rows(config, lora, data), 0) +
           4 * train_memory_trained(spec, config) * sizeof(float);
}

bool train_memory_check_spec(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data, struct error *error) {
    struct lora shape = lora_of(spec);
    return train_memory_check(config, spec->full.on ? NULL : &shape,
        train_memory_trained(spec, config), data, memory_total(), error);
}
