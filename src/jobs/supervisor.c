// One thread looks at every job that is not final, a few times a second while there are any. What a
// job needs next is read off its status in the store, its events, and whether its trainer lives:
// nothing that a restart of the server could lose.
#include "jobs/supervisor.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "jobs/job_directory.h"
#include "jobs/job_events.h"
#include "jobs/trainer_process.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    POLL_MILLISECONDS = 100,
    MAX_ATTEMPTS = 5, // trainers that die on a job without getting any further
    MAX_CHILDREN = 64,
};

// A trainer that this server started.
struct child {
    char job[64];
    pid_t process;
    bool training; // else it validates
};

struct supervisor {
    struct supervisor_options options;
    pthread_t thread;
    pthread_mutex_t lock; // held while a job is looked at, and while one is cancelled
    pthread_cond_t wake;
    bool woken, closing;
    struct child children[MAX_CHILDREN];
    size_t child_count;
    size_t training; // trainers at work, counted anew in each round
};

// ---- children ----

static struct child *find_child(struct supervisor *s, const char *job) {
    for (size_t i = 0; i < s->child_count; i++)
        if (!strcmp(s->children[i].job, job)) return &s->children[i];
    return NULL;
}

static void forget_child(struct supervisor *s, struct child *child) {
    *child = s->children[--s->child_count];
}

static bool start_trainer(
    struct supervisor *s, const struct job_record *job, bool validate_only, struct error *error) {
    char directory[FILE_PATH_SIZE];
    if (s->child_count == MAX_CHILDREN) return true; // later
    struct child *child = &s->children[s->child_count];
    if (!job_directory_prepare(s->options.store, job, s->options.threads, error) ||
        !job_directory_path(s->options.store, job->id, directory, error) ||
        !trainer_process_start(
            directory, validate_only, s->options.launcher, &child->process, error))
        return false;
    snprintf(child->job, sizeof child->job, "%s", job->id);
    child->training = !validate_only;
    s->child_count++;
    s->training += child->training;
    return true;
}

// Whether a trainer works on the job; where one of ours has ended, *how says how.
static bool is_worked_on(struct supervisor *s, const struct job_record *job, char how[64]) {
    char directory[FILE_PATH_SIZE];
    struct error ignored;
    struct child *child = find_child(s, job->id);
    *how = 0;
    if (child && trainer_process_lives(child->process, how)) return true;
    if (child) forget_child(s, child);
    return job_directory_path(s->options.store, job->id, directory, &ignored) &&
           job_directory_is_held(directory);
}

// Trainers of jobs that are final already (cancelled ones) end on their own: reap them.
static void reap(struct supervisor *s) {
    char how[64];
    for (size_t i = s->child_count; i-- > 0;)
        if (!trainer_process_lives(s->children[i].process, how)) forget_child(s, &s->children[i]);
}

static size_t count_training(const struct supervisor *s) {
    size_t count = 0;
    for (size_t i = 0; i < s->child_count; i++)
        count += s->children[i].training;
    return count;
}

// ---- one job ----

static const char *failure_code(const struct error *error) {
    return error->code == ERROR_NOT_FOUND || error->code == ERROR_INVALID ? "invalid_training_file"
                                                                          : "server_error";
}

static void fail_job(
    struct supervisor *s, struct job_record *job, const char *code, const char *message) {
    struct error error;
    if (!job_events_fail(s->options.store, job, code, message, NULL, &error))
        log_error("job %s: %s", job->id, error.message);
}

static void begin(struct supervisor *s, struct job_record *job, bool validate_only) {
    struct error error;
    if (!start_trainer(s, job, validate_only, &error))
        fail_job(s, job, failure_code(&error), error.message);
}

// A trainer has ended without saying how: another goes on where it was, up to a limit.
static void resume(struct supervisor *s, struct job_record *job, const char *how) {
    struct error error;
    char message[256];
    job->attempts++;
    if (job->attempts > MAX_ATTEMPTS) {
        snprintf(message, sizeof message,
            "The trainer %s, %d times at the same place; its own words are in trainer.log of the "
            "job's directory",
            *how ? how : "ended", MAX_ATTEMPTS);
        fail_job(s, job, "server_error", message);
        return;
    }
    bool validating = !strcmp(job->status, "validating_files");
    job_events_tell(s->options.store, job, "warn", "The trainer %s; %s", *how ? how : "ended",
        validating ? "it begins again" : "it goes on from the last checkpoint");
    if (!job_update(s->options.store, job, &error)) {
        log_error("job %s: %s", job->id, error.message);
        return;
    }
    begin(s, job, validating);
}

