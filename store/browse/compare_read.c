/* SPDX-License-Identifier: Apache-2.0 */
/* compare_read.c - values by step, out of the store (compare_private.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/browse/compare_private.h"
#include "store/store_private.h"

/* What a step's results are summed up to: NUMERATOR / DENOMINATOR. */
static const struct by_step {
    const char *name;
    bool search; /* of labels; else of scores */
    int column;  /* of browse_run_tallies */
} by_step[] = {
    { "accuracy", false, 4 },  { "layers", false, 6 }, { "tokens", false, 7 },
    { "generated", false, 8 }, { "base", true, 4 },    { "oracle", true, 5 },
};

/* Of one run in one step. */
struct part {
    double sum, n;
    uint32_t families;
};

struct use {
    uint64_t family;
    uint32_t step, group;
};

struct reading {
    struct comparison *c;
    const struct by_step *what;
    struct part *part; /* [items][COMPARE_STEPS_MAX] */
    struct use *use;
    size_t uses, uses_cap;
};

static void reading_release(struct reading *r)
{
    free(r->part);
    free(r->use);
}

static size_t step_of(struct comparison *c, const char *name)
{
    size_t i = 0;

    while (i < c->steps && strcmp(c->step[i], name) != 0)
        i++;
    if (i == c->steps && i < COMPARE_STEPS_MAX)
        c->step[c->steps++] = mem_strdup(name);
    return i;
}

static int read_run(struct reading *r, size_t item, struct err *err)
{
    struct stmt *st = USE(r->c->s, BROWSE_RUN_TALLIES);
    int rc;

    stmt_u64(st, ":run", r->c->item[item].run);
    while ((rc = stmt_step(st, err)) > 0) {
        size_t step;

        if ((stmt_col(st, 2) != 0) != r->what->search || stmt_col(st, 3) == 0)
            continue;
        step = step_of(r->c, stmt_col_text(st, 0));
        if (step == COMPARE_STEPS_MAX)
            continue;
        struct part *p = &r->part[item * COMPARE_STEPS_MAX + step];
        p->sum += stmt_col_real(st, r->what->column);
        p->n += (double)stmt_col(st, 3);
        p->families++;
        if (r->uses == r->uses_cap) {
            r->uses_cap = MAX(1024, 2 * r->uses_cap);
            r->use = mem_realloc(r->use, r->uses_cap, sizeof *r->use);
        }
        r->use[r->uses++] =
            (struct use){ stmt_col_u64(st, 1), (uint32_t)step, r->c->item[item].group };
    }
    return rc;
}

static int by_use(const void *a, const void *b)
{
    const struct use *x = a, *y = b;

    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    return (x->group > y->group) - (x->group < y->group);
}

/* Steps all of whose results belong to runs of several groups: what a model had before it was
 * treated in different ways. */
static void find_shared(struct reading *r)
{
    struct comparison *c = r->c;

    if (r->uses > 1)
        qsort(r->use, r->uses, sizeof *r->use, by_use);
    for (size_t i = 0; i < c->steps; i++)
        c->shared[i] = c->groups > 1;
    for (size_t i = 0; i < r->uses;) {
        size_t end = i;
        bool several = false;

        for (; end < r->uses && r->use[end].step == r->use[i].step &&
               r->use[end].family == r->use[i].family;
             end++)
            several = several || r->use[end].group != r->use[i].group;
        if (!several)
            c->shared[r->use[i].step] = false;
        i = end;
    }
}

static int choose_steps(struct reading *r, struct err *err)
{
    struct comparison *c = r->c;
    const char *names[COMPARE_STEPS_MAX + 1] = { NULL };
    bool all_shared = true, found = false;

    find_shared(r);
    for (size_t i = 0; i < c->steps; i++) {
        names[i] = c->step[i];
        all_shared = all_shared && c->shared[i];
    }
    for (size_t i = 0; i < c->steps; i++) {
        c->used[i] = c->q->step && c->q->step[0] ? strcmp(c->q->step, c->step[i]) == 0
                                                 : all_shared || !c->shared[i];
        found = found || c->used[i];
    }
    if (found || c->steps == 0 || !c->q->step)
        return 0;
    const char *near = nearest_find(c->q->step, names);
    return err_set(err, ERR_INVALID,
                   near ? "no step \"%.60s\" has results of %s; did you mean \"%s\"?"
                        : "no step \"%.60s\" has results of %s",
                   c->q->step, c->measure, near);
}

