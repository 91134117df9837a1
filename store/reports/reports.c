/* SPDX-License-Identifier: Apache-2.0 */
/* reports.c - the table of reports: checks the arguments, opens and closes the document. */
#include "store/reports/reports.h"

#include <sqlite3.h>
#include <string.h>

#include "common/base/nearest.h"
#include "store/reports/private.h"

enum { TIME_MS = 10000, ROWS_MAX = 1000000, ARGS_MAX = 32 };
#define BYTES_MAX ((uint64_t)1 << 30)

static const struct report *const reports[] = {
    &report_query, &report_schema, &report_runs,        &report_show,   &report_diff,
    &report_logs,  &report_status, &report_plan,        &report_table,  &report_cell,
    &report_plot,  &report_labels, &report_label_stats, &report_demand,
};

const char *const *report_names(void)
{
    static const char *names[ARRAY_LEN(reports) + 1]; /* every thread writes the same */

    for (size_t i = 0; i < ARRAY_LEN(reports); i++)
        names[i] = reports[i]->name;
    return names;
}

static const struct report *find(const char *what)
{
    for (size_t i = 0; i < ARRAY_LEN(reports); i++)
        if (strcmp(reports[i]->name, what) == 0)
            return reports[i];
    return NULL;
}

const char *report_help(const char *what)
{
    const struct report *r = find(what);

    return r ? r->help : NULL;
}

/* ---- arguments ---- */

static bool has_type(const struct json *v, enum report_arg_type type)
{
    switch (type) {
    case ARG_TEXT:
        return json_is_string(v) && json_text_len(v) == strlen(json_text(v));
    case ARG_INTEGER:
        return json_is_integer(v);
    case ARG_BOOL:
        return json_bool(v, true) == json_bool(v, false);
    case ARG_TEXTS:
        if (!json_is_array(v))
            return false;
        for (size_t i = 0; i < json_len(v); i++)
            if (!has_type(json_at(v, i), ARG_TEXT))
                return false;
        return true;
    case ARG_ANY:
        break;
    }
    return true;
}

struct checking {
    const struct report *report;
    struct err *err;
};

