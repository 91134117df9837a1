/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kinds/kinds.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"

static const char *const type_names[PARAM_TYPES] = { "an integer",         "a number",
                                                     "true or false",      "text",
                                                     "a list of integers", "a list of texts",
                                                     "a list of numbers" };

const char *param_type_name(enum param_type type)
{
    assert((unsigned)type < PARAM_TYPES);
    return type_names[type];
}

bool param_is_list(enum param_type type)
{
    return type == PARAM_INTS || type == PARAM_TEXTS || type == PARAM_REALS;
}

const struct kind *kind_find(const char *name)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kind_at((enum kind_id)i)->name, name) == 0)
            return kind_at((enum kind_id)i);
    return NULL;
}

const struct param_spec *kind_param(const struct kind *k, const char *name)
{
    for (size_t i = 0; i < k->params_len; i++)
        if (strcmp(k->params[i].name, name) == 0)
            return &k->params[i];
    return NULL;
}

static int refuse_number(const struct param_spec *spec, double v, struct err *err)
{
    const char *gap = spec->unit[0] ? " " : "";

    return err_set(err, ERR_INVALID, "%s: %.10g is out of range; allowed are %.10g to %.10g%s%s",
                   spec->name, v, spec->min, spec->max, gap, spec->unit);
}

static bool in_range(const struct param_spec *spec, double v)
{
    return !isnan(v) && (spec->min > spec->max ? !isinf(v) : v >= spec->min && v <= spec->max);
}

static int check_words(const struct param_spec *spec, const char *word, struct err *err)
{
    struct buf list CLEANUP(buf_release) = { 0 };

    if (!spec->words)
        return 0;
    for (size_t i = 0; spec->words[i]; i++) {
        if (strcmp(spec->words[i], word) == 0)
            return 0;
        buf_printf(&list, "%s%s", i ? ", " : "", spec->words[i]);
    }
    const char *near = nearest_find(word, spec->words);
    if (near)
        return err_set(err, ERR_INVALID, "%s: unknown value \"%s\"; did you mean \"%s\"? (%s)",
                       spec->name, word, near, buf_str(&list));
    return err_set(err, ERR_INVALID, "%s: unknown value \"%s\"; one of %s", spec->name, word,
                   buf_str(&list));
}

static int check_value(const struct param_spec *spec, const struct param_value *v, struct err *err)
{
    if (v->type != spec->type)
        return err_set(err, ERR_INVALID, "%s: must be %s, is %s", spec->name,
                       type_names[spec->type], type_names[v->type]);
    switch (spec->type) {
    case PARAM_INT:
        return in_range(spec, (double)v->i) ? 0 : refuse_number(spec, (double)v->i, err);
    case PARAM_REAL:
        return in_range(spec, v->r) ? 0 : refuse_number(spec, v->r, err);
    case PARAM_TEXT:
        return check_words(spec, v->s, err);
    case PARAM_INTS:
        for (size_t i = 0; i < v->len; i++)
            if (!in_range(spec, (double)v->ints[i]))
                return refuse_number(spec, (double)v->ints[i], err);
        break;
    case PARAM_REALS:
        for (size_t i = 0; i < v->len; i++)
            if (!in_range(spec, v->reals[i]))
                return refuse_number(spec, v->reals[i], err);
        break;
    case PARAM_BOOL:
    case PARAM_TEXTS:
    case PARAM_TYPES:
        break;
    }
    if (param_is_list(spec->type) && v->len == 0 &&
        !(spec->fallback && strcmp(spec->fallback, "[]") == 0))
        return err_set(err, ERR_INVALID, "%s: the list is empty", spec->name);
    return 0;
}

static int refuse_unknown(const struct kind *k, const char *name, struct err *err)
{
    const char *words[PARAMS_MAX + 1] = { NULL };

    assert(k->params_len <= PARAMS_MAX);
    for (size_t i = 0; i < k->params_len; i++)
        words[i] = k->params[i].name;
    const char *near = nearest_find(name, words);
    if (near)
        return err_set(err, ERR_INVALID, "%s: a %s job has no such parameter; did you mean %s?",
                       name, k->name, near);
    return err_set(err, ERR_INVALID, "%s: a %s job has no such parameter", name, k->name);
}

/* Parameters of a search that contradict each other; those that its method does not use may stay,
 * so that a sweep can compare methods. */
static int check_search(const struct kind *k, const struct params *p, struct err *err)
{
    const char *method = kind_text(k, p, "method");
    bool enumerate = strcmp(method, "enumerate") == 0, chain = strcmp(method, "chain") == 0;
    int64_t simulations = kind_int(k, p, "simulations"), round = kind_int(k, p, "round");
    int64_t below = simulations / round * round;

    if (!enumerate && simulations % round != 0)
        return err_set(
            err, ERR_INVALID, "simulations: %lld is not a multiple of round (%lld); use %lld",
            (long long)simulations, (long long)round, (long long)(below ? below : round));
    if (enumerate && strcmp(kind_text(k, p, "early_stop"), "none") != 0)
        return err_set(err, ERR_INVALID,
                       "early_stop: contradicts method = \"enumerate\", which tries every path; "
                       "leave it out or take another method");
    if (!enumerate && kind_int(k, p, "depth") > 1)
        return err_set(err, ERR_INVALID,
                       "depth: %lld needs method = \"enumerate\"; method = \"%s\" edits paths as "
                       "far as its simulations go",
                       (long long)kind_int(k, p, "depth"), method);
    if ((enumerate || chain) && strcmp(kind_text(k, p, "total_visits"), "parent") != 0)
        return err_set(err, ERR_INVALID,
                       "total_visits: contradicts method = \"%s\", which never compares children; "
                       "leave it out",
                       method);
    return 0;
}

