/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the table checks what recipes say, and identities hold what changes a result and nothing
 * else. Method: small parameter sets by hand; golden digests catch an unintended change of
 * identity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/kinds/kinds.h"

static const struct kind *search;

static struct params valid_search(void)
{
    struct params p = { 0 };

    assert_int_equal(params_set_text(&p, "task", "math", NULL), 0);
    assert_int_equal(params_set_int(&p, "examples", 10, NULL), 0);
    return p;
}

static struct digest digest_params(const struct kind *k, const struct params *p)
{
    struct digester d;

    digest_begin(&d);
    kind_digest(k, p, &d);
    return digest_end(&d);
}

static void valid_parameters_pass_and_defaults_are_read(void **state)
{
    struct params p = valid_search();
    struct err err = { 0 };

    (void)state;
    assert_int_equal(kind_check(search, &p, &err), 0);
    assert_int_equal(kind_int(search, &p, "simulations"), 50);
    assert_true(kind_real(search, &p, "exploration") == 1.8);
    assert_string_equal(kind_text(search, &p, "split"), "test");
    params_release(&p);
}

static void refuse(const char *name, struct param_value v, const char *expected)
{
    struct params p = valid_search();
    struct err err = { 0 };

    assert_int_equal(params_set(&p, name, &v, NULL), 0);
    assert_int_equal(kind_check(search, &p, &err), ERR_INVALID);
    if (!strstr(err.text, expected))
        fail_msg("\"%s\" does not say \"%s\"", err.text, expected);
    params_release(&p);
}

static void wrong_values_are_refused_by_name_range_and_remedy(void **state)
{
    (void)state;
    refuse("simulations", (struct param_value){ .type = PARAM_INT, .i = 0 },
           "allowed are 1 to 100000");
    refuse("simulations", (struct param_value){ .type = PARAM_REAL, .r = 5 }, "must be an integer");
    refuse("simulations", (struct param_value){ .type = PARAM_INT, .i = 7 }, "use 5");
    refuse("simulation", (struct param_value){ .type = PARAM_INT, .i = 5 },
           "did you mean simulations");
    refuse("split", (struct param_value){ .type = PARAM_TEXT, .s = (char *)"tset" }, "\"test\"");
    refuse("random_child", (struct param_value){ .type = PARAM_REAL, .r = 1.5 }, "0 to 1");
}

static void missing_required_parameter_is_named(void **state)
{
    struct params p = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(params_set_text(&p, "task", "math", NULL), 0);
    assert_int_equal(kind_check(search, &p, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "examples: missing"));
    params_release(&p);
}

static void value_at_its_default_is_left_out_of_the_identity(void **state)
{
    struct params bare = valid_search(), full = valid_search();

    (void)state;
    assert_int_equal(params_set_int(&full, "simulations", 50, NULL), 0);
    assert_int_equal(params_set_real(&full, "exploration", 1.8, NULL), 0);
    assert_int_equal(params_set_text(&full, "split", "test", NULL), 0);
    struct digest a = digest_params(search, &bare), b = digest_params(search, &full);
    assert_true(digest_equal(&a, &b));
    params_release(&bare);
    params_release(&full);
}

static void only_identity_parameters_change_the_identity(void **state)
{
    struct params base = valid_search(), more = valid_search(), other = valid_search();

    (void)state;
    assert_int_equal(params_set_int(&more, "examples", 999, NULL), 0);
    assert_int_equal(params_set_int(&more, "cache_bytes", 1, NULL), 0);
    assert_int_equal(params_set_int(&other, "simulations", 55, NULL), 0);
    struct digest a = digest_params(search, &base), b = digest_params(search, &more);
    struct digest c = digest_params(search, &other);
    assert_true(digest_equal(&a, &b));
    assert_false(digest_equal(&a, &c));
    params_release(&base);
    params_release(&more);
    params_release(&other);
}

static void every_default_of_the_table_is_valid_and_canonical(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = kind_at((enum kind_id)i);
        assert_ptr_equal(kind_find(k->name), k);
        for (size_t j = 0; j < k->params_len; j++) {
            const struct param_spec *s = &k->params[j];
            struct params p = { 0 };
            struct buf text = { 0 };
            if (!s->fallback || s->type == PARAM_TEXT || param_is_list(s->type))
                continue;
            if (s->type == PARAM_REAL) {
                double v = kind_real(k, &p, s->name);
                assert_true(v >= s->min && v <= s->max);
                param_print(&(struct param_value){ .type = PARAM_REAL, .r = v }, &text);
            } else if (s->type == PARAM_INT) {
                int64_t v = kind_int(k, &p, s->name);
                assert_true((double)v >= s->min && (double)v <= s->max);
                param_print(&(struct param_value){ .type = PARAM_INT, .i = v }, &text);
            }
            if (s->type == PARAM_INT)
                assert_string_equal(buf_str(&text), s->fallback);
            buf_release(&text);
        }
    }
}

