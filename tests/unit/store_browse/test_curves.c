/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: curves are the means and intervals of what was reported, however it is drawn together; long
 * series are right to within a bucket; stages stand where their jobs trained. Method: series with
 * known values; naive sums beside them. */
#include "tests/unit/store_browse/sweep.h"

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/stats/interval.h"
#include "store/browse/curves.h"
#include "store/browse/stages.h"

/* A job of RUN in STEP, done by an attempt (given back) that may report. */
static uint64_t add_job(struct fixture *f, uint64_t run, const char *step, const char *kind,
                        const char *params)
{
    static uint64_t job;

    job++;
    sql(f,
        "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, priority, "
        "seed, "
        "range_begin, range_end, retries, params, params_text, submitted_ms) VALUES (%llu, "
        "randomblob(32), '%s', 1, 'c', '%s', 'READY', 0, 0, 1, 0, 0, 0, x'', '%s', 1)",
        (unsigned long long)job, kind, step, params);
    sql(f, "INSERT INTO run_job (run, job, step, live) VALUES (%llu, %llu, '%s', 1)",
        (unsigned long long)run, (unsigned long long)job, step);
    sql(f,
        "INSERT INTO attempt (id, job, epoch, incarnation, outcome, started_ms, ended_ms) VALUES "
        "(%llu, %llu, 1, 1, 'DONE', 1, 2)",
        (unsigned long long)job, (unsigned long long)job);
    sql(f, "UPDATE job SET state = 'DONE', attempt = %llu WHERE id = %llu", (unsigned long long)job,
        (unsigned long long)job);
    return job;
}

static void add_plain_run(struct fixture *f, uint64_t run, int64_t seed, const char *schedule)
{
    sql(f,
        "INSERT INTO run (id, experiment, digest, seed, revision) VALUES (%llu, 1, randomblob(32), "
        "%lld, 1)",
        (unsigned long long)run, (long long)seed);
    sql(f, "INSERT INTO param VALUES (%llu, 'train.schedule', '\"%s\"')", (unsigned long long)run,
        schedule);
}

static void report(struct fixture *f, uint64_t attempt, const char *name, uint64_t first,
                   uint64_t n, double (*value)(uint64_t step, double arg), double arg)
{
    struct store_metric *m = mem_calloc(n, sizeof *m);

    for (uint64_t i = 0; i < n; i++)
        m[i] = (struct store_metric){ name, first + i, value(first + i, arg) };
    OK(store_begin(f->s, err));
    OK(store_metrics(f->s, attempt, m, n, err));
    OK(store_commit(f->s, err));
    free(m);
}

static double wave(uint64_t step, double arg)
{
    return arg + (double)(step % 7) / 7.0;
}

static double ramp(uint64_t step, double arg)
{
    return arg + 0.001 * (double)step + ((step & 1) ? 0.5 : -0.5);
}

struct asked {
    struct grids *g;
    struct store *s;
    struct json *v;
};

static void ask_open(struct fixture *f, struct asked *a)
{
    *a = (struct asked){ 0 };
    OK(grids_new(&a->g, f->path, 64 << 20, err));
    OK(store_open_read(&a->s, f->path, err));
}

static void ask_close(struct asked *a)
{
    json_free(a->v);
    store_close(a->s);
    grids_free(a->g);
}

static const struct json *ask(struct asked *a, const struct curves_question *q)
{
    struct buf out = { 0 };
    struct jsonw w = { .to = &out };

    json_free(a->v);
    jsonw_open(&w, '{');
    OK(curves_put(a->s, a->g, q, &w, err));
    jsonw_close(&w, '}');
    OK(json_parse(buf_str(&out), out.len, &a->v, err));
    buf_release(&out);
    return a->v;
}

static double at(const struct json *point, size_t i)
{
    return json_number(json_at(point, i), (double)NAN);
}

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g is not %.17g", a, b);
}

