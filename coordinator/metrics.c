/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - the gauges, looked at when somebody wants to see them. */
#include <stdio.h>
#include <sys/stat.h>

#include "coordinator/shell.h"

static uint64_t wal_bytes(const struct server *s)
{
    char path[STORE_PATH_MAX + 8];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s-wal", store_path(s->store));
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

const struct shell_metrics *shell_metrics(struct server *s)
{
    struct sched_counts c = sched_counts(s->sched);
    struct shell_metrics *m = &s->metrics;

    m->jobs_ready = c.ready;
    m->jobs_leased = c.leased;
    m->workers = c.workers;
    m->workers_free = c.workers_free;
    m->questions = asker_waiting(s->asker) + asker_waiting(s->status_asker);
    m->wal_bytes = wal_bytes(s);
    return m;
}
