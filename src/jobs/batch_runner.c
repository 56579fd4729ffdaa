// The runner's thread. The oldest batch gets the free places first; where it has no more requests
// to begin, the next one does.
#include "jobs/batch_runner.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "jobs/batch_check.h"
#include "jobs/batch_flights.h"
#include "jobs/batch_input.h"
#include "jobs/batch_results.h"
#include "store/store_batches.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PAUSE_SECONDS = 1, // between looks at the clock, and after what may pass
    COMPLAINT_SECONDS = 10,
    LINES_AT_ONCE = 256,
    CHECKS_AT_ONCE = 4,
    RESULTS_AT_ONCE = 16,
    RESULTS_NANOSECONDS = 50000000, // that an answer waits for others, to be written with them
};

struct batch_runner {
    struct batch_runner_options options;
    pthread_t thread;
    pthread_mutex_t lock; // guards the next three and the flights' answers
    pthread_cond_t wake;
    bool woken, closing;
    struct batch_flights flights;
    struct batch_check *checks[CHECKS_AT_ONCE];
    bool busy;      // there is more to do at once
    bool unwritten; // there are answers that wait for others
    time_t complained;
};

static void complain(struct batch_runner *r, const char *batch, const struct error *error) {
    time_t now = time(NULL);
    if (now - r->complained < COMPLAINT_SECONDS && now >= r->complained) return;
    r->complained = now;
    log_error("batch %s: %s", batch, error->message);
}

static bool is_closing(struct batch_runner *r) {
    pthread_mutex_lock(&r->lock);
    bool closing = r->closing;
    pthread_mutex_unlock(&r->lock);
    return closing;
}

static bool has_status(const struct batch_record *batch, const char *status) {
    return !strcmp(batch->status, status);
}

// ---- answers ----

// The answers of a batch that are not written, and when the first of them came.
struct ended {
    struct batch_flight *flights[BATCH_FLIGHTS];
    struct batch_result results[BATCH_FLIGHTS];
    size_t count;
    double first;
};

static void find_ended(struct batch_runner *r, const char *batch, struct ended *ended) {
    ended->count = 0;
    ended->first = progress_clock();
    for (size_t i = 0; i < BATCH_FLIGHTS; i++) {
        struct batch_flight *flight = &r->flights.places[i];
        if (!flight->used || strcmp(flight->batch, batch) || !batch_flight_ended(flight)) continue;
        if (!flight->status) { // cancelled: its line stays where it is
            batch_flight_release(flight);
            continue;
        }
        if (flight->ended_at < ended->first) ended->first = flight->ended_at;
        ended->flights[ended->count] = flight;
        ended->results[ended->count++] =
            (struct batch_result){flight->line, flight->custom_id, flight->status, flight->answer};
    }
}

// Each writing holds the store for as long as the disk takes: answers that come one behind the
// other are written together.
static bool is_due(struct batch_runner *r, const char *batch, const struct ended *ended) {
    return ended->count >= RESULTS_AT_ONCE ||
           progress_clock() - ended->first >= RESULTS_NANOSECONDS * 1e-9 ||
           !batch_flights_running(&r->flights, batch) || is_closing(r);
}

// Writes the answers that have come. False where they could not be written, and are kept.
static bool collect(struct batch_runner *r, struct batch_record *batch) {
    struct ended ended;
    struct error error;
    find_ended(r, batch->id, &ended);
    if (!ended.count) return true;
    if (!is_due(r, batch->id, &ended)) {
        r->unwritten = true;
        return true;
    }
    if (!batch_results_add(r->options.store, batch, ended.results, ended.count, &error)) {
        complain(r, batch->id, &error);
        return false;
    }
    for (size_t i = 0; i < ended.count; i++)
        batch_flight_release(ended.flights[i]);
    return true;
}

// ---- requests ----

