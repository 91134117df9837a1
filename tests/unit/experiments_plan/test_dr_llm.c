/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the recipes of experiments/recipes/dr_llm say what their headers promise: 2,000 test
 * questions per task, seeds, every baseline; they share models, labels and routers; what chooses
 * never looks at test questions. Method: plans of the files themselves. */
#include "tests/unit/experiments_plan/files.h"

#define FOLDER "experiments/recipes/dr_llm/"

static void assert_shared(const struct plan *p, const struct plan *q, const char *step, bool all)
{
    size_t n, there = shared(p, q, step, &n);

    if (n == 0 || there == 0 || (all && there != n))
        fail_msg("%s: %zu of %zu jobs are shared", step, there, n);
}

static void the_recipes_share_models_labels_and_routers(void **state)
{
    static const char *const steps[] = { "base",   "labels", "labels.collect", "family",
                                         "router", "best",   "success",        "family.collect" };
    struct plan *in = plan_of(FOLDER "in_domain.cfg"), *out = plan_of(FOLDER "out_of_domain.cfg"),
                *ablations = plan_of(FOLDER "ablations.cfg"),
                *methods = plan_of(FOLDER "search_methods.cfg");

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_shared(in, out, steps[i], true);
        if (strcmp(steps[i], "best") != 0)
            assert_shared(in, ablations, steps[i], false); /* fewer seeds */
    }
    assert_shared(methods, in, "base", true);
    assert_shared(ablations, in, "base", true);
    assert_shared(ablations, in, "family", true);
    plan_free(in);
    plan_free(out);
    plan_free(ablations);
    plan_free(methods);
}

/* Examples of TASK that STEP reads in the first run. */
static uint64_t examples_of(const struct plan *p, const char *step, const char *task)
{
    uint64_t n = 0;

    for (size_t i = 0; i < p->run[0].families_len; i++) {
        const struct plan_step_family *f = &p->run[0].family[i];
        if (strcmp(f->step, step) == 0 && strcmp(p->family[f->family].task, task) == 0)
            n += f->examples;
    }
    return n;
}

static void every_method_answers_2000_questions_of_each_task(void **state)
{
    static const char *const in[] = { "always",          "static_m1",      "static_any",
                                      "routed_k2",       "success_p3",     "random_routed",
                                      "shuffled_routed", "random_success", "oracle_single",
                                      "oracle_search" };
    struct plan *p = plan_of(FOLDER "in_domain.cfg");

    (void)state;
    assert_int_equal(p->runs_len, 5);
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
        assert_int_equal(examples_of(p, in[i], "math"), 2000);
        assert_int_equal(examples_of(p, in[i], "logic"), 2000);
    }
    assert_int_equal(examples_of(p, "labels", "math") + examples_of(p, "labels", "logic"), 4000);
    plan_free(p);
    p = plan_of(FOLDER "out_of_domain.cfg");
    assert_int_equal(p->runs_len, 5);
    assert_int_equal(examples_of(p, "lists_routed", "lists"), 2000);
    assert_int_equal(examples_of(p, "levels_routed", "math"), 2000);
    assert_int_equal(examples_of(p, "levels_routed", "logic"), 2000);
    plan_free(p);
}

static void only_the_last_word_looks_at_test_questions(void **state)
{
    static const char *const files[] = { FOLDER "ablations.cfg", FOLDER "search_methods.cfg",
                                         FOLDER "in_domain.cfg", FOLDER "out_of_domain.cfg",
                                         FOLDER "plain.cfg" };
    size_t validated = 0;

    (void)state;
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        struct plan *p = plan_of(files[f]);
        for (size_t r = 0; r < p->runs_len; r++)
            for (size_t i = 0; i < p->run[r].families_len; i++) {
                const struct plan_step_family *x = &p->run[r].family[i];
                const char *split = p->family[x->family].split;
                validated += strcmp(split, "validation") == 0;
                if (strcmp(x->step, "labels") == 0 || strcmp(x->step, "family") == 0 ||
                    strcmp(x->step, "near") == 0 || strcmp(x->step, "around") == 0)
                    assert_string_equal(split, "train");
                else if (f < 2 || strncmp(x->step, "v_", 2) == 0)
                    assert_string_equal(split, "validation");
                else
                    assert_string_equal(split, "test");
            }
        plan_free(p);
    }
    assert_true(validated > 100);
}

static void out_of_domain_has_no_question_that_was_labelled(void **state)
{
    struct plan *p = plan_of(FOLDER "out_of_domain.cfg");

    (void)state;
    for (size_t i = 0; i < p->families_len; i++)
        for (size_t k = 0; k < p->families_len; k++)
            if (p->family[i].kind->id == KIND_SEARCH && p->family[k].kind->id == KIND_EVALUATE)
                assert_false(strcmp(p->family[i].task, p->family[k].task) == 0 &&
                             p->family[i].level == p->family[k].level);
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recipes_share_models_labels_and_routers),
        cmocka_unit_test(every_method_answers_2000_questions_of_each_task),
        cmocka_unit_test(only_the_last_word_looks_at_test_questions),
        cmocka_unit_test(out_of_domain_has_no_question_that_was_labelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
