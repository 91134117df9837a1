/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: comparisons are those of common/stats over the right pairs, leave out what says nothing,
 * and say what they did. Method: small tables with known answers, then a store with two steps. */
#include "tests/unit/store_browse/sweep.h"

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/stats/stats.h"
#include "store/browse/compare.h"
#include "store/browse/compare_rows.h"

static struct compare_item item(uint32_t group, int64_t seed, uint64_t setting, double value)
{
    static uint64_t run;

    return (struct compare_item){ ++run, setting, seed, group, value };
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * fmax(1.0, fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

static void differences_are_paired_by_seed_and_setting(void **state)
{
    enum { SEEDS = 5 };
    struct rng r = rng_stream("compare", 1, 0);
    struct compare_item items[64];
    struct compare_row rows[3];
    double a[SEEDS] = { 0 }, b[SEEDS] = { 0 }, c[SEEDS] = { 0 }, d[SEEDS], p[3];
    size_t n = 0;

    (void)state;
    for (int64_t s = 0; s < SEEDS; s++)
        for (uint64_t k = 0; k < 2; k++) {
            double x = rng_double(&r), y = rng_double(&r), z = rng_double(&r);

            items[n++] = item(0, s, 10 + k, x);
            items[n++] = item(1, s, 10 + k, y);
            items[n++] = item(2, s, 10 + k, z);
            a[s] += x / 2;
            b[s] += y / 2;
            c[s] += z / 2;
        }
    rng_shuffle(&r, items, n, sizeof items[0]);
    compare_rows(items, n, 3, 1, false, rows);
    for (size_t s = 0; s < SEEDS; s++)
        d[s] = a[s] - b[s];
    near(rows[0].mean, stats_mean(a, SEEDS));
    near(rows[0].lo, stats_seeds(a, SEEDS).lo);
    near(rows[0].difference, stats_mean(d, SEEDS));
    near(rows[0].diff_hi, stats_seeds(d, SEEDS).hi);
    near(rows[0].p, stats_paired_t(a, b, SEEDS).p);
    near(rows[2].p, stats_paired_t(c, b, SEEDS).p);
    p[0] = rows[0].p;
    p[1] = (double)NAN;
    p[2] = rows[2].p;
    stats_holm(p, 3, p);
    near(rows[0].adjusted, p[0]);
    near(rows[2].adjusted, p[2]);
    assert_true(rows[0].method == COMPARE_PAIRED && rows[0].matched && !rows[0].partly);
    assert_true(rows[1].method == COMPARE_NONE && isnan(rows[1].difference));
    assert_int_equal(rows[0].pairs, SEEDS);
}

static void two_seeds_have_no_interval_and_one_no_test(void **state)
{
    struct compare_item items[] = { item(0, 1, 0, 0.5), item(0, 2, 0, 0.6), item(1, 1, 0, 0.4),
                                    item(1, 2, 0, 0.3), item(2, 1, 0, 0.9), item(3, 9, 0, NAN) };
    struct compare_row rows[4];

    (void)state;
    compare_rows(items, 6, 4, 1, true, rows);
    near(rows[0].difference, 0.2);
    assert_true(isnan(rows[0].lo) && isnan(rows[0].diff_lo) && !isnan(rows[0].p));
    assert_true(isnan(rows[2].p) && isnan(rows[2].diff_lo));
    assert_true(rows[3].known == 0 && rows[3].runs == 1 && isnan(rows[3].mean));
    assert_int_equal(compare_best(rows, 4, false), 2);
    assert_int_equal(compare_best(rows, 4, true), 1);
}

static void other_seeds_and_settings_are_told(void **state)
{
    struct compare_item items[32];
    struct compare_row rows[3];
    double x[4], y[4];
    size_t n = 0;

    (void)state;
    for (int64_t s = 0; s < 4; s++) {
        items[n++] = item(0, s, 0, x[s] = 0.1 * (double)(s + 1));
        items[n++] = item(1, s + 100, 0, y[s] = 0.2 * (double)(s * s + 1));
        /* The baseline's settings, and one that it has not: the difference is over the first. */
        items[n++] = item(2, s, 0, 0.1 * (double)(s + 1) + 0.05);
        items[n++] = item(2, s, 7, 5.0);
    }
    compare_rows(items, n, 3, 0, false, rows);
    assert_true(rows[1].method == COMPARE_WELCH);
    near(rows[1].p, stats_welch(y, 4, x, 4).p);
    near(rows[1].diff_lo, stats_welch(y, 4, x, 4).interval.lo);
    assert_true(rows[2].method == COMPARE_PAIRED && rows[2].matched && rows[2].partly);
    near(rows[2].difference, 0.05);
}

/* ---- from a store ---- */

static void add_tally(struct fixture *f, uint64_t run, const char *step, uint64_t family,
                      int correct)
{
    sql(f,
        "INSERT OR IGNORE INTO family (id, key, kind, task, level, split) VALUES (%llu, "
        "randomblob(32), 'evaluate', 'math', 1, 'test')",
        (unsigned long long)family);
    sql(f, "INSERT INTO run_family (run, step, family, examples) VALUES (%llu, '%s', %llu, 100)",
        (unsigned long long)run, step, (unsigned long long)family);
    sql(f,
        "INSERT OR IGNORE INTO tally (family, examples, part, subset, parts, search, n, correct, "
        "correct_norm, labelled, preserved, improved, layers_label, layers_all, layers_base, "
        "tokens, "
        "generated, truncated, repeats) VALUES (%llu, 100, 0, '', 0, 0, 100, %d, 0, 0, 0, 0, 0, "
        "400, "
        "400, 1600, 0, 0, 0)",
        (unsigned long long)family, correct);
}

/* Schedules x seeds 1..3: exponential is 20 points better than constant, linear 2. */
static void fill_schedules(struct fixture *f)
{
    static const char *const schedules[] = { "\"constant\"", "\"exponential\"", "\"linear\"" };
    static const int better[] = { 0, 20, 2 };

    sql(f, "BEGIN");
    add_experiment(f, 1, "one");
    for (uint64_t k = 0; k < 3; k++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            uint64_t run = 10 * k + seed;

            sql(f,
                "INSERT INTO run (id, experiment, digest, seed, revision) VALUES (%llu, 1, "
                "randomblob(32), %llu, 1)",
                (unsigned long long)run, (unsigned long long)seed);
            sql(f, "INSERT INTO param VALUES (%llu, 'train.schedule', '%s')",
                (unsigned long long)run, schedules[k]);
            add_tally(f, run, "base", seed, 50); /* the same for every schedule */
            add_tally(f, run, "score", 100 + run, 60 + (int)seed + better[k] + (int)(k * seed % 2));
        }
    sql(f, "COMMIT");
}

static struct json *ask(struct grids *g, struct store *s, const struct compare_question *q)
{
    struct buf out = { 0 };
    struct jsonw w = { .to = &out };
    struct json *v;

    jsonw_open(&w, '{');
    OK(compare_put(s, g, q, &w, err));
    jsonw_close(&w, '}');
    OK(json_parse(buf_str(&out), out.len, &v, err));
    buf_release(&out);
    return v;
}

static void the_winner_is_named_with_its_lead(void **state)
{
    struct fixture *f = *state;
    struct compare_question q = { .experiment = 1 };
    struct grids *g;
    struct store *s;
    struct json *v;

    fill_schedules(f);
    OK(grids_new(&g, f->path, 64 << 20, err));
    OK(store_open_read(&s, f->path, err));
    v = ask(g, s, &q);
    assert_string_equal(json_text(json_get(v, "by")), "train.schedule");
    assert_string_equal(json_text(json_get(v, "baseline")), "constant");
    assert_string_equal(json_text(json_get(json_get(v, "winner"), "value")), "exponential");
    assert_non_null(strstr(json_text(json_get(json_get(v, "winner"), "text")),
                           "exponential: +20.7 points over constant [+19.2, +22.1], 3 seeds"));
    assert_true(json_bool(json_get(json_get(v, "winner"), "sure"), false));
    assert_true(json_bool(json_get(json_at(json_get(v, "steps"), 0), "shared"), false));
    near(json_number(json_get(json_at(json_get(v, "rows"), 0), "mean"), 0), 0.62);
    json_free(v);
    q.step = "base"; /* asked for, it is taken */
    v = ask(g, s, &q);
    assert_non_null(
        strstr(json_text(json_get(json_get(v, "winner"), "text")), "are the same: 50.0"));
    json_free(v);
    q = (struct compare_question){ .experiment = 1, .measure = "tokens", .baseline = "linear" };
    v = ask(g, s, &q);
    near(json_number(json_get(json_at(json_get(v, "rows"), 0), "mean"), 0), 16.0);
    assert_string_equal(json_text(json_get(v, "better")), "lower");
    json_free(v);
    store_close(s);
    grids_free(g);
}

static void mistakes_are_told(void **state)
{
    struct fixture *f = *state;
    const char *const wrong[] = { "schedule~eq", NULL };
    struct compare_question q = { .experiment = 1, .baseline = "konstant" };
    struct buf out = { 0 };
    struct jsonw w = { .to = &out };
    struct grids *g;
    struct store *s;

    fill_schedules(f);
    OK(grids_new(&g, f->path, 64 << 20, err));
    OK(store_open_read(&s, f->path, err));
    FAILS(ERR_INVALID, "did you mean \"constant\"", compare_put(s, g, &q, &w, err));
    q = (struct compare_question){ .experiment = 1, .step = "scroe", .measure = "accuracy" };
    FAILS(ERR_INVALID, "did you mean \"score\"", compare_put(s, g, &q, &w, err));
    q = (struct compare_question){ .experiment = 1, .measure = "beauty" };
    FAILS(ERR_INVALID, "\"beauty\" is no measure", compare_put(s, g, &q, &w, err));
    q = (struct compare_question){ .experiment = 1, .measure = "state" };
    FAILS(ERR_INVALID, "is no number", compare_put(s, g, &q, &w, err));
    q = (struct compare_question){ .experiment = 1, .filters = wrong };
    FAILS(ERR_INVALID, "is no filter", compare_put(s, g, &q, &w, err));
    q = (struct compare_question){ .experiment = 9 };
    FAILS(ERR_NOT_FOUND, "no experiment 9", compare_put(s, g, &q, &w, err));
    buf_release(&out);
    store_close(s);
    grids_free(g);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_paired_by_seed_and_setting),
        cmocka_unit_test(two_seeds_have_no_interval_and_one_no_test),
        cmocka_unit_test(other_seeds_and_settings_are_told),
        T(the_winner_is_named_with_its_lead),
        T(mistakes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