static bool read_body(struct batch_runner *r, const struct batch_record *batch,
    const struct batch_line *line, json_t **body, struct error *error) {
    char directory[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    struct batch_request request;
    struct batch_fault fault;
    if (!batch_directory(r->options.store, batch->id, directory, error) ||
        !file_path(path, sizeof path, error, directory, "input.jsonl"))
        return false;
    char *text = memory_alloc((size_t)line->length + 1);
    if (!text) return memory_error(error, "a request of a batch");
    int input = open(path, O_RDONLY | O_CLOEXEC);
    bool good = input >= 0 &&
                pread(input, text, (size_t)line->length, line->offset) == (ssize_t)line->length;
    if (!good)
        error_set_errno(
            error, ERROR_IO, "cannot read line %lld of %s", (long long)line->line, path);
    if (input >= 0) close(input);
    if (good && !batch_request_read(&request, text, (size_t)line->length, batch->endpoint, &fault))
        good = error_set(error, ERROR_IO, "line %lld of %s has changed: %s", (long long)line->line,
            path, fault.message);
    memory_free(text);
    if (!good) return false;
    *body = json_incref(request.body);
    batch_request_free(&request);
    return true;
}

static bool begin_line(struct batch_runner *r, const struct batch_record *batch,
    const struct batch_line *line, struct batch_flight *flight, struct error *error) {
    json_t *body = NULL;
    if (!read_body(r, batch, line, &body, error)) return false;
    snprintf(flight->batch, sizeof flight->batch, "%s", batch->id);
    flight->line = line->line;
    flight->custom_id = memory_copy_string(line->custom_id);
    bool good = flight->custom_id
                    ? batch_flight_begin(flight, &r->options, batch->account, body, error)
                    : memory_error(error, "a request of a batch");
    if (!good) batch_flight_release(flight);
    json_decref(body);
    return good;
}

static bool in_flight(struct batch_runner *r, const char *batch, int64_t line) {
    for (size_t i = 0; i < BATCH_FLIGHTS; i++)
        if (r->flights.places[i].used && r->flights.places[i].line == line &&
            !strcmp(r->flights.places[i].batch, batch))
            return true;
    return false;
}

// Fills free places with the batch's requests. False where something stands in the way that may
// pass.
static bool begin_some(struct batch_runner *r, const struct batch_record *batch) {
    struct batch_line *lines;
    struct error error;
    size_t count;
    if (!batch_flights_free(&r->flights)) return true;
    if (!batch_line_list(r->options.store, batch->id, 0, BATCH_FLIGHTS + BATCH_RUNNING, &lines,
            &count, &error)) {
        complain(r, batch->id, &error);
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        if (in_flight(r, batch->id, lines[i].line)) continue;
        struct batch_flight *flight = batch_flights_free(&r->flights);
        if (!flight) break;
        good = begin_line(r, batch, &lines[i], flight, &error);
    }
    if (!good && error.code != ERROR_CONFLICT) complain(r, batch->id, &error);
    batch_line_list_free(lines, count);
    return good;
}

// ---- a batch's way ----

static bool set_status(struct batch_record *batch, const char *status, struct error *error) {
    char *copy = memory_copy_string(status);
    if (!copy) return memory_error(error, "a batch");
    memory_free(batch->status);
    batch->status = copy;
    return true;
}

static bool finish(struct batch_runner *r, struct batch_record *batch, const char *status) {
    struct error error;
    if (batch_results_finish(r->options.store, batch, status, &error)) {
        log_info("batch %s: %s, %lld of %lld requests answered", batch->id, status,
            (long long)batch->completed, (long long)batch->total);
        return true;
    }
    complain(r, batch->id, &error);
    return false;
}

// The check of that batch, begun where there is none; NULL where it has to wait for others.
static struct batch_check **find_check(
    struct batch_runner *r, const struct batch_record *batch, struct error *error) {
    struct batch_check **place = NULL;
    for (size_t i = 0; i < CHECKS_AT_ONCE; i++) {
        if (!r->checks[i])
            place = &r->checks[i];
        else if (!strcmp(batch_check_batch(r->checks[i]), batch->id))
            return &r->checks[i];
    }
    int64_t most =
        r->options.most_requests ? r->options.most_requests(r->options.context, batch->account) : 0;
    error->code = ERROR_NONE;
    return place && batch_check_begin(place, r->options.store, batch->id, most, error) ? place
                                                                                       : NULL;
}

static void end_check(struct batch_runner *r, const char *batch) {
    for (size_t i = 0; i < CHECKS_AT_ONCE; i++) {
        if (!r->checks[i] || (batch && strcmp(batch_check_batch(r->checks[i]), batch))) continue;
        batch_check_end(r->checks[i]);
        r->checks[i] = NULL;
    }
}

static bool begin_running(struct batch_runner *r, struct batch_record *batch, struct error *error) {
    batch->in_progress_at = (int64_t)time(NULL);
    return set_status(batch, "in_progress", error) && batch_update(r->options.store, batch, error);
}

static bool check(struct batch_runner *r, struct batch_record *batch) {
    struct error error;
    bool finished = false;
    struct batch_check **check = find_check(r, batch, &error);
    if (!check && error.code == ERROR_NONE) return true;
    bool good = check && batch_check_go_on(*check, batch, &finished, &error);
    r->busy = r->busy || good;
    if (good && !finished) return true;
    if (good && batch->errors) {
        end_check(r, batch->id);
        return finish(r, batch, "failed");
    }
    good = good && begin_running(r, batch, &error);
    if (good)
        end_check(r, batch->id);
    else
        complain(r, batch->id, &error);
    return good;
}

// Ends a batch with requests that were never run.
static bool give_up(struct batch_runner *r, struct batch_record *batch, const char *status,
    const char *code, const char *message) {
    struct error error;
    bool left = true;
    end_check(r, batch->id);
    batch_flights_cancel(&r->flights, &r->options, batch->id);
    if (batch_flights_count(&r->flights, batch->id)) return true; // they end soon, and wake us
    // The requests of an input that was not checked to its end never counted.
    bool good = batch->in_progress_at
                    ? batch_results_give_up(r->options.store, batch, code, message, &left, &error)
                    : batch_line_clear(r->options.store, batch->id, LINES_AT_ONCE, &left, &error);
    r->busy = r->busy || good;
    if (!good) complain(r, batch->id, &error);
    return good && (left || finish(r, batch, status));
}

static bool complete(struct batch_runner *r, struct batch_record *batch) {
    struct error error;
    if (!has_status(batch, "finalizing")) {
        batch->finalizing_at = (int64_t)time(NULL);
        if (!set_status(batch, "finalizing", &error) ||
            !batch_update(r->options.store, batch, &error)) {
            complain(r, batch->id, &error);
            return false;
        }
    }
    return finish(r, batch, "completed");
}

static bool advance(struct batch_runner *r, struct batch_record *batch) {
    if (has_status(batch, "cancelling"))
        return give_up(r, batch, "cancelled", "batch_cancelled",
            "This request was not executed: the batch was cancelled.");
    if (has_status(batch, "finalizing")) return complete(r, batch);
    if (time(NULL) >= batch->expires_at)
        return give_up(r, batch, "expired", "batch_expired",
            "This request could not be executed before the completion window expired.");
    if (has_status(batch, "validating")) return check(r, batch);
    if (batch->completed + batch->failed >= batch->total) return complete(r, batch);
    return begin_some(r, batch);
}

// ---- all batches ----

// False where something is to be tried again after a pause.
static bool look_at_all(struct batch_runner *r, bool *any) {
    struct batch_record *batches;
    struct error error;
    size_t count;
    bool good = true;
    if (!batch_list_open(r->options.store, &batches, &count, &error)) {
        complain(r, "list", &error);
        *any = true;
        return false;
    }
    for (size_t i = 0; i < count && !is_closing(r); i++)
        good = collect(r, &batches[i]) && advance(r, &batches[i]) && good;
    *any = count > 0;
    batch_list_free(batches, count);
    return good;
}

// What crashes left of batches that are final.
static void sweep(struct batch_runner *r) {
    char folder[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    struct batch_record *batches;
    struct dirent *entry;
    struct error ignored;
    size_t count;
    if (!file_path(folder, sizeof folder, &ignored, store_directory(r->options.store), "batches") ||
        !batch_list_open(r->options.store, &batches, &count, &ignored))
        return;
    DIR *directory = opendir(folder);
    while (directory && (entry = readdir(directory))) {
        bool open = entry->d_name[0] == '.';
        for (size_t i = 0; i < count; i++)
            open = open || !strcmp(batches[i].id, entry->d_name);
        if (!open && file_path(path, sizeof path, &ignored, folder, entry->d_name) &&
            !file_remove_tree(path, &ignored))
            log_error("batches: %s", ignored.message);
    }
    if (directory) closedir(directory);
    batch_list_free(batches, count);
}

static void wait_for_work(struct batch_runner *r, bool any, bool pause) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += r->unwritten && !pause ? RESULTS_NANOSECONDS : 0;
    until.tv_sec += (r->unwritten && !pause ? 0 : PAUSE_SECONDS) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&r->lock);
    int ended = 0;
    while (!r->closing && (!r->woken || pause) && !ended) {
        if (any)
            ended = pthread_cond_timedwait(&r->wake, &r->lock, &until);
        else
            pthread_cond_wait(&r->wake, &r->lock);
    }
    r->woken = false;
    pthread_mutex_unlock(&r->lock);
}

