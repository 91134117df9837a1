/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/plots/plot.h"

enum { NAMES_MAX = 64 }; /* distinct parameters that errors and defaults look at */

static int add_run(const struct store_run *row, void *arg)
{
    struct plot_runs *r = arg;

    if (r->len == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->run = mem_realloc(r->run, r->cap, sizeof(*r->run));
    }
    r->run[r->len++] = (struct plot_run){ .run = row->id, .seed = row->seed };
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct plot_run *x = a, *y = b;

    return x->run < y->run ? -1 : x->run > y->run;
}

static struct plot_run *find(const struct plot_runs *r, uint64_t run)
{
    struct plot_run key = { .run = run };

    return r->len ? bsearch(&key, r->run, r->len, sizeof(key), by_number) : NULL;
}

const struct plot_run *plot_runs_find(const struct plot_runs *r, uint64_t run)
{
    const struct plot_run *x = find(r, run);

    return x && x->chosen ? x : NULL;
}

/* "\"cosine\"" as recipe text is cosine for people. */
static char *unquoted(const char *value)
{
    size_t len = strlen(value);

    if (len >= 2 && value[0] == '"' && value[len - 1] == '"' && !strchr(value, '\\')) {
        char *out = mem_strdup(value + 1);
        out[len - 2] = '\0';
        return out;
    }
    return mem_strdup(value);
}

static int add_param(uint64_t run, const char *name, const char *value, void *arg)
{
    struct plot_run *x = find(arg, run);

    if (!x)
        return 0;
    x->param = mem_realloc(x->param, x->params_len + 1, sizeof(*x->param));
    x->param[x->params_len++] = (struct plot_param){ mem_strdup(name), unquoted(value) };
    return 0;
}

static const char *value_of(const struct plot_run *x, const char *name)
{
    for (size_t i = 0; i < x->params_len; i++)
        if (strcmp(x->param[i].name, name) == 0)
            return x->param[i].value;
    return NULL;
}

/* Names of parameters; those that differ between runs only with VARYING. NULL-terminated. */
static size_t names_of(const struct plot_runs *r, bool varying, const char *out[NAMES_MAX + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < r->len; i++)
        for (size_t k = 0; k < r->run[i].params_len && n < NAMES_MAX; k++) {
            const char *name = r->run[i].param[k].name;
            size_t seen = 0;

            while (seen < n && strcmp(out[seen], name) != 0)
                seen++;
            if (seen == n)
                out[n++] = name;
        }
    for (size_t i = 0; varying && i < n;) {
        const char *first = value_of(&r->run[0], out[i]);
        bool differs = false;

        for (size_t k = 1; k < r->len && !differs; k++) {
            const char *other = value_of(&r->run[k], out[i]);
            differs = (first == NULL) != (other == NULL) || (first && strcmp(first, other) != 0);
        }
        if (differs)
            i++;
        else
            memmove(&out[i], &out[i + 1], (--n - i) * sizeof(*out));
    }
    out[n] = NULL;
    return n;
}

static int unknown(const struct plot_runs *r, const char *name, struct err *err)
{
    const char *names[NAMES_MAX + 1];

    names_of(r, false, names);
    const char *near = nearest_find(name, names);
    return err_set(err, ERR_INVALID,
                   near ? "no run has the parameter \"%s\"; did you mean \"%s\"?"
                        : "no run has the parameter \"%s\"%s",
                   name, near ? near : "");
}

struct looking {
    const struct plot_runs *runs;
    const struct plot_run *run;
};

static int look_up(void *arg, const char *name, struct cond_value *ret, struct err *err)
{
    const struct looking *l = arg;
    const char *names[NAMES_MAX + 1], *value = value_of(l->run, name);
    char *end;

    if (strcmp(name, "seed") == 0) {
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = (double)l->run->seed };
        return 0;
    }
    *ret = (struct cond_value){ .type = COND_UNSET };
    if (!value) {
        size_t n = names_of(l->runs, false, names), i = 0;
        while (i < n && strcmp(names[i], name) != 0)
            i++;
        return i < n ? 0 : unknown(l->runs, name, err);
    }
    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
        *ret = (struct cond_value){ .type = COND_BOOL, .truth = value[0] == 't' };
        return 0;
    }
    *ret = (struct cond_value){ .type = COND_NUMBER, .number = strtod(value, &end) };
    if (*end || end == value)
        *ret = (struct cond_value){ .type = COND_TEXT, .text = value };
    return 0;
}

