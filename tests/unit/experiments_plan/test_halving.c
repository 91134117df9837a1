/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: halving adds select jobs, gates and candidates that say what docs/recipes.md says, and
 * changes no other key. Method: small recipes; the whole structure checked against rules written
 * down here again; random recipes of rungs and evaluations for the rules that must always hold. */
#include "tests/unit/experiments_plan/recipes.h"

#include "common/base/mem.h"
#include "common/base/rng.h"

#define S1 "{ id = \"s1\"; job = \"noop\"; stage = 1; seed = \"run\"; }"
#define S2 "{ id = \"s2\"; job = \"noop\"; stage = 2; model = \"s1\"; seed = \"run\"; }"
#define S3 "{ id = \"s3\"; job = \"noop\"; stage = 3; model = \"s2\"; seed = \"run\"; }"
#define CHAIN(SWEEP, REST)                                                                         \
    RECIPE(S3 "," S1 "," S2,                                                                       \
           "\nsweep = ( " SWEEP ", { set = \"seed\"; values = [1, 2, 3]; } );\n" REST)
#define FOUR  "{ set = \"s1.gamma\"; values = [0.1, 0.2, 0.3, 0.4]; }"
#define HALVE "halving = { rungs = [\"s1\", \"s2\", \"s3\"]; measure = \"reward\"; keep = 0.5; };"

static bool contains(const struct plan_list *l, uint32_t v)
{
    for (size_t i = 0; i < l->len; i++)
        if (l->v[i] == v)
            return true;
    return false;
}

/* The gate of RUN on JOB, NULL when there is none. */
static const struct plan_gate *gate_of(const struct plan *p, uint32_t run, uint32_t job)
{
    for (size_t i = 0; i < p->gates_len; i++)
        if (p->gate[i].run == run && p->gate[i].job == job)
            return &p->gate[i];
    return NULL;
}

/* What holds of every plan, halved or not. */
static void assert_sound(const struct plan *p)
{
    for (size_t j = 0; j < p->jobs_len; j++) {
        const struct plan_job *job = &p->job[j];
        size_t gates = 0;
        uint32_t first = UINT32_MAX;
        for (size_t i = 0; i < job->needs.len; i++) {
            assert_true(job->needs.v[i] < j);
            assert_true(i == 0 || job->needs.v[i] > job->needs.v[i - 1]);
        }
        for (size_t i = 0; i < job->inputs_len; i++)
            if (job->input[i].source == PLAN_OUTPUT)
                assert_true(contains(&job->needs, job->input[i].producer));
        assert_true(job->runs.len > 0);
        for (size_t i = 0; i < p->gates_len; i++)
            if (p->gate[i].job == j) {
                gates++;
                first = p->gate[i].by < first ? p->gate[i].by : first;
                assert_true(contains(&job->runs, p->gate[i].run));
                assert_int_equal(p->job[p->gate[i].by].kind->id, KIND_SELECT);
                assert_true(contains(&p->job[p->gate[i].by].runs, p->gate[i].run));
            }
        /* it waits for a decision only when nobody wants it without one */
        for (size_t i = 0; i < job->needs.len; i++)
            if (p->job[job->needs.v[i]].kind->id == KIND_SELECT)
                assert_true(gates == job->runs.len && job->needs.v[i] == first);
        if (gates > 0 && gates == job->runs.len)
            assert_true(contains(&job->needs, first));
    }
    for (size_t i = 0; i < p->steps_len; i++)
        for (size_t k = 0; k < p->step[i].needs.len; k++)
            assert_true(p->step[i].needs.v[k] < i);
}

static uint32_t job_of(const struct plan *p, const char *step, uint32_t run)
{
    for (size_t j = 0; j < p->jobs_len; j++)
        if (strcmp(p->job[j].step, step) == 0 && contains(&p->job[j].runs, run))
            return (uint32_t)j;
    fail_msg("run %u has no %s", run, step);
    return 0;
}

