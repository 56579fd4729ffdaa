// Plans: how much an account may ask of the server. A table that the operator's settings may change
// and add to; accounts name their plan.
#ifndef BASE_PLAN_H
#define BASE_PLAN_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum { PLAN_NAME_SIZE = 33, PLANS_MAXIMUM = 32 };

// Of each number, 0 is no limit.
struct plan {
    char name[PLAN_NAME_SIZE];
    int64_t requests_per_minute;
    int64_t concurrent_requests;
    int64_t batch_requests;    // lines of a batch
    int64_t fine_tuned_models; // that an account has at a time
    int64_t context_tokens;    // of a chat and its answer
    int64_t output_tokens;     // of an answer
};

// What a plan consists of, for those who read and show it.
struct plan_limit {
    const char *name; // "requests_per_minute"
    size_t offset;    // of the number in struct plan
    const char *about;
};

const struct plan_limit *plan_limits(size_t *count);

struct plan_table {
    struct plan plans[PLANS_MAXIMUM];
    size_t count;
};

#define PLAN_UNLIMITED "unlimited"

// "unlimited", which an account has that nobody gave a plan, and the four that kluster.ai had:
// trial, core, scale, enterprise.
void plan_table_init(struct plan_table *table);

// NULL if there is none of that name.
struct plan *plan_find(struct plan_table *table, const char *name);

// Sets one limit of a plan; a plan of a new name is made, without limits. The message says what is
// wrong with the name, the limit, or the number.
bool plan_set(struct plan_table *table, const char *name, const char *limit, const char *value,
    struct error *error) WARN_UNUSED;

#endif
