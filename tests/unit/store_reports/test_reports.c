/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: reports say what is in the store, in the promised form, and refuse hostile arguments with a
 * remedy. Method: a small fixed store (tests/unit/store/small_plan.h) in which one chain is done
 * and another waits; answers are compared with golden JSON once times and names of folders are
 * taken out; every report gets arguments that are no object, of the wrong type, misspelt, and
 * unknown. */
#include "tests/unit/store/small_plan.h"

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/control.h"
#include "store/reports/reports.h"

/* ---- the small store ---- */

struct reading {
    struct fixture f;
    struct plan plan[2];
    struct store *r; /* a reading connection */
};

static void add_metrics(struct store *s, uint64_t job, double last)
{
    struct store_metric m[] = { { "reward", 1, 0.25 }, { "reward", 2, last } };
    struct store_output out = { .name = "model" };
    struct store_result result = { .outcome = STORE_DONE,
                                   .environment = "cpu one; blas two",
                                   .wall_ms = 2000,
                                   .cpu_ms = 1500,
                                   .log = "line one\nline two\n",
                                   .metrics = m,
                                   .metrics_len = ARRAY_LEN(m) };
    enum store_verdict verdict;
    struct store_worker worker = { .uid = { 1 },
                                   .name = "host:1",
                                   .host = "host",
                                   .version = "0",
                                   .classes = "packed-1",
                                   .pid = 1,
                                   .slots = 1,
                                   .threads = 1 };
    uint64_t id;

    OK(blobs_put(store_blobs(s), "weights", 7, &out.digest, err));
    out.size_bytes = 7;
    result.outputs = &out;
    result.outputs_len = 1;
    begin(s);
    OK(store_worker_seen(s, &worker, &id, err));
    OK(store_attempt_start(s, job, id, &result.attempt, &result.epoch, err));
    OK(store_job_done(s, &result, &verdict, NULL, err));
    commit(s);
}

/* Experiment "exp" with one run that is done but for its label set; a job of it ended FAILED once.
 */
static int open_reading(void **state)
{
    struct reading *x = calloc(1, sizeof *x);
    struct store_ids ready = { 0 };

    scratch(&x->f);
    OK(store_open(&x->f.s, x->f.path, "", err));
    submit_plan(x->f.s, (struct plan_options){ 0 }, &x->plan[0]);
    add_metrics(x->f.s, x->plan[0].base, 0.75);
    run_shard(x->f.s, x->plan[0].shard[0], 0, 2, &ready);
    run_shard(x->f.s, x->plan[0].shard[1], 2, 4, &ready);
    store_ids_release(&ready);
    OK(store_open_read(&x->r, x->f.path, err));
    *state = x;
    return 0;
}

static int close_reading(void **state)
{
    struct reading *x = *state;

    store_close(x->r);
    store_close(x->f.s);
    remove_tree(x->f.dir);
    free(x);
    return 0;
}

static struct json *report(struct store *s, const char *what, const char *arguments)
{
    struct buf text = { 0 };
    struct json *d = NULL;

    OK(report_make(s, what, arguments, NULL, &text, err));
    OK(json_parse(buf_str(&text), text.len, &d, err));
    assert_int_equal(json_integer(json_get(d, "version"), 0), 1);
    buf_release(&text);
    return d;
}

/* The compact JSON of member KEY of D equals TEXT. */
static void is(const struct json *d, const char *key, const char *text)
{
    char *dump = json_dump(json_get(d, key), 0);

    if (strcmp(dump, text) != 0)
        fail_msg("%s is\n  %s\nnot\n  %s", key, dump, text);
    free(dump);
}

static const char *text(const struct json *o, const char *key)
{
    const char *s = json_text(json_get(o, key));
    return s ? s : "(none)";
}

/* ---- what they say ---- */

