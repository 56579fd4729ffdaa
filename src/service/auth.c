// Checking API keys.
#include "service/auth.h"
#include "base/memory.h"
#include "service/limits.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/service.h"
#include "store/store_accounts.h"
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

static bool check_holder(struct service *service, struct request *request, const char *key,
    const struct key_holder *holder, struct reply *reply) {
    char shown[SHOWN_SIZE];
    if (holder->expired) {
        mask(key, shown);
        reply_error(reply, 401, "expired_api_key", NULL,
            "The API key %s has expired. Make a new one.", shown);
        return false;
    }
    request->account = memory_copy_string(holder->account);
    if (!request->account) {
        reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
        return false;
    }
    if (!check_scope(request, holder->scope, reply) ||
        !check_plan(service, request, holder->plan, reply))
        return false;
    request->counted =
        request->plan && limits_enter(service->limits, request->account, request->plan, reply);
    return request->counted || !request->plan;
}

bool auth_check(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    struct key_holder holder;
    const char *key = auth_bearer(request->authorization);
    if (!key) return refuse(reply, NULL);
    if (key_holder_find(service->store, key, &holder, &error)) {
        bool good = check_holder(service, request, key, &holder, reply);
        key_holder_free(&holder);
        return good;
    }
    if (error.code == ERROR_NOT_FOUND) return refuse(reply, key);
    reply_failure(reply, "checking the API key", &error);
    return false;
}
