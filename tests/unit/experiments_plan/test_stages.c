/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a stage step becomes a chain of jobs whose identity is their slice of the schedule and
 * nothing else, its models are found by stage, and what is impossible is refused with its place and
 * a remedy. Method: small recipes as text; keys of pairs of recipes compared stage by stage. */
#include "tests/unit/experiments_plan/recipes.h"

#define BASE                                                                                       \
    "{ id = \"base\"; job = \"pretrain\"; tasks = [\"math\"]; prompts = \"think\"; steps = 10;"    \
    "  positions = 256; gemm = \"packed\"; seed = \"run\"; }"
#define STAGES(MORE)                                                                               \
    "{ id = \"train\"; job = \"stage\"; model = \"base\"; tasks = [\"math\"]; levels = [1, 2];"    \
    "  updates = 120; stages = 4; gemm = \"packed\"; seed = \"run\"; " MORE " }"
#define ONE_LEVEL(MORE)                                                                            \
    RECIPE(BASE ",{ id = \"train\"; job = \"stage\"; model = \"base\"; tasks = [\"math\"];"        \
                " levels = [2]; gemm = \"packed\"; " MORE " }",                                    \
           "")
#define SCORE(ID, MODEL)                                                                           \
    "{ id = \"" ID "\"; job = \"evaluate\"; model = \"" MODEL "\"; tasks = [\"math\"];"            \
    "  levels = [1]; examples = 10; prompts = \"think\"; }"
#define CHAIN(MORE) RECIPE(BASE "," STAGES(MORE), "")
#define EXPONENTIAL "schedule = \"exponential\"; budget_first = 60; budget_last = 20; drops = 3;"

enum { STAGES_MAX = 8 };

/* The stage jobs of run RUN, in the order of their stages. */
static size_t stages_of(const struct plan *p, uint32_t run, const struct plan_job **ret)
{
    size_t n = 0;

    for (size_t i = 0; i < p->jobs_len; i++)
        for (size_t k = 0; k < p->job[i].runs.len; k++)
            if (p->job[i].kind->id == KIND_STAGE && p->job[i].runs.v[k] == run) {
                assert_true(n < STAGES_MAX);
                ret[n++] = &p->job[i];
            }
    return n;
}

static int64_t number(const struct plan_job *j, const char *name)
{
    return kind_int(j->kind, j->params, name);
}

static void assert_ints(const struct plan_job *j, const char *name, const char *expected)
{
    const struct param_value *v = params_get(j->params, name);
    struct buf text = { 0 };

    if (v)
        param_print(v, &text);
    assert_string_equal(buf_str(&text), expected);
    buf_release(&text);
}

static void assert_text(const struct plan_job *j, const char *name, const char *expected)
{
    assert_string_equal(kind_text(j->kind, j->params, name), expected);
}

/* How many of the first run's stages have the same keys in both recipes, from the first on; the
 * stages behind all differ. */
static size_t shared(const char *a, const char *b, const char *set)
{
    struct plan *p = make(a, NULL), *q = make(b, set);
    const struct plan_job *x[STAGES_MAX], *y[STAGES_MAX];
    const size_t n = stages_of(p, 0, x), m = stages_of(q, 0, y);
    size_t same = 0;

    while (same < n && same < m && digest_equal(&x[same]->key, &y[same]->key))
        same++;
    for (size_t i = same; i < n; i++)
        for (size_t k = 0; k < m; k++)
            assert_false(digest_equal(&x[i]->key, &y[k]->key));
    plan_free(p);
    plan_free(q);
    return same;
}

