/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: gc frees what can be made again and nothing else, whenever it is interrupted; names on the
 * command line mean one thing; samples for replay depend on the seed alone; rows leave as RFC 4180
 * says. Method: small plans with checkpoints of one or several files, looked at on the disk. */
#include "tests/unit/store_keep/keep_fixture.h"

#include <utime.h>

#include "store/checkpoint.h"

/* ---- gc ---- */

static bool on_disk(struct store *s, const char *bytes)
{
    struct digest d = digest_of(bytes, strlen(bytes));

    return blobs_have(store_blobs(s), &d, NULL);
}

static int count_line(const struct gc_line *line, void *arg)
{
    uint64_t *sum = arg;

    *sum += line->kept + line->freed;
    return 0;
}

static struct gc_done gc(struct store *s, bool dry)
{
    struct gc_done done;
    uint64_t lines = 0;

    OK(store_gc(s, dry, 0, count_line, &lines, &done, err));
    assert_int_equal(lines, done.kept + done.freed);
    return done;
}

/* A chain base -> tuned, both with the output "model": the first is no longer final. TO: "" leaves
 * the second undone. */
static void chain(struct store *s, const char *name, const char *from, const char *to,
                  uint64_t *ret_base, uint64_t *ret_tuned)
{
    struct digest revision = key_of(name), point = key_of(name);
    struct store_input model = { .name = "model", .source = STORE_OUTPUT, .output = "model" };
    struct store_job_spec spec = { .kind = "noop",
                                   .numeric_class = "packed-1",
                                   .step = "base",
                                   .kind_version = 1,
                                   .params = "p",
                                   .params_len = 1,
                                   .params_text = "",
                                   .runs_len = 1 };
    struct store_submission sub;
    uint64_t run;
    char word[16];

    OK(store_submit_begin(s, "chain", &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &point, 1, NULL, 0, &run, err));
    spec.runs = &run;
    spec.key = digest_of(from, strlen(from));
    OK(store_submit_job(s, &sub, &spec, ret_base, err));
    model.producer = *ret_base;
    spec.step = "tuned";
    spec.inputs = &model;
    spec.inputs_len = 1;
    spec.key = digest_of(name, strlen(name));
    OK(store_submit_job(s, &sub, &spec, ret_tuned, err));
    OK(store_submit_end(s, &sub, NULL, err));
    if (strcmp(job_state(s, *ret_base, word), "DONE") != 0)
        finish(s, *ret_base, from, NULL);
    if (*to)
        finish(s, *ret_tuned, to, NULL);
}

static void what_is_final_stays_and_what_was_built_on_goes(void **state)
{
    struct fixture *f = *state;
    uint64_t base, tuned;
    struct gc_done d;

    chain(f->s, "one", "first", "", &base, &tuned);
    d = gc(f->s, false);
    assert_int_equal(d.freed, 0); /* the next job reads it */
    finish(f->s, tuned, "second", NULL);
    d = gc(f->s, true);
    assert_int_equal(d.freed, 1);
    assert_true(on_disk(f->s, "first")); /* only asked */
    assert_int_equal(number(f->path, "SELECT count(*) FROM blob WHERE evicted"), 0);
    d = gc(f->s, false);
    assert_int_equal(d.freed, 1);
    assert_int_equal(d.freed_bytes, strlen("first"));
    assert_int_equal(d.kept, 1);
    assert_false(on_disk(f->s, "first"));
    assert_true(on_disk(f->s, "second"));
    assert_int_equal(number(f->path, "SELECT count(*) FROM blob WHERE evicted"), 1);
    d = gc(f->s, false);
    assert_int_equal(d.freed, 0);
}

/* Of a job that goes on it is all that its next attempt has; of one that failed it is rubbish. */
static void checkpoints_stay_while_their_jobs_go_on(void **state)
{
    struct fixture *f = *state;
    struct store_checkpoint c = { .step = 10, .size_bytes = 4 };
    struct store_result r = { .outcome = STORE_FAILED };
    char path[BLOBS_PATH_MAX];
    struct utimbuf old = { 1000, 1000 };
    uint64_t base, tuned;

    chain(f->s, "one", "first", "", &base, &tuned);
    OK(blobs_put(store_blobs(f->s), "half", 4, &c.digest, err));
    begin(f->s);
    struct try t = start(f->s, tuned);
    c.attempt = r.attempt = t.attempt;
    c.epoch = r.epoch = t.epoch;
    OK(store_checkpoint_put(f->s, &c, err));
    commit(f->s);
    assert_int_equal(utime(blobs_path(store_blobs(f->s), &c.digest, path), &old), 0);
    assert_int_equal(gc(f->s, false).orphans, 0);
    assert_true(on_disk(f->s, "half"));
    begin(f->s);
    OK(store_attempt_end(f->s, &r, true, NULL, err));
    commit(f->s);
    assert_int_equal(gc(f->s, true).orphans, 1);
    assert_true(on_disk(f->s, "half"));
    assert_int_equal(gc(f->s, false).orphan_bytes, 4);
    assert_false(on_disk(f->s, "half"));
    assert_int_equal(gc(f->s, false).orphans, 0);
}

