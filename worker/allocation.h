/* SPDX-License-Identifier: Apache-2.0 */
/* allocation.h - what the cluster that started this process says of its time, by the environment:
 *
 *   DROVER_END_TIME, SLURM_JOB_END_TIME   when it ends, seconds since 1970
 *   DROVER_GRACE_S                        seconds from the request to leave to the kill
 *   SLURM_JOB_ID, SLURM_ARRAY_JOB_ID, SLURM_ARRAY_TASK_ID, SLURM_RESTART_COUNT
 *   KUBERNETES_SERVICE_HOST, JOB_COMPLETION_INDEX
 *
 * They are for times and for people, never an identity: a requeued job has the same numbers, and
 * two pods may have one index. Values that make no sense are ignored. */
#ifndef WORKER_ALLOCATION_H
#define WORKER_ALLOCATION_H

#include <stdint.h>

enum {
    ALLOCATION_GRACE_MS = 10000, /* of a cluster that does not say */
    ALONE_GRACE_MS = 60000,      /* of a worker started by hand */
    ALLOCATION_MARGIN_MS = 3000, /* a drain ends so long before the end */
};

struct allocation {
    char what[160];    /* "slurm job 17, task 3, restart 1"; "" when nobody says so */
    int64_t end_ms;    /* wall; 0: not known */
    uint64_t grace_ms; /* for a drain */
};

/* GET is getenv but in tests. */
void allocation_read(struct allocation *ret, char *(*get)(const char *name));
/* In how many ms to begin to drain, at NOW_MS (wall); UINT64_MAX: never. */
uint64_t allocation_leave_ms(const struct allocation *a, int64_t now_ms);

#endif
