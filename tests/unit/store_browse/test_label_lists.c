/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: lists of labels show what the filter says, each label once, both ways, page by page, also
 * where time is up in between. Method: random stores; store_list_labels() as the oracle. */
#include "tests/unit/store_browse/label_store.h"

#include "common/base/clock.h"
#include "store/browse/labels.h"

struct ids {
    uint64_t id[4096];
    size_t len;
};

static int take_row(const struct store_label_row *row, void *arg)
{
    struct ids *l = arg;

    assert_true(l->len < ARRAY_LEN(l->id));
    l->id[l->len++] = row->id;
    return 0;
}

static int take_item(const struct label_item *item, const struct label_set *set, void *arg)
{
    assert_string_equal(item->row.step, set->step);
    assert_int_equal(item->row.family, set->family);
    assert_non_null(strstr(item->row.question, LS_HTML));
    return take_row(&item->row, arg);
}

static struct store_label_filter random_filter(struct rng *rng)
{
    struct store_label_filter f = { .level = -1 };

    f.improved = rng_u32(rng) % 4 == 0;
    f.preserved = rng_u32(rng) % 4 == 0;
    f.unsolved = rng_u32(rng) % 4 == 0;
    f.shorter = rng_u32(rng) % 6 == 0;
    f.min_layers = rng_u32(rng) % 4 == 0 ? rng_u32(rng) % 5 : 0;
    f.max_layers = rng_u32(rng) % 4 == 0 ? rng_u32(rng) % 8 : 0;
    if (rng_u32(rng) % 3 == 0) {
        f.at[0].layer = rng_u32(rng) % (LS_LAYERS_MAX + 1);
        f.at[0].choice = (char)('0' + rng_u32(rng) % 3);
        f.at_len = 1;
    }
    return f;
}

/* All pages one behind the other. */
static void walk_all(struct store *r, const struct label_sets *sets,
                     const struct store_label_filter *f, bool back, struct rng *rng,
                     struct ids *ret)
{
    struct label_walked walked = { .more = true };
    struct label_place from;

    for (bool first = true; walked.more; first = false) {
        const size_t before = ret->len;
        const struct label_walk how = { .sets = sets,
                                        .filter = f,
                                        .from = first ? NULL : &from,
                                        .back = back,
                                        .limit = 1 + rng_u32(rng) % 9,
                                        .deadline_ms = UINT64_MAX };

        OK(label_walk(r, &how, take_item, ret, &walked, err));
        assert_true(ret->len - before <= how.limit);
        assert_true(!walked.more || ret->len - before == how.limit); /* more: there are more */
        assert_true(first || ret->len > before);
        if (walked.set)
            from = (struct label_place){ walked.set->step, walked.set->family, walked.idx };
    }
}

static void lists_show_each_label_once_both_ways(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("labels", 7, 4);
    size_t shown = 0;
    struct label_store a;
    struct label_sets sets;
    struct store *r;

    ls_make(&a, f->s, "a", 3, &rng);
    ls_grow(&a, 150, &rng);
    OK(store_open_read(&r, f->path, err));
    OK(label_sets_list(NULL, r, a.experiment, 0, &sets, err));
    for (int round = 0; round < 60; round++) {
        struct store_label_filter filter = random_filter(&rng);
        struct ids expected = { .len = 0 }, forth = { .len = 0 }, back = { .len = 0 };

        filter.experiment = a.experiment;
        OK(store_list_labels(r, &filter, take_row, &expected, err));
        walk_all(r, &sets, &filter, false, &rng, &forth);
        walk_all(r, &sets, &filter, true, &rng, &back);
        assert_int_equal(forth.len, expected.len);
        assert_int_equal(back.len, expected.len);
        for (size_t i = 0; i < expected.len; i++) {
            assert_int_equal(forth.id[i], expected.id[i]);
            assert_int_equal(back.id[i], expected.id[expected.len - 1 - i]);
        }
        shown += expected.len;
    }
    assert_true(shown > 500);
    label_sets_release(&sets);
    store_close(r);
}

/* Nothing is found; page after page goes on where time was up, and no label is looked at twice. */
static void lists_go_on_where_time_was_up(void **state)
{
    enum { N = 5000 };
    struct fixture *f = *state;
    const struct store_label_filter none = { .level = -1, .at = { { 1, '0' } }, .at_len = 1 };
    struct label_set set = { .step = (char[]){ "labels" }, .examples = N };
    const struct label_sets sets = { &set, 1 };
    struct label_walk how = { .sets = &sets, .filter = &none, .limit = 10 };
    struct label_walked walked;
    struct label_place from;
    struct ids ids = { .len = 0 };
    uint64_t looked = 0;
    struct plan plan;
    struct store *r;
    int pages = 0;

    submit_plan(f->s, (struct plan_options){ 0 }, &plan);
    finish(f->s, plan.base, "weights", NULL);
    const struct try t = started(f->s, plan.shard[0]);
    set.family = plan.family;
    add_many(f, plan.family, t.attempt, 0, N);
    OK(store_open_read(&r, f->path, err));
    do {
        how.deadline_ms = pages % 2 ? 0 : UINT64_MAX;
        store_time_limit(r, pages % 2 ? 0 : 1); /* either way */
        clock_sleep_ms(3);
        OK(label_walk(r, &how, take_item, &ids, &walked, err));
        looked += walked.looked;
        if (!walked.more)
            break;
        assert_true(walked.looked > 0);
        from = (struct label_place){ walked.set->step, walked.set->family, walked.idx };
        how.from = &from;
    } while (++pages < 100);
    assert_int_equal(looked, N);
    assert_true(pages > 3);
    assert_int_equal(ids.len, 0);
    store_close(r);
}

static void lists_find_texts_and_know_when_they_changed(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("labels", 7, 5);
    const struct store_label_filter all = { .level = -1 };
    struct label_walk how = { .filter = &all, .limit = 1000, .deadline_ms = UINT64_MAX };
    struct ids ids = { .len = 0 };
    struct label_walked walked;
    struct label_store a;
    struct label_sets sets;
    struct label_place gone = { "gone", 1, 0 };

    ls_make(&a, f->s, "a", 1, &rng);
    begin(f->s);
    for (uint64_t i = 0; i < LS_EXAMPLES; i++)
        ls_send(&a, 0, i, NULL, 0, &rng);
    commit(f->s);
    OK(sqlite_run(f->s->db, "UPDATE run_family SET examples = 1000", err));
    OK(label_sets_list(NULL, f->s, a.experiment, 0, &sets, err));
    how.sets = &sets;
    how.text = "NO. 3<B";
    OK(label_walk(f->s, &how, take_item, &ids, &walked, err));
    assert_int_equal(ids.len, 1);
    assert_false(walked.more);
    assert_int_equal(walked.looked, LS_EXAMPLES);
    how.text = "%";
    OK(label_walk(f->s, &how, take_item, &ids, &walked, err));
    assert_int_equal(ids.len, 1);
    how.from = &gone;
    FAILS(ERR_INVALID, "the list has changed",
          label_walk(f->s, &how, take_item, &ids, &walked, err));
    label_sets_release(&sets);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(lists_show_each_label_once_both_ways),
        T(lists_go_on_where_time_was_up),
        T(lists_find_texts_and_know_when_they_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
