/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/keylist.h"

const char *identity_path(const char *name, struct buf *out)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (xdg && *xdg == '/')
        buf_printf(out, "%s/drover/%s", xdg, name);
    else if (home && *home == '/')
        buf_printf(out, "%s/.config/drover/%s", home, name);
    else
        return NULL;
    return buf_str(out);
}

bool identity_insecure(const struct identity_choice *c)
{
    const char *text = getenv("DROVER_INSECURE");

    return c->insecure || (text && strcmp(text, "1") == 0);
}

/* What is looked for, and where. */
struct search {
    const char *given, *local, *variable, *remote;
};

/* The folder is there and not for us. */
static bool locked_out(const char *store)
{
    struct buf inside CLEANUP(buf_release) = { 0 };

    return store && access(keys_path(store, ".", &inside), F_OK) != 0 && errno == EACCES;
}

/* A line or a path, in OUT; false: there is none. */
static bool find(const struct search *s, const char *store, struct buf *out)
{
    const char *variable = getenv(s->variable);

    if (s->given) {
        buf_adds(out, s->given);
        return true;
    }
    if (store && access(keys_path(store, s->local, out), F_OK) == 0)
        return true;
    buf_clear(out);
    if (variable && *variable) {
        buf_adds(out, variable);
        return true;
    }
    return identity_path(s->remote, out) && access(buf_str(out), F_OK) == 0;
}

static int denied(const struct identity_choice *c, const char *endpoint, struct err *err)
{
    return err_set(
        err, ERR_DENIED,
        "%s belongs to another user, and so do its keys. Ask them for access: drover key "
        "new NAME prints a line for their drover key allow; then use --coordinator %s",
        c->store, endpoint);
}

static int find_own(const struct identity_choice *c, const char *endpoint,
                    struct transport_keys *ret, struct err *err)
{
    const struct search s = { c->key, KEYS_LOCAL ".key", "DROVER_KEY", "key" };
    struct buf path CLEANUP(buf_release) = { 0 };

    if (!c->key && c->file && *c->file->own.key.text) {
        ret->own = c->file->own;
        return 0;
    }
    if (find(&s, c->store, &path))
        return key_load(buf_str(&path), &ret->own, err);
    if (locked_out(c->store))
        return denied(c, endpoint, err);
    return err_set(err, ERR_NOT_FOUND,
                   "no key for %s: make one with drover key new NAME, let the coordinator's owner "
                   "allow it (drover key allow LINE), and name it with --key FILE; on the "
                   "coordinator's own computer --store FILE is enough",
                   endpoint);
}

static int find_server(const struct identity_choice *c, const char *endpoint,
                       struct transport_keys *ret, struct err *err)
{
    const struct search s = { c->server_key, "coordinator.pub", "DROVER_SERVER_KEY",
                              "coordinator.pub" };
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!c->server_key && c->file && *c->file->server.text) {
        ret->server = c->file->server;
        return 0;
    }
    if (find(&s, c->store, &text))
        return key_read(buf_str(&text), &ret->server, err);
    return err_set(err, ERR_NOT_FOUND,
                   "the key of %s is not known: drover key show --store FILE prints it there; name "
                   "it with --server-key LINE, or keep it with drover key trust LINE",
                   endpoint);
}

int identity_find(const struct identity_choice *c, const char *endpoint, struct transport_keys *ret,
                  struct err *err)
{
    int rc;

    *ret = (struct transport_keys){ .insecure = false };
    if (strncmp(endpoint, "ipc:", 4) == 0)
        return 0;
    if (identity_insecure(c)) {
        ret->insecure = true;
        return 0;
    }
    rc = find_own(c, endpoint, ret, err);
    if (rc == 0)
        rc = find_server(c, endpoint, ret, err);
    if (rc < 0)
        transport_keys_wipe(ret);
    return rc;
}
