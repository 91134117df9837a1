/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: steps that run programs are planned like others: keys follow what the program sees and
 * nothing else, a sweep sets single parameters and inputs, outputs are found by name, and what
 * cannot be is refused at its line. Method: small recipes as text. */
#include "tests/unit/experiments_plan/recipes.h"

#define GO(MORE)   "name = \"t\"; steps = (\n{ id = \"go\"; job = \"exec\"; " MORE " }"
#define THEN(MORE) ",\n{ id = \"then\"; job = \"exec\"; command = [\"cat\"]; " MORE " }"
#define END        ");"

static const char *parameter(const struct plan_job *j, size_t i)
{
    const struct param_value *v = params_get(j->params, "parameters");

    assert_non_null(v);
    assert_true(i < v->len);
    return v->texts[i];
}

static void parameters_become_a_sorted_list_of_texts(void **state)
{
    struct plan *p =
        make(GO("command = [\"cat\", \"{lr}\"]; parameters = { name = \"a = b\"; lr = 1e-5;"
                " n = 3; yes = true; };") END,
             NULL);

    (void)state;
    assert_int_equal(p->jobs_len, 1);
    assert_int_equal(params_get(p->job[0].params, "parameters")->len, 4);
    assert_string_equal(parameter(&p->job[0], 0), "lr=1e-05");
    assert_string_equal(parameter(&p->job[0], 1), "n=3");
    assert_string_equal(parameter(&p->job[0], 2), "name=a = b");
    assert_string_equal(parameter(&p->job[0], 3), "yes=true");
    assert_string_equal(p->job[0].numeric_class, PLAN_EXEC_CLASS);
    plan_free(p);
}

static bool same_key(const char *a, const char *b)
{
    struct plan *p = make(a, NULL), *q = make(b, NULL);
    const bool same = digest_equal(&p->job[0].key, &q->job[0].key);

    plan_free(p);
    plan_free(q);
    return same;
}

static void keys_follow_what_the_program_sees(void **state)
{
    const char *plain =
        GO("command = [\"cat\"]; parameters = { a = 1; b = 2; }; outputs = [\"x\"];") END;

    (void)state;
    /* limits and the order of parameters are no part of it */
    assert_true(
        same_key(plain, GO("outputs = [\"x\"]; parameters = { b = 2; a = 1; }; time_limit_s = 3.0;"
                           " memory_limit_mib = 100.0; grace_s = 2.0; command = [\"cat\"];") END));
    assert_false(same_key(
        plain, GO("command = [\"cat\"]; parameters = { a = 1; b = 3; }; outputs = [\"x\"];") END));
    assert_false(same_key(
        plain, GO("command = [\"cat\"]; parameters = { a = 1; c = 2; }; outputs = [\"x\"];") END));
    assert_false(same_key(
        plain, GO("command = [\"cat\"]; parameters = { a = 1; b = 2; }; outputs = [\"x/\"];") END));
    assert_false(same_key(
        plain,
        GO("command = [\"cat\", \"\"]; parameters = { a = 1; b = 2; }; outputs = [\"x\"];") END));
    assert_false(same_key(
        plain,
        GO("command = [\"cat\"]; parameters = { a = 1; b = 2; }; outputs = [\"x\"]; seed = 2;")
            END));
}

static void a_sweep_sets_single_parameters(void **state)
{
    struct plan *p =
        make(GO("command = [\"cat\"]; parameters = { lr = 0.1; mark = \"m\"; }; seed = \"run\";")
                 END "sweep = ({ set = \"go.parameters.lr\"; values = [0.1, 0.2]; }, { set = "
                     "\"seed\"; values = [1, 2]; });",
             NULL);

    (void)state;
    assert_int_equal(p->runs_len, 4);
    assert_int_equal(p->jobs_len, 4);
    for (size_t i = 0; i < p->jobs_len; i++) {
        const bool first = strcmp(parameter(&p->job[i], 0), "lr=0.1") == 0;
        assert_true(first || strcmp(parameter(&p->job[i], 0), "lr=0.2") == 0);
        assert_string_equal(parameter(&p->job[i], 1), "mark=m");
    }
    plan_free(p);
    /* without a seed of its own the program runs once for all seeds */
    p = make(GO("command = [\"cat\"];") END "sweep = ({ set = \"seed\"; values = [1, 2]; });",
             NULL);
    assert_int_equal(p->runs_len, 2);
    assert_int_equal(p->jobs_len, 1);
    plan_free(p);
}

/* The input NAME of J. */
static const struct plan_input *input_of(const struct plan_job *j, const char *name)
{
    for (size_t i = 0; i < j->inputs_len; i++)
        if (strcmp(j->input[i].name, name) == 0)
            return &j->input[i];
    fail_msg("no input %s", name);
    return NULL;
}