static void every_rung_but_the_last_has_a_select_job(void **state)
{
    struct plan *p = make(CHAIN(FOUR, HALVE), NULL);

    (void)state;
    assert_sound(p);
    assert_int_equal(p->runs_len, 12);
    assert_int_equal(p->jobs_len, 36 + 2);
    assert_int_equal(p->gates_len, 24);
    assert_int_equal(p->candidates_len, 24);
    for (uint32_t run = 0; run < 12; run++) {
        const uint32_t s[] = { job_of(p, "s1", run), job_of(p, "s2", run), job_of(p, "s3", run) };
        const uint32_t one = job_of(p, "halving.1", run), two = job_of(p, "halving.2", run);
        assert_null(gate_of(p, run, s[0]));
        assert_int_equal(gate_of(p, run, s[1])->by, one);
        assert_int_equal(gate_of(p, run, s[2])->by, two);
        assert_true(contains(&p->job[one].needs, s[0]));
        assert_true(contains(&p->job[two].needs, s[1]));
        assert_int_equal(p->job[one].needs.len, 12);
        assert_int_equal(p->job[one].runs.len, 12);
        assert_int_equal(p->job[s[1]].needs.len, 2); /* s1 and the decision */
    }
    const struct plan_job *two = &p->job[job_of(p, "halving.2", 0)];
    assert_int_equal(two->inputs_len, 1);
    assert_int_equal(two->input[0].source, PLAN_RESULTS);
    assert_string_equal(two->input[0].name, "results");
    assert_string_equal(params_get(two->params, "measure")->s, "reward");
    assert_true(params_get(two->params, "keep")->r == 0.25); /* of all */
    assert_int_equal(kind_check(two->kind, two->params, NULL), 0);
    plan_free(p);
}

static void candidates_are_points_without_their_seed(void **state)
{
    struct plan *p = make(CHAIN(FOUR, HALVE), NULL);
    size_t groups = 0;

    (void)state;
    for (size_t i = 0; i < p->candidates_len; i++) {
        const struct plan_candidate *c = &p->candidate[i], *d = c - 1;
        if (i == 0 || d->by != c->by || !digest_equal(&d->candidate, &c->candidate)) {
            groups++;
            continue;
        }
        assert_string_equal(p->run[c->run].value[0], p->run[d->run].value[0]);
        assert_true(p->run[c->run].seed > p->run[d->run].seed);
    }
    assert_int_equal(groups, 8);
    plan_free(p);
}

static void the_expected_numbers_shrink_and_are_rounded_up(void **state)
{
    struct plan *p = make(
        CHAIN("{ set = \"s1.gamma\"; values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]; }",
              HALVE),
        NULL);
    static const uint64_t expected[][2] = { { 9, 5 }, { 5, 3 }, { 3, 3 } };

    (void)state;
    assert_int_equal(p->rungs_len, 3);
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(p->rung[k].candidates, expected[k][0]);
        assert_int_equal(p->rung[k].survivors, expected[k][1]);
    }
    assert_string_equal(p->rung[1].step, "s2");
    assert_string_equal(p->rung[1].score, "s2");
    plan_free(p);
    p = make(CHAIN(FOUR, HALVE), "halving.keep=0.01");
    assert_int_equal(p->rung[0].survivors, 1);
    assert_int_equal(p->rung[2].survivors, 1);
    plan_free(p);
}

static void halving_changes_no_other_key_and_no_point(void **state)
{
    struct plan *p = make(CHAIN(FOUR, ""), NULL), *q = make(CHAIN(FOUR, HALVE), NULL);
    size_t same = 0;

    (void)state;
    assert_int_equal(p->gates_len + p->candidates_len + p->rungs_len, 0);
    for (size_t i = 0; i < p->jobs_len; i++)
        for (size_t k = 0; k < q->jobs_len; k++)
            same += digest_equal(&p->job[i].key, &q->job[k].key);
    assert_int_equal(same, 36);
    for (size_t i = 0; i < p->runs_len; i++)
        assert_true(digest_equal(&p->run[i].digest, &q->run[i].digest));
    /* but it is another thing to run */
    assert_false(digest_equal(&p->revision, &q->revision));
    plan_free(p);
    plan_free(q);
}

