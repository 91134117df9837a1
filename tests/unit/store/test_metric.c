/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: numbers per training step read back as the same bits, whatever the order and the cut of the
 * calls; the sums of a series are those of its points; a plot has the right extremes. Method:
 * random histories of calls (in order, late, repeated, uneven, not finite) against a plain array of
 * points; the view `curriculum` by SQL against the same array; text forms of doubles against
 * strtod. */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "store/number.h"

enum { STEPS_MAX = 6000, ROUNDS = 60 };

static uint64_t state = 88172645463325252u;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* What a series should hold. */
struct oracle {
    bool there[STEPS_MAX];
    double value[STEPS_MAX];
};

static double some_value(void)
{
    uint64_t u = draw(), bits = draw();
    double v;

    switch (u % 5) {
    case 0:
        return u % 50 == 0 ? NAN : u % 55 == 0 ? INFINITY : 0.0;
    case 1:
        return (double)(bits >> 11) * 0x1p-53;
    case 2:
        return (double)(int64_t)(bits % 2000000 - 1000000) / 1000.0;
    case 3:
        memcpy(&v, &bits, sizeof v);
        return isnan(v) ? 1.0 : v;
    default:
        return (double)(bits % 1000);
    }
}

static uint64_t open_attempt(struct fixture *f, struct plan *p)
{
    submit_plan(f->s, (struct plan_options){ 0 }, p);
    return finish(f->s, p->base, "weights", NULL).attempt;
}

struct reading {
    const struct oracle *o;
    uint64_t at, points, stretches;
    double min, max;
};

static int check_point(const struct store_point *p, void *arg)
{
    struct reading *r = arg;

    for (; r->at < p->first_step; r->at++)
        assert_false(r->o->there[r->at]);
    assert_int_equal(p->n, 1);
    assert_int_equal(p->first_step, p->last_step);
    assert_true(r->o->there[r->at]);
    if (isfinite(r->o->value[r->at]))
        assert_memory_equal(&p->min, &r->o->value[r->at], sizeof(double));
    else
        assert_int_equal(p->finite, 0);
    r->at++;
    r->points++;
    return 0;
}

/* Sums of a stretch from the oracle. */
static int check_stretch(const struct store_point *p, void *arg)
{
    struct reading *r = arg;
    uint64_t n = 0, finite = 0;
    double min = INFINITY, max = -INFINITY;

    assert_true(p->first_step >= r->at && p->last_step >= p->first_step);
    for (uint64_t i = r->at; i <= p->last_step; i++) {
        if (!r->o->there[i])
            continue;
        n++;
        if (!isfinite(r->o->value[i]))
            continue;
        finite++;
        min = fmin(min, r->o->value[i]);
        max = fmax(max, r->o->value[i]);
    }
    assert_int_equal(p->n, n);
    assert_int_equal(p->finite, finite);
    if (finite) {
        assert_true(p->min == min);
        assert_true(p->max == max);
    }
    r->at = p->last_step + 1;
    r->points += n;
    r->stretches++;
    return 0;
}

static uint64_t count(const struct oracle *o)
{
    uint64_t n = 0;

    for (size_t i = 0; i < STEPS_MAX; i++)
        n += o->there[i];
    return n;
}

static int check_run_metric(const struct store_run_metric *m, void *arg)
{
    const struct oracle *o = arg;
    uint64_t last = 0, first = STEPS_MAX, n = 0;

    for (uint64_t i = 0; i < STEPS_MAX; i++) {
        if (!o->there[i])
            continue;
        first = first == STEPS_MAX ? i : first;
        last = i;
        n++;
    }
    assert_string_equal(m->metric, "loss");
    assert_string_equal(m->step, "base");
    assert_int_equal(m->n, n);
    assert_int_equal(m->first_step, first);
    assert_int_equal(m->last_step, last);
    if (isfinite(o->value[last]))
        assert_true(m->last == o->value[last]);
    else
        assert_true(isnan(m->last));
    return 7;
}

/* A row of the view: at_step, value. */
static int check_row(const char *const *names, const struct store_value *v, size_t columns,
                     void *arg)
{
    struct reading *r = arg;

    (void)names;
    (void)columns;
    if (!v)
        return 0;
    for (; r->at < (uint64_t)v[0].i; r->at++)
        assert_false(r->o->there[r->at]);
    assert_true(r->o->there[r->at]);
    if (isfinite(r->o->value[r->at])) {
        assert_int_equal(v[1].type, STORE_REAL);
        assert_true(v[1].r == r->o->value[r->at]);
    } else {
        assert_int_equal(v[1].type, STORE_NULL);
    }
    r->at++;
    r->points++;
    return 0;
}

static void check_view(struct fixture *f, const struct oracle *o)
{
    struct reading r = { .o = o };
    struct store *s;

    OK(store_open_read(&s, f->path, err));
    OK(store_query(s,
                   "SELECT at_step, value FROM curriculum WHERE metric = 'loss' ORDER BY at_step",
                   NULL, check_row, &r, err));
    store_close(s);
    assert_int_equal(r.points, count(o));
}

