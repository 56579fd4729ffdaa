// Checking API keys.
#include "service/auth.h"
#include "base/memory.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/service.h"
#include "store/store.h"
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

bool auth_check(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    const char *key = auth_bearer(request->authorization);
    if (!key) return refuse(reply, NULL);
    if (key_find(service->store, key, &request->account, &error)) return true;
    if (error.code == ERROR_NOT_FOUND) return refuse(reply, key);
    reply_failure(reply, "checking the API key", &error);
    return false;
}
