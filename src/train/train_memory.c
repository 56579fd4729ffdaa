#include "train/train_memory.h"
#include "base/memory.h"
#include <stdio.h>

// Of large products, 1024 rows are as fast as more, and half the memory; small ones are the faster
// for more. So are gradients of whole weights, which each micro-batch adds to.
enum { MOST_ROWS = 2048, MANY_ROWS = 1024, LEAST_ROWS = 64 };

static const uint64_t many_bytes = 512 << 20; // for which MANY_ROWS are enough

static size_t longest_example(const struct trainer_data *data) {
    size_t longest = data->training->longest;
    return data->validation && data->validation->longest > longest ? data->validation->longest
                                                                   : longest;
}

size_t train_memory_rows(
    const struct model_config *config, const struct lora *lora, const struct trainer_data *data) {
    size_t longest = longest_example(data), rows = MOST_ROWS;
    if (lora && training_bytes(config, lora, MOST_ROWS, UINT64_MAX) > many_bytes) rows = MANY_ROWS;
    while (rows > LEAST_ROWS && training_bytes(config, lora, rows, 0) > TRAIN_MEMORY_ROWS_BYTES)
        rows /= 2;
    if (data->training->token_count < rows) rows = (size_t)data->training->token_count;
    return rows < longest ? longest : rows;
}

struct size_text {
    char text[32];
};

static struct size_text size_text(uint64_t bytes) {
    struct size_text size;
    bool large = bytes >= 1000000000;
    snprintf(size.text, sizeof size.text, large ? "%.1f GB" : "%.0f MB",
        (double)bytes / (large ? 1e9 : 1e6));
    return size;
}

// What is trained, its gradient and the optimizer's two moments.
static uint64_t optimizer_bytes(uint64_t trained) {
    return 4 * trained * sizeof(float);
}

static uint64_t without(uint64_t bytes, uint64_t taken) {
    return bytes > taken ? bytes - taken : 0;
}

// For the kernel, the server that the trainer works beside, and whatever else the machine is for.
static uint64_t margin(void) {
    uint64_t part = memory_total() / 16, least = (uint64_t)512 << 20;
    return part > least ? part : least;
}

// Of streamed weights, two layers and what belongs to none.
uint64_t train_memory_weights(const struct transformer *transformer) {
    uint64_t bytes = transformer_weight_bytes(transformer);
    if (!transformer_streams(transformer)) return bytes;
    return 3 * bytes / (transformer_config(transformer)->layers + 1);
}

uint64_t train_memory_budget(uint64_t allowed, uint64_t weights, uint64_t trained) {
    if (!allowed) allowed = without(memory_available(), weights + margin());
    return without(allowed, optimizer_bytes(trained));
}

bool train_memory_check(const struct model_config *config, const struct lora *lora,
    uint64_t trained, const struct trainer_data *data, uint64_t room, uint64_t allowed,
    struct error *error) {
    uint64_t optimizer = optimizer_bytes(trained);
    bool limited = allowed && allowed < room;
    const char *there = limited ? "the setting 'memory' allows" : "there are";
    if (limited) room = allowed;
    uint64_t fitting = train_memory_rows(config, lora, data);
    uint64_t needed = training_bytes(config, lora, fitting, 0) + optimizer;
    if (needed <= room) return true;
    while (fitting > 1 && training_bytes(config, lora, fitting, 0) + optimizer > room)
        fitting = fitting * 7 / 8;
    struct size_text needs = size_text(needed), has = size_text(room), fixed = size_text(optimizer);
    if (fitting > 1)
        return error_set(error, ERROR_MEMORY,
            "This job needs %s of memory beside the base model's weights, and %s %s. Its longest "
            "example has %zu tokens; examples of up to %llu tokens would fit.",
            needs.text, there, has.text, longest_example(data), (unsigned long long)fitting);
    return error_set(error, ERROR_MEMORY,
        "This job needs %s of memory beside the base model's weights, and %s %s. %s are for what "
        "is trained and its optimizer, so that no example would fit: use %s, or more memory.",
        needs.text, there, has.text, fixed.text,
        lora ? "a smaller LoRA rank or a smaller base model" : "LoRA or a smaller model");
}

static struct lora lora_of(const struct train_spec *spec) {
    return (struct lora){.rank = spec->lora_rank,
        .modules = spec->lora_modules,
        .dropout = (float)spec->lora_dropout};
}

size_t train_memory_rows_of(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data) {
    struct lora shape = lora_of(spec);
    return train_memory_rows(config, spec->full.on ? NULL : &shape, data);
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
           optimizer_bytes(train_memory_trained(spec, config));
}

bool train_memory_check_spec(const struct train_spec *spec, const struct model_config *config,
    const struct trainer_data *data, struct error *error) {
    struct lora shape = lora_of(spec);
    return train_memory_check(config, spec->full.on ? NULL : &shape,
        train_memory_trained(spec, config), data, memory_total(), spec->memory, error);
}
