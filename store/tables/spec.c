/* SPDX-License-Identifier: Apache-2.0 */
/* spec.c - tables as they are specified in a recipe or in a file of their own (spec.h). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/cond.h"
#include "store/tables/spec_private.h"

int spec_error(struct err *err, enum err_code code, const struct conf_value *v, const char *format,
               ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!v)
        return err_set(err, code, "%s", text);
    conf_error(err, v, "%s", text);
    if (err)
        err->code = code;
    return code;
}

int spec_word(const struct conf_value *v, char *out, size_t size, struct err *err)
{
    const char *s;
    int rc = conf_text(v, &s, err);

    if (rc < 0)
        return rc;
    if (s[0] == '\0' || strlen(s) >= size)
        return conf_error(err, v, "1 to %zu bytes are allowed", size - 1);
    memcpy(out, s, strlen(s) + 1);
    return 0;
}

int spec_scalar(const struct conf_value *v, char *out, size_t size, struct err *err)
{
    int64_t i;
    double r;
    bool b;
    int rc;

    switch (conf_type(v)) {
    case CONF_INT:
        rc = conf_int(v, 1, 0, &i, err);
        if (rc == 0)
            snprintf(out, size, "%" PRId64, i);
        return rc;
    case CONF_REAL:
        rc = conf_real(v, 1, 0, &r, err);
        for (int digits = 6; rc == 0 && digits <= 17; digits++) {
            snprintf(out, size, "%.*g", digits, r);
            if (strtod(out, NULL) == r)
                break;
        }
        return rc;
    case CONF_BOOL:
        rc = conf_bool(v, &b, err);
        if (rc == 0)
            snprintf(out, size, "%s", b ? "true" : "false");
        return rc;
    case CONF_TEXT:
    case CONF_GROUP:
    case CONF_LIST:
    case CONF_ARRAY:
    case CONF_TYPES:
        break;
    }
    return spec_word(v, out, size, err);
}

int spec_condition(const struct conf_value *v, struct cond **ret, struct err *err)
{
    const char *text;
    struct err inner = { 0 };
    CLEANUP(buf_release) struct buf filled = { 0 };
    int rc = conf_text(v, &text, err);

    if (rc == 0 && (spec_fill_in(v, text, &filled, &inner) < 0 ||
                    cond_parse(buf_str(&filled), ret, &inner) < 0))
        rc = spec_error(err, inner.code, v, "%s", inner.text);
    return rc;
}

static int read_flag(const struct conf_value *group, const char *name, bool *ret, struct err *err)
{
    const struct conf_value *v = conf_get(group, name);

    return v ? conf_bool(v, ret, err) : 0;
}

static void key_set(struct table_key *k, const char *name)
{
    *k = (struct table_key){ 0 };
    snprintf(k->name, sizeof k->name, "%s", name);
    snprintf(k->head, sizeof k->head, "%s", name);
}

static int read_values(const struct conf_value *group, struct table_key *k, struct err *err)
{
    const struct conf_value *v = conf_get(group, "values"), *names = conf_get(group, "names");
    int rc = v ? conf_expect(v, CONF_ARRAY, err) : 0;

    if (v && rc < 0 && conf_type(v) == CONF_LIST)
        rc = 0; /* values of several types */
    if (rc == 0 && names && !v)
        return conf_error(err, names, "goes with values: a name for each of them");
    if (rc == 0 && names && conf_len(names) != conf_len(v))
        return conf_error(err, names, "%zu names for %zu values", conf_len(names), conf_len(v));
    if (rc < 0 || !v)
        return rc;
    k->value = mem_calloc(MAX(conf_len(v), 1), sizeof *k->value);
    for (size_t i = 0; rc == 0 && i < conf_len(v); i++) {
        struct table_value *to = &k->value[k->values_len++];

        rc = spec_scalar(conf_at(v, i), to->value, sizeof to->value, err);
        if (rc == 0 && names)
            rc = spec_word(conf_at(names, i), to->text, sizeof to->text, err);
        else
            snprintf(to->text, sizeof to->text, "%s", to->value);
    }
    return rc;
}

