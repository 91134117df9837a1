/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/watch.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/stats/pace.h"
#include "experiments/cli/client.h"
#include "experiments/cli/operate.h"

enum { LOOK_MS = 1000, ANSWER_MS = 10000, ROWS_MAX = 4096, BAR_CELLS = 20, FAILURES_SHOWN = 5 };
enum { NAME_BYTES = 128 };

/* What is remembered of a step, or with step "" of an experiment. */
struct row {
    char experiment[NAME_BYTES], step[NAME_BYTES];
    struct pace pace;
    uint64_t at_ms;
    double units, rate; /* at the last look; per second, between the last two that differ in time */
    bool rated;
    char said[160]; /* lines: what was printed last, without rates */
};

struct watch {
    bool all, utf8; /* all: those that ended are only counted */
    struct row *row;
    size_t rows;
};

struct watch *watch_new(bool all, bool utf8)
{
    struct watch *w = mem_calloc(1, sizeof(*w));

    w->all = all;
    w->utf8 = utf8;
    w->row = mem_calloc(ROWS_MAX, sizeof(*w->row));
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    free(w->row);
    free(w);
}

/* NULL: too many. */
static struct row *row_of(struct watch *w, const char *experiment, const char *step)
{
    struct row *r;

    for (size_t i = 0; i < w->rows; i++)
        if (strcmp(w->row[i].experiment, experiment) == 0 && strcmp(w->row[i].step, step) == 0)
            return &w->row[i];
    if (w->rows == ROWS_MAX || strlen(experiment) >= NAME_BYTES || strlen(step) >= NAME_BYTES)
        return NULL;
    r = &w->row[w->rows++];
    (void)snprintf(r->experiment, sizeof(r->experiment), "%s", experiment);
    (void)snprintf(r->step, sizeof(r->step), "%s", step);
    return r;
}

static void look(struct row *r, double units, bool running, uint64_t now_ms)
{
    if (r->at_ms && now_ms > r->at_ms) {
        r->rate = (units - r->units) * 1000 / (double)(now_ms - r->at_ms);
        r->rated = units >= r->units; /* tried again: fewer are done now */
    }
    r->at_ms = now_ms;
    r->units = units;
    pace_add(&r->pace, now_ms, units, running);
}

/* ---- texts ---- */