static void a_step_is_a_chain_of_jobs_with_their_slices(void **state)
{
    struct plan *p = make(CHAIN(EXPONENTIAL), NULL);
    static const char *const budgets[] = { "[60]", "[42]", "[29]", "[20]" };
    const struct plan_job *s[STAGES_MAX];

    (void)state;
    assert_int_equal(stages_of(p, 0, s), 4);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(number(s[k], "updates"), 30);
        assert_int_equal(number(s[k], "first"), 30 * k);
        assert_int_equal(number(s[k], "total"), 0);
        assert_text(s[k], "schedule", "constant");
        assert_ints(s[k], "budgets", budgets[k]);
        assert_ints(s[k], "budget_at", "[0]");
        assert_null(params_get(s[k]->params, "stages"));
        assert_null(params_get(s[k]->params, "budget_first"));
        assert_string_equal(s[k]->step, "train");
        assert_int_equal(s[k]->seed, 1);
        assert_int_equal(s[k]->inputs_len, k ? 2 : 1);
        assert_string_equal(s[k]->input[0].name, "model");
        assert_true(s[k]->input[0].folder);
        if (k) {
            assert_string_equal(s[k]->input[1].name, "state");
            assert_ptr_equal(&p->job[s[k]->input[0].producer], s[k - 1]);
            assert_ptr_equal(&p->job[s[k]->input[1].producer], s[k - 1]);
        }
        assert_int_equal(s[k]->needs.len, 1);
    }
    assert_int_equal(p->job[s[0]->input[0].producer].kind->id, KIND_PRETRAIN);
    plan_free(p);
}

static void drops_inside_a_stage_are_counted_from_its_start(void **state)
{
    struct plan *p = make(CHAIN("schedule = \"steps\"; steps = [50, 40, 30]; steps_at = [0, 40, "
                                "80]; "),
                          NULL);
    static const char *const budgets[] = { "[50]", "[50, 40]", "[40, 30]", "[30]" };
    static const char *const at[] = { "[0]", "[0, 10]", "[0, 20]", "[0]" };
    const struct plan_job *s[STAGES_MAX];

    (void)state;
    assert_int_equal(stages_of(p, 0, s), 4);
    for (int k = 0; k < 4; k++) {
        assert_ints(s[k], "budgets", budgets[k]);
        assert_ints(s[k], "budget_at", at[k]);
    }
    plan_free(p);
}

static void schedules_say_what_a_job_needs_and_no_more(void **state)
{
    struct plan *p =
        make(CHAIN("schedule = \"adaptive\"; budget_first = 60; budget_last = 20; "), NULL);
    const struct plan_job *s[STAGES_MAX];

    (void)state;
    (void)stages_of(p, 0, s);
    assert_text(s[2], "schedule", "adaptive");
    assert_int_equal(number(s[2], "adapt_first"), 60);
    assert_int_equal(number(s[2], "adapt_last"), 20);
    assert_ints(s[2], "budgets", "");
    plan_free(p);
    p = make(CHAIN("schedule = \"none\"; budget_first = 60; drops = 2; "), NULL);
    (void)stages_of(p, 0, s);
    assert_text(s[2], "schedule", "none");
    assert_ints(s[2], "budgets", "");
    plan_free(p);
    p = make(CHAIN(EXPONENTIAL "difficulty = \"e2h_cosine\"; "), NULL);
    (void)stages_of(p, 0, s);
    assert_int_equal(number(s[2], "total"), 120);
    plan_free(p);
    p = make(CHAIN(EXPONENTIAL "final_rate = 0.1; "), NULL);
    (void)stages_of(p, 0, s);
    assert_int_equal(number(s[2], "total"), 120);
    plan_free(p);
}

static void another_third_step_changes_the_third_stage_and_later(void **state)
{
    const char *const steps = CHAIN("schedule = \"steps\"; steps = [60, 50, 40, 30]; ");

    (void)state;
    assert_int_equal(shared(steps, steps, NULL), 4);
    assert_int_equal(shared(steps, steps, "train.steps=[60, 50, 39, 30]"), 2);
    assert_int_equal(shared(steps, steps, "train.steps=[60, 50, 40, 29]"), 3);
    assert_int_equal(shared(steps, steps, "train.steps=[61, 50, 40, 30]"), 0);
    assert_int_equal(shared(steps, steps, "train.steps_at=[0, 30, 60, 91]"), 3);
    assert_int_equal(shared(steps, steps, "train.steps_at=[0, 30, 60, 90]"), 4);
}

