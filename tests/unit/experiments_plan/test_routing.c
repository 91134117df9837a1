/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: routers, static paths and the labels that they are made of get the right inputs, keys that
 * hold what counts and nothing else, and are refused with place and remedy where they do not fit.
 * Method: small recipes as text; inputs of the jobs; pairs of recipes that must or must not share
 * keys. */
#include "tests/unit/experiments_plan/recipes.h"

#include <unistd.h>

#define ROUTER "{ id = \"router\"; job = \"router\"; labels = \"labels\"; seed = \"run\"; }"
#define ENUMERATED                                                                                 \
    "{ id = \"all\"; job = \"search\"; model = \"base\"; tasks = [\"math\"]; levels = [1];"        \
    "  split = \"train\"; examples = 20; method = \"enumerate\"; }"
#define CHAIN                                                                                      \
    "{ id = \"chain\"; job = \"search\"; model = \"base\"; tasks = [\"math\"]; examples = 2;"      \
    "  method = \"chain\"; seed = \"run\"; }"
#define BEST "{ id = \"best\"; job = \"select\"; labels = \"all\"; }"
#define SCORE(REST)                                                                                \
    "{ id = \"score\"; job = \"evaluate\"; tasks = [\"math\"]; levels = [1]; examples = 10; " REST \
    " }"
#define ROUTED TRAIN "," SEARCH "," ROUTER "," SCORE("model = \"base\"; router = \"router\";")

static const struct plan_job *job_of(const struct plan *p, const char *step)
{
    for (size_t i = 0; i < p->jobs_len; i++)
        if (strcmp(p->job[i].step, step) == 0)
            return &p->job[i];
    fail_msg("no job of %s", step);
    return NULL;
}

static const struct plan_input *input_of(const struct plan_job *j, const char *name)
{
    for (size_t i = 0; i < j->inputs_len; i++)
        if (strcmp(j->input[i].name, name) == 0)
            return &j->input[i];
    return NULL;
}

/* Input NAME of STEP is the output OUTPUT of step FROM. */
static void assert_made_by(const struct plan *p, const char *step, const char *name,
                           const char *from)
{
    const struct plan_input *in = input_of(job_of(p, step), name);

    if (!in)
        fail_msg("%s has no input %s", step, name);
    assert_int_equal(in->source, PLAN_OUTPUT);
    assert_string_equal(in->output, name);
    assert_string_equal(p->job[in->producer].step, from);
}

static const char *text_of(const struct plan *p, const char *step, const char *param)
{
    const struct param_value *v = params_get(job_of(p, step)->params, param);

    return v ? v->s : NULL;
}

static void a_routed_step_reads_its_router_and_the_router_its_labels(void **state)
{
    struct plan *p = make(RECIPE(ROUTED, ""), NULL);

    (void)state;
    assert_made_by(p, "router", "labels", "labels.collect");
    assert_made_by(p, "router", "model", "base"); /* the labels' */
    assert_made_by(p, "score", "router", "router");
    assert_made_by(p, "score", "model", "base");
    assert_null(input_of(job_of(p, "score"), "labels"));
    assert_string_equal(text_of(p, "score", "routing"), "router");
    assert_int_equal(job_of(p, "router")->seed, 1);
    plan_free(p);
}

static void labels_beside_a_router_are_compared_with(void **state)
{
    struct plan *p = make(RECIPE(TRAIN "," SEARCH "," ROUTER
                                       "," SCORE("router = \"router\"; labels = \"labels\";"),
                                 ""),
                          NULL);

    (void)state;
    assert_made_by(p, "score", "labels", "labels.collect");
    assert_made_by(p, "score", "router", "router");
    assert_made_by(p, "score", "model", "base");
    assert_string_equal(text_of(p, "score", "routing"), "router");
    plan_free(p);
}

