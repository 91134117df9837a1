/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - another program that is measured in turns with drover: lines in, one line out each. */
#ifndef TESTS_BENCH_PEER_H
#define TESTS_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

struct peer;

/* Start ARGV (NULL-terminated, absolute program) with the settings ENV ("NAME=VALUE",
 * NULL-terminated) added to the environment. NULL when it cannot be started. */
struct peer *peer_start(const char *const *argv, const char *const *env);
/* Send the line QUESTION; its answer, valid until the next call, or NULL when the peer is gone. */
const char *peer_ask(struct peer *p, const char *question);
void peer_stop(struct peer *p); /* NULL is fine */

/* Peers started from now on may use the cores that the calling thread may use now, whatever it is
 * bound to later. */
void peer_keep_cores(void);
/* Run a program to its end; true when it exits with 0. */
bool peer_run(const char *const *argv);
/* The program NAME beside this one, in PATH. */
void peer_beside(char *path, size_t size, const char *name);

#endif
