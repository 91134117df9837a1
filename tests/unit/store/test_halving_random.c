/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: halving's jobs end where the decisions say, whatever the history. Method: the chain of
 * halving_plan.h in random histories of submissions, cancels, ends and decisions, with two ways to
 * set gates, against an oracle that keeps the rules as sets. */
#include "tests/unit/store/halving_plan.h"

#include "common/base/rng.h"

static const struct halving_options halved = { .name = "halved" };
static const struct halving_options plain = { .name = "plain", .plain = true };

/* The oracle: who claims what, what ended how. */

enum { SELECTS = RUNGS - 1, JOBS = RUNGS * POINTS + SELECTS, SELECT0 = RUNGS * POINTS };
enum ended { OPEN, DONE, DIVERGED, FAILED, SKIPPED, CANCELLED };

struct oracle {
    bool nearest;
    bool known[JOBS], ready_select[SELECTS], live[2]; /* live: experiments halved, plain */
    bool submitted[2];
    enum ended end[JOBS];
    unsigned mask[SELECTS];
};

static unsigned rung_of(unsigned job)
{
    return job < SELECT0 ? job / POINTS : job - SELECT0;
}

static bool exists(unsigned job)
{
    return job >= SELECT0 || job_at(job / POINTS, job % POINTS) == job % POINTS;
}

/* Select job K gates JOB. */
static bool gated_by(const struct oracle *o, unsigned job, unsigned k)
{
    if (o->nearest)
        return job < SELECT0 && rung_of(job) == k + 1;
    return k < rung_of(job);
}

static bool claims(unsigned job, unsigned point)
{
    return job >= SELECT0 || job_at(job / POINTS, point) == job % POINTS;
}

struct verdict {
    unsigned hold, wait, stuck, refused, alive;
};

static struct verdict look(const struct oracle *o, unsigned job)
{
    struct verdict v = { 0 };

    for (unsigned p = 0; p < POINTS; p++) {
        bool refused = false, wait = false, stuck = false;

        if (!claims(job, p))
            continue;
        for (unsigned k = 0; k < SELECTS; k++) {
            if (!gated_by(o, job, k))
                continue;
            enum ended end = o->end[SELECT0 + k];

            refused |= end == DONE && !((o->mask[k] >> candidate_at(p)) & 1);
            wait |= end == OPEN;
            stuck |= end != OPEN && end != DONE;
        }
        v.refused += o->submitted[0] && refused;
        if (o->live[0] && !refused) {
            v.alive++;
            v.stuck += stuck;
            v.wait += wait && !stuck;
            v.hold += !wait && !stuck;
        }
        if (o->live[1] && job < SELECT0) {
            v.alive++;
            v.hold++;
        }
    }
    return v;
}

static bool taken(const struct oracle *o, unsigned job)
{
    struct verdict v = look(o, job);

    return rung_of(job) > 0 && o->submitted[0] && v.hold == 0 && v.wait == 0 &&
           v.stuck + v.refused > 0;
}

static unsigned need_of(unsigned job)
{
    unsigned rung = rung_of(job);

    return (rung - 1) * POINTS + job_at(rung - 1, job % POINTS);
}

static bool all_ended(const struct oracle *o, unsigned rung)
{
    for (unsigned p = 0; p < POINTS; p++)
        if (o->end[rung * POINTS + job_at(rung, p)] == OPEN)
            return false;
    return true;
}

/* Has the job before made it impossible? */
static bool never(const struct oracle *o, unsigned job)
{
    if (rung_of(job) == 0)
        return false;
    if (job >= SELECT0) { /* only the decision in front of it */
        enum ended front = o->end[job - 1];
        return o->nearest && all_ended(o, rung_of(job)) && front != OPEN && front != DONE;
    }
    enum ended end = o->end[need_of(job)];
    return end == DIVERGED || end == FAILED || end == SKIPPED;
}

static void oracle_skip(struct oracle *o)
{
    for (int again = 0; again < RUNGS * 2; again++)
        for (unsigned j = 0; j < JOBS; j++)
            if (o->known[j] && exists(j) && o->end[j] == OPEN && (never(o, j) || taken(o, j)))
                o->end[j] = SKIPPED;
}

static void oracle_selects(struct oracle *o)
{
    for (unsigned k = 0; k < SELECTS; k++) {
        struct verdict v = look(o, SELECT0 + k);

        if (o->known[SELECT0 + k] && o->end[SELECT0 + k] == OPEN && all_ended(o, k) &&
            (k == 0 || (v.hold > 0 && o->end[SELECT0 + k - 1] == DONE)))
            o->ready_select[k] = true;
    }
}

