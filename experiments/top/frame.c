/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c - the picture, from top to bottom. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/top/amount.h"
#include "experiments/top/frame_private.h"

struct line frame_line(struct frame *f)
{
    if (f->lines > 0)
        buf_addc(f->out, '\n');
    f->lines++;
    return (
        struct line){ .out = f->out, .left = f->cols, .utf8 = f->v->utf8, .color = f->v->color };
}

static bool has_room(const struct frame *f)
{
    return f->rows == 0 || f->lines < f->rows;
}

/* ---- the head ---- */

static void add_state(struct frame *f, struct line *l)
{
    const struct top *t = f->t;
    amount age;

    if (t->silent_ms) {
        line_style(l, BAD);
        line_printf(l, "no answer since %s", amount_age(age, f->now_ms - t->silent_ms));
        if (*t->why)
            line_printf(l, ": %s", t->why);
        line_style(l, "");
    } else if (f->v->paused) {
        line_style(l, WARN);
        line_text(l, "paused");
        line_style(l, "");
    } else if (f->v->keys) {
        line_printf(l, "every %g s", f->v->interval_s);
    }
}

static void add_title(struct frame *f)
{
    struct line l = frame_line(f);
    amount up;

    line_style(&l, BOLD);
    line_printf(&l, "drover %s", f->t->version);
    line_style(&l, "");
    line_printf(&l, "  %s  ", f->v->endpoint);
    if (f->t->known)
        line_printf(&l, "up %s  ", amount_clock(up, (double)f->t->up_ms / 1000));
    add_state(f, &l);
}

static void add_bytes(struct line *l, const char *what, double n)
{
    char text[64];
    amount bytes;

    (void)snprintf(text, sizeof(text), "%s %s", what, amount_bytes(bytes, n));
    line_whole(l, text);
}

static void add_jobs(struct frame *f)
{
    static const char *const states[] = { "ready", "leased", "resting", "waiting" };
    struct line l = frame_line(f);
    amount n;

    line_left(&l, "jobs", 8);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        line_right(&l, amount_count(n, top_number(f->t, "drover_jobs", states[i])), 6);
        line_printf(&l, " %s ", states[i]);
    }
    add_bytes(&l, " WAL", top_number(f->t, "drover_wal_bytes", ""));
    add_bytes(&l, "  store", top_number(f->t, "drover_store_bytes", ""));
}

static void add_rate(struct line *l, bool known, double rate, const char *what)
{
    amount n;

    line_right(l, known ? amount_rate(n, rate) : "-", 6);
    line_printf(l, " %s ", what);
}

static void add_rates(struct frame *f)
{
    struct top_rates now, minute;
    const bool known = top_rates(f->t, 0, &now), longer = top_rates(f->t, MINUTE_MS, &minute);
    struct line l = frame_line(f);

    line_left(&l, "rates", 8);
    add_rate(&l, known, now.results, "results/s");
    add_rate(&l, known, now.attempts, "attempts/s ");
    add_rate(&l, longer, minute.results, "and");
    add_rate(&l, longer, minute.attempts, "over a minute");
}

static void add_crew(struct frame *f)
{
    static const char *const states[] = { "working", "paused", "draining", "quiet", "gone" };
    struct line l = frame_line(f);
    amount n, of;

    line_left(&l, "workers", 8);
    line_right(&l, amount_count(n, (double)f->t->workers), 6);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        const double k = top_number(f->t, "drover_workers", states[i]);

        if (k > 0 || i == 0) {
            line_text(&l, i == 0 ? ": " : ", ");
            line_style(&l, i == 0 ? "" : i >= 3 ? BAD : WARN);
            line_printf(&l, "%s %s", amount_count(n, k), states[i]);
            line_style(&l, "");
        }
    }
    line_printf(&l, "   slots %s/%s busy",
                amount_count(n, top_number(f->t, "drover_slots_busy", "")),
                amount_count(of, top_number(f->t, "drover_slots", "")));
    line_printf(&l, "   queued %s",
                amount_count(n, top_number(f->t, "drover_worker_queue_jobs", "")));
}

/* ---- experiments ---- */

enum { BAR_CELLS = 12, JOBS_CELLS = 7 };

