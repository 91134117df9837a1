/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a recipe becomes the right runs, families and jobs, and keys depend on what they should and
 * on nothing else. Method: small recipes as text; golden keys; pairs of recipes that must or must
 * not share keys. */
#include "tests/unit/experiments_plan/recipes.h"

#include <unistd.h>

#include "experiments/plan/reference.h"

static bool has_key(const struct plan *p, const struct digest *key)
{
    for (size_t i = 0; i < p->jobs_len; i++)
        if (digest_equal(&p->job[i].key, key))
            return true;
    return false;
}

static bool has_family(const struct plan *p, const struct digest *key)
{
    for (size_t i = 0; i < p->families_len; i++)
        if (digest_equal(&p->family[i].key, key))
            return true;
    return false;
}

/* Same families (and, with KEYS, the same jobs) in both. */
static void assert_same(const char *a, const char *b, const char *set, bool keys)
{
    struct plan *p = make(a, NULL), *q = make(b, set);

    assert_int_equal(p->families_len, q->families_len);
    for (size_t i = 0; i < p->families_len; i++)
        assert_true(has_family(q, &p->family[i].key));
    assert_true(digest_equal(&p->revision, &q->revision));
    if (keys) {
        assert_int_equal(p->jobs_len, q->jobs_len);
        for (size_t i = 0; i < p->jobs_len; i++)
            assert_true(has_key(q, &p->job[i].key));
    }
    plan_free(p);
    plan_free(q);
}

static void a_run_has_the_jobs_of_its_steps(void **state)
{
    struct plan *p = make(RECIPE(TRAIN "," SEARCH "," ORACLE, ""), NULL);
    size_t kinds[KINDS] = { 0 };

    (void)state;
    for (size_t i = 0; i < p->jobs_len; i++) {
        kinds[p->job[i].kind->id]++;
        for (size_t k = 0; k < p->job[i].needs.len; k++)
            assert_true(p->job[i].needs.v[k] < i);
    }
    assert_int_equal(p->runs_len, 1);
    assert_int_equal(kinds[KIND_PRETRAIN], 1);
    assert_int_equal(kinds[KIND_SEARCH], 12); /* 4 families, 30 examples in tens */
    assert_int_equal(kinds[KIND_COLLECT], 1);
    assert_int_equal(kinds[KIND_EVALUATE], 1);
    assert_int_equal(p->families_len, 5);
    assert_int_equal(p->steps_len, 4);
    assert_string_equal(p->step[2].id, "labels.collect");
    assert_int_equal(p->step[1].units, 120);
    plan_free(p);
}

static void a_collect_waits_for_every_shard_and_counts_examples(void **state)
{
    struct plan *p = make(RECIPE(ORACLE "," SEARCH "," TRAIN, ""), NULL);

    (void)state;
    for (size_t i = 0; i < p->jobs_len; i++) {
        const struct plan_job *j = &p->job[i];
        if (j->kind->id != KIND_COLLECT)
            continue;
        assert_int_equal(j->needs.len, 12);
        assert_int_equal(j->families.len, 4);
        assert_int_equal(j->begin, 0);
        assert_int_equal(j->end, 0);
        for (size_t f = 0; f < 4; f++)
            assert_int_equal(j->family_examples[f], 30);
        plan_free(p);
        return;
    }
    fail();
}

/* A change of these numbers means that every store out there runs everything again. */
static void keys_are_what_they_always_were(void **state)
{
    static const struct {
        const char *step, *key;
    } jobs[] = {
        { "base", "271535be4735e5818b53a4fd7730aaed90a07bd91caf517912edff414d275a8a" },
        { "labels", "66557b59fcb46d35c5af68cc7d4a479ed760ed8eb8eac75b9a00fb97484a90e7" },
        { "labels.collect", "546dc6d198e829a2d055dc617234e5282f1c72e92834b4a985708c81599f3895" },
        { "oracle", "16394d496d8786880a0ad2853a1d3be26816718a3104add62962282e7abb5920" },
    };
    static const char *const families[] = {
        "3fbaad7f8de6c815b5ec815fcedf7828824dc90b5bdd1baff41c92fb143b4022",
        "f450e22e28f461a99f82fb76b7dca45dbb45af7bf3cfe3c4e26d97fa0d0c572e",
        "930e9d77bcd92ead71c3a5affedbc3c4c0295230a2ba10c4981c4ac864f9a0bf",
        "afa7c4d0a730646e000f0960706ed49b340277984dfa2a871327568b89d06b46",
        "4664934cfc98ec81f631bcbc2ed37fc863a8f32dee19eac30766ad838a24b614",
    };
    struct plan *p = make(RECIPE(TRAIN "," SEARCH "," ORACLE, ""), NULL);
    char hex[DIGEST_HEX];

    (void)state;
    for (size_t g = 0, i = 0; g < sizeof(jobs) / sizeof(jobs[0]); g++) {
        while (i < p->jobs_len && strcmp(p->job[i].step, jobs[g].step) != 0)
            i++;
        assert_true(i < p->jobs_len);
        assert_string_equal(digest_hex(&p->job[i].key, hex), jobs[g].key);
    }
    assert_int_equal(p->families_len, sizeof(families) / sizeof(families[0]));
    for (size_t i = 0; i < p->families_len; i++)
        assert_string_equal(digest_hex(&p->family[i].key, hex), families[i]);
    plan_free(p);
}