static void another_last_step_leaves_validated_stages_before_alone(void **state)
{
    const char *const steps =
        CHAIN("schedule = \"steps\"; steps = [60, 50, 40, 30]; validation_examples = 20; ");

    (void)state;
    assert_int_equal(shared(steps, steps, "train.steps=[60, 50, 40, 29]"), 3);
    assert_int_equal(shared(steps, steps, "train.steps=[60, 50, 39, 30]"), 2);
    assert_int_equal(shared(steps, steps, "train.validation_budget=30"), 0);
}

static void equal_slices_of_different_schedules_are_one_job(void **state)
{
    const char *const e = CHAIN(EXPONENTIAL);

    (void)state;
    assert_int_equal(shared(e, e, "train.schedule=linear"), 1);
    assert_int_equal(shared(e, CHAIN("schedule = \"steps\"; steps = [60, 42, 29, 20]; "), NULL), 4);
    assert_int_equal(shared(e, CHAIN("schedule = \"steps\"; steps = [60, 42, 29, 21]; "), NULL), 3);
    assert_int_equal(shared(e,
                            CHAIN("schedule = \"exponential\"; budget_first = 60; "
                                  "budget_last = 20; gamma = 0.7; interval = 30; "),
                            NULL),
                     3); /* 60 * 0.7^3 = 20.6: 21 */
    assert_int_equal(shared(CHAIN("schedule = \"constant\"; budget_last = 20; "),
                            CHAIN("schedule = \"linear\"; budget_first = 20; budget_last = 20; "),
                            NULL),
                     4);
}

static void what_has_no_effect_changes_no_key(void **state)
{
    const char *const e = CHAIN(EXPONENTIAL), *const none = CHAIN("schedule = \"none\"; ");

    (void)state;
    assert_int_equal(shared(e, e, "train.adapt_rate=0.7"), 4);
    assert_int_equal(shared(e, e, "train.difficulty_up=0.6"), 4);
    assert_int_equal(shared(e, e, "train.difficulty_temperature=3"), 4);
    assert_int_equal(shared(e, e, "train.validation_every=5"), 4);
    assert_int_equal(shared(e, e, "train.threads=2"), 4);
    assert_int_equal(shared(e, e, "train.checkpoint_s=1"), 4);
    assert_int_equal(shared(e, e, "train.length_shape=band"), 0);
    assert_int_equal(shared(e, e, "train.length_weight=0"), 0);
    assert_int_equal(shared(e, e, "train.mixture=[1, 2]"), 0);
    assert_int_equal(shared(e, e, "train.difficulty=adarft"), 0);
    assert_int_equal(shared(none, none, "train.length_weight=0.9"), 4);
    assert_int_equal(shared(none, none, "train.budget_last=5"), 4);
    assert_int_equal(shared(ONE_LEVEL(""), ONE_LEVEL("difficulty = \"sec\"; "), NULL), 1);
    assert_int_equal(shared(ONE_LEVEL(""), ONE_LEVEL("mixture = 3; "), NULL), 1);
}

static void a_further_seed_adds_its_own_jobs_only(void **state)
{
    const char *const one =
        RECIPE(BASE "," STAGES(EXPONENTIAL), "sweep = ( { set = \"seed\"; values = [1]; } );");
    struct plan *p = make(one, NULL), *q = make(one, "seed=[1, 2]");
    size_t known = 0;

    (void)state;
    for (size_t i = 0; i < p->jobs_len; i++)
        for (size_t k = 0; k < q->jobs_len; k++)
            known += digest_equal(&p->job[i].key, &q->job[k].key);
    assert_int_equal(known, p->jobs_len);
    assert_int_equal(q->jobs_len, 2 * p->jobs_len);
    plan_free(p);
    plan_free(q);
}

