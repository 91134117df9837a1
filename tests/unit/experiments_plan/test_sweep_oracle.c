/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: entries, conditions, absent steps, exclusions and duplicates together give the right set of
 * runs. Method: random recipes of grids, zips and points in any order, against an oracle that goes
 * through the whole product and knows nothing of the planner's way. */
#include "tests/unit/experiments_plan/recipes.h"

#include "common/base/mem.h"
#include "common/base/rng.h"

enum { COLUMNS = 6, OWN = 0 };
static const char *const columns[COLUMNS] = { "a.stage",  "a.points", "b.stage",
                                              "b.points", "c.stage",  "seed" };

/* One random entry: rows of some of the columns, and a condition "columns[WHEN] == IS". */
struct entry {
    int column[3], width, rows;
    int value[4][3]; /* -1: not given (points) */
    int when, is;    /* -1: none */
};

struct case_ {
    struct entry entry[4];
    int len;
    int absent_when, absent_is; /* step c is there where columns[...] != ... */
    int drop, drop_is;          /* excluded where columns[...] == ... */
};

static void random_case(struct rng *r, struct case_ *c)
{
    int free_columns[COLUMNS], left = COLUMNS;

    for (int i = 0; i < COLUMNS; i++)
        free_columns[i] = i;
    rng_shuffle(r, free_columns, COLUMNS, sizeof(int));
    *c = (struct case_){ .len = 1 + (int)rng_below(r, 4) };
    for (int i = 0; i < c->len; i++) {
        struct entry *e = &c->entry[i];
        e->width = 1 + (int)rng_below(r, left > 3 && i > 0 ? 2 : 1);
        e->rows = 1 + (int)rng_below(r, 4);
        for (int k = 0; k < e->width; k++)
            e->column[k] = free_columns[--left];
        /* only earlier or later entries in a fixed order: no circle */
        e->when = -1;
        if (i > 0 && rng_below(r, 2)) {
            const struct entry *f = &c->entry[rng_below(r, (uint32_t)i)];
            e->when = f->column[rng_below(r, (uint32_t)f->width)];
            e->is = (int)rng_below(r, 3);
        }
        const bool holes = e->width > 1 && rng_below(r, 2);
        for (int row = 0; row < e->rows; row++)
            for (int k = 0; k < e->width; k++)
                e->value[row][k] = holes && rng_below(r, 3) == 0 ? -1
                                   : e->width == 1               ? row
                                                                 : (int)rng_below(r, 3);
    }
    c->absent_when = rng_below(r, 2) ? (int)rng_below(r, 2) : -1;
    c->absent_is = (int)rng_below(r, 3);
    c->drop = rng_below(r, 2) ? (int)rng_below(r, COLUMNS) : -1;
    c->drop_is = (int)rng_below(r, 4);
}

static void print_cell(int column, int value, struct buf *out)
{
    const char *dot = strchr(columns[column], '.');

    if (dot)
        buf_printf(out, "%c_%s = %d; ", columns[column][0], dot + 1, value);
    else
        buf_printf(out, "seed = %d; ", value);
}

static void print_points(const struct entry *e, struct buf *out)
{
    buf_adds(out, "{ points = ( ");
    for (int row = 0; row < e->rows; row++) {
        buf_adds(out, row ? ", { " : "{ ");
        for (char step = 'a'; step <= 'c'; step++) {
            buf_printf(out, "%c = { ", step);
            for (int k = 0; k < e->width; k++) {
                const char *dot = strchr(columns[e->column[k]], '.');
                if (dot && columns[e->column[k]][0] == step && e->value[row][k] >= 0)
                    buf_printf(out, "%s = %d; ", dot + 1, e->value[row][k]);
            }
            buf_adds(out, "}; ");
        }
        for (int k = 0; k < e->width; k++)
            if (!strchr(columns[e->column[k]], '.') && e->value[row][k] >= 0)
                print_cell(e->column[k], e->value[row][k], out);
        buf_adds(out, "}");
    }
    buf_adds(out, " ); ");
}

