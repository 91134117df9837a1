/* SPDX-License-Identifier: Apache-2.0 */
/* group_web.c - a generated store of a million runs, a dashboard on it, and Chromium, which
 * tests/web/bench.mjs drives and in which the times are taken. */
#include "tests/bench/group_web.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/macros.h"
#include "tests/bench/dispatch_scratch.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"
#include "tests/bench/peer.h"

enum { READY_MS = 60000, PATH = 4096 };

void web_make_store(const struct web_store *w)
{
    char program[PATH], runs[24], scores[24], points[24];
    const char *argv[] = { program,    "--quiet", "--out",    w->path, "--runs", runs,
                           "--scores", scores,    "--points", points,  NULL,     NULL };

    if (w->ended)
        argv[10] = "--ended";
    peer_beside(program, sizeof program, "drover-make-store");
    snprintf(runs, sizeof runs, "%llu", (unsigned long long)w->runs);
    snprintf(scores, sizeof scores, "%llu", (unsigned long long)w->scores);
    snprintf(points, sizeof points, "%llu", (unsigned long long)w->points);
    if (!peer_run(argv)) {
        fprintf(stderr, "drover-bench: %s failed\n", program);
        exit(1);
    }
}

/* ---- the dashboard ---- */

static bool read_url(struct web_board *w, const char *path)
{
    FILE *f = fopen(path, "r");
    size_t len = f && fgets(w->url, sizeof w->url, f) ? strlen(w->url) : 0;
    bool whole = len > 0 && (w->url[len - 1] == '\n' || w->url[len - 1] == '/');

    if (f)
        fclose(f);
    while (len > 0 && (w->url[len - 1] == '\n' || w->url[len - 1] == '/'))
        w->url[--len] = '\0';
    return whole;
}

void web_board_start(struct web_board *w, const char *store, const char *dir)
{
    char program[PATH], ready[PATH], log[PATH];
    const char *argv[] = { program, "--store", store, "--port", "0", "--ready-file", ready, NULL };
    pid_t parent = getpid();

    peer_beside(program, sizeof program, "drover-dashboard");
    snprintf(ready, sizeof ready, "%.200s/dashboard.ready", dir);
    snprintf(log, sizeof log, "%.200s/dashboard.log", dir);
    (void)unlink(ready);
    *w = (struct web_board){ .pid = fork() };
    if (w->pid == 0) {
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
            _exit(127);
        execv(argv[0], (char **)argv);
        _exit(127);
    }
    for (int ms = 0; !read_url(w, ready); ms++) {
        if (ms == READY_MS || waitpid(w->pid, NULL, WNOHANG) != 0) {
            fprintf(stderr, "drover-bench: the dashboard does not start\n");
            exit(1);
        }
        clock_sleep_ms(1);
    }
}

void web_board_stop(struct web_board *w)
{
    if (w->pid <= 0)
        return;
    (void)kill(w->pid, SIGKILL);
    (void)waitpid(w->pid, NULL, 0);
    w->pid = 0;
}

double web_board_cpu(const struct web_board *w)
{
    clockid_t clock;
    struct timespec t = { 0 };

    if (clock_getcpuclockid(w->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return NAN;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double web_board_mb(const struct web_board *w)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)w->pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "VmRSS: %llu", &kib) != 1)
        ;
    if (f)
        fclose(f);
    return (double)kib / 1e3;
}

/* ---- what the browser says ---- */

static const struct {
    const char *name;
    double limit;
} limits[] = {
    { "web.first_paint_ms", 1000 },
    { "web.sort_filter_page.p95_ms", 200 },
    { "web.curve_1m_points_ms", 300 },
    { "web.bundle_kb", 200 },
};

static double real(const struct json *o, const char *key)
{
    return json_number(json_get(o, key), NAN);
}

static void take_line(struct bench *b, const char *line)
{
    struct json *o CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };
    double limit = NAN;
    const char *name;

    if (json_parse(line, strlen(line), &o, &err) < 0) {
        bench_note(b, line);
        return;
    }
    name = json_text(json_get(o, "name"));
    if (!name) {
        bench_note(b, json_text(json_get(o, "note")));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (strcmp(limits[i].name, name) == 0)
            limit = limits[i].limit;
    bench_report(
        b, name, json_text(json_get(o, "unit")),
        (struct figure){ real(o, "value"), real(o, "min"), real(o, "max"), (size_t)real(o, "n") },
        BETTER_LOWER, limit);
}

/* Run tests/web/bench.mjs; every line that it prints is a figure. */
static void ask_browser(struct bench *b, const char *url)
{
    const char *argv[] = { "/usr/bin/env",
                           "node",
                           DROVER_BENCH_FOLDER "/../web/bench.mjs",
                           url,
                           b->quick ? "--short" : NULL,
                           NULL };
    char line[4096];
    int ends[2], status = 0;
    pid_t pid, parent = getpid();
    FILE *f;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || dup2(ends[1], 1) < 0)
            _exit(127);
        execv(argv[0], (char **)argv);
        _exit(127);
    }
    close(ends[1]);
    f = fdopen(ends[0], "r");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        take_line(b, line);
    }
    if (f)
        fclose(f);
    (void)waitpid(pid, &status, 0);
    if (status != 0)
        bench_note(b, "web: the browser's part ended early; figures above may be missing");
}

static bool wants_page(const struct bench *b)
{
    return bench_wants(b, "web.first_paint") || bench_wants(b, "web.sort_filter_page") ||
           bench_wants(b, "web.curve_1m_points") || bench_wants(b, "web.bundle");
}

static void bench_page(struct bench *b)
{
    const struct web_store full = { .runs = 1000000, .scores = 10000000, .points = 100000000 },
                           quick = { .runs = 100000, .scores = 200000, .points = 8000000 };
    struct web_store w = b->quick ? quick : full;
    struct scratch scratch;
    struct web_board board;
    char path[PATH];
    double start = store_seconds(), made, mb;
    struct err err = { 0 };

    bench_must(scratch_open(&scratch) ? 0 : err_set(&err, ERR_IO, "%s", scratch.dir), &err,
               "scratch folder");
    snprintf(path, sizeof path, "%s/results.db", scratch.dir);
    w.path = path;
    web_make_store(&w);
    made = store_seconds() - start;
    bench_report(b, "web.make_store_s", "s", bench_figure(&made, 1), BETTER_LOWER, NAN);
    web_board_start(&board, path, scratch.dir);
    ask_browser(b, board.url);
    mb = web_board_mb(&board);
    bench_report(b, "web.memory_mb", "MB", bench_figure(&mb, 1), BETTER_LOWER, NAN);
    web_board_stop(&board);
    scratch_close(&scratch);
}

void bench_web(struct bench *b)
{
    const char *const node[] = { "/usr/bin/env",
                                 "node",
                                 "--input-type=module",
                                 "-e",
                                 "const { chromiumPath } = await import(process.argv[1]);"
                                 "process.exit(chromiumPath() === null ? 1 : 0)",
                                 DROVER_BENCH_FOLDER "/../web/lib/browser.mjs",
                                 NULL };
    const char *const drives = DROVER_BENCH_FOLDER "/../web/node_modules/playwright-core";

    if (access(drives, F_OK) != 0 || !peer_run(node)) {
        bench_note(b,
                   "web: node, Chromium or playwright-core are missing: ./dev setup web webtest, "
                   "npm ci in tests/web");
        return;
    }
    if (wants_page(b))
        bench_page(b);
    if (bench_wants(b, "web.load"))
        web_bench_load(b);
}
