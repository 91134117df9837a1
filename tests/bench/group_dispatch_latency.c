/* SPDX-License-Identifier: Apache-2.0 */
/* group_dispatch_latency.c - how long one job takes on a system that does nothing else: a client
 * that is connected submits a plan of one job, again and again. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/bench/dispatch_plan.h"
#include "tests/bench/dispatch_talk.h"
#include "tests/bench/group_dispatch.h"
#include "tests/bench/group_store.h"

enum { SAMPLES = 1000, SAMPLES_QUICK = 100, WAIT_S = 10, PAUSE_US = 10000 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void dispatch_report_percentiles(struct bench *b, const char *name, double *seconds, size_t n,
                                 double p99_limit_ms)
{
    struct figure f = { .n = n };
    char text[64];

    qsort(seconds, n, sizeof *seconds, compare);
    f.min = seconds[0] * 1e3;
    f.max = seconds[n - 1] * 1e3;
    f.median = seconds[n / 2] * 1e3;
    snprintf(text, sizeof text, "%s.p50_ms", name);
    bench_report(b, text, "ms", f, BETTER_LOWER, NAN);
    f.median = seconds[(n * 99 + 99) / 100 - 1] * 1e3;
    snprintf(text, sizeof text, "%s.p99_ms", name);
    bench_report(b, text, "ms", f, BETTER_LOWER, p99_limit_ms);
}

/* What the disk takes for what a durable result needs twice: 4 KiB appended, synchronised. */
static void measure_disk(const struct cluster *c, double *seconds, size_t n)
{
    static const char page[4096];
    char path[CLUSTER_PATH + 16];
    int fd;

    snprintf(path, sizeof path, "%s/disk", c->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < n; i++) {
        double start = store_seconds();

        seconds[i] = write(fd, page, sizeof page) == sizeof page && fdatasync(fd) == 0
                         ? store_seconds() - start
                         : NAN;
    }
    close(fd);
}

/* A start passes through so many threads, each of which sleeps until the one before wakes it: the
 * client's that sends; three of the coordinator, which receive, decide and send; three of the
 * worker, which receive, take and begin; ours, which reads of it. */
enum { HOPS = 8 };
struct hop {
    pthread_t thread;
    int from, to;
};

static void *pass_on(void *arg)
{
    const struct hop *h = arg;
    char byte;

    while (read(h->from, &byte, 1) == 1 && byte)
        (void)!write(h->to, &byte, 1);
    (void)!write(h->to, "", 1); /* the end, for the next one too */
    return NULL;
}

/* What the machine takes for that alone: a byte through as many sleeping threads. */
static void measure_wakeups(double *seconds, size_t n)
{
    struct hop hops[HOPS];
    int ends[HOPS + 1][2];
    char byte = 1;

    for (size_t i = 0; i <= HOPS; i++)
        if (pipe2(ends[i], O_CLOEXEC) < 0)
            abort();
    for (size_t i = 0; i < HOPS; i++) {
        hops[i].from = ends[i][0];
        hops[i].to = ends[i + 1][1];
        if (pthread_create(&hops[i].thread, NULL, pass_on, &hops[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < n; i++) {
        double start;

        (void)usleep(PAUSE_US);
        start = store_seconds();
        seconds[i] = write(ends[0][1], &byte, 1) == 1 && read(ends[HOPS][0], &byte, 1) == 1
                         ? store_seconds() - start
                         : NAN;
    }
    (void)!write(ends[0][1], "", 1);
    for (size_t i = 0; i < HOPS; i++)
        pthread_join(hops[i].thread, NULL);
    for (size_t i = 0; i <= HOPS; i++) {
        close(ends[i][0]);
        close(ends[i][1]);
    }
}

struct cpu_time {
    double all, stolen;
};

/* Of all cores since the machine was started (proc(5)): stolen is what its host gave to others
 * while something here wanted to run. Nothing where there is no such count. */
static struct cpu_time cpu_time(void)
{
    struct cpu_time ret = { 0 };
    char line[256] = "", *at = line + 3;
    FILE *f = fopen("/proc/stat", "r");

    if (f && fgets(line, sizeof line, f) && strncmp(line, "cpu ", 4) == 0)
        for (int i = 0; i < 8; i++) {
            ret.stolen = strtod(at, &at); /* the eighth */
            ret.all += ret.stolen;
        }
    if (f)
        fclose(f);
    return ret;
}

static void report_stolen(struct bench *b, struct cpu_time since)
{
    const struct cpu_time now = cpu_time();
    const double all = now.all - since.all,
                 share = all > 0 ? 100 * (now.stolen - since.stolen) / all : 0;

    bench_report(b, "dispatch.stolen", "%", (struct figure){ share, share, share, 1 }, BETTER_LOWER,
                 NAN);
}

void dispatch_bench_latency(struct bench *b)
{
    const struct cluster_conf conf = { .workers = 1, .curve = true, .tell_starts = true };
    const size_t n = b->quick ? SAMPLES_QUICK : SAMPLES;
    double *start = mem_calloc(n, sizeof *start), *durable = mem_calloc(n, sizeof *durable),
           *disk = mem_calloc(n, sizeof *disk), *wakeups = mem_calloc(n, sizeof *wakeups);
    uint64_t total = 0;
    struct cpu_time begin;
    struct cluster c;
    struct talk *t;

    cluster_open(&c, &conf);
    begin = cpu_time();
    t = talk_open(&c);
    for (size_t i = 0; i < n + 10; i++) { /* the first ten warm up */
        char name[64];
        struct plan_conf plan = { name, 1, 1, 0 };
        struct planned *p;
        double sent;

        snprintf(name, sizeof name, "one-%zu", i);
        p = planned_new(&plan);
        starts_expect(c.starts);
        sent = talk_ask(t, DROVER__ENVELOPE__BODY_SUBMIT, planned_message(p),
                        DROVER__ENVELOPE__BODY_SUBMITTED);
        total++;
        durable[i < 10 ? 0 : i - 10] = cluster_wait_done(&c, total, WAIT_S) - sent;
        start[i < 10 ? 0 : i - 10] = starts_wait(c.starts, WAIT_S) - sent;
        planned_free(p);
        (void)usleep(PAUSE_US);
    }
    talk_close(t);
    measure_disk(&c, disk, n);
    measure_wakeups(wakeups, n);
    cluster_close(&c);
    dispatch_report_percentiles(b, "dispatch.submit_start", start, n, 2);
    dispatch_report_percentiles(b, "dispatch.submit_durable", durable, n, 15);
    dispatch_report_percentiles(b, "dispatch.disk_sync", disk, n, NAN);
    dispatch_report_percentiles(b, "dispatch.wakeups", wakeups, n, NAN);
    report_stolen(b, begin);
    free(wakeups);
    free(disk);
    free(start);
    free(durable);
}
