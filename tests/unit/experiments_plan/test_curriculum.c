/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the recipes of experiments/recipes/curriculum plan without a warning that nobody wants,
 * share their warm starts and trainings, have the seeds and test problems that their headers
 * promise, and choose nothing on test problems. Method: plans of the files themselves. */
#include "tests/unit/experiments_plan/files.h"

#define FOLDER "experiments/recipes/curriculum/"

static void all_recipes_share_warm_starts_and_trainings_with_main(void **state)
{
    static const char *const file[] = { "full",         "cost",        "decay",
                                        "reward_shape", "decay_shape", "weights" };
    struct plan *main = plan_of(FOLDER "main.cfg");
    size_t all;

    (void)state;
    assert_int_equal(main->runs_len, 12);
    for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
        char path[100];
        struct plan *p;

        snprintf(path, sizeof(path), FOLDER "%s.cfg", file[i]);
        p = plan_of(path);
        assert_int_equal(shared(main, p, "warm", &all), 3);
        assert_int_equal(all, 3);
        if (shared(p, main, "train", &all) < 12) /* 3 seeds, 4 stages */
            fail_msg("%s shares too few trainings", file[i]);
        if (i < 2) { /* cost has no plain GRPO */
            size_t n = shared(main, p, "train", &all);

            assert_int_equal(n, i == 0 ? all : all - 12);
        }
        plan_free(p);
    }
    plan_free(main);
}

static void only_the_papers_abrupt_drop_is_warned_of(void **state)
{
    static const char *const file[] = { "main",    "full",         "cost",        "decay",
                                        "weights", "reward_shape", "decay_shape", "difficulty" };

    (void)state;
    for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
        char path[100];
        struct plan *p;

        snprintf(path, sizeof(path), FOLDER "%s.cfg", file[i]);
        p = plan_of(path);
        if (p->warnings_len != (strcmp(file[i], "decay") == 0))
            fail_msg("%s: %zu warnings", file[i], p->warnings_len);
        plan_free(p);
    }
}

static void ablations_ask_validation_problems_main_and_full_test_problems(void **state)
{
    static const char *const file[] = { "main",         "full",        "decay",     "weights",
                                        "reward_shape", "decay_shape", "difficulty" };

    (void)state;
    for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
        uint64_t asked = 0;
        char path[100];
        struct plan *p;

        snprintf(path, sizeof(path), FOLDER "%s.cfg", file[i]);
        p = plan_of(path);
        for (size_t k = 0; k < p->families_len; k++)
            if (p->family[k].kind->id == KIND_EVALUATE)
                assert_string_equal(p->family[k].split, i < 2 ? "test" : "validation");
        for (size_t k = 0; k < p->run[0].families_len; k++)
            if (strcmp(p->run[0].family[k].step, "score") == 0)
                asked += p->run[0].family[k].examples;
        if (i == 1) {
            assert_int_equal(asked, 2000);
            assert_int_equal(p->runs_len, 30);
        } else {
            assert_true(asked >= 400);
        }
        plan_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_recipes_share_warm_starts_and_trainings_with_main),
        cmocka_unit_test(only_the_papers_abrupt_drop_is_warned_of),
        cmocka_unit_test(ablations_ask_validation_problems_main_and_full_test_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
