/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pages of runs are what SQL gives, for every column, direction and filter, and stay so while
 * a writer changes the store. Method: random stores with ties and missing values; SQLite orders and
 * filters the same rows; walks from cursor to cursor. */
#include "tests/unit/store_browse/sweep.h"

#include <pthread.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "store/browse/grid.h"

enum { RUNS = 900, RUNS_MAX = 4000 };

struct list {
    uint64_t run[RUNS_MAX];
    size_t len;
};

static int take_run(const char *const *names, const struct store_value *v, size_t columns,
                    void *arg)
{
    struct list *l = arg;

    (void)names;
    (void)columns;
    if (v && l->len < RUNS_MAX)
        l->run[l->len++] = (uint64_t)v[0].i;
    return 0;
}

/* What a column is in SQL over s (run_summary), r (run), lr, method, mixed (param). */
static const struct {
    const char *name, *sql;
} known[] = {
    { "run", "s.run" },
    { "seed", "r.seed" },
    { "accuracy", "s.accuracy" },
    { "oracle", "s.oracle" },
    { "base", "s.base" },
    { "seconds", "s.seconds" },
    { "tokens", "CASE WHEN s.n > 0 THEN s.tokens END" },
    { "n", "s.n" },
    { "last_ms", "s.last_ms" },
    { "failed", "s.failed" },
    { "state",
      "CASE WHEN s.failed > 0 THEN 'failed' WHEN s.ready > 0 THEN 'waiting' ELSE 'finished' END" },
    { "train.lr", "lr.value + 0" },
    { "train.method", "json_extract(method.value, '$')" },
    { "mixed", "CASE substr(mixed.value, 1, 1) WHEN '\"' THEN json_extract(mixed.value, '$') ELSE "
               "mixed.value + 0 END" },
};

static const struct {
    const char *filter, *sql;
} filters[] = {
    { NULL, "1" },
    { "accuracy~ge~0.5", "s.accuracy >= 0.5" },
    { "accuracy~ne~0.5", "s.accuracy IS NOT 0.5" },
    { "accuracy~eq~", "s.accuracy IS NULL" },
    { "accuracy~ne~", "s.accuracy IS NOT NULL" },
    { "tokens~lt~50000", "s.n > 0 AND s.tokens < 50000" },
    { "seed~in~1,3", "r.seed IN (1, 3)" },
    { "seed~gt~1.5", "r.seed > 1.5" },
    { "last_ms~eq~1700000000000", "s.last_ms = 1700000000000" },
    { "state~eq~failed", "s.failed > 0" },
    { "lr~le~2", "lr.value + 0 <= 2" },
    { "train.lr~in~[0.125, 2, \"3\"]", "lr.value + 0 IN (0.125, 2, 3)" },
    { "method~eq~cosine", "method.value = '\"cosine\"'" },
    { "method~ne~cosine", "method.value IS NOT '\"cosine\"'" },
    { "method~has~COS", "lower(method.value) LIKE '%cos%'" },
    { "method~gt~b", "json_extract(method.value, '$') > 'b'" },
    { "mixed~eq~", "mixed.value IS NULL" },
    { "mixed~lt~0", "substr(mixed.value, 1, 1) <> '\"' AND mixed.value + 0 < 0" },
    { "mixed~in~w3,-2,w5", "mixed.value IN ('\"w3\"', '-2', '\"w5\"')" },
};

static void ask_sql(struct store *s, uint64_t experiment, size_t column, bool descending,
                    size_t filter, struct list *ret)
{
    struct buf text = { 0 };

    buf_printf(&text,
               "SELECT s.run FROM run_summary AS s JOIN run AS r ON r.id = s.run "
               "LEFT JOIN param AS lr ON lr.run = s.run AND lr.name = 'train.lr' "
               "LEFT JOIN param AS method ON method.run = s.run AND method.name = 'train.method' "
               "LEFT JOIN param AS mixed ON mixed.run = s.run AND mixed.name = 'mixed' "
               "WHERE s.experiment = %llu AND r.superseded = 0 AND (%s) "
               "ORDER BY (%s) IS NULL, (%s) %s, s.run",
               (unsigned long long)experiment, filters[filter].sql, known[column].sql,
               known[column].sql, descending ? "DESC" : "ASC");
    ret->len = 0;
    OK(store_query(s, buf_str(&text), NULL, take_run, ret, err));
    buf_release(&text);
}

