/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/guard.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/keylist.h"
#include "common/net/keyring.h"
#include "common/net/tally.h"
#include "common/wire/wire.h"

enum {
    LOG_MS = 1000,
    AUDIT_MS = 60000,
    NOTES_MAX = 1024, /* deeds that wait for the store, of a round; more are only logged */
};

struct guard {
    struct transport_keys keys;
    struct keyring *ring; /* NULL: insecure */
    void (*wake)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    struct tally log, audit; /* refusals */
    uint64_t refusals;       /* all of them */
    struct guard_note *notes;
    size_t notes_first, notes_len;
};

/* ---- life ---- */

static int read_keys(struct guard *g, const char *store, struct err *err)
{
    struct buf key CLEANUP(buf_release) = { 0 };
    struct buf list CLEANUP(buf_release) = { 0 };
    int rc = keys_make(store, err);

    if (rc == 0)
        rc = key_load(keys_path(store, "coordinator.key", &key), &g->keys.own, err);
    if (rc == 0)
        rc = keyring_open(&g->ring, keys_path(store, "allowed", &list), err);
    g->keys.allowed = g->ring;
    return rc;
}

int guard_open(struct guard **ret, const char *store_path, bool insecure, void (*wake)(void *arg),
               void *arg, struct err *err)
{
    struct guard *g = mem_calloc(1, sizeof(*g));
    int rc = 0;

    g->wake = wake;
    g->arg = arg;
    g->log.every_ms = LOG_MS;
    g->audit.every_ms = AUDIT_MS;
    g->keys.insecure = insecure;
    g->notes = mem_calloc(NOTES_MAX, sizeof(*g->notes));
    pthread_mutex_init(&g->lock, NULL);
    if (!insecure)
        rc = read_keys(g, store_path, err);
    if (rc < 0) {
        guard_free(g);
        return rc;
    }
    *ret = g;
    return 0;
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    transport_keys_wipe(&g->keys);
    keyring_free(g->ring);
    pthread_mutex_destroy(&g->lock);
    free(g->notes);
    free(g);
}

const struct transport_keys *guard_keys(const struct guard *g)
{
    return &g->keys;
}

/* ---- notes ---- */

static struct guard_note *new_note(struct guard *g)
{
    if (g->notes_len == NOTES_MAX)
        return NULL;
    return &g->notes[(g->notes_first + g->notes_len++) % NOTES_MAX];
}

/* Name and roles of a public key: as the list has it now, else its first digits. */
static void name_key(struct guard *g, const char *key, char *name, size_t size, unsigned *ret_roles)
{
    struct keylist_row row;

    *ret_roles = 0;
    if (!*key)
        (void)snprintf(name, size, "%s", g->ring ? "" : "anybody");
    else if (g->ring && keyring_find(g->ring, key, &row)) {
        (void)snprintf(name, size, "%s", row.key.name);
        *ret_roles = row.roles;
    } else {
        (void)snprintf(name, size, "%.10s...", key);
    }
}

static const char *address_of(uint32_t address, char out[64])
{
    struct in_addr a = { .s_addr = address };

    out[0] = '\0';
    if (address)
        (void)inet_ntop(AF_INET, &a, out, 64);
    return out;
}

static void log_refused(struct guard *g, const struct tally_row *r)
{
    char name[KEY_NAME_MAX + 1], address[64];
    unsigned roles;

    name_key(g, r->key, name, sizeof(name), &roles);
    log_warn("refused", "key=\"%s\" address=%s count=%u reason=\"%s\"", name,
             address_of(r->address, address), r->count, r->why);
}

/* The lock is held. Into the log and among the notes what is due. */
static void tell_refused(struct guard *g, uint64_t now_ms)
{
    struct tally_row r;
    struct guard_note *n;
    unsigned roles;

    while (tally_take(&g->log, now_ms, &r))
        log_refused(g, &r);
    while (g->notes_len < NOTES_MAX && tally_take(&g->audit, now_ms, &r)) {
        n = new_note(g);
        name_key(g, r.key, n->who, sizeof(n->who), &roles);
        (void)roles_text(roles, n->role);
        (void)address_of(r.address, n->address);
        (void)snprintf(n->what, sizeof(n->what), "refused");
        if (r.count > 1)
            (void)snprintf(n->text, sizeof(n->text), "%s (%u times)", r.why, r.count);
        else
            (void)snprintf(n->text, sizeof(n->text), "%s", r.why);
    }
}

static void refused(struct guard *g, const struct transport_event *e, const char *why)
{
    const uint64_t now_ms = clock_ms();
    struct in_addr a = { 0 };

    if (*e->address)
        (void)inet_pton(AF_INET, e->address, &a);
    pthread_mutex_lock(&g->lock);
    g->refusals += MAX(e->count, 1u);
    tally_add(&g->log, why, a.s_addr, e->key, MAX(e->count, 1u), now_ms);
    tally_add(&g->audit, why, a.s_addr, e->key, MAX(e->count, 1u), now_ms);
    tell_refused(g, now_ms);
    pthread_mutex_unlock(&g->lock);
    g->wake(g->arg);
}

