/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: traces are right at every step, in every style, at every level, and as long as they say.
 * Method: an evaluator of its own here, which reads the problem's text and says step by step what
 * has to be written; many drawn problems. */
#include "tests/unit/common_tasks/fixture.h"

#include "common/tasks/think.h"
#include "common/tasks/trace.h"

enum { PROBLEMS = 300 };

/* Values of the chain after each operation. */
static size_t math_values(const char *problem, char *value)
{
    static const char digits[] = "0123456789";
    size_t len = 0;
    long v = strchr(digits, problem[0]) - digits;

    for (size_t i = 1; problem[i] != '='; i += 2) {
        long d = strchr(digits, problem[i + 1]) - digits;

        v = problem[i] == '+'   ? (v + d) % 10
            : problem[i] == '-' ? (v + 10 - d) % 10
            : problem[i] == '>' ? (v > d ? v : d)
                                : (v < d ? v : d);
        value[len++] = digits[v];
    }
    return len;
}

/* The entities on the way, then the letter. */
static size_t logic_values(const char *problem, char *value)
{
    const char *ask = strchr(problem, '?');
    char at = ask[1];
    size_t len = 0;

    while (at >= 'a') { /* letters of choices are capitals */
        const char *p = problem;

        /* What is said of AT: its place is the first of a fact or of a choice, and behind it a
         * letter stands; the second of a fact is followed by a comma. */
        while (p[0] != at || p[1] == ',')
            assert_true(++p < ask);
        at = p[1];
        value[len++] = at;
    }
    return len;
}

static size_t values_of(const char *task, const char *problem, char *value)
{
    return *task == 'm' ? math_values(problem, value) : logic_values(problem, value);
}

/* What the trace has to be. */
static void expected(const char *task, const char *problem, enum trace_style s, struct buf *out)
{
    char value[64];
    size_t n = values_of(task, problem, value);
    bool logic = *task == 'l';
    char before = logic ? strchr(problem, '?')[1] : problem[0];

    if (s == TRACE_DIRECT)
        return;
    if (s == TRACE_VERBOSE) {
        for (size_t i = 0; i < n; i++) {
            if (logic)
                buf_printf(out, "?%c:%c%c;", before, before, value[i]);
            else
                buf_printf(out, "%d:%c%.2s=%c;", (int)i + 1, before, problem + 1 + 2 * i, value[i]);
            before = value[i];
        }
    } else {
        size_t last = n - 2; /* the last value is left to the answer */

        for (size_t i = 0; i <= last; i++)
            if (s == TRACE_MERGED)
                buf_printf(out, "%c;", value[i]);
            else if ((last - i) % 2 == 0)
                buf_printf(out, "%d:%c;", (int)i + 1, value[i]);
    }
    out->data[--out->len] = '\0'; /* the last ';' */
}

static void check_one(const char *task, int level, const struct example *e, enum trace_style s)
{
    struct buf got CLEANUP(buf_release) = { 0 }, want CLEANUP(buf_release) = { 0 };
    struct buf whole CLEANUP(buf_release) = { 0 }, prompt CLEANUP(buf_release) = { 0 };
    struct think_parts parts;
    struct marks m;

    trace_think(task, e->question, s, &got);
    expected(task, e->question, s, &want);
    assert_string_equal(buf_str(&got), buf_str(&want));
    trace_completion(task, e->question, s, &whole);
    think_parse(buf_str(&whole), whole.len, &parts);
    assert_true(parts.well_formed);
    assert_int_equal(parts.think.end - parts.think.begin, got.len);
    assert_memory_equal(buf_str(&whole) + parts.think.begin, buf_str(&got), got.len);
    task_grade(task_find(task), e, &(struct response){ .text = buf_str(&whole) }, &m);
    assert_true(m.correct);
    marks_release(&m);
    assert_int_equal(trace_completion_tokens(task, level, s), got.len + 4 + 1);
    for (size_t budget = 0; budget <= 1000; budget = budget ? 10 * budget : 1) {
        buf_clear(&prompt);
        think_compact(e->question, budget, &prompt);
        assert_int_equal(trace_prompt_tokens(task, level, budget), prompt.len);
    }
    for (size_t i = 0; i < got.len; i++)
        assert_non_null(strchr(think_alphabet(), got.data[i]));
}

static void check_task(const char *task)
{
    assert_true(trace_task(task));
    for (int level = 1; level <= 6; level++)
        for (uint64_t i = 0; i < PROBLEMS; i++) {
            struct rng r = rng_stream("test traces", (uint64_t)level, i);
            struct example e;

            assert_int_equal(task_draw(task, level, &r, &e, NULL), 0);
            think_ask(task_find(task), &e, PROMPTS_THINK, 0);
            for (int s = 0; s < TRACE_STYLES; s++)
                if (s != TRACE_MIXED)
                    check_one(task, level, &e, (enum trace_style)s);
            example_release(&e);
        }
}

