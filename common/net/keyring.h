/* SPDX-License-Identifier: Apache-2.0 */
/* keyring.h - a list of keys in memory that follows its file: what a running coordinator asks.
 * Thread-safe. A file that is broken, or gone, changes nothing: the last good list holds, and a
 * change says so. */
#ifndef COMMON_NET_KEYRING_H
#define COMMON_NET_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/keylist.h"

struct keyring;

/* PATH is a file of keylist.h's form. Errors of reading it. */
int keyring_open(struct keyring **ret, const char *path, struct err *err) MUST_CHECK;
void keyring_free(struct keyring *r); /* NULL is fine */

/* The row of the public key TEXT; false: not allowed (any more). */
bool keyring_find(struct keyring *r, const char *text, struct keylist_row *ret);
/* Look whether the file changed, and read it. Cheap: one stat. The handlers of transports do it
 * every KEYRING_LOOK_MS. */
enum { KEYRING_LOOK_MS = 250 };
void keyring_look(struct keyring *r);
/* Grows with every change of the list. */
uint64_t keyring_generation(const struct keyring *r);

/* What changed, in order, for log and audit; at most KEYRING_NEWS_MAX wait. */
enum keyring_what { KEYRING_ALLOWED, KEYRING_REVOKED, KEYRING_ROLES, KEYRING_BROKEN };
enum { KEYRING_NEWS_MAX = 256 };
struct keyring_news {
    enum keyring_what what;
    struct keylist_row row; /* after the change; REVOKED: before */
    char text[200];         /* BROKEN: why; else for people */
};
bool keyring_take(struct keyring *r, struct keyring_news *ret);

#endif
