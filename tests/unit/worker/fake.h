/* SPDX-License-Identifier: Apache-2.0 */
/* fake.h - a coordinator for tests: one listening socket for messages and blobs, blobs in memory.
 * Blob requests are answered inside fake_next; everything else is handed to the test. Included by
 * the tests of this folder, after folder.h. */
#ifndef TESTS_UNIT_WORKER_FAKE_H
#define TESTS_UNIT_WORKER_FAKE_H

#include <poll.h>

#include "common/base/clock.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "tests/unit/worker/folder.h"

enum { FAKE_BLOBS_MAX = 64, FAKE_WAIT_MS = 60000 };

struct fake_blob {
    struct digest digest;
    struct buf bytes;
    uint64_t size;
};

struct fake {
    struct transport *t;
    struct fake_blob blob[FAKE_BLOBS_MAX];
    size_t blobs_len;
    unsigned gets, puts; /* requests with or for data */
    uint64_t put_bytes;  /* data that was put */
    bool spoil;          /* flip a bit of every chunk */
    unsigned swallow;    /* leave so many blob requests without an answer */
    unsigned full;       /* refuse so many for want of space */
    uint64_t peer;       /* of the last message */
};

static __attribute__((unused)) struct fake_blob *fake_find(struct fake *f, const struct digest *d)
{
    for (size_t i = 0; i < f->blobs_len; i++)
        if (digest_equal(&f->blob[i].digest, d))
            return &f->blob[i];
    return NULL;
}

static __attribute__((unused)) struct fake_blob *fake_blob(struct fake *f, const struct digest *d,
                                                           uint64_t size)
{
    struct fake_blob *b = fake_find(f, d);
    if (b == NULL) {
        assert_true(f->blobs_len < FAKE_BLOBS_MAX);
        b = &f->blob[f->blobs_len++];
        *b = (struct fake_blob){ .digest = *d, .size = size };
    }
    return b;
}

/* Hold LEN bytes of a blob whose whole is SIZE bytes. */
static __attribute__((unused)) struct digest fake_hold(struct fake *f, const void *bytes,
                                                       size_t size, size_t len)
{
    struct digest d = digest_of(bytes, size);
    buf_add(&fake_blob(f, &d, size)->bytes, bytes, len);
    return d;
}

static void fake_send(struct fake *f, uint64_t peer, Drover__Envelope__BodyCase body, void *message,
                      uint64_t request)
{
    struct buf bytes = { 0 };
    struct err err = { 0 };
    assert_int_equal(wire_encode(&bytes, body, message, request, &err), 0);
    assert_int_equal(transport_send(f->t, peer, bytes.data, bytes.len, &err), 0);
    buf_release(&bytes);
}

static __attribute__((unused)) void fake_refuse(struct fake *f, uint64_t peer, int code,
                                                uint64_t request)
{
    Drover__Refuse r = DROVER__REFUSE__INIT;
    r.code = code;
    r.text = (char *)(uintptr_t) "the fake refuses";
    r.protocol = WIRE_PROTOCOL;
    fake_send(f, peer, DROVER__ENVELOPE__BODY_REFUSE, &r, request);
}

static void fake_get(struct fake *f, uint64_t peer, const Drover__BlobGet *get, uint64_t request)
{
    struct digest d = wire_digest(get->digest);
    struct fake_blob *b = fake_find(f, &d);
    Drover__BlobChunk c = DROVER__BLOB_CHUNK__INIT;

    f->gets++;
    if (b == NULL || get->offset > b->bytes.len) {
        fake_refuse(f, peer, ERR_NOT_FOUND, request);
        return;
    }
    c.digest = get->digest;
    c.offset = get->offset;
    c.size = b->bytes.len;
    c.data.len = MIN((size_t)get->length, b->bytes.len - (size_t)get->offset);
    c.data.data = mem_dup(b->bytes.data + get->offset, c.data.len);
    if (f->spoil)
        c.data.data[0] ^= 1;
    fake_send(f, peer, DROVER__ENVELOPE__BODY_BLOB_CHUNK, &c, request);
    free(c.data.data);
}