static void a_select_step_serves_static_paths(void **state)
{
    struct plan *p = make(
        RECIPE(TRAIN "," ENUMERATED "," BEST "," SCORE("static = \"best\"; path_layers = 7;"), ""),
        NULL);
    struct buf graph = { 0 };

    (void)state;
    assert_made_by(p, "best", "labels", "all.collect");
    assert_made_by(p, "score", "paths", "best");
    assert_made_by(p, "score", "model", "base");
    assert_string_equal(text_of(p, "score", "routing"), "static");
    assert_int_equal(p->rungs_len, 0);
    assert_int_equal(p->candidates_len, 0);
    plan_graph_print(p, &graph);
    assert_non_null(strstr(buf_str(&graph), "best\\nselect\\n1 job\", shape=diamond"));
    buf_release(&graph);
    plan_free(p);
}

static void other_paths_are_drawn_from_labels_and_from_evaluations(void **state)
{
    struct plan *p = make(
        RECIPE(ROUTED ", { id = \"random\"; job = \"evaluate\"; tasks = [\"math\"]; levels = [1];"
                      "  examples = 10; labels = \"score\"; routing = \"random\"; },"
                      "{ id = \"shuffled\"; job = \"evaluate\"; tasks = [\"math\"]; levels = [1];"
                      "  examples = 10; labels = \"labels\"; routing = \"shuffled\"; }",
               ""),
        NULL);

    (void)state;
    assert_made_by(p, "random", "labels", "score.collect");
    assert_made_by(p, "random", "model", "base");
    assert_made_by(p, "shuffled", "labels", "labels.collect");
    assert_int_equal(job_of(p, "score.collect")->families.len, 1);
    assert_int_equal(job_of(p, "score.collect")->family_examples[0], 10);
    plan_free(p);
}

/* SET changes the key of STEP's first job, or not. */
static void assert_changes(const char *text, const char *step, const char *set, bool changes)
{
    struct plan *p = make(text, NULL), *q = make(text, set);
    const bool same = digest_equal(&job_of(p, step)->key, &job_of(q, step)->key);

    if (same == changes)
        fail_msg("%s: the key of %s %s", set, step, same ? "stays" : "changes");
    plan_free(p);
    plan_free(q);
}

static void what_is_not_used_is_in_no_key(void **state)
{
    const char *text = RECIPE(ROUTED "," ENUMERATED "," BEST, "");
    static const struct {
        const char *step, *set;
        bool changes;
    } cases[] = {
        { "labels", "labels.widen_factor=2", true }, { "labels", "labels.exploration=2", true },
        { "labels", "labels.method=all", true },     { "all", "all.depth=2", true },
        { "all", "all.simulations=7", false }, /* no multiple of round, and nobody minds */
        { "all", "all.exploration=9", false },       { "all", "all.seed=7", false },
        { "all", "all.edits=skip", true },           { "router", "router.epochs=3", true },
        { "router", "router.kind=success", true },   { "router", "router.decide_layer=3", false },
        { "router", "router.paths=9", false },       { "router", "router.focal_gamma=1", true },
        { "router", "router.beta=0.5", true },       { "router", "router.threads=2", false },
        { "router", "router.seed=7", true },         { "router", "labels.shard=7", false },
        { "score", "score.reference=best", false },  { "score", "score.guard=false", false },
        { "router", "router.guard=0.5", false },     { "router", "router.noise=0.5", true },
        { "score", "score.knob=0.5", true },         { "score", "score.epsilon=0.5", false },
        { "score", "score.price=0.5", false },       { "router", "router.members=2", false },
        { "score", "score.path_layers=5", false },   { "score", "score.routing_seed=5", false },
        { "score", "router.epochs=3", true },        { "score", "all.depth=2", false },
    };
    const char *success = RECIPE(
        TRAIN "," SEARCH ", { id = \"router\"; job = \"router\"; labels = \"labels\"; kind = "
              "\"success\"; features = \"last\"; }," SCORE("router = \"router\";"),
        "");
    const char *priced = RECIPE(
        TRAIN "," SEARCH ", { id = \"router\"; job = \"router\"; labels = \"labels\"; kind = "
              "\"success\"; }," SCORE("router = \"router\"; price = 0.01;"),
        "");
    const char *unguarded = RECIPE(
        TRAIN "," SEARCH ", { id = \"router\"; job = \"router\"; labels = \"labels\"; kind = "
              "\"success\"; guard = 1.0; }," SCORE("router = \"router\";"),
        "");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_changes(text, cases[i].step, cases[i].set, cases[i].changes);
    assert_changes(success, "score", "score.epsilon=0.5", true);
    assert_changes(success, "score", "score.knob=0.5", false);
    assert_changes(success, "score", "score.price=0.5", true);
    assert_changes(success, "score", "score.epsilon=-0.5", true);
    assert_changes(success, "score", "score.reference=best", true);
    assert_changes(success, "score", "score.guard=false", true);
    assert_changes(success, "score", "router.guard=1", true);
    assert_changes(success, "router", "router.noise=0.2", true);
    assert_changes(success, "router", "router.guard=0.9", true);
    assert_changes(priced, "score", "score.reference=best", false);
    assert_changes(priced, "score", "score.guard=false", true);
    assert_changes(unguarded, "score", "score.guard=false", false);
    assert_changes(success, "router", "router.loss=ce", false);
    assert_changes(success, "router", "router.windows=2", false);
    assert_changes(success, "router", "router.decide_layer=3", true);
    assert_changes(RECIPE(TRAIN "," SEARCH, ""), "labels", "labels.method=chain", true);
    assert_changes(RECIPE(TRAIN "," CHAIN, ""), "chain", "chain.exploration=9", false);
    assert_changes(RECIPE(TRAIN "," CHAIN, ""), "chain", "chain.round=2", false);
    assert_changes(RECIPE(TRAIN "," CHAIN, ""), "chain", "chain.seed=9", true);
}

