/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a thinking model cannot be taught or asked is refused by the plan, at its line; what
 * does not matter without thinking enters no key. Method: small recipes as text. */
#include "tests/unit/experiments_plan/recipes.h"

#define MODEL(MORE)                                                                                \
    "name = \"t\"; steps = (\n{ id = \"m\"; job = \"pretrain\"; gemm = \"packed\"; seed = 1;\n"    \
    " prompts = \"think\"; " MORE " }"
#define SCORE(MORE)                                                                                \
    ",\n{ id = \"s\"; job = \"evaluate\"; model = \"m\"; prompts = \"think\"; examples = 10;\n"    \
    " levels = [1]; " MORE " }"

static void impossible_thinking_is_refused_at_its_line(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { MODEL("tasks = [\"lists\"];") ");", "t.cfg:3: steps[0].tasks: lists has no written" },
        { MODEL("tasks = [\"math\"];\n traces = [1.0, 1.0];") ");",
          "t.cfg:4: steps[0].traces: 2 weights; verbose, mixed, merged, sparse and direct make 5" },
        { MODEL("tasks = [\"math\"];\n traces = [0.0, 0.0, 0.0, 0.0, 0.0];") ");",
          "t.cfg:4: steps[0].traces: all weights are 0" },
        { MODEL("tasks = [\"math\"];\n traces = [0.5, 0.5, -0.1, 0.0, 0.0];") ");", "t.cfg:4" },
        { MODEL("tasks = [\"math\", \"logic\"];\n positions = 94;") ");",
          "t.cfg:4: steps[0].positions: a problem of logic level 6 and its verbose trace take 98 "
          "tokens, more than 94" },
        { MODEL("tasks = [\"math\"]; levels = [5];\n positions = 32;") ");", "t.cfg:4" },
        { MODEL("tasks = [\"math\"];") SCORE("tasks = [\"lists\"];") ");", "lists has no think" },
        { MODEL("tasks = [\"math\"];") SCORE("tasks = [\"math\"]; budget = -1;") ");", "t.cfg:5" },
        { "name = \"t\"; steps = ({ id = \"m\"; job = \"pretrain\"; tasks = [\"math\"]; }" SCORE(
              "tasks = [\"math\"];") ");",
          "t.cfg:2: steps[1].model: step \"m\" teaches no visible reasoning" },
        { "name = \"t\"; steps = ({ id = \"m\"; job = \"pretrain\"; tasks = [\"math\"]; },\n"
          "{ id = \"c\"; job = \"stage\"; model = \"m\"; tasks = [\"math\"]; });",
          "t.cfg:2: steps[1].model: step \"m\" teaches no visible reasoning" },
        { MODEL("tasks = [\"math\"];") ",\n{ id = \"c\"; job = \"stage\"; model = \"m\"; tasks = "
                                       "[\"math\"];\n prompts = \"think_chat\"; });",
          "t.cfg:5: steps[1].prompts: \"think_chat\" needs a model with a chat template" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refusal(cases[i].text, NULL, cases[i].expected);
}

/* Keys of the first job of both recipes. */
static bool same_first_key(const char *a, const char *b)
{
    struct plan *p = make(a, NULL), *q = make(b, NULL);
    bool same = digest_equal(&p->job[0].key, &q->job[0].key);

    plan_free(p);
    plan_free(q);
    return same;
}

#define PLAIN(MORE)                                                                                \
    "name = \"t\"; steps = ({ id = \"m\"; job = \"pretrain\"; gemm = \"packed\"; seed = 1;"        \
    " tasks = [\"math\"]; " MORE " });"

static void traces_and_budgets_matter_to_thinking_alone(void **state)
{
    (void)state;
    assert_true(
        same_first_key(PLAIN(""), PLAIN("traces = [1.0, 0.0, 0.0, 0.0, 0.0]; budgets = [15];")));
    assert_false(same_first_key(PLAIN(""), PLAIN("prompts = \"think\";")));
    assert_false(same_first_key(PLAIN("prompts = \"think\";"),
                                PLAIN("prompts = \"think\"; traces = [1.0, 0.0, 0.0, 0.0, 0.0];")));
    assert_false(same_first_key(PLAIN("prompts = \"think\";"),
                                PLAIN("prompts = \"think\"; budgets = [15];")));
}

static void budget_is_part_of_an_evaluations_key(void **state)
{
    struct plan *p = make(MODEL("tasks = [\"math\"];") SCORE("tasks = [\"math\"];") ");", NULL);
    struct plan *q =
        make(MODEL("tasks = [\"math\"];") SCORE("tasks = [\"math\"]; budget = 15;") ");", NULL);

    (void)state;
    assert_int_equal(p->families_len, 1);
    assert_int_equal(q->families_len, 1);
    assert_false(digest_equal(&p->family[0].key, &q->family[0].key));
    plan_free(p);
    plan_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_thinking_is_refused_at_its_line),
        cmocka_unit_test(traces_and_budgets_matter_to_thinking_alone),
        cmocka_unit_test(budget_is_part_of_an_evaluations_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
