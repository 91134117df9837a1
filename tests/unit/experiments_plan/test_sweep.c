/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every form of the sweep gives the points that docs/recipes.md says, conditions and
 * exclusions hold, and keys depend on what they should. Method: small noop
 * recipes and their runs as text; random draws against longer and wider ones; golden values. */
#include "tests/unit/experiments_plan/recipes.h"

#include "common/base/mem.h"
#include "common/base/rng.h"

#define A "{ id = \"a\"; job = \"noop\"; stage = 1; gamma = 0.5; seed = \"run\"; }"
#define B "{ id = \"b\"; job = \"noop\"; model = \"a\"; stage = 2; seed = \"run\"; }"

/* "v1 v2 /seed; ..." of every run of the plan of TEXT. */
static char *runs_of(const char *text, const char *set)
{
    struct plan *p = make(text, set);
    struct buf out = { 0 };

    for (size_t i = 0; i < p->runs_len; i++) {
        assert_int_equal(p->run[i].params_len, p->axes_len);
        for (size_t k = 0; k < p->run[i].params_len; k++)
            buf_printf(&out, "%s ", *p->run[i].value[k] ? p->run[i].value[k] : "-");
        buf_printf(&out, "/%llu; ", (unsigned long long)p->run[i].seed);
    }
    plan_free(p);
    return buf_detach(&out);
}

static void assert_runs(const char *text, const char *set, const char *expected)
{
    char *is CLEANUP(mem_cleanup) = runs_of(text, set);

    assert_string_equal(is, expected);
}

static void a_grid_multiplies_and_takes_lists(void **state)
{
    (void)state;
    assert_runs(RECIPE(A, "sweep = ( { set = \"a.weights\"; values = ([0.7, 0.3], [1.0], 2); },"
                          "{ set = \"seed\"; values = [1, 2]; } );"),
                NULL, "[0.7, 0.3] /1; [0.7, 0.3] /2; [1] /1; [1] /2; [2] /1; [2] /2; ");
    assert_runs(RECIPE(A, "sweep = ( { set = \"a.weights\"; values = [1, 2]; } );"), NULL,
                "[1] /1; [2] /1; ");
}

static void a_zip_advances_together(void **state)
{
    (void)state;
    assert_runs(RECIPE(A, "sweep = ( { set = \"seed\"; values = [1, 2]; }, { zip = ("
                          "{ set = \"a.stage\"; values = [1, 2, 2]; },"
                          "{ set = \"a.gamma\"; values = [0.1, 0.2, 0.3]; } ); } );"),
                NULL, "1 0.1 /1; 2 0.2 /1; 2 0.3 /1; 1 0.1 /2; 2 0.2 /2; 2 0.3 /2; ");
}

static void points_keep_what_they_do_not_name(void **state)
{
    (void)state;
    assert_runs(RECIPE(A "," B, "sweep = ( { points = ("
                                "{ a = { gamma = 0.9; schedule = \"x\"; }; },"
                                "{ b = { stage = 7; }; seed = 3; },"
                                "{ },"
                                "{ b = { stage = 2; }; } ); } );"),
                NULL, /* the fourth is the third */
                "0.9 \"x\" 2 /1; 0.5 \"constant\" 7 /3; 0.5 \"constant\" 2 /1; ");
}

/* ---- random ---- */

#define DRAW(POINTS, MORE)                                                                         \
    RECIPE(A "," B,                                                                                \
           "sweep = ( { random = ( " MORE "{ set = \"a.gamma\"; uniform = [0.5, 0.99]; },"         \
           "{ set = \"a.stage\"; integers = [1, 3]; },"                                            \
           "{ set = \"b.gamma\"; log_uniform = (0.001, 1); },"                                     \
           "{ set = \"b.schedule\"; choice = [\"x\", \"y\"]; } );"                                 \
           " points = " POINTS "; seed = 7; } );")

static const char *value_of(const struct plan *p, size_t run, const char *name)
{
    for (size_t i = 0; i < p->run[run].params_len; i++)
        if (strcmp(p->run[run].name[i], name) == 0)
            return p->run[run].value[i];
    fail_msg("no %s", name);
    return NULL;
}

static void random_points_are_what_they_always_were(void **state)
{
    (void)state;
    assert_runs(DRAW("3", ""), NULL,
                "0.830776959 3 0.0924864532 \"y\" /1; 0.838902318 1 0.133451524 \"y\" /1; "
                "0.847296933 2 0.0358360918 "
                "\"y\" /1; ");
}

