/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/embedded.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "experiments/cli/child.h"

enum {
    READY_MS_MAX = 30000, /* opening a large store after a crash replays its journal */
    RESTARTS_MAX = 5,     /* of one child; one that lived for a while starts counting anew */
    LIVED_MS = 60000,
    RESTART_PAUSE_MS = 500, /* doubled each time */
    LABELS_MAX = 16
};

struct member {
    struct child child;
    bool wanted;
    unsigned restarts;
    uint64_t started_ms, again_ms; /* again_ms: when to restart, 0: not planned */
};

struct embedded {
    char *folder, *store, *logs, *ready_file, *endpoint, *programs;
    size_t workers, threads, slots;
    char *label[LABELS_MAX];
    size_t labels_len;
    bool insecure;
    bool own_coordinator, working, stopping, coordinator_told;
    struct member coordinator;
    struct member worker[EMBEDDED_WORKERS_MAX];
};

static char *join(const char *a, const char *b)
{
    struct buf out = { 0 };

    buf_printf(&out, "%s%s", a, b);
    return buf_detach(&out);
}

/* ---- starting ---- */

static int start_coordinator(struct embedded *e, struct err *err)
{
    char *program CLEANUP(mem_cleanup) = join(e->folder, "/drover-coordinator");
    char *log CLEANUP(mem_cleanup) = join(e->logs, "/coordinator.log");
    /* A first start listens at a new port: no worker of before knows it, so none is waited for. */
    const char *const args[] = { "--insecure",
                                 "--store",
                                 e->store,
                                 "--listen",
                                 e->endpoint ? e->endpoint : "tcp://127.0.0.1:*",
                                 "--ready-file",
                                 e->ready_file,
                                 "--reattach-ms",
                                 e->endpoint ? "10000" : "100",
                                 NULL };

    (void)unlink(e->ready_file); /* of a run that was killed */
    e->coordinator.wanted = true;
    e->coordinator.started_ms = clock_ms();
    return child_start(&e->coordinator.child, program, args + !e->insecure, log, err);
}

static int start_worker(struct embedded *e, size_t i, struct err *err)
{
    char *program CLEANUP(mem_cleanup) = join(e->folder, "/drover-worker");
    struct buf log CLEANUP(buf_release) = { 0 };
    char threads[16], slots[16];
    const char *args[16 + 2 * LABELS_MAX] = { NULL };
    size_t n = 0;

    snprintf(threads, sizeof(threads), "%zu", e->threads);
    snprintf(slots, sizeof(slots), "%zu", e->slots);
    if (e->insecure)
        args[n++] = "--insecure";
    const char *const usual[] = { "--coordinator", e->endpoint, "--slots", slots,
                                  "--threads",     threads,     "--store", e->store };
    for (size_t k = 0; k < ARRAY_LEN(usual); k++)
        args[n++] = usual[k];
    for (size_t k = 0; k < e->labels_len; k++) {
        args[n++] = "--label";
        args[n++] = e->label[k];
    }
    if (e->programs) {
        args[n++] = "--allow-exec";
        args[n++] = "--allow-program";
        args[n++] = e->programs;
    }
    buf_printf(&log, "%s/worker-%zu.log", e->logs, i + 1);
    e->worker[i].wanted = true;
    e->worker[i].started_ms = clock_ms();
    return child_start(&e->worker[i].child, program, args, buf_str(&log), err);
}

static int died(struct member *m, const char *what, struct err *err)
{
    char words[400], fate[64];

    child_last_words(&m->child, words, sizeof(words));
    return err_set(err, ERR_IO, "%s ended with %s: %s (see %s)", what,
                   child_fate(&m->child, fate, sizeof(fate)), words, m->child.log);
}

/* The endpoint, once the coordinator has written it whole. */
static int read_ready(struct embedded *e, bool *ret_ready, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    *ret_ready = false;
    int rc = buf_read_file(&text, e->ready_file, 4096, err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc || text.len == 0 || text.data[text.len - 1] != '\n')
        return rc;
    text.data[text.len - 1] = '\0';
    if (!e->endpoint)
        e->endpoint = mem_strdup(text.data);
    *ret_ready = true;
    return 0;
}

static int wait_ready(struct embedded *e, struct err *err)
{
    const uint64_t until = clock_ms() + READY_MS_MAX;
    unsigned deaths = 0;
    bool ready = false;

    while (!ready) {
        if (!child_running(&e->coordinator.child)) {
            /* Killed while it starts is no other death than later (embedded_watch). */
            if (child_gave_up(&e->coordinator.child) || deaths++ == RESTARTS_MAX)
                return died(&e->coordinator, "the coordinator", err);
            int again = start_coordinator(e, err);
            if (again)
                return again;
        }
        if (clock_ms() > until)
            return err_set(err, ERR_TIMEOUT, "the coordinator is not ready after %d s; see %s",
                           READY_MS_MAX / 1000, e->coordinator.child.log);
        int rc = read_ready(e, &ready, err);
        if (rc)
            return rc;
        if (!ready)
            clock_sleep_ms(5);
    }
    return 0;
}

