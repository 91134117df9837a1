/* SPDX-License-Identifier: Apache-2.0 */
/* api_sql.c - people's own SQL, reading only: POST query {"sql", "rows", "time_ms"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "dashboards/api_labels.h"
#include "store/store.h"

enum {
    TIME_MS = 5000,
    TIME_FACTOR = 6, /* what people may ask for, in times of the server's limit */
    ROWS = 10000,
    MEMORY_BYTES = 256 << 20,
};
/* A number that JavaScript keeps; larger ones go as text. */
#define SAFE_INTEGER INT64_C(9007199254740991)

/* ---- the question ---- */

struct question {
    const char *sql;
    int64_t rows, time_ms, time_max;
    struct err *err;
};

static int take_number(const char *key, const struct json *v, int64_t most, int64_t *ret,
                       struct err *err)
{
    if (!json_is_integer(v) || json_integer(v, 0) < 1 || json_integer(v, 0) > most)
        return err_set(err, ERR_INVALID, "%s is a whole number from 1 to %lld", key,
                       (long long)most);
    *ret = json_integer(v, 0);
    return 0;
}

static int take_member(const char *key, struct json *v, void *arg)
{
    static const char *const names[] = { "sql", "rows", "time_ms", NULL };
    struct question *q = arg;

    if (strcmp(key, "sql") == 0) {
        q->sql = json_text(v);
        if (!q->sql || strlen(q->sql) != json_text_len(v))
            return err_set(q->err, ERR_INVALID, "sql is a text");
        return 0;
    }
    if (strcmp(key, "rows") == 0)
        return take_number("rows", v, API_ROWS_MAX, &q->rows, q->err);
    if (strcmp(key, "time_ms") == 0)
        return take_number("time_ms", v, q->time_max, &q->time_ms, q->err);
    const char *near = nearest_find(key, names);
    return err_set(q->err, ERR_INVALID, "a query has no \"%.60s\"%s%s%s", key,
                   near ? "; did you mean \"" : "; it has sql, rows and time_ms", near ? near : "",
                   near ? "\"?" : "");
}

static int read_question(const struct request *r, struct question *q, struct json **root,
                         struct err *err)
{
    struct err why = { 0 };
    int rc = r->body_len ? json_parse(r->body, r->body_len, root, &why) : ERR_INVALID;

    if (rc)
        return err_set(err, ERR_INVALID,
                       "the body is no JSON object {\"sql\": \"SELECT...\"}%s%.200s",
                       why.text[0] ? ": " : "", why.text);
    if (!json_is_object(*root))
        return err_set(err, ERR_INVALID, "the body is no JSON object {\"sql\": \"SELECT...\"}");
    q->err = err;
    rc = json_each(*root, take_member, q);
    if (!rc && !q->sql)
        rc = err_set(err, ERR_INVALID, "sql is missing: {\"sql\": \"SELECT...\"}");
    return rc;
}

/* ---- the answer ---- */

/* What a column's values are, for charts: all of them numbers, times, or else texts. */
struct column {
    uint64_t values, numbers, times;
};

struct answer {
    struct jsonw w;
    size_t most; /* bytes */
    struct column *column;
    char **name;
    size_t columns;
    uint64_t rows;
    struct err *err;
};

static void answer_release(struct answer *a)
{
    for (size_t i = 0; a->name && i < a->columns; i++)
        free(a->name[i]);
    free(a->name);
    free(a->column);
}

/* "2026-11-22", "2026-11-22T16:49:03.123Z", "2026-11-22 16:49:03" */
static bool is_time(const char *s, size_t len)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    size_t i = 0;

    for (; i < len && i < sizeof form - 1; i++) {
        const bool fits = form[i] == 'd'   ? s[i] >= '0' && s[i] <= '9'
                          : form[i] == ' ' ? s[i] == ' ' || s[i] == 'T'
                                           : s[i] == form[i];
        if (!fits)
            return false;
    }
    return i == 10 || i == 16 || i == sizeof form - 1;
}

static void put_value(struct answer *a, size_t i, const struct store_value *v)
{
    struct column *c = &a->column[i];
    struct jsonw *w = &a->w;

    c->values += v->type != STORE_NULL;
    switch (v->type) {
    case STORE_NULL:
        jsonw_null(w, NULL);
        break;
    case STORE_INTEGER:
        c->numbers++;
        if (v->i > SAFE_INTEGER || v->i < -SAFE_INTEGER) {
            char text[32];

            snprintf(text, sizeof text, "%lld", (long long)v->i);
            jsonw_text(w, NULL, text);
            break;
        }
        jsonw_int(w, NULL, v->i);
        break;
    case STORE_REAL:
        c->numbers++;
        jsonw_real(w, NULL, v->r);
        break;
    case STORE_TEXT:
        c->times += is_time(v->text, v->text_len);
        jsonw_text_len(w, NULL, v->text, v->text_len);
        break;
    case STORE_BYTES:
        jsonw_text_len(w, NULL, v->text, v->text_len);
        break;
    }
}