static const struct plan_job *find_job(const struct plan *p, const char *step)
{
    for (size_t i = 0; i < p->jobs_len; i++)
        if (strcmp(p->job[i].step, step) == 0)
            return &p->job[i];
    fail_msg("no job of %s", step);
    return NULL;
}

static void models_are_those_of_the_last_or_a_named_stage(void **state)
{
    struct plan *p = make(RECIPE(BASE "," STAGES(EXPONENTIAL) "," SCORE("end", "train") "," SCORE(
                                     "second", "train.2") "," SCORE("fourth", "train.4"),
                                 ""),
                          NULL);
    const struct plan_job *s[STAGES_MAX];

    (void)state;
    (void)stages_of(p, 0, s);
    assert_ptr_equal(&p->job[find_job(p, "end")->input[0].producer], s[3]);
    assert_ptr_equal(&p->job[find_job(p, "second")->input[0].producer], s[1]);
    /* the fourth is the last: the same job as "end" */
    for (size_t i = 0; i < p->jobs_len; i++)
        assert_string_not_equal(p->job[i].step, "fourth");
    plan_free(p);
    assert_refusal(RECIPE(BASE "," STAGES("") "," SCORE("end", "train.5"), ""), NULL,
                   "t.cfg:1: steps[2].model: step \"train\" has the stages 1 to 4");
    assert_refusal(RECIPE(BASE "," SCORE("end", "base.1"), ""), NULL,
                   "t.cfg:1: steps[1].model: step \"base\" (pretrain) has no stages");
}

static void a_stage_step_goes_on_from_another(void **state)
{
    struct plan *p = make(
        RECIPE(BASE "," STAGES(
                   EXPONENTIAL) ","
                                "{ id = \"more\"; job = \"stage\"; model = \"train.3\"; tasks = "
                                "[\"math\"]; stages = 2; gemm = \"packed\"; }",
               ""),
        NULL);
    const struct plan_job *s[STAGES_MAX];

    (void)state;
    assert_int_equal(stages_of(p, 0, s), 6);
    assert_ptr_equal(&p->job[s[4]->input[0].producer], s[2]);
    assert_int_equal(s[4]->inputs_len, 1); /* a curriculum of its own: no state */
    assert_int_equal(s[5]->inputs_len, 2);
    plan_free(p);
}

static void curricula_are_listed_once_with_their_budgets(void **state)
{
    struct plan *p =
        make(RECIPE(BASE "," STAGES("budget_first = 60; budget_last = 20; drops = 3;"),
                    "sweep = ( { set = \"train.schedule\"; values = [\"linear\", \"exponential\", "
                    "\"adaptive\", \"none\"]; }, { set = \"seed\"; values = [1, 2, 3]; } );"),
             NULL);

    (void)state;
    assert_int_equal(p->curricula_len, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(p->curriculum[i].runs, 3);
        assert_int_equal(p->curriculum[i].updates, 120);
        assert_int_equal(p->curriculum[i].points_len, i < 2 ? 4 : 0);
    }
    assert_int_equal(p->curriculum[1].point[2].update, 60);
    assert_int_equal(p->curriculum[1].point[2].budget, 29);
    assert_int_equal(p->curriculum[2].first, 60);
    assert_int_equal(p->curriculum[2].last, 20);
    assert_int_equal(p->warnings_len, 0);
    plan_free(p);
}

static void doubtful_schedules_are_warned_of_and_run(void **state)
{
    struct plan *p = make(CHAIN(EXPONENTIAL), "train.drops=1");

    (void)state;
    assert_int_equal(p->warnings_len, 1);
    assert_non_null(strstr(p->warning[0], "steps[1].drops: exponential: one drop multiplies"));
    plan_free(p);
    p = make(CHAIN("schedule = \"exponential\"; budget_first = 60; budget_last = 10; gamma = 0.9; "
                   "interval = 60; "),
             "train.max_new=50");
    assert_int_equal(p->warnings_len, 2);
    assert_non_null(strstr(p->warning[0], "budget_last = 10 is never reached"));
    assert_non_null(strstr(p->warning[1], "completions are cut at 50 tokens"));
    plan_free(p);
}

