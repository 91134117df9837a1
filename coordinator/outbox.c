/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - one byte string with all messages of the round, and per peer the groups that are still
 * open. */
#include "coordinator/outbox.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/wire/pack.h"

enum {
    GROUPS_KEPT = 256,    /* peers whose memory stays for the next round */
    FEW = 64,             /* messages: each is held against each */
    BYTES_KEPT = 4 << 20, /* of the byte string */
    LEASES_FIELD = 1,     /* of a Leases */
    LEASE_ATTEMPT = 2,    /* of a Lease */
    LEASE_EPOCH = 3,
};

/* What is collected for a peer. */
struct group {
    uint64_t peer;
    uint64_t *acks;
    size_t acks_len;
    int code;                               /* of the acks */
    struct buf leases;                      /* fields of a Leases */
    size_t leases_len, first_at, first_len; /* first_at: of the newest lease alone */
    UT_hash_handle hh;
};

struct message {
    uint64_t peer;
    size_t at, len; /* len 0: it was sent before the others */
    bool lease;
};

struct outbox {
    struct buf bytes;
    struct message *messages;
    size_t messages_len, messages_cap;
    size_t early;                /* of them, sent before the others */
    struct group *groups, *last; /* last: the one asked for last */
    struct outbox_counts counts;
};

struct outbox *outbox_new(void)
{
    return mem_calloc(1, sizeof(struct outbox));
}

static void free_groups(struct outbox *o)
{
    struct group *g, *tmp;

    HASH_ITER(hh, o->groups, g, tmp)
    {
        HASH_DEL(o->groups, g);
        free(g->acks);
        buf_release(&g->leases);
        free(g);
    }
    o->last = NULL;
}

void outbox_free(struct outbox *o)
{
    if (!o)
        return;
    free_groups(o);
    buf_release(&o->bytes);
    free(o->messages);
    free(o);
}

/* The group of PEER; NULL: there is none, unless MAKE. */
static struct group *group_of(struct outbox *o, uint64_t peer, bool make)
{
    struct group *g = o->last;

    if (g && g->peer == peer)
        return g;
    HASH_FIND(hh, o->groups, &peer, sizeof(peer), g);
    if (!g && make) {
        g = mem_calloc(1, sizeof(*g));
        g->peer = peer;
        g->acks = mem_calloc(OUTBOX_GROUP_MAX, sizeof(*g->acks));
        HASH_ADD(hh, o->groups, peer, sizeof(g->peer), g);
    }
    if (g)
        o->last = g;
    return g;
}

/* What was appended to the bytes since AT is a message for PEER. */
static void end_message(struct outbox *o, uint64_t peer, size_t at)
{
    if (o->messages_len == o->messages_cap) {
        o->messages_cap = o->messages_cap ? 2 * o->messages_cap : 64;
        o->messages = mem_realloc(o->messages, o->messages_cap, sizeof(*o->messages));
    }
    o->messages[o->messages_len++] = (struct message){ peer, at, o->bytes.len - at, false };
}

static void close_acks(struct outbox *o, struct group *g)
{
    Drover__Ack m = DROVER__ACK__INIT;
    size_t at = o->bytes.len;
    struct err err = { 0 };
    int rc;

    if (g->acks_len == 0)
        return;
    m.seq = g->acks;
    m.n_seq = g->acks_len;
    m.code = g->code;
    rc = wire_encode(&o->bytes, DROVER__ENVELOPE__BODY_ACK, &m, 0, &err);
    assert(rc == 0); /* numbers, not more than are allowed */
    end_message(o, g->peer, at);
    g->acks_len = 0;
    o->counts.ack_groups++;
}

static void close_leases(struct outbox *o, struct group *g)
{
    size_t at = o->bytes.len;

    if (g->leases_len == 0)
        return;
    if (g->leases_len == 1) {
        pack_envelope(&o->bytes, DROVER__ENVELOPE__BODY_LEASE, g->first_len, 0);
        buf_add(&o->bytes, g->leases.data + g->first_at, g->first_len);
    } else {
        pack_envelope(&o->bytes, DROVER__ENVELOPE__BODY_LEASES, g->leases.len, 0);
        buf_add(&o->bytes, g->leases.data, g->leases.len);
    }
    end_message(o, g->peer, at);
    o->messages[o->messages_len - 1].lease = true;
    g->leases_len = 0;
    if (g->leases.cap > 2 * OUTBOX_GROUP_BYTES)
        buf_release(&g->leases);
    buf_clear(&g->leases);
    o->counts.lease_groups++;
}

static void close_group(struct outbox *o, struct group *g)
{
    close_acks(o, g);
    close_leases(o, g);
}

