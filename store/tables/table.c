/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - rows, totals, refusals and notes (tables.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "store/store.h"
#include "store/tables/pivot.h"
#include "store/tables/stats.h"

struct row {
    char key[TABLE_KEYS_MAX][TABLE_WORD_MAX];
    bool total;
};

/* Everything about one table while it is made. */
struct making {
    struct store *s;
    uint64_t experiment;
    const struct table_spec *spec;
    struct pivot pivot;
    char keys[TABLE_KEYS_MAX][TABLE_WORD_MAX]; /* varying parameters, then the rows asked for */
    size_t keys_len, level; /* level: place of "level", keys_len when it is not among them */
    struct row *rows;
    size_t rows_len;
    size_t *row, *total_row; /* [sums_len] where a sum belongs; NOWHERE */
    struct table *table;
};

#define NOWHERE SIZE_MAX

static void making_release(struct making *m)
{
    pivot_release(&m->pivot);
    free(m->rows);
    free(m->row);
    free(m->total_row);
}

static void add_note(struct table *t, const char *text)
{
    for (size_t i = 0; i < t->notes; i++) {
        if (strcmp(t->note[i], text) == 0)
            return;
    }
    t->note = mem_realloc(t->note, t->notes + 1, sizeof *t->note);
    t->note[t->notes++] = mem_strdup(text);
}

static void choose_keys(struct making *m)
{
    char all[TABLE_KEYS_MAX][TABLE_WORD_MAX];
    size_t asked = m->spec->rows_len, varying;

    memcpy(all, m->spec->rows, sizeof all);
    varying = pivot_varying(&m->pivot, all, asked);
    memcpy(m->keys, all + asked, varying * sizeof *all);
    memcpy(m->keys + varying, all, asked * sizeof *all);
    m->keys_len = asked + varying;
    m->level = m->keys_len;
    for (size_t k = 0; k < m->keys_len; k++) {
        if (strcmp(m->keys[k], "level") == 0)
            m->level = k;
    }
}

/* A column may name several steps, divided by blanks: tasks whose models were trained by steps of
 * their own stand in one table that way. */
static bool step_among(const char *list, const char *step)
{
    size_t len = strlen(step);

    for (list += strspn(list, " "); *list; list += strspn(list, " ")) {
        size_t word = strcspn(list, " ");

        if (word == len && memcmp(list, step, len) == 0)
            return true;
        list += word;
    }
    return false;
}

static bool step_used(const struct making *m, const char *step)
{
    for (size_t c = 0; c < m->spec->columns_len; c++) {
        if (step_among(m->spec->column[c].step, step))
            return true;
    }
    return false;
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

static void row_of(const struct making *m, const struct sums *x, struct row *ret)
{
    *ret = (struct row){ 0 };
    for (size_t k = 0; k < m->keys_len; k++)
        pivot_key(&m->pivot, x, m->keys[k], ret->key[k]);
}

static bool same_row(const struct making *m, const struct row *a, const struct row *b)
{
    for (size_t k = 0; k < m->keys_len; k++) {
        if (strcmp(a->key[k], b->key[k]) != 0 && !(k == m->level && (a->total || b->total)))
            return false;
    }
    return true;
}

/* Numbers by value, other texts by their bytes. */
static int compare_keys(const char *a, const char *b)
{
    char *end_a, *end_b;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);

    if (a[0] && b[0] && !*end_a && !*end_b && x != y)
        return x < y ? -1 : 1;
    return strcmp(a, b);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
    const struct making *m = arg;
    const struct row *x = a, *y = b;

    for (size_t k = 0; k < m->keys_len; k++) {
        int order;

        if (k == m->level && x->total != y->total)
            return x->total ? 1 : -1;
        order = compare_keys(x->key[k], y->key[k]);
        if (order)
            return order;
    }
    return 0;
}

static void add_row(struct making *m, const struct row *r)
{
    m->rows = mem_realloc(m->rows, m->rows_len + 1, sizeof *m->rows);
    m->rows[m->rows_len++] = *r;
}

static void find_rows(struct making *m)
{
    size_t groups;

    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        struct row r;
        bool known = false;

        if (!step_used(m, m->pivot.sums[i].step) || m->pivot.sums[i].n == 0)
            continue;
        row_of(m, &m->pivot.sums[i], &r);
        for (size_t j = 0; j < m->rows_len && !known; j++)
            known = same_row(m, &m->rows[j], &r);
        if (!known)
            add_row(m, &r);
    }
    groups = m->rows_len;
    for (size_t i = 0; i < groups && m->spec->total && m->level < m->keys_len; i++) {
        struct row total = m->rows[i];
        size_t levels = 0;
        bool known = false;

        total.total = true;
        snprintf(total.key[m->level], TABLE_WORD_MAX, "all");
        for (size_t j = 0; j < m->rows_len; j++) {
            if (same_row(m, &total, &m->rows[j])) {
                levels += !m->rows[j].total;
                known = known || m->rows[j].total;
            }
        }
        if (levels > 1 && !known)
            add_row(m, &total);
    }
    if (m->rows_len > 0)
        qsort_r(m->rows, m->rows_len, sizeof *m->rows, compare_rows, m);
}

