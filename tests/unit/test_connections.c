// Which connections are sent away, over real sockets on loopback, with times of this test's own.
#include "base/progress.h"
#include "service/connections.h"
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PLACES = 20, HEAD = 30, WINDOW = 60, WINDOW_BYTES = 1000 };

struct fixture {
    struct connections *connections;
    int listener;
    struct sockaddr_in address;
};

struct pair {
    int client, server;
    struct connection *connection;
};

static int set_up(void **state) {
    static struct fixture fixture;
    struct error error;
    socklen_t length = sizeof fixture.address;
    struct connections_options options = {.maximum = PLACES,
        .head_seconds = HEAD,
        .body_seconds = WINDOW,
        .body_bytes = WINDOW_BYTES};
    assert_true(connections_open(&fixture.connections, &options, &error));
    fixture.listener = socket(AF_INET, SOCK_STREAM, 0);
    fixture.address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fixture.listener, (struct sockaddr *)&fixture.address, length), 0);
    assert_int_equal(listen(fixture.listener, PLACES), 0);
    assert_int_equal(
        getsockname(fixture.listener, (struct sockaddr *)&fixture.address, &length), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    close(fixture->listener);
    connections_close(fixture->connections);
    return 0;
}

static struct pair connect_one(struct fixture *fixture) {
    struct pair pair;
    pair.client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(
        connect(pair.client, (struct sockaddr *)&fixture->address, sizeof fixture->address), 0);
    pair.server = accept(fixture->listener, NULL, NULL);
    assert_true(pair.server >= 0);
    pair.connection = connection_add(fixture->connections, pair.server);
    assert_non_null(pair.connection);
    return pair;
}

static void disconnect(struct fixture *fixture, struct pair *pair) {
    connection_remove(fixture->connections, pair->connection);
    close(pair->server);
    close(pair->client);
}

// Sends, and waits until it has come.
static void send_bytes(struct pair *pair, size_t length) {
    static char bytes[WINDOW_BYTES * 2];
    struct pollfd come = {.fd = pair->server, .events = POLLIN};
    assert_int_equal(send(pair->client, bytes, length, 0), (ssize_t)length);
    for (size_t got = 0; got < length;) {
        assert_int_equal(poll(&come, 1, 10000), 1);
        got += (size_t)recv(pair->server, bytes, sizeof bytes, 0);
    }
}

static bool sent_away(struct pair *pair) {
    char byte;
    return recv(pair->client, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_connections_that_are_idle_stay(void **state) {
    struct fixture *fixture = *state;
    struct pair pair = connect_one(fixture);
    double now = progress_clock();
    for (int i = 1; i < 100; i++)
        connections_sweep(fixture->connections, now + i * HEAD);
    assert_false(sent_away(&pair));
    disconnect(fixture, &pair);
}

static void test_connections_whose_headers_do_not_end_are_sent_away(void **state) {
    struct fixture *fixture = *state;
    struct pair pair = connect_one(fixture);
    double now = progress_clock();
    send_bytes(&pair, 1);
    connections_sweep(fixture->connections, now);
    send_bytes(&pair, 1); // one byte after the other does not help
    connections_sweep(fixture->connections, now + HEAD - 1);
    assert_false(sent_away(&pair));
    connections_sweep(fixture->connections, now + HEAD + 1);
    assert_true(sent_away(&pair));
    connections_sweep(fixture->connections, now + HEAD * 3);
    disconnect(fixture, &pair);
}

static void test_connections_whose_requests_end_may_go_on(void **state) {
    struct fixture *fixture = *state;
    struct pair pair = connect_one(fixture);
    double now = progress_clock();
    for (int i = 0; i < 5; i++) {
        send_bytes(&pair, 10);
        connections_sweep(fixture->connections, now + i * 2 * HEAD);
        connection_turn(fixture->connections, pair.connection, CONNECTION_BODY);
        connection_turn(fixture->connections, pair.connection, CONNECTION_ANSWER);
        connections_sweep(fixture->connections, now + i * 2 * HEAD + WINDOW * 10);
        connection_turn(fixture->connections, pair.connection, CONNECTION_IDLE);
        connections_sweep(fixture->connections, now + i * 2 * HEAD + HEAD + 1);
    }
    assert_false(sent_away(&pair));
    disconnect(fixture, &pair);
}

static void test_connections_whose_body_comes_too_slowly_are_sent_away(void **state) {
    struct fixture *fixture = *state;
    struct pair slow = connect_one(fixture), quick = connect_one(fixture);
    connection_turn(fixture->connections, slow.connection, CONNECTION_BODY);
    connection_turn(fixture->connections, quick.connection, CONNECTION_BODY);
    double now = progress_clock();
    for (int i = 1; i <= 3; i++) {
        send_bytes(&quick, WINDOW_BYTES);
        send_bytes(&slow, i < 3 ? WINDOW_BYTES : WINDOW_BYTES - 1);
        assert_false(sent_away(&slow));
        connections_sweep(fixture->connections, now + i * (WINDOW + 1));
    }
    assert_true(sent_away(&slow));
    assert_false(sent_away(&quick));
    disconnect(fixture, &slow);
    disconnect(fixture, &quick);
}

static void test_connections_idle_the_longest_give_way(void **state) {
    struct fixture *fixture = *state;
    struct pair pairs[PLACES];
    for (int i = 0; i < PLACES; i++)
        pairs[i] = connect_one(fixture);
    connection_turn(fixture->connections, pairs[1].connection, CONNECTION_BODY);
    connection_turn(fixture->connections, pairs[0].connection, CONNECTION_ANSWER);
    connection_turn(fixture->connections, pairs[0].connection, CONNECTION_IDLE);
    double now = progress_clock();
    for (int i = 0; i < 3; i++) // more sweeps send no more away
        connections_sweep(fixture->connections, now);
    for (int i = 0; i < PLACES; i++)
        assert_int_equal(sent_away(&pairs[i]), i >= 2 && i < 2 + PLACES / 4);
    disconnect(fixture, &pairs[2]);
    connections_sweep(fixture->connections, now);
    assert_false(sent_away(&pairs[PLACES - 1]));
    for (int i = 0; i < PLACES; i++)
        if (i != 2) disconnect(fixture, &pairs[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_connections_that_are_idle_stay),
        TEST(test_connections_whose_headers_do_not_end_are_sent_away),
        TEST(test_connections_whose_requests_end_may_go_on),
        TEST(test_connections_whose_body_comes_too_slowly_are_sent_away),
        TEST(test_connections_idle_the_longest_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