static int check_arg(const char *key, struct json *value, void *arg)
{
    static const char *const types[] = {
        [ARG_TEXT] = "a text",        [ARG_INTEGER] = "a whole number",
        [ARG_BOOL] = "true or false", [ARG_TEXTS] = "a list of texts",
        [ARG_ANY] = "anything",
    };
    const struct checking *c = arg;
    const char *names[ARGS_MAX + 1] = { NULL };
    size_t i = 0;

    for (const struct report_arg *a = c->report->args; a && a->name && i < ARGS_MAX; a++) {
        names[i++] = a->name;
        if (strcmp(a->name, key) != 0)
            continue;
        if (has_type(value, a->type))
            return 0;
        return err_set(c->err, ERR_INVALID, "report %s: argument \"%s\" is %s", c->report->name,
                       key, types[a->type]);
    }
    const char *near = nearest_find(key, names);
    return err_set(c->err, ERR_INVALID, "report %s has no argument \"%.60s\"%s%s%s",
                   c->report->name, key, near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

static int check_args(const struct report *r, const struct json *args, struct err *err)
{
    struct checking c = { r, err };

    if (!json_is_object(args))
        return err_set(err, ERR_INVALID, "report %s: the arguments are no JSON object", r->name);
    int rc = json_each(args, check_arg, &c);
    for (const struct report_arg *a = r->args; !rc && a && a->name; a++)
        if (a->required && !json_get(args, a->name))
            return err_set(err, ERR_INVALID, "report %s: argument \"%s\" is missing", r->name,
                           a->name);
    return rc;
}

const char *arg_text(const struct report_call *c, const char *name, const char *fallback)
{
    const char *text = json_text(json_get(c->args, name));
    return text ? text : fallback;
}

int64_t arg_integer(const struct report_call *c, const char *name, int64_t fallback)
{
    return json_integer(json_get(c->args, name), fallback);
}

bool arg_bool(const struct report_call *c, const char *name, bool fallback)
{
    return json_bool(json_get(c->args, name), fallback);
}

bool arg_has(const struct report_call *c, const char *name, const char *text)
{
    const struct json *list = json_get(c->args, name);

    for (size_t i = 0; i < json_len(list); i++)
        if (strcmp(json_text(json_at(list, i)), text) == 0)
            return true;
    return false;
}

void put_digest(struct jsonw *w, const char *key, const struct stmt *st, int column)
{
    const struct digest d = stmt_col_digest(st, column);
    char hex[DIGEST_HEX];

    if (stmt_is_null(st, column))
        jsonw_null(w, key);
    else
        jsonw_text(w, key, digest_hex(&d, hex));
}

static void put_bytes(struct jsonw *w, const char *key, const struct stmt *st, int column)
{
    struct buf hex CLEANUP(buf_release) = { 0 };
    size_t len;
    const uint8_t *bytes = stmt_col_bytes(st, column, &len);

    for (size_t i = 0; i < len; i++)
        buf_printf(&hex, "%02x", bytes[i]);
    jsonw_text(w, key, buf_str(&hex));
}

void put_column(struct jsonw *w, const char *key, const struct stmt *st, int column)
{
    switch (stmt_type(st, column)) {
    case SQLITE_INTEGER:
        jsonw_int(w, key, stmt_col(st, column));
        break;
    case SQLITE_FLOAT:
        jsonw_real(w, key, stmt_col_real(st, column));
        break;
    case SQLITE_BLOB:
        put_bytes(w, key, st, column);
        break;
    case SQLITE_NULL:
        jsonw_null(w, key);
        break;
    default: /* SQLITE_TEXT */
        jsonw_text(w, key, stmt_col_text(st, column));
        break;
    }
}

int put_rows(struct report_call *c, const char *key, struct stmt *st, struct err *err)
{
    const int columns = stmt_columns(st);
    uint64_t rows = 0;
    int rc;

    jsonw_open_at(&c->w, key, '[');
    while ((rc = stmt_step(st, err)) > 0) {
        jsonw_open(&c->w, '{');
        for (int i = 0; i < columns; i++)
            put_column(&c->w, stmt_column_name(st, i), st, i);
        jsonw_close(&c->w, '}');
        rc = report_fits(c, err);
        if (rc || ++rows >= c->limits.rows_max) {
            stmt_reset(st);
            break;
        }
    }
    jsonw_close(&c->w, ']');
    return MIN(rc, 0);
}

int put_members(struct report_call *c, struct stmt *st, struct err *err)
{
    int rc = stmt_step(st, err);

    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "nothing there");
    for (int i = 0; rc > 0 && i < stmt_columns(st); i++)
        put_column(&c->w, stmt_column_name(st, i), st, i);
    stmt_reset(st);
    return MIN(rc, 0);
}

int report_fits(const struct report_call *c, struct err *err)
{
    if (c->w.to->len <= c->limits.bytes_max)
        return 0;
    return err_set(err, ERR_LIMIT,
                   "the answer is longer than %llu bytes; ask for fewer rows or columns",
                   (unsigned long long)c->limits.bytes_max);
}

/* ---- making ---- */

static int unknown(const char *what, struct err *err)
{
    const char *near = nearest_find(what, report_names());

    return err_set(err, ERR_INVALID, "no report \"%.60s\"%s%s%s", what,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int make(const struct report *r, struct report_call *c, struct err *err)
{
    int rc;

    jsonw_open(&c->w, '{');
    jsonw_int(&c->w, "version", 1);
    store_time_limit(c->s, c->limits.time_ms);
    rc = r->make(c, err);
    store_time_limit(c->s, 0);
    if (rc == ERR_TIMEOUT && !strstr(err ? err->text : "", "longer than"))
        rc = err_set(err, ERR_TIMEOUT, "report %s took longer than %u ms and was stopped", r->name,
                     c->limits.time_ms);
    jsonw_close(&c->w, '}');
    return rc ? rc : report_fits(c, err);
}

int report_make(struct store *s, const char *what, const char *arguments,
                const struct report_limits *limits, struct buf *ret, struct err *err)
{
    const struct report *r = find(what);
    struct json *args CLEANUP(json_cleanup) = NULL;
    struct report_call c = { .s = s, .w = { .to = ret } };
    const size_t start = ret->len;
    struct err mine = { 0 };
    int rc;

    if (!r)
        return unknown(what, err);
    if (!arguments || !*arguments)
        arguments = "{}";
    rc = json_parse(arguments, strlen(arguments), &args, &mine);
    if (rc)
        return err_set(err, rc, "report %s: the arguments are no JSON: %s", what, mine.text);
    rc = check_args(r, args, err);
    if (rc)
        return rc;
    c.args = args;
    if (limits)
        c.limits = *limits;
    c.limits.time_ms = c.limits.time_ms ? c.limits.time_ms : TIME_MS;
    c.limits.rows_max = c.limits.rows_max ? c.limits.rows_max : ROWS_MAX;
    c.limits.bytes_max = (c.limits.bytes_max ? c.limits.bytes_max : BYTES_MAX) + start;
    rc = make(r, &c, &mine);
    if (!rc)
        return 0;
    ret->len = start;
    if (ret->data)
        ret->data[start] = '\0';
    if (err)
        *err = mine;
    return rc;
}
