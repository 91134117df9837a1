/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: overview, experiment, graph, jobs, failures, run and timeline come as one JSON object each
 * that says what the store says, with and without a ledger or a coordinator; questions that make no
 * sense are refused with a remedy. Method: handlers called as the server calls them, on a store
 * with a bit of everything, whose texts are hostile. */
#include "tests/unit/store/small_plan.h"

#include "common/base/clock.h"
#include "common/base/json.h"
#include "dashboards/api_farm.h"

#define HOSTILE "</script><img src=x onerror=\"alert(1)\">\n\x01 \xff"

struct rig {
    struct fixture f;
    struct plan plan;
    struct store *reader;
    struct ledger *l;
};

static void end_attempt(struct store *s, uint64_t job, enum store_outcome outcome, bool final)
{
    struct store_result r;
    uint32_t skipped;
    struct try t;

    begin(s);
    t = start(s, job);
    r = result_of(t, outcome);
    r.text = "bad gold " HOSTILE;
    r.log = "last words " HOSTILE;
    OK(store_attempt_end(s, &r, final, &skipped, err));
    commit(s);
}

static int rig_up(void **state)
{
    struct store_worker worker = { .uid = { 1 },
                                   .name = "w<1>",
                                   .host = "h",
                                   .version = "v",
                                   .classes = "c",
                                   .pid = 5,
                                   .slots = 2,
                                   .threads = 1 };
    struct rig *r = calloc(1, sizeof *r);
    uint64_t id, n;

    scratch(&r->f);
    OK(store_open(&r->f.s, r->f.path, "", err));
    OK(store_new_incarnation(r->f.s, &n, err));
    submit_plan(r->f.s, (struct plan_options){ .examples = 8, .shard = 2 }, &r->plan);
    begin(r->f.s);
    OK(store_worker_seen(r->f.s, &worker, &id, err));
    commit(r->f.s);
    finish(r->f.s, r->plan.base, "weights", NULL);
    run_shard(r->f.s, r->plan.shard[0], 0, 2, NULL);
    end_attempt(r->f.s, r->plan.shard[1], STORE_FAILED, true);
    end_attempt(r->f.s, r->plan.shard[2], STORE_LOST, false);
    OK(store_open_read(&r->reader, r->f.path, err));
    OK(ledger_new_quiet(&r->l, r->f.path, err));
    OK(ledger_fill(r->l, err));
    *state = r;
    return 0;
}

static int rig_down(void **state)
{
    struct rig *r = *state;

    ledger_free(r->l);
    store_close(r->reader);
    store_close(r->f.s);
    remove_tree(r->f.dir);
    free(r);
    return 0;
}

/* ---- asking ---- */

static bool matches(const char *pattern, const struct request *r)
{
    for (size_t i = 0; i < r->parts; i++) {
        const size_t len = strcspn(pattern, "/");

        if (len == 0 || (pattern[0] != ':' &&
                         (strlen(r->part[i]) != len || memcmp(pattern, r->part[i], len) != 0)))
            return false;
        pattern += len + (pattern[len] == '/');
    }
    return *pattern == '\0';
}

static int ask(struct rig *r, struct ledger *l, const char *target, struct json **ret,
               struct err *ret_err)
{
    struct request *q = calloc(1, sizeof *q);
    const struct api_route *route = api_farm_routes;
    struct buf out = { 0 };
    struct api_call c = { .store = r->reader,
                          .request = q,
                          .ledger = l,
                          .now_ms = clock_wall_ms(),
                          .time_ms = 5000,
                          .out = &out };

    *ret = NULL;
    OK(request_parse(q, target, strlen(target), err));
    while (route->fn && !matches(route->pattern, q))
        route++;
    assert_non_null(route->fn);
    int rc = route->fn(&c, ret_err);
    if (rc == 0) {
        OK(json_parse(buf_str(&out), out.len, ret, err));
        assert_int_equal(json_integer(json_get(*ret, "version"), 0), 1);
    } else {
        assert_true(rc < 0 && ret_err->text[0]);
    }
    buf_release(&out);
    free(q);
    return rc;
}

static struct json *got(struct rig *r, const char *target)
{
    struct json *d;

    OK(ask(r, r->l, target, &d, err));
    return d;
}

static int64_t n_of(const struct json *o, const char *key)
{
    return json_integer(json_get(o, key), -1);
}

static const char *text_at(const struct json *o, const char *key)
{
    const char *s = json_text(json_get(o, key));

    return s ? s : "(none)";
}

