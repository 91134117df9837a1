/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whatever is wrong with a sweep or a condition is refused with place and remedy, and no text
 * breaks the planner. Method: a table of mistakes; a recipe with everything in it, cut at every
 * byte and with bytes changed. */
#include "tests/unit/experiments_plan/recipes.h"

#include "common/base/mem.h"
#include "common/base/rng.h"

#define A           "{ id = \"a\"; job = \"noop\"; stage = 1; gamma = 0.5; seed = \"run\"; }"
#define SWEEP(TEXT) RECIPE(A, "\nsweep = ( " TEXT " );")
static const struct {
    const char *text, *set, *expected;
} cases[] = {
    { SWEEP("{ sets = \"a.stage\"; values = [1]; }"), NULL,
      "t.cfg:2: sweep[0].sets: unknown key; did you mean \"set\"?" },
    { SWEEP("{ when = \"true\"; }"), NULL, "an entry of the sweep has set and values, zip" },
    { SWEEP("{ set = \"a.stage\"; valuse = [1]; }"), NULL, "did you mean \"values\"?" },
    { SWEEP("{ set = \"a.stage\"; values = []; }"), NULL, "1 to 4096 values" },
    { SWEEP("{ set = \"b.stage\"; values = [1]; }"), NULL,
      "t.cfg:2: no step is called \"b\"; did you mean \"a.stage\"?" },
    { SWEEP("{ set = \"a.stag\"; values = [1]; }"), NULL, "did you mean stage?" },
    { SWEEP("{ set = \"a.job\"; values = [\"noop\"]; }"), NULL, "a.job cannot be swept" },
    { SWEEP("{ set = \"a.when\"; values = [\"true\"]; }"), NULL, "a.when cannot be swept" },
    { SWEEP("{ set = \"a.stage\"; values = [1, -2]; }"), NULL,
      "t.cfg:2: steps[0].stage: -2 is out of range" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; }, { zip = ( { set = \"a.stage\"; values = [1]; "
            "} ); }"),
      NULL, "\"a.stage\" is swept twice, first at t.cfg:2" },
    { SWEEP("{ zip = ( { set = \"a.stage\"; values = [1, 2]; },\n{ set = \"a.gamma\"; values = "
            "[0.1]; } ); }"),
      NULL,
      "t.cfg:3: sweep[0].zip[1]: a.gamma has 1 values and a.stage has 2; a zip needs as many" },
    { SWEEP("{ zip = ( { set = \"a.stage\"; value = [1, 2]; } ); }"), NULL,
      "did you mean \"values\"?" },
    { SWEEP("{ zip = ( ); }"), NULL, "sweep[0].zip: is empty" },
    { SWEEP("{ zip = ( { set = \"a.stage\"; values = [1]; } ); points = 3; }"), NULL,
      "sweep[0].points: unknown key" },
    { SWEEP("{ points = ( ); }"), NULL, "1 to 4096 points" },
    { SWEEP("{ points = ( { aa = { stage = 1; }; } ); }"), NULL,
      "sweep[0].points[0].aa: no step is called \"aa\"; did you mean \"a\"?" },
    { SWEEP("{ points = ( { stage = 1; } ); }"), NULL, "no step is called \"stage\"; a point" },
    { SWEEP("{ points = ( { a = 1; } ); }"), NULL, "write a group" },
    { SWEEP("{ points = ( { seed = { a = 1; }; } ); }"), NULL, "must be an integer" },
    { SWEEP("{ points = ( { seed = 1; },\n{ seed = -1; } ); }"), NULL,
      "t.cfg:3: seed: -1 is no integer" },
    { SWEEP("{ points = ( { a = { stage = 1; }; },\n{ a = { stage = -1; }; } ); }"), NULL,
      "t.cfg:3: steps[0].stage: -1 is out of range" },
    { SWEEP("{ points = ( { a = { stag = 1; }; } ); }"), NULL, "did you mean stage?" },
    { SWEEP("{ points = ( 3 ); }"), NULL, "write a group" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; uniform = [0.1, 0.2]; } ); }"), NULL,
      "\"points\" is missing" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; uniform = [0.1, 0.2]; } ); points = 0; }"), NULL,
      "choose 1 to 100000" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; uniform = [0.2, 0.1]; } ); points = 2; }"), NULL,
      "low must be below high" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; log_uniform = [0.0, 0.1]; } ); points = 2; }"), NULL,
      "low must be above 0" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; unifrom = [0.2, 0.1]; } ); points = 2; }"), NULL,
      "did you mean \"uniform\"?" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; } ); points = 2; }"), NULL, "say uniform" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; uniform = [0.1, 0.2]; choice = [1]; } ); points "
            "= 2; }"),
      NULL, "uniform is given too" },
    { SWEEP("{ random = ( { set = \"a.stage\"; integers = [1.0, 2.0]; } ); points = 2; }"), NULL,
      "write a whole number" },
    { SWEEP("{ random = ( { set = \"a.stage\"; integers = [2, 1]; } ); points = 2; }"), NULL,
      "low is above high" },
    { SWEEP("{ random = ( { set = \"a.stage\"; integers = [1]; } ); points = 2; }"), NULL,
      "write [low, high]" },
    { SWEEP("{ random = ( { set = \"a.stage\"; choice = []; } ); points = 2; }"), NULL,
      "1 to 4096 values" },
    { SWEEP("{ random = ( ); points = 2; }"), NULL, "is empty" },
    { SWEEP("{ random = ( { set = \"a.gamma\"; uniform = [1.5, 2.0]; } ); points = 2; }"), NULL,
      "steps[0].gamma: 1." },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = \"a.gamma >\"; }"), NULL,
      "t.cfg:2: sweep[0].when: column 10: the condition ends" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = \"a.gama > 1\"; }"), NULL,
      "t.cfg:2: sweep[0].when: a.gama: a noop step has no such key; did you mean a.gamma?" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = \"aa.gamma > 1\"; }"), NULL,
      "no step is called \"aa\"; did you mean \"a.gamma\"?" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = \"a.schedule == linear\"; }"), NULL,
      "\"linear\" names no value; say STEP.PARAMETER, seed or vars.NAME, and put quotes" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = \"vars.x\"; }"), NULL,
      "no variable vars.x" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = 3; }"), NULL, "write a text" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = \"a.schedule > 3\"; }"), NULL,
      "t.cfg:2: sweep[0].when: column 1: a text is compared with a number: a.schedule = "
      "'constant' and 3" },
    { SWEEP("{ set = \"a.stage\"; values = [1]; when = \"a.stage == 1\"; }"), NULL,
      "in a circle: sweep[0] -> sweep[0]" },
    { SWEEP("{ set = \"a.points\"; values = [1]; },\n{ set = \"a.stage\"; values = [1]; when = "
            "\"a.gamma > 0\"; },\n{ set = \"a.gamma\"; values = [0.1]; when = \"a.stage > 0\"; "
            "}"),
      NULL,
      "t.cfg:3: sweep[1].when: the conditions need each other in a circle: sweep[1] -> "
      "sweep[2] -> sweep[1]" },
    { RECIPE(A, "exclude = ( \"a.stage = 'x'\" );"), NULL,
      "t.cfg:1: exclude[0]: column 1: a text is compared with a number" },
    { RECIPE(A, "exclude = \"a.stage = 1\";"), NULL, "exclude: is a text" },
    { RECIPE(A, ""), "a.when=a.stage >", "--set a.when=a.stage >: steps[0].when: column 10" },
    { RECIPE(A, ""), "a.when=false",
      "t.cfg:1: no run is left: no step's condition holds anywhere" },
    { RECIPE(A, ""), "a.when=3", "must be a condition in quotes" },
    { RECIPE("{ id = \"a\"; job = \"select\"; }", ""), NULL, "say halving" },
    { RECIPE("{ id = \"seed\"; job = \"noop\"; }", ""), NULL, "call the step something else" },
    { RECIPE(A, "sweeps = ( );"), NULL, "unknown key; did you mean \"sweep\"?" },
    { RECIPE(A ", { id = \"e\"; job = \"evaluate\"; model = \"a\"; tasks = [\"math\"];"
               "examples = 1; }",
             ""),
      NULL, "steps[1].model: step \"a\" does nothing" },
};

