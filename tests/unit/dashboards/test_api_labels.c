/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: labels, examples and trees come as JSON documents whose numbers are those of the command
 * line, whatever texts users have; questions that make no sense are refused with a remedy. Method:
 * handlers called as the server calls them, on small and random stores; hostile arguments. */
#include "tests/unit/dashboards/asking.h"

#include "store/reports/reports.h"
#include "store/sqlite.h"
#include "store/store_private.h"

/* ---- labels ---- */

static int same_member(const char *key, struct json *value, void *arg)
{
    const struct json *other = json_get(arg, key);
    char *a = json_dump(value, 0), *b = other ? json_dump(other, 0) : strdup("absent");

    if (strcmp(key, "version") != 0 && strcmp(key, "experiment") != 0)
        assert_string_equal(a, b);
    free(a);
    free(b);
    return 0;
}

/* The page's set of STEP with GROUP's task, level and split. */
static struct json *set_like(const struct json *root, const char *step, const struct json *group)
{
    static const char *const names[] = { "task", "split" };
    const struct json *sets = json_get(root, "sets");

    for (size_t i = 0; i < json_len(sets); i++) {
        struct json *set = json_at(sets, i);
        bool same = strcmp(json_text(json_get(set, "step")), step) == 0 &&
                    integer(set, "level") == integer(group, "level");

        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            same = same && strcmp(json_text(json_get(set, names[k])),
                                  json_text(json_get(group, names[k]))) == 0;
        if (same)
            return set;
    }
    fail_msg("a set is missing");
    return NULL;
}

/* Everything that `drover labels stats --json` says of a group stands in the page's set too. */
static void labels_have_the_numbers_of_the_report(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("api", 1, 1);
    struct label_cache *cache = label_cache_new(0);
    struct label_store l;
    struct store *r;

    ls_make(&l, f->s, "a", 3, &rng);
    OK(store_open_read(&r, f->path, err));
    for (int round = 0; round < 3; round++) {
        struct asked a CLEANUP(asked_release) = { 0 };
        struct json *report CLEANUP(json_cleanup) = NULL;
        struct buf text CLEANUP(buf_release) = { 0 };
        size_t groups = 0;

        ls_grow(&l, 60, &rng);
        a = ask_within(r, cache, 5000, "/experiments/1/labels", NULL);
        assert_int_equal(a.rc, 0);
        OK(report_make(r, "label_stats", "{\"experiment\":\"a\"}", NULL, &text, err));
        OK(json_parse(buf_str(&text), text.len, &report, err));
        for (size_t s = 0; s < json_len(json_get(report, "sets")); s++) {
            const struct json *set = json_at(json_get(report, "sets"), s),
                              *list = json_get(set, "groups");

            for (size_t g = 0; g < json_len(list); g++, groups++)
                json_each(json_at(list, g), same_member,
                          set_like(a.root, json_text(json_get(set, "step")), json_at(list, g)));
        }
        assert_true(groups > 1);
        assert_true(json_bool(json_get(a.root, "ready"), false));
    }
    store_close(r);
    label_cache_free(cache);
}

static void most_skipped_layers_come_first(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("api", 1, 2);
    double before = 1.0;
    struct label_store l;

    ls_make(&l, f->s, "a", 3, &rng);
    ls_grow(&l, 100, &rng);
    struct asked a CLEANUP(asked_release) = ask(f->s, "/experiments/1/labels", NULL);
    const struct json *most = json_get(a.root, "skipped_most"),
                      *per = json_get(json_get(a.root, "all"), "per_layer");
    int64_t n_before = INT64_MAX;

    assert_true(json_len(most) > 2);
    for (size_t i = 0; i < json_len(most); i++) {
        const struct json *one = json_at(most, i),
                          *at = json_at(per, (size_t)integer(one, "layer"));

        assert_int_equal(integer(one, "n"), json_integer(json_at(at, 0), -1));
        assert_true(integer(one, "n") <= n_before);
        n_before = integer(one, "n");
        before = json_number(json_get(one, "share"), -1);
        assert_true(before > 0 && before <= 1);
    }
}

