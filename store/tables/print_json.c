/* SPDX-License-Identifier: Apache-2.0 */
/* print_json.c - everything about a table, for programs (print.h). */
#include <stdlib.h>

#include "common/base/json.h"
#include "store/tables/cost.h"
#include "store/tables/making.h"
#include "store/tables/print.h"

static struct json *json_head(const struct table_head *h)
{
    struct json *o = json_new_object(), *above = json_new_array();

    json_set(o, "head", json_new_text(h->text));
    for (size_t i = 0; i < h->depth; i++)
        json_push(above, json_new_text(h->above[i]));
    json_set(o, "above", above);
    json_set(o, "key", json_new_bool(h->key));
    if (!h->key) {
        json_set(o, "step", json_new_text(h->column->step));
        json_set(o, "stat", json_new_text(table_stat_word(h->column->stat)));
        json_set(o, "oracle", json_new_bool(h->oracle));
        json_set(o, "scale", json_new_number(h->scale));
        json_set(o, "digits", json_new_integer(h->digits));
        json_set(o, "better",
                 column_better(h->column) == 0
                     ? json_new_null()
                     : json_new_text(column_better(h->column) > 0 ? "higher" : "lower"));
        if (h->column->metric[0])
            json_set(o, "metric", json_new_text(h->column->metric));
        if (h->column->targets > 0) {
            CLEANUP(buf_release) struct buf target = { 0 };

            cost_print_target(h->column, &target);
            json_set(o, "target", json_new_text(buf_str(&target)));
        }
    }
    return o;
}

static struct json *known_or_null(bool known, double x)
{
    return known ? json_new_number(x) : json_new_null();
}

/* Where the baseline stands: row and column from 1, columns without the keys, as drover cell. */
static struct json *json_place(const struct table *t, size_t cell)
{
    struct json *o = json_new_object();
    size_t keys = 0;

    while (keys < t->columns && t->head[keys].key)
        keys++;
    json_set(o, "row", json_new_integer((int64_t)(cell / t->columns) + 1));
    json_set(o, "column", json_new_integer((int64_t)(cell % t->columns - keys) + 1));
    return o;
}

static const char *const bounds[] = { NULL, "at_least", "at_most", "either" };

struct json *print_json_comparison(const struct table *t, const struct table_comparison *c)
{
    static const char *const brackets[TABLE_BRACKETS] = { [TABLE_BRACKET_EXAMPLES] = "bca_examples",
                                                          [TABLE_BRACKET_BOTH] = "two_level",
                                                          [TABLE_BRACKET_SEEDS] = "t_seeds" };
    bool known = c->bracket != TABLE_BRACKET_NONE;
    static const char *const tests[TABLE_TESTS] = { [TABLE_PAIRED] = "paired_t_examples",
                                                    [TABLE_MCNEMAR] = "mcnemar",
                                                    [TABLE_PAIRED_SEEDS] = "paired_t_seeds",
                                                    [TABLE_WELCH] = "welch_t_seeds" };
    struct json *o;

    if (!c->made)
        return json_new_null();
    o = json_new_object();
    json_set(o, "baseline", json_place(t, c->base));
    json_set(o, "difference", json_new_number(c->difference));
    json_set(o, "low", known_or_null(known, c->lo));
    json_set(o, "high", known_or_null(known, c->hi));
    json_set(o, "interval", known ? json_new_text(brackets[c->bracket]) : json_new_null());
    json_set(o, "ratio", known_or_null(c->has_ratio, c->ratio));
    json_set(o, "ratio_low", known_or_null(c->ratio_interval, c->ratio_lo));
    json_set(o, "ratio_high", known_or_null(c->ratio_interval, c->ratio_hi));
    json_set(o, "bound", bounds[c->bound] ? json_new_text(bounds[c->bound]) : json_new_null());
    json_set(o, "test", c->tested ? json_new_text(tests[c->method]) : json_new_null());
    json_set(o, "p", known_or_null(c->tested, c->p));
    json_set(o, "p_adjusted", known_or_null(c->tested, c->adjusted));
    json_set(o, "stars", json_new_integer(c->stars));
    return o;
}

