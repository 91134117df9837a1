/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the search is a tree over legal routings, finds the best label when it looks long enough,
 * and is a function of its arguments. Method: reward functions with a known optimum; an enumeration
 * of all legal routings of a small model as judge. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/dmath.h"
#include "worker/search/search.h"

enum { L = 8, SMALL = 4 };

static const struct search_params usual = { .simulations = 50,
                                            .round = 5,
                                            .exploration = 1.8,
                                            .length_penalty = 3,
                                            .random_child = 0.1,
                                            .widen_factor = 1.5,
                                            .widen_power = 0.6 };

/* A judge that remembers what it was asked. */
struct judge {
    size_t layers, batch_max, asked, batches;
    uint8_t seen[4096][16];
    double (*reward)(const uint8_t *routing, size_t layers);
    int fail_at; /* batch that fails, -1 none */
};

static int ask(void *arg, const uint8_t *const *routing, size_t n, double *reward, struct err *err)
{
    struct judge *j = arg;

    if ((int)j->batches++ == j->fail_at)
        return err_set(err, ERR_IO, "planned");
    assert_true(n >= 1 && n <= j->batch_max);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < j->asked; k++)
            assert_memory_not_equal(j->seen[k], routing[i], j->layers);
        memcpy(j->seen[j->asked++], routing[i], j->layers);
        reward[i] = j->reward(routing[i], j->layers);
    }
    return 0;
}

/* Right when layer 2 is repeated and layer 5 skipped, whatever else; the base path is wrong. */
static double needs_two_edits(const uint8_t *r, size_t layers)
{
    (void)layers;
    return r[2] == 2 && r[5] == 0;
}

static double never(const uint8_t *r, size_t layers)
{
    (void)r;
    (void)layers;
    return 0;
}

static double always(const uint8_t *r, size_t layers)
{
    (void)r;
    (void)layers;
    return 1;
}

static double odd_length(const uint8_t *r, size_t layers)
{
    return (double)(routing_length(r, layers) % 2);
}

static struct search_result run(const struct search_params *p, size_t layers, uint64_t seed,
                                uint64_t id, double (*reward)(const uint8_t *, size_t),
                                struct judge *j)
{
    struct search_result r;
    struct err err = { 0 };

    *j = (struct judge){ .layers = layers, .batch_max = p->round, .reward = reward, .fail_at = -1 };
    if (search_run(p, layers, seed, id, ask, j, &r, &err))
        fail_msg("%s", err.text);
    return r;
}

static void no_routing_is_evaluated_twice_and_rounds_are_bounded(void **state)
{
    static struct judge j;
    struct search_result r = run(&usual, L, 1, 2, needs_two_edits, &j);

    (void)state;
    assert_int_equal(r.evaluations, j.asked);
    assert_int_equal(r.simulations, 50);
    assert_true(r.evaluations > 40 && r.evaluations <= 51);
    search_result_release(&r);
}

static void same_arguments_give_the_same_search_and_others_another(void **state)
{
    static struct judge a, b, c;
    struct search_result x = run(&usual, L, 1, 2, needs_two_edits, &a);
    struct search_result y = run(&usual, L, 1, 2, needs_two_edits, &b);
    struct search_result z = run(&usual, L, 1, 3, needs_two_edits, &c);

    (void)state;
    assert_int_equal(x.evaluations, y.evaluations);
    assert_memory_equal(x.routing, y.routing, x.evaluations * L);
    assert_memory_equal(x.entry, y.entry, x.evaluations * sizeof(*x.entry));
    assert_true(z.evaluations != x.evaluations ||
                memcmp(x.routing, z.routing, x.evaluations * L) != 0);
    search_result_release(&x);
    search_result_release(&y);
    search_result_release(&z);
}

static void longer_search_starts_with_the_shorter_one(void **state)
{
    static struct judge a, b;
    struct search_params longer = usual;

    (void)state;
    longer.simulations = 200;
    struct search_result x = run(&usual, L, 4, 5, odd_length, &a);
    struct search_result y = run(&longer, L, 4, 5, odd_length, &b);
    assert_true(y.evaluations > x.evaluations);
    assert_memory_equal(x.routing, y.routing, x.evaluations * L);
    search_result_release(&x);
    search_result_release(&y);
}