/* "task", or { key = "task"; head = "Benchmark"; values = [..]; names = [..]; only = true; }. */
static int read_key(const struct conf_value *v, struct table_key *k, struct err *err)
{
    static const char *const known[] = { "key", "head", "values", "names", "only", NULL };
    const struct conf_value *x;
    char name[TABLE_WORD_MAX] = "";
    int rc;

    if (conf_type(v) == CONF_TEXT) {
        rc = spec_word(v, name, sizeof name, err);
        key_set(k, name);
        k->source = v;
        return rc;
    }
    key_set(k, "");
    rc = conf_expect(v, CONF_GROUP, err);
    if (rc == 0)
        rc = conf_check_keys(v, known, err);
    if (rc == 0)
        rc = conf_need(v, "key", CONF_TEXT, &x, err);
    if (rc == 0)
        rc = spec_word(x, name, sizeof name, err);
    key_set(k, name);
    k->source = v;
    if (rc == 0 && (x = conf_get(v, "head")))
        rc = spec_word(x, k->head, sizeof k->head, err);
    if (rc == 0)
        rc = read_values(v, k, err);
    return rc ? rc : read_flag(v, "only", &k->only, err);
}

static int read_keys(const struct conf_value *v, struct table_key *keys, size_t *len,
                     struct err *err)
{
    int rc = 0;

    if (conf_type(v) != CONF_LIST)
        rc = conf_expect(v, CONF_ARRAY, err);
    if (rc == 0 && conf_len(v) > TABLE_KEYS_MAX)
        rc = conf_error(err, v, "at most %d names", TABLE_KEYS_MAX);
    for (size_t i = 0; rc == 0 && i < conf_len(v); i++) {
        rc = read_key(conf_at(v, i), &keys[(*len)++], err);
        for (size_t k = 0; rc == 0 && k < i; k++)
            if (strcmp(keys[k].name, keys[i].name) == 0)
                rc = conf_error(err, conf_at(v, i), "\"%s\" is there twice", keys[i].name);
    }
    return rc;
}

static int read_rows(const struct conf_value *group, struct table_spec *t, struct err *err)
{
    const struct conf_value *rows = conf_get(group, "rows"), *spread = conf_get(group, "spread");
    int rc = 0;

    if (rows) {
        rc = read_keys(rows, t->rows, &t->rows_len, err);
    } else {
        key_set(&t->rows[0], "task");
        key_set(&t->rows[1], "level");
        t->rows_len = 2;
    }
    if (rc < 0 || !spread)
        return rc;
    rc = read_keys(spread, t->spread, &t->spread_len, err);
    for (size_t i = 0; rc == 0 && i < t->spread_len; i++)
        for (size_t k = 0; rc == 0 && rows && k < t->rows_len; k++)
            if (strcmp(t->rows[k].name, t->spread[i].name) == 0)
                rc = conf_error(err, spread, "\"%s\" is among the rows already", t->rows[k].name);
    for (size_t i = 0; rc == 0 && !rows && i < t->spread_len; i++)
        for (size_t k = 0; k < t->rows_len; k++)
            if (strcmp(t->rows[k].name, t->spread[i].name) == 0)
                memmove(&t->rows[k], &t->rows[k + 1], (--t->rows_len - k) * sizeof *t->rows);
    return rc;
}

/* { schedule = "constant"; }: a condition in other words. */
static int read_row_group(const struct conf_value *v, struct cond **ret, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    int rc = conf_len(v) ? 0 : conf_error(err, v, "name the key and its value");

    for (size_t i = 0; rc == 0 && i < conf_len(v); i++) {
        const struct conf_value *x = conf_at(v, i);
        char value[TABLE_WORD_MAX];

        rc = spec_scalar(x, value, sizeof value, err);
        if (rc == 0 && conf_type(x) == CONF_TEXT && strchr(value, '\''))
            rc = conf_error(err, x, "a quotation mark is not allowed here");
        buf_printf(&text, conf_type(x) == CONF_TEXT ? "%s`%s` == '%s'" : "%s`%s` == %s",
                   i ? " and " : "", conf_name(x), value);
    }
    return rc ? rc : cond_parse(buf_str(&text), ret, err);
}

static int read_baseline(const struct conf_value *group, struct table_spec *t, struct err *err)
{
    const struct conf_value *column = conf_get(group, "baseline"),
                            *row = conf_get(group, "baseline_row");

    if (column && row)
        return conf_error(err, row, "a baseline is a column or a row, not both");
    t->baseline_source = column ? column : row;
    if (column)
        return spec_word(column, t->baseline, sizeof t->baseline, err);
    if (!row)
        return 0;
    return conf_type(row) == CONF_GROUP ? read_row_group(row, &t->baseline_row, err)
                                        : spec_condition(row, &t->baseline_row, err);
}

