/* SPDX-License-Identifier: Apache-2.0 */
/* group_web_load.c - what dashboards cost those who work: how long a submitted job takes until its
 * result is durable while 5,000 results a second are offered, without dashboards and with 20 that
 * hammer, in turns. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/macros.h"
#include "common/base/mem.h"
#include "tests/bench/dispatch_plan.h"
#include "tests/bench/dispatch_talk.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"
#include "tests/bench/group_web.h"
#include "tests/bench/peer.h"

enum {
    OFFERED = 5000, /* results per second */
    PLANS = 5,      /* per second */
    NAMES = 50, /* experiments in turn: a plan of one withdraws what is left of the one before */
    PAIRS = 5,
    PAIRS_QUICK = 2,
    WINDOW_S = 10,
    WINDOW_QUICK_S = 5,
    PROBES = 4096,    /* of a window, at most */
    PROBES_MIN = 100, /* and at least, in up to three times its length */
    PROBE_S = 60,
    POLL_US = 300,
    PAUSE_US = 5000,
    CLIENTS_NICE = 15, /* browsers run on other machines: here they may have what is left */
};

struct load {
    struct bench *b;
    struct cluster c;
    struct web_board board;
    struct peer *pages;
    struct talk *talk;
    pid_t offering;
    uint64_t probes;
    double wal_mb, wal_before_mb; /* the largest; before the endless query */
    double requests, answers_p99, busy, failed;
};

/* ---- work that comes in ---- */

/* In a process of its own, for ever. What is not taken in time is offered late: the rate that was
 * reached is reported. */
static void offer(const struct cluster *c)
{
    struct talk *t = talk_open(c);
    const double start = store_seconds();

    for (uint64_t k = 0;; k++) {
        char name[64], experiment[64];
        struct plan_conf conf = { name, OFFERED / PLANS, 1, 0 };
        struct planned *p;
        double wait = start + (double)k / PLANS - store_seconds();

        snprintf(name, sizeof name, "offered-%llu", (unsigned long long)k);
        snprintf(experiment, sizeof experiment, "offered/%llu", (unsigned long long)(k % NAMES));
        p = planned_new(&conf);
        planned_message(p)->plan->name = experiment;
        if (wait > 0)
            (void)usleep((useconds_t)(wait * 1e6));
        (void)talk_ask(t, DROVER__ENVELOPE__BODY_SUBMIT, planned_message(p),
                       DROVER__ENVELOPE__BODY_SUBMITTED);
        planned_free(p);
    }
}

static pid_t start_offering(const struct cluster *c)
{
    pid_t parent = getpid(), pid = fork();

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        offer(c);
    _exit(1);
}

/* ---- one job after the other ---- */

static void watch_wal(struct load *l)
{
    char path[CLUSTER_PATH + 48];
    struct stat st;

    snprintf(path, sizeof path, "%s-wal", l->c.store);
    if (stat(path, &st) == 0)
        l->wal_mb = MAX(l->wal_mb, (double)st.st_size / (1 << 20));
}