void guard_bad(struct guard *g, const struct transport_event *e, const char *why)
{
    refused(g, e, why);
}

void guard_deed(struct guard *g, const struct guard_sender *who, const char *what, const char *text)
{
    struct guard_note *n;

    pthread_mutex_lock(&g->lock);
    n = new_note(g);
    if (n) {
        (void)snprintf(n->who, sizeof(n->who), "%s", who->name);
        (void)snprintf(n->address, sizeof(n->address), "%s", who->address);
        (void)roles_text(who->roles, n->role);
        (void)snprintf(n->what, sizeof(n->what), "%s", what);
        (void)snprintf(n->text, sizeof(n->text), "%s", text);
    }
    pthread_mutex_unlock(&g->lock);
    log_info("deed", "key=\"%s\" address=%s what=%s text=\"%.300s\"", who->name, who->address, what,
             text);
    g->wake(g->arg);
}

/* The keyring follows its file by itself; what it saw is a deed of who may write there. */
static void take_news(struct guard *g)
{
    struct keyring_news news;

    while (g->ring && keyring_take(g->ring, &news)) {
        struct guard_sender owner = { .name = "keys" };

        if (news.what == KEYRING_BROKEN)
            log_error("keys_broken", "reason=\"%s\" holds=\"the list of before\"", news.text);
        guard_deed(g, &owner, "key", news.text);
    }
}

bool guard_take(struct guard *g, struct guard_note *ret)
{
    bool any;

    take_news(g);
    pthread_mutex_lock(&g->lock);
    tell_refused(g, clock_ms());
    any = g->notes_len > 0;
    if (any) {
        *ret = g->notes[g->notes_first];
        g->notes_first = (g->notes_first + 1) % NOTES_MAX;
        g->notes_len--;
    }
    pthread_mutex_unlock(&g->lock);
    return any;
}

uint64_t guard_wait_ms(struct guard *g)
{
    uint64_t due_ms, now_ms = clock_ms();

    pthread_mutex_lock(&g->lock);
    due_ms = g->notes_len > 0 ? 0 : MIN(tally_due_ms(&g->log), tally_due_ms(&g->audit));
    pthread_mutex_unlock(&g->lock);
    if (due_ms == UINT64_MAX)
        return UINT64_MAX;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

uint64_t guard_refusals(struct guard *g)
{
    uint64_t n;

    pthread_mutex_lock(&g->lock);
    n = g->refusals;
    pthread_mutex_unlock(&g->lock);
    return n;
}

/* ---- admission ---- */

static int who_is(struct guard *g, const struct transport_event *e, struct guard_sender *ret,
                  struct err *err)
{
    struct keylist_row row;

    (void)snprintf(ret->address, sizeof(ret->address), "%s", e->address);
    if (e->ipc) { /* the socket's file is its user's alone */
        (void)snprintf(ret->name, sizeof(ret->name), "ipc");
        ret->roles = ROLES_ALL;
        return 0;
    }
    if (!g->ring) {
        (void)snprintf(ret->name, sizeof(ret->name), "anybody");
        ret->roles = ROLES_ALL;
        return 0;
    }
    if (!*e->key || !keyring_find(g->ring, e->key, &row)) {
        (void)snprintf(ret->name, sizeof(ret->name), "%.10s...", e->key);
        return err_set(err, ERR_DENIED, "this key is not allowed here (any more)");
    }
    (void)snprintf(ret->name, sizeof(ret->name), "%s", row.key.name);
    ret->roles = row.roles;
    return 0;
}

int guard_admit(struct guard *g, enum roles_socket socket, const struct transport_event *message,
                struct guard_sender *ret, struct err *err)
{
    struct wire_peek peek;
    int rc;

    *ret = (struct guard_sender){ .roles = 0 };
    rc = who_is(g, message, ret, err);
    if (rc == 0)
        rc = roles_check(socket, ret->roles, message->bytes, message->len, &peek, err);
    else if (wire_peek(message->bytes, message->len, &peek, NULL) < 0)
        peek.request = 0;
    ret->request = peek.request;
    if (rc < 0)
        refused(g, message, err->text);
    return rc;
}

int guard_verb(struct guard *g, const struct guard_sender *who, Drover__Control__Verb verb,
               struct err *err)
{
    struct transport_event e = { .key = "", .address = who->address };
    char need[ROLES_TEXT_MAX], has[ROLES_TEXT_MAX], why[KEY_NAME_MAX + 128];
    const ProtobufCEnumValue *value;

    if (roles_allow(who->roles, roles_verb(verb)))
        return 0;
    value = protobuf_c_enum_descriptor_get_value(&drover__control__verb__descriptor, (int)verb);
    (void)err_set(err, ERR_DENIED, "%s takes the role %s, this key has %s",
                  value ? value->name : "this", roles_text(roles_verb(verb), need),
                  roles_text(who->roles, has));
    (void)snprintf(why, sizeof(why), "%s: %.100s", who->name, err->text);
    refused(g, &e, why);
    return err->code;
}
