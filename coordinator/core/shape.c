/* SPDX-License-Identifier: Apache-2.0 */
/* shape.c - how long jobs of one shape take: an exponentially weighted mean of their results'
 * times, in sets of SHAPE_WAYS; the one that was longest not told of is replaced. */
#include "coordinator/core/core.h"

enum { WEIGHT = 8 }; /* of the mean, against one of a new result */

static struct shape *set_of(const struct sched *s, uint64_t shape)
{
    uint64_t sets = s->limits.shapes / SHAPE_WAYS;
    return s->shapes + (shape ^ shape >> 32) % sets * SHAPE_WAYS;
}

static struct shape *find(const struct sched *s, uint64_t shape)
{
    struct shape *set = set_of(s, shape);
    for (int i = 0; i < SHAPE_WAYS; i++)
        if (set[i].shape == shape)
            return &set[i];
    return NULL;
}

uint64_t shape_est(const struct sched *s, const struct sched_job *row)
{
    const struct shape *x = row->shape ? find(s, row->shape) : NULL;
    return x ? x->est_us : row->est_us;
}

void shape_learn(struct sched *s, const struct sched_job *row, uint64_t wall_us)
{
    if (row->shape == 0 || wall_us == 0)
        return;
    wall_us = MIN(wall_us, (uint64_t)1 << 44); /* half a year: room for the arithmetic */
    struct shape *x = find(s, row->shape);
    bool new = x == NULL;
    if (!x) {
        struct shape *set = set_of(s, row->shape);
        x = set;
        for (int i = 1; i < SHAPE_WAYS; i++)
            if (set[i].turn < x->turn)
                x = &set[i];
        uint64_t est_us = MIN(row->est_us, (uint64_t)1 << 44);
        *x = (struct shape){ .shape = row->shape, .est_us = est_us ? est_us : wall_us };
    }
    uint64_t before_us = x->est_us;
    x->est_us = MAX((before_us * (WEIGHT - 1) + wall_us + WEIGHT / 2) / WEIGHT, 1);
    x->turn = ++s->shape_turn;
    if (s->limited_len > 0)
        need_learned(s, new, before_us, x->est_us);
}