static void oracle_withdraw(struct oracle *o, unsigned experiment)
{
    oracle_skip(o);
    for (unsigned j = 0; j < JOBS; j++)
        if (exists(j) && o->end[j] == OPEN && o->known[j] && look(o, j).alive == 0 &&
            (experiment == 0 || j < SELECT0))
            o->end[j] = CANCELLED;
    oracle_selects(o);
}

static void oracle_submit(struct oracle *o, unsigned experiment)
{
    o->live[experiment] = o->submitted[experiment] = true;
    for (unsigned j = 0; j < JOBS; j++) {
        if (experiment == 1 && j >= SELECT0)
            continue;
        o->known[j] = true;
        if (o->end[j] != DONE && o->end[j] != DIVERGED)
            o->end[j] = OPEN;
        if (j >= SELECT0)
            o->ready_select[j - SELECT0] = false;
    }
    oracle_withdraw(o, experiment);
}

static const char *oracle_state(const struct oracle *o, unsigned job)
{
    static const char *const words[] = { "", "DONE", "DONE", "FAILED", "SKIPPED", "CANCELLED" };
    struct verdict v = look(o, job);

    if (o->end[job] != OPEN)
        return words[o->end[job]];
    if (job >= SELECT0)
        return o->ready_select[job - SELECT0] ? "READY" : "WAITING";
    bool waits = rung_of(job) > 0 && o->end[need_of(job)] != DONE;
    return waits || v.hold == 0 ? "WAITING" : "READY";
}

static uint64_t id_of(const struct halving *h, unsigned job)
{
    return job < SELECT0 ? h->job[job / POINTS][job % POINTS] : h->select[job - SELECT0];
}

static void compare(struct store *s, const struct oracle *o, const struct halving *h, int round,
                    int step)
{
    char st[16];

    for (unsigned j = 0; j < JOBS; j++)
        if (exists(j) && o->known[j] &&
            strcmp(state_of(s, id_of(h, j), st), oracle_state(o, j)) != 0)
            fail_msg("history %d, step %d: job %u (rung %u) is %s, not %s", round, step, j,
                     rung_of(j), st, oracle_state(o, j));
}

static void random_end(struct store *s, struct oracle *o, const struct halving *h, struct rng *r)
{
    unsigned ready[JOBS], n = 0;

    for (unsigned j = 0; j < JOBS; j++)
        if (exists(j) && o->known[j] && strcmp(oracle_state(o, j), "READY") == 0)
            ready[n++] = j;
    if (n == 0)
        return;
    unsigned j = ready[rng_below(r, n)], chance = rng_below(r, 12);
    enum ended end = chance == 0 ? FAILED : chance == 1 && j < SELECT0 ? DIVERGED : DONE;
    o->end[j] = end;
    if (j >= SELECT0)
        o->ready_select[j - SELECT0] = false;
    if (j >= SELECT0 && end == DONE)
        decide(s, id_of(h, j), o->mask[j - SELECT0], NULL);
    else
        end_job(s, id_of(h, j),
                end == FAILED     ? STORE_FAILED
                : end == DIVERGED ? STORE_DIVERGED
                                  : STORE_DONE,
                "model", "m", j, NULL);
    oracle_skip(o);
    oracle_selects(o);
}

static void random_step(struct store *s, struct oracle *o, struct halving *h, struct rng *r)
{
    unsigned what = rng_below(r, 24), experiment = rng_below(r, 2);
    struct halving_options options = experiment ? plain : halved;
    struct halving made;

    options.nearest = o->nearest;

    if (what == 0) {
        submit_halving(s, options, &made);
        memcpy(h->job, made.job, sizeof h->job);
        if (experiment == 0)
            memcpy(h->select, made.select, sizeof h->select);
        oracle_submit(o, experiment);
    } else if (what == 1 && o->submitted[experiment]) {
        begin(s);
        OK(store_cancel(s, options.name, NULL, err));
        commit(s);
        o->live[experiment] = false;
        oracle_withdraw(o, experiment);
    } else {
        random_end(s, o, h, r);
    }
}

static void random_histories_end_where_the_oracle_says(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct rng r = rng_stream("test halving", 1, (uint64_t)round);
        struct oracle o = { .mask = { 1 + rng_below(&r, 15) } };
        struct halving h = { 0 };
        struct fixture *f;

        o.mask[1] = o.mask[0] & (1 + rng_below(&r, 15));
        o.mask[1] = o.mask[1] ? o.mask[1] : o.mask[0];
        setup((void **)&f);
        o.nearest = round % 2;
        struct halving_options options = halved;
        options.nearest = o.nearest;
        submit_halving(f->s, options, &h);
        oracle_submit(&o, 0);
        for (int step = 0; step < 90; step++) {
            compare(f->s, &o, &h, round, step);
            random_step(f->s, &o, &h, &r);
        }
        void *done = f;
        teardown(&done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_end_where_the_oracle_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
