/* SPDX-License-Identifier: Apache-2.0 */
/* connection.h - connection files: where a coordinator is, whom to believe there and, when the file
 * is meant for somebody, with which key to speak.
 *
 *   drover-connect1 ENDPOINT VERSION   of the coordinator
 *   drover-key1 NAME PUBLIC            its key, or:
 *   drover-plaintext1                  it was started with --insecure
 *   drover-secret1 NAME PUBLIC SECRET  whoever has the file is this one; may be missing
 *
 * Lines that start with # are skipped. A file with a secret has mode 600, or it is not believed.
 * `drover connect` writes it; pilots on other nodes get it through a shared folder. */
#ifndef COMMON_NET_CONNECTION_H
#define COMMON_NET_CONNECTION_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/net/transport.h"

struct connection {
    char endpoint[TRANSPORT_ENDPOINT_MAX];
    char version[32];      /* of drover there */
    struct key server;     /* text "": plaintext, as the file says in words */
    struct key_secret own; /* key.text "": none */
};
void connection_wipe(struct connection *c); /* also for CLEANUP */

/* ERR_NOT_FOUND; ERR_DENIED: others may read its secret; ERR_INVALID: torn, or another thing:
 * "FILE:LINE: what". */
int connection_load(const char *path, struct connection *ret, struct err *err) MUST_CHECK;
/* The lines, appended to OUT; WITH_SECRET: also that one. */
void connection_print(const struct connection *c, bool with_secret, struct buf *out);
/* Write or replace PATH, whole or not at all, with mode 600. */
int connection_save(const char *path, const struct connection *c, struct err *err) MUST_CHECK;

#endif