static void experiment_without_labels_has_no_sets(void **state)
{
    struct fixture *f = *state;
    struct store_submission sub;
    struct digest revision = key_of("x");

    OK(store_submit_begin(f->s, "x", &revision, "", "", &sub, err));
    OK(store_submit_end(f->s, &sub, NULL, err));
    struct asked a CLEANUP(asked_release) = ask(f->s, "/experiments/1/labels?step=x", NULL);
    assert_int_equal(a.rc, 0);
    assert_int_equal(json_len(json_get(a.root, "sets")), 0);
    assert_true(json_bool(json_get(a.root, "ready"), false));
    struct asked e CLEANUP(asked_release) = ask(f->s, "/experiments/1/examples", NULL);
    assert_int_equal(integer(e.root, "matched"), 0);
    assert_true(json_is_null(json_get(e.root, "next")));
}

/* Page after page; "matched" is right whenever it is told. */
static void examples_are_paged_with_the_filter_of_the_question(void **state)
{
    static const char *const questions[] = {
        "",
        "show=improved",
        "show=unsolved",
        "show=solved&at=1:skip",
        "at=0:2",
        "at=2:execute",
        "show=shorter",
        "min_layers=3",
        "step=near",
        "max_layers=2",
        "text=%3cB%20onclick",
        "min_layers=2&max_layers=4&at=0:1",
        "level=1",
        "show=preserved&step=labels",
    };
    struct fixture *f = *state;
    struct rng rng = rng_stream("api", 1, 3);
    struct label_store l;
    size_t told = 0;

    ls_make(&l, f->s, "a", 3, &rng);
    ls_grow(&l, 150, &rng);
    for (size_t q = 0; q < ARRAY_LEN(questions); q++) {
        char next[300] = "";
        size_t seen = 0;
        int64_t matched = -1;

        for (int page = 0; page < 200; page++) {
            char target[800];

            snprintf(target, sizeof target, "/experiments/1/examples?%s%s%s%s&limit=7",
                     questions[q], next[0] ? "&after=" : "", next, "");
            struct asked a CLEANUP(asked_release) = ask(f->s,
                                                        questions[q][0] ? target
                                                        : page          ? target
                                                               : "/experiments/1/examples?limit=7",
                                                        NULL);
            if (a.rc == ERR_NOT_FOUND) /* no set of level 1 */
                break;
            assert_int_equal(a.rc, 0);
            seen += json_len(json_get(a.root, "examples"));
            matched = json_integer(json_get(a.root, "matched"), -1);
            if (json_is_null(json_get(a.root, "next")))
                break;
            snprintf(next, sizeof next, "%s", json_text(json_get(a.root, "next")));
        }
        if (matched >= 0) {
            assert_int_equal(seen, matched);
            told++;
        }
    }
    assert_true(told >= 8);
}

static void label_comes_with_its_tree_and_neighbours(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_stream("api", 1, 4);
    static const uint8_t paths[2][LS_LAYERS_MAX] = { { 1, 1, 1, 1, 1, 1 }, { 1, 0, 1, 1, 1, 1 } };
    struct label_store l;
    struct store_entry log[2] = {
        { .parent = -1, .routing = paths[0], .visits = 2, .value = 1, .answer = LS_HTML },
        { .parent = 0, .routing = paths[1], .visits = 1, .value = 1, .reward = 1, .answer = "8" }
    };

    ls_make(&l, f->s, "a", 1, &rng);
    OK(sqlite_run(f->s->db, "UPDATE run_family SET examples = 40", err));
    begin(f->s);
    for (uint64_t i = 0; i < 3; i++) {
        log[0].routing_len = log[1].routing_len = l.family[0].layers;
        ls_send(&l, 0, i, log, 2, &rng);
    }
    commit(f->s);
    struct asked a CLEANUP(asked_release) = ask(f->s, "/labels/2?experiment=1", NULL);
    assert_int_equal(a.rc, 0);
    const struct json *label = json_get(a.root, "label"), *tree = json_get(a.root, "tree"),
                      *near = json_get(a.root, "neighbours"),
                      *node = json_at(json_get(tree, "nodes"), 1);
    assert_string_equal(json_text(json_get(label, "question")), "1+1=" LS_HTML);
    assert_string_equal(json_text(json_get(label, "base_answer")), LS_HTML);
    assert_string_equal(json_text(json_get(json_get(json_get(label, "job"), "params"), "task")),
                        "\"math\"");
    assert_int_equal(json_len(json_get(label, "readers")), 1);
    assert_int_equal(integer(tree, "of"), 2);
    assert_false(json_bool(json_get(tree, "truncated"), true));
    assert_int_equal(integer(node, "parent"), 0);
    assert_true(json_number(json_get(node, "value"), 0) == 1.0);
    assert_true(json_number(json_get(json_at(json_get(tree, "nodes"), 0), "value"), 0) == 0.5);
    assert_int_equal(integer(near, "previous"), 1);
    assert_int_equal(integer(near, "next"), 3);
    struct asked b CLEANUP(asked_release) = ask(f->s, "/labels/3", NULL);
    assert_int_equal(integer(json_get(b.root, "neighbours"), "previous"), 2);
    assert_true(json_is_null(json_get(json_get(b.root, "neighbours"), "next")));
    struct asked c CLEANUP(asked_release) = ask(f->s, "/labels/2?experiment=1&at=77:skip", NULL);
    assert_true(json_is_null(json_get(json_get(c.root, "neighbours"), "next")));
}

