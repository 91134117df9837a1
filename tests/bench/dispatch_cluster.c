/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/identity.h"
#include "store/read.h"
#include "store/store.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"
#include "tests/bench/peer.h"

enum { READY_MS = 120000, POLL_US = 1000, LOG_TAIL = 4000 };

/* With the last that the coordinator said: its folder goes with the bench. */
static void fail(const struct cluster *c, const char *what)
{
    char path[CLUSTER_PATH + 32], line[1024];
    FILE *f;

    snprintf(path, sizeof path, "%s/coordinator.log", c->dir);
    f = fopen(path, "r");
    if (f && fseek(f, -LOG_TAIL, SEEK_END) == 0)
        (void)!fgets(line, sizeof line, f);
    else if (f)
        rewind(f);
    while (f && fgets(line, sizeof line, f))
        (void)fputs(line, stderr);
    if (f)
        fclose(f);
    fprintf(stderr, "drover-bench: %s; above, what the coordinator said last\n", what);
    exit(1);
}

/* ARGV as a child that dies with this process; SAID: where its standard error goes, -1: LOG. */
static pid_t spawn(const char *const *argv, const char *log, int said)
{
    pid_t pid, parent = getpid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = said >= 0 ? said : open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
            dup2(out, 2) < 0)
            _exit(127);
        execv(argv[0], (char **)argv);
        _exit(127);
    }
    close(null);
    if (said < 0)
        close(out);
    return pid;
}

static void end(pid_t *pid, int signal)
{
    if (*pid <= 0)
        return;
    (void)kill(*pid, signal);
    (void)waitpid(*pid, NULL, 0);
    *pid = 0;
}

static bool read_ready(struct cluster *c, const char *path)
{
    FILE *f = fopen(path, "r");
    size_t len = f && fgets(c->endpoint, sizeof c->endpoint, f) ? strlen(c->endpoint) : 0;
    bool whole = len > 0 && c->endpoint[len - 1] == '\n';

    if (f)
        fclose(f);
    if (whole)
        c->endpoint[len - 1] = '\0';
    return whole;
}

void cluster_start(struct cluster *c)
{
    char program[4096], ready[CLUSTER_PATH + 32], log[CLUSTER_PATH + 32], listen[CLUSTER_PATH];
    const char *argv[CLUSTER_ARGS_MAX] = { program, "--store",      c->store, "--listen",
                                           listen,  "--ready-file", ready };
    size_t n = 7;
    struct err err = { 0 };

    peer_beside(program, sizeof program, "drover-coordinator");
    snprintf(ready, sizeof ready, "%s/ready", c->dir);
    snprintf(log, sizeof log, "%s/coordinator.log", c->dir);
    snprintf(listen, sizeof listen, "%s", *c->endpoint ? c->endpoint : "tcp://127.0.0.1:*");
    if (!c->conf.curve)
        argv[n++] = "--insecure";
    (void)unlink(ready);
    c->coordinator = spawn(argv, log, -1);
    for (int ms = 0; !read_ready(c, ready); ms++) {
        if (ms == READY_MS || waitpid(c->coordinator, NULL, WNOHANG) != 0)
            fail(c, "the coordinator does not start");
        clock_sleep_ms(1);
    }
    if (!c->reader)
        bench_must(store_open_read(&c->reader, c->store, &err), &err, c->store);
}

void cluster_start_worker(struct cluster *c, size_t i)
{
    char program[4096], name[16], log[CLUSTER_PATH + 32], cache[CLUSTER_PATH + 32];
    char key[CLUSTER_PATH + 64], server[CLUSTER_PATH + 64];
    size_t n = 13;
    const char *argv[CLUSTER_ARGS_MAX] = { program, "--coordinator", c->endpoint, "--slots",
                                           "1",     "--threads",     "1",         "--pin",
                                           "off",   "--name",        name,        "--cache",
                                           cache };

    peer_beside(program, sizeof program, "drover-worker");
    snprintf(name, sizeof name, "worker-%zu", i + 1);
    snprintf(log, sizeof log, "%s/%s.log", c->dir, name);
    snprintf(cache, sizeof cache, "%s/cache", c->dir);
    snprintf(key, sizeof key, "%s-keys/local.key", c->store);
    snprintf(server, sizeof server, "%s-keys/coordinator.pub", c->store);
    if (c->conf.tell_starts) {
        argv[n++] = "--log-level";
        argv[n++] = "debug";
    }
    if (c->conf.curve) {
        argv[n++] = "--key";
        argv[n++] = key;
        argv[n++] = "--server-key";
        argv[n++] = server;
    } else {
        argv[n++] = "--insecure";
    }
    c->worker[i] = spawn(argv, log, c->starts ? starts_fd(c->starts) : -1);
}

/* A closed store: the file and what goes with it. */
static void move_store(const char *from, const char *to)
{
    static const char *const parts[] = { "", "-mark", "-blobs" };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char old[CLUSTER_PATH + 64], new[CLUSTER_PATH + 64];

        (void)snprintf(old, sizeof old, "%s%s", from, parts[i]);
        (void)snprintf(new, sizeof new, "%s%s", to, parts[i]);
        if (rename(old, new) != 0 && i == 0) {
            perror(old);
            exit(1);
        }
    }
}

