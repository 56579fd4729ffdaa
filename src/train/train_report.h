// What a training file holds, for people: counts, how long its examples are, how many of its tokens
// an epoch computes, some examples as the model sees them, and its faults. As JSON, the same for
// `temper validate --json` and the server's checks.
#ifndef TRAIN_TRAIN_REPORT_H
#define TRAIN_TRAIN_REPORT_H

#include "train/dataset.h"
#include <jansson.h>

struct tokenizer;

enum { TRAIN_REPORT_SHOWN = 3 };

// {"valid", "faults": [{"line" (0: the file as a whole), "message"}], "more_faults"}, and of a good
// file "examples", "tokens", "trained_tokens", "tokens_after_shared_prefixes" (`computed`, as
// train_work.h counts them), "truncated_examples", "endless_examples", "longest_example",
// "lengths" and, of up to `shown` examples, "shown": [{"line", "tokens", "pieces": [{"text",
// "trained"}]}]. `dataset` is NULL where there are faults. NULL where memory is short.
json_t *train_report(const struct dataset *dataset, uint64_t computed,
    const struct dataset_faults *faults, const struct tokenizer *tokenizer, size_t shown);

// [{"from", "to", "examples"}]: at most 24 ranges of lengths, both ends included, with round
// borders.
json_t *train_report_lengths(const struct dataset *dataset);

#endif
