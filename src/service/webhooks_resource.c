// /v1/webhook_endpoints (ours): where events are delivered to, and what was delivered.
#include "base/memory.h"
#include "jobs/webhook_sender.h"
#include "net/address_guard.h"
#include "service/query.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "service/webhook_object.h"
#include "store/store_webhooks.h"
#include <stdlib.h>
#include <string.h>

enum { URL_LENGTH = 2048, DESCRIPTION_LENGTH = 512, ENDPOINTS_MAXIMUM = 100 };

static const struct field request_fields[] = {
    {"url", FIELD_STRING, FIELD_REQUIRED, 1, URL_LENGTH, .about = "https://…"},
    {"events", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_STRING,
        .about = "Types of events, such as \"fine_tuning.job.succeeded\"."},
    {"description", FIELD_STRING, FIELD_OPTIONAL, 0, DESCRIPTION_LENGTH},
};
const struct shape webhook_request_shape = SHAPE("CreateWebhookEndpoint", request_fields);

static const struct field update_fields[] = {
    {"url", FIELD_STRING, FIELD_OPTIONAL, 1, URL_LENGTH},
    {"events", FIELD_ARRAY, .items = FIELD_STRING},
    {"description", FIELD_STRING, FIELD_OPTIONAL, 0, DESCRIPTION_LENGTH},
    {"enabled", FIELD_BOOLEAN, .about = "false holds deliveries back until it is true again."},
};
const struct shape webhook_update_shape = SHAPE("UpdateWebhookEndpoint", update_fields);

// ---- checks ----

static bool check_url(struct service *service, const json_t *body, struct reply *reply) {
    struct error error;
    const char *url = json_string_value(fields_get(body, "url"));
    if (!url || address_check_url(url, service->inward_webhooks, &error)) return true;
    reply_error(reply, 400, "invalid_value", "url", "Invalid 'url': %s.", error.message);
    return false;
}

static bool check_events(const json_t *body, struct reply *reply) {
    static const struct field one = {"events", FIELD_STRING, .values = webhook_event_types};
    const json_t *events = fields_get(body, "events"), *type;
    size_t index;
    if (!events) return true;
    if (json_array_size(events) == 0) {
        reply_error(reply, 400, "invalid_value", "events",
            "Invalid 'events': name at least one type of event.");
        return false;
    }
    json_array_foreach((json_t *)events, index, type) {
        if (!fields_check_text(&one, json_string_value(type), "events", reply)) return false;
    }
    return true;
}

static bool check(
    struct service *service, const json_t *body, const struct shape *shape, struct reply *reply) {
    return shape_check(body, NULL, shape, reply) && check_url(service, body, reply) &&
           check_events(body, reply);
}

static bool check_count(
    struct service *service, const struct request *request, struct reply *reply) {
    struct page_query query = {.account = request->account, .limit = ENDPOINTS_MAXIMUM};
    struct webhook_endpoint *endpoints;
    struct error error;
    size_t count;
    bool more;
    if (!webhook_endpoint_list(service->store, &query, &endpoints, &count, &more, &error)) {
        reply_failure(reply, "listing webhook endpoints", &error);
        return false;
    }
    webhook_endpoint_list_free(endpoints, count);
    if (count < ENDPOINTS_MAXIMUM) return true;
    reply_error(reply, 400, "invalid_value", NULL,
        "There are %d webhook endpoints already; delete one first.", ENDPOINTS_MAXIMUM);
    return false;
}

// ---- endpoints ----

// An array of texts as JSON (memory_free).
static char *json_text(const json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT);
    char *copy = text ? memory_copy_string(text) : NULL;
    free(text);
    return copy;
}