static void halving_judges_a_chain_by_its_last_stage(void **state)
{
    struct plan *p = make(
        RECIPE(BASE "," STAGES(EXPONENTIAL) ","
                                            "{ id = \"more\"; job = \"stage\"; model = \"train\"; "
                                            "tasks = [\"math\"]; gemm = \"packed\"; }",
               "sweep = ( { set = \"train.learning_rate\"; values = [1e-4, 2e-4, 3e-4, 4e-4]; } );"
               "halving = { rungs = [\"train\", \"more\"]; measure = \"accuracy\"; };"),
        NULL);
    size_t needs = 0, selects = 0;

    (void)state;
    for (size_t i = 0; i < p->jobs_len; i++)
        if (p->job[i].kind->id == KIND_SELECT) {
            selects++;
            needs = p->job[i].needs.len;
        }
    assert_int_equal(selects, 1);
    assert_int_equal(needs, 4); /* one of each candidate */
    assert_int_equal(p->rung[0].survivors, 2);
    plan_free(p);
}

static void impossible_schedules_are_refused_with_place_and_remedy(void **state)
{
    static const struct {
        const char *set, *expected;
    } rows[] = {
        { "train.budget_last=61",
          "--set train.budget_last=61: steps[1].budget_last: the final budget, 61 tokens, is above "
          "the first, 60; budgets shrink: lower budget_last or raise budget_first" },
        { "train.gamma=0", "steps[1].gamma: 0 is not between 0 and 1" },
        { "train.gamma=1", "steps[1].gamma: 1 is not between 0 and 1" },
        { "train.gamma=1.2", "steps[1].gamma: 1.2 is out of range" },
        { "train.gamma=-0.5", "steps[1].gamma: -0.5 is out of range" },
        { "train.gamma=0.7", "steps[1].gamma: needs interval" },
        { "train.interval=0", "steps[1].interval: 0 updates between two drops; say 1 or more" },
        { "train.interval=40", "steps[1].interval: 3 drops, one every 40 updates, do not fit into "
                               "120; say at most 39" },
        { "train.drops=0", "steps[1].drops: 0 drops never lead from 60 to 20" },
        { "train.drops=120", "steps[1].drops: 120 drops do not fit into 120 updates" },
        { "train.schedule=expontial", "did you mean \"exponential\"?" },
        { "train.schedule=steps", "t.cfg:1: steps[1].steps: missing; name the budgets" },
        { "train.stages=7", "steps[1].stages: 120 updates do not split into 7 equal stages; say "
                            "updates = 126" },
        { "train.group=1", "steps[1].group: 1 is out of range; allowed are 2 to 1024" },
        { "train.length_weight=-0.1", "steps[1].length_weight: -0.1 is out of range" },
        { "train.correct_weight=-1", "steps[1].correct_weight: -1 is out of range" },
        { "train.format_weight=-1", "steps[1].format_weight: -1 is out of range" },
        { "train.kl=-1", "steps[1].kl: -1 is out of range" },
        { "train.mixture=[1, -2]", "steps[1].mixture: -2 is out of range" },
        { "train.mixture=[1, 2, 3]", "steps[1].mixture: 3 weights for 2 levels" },
        { "train.mixture=[0, 0]", "steps[1].mixture: all weights are 0" },
        { "train.levels=[2, 1]", "steps[1].levels: 1 comes behind 2" },
        { "train.levels=[0]", "steps[1].levels: 0 is for tasks without levels; math has 1 to 6" },
        { "train.max_new=250", "steps[1].max_new: prompts of up to" },
        { "base.positions=128",
          "new ones do not fit into the model's 128 positions; say max_new = " },
        { "train.tasks=[\"lists\"]", "steps[1].tasks: lists cannot be asked" },
        { "train.first=3", "steps[1].first: a stage step has no such key" },
        { "train.budgets=[3]", "steps[1].budgets: a stage step has no such key" },
        { "train.buget_last=9", "did you mean budget_last?" },
        { "train.model=trian", "no step is called \"trian\"; did you mean \"train\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_refusal(CHAIN(EXPONENTIAL), rows[i].set, rows[i].expected);
    assert_refusal(CHAIN("schedule = \"steps\"; steps = [9, 20]; "), NULL,
                   "t.cfg:1: steps[1].steps: the final budget, 20 tokens, is above the first, 9");
    assert_refusal(CHAIN("schedule = \"steps\"; steps = [20, 9]; steps_at = [0]; "), NULL,
                   "steps[1].steps_at: 1 values, but steps has 2");
    assert_refusal(CHAIN(EXPONENTIAL "gamma = 0.7; interval = 30; "), NULL,
                   "steps[1].drops: gamma and interval say already how the budget falls");
    assert_refusal(CHAIN("difficulty = \"window\"; difficulty_down = 0.8; "), NULL,
                   "steps[1].difficulty_down: 0.8 is not below difficulty_up, 0.7");
    assert_refusal(CHAIN("difficulty = \"dump\"; difficulty_window = 300; "), NULL,
                   "steps[1].difficulty_window: 300 is outside 0 to 256");
    assert_refusal(CHAIN("schedule = \"adaptive\"; budget_first = 9; budget_last = 10; "), NULL,
                   "steps[1].budget_last: the final budget");
    assert_refusal(CHAIN("correct_weight = 0; format_weight = 0; "), NULL,
                   "steps[1].correct_weight: all rewards would be 0");
}

/* The place is that of the axis which gave the value. */
static void an_impossible_point_of_a_sweep_is_refused_at_its_axis(void **state)
{
    (void)state;
    assert_refusal("name = \"t\";\nsteps = ( " BASE ",\n" STAGES(
                       EXPONENTIAL) " );\n"
                                    "sweep = (\n"
                                    "  { set = \"train.budget_first\"; values = [60, 40, 10]; }\n"
                                    ");",
                   NULL, "above the first, 10");
    assert_refusal("name = \"t\";\nsteps = ( " BASE ",\n" STAGES(
                       EXPONENTIAL) " );\n"
                                    "sweep = (\n"
                                    "  { set = \"train.budget_last\"; values = [10, 70]; }\n"
                                    ");",
                   NULL, "t.cfg:5: steps[1].budget_last: the final budget, 70 tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_a_chain_of_jobs_with_their_slices),
        cmocka_unit_test(drops_inside_a_stage_are_counted_from_its_start),
        cmocka_unit_test(schedules_say_what_a_job_needs_and_no_more),
        cmocka_unit_test(another_third_step_changes_the_third_stage_and_later),
        cmocka_unit_test(another_last_step_leaves_validated_stages_before_alone),
        cmocka_unit_test(equal_slices_of_different_schedules_are_one_job),
        cmocka_unit_test(what_has_no_effect_changes_no_key),
        cmocka_unit_test(a_further_seed_adds_its_own_jobs_only),
        cmocka_unit_test(models_are_those_of_the_last_or_a_named_stage),
        cmocka_unit_test(a_stage_step_goes_on_from_another),
        cmocka_unit_test(curricula_are_listed_once_with_their_budgets),
        cmocka_unit_test(doubtful_schedules_are_warned_of_and_run),
        cmocka_unit_test(halving_judges_a_chain_by_its_last_stage),
        cmocka_unit_test(impossible_schedules_are_refused_with_place_and_remedy),
        cmocka_unit_test(an_impossible_point_of_a_sweep_is_refused_at_its_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