static void runs_are_listed_with_parameters_state_and_results(void **state)
{
    struct reading *x = *state;
    struct json *d = report(x->r, "runs",
                            "{\"metrics\":[\"reward\"],\"columns\":[\"state\",\"done\","
                            "\"jobs\",\"lr\",\"seed\",\"base\",\"oracle\"]}");

    is(d, "experiment", "\"exp\"");
    is(d, "runs", "1");
    is(d, "columns",
       "[\"run\",\"state\",\"done\",\"jobs\",\"lr\",\"seed\",\"base\",\"oracle\",\"reward\"]");
    is(d, "kinds",
       "[\"run\",\"state\",\"state\",\"state\",\"parameter\",\"run\",\"result\",\"result\","
       "\"metric\"]");
    is(d, "rows", "[[1,\"ready\",3,4,0.001,1,0.5,0.75,0.75]]");
    is(d, "more", "false");
    json_free(d);
}

static void runs_are_chosen_and_sorted_by_conditions(void **state)
{
    static const struct {
        const char *where;
        size_t rows;
    } cases[] = {
        { "lr == 0.001", 1 },
        { "lr > 0.001", 0 },
        { "seed in [1, 2] and not failed > 0", 1 },
        { "state == 'ready' or state == 'done'", 1 },
        { "oracle >= 0.75 and accuracy == 1", 0 }, /* no accuracy: the comparison is false */
        { "`reward` > 0.5", 1 },
        { "  ", 1 },
    };
    struct reading *x = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *a = json_new_object();
        char *arguments;

        json_set(a, "where", json_new_text(cases[i].where));
        json_set(a, "metrics", json_new_array());
        json_push(json_get(a, "metrics"), json_new_text("reward"));
        arguments = json_dump(a, 0);
        struct json *d = report(x->r, "runs", arguments);
        if (json_len(json_get(d, "rows")) != cases[i].rows)
            fail_msg("%s: %zu rows", cases[i].where, json_len(json_get(d, "rows")));
        json_free(d);
        json_free(a);
        free(arguments);
    }
}

static void a_run_is_shown_with_its_jobs_results_and_environment(void **state)
{
    struct reading *x = *state;
    struct json *d = report(x->r, "show", "{\"of\":\"run 1\"}");

    is(d, "params", "{\"lr\":\"0.001\"}");
    assert_string_equal(text(json_get(d, "run"), "experiment"), "exp");
    assert_int_equal(json_len(json_get(d, "steps")), 3);
    assert_int_equal(json_len(json_get(d, "jobs")), 4);
    assert_string_equal(text(json_at(json_get(d, "jobs"), 0), "worker"), "host:1");
    assert_string_equal(text(json_at(json_get(d, "jobs"), 3), "state"), "READY");
    const struct json *label = json_at(json_get(d, "labels"), 0);
    assert_int_equal(json_integer(json_get(label, "n"), 0), 4);
    assert_true(json_number(json_get(label, "base"), 0) == 0.5);
    assert_true(json_number(json_get(label, "oracle"), 0) == 0.75);
    is(json_at(json_get(d, "training"), 0), "last", "0.75");
    is(json_at(json_get(d, "environments"), 1), "environment", "\"cpu one; blas two\"");
    const struct json *out = json_at(json_get(d, "outputs"), 0);
    char hex[DIGEST_HEX];
    struct digest weights = digest_of("weights", 7);
    assert_string_equal(text(out, "digest"), digest_hex(&weights, hex));
    json_free(d);
}

static void a_job_is_found_by_number_and_by_key(void **state)
{
    struct reading *x = *state;
    struct digest key = key_of("base");
    char hex[DIGEST_HEX], arguments[160];
    struct json *d = report(x->r, "show", "{\"of\":\"j1\"}");

    assert_string_equal(text(json_get(d, "job"), "key"), digest_hex(&key, hex));
    assert_string_equal(text(json_get(d, "job"), "params"), "steps = 10");
    is(json_at(json_get(d, "attempts"), 0), "effective", "1");
    is(json_at(json_get(d, "attempts"), 0), "seconds", "2.0");
    is(json_at(json_get(d, "attempts"), 0), "log_bytes", "18");
    json_free(d);
    snprintf(arguments, sizeof arguments, "{\"of\":\"%.9s\"}", hex);
    d = report(x->r, "show", arguments);
    assert_string_equal(text(json_get(d, "job"), "key"), hex);
    json_free(d);
}

