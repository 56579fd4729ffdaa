// Polls the job and its newest events; the newest metrics give the bar. A server that is away for a
// while (a restart) is waited for.
#include "cli/job_watch.h"
#include "base/progress.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { POLL_MICROSECONDS = 300000, PATIENCE_POLLS = 200, STATUS_SIZE = 32 };

struct watch {
    const struct api_client *client;
    const char *job;
    char status[STATUS_SIZE]; // the last that was told
    struct progress progress;
    bool drawing;
    int failures; // polls in a row without an answer
};

static const char *text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static bool poll(struct watch *watch, const char *suffix, json_t **answer, struct error *error) {
    char path[256];
    snprintf(path, sizeof path, "/fine_tuning/jobs/%.128s%s", watch->job, suffix);
    return api_client_call(watch->client, "GET", path, NULL, answer, error);
}

static void draw(struct watch *watch, const json_t *data) {
    char note[96];
    const json_t *own = json_object_get(data, "temper");
    double step = json_number_value(json_object_get(data, "step"));
    double total = json_number_value(json_object_get(data, "total_steps"));
    double speed = json_number_value(json_object_get(own ? own : data, "tokens_per_second"));
    if (total < 1) return;
    if (!watch->drawing) progress_start(&watch->progress, "fine-tuning", (uint64_t)total, false);
    watch->drawing = true;
    snprintf(note, sizeof note, "loss %.4f  %.0f tokens/s",
        json_number_value(json_object_get(data, "train_loss")), speed);
    progress_update(&watch->progress, (uint64_t)step, note);
}

// Events come newest first: the first of type metrics is the present state.
static void show_metrics(struct watch *watch) {
    struct error error = {0};
    json_t *answer, *event;
    size_t index;
    if (!poll(watch, "/events?limit=10", &answer, &error)) return;
    json_array_foreach(json_object_get(answer, "data"), index, event) {
        if (strcmp(text(event, "type"), "metrics") != 0) continue;
        draw(watch, json_object_get(event, "data"));
        break;
    }
    json_decref(answer);
}

static void show_status(struct watch *watch, const char *status) {
    if (strcmp(watch->status, status) == 0) return;
    snprintf(watch->status, sizeof watch->status, "%s", status);
    if (!watch->drawing) fprintf(stderr, "%s: %s\n", watch->job, status);
}

static bool is_final(const char *status) {
    return strcmp(status, "succeeded") == 0 || strcmp(status, "failed") == 0 ||
           strcmp(status, "cancelled") == 0;
}

static int finish(struct watch *watch, const json_t *job, bool as_json) {
    bool succeeded = strcmp(text(job, "status"), "succeeded") == 0;
    const json_t *fault = json_object_get(job, "error");
    show_metrics(watch);
    if (watch->drawing) progress_finish(&watch->progress, text(job, "status"));
    if (as_json)
        api_client_print(job);
    else if (succeeded)
        printf("%s\n", text(job, "fine_tuned_model"));
    else if (json_is_object(fault))
        fprintf(stderr, "temper: %s\n", text(fault, "message"));
    return succeeded ? CLI_SUCCESS : CLI_FAILURE;
}

int job_watch(const struct api_client *client, const char *job, bool as_json) {
    struct watch watch = {.client = client, .job = job};
    for (;; usleep(POLL_MICROSECONDS)) {
        struct error error = {0};
        json_t *answer;
        if (!poll(&watch, "", &answer, &error)) {
            if (error.code == ERROR_IO && ++watch.failures < PATIENCE_POLLS) continue;
            return cli_fail(&error);
        }
        watch.failures = 0;
        const char *status = text(answer, "status");
        show_status(&watch, status);
        if (is_final(status)) {
            int result = finish(&watch, answer, as_json);
            json_decref(answer);
            return result;
        }
        if (strcmp(status, "running") == 0) show_metrics(&watch);
        json_decref(answer);
    }
}