static bool has_baseline(const struct table_spec *t)
{
    bool ret = t->baseline_source != NULL;

    for (size_t i = 0; i < t->columns_len; i++)
        ret = ret || t->column[i].baseline_source != NULL;
    return ret;
}

/* A column of differences alone would be empty without a baseline. */
static int check_differences(const struct table_spec *t, struct err *err)
{
    for (size_t i = 0; i < t->columns_len; i++) {
        const struct table_column *c = &t->column[i];

        if (c->show && !(c->show & TABLE_SHOW_VALUE) && !c->baseline_source && !t->baseline_source)
            return conf_error(err, conf_get(c->source, "show"),
                              "there is nothing to differ from; give the column or the table a "
                              "baseline = \"HEAD OF A COLUMN\"");
    }
    return 0;
}

static int read_marks(const struct conf_value *group, struct table_spec *t, struct err *err)
{
    static const char *const words[] = { "best", "second", "significance", NULL };
    const struct conf_value *v = conf_get(group, "marks"), *per = conf_get(group, "best_per");
    int rc = v ? conf_expect(v, CONF_ARRAY, err) : 0;

    t->marks = has_baseline(t) ? TABLE_MARK_SIGNIFICANCE : 0;
    snprintf(t->best_per, sizeof t->best_per, "column");
    if (v)
        t->marks = 0;
    for (size_t i = 0; rc == 0 && v && i < conf_len(v); i++) {
        size_t at;

        rc = conf_word(conf_at(v, i), words, &at, err);
        if (rc == 0)
            t->marks |= 1u << at;
        if (rc == 0 && at == 2 && !has_baseline(t))
            rc = conf_error(err, conf_at(v, i),
                            "significance needs a baseline or a baseline_row to compare with");
    }
    if (rc == 0 && per)
        rc = spec_word(per, t->best_per, sizeof t->best_per, err);
    if (rc == 0 && per && strcmp(t->best_per, "column") != 0 && strcmp(t->best_per, "row") != 0) {
        bool found = false;

        for (size_t i = 0; i < t->rows_len; i++)
            found = found || strcmp(t->rows[i].name, t->best_per) == 0;
        if (!found)
            rc = conf_error(err, per, "\"column\", \"row\" or a key of the rows is expected");
    }
    return rc;
}

