/* SPDX-License-Identifier: Apache-2.0 */
/* zap.h - who may come in: the handler that libzmq asks (RFC 27) about every CURVE handshake, on a
 * thread of its own. It answers from the keyring alone, which it also keeps fresh. What is not
 * exactly a question about a CURVE key is refused. */
#ifndef COMMON_NET_ZAP_H
#define COMMON_NET_ZAP_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/net/keyring.h"

struct zap;

/* Answer for CONTEXT (of libzmq), one per context, before anything is bound in it. ALLOWED must
 * outlive the handler. */
int zap_start(struct zap **ret, void *context, struct keyring *allowed, struct err *err) MUST_CHECK;
/* The thread ends when the context is being ended: call zmq_ctx_shutdown first. NULL is fine. */
void zap_stop(struct zap *z);

/* Those that were turned away; at most ZAP_DENIALS wait, the rest is only counted by libzmq's own
 * events. */
enum { ZAP_DENIALS = 64 };
struct zap_denial {
    char key[KEY_TEXT];
    char address[64];
};
bool zap_take(struct zap *z, struct zap_denial *ret);

#endif
