/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a success router's family is the greedy choice by what a perfect chooser would gain.
 * Method: hand-made outcomes with known answers; random ones against the rule written once more,
 * plainly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "common/base/macros.h"
#include "common/base/rng.h"
#include "worker/train/router_family.h"

enum { LAYERS = 4, PATHS = 8, EXAMPLES = 50 };

static const uint8_t path[PATHS * LAYERS] = {
    1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 2, 1, 1, 1, 0, 0, 1, 2, 1, 1, 1, 2, 2, 1,
};

struct fixture {
    struct router_outcomes o;
    size_t start[EXAMPLES + 1];
    uint32_t of[EXAMPLES * PATHS];
    bool right[EXAMPLES * PATHS];
    uint32_t group[EXAMPLES];
    int8_t table[EXAMPLES][PATHS]; /* -1: not evaluated */
};

static void finish(struct fixture *f, size_t examples)
{
    size_t at = 0;

    for (size_t e = 0; e < examples; e++) {
        for (uint32_t p = 0; p < PATHS; p++)
            if (f->table[e][p] >= 0) {
                f->of[at] = p;
                f->right[at++] = f->table[e][p];
            }
        f->start[e + 1] = at;
    }
    for (size_t e = 0; e < examples; e++)
        f->group[e] = (uint32_t)(e % 3);
    f->o = (struct router_outcomes){ LAYERS, PATHS,    examples, path,    f->start,
                                     f->of,  f->right, 3,        f->group };
}

static size_t length(size_t p)
{
    size_t sum = 0;

    for (size_t l = 0; l < LAYERS; l++)
        sum += path[p * LAYERS + l];
    return sum;
}

/* What a perfect choice among the paths of MASK gives, in units of 1 / (4 layers). */
static size_t value(const struct fixture *f, unsigned mask)
{
    size_t sum = 0;

    for (size_t e = 0; e < f->o.examples; e++) {
        size_t best = 0;

        for (size_t p = 0; p < PATHS; p++)
            if (mask >> p & 1 && f->table[e][p] == 1)
                best = MAX(best, 4 * LAYERS + 2 * LAYERS - length(p));
        sum += best;
    }
    return sum;
}

static void paths_are_added_by_what_they_gain(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rng rng = rng_stream("test", 1, seed);
        struct fixture f = { 0 };
        uint32_t got[PATHS];
        size_t len = 0;
        unsigned mask = 1u << 1;
        struct err err = { 0 };

        for (size_t e = 0; e < EXAMPLES; e++)
            for (size_t p = 0; p < PATHS; p++)
                f.table[e][p] = (int8_t)(rng_below(&rng, 5) == 0 ? -1 : (int)rng_below(&rng, 2));
        finish(&f, EXAMPLES);
        assert_int_equal(router_family(&f.o, 0, 0.1, ROUTER_COVER, 5, got, &len, &err), 0);
        assert_int_equal(len, 5);
        assert_int_equal(got[0], 1); /* the default path */
        for (size_t i = 1; i < len; i++) {
            size_t best = 0;

            for (size_t p = 0; p < PATHS; p++)
                if (!(mask >> p & 1))
                    best = MAX(best, value(&f, mask | 1u << p));
            assert_false(mask >> got[i] & 1);
            assert_int_equal(value(&f, mask | 1u << got[i]), best);
            mask |= 1u << got[i];
        }
    }
}

static void candidates_leave_the_first_layers_alone(void **state)
{
    struct fixture f = { 0 };
    uint32_t got[PATHS];
    size_t len = 0;
    struct err err = { 0 };

    (void)state;
    for (size_t e = 0; e < EXAMPLES; e++)
        memset(f.table[e], 1, PATHS);
    finish(&f, EXAMPLES);
    assert_int_equal(router_family(&f.o, 1, 0.5, ROUTER_COVER, PATHS, got, &len, &err), 0);
    assert_int_equal(len, 7);
    assert_int_equal(router_family(&f.o, 2, 0.5, ROUTER_COVER, PATHS, got, &len, &err), 0);
    assert_int_equal(len, 5);
    for (size_t i = 0; i < len; i++)
        assert_true(path[got[i] * LAYERS] == 1 && path[got[i] * LAYERS + 1] == 1);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 5); /* 1100: always right and the shortest */
}

static void paths_seldom_evaluated_are_no_candidates(void **state)
{
    struct fixture f = { 0 };
    uint32_t got[PATHS];
    size_t len = 0;
    struct err err = { 0 };

    (void)state;
    for (size_t e = 0; e < EXAMPLES; e++)
        for (size_t p = 0; p < PATHS; p++)
            f.table[e][p] = p == 1 || e < 6 * p ? 1 : -1;
    finish(&f, EXAMPLES);
    assert_int_equal(router_family(&f.o, 0, 0.5, ROUTER_COVER, PATHS, got, &len, &err), 0);
    assert_int_equal(len, 4); /* 1, and 5, 6, 7 with 30, 36, 42 of 50 */
    assert_int_equal(router_family(&f.o, 0, 0.9, ROUTER_COVER, PATHS, got, &len, &err),
                     ERR_INVALID);
    assert_non_null(strstr(err.text, "path_examples"));
    assert_non_null(strstr(err.text, "42"));
}

/* Right answers of path P over all (group 3) or one group, per 1000. */
static int share_of(const struct fixture *f, size_t p, size_t group)
{
    int seen = 0, right = 0;

    for (size_t e = 0; e < f->o.examples; e++)
        if (group == 3 || f->group[e] == group) {
            seen += f->table[e][p] >= 0;
            right += f->table[e][p] == 1;
        }
    return seen ? 100000 * right / seen : -1;
}

static void the_best_of_each_length_and_group_come_first(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct rng rng = rng_stream("test", 2, seed);
        struct fixture f = { 0 };
        uint32_t got[PATHS];
        bool chosen[PATHS] = { 0 };
        size_t len = 0;
        struct err err = { 0 };

        for (size_t e = 0; e < EXAMPLES; e++)
            for (size_t p = 0; p < PATHS; p++)
                f.table[e][p] = rng_below(&rng, 10) < 2 + p;
        finish(&f, EXAMPLES);
        assert_int_equal(router_family(&f.o, 0, 0.1, ROUTER_BEST, 7, got, &len, &err), 0);
        assert_true(len == 7 && got[0] == 1);
        for (size_t i = 0; i < len; i++) {
            assert_false(chosen[got[i]]);
            chosen[got[i]] = true;
        }
        /* Five lengths: the best of each by all examples is there. */
        for (size_t n = 2; n <= 6; n++) {
            int best = -1, got_best = -1;

            for (size_t p = 0; p < PATHS; p++)
                if (length(p) == n) {
                    best = MAX(best, share_of(&f, p, 3));
                    got_best = chosen[p] ? MAX(got_best, share_of(&f, p, 3)) : got_best;
                }
            assert_int_equal(got_best, best);
        }
        assert_int_equal(router_family(&f.o, 0, 0.1, ROUTER_BEST, PATHS, got, &len, &err), 0);
        assert_int_equal(len, PATHS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_added_by_what_they_gain),
        cmocka_unit_test(candidates_leave_the_first_layers_alone),
        cmocka_unit_test(the_best_of_each_length_and_group_come_first),
        cmocka_unit_test(paths_seldom_evaluated_are_no_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