static void add_filter(const struct grid_view *v, size_t filter, struct grid_filters *f)
{
    *f = (struct grid_filters){ 0 };
    if (filters[filter].filter)
        OK(grid_filter_add(v, f, filters[filter].filter, err));
}

/* All pages of LIMIT rows, each with a view of its own. */
static void ask_grid(struct grids *g, uint64_t experiment, const char *sort, size_t filter,
                     size_t limit, struct list *ret, uint64_t *ret_matched)
{
    struct grid_page *page = mem_calloc(1, sizeof *page);
    struct buf after = { 0 };

    ret->len = 0;
    for (bool more = true; more;) {
        struct grid_filters f;
        struct grid_view v;

        OK(grid_open(g, experiment, &v, err));
        assert_true(v.ready);
        add_filter(&v, filter, &f);
        OK(grid_page(&v, &f, sort, buf_str(&after), limit, page, err));
        *ret_matched = page->matched;
        assert_true(page->len <= limit);
        for (size_t i = 0; i < page->len && ret->len < RUNS_MAX; i++)
            ret->run[ret->len++] = v.run[page->row[i]];
        more = page->next.len > 0;
        assert_true(!more || page->len == limit);
        buf_clear(&after);
        buf_adds(&after, buf_str(&page->next));
        grid_page_release(page);
        grid_filters_release(&f);
        grid_done(&v);
    }
    buf_release(&after);
    free(page);
}

/* Each page again by its place gives the rows of LIST, and ends where it ends. */
static void ask_places(struct grids *g, uint64_t experiment, const char *sort, size_t filter,
                       size_t limit, const struct list *list)
{
    struct grid_page *page = mem_calloc(1, sizeof *page);

    for (size_t skip = 0; skip < list->len + 2 * limit; skip += limit) {
        struct grid_filters f;
        struct grid_view v;

        OK(grid_open(g, experiment, &v, err));
        add_filter(&v, filter, &f);
        OK(grid_page_at(&v, &f, sort, skip, limit, page, err));
        assert_int_equal(page->matched, list->len);
        assert_int_equal(page->len, MIN(limit, list->len - MIN(skip, list->len)));
        for (size_t i = 0; i < page->len; i++)
            assert_int_equal(v.run[page->row[i]], list->run[skip + i]);
        assert_int_equal(page->next.len > 0, skip + limit < list->len);
        grid_page_release(page);
        grid_filters_release(&f);
        grid_done(&v);
    }
    free(page);
}

static bool same(const struct list *a, const struct list *b)
{
    return a->len == b->len && memcmp(a->run, b->run, a->len * sizeof a->run[0]) == 0;
}

static void pages_agree_with_sql_for_every_column_and_filter(void **state)
{
    struct fixture *f = *state;
    static struct list want, got;
    struct grids *g;
    struct store *s;
    uint64_t matched;

    fill(f, 1, RUNS, 1);
    sql(f, "UPDATE run SET superseded = 1 WHERE id %% 22 = 0");
    OK(store_open_read(&s, f->path, err));
    OK(grids_new(&g, f->path, 64 << 20, err));
    for (size_t c = 0; c < ARRAY_LEN(known); c++)
        for (size_t k = 0; k < ARRAY_LEN(filters); k++)
            for (int d = 0; d < 2; d++) {
                char sort[64];

                snprintf(sort, sizeof sort, "%s%s", d ? "-" : "", known[c].name);
                ask_sql(s, 1, c, d, k, &want);
                ask_grid(g, 1, sort, k, 1 + (c * 37 + k * 11) % 300, &got, &matched);
                if (!same(&want, &got) || matched != want.len)
                    fail_msg("%s with %s: %zu rows of %zu, matched %llu", sort,
                             filters[k].filter ? filters[k].filter : "no filter", got.len, want.len,
                             (unsigned long long)matched);
                ask_places(g, 1, sort, k, 150 + (c * 37 + k * 11) % 300, &want);
            }
    store_close(s);
    grids_free(g);
}

