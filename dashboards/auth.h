/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who may ask: pure decisions over what a request says of itself.
 *
 * The page is on loopback, where the browser of the same person also runs pages of strangers. So:
 *
 *   Host             is an address or name of ours, else a stranger's name was pointed at us (DNS
 *                    rebinding)
 *   Origin           if there is one, is the page's own
 *   Sec-Fetch-Site   if there is one, is "same-origin" or "none" (for the API; links to the page
 *                    from elsewhere are fine)
 *   Authorization    with a token: "Bearer TOKEN" for everything under /api. The page's files need
 *                    none: they are the same for all. */
#ifndef DASHBOARDS_AUTH_H
#define DASHBOARDS_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { AUTH_HOSTS_MAX = 16, AUTH_TOKEN_MIN = 16, AUTH_TOKEN_MAX = 256, AUTH_HOST_MAX = 255 };

struct auth {
    const char *hosts[AUTH_HOSTS_MAX]; /* further names of this server, lower case, without port */
    size_t hosts_len;
    bool any_address; /* bound to all addresses: a Host that is an IP address is one of ours */
    char token[AUTH_TOKEN_MAX + 1]; /* "": none is needed */
};

/* What a request says; NULL: nothing. */
struct auth_claims {
    const char *host, *origin, *site, *authorization;
    bool host_twice; /* more than one Host header */
};

/* The token in the file PATH: its first line, AUTH_TOKEN_MIN..AUTH_TOKEN_MAX printable characters.
 * ERR_DENIED: others than its owner may read it; ERR_INVALID, ERR_NOT_FOUND, ERR_IO. */
int auth_read_token(struct auth *a, const char *path, struct err *err) MUST_CHECK;

/* One more name of this server. ERR_INVALID: it is none; ERR_LIMIT. NAME must stay. */
int auth_add_host(struct auth *a, const char *name, struct err *err) MUST_CHECK;

/* 0: go on; else the HTTP status to refuse with, and *ERR says why. API: the request is for
 * /api/. */
int auth_check(const struct auth *a, const struct auth_claims *claims, bool api,
               struct err *err) MUST_CHECK;

/* Do A and B agree? The time it takes tells at most the length of A. */
bool auth_same(const char *a, const char *b);

/* Is TEXT an address (IPv4, or IPv6 without brackets)? */
bool auth_is_address(const char *text);
/* Is ADDRESS (without brackets) of loopback? */
bool auth_is_loopback(const char *address);

#endif
