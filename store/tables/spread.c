/* SPDX-License-Identifier: Apache-2.0 */
/* spread.c - keys and columns: which facts a column takes, which parameters become rows, and the
 * columns for each value of the spread (making.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/tables/cost.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

/* A column may name several steps, divided by blanks: tasks whose models were trained by steps of
 * their own stand in one table that way. */
bool step_among(const char *list, const char *step)
{
    return list[0] == '\0' || step_place(list, step) > 0;
}

size_t step_place(const char *list, const char *step)
{
    size_t len = strlen(step), place = 1;

    for (list += strspn(list, " "); *list; list += strspn(list, " "), place++) {
        size_t word = strcspn(list, " ");

        if (word == len && memcmp(list, step, len) == 0)
            return place;
        list += word;
    }
    return 0;
}

bool stat_is_number(enum table_stat stat)
{
    return stat == TABLE_TRAINING || stat == TABLE_COST || stat == TABLE_SECONDS;
}

static int takes(struct making *m, const struct table_column *c, const struct sums *x, bool *ret,
                 struct err *err)
{
    const struct pivot_run *run = &m->pivot.run[x->run];
    int rc = 0;

    *ret = false;
    if (stat_is_number(c->stat) != (x->number != NULL))
        return 0;
    if (c->stat == TABLE_TRAINING && strcmp(x->number, c->metric) != 0)
        return 0;
    if (c->stat == TABLE_COST && (strncmp(x->number, COST_NAME, strlen(COST_NAME)) != 0 ||
                                  cost_name(&m->pivot, c) != x->number))
        return 0;
    if (c->stat == TABLE_SECONDS && strcmp(x->number, "seconds") != 0)
        return 0;
    if (c->stat != TABLE_SECONDS && !step_among(c->step, x->step))
        return 0;
    if (c->experiment[0] && strcmp(c->experiment, m->pivot.experiment[run->experiment].name) != 0)
        return 0;
    *ret = true;
    if (m->spec->where)
        rc = pivot_holds(&m->pivot, m->spec->where, x, m->spec->where_source, ret, err);
    if (rc == 0 && *ret && c->where)
        rc = pivot_holds(&m->pivot, c->where, x, c->source, ret, err);
    return rc;
}

int takes_make(struct making *m, struct err *err)
{
    size_t facts = m->pivot.sums_len;
    int rc = 0;

    m->takes = mem_calloc(MAX(m->spec->columns_len * facts, 1), sizeof *m->takes);
    for (size_t c = 0; c < m->spec->columns_len; c++)
        for (size_t i = 0; rc == 0 && i < facts; i++)
            rc = takes(m, &m->spec->column[c], &m->pivot.sums[i], &m->takes[c * facts + i], err);
    return rc;
}

/* ---- keys ---- */

static bool among(const struct found_key *keys, size_t len, int key)
{
    for (size_t i = 0; i < len; i++) {
        if (keys[i].key == key)
            return true;
    }
    return false;
}

static int find_keys(struct making *m, const struct table_key *from, size_t len,
                     struct found_key *to, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < len; i++) {
        to[i] = (struct found_key){ .spec = &from[i], .name = from[i].name };
        rc = pivot_find_key(&m->pivot, from[i].name, from[i].source, &to[i].key, err);
        for (size_t k = 0; rc == 0 && k < i; k++)
            if (to[k].key == to[i].key)
                rc = spec_error(err, ERR_INVALID, from[i].source, "\"%s\" and \"%s\" are the same",
                                to[k].name, to[i].name);
    }
    return rc;
}

/* Do the runs of some column differ in KEY? */
static bool varies(struct making *m, int key)
{
    for (size_t c = 0; c < m->spec->columns_len; c++) {
        const char *first = NULL;

        for (size_t i = 0; i < m->pivot.sums_len; i++) {
            const char *value;

            if (!fact_of_column(m, c, i))
                continue;
            value = pivot_key(&m->pivot, &m->pivot.sums[i], key);
            if (first && value != first)
                return true;
            first = value;
        }
    }
    return false;
}

static bool only_numbers(const struct making *m)
{
    for (size_t c = 0; c < m->spec->columns_len; c++) {
        if (!stat_is_number(m->spec->column[c].stat))
            return false;
    }
    return true;
}

int keys_choose(struct making *m, struct err *err)
{
    const struct table_spec *spec = m->spec;
    struct found_key asked[TABLE_KEYS_MAX];
    size_t len = 0;
    int rc = find_keys(m, spec->rows, spec->rows_len, asked, err);

    if (rc == 0)
        rc = find_keys(m, spec->spread, spec->spread_len, m->spread, err);
    if (rc < 0)
        return rc;
    m->spread_keys = spec->spread_len;
    for (size_t i = 0; i < spec->rows_len; i++) {
        if (!only_numbers(m) || !key_is_of_examples(asked[i].key))
            asked[len++] = asked[i];
    }
    for (int key = KEY_EXPERIMENT; key < (int)m->pivot.params; key++) {
        if ((key < 0 && key != KEY_EXPERIMENT) || among(asked, len, key) ||
            among(m->spread, m->spread_keys, key) || !varies(m, key))
            continue;
        if (m->keys + len == TABLE_KEYS_MAX)
            return spec_error(err, ERR_INVALID, spec->source,
                              "the runs differ in more than %d parameters (%s is one more); choose "
                              "some with where, or average over them in SQL",
                              TABLE_KEYS_MAX, key < 0 ? "experiment" : m->pivot.param[key]);
        m->key[m->keys++] =
            (struct found_key){ .key = key, .name = key < 0 ? "experiment" : m->pivot.param[key] };
    }
    memcpy(m->key + m->keys, asked, len * sizeof *asked);
    m->keys += len;
    m->task = m->fold = m->keys;
    for (size_t k = 0; k < m->keys; k++) {
        if (m->key[k].key == KEY_TASK)
            m->task = k;
        if (m->key[k].key == KEY_LEVEL || (m->key[k].key == KEY_SUBSET && m->fold == m->keys))
            m->fold = k;
    }
    m->folds_subsets = m->fold < m->keys && m->key[m->fold].key == KEY_SUBSET;
    return 0;
}

