/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: files of lm-evaluation-harness become runs whose numbers are the files', once, or nothing
 * changes; and summaries go out under the harness's names. Method: hand-made samples files in a
 * scratch folder (a choice task in the newer form, a generate task with two filters in the older
 * one), hostile variants of them, and SQL on what was stored. */
#include "tests/unit/store/fixture.h"

#include "common/base/json.h"
#include "experiments/cli/lm_eval.h"

#define DATE "2024-05-01T10-00-00.123456"

struct files {
    char dir[64], store[128], arc[192], gsm[192], results[192], odd[192];
};

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static const char arc[] =
    "{\"doc_id\": 0, \"doc\": {\"question\": \"1+1?\"}, \"target\": 1, \"arguments\": "
    "{\"gen_args_0\": "
    "{\"arg_0\": \"Q\", \"arg_1\": \" one\"}, \"gen_args_1\": {\"arg_0\": \"Q\", \"arg_1\": \" "
    "two\"}}, "
    "\"resps\": [[[\"-3.5\", \"False\"]], [[\"-1.25\", \"True\"]]], \"filtered_resps\": "
    "[[\"-3.5\", \"False\"], [\"-1.25\", \"True\"]], \"filter\": \"none\", \"metrics\": [\"acc\"], "
    "\"doc_hash\": \"h0\", \"acc\": 1.0, \"acc_norm\": 0.0}\n"
    "{\"doc_id\": 1, \"doc\": {\"question\": \"Sky?\"}, \"target\": \"red\", \"arguments\": "
    "{\"gen_args_0\": {\"arg_0\": \"Q\", \"arg_1\": \" red\"}, \"gen_args_1\": {\"arg_0\": \"Q\", "
    "\"arg_1\": \" blue\"}}, \"resps\": [], \"filtered_resps\": [[-1.5, false], [-Infinity, "
    "false]], "
    "\"filter\": \"none\", \"metrics\": [\"acc\"], \"doc_hash\": \"h1\", \"acc\": 1, \"acc_norm\": "
    "1}\n"
    "\n"
    "{\"doc_id\": 2, \"doc\": {\"question\": \"NaN?\"}, \"target\": 0, \"arguments\": {}, "
    "\"resps\": [], \"filtered_resps\": [[-2.0, false], [-1.0, false]], \"filter\": \"none\", "
    "\"doc_hash\": \"h2\", \"acc\": 0.0, \"acc_norm\": 0.0}\n";

/* Line of the older form: no "filter" would be none; here two filters share the file. */
static void gsm_line(struct buf *b, int id, const char *filter, const char *answer, double right)
{
    buf_printf(
        b,
        "{\"doc_id\": %d, \"doc\": {\"question\": \"q%d\", \"answer\": \"#### %d\"}, \"target\": "
        "\"#### %d\", \"arguments\": [[\"Question: q%d\", {\"until\": [\"Q\"]}]], \"resps\": "
        "[[\"so %s\"]], \"filtered_resps\": [\"%s\"], \"filter\": \"%s\", \"f1_pairs\": [1, 2], "
        "\"exact_match\": %g}\n",
        id, id, id, id, id, answer, answer, filter, right);
}