static struct digest select_key(const char *text, const char *set, const char *step)
{
    struct plan *p = make(text, set);
    struct digest key = p->job[job_of(p, step, 0)].key;

    assert_sound(p);
    plan_free(p);
    return key;
}

static void a_decision_is_known_by_what_it_looks_at(void **state)
{
    const char *text = CHAIN(FOUR, HALVE);
    struct digest one = select_key(text, NULL, "halving.1"),
                  two = select_key(text, NULL, "halving.2");
    struct digest again = select_key(
        CHAIN(
            "{ set = \"s1.gamma\"; values = [0.4, 0.2, 0.3, 0.1]; }",
            "halving = { keep = 0.5; better = \"higher\"; measure = \"reward\"; rungs = ( { step = "
            "\"s1\"; score = \"s1\"; }, \"s2\", \"s3\" ); };"),
        NULL, "halving.1");
    static const char *const sets[] = {
        "halving.keep=0.4", "halving.measure=loss", "halving.better=lower", "s1.gamma=[0.1, 0.2]",
        "seed=1,2",         "s1.points=9"
    };

    (void)state;
    assert_false(digest_equal(&one, &two));
    assert_true(digest_equal(&one, &again));
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        struct digest other = select_key(text, sets[i], "halving.1");
        if (digest_equal(&one, &other))
            fail_msg("%s makes no difference", sets[i]);
    }
    /* what comes later is of no importance to the first decision, but to the second */
    struct digest same = select_key(text, "s2.points=9", "halving.1");
    struct digest other = select_key(text, "s2.points=9", "halving.2");
    assert_true(digest_equal(&one, &same));
    assert_false(digest_equal(&two, &other));
}

static void what_a_run_shares_with_an_ungated_one_waits_for_nothing(void **state)
{
    /* s2 of the points with s1.gamma = 0.1 is s1 of nobody; x is wanted at level 0 by all */
    struct plan *p =
        make(RECIPE(S1 "," S2 ", { id = \"x\"; job = \"noop\"; stage = 9; },"
                       "{ id = \"y\"; job = \"noop\"; model = \"s2\"; stage = "
                       "\"${vars.n}\"; }",
                    "vars = { n = 4; }; sweep = ( { set = \"s1.gamma\"; values = [0.1, "
                    "0.2]; } ); halving = { rungs = [\"s1\", \"s2\"]; measure = "
                    "\"loss\"; better = \"lower\"; };"),
             NULL);

    (void)state;
    assert_sound(p);
    assert_null(gate_of(p, 0, job_of(p, "x", 0)));
    assert_int_equal(gate_of(p, 0, job_of(p, "y", 0))->by, job_of(p, "halving.1", 0));
    assert_int_equal(p->job[job_of(p, "x", 0)].needs.len, 0);
    plan_free(p);
    /* the second rung of the runs with when = false is wanted by a run that is no candidate */
    p = make(RECIPE("{ id = \"s1\"; job = \"noop\"; stage = 1; when = \"x.stage == 1\"; },"
                    "{ id = \"s2\"; job = \"noop\"; stage = 2; },"
                    "{ id = \"x\"; job = \"noop\"; stage = 1; }",
                    "sweep = ( { set = \"x.stage\"; values = [0, 1]; } ); halving = { rungs = "
                    "[\"s1\", \"s2\"]; measure = \"loss\"; };"),
             NULL);
    assert_sound(p);
    assert_int_equal(p->candidates_len, 1);
    assert_int_equal(p->gates_len, 1); /* of the second run; the first has none */
    assert_int_equal(p->gate[0].run, 1);
    assert_int_equal(p->job[job_of(p, "s2", 1)].needs.len, 0);
    plan_free(p);
}

