/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - what stands behind a cell: runs, jobs, attempts, examples, and the SQL that computes it
 * (tables.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/store.h"
#include "store/tables/making.h"
#include "store/tables/print.h"
#include "store/tables/text.h"
#include "store/tables/trace.h"

enum { SHOWN_MAX = 1000, EXAMPLES_SHOWN = 50 };

/* ---- which cell ---- */

static bool number_of(const char *text, size_t *ret)
{
    char *end;
    unsigned long n;

    if (text[0] < '0' || text[0] > '9')
        return false;
    n = strtoul(text, &end, 10);
    *ret = n;
    return *end == '\0';
}

/* "task=math,level=1" against a row's keys, as stored or as shown. */
static bool row_matches(const struct making *m, size_t row, const char *text, struct err *err,
                        int *ret_rc)
{
    CLEANUP(mem_cleanup) char *copy = mem_strdup(text);
    bool matches = true;
    char *rest = copy, *part;

    while ((part = strsep(&rest, ",")) != NULL) {
        char *value = strchr(part, '=');
        size_t k = 0;

        if (!value) {
            *ret_rc =
                err_set(err, ERR_INVALID,
                        "row \"%s\": a number, or key=value with commas between is expected", text);
            return false;
        }
        *value++ = '\0';
        while (k < m->keys && strcmp(m->key[k].name, part) != 0 &&
               strcmp(m->table->head[k].text, part) != 0)
            k++;
        if (k == m->keys) {
            const char *names[TABLE_KEYS_MAX + 1] = { NULL };
            const char *near;

            for (size_t i = 0; i < m->keys; i++)
                names[i] = m->key[i].name;
            near = nearest_find(part, names);
            *ret_rc =
                err_set(err, ERR_INVALID, "row \"%s\": the rows have no key \"%s\"%s%s%s", text,
                        part, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
            return false;
        }
        matches = matches && (strcmp(m->rows[row].key[k], value) == 0 ||
                              strcmp(m->table->cell[row * m->table->columns + k].text, value) == 0);
    }
    return matches;
}

static int find_row(const struct making *m, const char *text, size_t *ret, struct err *err)
{
    CLEANUP(buf_release) struct buf list = { 0 };
    size_t found = 0;
    int rc = 0;

    if (number_of(text, ret)) {
        if (*ret >= 1 && *ret <= m->rows_len) {
            --*ret;
            return 0;
        }
        return err_set(err, ERR_NOT_FOUND, "there is no row %s; there are %zu", text, m->rows_len);
    }
    for (size_t r = 0; rc == 0 && r < m->rows_len; r++) {
        bool matches = row_matches(m, r, text, err, &rc);

        if (matches && (m->rows[r].kind == ROW_OWN || found == 0)) {
            if (found && m->rows[*ret].kind != ROW_OWN)
                found = 0; /* a row of its own before the total over it */
            *ret = r;
            found++;
        }
        if (list.len < 300) {
            buf_printf(&list, "%s\"", r ? ", " : "");
            row_name(m, &m->rows[r], &list);
            buf_addc(&list, '"');
        }
    }
    if (rc < 0)
        return rc;
    if (found == 1)
        return 0;
    return err_set(err, found ? ERR_INVALID : ERR_NOT_FOUND, "%s row is \"%s\"; there are %s",
                   found ? "more than one" : "no", text, buf_str(&list));
}

static void head_path(const struct table_head *h, struct buf *out)
{
    for (size_t i = 0; i < h->depth; i++)
        buf_printf(out, "%s/", h->above[i]);
    buf_adds(out, h->text);
}

/* The path as shown, or with the head as specified ("acc" for "acc %"). */
static bool path_is(const struct table_head *h, const char *text)
{
    CLEANUP(buf_release) struct buf shown = { 0 }, said = { 0 };

    head_path(h, &shown);
    for (size_t i = 0; i < h->depth; i++)
        buf_printf(&said, "%s/", h->above[i]);
    buf_adds(&said, h->column->head);
    return strcmp(buf_str(&shown), text) == 0 || strcmp(buf_str(&said), text) == 0;
}

/* Columns count without the keys. */
static int find_column(const struct making *m, const char *text, size_t *ret, struct err *err)
{
    CLEANUP(buf_release) struct buf list = { 0 };
    size_t found = 0, number;

    for (size_t f = 0; f < m->flats; f++) {
        const struct table_head *h = &m->table->head[m->keys + f];

        if (path_is(h, text)) {
            *ret = f;
            found++;
        }
        if (list.len < 300) {
            buf_printf(&list, "%s\"", f ? ", " : "");
            head_path(h, &list);
            buf_addc(&list, '"');
        }
    }
    if (found == 1)
        return 0;
    if (found == 0 && number_of(text, &number) && number >= 1 && number <= m->flats) {
        *ret = number - 1;
        return 0;
    }
    return err_set(err, found ? ERR_INVALID : ERR_NOT_FOUND, "%s column is \"%s\"; there are %s",
                   found ? "more than one" : "no", text, buf_str(&list));
}

/* ---- lists ---- */

static struct json *value_of(const struct store_value *v)
{
    switch (v->type) {
    case STORE_NULL:
        break;
    case STORE_INTEGER:
        return json_new_integer(v->i);
    case STORE_REAL:
        return json_new_number(v->r);
    case STORE_TEXT:
    case STORE_BYTES:
        return json_new_text(v->text);
    }
    return json_new_null();
}

static int keep_row(const char *const *names, const struct store_value *values, size_t columns,
                    void *arg)
{
    struct json *list = arg, *o;

    if (!values)
        return 0;
    o = json_new_object();
    for (size_t i = 0; i < columns; i++)
        json_set(o, names[i], value_of(&values[i]));
    json_push(list, o);
    return 0;
}

static int add_list(struct store *s, struct json *root, const char *name, const char *sql,
                    struct err *err)
{
    struct json *list = json_new_array();
    int rc;

    json_set(root, name, list);
    rc = store_query(s, sql, NULL, keep_row, list, err);
    return rc < 0 ? err_wrap(err, rc, "%s behind the cell", name) : 0;
}

static int keep_number(const char *const *names, const struct store_value *values, size_t columns,
                       void *arg)
{
    struct store_value *to = arg;

    (void)names;
    (void)columns;
    if (values) {
        *to = values[0];
        to->text = NULL;
    }
    return 0;
}

static void add_sql(struct json *root, const struct trace *t)
{
    struct json *list = json_new_array();

    json_push(list, json_new_text(buf_str(&t->rows)));
    json_push(list, json_new_text(buf_str(&t->value)));
    json_set(root, "sql", list);
}

static int add_lists(struct store *s, struct json *root, const struct trace *t, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    struct store_value v = { .type = STORE_NULL };
    int rc;

    rc = add_list(s, root, "runs", buf_str(&t->runs), err);
    if (rc == 0)
        rc = add_list(s, root, "jobs", buf_str(&t->jobs), err);
    if (rc == 0)
        rc = add_list(s, root, "attempts", buf_str(&t->attempts), err);
    if (rc == 0) {
        buf_printf(&sql, "%s\nLIMIT %d", buf_str(&t->rows), EXAMPLES_SHOWN);
        rc = add_list(s, root, "examples", buf_str(&sql), err);
    }
    if (rc == 0)
        rc = store_query(s, buf_str(&t->value), NULL, keep_number, &v, err);
    json_set(root, "sql_value", value_of(&v));
    return rc < 0 ? rc : 0;
}

static struct json *describe(const struct making *m, size_t row, size_t flat)
{
    const struct table_head *h = &m->table->head[m->keys + flat];
    const struct table_cell *c = cell_at(m->table, row, m->keys + flat);
    struct json *root = json_new_object(), *keys = json_new_object();
    CLEANUP(buf_release) struct buf path = { 0 };

    json_set(root, "version", json_new_integer(1));
    json_set(root, "table", json_new_text(m->table->title));
    for (size_t k = 0; k < m->keys; k++)
        json_set(keys, m->key[k].name, json_new_text(m->rows[row].key[k]));
    json_set(root, "row", keys);
    json_set(root, "row_number", json_new_integer((int64_t)row + 1));
    json_set(root, "total", json_new_bool(m->table->total[row]));
    head_path(h, &path);
    json_set(root, "column", json_new_text(buf_str(&path)));
    json_set(root, "column_number", json_new_integer((int64_t)flat + 1));
    json_set(root, "text", json_new_text(c->text));
    json_set(root, "value", c->known ? json_new_number(c->value) : json_new_null());
    json_set(root, "scale", json_new_number(h->scale));
    json_set(root, "comparison", print_json_comparison(m->table, &c->compared));
    json_set(root, "n", json_new_integer((int64_t)c->n));
    json_set(root, "seeds", json_new_integer(c->seeds));
    json_set(root, "seeds_wanted", json_new_integer(c->wanted));
    return root;
}

static int trace_cell(struct making *m, const char *row, const char *column, struct buf *out,
                      struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = NULL;
    CLEANUP(backing_release) struct backing source = { 0 };
    CLEANUP(trace_release) struct trace t = { 0 };
    CLEANUP(mem_cleanup) char *text = NULL;
    size_t r = 0, f = 0;
    int rc = find_row(m, row, &r, err);

    if (rc == 0)
        rc = find_column(m, column, &f, err);
    if (rc < 0)
        return rc;
    backing_gather(m, r, f, &source);
    trace_make(m, flat_column(m, f), &source, SHOWN_MAX, &t);
    if (!cell_at(m->table, r, m->keys + f)->known) { /* as empty as the cell */
        buf_clear(&t.value);
        buf_adds(&t.value, "SELECT NULL;");
    }
    root = describe(m, r, f);
    add_sql(root, &t);
    if (source.units > 0)
        rc = add_lists(m->s, root, &t, err);
    text = json_dump(root, 2);
    buf_printf(out, "%s\n", text);
    return rc;
}

int tables_cell(struct store *s, const char *spec_text, const char *spec_name,
                const char *experiment, size_t table, const char *row, const char *column,
                struct buf *out, struct err *err)
{
    CLEANUP(request_release) struct request q = { 0 };
    CLEANUP(making_release) struct making m = { .s = s };
    int rc = request_open(&q, s, spec_text, spec_name, experiment, err);

    if (rc < 0)
        return rc;
    if (table > q.specs || (table == 0 && q.specs != 1))
        return err_set(err, ERR_INVALID, "there are %zu tables; say which by --table 1..%zu",
                       q.specs, q.specs);
    m.spec = &q.spec[table ? table - 1 : 0];
    m.experiments = q.experiment;
    m.experiments_len = q.experiments;
    rc = making_run(&m, err);
    if (rc == 0)
        rc = trace_cell(&m, row, column, out, err);
    table_free(m.table);
    return rc;
}
