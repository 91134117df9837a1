/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - what a word on the command line names; pins (keep.h). */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/keep/keep_private.h"
#include "store/store_private.h"

enum { PREFIX_MIN = 6 }; /* digits of a key: fewer are too often ambiguous, or a number */

/* The whole of TEXT as a row number; 0: it is none. */
static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t v;

    if (!isdigit((unsigned char)text[0]))
        return 0;
    errno = 0;
    v = strtoull(text, &end, 10);
    return *end || errno || v > INT64_MAX ? 0 : v;
}

static int has_run(struct store *s, uint64_t id, bool *ret, struct err *err)
{
    struct stmt *st = USE(s, RUN_EXISTS);
    int64_t n = 0;
    int rc;

    stmt_u64(st, ":id", id);
    rc = stmt_get(st, &n, err);
    *ret = n != 0;
    return rc;
}

/* Fill in *RET for job ID. *RET_FOUND: there is one. */
static int take_job(struct store *s, uint64_t id, struct store_target *ret, bool *ret_found,
                    struct err *err)
{
    struct stmt *st = USE(s, JOB_HEAD);
    struct digest key;
    char hex[DIGEST_HEX];
    int rc;

    *ret_found = false;
    stmt_u64(st, ":id", id);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    *ret_found = true;
    key = stmt_col_digest(st, 0);
    *ret = (struct store_target){ .job = id };
    snprintf(ret->text, sizeof ret->text, "job %llu (%s, step %s, %.12s)", (unsigned long long)id,
             stmt_col_text(st, 1), stmt_col_text(st, 2), digest_hex(&key, hex));
    stmt_reset(st);
    return 0;
}

static int nibble(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The job whose key begins with the hex digits TEXT. */
static int job_of_key(struct store *s, const char *text, struct store_target *ret, bool *ret_found,
                      struct err *err)
{
    struct digest low = { { 0 } }, high;
    struct store_ids ids = { 0 };
    size_t n = strlen(text);
    struct stmt *st;
    int rc;

    *ret_found = false;
    if (n < PREFIX_MIN || n > 64 || strspn(text, "0123456789abcdefABCDEF") != n)
        return 0;
    memset(&high, 0xff, sizeof high);
    for (size_t i = 0; i < n; i++) {
        unsigned shift = i % 2 ? 0 : 4, v = (unsigned)nibble(text[i]) << shift;

        low.b[i / 2] = (uint8_t)((low.b[i / 2] & ~(0xfu << shift)) | v);
        high.b[i / 2] = (uint8_t)((high.b[i / 2] & ~(0xfu << shift)) | v);
    }
    st = USE(s, JOBS_BY_KEY);
    stmt_digest(st, ":low", &low);
    stmt_digest(st, ":high", &high);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&ids, stmt_col_u64(st, 0));
    if (rc == 0 && ids.len > 1)
        rc = err_set(err, ERR_INVALID,
                     "several jobs have keys that begin with %s; give more digits", text);
    else if (rc == 0 && ids.len == 1)
        rc = take_job(s, ids.v[0], ret, ret_found, err);
    store_ids_release(&ids);
    return rc;
}

static void take_run(uint64_t id, struct store_target *ret)
{
    *ret = (struct store_target){ .run = id };
    snprintf(ret->text, sizeof ret->text, "run %llu", (unsigned long long)id);
}

/* "j42". *RET_FOUND false: TEXT has no such form. */
static int job_number(struct store *s, const char *text, struct store_target *ret, bool *ret_found,
                      struct err *err)
{
    uint64_t id = text[0] == 'j' ? number_of(text + 1) : 0;
    int rc;

    *ret_found = false;
    if (!id)
        return 0;
    rc = take_job(s, id, ret, ret_found, err);
    if (rc == 0 && !*ret_found)
        rc = err_set(err, ERR_NOT_FOUND, "%s holds no job %s", store_path(s), text + 1);
    return rc;
}

/* A bare number is a run's. */
static int run_number(struct store *s, const char *text, struct store_target *ret, bool *ret_found,
                      struct err *err)
{
    uint64_t id = number_of(text);
    int rc;

