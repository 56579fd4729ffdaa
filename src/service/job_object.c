// Writing jobs, events and checkpoints as JSON.
#include "service/job_object.h"
#include "service/shapes.h"
#include "store/store.h"

static const char *const job_statuses[] = {
    "validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled", NULL};
static const char *const event_levels[] = {"info", "warn", "error", NULL};
static const char *const event_types[] = {"message", "metrics", NULL};

static const struct field job_error_fields[] = {
    SHAPE_TEXT_OR_NULL("code"),
    SHAPE_TEXT("message"),
    SHAPE_TEXT_OR_NULL("param"),
};
static const struct shape job_error_shape = SHAPE("FineTuningJobError", job_error_fields);

static const struct field metrics_fields[] = {
    {"step", FIELD_INTEGER},
    SHAPE_NUMBER_OR_NULL("train_loss"),
    SHAPE_NUMBER_OR_NULL("train_mean_token_accuracy"),
    SHAPE_NUMBER_OR_NULL("valid_loss"),
    SHAPE_NUMBER_OR_NULL("valid_mean_token_accuracy"),
    SHAPE_NUMBER_OR_NULL("full_valid_loss"),
    SHAPE_NUMBER_OR_NULL("full_valid_mean_token_accuracy"),
};
static const struct shape metrics_shape = SHAPE("FineTuningMetrics", metrics_fields);

static const struct field job_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_TEXT("model"),
    SHAPE_COUNT("created_at"),
    SHAPE_COUNT_OR_NULL("finished_at"),
    SHAPE_COUNT_OR_NULL("estimated_finish"),
    {"status", FIELD_STRING, FIELD_REQUIRED, .values = job_statuses},
    SHAPE_TEXT_OR_NULL("fine_tuned_model"),
    SHAPE_TEXT("organization_id"),
    SHAPE_TEXT("training_file"),
    SHAPE_TEXT_OR_NULL("validation_file"),
    {"result_files", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_STRING},
    SHAPE_COUNT_OR_NULL("trained_tokens"),
    {"error", FIELD_OBJECT, FIELD_REQUIRED, .nullable = true, .shape = &job_error_shape},
    {"hyperparameters", FIELD_OBJECT, FIELD_REQUIRED},
    {"method", FIELD_OBJECT, FIELD_REQUIRED},
    {"lora", FIELD_OBJECT, .nullable = true},
    SHAPE_COUNT("seed"),
    {"metadata", FIELD_OBJECT, .nullable = true},
    {"integrations", FIELD_ARRAY, .items = FIELD_OBJECT},
    SHAPE_TEXT_OR_NULL("user_provided_suffix"),
    {"usage_metrics", FIELD_OBJECT, .nullable = true},
    SHAPE_FLAG("shared_with_openai"),
    {"labels", FIELD_ARRAY, .items = FIELD_STRING},
    {"metrics", FIELD_OBJECT},
};
const struct shape job_shape = SHAPE("FineTuningJob", job_fields);

static const struct field event_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("created_at"),
    {"level", FIELD_STRING, FIELD_REQUIRED, .values = event_levels},
    SHAPE_TEXT("message"),
    {"type", FIELD_STRING, FIELD_REQUIRED, .values = event_types},
    {"data", FIELD_OBJECT},
};
const struct shape event_shape = SHAPE("FineTuningJobEvent", event_fields);

static const struct field checkpoint_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("created_at"),
    SHAPE_TEXT("fine_tuned_model_checkpoint"),
    SHAPE_COUNT("step_number"),
    {"metrics", FIELD_OBJECT, FIELD_REQUIRED, .shape = &metrics_shape},
    SHAPE_TEXT("fine_tuning_job_id"),
};
const struct shape checkpoint_shape = SHAPE("FineTuningJobCheckpoint", checkpoint_fields);

static const struct field checkpoint_query_fields[] = {SHAPE_PAGE_FIELDS(10, 100)};
const struct shape checkpoint_query_shape = SHAPE("CheckpointQuery", checkpoint_query_fields);

