// The daemon: its socket, its threads, its end, and a watcher for clients that go away while their
// answer is being made (the HTTP library does not look at a sleeping connection).
#include "service/server.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "service/server_internal.h"
#include "service/service.h"
#include "service/tls.h"
#include <ctype.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS_STANDARD = 4,
    THREADS_MAXIMUM = 64,
    CONNECTIONS_STANDARD = 4096,
    CONNECTIONS_LEAST = 16,
    OTHER_DESCRIPTORS = 256,      // that the server has open beside its connections
    IDLE_SECONDS = 120,           // a connection that neither sends nor receives
    CONNECTION_MEMORY = 64 << 10, // headers of one request and the library's buffers
    HEAD_SECONDS = 30,
    BODY_SECONDS = 60,
    BODY_BYTES = 16 << 10,    // in each BODY_SECONDS
    WATCH_MILLISECONDS = 250, // between looks at slow connections
    HANGUPS_AT_ONCE = 32,
    BACKLOG = 511,
};

static void wait_milliseconds(struct server *server, int milliseconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)milliseconds * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&server->changed, &server->lock, &until);
}

static void *watch(void *context) {
    struct server *server = context;
    struct epoll_event events[HANGUPS_AT_ONCE];
    double swept = 0;
    bool closing = false;
    while (!closing) {
        int gone = epoll_wait(server->hangups, events, HANGUPS_AT_ONCE, WATCH_MILLISECONDS);
        pthread_mutex_lock(&server->lock);
        if (gone > 0) exchange_cancel_all(server, true);
        if (progress_clock() - swept >= WATCH_MILLISECONDS / 1000.0) {
            swept = progress_clock();
            connections_sweep(server->connections, swept);
        }
        closing = server->closing;
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

// Splits "host:port" or "[host]:port" in place.
static bool split_address(char *text, char **host, char **port, struct error *error) {
    char *colon = strrchr(text, ':'), *end = NULL;
    bool numbered = colon && isdigit((unsigned char)colon[1]) &&
                    strtoul(colon + 1, &end, 10) <= UINT16_MAX && *end == '\0';
    if (!numbered || colon == text)
        return error_set(error, ERROR_INVALID,
            "'%s' is no address to listen on: write HOST:PORT, for example 127.0.0.1:8080", text);
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    size_t length = strlen(text);
    if (text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        *host = text + 1;
    }
    return true;
}

static int bind_first(const struct addrinfo *addresses) {
    int one = 1;
    for (const struct addrinfo *at = addresses; at; at = at->ai_next) {
        int listener = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (listener < 0) continue;
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(listener, at->ai_addr, at->ai_addrlen) == 0 && listen(listener, BACKLOG) == 0)
            return listener;
        close(listener);
    }
    return -1;
}

static bool name_address(struct server *server, int listener, struct error *error) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[96], port[16];
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return error_set_errno(error, ERROR_IO, "cannot read the address of the listening socket");
    if (getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
            NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return error_set(error, ERROR_IO, "cannot write the address of the listening socket");
    const char *form = strchr(host, ':') ? "[%s]:%s" : "%s:%s";
    snprintf(server->address, sizeof server->address, form, host, port);
    return true;
}

static bool listen_on(struct server *server, const char *text, int *listener, struct error *error) {
    char copy[256], *host = NULL, *port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *addresses;
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return error_set(error, ERROR_INVALID, "the address to listen on is too long");
    if (!split_address(copy, &host, &port, error)) return false;
    int fault = getaddrinfo(host, port, &hints, &addresses);
    if (fault != 0)
        return error_set(
            error, ERROR_INVALID, "cannot listen on %s: %s", text, gai_strerror(fault));
    *listener = bind_first(addresses);
    if (*listener < 0) error_set_errno(error, ERROR_IO, "cannot listen on %s", text);
    freeaddrinfo(addresses);
    return *listener >= 0 && name_address(server, *listener, error);
}

// Paths and queries stay as they came: %2F must not become a slash before routing.
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

static void log_library(void *context, const char *format, va_list arguments) {
    char text[512];
    (void)context;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("http: %s", text);
}

static void note_connection(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_ConnectionNotificationCode code) {
    struct server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connection_remove(server->connections, *state);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *state = info ? connection_add(server->connections, info->connect_fd) : NULL;
}

// Every connection is a descriptor. As many are allowed as are wanted, or as the system lets us.
static int allow_connections(int wanted) {
    struct rlimit limit;
    if (wanted <= 0) wanted = CONNECTIONS_STANDARD;
    if (wanted < CONNECTIONS_LEAST) wanted = CONNECTIONS_LEAST;
    rlim_t descriptors = (rlim_t)wanted + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= descriptors) return wanted;
    limit.rlim_cur = descriptors < limit.rlim_max ? descriptors : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= descriptors) return wanted;
    int allowed = limit.rlim_cur > CONNECTIONS_LEAST + OTHER_DESCRIPTORS
                      ? (int)limit.rlim_cur - OTHER_DESCRIPTORS
                      : CONNECTIONS_LEAST;
    log_warning("the system allows this process %llu open files: %d connections at once, in place "
                "of %d; raise it with ulimit -n",
        (unsigned long long)limit.rlim_max, allowed, wanted);
    return allowed;
}

