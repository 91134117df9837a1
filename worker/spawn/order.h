/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - the bytes between worker, helper and keeper: a header with magic, type and length, then
 * a body of exactly that length. All are processes of one binary on one computer, so numbers are in
 * its own order; what is received is checked nevertheless. Private to worker/spawn. */
#ifndef WORKER_SPAWN_ORDER_H
#define WORKER_SPAWN_ORDER_H

#include <stddef.h>

#include "common/base/buf.h"
#include "worker/spawn/spawn.h"

enum { SPAWN_MAGIC = 0x31767864 };

enum spawn_message {
    SPAWN_MESSAGE_FORK = 1, /* worker -> helper, with three descriptors */
    SPAWN_MESSAGE_ORDER,    /* worker -> keeper */
    SPAWN_MESSAGE_STOP,     /* worker -> keeper */
    SPAWN_MESSAGE_END,      /* keeper, or a helper that cannot fork -> worker */
};

struct spawn_header {
    uint32_t magic, type, len, zero;
};

struct spawn_end_body {
    uint32_t cause, step, left, stuck, kernel;
    int32_t status;
    uint64_t peak_bytes, cpu_ms, wall_ms;
};

struct spawn_header spawn_header_of(enum spawn_message type, size_t len);
/* A header of TYPE with at most MAX bytes behind it. */
bool spawn_header_fits(const struct spawn_header *h, enum spawn_message type, size_t max);

/* O as a whole message, header included. ERR_LIMIT. */
int spawn_order_encode(const struct spawn_order *o, struct buf *out, struct err *err) MUST_CHECK;
/* BODY, LEN bytes, which must outlive *RET: its texts lie there, its lists are
 * spawn_order_release()'s. ERR_PROTO: no program or folder, a text without an end, bytes too many
 * or too few, a path that is not absolute, an environment entry without a name. */
int spawn_order_decode(const char *body, size_t len, struct spawn_order *ret,
                       struct err *err) MUST_CHECK;
void spawn_order_release(struct spawn_order *o);

struct spawn_end_body spawn_end_encode(const struct spawn_end *e);
int spawn_end_decode(const struct spawn_end_body *b, struct spawn_end *ret,
                     struct err *err) MUST_CHECK;

/* All LEN bytes to FD, a socket, without SIGPIPE. */
bool spawn_send(int fd, const void *bytes, size_t len);
/* Exactly LEN bytes from FD, which blocks; false at its end. */
bool spawn_receive(int fd, void *bytes, size_t len);
/* Header and END to FD. */
bool spawn_send_end(int fd, const struct spawn_end *e);

#endif