/* Until the grid holds what SQL gives, or twenty seconds have passed. */
static bool agrees(struct fixture *f, struct grids *g, size_t column, const char *sort)
{
    static struct list want, got;
    uint64_t until = clock_ms() + 20000, matched;
    struct store *s;
    bool right = false;

    OK(store_open_read(&s, f->path, err));
    do {
        ask_sql(s, 1, column, sort[0] == '-', 0, &want);
        ask_grid(g, 1, sort, 0, 100, &got, &matched);
        right = same(&want, &got);
        if (!right)
            nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    } while (!right && clock_ms() < until);
    store_close(s);
    return right;
}

static void changes_arrive(void **state)
{
    struct fixture *f = *state;
    struct rng r = rng_stream("changes", 1, 0);
    struct grids *g;
    uint64_t version;

    fill(f, 1, RUNS, 2);
    OK(grids_new(&g, f->path, 64 << 20, err));
    assert_true(agrees(f, g, 2, "-accuracy"));
    for (int round = 0; round < 3; round++) {
        version = grids_version(g);
        sql(f, "BEGIN");
        for (size_t i = 0; i < 40; i++) /* numbers of new runs are greater */
            add_run(f, 1, 1000000 + 2 * RUNS + 1000 * (uint64_t)round + i, &r);
        for (size_t i = 0; i < 50; i++)
            set_measures(f, 1000000 + 2 * rng_below(&r, RUNS), &r);
        sql(f, "UPDATE run SET superseded = 1 - superseded WHERE id %% 17 = %d", round);
        sql(f, "DELETE FROM param WHERE run IN (SELECT id FROM run WHERE id %% 29 = %d)", round);
        sql(f, "DELETE FROM run WHERE id %% 29 = %d", round);
        /* As a new revision does that sweeps other parameters. */
        sql(f,
            "INSERT INTO revision (id, experiment, number, digest, recipe, path, submitted_ms) "
            "VALUES (%d, 1, %d, randomblob(32), '', '', 1)",
            70 + round, 2 + round);
        sql(f, "DELETE FROM param WHERE name = 'mixed' AND run %% 5 = %d", round);
        sql(f, "UPDATE param SET value = '%d.25' WHERE name = 'train.lr' AND run %% 5 = %d", round,
            round);
        sql(f, "UPDATE run SET revision = %d WHERE id %% 5 = %d", 70 + round, round);
        sql(f, "COMMIT");
        assert_true(agrees(f, g, 2, "-accuracy"));
        assert_true(agrees(f, g, 11, "train.lr"));
        assert_true(agrees(f, g, 13, "-mixed"));
        assert_true(grids_version(g) > version);
    }
    grids_free(g);
}

static void running_runs_are_told(void **state)
{
    struct fixture *f = *state;
    struct grids *g;
    struct grid_view v;
    struct grid_filters only = { 0 };
    uint8_t mask[COLUMN_BLOCK];

    fill(f, 1, 3, 3);
    sql(f, "UPDATE run_summary SET failed = 0, ready = 1");
    sql(f, "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, priority, "
           "seed, range_begin, range_end, retries, params, params_text, submitted_ms) VALUES "
           "(7, randomblob(32), 'k', 1, 'c', 's', 'READY', 0, 0, 1, 0, 0, 0, x'', '', 1)");
    sql(f, "INSERT INTO run_job (run, job, step, live) VALUES (1000002, 7, 's', 1)");
    sql(f, "INSERT INTO attempt (job, epoch, incarnation, outcome, started_ms) VALUES "
           "(7, 1, 1, 'RUNNING', 1)");
    OK(grids_new(&g, f->path, 64 << 20, err));
    OK(grid_open(g, 1, &v, err));
    OK(grid_filter_add(&v, &only, "state~eq~running", err));
    assert_int_equal(grid_mask(&v, &only, 0, v.rows, mask), 1);
    assert_true(mask[1]);
    grid_filters_release(&only);
    grid_done(&v);
    grids_free(g);
}

