// One list, ordered by when a connection's phase began: who has been idle the longest comes first.
#include "service/connections.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "service/metrics.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

struct connection {
    struct connection *previous, *next;
    int socket;
    enum connection_phase phase;
    double since;    // when the phase, or the window of a body, began
    double head;     // when headers were first seen to come; 0: they are not
    uint64_t before; // bytes that had come by then
    bool sent_away;
};

struct connections {
    struct connections_options options;
    pthread_mutex_t lock;
    struct connection *first, *last;
    size_t count, leaving; // those sent away are still there for a moment
};

bool connections_open(
    struct connections **result, const struct connections_options *options, struct error *error) {
    struct connections *connections = memory_alloc_zeroed(1, sizeof *connections);
    if (!connections) return memory_error(error, "the connections");
    connections->options = *options;
    pthread_mutex_init(&connections->lock, NULL);
    *result = connections;
    return true;
}

void connections_close(struct connections *connections) {
    if (!connections) return;
    pthread_mutex_destroy(&connections->lock);
    memory_free(connections);
}

// ---- the list, under the lock

static void append(struct connections *connections, struct connection *connection) {
    connection->next = NULL;
    connection->previous = connections->last;
    if (connections->last)
        connections->last->next = connection;
    else
        connections->first = connection;
    connections->last = connection;
}

static void unlink_one(struct connections *connections, struct connection *connection) {
    if (connection->next)
        connection->next->previous = connection->previous;
    else
        connections->last = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
}

// Bytes that have ever come through the socket; 0 where the system does not say.
static uint64_t received(int socket) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return 0;
    return info.tcpi_bytes_received;
}

struct connection *connection_add(struct connections *connections, int socket) {
    struct connection *connection = memory_alloc_zeroed(1, sizeof *connection);
    if (!connection) return NULL;
    connection->socket = socket;
    connection->since = progress_clock();
    pthread_mutex_lock(&connections->lock);
    append(connections, connection);
    connections->count++;
    pthread_mutex_unlock(&connections->lock);
    if (connections->options.metrics) metrics_connections_add(connections->options.metrics, 1);
    return connection;
}

void connection_remove(struct connections *connections, struct connection *connection) {
    if (!connection) return;
    pthread_mutex_lock(&connections->lock);
    unlink_one(connections, connection);
    connections->count--;
    connections->leaving -= connection->sent_away;
    pthread_mutex_unlock(&connections->lock);
    if (connections->options.metrics) metrics_connections_add(connections->options.metrics, -1);
    memory_free(connection);
}

void connection_turn(
    struct connections *connections, struct connection *connection, enum connection_phase phase) {
    if (!connection || connection->phase == phase) return;
    uint64_t before = phase == CONNECTION_ANSWER ? 0 : received(connection->socket);
    pthread_mutex_lock(&connections->lock);
    unlink_one(connections, connection);
    append(connections, connection);
    connection->phase = phase;
    connection->since = progress_clock();
    connection->head = 0;
    connection->before = before;
    pthread_mutex_unlock(&connections->lock);
}

// ---- whom to send away

static void send_away(
    struct connections *connections, struct connection *connection, const char *why) {
    log_debug("a connection is ended: %s", why);
    connection->sent_away = true;
    connections->leaving++;
    shutdown(connection->socket, SHUT_RDWR);
}

static void look_at_head(
    struct connections *connections, struct connection *connection, double now) {
    if (connection->head > 0 && now - connection->head > connections->options.head_seconds)
        send_away(connections, connection, "its headers do not end");
    else if (connection->head == 0 && received(connection->socket) > connection->before)
        connection->head = now;
}

static void look_at_body(
    struct connections *connections, struct connection *connection, double now) {
    if (now - connection->since < connections->options.body_seconds) return;
    uint64_t come = received(connection->socket);
    if (come - connection->before < connections->options.body_bytes) {
        send_away(connections, connection, "its body comes too slowly");
        return;
    }
    connection->since = now;
    connection->before = come;
}

void connections_sweep(struct connections *connections, double now) {
    size_t maximum = connections->options.maximum;
    pthread_mutex_lock(&connections->lock);
    size_t staying = connections->count - connections->leaving;
    size_t surplus = staying > maximum / 10 * 9 ? staying - maximum / 4 * 3 : 0;
    for (struct connection *at = connections->first; at; at = at->next) {
        if (at->sent_away) continue;
        if (at->phase == CONNECTION_BODY) {
            look_at_body(connections, at, now);
        } else if (at->phase == CONNECTION_IDLE && surplus > 0) {
            send_away(connections, at, "it is idle, and others need its place");
            surplus--;
        } else if (at->phase == CONNECTION_IDLE) {
            look_at_head(connections, at, now);
        }
    }
    pthread_mutex_unlock(&connections->lock);
}
