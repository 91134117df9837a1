/* SPDX-License-Identifier: Apache-2.0 */
/* group_dispatch_rates.c - what is done per second, in turns with other people's queues: a round
 * measures drover, then each peer once; a ratio is the median of the rounds' ratios. */
#include <math.h>
#include <stdio.h>

#include "common/base/macros.h"
#include "tests/bench/dispatch_peers.h"
#include "tests/bench/group_dispatch.h"

enum { ROUNDS = 5, ROUNDS_QUICK = 2, WINDOW = 64 };

enum series {
    DURABLE,
    WHOLE,
    SUBMIT,
    COORDINATOR_US,
    WORKER_US,
    SUBMIT_US,
    RUNS,
    GEARMAN,
    GEARMAN_DRAIN,
    FSYNC,
    FSYNC_DRAIN,
    BEANSTALKD,
    DASK,
    OPTUNA,
    PARALLEL,
    RATIO, /* of two of them, for a report */
    SERIES
};

struct rounds {
    double v[SERIES][ROUNDS];
    size_t n;
};

static void measure_own(struct bench *b, struct cluster *c, uint64_t *total, struct rounds *r,
                        size_t i)
{
    const size_t jobs = b->quick ? 20000 : 100000;
    struct dispatched d = dispatch_plan(c, jobs, 1, total);

    r->v[DURABLE][i] = d.rate;
    r->v[WHOLE][i] = d.whole;
    r->v[SUBMIT][i] = d.submit;
    r->v[COORDINATOR_US][i] = d.coordinator_us;
    r->v[WORKER_US][i] = d.worker_us;
    r->v[SUBMIT_US][i] = d.submit_us;
    d = dispatch_plan(c, jobs / 4, jobs / 4, total);
    r->v[RUNS][i] = d.rate;
}

static void measure_peers(struct bench *b, struct rounds *r, size_t i)
{
    const size_t part = b->quick ? 4 : 1;

    r->v[GEARMAN][i] = peer_gearman(40000 / part, WINDOW);
    r->v[GEARMAN_DRAIN][i] = peer_gearman_drain(40000 / part);
    r->v[FSYNC][i] = peer_beanstalkd(8000 / part, true, false);
    r->v[FSYNC_DRAIN][i] = peer_beanstalkd(8000 / part, true, true);
    r->v[BEANSTALKD][i] = peer_beanstalkd(40000 / part, false, false);
    r->v[DASK][i] = peer_dask(4000 / part);
    r->v[OPTUNA][i] = peer_optuna(100 / part);
    r->v[PARALLEL][i] = peer_parallel(400 / part);
}

static void report(struct bench *b, const struct rounds *r, const char *name, const char *unit,
                   enum series s, enum better better, double limit)
{
    double v[ROUNDS];
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        if (!isnan(r->v[s][i])) /* a round in which the peer did not start */
            v[n++] = r->v[s][i];
    if (n > 0)
        bench_report(b, name, unit, bench_figure(v, n), better, limit);
}

static void report_ratio(struct bench *b, struct rounds *r, const char *name, enum series s,
                         enum series of, double limit)
{
    for (size_t i = 0; i < r->n; i++)
        r->v[RATIO][i] = r->v[s][i] / r->v[of][i];
    report(b, r, name, "ratio", RATIO, BETTER_HIGHER, limit);
}

/* Was the peer there in any round? */
static bool measured(const struct rounds *r, enum series s)
{
    bool any = false;

    for (size_t i = 0; i < r->n; i++)
        any |= !isnan(r->v[s][i]);
    return any;
}

