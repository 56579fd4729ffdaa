// The open connections, and which of them must be sent away so that slow clients cannot take the
// places of all others:
//
//   - one that began to send a request's headers and does not finish them in time;
//   - one whose body comes too slowly (a window of time with too few bytes);
//   - of the idle ones, those idle for the longest, once nine tenths of the places are taken: until
//     a quarter is free.
//
// Connections without any traffic are the HTTP library's to end (its timeout). A connection is sent
// away by shutting its socket down: the HTTP library then finds it ended, and cleans up.
#ifndef SERVICE_CONNECTIONS_H
#define SERVICE_CONNECTIONS_H

#include "base/error.h"
#include <stddef.h>

struct connections;
struct connection;
struct metrics;

enum connection_phase {
    CONNECTION_IDLE, // no request, or not all of its headers
    CONNECTION_BODY, // the headers are there, the body is coming
    CONNECTION_ANSWER,
};

struct connections_options {
    size_t maximum;          // places
    double head_seconds;     // from the first byte of a request to the end of its headers
    double body_seconds;     // in each such window …
    size_t body_bytes;       // … at least so many bytes of a body come
    struct metrics *metrics; // borrowed; may be NULL
};

bool connections_open(struct connections **connections, const struct connections_options *options,
    struct error *error) WARN_UNUSED;
void connections_close(struct connections *connections); // NULL is allowed

// A connection has come; NULL where memory is short: it is then not watched. The socket is borrowed
// until connection_remove.
struct connection *connection_add(struct connections *connections, int socket);
void connection_remove(struct connections *connections, struct connection *connection);
void connection_turn(
    struct connections *connections, struct connection *connection, enum connection_phase phase);

// Sends away whom it must, at time `now` (monotonic seconds).
void connections_sweep(struct connections *connections, double now);

#endif