int embedded_new(const struct embedded_conf *conf, struct embedded **ret, struct err *err)
{
    struct embedded *e = mem_calloc(1, sizeof(*e));
    char ready[32];
    int rc = 0;

    e->folder = mem_strdup(conf->folder);
    e->store = mem_strdup(conf->store);
    e->logs = join(conf->store, "-logs");
    /* Of this process alone: of two runs that start at once only one coordinator gets the store,
     * and the other run must not take its endpoint for that of its own. */
    snprintf(ready, sizeof(ready), "/ready-%d", (int)getpid());
    e->ready_file = join(e->logs, ready);
    e->endpoint = conf->endpoint ? mem_strdup(conf->endpoint) : NULL;
    e->own_coordinator = !conf->endpoint;
    e->programs = conf->programs ? mem_strdup(conf->programs) : NULL;
    e->workers = MIN(conf->workers, (size_t)EMBEDDED_WORKERS_MAX);
    e->threads = conf->threads;
    e->slots = MAX(conf->slots, (size_t)1);
    for (size_t i = 0; conf->label && conf->label[i] && i < LABELS_MAX; i++)
        e->label[e->labels_len++] = mem_strdup(conf->label[i]);
    e->insecure = conf->insecure;
    if (mkdir(e->logs, 0755) != 0 && errno != EEXIST)
        rc = err_errno(err, errno, "%s", e->logs);
    if (!rc && e->own_coordinator)
        rc = start_coordinator(e, err);
    if (!rc && e->own_coordinator)
        rc = wait_ready(e, err);
    (void)unlink(e->ready_file);
    if (rc) {
        embedded_free(e);
        return rc;
    }
    *ret = e;
    return 0;
}

void embedded_free(struct embedded *e)
{
    if (!e)
        return;
    embedded_kill(e);
    while (!embedded_stopped(e))
        clock_sleep_ms(5);
    (void)unlink(e->ready_file); /* of a coordinator that was started again */
    free(e->folder);
    free(e->store);
    free(e->logs);
    free(e->ready_file);
    free(e->endpoint);
    free(e->programs);
    for (size_t i = 0; i < e->labels_len; i++)
        free(e->label[i]);
    free(e);
}

const char *embedded_endpoint(const struct embedded *e)
{
    return e->endpoint;
}

const char *embedded_logs(const struct embedded *e)
{
    return e->logs;
}

int embedded_work(struct embedded *e, struct err *err)
{
    int rc = 0;

    e->working = true;
    for (size_t i = 0; !rc && i < e->workers; i++)
        rc = start_worker(e, i, err);
    return rc;
}

bool embedded_working(const struct embedded *e)
{
    return e->working;
}

/* ---- watching ---- */

/* Is it time to restart M? Plans it when it just died. */
static int watch(struct member *m, const char *what, uint64_t now_ms, bool *ret_restart,
                 void (*report)(void *arg, const char *line), void *arg, struct err *err)
{
    char line[200], fate[64];

    *ret_restart = false;
    if (!m->wanted || (m->again_ms == 0 && child_running(&m->child)))
        return 0;
    if (m->again_ms == 0) {
        if (now_ms - m->started_ms > LIVED_MS)
            m->restarts = 0;
        if (m->restarts == RESTARTS_MAX || child_gave_up(&m->child))
            return died(m, what, err);
        m->again_ms = now_ms + ((uint64_t)RESTART_PAUSE_MS << m->restarts);
        m->restarts++;
        snprintf(line, sizeof(line), "%s ended with %s; starting it again", what,
                 child_fate(&m->child, fate, sizeof(fate)));
        report(arg, line);
    }
    if (now_ms >= m->again_ms) {
        m->again_ms = 0;
        *ret_restart = true;
    }
    return 0;
}

int embedded_watch(struct embedded *e, uint64_t now_ms, void (*report)(void *arg, const char *line),
                   void *arg, struct err *err)
{
    char name[32];
    bool restart;

    if (e->stopping)
        return 0;
    int rc = watch(&e->coordinator, "coordinator", now_ms, &restart, report, arg, err);
    if (!rc && restart)
        rc = start_coordinator(e, err);
    for (size_t i = 0; !rc && i < e->workers; i++) {
        snprintf(name, sizeof(name), "worker %zu", i + 1);
        rc = watch(&e->worker[i], name, now_ms, &restart, report, arg, err);
        if (!rc && restart)
            rc = start_worker(e, i, err);
    }
    return rc;
}

/* ---- stopping ---- */

void embedded_kill(struct embedded *e)
{
    e->stopping = true;
    e->coordinator.wanted = false;
    for (size_t i = 0; i < e->workers; i++) {
        e->worker[i].wanted = false;
        child_signal(&e->worker[i].child, SIGKILL);
    }
    child_signal(&e->coordinator.child, SIGKILL);
}

void embedded_leave(struct embedded *e)
{
    e->stopping = true;
    e->coordinator.wanted = false;
    for (size_t i = 0; i < e->workers; i++) {
        e->worker[i].wanted = false;
        child_leave(&e->worker[i].child);
    }
    child_leave(&e->coordinator.child);
}

void embedded_stop(struct embedded *e)
{
    if (e->own_coordinator && !child_running(&e->coordinator.child)) {
        embedded_kill(e); /* nobody is left to take what the workers would wait to hand over */
        return;
    }
    e->stopping = true;
    e->coordinator.wanted = false;
    for (size_t i = 0; i < e->workers; i++) {
        e->worker[i].wanted = false;
        child_signal(&e->worker[i].child, SIGTERM);
    }
}

bool embedded_stopped(struct embedded *e)
{
    bool workers = false;

    for (size_t i = 0; i < e->workers; i++)
        workers = child_running(&e->worker[i].child) || workers;
    if (workers)
        return false;
    if (!child_running(&e->coordinator.child))
        return true;
    if (!e->coordinator_told) {
        e->coordinator_told = true;
        child_signal(&e->coordinator.child, SIGTERM);
    }
    return false;
}
