/* SPDX-License-Identifier: Apache-2.0 */
/* origin.c - do the names of a specification exist, and where do a table's numbers come from
 * (making.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/store.h"
#include "store/tables/cost.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

/* Distinct steps of facts that are numbers, or that are not. NULL-terminated; free() it. */
static const char **steps_of(const struct making *m, bool numbers)
{
    const char **names = mem_calloc(1, sizeof *names);
    size_t len = 0;

    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        const struct sums *x = &m->pivot.sums[i];
        bool known = (x->number != NULL) != numbers || x->step[0] == '\0';

        for (size_t k = len; k > 0 && !known; k--)
            known = names[k - 1] == x->step;
        if (known)
            continue;
        names = mem_realloc(names, len + 2, sizeof *names);
        names[len++] = x->step;
        names[len] = NULL;
    }
    return names;
}

static void list_names(const char *const *names, struct buf *out)
{
    for (size_t i = 0; names[i] && out->len < 250; i++)
        buf_printf(out, "%s%s", i ? ", " : "", names[i]);
}

/* A training metric that no step has reported. */
static int check_metric(const struct making *m, const struct table_column *c, const char *metric,
                        struct err *err)
{
    const char *names[256], *near;
    CLEANUP(buf_release) struct buf list = { 0 };
    size_t n = 0;

    for (; n < m->pivot.trainings && n + 1 < ARRAY_LEN(names); n++) {
        if (strcmp(m->pivot.training[n], metric) == 0)
            return 0;
        names[n] = m->pivot.training[n];
    }
    names[n] = NULL;
    list_names(names, &list);
    for (int i = 0; i < TABLE_STATS_LEN && n + 1 < ARRAY_LEN(names); i++)
        names[n++] = table_stat_words()[i];
    names[n] = NULL;
    near = nearest_find(metric, names);
    return spec_error(err, ERR_INVALID, c->source,
                      "column \"%s\": no task has a metric \"%s\" and no step of this experiment "
                      "reported one%s%s%s (reported: %s)",
                      c->head, metric, near ? "; did you mean \"" : "", near ? near : "",
                      near ? "\"?" : "", list.len ? buf_str(&list) : "nothing");
}

static int check_step(const struct making *m, const struct table_column *c, struct err *err)
{
    bool numbers = stat_is_number(c->stat);
    CLEANUP(mem_cleanup) const char **names = steps_of(m, numbers);
    CLEANUP(buf_release) struct buf list = { 0 };
    const char *near;

    for (size_t i = 0; names[i]; i++) {
        if (step_among(c->step, names[i]))
            return 0;
    }
    if (c->stat == TABLE_SECONDS)
        return 0;
    list_names(names, &list);
    near = nearest_find(c->step, names);
    return spec_error(err, ERR_INVALID, c->source,
                      "column \"%s\": no step \"%s\" with %s in this experiment (%s)%s%s%s",
                      c->head, c->step, numbers ? c->metric : "examples",
                      list.len ? buf_str(&list) : "there is none", near ? "; did you mean \"" : "",
                      near ? near : "", near ? "\"?" : "");
}

static int check_experiment(const struct making *m, const struct table_column *c, struct err *err)
{
    const char *names[TABLE_EXPERIMENTS_MAX + 1] = { NULL };
    CLEANUP(buf_release) struct buf list = { 0 };

    for (size_t i = 0; i < m->pivot.experiments && i < TABLE_EXPERIMENTS_MAX; i++) {
        names[i] = m->pivot.experiment[i].name;
        if (!c->experiment[0] || strcmp(names[i], c->experiment) == 0)
            return 0;
    }
    list_names(names, &list);
    return spec_error(err, ERR_INVALID, c->source,
                      "column \"%s\": experiment \"%s\" is none of this table's (%s)", c->head,
                      c->experiment, buf_str(&list));
}

/* Names in a condition are checked even when no fact is looked at. */
static int check_condition(const struct making *m, const struct cond *c, const struct conf_value *v,
                           struct err *err)
{
    const char *name;
    int key, rc = 0;

    for (size_t i = 0; c && rc == 0 && (name = cond_name(c, i)) != NULL; i++)
        rc = pivot_find_key(&m->pivot, name, v, &key, err);
    return rc;
}

int check_names(struct making *m, struct err *err)
{
    const struct table_spec *spec = m->spec;
    int rc = check_condition(m, spec->where, spec->where_source, err);

    for (size_t i = 0; rc == 0 && i < spec->columns_len; i++) {
        const struct table_column *c = &spec->column[i];

        rc = check_experiment(m, c, err);
        if (rc == 0)
            rc = check_condition(m, c->where, c->source, err);
        if (rc == 0 && c->stat == TABLE_TRAINING)
            rc = check_metric(m, c, c->metric, err);
        if (rc == 0 && c->stat == TABLE_COST && strcmp(c->metric, COST_STEPS) != 0)
            rc = check_metric(m, c, c->metric, err);
        for (size_t k = 0; rc == 0 && k < c->targets; k++)
            rc = check_metric(m, c, c->target[k].metric, err);
        if (rc == 0)
            rc = check_step(m, c, err);
    }
    return rc;
}

/* ---- footers ---- */

static int find_revision(const struct store_experiment *e, void *arg)
{
    struct table_origin *o = ((void **)arg)[0];
    const uint64_t *id = ((void **)arg)[1];

    if (e->id == *id) {
        o->revision = e->revision_number;
        snprintf(o->experiment, sizeof o->experiment, "%s", e->name);
    }
    return 0;
}

/* Keys and values, not texts: other digits or marks are the same numbers. */
static struct digest checksum(const struct table *t)
{
    struct digester d;

    digest_begin(&d);
    for (size_t c = 0; c < t->columns; c++) {
        for (size_t i = 0; i < t->head[c].depth; i++)
            digest_add_text(&d, t->head[c].above[i]);
        digest_add_text(&d, t->head[c].text);
    }
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        const struct table_cell *c = &t->cell[i];

        if (t->head[i % t->columns].key) {
            digest_add_text(&d, c->text);
            continue;
        }
        digest_add_u64(&d, c->known + 2u * c->interval + 4u * c->has_error + 8u * c->has_sd);
        digest_add_double(&d, c->known ? c->value : 0.0);
        digest_add_double(&d, c->interval ? c->lo : 0.0);
        digest_add_double(&d, c->interval ? c->hi : 0.0);
        digest_add_double(&d, c->has_error ? c->error : 0.0);
        digest_add_double(&d, c->has_sd ? c->sd : 0.0);
        digest_add_u64(&d, c->n);
        digest_add_u64(&d, c->seeds);
        if (t->head[i % t->columns].column->stat == TABLE_COST)
            digest_add_u64(&d, c->reached);
    }
    return digest_end(&d);
}

int origin_make(struct making *m, struct err *err)
{
    struct table *t = m->table;
    int rc = 0;

    t->origins = m->experiments_len;
    t->origin = mem_calloc(MAX(t->origins, 1), sizeof *t->origin);
    for (size_t i = 0; rc == 0 && i < t->origins; i++) {
        struct table_origin *o = &t->origin[i];
        uint64_t id = m->experiments[i];
        void *arg[] = { o, &id };
        CLEANUP(buf_release) struct buf recipe = { 0 };

        rc = store_list_experiments(m->s, find_revision, arg, err);
        if (rc == 0)
            rc = store_recipe(m->s, id, &recipe, err);
        o->recipe = digest_of(buf_str(&recipe), recipe.len);
        o->last_ms = m->pivot.last_ms[i];
    }
    t->checksum = checksum(t);
    return rc;
}
