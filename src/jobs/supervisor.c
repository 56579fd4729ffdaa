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
#include "jobs/trainer_set.h"
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    POLL_MILLISECONDS = 100,
    COMPLAINT_SECONDS = 10, // between log lines about what fails again and again
    MAX_ATTEMPTS = 5,       // trainers that die on a job without getting any further
    MAX_TRAINING = 1,
    MAX_VALIDATING = 2,
};

struct supervisor {
    struct supervisor_options options;
    pthread_t thread;
    pthread_mutex_t lock; // held while jobs are looked at, and while one is cancelled
    pthread_cond_t wake;
    bool woken, closing;
    struct trainer_set trainers;
    time_t complained;
};

// ---- one job ----

static void complain(struct supervisor *s, const char *job, const struct error *error) {
    time_t now = time(NULL);
    if (now - s->complained < COMPLAINT_SECONDS && now >= s->complained) return;
    s->complained = now;
    log_error("job %s: %s", job, error->message);
}

static bool may_pass(const struct error *error) {
    return error->code == ERROR_IO || error->code == ERROR_MEMORY;
}

static bool is_validating(const struct job_record *job) {
    return !strcmp(job->status, "validating_files");
}

static bool is_paused(const struct job_record *job) {
    return !strcmp(job->status, "paused");
}

static void tidy(struct supervisor *s, const char *job) {
    char directory[FILE_PATH_SIZE];
    struct error ignored;
    if (job_directory_path(s->options.store, job, directory, &ignored))
        job_directory_tidy(directory);
}

static void fail_job(struct supervisor *s, struct job_record *job, const char *code,
    const char *message, const char *param) {
    struct error error;
    if (!job_events_fail(s->options.store, job, code, message, param, &error))
        complain(s, job->id, &error);
    else if (!trainer_set_find(&s->trainers, job->id))
        tidy(s, job->id);
}

// A trainer has ended without saying how. Another may go on where it was, up to a limit.
static void note_death(struct supervisor *s, struct job_record *job, const char *how) {
    struct error error;
    char message[512];
    if (++job->attempts > MAX_ATTEMPTS) {
        snprintf(message, sizeof message,
            "The trainer %s, %d times at the same place; its own words are in trainer.log of the "
            "job's directory",
            how, MAX_ATTEMPTS + 1);
        fail_job(s, job, "server_error", message, NULL);
        return;
    }
    job_events_tell(s->options.store, job, "warn", "The trainer %s; %s", how,
        strcmp(job->status, "running") ? "it begins again" : "it goes on from the last checkpoint");
    if (!job_update(s->options.store, job, &error)) complain(s, job->id, &error);
}

static void note_false_start(
    struct supervisor *s, struct job_record *job, const struct error *error) {
    char how[300];
    snprintf(how, sizeof how, "could not be started (%.250s)", error->message);
    note_death(s, job, how);
}

// Makes the job's directory. False where the job has failed, or is to be tried again.
static bool prepare(struct supervisor *s, struct job_record *job, char *directory) {
    struct error error;
    const char *param = NULL;
    if (job_directory_prepare(s->options.store, job, s->options.share, &param, &error) &&
        job_directory_path(s->options.store, job->id, directory, &error))
        return true;
    char code[64] = "server_error";
    if (param) snprintf(code, sizeof code, "invalid_%s", param);
    if (may_pass(&error))
        note_false_start(s, job, &error);
    else
        fail_job(s, job, code, error.message, param);
    return false;
}

static void start_trainer(struct supervisor *s, struct job_record *job) {
    char directory[FILE_PATH_SIZE];
    struct error error;
    bool training = !is_validating(job);
    struct trainer *trainer;
    if (!prepare(s, job, directory)) return;
    if (!job_directory_resume(directory, &error)) {
        complain(s, job->id, &error);
        return;
    }
    if (!(trainer = trainer_set_add(&s->trainers, job->id, 0, training))) return;
    if (trainer_process_start(directory, training ? TRAINER_TRAIN : TRAINER_VALIDATE,
            s->options.launcher, &trainer->process, &error))
        return;
    trainer_set_remove(&s->trainers, trainer);
    if (may_pass(&error))
        note_false_start(s, job, &error);
    else
        fail_job(s, job, "server_error", error.message, NULL);
}

// A full disk or short memory may pass; what else stands in the way of following a job will not.
static void lose_track(struct supervisor *s, struct job_record *job, const struct error *error) {
    char directory[FILE_PATH_SIZE];
    struct job_record stored;
    struct error ignored;
    complain(s, job->id, error);
    if (may_pass(error) || !job_get(s->options.store, job->account, job->id, &stored, &ignored))
        return;
    if (job_directory_path(s->options.store, job->id, directory, &ignored) &&
        !job_directory_cancel(directory, &ignored))
        log_error("job %s: %s", job->id, ignored.message);
    fail_job(s, &stored, "server_error", error->message, NULL);
    job_record_free(&stored);
}

// A trainer that ended while the job went on to its next state, or that was to rest, is as it
// should be.
static bool has_died(const struct trainer *trainer, const struct job_record *job) {
    if (trainer->resting || is_paused(job)) return false;
    return trainer->training || is_validating(job);
}