/* ---- readers and a writer ---- */

struct walker {
    struct grids *g;
    bool stop; /* atomic */
    uint64_t walks, stable;
    const char *wrong;
};

/* Runs whose number is divisible by 10 keep their values: each walk meets each of them once. */
static void *walk_on(void *arg)
{
    struct walker *w = arg;
    struct list *l = mem_calloc(1, sizeof *l);
    uint64_t matched;

    while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
        size_t stable = 0;

        ask_grid(w->g, 1, w->walks % 2 ? "-accuracy" : "train.method", 0, 50, l, &matched);
        for (size_t i = 0; i < l->len; i++)
            stable += l->run[i] % 10 == 0 && l->run[i] < 1000000 + 2 * RUNS;
        if (stable != w->stable)
            w->wrong = "a run was missed or came twice";
        w->walks++;
    }
    free(l);
    return NULL;
}

static void cursors_survive_a_writer(void **state)
{
    struct fixture *f = *state;
    struct rng r = rng_stream("writer", 1, 0);
    struct walker w[2] = { { .stable = RUNS / 5 }, { .stable = RUNS / 5 } };
    pthread_t thread[2];
    struct grids *g;

    fill(f, 1, RUNS, 4);
    OK(grids_new(&g, f->path, 64 << 20, err));
    for (int i = 0; i < 2; i++) {
        w[i].g = g;
        assert_int_equal(pthread_create(&thread[i], NULL, walk_on, &w[i]), 0);
    }
    for (int round = 0; round < 20; round++) {
        sql(f, "BEGIN");
        for (size_t i = 0; i < 60; i++) {
            uint64_t run = 1000000 + 2 * rng_below(&r, RUNS);

            if (run % 10 != 0)
                set_measures(f, run, &r);
        }
        add_run(f, 1, 1000000 + 2 * RUNS + 5 + (uint64_t)round, &r);
        sql(f, "COMMIT");
        nanosleep(&(struct timespec){ .tv_nsec = 70000000 }, NULL);
    }
    for (int i = 0; i < 2; i++) {
        __atomic_store_n(&w[i].stop, true, __ATOMIC_RELEASE);
        pthread_join(thread[i], NULL);
        assert_true(w[i].walks > 0);
        if (w[i].wrong)
            fail_msg("%s", w[i].wrong);
    }
    assert_true(agrees(f, g, 2, "accuracy"));
    grids_free(g);
}

/* ---- memory ---- */

static void memory_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct grids_status st;
    struct grid_view v;
    struct grids *g;

    fill(f, 1, 3 * GRID_CHUNK, 5);
    fill(f, 2, 20, 6);
    OK(grids_new(&g, f->path, 200000, err)); /* less than the first takes */
    OK(grid_open(g, 1, &v, err));
    assert_false(v.fits);
    assert_false(v.ready);
    assert_true(v.rows > 0 && v.rows < v.total);
    grid_done(&v);
    OK(grid_open(g, 2, &v, err)); /* the first one goes */
    assert_true(v.ready);
    assert_int_equal(v.rows, 20);
    grid_done(&v);
    grids_status(g, &st);
    assert_int_equal(st.grids, 1);
    assert_int_equal(st.runs, 20);
    FAILS(ERR_NOT_FOUND, "no experiment 77", grid_open(g, 77, &v, err));
    grids_status(g, &st);
    assert_int_equal(st.grids, 1);
    grids_free(g);
}

