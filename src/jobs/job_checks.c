#include "jobs/job_checks.h"
#include "base/file.h"
#include "base/job_format.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "jobs/job_directory.h"
#include "jobs/trainer_process.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum {
    WORKERS = 2, // checks at work at a time
    QUEUE_MAXIMUM = 64,
    MOST_SECONDS = 300,
    MOST_REPORT = 8 << 20, // bytes
    LOOK_MILLISECONDS = 10,
    NAME_LETTERS = 24,
};

static const char prefix[] = "check-";

struct task {
    struct task *next; // of those waiting, or of those at work
    struct job_record job;
    uint64_t ticket;
    void (*done)(void *context, const json_t *report, const struct error *error);
    void *context;
    bool cancelled; // under the lock
};

struct job_checks {
    struct store *store;
    struct trainer_share share;
    pthread_t workers[WORKERS];
    size_t worker_count;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing;
    uint64_t tickets;
    struct task *waiting, *running; // the former oldest first
    size_t waiting_count;
};

static char *copied(const char *text) {
    return text ? memory_copy_string(text) : NULL;
}

static struct task *make_task(const struct job_check *check) {
    struct task *task = memory_alloc_zeroed(1, sizeof *task);
    char name[NAME_LETTERS + 1];
    struct error ignored;
    if (!task) return NULL;
    const struct job_record *job = check->job;
    task->done = check->done;
    task->context = check->context;
    task->job = (struct job_record){
        .id = random_secret(name, NAME_LETTERS, &ignored) ? memory_format("%s%s", prefix, name)
                                                          : NULL,
        .account = copied(job->account),
        .model = copied(job->model),
        .training_file = copied(job->training_file),
        .validation_file = copied(job->validation_file),
        .hyperparameters = copied(job->hyperparameters),
        .lora = copied(job->lora),
        .seed = job->seed,
        .created_at = (int64_t)time(NULL),
    };
    if (task->job.id && task->job.account && task->job.model && task->job.training_file)
        return task;
    job_record_free(&task->job);
    memory_free(task);
    return NULL;
}

static void free_task(struct task *task) {
    job_record_free(&task->job);
    memory_free(task);
}

// ---- one check ----

static bool is_wanted(struct job_checks *checks, const struct task *task) {
    pthread_mutex_lock(&checks->lock);
    bool wanted = !task->cancelled && !checks->closing;
    pthread_mutex_unlock(&checks->lock);
    return wanted;
}

static void look_again(void) {
    nanosleep(&(struct timespec){.tv_nsec = LOOK_MILLISECONDS * 1000000L}, NULL);
}

// Waits for the process; one that nobody waits for, or that takes too long, is ended.
static bool await_process(
    struct job_checks *checks, const struct task *task, pid_t process, struct error *error) {
    time_t until = time(NULL) + MOST_SECONDS;
    enum error_code stopped = ERROR_NONE;
    char how[64];
    while (trainer_process_lives(process, how)) {
        if (stopped == ERROR_NONE && !is_wanted(checks, task)) stopped = ERROR_CANCELLED;
        if (stopped == ERROR_NONE && time(NULL) > until) stopped = ERROR_UNSUPPORTED;
        if (stopped != ERROR_NONE) kill(process, SIGKILL);
        look_again();
    }
    if (stopped == ERROR_CANCELLED) return error_set(error, stopped, "nobody waits for the check");
    if (stopped != ERROR_NONE)
        return error_set(error, stopped, "The check took longer than %d seconds.", MOST_SECONDS);
    return true;
}

// The last line of what the process said: why there is no report.
static void take_reason(const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    struct error ignored;
    error_set(error, ERROR_INTERNAL, "the check of the training file failed");
    if (!file_path(path, sizeof path, &ignored, directory, "trainer.log") ||
        !file_read(path, MOST_REPORT, &text, &length, &ignored))
        return;
    while (length && text[length - 1] == '\n')
        text[--length] = '\0';
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    if (strncmp(line, "temper: ", 8) == 0) line += 8;
    if (*line) error_set(error, ERROR_INVALID, "%s", line);
    memory_free(text);
}

static json_t *read_report(const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    if (!file_path(path, sizeof path, error, directory, JOB_REPORT_FILE)) return NULL;
    if (!file_exists(path)) {
        take_reason(directory, error);
        return NULL;
    }
    if (!file_read(path, MOST_REPORT, &text, &length, error)) return NULL;
    json_t *report = json_loadb(text, length, 0, NULL);
    memory_free(text);
    if (!report) error_set(error, ERROR_INTERNAL, "%s is no JSON", path);
    return report;
}

