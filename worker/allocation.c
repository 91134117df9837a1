/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/allocation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/macros.h"

enum { GRACE_MAX_S = 86400 };
static const int64_t year_2100_s = 4102444800;

/* A whole number 0..MAX; -1: none. */
static int64_t number(char *(*get)(const char *name), const char *name, int64_t max)
{
    const char *text = get(name);
    char *end;

    if (!text || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && v <= max ? v : -1;
}

static void name_slurm(struct allocation *a, char *(*get)(const char *name))
{
    const int64_t array = number(get, "SLURM_ARRAY_JOB_ID", INT64_MAX);
    const int64_t task = number(get, "SLURM_ARRAY_TASK_ID", INT64_MAX);
    const int64_t job = number(get, "SLURM_JOB_ID", INT64_MAX);
    const int64_t restart = number(get, "SLURM_RESTART_COUNT", INT64_MAX);
    int len =
        snprintf(a->what, sizeof(a->what), "slurm job %lld", (long long)(array >= 0 ? array : job));

    if (task >= 0)
        len +=
            snprintf(a->what + len, sizeof(a->what) - (size_t)len, ", task %lld", (long long)task);
    if (restart > 0)
        (void)snprintf(a->what + len, sizeof(a->what) - (size_t)len, ", restart %lld",
                       (long long)restart);
}

void allocation_read(struct allocation *ret, char *(*get)(const char *name))
{
    int64_t end_s = number(get, "DROVER_END_TIME", year_2100_s);
    const int64_t grace_s = number(get, "DROVER_GRACE_S", GRACE_MAX_S);
    const int64_t index = number(get, "JOB_COMPLETION_INDEX", INT64_MAX);

    *ret = (struct allocation){ .grace_ms = ALONE_GRACE_MS };
    if (get("SLURM_JOB_ID"))
        name_slurm(ret, get);
    else if (get("KUBERNETES_SERVICE_HOST") && index >= 0)
        (void)snprintf(ret->what, sizeof(ret->what), "kubernetes, index %lld", (long long)index);
    else if (get("KUBERNETES_SERVICE_HOST"))
        (void)snprintf(ret->what, sizeof(ret->what), "kubernetes");
    if (ret->what[0])
        ret->grace_ms = ALLOCATION_GRACE_MS;
    if (grace_s > 0)
        ret->grace_ms = (uint64_t)grace_s * 1000;
    if (end_s < 0)
        end_s = number(get, "SLURM_JOB_END_TIME", year_2100_s);
    ret->end_ms = MAX(end_s, (int64_t)0) * 1000;
}

uint64_t allocation_leave_ms(const struct allocation *a, int64_t now_ms)
{
    const int64_t at_ms = a->end_ms - (int64_t)a->grace_ms - ALLOCATION_MARGIN_MS;

    if (a->end_ms == 0)
        return UINT64_MAX;
    return at_ms > now_ms ? (uint64_t)(at_ms - now_ms) : 0;
}
