/* SPDX-License-Identifier: Apache-2.0 */
/* invariant.c - everything agrees with everything, counted anew. */
#include "coordinator/core/core.h"

static bool heap_ok(const struct sched *s, uint32_t i, uint32_t root, heap_before *before)
{
    const struct job *j = &s->jobs[i];
    /* Nobody is better than the root, nor than the parent of the first child. */
    return root != NONE && !before(j, &s->jobs[root]) && (root == i) == (j->prev == NONE) &&
           IMPLIES(j->child != NONE,
                   s->jobs[j->child].prev == i && !before(&s->jobs[j->child], j)) &&
           IMPLIES(j->next != NONE, s->jobs[j->next].prev == i);
}

static bool job_ok(const struct sched *s, uint32_t i)
{
    const struct job *j = &s->jobs[i];
    const struct account *a = &s->accounts[j->account];
    bool has_lease = j->state == JOB_LEASED || j->state == JOB_CANCELLING;

    if (map_get(&s->job_by_id, j->row.id) != i || j->state > JOB_CANCELLING || !a->used ||
        a->id != j->row.experiment)
        return false;
    if (has_lease != (j->lease != NONE) || (j->held && !has_lease))
        return false;
    if (has_lease)
        return s->leases[j->lease].job == i && s->leases[j->lease].epoch == j->row.epoch;
    if (j->row.tries > j->row.retries || j->row.losses >= s->limits.losses_max)
        return false;
    if (j->state == JOB_RESTING)
        return heap_ok(s, i, s->resting_root, job_due_before);
    const struct demand *d = &s->demands[j->demand];
    return (s->demands_mask >> j->demand & 1) && d->class == j->row.class &&
           d->cores == j->row.cores && d->labels == j->row.labels &&
           d->memory_mib == j->row.memory_mib && d->alone == job_alone(s, &j->row) &&
           d->need == need_of_job(s, &j->row) &&
           heap_ok(s, i, s->queues[queue_of_job(j)].root, job_before);
}

static bool lease_ok(const struct sched *s, uint32_t i)
{
    const struct lease *l = &s->leases[i];

    return map_get(&s->lease_by_attempt, l->attempt) == i && !l->listed &&
           l->attempt < s->next_attempt && (l->job != NONE) == (l->state != LEASE_REVOKED) &&
           (l->worker != NONE) == (l->state != LEASE_WAITING) &&
           (l->by_time.linked == 1) == (l->state != LEASE_REVOKED) &&
           (l->by_owner.linked == 1) == (l->worker != NONE || l->holder != 0) &&
           IMPLIES(l->state == LEASE_WAITING, l->stored) &&
           IMPLIES(l->job != NONE, s->jobs[l->job].used && s->jobs[l->job].lease == i) &&
           IMPLIES(l->job != NONE && s->jobs[l->job].state == JOB_CANCELLING, l->stored) &&
           IMPLIES(l->worker != NONE, s->workers[l->worker].used);
}

/* What W holds, counted anew. */
static bool holdings_ok(const struct sched *s, uint32_t i)
{
    const struct worker *w = &s->workers[i];
    struct worker n = { .first_queued = NONE };

    for (uint32_t k = w->leases.head; k != NONE; k = list_next(&w->leases, k)) {
        const struct lease *l = &s->leases[k];
        bool special = l->cores > 0 || l->memory_mib > 0 || l->alone;
        if (l->worker != i)
            return false;
        n.used_len++;
        n.ran_len += l->ran;
        n.first_queued = l->ran || n.first_queued != NONE ? n.first_queued : k;
        n.special_len += special;
        n.special_cores += special ? MAX(l->cores, 1) : 0;
        n.memory_used += l->memory_mib;
        n.alone_len += l->alone;
        n.unknown_len += l->est_us == 0;
        n.ahead_us += l->est_us;
    }
    return n.used_len == w->used_len && n.ran_len == w->ran_len &&
           n.first_queued == w->first_queued && n.special_len == w->special_len &&
           n.special_cores == w->special_cores && n.memory_used == w->memory_used &&
           n.alone_len == w->alone_len && n.unknown_len == w->unknown_len &&
           n.ahead_us == w->ahead_us && n.used_len <= SCHED_CREDITS_MAX;
}

