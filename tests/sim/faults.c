/* SPDX-License-Identifier: Apache-2.0 */
/* faults.c - what a seed means: the jobs, the cluster, the faults and when they strike. */
#include "tests/sim/sim.h"

enum { FAULTS_EVERY_MS = 50 };

const char *fault_name(enum fault f)
{
    static const char *const names[FAULTS] = {
        [F_CUT] = "cut",
        [F_DUPLICATE] = "duplicate",
        [F_REORDER] = "reorder",
        [F_PARTITION] = "partition",
        [F_KILL] = "kill",
        [F_STOP] = "stop",
        [F_DRAIN] = "drain",
        [F_CRASH] = "coordinator_crash",
        [F_STALL] = "coordinator_stall",
        [F_HANG] = "hang",
        [F_FAIL] = "fail",
        [F_POISON] = "poison",
        [F_CANCEL] = "cancel",
        [F_LATE_RESULT] = "late_result",
        [F_ADOPTED] = "adopted",
        [F_PAUSE] = "pause",
        [F_PRIORITY] = "priority",
        [F_RETRY] = "retry",
        [F_GO_ON] = "goes_on",
        [F_ORPHAN] = "orphan_checkpoint",
    };
    return names[f];
}

/* RATE with probability SHARE, else 0. */
static double sometimes(struct rng *r, double share, double rate)
{
    return rng_double(r) < share ? rate * rng_double(r) : 0;
}

struct sim_conf faults_of_seed(uint64_t seed)
{
    struct rng r = rng_stream("sim", seed, 0);
    struct sim_conf c = { .jobs = 5 + rng_below(&r, JOBS_MAX - 5),
                          .hosts = 1 + rng_below(&r, 4),
                          .slots = 1 + rng_below(&r, SLOTS_MAX),
                          .delay_min_ms = rng_below(&r, 3),
                          .delay_mean_ms = rng_below(&r, 20) };

    c.silent = rng_below(&r, 3) == 0;
    c.cut = sometimes(&r, 0.4, 0.5);
    c.duplicate = sometimes(&r, 0.3, 0.1);
    c.reorder = rng_below(&r, 4) == 0;
    c.partition = sometimes(&r, 0.4, 0.2);
    c.partition_ms = 100 + rng_below(&r, 2 * LEASE_MS);
    c.kill = sometimes(&r, 0.5, 0.3);
    c.stop = sometimes(&r, 0.4, 0.2);
    c.stop_ms = 100 + rng_below(&r, 2 * LEASE_MS);
    c.drain = sometimes(&r, 0.3, 0.3);
    c.crash = sometimes(&r, 0.5, 0.004);
    c.stall = sometimes(&r, 0.25, 0.4);
    c.group_ms = rng_below(&r, 3) * 5;
    c.hang = sometimes(&r, 0.3, 0.2);
    c.fail = sometimes(&r, 0.4, 0.4);
    c.poison = sometimes(&r, 0.2, 0.1);
    c.diverge = sometimes(&r, 0.2, 0.2);
    c.cancels = rng_below(&r, 3) == 0 ? 1 + rng_below(&r, 15) : 0;
    /* Often beyond reach, so that every healthy job must end DONE. */
    c.losses_max = rng_below(&r, 2) ? 5 : 1000;
    if (c.poison > 0)
        c.losses_max = 5;
    c.faults_end_ms = 12000;
    c.limit_ms = 200000;
    r = rng_stream("sim", seed, 3);
    c.controls = rng_below(&r, 2) ? 1 + rng_below(&r, CONTROLS_MAX - GROUPS) : 0;
    return c;
}

/* Some of the jobs without examples train. */
static void train_some(struct sim *m)
{
    struct rng r = rng_stream("sim", m->seed, 4);

    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct job_spec *s = &m->spec[j];
        if (s->examples > 0 || rng_below(&r, 3) == 0)
            continue;
        s->steps = 2 + rng_below(&r, STEPS_MAX - 2);
        s->every = 1 + rng_below(&r, 6);
        s->work_ms = MAX(1, s->work_ms / 10);
    }
}

