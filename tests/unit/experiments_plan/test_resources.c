/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a step asks of workers reaches its jobs and is no part of their keys; a noop step
 * becomes as many jobs as it says, numbered, and one job's key is what it always was; a recipe's
 * priority reaches the plan; what is impossible is refused with its place. Method: small recipes as
 * text; a golden key. */
#include "tests/unit/experiments_plan/recipes.h"

/* As it was before steps of many jobs. */
#define GOLDEN     "29402ca461733e643df1d98d9f3f5b0523729848456d22f3e1e4a79f3fa74b98"
#define NOOP(KEYS) RECIPE("{ id = \"n\"; job = \"noop\"; " KEYS " }", "")

static void requests_reach_the_jobs_and_no_key(void **state)
{
    struct plan *plain = make(RECIPE(TRAIN "," SEARCH, ""), NULL);
    struct plan *p = make(RECIPE("{ id = \"base\"; job = \"pretrain\"; tasks = [\"math\", "
                                 "\"logic\"]; steps = 100; gemm = \"packed\"; seed = \"run\"; "
                                 "cores = 4; memory = \"8G\"; requires = [\"gpu\", \"fast.disk\"]; "
                                 "}," SEARCH,
                                 ""),
                          NULL);

    (void)state;
    assert_int_equal(p->jobs_len, plain->jobs_len);
    for (size_t i = 0; i < p->jobs_len; i++) {
        const struct plan_job *j = &p->job[i];
        const bool asks = j->kind->id == KIND_PRETRAIN;
        assert_true(digest_equal(&j->key, &plain->job[i].key));
        assert_int_equal(j->cores, asks ? 4 : 0);
        assert_int_equal(j->memory_mib, asks ? 8192 : 0);
        assert_int_equal(j->labels_len, asks ? 2 : 0);
        if (asks)
            assert_string_equal(j->label[1], "fast.disk");
    }
    assert_true(digest_equal(&p->revision, &plain->revision));
    plan_free(p);
    plan_free(plain);
}

