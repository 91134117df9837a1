/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h - one program, forked and executed. Private to worker/spawn. */
#ifndef WORKER_SPAWN_LAUNCH_H
#define WORKER_SPAWN_LAUNCH_H

#include "worker/spawn/spawn.h"

/* 0: *RET runs O's program, whose standard output and error are OUTPUT and whose descriptor 3 is
 * METRICS. Else the errno of what failed, *RET_STEP. The caller has one thread. */
int spawn_launch(const struct spawn_order *o, int output, int metrics, pid_t *ret,
                 enum spawn_step *ret_step);

#endif
