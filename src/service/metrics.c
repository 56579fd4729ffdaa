// See metrics.h. One lock guards all: it is held for a few additions, or while the page is written.
#include "service/metrics.h"
#include "base/memory.h"
#include <pthread.h>
#include <string.h>

enum {
    SERIES_MAXIMUM = 256, // routes with their methods
    STATUSES_MAXIMUM = 16,
    BUCKETS = 14,
};

// Upper ends, in seconds.
static const double bucket_ends[BUCKETS] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600};

struct status_count {
    int status;
    uint64_t count;
};

struct series {
    const char *route, *method; // static texts
    struct status_count statuses[STATUSES_MAXIMUM];
    size_t status_count;
    uint64_t count, buckets[BUCKETS];
    double seconds;
};

struct metrics {
    pthread_mutex_t lock;
    struct series series[SERIES_MAXIMUM];
    size_t series_count;
    uint64_t received, sent, cut_off;
    long requests, connections; // open
};

bool metrics_open(struct metrics **result, struct error *error) {
    struct metrics *metrics = memory_alloc_zeroed(1, sizeof *metrics);
    if (!metrics) return memory_error(error, "the metrics");
    pthread_mutex_init(&metrics->lock, NULL);
    *result = metrics;
    return true;
}

void metrics_close(struct metrics *metrics) {
    if (!metrics) return;
    pthread_mutex_destroy(&metrics->lock);
    memory_free(metrics);
}

void metrics_request_begins(struct metrics *metrics) {
    pthread_mutex_lock(&metrics->lock);
    metrics->requests++;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_connections_add(struct metrics *metrics, int change) {
    pthread_mutex_lock(&metrics->lock);
    metrics->connections += change;
    pthread_mutex_unlock(&metrics->lock);
}

// A client may invent methods: they must not become labels.
static const char *known_method(const char *method) {
    static const char *const methods[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; method && i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0) return methods[i];
    return "other";
}

// Where there are too many, the last one takes the rest.
static struct series *find_series(struct metrics *metrics, const char *route, const char *method) {
    for (size_t i = 0; i < metrics->series_count; i++) {
        struct series *series = &metrics->series[i];
        if (series->method == method && strcmp(series->route, route) == 0) return series;
    }
    if (metrics->series_count == SERIES_MAXIMUM) return &metrics->series[SERIES_MAXIMUM - 1];
    struct series *series = &metrics->series[metrics->series_count++];
    series->route = route;
    series->method = method;
    return series;
}

static void count_status(struct series *series, int status) {
    size_t at = 0;
    while (at < series->status_count && series->statuses[at].status != status)
        at++;
    if (at == STATUSES_MAXIMUM) at--;
    if (at == series->status_count)
        series->statuses[series->status_count++] = (struct status_count){status, 0};
    series->statuses[at].count++;
}

static void count_seconds(struct series *series, double seconds) {
    size_t at = 0;
    while (at < BUCKETS && seconds > bucket_ends[at])
        at++;
    if (at < BUCKETS) series->buckets[at]++;
    series->count++;
    series->seconds += seconds;
}

void metrics_request_ends(struct metrics *metrics, const struct metrics_request *request) {
    const char *method = known_method(request->method);
    pthread_mutex_lock(&metrics->lock);
    struct series *series =
        find_series(metrics, request->route ? request->route : "unmatched", method);
    count_status(series, request->status);
    count_seconds(series, request->seconds);
    metrics->received += request->received;
    metrics->sent += request->sent;
    metrics->cut_off += request->cut_off;
    metrics->requests--;
    pthread_mutex_unlock(&metrics->lock);
}

// ---- the page ----

static void write_requests(const struct metrics *metrics, struct buffer *text) {
    buffer_append_text(text, "# HELP temper_http_requests_total Requests that have ended; status 0 "
                             "is for those cut off before an answer.\n"
                             "# TYPE temper_http_requests_total counter\n");
    for (size_t i = 0; i < metrics->series_count; i++) {
        const struct series *series = &metrics->series[i];
        for (size_t j = 0; j < series->status_count; j++)
            buffer_append_format(text,
                "temper_http_requests_total{route=\"%s\",method=\"%s\",status=\"%d\"} %llu\n",
                series->route, series->method, series->statuses[j].status,
                (unsigned long long)series->statuses[j].count);
    }
}

static void write_series(const struct series *series, struct buffer *text) {
    static const char name[] = "temper_http_request_duration_seconds";
    unsigned long long below = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        below += series->buckets[i];
        buffer_append_format(text, "%s_bucket{route=\"%s\",method=\"%s\",le=\"%g\"} %llu\n", name,
            series->route, series->method, bucket_ends[i], below);
    }
    buffer_append_format(text, "%s_bucket{route=\"%s\",method=\"%s\",le=\"+Inf\"} %llu\n", name,
        series->route, series->method, (unsigned long long)series->count);
    buffer_append_format(text, "%s_sum{route=\"%s\",method=\"%s\"} %.6f\n", name, series->route,
        series->method, series->seconds);
    buffer_append_format(text, "%s_count{route=\"%s\",method=\"%s\"} %llu\n", name, series->route,
        series->method, (unsigned long long)series->count);
}

void metrics_write(struct metrics *metrics, struct buffer *text) {
    pthread_mutex_lock(&metrics->lock);
    write_requests(metrics, text);
    buffer_append_text(text,
        "# HELP temper_http_request_duration_seconds From a request's headers to its last byte.\n"
        "# TYPE temper_http_request_duration_seconds histogram\n");
    for (size_t i = 0; i < metrics->series_count; i++)
        write_series(&metrics->series[i], text);
    buffer_append_format(text,
        "# HELP temper_http_requests_cut_off_total Requests whose client went away, or was sent "
        "away.\n"
        "# TYPE temper_http_requests_cut_off_total counter\n"
        "temper_http_requests_cut_off_total %llu\n"
        "# HELP temper_http_received_bytes_total Bytes of requests' bodies.\n"
        "# TYPE temper_http_received_bytes_total counter\n"
        "temper_http_received_bytes_total %llu\n"
        "# HELP temper_http_sent_bytes_total Bytes of answers' bodies.\n"
        "# TYPE temper_http_sent_bytes_total counter\n"
        "temper_http_sent_bytes_total %llu\n"
        "# HELP temper_http_requests_open Requests in progress.\n"
        "# TYPE temper_http_requests_open gauge\n"
        "temper_http_requests_open %ld\n"
        "# HELP temper_http_connections_open Connections, idle ones among them.\n"
        "# TYPE temper_http_connections_open gauge\n"
        "temper_http_connections_open %ld\n",
        (unsigned long long)metrics->cut_off, (unsigned long long)metrics->received,
        (unsigned long long)metrics->sent, metrics->requests, metrics->connections);
    pthread_mutex_unlock(&metrics->lock);
}