    *ret_found = false;
    if (!id)
        return 0;
    rc = has_run(s, id, ret_found, err);
    if (rc == 0 && *ret_found)
        take_run(id, ret);
    return rc;
}

int store_target(struct store *s, const char *text, unsigned kinds, struct store_target *ret,
                 struct err *err)
{
    bool found = false;
    struct err names = { 0 };
    int rc = 0;

    if (kinds & TARGET_JOB)
        rc = job_number(s, text, ret, &found, err);
    if (rc == 0 && !found && (kinds & TARGET_RUN))
        rc = run_number(s, text, ret, &found, err);
    if (rc == 0 && !found && (kinds & TARGET_JOB))
        rc = job_of_key(s, text, ret, &found, err);
    if (rc < 0 || found)
        return rc;
    *ret = (struct store_target){ 0 };
    if (kinds & TARGET_EXPERIMENT) {
        rc = store_find_experiment(s, text, &ret->experiment, &names);
        snprintf(ret->text, sizeof ret->text, "experiment %.280s", text);
        return rc < 0 ? err_set(err, (enum err_code)rc, "%s", names.text) : 0;
    }
    return err_set(
        err, ERR_NOT_FOUND,
        "%s holds nothing named \"%s\": name a run by its number (17) or a job by its (j42) "
        "or by the first %d or more digits of its key; `drover runs` lists runs, `drover "
        "show RUN` their jobs",
        store_path(s), text, PREFIX_MIN);
}

/* ---- pins ---- */

static int change_pin(struct store *s, const struct store_target *t, bool on, struct err *err)
{
    struct stmt *st;

    assert((t->experiment != 0) + (t->run != 0) + (t->job != 0) == 1);
    if (on) {
        st = USE(s, PIN_PUT);
        stmt_u64(st, ":experiment", t->experiment);
        stmt_u64(st, ":run", t->run);
        stmt_u64(st, ":job", t->job);
        stmt_int(st, ":now", store_now());
        return stmt_run(st, err);
    }
    st = t->experiment ? USE(s, PIN_DROP_EXPERIMENT)
         : t->run      ? USE(s, PIN_DROP_RUN)
                       : USE(s, PIN_DROP_JOB);
    stmt_u64(st, ":id", t->experiment + t->run + t->job);
    return stmt_run(st, err);
}

int store_pin(struct store *s, const struct store_target *target, bool on, bool *ret_changed,
              struct err *err)
{
    int64_t n = 0;
    int rc = store_begin(s, err);

    if (rc < 0)
        return rc;
    rc = change_pin(s, target, on, err);
    if (rc == 0)
        rc = stmt_get(USE(s, CHANGES), &n, err);
    if (rc < 0) {
        store_rollback(s);
        return rc;
    }
    *ret_changed = n > 0;
    return store_commit(s, err);
}

static int name_experiment(struct store *s, struct store_target *t, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, s->db, "SELECT name FROM experiment WHERE id = :id", NULL, err);

    if (rc == 0) {
        stmt_u64(&st, ":id", t->experiment);
        rc = stmt_step(&st, err);
    }
    if (rc > 0)
        snprintf(t->text, sizeof t->text, "experiment %.280s", stmt_col_text(&st, 0));
    stmt_release(&st);
    return rc < 0 ? rc : 0;
}

static int name_pin(struct store *s, struct store_target *t, struct err *err)
{
    bool found;

    if (t->experiment)
        return name_experiment(s, t, err);
    if (t->job)
        return take_job(s, t->job, t, &found, err);
    take_run(t->run, t);
    return 0;
}

int store_list_pins(struct store *s, store_pin_fn fn, void *arg, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, s->db, stmt_sql(STMT_PINS), NULL, err);

    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        struct store_target t = { .experiment = stmt_col_u64(&st, 0),
                                  .run = stmt_col_u64(&st, 1),
                                  .job = stmt_col_u64(&st, 2) };

        rc = name_pin(s, &t, err);
        if (rc == 0)
            rc = fn(&t, stmt_col(&st, 3), arg);
    }
    stmt_release(&st);
    return rc;
}
