/* SPDX-License-Identifier: Apache-2.0 */
/* tradeoff.c - what methods reach against what they cost: a line per method, a dot per step of it,
 * the mean over seeds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/plots/plot.h"
#include "store/read.h"
#include "store/vector.h"

enum { STEPS_KNOWN_MAX = 256 };

/* One run's results of one step, over its tasks and levels. */
struct sum {
    double x, y, x_n, y_n;
};

/* Examples whose vectors are read when the list of sums is through. */
struct part {
    uint64_t family, examples;
    size_t step, run;
};

struct tradeoff {
    const struct plot_call *c;
    size_t steps; /* the lines' steps one after the other; behind them the baseline */
    const char **step;
    struct sum *sum; /* [steps][runs] */
    struct part *part;
    size_t parts, parts_cap;
    char *known[STEPS_KNOWN_MAX + 1];
    size_t known_len;
    bool found_task, found_metric;
};

static struct sum *sum_of(struct tradeoff *t, size_t step, size_t run)
{
    return &t->sum[step * t->c->runs->len + run];
}

static bool wants(const struct tradeoff *t, const char *step)
{
    for (size_t i = 0; i < t->steps; i++)
        if (strcmp(t->step[i], step) == 0)
            return true;
    return false;
}

static void learn(struct tradeoff *t, const char *step)
{
    for (size_t i = 0; i < t->known_len; i++)
        if (strcmp(t->known[i], step) == 0)
            return;
    if (t->known_len < STEPS_KNOWN_MAX)
        t->known[t->known_len++] = mem_strdup(step);
}

/* Sums over the examples that are stored. */
static double of_sums(const struct store_sums *s, const char *name)
{
    if (strcmp(name, "accuracy") == 0)
        return (double)s->correct;
    if (strcmp(name, "oracle") == 0)
        return s->search ? (double)s->labelled : NAN;
    if (strcmp(name, "layers") == 0)
        return s->layers_all;
    if (strcmp(name, "tokens") == 0)
        return s->search ? NAN : (double)s->tokens;
    return NAN;
}