static void search_is_a_tree_not_a_chain(void **state)
{
    static struct judge j;
    struct search_result r = run(&usual, L, 1, 2, never, &j);
    size_t at_root = 0, deeper = 0;

    (void)state;
    for (uint32_t i = 1; i < r.evaluations; i++) {
        at_root += r.entry[i].parent == 0;
        deeper += r.entry[i].parent > 0;
    }
    assert_true(at_root >= 8);
    assert_true(deeper >= 8);
    search_result_release(&r);
}

static void every_evaluated_routing_is_legal_and_one_edit_from_its_parent(void **state)
{
    static struct judge j;
    struct search_result r = run(&usual, L, 9, 9, odd_length, &j);
    uint8_t child[4 * L * L];

    (void)state;
    for (uint32_t i = 1; i < r.evaluations; i++) {
        const uint8_t *parent = r.routing + (size_t)r.entry[i].parent * L, *own = r.routing + i * L;
        size_t n = routing_children(parent, L, EDITS_BOTH, child);
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found = found || memcmp(child + k * L, own, L) == 0;
        assert_true(found);
        for (size_t k = 0; k + 2 < L; k++)
            assert_true(own[k] + own[k + 1] + own[k + 2] > 0);
    }
    search_result_release(&r);
}

/* All legal routings of SMALL layers: 0..2 each, no three skips in a row, at least one layer. */
static size_t enumerate(double (*reward)(const uint8_t *, size_t), uint8_t *ret_best)
{
    size_t legal = 0;
    bool found = false;

    for (int code = 0; code < 81; code++) {
        uint8_t r[SMALL];
        int rest = code, run_of_skips = 0, worst = 0;
        for (int i = 0; i < SMALL; i++, rest /= 3) {
            r[i] = (uint8_t)(rest % 3);
            run_of_skips = r[i] == 0 ? run_of_skips + 1 : 0;
            worst = run_of_skips > worst ? run_of_skips : worst;
        }
        if (worst > 2 || routing_length(r, SMALL) == 0)
            continue;
        legal++;
        if (reward(r, SMALL) > 0 && (!found || routing_compare(r, ret_best, SMALL) < 0)) {
            memcpy(ret_best, r, SMALL);
            found = true;
        }
    }
    return legal;
}

static void long_search_visits_all_and_finds_the_best_label(void **state)
{
    static struct judge j;
    struct search_params p = usual;
    uint8_t best[SMALL];
    size_t legal = enumerate(odd_length, best);

    (void)state;
    p.simulations = 20000;
    p.widen_factor = 100; /* every child of a node, so that nothing legal stays hidden */
    struct search_result r = run(&p, SMALL, 3, 3, odd_length, &j);
    assert_int_equal(r.evaluations, legal);
    assert_true(r.has_label);
    assert_memory_equal(r.label, best, SMALL);
    assert_int_equal(r.label_length, routing_length(best, SMALL));
    search_result_release(&r);
}

static void wrong_base_and_hidden_path_become_an_improved_label(void **state)
{
    static struct judge j;
    struct search_params p = usual;

    (void)state;
    p.simulations = 2000;
    struct search_result r = run(&p, L, 1, 1, needs_two_edits, &j);
    assert_false(r.base_correct);
    assert_true(r.has_label);
    assert_true(r.label[2] == 2 && r.label[5] == 0);
    assert_true(r.label_length <= L);
    search_result_release(&r);
}

static void without_a_correct_path_there_is_no_label(void **state)
{
    static struct judge j;
    struct search_result r = run(&usual, L, 1, 1, never, &j);

    (void)state;
    assert_false(r.has_label);
    assert_false(r.base_correct);
    assert_int_equal(r.label_length, L);
    search_result_release(&r);
}