/* Seeds 1, 2, 3 of "a" (30, 20 and 10 steps), one run of "b". */
static void bands_are_over_seeds(void **state)
{
    struct fixture *f = *state;
    static const double offset[] = { 0.1, 0.2, 0.4 };
    struct curves_question q = { .experiment = 1, .metric = "reward", .points = 100 };
    const struct json *groups, *points;
    struct asked a;

    add_experiment(f, 1, "one");
    for (uint64_t i = 0; i < 3; i++) {
        add_plain_run(f, i + 1, (int64_t)i, "a");
        report(f, add_job(f, i + 1, "train", "stage", ""), "reward", 1, 30 - 10 * i, wave,
               offset[i]);
    }
    add_plain_run(f, 9, 1, "b");
    report(f, add_job(f, 9, "train", "stage", ""), "reward", 1, 30, wave, 0.7);
    ask_open(f, &a);
    groups = json_get(ask(&a, &q), "groups");
    assert_string_equal(json_text(json_get(a.v, "by")), "train.schedule");
    assert_int_equal(json_len(groups), 2);
    points = json_get(json_at(groups, 0), "points");
    assert_int_equal(json_len(points), 30);
    for (size_t i = 0; i < 30; i++) {
        const struct json *p = json_at(points, i);
        size_t n = i < 10 ? 3 : i < 20 ? 2 : 1;
        double v[3], sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += v[k] = wave(i + 1, offset[k]);
        near(at(p, 0), (double)i + 1, 0);
        near(at(p, 1), sum / (double)n, 1e-6);
        near(at(p, 4), (double)n, 0);
        if (n == 3) {
            near(at(p, 2), stats_seeds(v, 3).lo, 1e-6);
            near(at(p, 3), stats_seeds(v, 3).hi, 1e-6);
        } else if (n == 2) {
            near(at(p, 2), v[0], 1e-6);
            near(at(p, 3), v[1], 1e-6);
        } else {
            assert_true(json_is_null(json_at(p, 2)) && json_is_null(json_at(p, 3)));
        }
    }
    assert_string_equal(json_text(json_get(json_at(groups, 0), "band")),
                        "95% t interval over seeds");
    points = json_get(json_at(groups, 1), "points");
    near(at(json_at(points, 6), 2), 0.7, 1e-6); /* a run by itself: least and greatest */
    ask_close(&a);
}

static void long_series_are_right_within_a_bucket(void **state)
{
    struct fixture *f = *state;
    enum { N = 300000 };
    struct curves_question q = { .experiment = 1, .metric = "loss", .points = 500, .by = "" };
    const struct json *points;
    struct asked a;
    double n = 0, before = 0;

    add_experiment(f, 1, "one");
    add_plain_run(f, 1, 1, "a");
    report(f, add_job(f, 1, "train", "stage", ""), "loss", 1, N, ramp, 3.0);
    ask_open(f, &a);
    points = json_get(json_at(json_get(ask(&a, &q), "groups"), 0), "points");
    assert_true(json_len(points) >= 200 && json_len(points) <= 500);
    for (size_t i = 0; i < json_len(points); i++) {
        const struct json *p = json_at(points, i);

        near(at(p, 1), 3.0 + 0.001 * at(p, 0), 0.01);
        assert_true(at(p, 2) < at(p, 1) && at(p, 1) < at(p, 3) && at(p, 3) - at(p, 2) > 1.0);
        assert_true(at(p, 0) > before && at(p, 0) - before < 3.0 * N / 250);
        before = at(p, 0);
        n += at(p, 4);
    }
    near(n, N, 0); /* no point is left out or counted twice */
    near(json_number(json_get(a.v, "points_total"), 0), N, 0);
    q.from = 1000;
    q.to = 1099;
    points = json_get(json_at(json_get(ask(&a, &q), "groups"), 0), "points");
    assert_int_equal(json_len(points), 100);
    near(at(json_at(points, 0), 0), 1000, 0);
    near(at(json_at(points, 0), 1), ramp(1000, 3.0), 1e-6);
    ask_close(&a);
}

static void stages_follow_one_another(void **state)
{
    struct fixture *f = *state;
    struct curves_question q = {
        .experiment = 1, .metric = "accuracy", .points = 300, .each = true
    };
    const struct json *stages, *groups;
    struct asked a;

    add_experiment(f, 1, "one");
    for (uint64_t run = 1; run <= 2; run++) {
        add_plain_run(f, run, (int64_t)run, run == 1 ? "exponential" : "constant");
        report(f,
               add_job(f, run, "train", "stage",
                       run == 1
                           ? "budget_at = [0, 50]\nbudgets = [45, 32]\nfirst = 0\nupdates = 100\n"
                           : "budget_at = [0]\nbudgets = [16]\nfirst = 0\nupdates = 100\n"),
               "accuracy", 1, 100, wave, 0.0);
        report(f,
               add_job(f, run, "train", "stage",
                       "budget_at = [0]\nbudgets = [16]\nfirst = 100\nupdates = 50\n"),
               "accuracy", 101, 50, wave, 0.5);
    }
    ask_open(f, &a);
    groups = json_get(ask(&a, &q), "groups");
    assert_int_equal(json_len(groups), 2);
    assert_int_equal(json_len(json_get(json_at(groups, 0), "points")), 150);
    near(at(json_at(json_get(json_at(groups, 0), "points"), 120), 1), wave(121, 0.5), 1e-6);
    stages = json_get(a.v, "stages");
    assert_int_equal(json_len(stages), 2);
    near(json_number(json_get(json_at(stages, 1), "from"), 0), 101, 0);
    near(json_number(json_get(json_at(stages, 1), "budget"), 0), 16, 0);
    assert_true(json_bool(json_get(json_at(stages, 0), "budgets_differ"), false));
    assert_true(json_is_null(json_get(json_at(stages, 0), "budget")));
    q.run = 2;
    q.each = false;
    groups = json_get(ask(&a, &q), "groups");
    assert_int_equal(json_len(groups), 1);
    near(json_number(json_get(json_at(json_get(a.v, "stages"), 0), "budget"), 0), 16, 0);
    ask_close(&a);
}