/* Seconds from sending a plan of one job until its result is in the file. */
static double probe(struct load *l)
{
    char name[64], sql[160], hex[DIGEST_HEX], experiment[] = "probe";
    struct plan_conf conf = { name, 1, 1, 0 };
    struct planned *p;
    struct digest key;
    double sent;

    snprintf(name, sizeof name, "probe-%llu", (unsigned long long)l->probes++);
    p = planned_new(&conf);
    planned_message(p)->plan->name = experiment;
    memcpy(key.b, planned_message(p)->plan->jobs[0]->key.data, sizeof key.b);
    snprintf(sql, sizeof sql, "SELECT 1 FROM job WHERE key = x'%s' AND state = 'DONE'",
             digest_hex(&key, hex));
    sent = talk_ask(l->talk, DROVER__ENVELOPE__BODY_SUBMIT, planned_message(p),
                    DROVER__ENVELOPE__BODY_SUBMITTED);
    while (cluster_ask(&l->c, sql) == 0) {
        if (store_seconds() > sent + PROBE_S) {
            fprintf(stderr, "drover-bench: a job took longer than %d s\n", PROBE_S);
            exit(1);
        }
        (void)usleep(POLL_US);
    }
    planned_free(p);
    return store_seconds() - sent;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The 99th percentile of a window, in ms; appends the samples to ALL. */
static double window(struct load *l, double seconds, double *all, size_t *all_len)
{
    double *v = mem_calloc(PROBES, sizeof *v), p99;
    const double start = store_seconds();
    double passed = 0;
    size_t n = 0;

    for (; n < PROBES && (n == 0 || passed < seconds || (n < PROBES_MIN && passed < 3 * seconds));
         passed = store_seconds() - start) {
        v[n++] = probe(l) * 1e3;
        watch_wal(l);
        (void)usleep(PAUSE_US);
    }
    memcpy(all + *all_len, v, n * sizeof *v);
    *all_len += n;
    qsort(v, n, sizeof *v, compare);
    p99 = v[(n * 99 + 99) / 100 - 1];
    free(v);
    return p99;
}

/* ---- dashboards ---- */

static struct peer *start_pages(const char *url)
{
    const char *argv[] = { "/usr/bin/env",
                           "node",
                           DROVER_BENCH_FOLDER "/../web/load.mjs",
                           url,
                           "--clients",
                           "20",
                           "--pause",
                           "50",
                           "--page",
                           NULL };
    int before = getpriority(PRIO_PROCESS, 0);
    struct peer *p;

    (void)setpriority(PRIO_PROCESS, 0, CLIENTS_NICE);
    p = peer_start(argv, NULL);
    (void)setpriority(PRIO_PROCESS, 0, before);
    return p;
}

static const char *tell(struct load *l, const char *command)
{
    const char *answer = peer_ask(l->pages, command);

    if (!answer) {
        fprintf(stderr, "drover-bench: tests/web/load.mjs is gone\n");
        exit(1);
    }
    return answer;
}

static void hush(struct load *l)
{
    double requests = 0, failed = 0, busy = 0, p99 = 0;

    if (sscanf(tell(l, "stop"),
               "requests=%lf errors=%lf busy=%lf same=%*f events=%*f p50_ms=%*f p99_ms=%lf",
               &requests, &failed, &busy, &p99) != 4)
        bench_note(l->b, "web.load: the dashboards' answer is not understood");
    l->requests += requests;
    l->failed += failed;
    l->busy += busy;
    l->answers_p99 = MAX(l->answers_p99, p99);
}

/* The endless query, while all is going on: 1 when it was cut. */
static void cut_query(struct load *l, double *ret_cut, double *ret_ms)
{
    *ret_cut = *ret_ms = 0;
    if (sscanf(tell(l, "sql"), "cut=%lf ms=%lf", ret_cut, ret_ms) != 2)
        bench_note(l->b, "web.load: the endless query's answer is not understood");
    watch_wal(l);
}

/* ---- figures ---- */

static void one(struct load *l, const char *name, const char *unit, double v, enum better better,
                double limit)
{
    bench_report(l->b, name, unit, bench_figure(&v, 1), better, limit);
}

static void report_all(struct load *l, const char *name, double *v, size_t n)
{
    char text[64];

    qsort(v, n, sizeof *v, compare);
    snprintf(text, sizeof text, "web.load.%s.p50_ms", name);
    bench_report(l->b, text, "ms", (struct figure){ v[n / 2], v[0], v[n - 1], n }, BETTER_LOWER,
                 NAN);
    snprintf(text, sizeof text, "web.load.%s.p99_ms", name);
    bench_report(l->b, text, "ms", (struct figure){ v[(n * 99 + 99) / 100 - 1], v[0], v[n - 1], n },
                 BETTER_LOWER, NAN);
}

static void measure(struct load *l)
{
    const size_t pairs = l->b->quick ? PAIRS_QUICK : PAIRS;
    const double seconds = l->b->quick ? WINDOW_QUICK_S : WINDOW_S;
    double *ratio = mem_calloc(pairs, sizeof *ratio);
    double *without = mem_calloc(pairs * PROBES, sizeof *without),
           *with = mem_calloc(pairs * PROBES, sizeof *with);
    double cut = 0, cut_ms = 0, cpu = 0, busy = 0, alone, start = store_seconds();
    uint64_t done = cluster_ask(&l->c, "SELECT count(*) FROM job WHERE state = 'DONE'");
    size_t without_len = 0, with_len = 0;

    (void)window(l, 3, without, &without_len); /* warms up */
    without_len = 0;
    for (size_t i = 0; i < pairs; i++) {
        alone = window(l, seconds, without, &without_len);
        if (i == 0)
            one(l, "web.load.wal_alone_mb", "MiB", l->wal_mb, BETTER_LOWER, NAN);
        (void)tell(l, "go");
        cpu -= web_board_cpu(&l->board);
        busy -= store_seconds();
        ratio[i] = window(l, seconds, with, &with_len) / alone;
        if (i == 0) {
            l->wal_before_mb = l->wal_mb;
            cut_query(l, &cut, &cut_ms);
        }
        cpu += web_board_cpu(&l->board);
        busy += store_seconds();
        hush(l);
    }
    done = cluster_ask(&l->c, "SELECT count(*) FROM job WHERE state = 'DONE'") - done;
    one(l, "web.load.results_per_s", "results/s", (double)done / (store_seconds() - start),
        BETTER_HIGHER, 0.95 * OFFERED);
    report_all(l, "without", without, without_len);
    report_all(l, "with", with, with_len);
    bench_report(l->b, "web.load.p99_ratio", "ratio", bench_figure(ratio, pairs), BETTER_LOWER, 2);
    one(l, "web.load.wal_mb", "MiB", l->wal_mb, BETTER_LOWER, 64);
    one(l, "web.load.wal_before_query_mb", "MiB", l->wal_before_mb, BETTER_LOWER, NAN);
    one(l, "web.load.query_cut", "1: cut", cut, BETTER_HIGHER, 1);
    one(l, "web.load.query_cut_ms", "ms", cut_ms, BETTER_LOWER, NAN);
    one(l, "web.load.requests_per_s", "requests/s", l->requests / busy, BETTER_HIGHER, NAN);
    one(l, "web.load.failed", "requests", l->failed, BETTER_LOWER, 0);
    one(l, "web.load.busy", "requests", l->busy, BETTER_LOWER, NAN);
    one(l, "web.load.answer_p99_ms", "ms", l->answers_p99, BETTER_LOWER, NAN);
    one(l, "web.load.dashboard_cores", "cores", cpu / busy, BETTER_LOWER, NAN);
    one(l, "web.load.dashboard_mb", "MB", web_board_mb(&l->board), BETTER_LOWER, NAN);
    free(with);
    free(without);
    free(ratio);
}

void web_bench_load(struct bench *b)
{
    struct load *l = mem_calloc(1, sizeof *l);
    struct cluster_conf conf = { .workers = 2, .curve = true };
    struct scratch scratch;
    char path[CLUSTER_PATH + 16];
    struct err err = { 0 };

    bench_must(scratch_open(&scratch) ? 0 : err_set(&err, ERR_IO, "%s", scratch.dir), &err,
               "scratch folder");
    snprintf(path, sizeof path, "%s/large.db", scratch.dir);
    web_make_store(&(struct web_store){ .path = path,
                                        .runs = b->quick ? 20000 : 200000,
                                        .scores = b->quick ? 100000 : 1000000,
                                        .points = b->quick ? 400000 : 10000000,
                                        .ended = true });
    conf.from = path;
    l->b = b;
    cluster_open(&l->c, &conf);
    web_board_start(&l->board, l->c.store, l->c.dir);
    l->pages = start_pages(l->board.url);
    if (!l->pages) {
        bench_note(b, "web.load: node cannot be started");
    } else {
        l->talk = talk_open(&l->c);
        l->offering = start_offering(&l->c);
        measure(l);
        (void)kill(l->offering, SIGKILL);
        (void)waitpid(l->offering, NULL, 0);
        talk_close(l->talk);
        peer_stop(l->pages);
    }
    web_board_stop(&l->board);
    cluster_close(&l->c);
    scratch_close(&scratch);
    free(l);
}
