/* SPDX-License-Identifier: Apache-2.0 */
/* group_dispatch_join.c - two hundred pilots join within a second, as a job array starts, while
 * others are at work: a client that submits a job each 5 ms to a worker that was there. Their times
 * with the joins and without, in turns. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/bench/dispatch_crowd.h"
#include "tests/bench/dispatch_others.h"
#include "tests/bench/dispatch_plan.h"
#include "tests/bench/group_dispatch.h"
#include "tests/bench/group_store.h"

enum {
    PILOTS = 200,
    PILOTS_QUICK = 40,
    ROUNDS = 9,
    ROUNDS_QUICK = 2,
    JOBS_EACH = 4,
    JOB_MS = 1000,
    JOIN_MS = 1000, /* from the first connection to the last */
    GATHER_S = 30,
    NICE = 10,
    WARM_JOBS = 50,
    TIMES_MAX = 4000, /* of a span: 20 s */
    REST_MS = 300,
};
static const double span_s = 1.5; /* at least */

/* ---- the pilots, in a process of their own ---- */

struct gathered {
    double served, seconds; /* pilots that had a job; from the first connection until they had */
};

struct gathering {
    pid_t pid;
    int go, told; /* a byte each: join, leave; a struct gathered when all are served */
    size_t pilots;
};

static struct gathered gather(struct crowd *c, size_t pilots)
{
    const uint64_t begin = clock_ms();
    size_t joined = 0;

    while (crowd_served(c) < pilots && clock_ms() < begin + GATHER_S * 1000) {
        const uint64_t due = begin + joined * JOIN_MS / pilots, now = clock_ms();

        if (joined < pilots && now >= due) {
            (void)crowd_join(c);
            joined++;
        }
        crowd_serve(c, joined < pilots ? (due > now ? due - now : 0) + 1 : 5);
    }
    return (struct gathered){ (double)crowd_served(c), (double)(clock_ms() - begin) * 1e-3 };
}

static void be_pilots(const struct cluster *cluster, const struct gathering *g)
{
    char byte, name[24];

    for (size_t round = 1; read(g->go, &byte, 1) == 1; round++) {
        const struct crowd_conf conf = { g->pilots, name, "pilot", JOB_MS };
        struct crowd *c;
        struct gathered d;

        snprintf(name, sizeof name, "pilot-%zu", round);
        c = crowd_prepare(cluster, &conf);
        d = gather(c, g->pilots);
        if (write(g->told, &d, sizeof d) != sizeof d)
            break;
        (void)fcntl(g->go, F_SETFL, O_NONBLOCK);
        while (read(g->go, &byte, 1) != 1)
            crowd_serve(c, 5);
        (void)fcntl(g->go, F_SETFL, 0);
        crowd_goodbye(c);
        crowd_serve(c, 50);
        crowd_close(c);
        if (write(g->told, &byte, 1) != 1)
            break;
    }
}

/* Before this process has threads. Others than the coordinator's computer do a pilot's part of a
 * handshake: here they are to take the cores that nobody else wants. */
static void gathering_open(struct gathering *g, const struct cluster *cluster, size_t pilots)
{
    int go[2], told[2];
    pid_t parent = getpid();

    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(told, O_CLOEXEC) < 0) {
        perror("drover-bench: pipe");
        exit(1);
    }
    *g = (struct gathering){ .go = go[0], .told = told[1], .pilots = pilots };
    g->pid = fork();
    if (g->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!nice(NICE);
        close(go[1]);
        close(told[0]);
        if (getppid() == parent)
            be_pilots(cluster, g);
        _exit(0);
    }
    close(go[0]);
    close(told[1]);
    g->go = go[1];
    g->told = told[0];
    (void)fcntl(g->told, F_SETFL, O_NONBLOCK);
}

static void gathering_close(struct gathering *g)
{
    close(g->go);
    close(g->told);
    (void)kill(g->pid, SIGKILL);
    (void)waitpid(g->pid, NULL, 0);
}

/* ---- spans ---- */

struct watch {
    struct gathering *g;
    struct gathered d;
    bool there;
};

static bool all_served(void *arg)
{
    struct watch *w = arg;

    w->there = w->there || read(w->g->told, &w->d, sizeof w->d) == sizeof w->d;
    return w->there;
}

static bool at_once(void *arg)
{
    (void)arg;
    return true;
}

static void tell(struct gathering *g, char byte)
{
    if (write(g->go, &byte, 1) != 1) {
        perror("drover-bench: the pilots are gone");
        exit(1);
    }
}