/* Rules that tie two parameters together. */
static int check_pairs(const struct kind *k, const struct params *p, struct err *err)
{
    if (k->id == KIND_SEARCH) {
        int rc = check_search(k, p, err);
        if (rc)
            return rc;
    }
    if (k->id == KIND_PRETRAIN) {
        int64_t dim = kind_int(k, p, "dim"), heads = kind_int(k, p, "heads");
        int64_t kv_heads = kind_int(k, p, "kv_heads");
        if (dim % heads != 0 || dim / heads % 2 != 0)
            return err_set(err, ERR_INVALID, "dim: %lld over %lld heads gives no even head width",
                           (long long)dim, (long long)heads);
        if (kv_heads && heads % kv_heads != 0)
            return err_set(err, ERR_INVALID, "kv_heads: %lld does not divide heads (%lld)",
                           (long long)kv_heads, (long long)heads);
        if (kind_int(k, p, "micro_batches") > kind_int(k, p, "batch"))
            return err_set(err, ERR_INVALID, "micro_batches: more than batch (%lld)",
                           (long long)kind_int(k, p, "batch"));
    }
    return 0;
}

int kind_check(const struct kind *k, const struct params *p, struct err *err)
{
    for (size_t i = 0; i < p->len; i++) {
        const struct param_spec *spec = kind_param(k, p->entry[i].name);
        if (!spec)
            return refuse_unknown(k, p->entry[i].name, err);
        int rc = check_value(spec, &p->entry[i].value, err);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < k->params_len; i++)
        if (!k->params[i].fallback && !params_get(p, k->params[i].name))
            return err_set(err, ERR_INVALID, "%s: missing; a %s job needs %s (%s)",
                           k->params[i].name, k->name, type_names[k->params[i].type],
                           k->params[i].help);
    return check_pairs(k, p, err);
}

/* The value in force: the given one, else NULL for the table's default. */
static const struct param_value *find_typed(const struct kind *k, const struct params *p,
                                            const char *name, enum param_type type,
                                            const struct param_spec **ret_spec)
{
    *ret_spec = kind_param(k, name);
    assert(*ret_spec && (*ret_spec)->type == type);
    const struct param_value *v = params_get(p, name);
    assert(v || (*ret_spec)->fallback);
    return v;
}

int64_t kind_int(const struct kind *k, const struct params *p, const char *name)
{
    const struct param_spec *spec;
    const struct param_value *v = find_typed(k, p, name, PARAM_INT, &spec);

    return v ? v->i : strtoll(spec->fallback, NULL, 10);
}

double kind_real(const struct kind *k, const struct params *p, const char *name)
{
    const struct param_spec *spec;
    const struct param_value *v = find_typed(k, p, name, PARAM_REAL, &spec);

    return v ? v->r : strtod(spec->fallback, NULL);
}

bool kind_bool(const struct kind *k, const struct params *p, const char *name)
{
    const struct param_spec *spec;
    const struct param_value *v = find_typed(k, p, name, PARAM_BOOL, &spec);

    return v ? v->i != 0 : strcmp(spec->fallback, "true") == 0;
}

const char *kind_text(const struct kind *k, const struct params *p, const char *name)
{
    const struct param_spec *spec;
    const struct param_value *v = find_typed(k, p, name, PARAM_TEXT, &spec);

    return v ? v->s : spec->fallback;
}

const struct param_value *kind_list(const struct kind *k, const struct params *p, const char *name)
{
    const struct param_spec *spec = kind_param(k, name);

    assert(spec && param_is_list(spec->type));
    return params_get(p, name);
}

static void digest_value(const struct param_value *v, struct digester *d)
{
    digest_add_u64(d, (uint64_t)v->type);
    switch (v->type) {
    case PARAM_INT:
    case PARAM_BOOL:
        digest_add_i64(d, v->i);
        break;
    case PARAM_REAL:
        digest_add_double(d, v->r);
        break;
    case PARAM_TEXT:
        digest_add_text(d, v->s);
        break;
    case PARAM_INTS:
        digest_add_u64(d, v->len);
        for (size_t i = 0; i < v->len; i++)
            digest_add_i64(d, v->ints[i]);
        break;
    case PARAM_TEXTS:
        digest_add_u64(d, v->len);
        for (size_t i = 0; i < v->len; i++)
            digest_add_text(d, v->texts[i]);
        break;
    case PARAM_REALS:
        digest_add_u64(d, v->len);
        for (size_t i = 0; i < v->len; i++)
            digest_add_double(d, v->reals[i]);
        break;
    case PARAM_TYPES:
        assert(false);
    }
}

/* Printing is canonical ("%.17g"), so a value equals its default when both print alike. */
static bool is_default(const struct param_spec *spec, const struct param_value *v)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!spec->fallback)
        return false;
    if (v->type == PARAM_REAL)
        return v->r == strtod(spec->fallback, NULL);
    if (v->type == PARAM_TEXT)
        return strcmp(v->s, spec->fallback) == 0;
    param_print(v, &text);
    return strcmp(buf_str(&text), spec->fallback) == 0;
}

void kind_digest(const struct kind *k, const struct params *p, struct digester *d)
{
    digest_add_text(d, k->name);
    digest_add_u64(d, k->version);
    for (size_t i = 0; i < p->len; i++) {
        const struct param_spec *spec = kind_param(k, p->entry[i].name);
        assert(spec);
        if (!spec->identity || is_default(spec, &p->entry[i].value))
            continue;
        digest_add_text(d, spec->name);
        digest_value(&p->entry[i].value, d);
    }
}