static void more_points_and_other_parameters_change_no_drawn_value(void **state)
{
    static const char *const names[] = { "a.gamma", "a.stage", "b.gamma", "b.schedule" };
    struct plan *p = make(DRAW("40", ""), NULL);
    struct plan *more = make(DRAW("400", ""), NULL);
    struct plan *wide = make(DRAW("40", "{ set = \"b.stage\"; integers = [0, 9]; },"), NULL);
    struct plan *other = make(DRAW("40", ""), "b.gamma=0.5");

    (void)state;
    assert_int_equal(p->runs_len, 40);
    assert_int_equal(wide->runs_len, 40);
    for (size_t i = 0; i < 40; i++)
        for (size_t k = 0; k < 4; k++) {
            assert_string_equal(value_of(p, i, names[k]), value_of(more, i, names[k]));
            assert_string_equal(value_of(p, i, names[k]), value_of(wide, i, names[k]));
            if (k != 2)
                assert_string_equal(value_of(p, i, names[k]), value_of(other, i, names[k]));
        }
    for (size_t i = 0; i < 40; i++)
        assert_true(digest_equal(&p->run[i].digest, &more->run[i].digest));
    plan_free(p);
    plan_free(more);
    plan_free(wide);
    plan_free(other);
}

static void random_values_cover_their_range(void **state)
{
    struct plan *p = make(DRAW("2000", ""), NULL);
    double low = 1, high = 0, below = 0, small = 0;
    size_t stage[4] = { 0 }, x = 0;

    (void)state;
    for (size_t i = 0; i < p->runs_len; i++) {
        const double u = strtod(value_of(p, i, "a.gamma"), NULL);
        const double l = strtod(value_of(p, i, "b.gamma"), NULL);
        const long s = strtol(value_of(p, i, "a.stage"), NULL, 10);
        assert_true(u >= 0.5 && u <= 0.99 && l >= 0.001 && l <= 1 && s >= 1 && s <= 3);
        low = u < low ? u : low;
        high = u > high ? u : high;
        below += u < 0.745;
        small += l < 0.1;
        stage[s]++;
        x += strcmp(value_of(p, i, "b.schedule"), "\"x\"") == 0;
    }
    assert_int_equal(p->runs_len, 2000);
    assert_true(low < 0.502 && high > 0.988);
    /* five standard deviations of a share of 1/2 are 0.056, of 2/3 or 1/3 0.053 */
    assert_true(below / 2000 > 0.444 && below / 2000 < 0.556);
    assert_true(small / 2000 > 0.613 && small / 2000 < 0.72);
    assert_true(x > 888 && x < 1112);
    for (int s = 1; s <= 3; s++)
        assert_in_range(stage[s], 561, 772);
    plan_free(p);
}

/* ---- conditions ---- */

static void an_entry_varies_only_where_its_condition_holds(void **state)
{
    (void)state;
    /* the condition names a later entry, and an own value */
    assert_runs(RECIPE(A "," B,
                       "sweep = ( { set = \"a.gamma\"; values = [0.5, 0.6, 0.7];"
                       "            when = \"a.schedule == 'exp' and b.stage = 2\"; },"
                       "          { set = \"a.schedule\"; values = [\"lin\", \"exp\"]; } );"),
                NULL, "0.5 \"exp\" /1; 0.6 \"exp\" /1; 0.7 \"exp\" /1; 0.5 \"lin\" /1; ");
    assert_runs(RECIPE(A, "sweep = ( { set = \"a.stage\"; values = [1, 2]; },"
                          "{ set = \"seed\"; values = [5, 6]; when = \"a.stage > 1\"; } );"),
                NULL, "1 /1; 2 /5; 2 /6; ");
    assert_runs(RECIPE(A, "vars = { many = true; n = 1; }; sweep = ("
                          "{ set = \"a.stage\"; values = [1, 2]; when = \"vars.many\"; },"
                          "{ set = \"a.points\"; values = [3, 4]; when = \"a.stage > ${vars.n}\"; }"
                          ");"),
                NULL, "1 8 /1; 2 3 /1; 2 4 /1; ");
    assert_runs(RECIPE(A, "sweep = ( { set = \"a.weights\"; values = ([0.5, 0.5], [1]); },"
                          "{ set = \"a.stage\"; values = [1, 2]; when ="
                          " \"a.weights == '[0.5, 0.5]' and a.points == 8\"; } );"),
                NULL, "[0.5, 0.5] 1 /1; [0.5, 0.5] 2 /1; [1] 1 /1; ");
}

