// What `server` (the daemon) and `exchange` (one request and its reply) share.
#ifndef SERVICE_SERVER_INTERNAL_H
#define SERVICE_SERVER_INTERNAL_H

#include "service/connections.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/server.h"
#include <microhttpd.h>
#include <pthread.h>

struct exchange;

struct server {
    struct service *service;
    struct MHD_Daemon *daemon;
    MHD_socket listener; // once it drains: what is to be closed at the end
    struct connections *connections;
    struct tls *tls; // NULL: plain HTTP
    char address[128];
    pthread_mutex_t lock;       // guards the two below
    pthread_cond_t changed;     // an exchange has ended, or `closing` was set
    struct exchange *exchanges; // those in progress
    bool closing;
    int hangups; // an epoll: it hears when a client goes away that waits for a stream
    pthread_t watcher;
    bool watching;
};

// The library's callbacks, given to MHD_start_daemon with the server as their context.
enum MHD_Result exchange_handle(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload_data, size_t *upload_size,
    void **state);
void exchange_completed(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code);

// Under server->lock: cancels the streams of all exchanges, or only of those whose client has gone.
void exchange_cancel_all(struct server *server, bool only_gone);

#endif