static int make(void **state)
{
    struct files *f = calloc(1, sizeof *f);
    CLEANUP(buf_release) struct buf gsm = { 0 };

    snprintf(f->dir, sizeof f->dir, "/tmp/drover-lm-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->store, sizeof f->store, "%s/results.db", f->dir);
    snprintf(f->arc, sizeof f->arc, "%s/samples_arc_easy_" DATE ".jsonl", f->dir);
    snprintf(f->gsm, sizeof f->gsm, "%s/samples_gsm8k_" DATE ".jsonl", f->dir);
    snprintf(f->results, sizeof f->results, "%s/results_" DATE ".json", f->dir);
    snprintf(f->odd, sizeof f->odd, "%s/samples_odd_" DATE ".jsonl", f->dir);
    put(f->arc, arc);
    for (int i = 0; i < 4; i++)
        gsm_line(&gsm, i, "strict-match", i ? "[invalid]" : "0", i == 0);
    for (int i = 3; i >= 0; i--)
        gsm_line(&gsm, i, "flexible-extract", "0", i < 3);
    put(f->gsm, buf_str(&gsm));
    put(f->results,
        "{\"results\": {\"arc_easy\": {\"acc_stderr,none\": NaN}}, \"configs\": {\"arc_easy\": "
        "{\"validation_split\": \"validation\", \"test_split\": \"test\"}}, \"versions\": "
        "{\"gsm8k\": 3.0}, \"n-shot\": {\"arc_easy\": 0, \"gsm8k\": 5}, \"config\": {\"model\": "
        "\"hf\", "
        "\"model_args\": \"pretrained=org/tiny,dtype=float\"}, \"lm_eval_version\": \"0.4.5\"}");
    *state = f;
    return 0;
}

static int clean(void **state)
{
    struct files *f = *state;

    remove_tree(f->dir);
    free(f);
    return 0;
}

static int import(const char *store, const char *path, const char *model, const char *task,
                  struct lm_imported *done, struct err *err)
{
    struct lm_samples x;
    int rc = lm_eval_read(path, model, task, &x, err);

    if (rc == 0)
        rc = lm_eval_import(store, "peers", &x, 1, done, err);
    lm_eval_release(&x);
    return rc;
}

static void choices_keep_their_log_probabilities(void **state)
{
    struct files *f = *state;
    struct lm_imported done;
    char text[512];

    OK(import(f->store, f->arc, NULL, NULL, &done, err));
    assert_int_equal(done.added, 1);
    assert_int_equal(done.scores, 3);
    assert_string_equal(
        text_of(f->store,
                "SELECT group_concat(correct || correct_norm || ' ' || answer || ' ' || pick || "
                "gold_class, '; ') FROM (SELECT * FROM score ORDER BY idx)",
                text),
        "10 two 11; 11 red 00; 00  10");
    assert_string_equal(
        text_of(f->store,
                "SELECT group_concat(metric || ' ' || value || ' ' || n, '; ') FROM "
                "(SELECT * FROM metric_summary ORDER BY metric)",
                text),
        "acc 0.666666666666667 3; acc_norm 0.333333333333333 3");
    assert_string_equal(text_of(f->store, "SELECT logprob FROM score WHERE idx = 0", text),
                        "[-3.5,-1.25]");
    assert_string_equal(text_of(f->store, "SELECT class || ' ' || step FROM job", text),
                        "lm-eval-0.4.5 score");
    assert_string_equal(
        text_of(
            f->store,
            "SELECT group_concat(name || '=' || value, ', ') FROM (SELECT * FROM param ORDER BY "
            "name)",
            text),
        "fewshot=0, model=\"org/tiny\", task=\"arc_easy\"");
    assert_string_equal(text_of(f->store, "SELECT outcome || state FROM attempt, job", text),
                        "DONEDONE");
}

static void filters_are_metrics_of_one_run(void **state)
{
    struct files *f = *state;
    struct lm_imported done;
    char text[512];

    OK(import(f->store, f->gsm, NULL, NULL, &done, err));
    assert_string_equal(text_of(f->store,
                                "SELECT group_concat(metric || ' ' || value, '; ') FROM (SELECT * "
                                "FROM metric_summary WHERE metric <> 'acc' ORDER BY metric)",
                                text),
                        "exact_match 0.25; flexible_extract 0.75");
    assert_string_equal(text_of(f->store, "SELECT sum(correct) FROM score", text), "1");
    assert_string_equal(text_of(f->store, "SELECT question || gold FROM example LIMIT 1", text),
                        "q0#### 0");
}

static void what_is_no_number_per_document_is_counted(void **state)
{
    struct files *f = *state;
    struct lm_samples x;

    OK(lm_eval_read(f->gsm, NULL, NULL, &x, err));
    assert_int_equal(x.left_out, 2); /* f1_pairs, once per filter */
    assert_int_equal(x.metrics_len, 2);
    assert_int_equal(x.shots, 5);
    lm_eval_release(&x);
}

static void importing_twice_changes_nothing(void **state)
{
    struct files *f = *state;
    struct lm_imported done;
    int64_t attempts;

    OK(import(f->store, f->arc, NULL, NULL, &done, err));
    OK(import(f->store, f->gsm, NULL, NULL, &done, err));
    attempts = number(f->store, "SELECT count(*) FROM attempt");
    OK(import(f->store, f->arc, NULL, NULL, &done, err));
    assert_int_equal(done.added, 0);
    assert_int_equal(done.known, 1);
    assert_int_equal(done.scores, 0);
    assert_int_equal(number(f->store, "SELECT count(*) FROM attempt"), attempts);
    /* The second import added to the experiment; the first run is still in it. */
    assert_int_equal(number(f->store, "SELECT count(*) FROM run WHERE superseded = 0"), 2);
    assert_int_equal(number(f->store, "SELECT count(*) FROM run_job WHERE live = 1"), 2);
}

static void other_results_of_the_same_run_are_refused(void **state)
{
    struct files *f = *state;
    CLEANUP(buf_release) struct buf changed = { 0 };
    struct lm_imported done;
    int64_t revision;
    char *at;

    OK(import(f->store, f->arc, NULL, NULL, &done, err));
    revision = number(f->store, "SELECT max(number) FROM revision");
    buf_adds(&changed, arc);
    at = strstr(changed.data, "\"acc\": 1.0");
    memcpy(at, "\"acc\": 0.0", 10);
    put(f->arc, buf_str(&changed));
    FAILS(ERR_CONFLICT, "nothing was changed", import(f->store, f->arc, NULL, NULL, &done, err));
    assert_int_equal(number(f->store, "SELECT max(number) FROM revision"), revision);
    assert_int_equal(number(f->store, "SELECT count(*) FROM score"), 3);
    /* Under another name it is another model's. */
    OK(import(f->store, f->arc, "org/other", NULL, &done, err));
    assert_int_equal(number(f->store, "SELECT count(*) FROM score"), 6);
    assert_int_equal(number(f->store, "SELECT count(*) FROM example"), 3); /* pairs */
}

static void hostile_files_are_refused_by_line(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "", "no samples" },
        { "{\"doc_id\": 0, \"filtered_resps\": [\"x\"], \"exact_ma", ":1: cut off" },
        { "{\"doc_id\": 0, \"em\": 1}\n{\"doc_id\": 1, \"em\": NaN}\n", ":2: cut off" },
        { "{\"doc_id\": 0, \"em\": 1}\n{\"doc_id\": 1, \"em\": Infinity}\n",
          ":2: metric em is no finite number" },
        { "{\"doc_id\": 0, \"em\": 1}\n{\"doc_id\": 1, \"em\": null}\n", ":2: metric em is no" },
        { "{\"doc_id\": 0, \"em\": \"1\"}\n", "no finite number" },
        { "{\"doc_id\": 0, \"em\": 1}\n\n{\"doc_id\": 0, \"em\": 0}\n",
          ":3: doc_id 0 comes twice" },
        { "{\"doc_id\": 0, \"em\": 1}\n{\"doc_id\": 2, \"em\": 0}\n", "doc_id 1 is missing" },
        { "{\"doc_id\": -1, \"em\": 1}\n", "whole number" },
        { "{\"doc_id\": 4000000000, \"em\": 1}\n", "whole number" },
        { "{\"doc_id\": \"0\", \"em\": 1}\n", "whole number" },
        { "[1]\n", "JSON object" },
        { "{\"doc_id\": 0, \"em\": 1}\n{\"doc_id\": 1}\n", "has 0 metrics" },
        { "{\"doc_id\": 0, \"em\": 1}\n{\"doc_id\": 1, \"em\": 1, \"f\": 1}\n",
          "not in the lines" },
        { "{\"doc_id\": 0, \"filter\": \"a\", \"em\": 1}\n{\"doc_id\": 1, \"filter\": \"a\", "
          "\"em\": 1}\n"
          "{\"doc_id\": 0, \"filter\": \"b\", \"em\": 1}\n",
          "doc_id 1 has no line for filter b" },
        { "{\"doc_id\": 0}\n", "no metric" },
        { "{\"doc_id\": 0, \"em\": 1, \"em\": 1}\n", "duplicate" },
    };
    struct files *f = *state;
    struct lm_imported done;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(f->odd, cases[i].text);
        FAILS(ERR_INVALID, cases[i].why, import(f->store, f->odd, NULL, NULL, &done, err));
    }
    assert_int_equal(access(f->store, F_OK), -1); /* not even the store was made */
}

