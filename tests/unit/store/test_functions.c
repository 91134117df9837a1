/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: SQL says what common/stats says, in any order of rows, and refuses what is no number.
 * Method: values in a VALUES clause or from a recursive one, asked through store_query(). */
#include "tests/unit/store/fixture.h"

#include <math.h>

#include "common/base/rng.h"
#include "common/stats/stats.h"

static int take_values(const char *const *names, const struct store_value *v, size_t columns,
                       void *arg)
{
    (void)names;
    for (size_t i = 0; v && i < columns; i++)
        ((double *)arg)[i] = v[i].type == STORE_NULL ? (double)NAN : v[i].r;
    return 0;
}

#define ALL                                                                                        \
    "median(x), quantile(x, 0.9), variance(x), sd(x), stderr(x), t_low(x), t_high(x), "            \
    "bootstrap_low(x), bootstrap_high(x)"
enum { MEASURES = 9 };

static void measure(const char *path, const double *x, size_t n, double out[MEASURES])
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    struct store *r;

    buf_adds(&sql, "WITH v (x) AS (VALUES (NULL)"); /* NULL counts for nothing */
    for (size_t i = 0; i < n; i++)
        buf_printf(&sql, ", (%.17g)", x[i]);
    buf_adds(&sql, ") SELECT " ALL " FROM v");
    OK(store_open_read(&r, path, err));
    OK(store_query(r, buf_str(&sql), NULL, take_values, out, err));
    store_close(r);
}

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}

static void functions_say_what_the_library_says(void **state)
{
    struct fixture *f = *state;
    double x[200], back[200], got[MEASURES], again[MEASURES];
    struct rng r = rng_stream("test", 1, 1);
    struct stats_interval t, bca;

    for (int i = 0; i < 200; i++)
        back[199 - i] = x[i] = exp(rng_normal(&r));
    measure(f->path, x, 200, got);
    measure(f->path, back, 200, again);
    t = stats_seeds(x, 200);
    bca = stats_bca(x, 200);
    assert_true(got[0] == stats_median(x, 200));
    assert_true(got[1] == stats_quantile(x, 200, 0.9));
    near(got[2], stats_variance(x, 200), 1e-12);
    near(got[3], stats_sd(x, 200), 1e-12);
    near(got[4], stats_se(x, 200), 1e-12);
    near(got[5], t.lo, 1e-12);
    near(got[6], t.hi, 1e-12);
    assert_true(got[7] == bca.lo && got[8] == bca.hi);
    for (int i = 0; i < MEASURES; i++)
        near(again[i], got[i], 1e-12); /* the order of rows */
    assert_true(again[7] == got[7] && again[8] == got[8]);
}

static void too_few_values_are_null(void **state)
{
    struct fixture *f = *state;
    const double x[] = { 2.5, 3.5, 4.5 };
    double got[MEASURES];

    measure(f->path, x, 0, got);
    for (int i = 0; i < MEASURES; i++)
        assert_true(isnan(got[i]));
    measure(f->path, x, 1, got);
    assert_true(got[0] == 2.5 && got[1] == 2.5);
    for (int i = 2; i < MEASURES; i++)
        assert_true(isnan(got[i]));
    measure(f->path, x, 2, got);
    assert_true(got[2] == 0.5 && isnan(got[5]) && isnan(got[6]) && !isnan(got[7]));
    measure(f->path, x, 3, got);
    near(got[5], 3.5 - 4.302652729749464 / sqrt(3.0), 1e-9);
}

static void outcomes_get_the_interval_of_tables(void **state)
{
    struct fixture *f = *state;
    struct stats_interval i = stats_share(700, 1000);
    double got[2];
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    OK(store_query(r,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                   " SELECT bootstrap_low(i <= 700), bootstrap_high(i <= 700) FROM n",
                   NULL, take_values, got, err));
    store_close(r);
    assert_true(got[0] == i.lo && got[1] == i.hi);
}

static int count_rows(const char *const *names, const struct store_value *v, size_t columns,
                      void *arg)
{
    (void)names;
    (void)columns;
    *(uint64_t *)arg += v != NULL;
    return 0;
}

