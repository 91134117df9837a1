/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - which rows a table has, in which order, and what belongs to which (tables.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/tasks/task.h"
#include "store/tables/making.h"

static size_t place_of(const struct making *m, const char *key)
{
    size_t k = 0;

    while (k < m->keys_len && strcmp(m->keys[k], key) != 0)
        k++;
    return k;
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
    m->task = place_of(m, "task");
    m->fold = place_of(m, "level");
    m->folds_subsets = m->fold == m->keys_len && m->pivot.subsets;
    if (m->folds_subsets)
        m->fold = place_of(m, "subset");
}

/* A column may name several steps, divided by blanks: tasks whose models were trained by steps of
 * their own stand in one table that way. */
bool step_among(const char *list, const char *step)
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

bool step_used(const struct making *m, const char *step)
{
    for (size_t c = 0; c < m->spec->columns_len; c++) {
        if (step_among(m->spec->column[c].step, step))
            return true;
    }
    return false;
}

static void row_of(const struct making *m, const struct sums *x, struct row *ret)
{
    *ret = (struct row){ 0 };
    for (size_t k = 0; k < m->keys_len; k++)
        pivot_key(&m->pivot, x, m->keys[k], ret->key[k]);
}

/* The same group of results, the place that totals go over aside. */
static bool same_row(const struct making *m, const struct row *a, const struct row *b)
{
    for (size_t k = 0; k < m->keys_len; k++) {
        if (strcmp(a->key[k], b->key[k]) != 0 &&
            !(k == m->fold && (a->kind == ROW_TOTAL || b->kind == ROW_TOTAL)))
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

        if ((k == m->fold && (x->kind == ROW_TOTAL) != (y->kind == ROW_TOTAL)) ||
            (k == m->task && (x->kind == ROW_GROUP) != (y->kind == ROW_GROUP)))
            return x->kind > y->kind ? 1 : -1;
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

/* A line over the levels or subsets of each group of rows that has several. */
static void find_totals(struct making *m)
{
    size_t own = m->rows_len;

    for (size_t i = 0; i < own && m->fold < m->keys_len; i++) {
        struct row total = m->rows[i];
        size_t parts = 0;
        bool known = false;

        total.kind = ROW_TOTAL;
        snprintf(total.key[m->fold], TABLE_WORD_MAX, "all");
        for (size_t j = 0; j < m->rows_len; j++) {
            if (same_row(m, &total, &m->rows[j])) {
                parts += m->rows[j].kind == ROW_OWN;
                known = known || m->rows[j].kind == ROW_TOTAL;
            }
        }
        if (parts > 1 && !known)
            add_row(m, &total);
    }
}

/* The row of its group that OWN belongs to; false when its task has none. */
static bool group_row_of(const struct making *m, const struct row *own, struct row *ret)
{
    const char *group =
        m->task < m->keys_len && !m->pivot.subsets ? group_of(own->key[m->task]) : NULL;

    if (!group)
        return false;
    *ret = *own;
    ret->kind = ROW_GROUP;
    snprintf(ret->key[m->task], TABLE_WORD_MAX, "%s", group);
    return true;
}

/* A row for each group of which two tasks are there. */
static void find_groups(struct making *m)
{
    size_t own = m->rows_len;

    for (size_t i = 0; i < own; i++) {
        struct row group, other;
        size_t members = 0;
        bool known = false;

        if (m->rows[i].kind != ROW_OWN || !group_row_of(m, &m->rows[i], &group))
            continue;
        for (size_t j = 0; j < m->rows_len; j++) {
            if (m->rows[j].kind == ROW_GROUP)
                known = known || same_row(m, &m->rows[j], &group);
            else if (m->rows[j].kind == ROW_OWN && group_row_of(m, &m->rows[j], &other))
                members += same_row(m, &other, &group);
        }
        if (members > 1 && !known)
            add_row(m, &group);
    }
}

static void find_rows(struct making *m)
{
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
    if (m->spec->total) {
        find_totals(m);
        find_groups(m);
    }
    if (m->rows_len > 0)
        qsort_r(m->rows, m->rows_len, sizeof *m->rows, compare_rows, m);
}

/* So that cells need not compare texts again. */
static void place_sums(struct making *m)
{
    size_t n = MAX(m->pivot.sums_len, 1);

    m->row = mem_calloc(n, sizeof *m->row);
    m->total_row = mem_calloc(n, sizeof *m->total_row);
    m->group_row = mem_calloc(n, sizeof *m->group_row);
    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        struct row own, group;
        bool grouped;

        m->row[i] = m->total_row[i] = m->group_row[i] = NOWHERE;
        row_of(m, &m->pivot.sums[i], &own);
        grouped = group_row_of(m, &own, &group);
        for (size_t r = 0; r < m->rows_len; r++) {
            if (m->rows[r].kind == ROW_GROUP) {
                if (grouped && same_row(m, &group, &m->rows[r]))
                    m->group_row[i] = r;
            } else if (same_row(m, &own, &m->rows[r])) {
                *(m->rows[r].kind == ROW_TOTAL ? &m->total_row[i] : &m->row[i]) = r;
            }
        }
    }
}

void row_name(const struct making *m, const struct row *r, struct buf *out)
{
    for (size_t k = 0; k < m->keys_len; k++)
        buf_printf(out, "%s%s %s", k ? ", " : "", m->keys[k], r->key[k]);
}

void rows_make(struct making *m)
{
    choose_keys(m);
    find_rows(m);
    place_sums(m);
}

/* "glue: 3 of 8 tasks; lacks mnli, qnli" */
static void note_group(const struct making *m, size_t r)
{
    CLEANUP(buf_release) struct buf lacks = { 0 }, text = { 0 };
    const char *group = m->rows[r].key[m->task], **task;
    size_t len = 0, missing, members = 0;

    task = mem_calloc(MAX(m->pivot.sums_len, 1), sizeof *task);
    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        bool known =
            m->group_row[i] != r || m->pivot.sums[i].n == 0 || !step_used(m, m->pivot.sums[i].step);

        for (size_t k = 0; k < len && !known; k++)
            known = strcmp(task[k], m->pivot.sums[i].task) == 0;
        if (!known)
            task[len++] = m->pivot.sums[i].task;
    }
    missing = task_group_lacks(group, task, len, &lacks, &members);
    buf_printf(&text, "%s: %zu of %zu tasks", group, members - missing, members);
    if (missing > 0)
        buf_printf(&text, "; lacks %s", buf_str(&lacks));
    buf_printf(&text, ". %s of their main metrics.",
               group_fold(group) == FOLD_MEAN ? "Unweighted mean" : "Mean, weighted by size,");
    table_note(m->table, buf_str(&text));
    free(task);
}

void rows_note_groups(const struct making *m)
{
    for (size_t r = 0; r < m->rows_len; r++) {
        if (m->rows[r].kind == ROW_GROUP)
            note_group(m, r);
    }
}
