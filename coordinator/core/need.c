/* SPDX-License-Identifier: Apache-2.0 */
/* need.c - how much time jobs need at a worker, and how much workers have before they leave. Both
 * are counted in steps of a quarter of an octave: step 1 is left_min_ms, the next ones are 1.25,
 * 1.5, 1.75, 2, 2.5... times that. A need is rounded up, which leaves room for jobs that take
 * longer than the mean; a worker's time is rounded down.
 *
 * As long as no connected worker has an end, all jobs need step 1: the steps cost nothing then. */
#include "coordinator/core/core.h"

/* STEP >= 1 */
static uint64_t need_ms(const struct sched *s, uint8_t step)
{
    uint32_t n = step - 1u;
    return (((uint64_t)s->limits.left_min_ms * (4 + n % 4)) << n / 4) / 4;
}

static uint8_t need_of_time(const struct sched *s, uint64_t est_us)
{
    uint64_t est_ms = (est_us + 999) / 1000;
    uint8_t step = 1;
    while (step < NEED_MAX && need_ms(s, step) < est_ms)
        step++;
    return step;
}

uint8_t need_of_job(const struct sched *s, const struct sched_job *row)
{
    if (s->limited_len == 0 || row->resumes)
        return 1;
    return need_of_time(s, shape_est(s, row));
}

uint8_t need_served(const struct sched *s, const struct worker *w)
{
    uint64_t left_ms = w->until_ms - MIN(w->until_ms, s->now_ms);
    uint8_t step = 0;
    if (w->until_ms == UINT64_MAX)
        return NEED_MAX;
    while (step < NEED_MAX && need_ms(s, step + 1) <= left_ms)
        step++;
    return step;
}

uint64_t need_changes_ms(const struct sched *s, const struct worker *w)
{
    if (w->until_ms == UINT64_MAX || w->serves == 0)
        return UINT64_MAX;
    return w->until_ms - need_ms(s, w->serves) + 1;
}

void need_count_limited(struct sched *s, int change)
{
    bool before = s->limited_len > 0;
    s->limited_len += (uint32_t)change;
    s->needs_changed |= before != (s->limited_len > 0);
}

void need_learned(struct sched *s, bool new, uint64_t before_us, uint64_t after_us)
{
    s->needs_changed |= new || need_of_time(s, before_us) != need_of_time(s, after_us);
}

void need_tick(struct sched *s)
{
    if (s->now_ms < s->need_tick_ms)
        return;
    s->need_tick_ms = UINT64_MAX;
    for (uint32_t i = 0; i < s->workers_top; i++)
        if (s->workers[i].used && s->workers[i].until_ms != UINT64_MAX)
            worker_look_at_time(s, &s->workers[i]);
}

void needs_review(struct sched *s)
{
    for (uint32_t i = 0; i < s->jobs_top; i++) {
        struct job *j = &s->jobs[i];
        if (j->used && j->state == JOB_READY &&
            s->demands[j->demand].need != need_of_job(s, &j->row))
            job_requeue(s, j);
    }
}