static void add_duration(struct buf *out, double seconds)
{
    const long s = (long)(seconds + 0.5);

    if (s < 3600)
        buf_printf(out, "%ld:%02ld", s / 60, s % 60);
    else
        buf_printf(out, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

static void add_rate(const struct row *r, double total, struct buf *out)
{
    double low, high;

    if (r->rated && r->rate > 0)
        buf_printf(out, ", %.*f/s", r->rate < 10 ? 1 : 0, r->rate);
    if (!pace_left(&r->pace, total, &low, &high))
        return;
    buf_adds(out, ", ETA ");
    add_duration(out, low);
    if ((long)(low + 0.5) == (long)(high + 0.5))
        return;
    buf_adds(out, " to ");
    add_duration(out, high);
}

static void add_count(struct buf *out, uint64_t n, const char *what)
{
    if (n > 0)
        buf_printf(out, ", %llu %s", (unsigned long long)n, what);
}

static const char *state_of(const Drover__ExperimentStatus *e)
{
    return e->cancelled  ? "cancelled"
           : e->finished ? "finished"
           : e->paused   ? "paused"
                         : "going on";
}

struct sums {
    uint64_t jobs, done, running, failed, cancelled, skipped;
};

static struct sums sums_of(const Drover__ExperimentStatus *e)
{
    struct sums n = { 0 };

    for (size_t i = 0; i < e->n_steps; i++) {
        n.jobs += e->steps[i]->jobs;
        n.done += e->steps[i]->done;
        n.running += e->steps[i]->running;
        n.failed += e->steps[i]->failed;
        n.cancelled += e->steps[i]->cancelled;
        n.skipped += e->steps[i]->skipped;
    }
    return n;
}

static void add_ends(struct buf *out, uint64_t failed, uint64_t skipped, uint64_t cancelled)
{
    add_count(out, failed, "failed");
    add_count(out, skipped, "skipped");
    add_count(out, cancelled, "cancelled");
}

/* ---- the picture ---- */

static void add_bar(const struct watch *w, double share, struct buf *out)
{
    const int full = (int)(MIN(share, 1.0) * BAR_CELLS + 0.5);

    for (int i = 0; i < BAR_CELLS; i++)
        buf_adds(out, w->utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : "."));
}

static void add_step(struct watch *w, const Drover__ExperimentStatus *e,
                     const Drover__StepStatus *s, uint64_t now_ms, struct buf *out)
{
    const double done = (double)s->units_done + s->running_share, all = (double)s->units_total;
    const uint32_t over = s->done + s->failed + s->cancelled + s->skipped;
    struct row *r = row_of(w, e->name, s->step);
    char count[48];

    if (!r)
        return;
    look(r, done, s->running > 0, now_ms);
    (void)snprintf(count, sizeof(count), "%llu/%llu", (unsigned long long)s->units_done,
                   (unsigned long long)s->units_total);
    buf_printf(out, "  %-16.16s ", s->step);
    add_bar(w, all > 0 ? done / all : 0, out);
    buf_printf(out, " %15s  %s", count,
               over >= s->jobs         ? "done"
               : s->running            ? ""
               : s->waiting == s->jobs ? "waiting"
                                       : "ready");
    if (s->running && over < s->jobs) {
        buf_printf(out, "%u running", s->running);
        add_rate(r, all, out);
    }
    add_ends(out, s->failed, s->skipped, s->cancelled);
    buf_adds(out, "\n");
}

static void add_failures(const Drover__ExperimentStatus *e, struct buf *out)
{
    const size_t first = e->n_failures > FAILURES_SHOWN ? e->n_failures - FAILURES_SHOWN : 0;

    for (size_t i = first; i < e->n_failures; i++)
        buf_printf(out, "  failed: %.*s\n", (int)strcspn(e->failures[i], "\n"), e->failures[i]);
}

static void add_experiment(struct watch *w, const Drover__ExperimentStatus *e, uint64_t now_ms,
                           struct buf *out)
{
    const struct sums n = sums_of(e);

    buf_printf(out, "\n%s, revision %llu: %s, %llu of %llu jobs done, %llu running", e->name,
               (unsigned long long)e->revision, state_of(e), (unsigned long long)n.done,
               (unsigned long long)n.jobs, (unsigned long long)n.running);
    if (e->priority)
        buf_printf(out, ", priority %d", e->priority);
    buf_adds(out, "\n");
    for (size_t i = 0; i < e->n_steps; i++)
        add_step(w, e, e->steps[i], now_ms, out);
    add_failures(e, out);
}

static void add_head(const Drover__Status *s, struct buf *out)
{
    uint64_t slots = 0, running = 0, waiting = 0, troubled = 0;

    for (size_t i = 0; i < s->n_workers; i++) {
        slots += s->workers[i]->slots;
        running += s->workers[i]->running;
        waiting += s->workers[i]->waiting;
        troubled += strcmp(wire_worker_state(s->workers[i]), "working") != 0;
    }
    buf_printf(out, "%zu worker%s, %llu of %llu slots busy", s->n_workers,
               s->n_workers == 1 ? "" : "s", (unsigned long long)running,
               (unsigned long long)slots);
    add_count(out, waiting, "jobs wait there");
    add_count(out, troubled, "not working (drover workers)");
    buf_adds(out, "; q ends\n");
}

void watch_picture(struct watch *w, const Drover__Status *s, uint64_t now_ms, struct buf *out)
{
    size_t ended = 0;

    add_head(s, out);
    for (size_t i = 0; i < s->n_experiments; i++) {
        if (w->all && s->experiments[i]->finished)
            ended++;
        else
            add_experiment(w, s->experiments[i], now_ms, out);
    }
    if (ended > 0)
        buf_printf(out, "\n%zu experiment%s ended\n", ended, ended == 1 ? " has" : "s have");
}

/* ---- lines ---- */

void watch_lines(struct watch *w, const Drover__Status *s, uint64_t now_ms, struct buf *out)
{
    for (size_t i = 0; i < s->n_experiments; i++) {
        const Drover__ExperimentStatus *e = s->experiments[i];
        const struct sums n = sums_of(e);
        struct row *r = row_of(w, e->name, "");
        struct buf text CLEANUP(buf_release) = { 0 };

        if (!r)
            continue;
        look(r, (double)n.done, n.running > 0, now_ms);
        buf_printf(&text, "%s: %s, jobs %llu/%llu, %llu running", e->name, state_of(e),
                   (unsigned long long)n.done, (unsigned long long)n.jobs,
                   (unsigned long long)n.running);
        add_ends(&text, n.failed, n.skipped, n.cancelled);
        if (strncmp(buf_str(&text), r->said, sizeof(r->said) - 1) == 0)
            continue;
        const bool first_end = w->all && e->finished && !*r->said;
        (void)snprintf(r->said, sizeof(r->said), "%s", buf_str(&text));
        if (first_end)
            continue; /* it had ended before */
        if (n.running > 0)
            add_rate(r, (double)n.jobs, &text);
        buf_printf(out, "%s\n", buf_str(&text));
    }
}

/* ---- the loop ---- */

static int show(struct watch *w, struct screen *screen, const Drover__Status *s)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (screen_live(screen))
        watch_picture(w, s, clock_ms(), &text);
    else
        watch_lines(w, s, clock_ms(), &text);
    screen_draw(screen, buf_str(&text));
    return !w->all && s->n_experiments > 0 && s->experiments[0]->finished;
}

int watch_status(const char *endpoint, const char *experiment, struct err *err)
{
    struct watch *w = watch_new(!experiment, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;
    struct screen *screen = NULL;
    bool over = false;
    int rc;

    request.experiment = (char *)(uintptr_t)(experiment ? experiment : "");
    request.workers = true;
    do {
        Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;

        rc = client_call(endpoint, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request,
                         DROVER__ENVELOPE__BODY_STATUS, ANSWER_MS, &answer, err);
        if (rc)
            break;
        if (!screen)
            screen = screen_new();
        over = show(w, screen, answer->status);
    } while (!over && screen_wait(screen, LOOK_MS));
    screen_free(screen);
    watch_free(w);
    return rc;
}