static void look_at(struct supervisor *s, struct job_record *job) {
    struct error error;
    // Whether it lives was asked before what it wrote is read: one that has ended has written all.
    struct trainer *trainer = trainer_set_find(&s->trainers, job->id);
    if (!job_events_follow(s->options.store, job, &error)) {
        lose_track(s, job, &error);
        return;
    }
    if (trainer && !trainer->ended) return;
    if (trainer) {
        struct trainer left = *trainer;
        trainer_set_remove(&s->trainers, trainer);
        if (!job_status_is_final(job->status) && has_died(&left, job)) note_death(s, job, left.how);
    }
    if (job_status_is_final(job->status))
        tidy(s, job->id);
    else if (!is_paused(job) && trainer_set_count(&s->trainers, !is_validating(job)) <
                                    (is_validating(job) ? MAX_VALIDATING : MAX_TRAINING))
        start_trainer(s, job);
}

// ---- all jobs ----

static const struct job_record *find_job(
    const struct job_record *jobs, size_t count, const char *id) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(jobs[i].id, id)) return &jobs[i];
    return NULL;
}

// Trainers of jobs that were final before they themselves ended.
static void reap(struct supervisor *s, const struct job_record *jobs, size_t count) {
    for (size_t i = s->trainers.count; i-- > 0;) {
        struct trainer *trainer = &s->trainers.items[i];
        if (!trainer->ended || find_job(jobs, count, trainer->job)) continue;
        tidy(s, trainer->job);
        trainer_set_remove(&s->trainers, trainer);
    }
}

// Returns whether there is anything to come back for.
static bool look_at_all(struct supervisor *s) {
    struct job_record *jobs;
    struct error error;
    size_t count;
    trainer_set_refresh(&s->trainers, s->options.store);
    if (!job_list_open(s->options.store, &jobs, &count, &error)) {
        complain(s, "list", &error);
        return true;
    }
    reap(s, jobs, count);
    size_t at_work = 0;
    for (size_t i = 0; i < count; i++) {
        look_at(s, &jobs[i]);
        at_work += !is_paused(&jobs[i]);
    }
    job_list_free(jobs, count);
    return at_work > 0 || s->trainers.count > 0;
}

// What an earlier server left in a job's directory: a trainer at work, one that may have ended
// since, or what is no longer needed.
static void take_over_job(struct supervisor *s, const char *id, const struct job_record *job) {
    char directory[FILE_PATH_SIZE];
    struct error ignored;
    bool validating = job && is_validating(job);
    if (!job_directory_path(s->options.store, id, directory, &ignored)) return;
    if (job_directory_is_held(directory) || (job && !strcmp(job->status, "running"))) {
        if (!trainer_set_add(&s->trainers, id, 0, !validating))
            log_warning("job %s: more trainers are at work than can be watched", id);
    } else if (!job) {
        job_directory_tidy(directory);
    }
}

static void take_over(struct supervisor *s) {
    char path[FILE_PATH_SIZE];
    struct job_record *jobs;
    struct error error;
    struct dirent *entry;
    size_t count;
    if (!job_list_open(s->options.store, &jobs, &count, &error)) {
        log_error("jobs: %s", error.message);
        return;
    }
    DIR *directory = NULL;
    if (file_path(path, sizeof path, &error, store_directory(s->options.store), "jobs"))
        directory = opendir(path);
    while (directory && (entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            take_over_job(s, entry->d_name, find_job(jobs, count, entry->d_name));
    if (directory) closedir(directory);
    job_list_free(jobs, count);
}

static void wait_a_moment(struct supervisor *s) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MILLISECONDS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static void *supervise(void *context) {
    struct supervisor *s = context;
    pthread_mutex_lock(&s->lock);
    take_over(s);
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
    pthread_condattr_t attributes;
    struct supervisor *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made) return memory_error(error, "the supervisor");
    made->options = *options;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&made->thread, NULL, supervise, made) != 0) {
        pthread_cond_destroy(&made->wake);
        pthread_mutex_destroy(&made->lock);
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
    if (!job_events_cancel(s->options.store, job, error)) return false;
    // What a living trainer needs stays until it has ended.
    if (!trainer_set_find(&s->trainers, job->id) && !job_directory_is_held(directory))
        job_directory_tidy(directory);
    return true;
}

// The trainer sees the file within a micro-batch; what it still says is read.
static bool pause_job(struct supervisor *s, struct job_record *job, struct error *error) {
    char directory[FILE_PATH_SIZE];
    struct trainer *trainer = trainer_set_find(&s->trainers, job->id);
    if (!job_directory_path(s->options.store, job->id, directory, error) ||
        !file_make_directories(directory, error) || !job_events_pause(s->options.store, job, error))
        return false;
    if (trainer) trainer->resting = true;
    return job_directory_pause(directory, error);
}

// One whose trainer has not ended yet waits for that: it may be writing its checkpoint.
static bool resume_job(struct supervisor *s, struct job_record *job, struct error *error) {
    return job_events_resume(s->options.store, job, error);
}

// Does something to the account's job while the supervisor's thread does not look at any.
static bool with_job(struct supervisor *s, const char *account, const char *job,
    bool (*act)(struct supervisor *s, struct job_record *job, struct error *error),
    struct error *error) {
    struct job_record record;
    pthread_mutex_lock(&s->lock);
    bool ok = job_get(s->options.store, account, job, &record, error);
    if (ok) {
        ok = act(s, &record, error);
        job_record_free(&record);
    }
    s->woken = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool supervisor_cancel(
    struct supervisor *supervisor, const char *account, const char *job, struct error *error) {
    return with_job(supervisor, account, job, cancel, error);
}

bool supervisor_pause(
    struct supervisor *supervisor, const char *account, const char *job, struct error *error) {
    return with_job(supervisor, account, job, pause_job, error);
}

bool supervisor_resume(
    struct supervisor *supervisor, const char *account, const char *job, struct error *error) {
    return with_job(supervisor, account, job, resume_job, error);
}
