/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a search log comes back as the tree it was, of any method, with what leads from parent to
 * child and the way to the label marked; a log that was damaged by hand gives a forest, never a
 * loop; a long one is cut honestly. Method: logs by hand and at random, SQL that damages them. */
#include "tests/unit/store_browse/label_store.h"

#include "common/base/mem.h"
#include "store/browse/tree.h"
#include "store/sqlite.h"
#include "store/store_private.h"

static void expect_edit(const char *from, const char *to, const char *expected)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    label_edit(from, to, &text);
    assert_string_equal(buf_str(&text), expected);
}

static void edits_say_what_leads_from_one_path_to_another(void **state)
{
    char from[600], to[600];

    (void)state;
    expect_edit("1111", "1110", "skip 3");
    expect_edit("111111", "110011", "skip 2-3");
    expect_edit("110011", "100011", "skip 1");
    expect_edit("11011", "10001", "skip 1, 3"); /* neighbours in the path, not in the model */
    expect_edit("1111", "1121", "repeat 2");
    expect_edit("1111", "2110", "skip 3, repeat 0");
    expect_edit("0211", "1111", "execute 0-1");
    expect_edit("1111", "1111", "nothing");
    expect_edit("111", "1111", "another model's path");
    expect_edit("", "", "nothing");
    for (size_t i = 0; i < sizeof to - 1; i++) {
        from[i] = '1';
        to[i] = i % 2 ? '0' : '1';
    }
    from[sizeof from - 1] = to[sizeof to - 1] = '\0';
    struct buf text CLEANUP(buf_release) = { 0 };
    label_edit(from, to, &text);
    assert_true(text.len < 250);
    assert_string_equal(buf_str(&text) + text.len - 3, "...");
}

/* One label whose log is written by SQL: PLACE, PARENT, ROUTING, REWARD, VISITS, VALUE, ANSWER. */
static void put_log(struct fixture *f, struct label_store *l, const char *values)
{
    struct rng rng = rng_stream("tree", 1, 1);
    struct buf sql CLEANUP(buf_release) = { 0 };

    ls_make(l, f->s, "a", 1, &rng);
    begin(f->s);
    ls_send(l, 0, 0, NULL, 0, &rng);
    commit(f->s);
    buf_printf(&sql,
               "INSERT INTO search_log (label, place, parent, routing, reward, visits, value, "
               "answer) SELECT 1, * FROM (VALUES %s)",
               values);
    OK(sqlite_run(f->s->db, buf_str(&sql), err));
}

static void expect_node(const struct label_node *n, int64_t place, int64_t parent, uint32_t depth,
                        const char *edit, bool best)
{
    assert_int_equal(n->place, place);
    assert_int_equal(n->parent, parent);
    assert_int_equal(n->depth, depth);
    assert_string_equal(n->edit, edit);
    assert_int_equal(n->best, best);
}

static void tree_of_a_search_has_its_edits_and_the_way_to_the_best(void **state)
{
    struct label_tree t;
    struct label_store l;

    put_log(*state, &l,
            "(0, -1, '1111', 0.0, 9, 4.0, '7'), (1, 0, '1101', 0.0, 6, 3.0, '<b>'), "
            "(2, 0, '1112', 1.0, 2, 1.0, '8'), (3, 1, '1001', 1.0, 1, 1.0, '8'), "
            "(4, 1, '2101', 1.0, 0, 0.0, '8')");
    OK(label_tree_read(l.s, 1, "1001", 2000, &t, err));
    assert_int_equal(t.len, 5);
    assert_int_equal(t.of, 5);
    assert_int_equal(t.right, 3);
    assert_int_equal(t.best, 3);
    expect_node(&t.node[0], 0, -1, 0, "root", true);
    expect_node(&t.node[1], 1, 0, 1, "skip 2", true);
    expect_node(&t.node[2], 2, 0, 1, "repeat 3", false);
    expect_node(&t.node[3], 3, 1, 2, "skip 1", true);
    expect_node(&t.node[4], 4, 1, 2, "repeat 0", false);
    assert_string_equal(t.node[1].answer, "<b>");
    assert_int_equal(t.node[1].visits, 6);
    assert_int_equal(t.node[4].layers, 4);
    assert_true(t.node[1].value == 3.0 && t.node[2].reward == 1.0);
    label_tree_release(&t);
    OK(label_tree_read(l.s, 1, NULL, 2000, &t, err)); /* no label */
    assert_int_equal(t.best, -1);
    assert_false(t.node[0].best);
    label_tree_release(&t);
    OK(label_tree_read(l.s, 1, "0000", 2000, &t, err)); /* a path that is not in the log */
    assert_int_equal(t.best, -1);
    label_tree_release(&t);
    OK(label_tree_read(l.s, 99, "1001", 2000, &t, err)); /* no log */
    assert_int_equal(t.len + t.of, 0);
    label_tree_release(&t);
}