static struct gathered disturbed(struct gathering *g, const struct cluster *c, struct others *o,
                                 size_t round, struct others_times *times)
{
    struct watch w = { .g = g };
    char name[32], byte;
    struct plan_conf conf = { name, g->pilots * JOBS_EACH, 1, 0 };
    struct planned *p;

    snprintf(name, sizeof name, "pilots-%zu", round);
    p = planned_new(&conf);
    planned_require(p, "pilot");
    (void)planned_submit(p, c);
    planned_free(p);
    tell(g, 'j');
    others_run(o, span_s, all_served, &w, times);
    tell(g, 'l');
    while (read(g->told, &byte, 1) != 1)
        clock_sleep_ms(1);
    return w.d;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double p99(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return v[(n * 99 + 99) / 100 - 1];
}

/* ---- */

struct measured {
    struct others_times times[2]; /* without and with the joins; of one round */
    double *start[2], *durable[2];
    size_t len[2];
    double start_ratio[ROUNDS], durable_ratio[ROUNDS], served[ROUNDS], seconds[ROUNDS];
};

static void keep(struct measured *m, int with)
{
    const struct others_times *t = &m->times[with];

    memcpy(m->start[with] + m->len[with], t->start, t->len * sizeof(double));
    memcpy(m->durable[with] + m->len[with], t->durable, t->len * sizeof(double));
    m->len[with] += t->len;
}

static void measure(struct measured *m, struct gathering *g, const struct cluster *c,
                    struct others *o, size_t round)
{
    for (int turn = 0; turn < 2; turn++) {
        const int with = turn ^ (int)(round % 2);
        struct gathered d;

        clock_sleep_ms(REST_MS);
        if (with) {
            d = disturbed(g, c, o, round, &m->times[1]);
            m->served[round] = d.served;
            m->seconds[round] = d.seconds;
        } else {
            others_run(o, span_s, at_once, NULL, &m->times[0]);
        }
        keep(m, with);
    }
    m->start_ratio[round] =
        p99(m->times[1].start, m->times[1].len) / p99(m->times[0].start, m->times[0].len);
    m->durable_ratio[round] =
        p99(m->times[1].durable, m->times[1].len) / p99(m->times[0].durable, m->times[0].len);
}

static void report(struct bench *b, struct measured *m, size_t pilots, size_t rounds)
{
    static const char *const without[] = { "quiet_", "" };
    char name[64];
    struct figure served = bench_figure(m->served, rounds);

    served.median = served.min; /* all of them, in every round */
    snprintf(name, sizeof name, "dispatch.join_%zu.served", pilots);
    bench_report(b, name, "served", served, BETTER_HIGHER, (double)pilots);
    snprintf(name, sizeof name, "dispatch.join_%zu.served_s", pilots);
    bench_report(b, name, "s", bench_figure(m->seconds, rounds), BETTER_LOWER, NAN);
    snprintf(name, sizeof name, "dispatch.join_%zu.p99_ratio", pilots);
    bench_report(b, name, "ratio", bench_figure(m->start_ratio, rounds), BETTER_LOWER, 2);
    snprintf(name, sizeof name, "dispatch.join_%zu.durable_p99_ratio", pilots);
    bench_report(b, name, "ratio", bench_figure(m->durable_ratio, rounds), BETTER_LOWER, 2);
    for (int with = 0; with < 2; with++) {
        snprintf(name, sizeof name, "dispatch.join_%zu.%sstart", pilots, without[with]);
        dispatch_report_percentiles(b, name, m->start[with], m->len[with], NAN);
        snprintf(name, sizeof name, "dispatch.join_%zu.%sdurable", pilots, without[with]);
        dispatch_report_percentiles(b, name, m->durable[with], m->len[with], NAN);
    }
}

static void measured_open(struct measured *m, size_t rounds)
{
    for (int i = 0; i < 2; i++) {
        m->times[i] = (struct others_times){ mem_calloc(TIMES_MAX, sizeof(double)),
                                             mem_calloc(TIMES_MAX, sizeof(double)), 0, TIMES_MAX };
        m->start[i] = mem_calloc(rounds * TIMES_MAX, sizeof(double));
        m->durable[i] = mem_calloc(rounds * TIMES_MAX, sizeof(double));
    }
}

static void measured_close(struct measured *m)
{
    for (int i = 0; i < 2; i++) {
        free(m->times[i].start);
        free(m->times[i].durable);
        free(m->start[i]);
        free(m->durable[i]);
    }
}

void dispatch_bench_join(struct bench *b)
{
    const struct cluster_conf conf = { .curve = true };
    const size_t pilots = b->quick ? PILOTS_QUICK : PILOTS,
                 rounds = b->quick ? ROUNDS_QUICK : ROUNDS;
    struct measured m = { .len = { 0 } };
    struct cluster c;
    struct gathering g;
    struct others *o;

    measured_open(&m, rounds);
    cluster_open(&c, &conf);
    gathering_open(&g, &c, pilots);
    o = others_open(&c);
    m.times[0].cap = WARM_JOBS;
    others_run(o, GATHER_S, at_once, NULL, &m.times[0]);
    m.times[0].cap = TIMES_MAX;
    for (size_t i = 0; i < rounds; i++)
        measure(&m, &g, &c, o, i);
    others_close(o);
    gathering_close(&g);
    cluster_close(&c);
    report(b, &m, pilots, rounds);
    measured_close(&m);
}