static void print_case(const struct case_ *c, const int *order, struct buf *out)
{
    buf_adds(out, "name = \"t\"; steps = ( { id = \"a\"; job = \"noop\"; stage = 0; points = 0; },"
                  "{ id = \"b\"; job = \"noop\"; stage = 0; points = 0; },"
                  "{ id = \"c\"; job = \"noop\"; stage = 0; ");
    if (c->absent_when >= 0)
        buf_printf(out, "when = \"%s != %d\"; ", columns[c->absent_when], c->absent_is);
    buf_adds(out, "} ); sweep = ( ");
    for (int n = 0; n < c->len; n++) {
        const struct entry *e = &c->entry[order[n]];
        bool holes = e->width > 1 && e->rows % 2;
        for (int row = 0; row < e->rows; row++)
            for (int k = 0; k < e->width; k++)
                holes = holes || e->value[row][k] < 0;
        buf_adds(out, n ? ", " : "");
        if (holes)
            print_points(e, out);
        for (int k = 0; !holes && k < e->width; k++) {
            buf_printf(out, "%s{ set = \"%s\"; values = [",
                       e->width == 1 ? ""
                       : k           ? ", "
                                     : "{ zip = ( ",
                       columns[e->column[k]]);
            for (int row = 0; row < e->rows; row++)
                buf_printf(out, "%s%d", row ? ", " : "", e->value[row][k]);
            buf_adds(out, e->width == 1 ? "]; " : k == e->width - 1 ? "]; } ); " : "]; }");
        }
        if (e->when >= 0)
            buf_printf(out, "when = \"%s == %d\"; ", columns[e->when], e->is);
        buf_addc(out, '}');
    }
    buf_adds(out, " ); ");
    if (c->drop >= 0)
        buf_printf(out, "exclude = ( \"%s == %d\" );", columns[c->drop], c->drop_is);
}

/* The values of a point of the whole product: entry i has row ROW[i] unless its condition fails.
 * Conditions name entries before, so that one pass in that order is enough. */
static bool oracle_point(const struct case_ *c, const int *row, int value[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++)
        value[i] = strcmp(columns[i], "seed") == 0 ? 1 : OWN;
    for (int i = 0; i < c->len; i++) {
        const struct entry *e = &c->entry[i];
        if (e->when >= 0 && value[e->when] != e->is)
            continue;
        for (int k = 0; k < e->width; k++)
            if (e->value[row[i]][k] >= 0)
                value[e->column[k]] = e->value[row[i]][k];
    }
    const bool absent = c->absent_when >= 0 && value[c->absent_when] == c->absent_is;
    if (absent && c->drop == 4) /* c.stage is not set */
        return true;
    return c->drop < 0 || value[c->drop] != c->drop_is;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, COLUMNS * sizeof(int));
}

/* The different points of C, sorted; parameters that are not swept, or of an absent step: -1. */
static size_t oracle(const struct case_ *c, int (*out)[COLUMNS])
{
    bool swept[COLUMNS] = { false };
    int row[4] = { 0 };
    size_t len = 0, n = 0;

    for (int i = 0; i < c->len; i++)
        for (int k = 0; k < c->entry[i].width; k++)
            for (int r = 0; r < c->entry[i].rows; r++)
                swept[c->entry[i].column[k]] |= c->entry[i].value[r][k] >= 0;
    for (bool more = true; more;) {
        int *value = out[len];
        if (oracle_point(c, row, value)) {
            if (c->absent_when >= 0 && value[c->absent_when] == c->absent_is)
                value[4] = -1; /* c.stage */
            for (int i = 0; i < COLUMNS - 1; i++)
                value[i] = swept[i] ? value[i] : -1;
            len++;
        }
        int i = 0;
        while (i < c->len && ++row[i] == c->entry[i].rows)
            row[i++] = 0;
        more = i < c->len;
    }
    qsort(out, len, sizeof(*out), by_bytes);
    for (size_t i = 0; i < len; i++)
        if (i == 0 || memcmp(out[i], out[i - 1], sizeof(*out)) != 0)
            memmove(out[n++], out[i], sizeof(*out));
    return n;
}

static size_t planned(const struct plan *p, int (*out)[COLUMNS])
{
    for (size_t i = 0; i < p->runs_len; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            out[i][k] = strcmp(columns[k], "seed") == 0 ? (int)p->run[i].seed : -1;
            for (size_t v = 0; v < p->run[i].params_len; v++)
                if (strcmp(p->run[i].name[v], columns[k]) == 0 && *p->run[i].value[v])
                    out[i][k] = (int)strtol(p->run[i].value[v], NULL, 10);
        }
    }
    qsort(out, p->runs_len, sizeof(*out), by_bytes);
    return p->runs_len;
}

static void random_sweeps_agree_with_brute_force(void **state)
{
    static int expected[256][COLUMNS], is[256][COLUMNS];
    struct rng r = rng_stream("test sweep", 1, 0);
    size_t runs = 0, empty = 0;

    (void)state;
    for (int i = 0; i < 1500; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        int order[4] = { 0, 1, 2, 3 };
        struct case_ c;
        random_case(&r, &c);
        rng_shuffle(&r, order, (size_t)c.len, sizeof(int));
        print_case(&c, order, &text);
        size_t len = oracle(&c, expected);
        if (len == 0) {
            assert_refusal(buf_str(&text), NULL, "every point of the sweep is excluded");
            empty++;
            continue;
        }
        struct plan *p = make(buf_str(&text), NULL);
        if (planned(p, is) != len || memcmp(is, expected, len * sizeof(*is)) != 0)
            fail_msg("%zu runs, %zu expected: %s", p->runs_len, len, buf_str(&text));
        runs += len;
        plan_free(p);
    }
    assert_in_range(runs, 5000, 200000);
    assert_in_range(empty, 1, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sweeps_agree_with_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
