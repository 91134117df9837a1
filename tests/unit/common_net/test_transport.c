/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every transport keeps the contract of transport.h: order, bounds, what is told of peers
 * that come and go. Method: one suite, stamped over tcp on loopback (plaintext and CURVE) and ipc;
 * a real event loop; steps until the expected happens, so there are no time limits but the
 * runner's. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/net/keyring.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "tests/support/folder.h"

enum { EVENTS_MAX = 20000 };

/* One side and what it was told. */
struct side {
    struct transport *t;
    unsigned count[TRANSPORT_EVENTS];
    uint64_t peer; /* of the last event */
    struct buf last;
    uint32_t in_order; /* messages of four bytes that came in order 0, 1, 2... */
};

struct world {
    struct loop *loop;
    struct side server, client;
    struct transport_keys server_keys, client_keys;
    char folder[32], endpoint[64];
};

static void on_event(void *arg, const struct transport_event *e)
{
    struct side *s = arg;
    uint32_t n;

    s->count[e->type]++;
    s->peer = e->peer;
    if (e->type != TRANSPORT_MESSAGE) {
        assert_true(e->type == TRANSPORT_CONNECTED || *e->why != '\0');
        return;
    }
    buf_clear(&s->last);
    buf_add(&s->last, e->bytes, e->len);
    if (e->len == sizeof(n)) {
        memcpy(&n, e->bytes, sizeof(n));
        s->in_order += n == s->in_order;
    }
}

static void step(struct world *w)
{
    struct err err = { 0 };

    assert_int_equal(loop_step(w->loop, 20, &err), 0);
}

static void until(struct world *w, const unsigned *count, unsigned at_least)
{
    while (*count < at_least)
        step(w);
}

static void say(struct side *s, uint64_t peer, const char *text)
{
    struct err err = { 0 };

    assert_int_equal(transport_send(s->t, peer, text, strlen(text), &err), 0);
}

static void open_client(struct world *w, struct side *s, const char *endpoint)
{
    struct err err = { 0 };

    assert_int_equal(transport_connect(&s->t, endpoint, &w->client_keys, &err), 0);
    loop_add_transport(w->loop, s->t, on_event, s);
}

static void close_side(struct world *w, struct side *s)
{
    if (s->t)
        loop_remove_transport(w->loop, s->t);
    transport_close(s->t);
    s->t = NULL;
    buf_release(&s->last);
}

/* A socket of libzmq itself, with the client's keys. */
static void *raw_socket(struct world *w, void *context)
{
    void *raw = zmq_socket(context, ZMQ_DEALER);
    const struct transport_keys *k = &w->client_keys;

    if (!k->insecure) {
        (void)zmq_setsockopt(raw, ZMQ_CURVE_SERVERKEY, k->server.text, KEY_TEXT);
        (void)zmq_setsockopt(raw, ZMQ_CURVE_PUBLICKEY, k->own.key.text, KEY_TEXT);
        (void)zmq_setsockopt(raw, ZMQ_CURVE_SECRETKEY, k->own.secret, KEY_TEXT);
    }
    return raw;
}

static void make_keys(struct world *w)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    char store[48];
    struct err err = { 0 };

    snprintf(store, sizeof(store), "%s/x", w->folder);
    assert_int_equal(keys_make(store, &err), 0);
    assert_int_equal(
        key_load(keys_path(store, "coordinator.key", &path), &w->server_keys.own, &err), 0);
    buf_clear(&path);
    assert_int_equal(key_load(keys_path(store, "local.key", &path), &w->client_keys.own, &err), 0);
    buf_clear(&path);
    assert_int_equal(
        keyring_open(&w->server_keys.allowed, keys_path(store, "allowed", &path), &err), 0);
    w->client_keys.server = w->server_keys.own.key;
}

static struct world *new_world(const char *endpoint, bool curve)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    struct err err = { 0 };

    assert_int_equal(loop_new(&w->loop, &err), 0);
    snprintf(w->folder, sizeof(w->folder), "/tmp/test-net-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    w->client_keys.insecure = w->server_keys.insecure = !curve;
    if (curve)
        make_keys(w);
    if (endpoint)
        snprintf(w->endpoint, sizeof(w->endpoint), "%s", endpoint);
    else
        snprintf(w->endpoint, sizeof(w->endpoint), "ipc://%s/s", w->folder);
    assert_int_equal(transport_listen(&w->server.t, w->endpoint, &w->server_keys, &err), 0);
    loop_add_transport(w->loop, w->server.t, on_event, &w->server);
    open_client(w, &w->client, transport_endpoint(w->server.t));
    return w;
}

static int set_up_tcp(void **state)
{
    *state = new_world("tcp://127.0.0.1:*", false);
    return 0;
}

static int set_up_curve(void **state)
{
    *state = new_world("tcp://127.0.0.1:*", true);
    return 0;
}