/* ---- claims ---- */

static void overview_counts_and_names_what_is_there(void **state)
{
    struct rig *r = *state;
    struct json *d = got(r, "/overview");
    const struct json *e = json_at(json_get(d, "experiments"), 0);

    assert_int_equal(json_len(json_get(d, "experiments")), 1);
    assert_string_equal(text_at(e, "name"), "exp");
    assert_string_equal(text_at(e, "state"), "running"); /* something ended just now */
    assert_int_equal(n_of(e, "jobs"), 6);
    assert_int_equal(n_of(e, "done"), 2);
    assert_int_equal(n_of(e, "failed"), 1);
    assert_int_equal(n_of(e, "skipped"), 1);
    assert_int_equal(n_of(e, "ready"), 2);
    assert_int_equal(n_of(e, "running"), 0);
    assert_int_equal(n_of(e, "runs"), 1);
    assert_true(json_bool(json_get(d, "ready"), false));
    assert_true(json_get(d, "coordinator") != NULL && !json_get(json_get(d, "coordinator"), "pid"));
    const struct json *spark = json_get(e, "spark");
    int64_t done = 0;
    for (size_t i = 0; i < json_len(json_get(spark, "done")); i++)
        done += json_integer(json_at(json_get(spark, "done"), i), 0);
    assert_int_equal(done, 2);
    assert_string_equal(text_at(json_at(json_get(d, "workers"), 0), "name"), "w<1>");
    assert_false(json_bool(json_get(json_at(json_get(d, "workers"), 0), "here"), true));
    assert_true(json_len(json_get(d, "events")) >= 3);
    assert_true(n_of(json_get(d, "store"), "bytes") > 0);
    json_free(d);
}

static void experiment_and_graph_tell_steps_and_needs(void **state)
{
    struct rig *r = *state;
    struct json *d = got(r, "/experiments/1"), *g = got(r, "/experiments/1/graph");
    const struct json *steps = json_get(d, "steps"), *edges = json_get(g, "edges");

    assert_int_equal(json_len(steps), 3);
    assert_string_equal(text_at(json_at(steps, 1), "step"), "labels");
    assert_string_equal(json_text(json_at(json_get(json_at(steps, 1), "needs"), 0)), "base");
    assert_true(json_bool(json_get(json_get(d, "has"), "labels"), false));
    assert_false(json_bool(json_get(json_get(d, "has"), "curriculum"), true));
    assert_string_equal(text_at(d, "recipe"), "exp.cfg");
    assert_int_equal(json_len(json_get(g, "nodes")), 3);
    assert_int_equal(json_len(edges), 2);
    assert_string_equal(json_text(json_at(json_at(edges, 0), 0)), "base");
    assert_int_equal(json_integer(json_at(json_at(edges, 0), 2), 0), 4);
    json_free(d);
    json_free(g);
    d = got(r, "/experiments/1/recipe");
    assert_string_equal(text_at(d, "text"), "name = \"exp\";");
    json_free(d);
}

static void jobs_are_listed_by_step_and_state(void **state)
{
    static const struct {
        const char *target;
        int64_t matched;
    } cases[] = {
        { "/experiments/1/jobs", 6 },
        { "/experiments/1/jobs?step=labels", 4 },
        { "/experiments/1/jobs?state=failed", 1 },
        { "/experiments/1/jobs?step=labels&state=READY&limit=1", 2 },
        { "/experiments/1/jobs?state=running", 0 },
        { "/experiments/1/jobs?state=diverged", 0 },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *d = got(r, cases[i].target);

        assert_int_equal(n_of(d, "matched"), cases[i].matched);
        assert_true((int64_t)json_len(json_get(d, "jobs")) <= cases[i].matched);
        json_free(d);
    }
}

static void a_job_comes_with_its_log_and_why_it_waits(void **state)
{
    struct rig *r = *state;
    char target[64];
    struct json *d;

    snprintf(target, sizeof target, "/jobs/%d", (int)r->plan.shard[1]);
    d = got(r, target);
    assert_string_equal(text_at(json_get(d, "job"), "state"), "FAILED");
    assert_true(strncmp(text_at(json_get(d, "log"), "text"), "last words </script>", 20) == 0);
    json_free(d);
    snprintf(target, sizeof target, "/jobs/%d", (int)r->plan.shard[3]);
    d = got(r, target);
    const struct json *rules = json_get(json_get(d, "why"), "rules");
    assert_true(json_len(rules) >= 1);
    assert_string_equal(text_at(json_at(rules, json_len(rules) - 1), "rule"), "no_coordinator");
    json_free(d);
    d = got(r, "/runs/1");
    assert_string_equal(text_at(json_get(d, "run"), "experiment"), "exp");
    json_free(d);
}

