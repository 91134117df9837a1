/* SPDX-License-Identifier: Apache-2.0 */
/* api_tables.c - the tables of an experiment's recipe, as numbers or as text to paste: GET
 * experiments/:id/tables, and what stands behind a number: experiments/:id/tables/cell. */
#include <string.h>

#include "common/base/nearest.h"
#include "dashboards/api_labels.h"
#include "store/read.h"
#include "store/store.h"
#include "store/tables/tables.h"

struct listing {
    struct api_call *c;
    struct jsonw w;
    bool titles;
    struct buf errors, text; /* elements of a list; all tables as the command prints them */
    enum table_format format;
    size_t made, failed, of;
    int last; /* how the last one failed */
};

static void listing_release(struct listing *l)
{
    buf_release(&l->errors);
    buf_release(&l->text);
}

static void put_error(struct listing *l, const struct tables_one *t)
{
    struct jsonw w = { .to = &l->errors, .comma = l->failed > 0 };

    jsonw_open(&w, '{');
    jsonw_int(&w, "number", (int64_t)t->number);
    jsonw_text(&w, "name", t->title);
    if (t->rc == ERR_TIMEOUT)
        jsonw_text(&w, "text", "it took too long together with the others; ask for it alone");
    else
        jsonw_text(&w, "text", t->text);
    jsonw_text(&w, "code", err_name(t->rc));
    jsonw_close(&w, '}');
    l->failed++;
    l->last = t->rc;
}

/* A table as `drover table --format json` gives it, with its number. */
static void put_json(struct listing *l, const struct tables_one *t)
{
    const char *text = strchr(t->text, '{');

    jsonw_open(&l->w, '{');
    jsonw_int(&l->w, "number", (int64_t)t->number);
    if (text && text[1 + strspn(text + 1, " \n")] != '}') { /* its members join these */
        buf_addc(l->w.to, ',');
        buf_add(l->w.to, text + 1, (size_t)(strrchr(text, '}') - text - 1));
    }
    jsonw_close(&l->w, '}');
}

static int take_table(const struct tables_one *t, void *arg)
{
    struct listing *l = arg;

    l->of = t->of;
    if (t->rc) {
        put_error(l, t);
        return 0;
    }
    if (l->titles) {
        jsonw_open(&l->w, '{');
        jsonw_int(&l->w, "number", (int64_t)t->number);
        jsonw_text(&l->w, "title", t->title);
        jsonw_close(&l->w, '}');
    } else if (l->format == TABLE_JSON)
        put_json(l, t);
    else {
        jsonw_open(&l->w, '{');
        jsonw_int(&l->w, "number", (int64_t)t->number);
        jsonw_text(&l->w, "title", t->title);
        jsonw_text(&l->w, "text", t->text);
        jsonw_close(&l->w, '}');
        buf_printf(&l->text, "%s%s", l->made ? "\n" : "", t->text);
    }
    l->made++;
    return 0;
}