static void bad_sweeps_are_refused_with_place_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_refusal(cases[i].text, cases[i].set, cases[i].expected);
}

static void sweeps_without_end_are_refused(void **state)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    (void)state;
    buf_adds(&text, "name = \"t\"; steps = ( " A " ); sweep = ( ");
    static const char *const names[] = { "a.stage", "a.points", "a.sleep_ms", "seed" };
    for (int i = 0; i < 4; i++) {
        buf_printf(&text, "%s{ set = \"%s\"; values = [", i ? "," : "", names[i]);
        for (int k = 0; k < 60; k++)
            buf_printf(&text, "%s%d", k ? "," : "", k);
        buf_adds(&text, "]; }");
    }
    buf_adds(&text, " );");
    assert_refusal(buf_str(&text), NULL, "the sweep has more than 1000000 points");
    assert_refusal(buf_str(&text), "seed=1", "the sweep has more than 100000 runs");
}

/* A recipe with everything in it. */
static const char everything[] =
    "name = \"all\"; description = \"d\"; vars = { n = 2; w = \"x\"; }; paths = { p = \"q\"; };\n"
    "steps = ( { id = \"a\"; job = \"noop\"; stage = \"${vars.n}\"; weights = (1, 0.5); seed = "
    "\"run\"; },\n"
    "{ id = \"b\"; job = \"noop\"; model = \"a\"; when = \"a.stage > 0 or seed in [1, 2]\"; } );\n"
    "sweep = ( { set = \"a.schedule\"; values = [\"u\", \"${vars.w}\"]; },\n"
    "{ zip = ( { set = \"a.stage\"; values = [1, 2]; }, { set = \"a.gamma\"; values = [0.1, 0.2]; "
    "} "
    "); when = \"a.schedule == 'x'\"; },\n"
    "{ points = ( { b = { stage = 1; }; seed = 4; }, { b = { points = 2; }; } ); },\n"
    "{ random = ( { set = \"b.gamma\"; uniform = [0.1, 0.9]; }, { set = \"b.weights\"; choice = "
    "([1, 2], [3]); } ); points = 2; seed = 3; } );\n"
    "exclude = ( \"b.gamma > 0.8 and not a.schedule == 'u'\" );\n"
    "halving = { rungs = (\"a\", { step = \"b\"; score = \"b\"; }); measure = \"reward\"; keep = "
    "0.5; };\n";