static void every_cut_of_a_file_is_survived(void **state)
{
    struct files *f = *state;
    struct lm_samples x;
    char cut[sizeof arc];

    for (size_t len = 0; len < sizeof arc - 1; len += 3) {
        memcpy(cut, arc, len);
        cut[len] = '\0';
        put(f->odd, cut);
        (void)!lm_eval_read(f->odd, NULL, NULL, &x, NULL);
        lm_eval_release(&x);
    }
}

static void names_and_models_that_are_not_told_are_asked_for(void **state)
{
    struct files *f = *state;
    struct lm_imported done;
    char plain[192];

    snprintf(plain, sizeof plain, "%s/x.jsonl", f->dir);
    put(plain, arc);
    FAILS(ERR_INVALID, "--task", import(f->store, plain, NULL, NULL, &done, err));
    FAILS(ERR_INVALID, "--model", import(f->store, plain, NULL, "arc_easy", &done, err));
    OK(import(f->store, plain, "m", "arc_easy", &done, err));
    FAILS(ERR_NOT_FOUND, "nowhere", import(f->store, "/nowhere/x", "m", "t", &done, err));
}

static void a_store_with_a_writer_is_left_alone(void **state)
{
    struct files *f = *state;
    struct lm_imported done;
    struct store *other;
    char pid[32];

    OK(store_open(&other, f->store, "", err));
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    FAILS(ERR_CONFLICT, pid, import(f->store, f->arc, NULL, NULL, &done, err));
    store_close(other);
}

