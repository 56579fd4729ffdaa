// The HTTP server: sockets, threads and the HTTP library's glue, which is nowhere else. It reads
// requests (route, auth, body within its limit), has the route's handler answer, and sends the
// reply.
//
// A few threads serve all connections and never wait for a model: an answer that takes time is a
// stream (service/stream.h), and its connection sleeps meanwhile.
#ifndef SERVICE_SERVER_H
#define SERVICE_SERVER_H

#include "base/error.h"

struct server;
struct service;

struct server_options {
    const char *listen;            // "127.0.0.1:8080", "[::1]:0"; port 0 takes a free one
    int threads;                   // 0 for a sensible number
    const char *certificate, *key; // PEM files, for TLS; NULL for plain HTTP
    int connections;               // at once, at most; 0 for a sensible number
};

// Listens and answers from the return on. `service` is borrowed until server_close.
bool server_open(struct server **server, const struct server_options *options,
    struct service *service, struct error *error) WARN_UNUSED;

// "127.0.0.1:43210": where it listens. Owned by the server.
const char *server_address(const struct server *server);

// Reads the certificate and its key anew, for the connections that come from then on. Where that
// fails those that were read stay in use.
bool server_reload(struct server *server, struct error *error) WARN_UNUSED;

// Takes no more connections from here on; those that are open are told so by /readyz and by
// "Connection: close".
void server_drain(struct server *server);

// Whether no request is in progress.
bool server_is_idle(struct server *server);

// Drains, lets running requests finish for `seconds` at most, cancels the rest, and frees
// everything.
void server_close(struct server *server, int seconds);

#endif
