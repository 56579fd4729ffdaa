// The table of plans.
#include "base/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAXIMUM = 15 };

static const struct plan_limit limits[] = {
    {"requests_per_minute", offsetof(struct plan, requests_per_minute), "requests a minute"},
    {"concurrent_requests", offsetof(struct plan, concurrent_requests), "requests at a time"},
    {"batch_requests", offsetof(struct plan, batch_requests), "requests in a batch"},
    {"fine_tuned_models", offsetof(struct plan, fine_tuned_models), "fine-tuned models kept"},
    {"context_tokens", offsetof(struct plan, context_tokens), "tokens of a chat and its answer"},
    {"output_tokens", offsetof(struct plan, output_tokens), "tokens of an answer"},
};

const struct plan_limit *plan_limits(size_t *count) {
    *count = sizeof limits / sizeof *limits;
    return limits;
}

void plan_table_init(struct plan_table *table) {
    static const struct plan standard[] = {
        {.name = PLAN_UNLIMITED},
        {"trial", 30, 20, 1000, 1, 32768, 4096},
        {"core", 600, 100, 100000, 10, 131072, 131072},
        {"scale", 1200, 100, 500000, 25, 131072, 131072},
        {"enterprise", .concurrent_requests = 100},
    };
    *table = (struct plan_table){.count = sizeof standard / sizeof *standard};
    memcpy(table->plans, standard, sizeof standard);
}

struct plan *plan_find(struct plan_table *table, const char *name) {
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->plans[i].name, name) == 0) return &table->plans[i];
    return NULL;
}

static bool name_allowed(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length < PLAN_NAME_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

static struct plan *find_or_make(struct plan_table *table, const char *name, struct error *error) {
    struct plan *plan = plan_find(table, name);
    if (plan) return plan;
    if (!name_allowed(name) || table->count == PLANS_MAXIMUM) {
        (void)error_set(error, ERROR_INVALID,
            "'%.40s' cannot be a plan: a name has 1 to %d small letters, digits, - and _, and "
            "there "
            "are %d plans at most",
            name, PLAN_NAME_SIZE - 1, PLANS_MAXIMUM);
        return NULL;
    }
    plan = &table->plans[table->count++];
    *plan = (struct plan){0};
    snprintf(plan->name, sizeof plan->name, "%s", name);
    return plan;
}

static int64_t *limit_of(struct plan *plan, const char *name) {
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (strcmp(limits[i].name, name) == 0)
            return (int64_t *)(void *)((char *)plan + limits[i].offset);
    return NULL;
}

bool plan_set(struct plan_table *table, const char *name, const char *limit, const char *value,
    struct error *error) {
    struct plan *plan = find_or_make(table, name, error);
    if (!plan) return false;
    int64_t *number = limit_of(plan, limit);
    if (!number)
        return error_set(error, ERROR_INVALID,
            "a plan has no '%.60s': it has requests_per_minute, concurrent_requests, "
            "batch_requests, fine_tuned_models, context_tokens and output_tokens",
            limit);
    size_t digits = strspn(value, "0123456789");
    if (strcmp(value, PLAN_UNLIMITED) == 0) {
        *number = 0;
        return true;
    }
    if (!digits || value[digits] || digits > DIGITS_MAXIMUM || strtoll(value, NULL, 10) == 0)
        return error_set(error, ERROR_INVALID,
            "%s must be a whole number above 0, or \"unlimited\", but is '%.60s'", limit, value);
    *number = strtoll(value, NULL, 10);
    return true;
}
