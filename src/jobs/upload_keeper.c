// The keeper's thread and its queue.
#include "jobs/upload_keeper.h"
#include "base/log.h"
#include "base/memory.h"
#include "jobs/upload_join.h"
#include "store/store_uploads.h"
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { SWEEP_SECONDS = 60, QUEUE_MAXIMUM = 256 };

struct task {
    struct task *next;
    struct upload_assembly assembly; // its texts are the task's
};

struct upload_keeper {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool closing;
    struct task *waiting; // oldest first; under the lock, as is its count
    size_t waiting_count;
};

static void free_task(struct task *task) {
    if (!task) return;
    struct upload_assembly *assembly = &task->assembly;
    for (size_t i = 0; assembly->parts && i < assembly->part_count; i++)
        memory_free((char *)assembly->parts[i]);
    memory_free((char **)assembly->parts);
    memory_free((char *)assembly->account);
    memory_free((char *)assembly->upload);
    memory_free((char *)assembly->md5);
    memory_free(task);
}

static bool copy_parts(struct task *task, const struct upload_assembly *assembly) {
    const char **parts = memory_alloc_zeroed(assembly->part_count + 1, sizeof *parts);
    if (!parts) return false;
    task->assembly.parts = (const char *const *)parts;
    task->assembly.part_count = assembly->part_count;
    for (size_t i = 0; i < assembly->part_count; i++)
        if (!(parts[i] = memory_copy_string(assembly->parts[i]))) return false;
    return true;
}

static struct task *make_task(const struct upload_assembly *assembly) {
    struct task *task = memory_alloc_zeroed(1, sizeof *task);
    if (!task) return NULL;
    task->assembly = (struct upload_assembly){
        .account = memory_copy_string(assembly->account),
        .upload = memory_copy_string(assembly->upload),
        .md5 = assembly->md5 ? memory_copy_string(assembly->md5) : NULL,
        .done = assembly->done,
        .context = assembly->context,
    };
    if (task->assembly.account && task->assembly.upload && (task->assembly.md5 || !assembly->md5) &&
        copy_parts(task, assembly))
        return task;
    free_task(task);
    return NULL;
}

bool upload_keeper_complete(
    struct upload_keeper *keeper, const struct upload_assembly *assembly, struct error *error) {
    struct task *task = make_task(assembly);
    if (!task) return memory_error(error, "an upload");
    pthread_mutex_lock(&keeper->lock);
    bool room = keeper->waiting_count < QUEUE_MAXIMUM && !keeper->closing;
    if (room) {
        struct task **last = &keeper->waiting;
        while (*last)
            last = &(*last)->next;
        *last = task;
        keeper->waiting_count++;
        pthread_cond_signal(&keeper->wake);
    }
    pthread_mutex_unlock(&keeper->lock);
    if (room) return true;
    free_task(task);
    return error_set(
        error, ERROR_CONFLICT, "Many uploads are being put together; ask again in a moment.");
}

static void run(struct upload_keeper *keeper, struct task *task) {
    struct error error = {0};
    bool good = upload_join(keeper->store, &task->assembly, &keeper->closing, &error);
    task->assembly.done(task->assembly.context, good ? NULL : &error);
    free_task(task);
}

static void sweep(struct upload_keeper *keeper) {
    struct error error;
    if (!upload_sweep(keeper->store, &error)) log_error("uploads: %s", error.message);
}

// The oldest task, or NULL after a minute, or at the end.
static struct task *await_task(struct upload_keeper *keeper) {
    struct timespec until;
    int over = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SWEEP_SECONDS;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->waiting && !keeper->closing && !over)
        over = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
    struct task *task = keeper->waiting;
    if (task) {
        keeper->waiting = task->next;
        keeper->waiting_count--;
    }
    pthread_mutex_unlock(&keeper->lock);
    return task;
}

static void *keep(void *context) {
    struct upload_keeper *keeper = context;
    for (;;) {
        struct task *task = await_task(keeper);
        if (task)
            run(keeper, task);
        else if (keeper->closing)
            return NULL;
        else
            sweep(keeper);
    }
}

bool upload_keeper_open(struct upload_keeper **result, struct store *store, struct error *error) {
    pthread_condattr_t attributes;
    struct upload_keeper *keeper = memory_alloc_zeroed(1, sizeof *keeper);
    if (!keeper) return memory_error(error, "the upload keeper");
    keeper->store = store;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    sweep(keeper);
    if (pthread_create(&keeper->thread, NULL, keep, keeper) == 0) {
        *result = keeper;
        return true;
    }
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    memory_free(keeper);
    return error_set(error, ERROR_IO, "cannot start the upload keeper's thread");
}

void upload_keeper_close(struct upload_keeper *keeper) {
    if (!keeper) return;
    pthread_mutex_lock(&keeper->lock);
    keeper->closing = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL); // tasks that wait fail at once: `closing` is set
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    memory_free(keeper);
}