/* Everything that can be read of the series, against O. */
static void check_series(struct fixture *f, const struct plan *p, uint64_t attempt,
                         const struct oracle *o)
{
    struct reading r = { .o = o };
    uint64_t series, n = count(o);

    OK(store_find_series(f->s, attempt, "loss", &series, err));
    OK(store_series(f->s, series, 0, UINT64_MAX, STEPS_MAX, check_point, &r, err));
    assert_int_equal(r.points, n);
    for (size_t max = 1; max < 200; max = max * 3 + 1) {
        uint64_t from = draw() % STEPS_MAX, to = from + draw() % (STEPS_MAX - from);

        r = (struct reading){ .o = o };
        OK(store_series(f->s, series, 0, STEPS_MAX, max, check_stretch, &r, err));
        assert_int_equal(r.points, n);
        assert_true(r.stretches <= max);
        r = (struct reading){ .o = o, .at = from };
        OK(store_series(f->s, series, from, to, max, check_stretch, &r, err));
        assert_true(r.stretches <= max);
        for (uint64_t i = r.at; i <= to; i++)
            assert_false(o->there[i]);
    }
    assert_int_equal(store_list_run_metrics(f->s, p->sub.experiment, "base", "loss",
                                            check_run_metric, (void *)o, NULL),
                     7);
}

static void random_histories_read_back_bit_for_bit(void **state_)
{
    struct fixture *f = *state_;
    struct oracle *o = calloc(1, sizeof *o);
    struct store_metric *m = calloc(STEPS_MAX, sizeof *m);
    struct plan p;
    uint64_t attempt = open_attempt(f, &p), next = 40;

    for (int round = 0; round < ROUNDS; round++) {
        bool late = round % 4 == 3, uneven = round % 5 == 2;
        size_t len = round % 3 ? 1 + draw() % 40 : 1 + draw() % 900;
        uint64_t at = late ? draw() % (next + 1) : next, n = 0;

        for (; n < len && at < STEPS_MAX; n++, at += uneven ? 1 + draw() % 3 : 1) {
            if (late && draw() % 4 == 0)
                at = draw() % (next + 1);
            m[n] = (struct store_metric){ "loss", at, some_value() };
            o->there[at] = true;
            o->value[at] = m[n].value;
            next = at + 1 > next ? at + 1 : next;
        }
        begin(f->s);
        OK(store_metrics(f->s, attempt, m, n, err));
        commit(f->s);
        if (round % 10 == 9 || next >= STEPS_MAX - 1)
            check_series(f, &p, attempt, o);
    }
    assert_true(count(o) > 2000);
    check_view(f, o);
    free(m);
    free(o);
}

static void sums_do_not_depend_on_the_cut_into_calls(void **state_)
{
    struct fixture *f = *state_;
    struct store_metric m[3000];
    struct plan p;
    uint64_t attempt = open_attempt(f, &p);
    char a[512], b[512];

    for (size_t i = 0; i < 3000; i++)
        m[i] = (struct store_metric){ "a", i * 10, (double)(draw() >> 11) * 0x1p-53 };
    begin(f->s);
    OK(store_metrics(f->s, attempt, m, 3000, err));
    for (size_t i = 0; i < 3000; i++)
        m[i].name = "b";
    for (size_t at = 0, n; at < 3000; at += n) {
        n = 1 + draw() % 100;
        n = n < 3000 - at ? n : 3000 - at;
        OK(store_metrics(f->s, attempt, m + at, n, err));
    }
    commit(f->s);
    text_of(f->path, "SELECT printf('%.17g %.17g %d', sum, head, n) FROM series WHERE name = 'a'",
            a);
    text_of(f->path, "SELECT printf('%.17g %.17g %d', sum, head, n) FROM series WHERE name = 'b'",
            b);
    assert_string_equal(a, b);
    assert_int_equal(number(f->path, "SELECT count(*) FROM metric_chunk WHERE level = 0"), 12);
}

