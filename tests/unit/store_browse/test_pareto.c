/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the front is exact over all runs, whatever is drawn of the cloud; the cloud is small and
 * has every spot. Method: random runs with ties; every run is held against every other. */
#include "tests/unit/store_browse/sweep.h"

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/browse/pareto.h"

struct dot {
    uint64_t run;
    double x, y;
};
struct dots {
    struct dot *dot;
    size_t len;
};

static int take_dot(const char *const *names, const struct store_value *v, size_t columns,
                    void *arg)
{
    struct dots *d = arg;

    (void)names;
    (void)columns;
    if (v)
        d->dot[d->len++] = (struct dot){ (uint64_t)v[0].i, v[1].r, v[2].r };
    return 0;
}

static struct json *ask(struct grids *g, const struct pareto_question *q)
{
    struct buf out = { 0 };
    struct jsonw w = { .to = &out };
    struct json *v;

    jsonw_open(&w, '{');
    OK(pareto_put(g, q, &w, err));
    jsonw_close(&w, '}');
    OK(json_parse(buf_str(&out), out.len, &v, err));
    buf_release(&out);
    return v;
}

static bool drawn(const struct json *points, uint64_t run)
{
    for (size_t i = 0; i < json_len(points); i++)
        if ((uint64_t)json_integer(json_get(json_at(points, i), "run"), 0) == run)
            return true;
    return false;
}

/* SX, SY: 1 when less is better. */
static void check_front(const struct json *v, const struct dots *d, double sx, double sy)
{
    const struct json *front = json_get(v, "front");
    size_t best = 0;

    for (size_t i = 0; i < d->len; i++) {
        bool beaten = false;

        for (size_t k = 0; k < d->len && !beaten; k++) {
            double dx = sx * (d->dot[k].x - d->dot[i].x), dy = sy * (d->dot[k].y - d->dot[i].y);

            /* Of equal ones the first run stands on the front. */
            beaten = dx <= 0 && dy <= 0 && (dx < 0 || dy < 0 || k < i);
        }
        best += !beaten;
        bool there = false;
        for (size_t k = 0; k < json_len(front) && !there; k++)
            there = (uint64_t)json_integer(json_at(json_at(front, k), 2), 0) == d->dot[i].run;
        if (there == beaten)
            fail_msg("run %llu is %son the front", (unsigned long long)d->dot[i].run,
                     there ? "wrongly " : "not ");
        if (there)
            assert_true(drawn(json_get(v, "points"), d->dot[i].run));
    }
    assert_int_equal(best, json_len(front));
    assert_int_equal(json_integer(json_get(v, "of"), 0), d->len);
}

static void load(struct fixture *f, const char *text, struct dots *d)
{
    struct store *s;

    d->len = 0;
    OK(store_open_read(&s, f->path, err));
    OK(store_query(s, text, NULL, take_dot, d, err));
    store_close(s);
}

static void the_front_is_exact(void **state)
{
    struct fixture *f = *state;
    const char *const some[] = { "seed~le~1", NULL };
    struct dots d = { .dot = mem_calloc(2000, sizeof *d.dot) };
    struct pareto_question q = { .experiment = 1, .x = "seconds", .y = "accuracy" };
    struct grids *g;
    struct json *v;

    fill(f, 1, 1500, 1);
    OK(grids_new(&g, f->path, 64 << 20, err));
    load(f, "SELECT run, seconds, accuracy FROM run_summary WHERE accuracy IS NOT NULL", &d);
    v = ask(g, &q);
    check_front(v, &d, 1, -1);
    json_free(v);
    q.better_x = "higher";
    q.better_y = "lower";
    v = ask(g, &q);
    check_front(v, &d, -1, 1);
    json_free(v);
    q = (struct pareto_question){ .experiment = 1, .x = "seconds", .y = "oracle", .filters = some };
    load(f,
         "SELECT run, seconds, oracle FROM run_summary JOIN run ON run.id = run WHERE oracle IS "
         "NOT NULL AND seed <= 1",
         &d);
    v = ask(g, &q);
    check_front(v, &d, 1, -1);
    assert_int_equal(json_len(json_get(v, "groups")), 6);
    json_free(v);
    grids_free(g);
    free(d.dot);
}

static void large_clouds_are_thinned(void **state)
{
    struct fixture *f = *state;
    struct dots d = { .dot = mem_calloc(12000, sizeof *d.dot) };
    struct pareto_question q = { .experiment = 1, .x = "run", .y = "accuracy", .by = "" };
    struct grids *g;
    struct json *v;

    fill(f, 1, 10, 2);
    sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) "
           "INSERT INTO run (experiment, digest, seed, revision) SELECT 1, randomblob(32), 1, 1 "
           "FROM n");
    sql(f, "UPDATE run_summary SET accuracy = abs(random() %% 100000) / 100000.0");
    OK(grids_new(&g, f->path, 64 << 20, err));
    load(f, "SELECT run, run * 1.0, accuracy FROM run_summary", &d);
    v = ask(g, &q);
    check_front(v, &d, 1, -1);
    assert_true(json_len(json_get(v, "points")) <=
                PARETO_POINTS_MAX + json_len(json_get(v, "front")));
    assert_true(json_len(json_get(v, "points")) > PARETO_POINTS_MAX / 4);
    json_free(v);
    grids_free(g);
    free(d.dot);
}

static void axes_are_checked(void **state)
{
    struct fixture *f = *state;
    struct pareto_question q = { .experiment = 1, .x = "secnds" };
    struct buf out = { 0 };
    struct jsonw w = { .to = &out };
    struct grids *g;

    fill(f, 1, 20, 3);
    OK(grids_new(&g, f->path, 64 << 20, err));
    FAILS(ERR_INVALID, "did you mean \"seconds\"", pareto_put(g, &q, &w, err));
    q = (struct pareto_question){ .experiment = 1, .x = "method" };
    FAILS(ERR_INVALID, "is no number", pareto_put(g, &q, &w, err));
    q = (struct pareto_question){ .experiment = 1, .better_y = "more" };
    FAILS(ERR_INVALID, "higher or lower", pareto_put(g, &q, &w, err));
    buf_release(&out);
    grids_free(g);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_front_is_exact),
        T(large_clouds_are_thinned),
        T(axes_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