/* ---- questions that make no sense ---- */

static void bad_questions_are_refused(void **state)
{
    static const char *const bad_filters[] = {
        "",          "~",        "accuracy",         "accuracy~eq",  "~eq~1",       "accuracy~is~1",
        "nope~eq~1", "run~lt~x", "accuracy~lt~high", "tokens~has~1", "accuracy~lt~"
    };
    static const char *const bad_cursors[] = { "x",     "..",          "00000000.i1.1", "0.-.1",
                                               "1.2.3", "fcbd5a2d.r.", "fcbd5a2d.rzz.1" };
    struct rng r = rng_stream("cursors", 1, 0);
    struct fixture *f = *state;
    struct grid_filters fs = { 0 };
    struct grid_page *page = mem_calloc(1, sizeof *page);
    struct grid_view v;
    struct grids *g;

    fill(f, 1, 50, 7);
    OK(grids_new(&g, f->path, 64 << 20, err));
    OK(grid_open(g, 1, &v, err));
    for (size_t i = 0; i < ARRAY_LEN(bad_filters); i++) {
        FAILS(ERR_INVALID, "", grid_filter_add(&v, &fs, bad_filters[i], err));
        grid_filters_release(&fs);
    }
    FAILS(ERR_INVALID, "did you mean \"accuracy\"", grid_filter_add(&v, &fs, "acuracy~eq~1", err));
    FAILS(ERR_NOT_FOUND, "no column \"nope\"", grid_page(&v, &fs, "nope", NULL, 10, page, err));
    for (size_t i = 0; i < ARRAY_LEN(bad_cursors); i++)
        FAILS(ERR_INVALID, "", grid_page(&v, &fs, "-accuracy", bad_cursors[i], 10, page, err));
    for (size_t i = 0; i < 2000; i++) { /* whatever a stranger sends */
        char text[24] = { 0 };

        for (size_t k = 0; k < rng_below(&r, sizeof text); k++)
            text[k] = "0123456789abcdefwqricx-.%~"[rng_below(&r, 26)];
        if (grid_page(&v, &fs, "train.method", text, 10, page, NULL) == 0)
            grid_page_release(page);
    }
    grid_filters_release(&fs);
    grid_done(&v);
    grids_free(g);
    free(page);
}

/* ---- columns alone ---- */

static void many_numbers_become_reals_and_words_again(void **state)
{
    struct column c;
    uint64_t key[3];
    char text[32];

    (void)state;
    column_init(&c, "lr", COLUMN_PARAM, COLUMN_WORDS);
    for (size_t i = 0; i < COLUMN_WORDS_MAX + 10; i++)
        column_set_text(&c, i, text, (size_t)snprintf(text, sizeof text, "%zu.5", i));
    assert_int_equal(c.form, COLUMN_REAL);
    assert_true(column_number(&c, 70) == 70.5 && column_is_number(&c));
    column_set_text(&c, 5, "\"auto\"", 6);
    assert_int_equal(c.form, COLUMN_WORDS);
    assert_string_equal(column_word(&c, column_code(&c, 5)), "auto");
    assert_true(column_number(&c, 65000) == 65000.5);
    assert_false(column_is_number(&c));
    column_rank(&c);
    column_keys(&c, 3, 3, false, key);
    assert_true(key[0] < key[1] && key[1] < key[2]); /* 3.5, 4.5, auto */
    column_release(&c);
}

