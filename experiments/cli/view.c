/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/view.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/stats/pace.h"

enum { STEPS_MAX = 128, BAR_CELLS = 24 };
enum { LINES_FALLBACK = 22, RUNNING_LINES = 4, RUNNING_SHOWN_S = 2 };
/* Lines: at most so often while something moves, and at least so often while something runs. */
enum { LINE_PAUSE_MS = 5000, LINE_QUIET_MS = 30000 };

struct row {
    char step[128];
    struct pace pace;
    uint64_t running_since_ms; /* 0: nothing runs */
    uint64_t printed_ms;       /* lines: when this step was printed last */
    uint64_t printed_units;
    bool seen, finished;
};

struct view {
    FILE *to;
    bool quiet, live, utf8;
    size_t drawn; /* lines of bars on the screen */
    struct row row[STEPS_MAX];
    size_t rows, failures;
    bool paused; /* lines: it was said */
};

struct view *view_new(FILE *to, bool quiet)
{
    struct view *v = mem_calloc(1, sizeof(*v));
    const char *term = getenv("TERM");

    v->to = to;
    v->quiet = quiet;
    v->live = isatty(fileno(to)) && term && strcmp(term, "dumb") != 0;
    v->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    return v;
}

void view_free(struct view *v)
{
    free(v);
}

static struct row *row_of(struct view *v, const char *step)
{
    for (size_t i = 0; i < v->rows; i++)
        if (strcmp(v->row[i].step, step) == 0)
            return &v->row[i];
    if (v->rows == STEPS_MAX)
        return NULL;
    struct row *r = &v->row[v->rows++];
    snprintf(r->step, sizeof(r->step), "%s", step);
    return r;
}

static void print_duration(char *out, size_t size, double seconds)
{
    long s = (long)(seconds + 0.5);

    if (s < 3600)
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

/* No job of the step is left to run. */
static bool is_over(const Drover__StepStatus *s)
{
    return s->done + s->failed + s->cancelled + s->skipped >= s->jobs;
}

/* Units less those of jobs that will not run; jobs of a step are about equally large. */
static double units_wanted(const Drover__StepStatus *s)
{
    const uint32_t out = s->failed + s->cancelled + s->skipped;

    return s->jobs > out ? (double)s->units_total * (s->jobs - out) / s->jobs : 0;
}

/* ", 3 skipped" at the end of OUT, unless N is 0. */
static void add_count(char *out, size_t size, uint32_t n, const char *what)
{
    const size_t len = strlen(out);

    if (n > 0)
        snprintf(out + len, size - len, "%s%u %s", len ? ", " : "", n, what);
}

/* "2 running, ETA 1:20 to 1:45", "3 failed, done (0:09 of work), 12 skipped", "waiting". */
static void print_state(const struct row *r, const Drover__StepStatus *s, uint64_t now_ms,
                        char *out, size_t size)
{
    char low[32], high[32], state[120] = "";
    double from, to;

    if (is_over(s) && s->done == 0) {
        ; /* how its jobs ended says all */
    } else if (is_over(s)) {
        print_duration(low, sizeof(low), s->seconds_spent);
        snprintf(state, sizeof(state), "done (%s of work)", low);
    } else if (s->running == 0) {
        snprintf(state, sizeof(state), s->ready ? "ready" : s->waiting ? "waiting" : "");
    } else if (pace_left(&r->pace, units_wanted(s), &from, &to)) {
        print_duration(low, sizeof(low), from);
        print_duration(high, sizeof(high), to);
        if (strcmp(low, high) == 0)
            snprintf(state, sizeof(state), "%u running, ETA %s", s->running, low);
        else
            snprintf(state, sizeof(state), "%u running, ETA %s to %s", s->running, low, high);
    } else {
        print_duration(low, sizeof(low), (double)(now_ms - r->running_since_ms) / 1000);
        snprintf(state, sizeof(state), "%u running for %s, estimating", s->running, low);
    }
    /* Failures come first: the end of the line may be cut. */
    *out = '\0';
    add_count(out, size, s->failed, "failed");
    if (*state && !(s->failed && is_over(s)))
        snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? ", " : "", state);
    add_count(out, size, s->diverged, "diverged");
    add_count(out, size, s->skipped, "skipped");
    add_count(out, size, s->cancelled, "cancelled");
}

/* Finished units and what has been done inside running jobs that have no units of their own. */
static double units(const Drover__StepStatus *s)
{
    return (double)s->units_done + s->running_share;
}

static void print_bar(const struct view *v, const Drover__StepStatus *s)
{
    double share = s->units_total ? units(s) / (double)s->units_total : 0;
    int full = (int)(share * BAR_CELLS + 0.5);

    for (int i = 0; i < BAR_CELLS; i++)
        fputs(v->utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : "."), v->to);
}

/* "120/720", or "37 %" of jobs that are one unit each. */
static void print_count(const Drover__StepStatus *s, char *out, size_t size)
{
    if (s->running_share > 0 && s->units_total)
        snprintf(out, size, "%.0f %%", 100 * units(s) / (double)s->units_total);
    else
        snprintf(out, size, "%llu/%llu", (unsigned long long)s->units_done,
                 (unsigned long long)s->units_total);
}

