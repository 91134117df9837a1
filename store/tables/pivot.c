/* SPDX-License-Identifier: Apache-2.0 */
/* pivot.c - loading the facts of a table (pivot.h). */
#include "store/tables/pivot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "store/metric.h"
#include "store/run_summary.h"
#include "store/store.h"

struct names {
    UT_hash_handle hh;
    char text[];
};

const char *names_intern(struct names **n, const char *text)
{
    size_t len = strlen(text);
    struct names *one;

    HASH_FIND(hh, *n, text, len, one);
    if (one)
        return one->text;
    one = mem_calloc(1, sizeof *one + len + 1);
    memcpy(one->text, text, len + 1);
    HASH_ADD_KEYPTR(hh, *n, one->text, len, one);
    return one->text;
}

void names_free(struct names *n)
{
    struct names *one, *next;

    HASH_ITER(hh, n, one, next)
    {
        HASH_DEL(n, one);
        free(one);
    }
}

size_t pivot_run_index(const struct pivot *p, uint64_t id)
{
    size_t lo = 0, hi = p->runs;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (p->run[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->runs && p->run[lo].id == id ? lo : SIZE_MAX;
}

static int keep_run(const struct store_run_summary *r, void *arg)
{
    struct pivot *p = arg;

    if (p->runs == p->runs_cap) {
        p->runs_cap = MAX(64, 2 * p->runs_cap);
        p->run = mem_realloc(p->run, p->runs_cap, sizeof *p->run);
    }
    p->run[p->runs++] = (struct pivot_run){ .id = r->run,
                                            .seed = r->seed,
                                            .experiment = p->experiments - 1,
                                            .diverged = r->diverged > 0,
                                            .ended = r->waiting + r->ready == 0,
                                            .seconds = r->seconds };
    p->last_ms[p->experiments - 1] = MAX(p->last_ms[p->experiments - 1], r->last_ms);
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct pivot_run *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* As a reader wants it: texts without their quotes, numbers as short as they can be. */
static const char *tidy_value(struct pivot *p, const char *value)
{
    size_t len = strlen(value);
    char *end, text[64], *copy;
    const char *ret;
    double x;

    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        copy = mem_calloc(len, 1);
        for (size_t i = 1, n = 0; i < len - 1; i++) {
            bool escaped = value[i] == '\\' && (value[i + 1] == '\\' || value[i + 1] == '"');

            i += escaped && i + 2 < len; /* a quote or backslash of the text's own */
            copy[n++] = value[i];
        }
        ret = names_intern(&p->names, copy);
        free(copy);
        return ret;
    }
    x = strtod(value, &end);
    if (end == value || *end || !isfinite(x) || !strpbrk(value, ".eE"))
        return names_intern(&p->names, value);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    return names_intern(&p->names, text);
}

/* Parameters come by name. */
static int keep_param(uint64_t run, const char *name, const char *value, void *arg)
{
    struct pivot *p = arg;
    size_t at = pivot_run_index(p, run), param = 0;

    if (at == SIZE_MAX || strcmp(name, "seed") == 0)
        return 0;
    name = names_intern(&p->names, name);
    if (p->params > 0 && p->param[p->params - 1] == name)
        param = p->params - 1;
    while (param < p->params && p->param[param] != name)
        param++;
    if (param == p->params) {
        p->param = mem_realloc(p->param, p->params + 1, sizeof *p->param);
        p->param[p->params++] = name;
        for (size_t i = 0; i < p->runs; i++) {
            p->run[i].value = mem_realloc(p->run[i].value, p->params, sizeof *p->run[i].value);
            p->run[i].value[param] = NULL;
        }
    }
    p->run[at].value[param] = tidy_value(p, value);
    return 0;
}

struct sums *pivot_new_sums(struct pivot *p)
{
    if (p->sums_len == p->sums_cap) {
        p->sums_cap = MAX(64, 2 * p->sums_cap);
        p->sums = mem_realloc(p->sums, p->sums_cap, sizeof *p->sums);
    }
    p->sums[p->sums_len] = (struct sums){ .task = "", .split = "", .subset = "", .step = "" };
    return &p->sums[p->sums_len++];
}

static int keep_sums(const struct store_sums *from, void *arg)
{
    struct pivot *p = arg;
    size_t run = pivot_run_index(p, from->run);
    struct sums *to;

    if (run == SIZE_MAX)
        return 0;
    to = pivot_new_sums(p);
    *to = (struct sums){ .level = from->level,
                         .search = from->search,
                         .run = run,
                         .family_id = from->family_id,
                         .promised = from->promised,
                         .reads = from->promised,
                         .n = from->n,
                         .correct = from->correct,
                         .norm = from->norm,
                         .labelled = from->labelled,
                         .preserved = from->preserved,
                         .improved = from->improved,
                         .repeats = from->repeats,
                         .truncated = from->truncated,
                         .tokens = from->tokens,
                         .generated = from->generated,
                         .layers_label = from->layers_label,
                         .layers_all = from->layers_all,
                         .layers_base = from->layers_base,
                         .family = from->family };
    to->step = names_intern(&p->names, from->step);
    to->task = names_intern(&p->names, from->task);
    to->split = names_intern(&p->names, from->split);
    to->subset = names_intern(&p->names, from->subset);
    return 0;
}

static int keep_summary(const struct store_summary *from, void *arg)
{
    struct pivot *p = arg;

    if (p->summaries_len == p->summaries_cap) {
        p->summaries_cap = MAX(64, 2 * p->summaries_cap);
        p->summary = mem_realloc(p->summary, p->summaries_cap, sizeof *p->summary);
    }
    p->summary[p->summaries_len++] =
        (struct summary){ .run = from->run,
                          .step = names_intern(&p->names, from->step),
                          .metric = names_intern(&p->names, from->metric),
                          .family = from->family,
                          .value = { from->value, from->stderr_, from->n },
                          .pooled = from->stderr_pooled };
    return 0;
}

/* ---- numbers of runs ---- */

struct training {
    struct pivot *p;
    const char **wanted;
    double finite; /* points behind the last fact's average */
};

static void keep_name(struct pivot *p, const char *name)
{
    for (size_t i = 0; i < p->trainings; i++) {
        if (p->training[i] == name)
            return;
    }
    p->training = mem_realloc(p->training, p->trainings + 1, sizeof *p->training);
    p->training[p->trainings++] = name;
}

static struct digest number_of(uint64_t id)
{
    struct digest d = { { 0 } };

    memcpy(d.b, &id, sizeof id);
    return d;
}

/* A step's series come by (run, step, job): several jobs of one step are its stages, in order. */
static int keep_series(const struct store_run_metric *m, void *arg)
{
    struct training *t = arg;
    struct pivot *p = t->p;
    const char *name = names_intern(&p->names, m->metric), *step = names_intern(&p->names, m->step);
    size_t run = pivot_run_index(p, m->run), i = p->sums_len;
    struct sums *x = NULL;

    keep_name(p, name);
    for (size_t k = 0; run != SIZE_MAX && t->wanted[k]; k++) {
        if (strcmp(t->wanted[k], name) != 0)
            continue;
        while (!x && i > 0 && p->sums[i - 1].number && p->sums[i - 1].run == run) {
            i--;
            if (p->sums[i].number == name && p->sums[i].step == step)
                x = &p->sums[i];
        }
        if (!x) {
            x = pivot_new_sums(p);
            x->run = run;
            x->step = step;
            x->number = name;
            x->least = x->most = x->average = NAN;
        }
        x->family = number_of(m->job);
        x->last = m->last;
        x->least = fmin(x->least, m->min);
        x->most = fmax(x->most, m->max);
        if (m->finite > 0) { /* labelled: points behind the average */
            double before = isnan(x->average) ? 0.0 : x->average * (double)x->labelled;

            x->labelled += m->finite;
            x->average = (before + m->mean * (double)m->finite) / (double)x->labelled;
        }
        x->n = x->promised = 1;
        return 0;
    }
    return 0;
}

/* What each step of this experiment reported, and where its facts begin. */
struct waiting {
    struct pivot *p;
    const struct sums *kind; /* one fact of each (number, step) */
    size_t kinds;
};

/* A run whose step has not reported yet: a seed that is wanted, without a result. */
static int keep_claim(uint64_t id, const char *step_text, uint64_t job, void *arg)
{
    const struct waiting *w = arg;
    size_t run = pivot_run_index(w->p, id);
    const char *step = names_intern(&w->p->names, step_text);

    for (size_t i = 0; run != SIZE_MAX && i < w->kinds; i++) {
        struct sums *x;

        if (w->kind[i].step != step)
            continue;
        x = pivot_new_sums(w->p);
        x->run = run;
        x->step = step;
        x->number = w->kind[i].number;
        x->last = x->least = x->most = x->average = NAN;
        x->family = number_of(job);
    }
    return 0;
}

static int add_waiting(struct pivot *p, uint64_t experiment, size_t from, struct err *err)
{
    struct sums *kind = NULL;
    size_t kinds = 0;
    struct waiting w = { .p = p };
    int rc;

    for (size_t i = from; i < p->sums_len; i++) {
        bool known = !p->sums[i].number;

        for (size_t k = 0; k < kinds && !known; k++)
            known = kind[k].number == p->sums[i].number && kind[k].step == p->sums[i].step;
        if (known)
            continue;
        kind = mem_realloc(kind, kinds + 1, sizeof *kind);
        kind[kinds++] = p->sums[i];
    }
    w.kind = kind;
    w.kinds = kinds;
    rc = kinds ? store_list_claims_waiting(p->s, experiment, keep_claim, &w, err) : 0;
    free(kind);
    return rc;
}

static void add_seconds(struct pivot *p, size_t experiment)
{
    const char *name = names_intern(&p->names, "seconds");

    for (size_t i = 0; i < p->runs; i++) {
        struct sums *x;

        if (p->run[i].experiment != experiment)
            continue;
        x = pivot_new_sums(p);
        x->run = i;
        x->number = name;
        x->last = x->least = x->most = x->average = p->run[i].seconds;
        x->family = number_of(p->run[i].id);
        x->n = x->promised = p->run[i].ended;
    }
}

/* Sums by subset only know what is stored: what a family lacks is missed in each of its subsets. */
struct whole {
    UT_hash_handle hh;
    struct {
        uint64_t run;
        const char *step;
        struct digest family;
    } key;
    uint64_t lacks, reads;
};

static void miss_in_subsets(struct pivot *p, size_t from, size_t middle)
{
    struct whole *all = NULL, *one, *next, *list = mem_calloc(MAX(middle - from, 1), sizeof *list);

    for (size_t i = from; i < middle; i++) {
        const struct sums *x = &p->sums[i];

        one = &list[i - from];
        one->key.run = x->run;
        one->key.step = x->step;
        one->key.family = x->family;
        one->lacks = x->promised - x->n;
        one->reads = x->promised;
        HASH_ADD(hh, all, key, sizeof one->key, one);
    }
    for (size_t i = middle; i < p->sums_len; i++) {
        struct whole k = { .key = { 0 } };

        k.key.run = p->sums[i].run;
        k.key.step = p->sums[i].step;
        k.key.family = p->sums[i].family;
        HASH_FIND(hh, all, &k.key, sizeof k.key, one);
        if (one) {
            p->sums[i].promised += one->lacks;
            p->sums[i].reads = one->reads;
        }
    }
    HASH_ITER(hh, all, one, next)
    HASH_DEL(all, one);
    free(list);
    memmove(&p->sums[from], &p->sums[middle], (p->sums_len - middle) * sizeof *p->sums);
    p->sums_len -= middle - from;
}

static int load_facts(struct pivot *p, const struct pivot_wants *w, size_t at, struct err *err)
{
    uint64_t id = p->experiment[at].id;
    struct training t = { .p = p, .wanted = w->metrics };
    size_t from = p->sums_len, middle;
    int rc = store_list_sums(p->s, id, keep_sums, p, err);

    middle = p->sums_len;
    if (rc == 0 && w->subsets) {
        rc = store_list_subset_sums(p->s, id, keep_sums, p, err);
        if (rc == 0)
            miss_in_subsets(p, from, middle);
    }
    if (rc == 0)
        rc = store_list_summaries(p->s, id, keep_summary, p, err);
    if (rc == 0 && (w->metrics[0] || w->cost))
        rc = store_list_run_metrics(p->s, id, NULL, NULL, keep_series, &t, err);
    if (rc == 0 && w->cost)
        rc = cost_load(p, id, w->cost, err);
    if (rc == 0 && (w->metrics[0] || w->cost))
        rc = add_waiting(p, id, from, err);
    if (rc == 0 && w->cost)
        cost_wait(p, from);
    if (rc == 0 && w->seconds)
        add_seconds(p, at);
    return rc;
}

static int by_source(const void *a, const void *b)
{
    const struct summary *x = a, *y = b;
    int order;

    if (x->run != y->run)
        return x->run < y->run ? -1 : 1;
    order = strcmp(x->step, y->step);
    return order ? order : memcmp(&x->family, &y->family, sizeof x->family);
}

static int find_name(const struct store_experiment *e, void *arg)
{
    struct pivot_experiment *x = ((void **)arg)[0];
    struct pivot *p = ((void **)arg)[1];

    if (e->id == x->id)
        x->name = names_intern(&p->names, e->name);
    return 0;
}

int pivot_load(struct pivot *p, struct store *s, const uint64_t *experiments, size_t len,
               const struct pivot_wants *w, struct err *err)
{
    int rc = 0;

    *p = (struct pivot){ .s = s, .subsets = w->subsets, .loads_seconds = w->seconds };
    p->experiment = mem_calloc(len, sizeof *p->experiment);
    p->last_ms = mem_calloc(len, sizeof *p->last_ms);
    for (size_t i = 0; rc == 0 && i < len; i++) {
        void *arg[] = { &p->experiment[i], p };

        p->experiments = i + 1;
        p->experiment[i] = (struct pivot_experiment){ experiments[i], "" };
        rc = store_list_experiments(s, find_name, arg, err);
        if (rc == 0)
            rc = store_list_run_summaries(s, experiments[i], false, keep_run, p, err);
    }
    if (p->runs > 0)
        qsort(p->run, p->runs, sizeof *p->run, by_id);
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = store_list_params(s, experiments[i], keep_param, p, err);
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = load_facts(p, w, i, err);
    if (p->summaries_len > 0)
        qsort(p->summary, p->summaries_len, sizeof *p->summary, by_source);
    if (rc < 0)
        pivot_release(p);
    return rc;
}

void pivot_release(struct pivot *p)
{
    for (size_t i = 0; i < p->runs; i++)
        free(p->run[i].value);
    free(p->run);
    free(p->sums);
    free(p->param);
    free(p->summary);
    free(p->training);
    free(p->experiment);
    free(p->last_ms);
    names_free(p->names);
    *p = (struct pivot){ 0 };
}
