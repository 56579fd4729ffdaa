// /v1/organization/usage/…: what the caller's account used, in OpenAI's shape, by minute, hour or
// day; of completions, and (ours) of fine-tuning.
#include "base/memory.h"
#include "service/fields.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "service/usage.h"
#include "store/store_usage.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

// How long a bucket is, and how many an answer has.
static const struct width {
    const char *name;
    int64_t seconds;
    int standard, most;
} widths[] = {{"1d", 86400, 7, 31}, {"1h", 3600, 24, 168}, {"1m", 60, 60, 1440}};

static const char *const width_names[] = {"1m", "1h", "1d", NULL};
static const char *const groups[] = {"model", NULL};

#define LATEST 4102444800.0 // the year 2100

static const struct field query_fields[] = {
    {"start_time", FIELD_INTEGER, FIELD_REQUIRED, 1, LATEST,
        .about = "Seconds since 1970, inclusive."},
    {"end_time", FIELD_INTEGER, .minimum = 1, .maximum = LATEST,
        .about = "Exclusive; now, if left out."},
    {"bucket_width", FIELD_STRING, .values = width_names, .standard = "\"1d\""},
    {"group_by", FIELD_STRING, .values = groups, .about = "model: a result for each of them."},
    {"group_by[]", FIELD_STRING, .values = groups},
    {"limit", FIELD_INTEGER, .minimum = 1, .maximum = 1440,
        .about = "Buckets: 7 of days (at most 31), 24 of hours (168), 60 of minutes (1440)."},
    {"page", FIELD_STRING, .minimum = 1, .maximum = 64, .about = "The next_page of an answer."},
};
const struct shape usage_query_shape = SHAPE("UsageQuery", query_fields);

#define RESULT_HEAD                                                                                \
    SHAPE_TEXT("object"), SHAPE_TEXT_OR_NULL("project_id"), SHAPE_TEXT_OR_NULL("user_id"),         \
        SHAPE_TEXT_OR_NULL("api_key_id"), SHAPE_TEXT_OR_NULL("model")

static const struct field answer_fields[] = {
    RESULT_HEAD,
    SHAPE_COUNT("input_tokens"),
    SHAPE_COUNT("output_tokens"),
    SHAPE_COUNT("input_cached_tokens"),
    SHAPE_COUNT("input_audio_tokens"),
    SHAPE_COUNT("output_audio_tokens"),
    SHAPE_COUNT("num_model_requests"),
    {"batch", FIELD_BOOLEAN, .nullable = true},
};
static const struct shape answer_result_shape = SHAPE("CompletionsUsage", answer_fields);

static const struct field job_fields[] = {
    RESULT_HEAD,
    SHAPE_COUNT("trained_tokens"),
    SHAPE_COUNT("num_jobs"),
    SHAPE_COUNT("seconds"),
};
static const struct shape job_result_shape = SHAPE("FineTuningUsage", job_fields);

#define BUCKET_FIELDS(results)                                                                     \
    {                                                                                              \
        SHAPE_TEXT("object"), SHAPE_COUNT("start_time"), SHAPE_COUNT("end_time"), {                \
            "results", FIELD_ARRAY, FIELD_REQUIRED, .shape = &(results)                            \
        }                                                                                          \
    }
#define PAGE_FIELDS(buckets)                                                                       \
    {                                                                                              \
        SHAPE_TEXT("object"), {"data", FIELD_ARRAY, FIELD_REQUIRED, .shape = &(buckets)},          \
            SHAPE_FLAG("has_more"), SHAPE_TEXT_OR_NULL("next_page")                                \
    }

static const struct field answer_bucket_fields[] = BUCKET_FIELDS(answer_result_shape);
static const struct shape answer_bucket_shape =
    SHAPE("CompletionsUsageBucket", answer_bucket_fields);
static const struct field answer_page_fields[] = PAGE_FIELDS(answer_bucket_shape);
const struct shape usage_answers_shape = SHAPE("CompletionsUsagePage", answer_page_fields);

static const struct field job_bucket_fields[] = BUCKET_FIELDS(job_result_shape);
static const struct shape job_bucket_shape = SHAPE("FineTuningUsageBucket", job_bucket_fields);
static const struct field job_page_fields[] = PAGE_FIELDS(job_bucket_shape);
const struct shape usage_jobs_shape = SHAPE("FineTuningUsagePage", job_page_fields);

static json_t *answer_result(const struct usage_record *r) {
    return json_pack("{s:s, s:n, s:n, s:n, s:s?, s:I, s:I, s:i, s:i, s:i, s:I, s:n}", "object",
        "organization.usage.completions.result", "project_id", "user_id", "api_key_id", "model",
        r->model, "input_tokens", (json_int_t)r->input_tokens, "output_tokens",
        (json_int_t)r->output_tokens, "input_cached_tokens", 0, "input_audio_tokens", 0,
        "output_audio_tokens", 0, "num_model_requests", (json_int_t)r->requests, "batch");
}

