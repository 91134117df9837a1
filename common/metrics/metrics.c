/* SPDX-License-Identifier: Apache-2.0 */
/* Means and pooled means with the standard errors of lm-evaluation-harness, and SQuAD 2.0's best
 * threshold. */
#include "common/metrics/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct metric_value metric_mean(const double *x, size_t n)
{
    struct metric_value v = { 0, (double)NAN, n };
    double sum = 0, squares = 0;

    if (n == 0)
        return (struct metric_value){ (double)NAN, (double)NAN, 0 };
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    v.value = sum / (double)n;
    if (n < 2)
        return v;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - v.value) * (x[i] - v.value);
    v.stderr_ = sqrt(squares / (double)(n - 1)) / sqrt((double)n);
    return v;
}

struct metric_value metric_mean_sums(uint64_t n, double sum, double sum_squares)
{
    struct metric_value v = { (double)NAN, (double)NAN, n };
    double squares;

    if (n == 0)
        return v;
    v.value = sum / (double)n;
    if (n < 2)
        return v;
    squares = sum_squares - sum * v.value;
    v.stderr_ = sqrt((squares > 0 ? squares : 0) / (double)(n - 1)) / sqrt((double)n);
    return v;
}

struct metric_value metric_pooled(const struct metric_value *group, size_t groups)
{
    struct metric_value v = { (double)NAN, (double)NAN, 0 };
    double sum = 0, variance = 0, all;
    size_t used = 0;

    for (size_t g = 0; g < groups; g++) {
        double n = (double)group[g].n;
        if (group[g].n == 0)
            continue;
        used++;
        v.n += group[g].n;
        sum += n * group[g].value;
        /* A group of one has no standard error and weight 0 in the pooled variance. */
        if (group[g].n > 1)
            variance += (n - 1) * group[g].stderr_ * group[g].stderr_ * n;
    }
    if (v.n == 0)
        return v;
    all = (double)v.n;
    v.value = sum / all;
    if (v.n > used)
        v.stderr_ = sqrt(variance / (all - (double)used) / all);
    return v;
}

struct ranked {
    double p_none;
    size_t at;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->p_none < y->p_none)
        return -1;
    if (x->p_none > y->p_none)
        return 1;
    return (x->at > y->at) - (x->at < y->at);
}

double metric_squad_best(const double *score, const double *p_none, const uint8_t *has_answer,
                         size_t n, double *ret_threshold)
{
    struct ranked *order = mem_calloc(n + 1, sizeof(*order));
    double now = 0, best, threshold = 0;

    for (size_t i = 0; i < n; i++) {
        order[i] = (struct ranked){ p_none[i], i };
        now += !has_answer[i];
    }
    qsort(order, n, sizeof(*order), compare_ranked);
    best = now;
    for (size_t i = 0; i < n; i++) {
        size_t at = order[i].at;
        /* A given answer to an unanswerable question costs the point that silence has. */
        now += has_answer[at] ? score[at] : score[at] > 0 ? 0 : -1;
        if (now > best) {
            best = now;
            threshold = order[i].p_none;
        }
    }
    free(order);
    if (ret_threshold)
        *ret_threshold = threshold;
    return n ? best / (double)n : (double)NAN;
}