void cluster_open(struct cluster *c, const struct cluster_conf *conf)
{
    struct err err = { 0 };

    *c = (struct cluster){ .conf = *conf };
    if (conf->tell_starts)
        c->starts = starts_new();
    bench_must(scratch_open(&c->scratch) ? 0 : err_set(&err, ERR_IO, "%s", c->scratch.dir), &err,
               "scratch folder");
    snprintf(c->dir, sizeof c->dir, "%s", c->scratch.dir);
    (void)snprintf(c->store, sizeof c->store, "%s/results.db", c->dir);
    if (conf->from)
        move_store(conf->from, c->store);
    cluster_start(c);
    for (size_t i = 0; i < conf->workers; i++)
        cluster_start_worker(c, i);
}

void cluster_kill(struct cluster *c)
{
    end(&c->coordinator, SIGKILL);
}

void cluster_close(struct cluster *c)
{
    store_close(c->reader);
    for (size_t i = 0; i < CLUSTER_WORKERS_MAX; i++)
        end(&c->worker[i], SIGKILL);
    end(&c->coordinator, SIGKILL);
    starts_free(c->starts);
    scratch_close(&c->scratch);
}

static double cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec t = { 0 };

    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double cluster_cpu(const struct cluster *c)
{
    return cpu_of(c->coordinator);
}

double cluster_workers_cpu(const struct cluster *c)
{
    double sum = 0;

    for (size_t i = 0; i < CLUSTER_WORKERS_MAX; i++)
        sum += cpu_of(c->worker[i]);
    return sum;
}

static struct cluster_memory memory_of(pid_t pid)
{
    struct cluster_memory m = { 0 };
    char path[64], line[256];
    unsigned long long kib;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "VmRSS: %llu", &kib) == 1)
            m.resident = kib * 1024;
        if (sscanf(line, "VmHWM: %llu", &kib) == 1)
            m.peak = kib * 1024;
        if (sscanf(line, "RssAnon: %llu", &kib) == 1)
            m.anonymous = kib * 1024;
    }
    if (f)
        fclose(f);
    return m;
}

struct cluster_memory cluster_memory(const struct cluster *c)
{
    return memory_of(c->coordinator);
}

struct cluster_memory cluster_workers_memory(const struct cluster *c)
{
    struct cluster_memory sum = { 0 };

    for (size_t i = 0; i < CLUSTER_WORKERS_MAX; i++) {
        struct cluster_memory m = { 0 };

        if (c->worker[i] > 0)
            m = memory_of(c->worker[i]);
        sum.resident += m.resident;
        sum.anonymous += m.anonymous;
        sum.peak += m.peak;
    }
    return sum;
}

static int take_number(const char *const *names, const struct store_value *v, size_t columns,
                       void *arg)
{
    (void)names;
    if (v && columns > 0)
        *(uint64_t *)arg = strtoull(v[0].text, NULL, 10);
    return 0;
}

uint64_t cluster_ask(struct cluster *c, const char *sql)
{
    struct store_query limits = { .time_ms = 60000 };
    uint64_t number = 0;
    struct err err = { 0 };

    bench_must(store_query(c->reader, sql, &limits, take_number, &number, &err), &err, sql);
    return number;
}

double cluster_wait_done(struct cluster *c, uint64_t total, double seconds)
{
    const double until = store_seconds() + seconds;
    uint64_t done;
    double end;

    /* The index of ready jobs answers at once. */
    while (cluster_ask(c, "SELECT 1 FROM job WHERE state = 'READY' AND paused = 0 LIMIT 1")) {
        if (store_seconds() > until)
            fail(c, "jobs do not end");
        (void)usleep(POLL_US);
    }
    end = store_seconds();
    done = cluster_ask(c, "SELECT count(*) FROM job WHERE state = 'DONE'");
    if (done != total) {
        fprintf(stderr, "drover-bench: %llu of %llu jobs are done\n", (unsigned long long)done,
                (unsigned long long)total);
        fail(c, "jobs failed");
    }
    return end;
}

bool cluster_ready_few(struct cluster *c, uint64_t n)
{
    char sql[128];

    snprintf(sql, sizeof sql,
             "SELECT 1 FROM job WHERE state = 'READY' AND paused = 0 LIMIT 1 OFFSET %llu",
             (unsigned long long)n);
    return cluster_ask(c, sql) == 0;
}

int cluster_connect(const struct cluster *c, struct transport **ret, struct err *err)
{
    struct transport_keys keys CLEANUP(transport_keys_wipe) = { 0 };
    struct identity_choice who = { .store = c->store, .insecure = !c->conf.curve };
    int rc = identity_find(&who, c->endpoint, &keys, err);

    return rc < 0 ? rc : transport_connect(ret, c->endpoint, &keys, err);
}