static int take_row(const char *const *names, const struct store_value *values, size_t columns,
                    void *arg)
{
    struct answer *a = arg;

    if (!values) {
        a->columns = columns;
        a->column = mem_calloc(MAX(columns, 1), sizeof *a->column);
        a->name = mem_calloc(MAX(columns, 1), sizeof *a->name);
        jsonw_open_at(&a->w, "columns", '[');
        for (size_t i = 0; i < columns; i++) {
            a->name[i] = mem_strdup(names[i] ? names[i] : "");
            jsonw_text(&a->w, NULL, a->name[i]);
        }
        jsonw_close(&a->w, ']');
        jsonw_open_at(&a->w, "rows", '[');
        return 0;
    }
    const size_t start = a->w.to->len;
    const bool comma = a->w.comma;
    jsonw_open(&a->w, '[');
    for (size_t i = 0; i < columns; i++)
        put_value(a, i, &values[i]);
    jsonw_close(&a->w, ']');
    if (a->w.to->len > a->most) { /* this row does not fit any more */
        a->w.to->len = start;
        a->w.to->data[start] = '\0';
        a->w.comma = comma;
        return err_set(a->err, ERR_LIMIT, "the answer is longer than %d MiB", API_BYTES_MAX >> 20);
    }
    a->rows++;
    return 0;
}

/* Numbers that are called so, and lie in 2001..2100 as milliseconds, are times. */
static const char *kind_of(const struct column *c, const char *name)
{
    const size_t len = strlen(name);

    if (c->values == 0)
        return "text";
    if (c->numbers == c->values)
        return len > 3 && strcmp(name + len - 3, "_ms") == 0 &&
                       (strstr(name, "ended") || strstr(name, "started") || strstr(name, "at_ms") ||
                        strstr(name, "first_ms") || strstr(name, "last_ms") ||
                        strstr(name, "submitted"))
                   ? "time"
                   : "number";
    return c->times == c->values ? "time" : "text";
}

/* WHY there are no more rows; NULL: these are all. */
static void put_end(struct answer *a, const char *why, uint64_t ms, struct jsonw *w)
{
    jsonw_close(w, ']');
    jsonw_open_at(w, "kinds", '[');
    for (size_t i = 0; i < a->columns; i++)
        jsonw_text(w, NULL, kind_of(&a->column[i], a->name[i]));
    jsonw_close(w, ']');
    jsonw_int(w, "n", (int64_t)a->rows);
    jsonw_bool(w, "truncated", why != NULL);
    jsonw_text(w, "why", why);
    jsonw_int(w, "ms", (int64_t)ms);
    jsonw_close(w, '}');
}

int api_query(struct api_call *c, struct err *err)
{
    static const char *const names[] = { NULL };
    struct json *root CLEANUP(json_cleanup) = NULL;
    struct question q = { .rows = ROWS,
                          .time_ms = MIN(TIME_MS, (int64_t)c->time_ms),
                          .time_max = (int64_t)c->time_ms * TIME_FACTOR };
    struct answer a CLEANUP(answer_release) = { .w = { .to = c->out },
                                                .most = c->out->len + API_BYTES_MAX - (1 << 17) };
    struct err why = { 0 };
    const uint64_t start = clock_ms();
    int rc = request_only(c->request, names, err);

    rc = rc ? rc : read_question(c->request, &q, &root, err);
    if (rc)
        return rc;
    const struct store_query limits = { .time_ms = (uint32_t)q.time_ms,
                                        .rows_max = (uint64_t)q.rows,
                                        .memory_max = MEMORY_BYTES };
    jsonw_open(&a.w, '{');
    jsonw_int(&a.w, "version", 1);
    a.err = &why;
    rc = store_query(c->store, q.sql, &limits, take_row, &a, &why);
    const bool cut = rc == ERR_LIMIT && a.rows > 0;
    if (rc == ERR_TIMEOUT)
        return err_set(err, ERR_TIMEOUT,
                       "the query took longer than %lld ms and was stopped; narrow it (WHERE, "
                       "LIMIT, an indexed column), or give it more time (time_ms, at most %lld)",
                       (long long)q.time_ms, (long long)q.time_max);
    if (rc && !cut)
        return err_set(err, (enum err_code)rc, "%s", why.text);
    put_end(&a, cut ? why.text : NULL, clock_ms() - start, &a.w);
    return 0;
}