static void chain_of_the_published_search_is_a_path(void **state)
{
    struct label_tree t;
    struct label_store l;

    put_log(*state, &l,
            "(0, -1, '11111', 0.0, 5, 1.0, ''), (1, 0, '11101', 0.0, 4, 1.0, ''), "
            "(2, 1, '12101', 0.0, 3, 1.0, ''), (3, 2, '02101', 1.0, 2, 1.0, '')");
    OK(label_tree_read(l.s, 1, "02101", 2000, &t, err));
    for (size_t i = 0; i < t.len; i++) {
        assert_int_equal(t.node[i].depth, i);
        assert_true(t.node[i].best);
    }
    assert_string_equal(t.node[2].edit, "repeat 1");
    label_tree_release(&t);
}

static void damaged_logs_make_no_loops(void **state)
{
    struct label_tree t;
    struct label_store l;

    put_log(*state, &l,
            "(0, 3, '11', 0.0, 5, 1.0, ''), (1, 1, '10', 0.0, 4, 1.0, ''), "
            "(2, 7, '0', 1.0, 3, 1e300, ''), (5, -9, 'xyz', 1.0, -1, 1.0, ''), "
            "(7, 2, '01', 0.0, 2, 1.0, ''), (9, 7, '00', 1.0, 2, 1.0, '')");
    OK(label_tree_read(l.s, 1, "00", 2000, &t, err));
    assert_int_equal(t.len, 6);
    assert_int_equal(t.node[0].parent, -1);
    assert_int_equal(t.node[1].parent, -1);
    assert_string_equal(t.node[1].edit, "another root");
    assert_int_equal(t.node[2].parent, -1);
    assert_int_equal(t.node[3].parent, -1);
    assert_string_equal(t.node[4].edit, "another model's path");
    expect_node(&t.node[5], 9, 7, 2, "skip 1", true);
    assert_true(t.node[2].best && t.node[4].best && !t.node[0].best);
    label_tree_release(&t);
}

/* Whatever MOST is: parents are there, the first MOST too, and the way to the best. */
static void long_logs_are_cut_but_for_the_way_to_the_best(void **state)
{
    enum { N = 600 };
    struct fixture *f = *state;
    struct buf values CLEANUP(buf_release) = { 0 };
    struct rng rng = rng_stream("tree", 1, 2);
    struct label_store l;

    for (int i = 0; i < N; i++)
        buf_printf(&values, "%s(%d, %d, printf('%%012d', %d), 0.0, 1, 0.0, '')", i ? ", " : "", i,
                   i ? (int)(rng_u32(&rng) % (unsigned)i) : -1, i);
    put_log(f, &l, buf_str(&values));
    for (size_t most = 0; most <= N + 100; most += 53) {
        const size_t best = rng_u32(&rng) % N;
        char routing[16];
        struct label_tree t;
        size_t way = 0;

        snprintf(routing, sizeof routing, "%012zu", best);
        OK(label_tree_read(f->s, 1, routing, most, &t, err));
        assert_int_equal(t.of, N);
        assert_int_equal(t.best, best);
        for (size_t i = 0; i < t.len; i++) {
            bool found = t.node[i].parent < 0;

            for (size_t k = 0; k < i; k++)
                found = found || t.node[k].place == t.node[i].parent;
            assert_true(found);
            assert_true(i >= most || t.node[i].place == (int64_t)i);
            assert_true(i < most || t.node[i].best);
            way += t.node[i].best;
        }
        assert_true(t.len >= MIN(most, (size_t)N) && t.len <= most + way);
        assert_true(way >= 1);
        label_tree_release(&t);
    }
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_say_what_leads_from_one_path_to_another),
        T(tree_of_a_search_has_its_edits_and_the_way_to_the_best),
        T(chain_of_the_published_search_is_a_path),
        T(damaged_logs_make_no_loops),
        T(long_logs_are_cut_but_for_the_way_to_the_best),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