static void create(struct service *service, const struct request *request, const json_t *body,
    struct reply *reply) {
    struct error error = {0};
    struct webhook_endpoint endpoint = {
        .account = request->account,
        .url = (char *)json_string_value(json_object_get(body, "url")),
        .events = json_text(json_object_get(body, "events")),
        .description = (char *)json_string_value(fields_get(body, "description")),
    };
    bool good = endpoint.events || memory_error(&error, "a webhook endpoint");
    if (good && webhook_endpoint_create(service->store, &endpoint, &error)) {
        json_t *object = webhook_endpoint_object(&endpoint);
        json_object_set_new(object, "secret", json_string(endpoint.secret));
        reply_json(reply, 200, object);
        memory_free(endpoint.id);
        memory_free(endpoint.secret);
    } else {
        reply_failure(reply, "creating the webhook endpoint", &error);
    }
    memory_free(endpoint.events);
}

void webhooks_create(struct service *service, struct request *request, struct reply *reply) {
    json_t *body = request_json(request, reply);
    if (body && check(service, body, &webhook_request_shape, reply) &&
        check_count(service, request, reply))
        create(service, request, body, reply);
    json_decref(body);
}

// Gets the endpoint that the path names. False with the reply made.
static bool get_endpoint(struct service *service, const struct request *request,
    struct webhook_endpoint *endpoint, struct reply *reply) {
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (webhook_endpoint_get(service->store, request->account, id, endpoint, &error)) return true;
    if (error.code == ERROR_NOT_FOUND)
        reply_not_found(reply, "WebhookEndpoint", id);
    else
        reply_failure(reply, "looking the webhook endpoint up", &error);
    return false;
}

void webhooks_retrieve(struct service *service, struct request *request, struct reply *reply) {
    struct webhook_endpoint endpoint;
    if (!get_endpoint(service, request, &endpoint, reply)) return;
    reply_json(reply, 200, webhook_endpoint_object(&endpoint));
    webhook_endpoint_free(&endpoint);
}