static void a_step_is_there_only_where_its_condition_holds(void **state)
{
    const char *text = RECIPE(
        A ", { id = \"b\"; job = \"noop\"; model = \"a\"; stage = 2; when = \"a.stage > 1\"; }",
        "sweep = ( { set = \"a.stage\"; values = [1, 2]; },"
        "          { set = \"b.gamma\"; values = [0.1, 0.2]; } );");
    struct plan *p = make(text, NULL);

    (void)state;
    /* where b is absent, its parameter makes no difference */
    assert_runs(text, NULL, "1 - /1; 2 0.1 /1; 2 0.2 /1; ");
    assert_int_equal(p->jobs_len, 4);
    assert_int_equal(p->job[1].kind->id, KIND_NOOP);
    assert_int_equal(p->steps_len, 2);
    assert_int_equal(p->step[1].jobs, 2);
    plan_free(p);
    assert_runs(text, "b.when=false", "1 - /1; 2 - /1; ");
    /* where no step is left there is no run, and what is absent is not set */
    assert_runs(text, "a.when=a.stage > 1", "2 0.1 /1; 2 0.2 /1; ");
    assert_runs(RECIPE(A ", { id = \"b\"; job = \"noop\"; when = \"a.stage > 1\"; }",
                       "sweep = ( { set = \"a.stage\"; values = [1, 2]; },"
                       "          { set = \"b.gamma\"; values = [0.1, 0.2]; } );"
                       "exclude = ( \"b.gamma == 0.1\" );"),
                NULL, "1 - /1; 2 0.2 /1; ");
}

static void a_step_that_needs_an_absent_one_is_refused_unless_absent_too(void **state)
{
    char text[800];

    (void)state;
    for (int limit = 0; limit <= 2; limit++) {
        snprintf(text, sizeof(text),
                 "name = \"t\"; steps = ( " A ",\n"
                 "{ id = \"x\"; job = \"noop\"; when = \"a.stage > 1\"; },"
                 "{ id = \"y\"; job = \"noop\"; model = \"x\"; when = \"a.stage > %d\"; } );"
                 "sweep = ( { set = \"a.stage\"; values = [1, 2, 3]; } );",
                 limit);
        if (limit == 0)
            assert_refusal(text, NULL,
                           "t.cfg:2: steps[2].model: \"y\" needs \"x\", which is no part of a run "
                           "where not a.stage > 1");
        else
            assert_runs(text, NULL, "1 /1; 2 /1; 3 /1; ");
    }
}

static void excluded_points_are_dropped(void **state)
{
    const char *text = RECIPE(A, "sweep = ( { set = \"a.stage\"; values = [1, 2, 3]; },"
                                 "{ set = \"seed\"; values = [1, 2]; } );"
                                 "exclude = ( \"a.stage == 2\", \"seed > 1 and a.stage = 3\" );");

    (void)state;
    assert_runs(text, NULL, "1 /1; 1 /2; 3 /1; ");
    assert_refusal(text, "a.stage=2",
                   "t.cfg:1: exclude[0]: no run is left: every point of the sweep");
}

/* ---- --set ---- */

static void set_takes_a_parameter_out_of_its_entry(void **state)
{
    const char *zip = RECIPE(A, "sweep = ( { zip = ( { set = \"a.stage\"; values = [1, 2]; },"
                                "{ set = \"a.gamma\"; values = [0.1, 0.2]; } ); } );");
    const char *points = RECIPE(A, "sweep = ( { points = ( { a = { stage = 4; gamma = 0.1; }; },"
                                   "{ a = { stage = 5; }; seed = 3; } ); } );");

    (void)state;
    assert_runs(zip, "a.gamma=0.9", "1 0.9 /1; 2 0.9 /1; ");
    assert_runs(zip, "a.gamma=[0.8, 0.9]", "1 0.8 /1; 1 0.9 /1; 2 0.8 /1; 2 0.9 /1; ");
    assert_runs(points, "a.stage=7", "7 0.1 /1; 7 0.5 /3; ");
    assert_runs(points, "seed=8,9", "4 0.1 /8; 4 0.1 /9; 5 0.5 /8; 5 0.5 /9; ");
    assert_runs(RECIPE(A, "sweep = ( { random = ( { set = \"a.stage\"; integers = [1, 9]; } );"
                          "points = 30; } );"),
                "a.stage=[3, 4]", "3 /1; 4 /1; ");
    assert_runs(RECIPE(A, "sweep = ( { set = \"a.weights\"; values = [1, 2]; } );"),
                "a.weights=[0.7, 0.3]", "[0.7, 0.3] /1; ");
    assert_runs(RECIPE(A, "sweep = ( { set = \"a.weights\"; values = [1, 2]; } );"),
                "a.weights=([0.7, 0.3], [1, 0])", "[0.7, 0.3] /1; [1, 0] /1; ");
    assert_runs(
        RECIPE(TRAIN "," SEARCH,
               "sweep = ( { set = \"labels.tasks\"; values = ([\"math\"], [\"logic\"]); } );"),
        "labels.tasks=[\"math\", \"logic\"]", "[\"math\", \"logic\"] /1; ");
    assert_runs(RECIPE(A, "sweep = ( { set = \"a.stage\"; values = [1, 2]; },"
                          "{ zip = ( { set = \"a.gamma\"; values = [0.1, 0.2]; },"
                          "{ set = \"a.points\"; values = [1, 2]; } ); when = \"a.stage > 1\"; }"
                          ");"),
                "a.points=7", /* under the same condition as before */
                "1 0.5 8 /1; 2 0.1 7 /1; 2 0.2 7 /1; ");
}