static void a_method_without_widening_has_no_widening_in_its_key(void **state)
{
    struct plan *p, *q;
    const char *text = RECIPE(TRAIN "," SEARCH, "sweep = ( { set = \"labels.widen_factor\"; values "
                                                "= [1.5, 3.0]; } );");

    (void)state;
    p = make(text, "labels.method=all");
    q = make(text, "labels.method=progressive");
    assert_int_equal(p->runs_len, 2);
    assert_int_equal(p->jobs_len, 1 + 12);
    assert_int_equal(q->jobs_len, 1 + 2 * 12);
    plan_free(p);
    plan_free(q);
}

/* The families of two searches by their evaluation: how many of A's are among B's. */
static size_t shared(const char *text, const char *set)
{
    struct plan *p = make(text, NULL), *q = make(text, set);
    size_t n = 0;

    assert_true(p->families_len > 0);
    for (size_t i = 0; i < p->families_len; i++)
        for (size_t k = 0; k < q->families_len; k++)
            n += digest_equal(&p->family[i].evaluation, &q->family[k].evaluation);
    plan_free(p);
    plan_free(q);
    return n;
}

static void searches_of_the_same_questions_share_evaluations(void **state)
{
    const char *text = RECIPE(TRAIN "," SEARCH, "");

    (void)state;
    assert_int_equal(shared(text, NULL), 4);
    assert_int_equal(shared(text, "labels.simulations=200"), 4);
    assert_int_equal(shared(text, "labels.method=chain"), 4);
    assert_int_equal(shared(text, "labels.method=enumerate"), 4);
    assert_int_equal(shared(text, "labels.seed=9"), 4);
    assert_int_equal(shared(text, "labels.examples=50"), 4);
    assert_int_equal(shared(text, "labels.levels=[2, 3]"), 2);
    assert_int_equal(shared(text, "labels.split=test"), 0);
    assert_int_equal(shared(text, "base.steps=101"), 0);
    assert_int_equal(shared(text, "seed=2"), 0);
    struct plan *p = make(RECIPE(ROUTED, ""), NULL);
    const struct digest none = { { 0 } };
    for (size_t i = 0; i < p->families_len; i++)
        assert_int_equal(digest_equal(&p->family[i].evaluation, &none),
                         p->family[i].kind->id != KIND_SEARCH);
    plan_free(p);
}

/* A change of this number means that every store out there runs everything again. It was taken from
 * the program before there were routers. */