static void fake_put(struct fake *f, uint64_t peer, const Drover__BlobPut *put, uint64_t request)
{
    struct digest d = wire_digest(put->digest);
    struct fake_blob *b = fake_blob(f, &d, put->size);
    Drover__BlobState s = DROVER__BLOB_STATE__INIT;

    if (put->offset == b->bytes.len && put->data.len > 0) {
        f->puts++;
        f->put_bytes += put->data.len;
        buf_add(&b->bytes, put->data.data, put->data.len);
    }
    s.digest = put->digest;
    s.have = b->bytes.len;
    s.complete = b->bytes.len == b->size;
    if (s.complete) {
        struct digest found = digest_of(buf_str(&b->bytes), b->bytes.len);
        assert_true(digest_equal(&found, &d));
    }
    fake_send(f, peer, DROVER__ENVELOPE__BODY_BLOB_STATE, &s, request);
}

/* The next message that is no blob request, or NULL after TIMEOUT_MS; wire_free it. */
static Drover__Envelope *fake_next(struct fake *f, uint64_t timeout_ms)
{
    uint64_t end_ms = clock_ms() + timeout_ms;
    struct transport_event e;

    for (;;) {
        if (!transport_next(f->t, &e)) {
            uint64_t now_ms = clock_ms();
            int fds[TRANSPORT_FDS_MAX];
            struct pollfd p[TRANSPORT_FDS_MAX];
            size_t n = transport_fds(f->t, fds);
            if (now_ms >= end_ms)
                return NULL;
            for (size_t i = 0; i < n; i++)
                p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
            if (!transport_pending(f->t))
                (void)poll(p, (nfds_t)n,
                           (int)MIN(MIN(end_ms - now_ms, (uint64_t)20), transport_retry_ms(f->t)));
            continue;
        }
        if (e.type != TRANSPORT_MESSAGE)
            continue;
        Drover__Envelope *m = NULL;
        struct err err = { 0 };
        assert_int_equal(wire_decode(e.bytes, e.len, &m, NULL, &err), 0);
        f->peer = e.peer;
        bool blob = m->body_case == DROVER__ENVELOPE__BODY_BLOB_GET ||
                    m->body_case == DROVER__ENVELOPE__BODY_BLOB_PUT;
        if (!blob)
            return m;
        if (f->swallow > 0)
            f->swallow--;
        else if (f->full > 0 && f->full--)
            fake_refuse(f, e.peer, ERR_FULL, m->request);
        else if (m->body_case == DROVER__ENVELOPE__BODY_BLOB_GET)
            fake_get(f, e.peer, m->blob_get, m->request);
        else
            fake_put(f, e.peer, m->blob_put, m->request);
        wire_free(m);
    }
}

/* The next message of type BODY within FAKE_WAIT_MS; heartbeats, renewals and credits before it are
 * thrown away, anything else fails the test. */
static __attribute__((unused)) Drover__Envelope *fake_expect(struct fake *f,
                                                             Drover__Envelope__BodyCase body)
{
    for (;;) {
        Drover__Envelope *m = fake_next(f, FAKE_WAIT_MS);
        assert_non_null(m);
        if (m->body_case == body)
            return m;
        if (m->body_case != DROVER__ENVELOPE__BODY_HEARTBEAT &&
            m->body_case != DROVER__ENVELOPE__BODY_RENEW &&
            m->body_case != DROVER__ENVELOPE__BODY_CREDITS)
            fail_msg("%s came, %s was expected", wire_name(m->body_case), wire_name(body));
        wire_free(m);
    }
}

static void fake_open(struct fake *f, const char *endpoint)
{
    struct err err = { 0 };
    if (transport_listen(&f->t, endpoint, &transport_insecure, &err) != 0)
        fail_msg("%s", err.text);
}

static void fake_close(struct fake *f)
{
    for (size_t i = 0; i < f->blobs_len; i++)
        buf_release(&f->blob[i].bytes);
    f->blobs_len = 0;
    transport_close(f->t);
    f->t = NULL;
}

#endif
