#include "service/usage.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/store_usage.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { MOST_KINDS = 4096, FOLD_SECONDS = 3600 };

struct usage {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing;
    struct usage_record *records; // of this second, by kind
    size_t count, capacity;
    pthread_mutex_t writing; // one writer at a time
};

static struct usage_record *find(
    struct usage *usage, int64_t minute, const char *account, const char *model, bool batch) {
    for (size_t i = 0; i < usage->count; i++) {
        struct usage_record *record = &usage->records[i];
        if (record->start == minute && record->batch == batch &&
            strcmp(record->account, account) == 0 && strcmp(record->model, model) == 0)
            return record;
    }
    return NULL;
}

static struct usage_record *append(
    struct usage *usage, int64_t minute, const char *account, const char *model, bool batch) {
    if (usage->count == usage->capacity) {
        size_t capacity = usage->capacity ? 2 * usage->capacity : 16;
        struct usage_record *grown =
            capacity <= MOST_KINDS ? memory_resize(usage->records, capacity, sizeof *usage->records)
                                   : NULL;
        if (!grown) return NULL;
        usage->records = grown;
        usage->capacity = capacity;
    }
    struct usage_record *record = &usage->records[usage->count];
    *record = (struct usage_record){.start = minute,
        .batch = batch,
        .account = memory_copy_string(account),
        .model = memory_copy_string(model)};
    if (record->account && record->model) {
        usage->count++;
        return record;
    }
    memory_free(record->account);
    memory_free(record->model);
    return NULL;
}

void usage_add(struct usage *usage, const char *account, const char *model, bool batch,
    int64_t input_tokens, int64_t output_tokens) {
    if (!usage) return;
    int64_t now = (int64_t)time(NULL), minute = now - now % 60;
    pthread_mutex_lock(&usage->lock);
    struct usage_record *record = find(usage, minute, account, model, batch);
    if (!record) record = append(usage, minute, account, model, batch);
    if (record) {
        record->requests++;
        record->input_tokens += input_tokens;
        record->output_tokens += output_tokens;
    }
    pthread_mutex_unlock(&usage->lock);
}

void usage_flush(struct usage *usage) {
    struct error error;
    if (!usage) return;
    pthread_mutex_lock(&usage->writing);
    pthread_mutex_lock(&usage->lock);
    struct usage_record *records = usage->records;
    size_t count = usage->count;
    usage->records = NULL;
    usage->count = usage->capacity = 0;
    pthread_mutex_unlock(&usage->lock);
    if (count && !usage_store(usage->store, records, count, &error))
        log_error("usage: %s", error.message);
    usage_list_free(records, count);
    pthread_mutex_unlock(&usage->writing);
}

static bool pause_or_end(struct usage *usage) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_mutex_lock(&usage->lock);
    if (!usage->closing) pthread_cond_timedwait(&usage->wake, &usage->lock, &until);
    bool closing = usage->closing;
    pthread_mutex_unlock(&usage->lock);
    return closing;
}

static void *keep(void *context) {
    struct usage *usage = context;
    struct error error;
    for (unsigned turn = 0;; turn++) {
        if (turn % FOLD_SECONDS == 0 && !usage_fold(usage->store, &error))
            log_error("usage: %s", error.message);
        bool closing = pause_or_end(usage);
        usage_flush(usage);
        if (closing) return NULL;
    }
}

bool usage_open(struct usage **result, struct store *store, struct error *error) {
    struct usage *usage = memory_alloc_zeroed(1, sizeof *usage);
    if (!usage) return memory_error(error, "the counts of usage");
    usage->store = store;
    pthread_mutex_init(&usage->lock, NULL);
    pthread_mutex_init(&usage->writing, NULL);
    pthread_cond_init(&usage->wake, NULL);
    errno = pthread_create(&usage->thread, NULL, keep, usage);
    if (errno == 0) {
        *result = usage;
        return true;
    }
    memory_free(usage);
    return error_set_errno(error, ERROR_IO, "cannot start a thread");
}

void usage_close(struct usage *usage) {
    if (!usage) return;
    pthread_mutex_lock(&usage->lock);
    usage->closing = true;
    pthread_cond_signal(&usage->wake);
    pthread_mutex_unlock(&usage->lock);
    pthread_join(usage->thread, NULL);
    usage_list_free(usage->records, usage->count);
    pthread_mutex_destroy(&usage->lock);
    pthread_mutex_destroy(&usage->writing);
    pthread_cond_destroy(&usage->wake);
    memory_free(usage);
}
