/* SPDX-License-Identifier: Apache-2.0 */
/* helper.h - the process that forks keepers. Private to worker/spawn. */
#ifndef WORKER_SPAWN_HELPER_H
#define WORKER_SPAWN_HELPER_H

#include <sys/types.h>

/* The whole life of the helper, in a process just forked by WORKER: forks a keeper per message on
 * SOCKET, until that closes or the worker is gone; then returns when no process is left below. */
void spawn_helper_run(pid_t worker, int socket);

#endif
