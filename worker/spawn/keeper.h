/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h - the process that watches one program's tree. Private to worker/spawn. */
#ifndef WORKER_SPAWN_KEEPER_H
#define WORKER_SPAWN_KEEPER_H

/* The whole life of a keeper, in a process just forked by HELPER, with one thread: reads the order
 * from CONTROL, runs the program, ends its tree, tells the end. Returns when nothing is left. */
void spawn_keeper_run(int helper, int control, int output, int metrics);

#endif
