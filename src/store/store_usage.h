// What was used: answers by minute, account, model and whether they were a batch's; fine-tuning as
// the jobs themselves tell it. Minutes older than a month are folded into hours.
#ifndef STORE_STORE_USAGE_H
#define STORE_STORE_USAGE_H

#include "store/store.h"

struct usage_record {
    int64_t start; // of the bucket, or of the minute; seconds since 1970
    char *account, *model;
    bool batch;
    int64_t requests, input_tokens, output_tokens;
    int64_t seconds; // of jobs: from their creation to their end
};

struct usage_query {
    const char *account;
    int64_t start, end, width; // seconds; buckets begin at multiples of `width`
    bool by_model;             // else `model` is NULL
};

// Adds the counts to those of their minutes, all or none.
bool usage_store(struct store *store, const struct usage_record *records, size_t count,
    struct error *error) WARN_UNUSED;

// Sums of answers, and of jobs that have ended (requests: jobs, input_tokens: trained tokens), by
// bucket and, if so asked, model; oldest first. (usage_list_free)
bool usage_list_answers(struct store *store, const struct usage_query *query,
    struct usage_record **records, size_t *count, struct error *error) WARN_UNUSED;
bool usage_list_jobs(struct store *store, const struct usage_query *query,
    struct usage_record **records, size_t *count, struct error *error) WARN_UNUSED;
void usage_list_free(struct usage_record *records, size_t count);

// Folds what is old into hours.
bool usage_fold(struct store *store, struct error *error) WARN_UNUSED;

#endif
