/* SPDX-License-Identifier: Apache-2.0 */
/* keylist.h - the keys of a store: the folder STORE-keys (mode 700) and its list of who may do
 * what.
 *
 *   coordinator.key, coordinator.pub   the coordinator's own
 *   local.key   of commands and workers that find the coordinator by the store's path: admin, work
 *   allowed     a line each: ROLES drover-key1 NAME PUBLIC [SINCE]
 *
 * Names and keys are unique in the list. Changes are written whole (temporary file, fsync, rename)
 * under a lock, and a coordinator that runs notices them by itself (keyring.h). */
#ifndef COMMON_NET_KEYLIST_H
#define COMMON_NET_KEYLIST_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/net/key.h"

#define KEYS_LOCAL "local" /* the name of local.key's key */

enum { KEYLIST_MAX = 2000, KEYLIST_BYTES_MAX = 1 << 20 };

struct keylist_row {
    struct key key;
    unsigned roles; /* ROLE_... of common/wire/roles.h */
    char since[32]; /* when it was allowed; "" unknown */
};

struct keylist {
    struct keylist_row *v;
    size_t len, cap;
};
void keylist_release(struct keylist *l); /* also for CLEANUP */

/* The lines of TEXT; NAME is for errors ("FILE:LINE: ..."). ERR_INVALID: *RET is empty. */
int keylist_parse(const char *text, size_t len, const char *name, struct keylist *ret,
                  struct err *err) MUST_CHECK;
void keylist_print(const struct keylist *l, struct buf *out);

/* STORE-keys/NAME, appended to OUT. */
const char *keys_path(const char *store, const char *name, struct buf *out);
/* Make what is missing of the folder: keys, list, and local.key's line in it. ERR_DENIED: the
 * folder is another user's. */
int keys_make(const char *store, struct err *err) MUST_CHECK;
/* Read the list. ERR_NOT_FOUND: there is none; ERR_DENIED names the remedy. */
int keys_list(const char *store, struct keylist *ret, struct err *err) MUST_CHECK;
/* Give K the ROLES (instead of those that it has). ERR_CONFLICT: another key has its name. */
int keys_allow(const char *store, const struct key *k, unsigned roles, struct err *err) MUST_CHECK;
/* Take NAME_OR_KEY out; *RET (may be NULL) is what it was. ERR_NOT_FOUND, with the nearest name. */
int keys_revoke(const char *store, const char *name_or_key, struct keylist_row *ret,
                struct err *err) MUST_CHECK;

#endif
