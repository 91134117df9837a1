/* SPDX-License-Identifier: Apache-2.0 */
/* report_query.c - people's own SQL: {"columns": [...], "rows": [[...]...], "truncated": false}. */
#include "store/reports/private.h"

static const struct report_arg args[] = {
    { "sql", ARG_TEXT, true },
    { "time_ms", ARG_INTEGER, false }, /* at most the reader's own limit */
    { "rows", ARG_INTEGER, false },    /* likewise; "truncated" tells that there were more */
    { 0 }
};

struct answer {
    struct report_call *c;
    struct err *err;
};

static void put_value(struct jsonw *w, const struct store_value *v)
{
    switch (v->type) {
    case STORE_NULL:
        jsonw_null(w, NULL);
        break;
    case STORE_INTEGER:
        jsonw_int(w, NULL, v->i);
        break;
    case STORE_REAL:
        jsonw_real(w, NULL, v->r);
        break;
    case STORE_TEXT:
    case STORE_BYTES:
        jsonw_text_len(w, NULL, v->text, v->text_len);
        break;
    }
}

static int on_row(const char *const *names, const struct store_value *values, size_t columns,
                  void *arg)
{
    struct answer *a = arg;
    struct jsonw *w = &a->c->w;

    if (!values) {
        jsonw_open_at(w, "columns", '[');
        for (size_t i = 0; i < columns; i++)
            jsonw_text(w, NULL, names[i]);
        jsonw_close(w, ']');
        jsonw_open_at(w, "rows", '[');
        return 0;
    }
    jsonw_open(w, '[');
    for (size_t i = 0; i < columns; i++)
        put_value(w, &values[i]);
    jsonw_close(w, ']');
    return report_fits(a->c, a->err);
}

static int make(struct report_call *c, struct err *err)
{
    struct answer a = { c, err };
    int64_t time_ms = arg_integer(c, "time_ms", c->limits.time_ms);
    int64_t rows = arg_integer(c, "rows", (int64_t)MIN(c->limits.rows_max, INT64_MAX));

    if (time_ms < 1 || rows < 1)
        return err_set(err, ERR_INVALID, "report query: time_ms and rows are at least 1");
    struct store_query limits = { .time_ms = (uint32_t)MIN(time_ms, (int64_t)c->limits.time_ms),
                                  .rows_max = MIN((uint64_t)rows, c->limits.rows_max) };
    int rc = store_query(c->s, arg_text(c, "sql", ""), &limits, on_row, &a, err);
    const bool cut = rc == ERR_LIMIT && report_fits(c, NULL) == 0;

    if (rc && !cut)
        return rc;
    jsonw_close(&c->w, ']');
    jsonw_bool(&c->w, "truncated", cut);
    return 0;
}

const struct report report_query = { "query", "SQL, reading only: columns and rows.", args, make };