static void a_superseded_point_keeps_nothing_but_pins_do(void **state)
{
    struct fixture *f = *state;
    uint64_t base, tuned, base2, tuned2;
    struct store_target target;
    bool changed;
    char word[40];

    chain(f->s, "one", "first", "second", &base, &tuned);
    chain(f->s, "two", "third", "fourth", &base2, &tuned2);
    snprintf(word, sizeof word, "j%d", (int)base);
    OK(store_target(f->s, word, TARGET_RUN | TARGET_JOB, &target, err));
    OK(store_pin(f->s, &target, true, &changed, err));
    assert_true(changed);
    OK(store_pin(f->s, &target, true, &changed, err));
    assert_false(changed);
    gc(f->s, false);
    assert_true(on_disk(f->s, "first") && !on_disk(f->s, "second"));
    assert_true(!on_disk(f->s, "third") && on_disk(f->s, "fourth"));
    OK(store_pin(f->s, &target, false, &changed, err));
    assert_true(changed);
    gc(f->s, false);
    assert_false(on_disk(f->s, "first"));
}

static void a_run_or_experiment_pinned_keeps_all_that_its_jobs_made(void **state)
{
    static const char *const names[] = { "chain", "1" };

    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        struct store_target target;
        uint64_t base, tuned;
        bool changed;

        scratch(&f);
        OK(store_open(&f.s, f.path, "", err));
        chain(f.s, "one", "first", "second", &base, &tuned);
        chain(f.s, "two", "third", "fourth", &base, &tuned);
        OK(store_target(f.s, names[i], TARGET_EXPERIMENT | TARGET_RUN, &target, err));
        OK(store_pin(f.s, &target, true, &changed, err));
        gc(f.s, false);
        assert_true(on_disk(f.s, "first") && on_disk(f.s, "second"));
        assert_int_equal(on_disk(f.s, "third"), i == 0);
        drop(&f);
    }
    (void)state;
}

