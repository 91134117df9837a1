/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: answers as data sets have them equal themselves, equal the same answer spelled otherwise,
 * and differ from the next one; no text, however large or broken, takes long. Method: every gold of
 * AGIEval's MATH, College Math and GSM8K; hostile texts of up to 1 MiB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/grading/grading.h"

enum { GOLDS = 4000 };

static char *golds[GOLDS];
static size_t golds_len;

static int forget(void **state)
{
    (void)state;
    while (golds_len > 0)
        free(golds[--golds_len]);
    return 0;
}

/* One JSON object per line; the gold is its "answer", GSM8K's what follows "#### ". */
static void load(const char *file)
{
    CLEANUP(buf_release) struct buf b = { 0 };
    const char *shared = getenv("DROVER_SHARED");
    struct err err = { 0 };
    char path[512];

    forget(NULL);
    snprintf(path, sizeof(path), "%s/data/%s", shared && *shared ? shared : "../shared", file);
    if (access(path, R_OK) != 0) {
        print_message("SKIP-DATA %s\n", file);
        skip();
    }
    assert_int_equal(buf_read_file(&b, path, 64 << 20, &err), 0);
    for (char *at = b.data, *end; at && *at && golds_len < GOLDS; at = end ? end + 1 : NULL) {
        CLEANUP(json_cleanup) struct json *line = NULL;
        const char *answer, *mark;
        end = strchr(at, '\n');
        assert_int_equal(json_parse(at, end ? (size_t)(end - at) : strlen(at), &line, &err), 0);
        answer = json_text(json_get(line, "answer"));
        if (!answer)
            continue;
        mark = strstr(answer, "#### ");
        golds[golds_len++] = mem_strdup(mark ? mark + 5 : answer);
    }
}

/* \frac -> \dfrac, a blank around signs and after commas outside \text, "(" -> "\left(". */
static char *respell(const char *s)
{
    struct buf out = { 0 };
    bool words =
        strstr(s, "\\text") || strstr(s, "\\mbox") || strstr(s, "\\left") || strstr(s, "\\begin");

    for (; *s; s++) {
        if (strncmp(s, "\\frac", 5) == 0) {
            buf_adds(&out, "\\dfrac");
            s += 4;
        } else if (!words && *s == ',' && (s[1] < '0' || s[1] > '9') && s[1] != '\\') {
            buf_adds(&out, ", ");
        } else if (!words && (*s == '+' || *s == '=')) {
            buf_printf(&out, " %c ", *s);
        } else if (!words && (*s == '(' || *s == ')')) {
            buf_printf(&out, "%s%c", *s == '(' ? "\\left" : "\\right", *s);
        } else {
            buf_addc(&out, *s);
        }
    }
    return buf_detach(&out);
}

static void check_golds(const char *file)
{
    size_t self[MATH_RULES] = { 0 }, spelled[MATH_RULES] = { 0 }, next[2][MATH_RULES] = { { 0 } };
    size_t wrong = 0;

    load(file);
    for (size_t i = 0; i < golds_len; i++) {
        char *other = respell(golds[i]);
        enum math_rule rule;
        bool equal = math_equal(golds[i], golds[i], &rule);
        self[rule] += equal;
        if (!equal) {
            print_error("\"%s\" is not itself\n", golds[i]);
            wrong++;
        }
        equal = math_equal(other, golds[i], &rule);
        spelled[rule] += equal;
        if (!equal) {
            print_error("\"%s\" is not \"%s\" (%s)\n", other, golds[i], math_rule_name(rule));
            wrong++;
        }
        free(other);
        equal = math_equal(golds[(i + 1) % golds_len], golds[i], &rule);
        next[equal][rule]++;
        if (equal && rule != MATH_STRING) {
            print_error("\"%s\" is \"%s\" (%s)?\n", golds[i], golds[(i + 1) % golds_len],
                        math_rule_name(rule));
            wrong++;
        }
    }
    print_message("%s: %zu golds\n", file, golds_len);
    for (int r = 0; r < MATH_RULES; r++)
        print_message("  %-9s itself %zu, respelled %zu, next equal %zu, next unequal %zu\n",
                      math_rule_name((enum math_rule)r), self[r], spelled[r], next[1][r],
                      next[0][r]);
    assert_true(golds_len > 500);
    assert_int_equal(wrong, 0);
}

static void golds_of_agieval_math_hold(void **state)
{
    (void)state;
    check_golds("agieval/math.jsonl");
}

static void golds_of_college_math_hold(void **state)
{
    (void)state;
    check_golds("college_math/test.ccby.jsonl");
}

static void golds_of_gsm8k_hold(void **state)
{
    (void)state;
    check_golds("gsm8k/test.jsonl");
}

