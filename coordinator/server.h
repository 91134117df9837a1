/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the coordinator's shell: socket, clock, store and blobs around the pure core.
 *
 *   transport --message--> inbox --event--> core --actions--> store (one transaction per round)
 * --commit--> sends
 *
 * Law: what a message says is committed before it is sent. All that came in one round of the loop
 * shares a transaction, so a busy coordinator commits rarely and an idle one at once. A round ends
 * when the inbox is empty or has brought 2048 results (20 ms); results and leases travel in groups,
 * each member is an event of its own.
 *
 * A plan is one transaction, written in one go: 8 us for a plain job, 50 us for one with inputs and
 * examples, so the largest, of 100,000 jobs, stops the loop for one to five seconds and a usual one
 * for milliseconds. It is not cut into slices: results that came between them would have to wait
 * for its commit all the same, or be undone with a plan that proves bad. Meanwhile workers go on
 * with what they hold, and nobody is given up for not having been heard (sched.h: its clock grants
 * the time that the shell was away). Status, tables and other questions are answered on threads
 * with reading connections; blobs have a thread and a socket of their own.
 *
 * When the store fails (a full disk) nothing of the round is acknowledged, nothing half-done stays,
 * and the server stops with the reason. */
#ifndef COORDINATOR_SERVER_H
#define COORDINATOR_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

#define SERVER_LISTEN_DEFAULT "tcp://127.0.0.1:7077"

struct server_options {
    const char *store_path;
    const char *listen; /* endpoint, e.g. tcp://127.0.0.1:7077; port * takes a free one */
    const char
        *ready_file; /* gets the real endpoint and a newline when workers may come; NULL: none */
    uint32_t lease_ms, renew_ms, heartbeat_ms, reattach_ms;
    const char *metrics; /* serve Prometheus there (exporter.h); NULL: nowhere */
    bool insecure;       /* plaintext and no keys over tcp, for whoever reaches the port */
    int parent_fd; /* stop when this pipe closes (common/base/parent.h); after its goodbye, once
                      nothing is left to do. -1: none */
};

/* The times of operation: lease 30 s, renewed every 5 s, heartbeat 1 s, re-attachment 60 s; the
 * rest NULL or none. */
struct server_options server_options_default(void);
/* Ranges and relations: heartbeat and renewal well within the lease. ERR_INVALID names the option.
 */
int server_options_check(const struct server_options *o, struct err *err) MUST_CHECK;

struct server;

/* Take the store's lock, open it, count a new incarnation, take up what ran before, listen, start
 * the blob thread, write the ready file. SIGINT and SIGTERM of the calling thread are taken over.
 * Errors of store_open() and transport_listen(). */
int server_new(struct server **ret, const struct server_options *o, struct err *err) MUST_CHECK;
/* The real endpoint. */
const char *server_endpoint(struct server *s);
/* Serve until SIGINT or SIGTERM: 0. An error means that the store failed; what was acknowledged is
 * safe in it. */
int server_run(struct server *s, struct err *err) MUST_CHECK;
/* Ends the blob thread, closes sockets and store, gives up the lock, removes the ready file. NULL
 * is fine. */
void server_free(struct server *s);

#endif
