/* SPDX-License-Identifier: Apache-2.0 */
/* agreement.c - how paths agree with labels, layer by layer: F1 per class and their mean, of all
 * layers of a unit's examples together. Evaluations beside labels count per example the layers that
 * are of a class in both (_tp), in the path only (_fp), in the label only (_fn). */
#include "store/tables/agreement.h"

#include <math.h>
#include <stdio.h>

enum { CLASSES = 3 };

static const char *const classes[CLASSES] = { "skip", "execute", "repeat" };

bool stat_is_f1(enum table_stat stat)
{
    return stat == TABLE_F1_SKIP || stat == TABLE_F1_EXECUTE || stat == TABLE_F1_REPEAT ||
           stat == TABLE_MACRO_F1;
}

/* The classes of STAT: [*ret_from, *ret_to). */
static void classes_of(enum table_stat stat, size_t *ret_from, size_t *ret_to)
{
    *ret_from = stat == TABLE_F1_EXECUTE ? 1 : stat == TABLE_F1_REPEAT ? 2 : 0;
    *ret_to = stat == TABLE_MACRO_F1 ? CLASSES : *ret_from + 1;
}

/* The sum of CLASS's count WHAT over U's examples; NaN: none has it. */
static double sum_of(struct making *m, const struct unit *u, size_t class, const char *what)
{
    double sum = 0.0;
    bool any = false;
    char name[16];

    (void)snprintf(name, sizeof(name), "%s_%s", classes[class], what);
    for (size_t i = 0; i < u->facts; i++) {
        const struct sums *x = u->fact[i];
        const double *v = vectors_get(&m->vectors, m->s, x, name);

        for (uint64_t k = 0; v && k < x->promised; k++) {
            if (isnan(v[k]))
                continue;
            sum += v[k];
            any = true;
        }
    }
    return any ? sum : NAN;
}

double f1_value(struct making *m, enum table_stat stat, const struct unit *u)
{
    size_t from, to;
    double sum = 0.0, present = 0.0;

    if (m->pivot.subsets)
        return NAN;
    classes_of(stat, &from, &to);
    for (size_t c = from; c < to; c++) {
        double hits = 2.0 * sum_of(m, u, c, "tp");
        double all = hits + sum_of(m, u, c, "fp") + sum_of(m, u, c, "fn");

        if (!(all > 0.0)) /* no layer is of the class, or nothing is known */
            continue;
        sum += hits / all;
        present += 1.0;
    }
    return present > 0.0 ? sum / present : NAN;
}

void f1_examples(enum table_stat stat, struct buf *out)
{
    size_t from, to;

    classes_of(stat, &from, &to);
    for (size_t c = from; c < to; c++)
        buf_printf(out,
                   "%sSELECT part.run, part.task, %zu, json_extract(score.metrics, '$.%s_tp'), "
                   "json_extract(score.metrics, '$.%s_fp') +\n"
                   "    json_extract(score.metrics, '$.%s_fn')\n  FROM part JOIN score ON "
                   "score.family = part.family AND score.idx < part.examples",
                   c > from ? "\n  UNION ALL " : "", c, classes[c], classes[c], classes[c]);
}

void f1_row(enum table_stat stat, struct buf *out)
{
    size_t from, to;

    classes_of(stat, &from, &to);
    for (size_t c = from; c < to; c++)
        buf_printf(out, "%sjson_extract(score.metrics, '$.%s_tp')", c > from ? " + " : "",
                   classes[c]);
}
