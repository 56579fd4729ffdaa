// Who asks: the Bearer key of a request, looked up by its SHA-256. The key itself is kept nowhere.
#ifndef SERVICE_AUTH_H
#define SERVICE_AUTH_H

#include "base/error.h"

struct service;
struct request;
struct reply;

// Sets request->account and request->plan, and counts the request (request->counted: limits_leave
// must follow). Without a valid key the reply is OpenAI's 401, with one that may not do this 403,
// with too many requests 429; false comes back.
bool auth_check(struct service *service, struct request *request, struct reply *reply) WARN_UNUSED;

// The token of an Authorization header, "Bearer <token>"; NULL where there is none.
const char *auth_bearer(const char *authorization);

#endif
