/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - experiments, runs, status, labels (read.h). */
#include "store/read.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/store_private.h"

enum { STEPS_BETWEEN_LOOKS = 10000 }; /* virtual machine instructions: some 0.1 ms */

static int out_of_time(void *arg)
{
    return clock_ms() > *(const uint64_t *)arg;
}

void store_time_limit(struct store *s, uint32_t time_ms)
{
    s->deadline_ms = time_ms ? clock_ms() + time_ms : 0;
    sqlite3_progress_handler(s->db, time_ms ? STEPS_BETWEEN_LOOKS : 0, time_ms ? out_of_time : NULL,
                             &s->deadline_ms);
}

int store_check_time(const struct store *s, struct err *err)
{
    if (s->deadline_ms == 0 || clock_ms() <= s->deadline_ms)
        return 0;
    return err_set(err, ERR_TIMEOUT, "it took longer than it may and was stopped");
}

/* What a listing returns: FN's value when it stopped, else the statement's. */
static int stopped(struct stmt *st, int by)
{
    stmt_reset(st);
    return by;
}

int store_list_experiments(struct store *s, store_experiment_fn fn, void *arg, struct err *err)
{
    struct stmt *st = USE(s, EXPERIMENTS);
    int rc;

    while ((rc = stmt_step(st, err)) > 0) {
        struct store_experiment e = {
            .id = stmt_col_u64(st, 0),
            .name = stmt_col_text(st, 1),
            .revision = stmt_col_u64(st, 2),
            .revision_number = (uint32_t)stmt_col(st, 3),
            .cancelled = stmt_col(st, 4) != 0,
            .submitted_wall_ms = stmt_col(st, 5),
        };

        rc = fn(&e, arg);
        if (rc)
            return stopped(st, rc);
    }
    return rc;
}

/* The names there are: the last few of them into OUT, of all of them the one nearest to NAME into
 * NEAR. */
static int name_experiments(struct store *s, const char *name, struct buf *out, struct buf *near,
                            struct err *err)
{
    enum { LISTED = 8, NAMES_MAX = 10000 };
    struct stmt *st = USE(s, EXPERIMENT_NAMES);
    char **names = mem_calloc(NAMES_MAX + 1, sizeof *names);
    const char *found;
    size_t len = 0;
    int rc;

    while ((rc = stmt_step(st, err)) > 0 && len < NAMES_MAX) {
        names[len++] = mem_strdup(stmt_col_text(st, 0));
        if (len <= LISTED)
            buf_printf(out, "%s\"%s\"", len > 1 ? ", " : "", names[len - 1]);
    }
    stmt_reset(st);
    found = nearest_find(name, (const char *const *)names);
    if (found)
        buf_adds(near, found);
    for (size_t i = 0; i < len; i++)
        free(names[i]);
    free(names);
    return MIN(rc, 0);
}

int store_find_experiment(struct store *s, const char *name, uint64_t *ret, struct err *err)
{
    bool last = !name || !name[0];
    struct stmt *st = last ? USE(s, EXPERIMENT_LAST) : USE(s, EXPERIMENT_FIND);
    CLEANUP(buf_release) struct buf names = { 0 };
    CLEANUP(buf_release) struct buf near = { 0 };
    int64_t id = 0;
    int rc;

    if (!last)
        stmt_text(st, ":name", name);
    rc = stmt_get(st, &id, err);
    *ret = (uint64_t)id;
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = name_experiments(s, last ? "" : name, &names, &near, err);
    if (rc < 0)
        return rc;
    if (names.len == 0)
        return err_set(err, ERR_NOT_FOUND, "%s holds no experiment yet", s->path);
    if (near.len)
        return err_set(err, ERR_NOT_FOUND, "no experiment \"%s\" in %s; did you mean \"%s\"?", name,
                       s->path, buf_str(&near));
    return err_set(err, ERR_NOT_FOUND, "no experiment \"%s\" in %s; it holds %s", name, s->path,
                   buf_str(&names));
}

int store_recipe(struct store *s, uint64_t experiment, struct buf *ret, struct err *err)
{
    struct stmt *st = USE(s, RECIPE);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no experiment %llu", (unsigned long long)experiment);
    buf_adds(ret, stmt_col_text(st, 0));
    stmt_reset(st);
    return 0;
}

int store_list_runs(struct store *s, uint64_t experiment, bool superseded_too, store_run_fn fn,
                    void *arg, struct err *err)
{
    struct stmt *st = USE(s, RUNS);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    stmt_int(st, ":superseded", superseded_too);
    while ((rc = stmt_step(st, err)) > 0) {
        struct store_run r = {
            .id = stmt_col_u64(st, 0),
            .seed = stmt_col_u64(st, 1),
            .superseded = stmt_col(st, 2) != 0,
            .params = stmt_col_text(st, 3),
        };

        rc = fn(&r, arg);
        if (rc)
            return stopped(st, rc);
    }
    return rc;
}

int store_finished(struct store *s, uint64_t experiment, bool *ret, struct err *err)
{
    struct stmt *st = USE(s, UNFINISHED);
    int64_t unfinished = 0;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = stmt_get(st, &unfinished, err);
    *ret = !unfinished;
    return rc;
}

int store_failures(struct store *s, uint64_t experiment, store_text_fn fn, void *arg,
                   struct err *err)
{
    struct stmt *st = USE(s, FAILURES);
    CLEANUP(buf_release) struct buf text = { 0 };
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        buf_clear(&text);
        buf_printf(&text, "%s: %s: %s", stmt_col_text(st, 1), stmt_col_text(st, 2),
                   stmt_col_text(st, 3));
        rc = fn(buf_str(&text), arg);
        if (rc)
            return stopped(st, rc);
    }
    return rc;
}
