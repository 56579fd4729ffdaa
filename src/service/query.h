// A request's query, checked against its route's table before the handler runs: unknown and
// repeated names, wrong types, values out of range.
#ifndef SERVICE_QUERY_H
#define SERVICE_QUERY_H

#include "base/error.h"

struct request;
struct reply;
struct shape;

// `shape` may be NULL: no parameter is known. False with the reply made.
bool query_check(
    const struct request *request, const struct shape *shape, struct reply *reply) WARN_UNUSED;

// The page that a list's query asks for: `limit`, where it is absent the one of the route's table,
// and `after`, NULL for the first page.
void query_page(const struct request *request, int *limit, const char **after);

#endif