static int read_format(const char *word, enum table_format *ret, struct err *err)
{
    const char *const *words = table_format_words();

    *ret = TABLE_JSON;
    for (int i = 0; word && words[i]; i++)
        if (strcmp(words[i], word) == 0) {
            *ret = (enum table_format)i;
            return 0;
        }
    if (!word)
        return 0;
    const char *near = nearest_find(word, words);
    return err_set(err, ERR_INVALID,
                   "format: \"%.40s\" is none of text, markdown, csv, latex, json%s%s%s", word,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* One table alone may take so many times as long as another answer: resampling takes seconds. */
enum { PATIENCE = 4 };

static int too_slow(const struct api_call *c, const char *name, int64_t number, struct err *err)
{
    if (number > 0)
        return err_set(
            err, ERR_TIMEOUT,
            "it took longer than %u ms and was stopped; without a limit: drover table "
            "'%.200s' --table %lld --store '%.300s'; or begin the dashboard with --time-ms %u",
            PATIENCE * c->time_ms, name, (long long)number, store_path(c->store), 10 * c->time_ms);
    return err_set(err, ERR_TIMEOUT,
                   "the tables took longer than %u ms and were stopped; ask for one alone (only=N)",
                   c->time_ms);
}

/* NOTE: why there are none; NULL: there may be some. */
static void put_answer(struct listing *l, const struct buf *list, const char *note)
{
    struct jsonw w = { .to = l->c->out };

    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_text(&w, "format", table_format_words()[l->format]);
    jsonw_int(&w, "of", (int64_t)l->of);
    jsonw_open_at(&w, "tables", '[');
    buf_add(w.to, buf_str(list), list->len);
    jsonw_close(&w, ']');
    jsonw_open_at(&w, "errors", '[');
    buf_add(w.to, buf_str(&l->errors), l->errors.len);
    jsonw_close(&w, ']');
    if (l->format != TABLE_JSON)
        jsonw_text(&w, "text", buf_str(&l->text));
    if (note)
        jsonw_text(&w, "note", note);
    jsonw_close(&w, '}');
}

int api_tables(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "format", "only",     "footer", "strict",
                                         "titles", "families", NULL };
    struct buf list CLEANUP(buf_release) = { 0 }, name CLEANUP(buf_release) = { 0 };
    struct listing l CLEANUP(listing_release) = { .c = c, .w = { .to = &list } };
    int64_t only = 0, footer = 1, strict = 0, titles = 0, families = 0;
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    rc = rc ? rc : request_id(c->request, 1, &id, err);
    rc = rc ? rc : read_format(api_text(c->request, "format"), &l.format, err);
    rc = rc ? rc : request_integer(c->request, "only", 0, 0, 10000, &only, err);
    rc = rc ? rc : request_integer(c->request, "footer", 1, 0, 1, &footer, err);
    rc = rc ? rc : request_integer(c->request, "strict", 0, 0, 1, &strict, err);
    rc = rc ? rc : request_integer(c->request, "titles", 0, 0, 1, &titles, err);
    rc = rc ? rc : request_integer(c->request, "families", 0, 0, 1, &families, err);
    rc = rc ? rc : label_experiment_name(c->store, id, &name, err);
    if (rc)
        return rc;
    l.titles = titles != 0;
    const struct table_options options = { .strict = strict != 0,
                                           .no_footer = footer == 0,
                                           .only = (size_t)only,
                                           .brief = families == 0,
                                           .titles = titles != 0 };
    if (only)
        store_time_limit(c->store, PATIENCE * c->time_ms);
    rc = tables_each(c->store, NULL, NULL, buf_str(&name), &options, l.format, take_table, &l, err);
    if (rc == ERR_TIMEOUT || (!rc && l.made == 0 && l.last == ERR_TIMEOUT))
        return too_slow(c, buf_str(&name), only, err);
    /* An experiment that has begun only: nothing to show yet is an answer. */
    const bool none = rc == ERR_NOT_FOUND && titles;
    if (none)
        rc = 0;
    if (!rc && list.len + l.text.len > API_BYTES_MAX)
        rc = err_set(err, ERR_LIMIT,
                     "the tables take more than %d MiB; ask for one of them (only=N)",
                     API_BYTES_MAX >> 20);
    if (!rc)
        put_answer(&l, &list, none ? err->text : NULL);
    if (none)
        *err = (struct err){ 0 };
    return rc;
}

int api_cell(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "table", "row", "column", NULL };
    const char *row = api_text(c->request, "row"), *column = api_text(c->request, "column");
    struct buf name CLEANUP(buf_release) = { 0 };
    int64_t table = 0;
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    rc = rc ? rc : request_id(c->request, 1, &id, err);
    rc = rc ? rc : request_integer(c->request, "table", 0, 0, 10000, &table, err);
    if (!rc && !(row && column))
        rc =
            err_set(err, ERR_INVALID,
                    "which cell? table=N&row=R&column=C; rows and columns of numbers count from 1, "
                    "or are named: row=level=3&column=GSM8K/acc");
    rc = rc ? rc : label_experiment_name(c->store, id, &name, err);
    store_time_limit(c->store, PATIENCE * c->time_ms);
    rc = rc ? rc
            : tables_cell(c->store, NULL, NULL, buf_str(&name), (size_t)table, row, column, c->out,
                          err);
    return rc == ERR_TIMEOUT ? too_slow(c, buf_str(&name), table, err) : rc;
}