static bool worker_ok(const struct sched *s, uint32_t i)
{
    const struct worker *w = &s->workers[i];
    bool reached = w->peer != 0 && !w->quiet && !w->draining && !w->by_pause.linked;
    bool has_slot = reached && w->used_len < w->slots;

    for (uint64_t left = s->demands_mask; left != 0; left &= left - 1) {
        const struct demand *d = &s->demands[__builtin_ctzll(left)];
        bool reserved = s->reserved_worker == i &&
                        s->reserved_queue % DEMANDS != (uint32_t)__builtin_ctzll(left);
        if (((w->offers & left & -left) != 0) != worker_offers(w, d) ||
            ((w->fits & left & -left) != 0) !=
                (has_slot && !reserved && worker_offers(w, d) && worker_has_room(w, d)) ||
            ((w->ahead & left & -left) != 0) !=
                (w->ahead_at != NONE && worker_offers(w, d) && !demand_special(d)))
            return false;
    }
    return holdings_ok(s, i) && has_slot == (w->free_at != NONE) &&
           w->serves == need_served(s, w) && s->need_tick_ms <= need_changes_ms(s, w) &&
           map_get(&s->worker_by_id, w->id) == i &&
           IMPLIES(w->peer != 0, map_get(&s->worker_by_peer, w->peer) == i) &&
           IMPLIES(w->ahead_at != NONE, reached && !has_slot && s->ahead[w->ahead_at] == i &&
                                            w->special_len + w->unknown_len == 0) &&
           IMPLIES(has_slot, w->free_at < s->free_len && s->free[w->free_at] == i);
}

static bool demand_ok(const struct sched *s, uint32_t i)
{
    const struct demand *d = &s->demands[i];
    uint32_t queues = 0, able = 0, free_len = 0, ahead_len = 0;

    for (uint32_t a = 0; a < s->limits.experiments; a++)
        queues += s->queues[a * DEMANDS + i].len > 0;
    for (uint32_t w = 0; w < s->workers_top; w++) {
        able += (uint32_t)(s->workers[w].offers >> i & 1);
        free_len += (uint32_t)(s->workers[w].fits >> i & 1);
        ahead_len += (uint32_t)(s->workers[w].ahead >> i & 1);
    }
    return queues == d->queues && able == d->able && free_len == d->free_len &&
           ahead_len == d->ahead_len && d->stuck == (s->connected_len > 0 && able == 0);
}

/* An account and its queues, counted anew. */
static bool account_ok(const struct sched *s, uint32_t i)
{
    const struct account *a = &s->accounts[i];
    uint32_t ready = 0, stuck = 0, jobs = 0, resting = 0;
    uint64_t weight = 0, charged_us = 0, begun = 0;

    for (uint64_t left = s->demands_mask; left != 0; left &= left - 1) {
        uint32_t d = (uint32_t)__builtin_ctzll(left);
        const struct queue *q = &s->queues[i * DEMANDS + d];
        ready += q->len;
        stuck += s->demands[d].stuck ? q->len : 0;
        if ((q->len > 0) != (q->live_at != NONE) ||
            (q->len > 0 &&
             (s->live[q->live_at] != i * DEMANDS + d || q->id != s->jobs[q->root].row.id ||
              q->priority != s->jobs[q->root].row.priority)))
            return false;
    }
    for (uint32_t k = 0; k < s->jobs_top; k++) {
        const struct job *j = &s->jobs[k];
        if (!j->used || j->account != i)
            continue;
        jobs++;
        resting += j->state == JOB_RESTING;
        if (j->lease == NONE)
            continue;
        weight += s->leases[j->lease].weight;
        charged_us += s->leases[j->lease].charge_us * s->leases[j->lease].weight;
        begun += s->leases[j->lease].begun_ms * s->leases[j->lease].weight;
    }
    return map_get(&s->account_by_id, a->id) == i && ready == a->ready_len &&
           stuck == a->stuck_len && resting == a->resting_len && weight == a->weight &&
           jobs == ready + resting + a->leased_len && charged_us == a->charged_us &&
           begun == a->begun && (jobs > 0 || a->more || a->shut || s->loading == i) &&
           IMPLIES(account_wants(s, a), a->by_hunger.linked || s->loading != NONE);
}