/* Runs of which something is still missing are left out: what they have is not like the others'. */
static void set_values(struct reading *r)
{
    struct comparison *c = r->c;
    uint32_t whole[COMPARE_STEPS_MAX] = { 0 };
    size_t partly = 0;

    for (size_t i = 0; i < c->len; i++)
        for (size_t k = 0; k < c->steps; k++)
            whole[k] = MAX(whole[k], r->part[i * COMPARE_STEPS_MAX + k].families);
    memset(c->known, 0, sizeof c->known);
    for (size_t i = 0; i < c->len; i++) {
        double sum = 0, n = 0;
        bool lacks = false;

        for (size_t k = 0; k < c->steps; k++) {
            const struct part *p = &r->part[i * COMPARE_STEPS_MAX + k];

            if (!c->used[k])
                continue;
            sum += p->sum;
            n += p->n;
            lacks = lacks || p->families < whole[k];
        }
        c->item[i].value = n > 0 && !lacks ? sum / n : (double)NAN;
        c->known[c->item[i].group] += n > 0 && !lacks;
        partly += n > 0 && lacks;
    }
    if (partly > 0)
        buf_printf(compare_note(c),
                   "%zu runs have results of some of their steps only, so far, and are left out.",
                   partly);
}

static int read_steps(struct comparison *c, const struct by_step *what, struct err *err)
{
    struct reading r CLEANUP(reading_release) = { .c = c, .what = what };
    int rc = 0;

    r.part = mem_calloc(MAX(c->len, 1) * COMPARE_STEPS_MAX, sizeof *r.part);
    for (size_t i = 0; rc == 0 && i < c->len; i++)
        rc = read_run(&r, i, err);
    rc = rc ? rc : choose_steps(&r, err);
    if (rc == 0)
        set_values(&r);
    return rc;
}

/* The last value of a training metric. */
static int read_metric(struct comparison *c, struct err *err)
{
    size_t known = 0;

    for (size_t i = 0; i < c->len; i++) {
        struct stmt *st = USE(c->s, BROWSE_RUN_LAST);
        int rc;

        stmt_u64(st, ":run", c->item[i].run);
        stmt_text(st, ":metric", c->measure);
        stmt_text(st, ":step", c->q->step && c->q->step[0] ? c->q->step : NULL);
        rc = stmt_step(st, err);
        if (rc < 0)
            return rc;
        if (rc > 0 && !stmt_is_null(st, 0)) {
            c->item[i].value = stmt_col_real(st, 0);
            c->known[c->item[i].group]++;
            known++;
        }
        stmt_reset(st);
    }
    if (known == 0 && c->len > 0)
        return err_set(err, ERR_INVALID,
                       "\"%.60s\" is no measure of runs and no metric that they have reported; "
                       "/experiments/:id lists both",
                       c->measure);
    buf_printf(compare_note(c), "%s: the last value that each run reported while training.",
               c->measure);
    return 0;
}

static int too_many(struct comparison *c, struct err *err)
{
    if (c->column && !(c->q->step && c->q->step[0])) {
        buf_printf(compare_note(c),
                   "%s is over all steps of a run together: there are too many "
                   "runs to look at each step.",
                   c->measure);
        return 0;
    }
    return err_set(err, ERR_LIMIT,
                   "results by step and training metrics are compared over up to %d runs, and %zu "
                   "are chosen: filter them",
                   COMPARE_RUNS_READ, c->total);
}

/* Nobody said which measure: accuracy, unless only training has reported any. */
static int read_usual(struct comparison *c, struct err *err)
{
    struct err none = { 0 };
    size_t known = 0;
    int rc = read_steps(c, &by_step[0], err);

    for (size_t i = 0; i < c->groups; i++)
        known += c->known[i];
    if (rc < 0 || known > 0 || c->steps > 0)
        return rc;
    c->measure = "validation_accuracy";
    if (read_metric(c, &none) == 0)
        return 0;
    c->measure = by_step[0].name;
    return 0;
}

int compare_read(struct comparison *c, struct err *err)
{
    const struct by_step *what = NULL;

    for (size_t i = 0; i < ARRAY_LEN(by_step); i++)
        if (strcmp(by_step[i].name, c->measure) == 0)
            what = &by_step[i];
    if (!what && c->column)
        return 0;
    if (c->folded || c->len > COMPARE_RUNS_READ)
        return too_many(c, err);
    if (!c->q->measure || !c->q->measure[0])
        return read_usual(c, err);
    return what ? read_steps(c, what, err) : read_metric(c, err);
}