/* ---- identity ---- */

static bool has_run(const struct plan *p, const struct digest *d)
{
    for (size_t i = 0; i < p->runs_len; i++)
        if (digest_equal(&p->run[i].digest, d))
            return true;
    return false;
}

static void a_new_value_leaves_every_old_key(void **state)
{
#define TWO_AXES(VALUES)                                                                           \
    RECIPE(A "," B, "sweep = ( { set = \"a.stage\"; values = " VALUES "; },"                       \
                    "{ set = \"b.gamma\"; values = [0.1, 0.2, 0.3]; },"                            \
                    "{ set = \"seed\"; values = [1, 2]; } );")
    struct plan *p = make(TWO_AXES("[1, 2]"), NULL), *q = make(TWO_AXES("[0, 1, 2]"), NULL);
    size_t common = 0;

    (void)state;
    for (size_t i = 0; i < p->jobs_len; i++)
        for (size_t k = 0; k < q->jobs_len; k++)
            common += digest_equal(&p->job[i].key, &q->job[k].key);
    assert_int_equal(common, p->jobs_len);
    assert_int_equal(q->jobs_len - p->jobs_len, 2 + 6); /* a and b of stage 0 */
    for (size_t i = 0; i < p->runs_len; i++)
        assert_true(has_run(q, &p->run[i].digest));
    assert_int_equal(q->runs_len, p->runs_len + 6);
    assert_false(digest_equal(&p->revision, &q->revision));
    plan_free(p);
    plan_free(q);
}

static void how_a_recipe_is_written_is_no_part_of_its_revision(void **state)
{
    static const char *const texts[] = {
        RECIPE(A "," B, "sweep = ( { set = \"a.stage\"; values = [1, 2]; } );"),
        "# a comment\n" RECIPE(B "," A, "sweep = ( { values = [2, 1]; set = \"a.stage\"; } );"),
        "sweep = ( { points = ( { a = { stage = 2; }; }, { a = { stage = 1; }; } ); } );" RECIPE(
            "{ stage = 1; id = \"a\"; seed = \"run\"; gamma = 0.5; job = \"noop\"; weights = 1; },"
            "{ id = \"b\"; job = \"noop\"; model = \"a\"; stage = 2.0; seed = \"run\";"
            "  retries = 7; when = \"true\"; }",
            ""),
        RECIPE(A "," B, "sweep = ( { zip = ( { set = \"a.stage\"; values = [1, 2, 3]; } ); } );"
                        "exclude = [\"a.stage > 2\"];"),
    };
    struct plan *p = make(texts[0], NULL);

    (void)state;
    for (size_t i = 1; i < ARRAY_LEN(texts); i++) {
        struct plan *q = make(texts[i], NULL);
        if (!digest_equal(&p->revision, &q->revision))
            fail_msg("%s", texts[i]);
        plan_free(q);
    }
    plan_free(p);
}

/* A change of this number means that every submitted recipe becomes another revision. It is that of
 * the first release for axes in the order of their names; their order is no part of it since. */