int outbox_add(struct outbox *o, uint64_t peer, Drover__Envelope__BodyCase body, void *message,
               uint64_t request, struct err *err)
{
    struct group *g = group_of(o, peer, false);
    size_t at;
    int rc;

    if (g)
        close_group(o, g);
    at = o->bytes.len;
    rc = wire_encode(&o->bytes, body, message, request, err);
    if (rc == 0) {
        end_message(o, peer, at);
        o->messages[o->messages_len - 1].lease = body == DROVER__ENVELOPE__BODY_LEASE;
    }
    return rc;
}

void outbox_add_packed(struct outbox *o, uint64_t peer, Drover__Envelope__BodyCase body,
                       const void *packed, size_t len, uint64_t request)
{
    struct group *g = group_of(o, peer, false);
    size_t at;

    if (g)
        close_group(o, g);
    at = o->bytes.len;
    pack_envelope(&o->bytes, body, len, request);
    buf_add(&o->bytes, packed, len);
    end_message(o, peer, at);
}

void outbox_ack(struct outbox *o, uint64_t peer, uint64_t seq, int code)
{
    struct group *g = group_of(o, peer, true);

    if (g->acks_len == OUTBOX_GROUP_MAX || (g->acks_len > 0 && g->code != code))
        close_acks(o, g);
    g->code = code;
    g->acks[g->acks_len++] = seq;
}

/* Bytes of V as a varint. */
static size_t varint_len(uint64_t v)
{
    size_t n = 1;

    while (v >>= 7)
        n++;
    return n;
}

void outbox_lease(struct outbox *o, uint64_t peer, const void *card, size_t len, uint64_t attempt,
                  uint32_t epoch)
{
    struct group *g = group_of(o, peer, true);
    /* Tag and value of the two fields; a field at 0 is left out. */
    size_t whole =
        len + (attempt ? 1 + varint_len(attempt) : 0) + (epoch ? 1 + varint_len(epoch) : 0);

    if (g->leases_len == OUTBOX_GROUP_MAX ||
        (g->leases_len > 0 && g->leases.len + whole > OUTBOX_GROUP_BYTES))
        close_group(o, g);
    pack_varint(&g->leases, LEASES_FIELD << 3 | 2);
    pack_varint(&g->leases, whole);
    g->first_at = g->leases.len;
    g->first_len = whole;
    pack_u64(&g->leases, LEASE_ATTEMPT, attempt);
    pack_u64(&g->leases, LEASE_EPOCH, epoch);
    buf_add(&g->leases, card, len);
    assert(g->leases.len - g->first_at == whole);
    g->leases_len++;
}

static void clear(struct outbox *o)
{
    struct group *g, *tmp;

    o->messages_len = o->early = 0;
    if (o->bytes.cap > BYTES_KEPT)
        buf_release(&o->bytes);
    buf_clear(&o->bytes);
    if (HASH_COUNT(o->groups) > GROUPS_KEPT) {
        free_groups(o);
        return;
    }
    HASH_ITER(hh, o->groups, g, tmp)
    {
        g->acks_len = g->leases_len = 0;
        buf_clear(&g->leases);
    }
}

void outbox_flush(struct outbox *o, outbox_send_fn send, void *arg)
{
    struct group *g, *tmp;

    HASH_ITER(hh, o->groups, g, tmp)
    close_group(o, g);
    for (size_t i = 0; i < o->messages_len; i++) {
        const struct message *m = &o->messages[i];

        if (m->len > 0)
            send(arg, m->peer, o->bytes.data + m->at, m->len);
    }
    clear(o);
}

/* Does nothing wait for PEER but leases? */
static bool only_leases(const struct outbox *o, uint64_t peer)
{
    for (size_t i = 0; i < o->messages_len; i++)
        if (o->messages[i].peer == peer && !o->messages[i].lease)
            return false;
    return true;
}

void outbox_flush_leases(struct outbox *o, outbox_send_fn send, void *arg)
{
    struct group *g, *tmp;

    if (o->messages_len + HASH_COUNT(o->groups) > FEW)
        return;
    HASH_ITER(hh, o->groups, g, tmp)
    {
        if (g->acks_len == 0)
            close_leases(o, g);
    }
    for (size_t i = 0; i < o->messages_len; i++) {
        struct message *m = &o->messages[i];

        HASH_FIND(hh, o->groups, &m->peer, sizeof(m->peer), g);
        if (m->len == 0 || !only_leases(o, m->peer) || (g && g->acks_len > 0))
            continue;
        send(arg, m->peer, o->bytes.data + m->at, m->len);
        m->len = 0;
        o->early++;
    }
}

void outbox_drop(struct outbox *o)
{
    clear(o);
}

struct outbox_counts outbox_counts(const struct outbox *o)
{
    struct outbox_counts c = o->counts;

    c.bytes = o->bytes.len;
    c.messages = o->messages_len - o->early;
    for (const struct group *g = o->groups; g; g = g->hh.next) {
        c.bytes += g->leases.len + g->acks_len * sizeof(*g->acks);
        c.messages += (g->leases_len > 0) + (g->acks_len > 0);
    }
    return c;
}
