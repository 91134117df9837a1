/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/connecting.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/net/keylist.h"
#include "experiments/cli/client.h"
#include "store/store.h"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The endpoint as others say it: ADDRESS instead of its host. */
static int rename_host(struct connection *c, const char *address, struct err *err)
{
    const char *port = strrchr(c->endpoint, ':'), *own = strrchr(address, ':');
    char text[sizeof(c->endpoint)];
    int len = snprintf(text, sizeof(text), "tcp://%s%s", address, own ? "" : port);

    if (len < 0 || (size_t)len >= sizeof(text) || !*address || strpbrk(address, " \t\n/"))
        return err_set(err, ERR_INVALID, "\"%.60s\" is no HOST or HOST:PORT", address);
    memcpy(c->endpoint, text, (size_t)len + 1);
    return 0;
}

/* Where it is. */
static int find_place(const struct connecting *c, struct connection *ret, bool *ret_local,
                      struct err *err)
{
    char host[64] = "localhost", holder[STORE_ENDPOINT_MAX];
    int pid, rc = store_lock_holder(c->store, &pid, holder, err);

    *ret_local = false;
    if (rc == ERR_NOT_FOUND || (rc == 0 && !*holder))
        return err_set(
            err, ERR_NOT_FOUND,
            "no coordinator runs on %s; start one: drover coordinator --store %s --listen "
            "tcp://0.0.0.0:7077",
            c->store, c->store);
    if (rc < 0)
        return rc;
    (void)snprintf(ret->endpoint, sizeof(ret->endpoint), "%s", holder);
    (void)snprintf(ret->version, sizeof(ret->version), "%s", DROVER_VERSION);
    if (c->address)
        return begins(holder, "tcp://")
                   ? rename_host(ret, c->address, err)
                   : err_set(err, ERR_INVALID, "%s is for this computer only", holder);
    if (begins(holder, "tcp://0.0.0.0:") || begins(holder, "tcp://*:")) {
        (void)gethostname(host, sizeof(host) - 1);
        return rename_host(ret, host, err);
    }
    *ret_local = begins(holder, "tcp://127.") || begins(holder, "ipc:");
    return 0;
}

int connecting_make(const struct connecting *c, struct connection *ret, bool *ret_local,
                    struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    int rc;

    *ret = (struct connection){ .version = "" };
    rc = find_place(c, ret, ret_local, err);
    if (rc < 0 || client_insecure() || begins(ret->endpoint, "ipc:"))
        return rc;
    rc = key_read(keys_path(c->store, "coordinator.pub", &path), &ret->server, err);
    if (rc == 0 && c->as)
        rc = key_new(c->as, &ret->own, err);
    if (rc == 0 && c->as)
        rc = keys_allow(c->store, &ret->own.key, c->roles, err);
    if (rc < 0)
        connection_wipe(ret);
    return rc;
}
