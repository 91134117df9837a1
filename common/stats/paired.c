/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/paired.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/stats/dist.h"
#include "common/stats/flips.h"
#include "common/stats/levels.h"
#include "common/stats/sample.h"
#include "common/stats/two_level.h"

static double p_of_t(const double *d, size_t n)
{
    double mean = stats_mean(d, n), se = stats_se(d, n);

    if (n < 2)
        return (double)NAN;
    if (se == 0.0)
        return mean == 0.0 ? 1.0 : 0.0;
    return stats_t_two_sided(mean / se, (double)n - 1.0);
}

/* BCa; outcomes that are all 0 or -1 are a share too, mirrored, as 0 and 1 are for stats_bca. */
static struct stats_interval interval_of(double *d, size_t n)
{
    struct stats_interval i;

    for (size_t k = 0; k < n; k++) {
        if (d[k] != 0.0 && d[k] != -1.0)
            return stats_bca(d, n);
    }
    for (size_t k = 0; k < n; k++)
        d[k] = -d[k];
    i = stats_bca(d, n);
    for (size_t k = 0; k < n; k++)
        d[k] = -d[k];
    return (struct stats_interval){ i.valid, -i.hi, -i.lo };
}

struct stats_paired stats_paired(const double *a, const double *b, size_t n)
{
    double *x = mem_calloc(MAX(n, 1), sizeof *x), *y = mem_calloc(MAX(n, 1), sizeof *y);
    struct stats_paired ret = { 0 };

    for (size_t i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i])) {
            ret.dropped++;
            continue;
        }
        x[ret.n] = a[i];
        y[ret.n++] = b[i];
    }
    ret.mean_a = stats_mean(x, ret.n);
    ret.mean_b = stats_mean(y, ret.n);
    for (size_t i = 0; i < ret.n; i++)
        x[i] -= y[i];
    ret.difference = stats_mean(x, ret.n);
    ret.interval = interval_of(x, ret.n);
    ret.p_t = p_of_t(x, ret.n);
    ret.p_flip = ret.n > 0 && isfinite(ret.difference) ? flips_p(x, ret.n) : (double)NAN;
    free(x);
    free(y);
    return ret;
}

/* Means over the seeds that have a value; NaN where none has. */
static double *means_of(const double *const *x, size_t seeds, size_t n)
{
    double *out = mem_calloc(MAX(n, 1), sizeof *out);

    for (size_t j = 0; j < n; j++) {
        size_t said = 0;

        for (size_t s = 0; s < seeds; s++) {
            if (!isnan(x[s][j])) {
                out[j] += x[s][j];
                said++;
            }
        }
        out[j] = said > 0 ? out[j] / (double)said : (double)NAN;
    }
    return out;
}

static void matrix_release(double ***m)
{
    if (*m)
        free((*m)[0]);
    free(*m);
}

/* The columns of X (minus Y, may be NULL) that KEEP names, row by row; one block behind [0]. */
static double **matrix_of(const double *const *x, const double *const *y, size_t seeds,
                          const size_t *keep, size_t len)
{
    double **m = mem_calloc(seeds, sizeof *m), *cells = mem_calloc(seeds * len, sizeof *cells);

    for (size_t s = 0; s < seeds; s++) {
        m[s] = cells + s * len;
        for (size_t j = 0; j < len; j++)
            m[s][j] = x[s][keep[j]] - (y ? y[s][keep[j]] : 0.0);
    }
    return m;
}

/* Two-way analysis of one side: its seeds' means into MEAN, its examples' means added to COLUMN
 * with SIGN. */
static void add_side(struct levels *l, double **m, size_t seeds, size_t n, double *mean,
                     double *column, double sign)
{
    double *own = mem_calloc(n, sizeof *own);

    l->noise += levels_two_way((const double *const *)m, seeds, n, mean, own);
    for (size_t j = 0; j < n; j++)
        column[j] += sign * own[j];
    l->side[l->sides++] = levels_side_of(mean, seeds);
    l->center += sign * stats_mean(mean, seeds);
    free(own);
}

struct sides {
    const double *const *a, *const *b;
    size_t seeds_a, seeds_b;
    bool same;
};

/* The interval over the examples KEEP, which every seed has; LEN >= 2. */
static struct stats_interval seeds_interval(const struct sides *x, const size_t *keep, size_t len)
{
    CLEANUP(matrix_release) double **a = NULL, **b = NULL;
    CLEANUP(mem_cleanup) double *column = mem_calloc(len, sizeof *column), *example = NULL;
    CLEANUP(mem_cleanup) double *mean = mem_calloc(x->seeds_a + x->seeds_b, sizeof *mean);
    struct levels l = { .own_freedom = (double)len - 1.0 };