static json_t *job_result(const struct usage_record *r) {
    return json_pack("{s:s, s:n, s:n, s:n, s:s?, s:I, s:I, s:I}", "object",
        "organization.usage.fine_tuning.result", "project_id", "user_id", "api_key_id", "model",
        r->model, "trained_tokens", (json_int_t)r->input_tokens, "num_jobs",
        (json_int_t)r->requests, "seconds", (json_int_t)r->seconds);
}

// What an answer is about.
struct span {
    struct usage_query query;
    int64_t until; // of the whole question: behind query.end there may be more
};

static int64_t number_of(const struct request *request, const char *name, int64_t otherwise) {
    const char *text = request_query(request, name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

static const struct width *width_of(const struct request *request) {
    const char *name = request_query(request, "bucket_width");
    for (size_t i = 1; name && i < sizeof widths / sizeof *widths; i++)
        if (strcmp(widths[i].name, name) == 0) return &widths[i];
    return &widths[0];
}

static bool refuse(struct reply *reply, const char *param, const char *message) {
    reply_error(reply, 400, "invalid_value", param, "%s", message);
    return false;
}

static bool read_span(const struct request *request, struct span *span, struct reply *reply) {
    const struct width *width = width_of(request);
    int64_t start = number_of(request, "start_time", 0);
    int64_t page = number_of(request, "page", 0),
            limit = number_of(request, "limit", width->standard);
    span->until = number_of(request, "end_time", (int64_t)time(NULL) + 1);
    if (!start) {
        reply_error(reply, 400, "missing_required_parameter", "start_time",
            "Missing required parameter: 'start_time', in seconds since 1970.");
        return false;
    }
    if (span->until <= start)
        return refuse(reply, "end_time", "'end_time' must be behind 'start_time'.");
    if (limit > width->most)
        return refuse(reply, "limit", "'limit' is too large for that 'bucket_width'.");
    if (request_query(request, "page") && (page < start || page >= span->until))
        return refuse(reply, "page", "'page' is no next_page of this question.");
    if (page > start) start = page;
    span->query = (struct usage_query){.account = request->account,
        .start = start - start % width->seconds,
        .width = width->seconds,
        .by_model = request_query(request, "group_by") || request_query(request, "group_by[]")};
    span->query.end = span->query.start + limit * width->seconds;
    if (span->query.end > span->until) span->query.end = span->until;
    return true;
}

// Every bucket of the span, those too in which nothing was used.
static json_t *buckets(const struct span *span, const struct usage_record *records, size_t count,
    json_t *(*result)(const struct usage_record *record)) {
    json_t *data = json_array();
    size_t at = 0;
    for (int64_t start = span->query.start; start < span->query.end; start += span->query.width) {
        json_t *results = json_array();
        for (; at < count && records[at].start == start; at++)
            json_array_append_new(results, result(&records[at]));
        json_array_append_new(data,
            json_pack("{s:s, s:I, s:I, s:o}", "object", "bucket", "start_time", (json_int_t)start,
                "end_time", (json_int_t)(start + span->query.width), "results", results));
    }
    return data;
}

static void answer(const struct span *span, const struct usage_record *records, size_t count,
    json_t *(*result)(const struct usage_record *record), struct reply *reply) {
    bool more = span->query.end < span->until;
    char *next = more ? memory_format("%lld", (long long)span->query.end) : NULL;
    reply_json(reply, 200,
        json_pack("{s:s, s:o, s:b, s:s?}", "object", "page", "data",
            buckets(span, records, count, result), "has_more", more, "next_page", next));
    memory_free(next);
}

typedef bool (*lister)(struct store *store, const struct usage_query *query,
    struct usage_record **records, size_t *count, struct error *error);

static void list(struct service *service, struct request *request, lister read,
    json_t *(*result)(const struct usage_record *record), struct reply *reply) {
    struct usage_record *records;
    struct error error = {0};
    struct span span;
    size_t count;
    if (!read_span(request, &span, reply)) return;
    usage_flush(service->usage);
    if (read(service->store, &span.query, &records, &count, &error)) {
        answer(&span, records, count, result, reply);
        usage_list_free(records, count);
    } else {
        reply_failure(reply, "reading the usage", &error);
    }
}

void usage_answers(struct service *service, struct request *request, struct reply *reply) {
    list(service, request, usage_list_answers, answer_result, reply);
}

void usage_jobs(struct service *service, struct request *request, struct reply *reply) {
    list(service, request, usage_list_jobs, job_result, reply);
}
