/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - with which key a command or worker speaks to a coordinator.
 *
 * Own key:  --key FILE, else that of the connection file (--connect FILE, $DROVER_CONNECT), else
 *           STORE-keys/local.key when the coordinator is that of a store whose keys we may read,
 *           else $DROVER_KEY, else ~/.config/drover/key.
 * Its key:  --server-key LINE|FILE, else that of the connection file, else
 *           STORE-keys/coordinator.pub, else $DROVER_SERVER_KEY, else
 *           ~/.config/drover/coordinator.pub.
 * (XDG_CONFIG_HOME replaces ~/.config.) */
#ifndef COMMON_NET_IDENTITY_H
#define COMMON_NET_IDENTITY_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/net/connection.h"
#include "common/net/transport.h"

struct identity_choice {
    const char *key;        /* file; NULL: not given */
    const char *server_key; /* line or file; NULL: not given */
    const char *store; /* whose coordinator it is; NULL: that of another computer, or unknown */
    const struct connection *file; /* a connection file's content; NULL: none */
    bool insecure;                 /* plaintext was asked for (also by $DROVER_INSECURE=1) */
};

/* For a connection to ENDPOINT; ipc needs none. ERR_NOT_FOUND, ERR_DENIED: no key, with the remedy.
 */
int identity_find(const struct identity_choice *c, const char *endpoint, struct transport_keys *ret,
                  struct err *err) MUST_CHECK;

/* Was plaintext asked for? */
bool identity_insecure(const struct identity_choice *c);

/* ~/.config/drover/NAME, appended to OUT; NULL: neither XDG_CONFIG_HOME nor HOME is set. */
const char *identity_path(const char *name, struct buf *out);

#endif
