/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: docs/tables.md tells every view, column by column, and every table. Method: the schema of a
 * new store against the text; a name counts when it stands in the first cell of a row of the
 * section. */
#include "tests/unit/store/small_plan.h"

#include "common/base/buf.h"

struct checking {
    const char *manual, *view;
    size_t seen;
};

/* Is WORD a word of the first cell of one of the rows from AT to END? */
static bool in_first_cell(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);

    for (const char *line = at; line && line < end; line = strchr(line, '\n')) {
        const char *cell, *stop;

        line += *line == '\n';
        cell = line + 2;
        if (strncmp(line, "| ", 2) != 0 || !(stop = strchr(cell, '|')))
            continue;
        for (const char *p = cell; p + len <= stop; p++) {
            if (memcmp(p, word, len) == 0 && (p == cell || p[-1] == ' ') &&
                (p[len] == ' ' || p[len] == ','))
                return true;
        }
    }
    return false;
}

/* Of a query without rows: only the names come. */
static int check_columns(const char *const *names, const struct store_value *v, size_t columns,
                         void *arg)
{
    struct checking *c = arg;
    char head[96];
    const char *at, *end;

    assert_null(v);
    snprintf(head, sizeof head, "### `%s`", c->view);
    at = strstr(c->manual, head);
    if (!at)
        fail_msg("docs/tables.md has no section on view %s", c->view);
    end = strstr(at + 4, "\n##");
    for (size_t i = 0; i < columns; i++) {
        if (!in_first_cell(at, end ? end : at + strlen(at), names[i]))
            fail_msg("docs/tables.md does not tell column %s of view %s", names[i], c->view);
        c->seen++;
    }
    return 0;
}

struct views {
    char name[16][64];
    size_t len;
};

static int keep_view(const char *const *names, const struct store_value *v, size_t columns,
                     void *arg)
{
    struct views *views = arg;

    (void)names;
    (void)columns;
    if (v && views->len < 16)
        snprintf(views->name[views->len++], 64, "%s", v[0].text);
    return 0;
}

static int check_table(const char *const *names, const struct store_value *v, size_t columns,
                       void *arg)
{
    struct checking *c = arg;
    const char *at = strstr(c->manual, "## Tables\n");

    (void)names;
    (void)columns;
    if (!v)
        return 0;
    if (!at || !in_first_cell(at, strstr(at + 4, "\n## "), v[0].text))
        fail_msg("docs/tables.md does not tell table %s", v[0].text);
    c->seen++;
    return 0;
}

static void the_manual_tells_every_view_and_table(void **state)
{
    struct fixture *f = *state;
    struct buf manual = { 0 };
    struct checking c = { 0 };
    struct views views = { 0 };
    struct store *r;

    OK(buf_read_file(&manual, "docs/tables.md", 1 << 20, err));
    c.manual = buf_str(&manual);
    OK(store_open_read(&r, f->path, err));
    OK(store_query(r, "SELECT name FROM sqlite_schema WHERE type = 'view'", NULL, keep_view, &views,
                   err));
    assert_true(views.len >= 6);
    for (size_t i = 0; i < views.len; i++) {
        char sql[128];

        c.view = views.name[i];
        snprintf(sql, sizeof sql, "SELECT * FROM %s LIMIT 0", c.view);
        OK(store_query(r, sql, NULL, check_columns, &c, err));
    }
    assert_true(c.seen >= 60);
    c.seen = 0;
    OK(store_query(r,
                   "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                   "'sqlite_%'",
                   NULL, check_table, &c, err));
    assert_true(c.seen >= 20);
    store_close(r);
    buf_release(&manual);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_manual_tells_every_view_and_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
