/* SPDX-License-Identifier: Apache-2.0 */
/* connecting.h - what a connection file of a store's coordinator says. For drover connect and
 * drover launch. */
#ifndef EXPERIMENTS_CLI_CONNECTING_H
#define EXPERIMENTS_CLI_CONNECTING_H

#include <stdbool.h>

#include "common/net/connection.h"

struct connecting {
    const char *store;
    const char *address; /* HOST or HOST:PORT that others reach it by; NULL: as it listens, this
                            computer's name when it listens everywhere */
    const char *as;      /* name of a new key in the file; NULL: no key */
    unsigned roles;      /* of that key: it is allowed at once */
};

/* *RET_LOCAL: only this computer reaches it. ERR_NOT_FOUND: no coordinator runs; ERR_CONFLICT:
 * there is a key of this name; ERR_DENIED: the store's keys are another user's. */
int connecting_make(const struct connecting *c, struct connection *ret, bool *ret_local,
                    struct err *err) MUST_CHECK;

#endif
