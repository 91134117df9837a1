/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of a confusion matrix and their bootstrap. Drawing n examples with replacement and
 * counting them by cell is drawing the cells' counts from the multinomial distribution; those are
 * drawn cell by cell from binomials. A binomial(m, c/d) is drawn exactly, about 2m random bits: m
 * uniforms are compared with c/d bit by bit, all at once; a bit settles about half of them, and
 * only how many are left matters. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/metrics/metrics.h"

enum { CLASSES = 64 };

/* A cell of the confusion matrix that is not empty. */
struct cell {
    uint8_t chosen, gold;
    uint32_t count;
};

struct sums {
    double both[CLASSES], chosen[CLASSES], gold[CLASSES], n;
};

static struct sums sums_of(const struct cell *cell, const uint32_t *count, size_t cells)
{
    struct sums s = { 0 };

    for (size_t i = 0; i < cells; i++) {
        double c = count[i];
        s.n += c;
        s.chosen[cell[i].chosen] += c;
        s.gold[cell[i].gold] += c;
        if (cell[i].chosen == cell[i].gold)
            s.both[cell[i].gold] += c;
    }
    return s;
}

/* Gorodkin's R_K; 0 when one list has a single class, as scikit-learn says. */
static double mcc(const struct sums *s)
{
    double right = 0, product = 0, chosen = 0, gold = 0, under;

    for (int k = 0; k < CLASSES; k++) {
        right += s->both[k];
        product += s->chosen[k] * s->gold[k];
        chosen += s->chosen[k] * s->chosen[k];
        gold += s->gold[k] * s->gold[k];
    }
    under = (s->n * s->n - chosen) * (s->n * s->n - gold);
    return under > 0 ? (right * s->n - product) / sqrt(under) : 0;
}

static double f1(const struct sums *s, int k)
{
    double under = s->chosen[k] + s->gold[k];

    return under > 0 ? 2 * s->both[k] / under : 0;
}

/* USED: the classes of the whole set; one that a resample lacks counts 0, as in the harness. */
static double value_of(int which, const struct sums *s, uint64_t used)
{
    double sum = 0;
    int n = 0;

    if (which == METRIC_MCC)
        return mcc(s);
    if (which == METRIC_F1)
        return f1(s, 1);
    for (int k = 0; k < CLASSES; k++)
        if (used >> k & 1) {
            sum += f1(s, k);
            n++;
        }
    return n ? sum / n : 0;
}

struct bits {
    struct rng rng;
    uint64_t word;
    unsigned left;
};

static uint32_t ones(struct bits *b, uint32_t m)
{
    uint32_t sum = 0;

    while (m > 0) {
        unsigned take;
        uint64_t part;
        if (b->left == 0) {
            b->word = rng_u64(&b->rng);
            b->left = 64;
        }
        take = m < b->left ? m : b->left;
        part = take == 64 ? b->word : b->word & ((UINT64_C(1) << take) - 1);
        sum += (uint32_t)__builtin_popcountll(part);
        b->word = take == 64 ? 0 : b->word >> take;
        b->left -= take;
        m -= take;
    }
    return sum;
}

/* How many of M uniforms lie below NUM / DEN. */
static uint32_t binomial(struct bits *b, uint32_t m, uint64_t num, uint64_t den)
{
    uint32_t below = 0;

    if (num >= den)
        return m;
    while (m > 0 && num > 0) {
        uint32_t k = ones(b, m);
        num *= 2;
        if (num >= den) { /* this bit of the bound is 1: a 0 is below */
            num -= den;
            below += m - k;
            m = k;
        } else {
            m -= k;
        }
    }
    return below;
}

static void resample(struct bits *b, const struct cell *cell, size_t cells, uint32_t n,
                     uint32_t *ret_count)
{
    uint32_t left = n, weight = n;

    for (size_t i = 0; i < cells; i++) {
        ret_count[i] = binomial(b, left, cell[i].count, weight);
        left -= ret_count[i];
        weight -= cell[i].count;
    }
}

static double bootstrap(int which, const struct cell *cell, size_t cells, uint32_t n, uint64_t used,
                        uint64_t seed)
{
    uint64_t times = n ? UINT64_C(200000000) / n : 0;
    struct bits b = { .rng = rng_stream("bootstrap", seed, (uint64_t)which) };
    uint32_t *count = mem_calloc(cells + 1, sizeof(*count));
    double mean = 0, squares = 0;

    times = times > 100000 ? 100000 : times < 1000 ? 1000 : times;
    for (uint64_t t = 1; t <= times; t++) {
        struct sums s;
        double v, step;
        resample(&b, cell, cells, n, count);
        s = sums_of(cell, count, cells);
        v = value_of(which, &s, used);
        step = v - mean; /* Welford */
        mean += step / (double)t;
        squares += step * (v - mean);
    }
    free(count);
    return sqrt(squares / (double)(times - 1));
}

struct metric_value metric_classes(int which, const uint8_t *chosen, const uint8_t *gold, size_t n,
                                   uint64_t seed)
{
    uint32_t(*table)[CLASSES] = mem_calloc(CLASSES, sizeof(*table));
    struct cell *cell = mem_calloc((size_t)CLASSES * CLASSES, sizeof(*cell));
    uint32_t *count = mem_calloc((size_t)CLASSES * CLASSES, sizeof(*count));
    struct metric_value v = { (double)NAN, (double)NAN, n };
    uint64_t used = 0;
    size_t cells = 0;

    assert(which == METRIC_MCC || which == METRIC_F1 || which == METRIC_MACRO_F1);
    assert(n <= UINT32_MAX / 2);
    for (size_t i = 0; i < n; i++) {
        assert(chosen[i] < CLASSES && gold[i] < CLASSES);
        table[chosen[i]][gold[i]]++;
        used |= UINT64_C(1) << chosen[i] | UINT64_C(1) << gold[i];
    }
    for (int c = 0; c < CLASSES; c++)
        for (int g = 0; g < CLASSES; g++)
            if (table[c][g] > 0) {
                count[cells] = table[c][g];
                cell[cells++] = (struct cell){ (uint8_t)c, (uint8_t)g, table[c][g] };
            }
    if (n > 0) {
        struct sums s = sums_of(cell, count, cells);
        v.value = value_of(which, &s, used);
    }
    if (n > 1)
        v.stderr_ = bootstrap(which, cell, cells, (uint32_t)n, used, seed);
    free(table);
    free(cell);
    free(count);
    return v;
}
