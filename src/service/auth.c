// Checking API keys and sessions.
#include "service/auth.h"
#include "base/memory.h"
#include "service/limits.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/service.h"
#include "store/store_accounts.h"
#include "store/store_sessions.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SHOWN_SIZE = 32 };

const char *auth_bearer(const char *authorization) {
    static const char scheme[] = "Bearer ";
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) return NULL;
    const char *token = authorization + sizeof scheme - 1;
    while (*token == ' ')
        token++;
    return *token ? token : NULL;
}

// The key's first and last letters: enough to recognise one's own, not enough for whoever reads a
// log.
static void mask(const char *key, char *shown) {
    size_t length = strlen(key);
    if (length < 16)
        snprintf(shown, SHOWN_SIZE, "****");
    else
        snprintf(shown, SHOWN_SIZE, "%.8s****%.4s", key, key + length - 4);
}

static bool refuse(struct reply *reply, const char *key) {
    char shown[SHOWN_SIZE];
    if (!key) {
        reply_error(reply, 401, "invalid_api_key", NULL,
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). Keys are made on the "
            "server's machine by `temper keys create`.");
        return false;
    }
    mask(key, shown);
    reply_error(reply, 401, "invalid_api_key", NULL,
        "Incorrect API key provided: %s. Keys are made on the server's machine by `temper keys "
        "create` and listed by `temper keys list`.",
        shown);
    return false;
}

static bool check_scope(const struct request *request, const char *scope, struct reply *reply) {
    const struct route *route = request->match.route;
    bool may = strcmp(scope, "all") == 0 ||
               (strcmp(scope, "read-only") == 0 && route->scopes & SCOPE_READ) ||
               (strcmp(scope, "inference") == 0 && route->scopes & SCOPE_INFERENCE);
    if (may) return true;
    reply_error(reply, 403, "insufficient_permissions", NULL,
        "You have insufficient permissions for this operation: the API key's scope is '%s'.",
        scope);
    return false;
}

static bool check_plan(
    struct service *service, struct request *request, const char *plan, struct reply *reply) {
    request->plan = service->limits ? limits_plan(service->limits, plan) : NULL;
    if (request->plan || !service->limits) return true;
    reply_error(reply, 403, "unknown_plan", NULL,
        "The account's plan '%.40s' is not among those of this server's settings. Whoever runs it "
        "can mend that: temper accounts set-plan.",
        plan);
    return false;
}

// Sets who asks, and counts the request.
static bool admit(struct service *service, struct request *request, const char *account,
    const char *scope, const char *plan, struct reply *reply) {
    request->account = memory_copy_string(account);
    if (!request->account) {
        reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
        return false;
    }
    if (!check_scope(request, scope, reply) || !check_plan(service, request, plan, reply))
        return false;
    request->counted =
        request->plan && limits_enter(service->limits, request->account, request->plan, reply);
    return request->counted || !request->plan;
}

static bool check_key(
    struct service *service, struct request *request, const char *key, struct reply *reply) {
    struct error error = {0};
    struct key_holder holder;
    char shown[SHOWN_SIZE];
    if (!key_holder_find(service->store, key, &holder, &error)) {
        if (error.code == ERROR_NOT_FOUND) return refuse(reply, key);
        reply_failure(reply, "checking the API key", &error);
        return false;
    }
    bool good = !holder.expired &&
                admit(service, request, holder.account, holder.scope, holder.plan, reply);
    if (holder.expired) {
        mask(key, shown);
        reply_error(reply, 401, "expired_api_key", NULL,
            "The API key %s has expired. Make a new one.", shown);
    }
    key_holder_free(&holder);
    return good;
}

// ---- sessions ----

char *auth_session(const struct request *request) {
    static const char name[] = AUTH_COOKIE "=";
    for (const char *at = request->cookie; at && *at; at += *at == ';') {
        at += strspn(at, " ");
        size_t length = strcspn(at, ";");
        if (strncmp(at, name, sizeof name - 1) == 0) {
            size_t skipped = sizeof name - 1;
            return length > skipped ? memory_format("%.*s", (int)(length - skipped), at + skipped)
                                    : NULL;
        }
        at += length;
    }
    return NULL;
}

static bool only_reads(const struct request *request) {
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

// "https://host:1234" against "host:1234". A proxy that ends TLS leaves us the host alone.
static bool is_own_origin(const struct request *request) {
    const char *host = strstr(request->origin, "://");
    return host && request->host && strcasecmp(host + 3, request->host) == 0;
}

static bool comes_from_own_page(const struct request *request) {
    const char *site = request->fetch_site;
    if (site)
        return strcmp(site, "same-origin") == 0 ||
               (strcmp(site, "none") == 0 && only_reads(request));
    return request->origin ? is_own_origin(request) : only_reads(request);
}

static bool refuse_page(struct reply *reply) {
    reply_error(reply, 403, "cross_site_request", NULL,
        "The request came by a browser's session, but not from a page of this server. Programs "
        "sign "
        "in with an API key in an Authorization header.");
    return false;
}

bool auth_check_own_page(const struct request *request, struct reply *reply) {
    bool is_program = !request->fetch_site && !request->origin;
    return is_program || comes_from_own_page(request) || refuse_page(reply);
}

static bool check_session(
    struct service *service, struct request *request, const char *secret, struct reply *reply) {
    struct error error = {0};
    struct session_record session;
    if (!comes_from_own_page(request)) return refuse_page(reply);
    if (!session_find(service->store, secret, &session, &error)) {
        if (error.code == ERROR_NOT_FOUND)
            reply_error(
                reply, 401, "invalid_session", NULL, "The session has ended. Sign in anew.");
        else
            reply_failure(reply, "looking the session up", &error);
        return false;
    }
    bool good = admit(service, request, session.account, session.scope, session.plan, reply);
    session_free(&session);
    return good;
}

bool auth_check(struct service *service, struct request *request, struct reply *reply) {
    const char *key = auth_bearer(request->authorization);
    if (key) return check_key(service, request, key, reply);
    char *secret = auth_session(request);
    bool good = secret ? check_session(service, request, secret, reply) : refuse(reply, NULL);
    memory_free(secret);
    return good;
}
