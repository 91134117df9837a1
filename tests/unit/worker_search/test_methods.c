/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each method of the search branches as it says, UCB decides where it should and nowhere
 * else, no path ever leaves the limits, and a stopped search is the beginning of an unstopped one.
 * Method: 1,000 seeds with a scripted scorer (scripted.h), limits and stops judged by code of this
 * file's own. */
#include "tests/unit/worker_search/scripted.h"

enum { SEEDS = 1000 };

static struct script script;

/* Depths that the seeds go through. */
static size_t layers_of(uint64_t seed)
{
    static const size_t layers[] = { 6, 8, 12, 28 };

    return layers[seed % 4];
}

static struct search_result run(const struct search_params *p, uint64_t seed)
{
    script.right = (unsigned)(seed % 11); /* from never to always */
    return script_run(p, layers_of(seed), seed, &script);
}

static void progressive_search_branches_at_the_root_and_below(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct search_result r = run(&script_usual, seed);
        uint32_t root, below;

        script_branching(&r, &root, &below);
        assert_true(root >= 8);
        assert_true(below >= 2);
        search_result_release(&r);
    }
}

static void chain_has_one_child_per_node(void **state)
{
    struct search_params p = script_usual;

    (void)state;
    p.method = SEARCH_CHAIN;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct search_result r = run(&p, seed);

        assert_int_equal(r.simulations, 50);
        assert_true(r.evaluations >= 5);
        for (uint32_t i = 0; i < r.evaluations; i++) {
            assert_int_equal(r.entry[i].parent, (int32_t)i - 1);
            assert_true(i == 0 || r.entry[i - 1].visits > r.entry[i].visits);
        }
        search_result_release(&r);
    }
}

/* From 3L - 1 edits and L that change nothing, one is drawn: L / (4L - 1) are for nothing. */
static void quarter_of_the_chains_edits_change_nothing(void **state)
{
    struct search_params p = script_usual;
    uint32_t changed = 0;

    (void)state;
    p.method = SEARCH_CHAIN;
    p.simulations = 2; /* the root, and one draw */
    p.round = 1;
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        struct search_result r = script_run(&p, 28, seed, &script);

        changed += r.evaluations - 1;
        assert_int_equal(r.entry[0].visits, 3);
        search_result_release(&r);
    }
    /* 0.748 of 4,000, and five standard deviations */
    assert_true(changed > 2990 - 140 && changed < 2990 + 140);
}

static void expand_all_leaves_the_root_only_when_it_is_full(void **state)
{
    struct search_params p = script_usual;

    (void)state;
    p.method = SEARCH_ALL;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct search_result r = run(&p, seed);
        size_t all = 3 * layers_of(seed) - 1;
        uint32_t root, below;

        script_branching(&r, &root, &below);
        assert_int_equal(root, all < 50 ? all : 50);
        assert_true(all < 50 ? below > 0 : below == 0);
        search_result_release(&r);
    }
}

/* Seeds on which the searches of A and B differ. */
static uint32_t differ(const struct search_params *a, const struct search_params *b)
{
    uint32_t n = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct search_result x = run(a, seed), y = run(b, seed);

        n += !script_same(&x, &y, layers_of(seed));
        search_result_release(&x);
        search_result_release(&y);
    }
    return n;
}

static void every_constant_of_ucb_changes_the_tree_and_never_the_chain(void **state)
{
    struct search_params base = script_usual, other[4], chain = script_usual;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        other[i] = base;
    other[0].exploration = 0.2;
    other[1].length_penalty = 0.5;
    other[2].random_child = 0.5;
    other[3].total_visits = true;
    chain.method = SEARCH_CHAIN;
    for (size_t i = 0; i < 4; i++) {
        assert_true(differ(&base, &other[i]) > SEEDS / 2);
        other[i].method = SEARCH_CHAIN;
        other[i].total_visits = false;
        assert_int_equal(differ(&chain, &other[i]), 0);
    }
    assert_int_equal(differ(&base, &base), 0);
}