static void report_peers(struct bench *b, struct rounds *r)
{
    static const struct {
        const char *peer, *name, *package;
        enum series series, drain; /* drain: of the same peer, 0: none */
        double limit;
    } peers[] = {
        { "dispatch.gearman", "dispatch.vs_gearman", "gearman-job-server", GEARMAN, GEARMAN_DRAIN,
          1.3 },
        { "dispatch.beanstalkd_fsync", "dispatch.vs_beanstalkd_fsync", "beanstalkd", FSYNC,
          FSYNC_DRAIN, 10 },
        { "dispatch.beanstalkd", "dispatch.vs_beanstalkd", "beanstalkd", BEANSTALKD, 0, NAN },
        { "dispatch.dask", "dispatch.vs_dask", "python3-distributed", DASK, 0, 80 },
        { "dispatch.optuna", "dispatch.vs_optuna", "python3-optuna", OPTUNA, 0, 1000 },
        { "dispatch.parallel", "dispatch.vs_parallel", "parallel", PARALLEL, 0, NAN },
    };

    for (size_t k = 0; k < ARRAY_LEN(peers); k++) {
        char text[128];

        if (!measured(r, peers[k].series)) {
            snprintf(text, sizeof text, "%s: %s is not there (./dev setup bench)", peers[k].name,
                     peers[k].package);
            bench_note(b, text);
            continue;
        }
        report_ratio(b, r, peers[k].name, DURABLE, peers[k].series, peers[k].limit);
        snprintf(text, sizeof text, "%s.whole", peers[k].name);
        report_ratio(b, r, text, WHOLE, peers[k].series, NAN);
        if (peers[k].drain) {
            snprintf(text, sizeof text, "%s.drain", peers[k].name);
            report_ratio(b, r, text, DURABLE, peers[k].drain, NAN);
        }
        snprintf(text, sizeof text, "%s_per_s", peers[k].peer);
        report(b, r, text, "jobs/s", peers[k].series, BETTER_HIGHER, NAN);
    }
}

void dispatch_bench_rates(struct bench *b)
{
    const struct cluster_conf conf = { .workers = 2 };
    struct rounds r = { .n = b->quick ? ROUNDS_QUICK : ROUNDS };
    struct cluster c;
    uint64_t total = 0;

    cluster_open(&c, &conf);
    dispatch_warm_up(&c, &total);
    for (size_t i = 0; i < r.n; i++) {
        measure_own(b, &c, &total, &r, i);
        if (bench_wants(b, "dispatch.vs"))
            measure_peers(b, &r, i);
    }
    cluster_close(&c);
    report(b, &r, "dispatch.durable_per_s", "jobs/s", DURABLE, BETTER_HIGHER, 50000);
    report(b, &r, "dispatch.whole_per_s", "jobs/s", WHOLE, BETTER_HIGHER, NAN);
    report(b, &r, "dispatch.submit_per_s", "jobs/s", SUBMIT, BETTER_HIGHER, NAN);
    report(b, &r, "dispatch.runs_per_s", "jobs/s", RUNS, BETTER_HIGHER, NAN);
    report(b, &r, "dispatch.coordinator_us_per_job", "us", COORDINATOR_US, BETTER_LOWER, NAN);
    report(b, &r, "dispatch.worker_us_per_job", "us", WORKER_US, BETTER_LOWER, NAN);
    report(b, &r, "dispatch.submit_us_per_job", "us", SUBMIT_US, BETTER_LOWER, NAN);
    if (bench_wants(b, "dispatch.vs"))
        report_peers(b, &r);
}

/* Encrypted, as it is by default, beside plaintext. */
void dispatch_bench_curve(struct bench *b)
{
    const size_t n = b->quick ? ROUNDS_QUICK : ROUNDS, jobs = b->quick ? 20000 : 100000;
    double share[ROUNDS], rate[ROUNDS], cpu[ROUNDS];
    struct cluster plain, curve;
    uint64_t plain_total = 0, curve_total = 0;

    cluster_open(&plain, &(struct cluster_conf){ .workers = 2 });
    cluster_open(&curve, &(struct cluster_conf){ .workers = 2, .curve = true });
    dispatch_warm_up(&plain, &plain_total);
    dispatch_warm_up(&curve, &curve_total);
    for (size_t i = 0; i < n; i++) {
        struct dispatched p = dispatch_plan(&plain, jobs, 1, &plain_total),
                          c = dispatch_plan(&curve, jobs, 1, &curve_total);

        share[i] = c.rate / p.rate;
        rate[i] = c.rate;
        cpu[i] = c.coordinator_us / p.coordinator_us;
    }
    cluster_close(&plain);
    cluster_close(&curve);
    bench_report(b, "dispatch.curve_share", "ratio", bench_figure(share, n), BETTER_HIGHER, 0.5);
    bench_report(b, "dispatch.curve.durable_per_s", "jobs/s", bench_figure(rate, n), BETTER_HIGHER,
                 NAN);
    bench_report(b, "dispatch.curve.coordinator_cpu", "ratio", bench_figure(cpu, n), BETTER_LOWER,
                 NAN);
}
