#include "service/job_curves.h"
#include "service/fields.h"
#include "service/job_object.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include <stdlib.h>
#include <string.h>

enum { POINTS = 500, JOBS_MAXIMUM = 50 };

static const struct curve {
    const char *name; // of the answer's column
    const char *of;   // of the event's member
    bool mean;
} curves[] = {
    {"steps", "step", false},
    {"epochs", "epoch", false},
    {"tokens", "tokens", false},
    {"train_loss", "train_loss", true},
    {"train_mean_token_accuracy", "train_mean_token_accuracy", true},
    {"valid_loss", "valid_loss", true},
    {"valid_mean_token_accuracy", "valid_mean_token_accuracy", true},
    {"full_valid_loss", "full_valid_loss", true},
    {"full_valid_mean_token_accuracy", "full_valid_mean_token_accuracy", true},
    {"learning_rate", "learning_rate", false},
    {"grad_norm", "grad_norm", true},
    {"tokens_per_second", "tokens_per_second", true},
};

enum { CURVES = sizeof curves / sizeof *curves };

#define COLUMN(title)                                                                              \
    {                                                                                              \
        title, FIELD_ARRAY, FIELD_REQUIRED,                                                        \
            .schema = "{\"type\": \"array\", \"items\": {\"type\": [\"number\", \"null\"]}}"       \
    }

static const struct field curve_fields[] = {
    SHAPE_TEXT("object"),
    SHAPE_TEXT("job_id"),
    SHAPE_COUNT_OR_NULL("total_steps"),
    COLUMN("steps"),
    COLUMN("epochs"),
    COLUMN("tokens"),
    COLUMN("train_loss"),
    COLUMN("train_mean_token_accuracy"),
    COLUMN("valid_loss"),
    COLUMN("valid_mean_token_accuracy"),
    COLUMN("full_valid_loss"),
    COLUMN("full_valid_mean_token_accuracy"),
    COLUMN("learning_rate"),
    COLUMN("grad_norm"),
    COLUMN("tokens_per_second"),
};
const struct shape job_curves_shape = SHAPE("FineTuningJobMetrics", curve_fields);

#define POINTS_FIELD                                                                               \
    {                                                                                              \
        "points", FIELD_INTEGER, .minimum = 1, .maximum = JOB_CURVES_POINTS, .standard = "500",    \
                                 .about = "How many points a curve has at most."                   \
    }

static const struct field query_fields[] = {POINTS_FIELD};
const struct shape job_curves_query_shape = SHAPE("FineTuningJobMetricsQuery", query_fields);

static const struct field list_query_fields[] = {
    {"job_ids", FIELD_STRING, FIELD_REQUIRED, 1, 4096,
        .about = "Up to 50 ids of jobs, with commas between them; unknown ones are left out."},
    POINTS_FIELD,
};
const struct shape job_curves_list_query_shape = SHAPE("FineTuningMetricsQuery", list_query_fields);

// The sums of one point's measurements.
struct point {
    double sum[CURVES], last[CURVES];
    size_t count[CURVES];
};

static void add_event(struct point *point, const json_t *data) {
    for (size_t c = 0; c < CURVES; c++) {
        const json_t *value = json_object_get(data, curves[c].of);
        if (!json_is_number(value)) continue;
        point->last[c] = json_number_value(value);
        point->sum[c] += point->last[c];
        point->count[c]++;
    }
}

static void append_point(json_t *columns[CURVES], const struct point *point) {
    for (size_t c = 0; c < CURVES; c++) {
        double value = !point->count[c] ? 0
                       : curves[c].mean ? point->sum[c] / (double)point->count[c]
                                        : point->last[c];
        json_array_append_new(columns[c], point->count[c] ? json_real(value) : json_null());
    }
}

json_t *job_curves(
    const char *job, const struct event_record *events, size_t count, size_t most_points) {
    json_t *columns[CURVES], *total = NULL;
    size_t points = count < most_points ? count : most_points;
    for (size_t c = 0; c < CURVES; c++)
        columns[c] = json_array();
    for (size_t p = 0; p < points; p++) {
        struct point point = {0};
        for (size_t i = p * count / points; i < (p + 1) * count / points; i++) {
            json_t *data = events[i].data ? json_loads(events[i].data, 0, NULL) : NULL;
            add_event(&point, data);
            json_decref(total);
            total = json_incref(json_object_get(data, "total_steps"));
            json_decref(data);
        }
        append_point(columns, &point);
    }
    json_t *object = json_pack("{s:s, s:s, s:o}", "object", "fine_tuning.job.metrics", "job_id",
        job, "total_steps", total ? total : json_null());
    for (size_t c = 0; c < CURVES; c++)
        json_object_set_new(object, curves[c].name, columns[c]);
    return object;
}

static size_t wanted_points(const struct request *request) {
    const char *text = request_query(request, "points");
    return text ? (size_t)strtol(text, NULL, 10) : POINTS;
}

static json_t *read_curves(
    struct service *service, const struct request *request, const char *job, struct error *error) {
    struct event_record *events;
    size_t count;
    if (!event_list_metrics(service->store, job, &events, &count, error)) return NULL;
    json_t *object = job_curves(job, events, count, wanted_points(request));
    event_list_free(events, count);
    if (!object) error_set(error, ERROR_MEMORY, "the server is short of memory");
    return object;
}

void jobs_metrics(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    struct job_record job;
    if (!jobs_find(service, request, &job, reply)) return;
    json_t *object = read_curves(service, request, job.id, &error);
    if (object)
        reply_json(reply, 200, object);
    else
        reply_failure(reply, "reading the job's metrics", &error);
    job_record_free(&job);
}

// Adds the curves of a job of the account; an unknown one is passed over.
static bool add_job(struct service *service, const struct request *request, const char *id,
    json_t *data, struct error *error) {
    struct job_record job;
    if (!job_get(service->store, request->account, id, &job, error)) {
        bool unknown = error->code == ERROR_NOT_FOUND;
        *error = (struct error){0};
        return unknown;
    }
    json_t *object = read_curves(service, request, job.id, error);
    job_record_free(&job);
    return object && json_array_append_new(data, object) == 0;
}

void jobs_metrics_list(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    const char *ids = request_query(request, "job_ids");
    json_t *data = json_array();
    bool ok = true;
    size_t jobs = 0;
    if (!ids) {
        json_decref(data);
        reply_error(reply, 400, "missing_required_parameter", "job_ids",
            "Missing required parameter: 'job_ids', ids of jobs with commas between them.");
        return;
    }
    for (const char *at = ids; ok && *at && jobs < JOBS_MAXIMUM; jobs++) {
        char id[128];
        size_t length = strcspn(at, ",");
        if (length < sizeof id) {
            memcpy(id, at, length);
            id[length] = '\0';
            ok = add_job(service, request, id, data, &error);
        }
        at += length + (at[length] == ',');
    }
    if (ok) {
        reply_json(reply, 200, reply_list(data, false));
    } else {
        json_decref(data);
        reply_failure(reply, "reading the jobs' metrics", &error);
    }
}