static void logs_come_newest_first(void **state)
{
    struct reading *x = *state;
    struct json *d = report(x->r, "logs", "{\"of\":\"1\"}");
    const struct json *list = json_get(d, "attempts");

    assert_int_equal(json_len(list), 3);
    assert_int_equal(json_integer(json_get(json_at(list, 2), "job"), 0), 1);
    is(json_at(list, 2), "log", "\"line one\\nline two\\n\"");
    json_free(d);
    d = report(x->r, "logs", "{\"of\":\"j4\"}");
    assert_int_equal(json_len(json_get(d, "attempts")), 0);
    json_free(d);
}

static void a_run_does_not_differ_from_itself(void **state)
{
    struct reading *x = *state;
    struct json *d = report(x->r, "diff", "{\"a\":\"1\",\"b\":\"1\"}");

    is(d, "params", "[]");
    for (size_t i = 0; i < json_len(json_get(d, "steps")); i++) {
        is(json_at(json_get(d, "steps"), i), "differ", "0");
        is(json_at(json_get(d, "steps"), i), "why", "[]");
    }
    for (size_t i = 0; i < json_len(json_get(d, "results")); i++)
        is(json_at(json_get(d, "results"), i), "difference", "0.0");
    assert_true(json_len(json_get(d, "results")) >= 4);
    json_free(d);
}

/* A second experiment whose base model has another seed and more steps. */
static void submit_other(struct store *s)
{
    struct digest revision = key_of("other rev"), point = key_of("other point");
    struct store_param params[] = { { "lr", "0.002" }, { "depth", "3" } };
    struct store_job_spec spec = { .key = key_of("other base"),
                                   .kind = "pretrain",
                                   .numeric_class = "packed-2",
                                   .step = "base",
                                   .kind_version = 1,
                                   .params = "q",
                                   .params_len = 1,
                                   .params_text = "steps = 20\nwarmup = 5\n",
                                   .seed = 2,
                                   .retries = 1 };
    struct store_submission sub;
    uint64_t run, job;

    OK(store_submit_begin(s, "other", &revision, "name = \"other\";", "other.cfg", &sub, err));
    OK(store_submit_run(s, &sub, &point, 2, params, 2, &run, err));
    spec.runs = &run;
    spec.runs_len = 1;
    OK(store_submit_job(s, &sub, &spec, &job, err));
    OK(store_submit_end(s, &sub, NULL, err));
    add_metrics(s, job, 0.5);
}

static void a_difference_is_told_with_its_reasons(void **state)
{
    struct reading *x = *state;

    submit_other(x->f.s);
    struct json *d = report(x->r, "diff", "{\"a\":\"1\",\"b\":\"2\"}");
    is(d, "params",
       "[{\"name\":\"depth\",\"a\":null,\"b\":\"3\"},"
       "{\"name\":\"lr\",\"a\":\"0.001\",\"b\":\"0.002\"}]");
    const struct json *base = json_at(json_get(d, "steps"), 0);
    assert_string_equal(text(base, "step"), "base");
    is(base, "why",
       "[{\"what\":\"parameter\",\"name\":\"steps\",\"a\":\"10\",\"b\":\"20\",\"jobs\":1},"
       "{\"what\":\"parameter\",\"name\":\"warmup\",\"a\":\"\",\"b\":\"5\",\"jobs\":1},"
       "{\"what\":\"seed\",\"name\":\"\",\"a\":\"0\",\"b\":\"2\",\"jobs\":1},"
       "{\"what\":\"numeric class\",\"name\":\"\",\"a\":\"packed-1\",\"b\":\"packed-2\","
       "\"jobs\":1}]");
    is(json_at(json_get(d, "results"), 0), "difference", "-0.25");
    is(json_at(json_get(d, "steps"), 1), "only_a", "2");
    json_free(d);
}