// JSON text of the store as a value: null where there is none.
static json_t *stored(const char *text) {
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_null();
}

static json_t *stored_or(const char *text, json_t *otherwise) {
    json_t *value = stored(text);
    if (json_is_null(value)) return otherwise;
    json_decref(otherwise);
    return value;
}

// A time or a count that may not be known yet.
static json_t *known(int64_t value) {
    return value > 0 ? json_integer(value) : json_null();
}

// OpenAI has the hyperparameters in an object of their own; kluster has them flat. This has both.
static json_t *method_object(json_t *hyperparameters) {
    json_t *supervised = json_deep_copy(hyperparameters);
    if (!supervised) return NULL;
    json_object_set(supervised, "hyperparameters", hyperparameters);
    return json_pack("{s:s, s:o}", "type", "supervised", "supervised", supervised);
}

static json_t *error_object(const struct job_record *job) {
    if (!job->error_message) return json_null();
    return json_pack("{s:s?, s:s, s:s?}", "code", job->error_code, "message", job->error_message,
        "param", job->error_param);
}

// What the last step measured, under a name that neither of the two APIs has.
static json_t *measured(const struct job_record *job) {
    json_t *metrics = job->metrics ? stored(job->metrics) : NULL;
    json_object_del(metrics, "type");
    return metrics ? json_pack("{s:o}", "temper", metrics) : json_object();
}

json_t *job_object(const struct job_record *job) {
    json_t *hyperparameters = stored_or(job->hyperparameters, json_object());
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s?, s:s?, s:s, s:s?, s:I}",     //
        "object", "fine_tuning.job", "id", job->id, "model", job->model,                    //
        "created_at", (json_int_t)job->created_at, "status", job->status,                   //
        "fine_tuned_model", job->fine_tuned_model, "validation_file", job->validation_file, //
        "training_file", job->training_file, "user_provided_suffix", job->suffix,           //
        "seed", (json_int_t)job->seed);
    if (!object) {
        json_decref(hyperparameters);
        return NULL;
    }
    json_object_set_new(object, "finished_at", known(job->finished_at));
    json_object_set_new(object, "estimated_finish", known(job->estimated_finish));
    json_object_set_new(object, "trained_tokens", known(job->trained_tokens));
    json_object_set_new(object, "error", error_object(job));
    json_object_set_new(object, "organization_id", json_string(job->account));
    json_object_set_new(object, "result_files", stored_or(job->result_files, json_array()));
    json_object_set_new(object, "method", method_object(hyperparameters));
    json_object_set_new(object, "hyperparameters", hyperparameters);
    json_object_set_new(object, "lora", stored(job->lora));
    json_object_set_new(object, "metadata", stored(job->metadata));
    json_object_set_new(object, "integrations", json_array());
    json_object_set_new(object, "usage_metrics", json_null());
    json_object_set_new(object, "shared_with_openai", json_false());
    json_object_set_new(object, "labels", json_array());
    json_object_set_new(object, "metrics", measured(job));
    return object;
}

json_t *job_event_object(const struct event_record *event) {
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:o}", "object", "fine_tuning.job.event", "id",
        event->id, "created_at", (json_int_t)event->created_at, "level", event->level, "message",
        event->message, "type", event->type, "data", stored_or(event->data, json_object()));
}

json_t *job_checkpoint_object(const struct checkpoint_record *checkpoint, const char *job) {
    return json_pack("{s:s, s:s, s:I, s:s, s:I, s:o, s:s}", "id", checkpoint->id, "object",
        "fine_tuning.job.checkpoint", "created_at", (json_int_t)checkpoint->created_at,
        "fine_tuned_model_checkpoint", checkpoint->model, "step_number",
        (json_int_t)checkpoint->step, "metrics", stored_or(checkpoint->metrics, json_object()),
        "fine_tuning_job_id", job);
}
