/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: answers are found in texts, normalised and compared as the benchmarks' own programs do,
 * quirks included. Method: tables made by hand from the regular expressions and rules. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/grading/grading.h"

struct row {
    const char *text, *found; /* NULL: nothing */
};

static void check_extract(bool (*extract)(const char *, struct buf *), const struct row *row,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_release) struct buf out = { 0 };
        buf_adds(&out, "kept ");
        bool found = extract(row[i].text, &out);
        if (found != (row[i].found != NULL) ||
            strcmp(buf_str(&out) + 5, found ? row[i].found : "") != 0)
            fail_msg("\"%s\": \"%s\", expected \"%s\"", row[i].text, buf_str(&out) + 5,
                     row[i].found ? row[i].found : "nothing");
    }
}

static void check_normal(void (*normalise)(const char *, struct buf *), const struct row *row,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_release) struct buf out = { 0 };
        buf_adds(&out, "kept ");
        normalise(row[i].text, &out);
        if (strcmp(buf_str(&out) + 5, row[i].found) != 0)
            fail_msg("\"%s\": \"%s\", expected \"%s\"", row[i].text, buf_str(&out) + 5,
                     row[i].found);
    }
}
#define EXTRACT(f, table) check_extract(f, table, sizeof(table) / sizeof((table)[0]))
#define NORMAL(f, table)  check_normal(f, table, sizeof(table) / sizeof((table)[0]))

static void the_last_box_is_found_with_its_braces(void **state)
{
    static const struct row table[] = {
        { "so \\boxed{42}.", "42" },
        { "\\boxed{1} then \\boxed{2}", "2" },
        { "\\boxed{\\frac{1}{2}} and {x}", "\\frac{1}{2}" },
        { "\\boxed{ x^{2^{3}} }", "x^{2^{3}}" },
        { "\\boxed{}", "" },
        { "\\fbox{7}", "7" },
        { "\\fbox{7} \\boxed{8}", "8" },
        { "\\boxed{8} \\fbox{7}", "8" },
        { "$\\boxed 7$ apples", "7" },
        { "\\boxed {7}", "7" },
        { "\\boxed{1} \\boxed{2", NULL }, /* the last one counts, closed or not */
        { "\\boxed{", NULL },
        { "\\boxed", NULL },
        { "\\boxed7", NULL },
        { "boxed{7}", NULL },
        { "", NULL },
        { "{{\\boxed{a}b}}", "a" },
    };

    (void)state;
    EXTRACT(extract_boxed, table);
}

static void dollars_are_the_first_and_the_last(void **state)
{
    static const struct row table[] = {
        { "The answer is $5$.", "5" },
        { "$a$ or $b$", "a$ or $b" },
        { "costs $5", NULL },
        { "$$", "" },
        { "none", NULL },
    };

    (void)state;
    EXTRACT(extract_dollars, table);
}

static void gsm8k_numbers_are_found_as_the_regular_expressions_do(void **state)
{
    static const struct row strict[] = {
        { "... \n#### 18", "18" }, { "#### -1,234.5 eggs", "-1,234.5" },
        { "#### 1 #### 2", "1" },  { "####18", NULL },
        { "#### $18", NULL },      { "#### x #### 7", "7" },
        { "#### 18.", "18." },     { "#### ,", "," },
        { "#### -", NULL },        { "##### 5", "5" },
        { "#### --5", NULL },      { "", NULL },
    };
    static const struct row flexible[] = {
        { "so 18 eggs", "18" }, { "it is $18.", "$18." },
        { "a 1 b 2 c 3", "3" }, { "7.", "7." },
        { "costs 7 $.", "$." }, { "-5", "-5" },
        { "3-5", "-5" },        { "10,000 and ...", "..." },
        { "x.", NULL },         { "--12", "-12" },
        { "5 -", "5" },         { "1. One", "1." },
        { "-$5", "-$5" },       { "no", NULL },
        { "a.b", NULL },        { "Q1: 2,", "2," },
    };
    static const struct row normal[] = {
        { "1,234", "1234" }, { "$18", "18" },         { "18.", "18" },
        { "18..", "18." },   { "so\n#### 18", "18" }, { "#### 1 #### 2.", "2" },
        { "Yes", "yes" },    { "18.\n", "18\n" },     { "a.\nb", "a.\nb" },
        { "", "" },
    };

    (void)state;
    EXTRACT(extract_gsm8k_strict, strict);
    EXTRACT(extract_gsm8k_flexible, flexible);
    NORMAL(normalise_gsm8k, normal);
}