static void sizes_are_read_in_binary_and_rounded_up(void **state)
{
    static const struct {
        const char *set;
        uint64_t mib;
    } table[] = { { "n.memory=\"1M\"", 1 },
                  { "n.memory=\"1.5M\"", 2 },
                  { "n.memory=\"1.5G\"", 1536 },
                  { "n.memory=\"2T\"", 2u << 20 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct plan *p = make(NOOP("memory = \"512M\";"), table[i].set);
        assert_int_equal(p->job[0].memory_mib, table[i].mib);
        plan_free(p);
    }
}

static void requests_may_be_swept_without_a_new_job(void **state)
{
    struct plan *p = make(RECIPE("{ id = \"n\"; job = \"noop\"; cores = 1; }",
                                 "sweep = ( { set = \"n.cores\"; values = [1, 2]; } );"),
                          NULL);

    (void)state;
    assert_int_equal(p->jobs_len, 1); /* the same job, however it is run */
    assert_int_equal(p->job[0].cores, 1);
    plan_free(p);
}

static void a_step_of_many_jobs_numbers_them(void **state)
{
    struct plan *p = make(NOOP("makes = \"nothing\"; jobs = 1000;"), NULL);

    (void)state;
    assert_int_equal(p->jobs_len, 1000);
    assert_int_equal(p->step[0].jobs, 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(kind_int(p->job[i].kind, p->job[i].params, "number"), i + 1);
        assert_string_equal(kind_text(p->job[i].kind, p->job[i].params, "makes"), "nothing");
        assert_int_equal(p->job[i].runs.len, 1);
        assert_true(i == 0 || !digest_equal(&p->job[i].key, &p->job[i - 1].key));
    }
    /* More of them are the same and some more. */
    struct plan *more = make(NOOP("makes = \"nothing\"; jobs = 1001;"), NULL);
    for (size_t i = 0; i < 1000; i++)
        assert_true(digest_equal(&p->job[i].key, &more->job[i].key));
    plan_free(more);
    plan_free(p);
}

static void one_job_has_the_key_that_it_always_had(void **state)
{
    char hex[DIGEST_HEX];
    struct plan *p = make(NOOP("gamma = 0.5;"), NULL);
    struct plan *one = make(NOOP("gamma = 0.5; jobs = 1; makes = \"model\"; number = 0;"), NULL);

    (void)state;
    assert_string_equal(digest_hex(&p->job[0].key, hex), GOLDEN);
    assert_true(digest_equal(&p->job[0].key, &one->job[0].key));
    plan_free(p);
    plan_free(one);
}

static void the_recipes_priority_reaches_the_plan(void **state)
{
    struct plan *p = make(NOOP(""), NULL);

    (void)state;
    assert_false(p->prioritised);
    plan_free(p);
    p = make("name = \"t\"; priority = -7; steps = ( { id = \"n\"; job = \"noop\"; } );", NULL);
    assert_true(p->prioritised);
    assert_int_equal(p->priority, -7);
    plan_free(p);
}

static void what_is_impossible_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *expected;
    } table[] = {
        { NOOP("cores = 0;"), "steps[0].cores: 0 is out of range" },
        { NOOP("cores = \"2\";"), "steps[0].cores: must be an integer" },
        { NOOP("memory = 8;"), "steps[0].memory: must be a size as text" },
        { NOOP("memory = \"8\";"), "steps[0].memory" },
        { NOOP("memory = \"8GB\";"), "steps[0].memory" },
        { NOOP("memory = \"-1G\";"), "steps[0].memory" },
        { NOOP("memory = \"0G\";"), "steps[0].memory" },
        { NOOP("memory = \"1e300T\";"), "steps[0].memory" },
        { NOOP("requires = [\"a b\"];"), "steps[0].requires: \"a b\" is no label" },
        { NOOP("requires = [\"\"];"), "steps[0].requires" },
        { NOOP("requires = [1];"), "steps[0].requires: must be labels" },
        { NOOP("labels = [\"gpu\"];"), "say requires = [\"gpu\"]" },
        { NOOP("jobs = 0;"), "steps[0].jobs: 0 is out of range" },
        { NOOP("jobs = 100001;"), "steps[0].jobs: 100001 is out of range" },
        { NOOP("jobs = 2; number = 1;"), "steps[0].number: jobs = 2 numbers" },
        { RECIPE("{ id = \"base\"; job = \"pretrain\"; tasks = [\"math\"]; jobs = 2; }", ""),
          "steps[0].jobs: a pretrain step has no such key" },
        { RECIPE("{ id = \"n\"; job = \"noop\"; jobs = 2; },"
                 "{ id = \"m\"; job = \"noop\"; model = \"n\"; }",
                 ""),
          "steps[1].model: step \"n\" (noop) is many jobs" },
        { RECIPE("{ id = \"n\"; job = \"noop\"; makes = \"nothing\"; },"
                 "{ id = \"m\"; job = \"noop\"; model = \"n\"; }",
                 ""),
          "steps[1].model: step \"n\" (noop) makes nothing" },
        { RECIPE("{ id = \"a\"; job = \"noop\"; makes = \"nothing\"; },"
                 "{ id = \"b\"; job = \"noop\"; stage = 2; }",
                 "sweep = ( { set = \"a.gamma\"; values = [0.5, 1.0]; } );"
                 "halving = { rungs = (\"a\", \"b\"); measure = \"reward\"; };"),
          "steps[0]: a rung is judged by this step" },
        { "name = \"t\"; priority = 1000001; steps = ( { id = \"n\"; job = \"noop\"; } );",
          "priority: 1000001 is out of range" },
        { "name = \"t\"; priority = \"high\"; steps = ( { id = \"n\"; job = \"noop\"; } );",
          "priority" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        assert_refusal(table[i].text, NULL, table[i].expected);
        assert_refusal(table[i].text, NULL, "t.cfg:1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_reach_the_jobs_and_no_key),
        cmocka_unit_test(sizes_are_read_in_binary_and_rounded_up),
        cmocka_unit_test(requests_may_be_swept_without_a_new_job),
        cmocka_unit_test(a_step_of_many_jobs_numbers_them),
        cmocka_unit_test(one_job_has_the_key_that_it_always_had),
        cmocka_unit_test(the_recipes_priority_reaches_the_plan),
        cmocka_unit_test(what_is_impossible_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
