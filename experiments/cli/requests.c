/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/requests.h"

#include <string.h>
#include <unistd.h>

static bool has_label(const struct runner *r, const char *label)
{
    for (size_t i = 0; i < r->labels_len; i++)
        if (strcmp(r->label[i], label) == 0)
            return true;
    return false;
}

static int check_job(const struct runner *r, const struct plan_job *j, uint64_t memory_mib,
                     struct err *err)
{
    const size_t cores = r->slots * r->threads;

    if (j->cores > cores)
        return err_set(err, ERR_INVALID,
                       "step %s asks for %u cores, a worker of this run has %zu; say --workers 1 "
                       "--threads %u, or fewer cores in the recipe",
                       j->step, j->cores, cores, j->cores);
    if (memory_mib > 0 && j->memory_mib > memory_mib)
        return err_set(err, ERR_INVALID,
                       "step %s asks for %llu MiB of memory, this computer has %llu; ask for less "
                       "with --set %s.memory=..., or name a coordinator with larger workers",
                       j->step, (unsigned long long)j->memory_mib, (unsigned long long)memory_mib,
                       j->step);
    for (size_t i = 0; i < j->labels_len; i++)
        if (!has_label(r, j->label[i]))
            return err_set(err, ERR_INVALID,
                           "step %s requires \"%s\"; if this computer has it, say --label %s",
                           j->step, j->label[i], j->label[i]);
    return 0;
}

int requests_share(struct runner *r, bool chosen, const struct plan *plan, size_t cores,
                   uint64_t memory_mib, struct err *err)
{
    uint32_t most = 0;
    bool asks = false;
    int rc = 0;

    r->slots = 1;
    for (size_t i = 0; i < plan->jobs_len; i++) {
        most = MAX(most, plan->job[i].cores);
        asks = asks || plan->job[i].cores > 1 || plan->job[i].memory_mib > 0;
    }
    if (asks && !chosen) { /* one worker that knows of everything that is free */
        const size_t want = MIN((size_t)most, cores);
        r->threads = MAX(r->threads, want);
        r->workers = 1;
        r->slots = MAX(cores / r->threads, (size_t)1);
    }
    for (size_t i = 0; rc == 0 && i < plan->jobs_len; i++)
        rc = check_job(r, &plan->job[i], memory_mib, err);
    return rc;
}

uint64_t requests_memory_mib(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page >> 20 : 0;
}