static void shard_size_and_threads_change_no_family_and_no_revision(void **state)
{
    (void)state;
    const char *text = RECIPE(TRAIN "," SEARCH "," ORACLE, "");
    assert_same(text, text, "labels.shard=7", false);
    assert_same(text, text, "base.threads=2", true);
    assert_same(text, text, "labels.cache_bytes=1000000", true);
    assert_same(text, text, "labels.retries=9", true);
}

static void the_order_of_steps_and_keys_and_defaults_change_nothing(void **state)
{
    (void)state;
    assert_same(RECIPE(TRAIN "," SEARCH "," ORACLE, ""), RECIPE(ORACLE "," TRAIN "," SEARCH, ""),
                NULL, true);
    assert_same(RECIPE(TRAIN "," SEARCH, ""), "/* a comment */ " RECIPE(TRAIN "," SEARCH, ""),
                "labels.exploration=1.8", true);
    assert_same(RECIPE(TRAIN "," SEARCH, ""), RECIPE(TRAIN "," SEARCH, ""),
                "labels.length_penalty=3", true);
}

static void a_parameter_of_the_result_changes_every_key_behind_it(void **state)
{
    const char *text = RECIPE(TRAIN "," SEARCH "," ORACLE, "");
    struct plan *p = make(text, NULL), *q = make(text, "base.steps=101");

    (void)state;
    assert_int_equal(p->jobs_len, q->jobs_len);
    for (size_t i = 0; i < p->jobs_len; i++)
        assert_false(has_key(q, &p->job[i].key));
    plan_free(q);
    q = make(text, "labels.simulations=25");
    for (size_t i = 0; i < p->jobs_len; i++)
        assert_int_equal(has_key(q, &p->job[i].key), p->job[i].kind->id == KIND_PRETRAIN);
    plan_free(p);
    plan_free(q);
}

static void runs_share_equal_jobs(void **state)
{
    struct plan *p = make(RECIPE(TRAIN "," SEARCH "," ORACLE,
                                 "sweep = ( { set = \"labels.simulations\"; values = [20, 50]; },"
                                 "{ set = \"seed\"; values = [1, 2, 3]; } );"),
                          NULL);

    (void)state;
    assert_int_equal(p->runs_len, 6);
    assert_int_equal(p->run[0].seed, 1);
    assert_int_equal(p->run[1].seed, 2);
    assert_string_equal(p->run[3].name[0], "labels.simulations");
    assert_string_equal(p->run[3].value[0], "50");
    assert_int_equal(p->step[0].jobs, 3); /* a model per seed, shared by both budgets */
    assert_int_equal(p->step[0].claims, 6);
    assert_int_equal(p->job[0].runs.len, 2);
    assert_int_equal(p->job[0].runs.v[1], 3);
    plan_free(p);
}

static void a_step_takes_the_seed_only_when_it_says_so(void **state)
{
    struct plan *p = make("name = \"t\"; steps = ( { id = \"base\"; job = \"pretrain\";"
                          "tasks = [\"math\"]; gemm = \"packed\"; } );"
                          "sweep = ( { set = \"seed\"; values = [1, 2]; } );",
                          NULL);

    (void)state;
    assert_int_equal(p->runs_len, 2);
    assert_int_equal(p->jobs_len, 1);
    assert_int_equal(p->job[0].runs.len, 2);
    assert_int_equal(p->job[0].seed, 0);
    plan_free(p);
}

static void a_larger_number_of_examples_keeps_the_family(void **state)
{
    const char *text = RECIPE(TRAIN "," SEARCH, "");
    struct plan *p = make(text, NULL), *q = make(text, "labels.examples=50");

    (void)state;
    for (size_t i = 0; i < p->jobs_len; i++)
        assert_true(has_key(q, &p->job[i].key));
    for (size_t i = 0; i < p->families_len; i++)
        assert_true(has_family(q, &p->family[i].key));
    assert_false(digest_equal(&p->revision, &q->revision));
    plan_free(p);
    plan_free(q);
}

