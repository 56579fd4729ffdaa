// /v1/api_keys (ours): the account's own keys.
#include "base/memory.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "store/store_accounts.h"
#include <string.h>
#include <time.h>

#define EXPIRY_MAXIMUM 315360000.0 // seconds: ten years

enum { NAME_LENGTH = 100 };

static const struct field request_fields[] = {
    {"name", FIELD_STRING, FIELD_OPTIONAL, 0, NAME_LENGTH, .about = "A note for your own use."},
    {"scope", FIELD_STRING, .values = (const char *const[]){"all", "read-only", "inference", NULL},
        .standard = "\"all\"", .about = "What the key may do: everything, look, or use models."},
    {"expires_in", FIELD_INTEGER, FIELD_OPTIONAL, 60, EXPIRY_MAXIMUM,
        .about = "Seconds from now; without it the key does not expire."},
};
const struct shape api_key_request_shape = SHAPE("CreateApiKey", request_fields);

static const struct field key_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_TEXT("name"),
    {"hint", FIELD_STRING, FIELD_REQUIRED, .about = "The key's first and last letters."},
    SHAPE_TEXT("scope"),
    SHAPE_COUNT("created_at"),
    SHAPE_COUNT_OR_NULL("expires_at"),
    {"key", FIELD_STRING, .about = "Shown once, when the key is created."},
};
const struct shape api_key_shape = SHAPE("ApiKey", key_fields);

static json_t *key_object(const struct key_record *key) {
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "id", key->id, "object", "api_key",
        "name", key->name, "hint", key->hint, "scope", key->scope, "created_at",
        (json_int_t)key->created_at, "expires_at",
        key->expires_at ? json_integer(key->expires_at) : json_null());
}

// The keys in use, newest first.
static json_t *key_array(const struct key_record *keys, size_t count) {
    json_t *data = json_array();
    for (size_t i = count; i-- > 0;)
        if (!keys[i].revoked_at) json_array_append_new(data, key_object(&keys[i]));
    return data;
}

void api_keys_list(struct service *service, struct request *request, struct reply *reply) {
    struct key_record *keys;
    struct error error = {0};
    size_t count;
    if (!key_list(service->store, request->account, &keys, &count, &error)) {
        reply_failure(reply, "listing keys", &error);
        return;
    }
    reply_json(reply, 200, reply_list(key_array(keys, count), false));
    key_list_free(keys, count);
}

static void answer_key(struct service *service, const struct request *request, const char *id,
    const char *key, struct reply *reply) {
    struct key_record *keys;
    struct error error = {0};
    size_t count;
    if (!key_list(service->store, request->account, &keys, &count, &error)) {
        reply_failure(reply, "making the key", &error);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].id, id) != 0) continue;
        json_t *object = key_object(&keys[i]);
        json_object_set_new(object, "key", json_string(key));
        reply_json(reply, 200, object);
    }
    key_list_free(keys, count);
}

void api_keys_create(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    char *id, *key;
    json_t *body = request_json(request, reply);
    if (body && shape_check(body, NULL, &api_key_request_shape, reply)) {
        const char *name = json_string_value(fields_get(body, "name"));
        json_int_t seconds = json_integer_value(fields_get(body, "expires_in"));
        struct key_wish wish = {.account = request->account,
            .name = name ? name : "",
            .scope = json_string_value(fields_get(body, "scope")),
            .expires_at = seconds ? (int64_t)time(NULL) + seconds : 0};
        if (key_create(service->store, &wish, &id, &key, &error)) {
            answer_key(service, request, id, key, reply);
            memory_free(id);
            memory_free(key);
        } else {
            reply_failure(reply, "making the key", &error);
        }
    }
    json_decref(body);
}

void api_keys_delete(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (key_revoke(service->store, request->account, id, &error))
        reply_json(reply, 200,
            json_pack("{s:s, s:s, s:b}", "id", id, "object", "api_key", "deleted", true));
    else if (error.code == ERROR_NOT_FOUND)
        reply_not_found(reply, "ApiKey", id);
    else
        reply_failure(reply, "revoking the key", &error);
}
