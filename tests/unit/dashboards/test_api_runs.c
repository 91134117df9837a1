/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: /runs, /curves, /pareto, /compare and /curriculum answer with the documents that
 * docs/api.md describes, and refuse what makes no sense with the right code and a remedy. Method:
 * handlers called as the server calls them; hostile texts as parameters; a walk along cursors. */
#include "tests/unit/store_browse/sweep.h"

#include "common/base/json.h"
#include "dashboards/api_runs.h"

struct asked {
    int rc;
    struct err err;
    struct buf out;
    struct json *root;
};

struct server {
    struct grids *grids;
    struct store *store;
};

static void asked_release(struct asked *a)
{
    json_free(a->root);
    buf_release(&a->out);
}

static struct asked ask(struct server *s, api_fn fn, const char *target)
{
    struct asked a = { .rc = 0 };
    struct request *r = calloc(1, sizeof *r);

    a.rc = request_parse(r, target, strlen(target), &a.err);
    if (!a.rc) {
        struct api_call c = { .store = s->store, .request = r, .grids = s->grids, .out = &a.out };

        a.rc = fn(&c, &a.err);
    }
    if (!a.rc) {
        OK(json_parse(buf_str(&a.out), a.out.len, &a.root, err));
        assert_int_equal(json_integer(json_get(a.root, "version"), 0), 1);
    } else {
        assert_int_equal(a.out.len, 0);
    }
    free(r);
    return a;
}

static void open_server(struct fixture *f, struct server *s)
{
    OK(grids_new(&s->grids, f->path, 64 << 20, err));
    OK(store_open_read(&s->store, f->path, err));
}

static void close_server(struct server *s)
{
    store_close(s->store);
    grids_free(s->grids);
}

static void runs_come_in_pages(void **state)
{
    struct fixture *f = *state;
    struct server s;
    struct buf target CLEANUP(buf_release) = { 0 };
    size_t rows = 0, pages = 0;

    fill(f, 1, 120, 1);
    open_server(f, &s);
    buf_adds(&target, "/experiments/1/runs?limit=50&sort=-train.lr&columns=run,lr,method,state");
    for (bool more = true; more; pages++) {
        struct asked a CLEANUP(asked_release) = ask(&s, api_runs, buf_str(&target));
        const struct json *row, *columns;

        assert_int_equal(a.rc, 0);
        columns = json_get(a.root, "columns");
        assert_string_equal(json_text(json_get(json_at(columns, 1), "name")), "train.lr");
        assert_string_equal(json_text(json_get(json_at(columns, 1), "type")), "number");
        assert_string_equal(json_text(json_get(json_at(columns, 3), "kind")), "state");
        row = json_at(json_get(a.root, "rows"), 0);
        assert_true(json_integer(json_get(row, "run"), 0) ==
                    json_integer(json_at(json_get(row, "values"), 0), -1));
        assert_true(json_is_number(json_at(json_get(row, "values"), 1)));
        assert_true(json_is_string(json_at(json_get(row, "values"), 2)));
        assert_int_equal(json_integer(json_get(a.root, "total"), 0), 120);
        assert_int_equal(json_integer(json_get(a.root, "matched"), 0), 120);
        rows += json_len(json_get(a.root, "rows"));
        more = json_is_string(json_get(a.root, "next"));
        buf_clear(&target);
        buf_printf(&target,
                   "/experiments/1/runs?limit=50&sort=-train.lr&columns=run,lr,method,"
                   "state&after=%s",
                   more ? json_text(json_get(a.root, "next")) : "");
    }
    assert_int_equal(rows, 120);
    assert_int_equal(pages, 3);
    close_server(&s);
}