static void look_at(struct supervisor *s, struct job_record *job) {
    struct error error;
    char how[64], directory[FILE_PATH_SIZE];
    // First whether it lives, then what it wrote: a trainer that has ended has written all.
    bool worked_on = is_worked_on(s, job, how);
    if (!job_events_follow(s->options.store, job, &error)) {
        log_error("job %s: %s", job->id, error.message);
        // A full disk or short memory may pass; what else stands in the way will not.
        if (error.code != ERROR_IO && error.code != ERROR_MEMORY)
            fail_job(s, job, "server_error", error.message);
        return;
    }
    if (job_status_is_final(job->status)) {
        if (!worked_on && job_directory_path(s->options.store, job->id, directory, &error))
            job_directory_tidy(directory);
        return;
    }
    if (worked_on) return;
    if (!strcmp(job->status, "running"))
        resume(s, job, how);
    else if (*how && !strcmp(job->status, "validating_files"))
        resume(s, job, how);
    else if (!strcmp(job->status, "validating_files"))
        begin(s, job, true);
    else if (!s->training)
        begin(s, job, false);
}

// ---- all jobs ----

// Trainers of an earlier server count, too: those of running jobs whose lock is held.
static void count_adopted(struct supervisor *s, const struct job_record *jobs, size_t count) {
    char directory[FILE_PATH_SIZE];
    struct error ignored;
    s->training = count_training(s);
    for (size_t i = 0; i < count; i++)
        if (!find_child(s, jobs[i].id) && strcmp(jobs[i].status, "validating_files") &&
            job_directory_path(s->options.store, jobs[i].id, directory, &ignored) &&
            job_directory_is_held(directory))
            s->training++;
}

// Returns how many jobs are not final.
static size_t look_at_all(struct supervisor *s) {
    struct job_record *jobs;
    struct error error;
    size_t count;
    if (!job_list_open(s->options.store, &jobs, &count, &error)) {
        log_error("jobs: %s", error.message);
        return 1;
    }
    count_adopted(s, jobs, count);
    for (size_t i = 0; i < count; i++)
        look_at(s, &jobs[i]);
    if (!count) reap(s);
    size_t left = count + s->child_count;
    job_list_free(jobs, count);
    return left;
}

static void wait_a_moment(struct supervisor *s) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += POLL_MILLISECONDS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static void *supervise(void *context) {
    struct supervisor *s = context;
    pthread_mutex_lock(&s->lock);
    while (!s->closing) {
        s->woken = false;
        if (look_at_all(s)) {
            if (!s->woken && !s->closing) wait_a_moment(s);
            continue;
        }
        while (!s->woken && !s->closing)
            pthread_cond_wait(&s->wake, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

// ---- the outside ----

bool supervisor_open(
    struct supervisor **supervisor, const struct supervisor_options *options, struct error *error) {
    struct supervisor *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made) return memory_error(error, "the supervisor");
    made->options = *options;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    if (pthread_create(&made->thread, NULL, supervise, made) != 0) {
        memory_free(made);
        return error_set(error, ERROR_IO, "cannot start the supervisor's thread");
    }
    *supervisor = made;
    return true;
}

void supervisor_close(struct supervisor *supervisor) {
    if (!supervisor) return;
    pthread_mutex_lock(&supervisor->lock);
    supervisor->closing = true;
    pthread_cond_signal(&supervisor->wake);
    pthread_mutex_unlock(&supervisor->lock);
    pthread_join(supervisor->thread, NULL);
    pthread_mutex_destroy(&supervisor->lock);
    pthread_cond_destroy(&supervisor->wake);
    memory_free(supervisor);
}

void supervisor_wake(struct supervisor *supervisor) {
    pthread_mutex_lock(&supervisor->lock);
    supervisor->woken = true;
    pthread_cond_signal(&supervisor->wake);
    pthread_mutex_unlock(&supervisor->lock);
}

// Final at once: the trainer, where there is one, ends within a step, and what it still says is not
// read.
static bool cancel(struct supervisor *s, struct job_record *job, struct error *error) {
    char directory[FILE_PATH_SIZE];
    if (job_status_is_final(job->status))
        return error_set(
            error, ERROR_CONFLICT, "the job has ended already: its status is %s", job->status);
    if (!job_directory_path(s->options.store, job->id, directory, error) ||
        !file_make_directories(directory, error) || !job_directory_cancel(directory, error))
        return false;
    return job_events_cancel(s->options.store, job, error);
}

bool supervisor_cancel(
    struct supervisor *supervisor, const char *account, const char *job, struct error *error) {
    struct job_record record;
    pthread_mutex_lock(&supervisor->lock);
    bool ok = job_get(supervisor->options.store, account, job, &record, error);
    if (ok) {
        ok = cancel(supervisor, &record, error);
        job_record_free(&record);
    }
    supervisor->woken = true;
    pthread_cond_signal(&supervisor->wake);
    pthread_mutex_unlock(&supervisor->lock);
    return ok;
}