static int set_up_ipc(void **state)
{
    *state = new_world(NULL, false);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    close_side(w, &w->client);
    close_side(w, &w->server);
    loop_free(w->loop);
    keyring_free(w->server_keys.allowed);
    (void)folder_remove(w->folder);
    free(w);
    return 0;
}

static void messages_go_both_ways(void **state)
{
    struct world *w = *state;

    until(w, &w->client.count[TRANSPORT_CONNECTED], 1);
    say(&w->client, 0, "hello");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    assert_string_equal(buf_str(&w->server.last), "hello");
    assert_true(w->server.peer != 0);
    say(&w->server, w->server.peer, "");
    until(w, &w->client.count[TRANSPORT_MESSAGE], 1);
    assert_int_equal(w->client.last.len, 0);
    assert_int_equal(w->client.peer, 0);
}

static void many_messages_keep_their_order_and_none_is_lost(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };

    /* More than libzmq's two high-water marks, sent before anybody reads: the rest waits in our
     * queue. */
    for (uint32_t i = 0; i < EVENTS_MAX; i++)
        assert_int_equal(transport_send(w->client.t, 0, &i, sizeof(i), &err), 0);
    until(w, &w->server.in_order, EVENTS_MAX);
    for (uint32_t i = 0; i < EVENTS_MAX; i++)
        assert_int_equal(transport_send(w->server.t, w->server.peer, &i, sizeof(i), &err), 0);
    until(w, &w->client.in_order, EVENTS_MAX);
    assert_int_equal(w->server.count[TRANSPORT_GONE], 0);
}

static void longest_message_passes_and_a_longer_one_is_bad(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };
    char *big = mem_calloc(1, TRANSPORT_MESSAGE_MAX + 1);
    void *context = zmq_ctx_new(), *raw = raw_socket(w, context);

    big[TRANSPORT_MESSAGE_MAX - 1] = 'x';
    assert_int_equal(transport_send(w->client.t, 0, big, TRANSPORT_MESSAGE_MAX, &err), 0);
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    assert_int_equal(w->server.last.len, TRANSPORT_MESSAGE_MAX);
    assert_memory_equal(buf_str(&w->server.last), big, TRANSPORT_MESSAGE_MAX);
    assert_int_equal(zmq_connect(raw, transport_endpoint(w->server.t)), 0);
    assert_int_equal(zmq_send(raw, big, TRANSPORT_MESSAGE_MAX + 1, 0), TRANSPORT_MESSAGE_MAX + 1);
    until(w, &w->server.count[TRANSPORT_BAD], 1);
    assert_true(w->server.peer != 0);
    say(&w->client, 0, "still here");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 2);
    assert_string_equal(buf_str(&w->server.last), "still here");
    free(big);
    (void)zmq_close(raw);
    (void)zmq_ctx_term(context);
}

static void frame_without_bound_ends_only_its_own_connection(void **state)
{
    struct world *w = *state;
    void *context = zmq_ctx_new(), *raw = raw_socket(w, context);
    size_t len = (size_t)TRANSPORT_FRAME_MAX + 1;
    int linger = 0;
    char *big = mem_calloc(1, len);

    assert_int_equal(zmq_connect(raw, transport_endpoint(w->server.t)), 0);
    assert_int_equal(zmq_send(raw, big, len, 0), len);
    free(big);
    say(&w->client, 0, "fine");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    for (int i = 0; i < 20; i++)
        step(w);
    assert_int_equal(w->server.count[TRANSPORT_MESSAGE], 1);
    assert_string_equal(buf_str(&w->server.last), "fine");
    (void)zmq_setsockopt(raw, ZMQ_LINGER, &linger, sizeof(linger));
    (void)zmq_close(raw);
    (void)zmq_ctx_term(context);
}

static void strange_frames_are_bad_not_messages(void **state)
{
    struct world *w = *state;
    void *context = zmq_ctx_new();
    void *several = raw_socket(w, context), *named = raw_socket(w, context);

    assert_int_equal(zmq_connect(several, transport_endpoint(w->server.t)), 0);
    (void)zmq_send(several, "a", 1, ZMQ_SNDMORE);
    (void)zmq_send(several, "b", 1, 0);
    until(w, &w->server.count[TRANSPORT_BAD], 1);
    assert_int_equal(zmq_setsockopt(named, ZMQ_ROUTING_ID, "a long name of its own", 22), 0);
    assert_int_equal(zmq_connect(named, transport_endpoint(w->server.t)), 0);
    (void)zmq_send(named, "x", 1, 0);
    until(w, &w->server.count[TRANSPORT_BAD], 2);
    assert_int_equal(w->server.count[TRANSPORT_MESSAGE], 0);
    (void)zmq_close(several);
    (void)zmq_close(named);
    (void)zmq_ctx_term(context);
}

