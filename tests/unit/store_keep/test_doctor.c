/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the doctor finds nothing in a sound store and names each planted fault: a damaged page, a
 * row that names a missing one, a result taken from another job, a job ready too early, a live
 * claim of a point that was left out, a sum that differs, a blob that is gone or torn, an attempt
 * left open; and changes nothing. Method: a small store, one fault at a time by SQL or on the disk.
 */
#include "tests/unit/store_keep/keep_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/keep/doctor.h"

struct seen {
    unsigned findings, warnings, bad;
    char of[32]; /* the check of the last one that is not ok */
    char text[512];
};

static void note(const struct doctor_finding *f, void *arg)
{
    struct seen *seen = arg;

    assert_true(f->check[0] && f->text[0] && f->remedy);
    seen->findings++;
    if (f->state == DOCTOR_OK)
        return;
    if (strcmp(f->check, "space") == 0 || strcmp(f->check, "place") == 0)
        return; /* of this machine */
    assert_true(f->remedy[0]);
    *(f->state == DOCTOR_BAD ? &seen->bad : &seen->warnings) += 1;
    snprintf(seen->of, sizeof seen->of, "%s", f->check);
    snprintf(seen->text, sizeof seen->text, "%s", f->text);
}

static struct seen look(const struct fixture *f, bool deep)
{
    struct seen seen = { 0 };
    enum doctor_state worst;

    OK(store_doctor(f->path, deep, note, &seen, &worst, err));
    if (seen.bad > 0)
        assert_int_equal(worst, DOCTOR_BAD);
    else
        assert_int_not_equal(worst, DOCTOR_BAD);
    return seen;
}

/* Run SQL on F's store behind drover's back, while nobody has it. */
static void plant(struct fixture *f, const char *sql)
{
    struct sqlite3 *db;

    store_close(f->s);
    OK(sqlite_connect(&db, f->path, CONNECT_WRITE, err));
    OK(sqlite_run(db, "PRAGMA foreign_keys = OFF", err));
    OK(sqlite_run(db, sql, err));
    sqlite_disconnect(db);
    OK(store_open(&f->s, f->path, "", err));
}

static void a_sound_store_has_no_findings(void **state)
{
    struct fixture *f = *state;
    struct buf before CLEANUP(buf_release) = { 0 }, after CLEANUP(buf_release) = { 0 };

    fill_store(f->s, "one", 10, 4);
    dump(f->s, true, &before);
    for (int deep = 0; deep < 2; deep++) {
        struct seen seen = look(f, deep);

        assert_true(seen.findings >= 8);
        if (seen.bad + seen.warnings > 0)
            fail_msg("%s: %s", seen.of, seen.text);
    }
    dump(f->s, true, &after);
    assert_string_equal(buf_str(&before), buf_str(&after));
}

static void each_broken_law_is_named(void **state)
{
    static const struct {
        const char *check, *sql, *undo;
    } faults[] = {
        { "results",
          "UPDATE job SET attempt = (SELECT max(id) FROM attempt) WHERE id = 1 AND attempt <> "
          "(SELECT max(id) FROM attempt)",
          "UPDATE job SET attempt = (SELECT max(a.id) FROM attempt AS a WHERE a.job = job.id) "
          "WHERE id = 1" },
        { "needs",
          "UPDATE job SET state = 'READY' WHERE id IN (SELECT job FROM job_need UNION "
          "SELECT need FROM job_need)",
          "UPDATE job SET state = 'DONE'" },
        { "claims", "UPDATE run SET superseded = 1", "UPDATE run SET superseded = 0" },
        { "references", "UPDATE run_job SET job = job + 1000 WHERE job = 1",
          "UPDATE run_job SET job = job - 1000 WHERE job > 1000" },
        { "incidents",
          "INSERT INTO event (at_ms, incarnation, kind, text) VALUES (1, 1, 'incident', 'x')",
          "DELETE FROM event WHERE kind = 'incident'" },
    };
    struct fixture *f = *state;

    fill_store(f->s, "one", 10, 4);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        plant(f, faults[i].sql);
        struct seen seen = look(f, false);
        assert_true(seen.bad + seen.warnings > 0);
        assert_string_equal(seen.of, faults[i].check);
        plant(f, faults[i].undo);
        seen = look(f, false);
        if (seen.bad + seen.warnings > 0)
            fail_msg("%s behind %s: %s", seen.of, faults[i].check, seen.text);
    }
}

static void missing_and_torn_blobs_are_told_apart(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest_of("weights", strlen("weights"));
    char path[BLOBS_PATH_MAX];

    fill_store(f->s, "one", 10, 4);
    assert_true(blobs_have(store_blobs(f->s), &d, NULL));
    (void)blobs_path(store_blobs(f->s), &d, path);
    int fd = open(path, O_WRONLY);
    if (fd < 0) {
        assert_int_equal(chmod(path, 0600), 0);
        fd = open(path, O_WRONLY);
    }
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(look(f, false).bad, 0); /* as long as before */
    struct seen seen = look(f, true);
    assert_int_equal(seen.bad, 1);
    assert_string_equal(seen.of, "blobs");
    assert_non_null(strstr(seen.text, "not what their names say"));
    assert_int_equal(truncate(path, 3), 0);
    assert_non_null(strstr(look(f, false).text, "not what their names say"));
    assert_int_equal(unlink(path), 0);
    assert_non_null(strstr(look(f, false).text, "missing"));
}

static void a_damaged_file_is_a_finding_and_no_error(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char junk[4096];

    fill_store(f->s, "one", 30, 15);
    store_close(f->s);
    f->s = NULL;
    assert_int_equal(stat(f->path, &st), 0);
    memset(junk, 0xa5, sizeof junk);
    int fd = open(f->path, O_WRONLY);
    assert_true(fd >= 0);
    for (off_t at = 16384; at < st.st_size; at += 8192)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    assert_int_equal(close(fd), 0);
    struct seen seen = look(f, false);
    assert_true(seen.bad > 0);
    assert_string_equal(seen.of, "structure");
}

static void what_is_no_store_is_an_error(void **state)
{
    struct fixture *f = *state;
    enum doctor_state worst;
    struct seen seen = { 0 };
    char path[128];

    snprintf(path, sizeof path, "%s/none.db", f->dir);
    FAILS(ERR_NOT_FOUND, "no store", store_doctor(path, false, note, &seen, &worst, err));
    assert_int_equal(seen.findings, 0);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_sound_store_has_no_findings),         T(each_broken_law_is_named),
        T(missing_and_torn_blobs_are_told_apart), T(a_damaged_file_is_a_finding_and_no_error),
        T(what_is_no_store_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