static void status_of_one_experiment_counts_its_steps(void **state)
{
    struct reading *x = *state;
    struct json *d;

    submit_other(x->f.s);
    d = report(x->r, "status", "{\"experiment\":\"exp\"}");
    assert_int_equal(json_len(json_get(d, "experiments")), 1);
    const struct json *e = json_at(json_get(d, "experiments"), 0);
    is(e, "finished", "false");
    is(json_at(json_get(e, "steps"), 1), "units_done", "4");
    is(json_at(json_get(e, "steps"), 2), "ready", "1");
    json_free(d);
    d = report(x->r, "status", NULL);
    assert_int_equal(json_len(json_get(d, "experiments")), 2);
    is(json_at(json_get(d, "experiments"), 0), "finished", "true");
    json_free(d);
}

static void demand_counts_what_could_run_by_what_it_asks_for(void **state)
{
    struct reading *x = *state;
    struct json *d = report(x->r, "demand", NULL);

    is(d, "demand",
       "[{\"class\":\"packed-1\",\"labels\":\"\",\"cores\":0,\"memory_mib\":0,\"jobs\":1}]");
    is(d, "more", "false");
    json_free(d);
    struct store_changes changed = { 0 };
    uint32_t jobs;
    begin(x->f.s);
    OK(store_control(x->f.s, &(struct store_control){ .verb = STORE_PAUSE, .experiment = "exp" },
                     &changed, &jobs, NULL, err));
    commit(x->f.s);
    store_changes_release(&changed);
    d = report(x->r, "demand", NULL);
    is(d, "demand", "[]");
    json_free(d);
}

static void a_plan_learns_what_is_there_and_what_it_took(void **state)
{
    struct reading *x = *state;
    struct digest base = key_of("base"), set = key_of("set 4"), no = key_of("no"),
                  family = key_of("family");
    char a[DIGEST_HEX], b[DIGEST_HEX], c[DIGEST_HEX], f[DIGEST_HEX], arguments[600];

    snprintf(arguments, sizeof arguments,
             "{\"jobs\":[\"%s\",\"%s\",\"%s\"],\"families\":[\"%s\",\"%s\"],\"kinds\":[{\"kind\":"
             "\"pretrain\",\"class\":\"packed-1\",\"params\":\"steps = 10\"},{\"kind\":\"search\","
             "\"class\":\"other\",\"params\":\"\"}]}",
             digest_hex(&base, a), digest_hex(&no, b), digest_hex(&set, c), digest_hex(&family, f),
             b);
    struct json *d = report(x->r, "plan", arguments);
    is(d, "states", "\"D-R\"");
    is(d, "families", "[4,0]");
    is(json_at(json_get(d, "kinds"), 0), "mean_ms", "2000.0");
    is(json_at(json_get(d, "kinds"), 0), "sd_ms", "null");
    is(json_at(json_get(d, "kinds"), 0), "bytes", "7.0");
    is(json_at(json_get(d, "kinds"), 1), "n", "0");
    json_free(d);
}

