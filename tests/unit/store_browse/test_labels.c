/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the kept sums of labels are those of the rows, at every moment of a growing store, in
 * pieces, with a cache that keeps nothing, for several threads. Method: random stores; plain SQL as
 * the oracle. */
#include "tests/unit/store_browse/label_store.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"
#include "store/browse/labels.h"
#include "store/sqlite.h"
#include "store/store_private.h"

static const struct label_choice everything = { .level = -1 };

/* ---- sums ---- */

static int64_t ask(struct store *r, const char *what, uint64_t experiment,
                   const struct label_set *set)
{
    struct buf sql CLEANUP(buf_release) = { 0 };
    int64_t n = -1;

    buf_printf(&sql,
               "SELECT %s FROM label JOIN (SELECT run_family.step AS step, run_family.family AS "
               "family, max(run_family.examples) AS most FROM run_family JOIN run ON run.id = "
               "run_family.run AND run.superseded = 0 WHERE run.experiment = %d GROUP BY 1, 2) AS "
               "r ON r.family = label.family AND label.idx < r.most",
               what, (int)experiment);
    if (set)
        buf_printf(&sql, " WHERE r.step = '%s' AND label.family = %d", set->step, (int)set->family);
    OK(store_query(r, buf_str(&sql), NULL, take_number, &n, err));
    return n;
}

static void expect_sums(struct store *r, uint64_t experiment, const struct label_set *set,
                        const struct label_stats *s)
{
    const struct {
        const char *sql;
        uint64_t n;
    } counts[] = {
        { "count(*)", s->n },
        { "total(base_correct)", s->base_correct },
        { "total(has_label)", s->labelled },
        { "total(has_label AND base_correct)", s->preserved },
        { "total(has_label AND NOT base_correct)", s->improved },
        { "total(has_label AND base_correct AND label_layers < layers)", s->shorter },
        { "total(has_label AND NOT base_correct AND label_layers < layers)", s->fixed_shorter },
        { "total(simulations)", s->simulations },
        { "total(evaluations)", s->evaluations },
        { "total(hinted)", s->hinted },
        { "total(layer_rows)", s->layer_rows },
        { "total(layer_rows_whole)", s->layer_rows_whole },
        { "total(wall_us)", s->wall_us },
        { "total(has_label * layers)", s->layers },
        { "total(has_label * label_layers)", s->label_layers },
        { "coalesce(max(layers), 0)", s->depth },
    };
    char what[128];

    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        assert_int_equal(ask(r, counts[i].sql, experiment, set), counts[i].n);
    for (size_t k = 0; k <= 2 * LS_LAYERS_MAX; k++) {
        snprintf(what, sizeof what, "total(has_label AND label_layers = %zu)", k);
        assert_int_equal(ask(r, what, experiment, set), k < s->lengths ? s->length[k] : 0);
    }
    for (uint32_t l = 0; l < LS_LAYERS_MAX; l++)
        for (int c = 0; c < 3; c++) {
            snprintf(what, sizeof what, "total(has_label AND substr(routing, %u, 1) = '%d')", l + 1,
                     c);
            assert_int_equal(ask(r, what, experiment, set), l < s->depth ? s->at[l][c] : 0);
        }
}

/* All sets of EXPERIMENT by the cache are those of SQL. */
static void check(struct label_cache *c, struct store *r, uint64_t experiment)
{
    struct label_sets sets;
    struct label_stats all = { 0 };
    struct label_progress whole = { .ready = true };

    OK(label_sets_list(c, r, experiment, 0, &sets, err));
    for (size_t i = 0; i < sets.len; i++) {
        struct label_progress p = { .ready = true };
        struct label_stats s = { 0 };

        OK(label_sums(c, r, &sets.set[i], UINT64_MAX, &s, &p, err));
        assert_true(p.ready);
        assert_int_equal(p.left, 0);
        assert_int_equal(p.read, s.n);
        assert_int_equal(p.promised, sets.set[i].examples);
        expect_sums(r, experiment, &sets.set[i], &s);
        label_stats_merge(&all, &s);
        label_stats_release(&s);
        OK(label_sums(c, r, &sets.set[i], UINT64_MAX, &s, &whole, err)); /* as it is kept */
        label_stats_release(&s);
    }
    assert_true(sets.len > 0);
    assert_int_equal(whole.read, all.n);
    expect_sums(r, experiment, NULL, &all);
    label_stats_release(&all);
    label_sets_release(&sets);
}

