/* SPDX-License-Identifier: Apache-2.0 */
/* blob_server.c - a loop of its own on a thread of its own; shares only the thread-safe blob folder
 * with the rest. */
#include "coordinator/blob_server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "coordinator/blob_turns.h"
#include "coordinator/guard.h"

/* Requests served in one round of the loop: 8 MiB to read, a few ms; then new ones are looked at.
 */
enum { SERVED_MAX = 8 };

struct blob_server {
    struct store *store; /* a reading connection, of the thread */
    struct blobs *blobs;
    struct guard *guard;
    struct transport *transport;
    struct loop *loop;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    struct buf out, chunk;
    struct turns *turns; /* of envelopes */
};

static void answer(struct blob_server *b, uint64_t peer, Drover__Envelope__BodyCase body,
                   void *message, uint64_t request)
{
    struct err err = { 0 };
    int rc;

    buf_clear(&b->out);
    rc = wire_encode(&b->out, body, message, request, &err);
    if (rc == 0)
        rc = transport_send(b->transport, peer, buf_str(&b->out), b->out.len, &err);
    if (rc < 0) /* the peer asks again, or is gone */
        log_warn("blob_answer", "peer=%llx reason=\"%s\"", (unsigned long long)peer, err.text);
}

static void say_no(struct blob_server *b, uint64_t peer, uint64_t request, int code,
                   const char *text)
{
    Drover__Refuse m = DROVER__REFUSE__INIT;

    m.code = code;
    m.text = (char *)(uintptr_t)text;
    m.protocol = WIRE_PROTOCOL;
    answer(b, peer, DROVER__ENVELOPE__BODY_REFUSE, &m, request);
}

static void refuse(struct blob_server *b, uint64_t peer, uint64_t request, int code,
                   const char *text)
{
    log_info("blob_refused", "peer=%llx code=%d reason=\"%s\"", (unsigned long long)peer, code,
             text);
    say_no(b, peer, request, code, text);
}

