/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/launch/scale.h"

#include <assert.h>

#include "common/base/macros.h"

struct scale_limits scale_limits_default(unsigned target, unsigned slots)
{
    return (struct scale_limits){ .target = target,
                                  .backlog = 10,
                                  .slots = MAX(slots, 1u),
                                  .failures = 3,
                                  .pause_ms = 60000,
                                  .pause_max_ms = 3600000 };
}

void scale_init(struct scale *s, const struct scale_limits *limits)
{
    assert(limits->slots > 0 && limits->failures > 0);
    *s = (struct scale){ .limits = *limits, .pause_ms = limits->pause_ms };
}

/* Failures in a row end in a pause; who joins shows that it works. */
static void judge(struct scale *s, uint64_t now_ms, const struct scale_look *look)
{
    if (look->joined > 0 && !look->refused && look->failed == 0) {
        s->bad = 0;
        s->pause_ms = s->limits.pause_ms;
    }
    s->bad += look->failed + look->refused;
    if (s->bad < s->limits.failures)
        return;
    s->bad = 0;
    s->resume_ms = now_ms + s->pause_ms;
    s->pause_ms = MIN(s->pause_ms * 2, s->limits.pause_max_ms);
}

/* Once may be chance: a job that became ready a moment ago. */
static void look_for_stuck(struct scale *s, uint64_t now_ms, const struct scale_look *look)
{
    if (look->waiting == 0) {
        s->idle_looks = 0;
        s->stuck_jobs = 0;
        s->stuck_pause_ms = 0;
        return;
    }
    if (look->waiting > s->stuck_jobs && s->stuck_jobs > 0) { /* there is something new */
        s->stuck_jobs = 0;
        s->idle_looks = 0;
    }
    s->stuck_jobs = MIN(s->stuck_jobs, look->waiting);
    s->idle_looks = look->idle ? s->idle_looks + 1 : 0;
    if (s->idle_looks < 2)
        return;
    if (s->idle_looks == 2)
        s->stuck_pause_ms = s->stuck_pause_ms ? MIN(s->stuck_pause_ms * 2, s->limits.pause_max_ms)
                                              : s->limits.pause_ms;
    s->stuck_jobs = look->waiting;
    s->stuck_until_ms = now_ms + s->stuck_pause_ms;
}

struct scale_action scale_step(struct scale *s, uint64_t now_ms, const struct scale_look *look)
{
    const struct scale_limits *l = &s->limits;
    const uint64_t needed = (look->jobs + l->slots - 1) / l->slots;
    const uint64_t wanted = MIN(needed, (uint64_t)l->target);
    const uint64_t have = (uint64_t)look->pending + look->running;
    struct scale_action a = { .submit = 0 };

    judge(s, now_ms, look);
    look_for_stuck(s, now_ms, look);
    if (have > wanted) {
        /* All or none: a few too many leave by themselves. */
        a.cancel = look->running >= wanted ? look->pending : 0;
        return a;
    }
    a.paused = now_ms < s->resume_ms;
    a.stuck = s->stuck_jobs > 0 && now_ms < s->stuck_until_ms;
    if (!a.paused && !a.stuck && look->pending < l->backlog)
        a.submit = (unsigned)MIN(wanted - have, (uint64_t)(l->backlog - look->pending));
    return a;
}