void webhooks_list(struct service *service, struct request *request, struct reply *reply) {
    struct page_query query = {.account = request->account};
    struct webhook_endpoint *endpoints;
    struct error error = {0};
    size_t count;
    bool more;
    query_page(request, &query.limit, &query.after);
    if (!webhook_endpoint_list(service->store, &query, &endpoints, &count, &more, &error)) {
        reply_failure(reply, "listing webhook endpoints", &error);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(data, webhook_endpoint_object(&endpoints[i]));
    webhook_endpoint_list_free(endpoints, count);
    reply_json(reply, 200, reply_list(data, more));
}

static bool replace(char **text, char *value) {
    if (!value) return false;
    memory_free(*text);
    *text = value;
    return true;
}

// Takes over what the body has. False where memory is short.
static bool apply(struct webhook_endpoint *endpoint, const json_t *body) {
    const char *url = json_string_value(fields_get(body, "url"));
    const char *description = json_string_value(fields_get(body, "description"));
    const json_t *events = fields_get(body, "events"), *enabled = fields_get(body, "enabled");
    if (url && !replace(&endpoint->url, memory_copy_string(url))) return false;
    if (events && !replace(&endpoint->events, json_text(events))) return false;
    if (description && !replace(&endpoint->description, memory_copy_string(description)))
        return false;
    if (json_is_true(enabled)) {
        memory_free(endpoint->disabled_reason);
        endpoint->disabled_reason = NULL;
    }
    return !json_is_false(enabled) ||
           replace(&endpoint->disabled_reason, memory_copy_string("It was disabled by its owner."));
}

static void update(struct service *service, struct webhook_endpoint *endpoint, const json_t *body,
    struct reply *reply) {
    struct error error = {0};
    bool good = apply(endpoint, body) || memory_error(&error, "a webhook endpoint");
    if (good && webhook_endpoint_update(service->store, endpoint, &error)) {
        reply_json(reply, 200, webhook_endpoint_object(endpoint));
        webhook_sender_wake(service->webhooks);
    } else {
        reply_failure(reply, "changing the webhook endpoint", &error);
    }
}

void webhooks_update(struct service *service, struct request *request, struct reply *reply) {
    struct webhook_endpoint endpoint;
    json_t *body = request_json(request, reply);
    if (body && check(service, body, &webhook_update_shape, reply) &&
        get_endpoint(service, request, &endpoint, reply)) {
        update(service, &endpoint, body, reply);
        webhook_endpoint_free(&endpoint);
    }
    json_decref(body);
}

void webhooks_delete(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (webhook_endpoint_delete(service->store, request->account, id, &error))
        reply_json(reply, 200,
            json_pack("{s:s, s:s, s:b}", "id", id, "object", "webhook_endpoint", "deleted", true));
    else if (error.code == ERROR_NOT_FOUND)
        reply_not_found(reply, "WebhookEndpoint", id);
    else
        reply_failure(reply, "deleting the webhook endpoint", &error);
}

void webhooks_callback_secret(
    struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    char *secret;
    if (!webhook_callback_secret(service->store, request->account, &secret, &error)) {
        reply_failure(reply, "making the secret of callbacks", &error);
        return;
    }
    reply_json(reply, 200, json_pack("{s:s, s:s}", "object", "callback_secret", "secret", secret));
    memory_free(secret);
}

// ---- deliveries ----

static void answer_delivery(struct service *service, const struct request *request,
    const char *endpoint, const char *id, struct reply *reply) {
    struct webhook_delivery delivery;
    struct error error = {0};
    if (webhook_delivery_get(service->store, request->account, endpoint, id, &delivery, &error)) {
        reply_json(reply, 200, webhook_delivery_object(&delivery));
        webhook_delivery_free(&delivery);
    } else if (error.code == ERROR_NOT_FOUND) {
        reply_not_found(reply, "WebhookDelivery", id);
    } else {
        reply_failure(reply, "looking the delivery up", &error);
    }
}

void webhooks_test(struct service *service, struct request *request, struct reply *reply) {
    struct webhook_endpoint endpoint;
    struct error error = {0};
    char *id;
    if (!get_endpoint(service, request, &endpoint, reply)) return;
    if (webhook_send_one(
            service->store, &endpoint, "webhook_endpoint.test", endpoint.id, &id, &error)) {
        answer_delivery(service, request, endpoint.id, id, reply);
        memory_free(id);
        webhook_sender_wake(service->webhooks);
    } else {
        reply_failure(reply, "sending the test", &error);
    }
    webhook_endpoint_free(&endpoint);
}

void webhooks_deliveries(struct service *service, struct request *request, struct reply *reply) {
    struct page_query query = {.account = request->account};
    struct webhook_endpoint endpoint;
    struct webhook_delivery *deliveries;
    struct error error = {0};
    size_t count;
    bool more;
    if (!get_endpoint(service, request, &endpoint, reply)) return;
    query.job = endpoint.id;
    query_page(request, &query.limit, &query.after);
    if (webhook_delivery_list(service->store, &query, &deliveries, &count, &more, &error)) {
        json_t *data = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(data, webhook_delivery_object(&deliveries[i]));
        webhook_delivery_list_free(deliveries, count);
        reply_json(reply, 200, reply_list(data, more));
    } else {
        reply_failure(reply, "listing deliveries", &error);
    }
    webhook_endpoint_free(&endpoint);
}

static bool send_again(
    struct store *store, struct webhook_delivery *delivery, struct error *error) {
    delivery->attempts = 0;
    delivery->next_attempt_at = 0;
    if (!replace(&delivery->status, memory_copy_string("pending")))
        return memory_error(error, "a delivery");
    return webhook_delivery_update(store, delivery, error);
}

void webhooks_redeliver(struct service *service, struct request *request, struct reply *reply) {
    struct webhook_delivery delivery;
    struct error error = {0};
    const char *endpoint = request_parameter(request, 0), *id = request_parameter(request, 1);
    if (!webhook_delivery_get(service->store, request->account, endpoint, id, &delivery, &error)) {
        answer_delivery(service, request, endpoint, id, reply);
        return;
    }
    if (send_again(service->store, &delivery, &error)) {
        answer_delivery(service, request, endpoint, id, reply);
        webhook_sender_wake(service->webhooks);
    } else {
        reply_failure(reply, "sending the event again", &error);
    }
    webhook_delivery_free(&delivery);
}