/* Bytes OFFSET.. of the file PATH, which must still have SIZE bytes. */
static int read_file(const char *path, uint64_t size, uint64_t offset, size_t len, char *to,
                     size_t *ret_len, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc = 0;

    *ret_len = 0;
    if (fd < 0)
        return err_set(err, ERR_NOT_FOUND, "open %s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0)
        rc = err_errno(err, errno, "stat %s", path);
    else if ((uint64_t)st.st_size != size)
        rc = err_set(err, ERR_NOT_FOUND, "%s has %lld bytes instead of %llu: it was changed", path,
                     (long long)st.st_size, (unsigned long long)size);
    while (rc == 0 && *ret_len < len) {
        ssize_t got = pread(fd, to + *ret_len, len - *ret_len, (off_t)(offset + *ret_len));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = err_errno(err, errno, "read %s", path);
        if (got <= 0)
            break;
        *ret_len += (size_t)got;
    }
    (void)close(fd);
    return rc;
}

static int read_chunk(struct blob_server *b, const Drover__BlobGet *m, Drover__BlobChunk *ret,
                      struct store_blob *blob, struct err *err)
{
    struct digest d = wire_digest(m->digest);
    size_t len = MIN(m->length, (uint32_t)WIRE_CHUNK_MAX), got = 0;
    char *to;
    int rc;

    buf_clear(&b->chunk);
    to = buf_reserve(&b->chunk, len);
    if (blobs_have(b->blobs, &d, NULL)) {
        rc = blobs_read(b->blobs, &d, m->offset, len, to, &got, &ret->size, err);
    } else {
        rc = store_blob_find(b->store, &d, blob, err);
        if (rc == 0 && m->offset <= blob->size_bytes)
            rc = read_file(blob->path, blob->size_bytes, m->offset, len, to, &got, err);
        ret->size = blob->size_bytes;
        if (utf8_valid(blob->path)) /* only a hint */
            ret->path = blob->path;
    }
    ret->digest = m->digest;
    ret->offset = m->offset;
    ret->data = (ProtobufCBinaryData){ .len = got, .data = (uint8_t *)to };
    return rc;
}

static void on_get(struct blob_server *b, uint64_t peer, const Drover__BlobGet *m, uint64_t request)
{
    Drover__BlobChunk chunk = DROVER__BLOB_CHUNK__INIT;
    struct store_blob blob = { .size_bytes = 0 };
    struct err err = { 0 };
    int rc = read_chunk(b, m, &chunk, &blob, &err);

    if (rc < 0)
        refuse(b, peer, request, rc, err.text);
    else
        answer(b, peer, DROVER__ENVELOPE__BODY_BLOB_CHUNK, &chunk, request);
}

static void on_put(struct blob_server *b, uint64_t peer, const Drover__BlobPut *m, uint64_t request)
{
    struct digest d = wire_digest(m->digest);
    Drover__BlobState state = DROVER__BLOB_STATE__INIT;
    struct err err = { 0 };
    bool complete = false;
    int rc = blobs_write_chunk(b->blobs, &d, m->size, m->offset, m->data.data, m->data.len,
                               &state.have, &complete, &err);

    if (rc < 0) {
        refuse(b, peer, request, rc, err.text);
        return;
    }
    state.digest = m->digest;
    state.complete = complete;
    answer(b, peer, DROVER__ENVELOPE__BODY_BLOB_STATE, &state, request);
}

static void free_envelope(void *item)
{
    wire_free(item);
}

/* Requests wait for their peer's turn. */
static void on_message(struct blob_server *b, const struct transport_event *event)
{
    Drover__Envelope *m CLEANUP(wire_cleanup) = NULL;
    struct guard_sender who;
    struct err err = { 0 };
    int rc = guard_admit(b->guard, ROLES_BLOBS, event, &who, &err);

    if (rc == 0) {
        rc = wire_decode(event->bytes, event->len, &m, NULL, &err);
        if (rc < 0)
            guard_bad(b->guard, event, err.text);
    }
    if (rc < 0)
        say_no(b, event->peer, who.request, rc, err.text);
    else if (m->body_case != DROVER__ENVELOPE__BODY_BLOB_GET &&
             m->body_case != DROVER__ENVELOPE__BODY_BLOB_PUT)
        refuse(b, event->peer, m->request, ERR_PROTO, "this socket takes BlobGet and BlobPut");
    else if (turns_add(b->turns, event->peer, m, event->len))
        m = NULL;
    else
        refuse(b, event->peer, m->request, ERR_AGAIN, "too many requests wait; ask again later");
}

static void serve(struct blob_server *b, uint64_t peer, const Drover__Envelope *m)
{
    if (m->body_case == DROVER__ENVELOPE__BODY_BLOB_GET)
        on_get(b, peer, m->blob_get, m->request);
    else
        on_put(b, peer, m->blob_put, m->request);
}

/* It has not taken what it got: nothing more is read for it until then. */
static bool is_busy(void *arg, uint64_t peer)
{
    const struct blob_server *b = arg;

    return transport_waiting(b->transport, peer) > 0;
}

static void on_round_end(void *arg)
{
    struct blob_server *b = arg;
    uint64_t peer;

    for (int i = 0; i < SERVED_MAX; i++) {
        Drover__Envelope *m CLEANUP(wire_cleanup) = turns_next(b->turns, is_busy, b, &peer);

        if (!m) /* nobody, or all are busy: the transport looks again soon */
            return;
        serve(b, peer, m);
    }
    if (turns_waiting(b->turns) > 0)
        loop_wake(b->loop);
}

static void on_transport(void *arg, const struct transport_event *event)
{
    struct blob_server *b = arg;

    if (event->type == TRANSPORT_MESSAGE)
        on_message(b, event);
    else if (event->type == TRANSPORT_GONE)
        turns_drop(b->turns, event->peer);
    if (event->type == TRANSPORT_BAD) {
        guard_bad(b->guard, event, event->why);
        if (event->peer)
            say_no(b, event->peer, 0, ERR_PROTO, event->why);
    }
}

static void on_wake(void *arg)
{
    struct blob_server *b = arg;

    if (atomic_load(&b->stop))
        loop_stop(b->loop);
}

static void *run(void *arg)
{
    struct blob_server *b = arg;
    struct err err = { 0 };

    if (loop_run(b->loop, &err) < 0)
        log_error("blob_server", "reason=\"%s\"", err.text);
    return NULL;
}

static int listen_beside(struct blob_server *b, const char *main_endpoint, struct err *err)
{
    struct buf endpoint CLEANUP(buf_release) = { 0 };
    const char *colon = strrchr(main_endpoint, ':');

    if (strncmp(main_endpoint, "tcp://", 6) == 0) {
        assert(colon);
        buf_add(&endpoint, main_endpoint, (size_t)(colon - main_endpoint));
        buf_adds(&endpoint, ":*");
    } else {
        buf_printf(&endpoint, "%s-blobs", main_endpoint);
    }
    return transport_listen(&b->transport, buf_str(&endpoint), guard_keys(b->guard), err);
}

int blob_server_start(struct blob_server **ret, const char *store_path, struct blobs *blobs,
                      const char *main_endpoint, struct guard *guard, struct err *err)
{
    struct blob_server *b = mem_calloc(1, sizeof(*b));
    int rc = store_open_read(&b->store, store_path, err);

    b->blobs = blobs;
    b->guard = guard;
    b->turns = turns_new(free_envelope);
    if (rc == 0)
        rc = listen_beside(b, main_endpoint, err);
    if (rc == 0)
        rc = loop_new(&b->loop, err);
    if (rc == 0) {
        loop_add_transport(b->loop, b->transport, on_transport, b);
        loop_on_wake(b->loop, on_wake, b);
        loop_add_after(b->loop, on_round_end, b);
        if (pthread_create(&b->thread, NULL, run, b) == 0)
            b->started = true;
        else
            rc = err_set(err, ERR_IO, "start the blob thread: %s", strerror(errno));
    }
    if (rc < 0) {
        blob_server_stop(b);
        return rc;
    }
    *ret = b;
    return 0;
}

const char *blob_server_endpoint(const struct blob_server *b)
{
    return transport_endpoint(b->transport);
}

void blob_server_stop(struct blob_server *b)
{
    if (!b)
        return;
    if (b->started) {
        atomic_store(&b->stop, true);
        loop_wake(b->loop);
        (void)pthread_join(b->thread, NULL);
    }
    transport_close(b->transport);
    loop_free(b->loop);
    store_close(b->store);
    buf_release(&b->out);
    buf_release(&b->chunk);
    turns_free(b->turns);
    free(b);
}
