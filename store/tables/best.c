/* SPDX-License-Identifier: Apache-2.0 */
/* best.c - the best and the second of each column, row or group of rows (making.h). */
#include <stdlib.h>
#include <string.h>

#include "store/tables/making.h"

/* Values that print alike are alike. */
static double printed(const struct table_head *h, const struct table_cell *c)
{
    char text[400];

    cell_number(h, column_of_differences(h->column) ? c->compared.difference : c->value, text,
                sizeof text);
    return strtod(text, NULL);
}

static bool shown(const struct table_head *h, const struct table_cell *c)
{
    return c->known && !c->bound && /* nobody knows how much greater */
           (!column_of_differences(h->column) || c->compared.made);
}

struct contest {
    struct making *m;
    bool per_row;
    size_t key; /* rows that share this key; keys: all rows */
};

/* Do the cells compete? */
static bool compete(const struct contest *c, size_t row, size_t flat, size_t other_row,
                    size_t other_flat)
{
    const struct making *m = c->m;
    const struct table_column *a = flat_column(m, flat), *b = flat_column(m, other_flat);

    if (c->per_row)
        return row == other_row && m->flat[flat].spread == m->flat[other_flat].spread &&
               stat_plain(a->stat) == stat_plain(b->stat) && strcmp(a->metric, b->metric) == 0 &&
               !m->table->head[m->keys + other_flat].oracle;
    return flat == other_flat && m->rows[other_row].kind == ROW_OWN &&
           (c->key == m->keys || m->rows[row].key[c->key] == m->rows[other_row].key[c->key]);
}

/* How many different values are better than the cell's, up to 2; *RET_OTHERS: are there worse ones,
 * or equal cells beside it? */
static int better_values(const struct contest *c, size_t row, size_t flat, bool *ret_worse)
{
    const struct making *m = c->m;
    const struct table *t = m->table;
    const struct table_head *h = &t->head[m->keys + flat];
    double own = printed(h, &t->cell[row * t->columns + m->keys + flat]), best = own, second = own;
    int sign = column_better(flat_column(m, flat));
    size_t from_row = c->per_row ? row : 0, to_row = c->per_row ? row + 1 : m->rows_len;
    size_t from = c->per_row ? 0 : flat, to = c->per_row ? m->flats : flat + 1;

    *ret_worse = false;
    for (size_t r = from_row; r < to_row; r++) {
        for (size_t f = from; f < to; f++) {
            const struct table_cell *cell = &t->cell[r * t->columns + m->keys + f];
            double x;

            if (!shown(h, cell) || !compete(c, row, flat, r, f))
                continue;
            x = printed(h, cell);
            *ret_worse = *ret_worse || sign * x < sign * own;
            if (sign * x > sign * best) {
                second = best;
                best = x;
            } else if (sign * x < sign * best && sign * x > sign * second) {
                second = x;
            }
        }
    }
    return best == own ? 0 : second == own ? 1 : 2;
}

void mark_best(struct making *m)
{
    struct contest c = { m, strcmp(m->spec->best_per, "row") == 0, m->keys };

    if (!(m->spec->marks & (TABLE_MARK_BEST | TABLE_MARK_SECOND)))
        return;
    for (size_t k = 0; k < m->keys && !c.per_row; k++) {
        if (strcmp(m->key[k].name, m->spec->best_per) == 0)
            c.key = k;
    }
    for (size_t r = 0; r < m->rows_len; r++) {
        for (size_t f = 0; f < m->flats; f++) {
            struct table_cell *cell = &m->table->cell[r * m->table->columns + m->keys + f];
            const struct table_head *h = &m->table->head[m->keys + f];
            bool worse;
            int better;

            if (!shown(h, cell) || column_better(flat_column(m, f)) == 0 ||
                (c.per_row ? h->oracle : m->rows[r].kind != ROW_OWN))
                continue;
            better = better_values(&c, r, f, &worse);
            cell->best = better == 0 && worse && m->spec->marks & TABLE_MARK_BEST;
            cell->second = better == 1 && m->spec->marks & TABLE_MARK_SECOND;
        }
    }
}