static void an_experiment_of_a_recipe_is_not_mixed_with_imports(void **state)
{
    struct files *f = *state;
    struct digest d = key_of("x");
    struct store_submission sub;
    struct lm_imported done;
    struct store *s;
    uint64_t run;

    OK(store_open(&s, f->store, "", err));
    OK(store_submit_begin(s, "peers", &d, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &d, 1, NULL, 0, &run, err));
    OK(store_submit_end(s, &sub, NULL, err));
    store_close(s);
    FAILS(ERR_CONFLICT, "comes from a recipe", import(f->store, f->arc, NULL, NULL, &done, err));
    assert_int_equal(number(f->store, "SELECT count(*) FROM run WHERE superseded = 0"), 1);
}

/* Drover's own evaluation of the task comes first, with ids of its own. */
static void documents_get_drovers_examples_where_it_knows_the_task(void **state)
{
    struct files *f = *state;
    struct digest d = key_of("own");
    struct store_family family = {
        .key = d, .kind = "evaluate", .task = "arc_easy", .split = "test"
    };
    struct store_job_family reads = { 0 };
    struct store_result result = { .outcome = STORE_DONE };
    enum store_verdict verdict;
    struct lm_imported done;
    struct store_submission sub;
    uint64_t run, job;
    struct store *s;

    OK(store_open(&s, f->store, "", err));
    OK(store_submit_begin(s, "own", &d, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &d, 1, NULL, 0, &run, err));
    OK(store_submit_family(s, &family, &reads.family, err));
    OK(store_submit_run_family(s, run, "score", reads.family, 3, err));
    OK(store_submit_job(s, &sub,
                        &(struct store_job_spec){ .key = d,
                                                  .kind = "evaluate",
                                                  .numeric_class = "packed-1",
                                                  .step = "score",
                                                  .params = "",
                                                  .end = 3,
                                                  .runs = &run,
                                                  .runs_len = 1,
                                                  .families = &reads,
                                                  .families_len = 1 },
                        &job, err));
    OK(store_submit_end(s, &sub, NULL, err));
    OK(store_begin(s, err));
    OK(store_attempt_start(s, job, 0, &result.attempt, &result.epoch, err));
    for (uint64_t i = 0; i < 3; i++) {
        struct store_score score = { .correct = true, .answer = "x", .pick = -1, .gold = -1 };
        struct store_example_result r = { .attempt = result.attempt,
                                          .epoch = result.epoch,
                                          .score = &score,
                                          .example = { 7000 + i, i, "arc_easy", "test", "Mercury_1",
                                                       "own?", "two", NULL, 0 } };

        OK(store_example_result(s, &r, &verdict, err));
    }
    OK(store_job_done(s, &result, &verdict, NULL, err));
    OK(store_commit(s, err));
    store_close(s);
    OK(import(f->store, f->arc, NULL, NULL, &done, err));
    assert_int_equal(number(f->store, "SELECT count(*) FROM example"), 3);
    assert_int_equal(number(f->store, "SELECT count(*) FROM score a JOIN score b ON "
                                      "b.example = a.example AND b.idx = a.idx AND b.family > "
                                      "a.family"),
                     3);
}