static void parameters_are_copied_sorted_and_replaced(void **state)
{
    struct params p = { 0 };
    char name[] = "b";
    int64_t ints[] = { 3, 1 };

    (void)state;
    assert_int_equal(params_set_int(&p, name, 1, NULL), 0);
    name[0] = 'a';
    assert_int_equal(params_set(&p, name,
                                &(struct param_value){ .type = PARAM_INTS, .ints = ints, .len = 2 },
                                NULL),
                     0);
    ints[0] = 9;
    assert_int_equal(params_set_int(&p, "b", 2, NULL), 0);
    assert_int_equal(p.len, 2);
    assert_string_equal(p.entry[0].name, "a");
    assert_int_equal(p.entry[0].value.ints[0], 3);
    assert_int_equal(params_get(&p, "b")->i, 2);
    assert_null(params_get(&p, "c"));
    params_release(&p);
}

static void values_print_as_recipe_text(void **state)
{
    struct buf b = { 0 };
    char *texts[] = { (char *)"a\"b", (char *)"c" };

    (void)state;
    param_print(&(struct param_value){ .type = PARAM_REAL, .r = 0.1 }, &b);
    buf_addc(&b, ' ');
    param_print(&(struct param_value){ .type = PARAM_TEXTS, .texts = texts, .len = 2 }, &b);
    assert_string_equal(buf_str(&b), "0.1 [\"a\\\"b\", \"c\"]");
    buf_release(&b);
}

static void lists_of_numbers_are_checked_printed_and_keyed_by_their_bits(void **state)
{
    const struct kind *noop = kind_find("noop");
    double reals[] = { 1.0, 0.1 };
    struct param_value v = { .type = PARAM_REALS, .reals = reals, .len = 1 };
    struct params bare = { 0 }, p = { 0 };
    struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    struct digest none = digest_params(noop, &bare);
    assert_int_equal(params_set(&p, "weights", &v, NULL), 0);
    struct digest one = digest_params(noop, &p);
    assert_true(digest_equal(&none, &one)); /* [1] is the default */
    v.len = 2;
    assert_int_equal(params_set(&p, "weights", &v, NULL), 0);
    struct digest two = digest_params(noop, &p);
    assert_false(digest_equal(&one, &two));
    reals[1] = 0.5; /* P has a copy */
    assert_true(params_get(&p, "weights")->reals[1] == 0.1);
    param_print(params_get(&p, "weights"), &text);
    assert_string_equal(buf_str(&text), "[1, 0.1]");
    assert_int_equal(kind_check(noop, &p, NULL), 0);
    reals[1] = 2e9;
    assert_int_equal(params_set(&p, "weights", &v, NULL), 0);
    assert_int_equal(kind_check(noop, &p, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "weights: 2000000000 is out of range"));
    v.len = 0;
    assert_int_equal(params_set(&p, "weights", &v, NULL), 0);
    assert_int_equal(kind_check(noop, &p, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "the list is empty"));
    buf_release(&text);
    params_release(&p);
}

static void a_set_is_full_at_its_limit_and_empty_after_release(void **state)
{
    struct params p = { 0 };
    struct err err = { 0 };
    char name[16];

    (void)state;
    for (int i = 0; i < PARAMS_MAX; i++) {
        snprintf(name, sizeof(name), "p%02d", PARAMS_MAX - i);
        assert_int_equal(params_set_int(&p, name, i, NULL), 0);
    }
    for (size_t i = 1; i < p.len; i++)
        assert_true(strcmp(p.entry[i - 1].name, p.entry[i].name) < 0);
    assert_int_equal(params_set_int(&p, "more", 1, &err), ERR_LIMIT);
    assert_int_equal(params_set_int(&p, "p01", 7, NULL), 0);
    assert_int_equal(params_get(&p, "p01")->i, 7);
    params_release(&p);
    assert_int_equal(p.len, 0);
    assert_null(params_get(&p, "p01"));
    assert_int_equal(params_set_int(&p, "again", 1, NULL), 0);
    params_release(&p);
}

static void identities_are_those_of_the_first_release(void **state)
{
    static const char golden[] = "95582949b02fbbd5ff7772e43fdb797a26bac91f054f57e77652cf9f823ca8d0";
    struct params p = valid_search();
    char hex[DIGEST_HEX];

    (void)state;
    struct digest d = digest_params(search, &p);
    assert_string_equal(digest_hex(&d, hex), golden);
    params_release(&p);
}

static struct params valid_evaluate(void)
{
    struct params p = { 0 };

    assert_int_equal(params_set_text(&p, "task", "gsm8k", NULL), 0);
    assert_int_equal(params_set_int(&p, "examples", 10, NULL), 0);
    return p;
}