/* The line of X: "gamma = 0.9, schedule = cosine"; "all runs" without parameters. */
static void name_run(const struct plot_run *x, const char *const *by, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        const char *value = value_of(x, by[i]);
        const char *dot = strrchr(by[i], '.');

        buf_printf(out, "%s%s = %s", i ? ", " : "", dot ? dot + 1 : by[i], value ? value : "-");
    }
    if (len == 0)
        buf_adds(out, "all runs");
}

static void gather(struct plot_runs *r, const char *const *by, size_t len)
{
    for (size_t i = 0; i < r->len; i++) {
        struct buf name CLEANUP(buf_release) = { 0 };
        size_t k = 0;

        if (!r->run[i].chosen)
            continue;
        name_run(&r->run[i], by, len, &name);
        while (k < r->names_len && strcmp(r->name[k], buf_str(&name)) != 0)
            k++;
        if (k == r->names_len) {
            r->name = mem_realloc(r->name, r->names_len + 1, sizeof(*r->name));
            r->name[r->names_len++] = mem_strdup(buf_str(&name));
        }
        r->run[i].series = k;
    }
}

/* The parameters that make lines: P's, or those that differ. "task" and "level" are no parameters
 * but belong to routing plots. */
static int lines_by(const struct plot_runs *r, const struct plot_spec *p, const char **ret,
                    size_t *ret_len, struct err *err)
{
    const char *names[NAMES_MAX + 1];
    size_t n = names_of(r, false, names);

    *ret_len = 0;
    if (!p->by_given && p->kind != PLOT_ROUTING) {
        *ret_len = MIN(names_of(r, true, names), (size_t)PLOT_BY_MAX);
        memcpy(ret, names, *ret_len * sizeof(*ret));
        return 0;
    }
    for (size_t i = 0; i < p->by_len; i++) {
        bool own = p->kind == PLOT_ROUTING &&
                   (strcmp(p->by[i], "task") == 0 || strcmp(p->by[i], "level") == 0);
        size_t k = 0;

        while (k < n && strcmp(names[k], p->by[i]) != 0)
            k++;
        if (!own && k == n) {
            struct err why = { 0 };
            (void)unknown(r, p->by[i], &why);
            return conf_error(err, p->at, "by: %s", why.text);
        }
        if (!own)
            ret[(*ret_len)++] = p->by[i];
    }
    return 0;
}

int plot_runs_load(struct plot_runs *r, struct store *s, uint64_t experiment,
                   const struct plot_spec *p, struct err *err)
{
    const char *by[PLOT_BY_MAX];
    size_t by_len = 0;
    int rc = store_list_runs(s, experiment, false, add_run, r, err);

    if (rc == 0 && r->len > 1)
        qsort(r->run, r->len, sizeof(*r->run), by_number);
    if (rc == 0)
        rc = store_list_params(s, experiment, add_param, r, err);
    for (size_t i = 0; rc == 0 && i < r->len; i++) {
        struct looking l = { r, &r->run[i] };
        struct err why = { 0 };

        r->run[i].chosen = true;
        rc = p->where ? cond_eval(p->where, look_up, &l, &r->run[i].chosen, &why) : 0;
        if (rc)
            return conf_error(err, conf_get(p->at, "where"), "%s", why.text);
    }
    if (rc == 0 && r->len)
        rc = lines_by(r, p, by, &by_len, err);
    if (rc == 0)
        gather(r, by, by_len);
    if (rc == 0 && r->names_len == 0)
        return err_set(err, ERR_NOT_FOUND, "no run fits%s", p->where ? " the condition" : "");
    return rc;
}

void plot_runs_release(struct plot_runs *r)
{
    for (size_t i = 0; i < r->len; i++) {
        for (size_t k = 0; k < r->run[i].params_len; k++) {
            free(r->run[i].param[k].name);
            free(r->run[i].param[k].value);
        }
        free(r->run[i].param);
    }
    for (size_t i = 0; i < r->names_len; i++)
        free(r->name[i]);
    free(r->run);
    free(r->name);
    *r = (struct plot_runs){ 0 };
}