static void math_traces_are_right_in_every_style_and_level(void **state)
{
    (void)state;
    check_task("math");
}

static void logic_traces_are_right_in_every_style_and_level(void **state)
{
    (void)state;
    check_task("logic");
}

static void traces_of_known_problems(void **state)
{
    static const char *const want[2][TRACE_STYLES] = {
        { "1:3+5=8;2:8>2=8;3:8-4=4", NULL, "8;8", "2:8", "" },
        { "?a:ab;?b:bc;?c:cA", NULL, "b;c", "2:c", "" },
    };

    (void)state;
    for (int s = 0; s < TRACE_STYLES; s++) {
        struct buf math CLEANUP(buf_release) = { 0 }, logic CLEANUP(buf_release) = { 0 };

        if (s == TRACE_MIXED)
            continue;
        trace_think("math", "3+5>2-4=", (enum trace_style)s, &math);
        trace_think("logic", "bc,de,ab,cAeBbCdD?a=", (enum trace_style)s, &logic);
        assert_string_equal(buf_str(&math), want[0][s]);
        assert_string_equal(buf_str(&logic), want[1][s]);
    }
    assert_string_equal(trace_style_name(TRACE_VERBOSE), "verbose");
    assert_string_equal(trace_style_name(TRACE_DIRECT), "direct");
    assert_false(trace_task("lists"));
}

/* Bit i is step i; the last value alone is the answer's to say. */
static void mixed_traces_shorten_the_steps_that_are_asked_for(void **state)
{
    static const char *const math[] = {
        "1:3+5=8;2:8>2=8;3:8-4=4", "8;2:8>2=8;3:8-4=4", "1:3+5=8;8;3:8-4=4", "8;8;3:8-4=4",
        "1:3+5=8;2:8>2=8",         "8;2:8>2=8",         "1:3+5=8;8",         "8;8",
    };

    (void)state;
    for (uint64_t brief = 0; brief < 16; brief++) {
        struct buf got CLEANUP(buf_release) = { 0 }, want CLEANUP(buf_release) = { 0 };

        trace_mixed("math", "3+5>2-4=", brief, &got);
        buf_printf(&want, "<think>%s</think><answer>4</answer>", math[brief & 7]);
        assert_string_equal(buf_str(&got), buf_str(&want));
        buf_clear(&got);
        trace_mixed("logic", "bc,de,ab,cAeBbCdD?a=", brief, &got);
        assert_int_equal(strstr(buf_str(&got), "?b:bc") == NULL, brief >> 1 & 1);
        assert_int_equal(strstr(buf_str(&got), "?c:cA") == NULL, brief >> 2 & 1);
        assert_non_null(strstr(buf_str(&got), "<answer>A</answer>"));
    }
}

/* The rate is the trace's, not the step's: how many of 64 steps are brief varies far more than 64
 * draws of one rate would, and is never as many as merged traces have. */
static void drawn_traces_differ_in_how_brief_they_are(void **state)
{
    struct rng r = rng_stream("test traces", 0, 0);
    size_t none = 0, many = 0, most = 0;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        size_t n = (size_t)__builtin_popcountll(trace_draw_brief(&r));

        none += n < 4;
        many += n > 16;
        most = MAX(most, n);
    }
    assert_in_range(none, 50, 400);
    assert_in_range(many, 50, 700);
    assert_in_range(most, 17, 60);
}

/* Reference for budgets: seven operators, nearly four times a final budget of 16, which two styles
 * keep: one that writes every value, and one that leaves out every second. */
static void lengths_at_seven_operators(void **state)
{
    (void)state;
    assert_int_equal(trace_completion_tokens("math", 5, TRACE_VERBOSE), 60);
    assert_int_equal(trace_completion_tokens("math", 5, TRACE_MERGED), 16);
    assert_int_equal(trace_completion_tokens("math", 5, TRACE_SPARSE), 16);
    assert_int_equal(trace_completion_tokens("math", 5, TRACE_DIRECT), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(math_traces_are_right_in_every_style_and_level),
        cmocka_unit_test(logic_traces_are_right_in_every_style_and_level),
        cmocka_unit_test(traces_of_known_problems),
        cmocka_unit_test(mixed_traces_shorten_the_steps_that_are_asked_for),
        cmocka_unit_test(drawn_traces_differ_in_how_brief_they_are),
        cmocka_unit_test(lengths_at_seven_operators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