#define MODEL "{ id = \"m\"; job = \"pretrain\"; tasks = [\"math\"]; gemm = \"packed\"; }"
#define SEARCHES                                                                                   \
    "{ id = \"few\"; job = \"search\"; model = \"m\"; tasks = [\"math\"]; levels = [1, 2];"        \
    "  examples = 20; shard = 10; simulations = 20; },"                                            \
    "{ id = \"many\"; job = \"search\"; model = \"m\"; tasks = [\"math\"]; levels = [1, 2];"       \
    "  examples = 20; shard = 10; simulations = 100; }"
#define SEARCH_SWEEP                                                                               \
    "sweep = ( { zip = ( { set = \"few.exploration\"; values = [0.5, 1.0, 1.8]; },"                \
    "{ set = \"many.exploration\"; values = [0.5, 1.0, 1.8]; } ); } );"

static void searches_with_more_simulations_are_rungs(void **state)
{
    struct plan *p = make(
        RECIPE(MODEL "," SEARCHES ", { id = \"e\"; job = \"evaluate\"; model = \"m\"; labels = "
                     "\"many\"; tasks = [\"math\"]; levels = [1]; examples = 5; }",
               SEARCH_SWEEP
               "halving = { rungs = [\"few\", \"many\"]; measure = \"oracle\"; keep = 0.34; };"),
        NULL);

    (void)state;
    assert_sound(p);
    const uint32_t by = job_of(p, "halving.1", 0);
    assert_int_equal(p->job[by].needs.len, 3 * 4); /* shards of all candidates */
    assert_null(gate_of(p, 0, job_of(p, "m", 0)));
    assert_null(gate_of(p, 0, job_of(p, "few", 0)));
    assert_int_equal(gate_of(p, 0, job_of(p, "many", 0))->by, by);
    assert_int_equal(gate_of(p, 0, job_of(p, "many.collect", 0))->by, by);
    assert_int_equal(gate_of(p, 0, job_of(p, "e", 0))->by, by);
    assert_int_equal(p->rung[0].survivors, 2); /* 0.34 of 3 is 1.02 */
    plan_free(p);
}

static void another_step_can_tell_how_good_a_rung_is(void **state)
{
#define JUDGED(RUNGS)                                                                              \
    RECIPE(MODEL ", { id = \"m2\"; job = \"pretrain\"; tasks = [\"math\"]; gemm = \"packed\";"     \
                 "  steps = 3; }, { id = \"v\"; job = \"evaluate\"; model = \"m\"; tasks = "       \
                 "[\"math\"]; levels = [1]; examples = 5; }",                                      \
           "sweep = ( { set = \"m.dim\"; values = [32, 64]; } );\n halving = { rungs = ( " RUNGS   \
           " ); measure = \"accuracy\"; };")
    struct plan *p = make(JUDGED("{ step = \"m\"; score = \"v\"; }, \"m2\""), NULL);

    (void)state;
    assert_sound(p);
    const uint32_t by = job_of(p, "halving.1", 0);
    assert_int_equal(p->job[by].needs.len, 2);
    assert_true(contains(&p->job[by].needs, job_of(p, "v", 0)));
    assert_int_equal(gate_of(p, 0, job_of(p, "m2", 0))->by, by);
    assert_null(gate_of(p, 0, job_of(p, "v", 0)));
    plan_free(p);
    assert_refusal(JUDGED("{ step = \"m2\"; score = \"v\"; }, \"m\""), NULL,
                   "t.cfg:2: halving.rungs[0]: the score \"v\" does not need \"m2\"");
}

