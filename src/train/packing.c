#include "train/packing.h"
#include "base/memory.h"
#include "base/random.h"
#include <stdlib.h>
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

size_t epoch_most_examples(const struct epoch_rules *rules, const struct dataset *dataset) {
    size_t most = rules->batch_size ? rules->batch_size : rules->tokens_per_batch;
    return most && most < dataset->example_count ? most : dataset->example_count;
}

// ---- the packer ----

// Attention takes rows in blocks, and a node begins one of its own: a shared beginning of fewer
// rows than half of the smallest block costs more as a node than computed again. It also keeps the
// token that every example begins with (BOS) from tying all of them together.
enum { LEAST_SHARED = 8 };

#define NEVER UINT32_MAX // part: all rows of the one are the first of the other's

bool packer_create(
    struct packer *packer, size_t max_rows, size_t max_examples, bool shared, struct error *error) {
    *packer = (struct packer){.max_rows = max_rows, .shared = shared};
    packer->tokens = memory_alloc_array(max_rows, sizeof *packer->tokens);
    packer->sequences = memory_alloc_array(max_rows, sizeof *packer->sequences);
    packer->targets = memory_alloc_array(2 * max_rows, sizeof *packer->targets);
    packer->order = memory_alloc_array(max_examples, sizeof *packer->order);
    packer->parts = memory_alloc_array(max_examples, sizeof *packer->parts);
    if (packer->tokens && packer->sequences && packer->targets && packer->order && packer->parts)
        return true;
    packer_free(packer);
    return memory_error(error, "a micro-batch");
}