static int read_looks(const struct conf_value *group, struct table_spec *t, struct err *err)
{
    static const char *const latex[] = { "plain", "siunitx", NULL };
    const struct conf_value *v;
    const char *text = "";
    size_t at = 0;
    int rc = 0;

    if ((v = conf_get(group, "title")))
        rc = conf_text(v, &text, err);
    snprintf(t->title, sizeof t->title, "%s", text);
    if (rc == 0 && (v = conf_get(group, "caption"))) {
        rc = conf_text(v, &text, err);
        if (rc == 0)
            t->caption = mem_strdup(text);
    }
    if (rc == 0 && (v = conf_get(group, "label")))
        rc = spec_word(v, t->label, sizeof t->label, err);
    if (rc == 0 && t->label[strspn(t->label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789:._/-")])
        rc = conf_error(err, v, "letters, digits and any of : . _ / - are allowed");
    if (rc == 0 && (v = conf_get(group, "latex")))
        rc = conf_word(v, latex, &at, err);
    t->siunitx = at == 1;
    return rc;
}

static int read_table(const struct conf_value *group, bool root, struct table_spec *t,
                      struct err *err)
{
    static const char *const known[] = {
        "title",           "caption",  "label",        "rows",  "spread",   "columns",
        "where",           "baseline", "baseline_row", "marks", "best_per", "latex",
        "allow_unequal_n", "total",    NULL,           NULL,    NULL,       NULL
    };
    const char *keys[ARRAY_LEN(known)];
    const struct conf_value *v;
    int rc = conf_expect(group, CONF_GROUP, err);

    memcpy(keys, known, sizeof known);
    if (root) {
        keys[14] = "experiment";
        keys[15] = "experiments";
        keys[16] = "vars";
    }
    *t = (struct table_spec){ .total = true, .source = group };
    if (rc == 0)
        rc = conf_check_keys(group, keys, err);
    if (rc == 0)
        rc = read_looks(group, t, err);
    if (rc == 0)
        rc = read_flag(group, "allow_unequal_n", &t->allow_unequal_n, err);
    if (rc == 0)
        rc = read_flag(group, "total", &t->total, err);
    if (rc == 0)
        rc = read_rows(group, t, err);
    if (rc == 0 && (t->where_source = conf_get(group, "where")))
        rc = spec_condition(t->where_source, &t->where, err);
    if (rc == 0)
        rc = read_baseline(group, t, err);
    if (rc == 0)
        rc = conf_need(group, "columns", CONF_LIST, &v, err);
    if (rc == 0)
        rc = spec_columns(v, t, err);
    if (rc == 0)
        rc = read_marks(group, t, err);
    return rc ? rc : check_differences(t, err);
}

void table_specs_free(struct table_spec *list, size_t len)
{
    for (size_t i = 0; list && i < len; i++) {
        struct table_spec *t = &list[i];

        for (size_t k = 0; k < t->rows_len; k++)
            free(t->rows[k].value);
        for (size_t k = 0; k < t->spread_len; k++)
            free(t->spread[k].value);
        for (size_t k = 0; k < t->columns_len; k++) {
            cond_free(t->column[k].where);
            free(t->column[k].target);
        }
        cond_free(t->where);
        cond_free(t->baseline_row);
        free(t->caption);
        free(t->note);
    }
    free(list);
}

int table_specs_read(const struct conf_value *tables, struct table_spec **ret, size_t *ret_len,
                     struct err *err)
{
    size_t n = conf_len(tables);
    struct table_spec *list;
    int rc = conf_expect(tables, CONF_LIST, err);

    *ret = NULL;
    *ret_len = 0;
    if (rc < 0)
        return rc;
    list = mem_calloc(MAX(n, 1), sizeof *list);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_table(conf_at(tables, i), false, &list[i], err);
    if (rc < 0) {
        table_specs_free(list, n);
        return rc;
    }
    *ret = list;
    *ret_len = n;
    return 0;
}

static int read_experiments(const struct conf_value *root, const char **names, size_t *ret_names,
                            struct err *err)
{
    const struct conf_value *one = conf_get(root, "experiment"),
                            *all = conf_get(root, "experiments");
    int rc = 0;

    *ret_names = 0;
    if (one && all)
        return conf_error(err, all, "give experiment or experiments, not both");
    if (one)
        return conf_text(one, &names[(*ret_names)++], err);
    if (!all)
        return 0;
    rc = conf_expect(all, CONF_ARRAY, err);
    if (rc == 0 && (conf_len(all) == 0 || conf_len(all) > TABLE_EXPERIMENTS_MAX))
        rc = conf_error(err, all, "1 to %d names are allowed", TABLE_EXPERIMENTS_MAX);
    for (size_t i = 0; rc == 0 && i < conf_len(all); i++)
        rc = conf_text(conf_at(all, i), &names[(*ret_names)++], err);
    return rc;
}

int table_file_read(const struct conf_value *root, const char *names[TABLE_EXPERIMENTS_MAX],
                    size_t *ret_names, struct table_spec **ret, size_t *ret_len, struct err *err)
{
    static const char *const known[] = { "experiment", "experiments", "tables", "vars", NULL };
    const struct conf_value *tables = conf_get(root, "tables");
    int rc = read_experiments(root, names, ret_names, err);

    *ret = NULL;
    *ret_len = 0;
    if (rc == 0 && tables) {
        if (!conf_get(root, "steps")) /* else a recipe: its other keys are checked elsewhere */
            rc = conf_check_keys(root, known, err);
        if (rc == 0)
            rc = table_specs_read(tables, ret, ret_len, err);
        if (rc == 0 && *ret_len == 0 && !conf_get(root, "steps"))
            rc = conf_error(err, tables, "there is no table");
        return rc;
    }
    if (rc < 0)
        return rc;
    *ret = mem_calloc(1, sizeof **ret);
    rc = read_table(root, true, *ret, err);
    if (rc < 0) {
        table_specs_free(*ret, 1);
        *ret = NULL;
        return rc;
    }
    *ret_len = 1;
    return 0;
}
