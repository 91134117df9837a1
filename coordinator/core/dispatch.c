/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - the best ready job to the best worker that can take it, until one of them runs out.
 *
 * Jobs: priority, then id (job_before). Workers, among those that can take a lease and offer the
 * job's class: more of the job's blobs, then the smaller share of credits in use, then the older.
 * In the steady state a result frees one credit and one job follows it: O(classes + log jobs). */
#include <assert.h>

#include "coordinator/core/core.h"

/* Workers looked at for one job. Exact up to so many free ones; a larger crowd of idle workers is
 * sampled, or a burst of 4096 jobs over 10,000 idle workers would look 40 million times. */
enum { LOOK_AT_MAX = 256 };

/* The best ready job that some free worker may run; NULL: none. */
static struct job *next_job(const struct sched *s)
{
    struct job *best = NULL;
    for (uint64_t left = s->ready_classes; left != 0; left &= left - 1) {
        int class = __builtin_ctzll(left);
        struct job *j = &s->jobs[s->ready_root[class]];
        if (s->class_free[class] > 0 && (!best || job_before(j, best)))
            best = j;
    }
    return best;
}

static uint32_t blobs_of(const struct sched *s, const struct worker *w, const struct job *j)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < j->row.blobs_len; i++)
        n += worker_has_blob(s, w, j->row.blobs[i]);
    return n;
}

/* Is A, which has A_BLOBS of the job's blobs, better than B with B_BLOBS? */
static bool better(const struct worker *a, uint32_t a_blobs, const struct worker *b,
                   uint32_t b_blobs)
{
    if (a_blobs != b_blobs)
        return a_blobs > b_blobs;
    uint64_t a_load = (uint64_t)a->used_len * b->credits;
    uint64_t b_load = (uint64_t)b->used_len * a->credits;
    return a_load != b_load ? a_load < b_load : a->order < b->order;
}

static struct worker *best_worker(const struct sched *s, const struct job *j)
{
    struct worker *best = NULL;
    uint32_t best_blobs = 0, looked_at = 0;

    for (uint32_t i = 0; i < s->free_len && looked_at < LOOK_AT_MAX; i++) {
        struct worker *w = &s->workers[s->free[i]];
        if (!(w->classes >> j->row.class & 1))
            continue;
        looked_at++;
        uint32_t blobs = blobs_of(s, w, j);
        if (!best || better(w, blobs, best, best_blobs)) {
            best = w;
            best_blobs = blobs;
        }
    }
    return best;
}

void dispatch(struct sched *s)
{
    struct job *j = NULL;
    while (s->leases_free != NONE && (j = next_job(s)) != NULL && out_room(s)) {
        struct worker *w = best_worker(s, j);
        assert(w && w->used_len < w->credits);
        lease_grant(s, j, w);
    }
}