static void add_bar(struct line *l, double share)
{
    const int full = (int)(MIN(MAX(share, 0), 1) * BAR_CELLS + 0.5);

    for (int i = 0; i < BAR_CELLS; i++)
        line_text(l, l->utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : "."));
    line_text(l, " ");
}

static size_t name_cells(const struct frame *f)
{
    return f->cols < 60 ? 12 : 18 + (MIN(f->cols, 200) - MIN(f->cols, 80)) / 4;
}

static void add_left(const struct frame *f, const struct top_experiment *x, struct line *l)
{
    const double out = (double)(x->over - x->done);
    double low, high;
    amount from, to;

    if (x->paused) {
        line_style(l, WARN);
        line_text(l, "paused");
        line_style(l, "");
    } else if (pace_left(&x->pace, (double)x->jobs - out, &low, &high)) {
        line_text(l, amount_clock(from, low));
        if (strcmp(from, amount_clock(to, high)) != 0)
            line_printf(l, "%s%s", f->v->utf8 ? "–" : "-", to);
    } else {
        line_text(l, x->running ? "estimating" : x->ready ? "ready" : "waiting");
    }
}

static void add_experiment(struct frame *f, const struct top_experiment *x)
{
    struct line l = frame_line(f);
    amount n;

    line_left(&l, x->name, name_cells(f));
    line_text(&l, " ");
    add_bar(&l, x->jobs ? (double)x->over / (double)x->jobs : 0);
    line_right(&l, amount_count(n, (double)x->done), JOBS_CELLS);
    line_right(&l, amount_count(n, (double)x->jobs), JOBS_CELLS);
    line_right(&l, amount_count(n, (double)x->running), 6);
    line_style(&l, x->failed ? BAD : "");
    line_right(&l, amount_count(n, (double)x->failed), 6);
    line_style(&l, "");
    line_right(&l, x->seen ? amount_rate(n, x->rate) : "-", 7);
    line_text(&l, "  ");
    add_left(f, x, &l);
}

static void add_experiments(struct frame *f, size_t max)
{
    size_t order[EXPERIMENTS_MAX], len = top_active(f->t, order);
    struct line l = frame_line(f);

    l = frame_line(f);
    line_style(&l, TURNED);
    line_left(&l, "EXPERIMENT", name_cells(f) + 1);
    line_left(&l, "PROGRESS", BAR_CELLS + 1);
    line_right(&l, "DONE", JOBS_CELLS);
    line_right(&l, "JOBS", JOBS_CELLS);
    line_right(&l, "RUN", 6);
    line_right(&l, "FAIL", 6);
    line_right(&l, "JOBS/s", 7);
    line_text(&l, "  LEFT");
    if (len + f->t->hidden > max)
        line_printf(&l, "  (%zu more)", len + f->t->hidden - max);
    if (f->t->ended)
        line_printf(&l, "  (%zu ended)", f->t->ended);
    line_rest(&l);
    line_style(&l, "");
    for (size_t i = 0; i < len && i < max; i++)
        add_experiment(f, &f->t->experiment[order[i]]);
}

/* ---- causes of failure ---- */

static void add_cause(struct frame *f, enum top_cause cause)
{
    const struct top_failure *last = top_newest(f->t, cause);
    const double recent = top_recent(f->t, cause);
    const bool bad = cause <= TOP_lost;
    struct line l = frame_line(f);
    amount n;

    line_left(&l, top_cause_names[cause], 10);
    line_style(&l, recent > 0 ? (bad ? BAD : WARN) : "");
    line_right(&l, amount_count(n, recent), 7);
    line_style(&l, "");
    line_right(&l, amount_count(n, top_ended(f->t, cause)), 8);
    if (!last)
        return;
    line_right(&l, amount_age(n, f->now_ms - MIN(last->at_ms, f->now_ms)), 7);
    line_printf(&l, "  j%llu", (unsigned long long)last->job);
    line_printf(&l, " on %s: ", *last->worker ? last->worker : "?");
    line_printf(&l, "%.*s", (int)strcspn(last->text, "\n"), last->text);
}

