// Who asks: the Bearer key of a request, or, where it has none, the session that its cookie names,
// looked up by SHA-256. Neither is kept itself.
//
// A browser sends cookies along with whatever any page has it ask, so a request by cookie must come
// from a page of this server: Sec-Fetch-Site says so, or, from browsers that do not send that over
// plain HTTP, an Origin that is the host that is asked. (A page of another name that is made to
// resolve to this machine has its own name for its origin, and its own cookies: none.)
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

#define AUTH_COOKIE "temper_session"

// The secret of the session that the request's cookie names (memory_free); NULL where there is
// none.
char *auth_session(const struct request *request);

// Whether the request may come from a page of this server; else the reply is a 403. A program,
// which says nothing of pages, may do what a page may, unless it comes by cookie.
bool auth_check_own_page(const struct request *request, struct reply *reply) WARN_UNUSED;

// The token of an Authorization header, "Bearer <token>"; NULL where there is none.
const char *auth_bearer(const char *authorization);

#endif