static void bad_halving_is_refused_with_place_and_remedy(void **state)
{
#define BAD(TEXT) CHAIN(FOUR, "halving = { " TEXT " };")
    static const struct {
        const char *text, *set, *expected;
    } cases[] = {
        { BAD("rungs = [\"s1\"]; measure = \"reward\";"), NULL,
          "t.cfg:3: halving.rungs: 2 to 16 rungs" },
        { BAD("rungs = [\"s1\", \"s22\"]; measure = \"reward\";"), NULL,
          "t.cfg:3: halving.rungs[1]: no step is called \"s22\"; did you mean \"s2\"?" },
        { BAD("rungs = [\"s1\", \"s1\"]; measure = \"reward\";"), NULL,
          "\"s1\" is a rung already" },
        { BAD("rungs = [\"s2\", \"s1\", \"s3\"]; measure = \"reward\";"), NULL,
          "t.cfg:3: halving.rungs[0]: \"s2\" needs \"s1\", a later rung" },
        { BAD("rungs = ( { step = \"s1\"; score = \"s3\"; }, \"s2\" ); measure = \"reward\";"),
          NULL, "halving.rungs[0]: the score \"s3\" needs \"s2\", a later rung" },
        { BAD("rungs = ( { stepp = \"s1\"; }, \"s2\" ); measure = \"reward\";"), NULL,
          "did you mean \"step\"?" },
        { BAD("rungs = ( 1, \"s2\" ); measure = \"reward\";"), NULL, "write a text" },
        { BAD("rungs = \"s1\"; measure = \"reward\";"), NULL, "write a list" },
        { BAD("rungs = [\"s1\", \"s2\"];"), NULL, "t.cfg:3: halving.measure: missing" },
        { BAD("rungs = [\"s1\", \"s2\"]; measure = \"rewrad\";"), NULL,
          "t.cfg:3: halving.measure: step \"s1\" (noop) has no \"rewrad\"; did you mean "
          "\"reward\"?" },
        { BAD("rungs = [\"s1\", \"s2\"]; measure = 3;"), NULL, "halving.measure: must be text" },
        { BAD("rungs = [\"s1\", \"s2\"]; measure = \"loss\"; better = \"highest\";"), NULL,
          "did you mean \"higher\"?" },
        { BAD("rungs = [\"s1\", \"s2\"]; measure = \"loss\"; keep = 0;"), NULL,
          "halving.keep: must be above 0" },
        { BAD("rungs = [\"s1\", \"s2\"]; measure = \"loss\"; keep = 1.5;"), NULL, "0 to 1" },
        { BAD("rungs = [\"s1\", \"s2\"]; measure = \"loss\"; kep = 1;"), NULL,
          "did you mean \"keep\"?" },
        { CHAIN(FOUR, "halving = 3;"), NULL, "write a group" },
        { CHAIN(FOUR, ""), "halving.keep=0.3", "the recipe has no halving" },
        { CHAIN(FOUR, HALVE), "halving.kep=0.3", "did you mean halving.keep?" },
        { RECIPE(MODEL "," SEARCHES ", { id = \"c\"; job = \"collect\"; results = \"few\"; }",
                 "halving = { rungs = ( { step = \"few\"; score = \"c\"; }, \"many\" ); measure = "
                 "\"oracle\"; };"),
          NULL, "a collect step has no result to judge by" },
        { RECIPE(MODEL "," SEARCHES,
                 "halving = { rungs = [\"few\", \"many\"]; measure = \"orcale\"; };"),
          NULL, "did you mean \"oracle\"? (accuracy, oracle, layers)" },
        { RECIPE(S1 "," S2 ", { id = \"v\"; job = \"noop\"; model = \"s1\"; when = \"seed > 1\"; }",
                 "halving = { rungs = ( { step = \"s1\"; score = \"v\"; }, \"s2\" ); measure = "
                 "\"loss\"; };"),
          NULL, "the score \"v\" is no part of a run that has \"s1\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_refusal(cases[i].text, cases[i].set, cases[i].expected);
}

/* Random chains with values that make jobs equal across rungs and runs. */
static void random_halvings_are_sound(void **state)
{
    struct rng r = rng_stream("test halving", 1, 0);
    size_t gates = 0;

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        const uint32_t steps = 2 + rng_below(&r, 5);
        uint32_t rungs = 0;
        buf_adds(&text, "name = \"t\"; steps = ( ");
        for (uint32_t s = 0; s < steps; s++) {
            buf_printf(&text, "%s{ id = \"s%u\"; job = \"noop\"; stage = %u; ", s ? ", " : "", s,
                       rng_below(&r, 2));
            if (s && rng_below(&r, 2))
                buf_printf(&text, "model = \"s%u\"; ", rng_below(&r, s));
            if (rng_below(&r, 2))
                buf_adds(&text, "seed = \"run\"; ");
            buf_adds(&text, "}");
        }
        buf_adds(&text, " ); sweep = ( { set = \"seed\"; values = [1, 2]; }");
        for (uint32_t s = 0; s < steps; s++)
            if (rng_below(&r, 2))
                buf_printf(&text, ", { set = \"s%u.stage\"; values = [0, 1]; }", s);
        buf_adds(&text, " ); halving = { measure = \"loss\"; rungs = [");
        for (uint32_t s = 0; s < steps; s++)
            if (s + 2 >= steps || rng_below(&r, 2))
                buf_printf(&text, "%s\"s%u\"", rungs++ ? ", " : "", s);
        buf_adds(&text, "]; };");
        struct plan *p = make(buf_str(&text), NULL);
        assert_sound(p);
        gates += p->gates_len;
        plan_free(p);
    }
    assert_in_range(gates, 500, 100000);
}

static void the_graph_has_steps_and_diamonds(void **state)
{
    struct plan *p = make(CHAIN(FOUR, HALVE), NULL);
    struct buf dot CLEANUP(buf_release) = { 0 };

    (void)state;
    plan_graph_print(p, &dot);
    assert_string_equal(buf_str(&dot),
                        "digraph \"t\" {\n"
                        "  rankdir=LR;\n"
                        "  node [shape=box];\n"
                        "  s0 [label=\"s1\\nnoop\\n12 jobs\"];\n"
                        "  s1 [label=\"halving.1\\nselect\\n1 job\", shape=diamond];\n"
                        "  s2 [label=\"s2\\nnoop\\n12 jobs\"];\n"
                        "  s3 [label=\"halving.2\\nselect\\n1 job\", shape=diamond];\n"
                        "  s4 [label=\"s3\\nnoop\\n12 jobs\"];\n"
                        "  s0 -> s1;\n"
                        "  s0 -> s2;\n"
                        "  s1 -> s2;\n"
                        "  s2 -> s3;\n"
                        "  s2 -> s4;\n"
                        "  s3 -> s4;\n"
                        "}\n");
    plan_free(p);
    p = make(RECIPE(ORACLE "," SEARCH "," TRAIN, ""), NULL);
    buf_clear(&dot);
    plan_graph_print(p, &dot);
    assert_non_null(strstr(buf_str(&dot), "labels\\nsearch\\n12 jobs, 120 examples\"];"));
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rung_but_the_last_has_a_select_job),
        cmocka_unit_test(candidates_are_points_without_their_seed),
        cmocka_unit_test(the_expected_numbers_shrink_and_are_rounded_up),
        cmocka_unit_test(halving_changes_no_other_key_and_no_point),
        cmocka_unit_test(a_decision_is_known_by_what_it_looks_at),
        cmocka_unit_test(what_a_run_shares_with_an_ungated_one_waits_for_nothing),
        cmocka_unit_test(searches_with_more_simulations_are_rungs),
        cmocka_unit_test(another_step_can_tell_how_good_a_rung_is),
        cmocka_unit_test(bad_halving_is_refused_with_place_and_remedy),
        cmocka_unit_test(random_halvings_are_sound),
        cmocka_unit_test(the_graph_has_steps_and_diamonds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
