/* SPDX-License-Identifier: Apache-2.0 */
/* report_schema.c - what is there to ask: views first, each column with its meaning. Names and
 * order of the columns come from the database, the words from docs/tables.md:
 *
 *   ### `view`: one row per ...          ## Tables
 *   | column[, column] | type | meaning |  | table | one row is | columns worth knowing | */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/reports/private.h"
#include "store/store_private.h"

static const struct report_arg args[] = { { "name", ARG_TEXT, false }, { 0 } };

enum { NAMES_MAX = 128 };

/* The cells of a Markdown row at LINE, without blanks around them; false when it is none. */
struct cell {
    const char *at;
    size_t len;
};
static bool split_row(const char *line, struct cell cell[3])
{
    if (strncmp(line, "| ", 2) != 0)
        return false;
    line++;
    for (int i = 0; i < 3; i++) {
        const char *end = line + strcspn(line, "|\n");

        if (*end != '|')
            return false;
        while (line < end && *line == ' ')
            line++;
        cell[i] = (struct cell){ line, (size_t)(end - line) };
        while (cell[i].len && cell[i].at[cell[i].len - 1] == ' ')
            cell[i].len--;
        line = end + 1;
    }
    return true;
}

/* Which of the names in C ("task, level, split") is NAME: 0, 1...; -1: none of them. */
static int name_in(struct cell c, const char *name)
{
    const size_t len = strlen(name);

    for (int i = 0; c.len; i++) {
        const char *comma = memchr(c.at, ',', c.len);
        const size_t one = comma ? (size_t)(comma - c.at) : c.len;

        if (one == len && memcmp(c.at, name, len) == 0)
            return i;
        c.at += one;
        c.len -= one;
        while (c.len && (*c.at == ',' || *c.at == ' '))
            c.at++, c.len--;
    }
    return -1;
}

/* The I-th of the parts in C, or all of it when it has no so many. */
static struct cell part(struct cell c, int i)
{
    struct cell rest = c;

    for (; i > 0; i--) {
        const char *comma = memchr(rest.at, ',', rest.len);
        if (!comma)
            return c;
        rest.len -= (size_t)(comma - rest.at) + 1;
        rest.at = comma + 1;
        while (rest.len && *rest.at == ' ')
            rest.at++, rest.len--;
    }
    const char *comma = memchr(rest.at, ',', rest.len);
    if (comma)
        rest.len = (size_t)(comma - rest.at);
    return rest;
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

/* The row about COLUMN in the section that starts at SECTION. */
static bool find_column(const char *section, const char *column, struct cell cell[3], int *ret_i)
{
    for (const char *line = section; *line; line = next_line(line)) {
        if (line != section && strncmp(line, "##", 2) == 0)
            return false;
        if (split_row(line, cell) && (*ret_i = name_in(cell[0], column)) >= 0)
            return true;
    }
    return false;
}

static void put_cell(struct jsonw *w, const char *key, struct cell c)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    buf_add(&text, c.at, c.len);
    jsonw_text(w, key, c.len ? buf_str(&text) : NULL);
}

static const char *view_section(const char *name)
{
    struct buf head CLEANUP(buf_release) = { 0 };

    buf_printf(&head, "\n### `%s`: ", name);
    const char *at = strstr(tables_manual, buf_str(&head));
    return at ? at + 1 : NULL;
}

static void put_column_words(struct jsonw *w, const char *section, const char *name,
                             const char *type)
{
    struct cell cell[3];
    int i = 0;
    const bool told = section && find_column(section, name, cell, &i);

    jsonw_open(w, '{');
    jsonw_text(w, "name", name);
    if (told)
        put_cell(w, "type", part(cell[1], i));
    else
        jsonw_text(w, "type", type);
    put_cell(w, "about", told ? cell[2] : (struct cell){ 0 });
    jsonw_close(w, '}');
}

static int put_columns(struct report_call *c, const char *name, const char *section,
                       struct err *err)
{
    struct stmt *st = USE(c->s, REPORT_COLUMNS);
    int rc;

    stmt_text(st, ":name", name);
    jsonw_open_at(&c->w, "columns", '[');
    while ((rc = stmt_step(st, err)) > 0)
        put_column_words(&c->w, section, stmt_col_text(st, 0), stmt_col_text(st, 1));
    jsonw_close(&c->w, ']');
    return rc;
}

static int put_view(struct report_call *c, const char *name, struct err *err)
{
    const char *section = view_section(name), *about = section ? strchr(section, ':') + 2 : NULL;

    jsonw_text(&c->w, "name", name);
    put_cell(&c->w, "about",
             about ? (struct cell){ about, strcspn(about, "\n") } : (struct cell){ 0 });
    return put_columns(c, name, section, err);
}

static int put_table(struct report_call *c, const char *name, struct err *err)
{
    const char *section = strstr(tables_manual, "\n## Tables\n");
    struct cell cell[3] = { 0 };
    int i;

    if (!section || !find_column(section + 1, name, cell, &i))
        memset(cell, 0, sizeof(cell));
    jsonw_text(&c->w, "name", name);
    put_cell(&c->w, "about", cell[1]);
    put_cell(&c->w, "worth_knowing", cell[2]);
    return put_columns(c, name, NULL, err);
}

/* ---- names ---- */

struct names {
    char *name[NAMES_MAX + 1];
    bool view[NAMES_MAX];
    size_t len;
};

static void names_release(struct names *n)
{
    for (size_t i = 0; i < n->len; i++)
        free(n->name[i]);
}

static int load_names(struct store *s, struct names *n, struct err *err)
{
    struct stmt *st = USE(s, REPORT_NAMES);
    int rc;

    while ((rc = stmt_step(st, err)) > 0) {
        if (n->len == NAMES_MAX) {
            stmt_reset(st);
            return 0;
        }
        n->view[n->len] = strcmp(stmt_col_text(st, 0), "view") == 0;
        n->name[n->len++] = mem_strdup(stmt_col_text(st, 1));
    }
    return rc;
}

static int check_name(const struct names *n, const char *only, struct err *err)
{
    for (size_t i = 0; i < n->len; i++)
        if (strcmp(n->name[i], only) == 0)
            return 0;
    const char *near = nearest_find(only, (const char *const *)n->name);
    return err_set(err, ERR_NOT_FOUND, "no table or view \"%.60s\"%s%s%s", only,
                   near ? "; did you mean \"" : "; drover query --schema lists them",
                   near ? near : "", near ? "\"?" : "");
}

static int make(struct report_call *c, struct err *err)
{
    struct names n CLEANUP(names_release) = { .len = 0 };
    const char *only = arg_text(c, "name", NULL);
    int rc = load_names(c->s, &n, err);

    if (!rc && only)
        rc = check_name(&n, only, err);
    for (int view = 1; view >= 0; view--) {
        jsonw_open_at(&c->w, view ? "views" : "tables", '[');
        for (size_t i = 0; !rc && i < n.len; i++) {
            if (n.view[i] != view || (only && strcmp(only, n.name[i]) != 0))
                continue;
            jsonw_open(&c->w, '{');
            rc = view ? put_view(c, n.name[i], err) : put_table(c, n.name[i], err);
            jsonw_close(&c->w, '}');
        }
        jsonw_close(&c->w, ']');
    }
    return rc;
}

const struct report report_schema = { "schema", "Views, tables and their columns, explained.", args,
                                      make };
