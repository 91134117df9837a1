/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: conditions mean what cond.h says, as values and as SQL, and no text breaks the parser.
 * Method: a table of conditions over a few names; the same table by way of the SQL text, read back
 * by eye-sized expectations; random trees printed as text and compared with an evaluator of their
 * own; every truncation and many mutations of valid texts; nesting and length at their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/conf/cond.h"

/* seed = 2, x.gamma = 0.9, x.schedule = 'linear', x.on = true, x.off = false, x.empty = '',
 * x.zero = 0; x.unset is none; x.any may be anything; every other name is refused. */
static int look_up(void *arg, const char *name, struct cond_value *ret, struct err *err)
{
    (void)arg;
    if (strcmp(name, "seed") == 0)
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = 2 };
    else if (strcmp(name, "x.gamma") == 0)
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = 0.9 };
    else if (strcmp(name, "x.schedule") == 0 || strcmp(name, "a b") == 0)
        *ret = (struct cond_value){ .type = COND_TEXT, .text = "linear" };
    else if (strcmp(name, "x.empty") == 0)
        *ret = (struct cond_value){ .type = COND_TEXT, .text = "" };
    else if (strcmp(name, "x.zero") == 0)
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = 0 };
    else if (strcmp(name, "x.on") == 0 || strcmp(name, "x.off") == 0)
        *ret = (struct cond_value){ .type = COND_BOOL, .truth = name[3] == 'n' };
    else if (strcmp(name, "x.any") == 0)
        *ret = (struct cond_value){ .type = COND_ANY };
    else if (strcmp(name, "x.unset") != 0)
        return err_set(err, ERR_INVALID, "unknown name %s", name);
    return 0;
}

