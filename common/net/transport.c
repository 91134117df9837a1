/* SPDX-License-Identifier: Apache-2.0 */
/* transport.c - what every implementation has in common: asserting the contract and passing the
 * call on. */
#include "common/net/transport.h"

#include <assert.h>
#include <sodium.h>

const struct transport_keys transport_insecure = { .insecure = true };

void transport_keys_wipe(struct transport_keys *k)
{
    sodium_memzero(k, sizeof(*k));
}

void transport_close(struct transport *t)
{
    if (t)
        t->ops->close(t);
}

int transport_send(struct transport *t, uint64_t peer, const void *bytes, size_t len,
                   struct err *err)
{
    assert(len <= TRANSPORT_MESSAGE_MAX);
    return t->ops->send(t, peer, bytes, len, err);
}

size_t transport_waiting(struct transport *t, uint64_t peer)
{
    return t->ops->waiting(t, peer);
}

bool transport_next(struct transport *t, struct transport_event *ret)
{
    return t->ops->next(t, ret);
}

const char *transport_endpoint(struct transport *t)
{
    return t->ops->endpoint(t);
}

size_t transport_fds(struct transport *t, int fds[TRANSPORT_FDS_MAX])
{
    return t->ops->fds(t, fds);
}

bool transport_pending(struct transport *t)
{
    return t->ops->pending(t);
}

uint64_t transport_retry_ms(struct transport *t)
{
    return t->ops->retry_ms(t);
}