// Results that came in time are written; the other requests are run again by the next runner.
static void end_flights(struct batch_runner *r) {
    batch_flights_cancel(&r->flights, &r->options, NULL);
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < BATCH_FLIGHTS; i++)
        while (r->flights.places[i].used && !r->flights.places[i].ended)
            pthread_cond_wait(&r->wake, &r->lock);
    pthread_mutex_unlock(&r->lock);
    struct batch_record *batches;
    struct error error;
    size_t count;
    if (batch_list_open(r->options.store, &batches, &count, &error)) {
        for (size_t i = 0; i < count; i++)
            if (!collect(r, &batches[i])) log_error("batch %s: answers are lost", batches[i].id);
        batch_list_free(batches, count);
    }
    for (size_t i = 0; i < BATCH_FLIGHTS; i++)
        if (r->flights.places[i].used) batch_flight_release(&r->flights.places[i]);
}

static void *work(void *context) {
    struct batch_runner *r = context;
    while (!is_closing(r)) {
        bool any;
        r->busy = r->unwritten = false;
        bool good = look_at_all(r, &any);
        if (!good || !r->busy) wait_for_work(r, any, !good);
    }
    end_flights(r);
    end_check(r, NULL);
    return NULL;
}

// ---- the outside ----

static void free_runner(struct batch_runner *runner) {
    pthread_cond_destroy(&runner->wake);
    pthread_mutex_destroy(&runner->lock);
    memory_free(runner);
}

