#include "train/packing.h"
#include "base/memory.h"
#include "base/random.h"
#include <string.h>

static void cut_batches(
    struct epoch_plan *plan, const struct dataset *dataset, const struct epoch_rules *rules) {
    size_t in_batch = 0, tokens = 0;
    plan->batch_count = 0;
    for (size_t i = 0; i < dataset->example_count; i++) {
        size_t length = dataset->examples[plan->order[i]].length;
        bool full = rules->batch_size ? in_batch == rules->batch_size
                                      : in_batch && tokens + length > rules->tokens_per_batch;
        if (i == 0 || full) {
            plan->batch_starts[plan->batch_count++] = i;
            in_batch = tokens = 0;
        }
        in_batch++;
        tokens += length;
    }
    plan->batch_starts[plan->batch_count] = dataset->example_count;
}

bool epoch_plan_make(struct epoch_plan *plan, const struct dataset *dataset,
    const struct epoch_rules *rules, uint64_t epoch, struct error *error) {
    size_t count = dataset->example_count;
    memset(plan, 0, sizeof *plan);
    plan->order = memory_alloc_array(count, sizeof *plan->order);
    plan->batch_starts = memory_alloc_array(count + 1, sizeof *plan->batch_starts);
    if (!plan->order || !plan->batch_starts) {
        epoch_plan_free(plan);
        return memory_error(error, "the order of examples");
    }
    if (rules->keep_order)
        for (size_t i = 0; i < count; i++)
            plan->order[i] = (uint32_t)i;
    else
        random_permutation(rules->seed, epoch, plan->order, count);
    cut_batches(plan, dataset, rules);
    return true;
}

void epoch_plan_free(struct epoch_plan *plan) {
    memory_free(plan->order);
    memory_free(plan->batch_starts);
    memset(plan, 0, sizeof *plan);
}

bool packer_create(struct packer *packer, size_t max_rows, struct error *error) {
    packer->max_rows = max_rows;
    packer->tokens = memory_alloc_array(max_rows, sizeof *packer->tokens);
    packer->targets = memory_alloc_array(max_rows, sizeof *packer->targets);
    packer->sequences = memory_alloc_array(max_rows, sizeof *packer->sequences);
    if (packer->tokens && packer->targets && packer->sequences) return true;
    packer_free(packer);
    return memory_error(error, "a micro-batch");
}

void packer_free(struct packer *packer) {
    memory_free(packer->tokens);
    memory_free(packer->targets);
    memory_free(packer->sequences);
    memset(packer, 0, sizeof *packer);
}

double packing_weight(const struct dataset *dataset, const uint32_t *order, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const struct dataset_example *example = &dataset->examples[order[i]];
        for (uint32_t j = 1; j < example->length; j++)
            sum += dataset->weights[example->offset + j];
    }
    return sum;
}

// Returns how many targets there are, now.
static size_t place(struct packer *packer, const struct dataset *dataset,
    const struct dataset_example *example, size_t row, size_t targets, double total_weight) {
    const int32_t *tokens = dataset->tokens + example->offset;
    const float *weights = dataset->weights + example->offset;
    for (uint32_t i = 0; i + 1 < example->length; i++) {
        packer->tokens[row + i] = tokens[i];
        float weight = (float)(weights[i + 1] / total_weight);
        if (weight > 0)
            packer->targets[targets++] =
                (struct training_target){(uint32_t)(row + i), tokens[i + 1], weight, 1};
    }
    return targets;
}

size_t packer_fill(struct packer *packer, const struct dataset *dataset, const uint32_t *order,
    size_t count, double total_weight, struct training_batch *batch) {
    size_t rows = 0, taken = 0, sequences = 0, targets = 0;
    for (; taken < count; taken++) {
        const struct dataset_example *example = &dataset->examples[order[taken]];
        if (example->length < 2) continue;
        if (rows + example->length - 1 > packer->max_rows) break;
        targets = place(packer, dataset, example, rows, targets, total_weight);
        packer->sequences[sequences++] =
            (struct training_sequence){rows, example->length - 1, TRAINING_NO_PARENT};
        rows += example->length - 1;
    }
    *batch = (struct training_batch){
        packer->tokens, rows, packer->sequences, sequences, packer->targets, targets, 0};
    return taken;
}
