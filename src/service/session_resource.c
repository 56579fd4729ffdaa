// /v1/session (ours): how a browser signs in. The session's secret is in a cookie that scripts
// cannot read and other sites' pages cannot use; service/auth.c takes it in place of a key.
#include "base/memory.h"
#include "service/auth.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "store/store_sessions.h"

enum { SECRET_MAXIMUM = 200 };

static const struct field request_fields[] = {
    {"api_key", FIELD_STRING, FIELD_OPTIONAL, 1, SECRET_MAXIMUM,
        .about = "An API key; the session has its scope, and ends with it."},
    {"token", FIELD_STRING, FIELD_OPTIONAL, 1, SECRET_MAXIMUM,
        .about = "Or what stands behind # in the address that `temper serve` and `temper sign-in` "
                 "print."},
};
const struct shape session_request_shape = SHAPE("CreateSession", request_fields);

static const struct field session_fields[] = {
    SHAPE_TEXT("object"),
    SHAPE_TEXT("account"),
    SHAPE_TEXT("scope"),
    SHAPE_TEXT_OR_NULL("plan"),
    SHAPE_COUNT("created_at"),
    SHAPE_COUNT("expires_at"),
};
const struct shape session_shape = SHAPE("Session", session_fields);

static const struct field deleted_fields[] = {SHAPE_TEXT("object"), SHAPE_FLAG("deleted")};
const struct shape session_deleted_shape = SHAPE("DeletedSession", deleted_fields);

static void set_cookie(
    const struct service *service, const char *secret, int seconds, struct reply *reply) {
    reply_header(reply, "set-cookie",
        AUTH_COOKIE "=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", secret, seconds,
        service->secure ? "; Secure" : "");
}

static void answer(struct service *service, const char *secret, struct reply *reply) {
    struct session_record session;
    struct error error = {0};
    if (!session_find(service->store, secret, &session, &error)) {
        if (error.code == ERROR_NOT_FOUND)
            reply_error(
                reply, 401, "invalid_session", NULL, "The session has ended. Sign in anew.");
        else
            reply_failure(reply, "looking the session up", &error);
        return;
    }
    reply_json(reply, 200,
        json_pack("{s:s, s:s, s:s, s:s?, s:I, s:I}", "object", "session", "account",
            session.account, "scope", session.scope, "plan", session.plan, "created_at",
            (json_int_t)session.created_at, "expires_at", (json_int_t)session.expires_at));
    session_free(&session);
}

static bool begin(struct service *service, const json_t *body, char **secret, struct error *error) {
    const char *key = json_string_value(fields_get(body, "api_key"));
    const char *token = json_string_value(fields_get(body, "token"));
    if (!key == !token)
        return error_set(error, ERROR_INVALID,
            "Give either 'api_key' or 'token': with one of them a session begins.");
    return key ? session_begin_by_key(service->store, key, secret, error)
               : session_begin_by_token(service->store, token, secret, error);
}

void session_create(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    char *secret = NULL;
    if (!auth_check_own_page(request, reply)) return;
    json_t *body = request_json(request, reply);
    if (body && shape_check(body, NULL, &session_request_shape, reply)) {
        if (begin(service, body, &secret, &error)) {
            set_cookie(service, secret, SESSION_SECONDS, reply);
            answer(service, secret, reply);
        } else if (error.code == ERROR_NOT_FOUND) {
            reply_error(reply, 401, "invalid_api_key", NULL, "%s", error.message);
        } else {
            reply_failure(reply, "beginning a session", &error);
        }
    }
    memory_free(secret);
    json_decref(body);
}

void session_retrieve(struct service *service, struct request *request, struct reply *reply) {
    char *secret = auth_session(request);
    if (secret)
        answer(service, secret, reply);
    else
        reply_error(reply, 404, "no_session", NULL,
            "This request was signed in with a key, not by a session's cookie.");
    memory_free(secret);
}

void session_delete(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    char *secret = auth_session(request);
    if (secret && !session_end(service->store, secret, &error)) {
        reply_failure(reply, "ending the session", &error);
    } else {
        set_cookie(service, "", 0, reply);
        reply_json(reply, 200,
            json_pack("{s:s, s:b}", "object", "session.deleted", "deleted", secret != NULL));
    }
    memory_free(secret);
}