static json_t *check_in(struct job_checks *checks, const struct task *task, const char *directory,
    struct error *error) {
    const char *param = NULL;
    pid_t process;
    if (!job_directory_prepare(checks->store, &task->job, checks->share, &param, error) ||
        !trainer_process_start(directory, TRAINER_REPORT, NULL, &process, error) ||
        !await_process(checks, task, process, error))
        return NULL;
    return read_report(directory, error);
}

static void run(struct job_checks *checks, struct task *task) {
    char directory[FILE_PATH_SIZE];
    struct error error = {0}, ignored;
    json_t *report = NULL;
    if (!is_wanted(checks, task))
        error_set(&error, ERROR_CANCELLED, "nobody waits for the check");
    else if (job_directory_path(checks->store, task->job.id, directory, &error)) {
        report = check_in(checks, task, directory, &error);
        (void)!file_remove_tree(directory, &ignored);
    }
    task->done(task->context, report, report ? NULL : &error);
    json_decref(report);
}

// ---- the queue ----

// The oldest task, now among those at work; NULL at the end, when none is left.
static struct task *await_task(struct job_checks *checks) {
    pthread_mutex_lock(&checks->lock);
    while (!checks->waiting && !checks->closing)
        pthread_cond_wait(&checks->wake, &checks->lock);
    struct task *task = checks->waiting;
    if (task) {
        checks->waiting = task->next;
        checks->waiting_count--;
        task->next = checks->running;
        checks->running = task;
    }
    pthread_mutex_unlock(&checks->lock);
    return task;
}

static void forget(struct job_checks *checks, struct task *task) {
    pthread_mutex_lock(&checks->lock);
    struct task **at = &checks->running;
    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    pthread_mutex_unlock(&checks->lock);
    free_task(task);
}

static void *work(void *context) {
    struct job_checks *checks = context;
    struct task *task;
    while ((task = await_task(checks))) {
        run(checks, task);
        forget(checks, task);
    }
    return NULL;
}

static void remove_left(struct store *store) {
    char folder[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    struct error error;
    if (!file_path(folder, sizeof folder, &error, store_directory(store), "jobs")) return;
    DIR *directory = opendir(folder);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0 &&
            file_path(path, sizeof path, &error, folder, entry->d_name) &&
            !file_remove_tree(path, &error))
            log_error("%s", error.message);
    if (directory) closedir(directory);
}

bool job_checks_open(struct job_checks **result, struct store *store, struct trainer_share share,
    struct error *error) {
    struct job_checks *checks = memory_alloc_zeroed(1, sizeof *checks);
    if (!checks) return memory_error(error, "the checks of training files");
    checks->store = store;
    checks->share = share;
    pthread_mutex_init(&checks->lock, NULL);
    pthread_cond_init(&checks->wake, NULL);
    remove_left(store);
    for (; checks->worker_count < WORKERS; checks->worker_count++) {
        errno = pthread_create(&checks->workers[checks->worker_count], NULL, work, checks);
        if (errno == 0) continue;
        error_set_errno(error, ERROR_IO, "cannot start a thread");
        job_checks_close(checks);
        return false;
    }
    *result = checks;
    return true;
}

void job_checks_close(struct job_checks *checks) {
    if (!checks) return;
    pthread_mutex_lock(&checks->lock);
    checks->closing = true;
    pthread_cond_broadcast(&checks->wake);
    pthread_mutex_unlock(&checks->lock);
    for (size_t i = 0; i < checks->worker_count; i++)
        pthread_join(checks->workers[i], NULL);
    pthread_mutex_destroy(&checks->lock);
    pthread_cond_destroy(&checks->wake);
    memory_free(checks);
}

bool job_checks_submit(struct job_checks *checks, const struct job_check *check, uint64_t *ticket,
    struct error *error) {
    struct task *task = make_task(check);
    if (!task) return memory_error(error, "a check");
    pthread_mutex_lock(&checks->lock);
    bool room = checks->waiting_count < QUEUE_MAXIMUM && !checks->closing;
    if (room) {
        struct task **last = &checks->waiting;
        while (*last)
            last = &(*last)->next;
        *ticket = task->ticket = ++checks->tickets;
        *last = task;
        checks->waiting_count++;
        pthread_cond_signal(&checks->wake);
    }
    pthread_mutex_unlock(&checks->lock);
    if (room) return true;
    free_task(task);
    return error_set(error, ERROR_CONFLICT, "Many files are being checked; ask again in a moment.");
}

static void mark(struct task *task, uint64_t ticket) {
    for (; task; task = task->next)
        if (task->ticket == ticket) task->cancelled = true;
}

void job_checks_cancel(struct job_checks *checks, uint64_t ticket) {
    pthread_mutex_lock(&checks->lock);
    mark(checks->waiting, ticket);
    mark(checks->running, ticket);
    pthread_mutex_unlock(&checks->lock);
}