static void keys_of_kinds_without_a_new_version_stay(void **state)
{
    struct plan *p = make(
        "name = \"t\"; steps = ( { id = \"base\"; job = \"pretrain\"; tasks = [\"math\", "
        "\"logic\"]; steps = 100; gemm = \"packed\"; seed = \"run\"; },"
        "{ id = \"score\"; job = \"evaluate\"; model = \"base\"; tasks = [\"math\"]; levels = [1]; "
        "split = \"test\"; examples = 30; },"
        "{ id = \"one\"; job = \"evaluate\"; model = \"base\"; tasks = [\"logic\"]; levels = [1]; "
        "path = [1, 0, 1, 1, 1, 1, 1, 1]; split = \"test\"; examples = 30; },"
        "{ id = \"warm\"; job = \"evaluate\"; model = \"base\"; tasks = [\"math\"]; levels = [2]; "
        "temperature = 0.5; top_k = 3; split = \"test\"; examples = 30; } );",
        NULL);
    char hex[DIGEST_HEX];

    (void)state;
    assert_string_equal(digest_hex(&p->revision, hex),
                        "349f6c7575e5ee3a08b6b9125329da44b5bc652aad4f0bf103b4377928e85e91");
    plan_free(p);
}

static void the_order_of_steps_changes_nothing(void **state)
{
    struct plan *p = make(RECIPE(TRAIN "," SEARCH "," ROUTER "," ENUMERATED "," BEST
                                       "," SCORE("static = \"best\";"),
                                 ""),
                          NULL);
    struct plan *q = make(RECIPE(SCORE("static = \"best\";") "," BEST "," ROUTER "," ENUMERATED
                                                             "," SEARCH "," TRAIN,
                                 ""),
                          NULL);

    (void)state;
    assert_true(digest_equal(&p->revision, &q->revision));
    assert_true(digest_equal(&job_of(p, "score")->key, &job_of(q, "score")->key));
    plan_free(p);
    plan_free(q);
}

#define OTHER                                                                                      \
    "{ id = \"other\"; job = \"pretrain\"; tasks = [\"math\"]; steps = 50; gemm = \"packed\"; }"
#define WITH(SCORE_REST) RECIPE(TRAIN "," SEARCH "," ROUTER "," SCORE(SCORE_REST), "")