static struct json *json_cell(const struct table *t, const struct table_cell *c,
                              const struct table_head *h, bool brief)
{
    struct json *o = json_new_object(), *list;
    char hex[DIGEST_HEX];

    json_set(o, "text", json_new_text(c->text));
    if (h->key)
        return o;
    json_set(o, "value", known_or_null(c->known, c->value));
    if (c->interval) {
        list = json_new_array();
        json_push(list, json_new_number(c->lo));
        json_push(list, json_new_number(c->hi));
        json_set(o, "ci", list);
    } else {
        json_set(o, "ci", json_new_null());
    }
    json_set(o, "stderr", known_or_null(c->has_error, c->error));
    json_set(o, "sd", known_or_null(c->has_sd, c->sd));
    json_set(o, "n", json_new_integer((int64_t)c->n));
    json_set(o, "seeds", json_new_integer(c->seeds));
    json_set(o, "seeds_wanted", json_new_integer(c->wanted));
    json_set(o, "seeds_diverged", json_new_integer(c->diverged));
    if (h->column->targets > 0) {
        json_set(o, "reached", json_new_integer(c->reached));
        json_set(o, "bound", bounds[c->bound] ? json_new_text(bounds[c->bound]) : json_new_null());
    }
    json_set(o, "unequal", json_new_bool(c->unequal));
    json_set(o, "best", json_new_bool(c->best));
    json_set(o, "second", json_new_bool(c->second));
    json_set(o, "baseline", json_new_bool(c->is_baseline));
    json_set(o, "comparison", print_json_comparison(t, &c->compared));
    if (brief)
        return o;
    list = json_new_array();
    for (size_t i = 0; i < c->families_len; i++)
        json_push(list, json_new_text(digest_hex(&c->family[i], hex)));
    json_set(o, "families", list);
    return o;
}

static struct json *json_footer(const struct table *t)
{
    struct json *o = json_new_object(), *list = json_new_array();
    char hex[DIGEST_HEX], when[32];

    for (size_t i = 0; i < t->origins; i++) {
        struct json *one = json_new_object();

        json_set(one, "experiment", json_new_text(t->origin[i].experiment));
        json_set(one, "revision", json_new_integer(t->origin[i].revision));
        json_set(one, "recipe", json_new_text(digest_hex(&t->origin[i].recipe, hex)));
        print_time(t->origin[i].last_ms, when);
        json_set(one, "last_result",
                 t->origin[i].last_ms > 0 ? json_new_text(when) : json_new_null());
        json_push(list, one);
    }
    json_set(o, "experiments", list);
    json_set(o, "checksum", json_new_text(digest_hex(&t->checksum, hex)));
    return o;
}

void print_json_table(const struct table *t, const struct table_options *o, struct buf *out)
{
    struct json *root = json_new_object(), *columns = json_new_array(), *rows = json_new_array(),
                *notes = json_new_array();
    char *text;

    json_set(root, "title", json_new_text(t->title));
    json_set(root, "caption", json_new_text(t->spec->caption));
    json_set(root, "label", t->spec->label[0] ? json_new_text(t->spec->label) : json_new_null());
    for (size_t c = 0; c < t->columns; c++)
        json_push(columns, json_head(&t->head[c]));
    json_set(root, "columns", columns);
    for (size_t r = 0; r < t->rows; r++) {
        struct json *row = json_new_object(), *cells = json_new_array();

        json_set(row, "total", json_new_bool(t->total[r]));
        for (size_t c = 0; c < t->columns; c++)
            json_push(cells, json_cell(t, cell_at(t, r, c), &t->head[c], o->brief));
        json_set(row, "cells", cells);
        json_push(rows, row);
    }
    json_set(root, "rows", rows);
    for (size_t i = 0; i < t->notes; i++)
        json_push(notes, json_new_text(t->note[i]));
    json_set(root, "notes", notes);
    if (!o->no_footer)
        json_set(root, "footer", json_footer(t));
    text = json_dump(root, o->brief ? 0 : 2);
    buf_adds(out, text);
    buf_addc(out, '\n');
    free(text);
    json_free(root);
}
