/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a service manager is told by datagrams on the socket of the environment, by path or
 * abstract name; without a socket, or with a bad one, nothing happens; the watchdog's time is ours
 * only when it names our process. Method: a socket of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/notify.h"

static int listen_at(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, name, len);
    if (name[0] == '@')
        a.sun_path[0] = '\0';
    assert_true(fd >= 0);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&a,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'))),
        0);
    return fd;
}

static void assert_heard(int fd, const char *text)
{
    char got[2048];
    ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);

    assert_true(n >= 0);
    got[n] = '\0';
    assert_string_equal(got, text);
}

static void a_state_is_told_by_path_and_by_abstract_name(void **state)
{
    char path[64], name[64];

    (void)state;
    snprintf(path, sizeof path, "/tmp/drover-notify-%d", (int)getpid());
    snprintf(name, sizeof name, "@drover-notify-%d", (int)getpid());
    for (int i = 0; i < 2; i++) {
        int fd = listen_at(i ? name : path);

        setenv("NOTIFY_SOCKET", i ? name : path, 1);
        assert_true(notify_send("READY=1\nSTATUS=%d jobs", 7));
        assert_heard(fd, "READY=1\nSTATUS=7 jobs");
        close(fd);
        assert_false(notify_send("READY=1"));
    }
    unlink(path);
}

static void nobody_listens_and_nothing_happens(void **state)
{
    static const char *const bad[] = { "", "@", "/", "relative", "/nowhere/at/all" };
    char *longer = malloc(4096);

    (void)state;
    memset(longer, 'a', 4095);
    longer[0] = '/';
    longer[4095] = '\0';
    unsetenv("NOTIFY_SOCKET");
    assert_false(notify_send("READY=1"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        assert_false(notify_send("READY=1"));
    }
    setenv("NOTIFY_SOCKET", longer, 1);
    assert_false(notify_send("READY=1"));
    free(longer);
}

static void the_watchdog_is_ours_only_when_it_says_so(void **state)
{
    char pid[32];

    (void)state;
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    setenv("WATCHDOG_USEC", "30s", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_told_by_path_and_by_abstract_name),
        cmocka_unit_test(nobody_listens_and_nothing_happens),
        cmocka_unit_test(the_watchdog_is_ours_only_when_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