/* ---- nonsense ---- */

static void questions_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *target;
        int code;
        const char *part;
    } bad[] = {
        { "/experiments/1/labels?levl=3", ERR_INVALID, "did you mean \"level\"" },
        { "/experiments/x/labels", ERR_INVALID, "" },
        { "/experiments/99999999999999999999/labels", ERR_INVALID, "" },
        { "/experiments/9/labels", ERR_NOT_FOUND, "no experiment 9" },
        { "/experiments/1/labels?step=<b>", ERR_NOT_FOUND, "no labels of step" },
        { "/experiments/1/labels?level=1e9", ERR_INVALID, "level" },
        { "/experiments/1/labels?run=-1", ERR_INVALID, "run" },
        { "/experiments/1/examples?show=solvd", ERR_INVALID, "did you mean \"solved\"" },
        { "/experiments/1/examples?at=3", ERR_INVALID, "write 14:skip" },
        { "/experiments/1/examples?at=:skip", ERR_INVALID, "write 14:skip" },
        { "/experiments/1/examples?at=9999:skip", ERR_INVALID, "write 14:skip" },
        { "/experiments/1/examples?at=3:skipp", ERR_INVALID, "write 14:skip" },
        { "/experiments/1/examples?limit=0", ERR_INVALID, "limit" },
        { "/experiments/1/examples?limit=501", ERR_INVALID, "limit" },
        { "/experiments/1/examples?after=x", ERR_INVALID, "after" },
        { "/experiments/1/examples?after=1-2-", ERR_INVALID, "after" },
        { "/experiments/1/examples?after=1-2", ERR_INVALID, "after" },
        { "/experiments/1/examples?after=-1-2-labels", ERR_INVALID, "after" },
        { "/experiments/1/examples?after=99-2-labels", ERR_INVALID, "the list has changed" },
        { "/experiments/1/examples?after=99999999999999999999-99999999999999999999-labels",
          ERR_INVALID, "" },
        { "/experiments/1/examples?max_layers=99999999", ERR_INVALID, "max_layers" },
        { "/labels/0", ERR_INVALID, "" },
        { "/labels/777", ERR_NOT_FOUND, "no label 777" },
        { "/labels/1?experiment=x", ERR_INVALID, "experiment" },
        { "/labels/1?experiment=44", ERR_NOT_FOUND, "no experiment 44" },
    };
    struct fixture *f = *state;
    struct rng rng = rng_stream("api", 1, 5);
    struct buf many CLEANUP(buf_release) = { 0 };
    struct label_store l;

    ls_make(&l, f->s, "a", 1, &rng);
    begin(f->s);
    ls_send(&l, 0, 0, NULL, 0, &rng);
    commit(f->s);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(f->s, bad[i].target, NULL, bad[i].code, bad[i].part);
    buf_adds(&many, "/experiments/1/examples?at=1:skip");
    for (int i = 0; i < STORE_AT_MAX; i++)
        buf_adds(&many, "&at=1:skip");
    refused(f->s, buf_str(&many), NULL, ERR_INVALID, "more than 32 conditions");
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(labels_have_the_numbers_of_the_report),
        T(most_skipped_layers_come_first),
        T(experiment_without_labels_has_no_sets),
        T(examples_are_paged_with_the_filter_of_the_question),
        T(label_comes_with_its_tree_and_neighbours),
        T(questions_that_make_no_sense_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
