// Writing batches as JSON.
#include "service/batch_object.h"
#include "service/shapes.h"
#include "store/store_batches.h"
#include <stdlib.h>

const char *const batch_windows[] = {"24h", "48h", "72h", NULL};

int64_t batch_window_seconds(const char *window) {
    return strtol(window, NULL, 10) * 3600;
}

static const char *const statuses[] = {"validating", "failed", "in_progress", "finalizing",
    "completed", "expired", "cancelling", "cancelled", NULL};

static const struct field batch_error_fields[] = {
    SHAPE_TEXT("code"),
    SHAPE_TEXT("message"),
    SHAPE_TEXT_OR_NULL("param"),
    {"line", FIELD_INTEGER, FIELD_REQUIRED, .nullable = true, .about = "Of the input file."},
};
static const struct shape batch_error_shape = SHAPE("BatchError", batch_error_fields);

static const struct field batch_errors_fields[] = {
    SHAPE_TEXT("object"),
    {"data", FIELD_ARRAY, FIELD_REQUIRED, .shape = &batch_error_shape},
};
static const struct shape batch_errors_shape = SHAPE("BatchErrors", batch_errors_fields);

static const struct field counts_fields[] = {
    SHAPE_COUNT("total"),
    SHAPE_COUNT("completed"),
    SHAPE_COUNT("failed"),
};
static const struct shape counts_shape = SHAPE("BatchRequestCounts", counts_fields);

static const struct field usage_fields[] = {
    SHAPE_COUNT("input_tokens"),
    {"input_tokens_details", FIELD_OBJECT, FIELD_REQUIRED},
    SHAPE_COUNT("output_tokens"),
    {"output_tokens_details", FIELD_OBJECT, FIELD_REQUIRED},
    SHAPE_COUNT("total_tokens"),
};
static const struct shape usage_shape = SHAPE("BatchUsage", usage_fields);

static const struct field batch_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_TEXT("endpoint"),
    {"errors", FIELD_OBJECT, FIELD_REQUIRED, .nullable = true, .shape = &batch_errors_shape},
    SHAPE_TEXT("input_file_id"),
    SHAPE_TEXT("completion_window"),
    {"status", FIELD_STRING, FIELD_REQUIRED, .values = statuses},
    SHAPE_TEXT_OR_NULL("output_file_id"),
    SHAPE_TEXT_OR_NULL("error_file_id"),
    SHAPE_COUNT("created_at"),
    SHAPE_COUNT_OR_NULL("in_progress_at"),
    SHAPE_COUNT("expires_at"),
    SHAPE_COUNT_OR_NULL("finalizing_at"),
    SHAPE_COUNT_OR_NULL("completed_at"),
    SHAPE_COUNT_OR_NULL("failed_at"),
    SHAPE_COUNT_OR_NULL("expired_at"),
    SHAPE_COUNT_OR_NULL("cancelling_at"),
    SHAPE_COUNT_OR_NULL("cancelled_at"),
    {"request_counts", FIELD_OBJECT, FIELD_REQUIRED, .shape = &counts_shape},
    {"metadata", FIELD_OBJECT, FIELD_REQUIRED, .nullable = true},
    {"model", FIELD_STRING, FIELD_REQUIRED, .nullable = true,
        .about = "Of all requests; null where they differ."},
    {"usage", FIELD_OBJECT, FIELD_REQUIRED, .shape = &usage_shape},
};
const struct shape batch_shape = SHAPE("Batch", batch_fields);

static json_t *stored(const char *text) {
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_null();
}

static void set_moments(json_t *object, const struct batch_record *batch) {
    const struct {
        const char *name;
        int64_t moment;
    } moments[] = {
        {"in_progress_at", batch->in_progress_at},
        {"finalizing_at", batch->finalizing_at},
        {"completed_at", batch->completed_at},
        {"failed_at", batch->failed_at},
        {"expired_at", batch->expired_at},
        {"cancelling_at", batch->cancelling_at},
        {"cancelled_at", batch->cancelled_at},
    };
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        json_object_set_new(object, moments[i].name,
            moments[i].moment ? json_integer(moments[i].moment) : json_null());
}

static json_t *usage_object(const struct batch_record *batch) {
    return json_pack("{s:I, s:{s:i}, s:I, s:{s:i}, s:I}", "input_tokens",
        (json_int_t)batch->prompt_tokens, "input_tokens_details", "cached_tokens", 0,
        "output_tokens", (json_int_t)batch->answer_tokens, "output_tokens_details",
        "reasoning_tokens", 0, "total_tokens",
        (json_int_t)(batch->prompt_tokens + batch->answer_tokens));
}

json_t *batch_object(const struct batch_record *batch) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s?, s:s?, s:I, s:I}", "id",
        batch->id, "object", "batch", "endpoint", batch->endpoint, "errors", stored(batch->errors),
        "input_file_id", batch->input_file, "completion_window", batch->completion_window, "status",
        batch->status, "output_file_id", batch->output_file, "error_file_id", batch->error_file,
        "created_at", (json_int_t)batch->created_at, "expires_at", (json_int_t)batch->expires_at);
    if (!object) return NULL;
    set_moments(object, batch);
    json_object_set_new(object, "request_counts",
        json_pack("{s:I, s:I, s:I}", "total", (json_int_t)batch->total, "completed",
            (json_int_t)batch->completed, "failed", (json_int_t)batch->failed));
    json_object_set_new(object, "metadata", stored(batch->metadata));
    json_object_set_new(object, "model", batch->model ? json_string(batch->model) : json_null());
    json_object_set_new(object, "usage", usage_object(batch));
    return object;
}