static bool holds(const char *text)
{
    struct cond *c CLEANUP(cond_cleanup) = NULL;
    struct err err = { 0 };
    bool ret = false;

    if (cond_parse(text, &c, &err) != 0 || cond_eval(c, look_up, NULL, &ret, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return ret;
}

static void conditions_hold_where_they_should(void **state)
{
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {
        { "seed == 2", true },
        { "seed = 2.0", true },
        { "seed != 2", false },
        { "seed <> 3", true },
        { "seed < 2", false },
        { "seed <= 2 and seed >= 2", true },
        { "2 < seed or 1 < seed", true },
        { "seed > -1e3", true },
        { "x.gamma in [0.9, 0.95]", true },
        { "x.gamma not in [0.9]", false },
        { "not x.gamma in [.5]", true },
        { "x.schedule == 'linear'", true },
        { "x.schedule == \"linear\" && x.on", true },
        { "x.schedule < 'm' and x.schedule > 'exponential'", true },
        { "x.schedule in ['a', 'linear']", true },
        { "`a b` == 'linear'", true },
        { "x.on", true },
        { "x.off", false },
        { "not x.off", true },
        { "!x.off || false", true },
        { "x.on == true and x.off = FALSE", true },
        { "x.on == 1", true },
        { "x.empty", false },
        { "x.zero", false },
        { "x.schedule", true },
        { "seed", true },
        { "x.unset", false },
        { "x.unset == 1", false },
        { "x.unset != 1", true },
        { "x.unset < 1 or x.unset >= 1", false },
        { "x.unset in ['a', 1]", false },
        { "x.unset not in [1]", true },
        { "x.unset == x.unset", false },
        { "seed == x.gamma", false },
        { "seed > x.gamma", true },
        { "true", true },
        { "(((seed == 2)))", true },
        { "not (seed == 2 and x.off)", true },
        /* and binds stronger than or, not than both */
        { "true or false and false", true },
        { "(true or false) and false", false },
        { "not true or true", true },
        { "x.schedule == 'it''s'", false },
        /* what decides early hides what could not be compared */
        { "false and seed == 'a'", false },
        { "true or seed == 'a'", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (holds(cases[i].text) != cases[i].holds)
            fail_msg("%s is %d", cases[i].text, !cases[i].holds);
}

static void what_may_be_anything_refuses_nothing(void **state)
{
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {
        { "x.any == 3", true },
        { "x.any != 3", true },
        { "not x.any", true },
        { "x.any in [1, 2]", true },
        { "not (x.any in [1, 2])", true },
        { "x.any == 'a' and seed == 2", true },
        { "seed == 2 and x.any", true },
        { "x.any < 3 and seed == 3", false },
        { "seed == 3 and x.any < 3", false },
        { "not (x.any or seed == 2)", false },
        { "not (seed == 3 or x.any)", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (holds(cases[i].text) != cases[i].holds)
            fail_msg("%s: not %d", cases[i].text, cases[i].holds);
    }
}

static void bad_conditions_name_column_and_remedy(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "column 1: the condition ends where a name or a value is expected" },
        { "seed ==", "column 8: the condition ends where a name or a value" },
        { "seed == 2 x", "column 11: and, or is expected, not \"x\"" },
        { "(seed == 2", "column 11: the condition ends where and, or, ) is expected" },
        { "seed in 2", "column 9: [ is expected, not \"2\"" },
        { "seed in []", "column 10: a value is expected, not \"]\"" },
        { "seed in [1 2]", "column 12: , or ] is expected" },
        { "seed in [x]", "column 10: a value is expected" },
        { "seed not 2", "column 10: in is expected" },
        { "seed == 'a", "column 9: the closing ' is missing" },
        { "`` == 1", "column 1: an empty name" },
        { "seed # 2", "column 6: unexpected character '#'" },
        { "seed == 12ab", "column 9: this is no number" },
        { "seed == 1.2.3", "column 9: this is no number" },
        { "seed == -", "column 9: this is no number" },
        { "seed == 1e999", "the number is too large" },
        { "2", "column 2: the condition ends where a comparison" },
        { "'a' and true", "column 5: a comparison is expected, not \"and\"" },
        { "and", "column 1: a name or a value is expected, not \"and\"" },
        { "seed == 'a'", "column 1: a text is compared with a number: seed = 2 and 'a'" },
        { "x.schedule > 3", "x.schedule = 'linear' and 3" },
        { "x.on == 'true'", "x.on = true and 'true'" },
        { "seed in [1, 'a']", "a text is compared with a number" },
        { "x.gama > 1", "unknown name x.gama" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cond *c CLEANUP(cond_cleanup) = NULL;
        struct err err = { 0 };
        bool truth = true;
        int rc = cond_parse(cases[i].text, &c, &err);

        if (!rc)
            rc = cond_eval(c, look_up, NULL, &truth, &err);
        if (rc != ERR_INVALID || !strstr(err.text, cases[i].expected))
            fail_msg("%s: %d \"%s\"", cases[i].text, rc, err.text);
    }
}

static void names_come_once_in_order(void **state)
{
    struct cond *c CLEANUP(cond_cleanup) = NULL;

    (void)state;
    assert_int_equal(cond_parse("b.x == 1 or a/y-z > b.x and not `a c`", &c, NULL), 0);
    assert_string_equal(cond_name(c, 0), "b.x");
    assert_string_equal(cond_name(c, 1), "a/y-z");
    assert_string_equal(cond_name(c, 2), "a c");
    assert_null(cond_name(c, 3));
}

static int column(void *arg, const char *name, struct buf *out, struct err *err)
{
    (void)arg;
    if (strcmp(name, "bad") == 0)
        return err_set(err, ERR_INVALID, "no column bad");
    buf_printf(out, "\"%s\"", name);
    return 0;
}

static void sql_is_quoted_and_null_is_unset(void **state)
{
    static const struct {
        const char *text, *sql;
    } cases[] = {
        { "a == 1", "ifnull(\"a\" = 1, 0)" },
        { "a != 'x'", "ifnull(\"a\" <> 'x', 1)" },
        { "a == 'it''s'", "ifnull(\"a\" = 'it''s', 0)" },
        { "a == \"'; drop table run; --\"", "ifnull(\"a\" = '''; drop table run; --', 0)" },
        { "a in [1, 0.1, 'b']", "ifnull(\"a\" IN (1, 0.1, 'b'), 0)" },
        { "a not in [true]", "ifnull(\"a\" NOT IN (1), 1)" },
        { "a", "(ifnull(\"a\", 0) NOT IN (0, ''))" },
        { "not a > b", "(NOT ifnull(\"a\" > \"b\", 0))" },
        { "a<1 and b>=2 or c<=-3",
          "((ifnull(\"a\" < 1, 0) AND ifnull(\"b\" >= 2, 0)) OR ifnull(\"c\" <= -3, 0))" },
    };
    struct buf out CLEANUP(buf_release) = { 0 };
    struct cond *bad CLEANUP(cond_cleanup) = NULL;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cond *c CLEANUP(cond_cleanup) = NULL;
        buf_clear(&out);
        assert_int_equal(cond_parse(cases[i].text, &c, NULL), 0);
        assert_int_equal(cond_sql(c, column, NULL, &out, NULL), 0);
        assert_string_equal(buf_str(&out), cases[i].sql);
    }
    assert_int_equal(cond_parse("a and bad", &bad, NULL), 0);
    assert_int_equal(cond_sql(bad, column, NULL, &out, &err), ERR_INVALID);
    assert_string_equal(err.text, "no column bad");
}

/* ---- random trees against an evaluator of their own ---- */

/* A random condition appended to OUT; returns whether it holds. */
static bool random_condition(struct rng *r, int depth, struct buf *out)
{
    static const char *const numbers[] = { "seed", "x.gamma", "x.zero" };
    static const double values[] = { 2, 0.9, 0 };
    static const char *const signs[] = { "==", "!=", "<", "<=", ">", ">=" };
    const uint32_t what = depth ? rng_below(r, 5) : 3;
    bool a, b;

    if (what == 0) {
        buf_adds(out, "not (");
        a = random_condition(r, depth - 1, out);
        buf_addc(out, ')');
        return !a;
    }
    if (what == 1 || what == 2) {
        buf_addc(out, '(');
        a = random_condition(r, depth - 1, out);
        buf_adds(out, what == 1 ? ") and (" : ") or (");
        b = random_condition(r, depth - 1, out);
        buf_addc(out, ')');
        return what == 1 ? a && b : a || b;
    }
    const uint32_t name = rng_below(r, 3), sign = rng_below(r, 6), tenths = rng_below(r, 25);
    const double x = values[name], y = tenths / 10.0;
    if (what == 4) {
        buf_printf(out, "%s in [%u.%u, 0.9]", numbers[name], tenths / 10, tenths % 10);
        return x == y || x == 0.9;
    }
    buf_printf(out, "%s %s %u.%u", numbers[name], signs[sign], tenths / 10, tenths % 10);
    return (const bool[]){ x == y, x != y, x<y, x <= y, x> y, x >= y }[sign];
}

static void random_conditions_agree_with_another_evaluator(void **state)
{
    struct rng r = rng_stream("test cond", 1, 0);
    size_t true_ones = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        bool expected = random_condition(&r, 4, &text);
        if (holds(buf_str(&text)) != expected)
            fail_msg("%s is %d", buf_str(&text), !expected);
        true_ones += expected;
    }
    assert_in_range(true_ones, 1000, 4000);
}

/* ---- hostile texts ---- */

static const char *const seeds[] = {
    "train.schedule == 'exponential' and (seed <= 3 or not train.gamma in [0.9, 0.95])",
    "a not in [\"x\", 'it''s', -1.5e-3, true] || !(b<>c) && `d``e`",
};

static void every_truncation_is_parsed_or_refused_with_a_column(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(seeds); s++)
        for (size_t len = 0; len < strlen(seeds[s]); len++) {
            struct cond *c CLEANUP(cond_cleanup) = NULL;
            char *text CLEANUP(mem_cleanup) = strndup(seeds[s], len);
            struct err err = { 0 };
            if (cond_parse(text, &c, &err) != 0)
                assert_int_equal(strncmp(err.text, "column ", 7), 0);
            else
                assert_non_null(c);
        }
}

static void mutated_texts_are_parsed_or_refused(void **state)
{
    static const char alphabet[] = "()[],'\"`=!<>&|.-+eE019axn \t\x01\xc3";
    struct rng r = rng_stream("test cond", 2, 0);
    size_t parsed = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct cond *c CLEANUP(cond_cleanup) = NULL;
        char *text CLEANUP(mem_cleanup) = mem_strdup(seeds[i % 2]);
        for (uint32_t n = 1 + rng_below(&r, 3); n > 0; n--)
            text[rng_below(&r, (uint32_t)strlen(text))] =
                alphabet[rng_below(&r, sizeof(alphabet) - 1)];
        struct buf sql CLEANUP(buf_release) = { 0 };
        if (cond_parse(text, &c, NULL) != 0)
            continue;
        parsed++;
        bool truth;
        struct err err = { 0 };
        (void)!cond_eval(c, look_up, NULL, &truth, &err);
        assert_int_equal(cond_sql(c, column, NULL, &sql, NULL), 0);
    }
    assert_in_range(parsed, 100, 19000);
}