static void add_causes(struct frame *f, size_t max)
{
    struct line l = frame_line(f);

    l = frame_line(f);
    line_style(&l, TURNED);
    line_left(&l, "ATTEMPTS", 10);
    line_right(&l, "5 MIN", 7);
    line_right(&l, "ALL", 8);
    line_right(&l, "AGO", 7);
    line_left(&l, "  NEWEST", l.left);
    line_style(&l, "");
    for (int i = 0; i < TOP_CAUSES_LEN && max > 0; i++)
        if (top_ended(f->t, (enum top_cause)i) > 0) {
            add_cause(f, (enum top_cause)i);
            max--;
        }
}

/* ---- keys ---- */

static const char *const sorts[TOP_SORTS] = { "name", "host", "slots", "queue", "rate",
                                              "done", "fail", "seen",  "state" };

void frame_keys(struct frame *f, size_t first, size_t shown, size_t len)
{
    const struct top_view *v = f->v;
    struct line l = frame_line(f);

    if (v->typing) {
        line_printf(&l, "workers with: %s", v->filter);
        line_text(&l, v->utf8 ? "▏" : "_");
        line_text(&l, "  (Enter keeps it, Esc clears it)");
        return;
    }
    if (len > 0)
        line_printf(&l, "%zu-%zu of %zu", first + 1, first + shown, len);
    else
        line_text(&l, "no workers");
    if (*v->filter)
        line_printf(&l, " with \"%s\"", v->filter);
    line_style(&l, FAINT);
    line_printf(&l, "  q quit  p pause  s sort:%s  r reverse  / filter  ? help", sorts[v->sort]);
    line_style(&l, "");
}

static const char *const help_lines[] = {
    "q, Ctrl-C       leave",
    "p, blank        pause, go on",
    "s, S            sort workers by the next, the last column",
    "r               turn the order round",
    "/               show the workers in whose name, host, state or work a text is",
    "up, down        scroll the workers by a line; also k and j",
    "PgUp, PgDn      by a page; Home and End to the ends",
    "",
    "results/s       results that became durable; attempts/s: leases given out",
    "jobs            in the scheduler's memory: it reads ahead of the queue",
    "RATE/s          a worker's results per second, over some 15 s",
    "QUEUE           leases that wait at the worker for a slot",
    "SEEN            since the worker was last heard",
    "LEFT            time until the experiment ends, as it goes now",
    "ATTEMPTS        that did not end well: of late, since the coordinator's start",
};

static void add_help(struct frame *f)
{
    struct line l = frame_line(f);

    for (size_t i = 0; i < ARRAY_LEN(help_lines) && has_room(f); i++) {
        l = frame_line(f);
        line_text(&l, help_lines[i]);
    }
    if (has_room(f))
        (void)frame_line(f);
    if (has_room(f)) {
        l = frame_line(f);
        line_text(&l, "any key goes back");
    }
}

/* ---- all ---- */

void top_frame(const struct top *t, const struct top_view *v, size_t rows, size_t cols,
               uint64_t now_ms, struct buf *out)
{
    struct frame f = { .t = t, .v = v, .out = out, .rows = rows, .cols = cols, .now_ms = now_ms };
    const struct top_layout layout = top_lay_out(t, rows);
    void (*const head[])(struct frame * f) = { add_title, add_jobs, add_rates, add_crew };

    for (size_t i = 0; i < (v->help ? 1 : ARRAY_LEN(head)) && has_room(&f); i++)
        head[i](&f);
    if (v->help) {
        if (has_room(&f))
            add_help(&f);
    } else if (rows == 0 || rows > ARRAY_LEN(head) + 2) {
        if (layout.experiments)
            add_experiments(&f, layout.experiments);
        if (layout.causes)
            add_causes(&f, layout.causes);
        frame_workers(&f, layout.workers);
    }
    while (rows > 0 && f.lines < rows)
        (void)frame_line(&f);
}

/* ---- onto the terminal ---- */

void top_draw(const char *before, const char *now, struct buf *out)
{
    for (size_t row = 1;; row++) {
        const size_t old = strcspn(before, "\n"), len = strcspn(now, "\n");

        if (!*before || old != len || memcmp(before, now, len) != 0) {
            buf_printf(out, "\033[%zu;1H", row);
            buf_add(out, now, len);
            buf_adds(out, "\033[m\033[K");
        }
        before += old + (before[old] == '\n');
        if (!now[len])
            return;
        now += len + 1;
    }
}