bool batch_runner_open(
    struct batch_runner **runner, const struct batch_runner_options *options, struct error *error) {
    pthread_condattr_t attributes;
    struct batch_runner *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made) return memory_error(error, "the batch runner");
    made->options = *options;
    made->flights.lock = &made->lock;
    made->flights.wake = &made->wake;
    made->flights.woken = &made->woken;
    for (size_t i = 0; i < BATCH_FLIGHTS; i++)
        made->flights.places[i].flights = &made->flights;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    sweep(made); // before any batch can be made
    if (pthread_create(&made->thread, NULL, work, made) != 0) {
        free_runner(made);
        return error_set(error, ERROR_IO, "cannot start the batch runner's thread");
    }
    *runner = made;
    return true;
}

void batch_runner_close(struct batch_runner *runner) {
    if (!runner) return;
    pthread_mutex_lock(&runner->lock);
    runner->closing = true;
    pthread_cond_broadcast(&runner->wake);
    pthread_mutex_unlock(&runner->lock);
    pthread_join(runner->thread, NULL);
    free_runner(runner);
}

void batch_runner_wake(struct batch_runner *runner) {
    pthread_mutex_lock(&runner->lock);
    runner->woken = true;
    pthread_cond_signal(&runner->wake);
    pthread_mutex_unlock(&runner->lock);
}
