// A training file, checked and tokenised: a JSONL file of chats ({"messages": […]}) or of plain
// texts
// ({"text": …}, for pretraining) becomes tokens with a loss weight each. Faults are collected, up
// to DATASET_MAX_FAULTS of them, each with its line, what is wrong, and how to put it right.
#ifndef TRAIN_DATASET_H
#define TRAIN_DATASET_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include <stddef.h>
#include <stdint.h>

struct chat_format; // model/chat_example.h

enum { DATASET_MINIMUM_EXAMPLES = 10, DATASET_MAX_FAULTS = 10 };

struct dataset_example {
    size_t offset; // of its first token in the dataset's arrays
    uint32_t length;
    uint32_t trained; // tokens with a weight above 0
    uint32_t line;    // from 1
};

// `weights[i]` is the weight of the loss on predicting token i from those before it; an example's
// first token has none.
struct dataset {
    size_t example_count;
    struct dataset_example *examples;
    int32_t *tokens;
    float *weights;
    uint64_t token_count;
    uint64_t trained_count;
    size_t truncated_count; // examples cut at their end to fit the context
    size_t endless_count;   // examples with an answer that has no end-of-turn token
    size_t longest;         // tokens, after that
};

struct dataset_fault {
    size_t line; // 0 for a fault of the file as a whole
    char message[512];
};

struct dataset_faults {
    size_t count;
    bool more; // there were others
    struct dataset_fault items[DATASET_MAX_FAULTS];
};

struct dataset_options {
    const char *file_name; // how messages call the file; NULL: its path
    size_t context_length; // longer examples are cut at their end and counted
    float prompt_weight; // of tokens of a chat that are not the assistant's: 0, but in pretraining
    float text_weight;   // of the tokens of a plain text; 0: such lines are faults
    size_t minimum_examples; // fewer are a fault
    int64_t chat_time;       // what chat templates take for now; 0: now
};

// Reads, checks and tokenises. On failure with faults in the file, `faults` tells them (and *error
// says all of them in one message); any other failure leaves faults->count at 0.
bool dataset_load(struct dataset **dataset, const char *path, const struct chat_format *format,
    const struct dataset_options *options, struct thread_pool *pool, struct dataset_faults *faults,
    struct error *error) WARN_UNUSED;
void dataset_free(struct dataset *dataset);

// Appends all faults as one message, a line of text each where there are several.
void dataset_faults_write(
    const struct dataset_faults *faults, const char *file_name, struct buffer *text);

#endif