static void curricula_tell_stages_of_each_schedule(void **state)
{
    struct fixture *f = *state;
    struct stages_question q = { .experiment = 1 };
    struct buf out = { 0 };
    struct jsonw w = { .to = &out };
    const struct json *stage, *planned;
    struct asked a;
    double v[3];
    bool has = false;

    add_experiment(f, 1, "one");
    for (uint64_t run = 1; run <= 6; run++) {
        uint64_t attempt;

        add_plain_run(f, run, (int64_t)((run - 1) % 3), run <= 3 ? "exponential" : "constant");
        attempt = add_job(f, run, "train", "stage",
                          "budget_at = [0, 5]\nbudgets = [45, 32]\nfirst = 10\nupdates = 10\n");
        report(f, attempt, "accuracy", 11, 10, wave, 0.1 * (double)run);
        report(f, attempt, "budget", 11, 10, ramp, 0.0);
    }
    ask_open(f, &a);
    jsonw_open(&w, '{');
    OK(stages_put(a.s, a.g, &q, &w, err));
    jsonw_close(&w, '}');
    OK(json_parse(buf_str(&out), out.len, &a.v, err));
    stage = json_at(json_get(json_at(json_get(a.v, "groups"), 1), "stages"), 0);
    for (size_t i = 0; i < 3; i++) {
        v[i] = 0;
        for (uint64_t step = 11; step <= 20; step++)
            v[i] += wave(step, 0.1 * (double)(i + 1)) / 10;
    }
    near(json_number(json_get(stage, "accuracy"), 0), (v[0] + v[1] + v[2]) / 3, 1e-6);
    near(json_number(json_get(stage, "accuracy_lo"), 0), stats_seeds(v, 3).lo, 1e-6);
    near(json_number(json_get(stage, "budget"), 0), ramp(20, 0.0), 1e-6);
    near(json_number(json_get(stage, "from"), 0), 11, 0);
    near(json_number(json_get(stage, "to"), 0), 20, 0);
    planned = json_get(json_at(json_get(a.v, "planned"), 0), "segments");
    assert_int_equal(json_len(planned), 2);
    near(at(json_at(planned, 0), 1), 15, 0);
    near(at(json_at(planned, 1), 0), 16, 0);
    near(at(json_at(planned, 1), 2), 32, 0);
    OK(stages_has(a.s, 1, &has, err));
    assert_true(has);
    OK(stages_has(a.s, 2, &has, err));
    assert_false(has);
    buf_release(&out);
    ask_close(&a);
}

static void metrics_are_listed_and_others_refused(void **state)
{
    struct fixture *f = *state;
    struct curves_question q = { .experiment = 1, .metric = "rewrad", .points = 100 };
    struct buf out = { 0 };
    struct jsonw w = { .to = &out };
    struct asked a;

    add_experiment(f, 1, "one");
    add_plain_run(f, 1, 1, "a");
    add_plain_run(f, 2, 1, "b");
    report(f, add_job(f, 1, "warm", "pretrain", ""), "loss", 1, 5, wave, 0.0);
    report(f, add_job(f, 1, "train", "stage", ""), "reward", 1, 7, wave, 0.0);
    ask_open(f, &a);
    FAILS(ERR_INVALID, "did you mean \"reward\"", curves_put(a.s, a.g, &q, &w, err));
    buf_clear(&out);
    w.comma = false;
    jsonw_open(&w, '{');
    OK(curves_put_metrics(a.s, 1, CURVES_METRICS_RUNS, &w, err));
    jsonw_close(&w, '}');
    assert_string_equal(buf_str(&out),
                        "{\"metrics\":[{\"step\":\"train\",\"metric\":\"reward\",\"series\":1,"
                        "\"points\":7},{\"step\":\"warm\",\"metric\":\"loss\",\"series\":1,"
                        "\"points\":5}]}");
    q.metric = "loss";
    assert_string_equal(json_text(json_get(ask(&a, &q), "step")), "warm");
    buf_release(&out);
    ask_close(&a);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(bands_are_over_seeds),
        T(long_series_are_right_within_a_bucket),
        T(stages_follow_one_another),
        T(curricula_tell_stages_of_each_schedule),
        T(metrics_are_listed_and_others_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
