/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/identity.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "experiments/cli/cli.h"
#include "store/store.h"

enum { HANG_UPS_MAX = 3 }; /* in the handshake, before it is believed to be meant */

/* ---- keys ---- */

static struct {
    struct identity_choice choice;
    const char *coordinator;
    bool warned;
} identity;

void client_identify(const struct options *o)
{
    identity.choice = (struct identity_choice){ .key = o->key,
                                                .server_key = o->server_key,
                                                .store = o->store,
                                                .file = o->file,
                                                .insecure = o->insecure };
    identity.coordinator = o->coordinator;
}

bool client_insecure(void)
{
    return identity_insecure(&identity.choice);
}

/* Does the coordinator at ENDPOINT have the store? */
static bool has_store(const char *store, const char *endpoint)
{
    char holder[STORE_ENDPOINT_MAX];
    int pid;

    return store_lock_holder(store, &pid, holder, NULL) == 0 && strcmp(holder, endpoint) == 0;
}

int client_keys(const char *endpoint, struct transport_keys *ret, struct err *err)
{
    struct identity_choice c = identity.choice;
    const char *store = c.store ? c.store : "results.db";
    int rc;

    if (identity_insecure(&c) && !identity.warned && strncmp(endpoint, "tcp:", 4) == 0) {
        identity.warned = true;
        fprintf(stderr, "drover: WARNING: nothing is encrypted, and anybody may be the coordinator "
                        "(--insecure)\n");
    }
    if (!c.store && (!identity.coordinator || has_store(store, endpoint)))
        c.store = store;
    rc = identity_find(&c, endpoint, ret, err);
    if (rc == ERR_NOT_FOUND && !c.store) { /* one of this computer, perhaps */
        c.store = store;
        if (identity_find(&c, endpoint, ret, NULL) == 0)
            rc = 0;
    }
    return rc;
}

int client_denied(const struct transport_event *e, const char *endpoint,
                  const struct transport_keys *keys, struct err *err)
{
    char line[KEY_LINE_MAX];

    if (!e->certain || keys->insecure || !strstr(e->why, "not allowed"))
        return err_set(err, ERR_DENIED, "%s: %s", endpoint, e->why);
    return err_set(err, ERR_DENIED,
                   "%s: %s; its owner allows it with: drover key allow '%s' "
                   "--role ROLE",
                   endpoint, e->why, key_line(&keys->own.key, line));
}

/* ---- one call ---- */

struct call {
    struct transport *t;
    const char *endpoint;
    const struct transport_keys *keys;
    unsigned hang_ups;
    Drover__Envelope__BodyCase body, wanted;
    void *message;
    Drover__Envelope *answer;
    uint64_t timeout_ms, until_ms;
    client_progress_fn progress; /* NULL: none */
    void *arg;
    bool connected, over;
    int rc;
    struct err err;
};

static void end(struct call *c, int rc)
{
    c->rc = rc;
    c->over = true;
}

static void send_question(struct call *c)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    int rc = wire_encode(&bytes, c->body, c->message, 1, &c->err);

    if (!rc)
        rc = transport_send(c->t, 0, bytes.data, bytes.len, &c->err);
    if (rc)
        end(c, rc);
}

static void on_denied(struct call *c, const struct transport_event *e)
{
    if (e->certain || ++c->hang_ups == HANG_UPS_MAX)
        end(c, client_denied(e, c->endpoint, c->keys, &c->err));
}

/* Not the answer yet, but how far it is. */
static bool is_progress(const Drover__Envelope *m)
{
    return m->body_case == DROVER__ENVELOPE__BODY_CONTROLLED && m->controlled->unfinished;
}