/* libconfig 1.5 leaks a text that was read in front of a syntax error. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig\n";
}

/* Parse and plan; whatever comes of it, nothing breaks. True when it was accepted. */
static bool digested(const char *text)
{
    struct recipe *r = NULL;
    struct plan *p = NULL;
    struct err err = { 0 };
    bool ok =
        recipe_parse(text, "t.cfg", NULL, 0, &r, &err) == 0 && plan_make(r, NULL, &p, &err) == 0;

    if (!ok && strncmp(err.text, "t.cfg:", 6) != 0)
        fail_msg("without a place: %s\n%s", err.text, text);
    recipe_free(r);
    plan_free(p);
    return ok;
}

static void truncated_recipes_are_refused_with_a_place(void **state)
{
    size_t accepted = 0;

    (void)state;
    assert_true(digested(everything));
    for (size_t len = 0; len < strlen(everything); len++) {
        char *text CLEANUP(mem_cleanup) = strndup(everything, len);
        accepted += digested(text);
    }
    assert_in_range(accepted, 1, 40); /* at the end of a setting of the root */
}

static void mutated_recipes_are_planned_or_refused_with_a_place(void **state)
{
    static const char alphabet[] = "{}()[]=;,\"'.01-9abgsx\n ";
    struct rng r = rng_stream("test sweep", 2, 0);
    size_t accepted = 0;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        char *text CLEANUP(mem_cleanup) = mem_strdup(everything);
        for (uint32_t n = 1 + rng_below(&r, 2); n > 0; n--)
            text[rng_below(&r, (uint32_t)strlen(text))] =
                alphabet[rng_below(&r, sizeof(alphabet) - 1)];
        accepted += digested(text);
    }
    assert_in_range(accepted, 40, 3900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_sweeps_are_refused_with_place_and_remedy),
        cmocka_unit_test(sweeps_without_end_are_refused),
        cmocka_unit_test(truncated_recipes_are_refused_with_a_place),
        cmocka_unit_test(mutated_recipes_are_planned_or_refused_with_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
