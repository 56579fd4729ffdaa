#include "train/train_bench_data.h"
#include "base/memory.h"
#include "base/random.h"

enum { PROMPT = 75, HEADLINE_LEAST = 20, HEADLINE_MOST = 40, BATCH_TOKENS = 2048, STREAM = 7 };

static struct dataset *take(size_t examples, size_t tokens, struct error *error) {
    struct dataset *dataset = memory_alloc_zeroed(1, sizeof *dataset);
    if (dataset) {
        dataset->examples = memory_alloc_zeroed(examples, sizeof *dataset->examples);
        dataset->tokens = memory_alloc_zeroed(tokens, sizeof *dataset->tokens);
        dataset->weights = memory_alloc_zeroed(tokens, sizeof *dataset->weights);
    }
    if (dataset && dataset->examples && dataset->tokens && dataset->weights) return dataset;
    dataset_free(dataset);
    memory_error(error, "the bench's data");
    return NULL;
}

static void end_example(struct dataset *dataset, size_t length) {
    dataset->examples[dataset->example_count++] = (struct dataset_example){
        .offset = (size_t)dataset->token_count, .length = (uint32_t)length};
    dataset->token_count += length;
    dataset->longest = length > dataset->longest ? length : dataset->longest;
}

bool train_bench_plain(struct dataset **dataset, size_t sequences, size_t length, size_t vocabulary,
    struct error *error) {
    size_t each = length + 1; // the last token has no row
    struct dataset *new = take(sequences, sequences * each, error);
    if (!new) return false;
    for (size_t i = 0; i < sequences * each; i++) {
        new->tokens[i] = (int32_t)((i + 1) * 7919 % vocabulary);
        new->weights[i] = 1;
    }
    for (size_t i = 0; i < sequences; i++)
        end_example(new, each);
    *dataset = new;
    return true;
}

bool train_bench_headlines(struct dataset **dataset, size_t vocabulary, struct error *error) {
    enum { MOST = PROMPT + HEADLINE_MOST + 1 };
    struct dataset *new = take(BATCH_TOKENS / PROMPT + 1, BATCH_TOKENS + MOST, error);
    if (!new) return false;
    while (new->token_count < BATCH_TOKENS) {
        int32_t *tokens = new->tokens + new->token_count;
        size_t headline = HEADLINE_LEAST + random_below(STREAM, 1, new->example_count,
                                               HEADLINE_MOST - HEADLINE_LEAST + 1);
        size_t length = PROMPT + headline + 1;
        for (size_t i = 0; i < length; i++)
            tokens[i] =
                (int32_t)(i < PROMPT ? i * 7919 % vocabulary
                                     : random_below(STREAM, 2, new->token_count + i, vocabulary));
        new->weights[new->token_count + length - 1] = 1;
        end_example(new, length);
    }
    *dataset = new;
    return true;
}