static void the_schema_explains_every_view_and_its_columns(void **state)
{
    struct reading *x = *state;
    struct json *d = report(x->r, "schema", NULL);
    const struct json *views = json_get(d, "views"), *tables = json_get(d, "tables");

    assert_true(json_len(views) >= 6 && json_len(tables) >= 20);
    for (size_t i = 0; i < json_len(views); i++) {
        const struct json *v = json_at(views, i), *columns = json_get(v, "columns");

        assert_true(json_len(columns) > 0);
        if (strcmp(text(v, "name"), "accuracy") != 0)
            continue;
        assert_non_null(strstr(text(v, "about"), "one row per run"));
        is(json_at(columns, 8), "name", "\"n\"");
        is(json_at(columns, 8), "about", "\"examples\"");
    }
    json_free(d);
    d = report(x->r, "schema", "{\"name\":\"job\"}");
    assert_int_equal(json_len(json_get(d, "views")), 0);
    assert_int_equal(json_len(json_get(d, "tables")), 1);
    json_free(d);
}

static void a_query_keeps_types_and_bits(void **state)
{
    struct reading *x = *state;
    struct json *d =
        report(x->r, "query",
               "{\"sql\":\"select 1 as i, 0.1 as r, 2.0 as w, 'a\\\"\\u00e9' as t, null "
               "as n, x'00ff' as b\"}");

    is(d, "columns", "[\"i\",\"r\",\"w\",\"t\",\"n\",\"b\"]");
    is(d, "rows", "[[1,0.10000000000000001,2.0,\"a\\\"\u00e9\",null,\"00ff\"]]");
    is(d, "truncated", "false");
    json_free(d);
    d = report(x->r, "query", "{\"sql\":\"select id from job order by id\",\"rows\":2}");
    is(d, "rows", "[[1],[2]]");
    is(d, "truncated", "true");
    json_free(d);
}

/* ---- what they refuse ---- */

static void refuses(struct reading *x, int code, const char *part, const char *what,
                    const char *arguments)
{
    struct buf out = { 0 };

    buf_adds(&out, "before");
    FAILS(code, part, report_make(x->r, what, arguments, NULL, &out, err));
    assert_string_equal(buf_str(&out), "before"); /* nothing half-made is left */
    buf_release(&out);
}

static void bad_arguments_are_refused_with_the_nearest_spelling(void **state)
{
    struct reading *x = *state;

    refuses(x, ERR_INVALID, "did you mean \"runs\"", "rnus", "{}");
    refuses(x, ERR_INVALID, "no report \"xyzzyxyzzy\"", "xyzzyxyzzy", "{}");
    for (size_t i = 0; report_names()[i]; i++) {
        const char *name = report_names()[i];

        assert_true(strlen(report_help(name)) > 10);
        refuses(x, ERR_INVALID, "no JSON", name, "{");
        refuses(x, ERR_INVALID, "no JSON object", name, "[]");
        refuses(x, ERR_INVALID, "no argument \"zzzzzzzzzz\"", name, "{\"zzzzzzzzzz\":1}");
    }
    refuses(x, ERR_INVALID, "did you mean \"where\"", "runs", "{\"wehre\":\"\"}");
    refuses(x, ERR_INVALID, "is a text", "runs", "{\"where\":1}");
    refuses(x, ERR_INVALID, "is a text", "show", "{\"of\":\"a\\u0000b\"}");
    refuses(x, ERR_INVALID, "a list of texts", "runs", "{\"sort\":[1]}");
    refuses(x, ERR_INVALID, "a whole number", "runs", "{\"limit\":1.5}");
    refuses(x, ERR_INVALID, "not negative", "runs", "{\"limit\":-1}");
    refuses(x, ERR_INVALID, "true or false", "runs", "{\"superseded\":\"yes\"}");
    refuses(x, ERR_INVALID, "missing", "show", "{}");
    refuses(x, ERR_INVALID, "missing", "diff", "{\"a\":\"1\"}");
    refuses(x, ERR_INVALID, "a list of at most", "plan", "{\"kinds\":{}}");
    refuses(x, ERR_INVALID, "no kind, class and params", "plan", "{\"kinds\":[1]}");
    refuses(x, ERR_INVALID, "", "plan", "{\"jobs\":[\"12\"]}");
}