static void peer_that_left_is_gone_at_the_next_message(void **state)
{
    struct world *w = *state;
    uint64_t peer;

    say(&w->client, 0, "hello");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    peer = w->server.peer;
    close_side(w, &w->client);
    while (w->server.count[TRANSPORT_GONE] == 0) {
        struct err err = { 0 };

        assert_int_equal(transport_send(w->server.t, peer, "x", 1, &err), 0);
        step(w);
    }
    assert_true(w->server.peer == peer);
    say(&w->server, UINT64_C(5) << 56 | 12345, "never seen");
    until(w, &w->server.count[TRANSPORT_GONE], 2);
}

static void client_reconnects_to_a_restarted_server(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };
    char endpoint[TRANSPORT_ENDPOINT_MAX];
    int rc = -1;

    until(w, &w->client.count[TRANSPORT_CONNECTED], 1);
    say(&w->client, 0, "one");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    snprintf(endpoint, sizeof(endpoint), "%s", transport_endpoint(w->server.t));
    close_side(w, &w->server);
    until(w, &w->client.count[TRANSPORT_DISCONNECTED], 1);
    while (rc < 0) {
        rc = transport_listen(&w->server.t, endpoint, &w->server_keys, &err);
        clock_sleep_ms(10);
    }
    loop_add_transport(w->loop, w->server.t, on_event, &w->server);
    until(w, &w->client.count[TRANSPORT_CONNECTED], 2);
    say(&w->client, 0, "two");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 2);
    assert_string_equal(buf_str(&w->server.last), "two");
    say(&w->server, w->server.peer, "back");
    until(w, &w->client.count[TRANSPORT_MESSAGE], 1);
}

static void queue_for_a_missing_server_is_bounded(void **state)
{
    struct world *w = *state;
    struct side lonely = { 0 };
    struct err err = { 0 };
    char *chunk = mem_calloc(1, 1 << 20);
    int rc = 0, sent = 0;

    open_client(w, &lonely, "ipc:///tmp/nobody-listens-here");
    while (rc == 0 && sent < 1000) {
        rc = transport_send(lonely.t, 0, chunk, 1 << 20, &err);
        sent++;
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_in_range(sent, 60, 70);
    free(chunk);
    close_side(w, &lonely);
}

static void taken_and_malformed_endpoints_are_refused(void **state)
{
    struct world *w = *state;
    struct transport *t = NULL;
    struct err err = { 0 };
    static const char *const bad[] = { "nonsense", "tcp://", "tcp://127.0.0.1",
                                       "tcp://127.0.0.1:99999", "inproc://x" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(transport_listen(&t, bad[i], &transport_insecure, &err), ERR_INVALID);
        assert_int_equal(transport_connect(&t, bad[i], &transport_insecure, &err), ERR_INVALID);
        assert_null(t);
    }
    if (strncmp(w->endpoint, "tcp", 3) == 0)
        assert_int_equal(
            transport_listen(&t, transport_endpoint(w->server.t), &transport_insecure, &err),
            ERR_CONFLICT);
}

static void garbage_on_the_socket_harms_nothing(void **state)
{
    struct world *w = *state;
    struct sockaddr_in a = { .sin_family = AF_INET };
    const char *colon = strrchr(transport_endpoint(w->server.t), ':');
    static const char junk[] = "GET / HTTP/1.0\r\n\r\nthis is not ZMTP and never was";
    int fd;

    if (strncmp(w->endpoint, "tcp", 3) != 0)
        return;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
    say(&w->client, 0, "fine");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    close(fd);
    for (int i = 0; i < 5; i++)
        step(w);
    assert_int_equal(w->server.count[TRANSPORT_MESSAGE], 1);
}

#define SUITE(SET_UP)                                                                              \
    cmocka_unit_test_setup_teardown(messages_go_both_ways, SET_UP, tear_down),                     \
        cmocka_unit_test_setup_teardown(many_messages_keep_their_order_and_none_is_lost, SET_UP,   \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(longest_message_passes_and_a_longer_one_is_bad, SET_UP,    \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(frame_without_bound_ends_only_its_own_connection, SET_UP,  \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(strange_frames_are_bad_not_messages, SET_UP, tear_down),   \
        cmocka_unit_test_setup_teardown(peer_that_left_is_gone_at_the_next_message, SET_UP,        \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(client_reconnects_to_a_restarted_server, SET_UP,           \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(queue_for_a_missing_server_is_bounded, SET_UP, tear_down), \
        cmocka_unit_test_setup_teardown(taken_and_malformed_endpoints_are_refused, SET_UP,         \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(garbage_on_the_socket_harms_nothing, SET_UP, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = { SUITE(set_up_tcp), SUITE(set_up_curve), SUITE(set_up_ipc) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