static void what_does_not_fit_is_refused_with_place_and_remedy(void **state)
{
    static const struct {
        const char *text, *set, *expected;
    } cases[] = {
        { WITH("router = \"rooter\";"), NULL, "did you mean \"router\"" },
        { WITH("router = \"labels\";"), NULL, "(search) makes no router" },
        { WITH("static = \"labels\";"), NULL, "name a select step" },
        { WITH("model = \"base\"; routing = \"router\";"), NULL,
          "\"router\" needs router = \"<router step>\"" },
        { WITH("model = \"base\"; routing = \"static\";"), NULL, "needs static = " },
        { WITH("model = \"base\"; routing = \"random\";"), NULL,
          "needs labels = \"<search, collect or evaluate step>\"" },
        { WITH("model = \"base\"; routing = \"shuffled\";"), NULL, "needs labels = " },
        { WITH("model = \"base\"; routing = \"labels\";"), NULL, "needs labels = " },
        { WITH("router = \"router\"; routing = \"base\";"), NULL,
          "steps[3].routing: a step with a router runs by it; say routing = \"router\"" },
        { WITH("router = \"router\"; routing = \"random\"; labels = \"labels\";"), NULL,
          "leave the router out" },
        { WITH("router = \"router\"; path = [1, 0];"), NULL, "leave the router or the path out" },
        { WITH("labels = \"labels\"; path = [1, 0];"), NULL, "leave the path or the labels out" },
        { WITH("router = \"router\"; rooter = 1;"), NULL, "did you mean router?" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.depth=2", "needs method = \"enumerate\"" },
        { WITH(""), NULL, "steps[3]: model: missing" },
        { WITH("model = \"base\"; labels = \"score\"; routing = \"random\";"), NULL,
          "cycle: score -> score" },
        { WITH("router = \"router\";"), "router.labels=base", "(pretrain) makes no labels" },
        { WITH("router = \"router\";"), "router.labels=score", "cycle" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refusal(cases[i].text, cases[i].set, cases[i].expected);
}

static void labels_and_models_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *text, *set, *expected;
    } cases[] = {
        { RECIPE(TRAIN "," SEARCH ", { id = \"router\"; job = \"router\"; }", ""), NULL,
          "steps[2]: labels: missing; name a search step" },
        { RECIPE(ROUTED ", { id = \"r2\"; job = \"router\"; labels = \"score\"; }", ""), NULL,
          "has searched no labels" },
        { RECIPE(ROUTED
                 ", { id = \"s2\"; job = \"evaluate\"; labels = \"score\"; tasks = [\"math\"]; "
                 "examples = 3; }",
                 ""),
          NULL, "its paths serve routing = \"random\" and \"shuffled\"" },
        { RECIPE(TRAIN "," SEARCH "," BEST, ""), "best.labels=labels",
          "steps[2].labels: \"labels\" searches with method = \"progressive\"" },
        { RECIPE(TRAIN ", { id = \"best\"; job = \"select\"; labels = \"base\"; }", ""), NULL,
          "makes no labels" },
        { RECIPE(TRAIN "," ENUMERATED "," BEST, ""), "best.keep=0.5", "no such key" },
        { RECIPE(TRAIN "," SEARCH "," OTHER "," ROUTER, ""), "router.model=other",
          "steps[3].labels: \"labels\" is of the model \"base\", \"router\" of \"other\"" },
        { RECIPE(ROUTED "," OTHER, ""), "score.model=other",
          "steps[3].router: \"router\" is of the model \"base\", \"score\" of \"other\"" },
        { RECIPE(TRAIN "," ENUMERATED "," BEST "," OTHER
                       "," SCORE("static = \"best\"; model = \"other\";"),
                 ""),
          NULL, "steps[4].static: \"best\" is of the model \"base\", \"score\" of \"other\"" },
        { RECIPE(TRAIN "," SEARCH "," OTHER
                       ", { id = \"more\"; job = \"search\"; model = \"other\"; tasks = "
                       "[\"math\"]; examples = 5; }, { id = \"both\"; job = \"collect\"; results "
                       "= [\"labels\", \"more\"]; }",
                 ""),
          NULL, "steps[4].results: \"more\" is of the model \"other\", \"labels\" of \"base\"" },
        { RECIPE(ROUTED ", { id = \"both\"; job = \"collect\"; results = [\"labels\", \"score\"]; "
                        "}",
                 ""),
          NULL, "collect them apart" },
        { RECIPE(ROUTED, ""), "router.windows=64", "out of range; allowed are 1 to 32" },
        { RECIPE(ROUTED, ""), "router.kind=succes", "did you mean" },
        { RECIPE(ROUTED, ""), "score.knob=2", "out of range; allowed are -1 to 1" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.method=enumerat", "did you mean" },
        { RECIPE(TRAIN "," SEARCH, ""), "labels.simulations=7",
          "--set labels.simulations=7: steps[1].simulations: 7 is not a multiple of round (5)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refusal(cases[i].text, cases[i].set, cases[i].expected);
}

static void equal_models_of_two_steps_are_one_model(void **state)
{
    struct plan *p = make(RECIPE(TRAIN "," SEARCH "," ROUTER ", { id = \"twin\"; job = "
                                       "\"pretrain\"; tasks = [\"math\", \"logic\"]; steps = 100;"
                                       " gemm = \"packed\"; seed = \"run\"; }," SCORE(
                                           "router = \"router\"; model = \"twin\";"),
                                 ""),
                          NULL);

    (void)state;
    assert_made_by(p, "score", "model", "base"); /* the same job */
    plan_free(p);
}

#define GSM8K(N) "{\"question\": \"What is 1 + " N "?\", \"answer\": \"1 + " N " = 9\\n#### 9\"}\n"

static void write_text(const char *path, const char *text)
{
    assert_int_equal(buf_write_file(path, text, strlen(text), NULL), 0);
}

/* A search of gsm8k and math on the file PATH, its router, and MORE. */
static struct plan *of_file(const char *dir, const char *more, const char *tasks)
{
    struct buf text = { 0 };

    buf_printf(&text,
               "name = \"t\"; steps = ( " TRAIN ", { id = \"labels\"; job = \"search\"; model = "
               "\"base\"; tasks = %s; files = { gsm8k = \"%s/a.jsonl\"; }; examples = 2; "
               "simulations = 5; }, %s );",
               tasks, dir, more);
    struct plan *p = make(buf_str(&text), NULL);
    buf_release(&text);
    return p;
}

static void a_router_reads_the_files_of_its_labels(void **state)
{
    char dir[64] = "/tmp/drover-plan-XXXXXX", path[96];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.jsonl", dir);
    write_text(path, GSM8K("2") GSM8K("3"));
    struct plan *p = of_file(dir, ROUTER, "[\"gsm8k\", \"math\"]");
    const struct plan_input *in = input_of(job_of(p, "router"), "task_file.gsm8k");
    assert_non_null(in);
    assert_int_equal(in->source, PLAN_BLOB);
    assert_true(digest_equal(&in->digest, &input_of(job_of(p, "labels"), "task_file")->digest));
    assert_int_equal(job_of(p, "router")->inputs_len, 3);
    struct plan *q = of_file(dir, ROUTER, "[\"math\", \"gsm8k\"]");
    assert_true(digest_equal(&job_of(p, "router")->key, &job_of(q, "router")->key));
    plan_free(q);
    plan_free(p);
    unlink(path);
    rmdir(dir);
}

static void labels_of_two_files_of_one_task_train_no_router(void **state)
{
    char dir[64] = "/tmp/drover-plan-XXXXXX", path[96], other[96];
    struct buf text = { 0 };

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.jsonl", dir);
    snprintf(other, sizeof(other), "%s/b.jsonl", dir);
    write_text(path, GSM8K("2") GSM8K("3"));
    write_text(other, GSM8K("4") GSM8K("5"));
    buf_printf(&text,
               "name = \"t\"; paths = { gsm8k = \"%s\"; }; steps = ( " TRAIN
               ", { id = \"a\"; job = \"search\"; model = \"base\"; tasks = [\"gsm8k\"]; },"
               "{ id = \"b\"; job = \"search\"; model = \"base\"; tasks = [\"gsm8k\"]; files = { "
               "gsm8k = \"%s\"; }; },"
               "{ id = \"labels\"; job = \"collect\"; results = [\"a\", \"b\"]; }, " ROUTER " );",
               path, other);
    assert_refusal(buf_str(&text), NULL, "steps[4].labels: these labels are of two files of gsm8k");
    buf_clear(&text);
    /* the recipe's path serves a step that names no file of its own */
    buf_printf(&text,
               "name = \"t\"; paths = { gsm8k = \"%s\"; }; steps = ( " TRAIN
               ", { id = \"a\"; job = \"search\"; model = \"base\"; tasks = [\"gsm8k\"]; } );",
               path);
    struct plan *p = make(buf_str(&text), NULL);
    const struct plan_input *in = input_of(job_of(p, "a"), "task_file");
    assert_non_null(in);
    assert_string_equal(in->path, path);
    plan_free(p);
    buf_release(&text);
    unlink(path);
    unlink(other);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_routed_step_reads_its_router_and_the_router_its_labels),
        cmocka_unit_test(labels_beside_a_router_are_compared_with),
        cmocka_unit_test(a_select_step_serves_static_paths),
        cmocka_unit_test(other_paths_are_drawn_from_labels_and_from_evaluations),
        cmocka_unit_test(what_is_not_used_is_in_no_key),
        cmocka_unit_test(a_method_without_widening_has_no_widening_in_its_key),
        cmocka_unit_test(searches_of_the_same_questions_share_evaluations),
        cmocka_unit_test(keys_of_kinds_without_a_new_version_stay),
        cmocka_unit_test(the_order_of_steps_changes_nothing),
        cmocka_unit_test(what_does_not_fit_is_refused_with_place_and_remedy),
        cmocka_unit_test(labels_and_models_that_do_not_fit_are_refused),
        cmocka_unit_test(equal_models_of_two_steps_are_one_model),
        cmocka_unit_test(a_router_reads_the_files_of_its_labels),
        cmocka_unit_test(labels_of_two_files_of_one_task_train_no_router),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