static void round_changes_the_tree_and_never_the_chain(void **state)
{
    struct search_params five = script_usual, one = script_usual;

    (void)state;
    one.round = 1;
    assert_true(differ(&five, &one) > SEEDS / 2);
    five.method = one.method = SEARCH_CHAIN;
    assert_int_equal(differ(&five, &one), 0);
    five.early_stop = one.early_stop = SEARCH_STOP_PUBLISHED;
    assert_int_equal(differ(&five, &one), 0);
}

/* Adds how often the paths of one search skip and repeat. */
static void check_limits(const struct search_params *p, uint64_t seed, uint64_t used[3])
{
    struct search_result r = run(p, seed);
    size_t layers = layers_of(seed);

    for (uint32_t i = 0; i < r.evaluations; i++) {
        const uint8_t *own = r.routing + i * layers;

        assert_true(script_legal(own, layers));
        for (size_t k = 0; k < layers; k++)
            used[own[k]]++;
    }
    search_result_release(&r);
}

static void all_paths_obey_the_limits(void **state)
{
    uint64_t used[4][3][3] = { 0 };

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (int method = SEARCH_PROGRESSIVE; method <= SEARCH_ENUMERATE; method++) {
            struct search_params p = script_usual;

            p.method = (enum search_method)method;
            p.edits = (enum routing_edits)(seed / 4 % 3);
            p.depth = method == SEARCH_ENUMERATE && seed % 4 < 3 ? 2 : 1;
            check_limits(&p, seed, used[method][p.edits]);
        }
    for (size_t method = 0; method < 4; method++) {
        assert_true(used[method][EDITS_BOTH][0] > 0 && used[method][EDITS_BOTH][2] > 0);
        assert_true(used[method][EDITS_SKIP][0] > 0 && used[method][EDITS_SKIP][2] == 0);
        assert_true(used[method][EDITS_REPEAT][0] == 0 && used[method][EDITS_REPEAT][2] > 0);
    }
}

/* ------------------------------------------------------------------------------------------- */

/* The entry that ends the search, by the paper's three rules; UINT32_MAX: none. */
static uint32_t stopping_entry(const struct search_result *r, size_t layers, enum search_stop stop)
{
    size_t best = r->base_correct ? layers : SIZE_MAX;

    for (uint32_t i = 1; i < r->evaluations; i++) {
        size_t length = routing_length(r->routing + i * layers, layers);

        if (r->entry[i].reward == 0)
            continue;
        if (stop == SEARCH_STOP_SHORTER && best != SIZE_MAX && length < best)
            return i;
        if (stop != SEARCH_STOP_SHORTER && !r->base_correct)
            return i;
        if (stop == SEARCH_STOP_PUBLISHED && length + 2 <= layers)
            return i;
        best = length < best ? length : best;
    }
    return UINT32_MAX;
}

/* A stopped search has what the whole one has, up to the round of the entry that ends it. */
static bool check_stop(const struct search_params *whole, enum search_stop stop, uint64_t seed)
{
    struct search_params p = *whole;
    size_t layers = layers_of(seed);
    struct search_result all = run(whole, seed), stopped;
    uint32_t last = stopping_entry(&all, layers, stop), want = all.evaluations;

    if (last != UINT32_MAX && whole->method == SEARCH_CHAIN)
        want = last + 1;
    for (uint32_t i = last; last != UINT32_MAX && whole->method != SEARCH_CHAIN && i < want; i++)
        if (script.round_of[i] != script.round_of[last])
            want = i;
    p.early_stop = stop;
    stopped = run(&p, seed);
    assert_int_equal(stopped.evaluations, want);
    assert_memory_equal(stopped.routing, all.routing, want * layers);
    assert_true(last == UINT32_MAX ? stopped.simulations == 50 : stopped.simulations <= 50);
    assert_int_equal(stopped.has_label, last != UINT32_MAX || all.has_label);
    search_result_release(&all);
    search_result_release(&stopped);
    return last != UINT32_MAX;
}

