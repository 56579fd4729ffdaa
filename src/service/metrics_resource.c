// /metrics: what the server has counted, and what its parts say of themselves at this moment, in
// Prometheus' text format. It tells of all accounts, so only this machine may ask, unless the
// operator opened it (`temper serve --metrics open`).
#include "base/memory.h"
#include "generate/engine.h"
#include "service/metrics.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "store/store_health.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGE_MAXIMUM = 4 << 20 };

static void add_gauge(struct buffer *text, const char *name, const char *help, double value) {
    buffer_append_format(
        text, "# HELP %s %s\n# TYPE %s gauge\n%s %.17g\n", name, help, name, name, value);
}

static void add_counter(struct buffer *text, const char *name, const char *help, double value) {
    buffer_append_format(
        text, "# HELP %s %s\n# TYPE %s counter\n%s %.17g\n", name, help, name, name, value);
}

static void add_engine(struct buffer *text, struct engine *engine) {
    struct engine_counts load;
    engine_count(engine, &load);
    buffer_append_format(text,
        "# HELP temper_engine_requests Requests for answers of models.\n"
        "# TYPE temper_engine_requests gauge\n"
        "temper_engine_requests{state=\"running\",lane=\"live\"} %zu\n"
        "temper_engine_requests{state=\"waiting\",lane=\"live\"} %zu\n"
        "temper_engine_requests{state=\"running\",lane=\"background\"} %zu\n"
        "temper_engine_requests{state=\"waiting\",lane=\"background\"} %zu\n",
        load.running, load.waiting, load.background_running, load.background_waiting);
    add_counter(text, "temper_prompt_tokens_total", "Tokens of prompts that were computed.",
        (double)load.prompt_tokens);
    add_counter(text, "temper_completion_tokens_total", "Tokens of answers that were computed.",
        (double)load.completion_tokens);
}

static bool add_jobs(struct buffer *text, struct store *store, struct error *error) {
    struct job_tally *tallies;
    size_t count;
    if (!job_tally_list(store, &tallies, &count, error)) return false;
    buffer_append_text(text, "# HELP temper_jobs Fine-tuning jobs.\n# TYPE temper_jobs gauge\n");
    for (size_t i = 0; i < count; i++)
        buffer_append_format(text, "temper_jobs{status=\"%s\"} %lld\n", tallies[i].status,
            (long long)tallies[i].count);
    job_tally_free(tallies, count);
    return true;
}

static bool add_paces(struct buffer *text, struct store *store, struct error *error) {
    struct job_pace *paces;
    size_t count;
    if (!job_pace_list(store, &paces, &count, error)) return false;
    buffer_append_text(text,
        "# HELP temper_training_tokens_per_second How fast running jobs train.\n"
        "# TYPE temper_training_tokens_per_second gauge\n");
    for (size_t i = 0; i < count; i++)
        buffer_append_format(text, "temper_training_tokens_per_second{job=\"%s\"} %.17g\n",
            paces[i].job, paces[i].tokens_per_second);
    job_pace_free(paces, count);
    return true;
}

static double resident_bytes(void) {
    long whole, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &whole, &resident) != 2) resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void) {
    double count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory))
        count++;
    if (directory) closedir(directory);
    return count > 3 ? count - 3 : 0; // without ".", ".." and the directory's own
}

static double seconds(const struct timeval *time) {
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

static void add_process(struct buffer *text) {
    struct rusage usage = {0};
    struct rlimit limit = {0};
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &limit);
    add_gauge(text, "process_resident_memory_bytes",
        "Resident memory of the server, mapped weights included.", resident_bytes());
    add_gauge(text, "temper_resident_memory_peak_bytes", "The most of it so far.",
        (double)memory_peak_resident());
    add_counter(text, "process_cpu_seconds_total", "Processor time of the server.",
        seconds(&usage.ru_utime) + seconds(&usage.ru_stime));
    add_gauge(text, "process_open_fds", "Open file descriptors.", open_descriptors());
    add_gauge(text, "process_max_fds", "The most that may be open.", (double)limit.rlim_cur);
    buffer_append_text(text, "# HELP temper_build_info What this is.\n"
                             "# TYPE temper_build_info gauge\n"
                             "temper_build_info{version=\"" TEMPER_VERSION "\"} 1\n");
}

static void answer(struct service *service, struct reply *reply, struct buffer *text) {
    struct error error = {0};
    metrics_write(service->metrics, text);
    add_engine(text, service->engine);
    add_process(text);
    if (!add_jobs(text, service->store, &error) || !add_paces(text, service->store, &error) ||
        !buffer_ok(text, "the metrics", &error)) {
        reply_failure(reply, "gathering the metrics", &error);
        return;
    }
    reply_text(reply, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_text(text));
}

void metrics_get(struct service *service, struct request *request, struct reply *reply) {
    struct buffer text;
    if (!service->metrics_open && !request->local) {
        reply_error(reply, 403, "metrics_closed", NULL,
            "The metrics are for the server's own machine only. Whoever runs the server can open "
            "them: temper serve --metrics open");
        return;
    }
    buffer_init(&text, PAGE_MAXIMUM);
    answer(service, reply, &text);
    buffer_free(&text);
}
