/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/replaying.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "experiments/cli/embedded.h"

enum { LOOK_MS = 50, CLASSES_BYTES = 4096 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- the scratch folder ---- */

struct scratch {
    char dir[4096], path[4096 + 16];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)!remove(path); /* what cannot be removed stays in the temporary folder */
    return 0;
}

static void scratch_remove(struct scratch *s)
{
    if (s->dir[0])
        (void)!nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int scratch_make(struct scratch *s, struct err *err)
{
    const char *base = getenv("TMPDIR");

    snprintf(s->dir, sizeof(s->dir), "%s/drover-replay-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(s->dir)) {
        int errnum = errno;

        s->dir[0] = '\0';
        return err_errno(err, errnum, "make a temporary folder (TMPDIR names where)");
    }
    snprintf(s->path, sizeof(s->path), "%s/replay.db", s->dir);
    return 0;
}

/* ---- numeric classes ---- */

/* What this computer's workers offer: one per line. */
static int read_classes(const char *folder, char out[CLASSES_BYTES], struct err *err)
{
    struct buf command CLEANUP(buf_release) = { 0 };
    size_t n;
    FILE *f;

    if (strchr(folder, '\''))
        return err_set(err, ERR_INVALID, "%s: a folder with a quote in its name", folder);
    buf_printf(&command, "'%s/drover-worker' --classes", folder);
    f = popen(buf_str(&command), "re");
    if (!f)
        return err_errno(err, errno, "start %s", buf_str(&command));
    n = fread(out, 1, CLASSES_BYTES - 1, f);
    out[n] = '\0';
    if (pclose(f) != 0)
        return err_set(err, ERR_IO, "%s fails", buf_str(&command));
    return 0;
}

/* ---- filling the scratch store ---- */

static int put_jobs(struct replaying *r, struct store *s, struct store *scratch,
                    const char *classes, struct err *err)
{
    const struct digest point = digest_of("replay", 6);
    struct store_submission sub;
    uint64_t run;
    int rc = store_submit_begin(scratch, "replay", &point, "", "", &sub, err);

    if (rc)
        return rc;
    rc = store_submit_run(scratch, &sub, &point, 0, NULL, 0, &run, err);
    for (size_t i = 0; rc == 0 && i < r->len; i++)
        rc = replay_put(s, scratch, &sub, run, classes, &r->job[i], err);
    if (rc) {
        store_submit_abort(scratch);
        return rc;
    }
    return store_submit_end(scratch, &sub, NULL, err);
}

static int fill_scratch(struct replaying *r, const char *path, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct store *scratch CLEANUP(store_cleanup) = NULL;
    char classes[CLASSES_BYTES];
    int rc = store_open_read(&s, r->store, err);

    if (!rc)
        rc = read_classes(r->folder, classes, err);
    if (!rc)
        rc = store_open(&scratch, path, "", err);
    return rc ? rc : put_jobs(r, s, scratch, classes, err);
}

/* ---- running ---- */

static void say(void *arg, const char *line)
{
    const struct replaying *r = arg;

    if (!r->quiet)
        fprintf(stderr, "%s\n", line);
}

static int wait_for_end(struct replaying *r, struct embedded *e, struct store *scratch,
                        struct err *err)
{
    uint64_t experiment;
    bool finished = false;
    int rc = store_find_experiment(scratch, "replay", &experiment, err);

    while (!rc && !finished) {
        rc = embedded_watch(e, clock_ms(), say, r, err);
        if (!rc)
            rc = store_finished(scratch, experiment, &finished, err);
        if (!rc && interrupted)
            rc = err_set(err, ERR_CANCELLED, "interrupted; nothing was recorded");
        if (!rc && !finished)
            clock_sleep_ms(LOOK_MS);
    }
    return rc;
}

static int run_scratch(struct replaying *r, const char *path, struct err *err)
{
    struct embedded_conf conf = {
        .folder = r->folder, .store = path, .workers = r->workers, .threads = r->threads
    };
    struct store *scratch CLEANUP(store_cleanup) = NULL;
    struct embedded *e = NULL;
    int rc = embedded_new(&conf, &e, err);

    if (rc)
        return rc;
    rc = embedded_work(e, err);
    if (!rc)
        rc = store_open_read(&scratch, path, err);
    if (!rc)
        rc = wait_for_end(r, e, scratch, err);
    if (!rc)
        embedded_stop(e);
    while (!rc && !embedded_stopped(e))
        clock_sleep_ms(5);
    embedded_free(e);
    return rc;
}

/* ---- comparing ---- */

static int compare_all(struct replaying *r, const char *path, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct store *scratch CLEANUP(store_cleanup) = NULL;
    int rc = store_open_read(&s, r->store, err);

    if (!rc)
        rc = store_open_read(&scratch, path, err);
    for (size_t i = 0; rc == 0 && i < r->len; i++) {
        struct replay_job *j = &r->job[i];

        if (j->ready)
            rc = replay_compare(s, scratch, j, err);
        r->skipped += !j->ready;
        r->same += j->ready && j->ended && j->same;
        r->different += j->ready && j->ended && !j->same;
        r->failed += j->ready && !j->ended;
    }
    return rc;
}

/* A coordinator may have the store: then the verdicts are only told. */
static int record_all(struct replaying *r, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct err why = { 0 };
    int rc = store_open(&s, r->store, "", &why);

    if (rc) {
        snprintf(r->why_not, sizeof(r->why_not), "%.390s", why.text);
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < r->len; i++) {
        if (r->job[i].ready && r->job[i].ended)
            rc = replay_record(s, &r->job[i], err);
    }
    r->recorded = rc == 0;
    return rc;
}

int replay_all(struct replaying *r, struct err *err)
{
    struct scratch scratch CLEANUP(scratch_remove) = { .dir = "" };
    bool any = false;
    int rc = scratch_make(&scratch, err);

    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (!rc)
        rc = fill_scratch(r, scratch.path, err);
    for (size_t i = 0; i < r->len; i++)
        any = any || r->job[i].ready;
    if (!rc && any)
        rc = run_scratch(r, scratch.path, err);
    if (!rc)
        rc = compare_all(r, scratch.path, err);
    return rc || !any ? rc : record_all(r, err);
}

void replaying_release(struct replaying *r)
{
    for (size_t i = 0; i < r->len; i++)
        replay_job_release(&r->job[i]);
    free(r->job);
}