static void bytes_made_again_are_no_longer_marked(void **state)
{
    struct fixture *f = *state;
    uint64_t base, tuned;
    char word[16];

    chain(f->s, "one", "first", "second", &base, &tuned);
    gc(f->s, false);
    assert_false(on_disk(f->s, "first"));
    chain(f->s, "two", "first", "", &base, &tuned);           /* another job that reads it */
    assert_string_equal(job_state(f->s, base, word), "DONE"); /* chain ran it again */
    assert_true(on_disk(f->s, "first"));
    assert_int_equal(number(f->path, "SELECT count(*) FROM blob WHERE evicted AND id IN (SELECT "
                                     "blob FROM job_output WHERE job = 1)"),
                     0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM attempt WHERE compared = 'SAME'"), 1);
    assert_int_equal(gc(f->s, false).freed, 1); /* "second", superseded; "first" is read */
    assert_true(on_disk(f->s, "first"));
}

/* Killed between the marks and the files, and between the files: the next one goes on. */
static void an_interrupted_gc_is_finished_by_the_next(void **state)
{
    struct fixture *f = *state;
    uint64_t base, tuned;
    struct digest back;

    chain(f->s, "one", "first", "second", &base, &tuned);
    gc(f->s, false);
    OK(blobs_put(store_blobs(f->s), "first", 5, &back, err)); /* as if it had not been removed */
    assert_int_equal(gc(f->s, false).freed, 1);
    assert_false(on_disk(f->s, "first"));
}

/* A checkpoint of several files: the manifest is a blob, its files have no rows. */
static void files_of_a_manifest_go_and_stay_with_it(void **state)
{
    struct fixture *f = *state;
    struct digest shared, own;
    struct buf one = { 0 }, two = { 0 };
    char hex[2][DIGEST_HEX];
    uint64_t base, tuned;
    struct gc_done d;

    OK(blobs_put(store_blobs(f->s), "tokens", 6, &shared, err));
    OK(blobs_put(store_blobs(f->s), "weights of one", 14, &own, err));
    buf_printf(&one, "a 6 %s\nb 14 %s\n", digest_hex(&shared, hex[0]), digest_hex(&own, hex[1]));
    buf_printf(&two, "a 6 %s\n", digest_hex(&shared, hex[0]));
    chain(f->s, "one", buf_str(&one), buf_str(&two), &base, &tuned);
    OK(sqlite_run(f->s->db, "UPDATE blob SET folder = 1", err));
    d = gc(f->s, false);
    assert_int_equal(d.freed, 2); /* the first manifest and the file that only it names */
    assert_int_equal(d.kept, 2);
    assert_true(on_disk(f->s, "tokens"));
    assert_false(on_disk(f->s, "weights of one"));

    struct export_done out;
    struct import_done in;
    struct fixture g;
    struct buf report = { 0 };
    char file[128];

    export_to(f, "chain", EXPORT_SMALL, file, &out);
    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    OK(store_import(g.s, file, NULL, &in, &report, err));
    assert_true(on_disk(g.s, "tokens") && on_disk(g.s, buf_str(&two)));
    assert_int_equal(in.blobs, 2);
    drop(&g);
    buf_release(&one);
    buf_release(&two);
    buf_release(&report);
}

static void make_old(const char *path)
{
    assert_int_equal(utime(path, &(struct utimbuf){ 1000, 1000 }), 0);
}

static void files_that_nothing_names_go_when_they_are_old(void **state)
{
    struct fixture *f = *state;
    char part[256], path[BLOBS_PATH_MAX], note[256];
    struct digest old, young, digest = key_of("never finished");
    uint64_t have;
    bool complete;
    struct gc_done d;

    OK(blobs_put(store_blobs(f->s), "orphan", 6, &old, err));
    OK(blobs_put(store_blobs(f->s), "young orphan", 12, &young, err));
    OK(blobs_write_chunk(store_blobs(f->s), &digest, 100, 0, "abc", 3, &have, &complete, err));
    make_old(blobs_path(store_blobs(f->s), &old, path));
    char hex[DIGEST_HEX];
    snprintf(part, sizeof part, "%s-blobs/part/%s", f->path, digest_hex(&digest, hex));
    make_old(part);
    snprintf(note, sizeof note, "%s-blobs/%.2s/notes.txt", f->path, digest_hex(&old, hex));
    OK(buf_write_file(note, "mine", 4, err));
    make_old(note);
    d = gc(f->s, true);
    assert_int_equal(d.orphans, 1);
    assert_int_equal(d.parts, 1);
    assert_true(on_disk(f->s, "orphan"));
    d = gc(f->s, false);
    assert_int_equal(d.orphan_bytes + d.part_bytes, 9);
    assert_false(on_disk(f->s, "orphan"));
    assert_true(on_disk(f->s, "young orphan"));
    assert_int_equal(access(part, F_OK), -1);
    assert_int_equal(access(note, F_OK), 0); /* no file of ours */
}

static void files_of_the_user_are_never_touched(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct digest d = digest_of("mine", 4);

    snprintf(path, sizeof path, "%s/model.bin", f->dir);
    OK(buf_write_file(path, "mine", 4, err));
    begin(f->s);
    OK(store_submit_file(f->s, &d, 4, path, false, err));
    commit(f->s);
    assert_int_equal(gc(f->s, false).freed, 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(number(f->path, "SELECT evicted FROM blob"), 0);
}

/* ---- names ---- */

static void names_mean_one_thing(void **state)
{
    struct fixture *f = *state;
    struct store_target t;
    uint64_t base, tuned;
    char hex[DIGEST_HEX], prefix[16];
    struct digest key = key_of("one");

    chain(f->s, "one", "first", "second", &base, &tuned);
    OK(store_target(f->s, "1", TARGET_RUN | TARGET_JOB, &t, err));
    assert_true(t.run == 1 && !t.job);
    OK(store_target(f->s, "j2", TARGET_RUN | TARGET_JOB, &t, err));
    assert_true(t.job == 2 && !t.run);
    snprintf(prefix, sizeof prefix, "%.8s", digest_hex(&key, hex));
    OK(store_target(f->s, prefix, TARGET_RUN | TARGET_JOB, &t, err));
    assert_int_equal(t.job, tuned);
    assert_non_null(strstr(t.text, "step tuned"));
    prefix[5] = '\0'; /* too short */
    FAILS(ERR_NOT_FOUND, "name a run",
          store_target(f->s, prefix, TARGET_RUN | TARGET_JOB, &t, err));
    FAILS(ERR_NOT_FOUND, "no job 77", store_target(f->s, "j77", TARGET_JOB, &t, err));
    FAILS(ERR_NOT_FOUND, "did you mean \"chain\"",
          store_target(f->s, "chian", TARGET_EXPERIMENT, &t, err));
    FAILS(ERR_NOT_FOUND, "holds nothing",
          store_target(f->s, "99999999999999999999", TARGET_RUN | TARGET_JOB, &t, err));
    FAILS(ERR_NOT_FOUND, "holds nothing", store_target(f->s, "", TARGET_RUN, &t, err));
}

/* ---- samples ---- */

static void a_sample_depends_on_the_seed_and_the_keys(void **state)
{
    struct fixture *f = *state;
    struct store_ids all = { 0 }, a = { 0 }, b = { 0 }, c = { 0 };

    fill_store(f->s, "exp", 8, 1);
    OK(replay_choose(f->s, 1, 0, 0, 1, &all, err));
    assert_int_equal(all.len, 10);
    OK(replay_choose(f->s, 1, 0, 4, 1, &a, err));
    OK(replay_choose(f->s, 1, 0, 4, 1, &b, err));
    OK(replay_choose(f->s, 1, 0, 4, 2, &c, err));
    assert_int_equal(a.len, 4);
    assert_memory_equal(a.v, b.v, 4 * sizeof *a.v);
    assert_memory_not_equal(a.v, c.v, 4 * sizeof *a.v);
    for (size_t i = 1; i < 4; i++)
        assert_true(a.v[i] > a.v[i - 1]);
    b.len = 0;
    OK(replay_choose(f->s, 0, 1, 3, 1, &b, err)); /* of a run: all */
    assert_int_equal(b.len, 10);
    store_ids_release(&all);
    store_ids_release(&a);
    store_ids_release(&b);
    store_ids_release(&c);
}

/* ---- rows ---- */

static char *rows_of(struct store *s, enum export_what what, bool json, uint64_t *ret)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    OK(store_export_rows(s, 1, what, json, out, ret, err));
    fclose(out);
    return text;
}

static void rows_leave_as_the_formats_say(void **state)
{
    struct fixture *f = *state;
    uint64_t n;
    char *csv, *json;

    fill_store(f->s, "exp", 4, 2);
    OK(sqlite_run(f->s->db, "UPDATE label SET base_answer = 'a, \"b\"\nc' WHERE idx = 1", err));
    OK(sqlite_run(f->s->db, "UPDATE param SET value = '\"x\"'", err));
    csv = rows_of(f->s, EXPORT_LABELS, false, &n);
    assert_int_equal(n, 4);
    assert_non_null(strstr(csv, "\"a, \"\"b\"\"\nc\""));
    assert_ptr_equal(strstr(csv, "experiment,run,seed,step,task,"), csv);
    json = rows_of(f->s, EXPORT_LABELS, true, &n);
    assert_non_null(strstr(json, "\"base_answer\":\"a, \\\"b\\\"\\nc\""));
    free(csv);
    free(json);
    csv = rows_of(f->s, EXPORT_RUNS, false, &n);
    assert_int_equal(n, 1);
    assert_non_null(strstr(csv, ",last_ms,lr\r\nexp,1,1,1,"));
    assert_non_null(strstr(csv, ",\"\"\"x\"\"\"\r\n"));
    json = rows_of(f->s, EXPORT_RUNS, true, &n);
    assert_non_null(strstr(json, "\"params\":{\"lr\":\"\\\"x\\\"\"},\"summaries\":{}}\n"));
    free(csv);
    free(json);
    csv = rows_of(f->s, EXPORT_METRICS, false, &n);
    assert_int_equal(n, 2);
    assert_non_null(strstr(csv, ",loss,2,0.3333333333333333"));
    free(csv);
}

/* ---- the disk ---- */

static void a_full_disk_is_told_when_rows_leave(void **state)
{
    struct fixture *f = *state;
    FILE *out = fopen("/dev/full", "w");
    uint64_t n;

    fill_store(f->s, "exp", 4, 2);
    assert_non_null(out);
    FAILS(ERR_FULL, "write the export",
          store_export_rows(f->s, 1, EXPORT_LABELS, true, out, &n, err));
    fclose(out);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_final_stays_and_what_was_built_on_goes),
        T(checkpoints_stay_while_their_jobs_go_on),
        T(a_superseded_point_keeps_nothing_but_pins_do),
        T(a_run_or_experiment_pinned_keeps_all_that_its_jobs_made),
        T(bytes_made_again_are_no_longer_marked),
        T(an_interrupted_gc_is_finished_by_the_next),
        T(files_of_a_manifest_go_and_stay_with_it),
        T(files_that_nothing_names_go_when_they_are_old),
        T(files_of_the_user_are_never_touched),
        T(names_mean_one_thing),
        T(a_sample_depends_on_the_seed_and_the_keys),
        T(rows_leave_as_the_formats_say),
        T(a_full_disk_is_told_when_rows_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
