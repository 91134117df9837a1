/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/auth.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MISDIRECTED = 421, FORBIDDEN = 403, UNAUTHORIZED = 401, PORT_DIGITS_MAX = 5 };

/* ---- the token ---- */

static int check_owner(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "the token file %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "the token file %s is no file", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(
            err, ERR_DENIED,
            "the token file %s may be read by others: chmod 600 it, and if they may have "
            "read it make a new token",
            path);
    return 0;
}

int auth_read_token(struct auth *a, const char *path, struct err *err)
{
    char text[AUTH_TOKEN_MAX + 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got;
    size_t len;
    int rc;

    if (fd < 0)
        return err_errno(err, errno, "the token file %s", path);
    rc = check_owner(fd, path, err);
    got = rc == 0 ? read(fd, text, sizeof text) : 0;
    if (got < 0)
        rc = err_errno(err, errno, "the token file %s", path);
    (void)close(fd);
    if (rc < 0)
        return rc;
    len = (size_t)got;
    if (len > 0 && text[len - 1] == '\n')
        len--;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return err_set(err, ERR_INVALID,
                           "the token file %s is to hold one line of printable characters without "
                           "blanks",
                           path);
    }
    if (len < AUTH_TOKEN_MIN || len > AUTH_TOKEN_MAX)
        return err_set(err, ERR_INVALID,
                       "the token in %s has %zu characters; %d to %d are needed, e.g. of `openssl "
                       "rand -hex 24`",
                       path, len, AUTH_TOKEN_MIN, AUTH_TOKEN_MAX);
    memcpy(a->token, text, len);
    a->token[len] = '\0';
    return 0;
}

bool auth_same(const char *a, const char *b)
{
    size_t len = strlen(a), other = strlen(b);
    volatile unsigned char differs = (unsigned char)(len != other);

    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)((unsigned char)a[i] ^ (unsigned char)(other ? b[i % other] : 0));
    return differs == 0;
}

/* ---- addresses ---- */

bool auth_is_loopback(const char *address)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool auth_is_address(const char *text)
{
    struct in6_addr six;
    struct in_addr four;

    return inet_pton(AF_INET, text, &four) == 1 || inet_pton(AF_INET6, text, &six) == 1;
}

/* "name", "name:port", "[address]:port" into NAME without brackets. False: it is none of these. */
static bool split_host(const char *host, char name[AUTH_HOST_MAX + 1])
{
    const char *from = host, *end, *port;

    if (host[0] == '[') {
        from++;
        end = strchr(from, ']');
        if (!end)
            return false;
        port = end + 1;
    } else {
        end = host + strcspn(host, ":");
        port = end;
    }
    if (end == from || (size_t)(end - from) > AUTH_HOST_MAX)
        return false;
    if (*port) {
        size_t digits = strspn(port + 1, "0123456789");

        if (*port != ':' || port[1 + digits] || digits > PORT_DIGITS_MAX)
            return false;
    }
    memcpy(name, from, (size_t)(end - from));
    name[end - from] = '\0';
    return true;
}

int auth_add_host(struct auth *a, const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (a->hosts_len == AUTH_HOSTS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d names of this server", AUTH_HOSTS_MAX);
    if (!auth_is_address(name)) {
        for (size_t i = 0; i < len; i++) {
            if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i]))
                len = 0;
        }
        if (len == 0 || len > AUTH_HOST_MAX)
            return err_set(err, ERR_INVALID,
                           "--host=%.80s is no name of a host; write it as it stands in the "
                           "browser's address line, without port",
                           name);
    }
    a->hosts[a->hosts_len++] = name;
    return 0;
}

static bool is_ours(const struct auth *a, const char *name)
{
    static const char *const always[] = { "localhost", "127.0.0.1", "::1" };

    for (size_t i = 0; i < ARRAY_LEN(always); i++) {
        if (strcasecmp(name, always[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < a->hosts_len; i++) {
        if (strcasecmp(name, a->hosts[i]) == 0)
            return true;
    }
    return a->any_address && auth_is_address(name);
}

static int check_host(const struct auth *a, const struct auth_claims *claims, struct err *err)
{
    char name[AUTH_HOST_MAX + 1];

    if (!claims->host || claims->host_twice || !split_host(claims->host, name)) {
        (void)err_set(err, ERR_DENIED, "the request does not say to which host it goes");
        return MISDIRECTED;
    }
    if (is_ours(a, name))
        return 0;
    (void)err_set(err, ERR_DENIED,
                  "this server does not answer to the name in the request; open it as "
                  "http://localhost:PORT/ (over ssh -L), or start it with --host and that name");
    return MISDIRECTED;
}

/* ---- all together ---- */

/* "http://HOST" or "https://HOST" (a proxy in front), HOST as in the header of that name. */
static bool own_origin(const char *origin, const char *host)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i]);

        if (strncmp(origin, schemes[i], len) == 0 && strcasecmp(origin + len, host) == 0)
            return true;
    }
    return false;
}

static int check_token(const struct auth *a, const char *authorization, struct err *err)
{
    static const char bearer[] = "Bearer ";
    const size_t len = sizeof bearer - 1;

    if (!a->token[0])
        return 0;
    if (authorization && strncasecmp(authorization, bearer, len) == 0 &&
        auth_same(authorization + len, a->token))
        return 0;
    (void)err_set(err, ERR_DENIED,
                  authorization ? "the token is not the server's; it is in the file of its "
                                  "--token-file"
                                : "a token is needed: open the page as /#token=TOKEN, or send "
                                  "\"Authorization: Bearer TOKEN\"; it is in the file of the "
                                  "server's --token-file");
    return UNAUTHORIZED;
}

int auth_check(const struct auth *a, const struct auth_claims *claims, bool api, struct err *err)
{
    int status = check_host(a, claims, err);

    if (status)
        return status;
    if (claims->origin && !own_origin(claims->origin, claims->host)) {
        (void)err_set(err, ERR_DENIED, "pages of other servers may not ask this one");
        return FORBIDDEN;
    }
    if (api && claims->site && strcmp(claims->site, "same-origin") != 0 &&
        strcmp(claims->site, "none") != 0) {
        (void)err_set(err, ERR_DENIED, "pages of other servers may not ask this one");
        return FORBIDDEN;
    }
    return api ? check_token(a, claims->authorization, err) : 0;
}