static void marks_stand_for_their_values(void **state)
{
    static const char *const values[] = { "\"x\"", "\"\"", "1", "\"1\"", "-2.5", "[1, 2]", "true" };
    struct column words, real;
    uint64_t key, back;

    (void)state;
    column_init(&words, "w", COLUMN_PARAM, COLUMN_WORDS);
    column_init(&real, "r", COLUMN_MEASURE, COLUMN_REAL);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        column_set_text(&words, i, values[i], strlen(values[i]));
        column_set_real(&real, i,
                        i == 2   ? -0.0
                        : i == 3 ? (double)INFINITY
                                 : 0.1 * (double)i - 0.3);
    }
    column_set_text(&words, ARRAY_LEN(values), NULL, 0);
    column_rank(&words);
    for (int d = 0; d < 2; d++)
        for (size_t i = 0; i <= ARRAY_LEN(values); i++) {
            struct column *both[] = { &words, &real };

            for (size_t k = 0; k < 2; k++) {
                struct buf mark = { 0 };

                column_keys(both[k], i, 1, d, &key);
                column_mark(both[k], i, &mark);
                OK(column_mark_key(both[k], buf_str(&mark), d, &back, err));
                assert_true(key == back);
                buf_release(&mark);
            }
        }
    /* A word that is not there any more lies between its neighbours. */
    OK(column_mark_key(&words, "wq77", false, &key, err)); /* "w" */
    column_keys(&words, 0, 1, false, &back);               /* "x" */
    assert_true(key < back);
    column_release(&words);
    column_release(&real);
}

static void whole_numbers_take_the_width_they_need(void **state)
{
    static const int64_t v[] = {
        1, -128, 127, 30000, -40000, 1 << 30, INT64_MAX, COLUMN_NOTHING, 0
    };
    struct column c;

    (void)state;
    column_init(&c, "n", COLUMN_MEASURE, COLUMN_WHOLE);
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        column_set_whole(&c, i, v[i]);
        for (size_t k = 0; k <= i; k++)
            assert_true(column_whole(&c, k) == v[k]);
    }
    assert_int_equal(c.width, 8);
    assert_true(column_whole(&c, 100) == COLUMN_NOTHING);
    column_release(&c);
}

static void groups_gather_rows_by_value(void **state)
{
    struct fixture *f = *state;
    struct grid_groups groups;
    struct grid_filters fs = { 0 };
    struct grid_view v;
    struct grids *g;
    size_t sum = 0;

    fill(f, 1, RUNS, 8);
    OK(grids_new(&g, f->path, 64 << 20, err));
    OK(grid_open(g, 1, &v, err));
    assert_string_equal(grid_telling(&v, &fs)->name, "train.method");
    OK(grid_groups_make(&v, &fs, "method,seed", &groups, err));
    assert_int_equal(groups.len, 24);
    assert_string_equal(groups.group[0].name, "method = 10, seed = 0");
    for (size_t i = 0; i < v.rows; i++) {
        const struct grid_group *x = &groups.group[groups.of[i] - 1];

        assert_true(groups.of[i] > 0);
        assert_true(column_code(groups.by[0], i) == column_code(groups.by[0], x->first));
        assert_true(column_whole(groups.by[1], i) == column_whole(groups.by[1], x->first));
    }
    for (size_t i = 0; i < groups.len; i++)
        sum += groups.group[i].rows;
    assert_int_equal(sum, RUNS);
    grid_groups_release(&groups);
    OK(grid_groups_make(&v, &fs, "", &groups, err));
    assert_int_equal(groups.len, 1);
    assert_int_equal(groups.group[0].rows, RUNS);
    grid_groups_release(&groups);
    OK(grid_groups_make(&v, &fs, "run", &groups, err));
    assert_true(groups.cut && groups.len == GRID_GROUPS_MAX && groups.rows == GRID_GROUPS_MAX);
    grid_groups_release(&groups);
    grid_done(&v);
    grids_free(g);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pages_agree_with_sql_for_every_column_and_filter),
        T(changes_arrive),
        T(running_runs_are_told),
        T(cursors_survive_a_writer),
        T(memory_is_bounded),
        T(bad_questions_are_refused),
        T(groups_gather_rows_by_value),
        cmocka_unit_test(many_numbers_become_reals_and_words_again),
        cmocka_unit_test(marks_stand_for_their_values),
        cmocka_unit_test(whole_numbers_take_the_width_they_need),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