static void what_is_not_there_is_named(void **state)
{
    struct reading *x = *state;

    refuses(x, ERR_NOT_FOUND, "did you mean \"exp\"", "runs", "{\"experiment\":\"exq\"}");
    refuses(x, ERR_NOT_FOUND, "did you mean \"oracle\"", "runs", "{\"where\":\"oracel > 1\"}");
    refuses(x, ERR_NOT_FOUND, "--metric", "runs", "{\"sort\":[\"-gradient_norm\"]}");
    refuses(x, ERR_INVALID, "--where", "runs", "{\"where\":\"lr >\"}");
    refuses(x, ERR_NOT_FOUND, "they go up to 1", "show", "{\"of\":\"99\"}");
    refuses(x, ERR_NOT_FOUND, "they go up to 4", "show", "{\"of\":\"j99\"}");
    refuses(x, ERR_INVALID, "no run and no job", "show", "{\"of\":\"\"}");
    refuses(x, ERR_INVALID, "no run and no job", "show", "{\"of\":\"1; drop table run\"}");
    refuses(x, ERR_NOT_FOUND, "whose key begins", "show", "{\"of\":\"abcdef0\"}");
    refuses(x, ERR_INVALID, "a run is wanted", "diff", "{\"a\":\"1\",\"b\":\"j1\"}");
    refuses(x, ERR_NOT_FOUND, "did you mean \"accuracy\"", "schema", "{\"name\":\"acuracy\"}");
}

static void names_with_quotes_stay_names(void **state)
{
    struct reading *x = *state;

    refuses(x, ERR_NOT_FOUND, "no column", "runs", "{\"where\":\"`x') or 1=1 --` > 0\"}");
    struct json *d = report(
        x->r, "runs", "{\"metrics\":[\"a' || (select 1) || '\"],\"where\":\"lr == 'it''s'\"}");
    assert_int_equal(json_len(json_get(d, "rows")), 0);
    json_free(d);
}

static void sql_that_writes_or_runs_for_ever_is_refused(void **state)
{
    struct reading *x = *state;

    refuses(x, ERR_INVALID, "only reading", "query", "{\"sql\":\"delete from job\"}");
    refuses(x, ERR_INVALID, "only reading", "query", "{\"sql\":\"attach '/tmp/x' as x\"}");
    refuses(
        x, ERR_TIMEOUT, "longer than 50 ms", "query",
        "{\"time_ms\":50,\"sql\":\"with recursive n (i) as (select 1 union all select i + 1 from "
        "n) select count(*) from n\"}");
    refuses(x, ERR_INVALID, "at least 1", "query", "{\"sql\":\"select 1\",\"rows\":0}");
}

static void limits_of_the_reader_hold(void **state)
{
    struct reading *x = *state;
    struct report_limits small = { .bytes_max = 200 }, few = { .rows_max = 1 };
    struct buf out = { 0 };

    FAILS(ERR_LIMIT, "longer than 200 bytes",
          report_make(x->r, "show", "{\"of\":\"1\"}", &small, &out, err));
    assert_int_equal(out.len, 0);
    FAILS(ERR_LIMIT, "longer than 200 bytes",
          report_make(x->r, "query",
                      "{\"sql\":\"with recursive n (i) as (select 1 union all select i + 1 from n) "
                      "select i from n\"}",
                      &small, &out, err));
    OK(report_make(x->r, "query", "{\"sql\":\"select id from job order by id\",\"rows\":3}", &few,
                   &out, err));
    assert_non_null(strstr(buf_str(&out), "\"rows\":[[1]],\"truncated\":true"));
    buf_release(&out);
}

static void a_report_leaves_no_time_limit_behind(void **state)
{
    struct reading *x = *state;
    struct report_limits short_time = { .time_ms = 1 };
    struct buf out = { 0 };
    uint64_t id;

    (void)!report_make(x->r, "status", NULL, &short_time, &out, NULL); /* may be too slow for it */
    usleep(3000);
    for (int i = 0; i < 100; i++)
        OK(store_find_experiment(x->r, "exp", &id, err));
    buf_release(&out);
}