static void exports_read_as_the_harness_writes(void **state)
{
    struct files *f = *state;
    CLEANUP(buf_release) struct buf text = { 0 };
    CLEANUP(json_cleanup) struct json *all = NULL;
    const struct json *results, *gsm;
    struct lm_imported done;

    OK(import(f->store, f->arc, NULL, NULL, &done, err));
    OK(import(f->store, f->gsm, NULL, NULL, &done, err));
    OK(lm_eval_export(f->store, "peers", 0, &text, err));
    OK(json_parse(buf_str(&text), text.len, &all, err));
    results = json_get(all, "results");
    gsm = json_get(results, "gsm8k");
    assert_true(json_number(json_get(gsm, "exact_match,none"), -1) == 0.25);
    assert_true(json_number(json_get(gsm, "exact_match,flexible-extract"), -1) == 0.75);
    assert_true(json_number(json_get(gsm, "exact_match_stderr,none"), -1) == 0.25);
    assert_true(json_number(json_get(json_get(results, "arc_easy"), "acc,none"), -1) > 0.66);
    assert_string_equal(json_text(json_get(gsm, "alias")), "gsm8k");
    assert_int_equal(
        json_integer(json_get(json_get(json_get(all, "n-samples"), "gsm8k"), "effective"), 0), 4);
    assert_int_equal(json_integer(json_get(json_get(all, "n-shot"), "gsm8k"), 0), 5);
    assert_string_equal(json_text(json_get(all, "model_name")), "org/tiny");
    FAILS(ERR_NOT_FOUND, "peers", lm_eval_export(f->store, "pears", 0, &text, err));
    /* Two models on one task are two files. */
    OK(import(f->store, f->arc, "org/other", NULL, &done, err));
    FAILS(ERR_INVALID, "--run", lm_eval_export(f->store, "peers", 0, &text, err));
    OK(lm_eval_export(f->store, "peers", 3, &text, err));
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, make, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(choices_keep_their_log_probabilities),
        T(filters_are_metrics_of_one_run),
        T(what_is_no_number_per_document_is_counted),
        T(importing_twice_changes_nothing),
        T(other_results_of_the_same_run_are_refused),
        T(hostile_files_are_refused_by_line),
        T(every_cut_of_a_file_is_survived),
        T(names_and_models_that_are_not_told_are_asked_for),
        T(a_store_with_a_writer_is_left_alone),
        T(an_experiment_of_a_recipe_is_not_mixed_with_imports),
        T(documents_get_drovers_examples_where_it_knows_the_task),
        T(exports_read_as_the_harness_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
