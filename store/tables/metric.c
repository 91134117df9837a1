/* SPDX-License-Identifier: Apache-2.0 */
/* metric.c - metrics of benchmarks and groups of benchmarks (pivot.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/tasks/task.h"
#include "store/tables/making.h"

bool stat_needs_members(enum table_stat stat, enum fold fold)
{
    return stat == TABLE_METRIC || stat == TABLE_METRIC_SE || fold == FOLD_MEAN;
}

const char *metric_name(const struct table_column *c, const char *task)
{
    const struct task_spec *spec = c->metric[0] ? NULL : task_find(task);

    if (c->metric[0])
        return c->metric;
    return spec && spec->metrics_len > 0 ? spec->metric[0].name : "acc";
}

const char *group_of(const char *task)
{
    const struct task_spec *spec = task_find(task);

    /* Others (TruthfulQA's two scores of the same questions) add up to nothing. */
    if (!spec || (strcmp(spec->group, "glue") != 0 && strcmp(spec->group, "superglue") != 0 &&
                  strcmp(spec->group, "agieval") != 0))
        return NULL;
    return spec->group;
}

enum fold group_fold(const char *group)
{
    return strcmp(group, "glue") == 0 || strcmp(group, "superglue") == 0 ? FOLD_MEAN : FOLD_SUM;
}

/* Benchmarks whose subsets are tasks of their own in lm-evaluation-harness: it pools their errors.
 */
static bool pools_subsets(const char *task)
{
    return strcmp(task, "mmlu") == 0 || strcmp(task, "hendrycks_math") == 0;
}

/* Not the mean of something that each example has: several of them cannot be pooled. */
bool metric_of_whole_set(const char *task, const char *metric)
{
    const struct task_spec *spec = task_find(task);

    for (size_t i = 0; spec && i < spec->metrics_len; i++) {
        if (strcmp(spec->metric[i].name, metric) == 0)
            return spec->metric[i].whole_set != 0;
    }
    return strcmp(metric, "mcc") == 0 || strcmp(metric, "macro_f1") == 0 ||
           strncmp(metric, "best_", 5) == 0;
}

/* A task's first metric is what "right" means (task.h), unless it is of the whole set. */
static bool is_verdict(const char *task, const char *metric)
{
    const struct task_spec *spec = task_find(task);

    return spec && spec->metrics_len > 0 && spec->metric[0].whole_set == 0 &&
           strcmp(spec->metric[0].name, metric) == 0;
}

static int compare_source(const struct summary *a, uint64_t run, const char *step,
                          const struct digest *family)
{
    int order;

    if (a->run != run)
        return a->run < run ? -1 : 1;
    order = strcmp(a->step, step);
    return order ? order : memcmp(&a->family, family, sizeof a->family);
}

/* The summaries are sorted by where they belong. */
static const struct summary *find_summary(const struct pivot *p, const struct sums *x,
                                          const char *metric)
{
    uint64_t run = p->run[x->run].id;
    size_t lo = 0, hi = p->summaries_len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (compare_source(&p->summary[mid], run, x->step, &x->family) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < p->summaries_len && compare_source(&p->summary[lo], run, x->step, &x->family) == 0;
         lo++) {
        if (strcmp(p->summary[lo].metric, metric) == 0)
            return &p->summary[lo];
    }
    return NULL;
}

static struct member share(const struct sums *x, uint64_t hits)
{
    struct member m = { .known = x->n > 0, .mean = true };

    if (m.known)
        m.value = metric_mean_sums(x->n, (double)hits, (double)hits);
    return m;
}

/* Tasks that drover does not know may come from a later one. */
static bool has_accuracy(const char *task)
{
    const struct task_spec *t = task_find(task);
    bool found = t == NULL;

    for (size_t i = 0; t && i < t->metrics_len; i++)
        found |= strcmp(t->metric[i].name, "acc") == 0;
    return found;
}

static struct member metric_member(const struct pivot *p, const char *metric, const struct sums *x,
                                   bool whole)
{
    const struct summary *s = find_summary(p, x, metric);
    struct member m = { .mean = !metric_of_whole_set(x->task, metric) };

    if (p->subsets && !whole && x->subset[0]) { /* without a name: all of a benchmark */
        if (strcmp(metric, "acc") == 0 || is_verdict(x->task, metric))
            return share(x, x->correct);
        return s && strcmp(metric, "acc_norm") == 0 ? share(x, x->norm) : m;
    }
    if (s) {
        m.known = s->value.n > 0 && !isnan(s->value.value);
        m.value = s->value;
        if (pools_subsets(x->task) && !isnan(s->pooled))
            m.value.stderr_ = s->pooled;
        return m;
    }
    /* Not complete yet, or of a store without summaries: the share of right answers is there. */
    return !whole && strcmp(metric, "acc") == 0 && has_accuracy(x->task) ? share(x, x->correct) : m;
}

struct member member_of(const struct pivot *p, const struct table_column *c, const struct sums *x,
                        bool whole)
{
    struct member m = { 0 };

    if (!x->search && (c->stat == TABLE_METRIC || c->stat == TABLE_METRIC_SE))
        m = metric_member(p, metric_name(c, x->task), x, whole);
    else if (c->stat == TABLE_ACCURACY || c->stat == TABLE_ACCURACY_CI)
        m = share(x, x->correct);
    else if (!x->search && (c->stat == TABLE_ACCURACY_NORM || c->stat == TABLE_ACCURACY_NORM_CI))
        m = share(x, x->norm);
    /* GLUE counts both halves of MNLI as one task. */
    m.task = strcmp(x->task, "mnli_mismatch") == 0 ? "mnli" : x->task;
    return m;
}

/* Members LEN of LIST pooled by size. */
static bool pool(const struct member *list, size_t len, struct metric_value *ret)
{
    struct metric_value *v;
    bool errors = true;

    if (len == 1) {
        *ret = list[0].value;
        return list[0].known;
    }
    for (size_t i = 0; i < len; i++) {
        if (!list[i].known || !list[i].mean)
            return false;
        errors = errors && (list[i].value.n < 2 || !isnan(list[i].value.stderr_));
    }
    v = mem_calloc(len, sizeof *v);
    for (size_t i = 0; i < len; i++) {
        v[i] = list[i].value;
        if (v[i].n < 2)
            v[i].stderr_ = 0.0; /* its weight, n - 1, is zero anyway */
    }
    *ret = metric_pooled(v, len);
    if (!errors)
        ret->stderr_ = NAN;
    free(v);
    return true;
}

static int by_task(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->task, ((const struct member *)b)->task);
}

bool members_fold(const struct unit *u, enum fold fold, struct metric_value *ret)
{
    double sum = 0.0, squares = 0.0;
    size_t tasks = 0;

    *ret = (struct metric_value){ .stderr_ = NAN };
    if (u->members_len == 0)
        return false;
    if (fold == FOLD_SUM)
        return pool(u->member, u->members_len, ret);
    qsort(u->member, u->members_len, sizeof *u->member, by_task);
    for (size_t i = 0, end; i < u->members_len; i = end) {
        struct metric_value v;

        for (end = i + 1; end < u->members_len && by_task(&u->member[i], &u->member[end]) == 0;)
            end++;
        if (!pool(&u->member[i], end - i, &v))
            return false;
        sum += v.value;
        squares += v.stderr_ * v.stderr_; /* of independent samples */
        ret->n += v.n;
        tasks++;
    }
    ret->value = sum / (double)tasks;
    ret->stderr_ = sqrt(squares) / (double)tasks;
    return true;
}
