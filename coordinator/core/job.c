/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - one job's states, and the ready jobs of each class in a pairing heap (Fredman et al.
 * 1986): insert O(1), take the best or any O(log n) amortised, no memory of its own. */
#include <assert.h>

#include "coordinator/core/core.h"

/* The arrows of sched.h's diagram. */
static const unsigned may_become[SCHED_JOB_STATES] = {
    [JOB_READY] = BIT(JOB_LEASED) | BIT(JOB_CANCELLED),
    [JOB_LEASED] = BIT(JOB_READY) | BIT(JOB_CANCELLING) | BIT(JOB_DONE) | BIT(JOB_FAILED),
    [JOB_CANCELLING] = BIT(JOB_DONE) | BIT(JOB_CANCELLED),
    [JOB_DONE] = 0,
    [JOB_FAILED] = 0,
    [JOB_CANCELLED] = 0,
};

void job_init(struct sched *s)
{
    for (uint32_t i = 0; i < s->jobs_cap; i++)
        s->jobs[i] = (struct job){ .next = i + 1 < s->jobs_cap ? i + 1 : NONE };
    s->jobs_free = 0;
    for (size_t class = 0; class < SCHED_CLASSES; class ++)
        s->ready_root[class] = NONE;
}

struct job *job_find(const struct sched *s, uint64_t id)
{
    uint32_t i = map_get(&s->job_by_id, id);
    return i != NONE ? &s->jobs[i] : NULL;
}

bool job_before(const struct job *a, const struct job *b)
{
    if (a->row.priority != b->row.priority)
        return a->row.priority > b->row.priority;
    return a->row.id < b->row.id;
}

/* The better of the roots A and B (or NONE) with the other as its first child. */
static uint32_t meld(struct sched *s, uint32_t a, uint32_t b)
{
    if (a == NONE || b == NONE)
        return a == NONE ? b : a;
    if (job_before(&s->jobs[b], &s->jobs[a])) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    struct job *root = &s->jobs[a], *child = &s->jobs[b];
    child->next = root->child;
    child->prev = a;
    if (root->child != NONE)
        s->jobs[root->child].prev = b;
    root->child = b;
    return a;
}

/* One root of the siblings FIRST...: pairs from left to right, then all of them from right to left.
 */
static uint32_t meld_siblings(struct sched *s, uint32_t first)
{
    uint32_t pairs = NONE, root = NONE;
    while (first != NONE) {
        uint32_t a = first, b = s->jobs[a].next;
        first = b != NONE ? s->jobs[b].next : NONE;
        s->jobs[a].next = s->jobs[a].prev = NONE;
        if (b != NONE)
            s->jobs[b].next = s->jobs[b].prev = NONE;
        a = meld(s, a, b);
        s->jobs[a].next = pairs;
        pairs = a;
    }
    while (pairs != NONE) {
        uint32_t a = pairs;
        pairs = s->jobs[a].next;
        s->jobs[a].next = NONE;
        root = meld(s, root, a);
    }
    return root;
}

static void set_root(struct sched *s, uint8_t class, uint32_t root)
{
    s->ready_root[class] = root;
    if (root != NONE)
        s->ready_classes |= (uint64_t)1 << class;
    else
        s->ready_classes &= ~((uint64_t)1 << class);
}

static void ready_enter(struct sched *s, struct job *j)
{
    j->child = j->next = j->prev = NONE;
    uint8_t class = j->row.class;
    set_root(s, class, meld(s, s->ready_root[class], index_of_job(s, j)));
    s->ready_len++;
}

static void ready_leave(struct sched *s, struct job *j)
{
    uint32_t i = index_of_job(s, j), children = meld_siblings(s, j->child);
    uint8_t class = j->row.class;
    if (s->ready_root[class] == i) {
        set_root(s, class, children);
    } else {
        struct job *prev = &s->jobs[j->prev];
        if (prev->child == i)
            prev->child = j->next;
        else
            prev->next = j->next;
        if (j->next != NONE)
            s->jobs[j->next].prev = j->prev;
        set_root(s, class, meld(s, s->ready_root[class], children));
    }
    s->ready_len--;
}

struct job *job_add(struct sched *s, const struct sched_job *row, uint32_t lease)
{
    assert(row->id != 0 && row->class < SCHED_CLASSES && row->blobs_len <= SCHED_JOB_BLOBS);
    assert(s->jobs_free != NONE);
    uint32_t i = s->jobs_free;
    struct job *j = &s->jobs[i];
    s->jobs_free = j->next;
    *j = (struct job){ .row = *row, .used = true, .lease = lease };
    map_put(&s->job_by_id, row->id, i);
    s->jobs_len++;
    if (lease == NONE) {
        j->state = JOB_READY;
        ready_enter(s, j);
    } else {
        j->state = JOB_LEASED;
        s->leases[lease].job = i;
    }
    return j;
}

static void release(struct sched *s, struct job *j)
{
    map_remove(&s->job_by_id, j->row.id);
    *j = (struct job){ .next = s->jobs_free };
    s->jobs_free = index_of_job(s, j);
    s->jobs_len--;
}

void job_forget(struct sched *s, struct job *j)
{
    assert(j->state == JOB_READY);
    ready_leave(s, j);
    release(s, j);
}

void job_move(struct sched *s, struct job *j, enum sched_job_state next, enum sched_cause cause,
              uint32_t lease)
{
    assert(may_become[j->state] & BIT(next));
    assert((next == JOB_LEASED || next == JOB_CANCELLING) == (lease != NONE));
    if (j->state == JOB_READY)
        ready_leave(s, j);
    j->state = next;
    j->lease = lease;
    if (next != JOB_LEASED && next != JOB_DONE) {
        struct sched_action *a = act(s, ACT_STORE_JOB);
        a->job = j->row.id;
        a->state = next;
        a->cause = cause;
        a->tries = j->row.tries;
        a->losses = j->row.losses;
    }
    if (next == JOB_READY && !j->held) {
        ready_enter(s, j);
    } else if (next == JOB_READY) {
        s->more = s->more_since = true; /* the store gives it again when somebody wants it */
        release(s, j);
    } else if (may_become[next] == 0) {
        release(s, j);
    }
}

void job_end_attempt(struct sched *s, struct job *j, enum sched_cause cause, bool counted)
{
    bool over = false;

    if (cause == CAUSE_DONE || cause == CAUSE_DIVERGED) {
        job_move(s, j, JOB_DONE, cause, NONE);
        return;
    }
    if (cause == CAUSE_FAILED || cause == CAUSE_OOM || cause == CAUSE_TIMEOUT)
        over = ++j->row.tries > j->row.retries;
    else if (cause == CAUSE_LOST && counted)
        over = ++j->row.losses >= s->limits.losses_max;
    if (j->state == JOB_CANCELLING)
        job_move(s, j, JOB_CANCELLED, CAUSE_CANCELLED, NONE);
    else
        job_move(s, j, over ? JOB_FAILED : JOB_READY, cause, NONE);
}