static void kept_sums_are_those_of_the_rows_while_they_grow(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("labels", 7, 1);
    struct label_cache *caches[] = { label_cache_new(0), label_cache_new(1), NULL };
    struct label_store a, b;
    struct store *r;

    ls_make(&a, f->s, "a", 4, &rng);
    ls_make(&b, f->s, "b<i>", 3, &rng);
    OK(store_open_read(&r, f->path, err));
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
            check(caches[i], r, a.experiment);
            check(caches[i], r, b.experiment);
        }
        ls_grow(&a, 60, &rng);
        ls_grow(&b, 20, &rng);
    }
    store_close(r);
    for (size_t i = 0; i < ARRAY_LEN(caches); i++)
        label_cache_free(caches[i]);
}

/* They are found by their numbers; SET has N + 100 labels before. */
static void few_new_ones_come_at_once(struct fixture *f, struct label_cache *c, struct store *r,
                                      const struct label_set *set, uint64_t attempt, int n)
{
    for (int i = 0; i < 5; i++) {
        struct label_progress p = { .ready = true };
        struct label_stats s = { 0 };

        add_many(f, set->family, attempt, n + 100 + 300 * i, n + 400 + 300 * i);
        add_many(f, set->family, attempt, 2 * n + 10 * i, 2 * n + 10 + 10 * i);
        OK(label_sums(c, r, set, 0, &s, &p, err));
        assert_true(p.ready);
        assert_int_equal(s.n, n + 400 + 300 * i);
        /* 2 + i % 3 each */
        assert_int_equal(s.label_layers, 2 * s.n + 3 * (s.n / 3) + (s.n % 3 == 2));
        label_stats_release(&s);
    }
}

static void sums_go_on_where_time_was_up(void **state)
{
    enum { N = 50000, MORE = 70000 };
    struct fixture *f = *state;
    struct label_cache *c = label_cache_new(0);
    struct label_set set = { .step = (char[]){ "labels" } };
    struct label_stats s = { 0 };
    struct label_progress p = { .ready = true };
    uint64_t last = 0;
    struct plan plan;
    struct store *r;
    int asked = 0, cut = 0;

    submit_plan(f->s, (struct plan_options){ 0 }, &plan);
    finish(f->s, plan.base, "weights", NULL);
    const struct try t = started(f->s, plan.shard[0]);
    add_many(f, plan.family, t.attempt, 20000, N);
    set.family = plan.family;
    set.examples = MORE;
    OK(store_open_read(&r, f->path, err));
    for (; asked < 100 && (asked < 3 || !p.ready); asked++) {
        label_stats_release(&s);
        p = (struct label_progress){ .ready = true };
        OK(label_sums(c, r, &set, 0, &s, &p, err));
        assert_true(s.n > last || p.ready);
        assert_int_equal(p.left, p.ready ? 0 : MORE - s.n);
        last = s.n;
        cut += !p.ready;
        if (asked == 0) /* in front of what was read */
            add_many(f, plan.family, t.attempt, 0, 20000);
        if (asked == 1)
            add_many(f, plan.family, t.attempt, N, MORE + 100);
    }
    assert_true(cut >= 2);
    assert_int_equal(label_cache_version(c), cut);
    assert_int_equal(s.n, MORE);
    assert_int_equal(s.base_correct, MORE / 2);
    assert_int_equal(s.at[0][0], (MORE + 2) / 3);
    assert_int_equal(s.at[0][2], MORE / 3);
    assert_int_equal(s.length[2], (MORE + 2) / 3);
    label_stats_release(&s);
    set.examples = 2 * MORE;
    store_time_limit(r, 1); /* time is up at once: an answer all the same, of what is known */
    clock_sleep_ms(3);
    p = (struct label_progress){ .ready = true };
    OK(label_sums(c, r, &set, UINT64_MAX, &s, &p, err));
    assert_false(p.ready);
    store_time_limit(r, 0);
    label_stats_release(&s);
    OK(label_sums(c, r, &set, UINT64_MAX, &s, &p, err));
    label_stats_release(&s);
    few_new_ones_come_at_once(f, c, r, &set, t.attempt, MORE);
    store_close(r);
    label_cache_free(c);
}

