// The table of routes: the whole API at a glance.
#include "service/request.h"
#include "service/resources.h"
#include "service/route.h"
#include "service/shapes.h"

enum {
    FILE_MAXIMUM = 100 << 20, // bytes of a file uploaded in one piece
    PART_MAXIMUM = 64 << 20,  // bytes of a part of an upload
    SMALL_JSON = 1 << 20,
};

#define READS .scopes = SCOPE_READ
#define READS_OR_USES .scopes = SCOPE_READ | SCOPE_INFERENCE
#define TAKES_JSON(bytes, shape)                                                                   \
    .body = ROUTE_BODY_JSON, .body_maximum = (bytes), .request = &(shape)
#define TAKES_FORM(bytes, shape)                                                                   \
    .body = ROUTE_BODY_FORM, .body_maximum = (bytes), .request = &(shape)

#define PLATFORM(path, function)                                                                   \
    { "GET", path, ROUTE_HANDLER(function), .open = true, .page = true }
#define PAGE(path) PLATFORM(path, web_get_page)

static const struct route routes[] = {
    PAGE("/"),
    PAGE("/sign-in"),
    PAGE("/playground"),
    PAGE("/models"),
    PAGE("/models/{rest*}"),
    PAGE("/fine-tuning"),
    PAGE("/fine-tuning/{rest*}"),
    PAGE("/batches"),
    PAGE("/batches/{rest*}"),
    PAGE("/files"),
    PAGE("/files/{rest*}"),
    PAGE("/webhooks"),
    PAGE("/webhooks/{rest*}"),
    PAGE("/api-keys"),
    PAGE("/usage"),
    PLATFORM("/favicon.svg", web_get_asset),
    PLATFORM("/assets/{name}", web_get_asset),

    {"GET", "/health", ROUTE_HANDLER(health_get), .open = true, .answer = &health_shape,
        .summary = "Whether the server lives, and what it is."},
    {"GET", "/healthz", ROUTE_HANDLER(healthz_get), .open = true, .answer = &health_shape,
        .summary = "Whether the server lives."},
    {"GET", "/readyz", ROUTE_HANDLER(readyz_get), .open = true, .answer = &health_shape,
        .summary = "Whether the server can take requests: 503 while it ends, or its store fails."},
    {"GET", "/metrics", ROUTE_HANDLER(metrics_get), .open = true, .answer_type = "text/plain",
        .summary = "What the server counts about itself, for Prometheus."},
    {"GET", "/openapi.json", ROUTE_HANDLER(openapi_get), .open = true,
        .answer_type = "application/json", .summary = "This document."},

    {"POST", "/v1/files", ROUTE_HANDLER(files_create), TAKES_FORM(FILE_MAXIMUM, file_form_shape),
        .answer = &file_shape, .summary = "Upload a file of at most 100 MB in one piece."},
    {"GET", "/v1/files", ROUTE_HANDLER(files_list), READS, .query = &file_query_shape,
        .answer = &file_shape, .lists = true, .summary = "List the account's files."},
    {"GET", "/v1/files/{file_id}", ROUTE_HANDLER(files_retrieve), READS, .answer = &file_shape,
        .summary = "Retrieve a file's object."},
    {"DELETE", "/v1/files/{file_id}", ROUTE_HANDLER(files_delete), .answer = &deleted_shape,
        .summary = "Delete a file."},
    {"GET", "/v1/files/{file_id}/content", ROUTE_HANDLER(files_content), READS,
        .answer_type = "application/octet-stream", .summary = "Download what a file holds."},

    {"POST", "/v1/uploads", ROUTE_HANDLER(uploads_create),
        TAKES_JSON(SMALL_JSON, upload_request_shape), .answer = &upload_shape,
        .summary = "Begin to upload a file in parts, of at most 8 GB."},
    {"GET", "/v1/uploads/{upload_id}", ROUTE_HANDLER(uploads_retrieve), READS,
        .answer = &upload_shape, .summary = "Retrieve an upload (ours)."},
    {"POST", "/v1/uploads/{upload_id}/parts", ROUTE_HANDLER(uploads_add_part),
        TAKES_FORM(PART_MAXIMUM, part_form_shape), .answer = &part_shape,
        .summary = "Add a part of at most 64 MB; parts may come side by side, and again."},
    {"POST", "/v1/uploads/{upload_id}/complete", ROUTE_HANDLER(uploads_complete),
        TAKES_JSON(SMALL_JSON, complete_shape), .answer = &upload_shape,
        .summary = "Put the parts together and make them a file."},
    {"POST", "/v1/uploads/{upload_id}/cancel", ROUTE_HANDLER(uploads_cancel),
        .answer = &upload_shape, .summary = "Cancel an upload and forget its parts."},

    {"POST", "/v1/fine_tuning/jobs", ROUTE_HANDLER(jobs_create),
        TAKES_JSON(SMALL_JSON, job_request_shape), .answer = &job_shape,
        .summary = "Start a fine-tuning job."},
    {"GET", "/v1/fine_tuning/jobs", ROUTE_HANDLER(jobs_list), READS, .query = &job_query_shape,
        .answer = &job_shape, .lists = true, .summary = "List the account's jobs, newest first."},
    {"GET", "/v1/fine_tuning/jobs/{job_id}", ROUTE_HANDLER(jobs_retrieve), READS,
        .answer = &job_shape, .summary = "Retrieve a job."},
    {"POST", "/v1/fine_tuning/jobs/{job_id}/cancel", ROUTE_HANDLER(jobs_cancel),
        .answer = &job_shape, .summary = "Cancel a job."},
    {"POST", "/v1/fine_tuning/jobs/{job_id}/pause", ROUTE_HANDLER(jobs_pause), .answer = &job_shape,
        .summary = "Pause a job: it keeps a checkpoint, and the machine is free for others."},
    {"POST", "/v1/fine_tuning/jobs/{job_id}/resume", ROUTE_HANDLER(jobs_resume),
        .answer = &job_shape, .summary = "Go on with a job that was paused."},
    {"GET", "/v1/fine_tuning/jobs/{job_id}/events", ROUTE_HANDLER(jobs_events), READS,
        .query = &event_query_shape, .answer = &event_shape, .lists = true, .streams = true,
        .summary = "List a job's events, newest first."},
    {"POST", "/v1/fine_tuning/checks", ROUTE_HANDLER(checks_create),
        TAKES_JSON(SMALL_JSON, job_request_shape), .answer = &job_check_shape,
        .summary = "What a job would find in its files, and take, before there is one (ours)."},
    {"GET", "/v1/fine_tuning/jobs/{job_id}/metrics", ROUTE_HANDLER(jobs_metrics), READS,
        .query = &job_curves_query_shape, .answer = &job_curves_shape,
        .summary = "A job's metrics as curves, thinned (ours)."},
    {"GET", "/v1/fine_tuning/metrics", ROUTE_HANDLER(jobs_metrics_list), READS,
        .query = &job_curves_list_query_shape, .answer = &job_curves_shape, .lists = true,
        .summary = "The curves of several jobs (ours)."},
    {"GET", "/v1/fine_tuning/jobs/{job_id}/checkpoints", ROUTE_HANDLER(jobs_checkpoints), READS,
        .query = &checkpoint_query_shape, .answer = &checkpoint_shape, .lists = true,
        .summary = "List a job's checkpoints, newest first."},

    {"POST", "/v1/batches", ROUTE_HANDLER(batches_create), .scopes = SCOPE_INFERENCE,
        TAKES_JSON(SMALL_JSON, batch_request_shape), .answer = &batch_shape,
        .summary = "Have the requests of a file answered when there is time."},
    {"GET", "/v1/batches", ROUTE_HANDLER(batches_list), READS_OR_USES, .query = &batch_query_shape,
        .answer = &batch_shape, .lists = true,
        .summary = "List the account's batches, newest first."},
    {"GET", "/v1/batches/{batch_id}", ROUTE_HANDLER(batches_retrieve), READS_OR_USES,
        .answer = &batch_shape, .summary = "Retrieve a batch."},
    {"POST", "/v1/batches/{batch_id}/cancel", ROUTE_HANDLER(batches_cancel), .answer = &batch_shape,
        .summary = "Cancel a batch; what is answered already is kept."},

    {"POST", "/v1/webhook_endpoints", ROUTE_HANDLER(webhooks_create),
        TAKES_JSON(SMALL_JSON, webhook_request_shape), .answer = &webhook_endpoint_shape,
        .summary = "Have events delivered to an address (ours); the secret is shown once."},
    {"GET", "/v1/webhook_endpoints", ROUTE_HANDLER(webhooks_list), READS,
        .query = &page_query_shape, .answer = &webhook_endpoint_shape, .lists = true,
        .summary = "List the account's webhook endpoints, newest first (ours)."},
    {"GET", "/v1/callback_secret", ROUTE_HANDLER(webhooks_callback_secret),
        .answer = &callback_secret_shape,
        .summary = "The secret that callbacks of asynchronous chats are signed with (ours)."},
    {"GET", "/v1/webhook_endpoints/{webhook_endpoint_id}", ROUTE_HANDLER(webhooks_retrieve), READS,
        .answer = &webhook_endpoint_shape, .summary = "Retrieve a webhook endpoint (ours)."},
    {"POST", "/v1/webhook_endpoints/{webhook_endpoint_id}", ROUTE_HANDLER(webhooks_update),
        TAKES_JSON(SMALL_JSON, webhook_update_shape), .answer = &webhook_endpoint_shape,
        .summary = "Change a webhook endpoint (ours)."},
    {"DELETE", "/v1/webhook_endpoints/{webhook_endpoint_id}", ROUTE_HANDLER(webhooks_delete),
        .answer = &deleted_shape, .summary = "Delete a webhook endpoint (ours)."},
    {"POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/test", ROUTE_HANDLER(webhooks_test),
        .answer = &webhook_delivery_shape,
        .summary = "Send an event to an endpoint, as a test (ours)."},
    {"GET", "/v1/webhook_endpoints/{webhook_endpoint_id}/deliveries",
        ROUTE_HANDLER(webhooks_deliveries), READS, .query = &page_query_shape,
        .answer = &webhook_delivery_shape, .lists = true,
        .summary = "List what was sent to an endpoint, newest first (ours)."},
    {"POST", "/v1/webhook_endpoints/{webhook_endpoint_id}/deliveries/{delivery_id}/redeliver",
        ROUTE_HANDLER(webhooks_redeliver), .answer = &webhook_delivery_shape,
        .summary = "Send an event again, with the same id (ours)."},

    {"GET", "/v1/organization/usage/completions", ROUTE_HANDLER(usage_answers), READS,
        .query = &usage_query_shape, .answer = &usage_answers_shape,
        .summary = "What the account's chats used, by minute, hour or day."},
    {"GET", "/v1/organization/usage/fine_tuning", ROUTE_HANDLER(usage_jobs), READS,
        .query = &usage_query_shape, .answer = &usage_jobs_shape,
        .summary = "What the account's jobs used, by minute, hour or day (ours)."},
    {"POST", "/v1/session", ROUTE_HANDLER(session_create), .open = true,
        TAKES_JSON(SMALL_JSON, session_request_shape), .answer = &session_shape,
        .summary = "Sign a browser in: the session's secret is set as a cookie (ours)."},
    {"GET", "/v1/session", ROUTE_HANDLER(session_retrieve), READS_OR_USES, .answer = &session_shape,
        .summary = "Who is signed in (ours)."},
    {"DELETE", "/v1/session", ROUTE_HANDLER(session_delete), READS_OR_USES,
        .answer = &session_deleted_shape, .summary = "Sign out (ours)."},
    {"POST", "/v1/api_keys", ROUTE_HANDLER(api_keys_create),
        TAKES_JSON(SMALL_JSON, api_key_request_shape), .answer = &api_key_shape,
        .summary = "Make an API key of the account (ours); it is shown once."},
    {"GET", "/v1/api_keys", ROUTE_HANDLER(api_keys_list), .answer = &api_key_shape, .lists = true,
        .summary = "List the account's API keys, newest first (ours)."},
    {"DELETE", "/v1/api_keys/{api_key_id}", ROUTE_HANDLER(api_keys_delete),
        .answer = &deleted_shape, .summary = "Revoke an API key of the account (ours)."},

    {"GET", "/v1/models", ROUTE_HANDLER(models_list), READS_OR_USES, .query = &model_query_shape,
        .answer = &model_shape, .lists = true,
        .summary = "List the models that the account can use."},
    {"GET", "/v1/models/{model*}", ROUTE_HANDLER(models_retrieve), READS_OR_USES,
        .answer = &model_shape, .summary = "Retrieve a model."},
    {"DELETE", "/v1/models/{model*}", ROUTE_HANDLER(models_delete), .answer = &deleted_shape,
        .summary = "Delete a fine-tuned model."},
    {"GET", "/v1/adapters/{model*}", ROUTE_HANDLER(adapters_retrieve), READS,
        .answer_type = "application/x-tar",
        .summary = "Download a fine-tuned model as a tar archive in peft's format (ours)."},

    {"POST", "/v1/chat/completions", ROUTE_HANDLER(chat_create), .scopes = SCOPE_INFERENCE,
        TAKES_JSON(REQUEST_JSON_MAXIMUM, chat_request_shape), .answer = &chat_shape,
        .streams = true, .summary = "Have a model answer a chat."},
};

const struct route *route_table(size_t *count) {
    *count = sizeof routes / sizeof routes[0];
    return routes;
}