static void early_stops_end_where_the_paper_says(void **state)
{
    static const enum search_method method[] = { SEARCH_PROGRESSIVE, SEARCH_ALL, SEARCH_CHAIN };

    (void)state;
    for (size_t m = 0; m < 3; m++)
        for (int stop = SEARCH_STOP_SHORTER; stop <= SEARCH_STOP_PUBLISHED; stop++) {
            struct search_params p = script_usual;
            uint32_t stopped = 0;

            p.method = method[m];
            for (uint64_t seed = 0; seed < SEEDS; seed++)
                stopped += check_stop(&p, (enum search_stop)stop, seed);
            assert_true(stopped > SEEDS / 10 && stopped < SEEDS);
        }
}

/* ------------------------------------------------------------------------------------------- */

static void longer_searches_of_all_methods_begin_with_the_shorter_one(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS / 4; seed++)
        for (int method = SEARCH_PROGRESSIVE; method <= SEARCH_CHAIN; method++) {
            struct search_params p = script_usual;
            struct search_result shorter, longer;

            p.method = (enum search_method)method;
            p.edits = (enum routing_edits)(seed % 3);
            shorter = run(&p, seed);
            p.simulations = 200;
            longer = run(&p, seed);
            assert_true(longer.evaluations >= shorter.evaluations);
            assert_memory_equal(longer.routing, shorter.routing,
                                shorter.evaluations * layers_of(seed));
            search_result_release(&shorter);
            search_result_release(&longer);
        }
}

/* All legal paths of LAYERS with at most DEPTH edits of the allowed kinds. */
static size_t expected_paths(size_t layers, enum routing_edits edits, size_t depth)
{
    uint64_t codes = 1;
    size_t n = 0;

    for (size_t i = 0; i < layers; i++)
        codes *= 3;
    for (uint64_t code = 0; code < codes; code++) {
        uint8_t r[16];
        bool allowed = true;

        script_path(code, layers, r);
        for (size_t i = 0; i < layers; i++)
            allowed = allowed &&
                      (edits == EDITS_BOTH || r[i] == 1 || r[i] == (edits == EDITS_SKIP ? 0 : 2));
        n += allowed && script_legal(r, layers) && script_edits(r, layers) <= depth;
    }
    return n;
}

static void check_enumeration(size_t layers, enum routing_edits edits, uint32_t depth)
{
    struct search_params p = { .method = SEARCH_ENUMERATE, .edits = edits, .depth = depth };
    struct search_result r = script_run(&p, layers, 5, &script);
    size_t before = 0;

    assert_int_equal(r.evaluations, expected_paths(layers, edits, depth));
    assert_int_equal(r.evaluations, routing_count(layers, edits, depth));
    assert_int_equal(r.simulations, r.evaluations - 1);
    for (uint32_t i = 0; i < r.evaluations; i++) {
        const uint8_t *own = r.routing + i * layers;

        assert_true(script_legal(own, layers));
        assert_true(script_edits(own, layers) >= before && script_edits(own, layers) <= depth);
        before = script_edits(own, layers);
        for (uint32_t k = 0; k < i; k++)
            assert_memory_not_equal(own, r.routing + k * layers, layers);
    }
    search_result_release(&r);
}

static void enumeration_has_every_path_once_by_its_edits(void **state)
{
    (void)state;
    for (size_t layers = 1; layers <= 7; layers++)
        for (int edits = EDITS_BOTH; edits <= EDITS_REPEAT; edits++)
            for (uint32_t depth = 1; depth <= 4; depth++)
                check_enumeration(layers, (enum routing_edits)edits, depth);
}

enum { SMALL = 8 };

/* Legal routings at most DEPTH (0 or 1) edits from one of the N routings FROM, by looking at all
 * 3^8. */