void faults_specs(struct sim *m)
{
    struct rng r = rng_stream("sim", m->seed, 2);

    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct job_spec *s = &m->spec[j];
        s->row.id = j;
        s->row.priority = (int32_t)rng_below(&r, 3) - 1;
        s->row.class = rng_below(&r, 5) == 0;
        s->row.blobs_len = (uint8_t)rng_below(&r, 3);
        for (uint32_t i = 0; i < s->row.blobs_len; i++)
            s->row.blobs[i] = 1 + rng_below(&r, 6);
        s->row.retries = rng_below(&r, 3);
        s->examples = rng_below(&r, 4) ? 1 + rng_below(&r, 20) : 0;
        s->work_ms = s->examples ? 5 + rng_below(&r, 100) : 50 + rng_below(&r, 1500);
        for (uint32_t i = 0; j > 1 && i < NEEDS_MAX && rng_below(&r, 4) == 0; i++) {
            uint32_t other = 1 + rng_below(&r, j - 1);
            bool known = false;
            for (uint32_t k = 0; k < s->needs_len; k++)
                known |= s->needs[k] == other;
            if (!known)
                s->needs[s->needs_len++] = other;
        }
        s->hangs = rng_double(&r) < m->conf.hang;
        s->poison = rng_double(&r) < m->conf.poison;
        s->diverges = rng_double(&r) < m->conf.diverge;
        s->fails = rng_double(&r) < m->conf.fail ? 1 + rng_below(&r, 3) : 0;
    }
    train_some(m);
    for (uint32_t i = 0; i < m->conf.cancels; i++)
        sim_post(m,
                 (struct sim_event){ .kind = SE_CANCEL, .slot = 1 + rng_below(&r, m->conf.jobs) },
                 rng_below(&r, 6000));
}

static void partition(struct sim *m, uint32_t host)
{
    struct link *l = &m->link[host];
    uint64_t until_ms = m->now_ms + sim_about(m, m->conf.partition_ms);
    uint32_t ways = rng_below(&m->rng, 3); /* 0, 1: one way */

    sim_trace(m, "fault: host %u partitioned until %u (%s)", host, (unsigned)until_ms,
              ways == 0   ? "to the coordinator"
              : ways == 1 ? "from it"
                          : "both ways");
    m->fired[F_PARTITION] = true;
    for (uint32_t dir = 0; dir < 2; dir++)
        if (ways == 2 || ways == dir)
            l->blocked_until_ms[dir] = until_ms;
}

static void stop_host(struct sim *m, uint32_t host)
{
    struct host *h = &m->host[host];
    if (h->stopped_until_ms > m->now_ms)
        return; /* a second stop would put what waits for the first one's end out of order */
    m->fired[F_STOP] = true;
    h->stopped_until_ms = m->now_ms + sim_about(m, m->conf.stop_ms);
    sim_trace(m, "fault: worker=%u stopped until %u", (unsigned)h->worker,
              (unsigned)h->stopped_until_ms);
}

static void stall_coordinator(struct sim *m)
{
    uint64_t until_ms = m->now_ms + sim_about(m, m->conf.stop_ms);
    if (m->coord.stopped_until_ms > m->now_ms)
        return;
    m->fired[F_STALL] = true;
    sim_trace(m, "fault: coordinator stopped until %u", (unsigned)until_ms);
    m->coord.stopped_until_ms = until_ms;
    m->oracle.slack_until_ms = until_ms + LEASE_MS + QUIET_MS;
}

void faults_tick(struct sim *m)
{
    double dt = FAULTS_EVERY_MS / 1000.0;

    if (m->now_ms >= m->conf.faults_end_ms) {
        m->faults_on = false;
        sim_trace(m, "faults end");
        return;
    }
    for (uint32_t h = 0; h < m->conf.hosts; h++) {
        if (!m->host[h].alive)
            continue;
        if (sim_chance(m, m->conf.cut * dt))
            net_cut(m, h);
        if (sim_chance(m, m->conf.partition * dt))
            partition(m, h);
        if (sim_chance(m, m->conf.stop * dt))
            stop_host(m, h);
        if (sim_chance(m, m->conf.kill * dt)) {
            host_kill(m, h);
        } else if (sim_chance(m, m->conf.drain * dt) && m->host[h].stopped_until_ms <= m->now_ms) {
            m->fired[F_DRAIN] = true;
            sim_trace(m, "fault: worker=%u drains", (unsigned)m->host[h].worker);
            host_agent(m, h, AGENT_EV_DRAIN);
        }
    }
    if (m->coord.up && sim_chance(m, m->conf.stall * dt))
        stall_coordinator(m);
    sim_post(m, (struct sim_event){ .kind = SE_FAULTS }, FAULTS_EVERY_MS);
}