static void the_last_number_is_found(void **state)
{
    static const struct row table[] = {
        { "It is 5 and 7.", "7" },
        { "1,234.50 dollars", "1,234.50" },
        { "x = -3", "-3" },
        { "3-5", "5" },
        { "(2)-1", "1" },
        { "pages 3, 4", "4" },
        { "none", NULL },
        { "12, ", "12" },
        { ".5", ".5" },
        { "-.5", "-.5" },
        { "$51.0", "51.0" },
        { "3.", "3" },
    };

    (void)state;
    EXTRACT(extract_last_number, table);
}

static bool first_of_e(const char *text, struct buf *out)
{
    return extract_first_capital(text, 'E', out);
}

static void letters_are_found(void **state)
{
    static const struct row arc[] = {
        { "A", "A" },
        { " b. \n", "B" },
        { "Answer: C", "C" },
        { "Answer:d.", "D" },
        { "Answer:\n \xc2\xa0"
          "C",
          "C" },
        { "E", NULL },
        { "A B", NULL },
        { "(A)", NULL },
        { "answer: A", NULL },
        { "Answer:", NULL },
        { "A..", NULL },
        { "", NULL },
        { "The answer is A", NULL },
        { "Answer: Answer: A", NULL },
    };
    static const struct row capital[] = {
        { "B", "B" },
        { "the answer is (C).", "C" },
        { "Answer: D", "D" },
        { "Because", "B" },
        { "F or E", "E" },
        { "Z", NULL },
        { "abc", NULL },
        { "\xe7\xad\x94\xe6\xa1\x88"
          "B",
          "B" },
    };
    static const struct row bracketed[] = {
        { "(A) or (B)", "B" }, { "A", NULL }, { "(E)", NULL }, { "((C))", "C" }, { "(D", NULL },
    };

    (void)state;
    EXTRACT(extract_letter_arc, arc);
    EXTRACT(first_of_e, capital);
    EXTRACT(extract_last_bracketed, bracketed);
}

static void hendrycks_rules_apply_in_their_order(void **state)
{
    static const struct row table[] = {
        { "0.5", "\\frac{1}{2}" },
        { ".5", "\\frac{1}{2}" },
        { "x=.5", ".5" }, /* "0." is put before "x=" goes */
        { "x= .5", "\\frac{1}{2}" },
        { "xyz=5", "xyz=5" },
        { "x = 5", "5" },
        { "a=b=c", "a=b=c" },
        { "\\frac12", "\\frac{1}{2}" },
        { "\\frac1{72}", "\\frac{1}{72}" },
        { "\\frac{72}1", "\\frac{72}1" },
        { "\\frac1", "\\frac1" },
        { "\\frac", "\\frac" },
        { "3/4", "\\frac{3}{4}" },
        { "-3/4", "\\frac{-3}{4}" },
        { "03/4", "03/4" },
        { "3/4/5", "3/4/5" },
        { "a/b", "a/b" },
        { "\\sqrt3", "\\sqrt{3}" },
        { "\\sqrt\xc3\xa9", "\\sqrt{\xc3\xa9}" },
        { "1 \\sqrt", "1 \\sqrt" }, /* fails: as it was */
        { "5\\text{ cm}", "5" },
        { "5\\text{cm}", "5\\text{cm}" },
        { "5\\text{ m} 6\\text{ m}", "5\\text{ m} 6\\text{ m}" }, /* fails: as it was */
        { "\\left(1, 2\\right)", "(1,2)" },
        { "\\tfrac{1}{2}+\\dfrac34", "\\frac{1}{2}+\\frac{3}{4}" },
        { "90^\\circ", "90" },
        { "30^{\\circ}", "30" },
        { "\\$5", "5" },
        { "$5", "$5" },
        { "5\\%", "5" },
        { "5%", "5%" },
        { "1\\\\2", "1\\2" },
        { "1,\\!000", "1,000" },
        { "1\n2", "12" },
        { "{.5}", "{0.5}" },
        { "", "" },
    };

    (void)state;
    NORMAL(normalise_hendrycks, table);
}