static size_t count_near(const uint8_t *from, size_t n, uint32_t depth);

/* Least edits from one of the N routings FROM to ROUTING, looked for by breadth; DEPTH + 1: more.
 */
static uint32_t edits_from(const uint8_t *from, size_t n, const uint8_t *routing, uint32_t depth)
{
    uint8_t child[3 * SMALL * SMALL];

    for (size_t i = 0; i < n; i++)
        if (memcmp(from + i * SMALL, routing, SMALL) == 0)
            return 0;
    for (size_t i = 0; depth > 0 && i < n; i++) {
        size_t len = routing_children(from + i * SMALL, SMALL, EDITS_BOTH, child);

        if (edits_from(child, len, routing, depth - 1) < depth)
            return 1 + edits_from(child, len, routing, depth - 1);
    }
    return depth + 1;
}

static size_t count_near(const uint8_t *from, size_t n, uint32_t depth)
{
    uint8_t r[SMALL] = { 0 };
    size_t found = 0;

    for (;;) {
        size_t i = 0;

        found += script_legal(r, SMALL) && edits_from(from, n, r, depth) <= depth;
        while (i < SMALL && r[i] == 2)
            r[i++] = 0;
        if (i == SMALL)
            return found;
        r[i]++;
    }
}

static void starts_and_what_lies_near_them_are_tried_and_nothing_else(void **state)
{
    /* all ones, then three starts: one of them an edit of all ones, one all ones itself */
    static const char *const text[] = { "11111111", "10011211", "01111111", "11111111" };
    uint8_t start[4 * SMALL];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(routing_parse_legal(text[i], SMALL, start + i * SMALL, NULL), 0);
    for (uint32_t depth = 0; depth <= 1; depth++) {
        const struct search_params p = {
            .method = SEARCH_ENUMERATE, .depth = depth, .starts = start + SMALL, .starts_len = 3
        };
        struct search_result r = script_run(&p, SMALL, 5, &script);
        size_t near = 0;

        for (uint32_t i = 0; i < r.evaluations; i++) {
            const uint8_t *own = r.routing + i * SMALL;

            near += edits_from(start, 4, own, depth) <= depth;
            for (uint32_t k = 0; k < i; k++)
                assert_memory_not_equal(own, r.routing + k * SMALL, SMALL);
        }
        assert_int_equal(near, r.evaluations);
        if (depth == 0)
            assert_int_equal(r.evaluations, 3);
        assert_int_equal(r.evaluations, count_near(start, 4, depth));
        search_result_release(&r);
    }
}

static void enumeration_knows_no_seed_and_no_reward(void **state)
{
    struct search_params p = { .method = SEARCH_ENUMERATE, .depth = 2 };
    struct search_result a, b;

    (void)state;
    script.right = 0;
    a = script_run(&p, 12, 1, &script);
    script.right = 10;
    b = script_run(&p, 12, 2, &script);
    assert_int_equal(a.evaluations, b.evaluations);
    assert_memory_equal(a.routing, b.routing, a.evaluations * 12);
    assert_false(a.has_label);
    assert_int_equal(b.label_length, 8); /* two pairs skipped */
    search_result_release(&a);
    search_result_release(&b);
}

/* ------------------------------------------------------------------------------------------- */

