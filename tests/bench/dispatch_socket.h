/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_socket.h - for the peers of the group "dispatch": a server program in a scratch folder,
 * connections to it, and children that talk to it in turns with a clock. */
#ifndef TESTS_BENCH_DISPATCH_SOCKET_H
#define TESTS_BENCH_DISPATCH_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/bench/dispatch_scratch.h"

struct daemon_peer {
    pid_t pid;
    uint16_t port;
    char port_text[8];
    struct scratch scratch;
};

/* Choose a free port and a scratch folder, for the arguments of daemon_start. */
bool daemon_prepare(struct daemon_peer *d);
/* Run ARGV (absolute program) and wait until it takes connections; false: it does not. */
bool daemon_start(struct daemon_peer *d, const char *const *argv);
void daemon_stop(struct daemon_peer *d); /* ends it, removes the folder */

/* A connection with buffers of its own. */
struct wire_peer {
    int fd;
    uint8_t in[65536], out[65536];
    size_t in_at, in_len, out_len;
};
bool wire_open(struct wire_peer *w, uint16_t port);
void wire_close(struct wire_peer *w);
void wire_put(struct wire_peer *w, const void *bytes, size_t len); /* until wire_flush */
bool wire_flush(struct wire_peer *w);
/* LEN <= sizeof w->in bytes, valid until the next call; NULL: the other side is gone. */
const uint8_t *wire_take(struct wire_peer *w, size_t len);
/* A line without its end, which is CR LF, likewise. */
const char *wire_line(struct wire_peer *w);
bool wire_waiting(const struct wire_peer *w); /* bytes are there without reading */

/* Run FN(ARG, index) in COUNT children: each connects and prepares, calls crew_ready(), which
 * returns when all are ready, and goes on. Seconds from then until the last has ended; NAN when one
 * failed (FN returned false). */
struct crew;
typedef bool (*crew_fn)(struct crew *c, size_t index, void *arg);
void crew_ready(struct crew *c);
double crew_run(size_t count, crew_fn fn, void *arg);

#endif