static void groups_do_not_mix(void **state)
{
    struct fixture *f = *state;
    struct store *r;
    double got[2];
    uint64_t rows = 0;

    OK(store_open_read(&r, f->path, err));
    OK(store_query(r,
                   "WITH v (g, x) AS (VALUES (1, 1), (2, 10), (1, 3), (2, 30)) SELECT "
                   "(SELECT median(x) FROM v WHERE g = 1), (SELECT median(x) FROM v WHERE g = 2)",
                   NULL, take_values, got, err));
    assert_true(got[0] == 2.0 && got[1] == 20.0);
    OK(store_query(r,
                   "WITH v (g, x) AS (VALUES (1, 1), (2, 10), (1, 3), (2, 30)) "
                   "SELECT g FROM v GROUP BY g HAVING median(x) IN (2, 20)",
                   NULL, count_rows, &rows, err));
    assert_int_equal(rows, 2);
    store_close(r);
}

static void what_is_no_number_is_refused(void **state)
{
    static const struct {
        const char *sql, *why;
    } cases[] = {
        { "SELECT median('x')", "median(): only numbers" },
        { "SELECT sd('7')", "CAST(x AS REAL)" },
        { "SELECT bootstrap_low(x'00')", "bootstrap_low(): only numbers" },
        { "SELECT quantile(1, 1.5)", "0 to 1" },
        { "SELECT quantile(1, 'half')", "0 to 1" },
        { "SELECT quantile(1, NULL)", "0 to 1" },
        { "WITH v (p) AS (VALUES (0.1), (0.2)) SELECT quantile(1, p) FROM v", "changes" },
        { "SELECT median(1, 2)", "wrong number of arguments" },
    };
    struct fixture *f = *state;
    struct store *r;
    uint64_t rows = 0;

    OK(store_open_read(&r, f->path, err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        FAILS(ERR_INVALID, cases[i].why,
              store_query(r, cases[i].sql, NULL, count_rows, &rows, err));
    store_close(r);
}

static void huge_groups_are_refused_not_endless(void **state)
{
    struct fixture *f = *state;
    struct store *r;
    uint64_t rows = 0;

    OK(store_open_read(&r, f->path, err));
    FAILS(ERR_INVALID, "200,000",
          store_query(r,
                      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                      "200001) SELECT bootstrap_low(i) FROM n",
                      NULL, count_rows, &rows, err));
    store_close(r);
}

static void digests_print_as_drover_prints_them(void **state)
{
    struct fixture *f = *state;
    char text[512];

    assert_string_equal(text_of(f->path, "SELECT blob_hex(x'00FFa1')", text), "00ffa1");
    assert_string_equal(text_of(f->path, "SELECT coalesce(blob_hex(NULL), 'none')", text), "none");
}

/* The writer's connection has them too, and giving up half-way frees what a group holds. */
static int stop(const char *const *names, const struct store_value *v, size_t columns, void *arg)
{
    (void)names;
    (void)columns;
    (void)arg;
    return v ? 7 : 0;
}

static void a_query_given_up_leaves_nothing_behind(void **state)
{
    struct store_query limits = { .time_ms = 30 };
    struct fixture *f = *state;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    assert_int_equal(store_query(r,
                                 "WITH v (g, x) AS (VALUES (1, 1.5), (2, 10), (1, 3), (2, 30)) "
                                 "SELECT median(x) FROM v GROUP BY g",
                                 NULL, stop, NULL, NULL),
                     7);
    FAILS(ERR_TIMEOUT, "30 ms",
          store_query(r,
                      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                      "SELECT median(i) FROM n",
                      &limits, stop, NULL, err));
    store_close(r); /* the sanitizer looks for what is left */
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(functions_say_what_the_library_says), T(too_few_values_are_null),
        T(outcomes_get_the_interval_of_tables), T(groups_do_not_mix),
        T(what_is_no_number_is_refused),        T(huge_groups_are_refused_not_endless),
        T(digests_print_as_drover_prints_them), T(a_query_given_up_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