static void on_event(void *arg, const struct transport_event *e)
{
    struct call *c = arg;
    Drover__Envelope *envelope = NULL;

    if (e->type == TRANSPORT_DENIED && !c->over)
        on_denied(c, e);

    if (e->type == TRANSPORT_CONNECTED) {
        c->connected = true;
        send_question(c);
    }
    if (e->type != TRANSPORT_MESSAGE || c->over)
        return;
    int rc = wire_decode(e->bytes, e->len, &envelope, NULL, &c->err);
    if (rc) {
        end(c, rc);
        return;
    }
    if (envelope->body_case == DROVER__ENVELOPE__BODY_REFUSE) {
        end(c, client_refused(envelope->refuse, &c->err));
        wire_free(envelope);
    } else if (is_progress(envelope)) {
        c->until_ms = clock_ms() + c->timeout_ms;
        if (c->progress)
            c->progress(envelope->controlled->text, c->arg);
        wire_free(envelope);
    } else if (envelope->body_case == c->wanted) {
        c->answer = envelope;
        end(c, 0);
    } else {
        wire_free(envelope); /* not for us */
    }
}

int client_refused(const Drover__Refuse *r, struct err *err)
{
    const char *text = r->text && *r->text ? r->text : "the coordinator refuses without a reason";

    if (r->code == ERR_VERSION)
        return err_set(err, ERR_VERSION,
                       "%s (this drover speaks protocol %d, the coordinator %u); use the same "
                       "version on both sides",
                       text, WIRE_PROTOCOL, r->protocol);
    return err_set(err, r->code < 0 ? (enum err_code)r->code : ERR_INTERNAL, "%s", text);
}

static atomic_bool given_up;

void client_give_up(void)
{
    atomic_store(&given_up, true);
}

static int wait(struct call *c, struct loop *l, const char *endpoint, uint64_t timeout_ms,
                struct err *err)
{
    c->timeout_ms = timeout_ms;
    c->until_ms = clock_ms() + timeout_ms;
    while (!c->over) {
        uint64_t now = clock_ms();
        if (atomic_load(&given_up))
            return err_set(err, ERR_CANCELLED, "given up");
        if (now >= c->until_ms)
            return err_set(err, ERR_TIMEOUT,
                           c->connected ? "%s does not answer within %llu ms"
                                        : "no coordinator at %s (waited %llu ms)",
                           endpoint, (unsigned long long)timeout_ms);
        int rc = loop_step(l, MIN(c->until_ms - now, 100), err);
        if (rc)
            return rc;
    }
    if (c->rc && err)
        *err = c->err;
    return c->rc;
}

static void close_transport(struct transport **t)
{
    transport_close(*t);
}

static void close_loop(struct loop **l)
{
    if (*l)
        loop_free(*l);
}

int client_call(const char *endpoint, Drover__Envelope__BodyCase body, void *message,
                Drover__Envelope__BodyCase wanted, uint64_t timeout_ms, Drover__Envelope **ret,
                struct err *err)
{
    return client_call_long(endpoint, body, message, wanted, timeout_ms, NULL, NULL, ret, err);
}

int client_call_long(const char *endpoint, Drover__Envelope__BodyCase body, void *message,
                     Drover__Envelope__BodyCase wanted, uint64_t timeout_ms,
                     client_progress_fn progress, void *arg, Drover__Envelope **ret,
                     struct err *err)
{
    struct transport *t CLEANUP(close_transport) = NULL;
    struct loop *l CLEANUP(close_loop) = NULL;
    struct transport_keys keys CLEANUP(transport_keys_wipe) = { .insecure = false };
    struct call c = { .body = body,
                      .message = message,
                      .wanted = wanted,
                      .endpoint = endpoint,
                      .keys = &keys,
                      .progress = progress,
                      .arg = arg };
    int rc = client_keys(endpoint, &keys, err);

    *ret = NULL;
    if (!rc)
        rc = transport_connect(&t, endpoint, &keys, err);
    if (!rc)
        rc = loop_new(&l, err);
    if (rc)
        return rc;
    c.t = t;
    loop_add_transport(l, t, on_event, &c);
    rc = wait(&c, l, endpoint, timeout_ms, err);
    *ret = c.answer;
    return rc;
}
