/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "exec": any program, as a step. The spawner (worker/spawn) runs and ends it; here its
 * pipes are read, its end is named, and what it left becomes outputs. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/jobs/exec_end.h"
#include "worker/jobs/exec_lines.h"
#include "worker/jobs/exec_setup.h"
#include "worker/jobs/exec_tail.h"
#include "worker/jobs/implement.h"

enum {
    ROUND_MS = 100,        /* how soon a stop is seen; the progress counter rises every round */
    ROUND_BYTES = 1 << 20, /* of each pipe: with the rest of 2 ms, 0.5 GB/s at the very most */
    REST_MS = 2,
    DRAIN_MS = 1000,    /* for what is left in the pipes, when nobody can write any more */
    POINTS_MAX = 90000, /* of metrics: a result holds 100,000 */
    MEANS_MAX = 1000    /* more at the very end, for the means of scores */
};

struct exec {
    struct job *j;
    struct exec_setup setup;
    struct exec_lines lines;
    struct exec_tail tail;
    struct program program;
    struct spawn_end end;
    uint64_t points, dropped, points_max; /* of metrics */
    bool stopped;
};

static void on_metric(void *arg, const char *name, uint64_t step, double value)
{
    struct exec *x = arg;

    if (x->points >= x->points_max) {
        x->dropped++;
        return;
    }
    x->points++;
    x->j->services->metric(x->j->services->arg, name, step, value);
}

static void on_progress(void *arg, double share)
{
    const struct exec *x = arg;

    atomic_store(&x->j->progress->total, 1000);
    atomic_store(&x->j->progress->done, (uint64_t)(share * 1000));
}

/* What is in *FD now; closes it at its end. Returns the number of bytes. */
static size_t take(struct exec *x, int *fd, bool metrics)
{
    char block[65536];
    size_t sum = 0;

    while (*fd >= 0 && sum < ROUND_BYTES) {
        const ssize_t n = read(*fd, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0) {
            (void)close(*fd);
            *fd = -1;
            break;
        }
        sum += (size_t)n;
        if (metrics)
            exec_lines_add(&x->lines, block, (size_t)n);
        else
            exec_tail_add(&x->tail, block, (size_t)n);
    }
    return sum;
}

static int follow(struct exec *x, struct err *err)
{
    struct program *p = &x->program;
    bool ended = false;
    int rc = 0;

    while (!ended && rc == 0) {
        struct pollfd fds[] = { { .fd = p->control, .events = POLLIN },
                                { .fd = p->output, .events = POLLIN },
                                { .fd = p->metrics, .events = POLLIN } };

        (void)poll(fds, ARRAY_LEN(fds), ROUND_MS);
        progress_tick(x->j->progress); /* it lives; its own time_limit_s says how long it may */
        const size_t got = take(x, &p->output, false) + take(x, &p->metrics, true);
        if (got >= ROUND_BYTES)
            clock_sleep_ms(REST_MS);
        if (!x->stopped && progress_stopped(x->j->progress)) {
            x->stopped = true;
            program_stop(p);
        }
        rc = program_ended(p, &ended, &x->end, err);
    }
    const uint64_t begin_ms = clock_ms();
    while ((p->output >= 0 || p->metrics >= 0) && clock_ms() - begin_ms < DRAIN_MS)
        if (take(x, &p->output, false) + take(x, &p->metrics, true) == 0 &&
            (p->output >= 0 || p->metrics >= 0))
            clock_sleep_ms(REST_MS);
    x->points_max += MEANS_MAX;
    exec_lines_end(&x->lines);
    return rc;
}

/* What people look for in `drover logs`. */
static void write_log(const struct exec *x)
{
    const struct exec_lines *l = &x->lines;
    struct buf text CLEANUP(buf_release) = { 0 };

    exec_tail_print(&x->tail, &text);
    if (text.len > 0)
        x->j->services->log_text(x->j->services->arg, buf_str(&text));
    if (l->garbage > 0)
        log_warn("exec_garbage",
                 "lines=%" PRIu64 " of=%" PRIu64 " first=%" PRIu64 " text=\"%s\" why=\"%s\"",
                 l->garbage, l->lines, l->first_line, l->first_garbage, l->first_why);
    if (x->dropped > 0)
        log_warn("exec_metrics_dropped", "points=%" PRIu64 " limit=%d", x->dropped, POINTS_MAX);
    if (x->end.left > 0)
        log_warn("exec_left", "processes=%" PRIu32 " text=\"outlived the program and were killed\"",
                 x->end.left);
    if (x->end.stuck > 0)
        log_warn("exec_stuck",
                 "processes=%" PRIu32 " text=\"could not be killed: they wait for a device\"",
                 x->end.stuck);
    log_info("exec_end",
             "cause=%d status=%d wall_ms=%" PRIu64 " cpu_ms=%" PRIu64 " peak_mib=%.1f "
             "output_bytes=%" PRIu64 " metrics=%" PRIu64,
             (int)x->end.cause, x->end.status, x->end.wall_ms, x->end.cpu_ms,
             (double)x->end.peak_bytes / 0x1p20, x->tail.total, x->points);
}

static int run_program(struct exec *x, const struct policy *policy, const char *path,
                       struct err *err)
{
    const struct job *j = x->j;
    const struct spawn_order order = {
        .path = path,
        .cwd = x->setup.work,
        .argv = (const char *const *)x->setup.argv,
        .env = (const char *const *)x->setup.env,
        .memory_bytes = (uint64_t)(kind_real(j->kind, &j->params, "memory_limit_mib") * 0x1p20),
        .time_ms = (uint64_t)(kind_real(j->kind, &j->params, "time_limit_s") * 1000),
        .grace_ms = (uint64_t)(kind_real(j->kind, &j->params, "grace_s") * 1000)
    };

    int rc = program_start(policy->spawner, &order, &x->program, err);
    if (rc)
        return rc;
    log_info("exec_begin", "program=%s arguments=%zu", path, x->setup.argv_len - 1);
    rc = follow(x, err);
    program_close(&x->program);
    write_log(x);
    return rc ? rc : exec_end_name(j, x->setup.argv[0], &x->end, &x->tail, err);
}

static int run(struct exec *x, const struct policy *policy, struct err *err)
{
    const struct param_value *command = params_get(&x->j->params, "command");
    char *path CLEANUP(mem_cleanup) = NULL;

    int rc = exec_setup(&x->setup, x->j, policy, err);
    rc = rc ? rc : policy_find(policy, command->texts[0], &path, err);
    if (rc == 0 && progress_stopped(x->j->progress))
        rc = err_set(err, ERR_CANCELLED, "stopped before the program began");
    rc = rc ? rc : run_program(x, policy, path, err);
    if (rc)
        return rc;
    rc = exec_outputs(&x->setup, x->j, err);
    if (rc == 0 && x->lines.diverged)
        return err_set(err, ERR_DIVERGED, "%s", x->lines.diverged_why);
    return rc;
}

int exec_run(struct job *j, struct err *err)
{
    const struct policy *policy = policy_get();
    struct exec x = { .j = j, .points_max = POINTS_MAX };

    if (policy == NULL)
        return err_set(err, ERR_INVALID,
                       "this worker runs no programs; start it with --allow-exec and "
                       "--allow-program LIST");
    x.lines.sink = (struct exec_sink){ .arg = &x, .metric = on_metric, .progress = on_progress };
    const int rc = run(&x, policy, err);
    exec_setup_release(&x.setup);
    exec_lines_release(&x.lines);
    exec_tail_release(&x.tail);
    return rc;
}
