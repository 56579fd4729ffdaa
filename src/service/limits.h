// What an account may ask at a time, by its plan: requests a minute, requests at once. The state is
// in memory: a restart of the server forgives.
#ifndef SERVICE_LIMITS_H
#define SERVICE_LIMITS_H

#include "base/error.h"
#include "base/plan.h"

struct limits;
struct reply;
struct request;
struct service;

bool limits_open(
    struct limits **limits, const struct plan_table *plans, struct error *error) WARN_UNUSED;
void limits_close(struct limits *limits);

// The plan that an account of that plan's name has (NULL: the unlimited one). NULL where the
// operator's settings have no such plan.
const struct plan *limits_plan(const struct limits *limits, const char *name);

// The plan of an account. The unlimited one where the store fails, which the log says.
const struct plan *limits_account_plan(struct service *service, const char *account);

// Counts a request of the account, and sets the reply's x-ratelimit headers. False, with the reply
// made (429 and Retry-After), where it is one too many; else limits_leave must follow.
bool limits_enter(struct limits *limits, const char *account, const struct plan *plan,
    struct reply *reply) WARN_UNUSED;
void limits_leave(struct limits *limits, const char *account);

// Whether the account may have one more fine-tuned model. False with the reply made.
bool limits_check_models(
    struct service *service, const struct request *request, struct reply *reply) WARN_UNUSED;

#endif
