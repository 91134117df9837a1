/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an address that brings connections which prove nothing is shut out, alone and for a time;
 * any number of honest ones is not. Method: times by hand; the door on a real listening socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/doorkeeper.h"
#include "common/net/throttle.h"

enum { ADA = 0x0a000001, EVE = 0x0a000002 };

static unsigned noise(struct throttle *t, uint32_t address, unsigned n, uint64_t now_ms)
{
    unsigned shut_after = 0;

    for (unsigned i = 1; i <= n; i++)
        if (throttle_accept(t, address, now_ms))
            shut_after = i;
    return shut_after;
}

static void who_proves_nothing_is_shut_out_alone_and_let_in_again(void **state)
{
    struct throttle *t = throttle_new();
    uint32_t shut[THROTTLE_SHUT_MAX];
    uint64_t due_ms;

    (void)state;
    assert_false(throttle_accept(t, ADA, 1000));
    assert_int_equal(noise(t, EVE, THROTTLE_START, 1000), 0);
    assert_int_equal(throttle_shut(t, shut), 0);
    assert_true(throttle_accept(t, EVE, 1000));
    assert_int_equal(throttle_shut(t, shut), 1);
    assert_int_equal(shut[0], EVE);
    due_ms = throttle_due_ms(t);
    assert_in_range(due_ms, 1000 + 1000 * THROTTLE_OPEN / THROTTLE_PER_S, 1000 + 1000);
    assert_false(throttle_refill(t, due_ms - 1));
    assert_int_equal(throttle_shut(t, shut), 1);
    assert_true(throttle_refill(t, due_ms));
    assert_int_equal(throttle_shut(t, shut), 0);
    assert_true(throttle_due_ms(t) == UINT64_MAX);
    /* It has few tokens now, not all. */
    assert_in_range(noise(t, EVE, THROTTLE_START, due_ms), THROTTLE_OPEN, THROTTLE_OPEN + 2);
    throttle_free(t);
}

/* What the system had accepted already comes after the door was shut, thousands at once. */
static void debt_is_bounded_and_nobody_is_shut_out_for_ever(void **state)
{
    struct throttle *t = throttle_new();
    uint32_t shut[THROTTLE_SHUT_MAX];
    uint64_t due_ms;

    (void)state;
    (void)noise(t, EVE, 100000, 1000);
    assert_int_equal(throttle_shut(t, shut), 1);
    due_ms = throttle_due_ms(t);
    assert_in_range(due_ms, 1040, 2000);
    assert_true(throttle_refill(t, due_ms));
    assert_int_equal(throttle_shut(t, shut), 0);
    /* Also when nobody looked for an hour. */
    (void)noise(t, EVE, 100000, due_ms);
    assert_true(throttle_refill(t, due_ms + 3600000));
    assert_int_equal(throttle_shut(t, shut), 0);
    throttle_free(t);
}

static void any_number_of_peers_that_prove_themselves_comes_in(void **state)
{
    struct throttle *t = throttle_new();
    uint32_t shut[THROTTLE_SHUT_MAX];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        assert_false(throttle_accept(t, ADA, 1000));
        throttle_proved(t, ADA, 1000);
    }
    assert_int_equal(throttle_shut(t, shut), 0);
    throttle_free(t);
}

/* A rack comes back after a restart: all at once, and each needs a moment for its proof. */
static void rack_of_honest_peers_grows_its_bucket(void **state)
{
    struct throttle *t = throttle_new();
    uint32_t shut[THROTTLE_SHUT_MAX];
    unsigned in = 0, proved = 0;
    uint64_t now_ms = 1000;

    (void)state;
    while (proved < 1000) {
        for (int i = 0; i < 10 && throttle_shut(t, shut) == 0 && in < 1000; i++, in++)
            (void)throttle_accept(t, ADA, now_ms);
        for (int i = 0; i < 3 && proved < in; i++, proved++)
            throttle_proved(t, ADA, now_ms);
        now_ms++;
        (void)throttle_refill(t, now_ms);
    }
    assert_true(now_ms < 1000 + 500);
    /* What was earned once is not kept for ever. */
    (void)throttle_refill(t, now_ms += 10000000);
    assert_int_equal(noise(t, ADA, THROTTLE_START + 1, now_ms), THROTTLE_START + 1);
    throttle_free(t);
}