static void failures_and_timeline_tell_what_went_wrong(void **state)
{
    struct rig *r = *state;
    struct json *d = got(r, "/experiments/1/failures");
    const struct json *group = json_at(json_get(d, "groups"), 0);
    bool told = false;

    assert_int_equal(json_len(json_get(d, "groups")), 1);
    assert_true(strncmp(text_at(group, "text"), "bad gold </script>", 18) == 0);
    assert_int_equal(json_len(json_get(group, "run_ids")), 1);
    assert_int_equal(json_len(json_get(d, "lost_causes")), 1);
    json_free(d);
    d = got(r, "/workers/timeline");
    assert_int_equal(n_of(d, "attempts"), 4);
    const struct json *lanes = json_get(json_at(json_get(d, "workers"), 0), "lanes");
    for (size_t i = 0; i < json_len(lanes); i++)
        for (size_t k = 0; k < json_len(json_at(lanes, i)); k++) {
            const struct json *s = json_at(json_at(lanes, i), k);

            assert_true(n_of(s, "start_ms") <= n_of(s, "end_ms"));
            told = told || strncmp(text_at(s, "text"), "bad gold", 8) == 0;
            assert_string_equal(text_at(s, "experiment"), "exp");
        }
    assert_true(told);
    json_free(d);
}

static void senseless_questions_are_refused(void **state)
{
    static const struct {
        const char *target;
        int code;
        const char *part;
    } cases[] = {
        { "/overview?limti=3", ERR_INVALID, "limit" },
        { "/overview?limit=0", ERR_INVALID, "limit" },
        { "/experiments/9", ERR_NOT_FOUND, "exp" },
        { "/experiments/x", ERR_INVALID, "" },
        { "/experiments/9/graph", ERR_NOT_FOUND, "no experiment 9" },
        { "/experiments/9/failures", ERR_NOT_FOUND, "no experiment 9" },
        { "/experiments/9/recipe", ERR_NOT_FOUND, "no experiment 9" },
        { "/experiments/1/recipe?revision=7", ERR_NOT_FOUND, "1..1" },
        { "/experiments/1/jobs?state=faild", ERR_INVALID, "\"failed\"" },
        { "/experiments/1/jobs?step=lables", ERR_NOT_FOUND, "labels" },
        { "/experiments/1/jobs?limit=501", ERR_INVALID, "limit" },
        { "/experiments/1/jobs?after=-1", ERR_INVALID, "after" },
        { "/jobs/999", ERR_NOT_FOUND, "no job 999" },
        { "/runs/999", ERR_NOT_FOUND, "999" },
        { "/workers/timeline?from_ms=9&to_ms=3", ERR_INVALID, "from_ms" },
        { "/workers/timeline?limit=5001", ERR_INVALID, "limit" },
    };
    struct rig *r = *state;
    struct json *d;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        FAILS(cases[i].code, cases[i].part, ask(r, r->l, cases[i].target, &d, err));
}

static void without_a_ledger_it_says_so(void **state)
{
    struct rig *r = *state;
    struct json *d;

    OK(ask(r, NULL, "/overview", &d, err));
    assert_false(json_bool(json_get(d, "ready"), true));
    assert_int_equal(json_len(json_get(d, "experiments")), 0);
    json_free(d);
    OK(ask(r, NULL, "/workers/timeline", &d, err));
    json_free(d);
    FAILS(ERR_AGAIN, "try again", ask(r, NULL, "/experiments/1", &d, err));
    FAILS(ERR_AGAIN, "try again", ask(r, NULL, "/experiments/1/jobs", &d, err));
}

#define WITH(NAME) cmocka_unit_test_setup_teardown(NAME, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(overview_counts_and_names_what_is_there),
        WITH(experiment_and_graph_tell_steps_and_needs),
        WITH(jobs_are_listed_by_step_and_state),
        WITH(a_job_comes_with_its_log_and_why_it_waits),
        WITH(failures_and_timeline_tell_what_went_wrong),
        WITH(senseless_questions_are_refused),
        WITH(without_a_ledger_it_says_so),
    };

    return cmocka_run_group_tests_name("dashboards.api_farm", tests, NULL, NULL);
}