static void outputs_are_found_by_name(void **state)
{
    struct plan *p =
        make(GO("command = [\"cat\"]; outputs = [\"model/\", \"report.txt\"];")
                 THEN("inputs = { text = \"go.report.txt\"; all = \"go.model\"; };") END,
             NULL);

    (void)state;
    assert_int_equal(p->jobs_len, 2);
    const struct plan_input *text = input_of(&p->job[1], "input.text");
    assert_int_equal(text->source, PLAN_OUTPUT);
    assert_string_equal(text->output, "report.txt");
    assert_false(text->folder);
    const struct plan_input *all = input_of(&p->job[1], "input.all");
    assert_string_equal(all->output, "model");
    assert_true(all->folder);
    assert_int_equal(p->job[1].needs.len, 1);
    plan_free(p);

    p = make(GO("command = [\"cat\"]; outputs = [\"model/\", \"log\"];") THEN("model = \"go\";")
                 END,
             NULL);
    assert_string_equal(input_of(&p->job[1], "model")->output, "model");
    plan_free(p);
    /* the only output needs no name */
    p = make(GO("command = [\"cat\"]; outputs = [\"x\"];") THEN("inputs = { a = \"go\"; };") END,
             NULL);
    assert_string_equal(input_of(&p->job[1], "input.a")->output, "x");
    plan_free(p);
}

static void an_evaluation_takes_a_programs_model(void **state)
{
    struct plan *p = make(
        GO("command = [\"cat\"]; outputs = [\"hf/\"];") ",\n{ id = \"s\"; job = \"evaluate\"; "
                                                        "model = \"go.hf\"; tasks = [\"math\"]; "
                                                        "levels = [1]; examples = 10; }" END,
        NULL);

    (void)state;
    assert_string_equal(input_of(&p->job[1], "model")->output, "hf");
    assert_string_equal(p->job[1].numeric_class, PLAN_NUMERIC_CLASS);
    plan_free(p);
}

static void what_cannot_be_is_refused_at_its_line(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { GO("") END, "t.cfg:2: steps[0].command" },
        { GO("\ncommand = [];") END, "t.cfg:" },
        { GO("\ncommand = [\"\"];") END, "t.cfg:3: steps[0].command: the program's name is empty" },
        { GO("\ncommand = [\"./x\"];") END,
          "t.cfg:3: steps[0].command: \"./x\" is a relative path" },
        { GO("\ncommand = [\"{x}\"];\nparameters = { x = \"sh\"; };") END,
          "t.cfg:3: steps[0].command: the program itself" },
        { GO("\ncommand = [\"cat\", \"{rl}\"];\nparameters = { lr = 1; };") END,
          "did you mean {lr}" },
        { GO("\ncommand = [\"cat\", \"{model}\"];") END,
          "t.cfg:3: steps[0].command: \"{model}\": the step names no model" },
        { GO("command = [\"cat\"];\noutputs = [\"a\", \"a/\"];") END,
          "t.cfg:3: steps[0].outputs: a is there twice" },
        { GO("command = [\"cat\"];\noutputs = [\"a.b\", \"a-b\"];") END,
          "t.cfg:3: steps[0].outputs" },
        { GO("command = [\"cat\"];\noutputs = [\"../a\"];") END,
          "t.cfg:3: steps[0].outputs: \"../a\"" },
        { GO("command = [\"cat\"];\noutputs = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", "
             "\"h\", \"i\"];") END,
          "at most 8" },
        { GO("command = [\"cat\"];\nparameters = { seed = 1; };") END,
          "t.cfg:3: steps[0].parameters.seed: seed is there twice" },
        { GO("command = [\"cat\"];\nparameters = { a = 1; A = 2; };") END,
          "t.cfg:3: steps[0].parameters." },
        { GO("command = [\"cat\"];\ntime_limit_s = -1.0;") END, "t.cfg:3: steps[0].time_limit_s" },
        { GO("command = [\"cat\"];") THEN("\ninputs = { a = \"og.x\"; };") END,
          "t.cfg:4: steps[1].inputs.a: no step is called \"og\"; did you mean \"go\"?" },
        { GO("command = [\"cat\"]; outputs = [\"x\"];") THEN("\ninputs = { a = \"go.y\"; };") END,
          "t.cfg:4: steps[1].inputs.a: step \"go\" (exec) makes no \"y\"" },
        { GO("command = [\"cat\"]; outputs = [\"x\", \"y\"];") THEN("\ninputs = { a = \"go\"; };")
              END,
          "makes not one thing" },
        { GO("command = [\"cat\"];") THEN("\ninputs = { a = \"then\"; };") END,
          "t.cfg:3: steps[1]: the steps need each other in a cycle" },
        { GO("command = [\"cat\"]; outputs = [\"x\"];")
              THEN("\ninputs = { a = \"./nowhere/at.all\"; };") END,
          "t.cfg:4: steps[1].inputs.a" },
        { GO("command = [\"cat\"]; outputs = [\"x\"];") THEN("\nmodel = \"go.x\";") END,
          "t.cfg:4: steps[1].model" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refusal(cases[i].text, NULL, cases[i].expected);
}

static void braces_that_are_written_twice_are_no_names(void **state)
{
    struct plan *p = make(GO("command = [\"cat\", \"{{model}} {{x}}\"];") END, NULL);

    (void)state;
    assert_int_equal(p->jobs_len, 1);
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_become_a_sorted_list_of_texts),
        cmocka_unit_test(keys_follow_what_the_program_sees),
        cmocka_unit_test(a_sweep_sets_single_parameters),
        cmocka_unit_test(outputs_are_found_by_name),
        cmocka_unit_test(an_evaluation_takes_a_programs_model),
        cmocka_unit_test(what_cannot_be_is_refused_at_its_line),
        cmocka_unit_test(braces_that_are_written_twice_are_no_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