/* Keys of evaluations from before there were prompts, paths and sampling stay what they were. */
static void evaluations_as_always_have_no_new_identity(void **state)
{
    static const char golden[] = "331c367d30ecc6916a4943b6a10b4051e0604830ad987563cafeb44acc3e7ddf";
    const struct kind *evaluate = kind_find("evaluate");
    struct params bare = valid_evaluate(), full = valid_evaluate();
    char hex[DIGEST_HEX];

    (void)state;
    assert_int_equal(params_set_text(&full, "prompts", "harness", NULL), 0);
    assert_int_equal(params_set_int(&full, "fewshot", -1, NULL), 0);
    assert_int_equal(params_set(&full, "path", &(struct param_value){ .type = PARAM_INTS }, NULL),
                     0);
    assert_int_equal(params_set_int(&full, "max_new", 0, NULL), 0);
    assert_int_equal(params_set_real(&full, "temperature", 0, NULL), 0);
    assert_int_equal(params_set_int(&full, "top_k", 0, NULL), 0);
    assert_int_equal(params_set_real(&full, "top_p", 1, NULL), 0);
    assert_int_equal(params_set_int(&full, "sampling_seed", 0, NULL), 0);
    assert_int_equal(params_set_int(&full, "batch", 3, NULL), 0); /* no identity at all */
    assert_int_equal(kind_check(evaluate, &full, NULL), 0);
    struct digest a = digest_params(evaluate, &bare), b = digest_params(evaluate, &full);
    assert_true(digest_equal(&a, &b));
    assert_string_equal(digest_hex(&a, hex), golden);
    params_release(&bare);
    params_release(&full);
}

static void what_changes_an_evaluation_changes_its_identity(void **state)
{
    static int64_t path[] = { 1, 0, 2 }, other[] = { 1, 0, 1 };
    const struct {
        const char *name;
        struct param_value v;
    } changes[] = {
        { "prompts", { .type = PARAM_TEXT, .s = (char *)"dr_llm" } },
        { "fewshot", { .type = PARAM_INT, .i = 5 } },
        { "path", { .type = PARAM_INTS, .ints = path, .len = 3 } },
        { "path", { .type = PARAM_INTS, .ints = other, .len = 3 } },
        { "max_new", { .type = PARAM_INT, .i = 256 } },
        { "temperature", { .type = PARAM_REAL, .r = 0.7 } },
        { "top_k", { .type = PARAM_INT, .i = 40 } },
        { "top_p", { .type = PARAM_REAL, .r = 0.9 } },
        { "sampling_seed", { .type = PARAM_INT, .i = 1 } },
    };
    const struct kind *evaluate = kind_find("evaluate");
    struct digest seen[16];

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct params p = valid_evaluate();

        assert_int_equal(params_set(&p, changes[i].name, &changes[i].v, NULL), 0);
        assert_int_equal(kind_check(evaluate, &p, NULL), 0);
        seen[i] = digest_params(evaluate, &p);
        for (size_t k = 0; k < i; k++)
            assert_false(digest_equal(&seen[k], &seen[i]));
        params_release(&p);
    }
}

static void a_path_holds_the_layers_of_the_deepest_model(void **state)
{
    int64_t path[PARAM_LIST_MAX + 1] = { 0 };
    struct param_value v = { .type = PARAM_INTS, .ints = path, .len = PARAM_LIST_MAX };
    const struct kind *evaluate = kind_find("evaluate");
    struct params p = valid_evaluate();
    struct err err = { 0 };

    (void)state;
    assert_int_equal(params_set(&p, "path", &v, NULL), 0);
    assert_int_equal(kind_check(evaluate, &p, NULL), 0);
    v.len++;
    assert_int_equal(params_set(&p, "path", &v, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "at most 256"));
    v.len = 2;
    path[1] = 3;
    assert_int_equal(params_set(&p, "path", &v, NULL), 0);
    assert_int_equal(kind_check(evaluate, &p, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "0 to 2"));
    params_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_parameters_pass_and_defaults_are_read),
        cmocka_unit_test(wrong_values_are_refused_by_name_range_and_remedy),
        cmocka_unit_test(missing_required_parameter_is_named),
        cmocka_unit_test(value_at_its_default_is_left_out_of_the_identity),
        cmocka_unit_test(only_identity_parameters_change_the_identity),
        cmocka_unit_test(every_default_of_the_table_is_valid_and_canonical),
        cmocka_unit_test(parameters_are_copied_sorted_and_replaced),
        cmocka_unit_test(values_print_as_recipe_text),
        cmocka_unit_test(lists_of_numbers_are_checked_printed_and_keyed_by_their_bits),
        cmocka_unit_test(a_set_is_full_at_its_limit_and_empty_after_release),
        cmocka_unit_test(identities_are_those_of_the_first_release),
        cmocka_unit_test(evaluations_as_always_have_no_new_identity),
        cmocka_unit_test(what_changes_an_evaluation_changes_its_identity),
        cmocka_unit_test(a_path_holds_the_layers_of_the_deepest_model),
    };

    search = kind_find("search");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
