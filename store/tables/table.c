/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - rows, totals, refusals and notes (tables.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "store/store.h"
#include "store/tables/making.h"
#include "store/tables/stats.h"

static void making_release(struct making *m)
{
    pivot_release(&m->pivot);
    free(m->rows);
    free(m->row);
    free(m->total_row);
    free(m->group_row);
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

static int check_steps(const struct making *m, struct err *err)
{
    for (size_t c = 0; c < m->spec->columns_len; c++) {
        CLEANUP(buf_release) struct buf names = { 0 };
        bool found = false;

        for (size_t i = 0; i < m->pivot.sums_len && !found; i++) {
            const char *step = m->pivot.sums[i].step;

            found = step_among(m->spec->column[c].step, step);
            if (!strstr(buf_str(&names), step)) /* good enough for a message */
                buf_printf(&names, "%s%s", names.len ? ", " : "", step);
        }
        if (!found)
            return err_set(err, ERR_INVALID,
                           "column \"%s\": no step \"%s\" with examples in this experiment (%s)",
                           m->spec->column[c].head, m->spec->column[c].step,
                           names.len ? buf_str(&names) : "there is none");
    }
    return 0;
}

/* Does one of the steps follow labels? Then the column's numbers are an oracle's. */
static int steps_read_labels(const struct making *m, const char *list, bool *ret, struct err *err)
{
    int rc = 0;

    *ret = false;
    for (list += strspn(list, " "); *list && !*ret && rc >= 0; list += strspn(list, " ")) {
        char step[TABLE_STEPS_MAX];
        size_t len = strcspn(list, " ");

        snprintf(step, sizeof step, "%.*s", (int)len, list);
        rc = store_step_reads_labels(m->s, m->experiment, step, ret, err);
        list += len;
    }
    return rc;
}

/* The law of equal n for one cell. */
static int check_cell(const struct making *m, const struct row *r, const struct table_column *c,
                      const struct unit *units, size_t len, struct err *err)
{
    CLEANUP(buf_release) struct buf where = { 0 };
    /* Subsets of a benchmark, and tasks of a group, are of different sizes. */
    bool sums_up = r->kind == ROW_GROUP || (r->kind == ROW_TOTAL && m->folds_subsets);

    row_name(m, r, &where);
    for (size_t i = 0; i < len; i++) {
        const struct unit *u = &units[i];

        if (u->n != u->promised)
            return err_set(err, ERR_INVALID,
                           "step %s (%s) has %llu of %llu examples; wait until it is done, or "
                           "set allow_unequal_n = true",
                           c->step, buf_str(&where), (unsigned long long)u->n,
                           (unsigned long long)u->promised);
        if (u->n != units[0].n || (!sums_up && u->n_least != u->n_most))
            return err_set(err, ERR_INVALID,
                           "step %s (%s) would mix results of %llu and %llu examples; set "
                           "allow_unequal_n = true if that is meant, or total = false",
                           c->step, buf_str(&where),
                           (unsigned long long)(u->n != units[0].n ? units[0].n : u->n_least),
                           (unsigned long long)(u->n != units[0].n ? u->n : u->n_most));
    }
    return 0;
}

static int check_row(const struct making *m, const struct row *r, const struct table_cell *cells,
                     struct err *err)
{
    const struct table_cell *first = NULL;

    for (size_t c = 0; c < m->spec->columns_len; c++) {
        CLEANUP(buf_release) struct buf where = { 0 };

        if (cells[c].seeds == 0)
            continue;
        if (!first)
            first = &cells[c];
        if (cells[c].n == first->n)
            continue;
        row_name(m, r, &where);
        return err_set(err, ERR_INVALID,
                       "%s: columns \"%s\" and \"%s\" rest on %llu and %llu examples; make two "
                       "tables, or set allow_unequal_n = true",
                       buf_str(&where), m->spec->column[first - cells].head,
                       m->spec->column[c].head, (unsigned long long)first->n,
                       (unsigned long long)cells[c].n);
    }
    return 0;
}

static void note_interval(struct table *t, const struct table_cell *cell, enum table_stat stat)
{
    if (stat == TABLE_METRIC_SE && cell->has_error)
        table_note(t,
                   "\xc2\xb1: standard error over the examples of one model; it says nothing about "
                   "other seeds.");
    if (stat == TABLE_METRIC_SE && cell->interval)
        table_note(t, "Brackets behind metrics: 95 % interval over seeds, Student's t.");
    if (stat != TABLE_ACCURACY_CI && stat != TABLE_ACCURACY_NORM_CI && stat != TABLE_ORACLE_CI)
        return;
    if (cell->interval && cell->seeds == 1)
        table_note(t, "Brackets: 95 % interval, BCa bootstrap over the examples of one model; it "
                      "says nothing about other seeds.");
    else if (cell->interval)
        table_note(t, "Brackets: 95 % interval, two-level bootstrap over seeds, then examples.");
    else if (cell->seeds == 2)
        table_note(t, "Two seeds: no interval below three.");
}

/* Has a sum of X's family been added to U before? */
static bool has_family(const struct unit *u, const struct sums *x)
{
    size_t n = 0;

    for (size_t i = 0; i < u->families_len; i++)
        n += digest_equal(&u->family[i], &x->family);
    return n > 1; /* X's own is among them */
}

/* What the sums of column C make of row R, per seed. */
static void gather(const struct making *m, size_t row, const struct table_column *c,
                   struct unit **units, size_t *len)
{
    const struct row *r = &m->rows[row];
    enum fold fold = r->kind == ROW_GROUP ? group_fold(r->key[m->task]) : FOLD_SUM;
    bool whole = r->kind == ROW_TOTAL && m->folds_subsets;
    const size_t *place = r->kind == ROW_OWN     ? m->row
                          : r->kind == ROW_TOTAL ? m->total_row
                                                 : m->group_row;

    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        const struct sums *x = &m->pivot.sums[i];
        struct unit *u;

        if (place[i] != row || !step_among(c->step, x->step))
            continue;
        u = units_add(units, len, x);
        if (x->n > 0 && stat_needs_members(c->stat, fold) && !(whole && has_family(u, x))) {
            struct member one = member_of(&m->pivot, c, x, whole);

            unit_add_member(u, &one);
        }
    }
}

static void note_oracle(struct table *t)
{
    table_note(t, "Oracle: labels come from a search that knows the answers; an upper bound for a "
                  "router, not its result.");
}

static int fill_cell(struct making *m, size_t row, size_t column, struct table_cell *cell,
                     struct err *err)
{
    const struct row *r = &m->rows[row];
    const struct table_column *c = &m->spec->column[column];
    struct unit *units = NULL;
    size_t len = 0, kept = 0;
    int rc = 0;

    gather(m, row, c, &units, &len);
    units_share(units, &len);
    for (size_t i = 0; i < len; i++) { /* seeds without any result yet say nothing */
        if (units[i].n > 0)
            units[kept++] = units[i];
        else
            unit_release(&units[i]);
    }
    if (kept < len)
        table_note(m->table, "Some runs have no results yet: see drover status.");
    if (!m->spec->allow_unequal_n)
        rc = check_cell(m, r, c, units, kept, err);
    if (rc == 0) {
        cell_fill(cell, c, units, kept,
                  r->kind == ROW_GROUP ? group_fold(r->key[m->task]) : FOLD_SUM);
        note_interval(m->table, cell, c->stat);
        if (c->stat == TABLE_LAYERS && kept > 0 && units[0].search)
            note_oracle(m->table);
    }
    units_free(units, kept);
    return rc;
}

static bool mentions_oracle(const char *head)
{
    return strcasestr(head, "oracle") != NULL;
}

static int make_heads(struct making *m, struct err *err)
{
    struct table *t = m->table;

    t->columns = m->keys_len + m->spec->columns_len;
    t->head = mem_calloc(t->columns, sizeof *t->head);
    for (size_t k = 0; k < m->keys_len; k++) {
        snprintf(t->head[k].text, sizeof t->head[k].text, "%s", m->keys[k]);
        t->head[k].key = true;
        t->head[k].align = strcmp(m->keys[k], "level") == 0 ? TABLE_RIGHT : TABLE_LEFT;
    }
    for (size_t c = 0; c < m->spec->columns_len; c++) {
        const struct table_column *from = &m->spec->column[c];
        struct table_head *to = &t->head[m->keys_len + c];
        bool follows = false;
        int rc = steps_read_labels(m, from->step, &follows, err);

        if (rc < 0)
            return rc;
        to->align = TABLE_RIGHT;
        to->stat = from->stat;
        snprintf(to->step, sizeof to->step, "%s", from->step);
        snprintf(to->metric, sizeof to->metric, "%s", from->metric);
        to->oracle = from->stat == TABLE_ORACLE || from->stat == TABLE_ORACLE_CI ||
                     (follows && from->stat != TABLE_N && from->stat != TABLE_SEEDS &&
                      from->stat != TABLE_REPEATS);
        snprintf(to->text, sizeof to->text, "%s%s%s", from->head,
                 to->oracle && !mentions_oracle(from->head) ? " (oracle)" : "",
                 stat_is_percent(from->stat) && !strchr(from->head, '%') ? " %" : "");
        if (to->oracle || from->stat == TABLE_IMPROVED || from->stat == TABLE_PRESERVED)
            note_oracle(t);
    }
    return 0;
}

static int fill_rows(struct making *m, struct err *err)
{
    struct table *t = m->table;
    int rc = 0;

    t->rows = m->rows_len;
    t->cell = mem_calloc(t->rows * t->columns, sizeof *t->cell);
    t->total = mem_calloc(t->rows, sizeof *t->total);
    for (size_t r = 0; rc == 0 && r < t->rows; r++) {
        struct table_cell *cells = t->cell + r * t->columns;

        t->total[r] = m->rows[r].kind != ROW_OWN;
        for (size_t k = 0; k < m->keys_len; k++)
            cells[k].text = mem_strdup(m->rows[r].key[k]);
        for (size_t c = 0; rc == 0 && c < m->spec->columns_len; c++)
            rc = fill_cell(m, r, c, &cells[m->keys_len + c], err);
        if (rc == 0 && !m->spec->allow_unequal_n)
            rc = check_row(m, &m->rows[r], cells + m->keys_len, err);
    }
    return rc;
}

static int note_diverged(struct making *m, struct err *err)
{
    uint64_t diverged, runs;
    char text[96];
    int rc = store_count_diverged(m->s, m->experiment, &diverged, &runs, err);

    if (rc == 0 && diverged > 0) {
        snprintf(text, sizeof text, "%llu of %llu runs diverged.", (unsigned long long)diverged,
                 (unsigned long long)runs);
        table_note(m->table, text);
    }
    return rc;
}

/* Which metric is shown where the column leaves it to the task. */
static void note_metrics(struct making *m)
{
    CLEANUP(buf_release) struct buf text = { 0 };

    for (size_t c = 0; c < m->spec->columns_len; c++) {
        const struct table_column *column = &m->spec->column[c];

        if ((column->stat != TABLE_METRIC && column->stat != TABLE_METRIC_SE) || column->metric[0])
            continue;
        for (size_t i = 0; i < m->pivot.sums_len; i++) {
            const struct sums *x = &m->pivot.sums[i];
            CLEANUP(buf_release) struct buf one = { 0 };

            if (x->search || x->n == 0 || !step_among(column->step, x->step))
                continue;
            buf_printf(&one, " %s %s,", x->task, metric_name(column, x->task));
            if (!strstr(buf_str(&text), buf_str(&one)))
                buf_adds(&text, buf_str(&one));
        }
    }
    if (text.len) {
        CLEANUP(buf_release) struct buf note = { 0 };

        buf_printf(&note, "Main metrics:%.*s.", (int)text.len - 1, buf_str(&text));
        table_note(m->table, buf_str(&note));
    }
}

/* Results of several runs that are the same results count once. */
static void note_truncated(struct making *m)
{
    const struct pivot *p = &m->pivot;
    uint64_t n = 0;
    char text[128];

    for (size_t i = 0; i < p->sums_len; i++) {
        bool again = p->sums[i].truncated == 0 || !step_used(m, p->sums[i].step);

        for (size_t k = 0; k < i && !again; k++)
            again = digest_equal(&p->sums[k].family, &p->sums[i].family) &&
                    strcmp(p->sums[k].subset, p->sums[i].subset) == 0;
        if (!again)
            n += p->sums[i].truncated;
    }
    if (n == 0)
        return;
    snprintf(text, sizeof text, "%llu prompt%s longer than the context and %s cut on the left.",
             (unsigned long long)n, n == 1 ? " was" : "s were", n == 1 ? "was" : "were");
    table_note(m->table, text);
}

static bool rows_by_subset(const struct table_spec *spec)
{
    for (size_t i = 0; i < spec->rows_len; i++) {
        if (strcmp(spec->rows[i], "subset") == 0)
            return true;
    }
    return false;
}

int table_make(struct store *s, uint64_t experiment, const struct table_spec *spec,
               struct table **ret, struct err *err)
{
    CLEANUP(making_release)
    struct making m = { .s = s, .experiment = experiment, .spec = spec };
    int rc = pivot_load(&m.pivot, s, experiment, rows_by_subset(spec), err);

    *ret = NULL;
    if (rc == 0)
        rc = check_steps(&m, err);
    if (rc < 0)
        return rc;
    rows_make(&m);
    if (m.rows_len == 0)
        return err_set(err, ERR_NOT_FOUND, "no results yet");
    m.table = mem_calloc(1, sizeof *m.table);
    snprintf(m.table->title, sizeof m.table->title, "%s", spec->title);
    rc = make_heads(&m, err);
    if (rc == 0)
        rc = fill_rows(&m, err);
    rows_note_groups(&m);
    note_metrics(&m);
    note_truncated(&m);
    if (rc == 0)
        rc = note_diverged(&m, err);
    if (rc < 0) {
        table_free(m.table);
        return rc;
    }
    *ret = m.table;
    return 0;
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
    free(t);
}

void table_cleanup(struct table **t)
{
    table_free(*t);
}