static size_t place_of(const struct table_key *k, const char *value)
{
    size_t i = 0;

    while (k && i < k->values_len && strcmp(k->value[i].value, value) != 0) {
        char *end_a, *end_b;
        double a = strtod(k->value[i].value, &end_a), b = strtod(value, &end_b);

        if (value[0] && !*end_a && !*end_b && a == b)
            break;
        i++;
    }
    return k && i < k->values_len ? i : SIZE_MAX;
}

int key_compare(const struct found_key *k, const char *a, const char *b)
{
    size_t at_a = place_of(k->spec, a), at_b = place_of(k->spec, b);
    char *end_a, *end_b;
    double x, y;

    if (at_a != at_b)
        return at_a < at_b ? -1 : 1;
    if (a == b)
        return 0;
    x = strtod(a, &end_a);
    y = strtod(b, &end_b);
    if (a[0] && b[0] && !*end_a && !*end_b && x != y)
        return x < y ? -1 : 1;
    return strcmp(a, b);
}

bool key_allows(const struct found_key *k, const char *value)
{
    return !k->spec || !k->spec->only || place_of(k->spec, value) != SIZE_MAX;
}

const char *key_text(const struct found_key *k, const char *value)
{
    size_t at = place_of(k->spec, value);

    return at != SIZE_MAX ? k->spec->value[at].text : value[0] ? value : NO_CELL;
}

/* ---- spread ---- */

static int compare_spreads(const void *a, const void *b, void *arg)
{
    const struct making *m = arg;
    const struct row *x = a, *y = b;

    for (size_t k = 0; k < m->spread_keys; k++) {
        int order = key_compare(&m->spread[k], x->key[k], y->key[k]);

        if (order)
            return order;
    }
    return 0;
}

static size_t find_spread(const struct making *m, const struct row *r)
{
    size_t i = 0;

    while (i < m->spreads_len && memcmp(m->spreads[i].key, r->key, sizeof r->key) != 0)
        i++;
    return i;
}

static bool spread_row(struct making *m, const struct sums *x, struct row *ret)
{
    bool allowed = true;

    memset(ret, 0, sizeof *ret);
    for (size_t k = 0; k < m->spread_keys; k++) {
        ret->key[k] = pivot_key(&m->pivot, x, m->spread[k].key);
        allowed = allowed && key_allows(&m->spread[k], ret->key[k]);
    }
    return allowed;
}

/* Facts that some column takes and that have results. */
static void find_spreads(struct making *m)
{
    size_t last = 0;

    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        const struct sums *x = &m->pivot.sums[i];
        struct row r;
        bool used = false;

        for (size_t c = 0; c < m->spec->columns_len && !used; c++)
            used = fact_of_column(m, c, i);
        if (!used || x->n == 0 || x->number || !spread_row(m, x, &r))
            continue;
        if (last < m->spreads_len && memcmp(m->spreads[last].key, r.key, sizeof r.key) == 0)
            continue;
        last = find_spread(m, &r);
        if (last < m->spreads_len || m->spreads_len >= TABLE_FLAT_MAX)
            continue;
        m->spreads = mem_realloc(m->spreads, m->spreads_len + 1, sizeof *m->spreads);
        memcpy(&m->spreads[m->spreads_len++], &r, sizeof r);
    }
    if (m->spreads_len > 0)
        qsort_r(m->spreads, m->spreads_len, sizeof *m->spreads, compare_spreads, m);
}

int spread_make(struct making *m, struct err *err)
{
    size_t columns = m->spec->columns_len;

    if (m->spread_keys > 0)
        find_spreads(m);
    if (m->spreads_len == 0) {
        m->spreads = mem_calloc(1, sizeof *m->spreads);
        m->spreads_len = 1;
    }
    if (m->spreads_len * columns > TABLE_FLAT_MAX)
        return spec_error(err, ERR_LIMIT, m->spec->source,
                          "spread makes %zu columns of %zu; at most %d are allowed",
                          m->spreads_len * columns, columns, TABLE_FLAT_MAX);
    m->flat = mem_calloc(m->spreads_len * columns, sizeof *m->flat);
    for (size_t s = 0; s < m->spreads_len; s++)
        for (size_t c = 0; c < columns; c++)
            m->flat[m->flats++] = (struct flat){ c, s };
    m->spread_of = mem_calloc(MAX(m->pivot.sums_len, 1), sizeof *m->spread_of);
    for (size_t i = 0; i < m->pivot.sums_len && m->spread_keys > 0; i++) {
        struct row r;

        m->spread_of[i] = NOWHERE;
        if (!m->pivot.sums[i].number && spread_row(m, &m->pivot.sums[i], &r)) {
            size_t at = find_spread(m, &r);

            m->spread_of[i] = at < m->spreads_len ? at : NOWHERE;
        }
    }
    return 0;
}
