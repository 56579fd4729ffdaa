// The table of hyperparameters and the one check of a value against it.
#include "base/hyperparameters.h"
#include <math.h>
#include <string.h>

// The ranges of the first three are those of OpenAI's API; it names no upper end for the
// multiplier, and ours is where every run that we have seen diverges.
static const struct hyperparameter table[] = {
    {NULL, "n_epochs", "--epochs", HYPERPARAMETER_INTEGER, 1, false, 50, "auto",
        "passes over the training file"},
    {NULL, "batch_size", "--batch-size", HYPERPARAMETER_INTEGER, 1, false, 256, "auto",
        "examples in each optimizer step"},
    {NULL, "learning_rate_multiplier", "--learning-rate-multiplier", HYPERPARAMETER_REAL, 0, true,
        1000, "auto", "scales the base model's own learning rate"},
    {"lora", "rank", "--lora-rank", HYPERPARAMETER_INTEGER, 1, false, 256, "16",
        "rank of the LoRA matrices"},
    {"lora", "alpha", "--lora-alpha", HYPERPARAMETER_REAL, 0, true, 4096, "32",
        "the LoRA update is scaled by alpha / rank"},
    {"lora", "dropout", "--lora-dropout", HYPERPARAMETER_REAL, 0, false, 0.9, "0",
        "share of the inputs of the LoRA matrices that each step leaves out"},
};

const char *const hyperparameter_target_modules[] = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", NULL};

const struct hyperparameter *hyperparameter_table(size_t *count) {
    *count = sizeof table / sizeof table[0];
    return table;
}

static bool same_group(const char *left, const char *right) {
    if (!left || !right) return left == right;
    return strcmp(left, right) == 0;
}

const struct hyperparameter *hyperparameter_find(const char *group, const char *name) {
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (same_group(table[i].group, group) && strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

bool hyperparameter_check(const struct hyperparameter *entry, double value, struct error *error) {
    if (!isfinite(value))
        return error_set(error, ERROR_INVALID, "%s must be a finite number", entry->name);
    if (entry->type == HYPERPARAMETER_INTEGER && value != floor(value))
        return error_set(
            error, ERROR_INVALID, "%s must be a whole number, but is %g", entry->name, value);
    bool too_small = entry->minimum_excluded ? value <= entry->minimum : value < entry->minimum;
    if (too_small)
        return error_set(error, ERROR_INVALID, "%s must be %s %g, but is %g", entry->name,
            entry->minimum_excluded ? "greater than" : "at least", entry->minimum, value);
    if (value > entry->maximum)
        return error_set(error, ERROR_INVALID, "%s must be at most %g, but is %g", entry->name,
            entry->maximum, value);
    return true;
}
