// Counting requests. A minute's requests are a bucket that fills evenly: a burst may take all that
// is in it, and then each request waits its share of the minute.
#include "service/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/service.h"
#include "store/store_accounts.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SLOTS = 1024, DURATION_SIZE = 48 };

struct bucket {
    struct bucket *next;
    char *account;
    double left; // requests
    double looked_at;
    int64_t running;
};

struct limits {
    struct plan_table plans;
    pthread_mutex_t lock;
    struct bucket *slots[SLOTS]; // one bucket an account, for as long as the server lives
};

bool limits_open(struct limits **result, const struct plan_table *plans, struct error *error) {
    struct limits *limits = memory_alloc_zeroed(1, sizeof *limits);
    if (!limits) return memory_error(error, "the limits");
    limits->plans = *plans;
    pthread_mutex_init(&limits->lock, NULL);
    *result = limits;
    return true;
}

void limits_close(struct limits *limits) {
    if (!limits) return;
    for (size_t i = 0; i < SLOTS; i++) {
        for (struct bucket *bucket = limits->slots[i], *next; bucket; bucket = next) {
            next = bucket->next;
            memory_free(bucket->account);
            memory_free(bucket);
        }
    }
    pthread_mutex_destroy(&limits->lock);
    memory_free(limits);
}

const struct plan *limits_plan(const struct limits *limits, const char *name) {
    return plan_find((struct plan_table *)&limits->plans, name ? name : PLAN_UNLIMITED);
}

const struct plan *limits_account_plan(struct service *service, const char *account) {
    static const struct plan unlimited = {.name = PLAN_UNLIMITED};
    const struct plan *plan = NULL;
    struct error error;
    char *name;
    if (account_plan(service->store, account, &name, &error)) {
        plan = limits_plan(service->limits, name);
        memory_free(name);
    } else {
        log_error("the plan of %s: %s", account, error.message);
    }
    return plan ? plan : &unlimited;
}

// Under the lock, as what follows. NULL where memory is short.
static struct bucket *find(struct limits *limits, const char *account) {
    size_t hash = 5381;
    for (const char *at = account; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    struct bucket **slot = &limits->slots[hash % SLOTS];
    for (struct bucket *bucket = *slot; bucket; bucket = bucket->next)
        if (strcmp(bucket->account, account) == 0) return bucket;
    struct bucket *bucket = memory_alloc_zeroed(1, sizeof *bucket);
    char *copy = memory_copy_string(account);
    if (!bucket || !copy) {
        memory_free(bucket);
        memory_free(copy);
        return NULL;
    }
    *bucket = (struct bucket){.next = *slot, .account = copy, .left = HUGE_VAL};
    return *slot = bucket;
}

static void fill(struct bucket *bucket, double each_minute, double now) {
    double left = bucket->left + (now - bucket->looked_at) * each_minute / 60;
    bucket->left = left < each_minute ? left : each_minute;
    bucket->looked_at = now;
}

// As OpenAI writes times to wait: "12ms", "1.5s", "6m0s".
static void write_duration(char text[DURATION_SIZE], double seconds) {
    double milliseconds = ceil(seconds * 1000);
    if (milliseconds < 1000)
        snprintf(text, DURATION_SIZE, "%.0fms", milliseconds);
    else if (milliseconds < 59950) // what is more would be rounded to 60 below
        snprintf(text, DURATION_SIZE, "%.3gs", milliseconds / 1000);
    else
        snprintf(
            text, DURATION_SIZE, "%.0fm%.0fs", floor(ceil(seconds) / 60), fmod(ceil(seconds), 60));
}

static void tell(struct reply *reply, const struct bucket *bucket, const struct plan *plan) {
    char duration[DURATION_SIZE];
    double each_minute = (double)plan->requests_per_minute;
    write_duration(duration, (each_minute - bucket->left) * 60 / each_minute);
    reply_header(reply, "x-ratelimit-limit-requests", "%lld", (long long)plan->requests_per_minute);
    reply_header(reply, "x-ratelimit-remaining-requests", "%.0f",
        bucket->left > 0 ? floor(bucket->left) : 0);
    reply_header(reply, "x-ratelimit-reset-requests", "%s", duration);
}

static void refuse(
    struct reply *reply, double seconds, const char *format, long long most, const char *plan) {
    reply_header(reply, "Retry-After", "%.0f", seconds < 1 ? 1 : ceil(seconds));
    reply_header(reply, "retry-after-ms", "%.0f", ceil(seconds * 1000));
    reply_error(reply, 429, "rate_limit_exceeded", NULL, format, plan, most, seconds);
}

static bool admit(struct bucket *bucket, const struct plan *plan, struct reply *reply) {
    if (plan->requests_per_minute) {
        fill(bucket, (double)plan->requests_per_minute, progress_clock());
        bool room = bucket->left >= 1;
        if (room) bucket->left--;
        tell(reply, bucket, plan);
        if (!room) {
            refuse(reply, (1 - bucket->left) * 60 / (double)plan->requests_per_minute,
                "Rate limit reached: the plan '%s' has %lld requests a minute. Try again in "
                "%.3gs.",
                plan->requests_per_minute, plan->name);
            return false;
        }
    }
    if (plan->concurrent_requests && bucket->running >= plan->concurrent_requests) {
        refuse(reply, 1,
            "Rate limit reached: the plan '%s' has %lld requests at a time. Try again in %.3gs, "
            "when one has ended.",
            plan->concurrent_requests, plan->name);
        return false;
    }
    bucket->running++;
    return true;
}

bool limits_enter(
    struct limits *limits, const char *account, const struct plan *plan, struct reply *reply) {
    pthread_mutex_lock(&limits->lock);
    struct bucket *bucket = find(limits, account);
    bool good = bucket && admit(bucket, plan, reply);
    pthread_mutex_unlock(&limits->lock);
    if (!bucket) reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
    return good;
}

void limits_leave(struct limits *limits, const char *account) {
    pthread_mutex_lock(&limits->lock);
    struct bucket *bucket = find(limits, account);
    if (bucket && bucket->running > 0) bucket->running--;
    pthread_mutex_unlock(&limits->lock);
}

bool limits_check_models(
    struct service *service, const struct request *request, struct reply *reply) {
    struct error error;
    size_t count;
    int64_t most = request->plan->fine_tuned_models;
    if (!most) return true;
    if (!account_count_models(service->store, request->account, &count, &error)) {
        reply_failure(reply, "counting models", &error);
        return false;
    }
    if ((int64_t)count < most) return true;
    reply_error(reply, 429, "insufficient_quota", NULL,
        "You exceeded your current quota: the plan '%s' has %lld fine-tuned models, and the "
        "account "
        "has %zu. Delete one first.",
        request->plan->name, (long long)most, count);
    reply->never_retry = true;
    return false;
}
