// Data for train_bench.h, made up.
#ifndef TRAIN_TRAIN_BENCH_DATA_H
#define TRAIN_TRAIN_BENCH_DATA_H

#include "train/dataset.h"

// `sequences` examples of `length` rows each that have nothing in common, with a loss on every
// token. dataset_free().
bool train_bench_plain(struct dataset **dataset, size_t sequences, size_t length, size_t vocabulary,
    struct error *error) WARN_UNUSED;

// Examples like those of the sentiment tutorial: a system prompt of 75 tokens, the same in all, a
// headline of 20 to 40, and one word, with the loss on it alone. As many as make 2048 tokens or a
// few more. dataset_free().
bool train_bench_headlines(
    struct dataset **dataset, size_t vocabulary, struct error *error) WARN_UNUSED;

#endif