static void nesting_parts_and_length_are_bounded(void **state)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct cond *c = NULL;
    struct err err = { 0 };

    (void)state;
    for (int i = 0; i < 2000; i++)
        buf_addc(&text, i % 2 ? '(' : '!');
    assert_int_equal(cond_parse(buf_str(&text), &c, &err), ERR_LIMIT);
    assert_string_equal(err.text, "column 65: nested more than 64 deep");
    assert_null(c);
    buf_clear(&text);
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "%sa", i ? " or " : "");
    assert_int_equal(cond_parse(buf_str(&text), &c, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "more than 256 parts"));
    buf_clear(&text);
    while (text.len < COND_TEXT_MAX)
        buf_addc(&text, 'a');
    assert_int_equal(cond_parse(buf_str(&text), &c, &err), ERR_LIMIT);
    text.data[text.len - 1] = '\0';
    assert_int_equal(cond_parse(buf_str(&text), &c, &err), 0);
    assert_int_equal(strlen(cond_name(c, 0)), COND_TEXT_MAX - 1);
    cond_free(c);
    c = NULL;
    /* as many short names as fit, and as deep as allowed */
    buf_clear(&text);
    for (int i = 0; i < 64; i++)
        buf_addc(&text, '(');
    for (int i = 0; i < 85; i++)
        buf_printf(&text, "%sa",
                   i ? "|"
                       "|"
                     : "");
    for (int i = 0; i < 64; i++)
        buf_addc(&text, ')');
    assert_int_equal(cond_parse(buf_str(&text), &c, &err), 0);
    cond_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_hold_where_they_should),
        cmocka_unit_test(what_may_be_anything_refuses_nothing),
        cmocka_unit_test(bad_conditions_name_column_and_remedy),
        cmocka_unit_test(names_come_once_in_order),
        cmocka_unit_test(sql_is_quoted_and_null_is_unset),
        cmocka_unit_test(random_conditions_agree_with_another_evaluator),
        cmocka_unit_test(every_truncation_is_parsed_or_refused_with_a_column),
        cmocka_unit_test(mutated_texts_are_parsed_or_refused),
        cmocka_unit_test(nesting_parts_and_length_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