/* ---- threads ---- */

struct asking {
    const char *path;
    uint64_t experiment;
    struct label_cache *cache;
    const atomic_bool *stop;
    atomic_int answers, wrong;
};

static void *keep_asking(void *arg)
{
    struct asking *a = arg;
    struct store *r;
    uint64_t before = 0;

    if (store_open_read(&r, a->path, NULL) != 0)
        return NULL;
    while (!atomic_load(a->stop)) {
        struct label_sets sets;
        struct label_stats s = { 0 };
        struct label_progress p = { .ready = true };
        int rc = label_sets_list(a->cache, r, a->experiment, 0, &sets, NULL);

        for (size_t i = 0; !rc && i < sets.len; i++)
            rc = label_sums(a->cache, r, &sets.set[i], UINT64_MAX, &s, &p, NULL);
        label_sets_release(&sets);
        if (rc || !p.ready || s.n < before) /* never fewer than before */
            atomic_fetch_add(&a->wrong, 1);
        atomic_fetch_add(&a->answers, 1);
        before = s.n;
        label_stats_release(&s);
    }
    store_close(r);
    return NULL;
}

static void threads_share_what_is_kept_while_labels_come(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("labels", 7, 8);
    struct label_cache *caches[] = { label_cache_new(0), label_cache_new(1) };
    struct label_store a;
    struct store *r;

    ls_make(&a, f->s, "a", 3, &rng);
    OK(store_open_read(&r, f->path, err));
    for (size_t c = 0; c < ARRAY_LEN(caches); c++) {
        struct asking asking[4];
        pthread_t thread[ARRAY_LEN(asking)];
        atomic_bool stop = false;

        for (size_t i = 0; i < ARRAY_LEN(asking); i++) {
            asking[i] = (struct asking){ f->path, a.experiment, caches[c], &stop, 0, 0 };
            assert_int_equal(pthread_create(&thread[i], NULL, keep_asking, &asking[i]), 0);
        }
        for (size_t i = 0; i < ARRAY_LEN(asking); i++) /* each has had a few answers */
            for (int k = 0; k < 5 || (k < 5000 && atomic_load(&asking[i].answers) < 5); k++) {
                ls_grow(&a, 2, &rng);
                clock_sleep_ms(2);
            }
        atomic_store(&stop, true);
        for (size_t i = 0; i < ARRAY_LEN(asking); i++) {
            pthread_join(thread[i], NULL);
            assert_true(asking[i].answers >= 5);
            assert_int_equal(asking[i].wrong, 0);
        }
        check(caches[c], r, a.experiment);
        label_cache_free(caches[c]);
    }
    store_close(r);
}

/* ---- sets ---- */

static void sets_are_chosen_by_name_and_near_names_are_told(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("labels", 7, 2);
    struct label_choice choice = everything;
    struct label_sets sets;
    struct label_store a;

    ls_make(&a, f->s, "a", 2, &rng);
    FAILS(ERR_NOT_FOUND, "no experiment 99", label_sets_list(NULL, f->s, 99, 0, &sets, err));
    OK(label_sets_list(NULL, f->s, a.experiment, 0, &sets, err));
    assert_int_equal(sets.len, LS_FAMILIES);
    choice.step = "labells";
    FAILS(ERR_NOT_FOUND, "\"labells\"; did you mean \"labels\"",
          label_sets_choose(&sets, &choice, err));
    choice.step = "x'; DROP TABLE label; --";
    FAILS(ERR_NOT_FOUND, "there are: labels, near", label_sets_choose(&sets, &choice, err));
    choice = (struct label_choice){ .level = 77 };
    FAILS(ERR_NOT_FOUND, "no labels of level \"77\"", label_sets_choose(&sets, &choice, err));
    choice = (struct label_choice){ .step = "near", .level = -1 };
    OK(label_sets_choose(&sets, &choice, err));
    assert_int_equal(sets.len, LS_FAMILIES / 2);
    for (size_t i = 0; i < sets.len; i++)
        assert_string_equal(sets.set[i].step, "near");
    label_sets_release(&sets);
    OK(label_sets_list(NULL, f->s, a.experiment, a.run[1], &sets, err));
    assert_int_equal(sets.len, number(f->path, "SELECT count(*) FROM run_family WHERE run = 2"));
    label_sets_release(&sets);
    OK(label_sets_list(NULL, f->s, a.experiment, 1000, &sets, err));
    assert_int_equal(sets.len, 0);
    OK(label_sets_choose(&sets, &choice, err));
    label_sets_release(&sets);
}

