/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: over tcp only who proves an allowed key is heard, and is told apart from all others; who
 * does not gets nothing, is told why, and stops nobody. Method: real sockets on loopback and a
 * store's keys; steps until the expected happens. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/keyring.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "common/wire/roles.h"
#include "tests/support/folder.h"

/* One side and what it was told. */
struct side {
    struct transport *t;
    unsigned count[TRANSPORT_EVENTS];
    unsigned strangers; /* that BAD events stand for */
    char why[160], key[KEY_TEXT], address[64];
    bool certain;
};

struct world {
    struct loop *loop;
    struct side server, client;
    struct transport_keys server_keys, local, eve;
    char folder[32], store[48];
};

static void on_event(void *arg, const struct transport_event *e)
{
    struct side *s = arg;

    s->count[e->type]++;
    if (e->type == TRANSPORT_BAD && !e->peer)
        s->strangers += e->count;
    if (e->why)
        snprintf(s->why, sizeof(s->why), "%s", e->why);
    snprintf(s->key, sizeof(s->key), "%s", e->key);
    snprintf(s->address, sizeof(s->address), "%s", e->address);
    s->certain = e->certain;
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

static void steps(struct world *w, uint64_t ms)
{
    uint64_t until_ms = clock_ms() + ms;

    while (clock_ms() < until_ms)
        step(w);
}

static void say(struct side *s, const char *text)
{
    struct err err = { 0 };

    assert_int_equal(transport_send(s->t, 0, text, strlen(text), &err), 0);
}

static void open_client(struct world *w, const struct transport_keys *keys)
{
    struct err err = { 0 };

    assert_int_equal(transport_connect(&w->client.t, transport_endpoint(w->server.t), keys, &err),
                     0);
    loop_add_transport(w->loop, w->client.t, on_event, &w->client);
}

static void close_side(struct world *w, struct side *s)
{
    if (s->t)
        loop_remove_transport(w->loop, s->t);
    transport_close(s->t);
    *s = (struct side){ 0 };
}

static void load(const struct world *w, const char *name, struct key_secret *ret)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(key_load(keys_path(w->store, name, &path), ret, &err), 0);
}

static int set_up(void **state)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    struct buf path CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    transport_raise_limits();
    assert_int_equal(loop_new(&w->loop, &err), 0);
    snprintf(w->folder, sizeof(w->folder), "/tmp/test-gate-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->store, sizeof(w->store), "%s/x", w->folder);
    assert_int_equal(keys_make(w->store, &err), 0);
    load(w, "coordinator.key", &w->server_keys.own);
    load(w, "local.key", &w->local.own);
    assert_int_equal(key_new("eve", &w->eve.own, &err), 0);
    w->local.server = w->eve.server = w->server_keys.own.key;
    assert_int_equal(
        keyring_open(&w->server_keys.allowed, keys_path(w->store, "allowed", &path), &err), 0);
    assert_int_equal(transport_listen(&w->server.t, "tcp://127.0.0.1:*", &w->server_keys, &err), 0);
    loop_add_transport(w->loop, w->server.t, on_event, &w->server);
    *state = w;
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

static void message_carries_the_key_that_was_proved(void **state)
{
    struct world *w = *state;

    open_client(w, &w->local);
    say(&w->client, "hello");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    assert_string_equal(w->server.key, w->local.own.key.text);
    assert_memory_equal(w->server.address, "127.", 4); /* and its own of there */
}

static void unknown_key_gets_nothing_until_it_is_allowed(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };

    open_client(w, &w->eve);
    say(&w->client, "hello");
    until(w, &w->client.count[TRANSPORT_DENIED], 2); /* it goes on trying */
    assert_true(w->client.certain);
    assert_non_null(strstr(w->client.why, "not allowed"));
    until(w, &w->server.count[TRANSPORT_BAD], 1);
    assert_string_equal(w->server.key, w->eve.own.key.text);
    assert_memory_equal(w->server.address, "127.", 4); /* and its own of there */
    assert_int_equal(w->server.count[TRANSPORT_MESSAGE], 0);
    assert_int_equal(keys_allow(w->store, &w->eve.own.key, ROLE_VIEW, &err), 0);
    until(w, &w->client.count[TRANSPORT_CONNECTED], 1);
    say(&w->client, "hello");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    assert_string_equal(w->server.key, w->eve.own.key.text);
}

static void revoked_key_is_shut_out_while_connected(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };

    assert_int_equal(keys_allow(w->store, &w->eve.own.key, ROLE_WORK, &err), 0);
    open_client(w, &w->eve);
    say(&w->client, "hello");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    assert_int_equal(keys_revoke(w->store, "eve", NULL, &err), 0);
    until(w, &w->client.count[TRANSPORT_DISCONNECTED], 1);
    until(w, &w->client.count[TRANSPORT_DENIED], 1);
    assert_int_equal(w->client.count[TRANSPORT_CONNECTED], 1);
}