static void revisions_are_what_they_always_were(void **state)
{
    struct plan *p = make(
        "name = \"old\"; vars = { n = 20; }; steps = ("
        "{ id = \"base\"; job = \"pretrain\"; tasks = [\"math\", \"logic\"]; gemm = \"packed\";"
        "  seed = \"run\"; },"
        "{ id = \"labels\"; job = \"search\"; model = \"base\"; tasks = [\"math\"];"
        "  levels = [1, 2, 3]; split = \"train\"; examples = \"${vars.n}\"; simulations = 50;"
        "  seed = \"run\"; },"
        "{ id = \"oracle\"; job = \"evaluate\"; model = \"base\"; labels = \"labels\";"
        "  tasks = [\"math\"]; levels = [1, 2, 3]; split = \"train\"; examples = \"${vars.n}\"; } "
        ");"
        "sweep = ( { set = \"labels.simulations\"; values = [20, 50, 100]; },"
        "  { set = \"labels.exploration\"; values = [1.0, 1.5, 2.0]; },"
        "  { set = \"labels.split\"; values = [\"train\", \"test\"]; },"
        "  { set = \"seed\"; values = [1, 2, 3]; } );",
        NULL);
    char hex[DIGEST_HEX];

    (void)state;
    assert_string_equal(digest_hex(&p->revision, hex),
                        "2cce104bf474e2a3d02243c987a30359a95d7fce78fa8e62dbf1824aae26fd65");
    plan_free(p);
}

static void the_order_of_axes_changes_the_order_of_runs_alone(void **state)
{
    struct plan *p = make(RECIPE(A, "sweep = ( { set = \"a.stage\"; values = [1, 2]; },"
                                    "{ set = \"a.gamma\"; values = [0.1, 0.2, 0.3]; } );"),
                          NULL);
    struct plan *q = make(RECIPE(A, "sweep = ( { set = \"a.gamma\"; values = [0.1, 0.2, 0.3]; },"
                                    "{ set = \"a.stage\"; values = [1, 2]; } );"),
                          NULL);

    (void)state;
    for (size_t i = 0; i < p->runs_len; i++)
        assert_true(has_run(q, &p->run[i].digest));
    assert_true(digest_equal(&p->revision, &q->revision));
    assert_false(digest_equal(&p->run[1].digest, &q->run[1].digest));
    plan_free(p);
    plan_free(q);
}

static void numbers_in_lists_are_one_however_written(void **state)
{
    static const char *const same[] = { "[1.0]", "[1]", "1", "1.0", "(1)" };
    struct plan *p = make(RECIPE(A, ""), NULL);
    char set[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        snprintf(set, sizeof(set), "a.weights=%s", same[i]);
        struct plan *q = make(RECIPE(A, ""), set);
        assert_true(digest_equal(&p->job[0].key, &q->job[0].key));
        assert_int_equal(params_get(q->job[0].params, "weights")->type, PARAM_REALS);
        plan_free(q);
    }
    struct plan *q = make(RECIPE(A, ""), "a.weights=(1, 2.5)");
    assert_false(digest_equal(&p->job[0].key, &q->job[0].key));
    assert_int_equal(params_get(q->job[0].params, "weights")->len, 2);
    plan_free(q);
    plan_free(p);
    assert_refusal(RECIPE(A, ""), "a.weights=[\"x\"]",
                   "steps[0].weights: must be a list of numbers, is a list of texts");
    assert_refusal(RECIPE(A, ""), "a.weights=[]", "steps[0].weights: the list is empty");
    assert_refusal(RECIPE(A, ""), "a.weights=(1, 1e10)", "out of range");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_multiplies_and_takes_lists),
        cmocka_unit_test(a_zip_advances_together),
        cmocka_unit_test(points_keep_what_they_do_not_name),
        cmocka_unit_test(random_points_are_what_they_always_were),
        cmocka_unit_test(more_points_and_other_parameters_change_no_drawn_value),
        cmocka_unit_test(random_values_cover_their_range),
        cmocka_unit_test(an_entry_varies_only_where_its_condition_holds),
        cmocka_unit_test(a_step_is_there_only_where_its_condition_holds),
        cmocka_unit_test(a_step_that_needs_an_absent_one_is_refused_unless_absent_too),
        cmocka_unit_test(excluded_points_are_dropped),
        cmocka_unit_test(set_takes_a_parameter_out_of_its_entry),
        cmocka_unit_test(a_new_value_leaves_every_old_key),
        cmocka_unit_test(how_a_recipe_is_written_is_no_part_of_its_revision),
        cmocka_unit_test(revisions_are_what_they_always_were),
        cmocka_unit_test(the_order_of_axes_changes_the_order_of_runs_alone),
        cmocka_unit_test(numbers_in_lists_are_one_however_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