    a = matrix_of(x->a, x->same ? x->b : NULL, x->seeds_a, keep, len);
    add_side(&l, a, x->seeds_a, len, mean, column, 1.0);
    if (!x->same) {
        b = matrix_of(x->b, NULL, x->seeds_b, keep, len);
        add_side(&l, b, x->seeds_b, len, mean + x->seeds_a, column, -1.0);
    }
    l.own = MAX(0.0, stats_variance(column, len) / (double)len - l.noise);
    l.example = example = levels_examples(column, len);
    return levels_interval(&l);
}

/* Are all values of all seeds equal? Seeds that all agree are no more examples. */
static bool all_equal(const double *const *d, const size_t *n, size_t seeds)
{
    for (size_t s = 0; s < seeds; s++) {
        for (size_t j = 0; j < n[s]; j++) {
            if (d[s][j] != d[0][0])
                return false;
        }
    }
    return true;
}

static struct stats_interval constant(double value, size_t n, bool shares)
{
    struct stats_interval ret = { isfinite(value), value, value };

    if (shares && value == 0.0) {
        ret = stats_share(0, n);
        ret.lo = -ret.hi;
    } else if (shares && fabs(value) == 1.0) {
        ret = stats_share(n, n);
        ret = value > 0.0 ? ret : (struct stats_interval){ ret.valid, -ret.hi, -ret.lo };
    }
    return ret;
}

struct stats_interval stats_differences(const double *const *d, const size_t *n, size_t seeds,
                                        bool aligned, bool shares)
{
    CLEANUP(mem_cleanup) double *copy = NULL;
    struct stats_interval ret;

    for (size_t s = 0; s < seeds; s++) {
        if (n[s] == 0)
            return (struct stats_interval){ 0 };
    }
    if (seeds == 0 || seeds == 2)
        return (struct stats_interval){ 0 };
    if (all_equal(d, n, seeds))
        return constant(d[0][0], n[0], shares);
    if (seeds == 1) {
        copy = mem_dup(d[0], n[0] * sizeof *copy);
        ret = interval_of(copy, n[0]);
    } else {
        ret = stats_two_level_values(d, n, seeds, aligned);
    }
    if (ret.valid && shares) {
        ret.lo = MAX(ret.lo, -1.0);
        ret.hi = MIN(ret.hi, 1.0);
    }
    return ret;
}

static bool said_by_all(const double *const *x, size_t seeds, size_t j)
{
    for (size_t s = 0; s < seeds; s++) {
        if (!isfinite(x[s][j]))
            return false;
    }
    return true;
}

struct stats_paired stats_paired_seeds(const double *const *a, size_t seeds_a,
                                       const double *const *b, size_t seeds_b, size_t n,
                                       struct stats_paired_options options)
{
    CLEANUP(mem_cleanup)
    double *mean_a = means_of(a, seeds_a, n), *mean_b = means_of(b, seeds_b, n);
    CLEANUP(mem_cleanup) size_t *keep = NULL;
    struct sides x = { a, b, seeds_a, seeds_b, options.same_seeds };
    struct stats_paired ret = stats_paired(mean_a, mean_b, n);
    size_t len = 0;

    assert(!options.same_seeds || seeds_a == seeds_b);
    if (!options.seeds || seeds_a < 3 || seeds_b < 3)
        return ret;
    keep = mem_calloc(MAX(n, 1), sizeof *keep);
    for (size_t j = 0; j < n; j++) {
        if (said_by_all(a, seeds_a, j) && said_by_all(b, seeds_b, j))
            keep[len++] = j;
    }
    if (len >= 2)
        ret.interval = seeds_interval(&x, keep, len);
    return ret;
}

double stats_mcnemar(uint64_t only_a, uint64_t only_b)
{
    return stats_binomial_half(only_a, only_a + only_b);
}

double stats_mcnemar_chi2(uint64_t only_a, uint64_t only_b)
{
    double apart = fabs((double)only_a - (double)only_b) - 1.0;

    if (apart <= 0.0) /* the correction takes all there is; also none discordant */
        return 1.0;
    return stats_chi2_upper(apart * apart / ((double)only_a + (double)only_b), 1.0);
}