/* The way by the labels' families, for experiments of many runs, gives the same sets. */
static void sets_of_a_large_experiment_are_those_with_labels(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("labels", 7, 3);
    struct label_sets few, many;
    struct label_store a;

    ls_make(&a, f->s, "a", 5, &rng);
    ls_grow(&a, 100, &rng);
    OK(label_sets_list(NULL, f->s, a.experiment, 0, &few, err));
    OK(sqlite_run(f->s->db, "PRAGMA foreign_keys = OFF", err));
    OK(sqlite_run(f->s->db,
                  "INSERT INTO run (id, experiment, digest, seed, revision) "
                  "VALUES (30000, 1, zeroblob(32), 9, 1)",
                  err));
    OK(sqlite_run(f->s->db, "INSERT OR IGNORE INTO run_summary (run, experiment) VALUES (30000, 1)",
                  err));
    OK(label_sets_list(NULL, f->s, a.experiment, 0, &many, err));
    assert_int_equal(many.len, few.len);
    for (size_t i = 0; i < few.len; i++) {
        assert_string_equal(many.set[i].step, few.set[i].step);
        assert_string_equal(many.set[i].task, few.set[i].task);
        assert_int_equal(many.set[i].level, few.set[i].level);
        assert_int_equal(many.set[i].family, few.set[i].family);
        assert_int_equal(many.set[i].examples, few.set[i].examples);
    }
    label_sets_release(&few);
    label_sets_release(&many);
}

/* ---- one ---- */

static int keep_item(const struct label_item *item, const struct label_set *set, void *arg)
{
    (void)set;
    assert_string_equal(item->row.split,
                        text_of(arg, "SELECT split FROM family WHERE id = 1", (char[512]){ "" }));
    assert_string_equal(item->row.base_answer, LS_HTML);
    return 0;
}

static int no_job(const struct label_job *j, void *arg)
{
    *(int *)arg += 1;
    assert_string_equal(j->params, "simulations = 50\ntask = \"math\"\n");
    return 0;
}

static int count_reader(const struct label_reader *r, void *arg)
{
    assert_string_equal(r->name, "a");
    *(int *)arg += 1;
    return 0;
}

static void one_label_is_found_with_who_made_and_who_reads_it(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("labels", 7, 6);
    struct buf name CLEANUP(buf_release) = { 0 };
    struct label_store a;
    int jobs = 0, readers = 0;

    ls_make(&a, f->s, "a", 4, &rng);
    begin(f->s);
    ls_send(&a, 0, 0, NULL, 0, &rng);
    commit(f->s);
    OK(label_find(f->s, 1, keep_item, f->path, err));
    FAILS(ERR_NOT_FOUND, "no label 2", label_find(f->s, 2, keep_item, f->path, err));
    OK(label_job(f->s, a.family[0].t.attempt, no_job, &jobs, err));
    OK(label_job(f->s, 12345, no_job, &jobs, err));
    assert_int_equal(jobs, 1);
    OK(label_readers(f->s, a.family[0].id, 0, 100, count_reader, &readers, err));
    assert_int_equal(readers, number(f->path, "SELECT count(*) FROM run_family WHERE family = 1"));
    OK(label_experiment_name(f->s, a.experiment, &name, err));
    assert_string_equal(buf_str(&name), "a");
    FAILS(ERR_NOT_FOUND, "no experiment 5", label_experiment_name(f->s, 5, &name, err));
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(kept_sums_are_those_of_the_rows_while_they_grow),
        T(sums_go_on_where_time_was_up),
        T(threads_share_what_is_kept_while_labels_come),
        T(sets_are_chosen_by_name_and_near_names_are_told),
        T(sets_of_a_large_experiment_are_those_with_labels),
        T(one_label_is_found_with_who_made_and_who_reads_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
