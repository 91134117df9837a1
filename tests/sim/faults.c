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
        [F_CRASH_STORE] = "crash_between_stores",
        [F_CRASH_COMMIT] = "crash_before_commit",
        [F_CRASH_ACK] = "crash_after_commit",
        [F_CRASH_SEND] = "crash_between_sends",
        [F_STALL] = "coordinator_stall",
        [F_LEAP] = "coordinator_clock_leap",
        [F_HOST_LEAP] = "worker_clock_leap",
        [F_SLOW_DISK] = "slow_disk",
        [F_FULL_DISK] = "full_disk",
        [F_LOSS] = "loss_on_reconnect",
        [F_REUSE] = "peer_id_reused",
        [F_TWICE] = "told_twice",
        [F_KILL_QUEUE] = "killed_with_queue",
        [F_QUEUED] = "lease_waits",
        [F_WITHDRAWN] = "lease_withdrawn",
        [F_REFUSED] = "lease_refused",
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
        [F_DRAIN_NAMED] = "drained_by_name",
        [F_AHEAD] = "lease_ahead",
        [F_BACKOFF] = "backoff",
        [F_QUARANTINE] = "quarantine",
        [F_RESERVED] = "worker_reserved",
        [F_UNSTORED_LATE] = "late_unstored_result",
        [F_UNSTORED_DROPPED] = "unstored_dropped",
        [F_MOVED] = "job_changes_owner",
        [F_ENDS] = "lease_until_an_end",
        [F_LEAVES] = "allocation_ends",
        [F_PASSED] = "passes_a_longer_one",
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
    if (rng_below(&r, 2)) {
        c.crash_action = sometimes(&r, 0.8, 0.004);
        c.crash_commit = sometimes(&r, 0.8, 0.008);
        c.crash_send = sometimes(&r, 0.8, 0.008);
    }
    c.stall = sometimes(&r, 0.25, 0.4);
    c.leap = sometimes(&r, 0.25, 0.3);
    c.leap_ms = 100 + rng_below(&r, 3 * LEASE_MS);
    c.slow_disk = sometimes(&r, 0.3, 0.1);
    c.slow_ms = 20 + rng_below(&r, LEASE_MS);
    c.full_disk = sometimes(&r, 0.25, 0.15);
    c.full_ms = 100 + rng_below(&r, 2 * LEASE_MS);
    c.reuse = rng_below(&r, 4) == 0;
    c.twice = sometimes(&r, 0.3, 0.2);
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
    c.queue = rng_below(&r, 4) ? 1 + rng_below(&r, QUEUE_MAX) : 0;
    c.resources = rng_below(&r, 2);
    c.quick = rng_below(&r, 2) == 0;
    c.quarantine = 2 + rng_below(&r, 2);
    c.experiments = rng_below(&r, 3) ? GROUPS : 2;
    c.limit_ms = 200000;
    r = rng_stream("sim", seed, 3);
    c.controls = rng_below(&r, 2) ? 1 + rng_below(&r, CONTROLS_MAX - GROUPS) : 0;
    r = rng_stream("sim", seed, 6);
    c.ends = sometimes(&r, 0.5, 1.5);
    c.ends_ms = 800 + rng_below(&r, 4000);
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

/* What has examples or trains goes on where it was cut off; as for the core, not all of it. */
static void cut_some(struct sim *m)
{
    struct rng r = rng_stream("sim", m->seed, 7);

    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct job_spec *s = &m->spec[j];
        s->row.resumes = s->examples + s->steps > 0 && rng_below(&r, 3) == 0;
    }
}

/* Estimates go by shape: jobs of one take about as long. Some programs must not run twice unseen.
 * Hosts differ, and the first one has it all. */