static bool watch_connections(struct server *server, int maximum, struct error *error) {
    struct connections_options options = {
        .maximum = (size_t)maximum,
        .head_seconds = HEAD_SECONDS,
        .body_seconds = BODY_SECONDS,
        .body_bytes = BODY_BYTES,
        .metrics = server->service->metrics,
    };
    return connections_open(&server->connections, &options, error);
}

static bool start_daemon(struct server *server, int listener, const struct server_options *options,
    struct error *error) {
    int threads = options->threads > 0 ? options->threads : THREADS_STANDARD;
    if (threads > THREADS_MAXIMUM) threads = THREADS_MAXIMUM;
    int connections = allow_connections(options->connections);
    unsigned int flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3";
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_callback()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    if (!server->tls) secure[0].option = MHD_OPTION_END;
    if (!watch_connections(server, connections, error)) return false;
    server->daemon =
        MHD_start_daemon(flags | (server->tls ? MHD_USE_TLS : 0), 0, NULL, NULL, exchange_handle,
            server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,     // must come first to see all
            MHD_OPTION_ARRAY, secure,                                  //
            MHD_OPTION_LISTEN_SOCKET, listener,                        //
            MHD_OPTION_THREAD_POOL_SIZE, (unsigned int)threads,        //
            MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, server,   //
            MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,          //
            MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,     //
            MHD_OPTION_CONNECTION_LIMIT, (unsigned int)connections,    //
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS, //
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    if (server->daemon) return true;
    return error_set(error, ERROR_IO, "the HTTP library did not start on %s", server->address);
}

static void init_lock(struct server *server) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static bool open_tls(
    struct server *server, const struct server_options *options, struct error *error) {
    if (!options->certificate && !options->key) return true;
    if (!options->certificate || !options->key)
        return error_set(error, ERROR_INVALID,
            "TLS takes two files: the certificate and its key; only the %s was given",
            options->certificate ? "certificate" : "key");
    return tls_open(&server->tls, options->certificate, options->key, error);
}

bool server_reload(struct server *server, struct error *error) {
    return !server->tls || tls_reload(server->tls, error);
}

bool server_open(struct server **result, const struct server_options *options,
    struct service *service, struct error *error) {
    int listener = -1;
    struct server *server = memory_alloc_zeroed(1, sizeof *server);
    if (!server) return memory_error(error, "the server");
    server->service = service;
    server->listener = MHD_INVALID_SOCKET;
    server->hangups = epoll_create1(EPOLL_CLOEXEC);
    atomic_store(&service->draining, false);
    init_lock(server);
    if (!open_tls(server, options, error) ||
        !listen_on(server, options->listen, &listener, error)) {
        if (listener >= 0) close(listener);
        server_close(server, 0);
        return false;
    }
    if (!start_daemon(server, listener, options, error)) {
        close(listener);
        server_close(server, 0);
        return false;
    }
    server->watching =
        server->hangups >= 0 && pthread_create(&server->watcher, NULL, watch, server) == 0;
    if (!server->watching) {
        server_close(server, 0);
        return error_set(error, ERROR_IO, "cannot start the server's watcher thread");
    }
    *result = server;
    return true;
}

const char *server_address(const struct server *server) {
    return server->address;
}

// Waits until no request is in progress, at most that long.
static bool wait_idle(struct server *server, int seconds) {
    time_t until = time(NULL) + seconds;
    pthread_mutex_lock(&server->lock);
    while (server->exchanges && time(NULL) < until)
        wait_milliseconds(server, 100);
    bool idle = !server->exchanges;
    pthread_mutex_unlock(&server->lock);
    return idle;
}

static void stop_watcher(struct server *server) {
    pthread_mutex_lock(&server->lock);
    server->closing = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (server->watching) pthread_join(server->watcher, NULL);
}

// Whoever has connected and was not taken yet hears at once that nobody will.
void server_drain(struct server *server) {
    if (server->listener != MHD_INVALID_SOCKET) return;
    atomic_store(&server->service->draining, true);
    server->listener = MHD_quiesce_daemon(server->daemon);
    if (server->listener != MHD_INVALID_SOCKET) shutdown(server->listener, SHUT_RDWR);
}

bool server_is_idle(struct server *server) {
    pthread_mutex_lock(&server->lock);
    bool idle = !server->exchanges;
    pthread_mutex_unlock(&server->lock);
    return idle;
}

static void stop_daemon(struct server *server, int seconds) {
    server_drain(server);
    if (!wait_idle(server, seconds)) {
        log_warning("the requests that are still running are cancelled");
        pthread_mutex_lock(&server->lock);
        exchange_cancel_all(server, false);
        pthread_mutex_unlock(&server->lock);
        wait_idle(server, 10);
    }
    MHD_stop_daemon(server->daemon);
    if (server->listener != MHD_INVALID_SOCKET) close(server->listener);
}

void server_close(struct server *server, int seconds) {
    if (!server) return;
    if (server->daemon) stop_daemon(server, seconds);
    stop_watcher(server);
    if (server->hangups >= 0) close(server->hangups);
    connections_close(server->connections);
    tls_close(server->tls);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    memory_free(server);
}
