/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or with a leading @ a name of the abstract space. */
static bool address_of(const char *name, struct sockaddr_un *ret, socklen_t *ret_len)
{
    size_t len = name ? strlen(name) : 0;

    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (len < 2 || len >= sizeof(ret->sun_path) || (name[0] != '/' && name[0] != '@'))
        return false;
    memcpy(ret->sun_path, name, len);
    if (name[0] == '@')
        ret->sun_path[0] = '\0';
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    return true;
}

bool notify_send(const char *format, ...)
{
    struct sockaddr_un to;
    socklen_t to_len = 0;
    char text[1024];
    va_list args;

    if (!address_of(getenv("NOTIFY_SOCKET"), &to, &to_len))
        return false;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    size_t size = MIN((size_t)len, sizeof(text) - 1);
    bool sent =
        sendto(fd, text, size, MSG_NOSIGNAL, (struct sockaddr *)&to, to_len) == (ssize_t)size;
    (void)close(fd);
    return sent;
}

uint64_t notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end;

    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    errno = 0;
    unsigned long long us = strtoull(usec, &end, 10);
    return errno || end == usec || *end || us < 2000 ? 0 : (uint64_t)us / 2000;
}