void packer_free(struct packer *packer) {
    memory_free(packer->tokens);
    memory_free(packer->sequences);
    memory_free(packer->targets);
    memory_free(packer->order);
    memory_free(packer->parts);
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

// ---- which examples begin alike ----

static uint32_t rows_of(const struct packer *packer, size_t index) {
    return packer->dataset->examples[packer->order[index]].length - 1;
}

// The first row in which two examples differ.
static uint32_t parting(const struct dataset *dataset, uint32_t first, uint32_t second) {
    const struct dataset_example *a = &dataset->examples[first], *b = &dataset->examples[second];
    const int32_t *left = dataset->tokens + a->offset, *right = dataset->tokens + b->offset;
    uint32_t rows = (a->length < b->length ? a->length : b->length) - 1, row = 0;
    while (row < rows && left[row] == right[row])
        row++;
    return row < rows ? row : NEVER;
}

// By their rows, the shorter first where they are the beginning of the longer; equal ones as in the
// data, so that there is one order only.
static int compare_rows(const void *a, const void *b, void *context) {
    const struct dataset *dataset = context;
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    const struct dataset_example *left = &dataset->examples[first],
                                 *right = &dataset->examples[second];
    uint32_t row = parting(dataset, first, second);
    if (row != NEVER) {
        int32_t l = dataset->tokens[left->offset + row], r = dataset->tokens[right->offset + row];
        return l < r ? -1 : 1;
    }
    if (left->length != right->length) return left->length < right->length ? -1 : 1;
    return (first > second) - (first < second);
}

void packer_begin(struct packer *packer, const struct dataset *dataset, const uint32_t *order,
    size_t count, double total_weight) {
    packer->dataset = dataset;
    packer->total_weight = total_weight;
    packer->count = packer->at = 0;
    for (size_t i = 0; i < count; i++)
        if (dataset->examples[order[i]].length > 1) packer->order[packer->count++] = order[i];
    if (packer->shared)
        qsort_r(packer->order, packer->count, sizeof *packer->order, compare_rows, (void *)dataset);
    for (size_t i = 1; i < packer->count; i++)
        packer->parts[i] =
            packer->shared ? parting(dataset, packer->order[i - 1], packer->order[i]) : 0;
}

// ---- the tree ----

// Examples that share a row and predict the same token share the target.
static void add_target(
    struct packer *packer, size_t of_row, size_t row, int32_t token, float weight) {
    if (!(weight > 0)) return;
    for (size_t i = packer->target_count; i-- > of_row;)
        if (packer->targets[i].token == token) {
            packer->targets[i].weight += weight;
            packer->targets[i].examples += 1;
            return;
        }
    packer->targets[packer->target_count++] =
        (struct training_target){(uint32_t)row, token, weight, 1};
}

// Row `depth` of the examples first … last - 1, of which those that are long enough share it.
static void add_row(struct packer *packer, size_t first, size_t last, uint32_t depth) {
    const struct dataset *dataset = packer->dataset;
    size_t of_row = packer->target_count;
    for (size_t i = first; i < last; i++) {
        const struct dataset_example *example = &dataset->examples[packer->order[i]];
        size_t at = example->offset + depth;
        if (example->length - 1 <= depth) continue;
        packer->tokens[packer->rows] = dataset->tokens[at];
        add_target(packer, of_row, packer->rows, dataset->tokens[at + 1], dataset->weights[at + 1]);
    }
    for (size_t i = of_row; i < packer->target_count; i++)
        packer->targets[i].weight = (float)(packer->targets[i].weight / packer->total_weight);
    packer->rows++;
}

// The rows depth … end - 1 of the examples. Returns the node.
static size_t add_node(
    struct packer *packer, size_t first, size_t last, uint32_t depth, uint32_t end, size_t parent) {
    if (packer->counting) {
        packer->rows += end - depth;
        return 0;
    }
    packer->sequences[packer->sequence_count] =
        (struct training_sequence){packer->rows, end - depth, parent};
    for (; depth < end; depth++)
        add_row(packer, first, last, depth);
    return packer->sequence_count++;
}

// The first row in which any two of the examples part.
static uint32_t first_parting(const struct packer *packer, size_t first, size_t last) {
    uint32_t least = NEVER;
    for (size_t i = first + 1; i < last; i++)
        least = packer->parts[i] < least ? packer->parts[i] : least;
    return least;
}

static uint32_t longest_of(const struct packer *packer, size_t first, size_t last) {
    uint32_t longest = 0;
    for (size_t i = first; i < last; i++)
        longest = rows_of(packer, i) > longest ? rows_of(packer, i) : longest;
    return longest;
}

// The subtree of examples that agree in their first `depth` rows, which stand above it; at least
// one has more. Examples whose rows are the beginning of others' end within a node. It goes no
// deeper than examples can part one after another, which takes them as many tokens as the square.
static void grow(struct packer *packer, size_t first, size_t last, uint32_t depth, size_t parent) {
    uint32_t part = first_parting(packer, first, last);
    if (part == NEVER) {
        add_node(packer, first, last, depth, longest_of(packer, first, last), parent);
        return;
    }
    if (part - depth >= LEAST_SHARED) {
        parent = add_node(packer, first, last, depth, part, parent);
        depth = part;
        while (rows_of(packer, first) <= depth)
            first++;
    }
    for (size_t start = first, end; start < last; start = end) {
        for (end = start + 1; end < last && packer->parts[end] != part; end++)
            ;
        grow(packer, start, end, depth, parent);
    }
}

static size_t count_rows(struct packer *packer, size_t first, size_t last) {
    packer->counting = true;
    packer->rows = 0;
    grow(packer, first, last, 0, TRAINING_NO_PARENT);
    packer->counting = false;
    return packer->rows;
}

// Where the micro-batch that begins at packer->at ends, and its rows. A tree of r rows and e
// examples has fewer than r + e targets, so that max_rows examples keep within 2 · max_rows.
static size_t fitting(struct packer *packer, size_t *rows) {
    size_t first = packer->at, left = packer->count - first;
    size_t fits = first + 1, beyond = first + (left < packer->max_rows ? left : packer->max_rows);
    if ((*rows = count_rows(packer, first, beyond)) <= packer->max_rows) return beyond;
    *rows = count_rows(packer, first, fits);
    while (beyond - fits > 1) {
        size_t middle = fits + (beyond - fits) / 2, taken = count_rows(packer, first, middle);
        if (taken > packer->max_rows) {
            beyond = middle;
            continue;
        }
        fits = middle;
        *rows = taken;
    }
    return fits;
}

bool packer_next(struct packer *packer, struct training_batch *batch) {
    size_t rows;
    if (packer->at == packer->count) return false;
    size_t end = fitting(packer, &rows);
    packer->rows = packer->sequence_count = packer->target_count = 0;
    grow(packer, packer->at, end, 0, TRAINING_NO_PARENT);
    packer->at = end;
    *batch = (struct training_batch){packer->tokens, packer->rows, packer->sequences,
        packer->sequence_count, packer->targets, packer->target_count, 0};
    return true;
}

static uint64_t count_batch(struct packer *packer) {
    uint64_t all = 0;
    for (size_t rows; packer->at < packer->count; all += rows)
        packer->at = fitting(packer, &rows);
    return all;
}

bool packing_count(const struct dataset *dataset, const struct epoch_rules *rules, size_t max_rows,
    bool shared, uint64_t *rows, struct error *error) {
    struct epoch_plan plan;
    struct packer packer;
    *rows = 0;
    if (!epoch_plan_make(&plan, dataset, rules, 0, error)) return false;
    bool ok = packer_create(&packer, max_rows, epoch_most_examples(rules, dataset), shared, error);
    for (size_t i = 0; ok && i < plan.batch_count; i++) {
        size_t first = plan.batch_starts[i], end = plan.batch_starts[i + 1];
        packer_begin(&packer, dataset, plan.order + first, end - first, 1);
        *rows += count_batch(&packer);
    }
    if (ok) packer_free(&packer);
    epoch_plan_free(&plan);
    return ok;
}