static bool is_sum(const char *name)
{
    static const char *const names[] = { "accuracy", "oracle", "layers", "tokens" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What store_vector() knows of examples and the sums do not. */
static bool is_vector(const char *name)
{
    static const char *const names[] = { "evaluations",  "rows",    "shorter",    "rescued",
                                         "applications", "time_ms", "non_execute" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void note_part(struct tradeoff *t, const struct store_sums *s, size_t step, size_t run)
{
    if (t->parts == t->parts_cap) {
        t->parts_cap = t->parts_cap ? 2 * t->parts_cap : 64;
        t->part = mem_realloc(t->part, t->parts_cap, sizeof(*t->part));
    }
    t->part[t->parts++] = (struct part){ s->family_id, s->promised, step, run };
}

static bool level_fits(const struct plot_spec *p, const struct store_sums *s)
{
    return (!p->task || strcmp(p->task, s->task) == 0) && (p->level < 0 || p->level == s->level);
}

static void add(double *sum, double *n, double value, double count)
{
    *sum += value;
    *n += count;
}

static int add_sums(const struct store_sums *s, void *arg)
{
    struct tradeoff *t = arg;
    const struct plot_runs *runs = t->c->runs;
    const struct plot_run *run = plot_runs_find(runs, s->run);
    const struct plot_spec *p = t->c->p;

    learn(t, s->step);
    if (!run || !wants(t, s->step) || !level_fits(p, s))
        return 0;
    t->found_task = true;
    for (size_t i = 0; i < t->steps; i++) {
        struct sum *sum = sum_of(t, i, (size_t)(run - runs->run));

        if (strcmp(t->step[i], s->step) != 0 || s->n == 0)
            continue;
        if (is_sum(p->x))
            add(&sum->x, &sum->x_n, of_sums(s, p->x), (double)s->n);
        if (is_sum(p->y))
            add(&sum->y, &sum->y_n, of_sums(s, p->y), (double)s->n);
        if (is_vector(p->x) || is_vector(p->y))
            note_part(t, s, i, (size_t)(run - runs->run));
    }
    return 0;
}

/* The mean of NAME over the examples to which it applies; a step that has no such metric has no
 * dot. */
static void add_vector(struct tradeoff *t, const struct part *part, const char *name, double *sum,
                       double *n)
{
    double *x CLEANUP(mem_cleanup) = mem_calloc(part->examples + 1, sizeof(*x));
    struct err ignored = { 0 };

    if (store_vector(t->c->s, part->family, part->examples, name, x, NULL, &ignored) < 0)
        return;
    for (uint64_t i = 0; i < part->examples; i++)
        if (!isnan(x[i]))
            add(sum, n, x[i], 1);
}

static void add_vectors(struct tradeoff *t)
{
    const struct plot_spec *p = t->c->p;

    for (size_t i = 0; i < t->parts; i++) {
        struct sum *sum = sum_of(t, t->part[i].step, t->part[i].run);

        if (is_vector(p->x))
            add_vector(t, &t->part[i], p->x, &sum->x, &sum->x_n);
        if (is_vector(p->y))
            add_vector(t, &t->part[i], p->y, &sum->y, &sum->y_n);
    }
}

/* Metrics that tasks or routed evaluations give; their families' tasks do not come with them. */
static int add_summary(const struct store_summary *s, void *arg)
{
    struct tradeoff *t = arg;
    const struct plot_runs *runs = t->c->runs;
    const struct plot_run *run = plot_runs_find(runs, s->run);
    const struct plot_spec *p = t->c->p;
    bool x = strcmp(s->metric, p->x) == 0, y = strcmp(s->metric, p->y) == 0;

    if (!run || (!x && !y) || !wants(t, s->step) || isnan(s->value))
        return 0;
    t->found_metric = true;
    for (size_t i = 0; i < t->steps; i++) {
        struct sum *sum = sum_of(t, i, (size_t)(run - runs->run));

        if (strcmp(t->step[i], s->step) != 0)
            continue;
        if (x)
            add(&sum->x, &sum->x_n, s->value * (double)s->n, (double)s->n);
        if (y)
            add(&sum->y, &sum->y_n, s->value * (double)s->n, (double)s->n);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------- */

static double ratio(double sum, double n)
{
    return n > 0 ? sum / n : NAN;
}

/* The dot of step I over the runs of SERIES; false: no run has it. */
static bool put_dot(struct tradeoff *t, size_t i, size_t series, double *xs, double *ys)
{
    const struct plot_runs *runs = t->c->runs;
    const struct plot_spec *p = t->c->p;
    struct jsonw *w = t->c->w;
    double low, high, x = 0, y = 0;
    size_t n = 0;

    for (size_t r = 0; r < runs->len; r++) {
        const struct sum *sum = sum_of(t, i, r);
        const struct sum *base = p->baseline ? sum_of(t, t->steps - 1, r) : NULL;

        if (!runs->run[r].chosen || runs->run[r].series != series)
            continue;
        xs[n] = ratio(sum->x, sum->x_n);
        ys[n] = ratio(sum->y, sum->y_n) - (base ? ratio(base->y, base->y_n) : 0);
        if (isnan(xs[n]) || isnan(ys[n]))
            continue;
        x += xs[n];
        y += ys[n++];
    }
    if (n == 0)
        return false;
    jsonw_open(w, '{');
    jsonw_text(w, "step", t->step[i]);
    jsonw_real(w, "x", x / (double)n);
    plot_band_of(p->band, xs, n, &low, &high);
    jsonw_real(w, "xlow", low);
    jsonw_real(w, "xhigh", high);
    jsonw_real(w, "y", y / (double)n);
    plot_band_of(p->band, ys, n, &low, &high);
    jsonw_real(w, "ylow", low);
    jsonw_real(w, "yhigh", high);
    jsonw_int(w, "seeds", (int64_t)n);
    jsonw_close(w, '}');
    return true;
}

static size_t put_line(struct tradeoff *t, const struct plot_line *line, size_t from, size_t series)
{
    const struct plot_runs *runs = t->c->runs;
    double *xs CLEANUP(mem_cleanup) = mem_calloc(runs->len + 1, sizeof(*xs));
    double *ys CLEANUP(mem_cleanup) = mem_calloc(runs->len + 1, sizeof(*ys));
    struct buf name CLEANUP(buf_release) = { 0 };
    size_t dots = 0;

    buf_adds(&name, line->name);
    if (runs->names_len > 1)
        buf_printf(&name, ", %s", runs->name[series]);
    jsonw_open(t->c->w, '{');
    jsonw_text(t->c->w, "name", buf_str(&name));
    jsonw_open_at(t->c->w, "points", '[');
    for (size_t i = 0; i < line->steps_len; i++)
        dots += put_dot(t, from + i, series, xs, ys);
    jsonw_close(t->c->w, ']');
    jsonw_close(t->c->w, '}');
    return dots;
}

static int put_lines(struct tradeoff *t, struct err *err)
{
    const struct plot_spec *p = t->c->p;
    size_t dots = 0, from = 0;

    for (size_t i = 0; i < p->lines_len; from += p->line[i++].steps_len)
        for (size_t s = 0; s < t->c->runs->names_len; s++)
            dots += put_line(t, &p->line[i], from, s);
    return dots ? 0 : err_set(err, ERR_NOT_FOUND, "no step has both %s and %s yet", p->x, p->y);
}

static int check_steps(const struct tradeoff *t, struct err *err)
{
    const struct plot_spec *p = t->c->p;
    size_t from = 0;

    for (size_t i = 0; i <= p->lines_len; i++) {
        const struct conf_value *at = i < p->lines_len ? p->line[i].at : p->at;
        size_t to = i < p->lines_len ? from + p->line[i].steps_len : t->steps;

        for (size_t k = from; k < to; k++) {
            const char *near = nearest_find(t->step[k], (const char *const *)t->known);
            bool known = false;

            for (size_t n = 0; n < t->known_len; n++)
                known |= strcmp(t->known[n], t->step[k]) == 0;
            if (!known)
                return conf_error(err, at,
                                  "no step of the experiment with results of examples is called "
                                  "\"%s\"%s%s%s",
                                  t->step[k], near ? "; did you mean \"" : "", near ? near : "",
                                  near ? "\"?" : "");
        }
        from = to;
    }
    return 0;
}

static int load(struct tradeoff *t, struct err *err)
{
    const struct plot_spec *p = t->c->p;
    bool metrics = !(is_sum(p->x) || is_vector(p->x)) || !(is_sum(p->y) || is_vector(p->y));
    int rc = store_list_sums(t->c->s, t->c->experiment, add_sums, t, err);

    rc = rc ? rc : check_steps(t, err);
    if (rc == 0 && metrics && (p->task || p->level >= 0))
        return conf_error(err, p->at,
                          "%s is known for whole steps only: leave task and level out, or name a "
                          "step per task",
                          is_sum(p->x) || is_vector(p->x) ? p->y : p->x);
    if (rc == 0 && !t->found_task)
        return conf_error(err, p->at, "the steps have no results of this task and level yet");
    if (rc == 0)
        add_vectors(t);
    if (rc == 0 && metrics)
        rc = store_list_summaries(t->c->s, t->c->experiment, add_summary, t, err);
    if (rc == 0 && metrics && !t->found_metric)
        return conf_error(err, p->at,
                          "%s is neither accuracy, oracle, layers or tokens nor a metric of these "
                          "steps' complete results",
                          is_sum(p->x) || is_vector(p->x) ? p->y : p->x);
    return rc;
}

int plot_tradeoff(const struct plot_call *c, struct err *err)
{
    struct tradeoff t = { .c = c };
    int rc;

    for (size_t i = 0; i < c->p->lines_len; i++)
        t.steps += c->p->line[i].steps_len;
    t.step = mem_calloc(t.steps + 1, sizeof(*t.step));
    t.steps = 0;
    for (size_t i = 0; i < c->p->lines_len; i++)
        for (size_t k = 0; k < c->p->line[i].steps_len; k++)
            t.step[t.steps++] = c->p->line[i].step[k];
    if (c->p->baseline)
        t.step[t.steps++] = c->p->baseline;
    t.sum = mem_calloc(t.steps * c->runs->len + 1, sizeof(*t.sum));
    rc = load(&t, err);
    rc = rc ? rc : put_lines(&t, err);
    for (size_t i = 0; i < t.known_len; i++)
        free(t.known[i]);
    free(t.step);
    free(t.sum);
    free(t.part);
    return rc;
}
