// Cross-origin requests (the Fetch standard's CORS protocol): pages of the origins that the
// operator names may ask from a browser. By default none may, and no such header is sent.
#ifndef SERVICE_CORS_H
#define SERVICE_CORS_H

#include <microhttpd.h>
#include <stdbool.h>

// Whether the browser asks if it may ask. `origins` is "https://a.example,https://b.example", "*"
// for all, or NULL for none.
bool cors_is_preflight(const char *origins, struct MHD_Connection *connection, const char *method);

// Adds what the browser wants to read, where the request came from one of those origins.
void cors_add_headers(const char *origins, struct MHD_Connection *connection, bool preflight,
    struct MHD_Response *response);

#endif