static void prm800k_forms_are_plain_text(void **state)
{
    static const struct row table[] = {
        { "\\text{Blue}", "blue" },
        { "\\frac{1}{2}", "1/2" },
        { "\\frac{x+1}{2}", "(x+1)/2" },
        { "\\frac{-1}{2}", "-1/2" },
        { "7\\frac34", "7+3/4" },
        { "-7\\frac34", "-(7+3/4)" },
        { "7 3/4", "7+3/4" },
        { "\\sqrt{x+1}", "sqrt(x+1)" },
        { "\\sqrt[3]{2}", "sqrt[3](2)" },
        { "3\\pi", "3pi" },
        { "(-\\infty,3]", "(-inf,3]" },
        { "1,234", "1234" },
        { "12.0", "12" },
        { "12.50", "12.50" },
        { "3 million", "3*10^6" },
        { "5 cm^2", "5" },
        { "6 yards", "6" },
        { "x^{n+1}", "x^(n+1)" },
        { "x_{1}", "x_1" },
        { "\\log_{2}8", "log_(2)8" },
        { "A or B", "a,b" },
        { "a\\sin b", "a*sinb" },
    };

    (void)state;
    NORMAL(normalise_prm800k, table);
}

static void squad_answers_are_compared_by_words(void **state)
{
    static const struct row table[] = {
        { "The  Cat, an\tOwl", "cat owl" },
        { "a.b", "ab" },
        { "a-b the", "ab" },
        { "theory of an apple", "theory of apple" },
        { "\xc3\x89T\xc3\x89", "\xc3\xa9t\xc3\xa9" },
        { "a\xc3\xa9", "a\xc3\xa9" },
        { "\xe2\x80\x9c"
          "a\xe2\x80\x9d",
          "\xe2\x80\x9c \xe2\x80\x9d" },
        { "\xce\x91\xce\xa3 A", "\xce\xb1\xcf\x82" },
        { "\xd0\x96", "\xd0\xb6" },
        { "a_the", "athe" },
        { " the ", "" },
        { "\xff"
          "A",
          "\xff" },
    };

    (void)state;
    NORMAL(normalise_squad, table);
    assert_true(squad_exact("The Normans.", "normans") == 1);
    assert_true(squad_exact("", "") == 1);
    assert_true(squad_exact("the", "") == 1);
    assert_true(squad_exact("", "France") == 0);
    assert_true(squad_f1("", "") == 1);
    assert_true(squad_f1("", "France") == 0);
    assert_true(squad_f1("France", "") == 0);
    assert_true(squad_f1("x", "y") == 0);
    assert_true(fabs(squad_f1("cat cat dog", "the cat dog bird") - 2.0 / 3) < 1e-12);
    assert_true(fabs(squad_f1("in the 10th century", "10th century") - 0.8) < 1e-12);
}

static void numbers_are_equal_within_the_tolerance(void **state)
{
    (void)state;
    assert_true(number_equal("51.0", "51", 1e-3));
    assert_true(number_equal("$1,234.50", "1234.5", 1e-3));
    assert_true(number_equal(" -5 ", "-5.0005", 1e-3));
    assert_true(number_equal("- 5", "-5", 1e-3));
    assert_true(number_equal("50%", "50", 1e-3));
    assert_true(number_equal("\\$5", "5", 0));
    assert_true(number_equal("\xe2\x82\xac"
                             "5",
                             "5", 0));
    assert_false(number_equal("5.01", "5", 1e-3));
    assert_false(number_equal("five", "5", 1e-3));
    assert_false(number_equal("", "", 1e-3));
    assert_false(number_equal("nan", "nan", 1e-3));
    assert_false(number_equal("inf", "inf", 1e-3));
    assert_false(number_equal("5 6", "56", 1e-3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_box_is_found_with_its_braces),
        cmocka_unit_test(dollars_are_the_first_and_the_last),
        cmocka_unit_test(gsm8k_numbers_are_found_as_the_regular_expressions_do),
        cmocka_unit_test(the_last_number_is_found),
        cmocka_unit_test(letters_are_found),
        cmocka_unit_test(hendrycks_rules_apply_in_their_order),
        cmocka_unit_test(prm800k_forms_are_plain_text),
        cmocka_unit_test(squad_answers_are_compared_by_words),
        cmocka_unit_test(numbers_are_equal_within_the_tolerance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
