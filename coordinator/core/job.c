/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - one job's states, and what an attempt's end makes of it. */
#include <assert.h>

#include "coordinator/core/core.h"

/* The arrows of sched.h's diagram. */
static const unsigned may_become[SCHED_JOB_STATES] = {
    [JOB_READY] = BIT(JOB_LEASED) | BIT(JOB_CANCELLED),
    [JOB_RESTING] = BIT(JOB_READY) | BIT(JOB_CANCELLED),
    [JOB_LEASED] =
        BIT(JOB_READY) | BIT(JOB_RESTING) | BIT(JOB_CANCELLING) | BIT(JOB_DONE) | BIT(JOB_FAILED),
    [JOB_CANCELLING] = BIT(JOB_DONE) | BIT(JOB_CANCELLED),
    [JOB_DONE] = 0,
    [JOB_FAILED] = 0,
    [JOB_CANCELLED] = 0,
};

/* What an end that is no result costs the job. */
static const struct policy {
    bool tries, losses;
} policies[SCHED_CAUSES_LEN] = {
    [CAUSE_FAILED] = { .tries = true },
    [CAUSE_OOM] = { .tries = true },
    [CAUSE_TIMEOUT] = { .tries = true },
    [CAUSE_LOST] = { .losses = true },
};

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

bool job_due_before(const struct job *a, const struct job *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->row.id < b->row.id;
}

bool job_alone(const struct sched *s, const struct sched_job *row)
{
    return row->losses >= s->limits.quarantine;
}

/* The rest after the N-th mishap, N > 0. */
static uint64_t rest_ms(const struct sched *s, uint32_t n)
{
    uint64_t ms = (uint64_t)s->limits.backoff_ms << MIN(n - 1, 31);
    return MIN(ms, s->limits.backoff_max_ms);
}

static void release(struct sched *s, struct job *j)
{
    struct account *a = &s->accounts[j->account];
    map_remove(&s->job_by_id, j->row.id);
    *j = (struct job){ .next = s->jobs_free };
    s->jobs_free = index_of_job(s, j);
    s->jobs_len--;
    account_tidy(s, a);
}

/* J, which is in state READY or RESTING now, finds its place; false: there is none for what it
 * asks. */
static bool settle_in(struct sched *s, struct job *j)
{
    if (j->state == JOB_RESTING) {
        s->resting_root = heap_put(s, s->resting_root, index_of_job(s, j), job_due_before);
        s->resting_len++;
        s->accounts[j->account].resting_len++;
        return true;
    }
    int demand = demand_get(s, &j->row);
    if (demand < 0)
        return false;
    j->demand = (uint8_t)demand;
    queue_enter(s, j);
    return true;
}

static void leave(struct sched *s, struct job *j)
{
    struct account *a = &s->accounts[j->account];
    if (j->state == JOB_READY) {
        queue_leave(s, j);
    } else if (j->state == JOB_RESTING) {
        s->resting_root = heap_take(s, s->resting_root, index_of_job(s, j), job_due_before);
        s->resting_len--;
        a->resting_len--;
        account_hunger(s, a);
    } else {
        a->leased_len--;
    }
}

struct job *job_add(struct sched *s, const struct sched_job *row, uint32_t account, uint32_t lease)
{
    assert(row->id != 0 && row->class < SCHED_CLASSES && row->blobs_len <= SCHED_JOB_BLOBS);
    uint32_t i = s->jobs_free != NONE ? s->jobs_free : s->jobs_top++;
    assert(i < s->jobs_cap);
    struct job *j = &s->jobs[i];
    if (i == s->jobs_free)
        s->jobs_free = j->next;
    *j = (struct job){ .row = *row, .used = true, .lease = lease, .account = account };
    map_put(&s->job_by_id, row->id, i);
    s->jobs_len++;
    if (lease != NONE) {
        j->state = JOB_LEASED;
        s->accounts[account].leased_len++;
        s->leases[lease].job = i;
        return j;
    }
    j->state = row->tries > 0 ? JOB_RESTING : JOB_READY;
    if (row->tries > 0)
        j->due_ms = s->now_ms + rest_ms(s, row->tries);
    if (!settle_in(s, j)) {
        release(s, j);
        return NULL;
    }
    return j;
}

void job_forget(struct sched *s, struct job *j)
{
    assert(j->state == JOB_READY || j->state == JOB_RESTING);
    leave(s, j);
    release(s, j);
}

/* Back to the store, which gives it again when somebody wants it. */
static void hand_back(struct sched *s, struct job *j)
{
    struct account *a = &s->accounts[j->account];
    if (!j->held)
        a->shut = true; /* nor can it be placed */
    account_more(s, a, true);
    release(s, j);
}

void job_requeue(struct sched *s, struct job *j)
{
    assert(j->state == JOB_READY);
    leave(s, j);
    if (!settle_in(s, j))
        hand_back(s, j);
}

void job_move(struct sched *s, struct job *j, enum sched_job_state next, enum sched_cause cause,
              uint32_t lease)
{
    enum sched_job_state from = j->state;

    assert(may_become[from] & BIT(next));
    assert((next == JOB_LEASED || next == JOB_CANCELLING) == (lease != NONE));
    leave(s, j);
    j->state = next;
    j->lease = lease;
    bool rested = from == JOB_RESTING && next == JOB_READY; /* the store says READY all the time */
    if (next != JOB_LEASED && next != JOB_DONE && !rested) {
        struct sched_action *a = act(s, ACT_STORE_JOB);
        a->job = j->row.id;
        a->state = next == JOB_RESTING ? JOB_READY : next;
        a->cause = cause;
        a->tries = j->row.tries;
        a->losses = j->row.losses;
    }
    if (lease != NONE)
        s->accounts[j->account].leased_len++;
    else if (may_become[next] == 0)
        release(s, j);
    else if (j->held || !settle_in(s, j))
        hand_back(s, j);
}

static enum sched_job_state after_mishap(struct sched *s, struct job *j, enum sched_cause cause,
                                         bool counted)
{
    struct policy policy = policies[cause];

    if (policy.tries) {
        j->due_ms = s->now_ms + rest_ms(s, ++j->row.tries);
        return j->row.tries > j->row.retries ? JOB_FAILED : JOB_RESTING;
    }
    if (!policy.losses || !counted)
        return JOB_READY;
    if (++j->row.losses >= s->limits.losses_max)
        return JOB_FAILED;
    if (j->row.losses < s->limits.quarantine)
        return JOB_READY;
    if (j->row.losses == s->limits.quarantine)
        act_trace(s, TRACE_QUARANTINE, NULL)->job = j->row.id;
    j->due_ms = s->now_ms + rest_ms(s, j->row.losses - s->limits.quarantine + 1);
    return JOB_RESTING;
}

void job_end_attempt(struct sched *s, struct job *j, enum sched_cause cause, bool counted)
{
    if (cause == CAUSE_DONE || cause == CAUSE_DIVERGED) {
        job_move(s, j, JOB_DONE, cause, NONE);
        return;
    }
    enum sched_job_state next = after_mishap(s, j, cause, counted);
    if (j->state == JOB_CANCELLING)
        job_move(s, j, JOB_CANCELLED, CAUSE_CANCELLED, NONE);
    else
        job_move(s, j, next, cause, NONE);
}

void job_tick(struct sched *s)
{
    while (s->resting_root != NONE && s->jobs[s->resting_root].due_ms <= s->now_ms)
        job_move(s, &s->jobs[s->resting_root], JOB_READY, CAUSE_DONE, NONE);
}