static void hostile_texts_stay_texts(void **state)
{
    struct fixture *f = *state;
    struct server s;

    fill(f, 1, 3, 1);
    sql(f, "UPDATE param SET value = '\"<script>\\u0000 \\\"~&\"' WHERE name = 'train.method'");
    sql(f, "INSERT INTO param SELECT id, '\"><img src=x>', '\"\xff\"' FROM run");
    open_server(f, &s);
    struct asked a CLEANUP(asked_release) = ask(&s, api_runs, "/experiments/1/runs");
    assert_int_equal(a.rc, 0);
    assert_int_equal(json_len(json_get(a.root, "rows")), 3);
    struct asked b CLEANUP(asked_release) =
        ask(&s, api_runs, "/experiments/1/runs?filter=method~has~%3Cscript%3E");
    assert_int_equal(b.rc, 0);
    assert_int_equal(json_integer(json_get(b.root, "matched"), 0), 3);
    close_server(&s);
}

static void mistakes_have_codes_and_remedies(void **state)
{
    static const struct {
        api_fn fn;
        const char *target;
        int code;
        const char *part;
    } wrong[] = {
        { api_runs, "/experiments/7/runs", ERR_NOT_FOUND, "no experiment 7" },
        { api_runs, "/experiments/0/runs", ERR_INVALID, "" },
        { api_runs, "/experiments/1/runs?limit=1001", ERR_INVALID, "limit" },
        { api_runs, "/experiments/1/runs?sort=acuracy", ERR_INVALID, "did you mean \"accuracy\"" },
        { api_runs, "/experiments/1/runs?columns=lr,sed", ERR_INVALID, "did you mean \"seed\"" },
        { api_runs, "/experiments/1/runs?after=zzz", ERR_INVALID, "no cursor" },
        { api_runs, "/experiments/1/runs?sorted=run", ERR_INVALID, "sort" },
        { api_curves, "/experiments/7/curves", ERR_NOT_FOUND, "no experiment 7" },
        { api_curves, "/experiments/1/curves?metric=x&points=1", ERR_INVALID, "points" },
        { api_curves, "/experiments/1/curves?metric=x&by=nope", ERR_INVALID, "no column" },
        { api_pareto, "/experiments/1/pareto?x=method", ERR_INVALID, "no number" },
        { api_compare, "/experiments/1/compare?by=method&baseline=x", ERR_INVALID, "no run has" },
        { api_curriculum, "/experiments/1/curriculum?step=x", ERR_INVALID, "" },
    };
    struct fixture *f = *state;
    struct server s;

    fill(f, 1, 20, 1);
    open_server(f, &s);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct asked a CLEANUP(asked_release) = ask(&s, wrong[i].fn, wrong[i].target);

        if (a.rc != wrong[i].code || !a.err.text[0] || !strstr(a.err.text, wrong[i].part))
            fail_msg("%s: %s: %s", wrong[i].target, err_name(a.rc), a.err.text);
    }
    close_server(&s);
}

/* An experiment that was just submitted, or is of another kind, is no mistake. */
static void nothing_yet_is_an_answer(void **state)
{
    static const struct {
        api_fn fn;
        const char *target, *member;
    } right[] = {
        { api_runs, "/experiments/1/runs", "rows" },
        { api_curves, "/experiments/1/curves?metric=loss", "groups" },
        { api_curves, "/experiments/1/curves", "groups" },
        { api_pareto, "/experiments/1/pareto", "points" },
        { api_compare, "/experiments/1/compare?by=seed", "rows" },
        { api_curriculum, "/experiments/1/curriculum", "groups" },
    };
    struct fixture *f = *state;
    struct server s;

    add_experiment(f, 1, "one");
    open_server(f, &s);
    for (size_t i = 0; i < ARRAY_LEN(right); i++) {
        struct asked a CLEANUP(asked_release) = ask(&s, right[i].fn, right[i].target);

        if (a.rc < 0)
            fail_msg("%s: %s", right[i].target, a.err.text);
        assert_int_equal(json_len(json_get(a.root, right[i].member)), 0);
        assert_true(json_bool(json_get(a.root, "ready"), false));
    }
    close_server(&s);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(runs_come_in_pages),
        T(hostile_texts_stay_texts),
        T(mistakes_have_codes_and_remedies),
        T(nothing_yet_is_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
