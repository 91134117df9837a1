/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - making a table: heads, cells, refusals (tables.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "store/store.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

static void places_free(struct places *p)
{
    free(p->start);
    free(p->fact);
}

void making_release(struct making *m)
{
    pivot_release(&m->pivot);
    vectors_free(m->vectors);
    places_free(&m->own);
    places_free(&m->numbers);
    free(m->spreads);
    free(m->flat);
    free(m->takes);
    free(m->spread_of);
    free(m->number_row);
    free(m->rows);
}

void table_note(struct table *t, const char *text)
{
    for (size_t i = 0; i < t->notes; i++) {
        if (strcmp(t->note[i], text) == 0)
            return;
    }
    t->note = mem_realloc(t->note, t->notes + 1, sizeof *t->note);
    t->note[t->notes++] = mem_strdup(text);
}

/* ---- equal n ---- */

/* Where a cell is, for messages. */
static void name_row(const struct making *m, size_t row, struct buf *out)
{
    row_name(m, &m->rows[row], out);
    if (m->keys == 0)
        buf_adds(out, "all rows");
}

/* The law of equal n for one cell; its text in *RET when it is broken. */
static bool cell_is_equal(const struct making *m, size_t row, const struct table_column *c,
                          const struct backing *s, struct buf *why)
{
    const struct row *r = &m->rows[row];
    CLEANUP(buf_release) struct buf where = { 0 };
    /* Subsets of a benchmark, and tasks of a group, are of different sizes. */
    bool sums_up = r->kind == ROW_GROUP || (r->kind == ROW_TOTAL && m->folds_subsets);

    name_row(m, row, &where);
    for (size_t i = 0; i < s->units; i++) {
        const struct unit *u = &s->unit[i], *first = &s->unit[0];

        if (u->n != u->promised) {
            buf_printf(why,
                       "step %s (%s) has %llu of %llu examples; wait until it is done, or set "
                       "allow_unequal_n = true",
                       c->step, buf_str(&where), (unsigned long long)u->n,
                       (unsigned long long)u->promised);
            return false;
        }
        if (u->n != first->n || (!sums_up && u->n_least != u->n_most)) {
            buf_printf(why,
                       "step %s (%s) would mix results of %llu and %llu examples; set "
                       "allow_unequal_n = true if that is meant, or total = false",
                       c->step, buf_str(&where),
                       (unsigned long long)(u->n != first->n ? first->n : u->n_least),
                       (unsigned long long)(u->n != first->n ? u->n : u->n_most));
            return false;
        }
    }
    return true;
}

/* Columns of a row for the same value of the spread rest on the same n. */
static int check_row(const struct making *m, size_t row, struct table_cell *cells, bool refuse,
                     struct err *err)
{
    for (size_t f = 0; f < m->flats; f++) {
        const struct table_cell *first = NULL;
        CLEANUP(buf_release) struct buf where = { 0 };
        size_t g = m->flat[f].spread * m->spec->columns_len, most = f;

        if (cells[f].seeds == 0 || stat_is_number(flat_column(m, f)->stat))
            continue;
        for (; g < (m->flat[f].spread + 1) * m->spec->columns_len; g++) {
            if (cells[g].seeds == 0 || stat_is_number(flat_column(m, g)->stat))
                continue;
            if (!first)
                first = &cells[g];
            if (cells[g].n > cells[most].n)
                most = g;
        }
        cells[f].unequal = cells[f].unequal || cells[f].n != cells[most].n;
        if (!first || cells[f].n == first->n || !refuse)
            continue;
        name_row(m, row, &where);
        return spec_error(err, ERR_INVALID, flat_column(m, f)->source,
                          "%s: columns \"%s\" and \"%s\" rest on %llu and %llu examples; make two "
                          "tables, or set allow_unequal_n = true",
                          buf_str(&where), flat_column(m, (size_t)(first - cells))->head,
                          flat_column(m, f)->head, (unsigned long long)first->n,
                          (unsigned long long)cells[f].n);
    }
    return 0;
}

static int check_strict(const struct making *m, size_t row, size_t flat,
                        const struct table_cell *cell, struct err *err)
{
    CLEANUP(buf_release) struct buf where = { 0 };
    const struct table_column *c = flat_column(m, flat);

    if (!m->strict || (!cell->missing && cell->seeds == cell->wanted))
        return 0;
    name_row(m, row, &where);
    if (cell->missing)
        return spec_error(err, ERR_INVALID, c->source,
                          "%s: column \"%s\" has no results; wait until they are there, or leave "
                          "out --strict",
                          buf_str(&where), c->head);
    return spec_error(err, ERR_INVALID, c->source,
                      "%s: column \"%s\" has %u of %u seeds; wait until they are there, or leave "
                      "out --strict",
                      buf_str(&where), c->head, cell->seeds, cell->wanted);
}

static int fill_cell(struct making *m, size_t row, size_t flat, struct table_cell *cell,
                     struct err *err)
{
    const struct table_column *c = flat_column(m, flat);
    CLEANUP(backing_release) struct backing s = { 0 };
    CLEANUP(buf_release) struct buf why = { 0 };
    bool equal;

    backing_gather(m, row, flat, &s);
    equal = stat_is_number(c->stat) || cell_is_equal(m, row, c, &s, &why);
    if (!equal && (m->strict || !m->spec->allow_unequal_n))
        return spec_error(err, ERR_INVALID, c->source, "%s", buf_str(&why));
    cell_fill(m, cell, c, &s);
    cell->unequal = !equal;
    return check_strict(m, row, flat, cell, err);
}

static int fill_rows(struct making *m, struct err *err)
{
    struct table *t = m->table;
    bool refuse = m->strict || !m->spec->allow_unequal_n;
    int rc = 0;

    t->rows = m->rows_len;
    t->cell = mem_calloc(MAX(t->rows * t->columns, 1), sizeof *t->cell);
    t->total = mem_calloc(MAX(t->rows, 1), sizeof *t->total);
    for (size_t r = 0; rc == 0 && r < t->rows; r++) {
        struct table_cell *cells = t->cell + r * t->columns;

        t->total[r] = m->rows[r].kind != ROW_OWN;
        for (size_t k = 0; k < m->keys; k++)
            cells[k].text = mem_strdup(t->total[r] && m->rows[r].kind == ROW_TOTAL && k == m->fold
                                           ? "all"
                                           : key_text(&m->key[k], m->rows[r].key[k]));
        for (size_t f = 0; rc == 0 && f < m->flats; f++) {
            rc = fill_cell(m, r, f, &cells[m->keys + f], err);
            rc = rc ? rc : store_check_time(m->s, err);
        }
        if (rc == 0)
            rc = check_row(m, r, cells + m->keys, refuse, err);
    }
    return rc;
}

/* ---- heads ---- */

/* Does one of the steps follow labels? Then the column's numbers are an oracle's. */
static int steps_read_labels(const struct making *m, const char *list, bool *ret, struct err *err)
{
    int rc = 0;

    *ret = false;
    for (list += strspn(list, " "); *list && !*ret && rc >= 0; list += strspn(list, " ")) {
        char step[TABLE_STEPS_MAX];
        size_t len = strcspn(list, " ");

        snprintf(step, sizeof step, "%.*s", (int)len, list);
        for (size_t i = 0; i < m->experiments_len && !*ret && rc >= 0; i++)
            rc = store_step_reads_labels(m->s, m->experiments[i], step, ret, err);
        list += len;
    }
    return rc;
}

static bool counts_only(enum table_stat stat)
{
    return stat == TABLE_N || stat == TABLE_SEEDS || stat == TABLE_REPEATS || stat_is_number(stat);
}

static int make_head(struct making *m, size_t flat, struct err *err)
{
    const struct table_column *from = flat_column(m, flat);
    struct table_head *to = &m->table->head[m->keys + flat];
    const struct row *spread = &m->spreads[m->flat[flat].spread];
    bool follows = false, says_oracle = strcasestr(from->head, "oracle") != NULL, percent;
    int rc = steps_read_labels(m, from->step, &follows, err);

    if (rc < 0)
        return rc;
    for (size_t k = 0; k < m->spread_keys; k++)
        snprintf(to->above[to->depth++], TABLE_WORD_MAX, "%s",
                 key_text(&m->spread[k], spread->key[k]));
    for (size_t i = 0; i < from->depth && to->depth < TABLE_DEPTH_MAX; i++) {
        says_oracle = says_oracle || strcasestr(from->above[i], "oracle");
        memcpy(to->above[to->depth++], from->above[i], TABLE_WORD_MAX);
    }
    to->column = from;
    to->right = true;
    to->digits = column_digits(from);
    to->scale = column_scale(from);
    to->percent = to->scale == 100.0;
    percent = to->percent && !strchr(from->head, '%');
    for (size_t i = 0; i < from->depth; i++)
        percent = percent && !strchr(from->above[i], '%');
    to->oracle = stat_plain(from->stat) == TABLE_ORACLE || (follows && !counts_only(from->stat));
    snprintf(to->text, sizeof to->text, "%s%s%s", from->head,
             to->oracle && !says_oracle ? " (oracle)" : "", percent ? " %" : "");
    m->table->depth = MAX(m->table->depth, to->depth);
    return 0;
}

static int make_heads(struct making *m, struct err *err)
{
    struct table *t = m->table;
    int rc = 0;

    t->columns = m->keys + m->flats;
    t->head = mem_calloc(t->columns, sizeof *t->head);
    for (size_t k = 0; k < m->keys; k++) {
        snprintf(t->head[k].text, sizeof t->head[k].text, "%s",
                 m->key[k].spec ? m->key[k].spec->head : m->key[k].name);
        t->head[k].key = true;
        t->head[k].right = m->key[k].key == KEY_LEVEL;
    }
    for (size_t f = 0; rc == 0 && f < m->flats; f++)
        rc = make_head(m, f, err);
    return rc;
}

/* ---- all of it ---- */

static void choose_wants(const struct table_spec *spec, struct pivot_wants *w)
{
    size_t n = 0, costs = 0;

    w->metrics = mem_calloc(spec->columns_len + 1, sizeof *w->metrics);
    w->cost = mem_calloc(spec->columns_len + 1, sizeof(*w->cost));
    for (size_t i = 0; i < spec->rows_len; i++)
        w->subsets = w->subsets || strcmp(spec->rows[i].name, "subset") == 0;
    for (size_t i = 0; i < spec->spread_len; i++)
        w->subsets = w->subsets || strcmp(spec->spread[i].name, "subset") == 0;
    for (size_t i = 0; i < spec->columns_len; i++) {
        w->seconds = w->seconds || spec->column[i].stat == TABLE_SECONDS;
        if (spec->column[i].stat == TABLE_TRAINING)
            w->metrics[n++] = spec->column[i].metric;
        if (spec->column[i].stat == TABLE_COST)
            w->cost[costs++] = &spec->column[i];
    }
    if (costs == 0) {
        free(w->cost);
        w->cost = NULL;
    }
}

/* There is nothing, or nothing that the conditions let through. */
static int no_rows(const struct making *m, struct err *err)
{
    bool chosen = m->spec->where != NULL, results = false;

    for (size_t c = 0; c < m->spec->columns_len; c++)
        chosen = chosen || m->spec->column[c].where || m->spec->column[c].experiment[0];
    for (size_t k = 0; k < m->spec->rows_len; k++)
        chosen = chosen || m->spec->rows[k].only;
    for (size_t i = 0; i < m->pivot.sums_len && !results; i++)
        results = m->pivot.sums[i].n > 0;
    return spec_error(err, ERR_NOT_FOUND, m->spec->source,
                      chosen && results ? "there are results, but none that the conditions let "
                                          "through (where, only, experiment)"
                                        : "no results yet");
}

/* Numbers of training are of any size: a column of small ones gets the digits to see them by. */
static void widen_digits(struct making *m)
{
    for (size_t f = 0; f < m->flats; f++) {
        struct table_head *h = &m->table->head[m->keys + f];
        double most = 0.0;

        if (!(h->column->stat == TABLE_TRAINING || h->column->stat == TABLE_COST) ||
            h->column->digits >= 0)
            continue;
        for (size_t r = 0; r < m->rows_len; r++)
            most = fmax(most,
                        fabs(h->scale * m->table->cell[r * m->table->columns + m->keys + f].value));
        if (most > 0.0 && most < 0.1)
            h->digits = (int)fmin(9.0, 2.0 - floor(log10(most)));
        else if (h->column->stat == TABLE_COST)
            h->digits = most < 10.0 ? 2 : most < 10000.0 ? 1 : 0;
    }
}

int making_run(struct making *m, struct err *err)
{
    struct pivot_wants w = { 0 };
    int rc;

    choose_wants(m->spec, &w);
    rc = pivot_load(&m->pivot, m->s, m->experiments, m->experiments_len, &w, err);
    free(w.metrics);
    free(w.cost);
    if (rc == 0)
        rc = check_names(m, err);
    if (rc == 0)
        rc = rows_make(m, err);
    if (rc == 0 && m->rows_len == 0)
        rc = no_rows(m, err);
    if (rc < 0)
        return rc;
    m->table = mem_calloc(1, sizeof *m->table);
    m->table->spec = m->spec;
    snprintf(m->table->title, sizeof m->table->title, "%s", m->spec->title);
    rc = make_heads(m, err);
    if (rc == 0)
        rc = fill_rows(m, err);
    if (rc == 0)
        rc = compare_all(m, err);
    if (rc < 0)
        return rc;
    widen_digits(m);
    mark_best(m);
    for (size_t i = 0; i < m->table->rows * m->table->columns; i++) {
        if (!m->table->head[i % m->table->columns].key)
            cell_text(&m->table->cell[i], &m->table->head[i % m->table->columns]);
    }
    rc = notes_make(m, err);
    return rc ? rc : origin_make(m, err);
}

int table_make(struct store *s, const uint64_t *experiments, size_t experiments_len,
               const struct table_spec *spec, bool strict, struct table **ret, struct err *err)
{
    CLEANUP(making_release)
    struct making m = { .s = s,
                        .experiments = experiments,
                        .experiments_len = experiments_len,
                        .spec = spec,
                        .strict = strict };
    int rc = making_run(&m, err);

    *ret = NULL;
    if (rc < 0)
        table_free(m.table);
    else
        *ret = m.table;
    return rc;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->cell && i < t->rows * t->columns; i++) {
        free(t->cell[i].text);
        free(t->cell[i].family);
    }
    for (size_t i = 0; i < t->notes; i++)
        free(t->note[i]);
    free(t->cell);
    free(t->head);
    free(t->total);
    free(t->note);
    free(t->origin);
    free(t);
}

void table_cleanup(struct table **t)
{
    table_free(*t);
}
