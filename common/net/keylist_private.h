/* SPDX-License-Identifier: Apache-2.0 */
/* keylist_private.h - between keylist.c (text) and keys.c (files). */
#ifndef COMMON_NET_KEYLIST_PRIVATE_H
#define COMMON_NET_KEYLIST_PRIVATE_H

#include "common/net/keylist.h"

/* A new row, all zero. */
struct keylist_row *keylist_add(struct keylist *l);
/* By name or by key; NULL: none. */
struct keylist_row *keylist_find(const struct keylist *l, const char *name_or_key);

#endif