static void who_left_before_he_could_be_asked_is_counted_where_most_noise_is(void **state)
{
    struct throttle *t = throttle_new();
    uint32_t shut[THROTTLE_SHUT_MAX];

    (void)state;
    assert_false(throttle_accept(t, ADA, 1000));
    assert_int_equal(noise(t, EVE, THROTTLE_START / 2, 1000), 0);
    assert_int_equal(noise(t, 0, THROTTLE_START, 1000), THROTTLE_START / 2 + 1);
    assert_int_equal(throttle_shut(t, shut), 1);
    assert_int_equal(shut[0], EVE);
    throttle_free(t);
    /* Nobody stands out: all wait. */
    t = throttle_new();
    assert_int_equal(noise(t, 0, THROTTLE_START + 1, 1000), THROTTLE_START + 1);
    assert_true(throttle_shut(t, shut) == SIZE_MAX);
    assert_true(throttle_refill(t, throttle_due_ms(t)));
    assert_int_equal(throttle_shut(t, shut), 0);
    throttle_free(t);
}

static void more_addresses_than_can_be_named_shut_the_door(void **state)
{
    struct throttle *t = throttle_new();
    uint32_t shut[THROTTLE_SHUT_MAX];

    (void)state;
    for (uint32_t a = 1; a <= THROTTLE_SHUT_MAX; a++)
        assert_int_equal(noise(t, a, THROTTLE_START + 1, 1000), THROTTLE_START + 1);
    assert_int_equal(throttle_shut(t, shut), THROTTLE_SHUT_MAX);
    assert_int_equal(noise(t, 1000000, THROTTLE_START + 1, 1000), THROTTLE_START + 1);
    assert_true(throttle_shut(t, shut) == SIZE_MAX);
    throttle_free(t);
}

static int knock(const char *from, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    inet_pton(AF_INET, from, &a.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    a.sin_port = port;
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    assert_true(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
    return fd;
}

/* Is FD let in? On loopback an open door answers at once, so a short wait tells a closed one. */
static int let_in(int fd, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, wait_ms) > 0 && !(p.revents & (POLLERR | POLLHUP));
}

static void the_door_is_closed_to_those_who_are_named_only(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int door = socket(AF_INET, SOCK_STREAM, 0), kept, fd;
    uint32_t shut[2] = { htonl(0x7f000003), htonl(0x7f000002) };

    (void)state;
    assert_int_equal(bind(door, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(door, 16), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&a, &len), 0);
    kept = knock("127.0.0.2", a.sin_port);
    assert_true(let_in(kept, 5000));
    doorkeeper_set(door, shut, 2);
    fd = knock("127.0.0.4", a.sin_port);
    assert_true(let_in(fd, 5000));
    close(fd);
    fd = knock("127.0.0.2", a.sin_port);
    assert_false(let_in(fd, 200));
    doorkeeper_set(door, NULL, 0);
    assert_true(let_in(fd, 10000)); /* it tries again by itself */
    close(fd);
    doorkeeper_set(door, NULL, SIZE_MAX);
    fd = knock("127.0.0.4", a.sin_port);
    assert_false(let_in(fd, 200));
    close(fd);
    assert_int_equal(send(kept, "x", 1, MSG_NOSIGNAL), 1);
    close(kept);
    close(door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_proves_nothing_is_shut_out_alone_and_let_in_again),
        cmocka_unit_test(debt_is_bounded_and_nobody_is_shut_out_for_ever),
        cmocka_unit_test(any_number_of_peers_that_prove_themselves_comes_in),
        cmocka_unit_test(rack_of_honest_peers_grows_its_bucket),
        cmocka_unit_test(who_left_before_he_could_be_asked_is_counted_where_most_noise_is),
        cmocka_unit_test(more_addresses_than_can_be_named_shut_the_door),
        cmocka_unit_test(the_door_is_closed_to_those_who_are_named_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