static void interleaved_names_go_into_their_series(void **state_)
{
    struct fixture *f = *state_;
    char name[50][8];
    struct store_metric m[500];
    struct plan p;
    uint64_t attempt = open_attempt(f, &p);

    for (size_t i = 0; i < 50; i++)
        snprintf(name[i], sizeof name[i], "m%zu", i);
    for (size_t i = 0; i < 500; i++)
        m[i] = (struct store_metric){ name[(i * 7 + i / 50) % 50], i, (double)i };
    begin(f->s);
    OK(store_metrics(f->s, attempt, m, 500, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM series WHERE n = 10"), 50);
    assert_int_equal(number(f->path, "SELECT count(*) FROM curriculum WHERE at_step = value"), 500);
}

static int count_stretch(const struct store_point *p, void *arg)
{
    (void)p;
    ++*(size_t *)arg;
    return 0;
}

static void long_series_have_levels_that_sum_them_up(void **state_)
{
    enum { N = 512 * 64 * 2 + 700 };
    struct fixture *f = *state_;
    struct store_metric *m = calloc(N, sizeof *m), late = { "loss", 512 * 3 * 5, 1e9 };
    struct plan p;
    uint64_t attempt = open_attempt(f, &p), series;
    size_t stretches = 0;

    for (size_t i = 0; i < N; i++)
        m[i] = (struct store_metric){ "loss", 5 * i, (double)(draw() % 1000) };
    begin(f->s);
    OK(store_metrics(f->s, attempt, m, N, err));
    OK(store_metrics(f->s, attempt, &late, 1, err));
    late.step++;
    late.value = -1e9;
    OK(store_metrics(f->s, attempt, &late, 1, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM metric_chunk WHERE level = 1"), 2);
    assert_int_equal(number(f->path, "SELECT max(max) FROM metric_chunk WHERE level = 1"),
                     1000000000);
    assert_int_equal(number(f->path, "SELECT min(min) FROM metric_chunk WHERE level = 1"),
                     -1000000000);
    assert_int_equal(number(f->path, "SELECT sum(n) FROM metric_chunk WHERE level = 1"),
                     512 * 64 * 2 + 1);
    assert_int_equal(number(f->path, "SELECT max(n) <= 512 FROM metric_chunk WHERE level = 0"), 1);
    OK(store_find_series(f->s, attempt, "loss", &series, err));
    OK(store_series(f->s, series, 0, UINT64_MAX, 3, count_stretch, &stretches, err));
    assert_true(stretches >= 2 && stretches <= 3);
    free(m);
}

static void bad_metrics_are_refused_and_change_nothing(void **state_)
{
    struct fixture *f = *state_;
    struct store_metric m[2] = { { "loss", 1, 1.0 }, { "", 1, 1.0 } };
    struct plan p;
    uint64_t attempt = open_attempt(f, &p);

    begin(f->s);
    FAILS(ERR_INVALID, "has no name", store_metrics(f->s, attempt, m, 2, err));
    m[1] = (struct store_metric){ "loss", UINT64_MAX, 1.0 };
    FAILS(ERR_INVALID, "at most", store_metrics(f->s, attempt, m, 2, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM series"), 0);
}

static void doubles_read_back_from_their_text(void **state_)
{
    static const double hard[] = { 0.1,      1e22, 1e23,     5e-324, 2.2250738585072014e-308, 1e17,
                                   9.999e16, 1e-5, 123456.0, -0.0,   1.7976931348623157e308 };
    char text[NUMBER_MAX + 1];

    (void)state_;
    for (size_t i = 0; i < 400000; i++) {
        double v = i < ARRAY_LEN(hard) ? hard[i] : some_value(), back;
        size_t len = number_print(v, text);

        assert_true(len <= NUMBER_MAX);
        text[len] = '\0';
        if (!isfinite(v)) {
            assert_string_equal(text, "null");
            continue;
        }
        back = strtod(text, NULL);
        if (memcmp(&v, &back, sizeof v) != 0)
            fail_msg("%.17g became %s", v, text);
        char list[NUMBER_MAX + 4];
        snprintf(list, sizeof list, "[%s]", text);
        if (number_parse_list(list, &back, 1) != 1 || memcmp(&v, &back, sizeof v) != 0)
            fail_msg("%.17g is read back otherwise from %s", v, list);
    }
    assert_int_equal(number_print(0.1, text), 3);
    assert_int_equal(number_print(100.0, text), 5);
}

static void lists_of_numbers_are_checked(void **state_)
{
    double v[3];

    (void)state_;
    assert_int_equal(number_parse_list("[1.5,null,-2.0]", v, 3), 3);
    assert_true(v[0] == 1.5 && isnan(v[1]) && v[2] == -2.0);
    assert_int_equal(number_parse_list("[]", v, 3), 0);
    assert_true(number_parse_list("[1,2,3,4]", v, 3) == SIZE_MAX);
    assert_true(number_parse_list("[1,2", v, 3) == SIZE_MAX);
    assert_true(number_parse_list("[1,x]", v, 3) == SIZE_MAX);
    assert_true(number_parse_list("[1]x", v, 3) == SIZE_MAX);
    assert_true(number_parse_list("", v, 3) == SIZE_MAX);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(random_histories_read_back_bit_for_bit),
        T(sums_do_not_depend_on_the_cut_into_calls),
        T(interleaved_names_go_into_their_series),
        T(long_series_have_levels_that_sum_them_up),
        T(bad_metrics_are_refused_and_change_nothing),
        cmocka_unit_test(doubles_read_back_from_their_text),
        cmocka_unit_test(lists_of_numbers_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