static void plaintext_and_wrong_servers_are_refused_by_name(void **state)
{
    struct world *w = *state;
    struct transport_keys deceived = w->local;

    open_client(w, &transport_insecure);
    until(w, &w->client.count[TRANSPORT_DENIED], 1);
    assert_non_null(strstr(w->client.why, "wants a key")); /* whoever of both hangs up first */
    close_side(w, &w->client);
    deceived.server = w->eve.own.key;
    open_client(w, &deceived);
    until(w, &w->client.count[TRANSPORT_DENIED], 2);
    assert_false(w->client.certain);
    assert_non_null(strstr(w->client.why, "another server key"));
    close_side(w, &w->client);
    close_side(w, &w->server);
    struct err err = { 0 };
    assert_int_equal(transport_listen(&w->server.t, "tcp://127.0.0.1:*", &transport_insecure, &err),
                     0);
    loop_add_transport(w->loop, w->server.t, on_event, &w->server);
    open_client(w, &w->local);
    until(w, &w->client.count[TRANSPORT_DENIED], 1);
    assert_non_null(strstr(w->client.why, "plaintext"));
    assert_int_equal(w->server.count[TRANSPORT_MESSAGE], 0);
}

static void nobody_gets_plaintext_by_leaving_keys_out(void **state)
{
    struct world *w = *state;
    const struct transport_keys empty = { .insecure = false };
    struct transport *t = NULL;
    struct err err = { 0 };

    assert_int_equal(transport_listen(&t, "tcp://127.0.0.1:*", NULL, &err), ERR_INVALID);
    assert_int_equal(transport_connect(&t, transport_endpoint(w->server.t), NULL, &err),
                     ERR_INVALID);
    assert_int_equal(transport_connect(&t, transport_endpoint(w->server.t), &empty, &err),
                     ERR_INVALID);
    assert_null(t);
}

static int raw_connection(const struct world *w)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    const char *colon = strrchr(transport_endpoint(w->server.t), ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void flood_of_half_open_connections_keeps_nobody_out(void **state)
{
    enum { FLOOD = 4000 };
    struct world *w = *state;
    struct rlimit r;
    int *fds = mem_calloc(FLOOD, sizeof(*fds)), n = 0;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
    open_client(w, &w->local);
    say(&w->client, "before");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 1);
    while (n < FLOOD && (rlim_t)(2 * n + 600) < r.rlim_cur) {
        fds[n] = raw_connection(w);
        if (fds[n] < 0)
            break;
        if (n % 8) /* the system keeps those to itself that say nothing at all */
            (void)send(fds[n], "\xff", 1, MSG_NOSIGNAL); /* some are not let in */
        n++;
        if (n % 50 == 0)
            step(w);
    }
    say(&w->client, "during");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 2);
    close_side(w, &w->client);
    open_client(w, &w->local);
    say(&w->client, "after");
    until(w, &w->server.count[TRANSPORT_MESSAGE], 3);
    until(w, &w->server.strangers, 1); /* told in few words */
    assert_true(w->server.count[TRANSPORT_BAD] < 40);
    while (n > 0)
        (void)close(fds[--n]);
    free(fds);
}

static void slow_handshake_ends_by_itself(void **state)
{
    struct world *w = *state;
    int fd = raw_connection(w);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0); /* to wait for its end below */
    assert_int_equal(write(fd, "\xff\0\0", 3), 3);
    until(w, &w->server.count[TRANSPORT_BAD], 1);
    assert_non_null(strstr(w->server.why, "time limit"));
    assert_int_equal(read(fd, &(char[256]){ 0 }, 256) > 0, true); /* its greeting */
    assert_int_equal(read(fd, &(char[256]){ 0 }, 256), 0);
    (void)close(fd);
}

static void closing_while_strangers_knock_takes_no_time(void **state)
{
    struct world *w = *state;
    int fds[50];

    open_client(w, &w->eve);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = raw_connection(w);
    steps(w, 100);
    close_side(w, &w->server);
    close_side(w, &w->client);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        (void)close(fds[i]);
}

int main(void)
{
#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(message_carries_the_key_that_was_proved),
        TEST(unknown_key_gets_nothing_until_it_is_allowed),
        TEST(revoked_key_is_shut_out_while_connected),
        TEST(plaintext_and_wrong_servers_are_refused_by_name),
        TEST(nobody_gets_plaintext_by_leaving_keys_out),
        TEST(flood_of_half_open_connections_keeps_nobody_out),
        TEST(slow_handshake_ends_by_itself),
        TEST(closing_while_strangers_knock_takes_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