static void cost_of_whole_paths_is_counted(void **state)
{
    static struct judge j;
    struct search_params p = usual;
    uint64_t least = 0;

    (void)state;
    p.simulations = 5;
    struct search_result r = run(&p, L, 1, 1, always, &j);
    for (uint32_t i = 0; i < r.evaluations; i++)
        least += routing_length(r.routing + i * L, L);
    assert_int_equal(r.evaluations, 6); /* base and five distinct children */
    assert_int_equal(r.path_layers, least);
    search_result_release(&r);
}

static void failing_evaluation_ends_the_search_with_its_code(void **state)
{
    static struct judge j;
    struct search_result r;
    struct err err = { 0 };

    (void)state;
    j = (struct judge){ .layers = L, .batch_max = 5, .reward = never, .fail_at = 3 };
    assert_int_equal(search_run(&usual, L, 1, 1, ask, &j, &r, &err), ERR_IO);
    assert_null(r.entry);
}

static void label_rule_is_length_then_changes_then_order(void **state)
{
    const uint8_t shorter[] = { 1, 0, 1, 1 }, ones[] = { 1, 1, 1, 1 }, swapped[] = { 0, 2, 1, 1 };
    const uint8_t later[] = { 1, 2, 0, 1 };

    (void)state;
    assert_true(routing_compare(shorter, ones, 4) < 0);
    assert_true(routing_compare(ones, swapped, 4) < 0);
    assert_true(routing_compare(swapped, later, 4) < 0);
    assert_int_equal(routing_compare(later, later, 4), 0);
}

static void children_of_the_base_path_are_3l_minus_1(void **state)
{
    uint8_t ones[L], out[4 * L * L];

    (void)state;
    memset(ones, 1, L);
    assert_int_equal(routing_children(ones, L, EDITS_BOTH, out), 3 * L - 1);
}

static void routings_print_and_parse(void **state)
{
    uint8_t r[4];
    char text[5];
    struct err err = { 0 };

    (void)state;
    assert_int_equal(routing_parse("1021", 4, r, NULL), 0);
    routing_print(r, 4, text);
    assert_string_equal(text, "1021");
    assert_int_equal(routing_parse("1031", 4, r, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "digit 3"));
    assert_int_equal(routing_parse("102", 4, r, &err), ERR_INVALID);
}

static void logarithm_and_power_agree_with_libm(void **state)
{
    (void)state;
    for (double x = 1e-6; x < 1e9; x *= 1.0137) {
        assert_true(fabs(dmath_log(x) - log(x)) <= 1e-14 * fabs(log(x)) + 1e-16);
        for (double p = 0; p <= 1; p += 0.125)
            assert_true(fabs(dmath_pow(x, p) / pow(x, p) - 1) < 1e-14);
    }
}

static void bad_parameters_are_refused(void **state)
{
    struct search_params p = usual;
    struct err err = { 0 };

    (void)state;
    p.simulations = 51;
    assert_int_equal(search_params_check(&p, L, &err), ERR_INVALID);
    p = usual;
    p.widen_factor = NAN;
    assert_int_equal(search_params_check(&p, L, &err), ERR_INVALID);
    assert_int_equal(search_params_check(&usual, 0, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_routing_is_evaluated_twice_and_rounds_are_bounded),
        cmocka_unit_test(same_arguments_give_the_same_search_and_others_another),
        cmocka_unit_test(longer_search_starts_with_the_shorter_one),
        cmocka_unit_test(search_is_a_tree_not_a_chain),
        cmocka_unit_test(every_evaluated_routing_is_legal_and_one_edit_from_its_parent),
        cmocka_unit_test(long_search_visits_all_and_finds_the_best_label),
        cmocka_unit_test(wrong_base_and_hidden_path_become_an_improved_label),
        cmocka_unit_test(without_a_correct_path_there_is_no_label),
        cmocka_unit_test(cost_of_whole_paths_is_counted),
        cmocka_unit_test(failing_evaluation_ends_the_search_with_its_code),
        cmocka_unit_test(label_rule_is_length_then_changes_then_order),
        cmocka_unit_test(children_of_the_base_path_are_3l_minus_1),
        cmocka_unit_test(routings_print_and_parse),
        cmocka_unit_test(logarithm_and_power_agree_with_libm),
        cmocka_unit_test(bad_parameters_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