static char *repeat(const char *unit, size_t bytes, const char *tail)
{
    struct buf out = { 0 };

    while (out.len < bytes)
        buf_adds(&out, unit);
    buf_adds(&out, tail);
    return buf_detach(&out);
}

static void all_functions(const char *s, const char *t)
{
    CLEANUP(buf_release) struct buf out = { 0 };

    (void)math_equal(s, t, NULL);
    (void)extract_boxed(s, &out);
    (void)extract_dollars(s, &out);
    (void)extract_gsm8k_strict(s, &out);
    (void)extract_gsm8k_flexible(s, &out);
    (void)extract_last_number(s, &out);
    (void)extract_letter_arc(s, &out);
    (void)extract_first_capital(s, 'E', &out);
    (void)extract_last_bracketed(s, &out);
    normalise_gsm8k(s, &out);
    (void)number_equal(s, t, 1);
    (void)squad_f1(s, t);
}

static const char *const units[] = {
    "{",
    "}",
    "{}",
    "(",
    "[",
    "()",
    "|",
    "\\",
    "\\frac",
    "\\frac{",
    "\\frac{1}{",
    "\\frac{\\",
    "\\frac{x}{y}",
    "7\\frac{3}{4}",
    "\\sqrt",
    "\\sqrt{",
    "\\sqrt[",
    "\\text{",
    "\\text{ ",
    "\\left(",
    "^",
    "^{",
    "_{",
    "x^{2}",
    "-",
    "--",
    "+",
    "*",
    "/",
    "1",
    "9,",
    "1,234",
    ",",
    ".",
    "1 ",
    "1 2/3 ",
    "- 1 2/3",
    "$",
    "#### ",
    "####",
    "\\boxed",
    "\\boxed{",
    "\\boxed ",
    "a ",
    "the ",
    "x",
    "xy",
    "sin",
    "\\sin",
    "\\sin^2",
    "log_",
    "e",
    "e9",
    "1e",
    "pi",
    "!",
    "5!",
    "=",
    "x=",
    "\\begin{",
    "\\begin{a}",
    "\\end{}",
    "\\\\",
    "&",
    "degree",
    "centimeters^22 ",
    "^ ",
    "^ \\circ",
    ",\\! ",
    "million",
    "\\%",
    "\n",
    " ",
    "\xff",
    "\xce\xa3",
    "\xe2\x88\x9a",
    "Answer:",
    "((A)",
    "(A",
    "A",
    "0",
    "-0",
    "0.",
    "\\overline{",
    "\\pi^",
    "1/",
    "x/(",
};

/* Quadratic time at 1 MiB is minutes: the runner's time limit catches it. */
static void hostile_texts_are_no_trap(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const size_t sizes[] = { 100, 4000, i % 8 == 0 ? 1 << 20 : 1 << 17 };
        for (size_t k = 0; k < 3; k++) {
            char *s = repeat(units[i], sizes[k], ""), *t = repeat(units[i], sizes[k], "x1");

            all_functions(s, t);
            free(s);
            free(t);
        }
    }
}

/* Deep and long expressions are refused or decided, never a crash. */
static void limits_of_the_grammar_hold(void **state)
{
    (void)state;
    for (size_t n = 1; n < 3000; n = n * 5 / 4 + 1) {
        struct buf a = { 0 }, b = { 0 };
        enum math_rule rule;
        bool equal;
        for (size_t i = 0; i < n; i++)
            buf_adds(&a, "x+");
        buf_adds(&a, "1");
        buf_printf(&b, "%zux+1", n);
        equal = math_equal(buf_str(&a), buf_str(&b), &rule);
        if (n < 1000)
            assert_true(equal && (rule == MATH_FUNCTION || rule == MATH_STRING));
        else
            assert_true(equal || rule == MATH_NO_RULE);
        buf_clear(&a);
        for (size_t i = 0; i < n; i++)
            buf_addc(&a, '(');
        buf_adds(&a, "x+1");
        for (size_t i = 0; i < n; i++)
            buf_addc(&a, ')');
        equal = math_equal(buf_str(&a), "1+x", &rule);
        assert_true(n < 40 ? equal : n > 200 ? !equal && rule == MATH_NO_RULE : true);
        buf_release(&a);
        buf_release(&b);
    }
    assert_false(math_equal("(((((((x^9)^9)^9)^9)^9)^9)^9)^9", "x", NULL));
    assert_false(math_equal("200!x", "x", NULL));
    assert_false(math_equal("e^{e^{e^9}}", "e^{e^{e^9}}+1", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(golds_of_agieval_math_hold, forget),
        cmocka_unit_test_teardown(golds_of_college_math_hold, forget),
        cmocka_unit_test_teardown(golds_of_gsm8k_hold, forget),
        cmocka_unit_test(hostile_texts_are_no_trap),
        cmocka_unit_test(limits_of_the_grammar_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
