/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/blob_client.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "worker/file.h"

enum {
    POLL_MS = 100,    /* how soon a request to stop is seen */
    RESEND_MS = 5000, /* without an answer: 1 MiB over 2 Mbit/s */
    AGAIN_MS = 500,   /* after Refuse ERR_AGAIN or ERR_FULL, and while another worker fetches */
    STALLS_MAX = 16,  /* puts in a row that moved nothing */
};

struct blob_place {
    pthread_mutex_t mutex;
    char endpoint[TRANSPORT_ENDPOINT_MAX];
    const struct transport_keys *keys;
};

struct blob_client {
    struct blob_place *place;
    struct progress *progress;
    struct transport *t;
    char endpoint[TRANSPORT_ENDPOINT_MAX]; /* of t */
    bool connected, patient;
    uint64_t request;
};

struct blob_place *blob_place_new(const struct transport_keys *keys)
{
    struct blob_place *p = mem_calloc(1, sizeof(*p));

    p->keys = keys;
    pthread_mutex_init(&p->mutex, NULL);
    return p;
}

void blob_place_free(struct blob_place *p)
{
    if (p == NULL)
        return;
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

void blob_place_set(struct blob_place *p, const char *endpoint)
{
    pthread_mutex_lock(&p->mutex);
    (void)snprintf(p->endpoint, sizeof(p->endpoint), "%s", endpoint);
    pthread_mutex_unlock(&p->mutex);
}

struct blob_client *blob_client_new(struct blob_place *place, struct progress *progress)
{
    struct blob_client *b = mem_calloc(1, sizeof(*b));
    b->place = place;
    b->progress = progress;
    return b;
}

void blob_client_free(struct blob_client *b)
{
    if (b == NULL)
        return;
    transport_close(b->t);
    free(b);
}

void blob_client_patient(struct blob_client *b, bool patient)
{
    b->patient = patient;
}

static bool stopped(const struct blob_client *b)
{
    return progress_stopped(b->progress) && !(b->patient && progress_draining(b->progress));
}

/* Follow the coordinator when it came back elsewhere. */
static int follow_place(struct blob_client *b, struct err *err)
{
    char endpoint[TRANSPORT_ENDPOINT_MAX];

    pthread_mutex_lock(&b->place->mutex);
    memcpy(endpoint, b->place->endpoint, sizeof(endpoint));
    pthread_mutex_unlock(&b->place->mutex);
    if (strcmp(endpoint, b->endpoint) == 0)
        return 0;
    transport_close(b->t);
    b->t = NULL;
    b->connected = false;
    memcpy(b->endpoint, endpoint, sizeof(endpoint));
    return transport_connect(&b->t, endpoint, b->place->keys, err);
}

/* Until something may have come, at most POLL_MS. */
static void wait_a_little(struct blob_client *b)
{
    int fds[TRANSPORT_FDS_MAX];
    struct pollfd p[TRANSPORT_FDS_MAX];

    if (b->t == NULL) {
        clock_sleep_ms(POLL_MS / 4);
        return;
    }
    if (transport_pending(b->t))
        return;
    size_t n = transport_fds(b->t, fds);
    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    uint64_t ms = MIN(POLL_MS, transport_retry_ms(b->t));
    (void)poll(p, (nfds_t)n, (int)ms); /* an error looks like a time-out */
}

/* What to do after one event. */
enum verdict { GO_ON, SEND_AGAIN, SEND_LATER, ANSWERED, FAILED };

static int refusal(const Drover__Refuse *r, struct err *err)
{
    int code = r->code < 0 ? r->code : ERR_PROTO;
    return err_set(err, (enum err_code)code, "blob server: %s", r->text);
}

static enum verdict on_message(struct blob_client *b, const struct transport_event *e,
                               Drover__Envelope__BodyCase answer, Drover__Envelope **ret,
                               struct err *err, int *ret_rc)
{
    Drover__Envelope *m CLEANUP(wire_cleanup) = NULL;

    *ret_rc = wire_decode(e->bytes, e->len, &m, NULL, err);
    if (*ret_rc)
        return FAILED;
    if (m->request != b->request)
        return GO_ON; /* a late answer to something that was sent twice */
    if (m->body_case == DROVER__ENVELOPE__BODY_REFUSE) {
        /* A full disk of the store is no fault of the job: its bytes wait until there is room. */
        if (m->refuse->code == ERR_AGAIN || m->refuse->code == ERR_FULL)
            return SEND_LATER;
        *ret_rc = refusal(m->refuse, err);
        return FAILED;
    }
    if (m->body_case != answer) {
        *ret_rc = err_set(err, ERR_PROTO, "blob server: %s came, %s was asked for",
                          wire_name(m->body_case), wire_name(answer));
        return FAILED;
    }
    *ret = m;
    m = NULL;
    return ANSWERED;
}

/* Take one event; GO_ON also when there was none. */
static enum verdict take_event(struct blob_client *b, Drover__Envelope__BodyCase answer,
                               Drover__Envelope **ret, struct err *err, int *ret_rc)
{
    struct transport_event e;

    if (b->t == NULL || !transport_next(b->t, &e)) {
        wait_a_little(b);
        return GO_ON;
    }
    switch (e.type) {
    case TRANSPORT_MESSAGE:
        return on_message(b, &e, answer, ret, err, ret_rc);
    case TRANSPORT_CONNECTED:
        b->connected = true;
        return SEND_AGAIN;
    case TRANSPORT_DISCONNECTED:
        b->connected = false;
        return GO_ON;
    case TRANSPORT_BAD:
        *ret_rc = err_set(err, ERR_PROTO, "blob server: %s", e.why);
        return FAILED;
    case TRANSPORT_DENIED:
    case TRANSPORT_GONE:
    case TRANSPORT_EVENTS:
        break;
    }
    return GO_ON;
}

/* Send MESSAGE until its answer comes. *RET is for wire_free. */
static int exchange(struct blob_client *b, Drover__Envelope__BodyCase body, void *message,
                    Drover__Envelope__BodyCase answer, Drover__Envelope **ret, struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    uint64_t send_at_ms = 0;

    int rc = wire_encode(&bytes, body, message, ++b->request, err);
    while (rc == 0) {
        if (stopped(b))
            return err_set(err, ERR_CANCELLED, "stopped while waiting for the blob server");
        rc = follow_place(b, err);
        if (rc)
            break;
        uint64_t now_ms = clock_ms();
        if (b->connected && now_ms >= send_at_ms) {
            /* A full queue empties itself, or the connection breaks. */
            int sent = transport_send(b->t, 0, bytes.data, bytes.len, NULL);
            send_at_ms = now_ms + (sent == 0 ? RESEND_MS : AGAIN_MS);
        }
        switch (take_event(b, answer, ret, err, &rc)) {
        case ANSWERED:
            progress_tick(b->progress);
            return 0;
        case SEND_AGAIN:
            send_at_ms = 0;
            break;
        case SEND_LATER:
            send_at_ms = clock_ms() + AGAIN_MS;
            break;
        case GO_ON:
        case FAILED:
            break;
        }
    }
    return rc;
}

/* One chunk at F->have. */
static int fetch_chunk(struct blob_client *b, struct cache_fill *f, struct err *err)
{
    Drover__BlobGet get = DROVER__BLOB_GET__INIT;
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;

    get.digest = wire_bytes(&f->digest);
    get.offset = f->have;
    get.length = (uint32_t)MIN((uint64_t)WIRE_CHUNK_MAX, f->size_bytes - f->have);
    int rc = exchange(b, DROVER__ENVELOPE__BODY_BLOB_GET, &get, DROVER__ENVELOPE__BODY_BLOB_CHUNK,
                      &answer, err);
    if (rc)
        return rc;
    const Drover__BlobChunk *c = answer->blob_chunk;
    struct digest d = wire_digest(c->digest);
    if (!digest_equal(&d, &f->digest) || c->offset != f->have || c->size != f->size_bytes ||
        c->data.len == 0)
        return err_set(err, ERR_PROTO,
                       "blob server: %zu bytes at %llu of %llu came, those at %llu of %llu were "
                       "asked for",
                       c->data.len, (unsigned long long)c->offset, (unsigned long long)c->size,
                       (unsigned long long)f->have, (unsigned long long)f->size_bytes);
    return cache_fill_write(f, c->data.data, c->data.len, err);
}

/* Wait while another worker of this host fetches; its bytes are progress of ours, too. */
static int wait_for_other(struct blob_client *b, uint64_t have, uint64_t *have_before,
                          struct err *err)
{
    if (progress_stopped(b->progress))
        return err_set(err, ERR_CANCELLED, "stopped while another worker fetches a blob");
    if (have != *have_before)
        progress_tick(b->progress);
    *have_before = have;
    clock_sleep_ms(POLL_MS);
    return 0;
}

static int fetch_once(struct blob_client *b, struct cache *c, const struct digest *d,
                      uint64_t size_bytes, struct cache_pin *ret, struct err *err)
{
    struct cache_fill f = { .fd = -1 };
    uint64_t have_before = 0;
    int rc;

    for (;;) {
        rc = cache_get(c, d, size_bytes, b->progress, ret, err);
        if (rc != ERR_NOT_FOUND)
            return rc;
        rc = cache_fill_begin(c, d, size_bytes, &f, err);
        if (rc != ERR_AGAIN)
            break;
        rc = wait_for_other(b, f.have, &have_before, err);
        if (rc)
            return rc;
    }
    while (rc == 0 && f.have < size_bytes)
        rc = fetch_chunk(b, &f, err);
    if (rc == 0)
        return cache_fill_end(c, &f, b->progress, ret, err);
    cache_fill_abort(&f);
    return rc;
}

int blob_client_fetch(struct blob_client *b, struct cache *c, const struct digest *d,
                      uint64_t size_bytes, struct cache_pin *ret, struct err *err)
{
    char hex[DIGEST_HEX];
    int rc = fetch_once(b, c, d, size_bytes, ret, err);

    /* An earlier process may have left a damaged beginning: once more from the start. */
    if (rc == ERR_CORRUPT)
        rc = fetch_once(b, c, d, size_bytes, ret, err);
    return rc ? err_wrap(err, rc, "blob %.12s", digest_hex(d, hex)) : 0;
}

/* Where the bytes of a put come from. */
struct source {
    const char *bytes; /* or NULL: */
    int fd;
    const char *path;
    char *block;
};

static int source_read(const struct source *s, uint64_t offset, size_t len, uint8_t **ret,
                       struct err *err)
{
    if (s->bytes != NULL) {
        *ret = (uint8_t *)(uintptr_t)(s->bytes + offset); /* the encoder only reads it */
        return 0;
    }
    *ret = (uint8_t *)s->block;
    return file_read_at(s->fd, s->block, len, offset, s->path, err);
}

static int put_from(struct blob_client *b, const struct digest *d, const struct source *s,
                    uint64_t size_bytes, struct err *err)
{
    uint64_t have = 0;
    bool probe = true; /* the first message asks how much is there */

    for (int stalls = 0; stalls < STALLS_MAX;) {
        Drover__BlobPut put = DROVER__BLOB_PUT__INIT;
        Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
        put.digest = wire_bytes(d);
        put.size = size_bytes;
        put.offset = have;
        put.data.len = probe ? 0 : (size_t)MIN((uint64_t)WIRE_CHUNK_MAX, size_bytes - have);
        int rc = source_read(s, have, put.data.len, &put.data.data, err);
        if (rc == 0)
            rc = exchange(b, DROVER__ENVELOPE__BODY_BLOB_PUT, &put,
                          DROVER__ENVELOPE__BODY_BLOB_STATE, &answer, err);
        if (rc)
            return rc;
        const Drover__BlobState *state = answer->blob_state;
        if (state->complete)
            return 0;
        if (state->have > size_bytes)
            return err_set(err, ERR_PROTO, "blob server: has %llu of %llu bytes",
                           (unsigned long long)state->have, (unsigned long long)size_bytes);
        stalls = state->have > have ? 0 : stalls + 1;
        have = state->have;
        probe = false;
    }
    return err_set(err, ERR_IO, "blob server: takes nothing after byte %llu of %llu",
                   (unsigned long long)have, (unsigned long long)size_bytes);
}

int blob_client_put(struct blob_client *b, const struct digest *d, const void *bytes,
                    uint64_t size_bytes, struct err *err)
{
    const struct source s = { .bytes = size_bytes ? bytes : "" };
    char hex[DIGEST_HEX];
    int rc = put_from(b, d, &s, size_bytes, err);
    return rc ? err_wrap(err, rc, "blob %.12s", digest_hex(d, hex)) : 0;
}

int blob_client_put_file(struct blob_client *b, const struct digest *d, const char *path,
                         uint64_t size_bytes, struct err *err)
{
    struct source s = { .fd = open(path, O_RDONLY | O_CLOEXEC), .path = path };
    char hex[DIGEST_HEX];

    if (s.fd < 0)
        return err_set(err, ERR_IO, "open %s", path);
    s.block = mem_calloc(1, WIRE_CHUNK_MAX);
    int rc = put_from(b, d, &s, size_bytes, err);
    free(s.block);
    close(s.fd);
    return rc ? err_wrap(err, rc, "blob %.12s", digest_hex(d, hex)) : 0;
}