/* So that cells need not compare texts again. */
static void place_sums(struct making *m)
{
    size_t n = m->pivot.sums_len;

    m->row = mem_calloc(MAX(n, 1), sizeof *m->row);
    m->total_row = mem_calloc(MAX(n, 1), sizeof *m->total_row);
    for (size_t i = 0; i < n; i++) {
        struct row own;

        m->row[i] = m->total_row[i] = NOWHERE;
        row_of(m, &m->pivot.sums[i], &own);
        for (size_t r = 0; r < m->rows_len; r++) {
            if (same_row(m, &own, &m->rows[r]))
                *(m->rows[r].total ? &m->total_row[i] : &m->row[i]) = r;
        }
    }
}

static void name_row(const struct making *m, const struct row *r, struct buf *out)
{
    for (size_t k = 0; k < m->keys_len; k++)
        buf_printf(out, "%s%s %s", k ? ", " : "", m->keys[k], r->key[k]);
}

/* The law of equal n for one cell. */
static int check_cell(const struct making *m, const struct row *r, const struct table_column *c,
                      const struct unit *units, size_t len, struct err *err)
{
    CLEANUP(buf_release) struct buf where = { 0 };

    name_row(m, r, &where);
    for (size_t i = 0; i < len; i++) {
        const struct unit *u = &units[i];

        if (u->n != u->promised)
            return err_set(err, ERR_INVALID,
                           "step %s (%s) has %llu of %llu examples; wait until it is done, or "
                           "set allow_unequal_n = true",
                           c->step, buf_str(&where), (unsigned long long)u->n,
                           (unsigned long long)u->promised);
        if (u->n != units[0].n || u->n_least != u->n_most)
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
        name_row(m, r, &where);
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
    if (stat != TABLE_ACCURACY_CI && stat != TABLE_ACCURACY_NORM_CI && stat != TABLE_ORACLE_CI)
        return;
    if (cell->interval && cell->seeds == 1)
        add_note(t, "Brackets: 95 % interval, BCa bootstrap over the examples of one model; it "
                    "says nothing about other seeds.");
    else if (cell->interval)
        add_note(t, "Brackets: 95 % interval, two-level bootstrap over seeds, then examples.");
    else if (cell->seeds == 2)
        add_note(t, "Two seeds: no interval below three.");
}

static int fill_cell(struct making *m, size_t row, size_t column, struct table_cell *cell,
                     struct err *err)
{
    const struct row *r = &m->rows[row];
    const struct table_column *c = &m->spec->column[column];
    struct unit *units = NULL;
    size_t len = 0, kept = 0;
    int rc = 0;

    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        if ((m->row[i] == row || m->total_row[i] == row) &&
            step_among(c->step, m->pivot.sums[i].step))
            units_add(&units, &len, &m->pivot.sums[i]);
    }
    units_share(units, &len);
    for (size_t i = 0; i < len; i++) { /* seeds without any result yet say nothing */
        if (units[i].n > 0)
            units[kept++] = units[i];
        else
            free(units[i].family);
    }
    if (kept < len)
        add_note(m->table, "Some runs have no results yet: see drover status.");
    if (!m->spec->allow_unequal_n)
        rc = check_cell(m, r, c, units, kept, err);
    if (rc == 0) {
        cell_fill(cell, c, units, kept);
        note_interval(m->table, cell, c->stat);
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
        to->oracle = from->stat == TABLE_ORACLE || from->stat == TABLE_ORACLE_CI ||
                     (follows && from->stat != TABLE_N && from->stat != TABLE_SEEDS &&
                      from->stat != TABLE_REPEATS);
        snprintf(to->text, sizeof to->text, "%s%s%s", from->head,
                 to->oracle && !mentions_oracle(from->head) ? " (oracle)" : "",
                 stat_is_percent(from->stat) && !strchr(from->head, '%') ? " %" : "");
        if (to->oracle || from->stat == TABLE_LAYERS || from->stat == TABLE_IMPROVED ||
            from->stat == TABLE_PRESERVED)
            add_note(t, "Oracle: labels come from a search that knows the answers; an upper bound "
                        "for a router, not its result.");
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

        t->total[r] = m->rows[r].total;
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
        add_note(m->table, text);
    }
    return rc;
}

int table_make(struct store *s, uint64_t experiment, const struct table_spec *spec,
               struct table **ret, struct err *err)
{
    CLEANUP(making_release)
    struct making m = { .s = s, .experiment = experiment, .spec = spec };
    int rc = pivot_load(&m.pivot, s, experiment, err);

    *ret = NULL;
    if (rc == 0)
        rc = check_steps(&m, err);
    if (rc < 0)
        return rc;
    choose_keys(&m);
    find_rows(&m);
    place_sums(&m);
    if (m.rows_len == 0)
        return err_set(err, ERR_NOT_FOUND, "no results yet");
    m.table = mem_calloc(1, sizeof *m.table);
    snprintf(m.table->title, sizeof m.table->title, "%s", spec->title);
    rc = make_heads(&m, err);
    if (rc == 0)
        rc = fill_rows(&m, err);
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