static void searches_side_by_side_are_those_one_after_the_other(void **state)
{
    enum { TOGETHER = 7, LAYERS = 12 };
    struct search *s[TOGETHER];
    struct err err = { 0 };
    size_t open = TOGETHER;

    (void)state;
    for (uint64_t i = 0; i < TOGETHER; i++)
        assert_int_equal(search_new(&s[i], &script_usual, LAYERS, i, i, &err), 0);
    script.right = 4;
    script.layers = LAYERS;
    while (open > 0) {
        open = 0;
        for (uint64_t i = 0; i < TOGETHER; i++) {
            const uint8_t *const *routing;
            double reward[5];
            size_t n = search_ask(s[i], &routing);

            script.salt = i * 77 + 1;
            for (size_t k = 0; k < n; k++)
                reward[k] = script_reward(&script, routing[k]);
            if (n > 0)
                search_tell(s[i], reward, n > 1);
            open += n > 0;
        }
    }
    for (uint64_t i = 0; i < TOGETHER; i++) {
        struct search_result alone = script_run(&script_usual, LAYERS, i, &script), r;

        search_finish(s[i], &r);
        assert_true(script_same(&alone, &r, LAYERS));
        assert_int_equal(alone.hinted, 0);
        assert_true(r.hinted > 0 && r.hinted < r.evaluations);
        search_result_release(&alone);
        search_result_release(&r);
        search_free(s[i]);
    }
}

static void refuse(const struct search_params *p, size_t layers, enum err_code code,
                   const char *first, const char *second)
{
    struct search *s = NULL;
    struct err err = { 0 };

    assert_int_equal(search_params_check(p, layers, &err), code);
    if (!strstr(err.text, first) || !strstr(err.text, second))
        fail_msg("\"%s\" does not name %s and %s", err.text, first, second);
    assert_int_equal(search_new(&s, p, layers, 1, 1, &err), code);
    assert_null(s);
}

static void contradictions_are_refused_by_name(void **state)
{
    struct search_params p = script_usual;

    (void)state;
    p.depth = 2;
    refuse(&p, 12, ERR_INVALID, "depth = 2", "enumerate");
    p.method = SEARCH_ENUMERATE;
    assert_int_equal(search_params_check(&p, 12, NULL), 0);
    p.early_stop = SEARCH_STOP_FIXED;
    refuse(&p, 12, ERR_INVALID, "early_stop", "enumerate");
    p.early_stop = SEARCH_STOP_NONE;
    p.total_visits = true;
    refuse(&p, 12, ERR_INVALID, "total_visits", "enumerate");
    p.total_visits = false;
    p.depth = 5;
    refuse(&p, 12, ERR_INVALID, "depth", "0 to 4");
    p.depth = 4;
    refuse(&p, 28, ERR_LIMIT, "depth = 4", "16384");
    p.depth = 0;
    refuse(&p, 12, ERR_INVALID, "depth = 0", "starts");
    p = script_usual;
    p.starts = (const uint8_t *)"\1\1\1\0";
    p.starts_len = 1;
    refuse(&p, 4, ERR_INVALID, "starts", "enumerate");
    p = script_usual;
    p.method = SEARCH_CHAIN;
    p.total_visits = true;
    refuse(&p, 12, ERR_INVALID, "total_visits", "chain");
    p = script_usual;
    p.simulations = 20000;
    refuse(&p, 12, ERR_LIMIT, "simulations = 20000", "16380");
    assert_int_equal(search_params_check(&p, 6, NULL), 0); /* 648 paths are all there are */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progressive_search_branches_at_the_root_and_below),
        cmocka_unit_test(chain_has_one_child_per_node),
        cmocka_unit_test(quarter_of_the_chains_edits_change_nothing),
        cmocka_unit_test(expand_all_leaves_the_root_only_when_it_is_full),
        cmocka_unit_test(every_constant_of_ucb_changes_the_tree_and_never_the_chain),
        cmocka_unit_test(round_changes_the_tree_and_never_the_chain),
        cmocka_unit_test(all_paths_obey_the_limits),
        cmocka_unit_test(early_stops_end_where_the_paper_says),
        cmocka_unit_test(longer_searches_of_all_methods_begin_with_the_shorter_one),
        cmocka_unit_test(enumeration_has_every_path_once_by_its_edits),
        cmocka_unit_test(starts_and_what_lies_near_them_are_tried_and_nothing_else),
        cmocka_unit_test(enumeration_knows_no_seed_and_no_reward),
        cmocka_unit_test(searches_side_by_side_are_those_one_after_the_other),
        cmocka_unit_test(contradictions_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