static void ask_for_more(struct sim *m)
{
    struct rng r = rng_stream("sim", m->seed, 5);
    uint32_t most = 2 * m->conf.slots;

    for (uint32_t h = 0; h < m->conf.hosts; h++)
        m->machine[h] = (struct machine){ .labels = h == 0 ? 7 : rng_below(&r, 8),
                                          .memory_mib = h == 0 ? 64 : rng_below(&r, 3) * 32,
                                          .cores = h == 0 ? most : m->conf.slots };
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct job_spec *s = &m->spec[j];
        if (m->conf.quick && rng_below(&r, 4) != 0) {
            s->examples = s->steps = 0;
            s->work_ms = 1 + rng_below(&r, 30);
        }
        s->row.eager = s->examples == 0 && s->steps == 0 && rng_below(&r, 4) == 0;
        s->row.shape = s->work_ms < 40 && s->examples == 0 ? 1 : rng_below(&r, SHAPES);
        if (!m->conf.resources)
            continue;
        s->row.labels = rng_below(&r, 6) == 0 ? 1u << rng_below(&r, 3) : 0;
        s->row.cores = rng_below(&r, 8) == 0 ? 1 + rng_below(&r, most) : 0;
        s->row.memory_mib = rng_below(&r, 8) == 0 ? 8 + rng_below(&r, 56) : 0;
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
    ask_for_more(m);
    cut_some(m);
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

/* Suspended and resumed, or moved to another machine: the clock is ahead, nothing else happened. */
static void leap_coordinator(struct sim *m)
{
    uint64_t leap_ms = sim_about(m, m->conf.leap_ms);
    m->fired[F_LEAP] = true;
    sim_trace(m, "fault: the coordinator's clock leaps by %u ms", (unsigned)leap_ms);
    m->coord.clock += leap_ms;
    oracle_slack(m, m->now_ms);
    sim_post(m, (struct sim_event){ .kind = SE_COORD_WAKE }, 0);
}

static void leap_host(struct sim *m, uint32_t host)
{
    m->fired[F_HOST_LEAP] = true;
    m->host[host].clock += sim_about(m, m->conf.leap_ms);
    sim_trace(m, "fault: the clock of host %u leaps", host);
    m->host[host].wake_ms = m->now_ms + 1;
    sim_post(m, (struct sim_event){ .kind = SE_HOST_WAKE, .host = host }, 1);
}

static void fill_disk(struct sim *m)
{
    if (m->coord.full_until_ms > m->now_ms)
        return;
    m->coord.full_until_ms = m->now_ms + sim_about(m, m->conf.full_ms);
    sim_trace(m, "fault: the disk is full until %u", (unsigned)m->coord.full_until_ms);
}

static void stall_coordinator(struct sim *m)
{
    uint64_t until_ms = m->now_ms + sim_about(m, m->conf.stop_ms);
    if (m->coord.stopped_until_ms > m->now_ms)
        return;
    m->fired[F_STALL] = true;
    sim_trace(m, "fault: coordinator stopped until %u", (unsigned)until_ms);
    m->coord.stopped_until_ms = until_ms;
    oracle_slack(m, until_ms);
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
        if (sim_chance(m, m->conf.leap * dt / 2))
            leap_host(m, h);
        /* Moments at which more is lost are worth more. */
        double worth = m->host[h].queue_len > 0 ? 5 : 1;
        if (sim_chance(m, m->conf.kill * worth * dt)) {
            host_kill(m, h);
        } else if (sim_chance(m, m->conf.drain * dt) && m->host[h].stopped_until_ms <= m->now_ms) {
            m->fired[F_DRAIN] = true;
            sim_trace(m, "fault: worker=%u drains", (unsigned)m->host[h].worker);
            host_agent(m, h, AGENT_EV_DRAIN);
        }
    }
    if (m->coord.up && sim_chance(m, m->conf.stall * dt))
        stall_coordinator(m);
    if (m->coord.up && sim_chance(m, m->conf.leap * dt))
        leap_coordinator(m);
    if (sim_chance(m, m->conf.full_disk * dt))
        fill_disk(m);
    sim_post(m, (struct sim_event){ .kind = SE_FAULTS }, FAULTS_EVERY_MS);
}