/* Of the four labels 0 and 2 are preserved, 1 is improved, 3 unsolved; the path is 1021. */
static void labels_are_listed_and_summed_up(void **state)
{
    struct buf out = { 0 };
    struct reading *x = *state;
    struct json *d = report(x->r, "labels", "{\"experiment\": \"exp\", \"limit\": 3}"), *set, *all;

    assert_int_equal(json_len(json_get(d, "labels")), 3);
    is(d, "more", "true");
    is(json_at(json_get(d, "labels"), 1), "verdict", "\"improved\"");
    is(json_at(json_get(d, "labels"), 1), "routing", "\"1021\"");
    json_free(d);
    d = report(x->r, "labels", "{\"unsolved\": true}");
    assert_int_equal(json_len(json_get(d, "labels")), 1);
    is(json_at(json_get(d, "labels"), 0), "index", "3");
    is(d, "more", "false");
    json_free(d);
    d = report(x->r, "labels", "{\"at\": [\"skip@1\", \"repeat@2\"], \"improved\": true}");
    assert_int_equal(json_len(json_get(d, "labels")), 1);
    json_free(d);
    d = report(x->r, "labels", "{\"at\": [\"execute@1\"]}");
    assert_int_equal(json_len(json_get(d, "labels")), 0);
    json_free(d);
    d = report(x->r, "label_stats", "{}");
    assert_int_equal(json_len(json_get(d, "sets")), 1);
    set = json_at(json_get(d, "sets"), 0);
    all = json_get(set, "all");
    is(set, "step", "\"labels\"");
    is(all, "n", "4");
    is(all, "preserved", "2");
    is(all, "improved", "1");
    is(all, "unsolved", "1");
    is(all, "right_with_shorter", "0.0");
    is(all, "wrong_with_right", "0.5");
    is(all, "evaluations", "8");
    is(all, "layer_rows", "406");
    is(all, "saved", "0.49250000000000005");
    is(all, "lengths", "[[4,3]]");
    is(all, "per_layer", "[[0,3,0],[3,0,0],[0,0,3],[0,3,0]]");
    assert_int_equal(json_len(json_get(set, "groups")), 1);
    is(json_at(json_get(set, "groups"), 0), "level", "1");
    json_free(d);
    FAILS(ERR_INVALID, "skip@3",
          report_make(x->r, "labels", "{\"at\": [\"skp@1\"]}", NULL, &out, err));
    FAILS(ERR_INVALID, "no example id",
          report_make(x->r, "labels", "{\"id\": \"xyz\"}", NULL, &out, err));
    FAILS(ERR_INVALID, "did you mean \"improved\"",
          report_make(x->r, "label_stats", "{\"improve\": true}", NULL, &out, err));
    buf_release(&out);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, open_reading, close_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(runs_are_listed_with_parameters_state_and_results),
        T(runs_are_chosen_and_sorted_by_conditions),
        T(a_run_is_shown_with_its_jobs_results_and_environment),
        T(a_job_is_found_by_number_and_by_key),
        T(logs_come_newest_first),
        T(a_run_does_not_differ_from_itself),
        T(a_difference_is_told_with_its_reasons),
        T(status_of_one_experiment_counts_its_steps),
        T(demand_counts_what_could_run_by_what_it_asks_for),
        T(a_plan_learns_what_is_there_and_what_it_took),
        T(the_schema_explains_every_view_and_its_columns),
        T(a_query_keeps_types_and_bits),
        T(bad_arguments_are_refused_with_the_nearest_spelling),
        T(what_is_not_there_is_named),
        T(names_with_quotes_stay_names),
        T(sql_that_writes_or_runs_for_ever_is_refused),
        T(limits_of_the_reader_hold),
        T(a_report_leaves_no_time_limit_behind),
        T(labels_are_listed_and_summed_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
