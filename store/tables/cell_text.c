/* SPDX-License-Identifier: Apache-2.0 */
/* cell_text.c - how a cell's number, its interval and its comparison are written (making.h). */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

static bool counts(const struct table_column *c)
{
    return c->stat == TABLE_N || c->stat == TABLE_SEEDS || c->stat == TABLE_REPEATS ||
           c->aggregate == TABLE_COUNT || c->aggregate == TABLE_RUNS;
}

int column_digits(const struct table_column *c)
{
    if (c->digits >= 0 || counts(c))
        return MAX(c->digits, 0);
    if (stat_is_percent(c->stat) || c->stat == TABLE_TOKENS || c->stat == TABLE_GENERATED ||
        c->stat == TABLE_SECONDS || c->stat == TABLE_EVALUATIONS || c->stat == TABLE_ROWS ||
        (c->stat >= TABLE_RESPONSE_TOKENS && c->stat <= TABLE_WELL_FORMED))
        return 1;
    return c->stat == TABLE_TRAINING ? 3 : 2;
}

double column_scale(const struct table_column *c)
{
    if (c->scale > 0.0)
        return c->scale;
    return stat_is_percent(c->stat) && !counts(c) ? 100.0 : 1.0;
}

int column_better(const struct table_column *c)
{
    if (c->better || counts(c) || c->aggregate == TABLE_SD || c->aggregate == TABLE_SE)
        return c->better;
    return stat_better(c->stat);
}

void cell_number(const struct table_head *h, double value, char *out, size_t size)
{
    snprintf(out, size, "%.*f", h->digits, h->scale * value);
}

bool column_of_differences(const struct table_column *c)
{
    return c->show && !(c->show & TABLE_SHOW_VALUE);
}

/* "+3.4 [+1.2, +5.6], -34.2 % [-50.1, -18.0]" */
static void add_difference(const struct table_cell *cell, const struct table_head *h,
                           struct buf *out)
{
    static const char *const signs[] = { "", "> ", "< ", "~ " };
    const struct table_comparison *c = &cell->compared;
    unsigned shows = h->column->show;
    bool difference = shows & TABLE_SHOW_DIFFERENCE || !c->has_ratio;

    buf_adds(out, signs[c->bound]);
    if (difference)
        buf_printf(out, "%+.*f", h->digits, h->scale * c->difference);
    if (difference && c->bracket != TABLE_BRACKET_NONE)
        buf_printf(out, " [%+.*f, %+.*f]", h->digits, h->scale * c->lo, h->digits,
                   h->scale * c->hi);
    if (!(shows & TABLE_SHOW_RATIO) || !c->has_ratio)
        return;
    buf_printf(out, "%s%+.1f %%", difference ? ", " : "", 100.0 * c->ratio);
    if (c->ratio_interval)
        buf_printf(out, " [%+.1f, %+.1f]", 100.0 * c->ratio_lo, 100.0 * c->ratio_hi);
}

static void add_counts(const struct table_cell *cell, const struct table_column *c, struct buf *out)
{
    unsigned shows = column_shows(c);

    if (stat_is_number(c->stat))
        shows &= ~(unsigned)TABLE_SHOW_N; /* there are no examples */
    if (shows & TABLE_SHOW_N && shows & TABLE_SHOW_SEEDS)
        buf_printf(out, " (n %llu, %u seeds)", (unsigned long long)cell->n, cell->seeds);
    else if (shows & TABLE_SHOW_N)
        buf_printf(out, " (n %llu)", (unsigned long long)cell->n);
    else if (shows & TABLE_SHOW_SEEDS)
        buf_printf(out, " (%u seeds)", cell->seeds);
    if (cell->bound || (c->targets > 0 && shows & TABLE_SHOW_REACHED))
        buf_printf(out, " (%u of %u)", cell->reached, cell->seeds);
}

static void difference_text(const struct table_cell *cell, const struct table_head *h,
                            struct buf *out)
{
    if (!cell->compared.made) {
        buf_adds(out, NO_CELL);
        return;
    }
    add_difference(cell, h, out);
    add_counts(cell, h->column, out);
}

void cell_text(struct table_cell *cell, const struct table_head *h)
{
    unsigned shows = column_shows(h->column);
    struct buf b = { 0 };

    free(cell->text);
    if (!cell->known) {
        cell->text = mem_strdup(NO_CELL);
        return;
    }
    if (column_of_differences(h->column)) {
        difference_text(cell, h, &b);
        cell->text = buf_detach(&b);
        return;
    }
    buf_printf(&b, "%s%.*f", cell->bound ? "> " : "", h->digits, h->scale * cell->value);
    if (cell->has_sd)
        buf_printf(&b, " \xc2\xb1 %.*f", h->digits, h->scale * cell->sd);
    else if (cell->has_error)
        buf_printf(&b, " \xc2\xb1 %.*f", h->digits, h->scale * cell->error);
    if (cell->interval)
        buf_printf(&b, " [%.*f, %.*f]", h->digits, h->scale * cell->lo, h->digits,
                   h->scale * cell->hi);
    if (shows & TABLE_SHOW_COMPARED && cell->compared.made) {
        buf_adds(&b, " (");
        add_difference(cell, h, &b);
        buf_addc(&b, ')');
    }
    add_counts(cell, h->column, &b);
    cell->text = buf_detach(&b);
}