static void erase(struct view *v)
{
    if (v->drawn)
        fprintf(v->to, "\033[%zuA\r\033[J", v->drawn);
    v->drawn = 0;
}

/* Lines that the terminal has for us: one is kept for the cursor, one for a note. */
static size_t lines_free(const struct view *v)
{
    struct winsize size;

    if (ioctl(fileno(v->to), TIOCGWINSZ, &size) != 0 || size.ws_row < 8)
        return LINES_FALLBACK;
    return size.ws_row - 2u;
}

static void draw_step(struct view *v, const Drover__StepStatus *st, uint64_t now_ms)
{
    const struct row *r = row_of(v, st->step);
    char state[160], count[48];

    if (!r)
        return;
    print_state(r, st, now_ms, state, sizeof(state));
    fprintf(v->to, "  %-16.16s ", st->step);
    print_bar(v, st);
    print_count(st, count, sizeof(count));
    /* Never wider than the narrowest terminal that people use. */
    fprintf(v->to, " %13s  %.38s\n", count, state);
    v->drawn++;
}

/* Jobs that run for a while: short ones would only flicker. */
static void draw_running(struct view *v, const Drover__ExperimentStatus *s, size_t lines)
{
    for (size_t i = 0; i < s->n_running && lines > 0; i++) {
        const Drover__RunningJob *j = s->running[i];
        char time[32], share[48] = "";

        if (j->seconds < RUNNING_SHOWN_S)
            continue;
        print_duration(time, sizeof(time), j->seconds);
        if (j->total > 0)
            snprintf(share, sizeof(share), "%llu/%llu", (unsigned long long)j->done,
                     (unsigned long long)j->total);
        fprintf(v->to, "    j%-7llu %-14.14s %-17.17s %-12.12s %11s %8s\n",
                (unsigned long long)j->job, j->step, j->what, j->worker, share, time);
        v->drawn++;
        lines--;
    }
}

static void draw(struct view *v, const Drover__ExperimentStatus *s, uint64_t now_ms)
{
    size_t lines = lines_free(v), hidden = 0;
    bool all = s->n_steps + RUNNING_LINES <= lines;

    for (size_t i = 0; i < s->n_steps; i++) {
        const Drover__StepStatus *st = s->steps[i];
        bool over = is_over(st) || st->waiting == st->jobs;

        if (all || (!over && v->drawn + RUNNING_LINES < lines))
            draw_step(v, st, now_ms);
        else
            hidden++;
    }
    if (hidden > 0) {
        fprintf(v->to, "  ... and %zu steps that are done or wait\n", hidden);
        v->drawn++;
    }
    if (s->paused) {
        fprintf(v->to, "  paused; go on with: drover resume %.50s\n", s->name);
        v->drawn++;
    }
    draw_running(v, s, MIN(lines - MIN(lines, v->drawn), (size_t)RUNNING_LINES));
    fflush(v->to);
}

static void print_line(struct view *v, struct row *r, const Drover__StepStatus *s, uint64_t now_ms)
{
    char state[160], count[48];
    bool finished = is_over(s);
    const uint64_t since = now_ms - r->printed_ms;
    bool due = (since >= LINE_PAUSE_MS && s->units_done != r->printed_units) ||
               (since >= LINE_QUIET_MS && s->running);
    bool began = s->running && !r->printed_ms;

    if (!r->seen && finished)
        r->finished = true; /* cached: nothing to tell */
    r->seen = true;
    if (r->finished || !(finished || due || began))
        return;
    print_state(r, s, now_ms, state, sizeof(state));
    print_count(s, count, sizeof(count));
    fprintf(v->to, "%s (%s): %s, jobs %u/%u, %s\n", s->step, s->kind, count, s->done, s->jobs,
            state);
    fflush(v->to);
    r->printed_ms = now_ms;
    r->printed_units = s->units_done;
    r->finished = finished;
}

static void note_failures(struct view *v, const Drover__ExperimentStatus *s)
{
    for (; v->failures < s->n_failures; v->failures++)
        fprintf(v->to, "failed: %s\n", s->failures[v->failures]);
}

void view_update(struct view *v, const Drover__ExperimentStatus *s, uint64_t now_ms)
{
    erase(v);
    note_failures(v, s);
    for (size_t i = 0; i < s->n_steps; i++) {
        const Drover__StepStatus *st = s->steps[i];
        struct row *r = row_of(v, st->step);
        if (!r)
            break;
        if (!st->running)
            r->running_since_ms = 0;
        else if (!r->running_since_ms)
            r->running_since_ms = now_ms;
        pace_add(&r->pace, now_ms, units(st), st->running > 0);
        if (!v->quiet && !v->live)
            print_line(v, r, st, now_ms);
    }
    if (!v->quiet && v->live)
        draw(v, s, now_ms);
    if (!v->quiet && !v->live && s->paused && !v->paused)
        fprintf(v->to, "paused; go on with: drover resume %s\n", s->name);
    v->paused = s->paused;
}

void view_note(struct view *v, const char *line)
{
    erase(v);
    fprintf(v->to, "%s\n", line);
    fflush(v->to);
}

void view_end(struct view *v)
{
    v->drawn = 0;
}
