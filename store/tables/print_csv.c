/* SPDX-License-Identifier: Apache-2.0 */
/* print_csv.c - a table as comma-separated values: numbers in full, shares as 0..1 (print.h). */
#include <string.h>

#include "store/tables/print.h"

/* What a column of the table becomes, where some cell has it. */
enum part {
    VALUE,
    STDERR,
    SD,
    LOW,
    HIGH,
    REACHED,
    DIFFERENCE,
    DIFFERENCE_LOW,
    DIFFERENCE_HIGH,
    RATIO,
    RATIO_LOW,
    RATIO_HIGH,
    P,
    PARTS
};

static bool part_of(const struct table_head *h, const struct table_cell *c, enum part part,
                    double *ret)
{
    bool ratio = !h->key && h->column->show & TABLE_SHOW_RATIO && c->compared.has_ratio;

    switch (part) {
    case REACHED:
        *ret = c->reached;
        return !h->key && h->column->targets > 0 && c->known;
    case RATIO:
        *ret = c->compared.ratio;
        return ratio;
    case RATIO_LOW:
        *ret = c->compared.ratio_lo;
        return ratio && c->compared.ratio_interval;
    case RATIO_HIGH:
        *ret = c->compared.ratio_hi;
        return ratio && c->compared.ratio_interval;
    case VALUE:
        *ret = c->value;
        return c->known;
    case STDERR:
        *ret = c->error;
        return c->has_error;
    case SD:
        *ret = c->sd;
        return c->has_sd;
    case LOW:
        *ret = c->lo;
        return c->interval;
    case HIGH:
        *ret = c->hi;
        return c->interval;
    case DIFFERENCE:
        *ret = c->compared.difference;
        return c->compared.made;
    case DIFFERENCE_LOW:
        *ret = c->compared.lo;
        return c->compared.bracket != TABLE_BRACKET_NONE;
    case DIFFERENCE_HIGH:
        *ret = c->compared.hi;
        return c->compared.bracket != TABLE_BRACKET_NONE;
    case P:
        *ret = c->compared.adjusted;
        return c->compared.tested;
    case PARTS:
        break;
    }
    return false;
}

static bool has_part(const struct table *t, size_t column, enum part part)
{
    double ignored;

    for (size_t r = 0; r < t->rows && part != VALUE; r++) {
        if (part_of(&t->head[column], cell_at(t, r, column), part, &ignored))
            return true;
    }
    return part == VALUE;
}

static void add_csv(struct buf *out, const char *s)
{
    if (!strpbrk(s, ",\"\r\n") && s[0] != '#') {
        buf_adds(out, s);
        return;
    }
    buf_addc(out, '"');
    for (; *s; s++) {
        if (*s == '"')
            buf_addc(out, '"');
        buf_addc(out, *s);
    }
    buf_addc(out, '"');
}

static void print_heads(const struct table *t, struct buf *out)
{
    static const char *const ends[PARTS] = { "",
                                             " stderr",
                                             " sd",
                                             " low",
                                             " high",
                                             " reached",
                                             " difference",
                                             " difference low",
                                             " difference high",
                                             " ratio",
                                             " ratio low",
                                             " ratio high",
                                             " p" };

    for (size_t c = 0; c < t->columns; c++) {
        const char *head = t->head[c].text;
        size_t len = strlen(head);

        if (len > 2 && strcmp(head + len - 2, " %") == 0)
            len -= 2; /* values are shares here */
        for (enum part part = VALUE; part < PARTS; part++) {
            CLEANUP(buf_release) struct buf name = { 0 };

            if (!has_part(t, c, part))
                continue;
            for (size_t i = 0; i < t->head[c].depth; i++)
                buf_printf(&name, "%s/", t->head[c].above[i]);
            buf_printf(&name, "%.*s%s", (int)len, head, ends[part]);
            buf_adds(out, c || part ? "," : "");
            add_csv(out, buf_str(&name));
        }
    }
    buf_addc(out, '\n');
}

void print_csv(const struct table *t, const struct table_options *o, struct buf *out)
{
    print_heads(t, out);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            for (enum part part = VALUE; part < PARTS; part++) {
                const struct table_cell *cell = cell_at(t, r, c);
                double value;

                if (!has_part(t, c, part))
                    continue;
                buf_adds(out, c || part ? "," : "");
                if (t->head[c].key)
                    add_csv(out, cell->text);
                else if (part_of(&t->head[c], cell, part, &value))
                    buf_printf(out, "%.10g", value);
            }
        }
        buf_addc(out, '\n');
    }
    if (o->csv_footer && !o->no_footer)
        print_footer(t, "# ", out);
}