/* Is LIST sorted by time, with LEN items? */
static bool sorted(const struct sched *s, const struct list *list, uint32_t len)
{
    uint64_t last_ms = 0;
    uint32_t n = 0;
    for (uint32_t i = list->head; i != NONE; i = list_next(list, i), n++) {
        if (s->leases[i].expires_ms < last_ms)
            return false;
        last_ms = s->leases[i].expires_ms;
    }
    return n == len;
}

static bool jobs_ok(const struct sched *s)
{
    uint32_t jobs = 0, ready = 0, resting = 0;
    for (uint32_t i = 0; i < s->jobs_top; i++) {
        jobs += s->jobs[i].used;
        ready += s->jobs[i].used && s->jobs[i].state == JOB_READY;
        resting += s->jobs[i].used && s->jobs[i].state == JOB_RESTING;
        if (s->jobs[i].used && !job_ok(s, i))
            return false;
    }
    return jobs == s->jobs_len && ready == s->ready_len && resting == s->resting_len;
}

static bool leases_ok(const struct sched *s)
{
    uint32_t leases = 0, waiting = 0, active = 0;
    for (uint32_t i = 0; i < s->leases_top; i++) {
        leases += s->leases[i].state != LEASE_FREE;
        waiting += s->leases[i].state == LEASE_WAITING;
        active += s->leases[i].state == LEASE_ACTIVE;
        if (s->leases[i].state != LEASE_FREE && !lease_ok(s, i))
            return false;
    }
    return leases == s->leases_len && waiting == s->waiting_len &&
           s->jobs_len == s->ready_len + s->resting_len + waiting + active &&
           sorted(s, &s->active, active) && sorted(s, &s->waiting, waiting);
}

static bool workers_ok(const struct sched *s)
{
    uint32_t workers = 0, connected = 0, limited = 0, free_len = 0, ahead_len = 0;
    for (uint32_t i = 0; i < s->workers_top; i++) {
        const struct worker *w = &s->workers[i];
        if (!w->used)
            continue;
        workers++;
        connected += w->peer != 0;
        limited += w->peer != 0 && w->until_ms != UINT64_MAX;
        free_len += w->free_at != NONE;
        ahead_len += w->ahead_at != NONE;
        if (!worker_ok(s, i))
            return false;
    }
    return workers == s->workers_len && connected == s->connected_len &&
           limited == s->limited_len && free_len == s->free_len && ahead_len == s->ahead_len &&
           (s->reserved_worker == NONE) == (s->reserved_queue == NONE);
}

bool sched_invariant(const struct sched *s)
{
    uint32_t accounts = 0;
    for (uint32_t i = 0; i < s->limits.experiments; i++) {
        accounts += s->accounts[i].used;
        if (s->accounts[i].used && !account_ok(s, i))
            return false;
    }
    for (uint64_t left = s->demands_mask; left != 0; left &= left - 1)
        if (!demand_ok(s, (uint32_t)__builtin_ctzll(left)))
            return false;
    return accounts == s->accounts_len && jobs_ok(s) && leases_ok(s) && workers_ok(s) &&
           s->next_attempt <= s->reserved_upto + 1;
}