static void the_seed_axis_and_swept_values_can_be_set(void **state)
{
    const char *text = RECIPE(TRAIN, "sweep = ( { set = \"base.steps\"; values = [1, 2]; } );");
    struct plan *p = make(text, "seed=4,5,6");

    (void)state;
    assert_int_equal(p->runs_len, 6);
    plan_free(p);
    p = make(text, "base.steps=[7, 8, 9]");
    assert_int_equal(p->runs_len, 3);
    assert_string_equal(p->run[2].value[0], "9");
    plan_free(p);
}

static void variables_take_their_type(void **state)
{
    struct plan *p = make("name = \"t\"; vars = { n = 100; kind = \"math\"; };"
                          "steps = ( { id = \"base\"; job = \"pretrain\"; steps = \"${vars.n}\";"
                          "tasks = [\"${vars.kind}\"]; gemm = \"packed\"; } );",
                          "vars.n=50");

    (void)state;
    assert_int_equal(params_get(p->job[0].params, "steps")->i, 50);
    assert_string_equal(params_get(p->job[0].params, "tasks")->texts[0], "math");
    plan_free(p);
}

static void bad_recipes_are_refused_with_place_and_remedy(void **state)
{
    static const struct {
        const char *text, *set, *expected;
    } cases[] = {
        { RECIPE(TRAIN "," SEARCH, ""), "labels.simulations=7",
          "steps[1].simulations: 7 is not a multiple of round (5)" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.exampels=7", "did you mean examples?" },
        { RECIPE(TRAIN "," SEARCH, ""), "lables.examples=7", "did you mean \"labels.examples\"" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.random_child=2",
          "out of range; allowed are 0 to 1" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.examples=many",
          "steps[1].examples: must be an int" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.levels=[9]", "allowed are 1 to 6" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.tasks=[\"maths\"]", "did you mean \"math\"" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.tasks=[\"arc_easy\"]", "files.arc_easy: missing" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.model=bese", "did you mean \"base\"" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.model=/no/such/model", "/no/such/model" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.model=labels", "cycle: labels -> labels" },
        { RECIPE(TRAIN "," SEARCH "," ORACLE, ""), "oracle.model=labels", "makes no model" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.seed=often", "must be \"run\" or an integer" },
        { RECIPE(TRAIN "," SEARCH, ""), "seed=1,1", "appears twice" },
        { RECIPE(TRAIN "," SEARCH, ""), "seed=-1", "no integer of at least 0" },
        { RECIPE(TRAIN "," SEARCH, ""), "paths.x=1", "no variable paths.x" },
        { RECIPE(TRAIN "," SEARCH "," ORACLE, ""), "oracle.seed=1", "draws no random numbers" },
        { RECIPE(TRAIN "," SEARCH "," ORACLE, ""), "oracle.labels=base", "makes no labels" },
        { RECIPE(TRAIN "," SEARCH "," ORACLE, ""), "oracle.routing=base", "runs by them" },
        { RECIPE(TRAIN "," TRAIN, ""), NULL, "t.cfg:1: steps[1].id: two steps are called" },
        { "name = \"t\";\nsteps = ( { id = \"a\";\n job = \"serch\"; } );", NULL,
          "t.cfg:3: steps[0].job: unknown job kind \"serch\"; did you mean \"search\"" },
        { "name = \"t\"; steps = ( { id = \"a\"; } );", NULL, "job" },
        { "name = \"t\"; step = ( );", NULL, "steps" },
        { "steps = ( );", NULL, "name" },
        { "name = \"t\"; steps = ( { id = \"base\"; job = \"pretrain\"; tasks = [\"arc_easy\"];"
          "gemm = \"packed\"; } );",
          NULL, "only synthetic tasks" },
        { RECIPE(TRAIN, "sweep = ( { set = \"base.stepz\"; values = [1]; } );"), NULL,
          "did you mean steps?" },
        { RECIPE(TRAIN, "sweep = ( { set = \"base.steps\"; values = [1, 1]; } );"), NULL,
          "appears twice" },
        { RECIPE(TRAIN, ""), "base.gemm=openblas", "say gemm = \"packed\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refusal(cases[i].text, cases[i].set, cases[i].expected);
}

static void a_cycle_is_named(void **state)
{
    (void)state;
    assert_refusal(
        "name = \"t\"; steps = ("
        "{ id = \"x\"; job = \"pretrain\"; tasks = [\"math\"]; gemm = \"packed\"; },\n"
        "{ id = \"a\"; job = \"search\"; model = \"b\"; tasks = [\"math\"]; examples = 1; },\n"
        "{ id = \"b\"; job = \"evaluate\"; model = \"x\"; labels = \"c\"; tasks = [\"math\"];"
        "  examples = 1; },\n"
        "{ id = \"c\"; job = \"collect\"; results = \"a\"; } );",
        NULL, "t.cfg:2: steps[1]: the steps need each other in a cycle: a -> b -> c -> a");
}

static void more_examples_than_exist_are_refused_with_the_number(void **state)
{
    char path[] = "/tmp/drover-plan-XXXXXX";
    struct buf text = { 0 };
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (int i = 0; i < 3; i++)
        dprintf(fd,
                "{\"id\": \"q%d\", \"question\": {\"stem\": \"Which %d?\", \"choices\": "
                "[{\"text\": \"a\", \"label\": \"A\"}, {\"text\": \"b\", \"label\": \"B\"}]}, "
                "\"answerKey\": \"A\"}\n",
                i, i);
    close(fd);
    buf_printf(&text,
               "name = \"t\"; steps = ( { id = \"e\"; job = \"evaluate\"; model = \"%s\";"
               "tasks = [\"arc_easy\"]; files = { arc_easy = \"%s\"; }; } );",
               path, path);
    struct plan *p = make(buf_str(&text), NULL);
    assert_int_equal(p->families_len, 1);
    assert_int_equal(p->job[0].end, 3);
    assert_int_equal(p->job[0].inputs_len, 2);
    assert_int_equal(p->files_len,
                     2); /* the manifest, and one file that is model and task at once */
    plan_free(p);
    assert_refusal(buf_str(&text), "e.examples=4", "3 exist");
    unlink(path);
    assert_refusal(buf_str(&text), NULL, "No such file");
    buf_release(&text);
}

static void a_model_is_what_it_contains_not_where_it_lies(void **state)
{
    char a[] = "/tmp/drover-model-XXXXXX", b[] = "/tmp/drover-model-XXXXXX";
    char file[64], text[2][400];
    struct plan *p[2];

    (void)state;
    assert_non_null(mkdtemp(a));
    assert_non_null(mkdtemp(b));
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof(file), "%s/config.json", i ? b : a);
        FILE *f = fopen(file, "w");
        assert_non_null(f);
        fputs("{}", f);
        fclose(f);
        snprintf(text[i], sizeof(text[i]),
                 "name = \"t\"; steps = ( { id = \"e\"; job = \"evaluate\"; model = { path = "
                 "\"%s\"; }; tasks = [\"math\"]; examples = 5; } );",
                 i ? b : a);
        p[i] = make(text[i], NULL);
        unlink(file);
        rmdir(i ? b : a);
    }
    assert_true(digest_equal(&p[0]->job[0].key, &p[1]->job[0].key));
    assert_true(p[0]->job[0].input[0].folder);
    assert_string_equal(p[0]->file[0].manifest,
                        "config.json 2 "
                        "c09da522dac261c3d2566230bed10d2f3ef13f8e7654576c12e857e07f786098\n");
    plan_free(p[0]);
    plan_free(p[1]);
}

static void the_manual_lists_every_key_as_it_is(void **state)
{
    struct buf expected = { 0 }, manual = { 0 };

    (void)state;
    buf_adds(&expected, "<!-- reference: begin -->\n");
    recipe_reference_print(&expected);
    buf_adds(&expected, "<!-- reference: end -->\n");
    assert_int_equal(buf_read_file(&manual, "docs/recipes.md", 1 << 20, NULL), 0);
    if (!strstr(buf_str(&manual), buf_str(&expected)))
        fail_msg("docs/recipes.md differs from drover plan --parameters");
    buf_release(&expected);
    buf_release(&manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_has_the_jobs_of_its_steps),
        cmocka_unit_test(a_collect_waits_for_every_shard_and_counts_examples),
        cmocka_unit_test(keys_are_what_they_always_were),
        cmocka_unit_test(shard_size_and_threads_change_no_family_and_no_revision),
        cmocka_unit_test(the_order_of_steps_and_keys_and_defaults_change_nothing),
        cmocka_unit_test(a_parameter_of_the_result_changes_every_key_behind_it),
        cmocka_unit_test(runs_share_equal_jobs),
        cmocka_unit_test(a_step_takes_the_seed_only_when_it_says_so),
        cmocka_unit_test(a_larger_number_of_examples_keeps_the_family),
        cmocka_unit_test(the_seed_axis_and_swept_values_can_be_set),
        cmocka_unit_test(variables_take_their_type),
        cmocka_unit_test(bad_recipes_are_refused_with_place_and_remedy),
        cmocka_unit_test(a_cycle_is_named),
        cmocka_unit_test(more_examples_than_exist_are_refused_with_the_number),
        cmocka_unit_test(the_manual_lists_every_key_as_it_is),
        cmocka_unit_test(a_model_is_what_it_contains_not_where_it_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
