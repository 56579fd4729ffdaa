// Writing webhook endpoints and deliveries as JSON.
#include "service/webhook_object.h"
#include "service/shapes.h"
#include "store/store_webhooks.h"

static const struct field endpoint_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("created_at"),
    SHAPE_TEXT("url"),
    {"events", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_STRING},
    SHAPE_TEXT_OR_NULL("description"),
    SHAPE_FLAG("enabled"),
    SHAPE_TEXT_OR_NULL("disabled_reason"),
    {"secret", FIELD_STRING, .about = "Shown once, when the endpoint is created."},
};
const struct shape webhook_endpoint_shape = SHAPE("WebhookEndpoint", endpoint_fields);

static const char *const delivery_statuses[] = {"pending", "delivered", "failed", NULL};

static const struct field delivery_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("created_at"),
    SHAPE_TEXT_OR_NULL("webhook_endpoint_id"),
    SHAPE_TEXT("url"),
    {"event_id", FIELD_STRING, FIELD_REQUIRED, .about = "The header webhook-id."},
    SHAPE_TEXT("event_type"),
    {"status", FIELD_STRING, FIELD_REQUIRED, .values = delivery_statuses},
    SHAPE_COUNT("attempts"),
    SHAPE_COUNT_OR_NULL("last_attempt_at"),
    SHAPE_COUNT_OR_NULL("next_attempt_at"),
    {"response_status", FIELD_INTEGER, FIELD_REQUIRED, .nullable = true,
        .about = "Of the last attempt; null where no answer came."},
    {"response", FIELD_STRING, FIELD_REQUIRED, .nullable = true,
        .about = "The beginning of the last answer, or why there is none."},
    {"request_body", FIELD_STRING, FIELD_REQUIRED, .about = "What is sent."},
};
const struct shape webhook_delivery_shape = SHAPE("WebhookDelivery", delivery_fields);

static const struct field secret_fields[] = {SHAPE_TEXT("object"), SHAPE_TEXT("secret")};
const struct shape callback_secret_shape = SHAPE("CallbackSecret", secret_fields);

json_t *webhook_endpoint_object(const struct webhook_endpoint *endpoint) {
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:s?, s:b, s:s?}", "id", endpoint->id, "object",
        "webhook_endpoint", "created_at", (json_int_t)endpoint->created_at, "url", endpoint->url,
        "events", json_loads(endpoint->events, 0, NULL), "description", endpoint->description,
        "enabled", !endpoint->disabled_reason, "disabled_reason", endpoint->disabled_reason);
}

static json_t *known(int64_t value) {
    return value > 0 ? json_integer(value) : json_null();
}

json_t *webhook_delivery_object(const struct webhook_delivery *delivery) {
    return json_pack("{s:s, s:s, s:I, s:s?, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:s?, s:s}",
        "id", delivery->id, "object", "webhook_endpoint.delivery", "created_at",
        (json_int_t)delivery->created_at, "webhook_endpoint_id", delivery->endpoint, "url",
        delivery->url, "event_id", delivery->event, "event_type", delivery->type, "status",
        delivery->status, "attempts", (json_int_t)delivery->attempts, "last_attempt_at",
        known(delivery->last_attempt_at), "next_attempt_at", known(delivery->next_attempt_at),
        "response_status", known(delivery->response_status), "response", delivery->response,
        "request_body", delivery->body);
}
