/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - pausing and priorities, and what follows for jobs (control.h). */
#include "store/control.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/control_private.h"
#include "store/read.h"
#include "store/store_private.h"

void store_changes_release(struct store_changes *c)
{
    free(c->v);
    *c = (struct store_changes){ 0 };
}

void store_changes_add(struct store_changes *c, struct store_change change)
{
    if (c->len == c->cap) {
        c->cap = MAX(64, 2 * c->cap);
        c->v = mem_realloc(c->v, c->cap, sizeof(*c->v));
    }
    c->v[c->len++] = change;
}

void store_interrupt(struct store *s)
{
    sqlite3_interrupt(s->db);
}

static int refresh(struct store *s, enum stmt_id how, uint64_t experiment,
                   struct store_changes *changed, uint32_t *ret_jobs, struct err *err)
{
    struct stmt *st = store_use(s, how);
    int rc;

    *ret_jobs = 0;
    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        const char *state = stmt_col_text(st, 3);

        *ret_jobs += strcmp(state, "READY") == 0 || strcmp(state, "WAITING") == 0;
        if (changed && strcmp(state, "READY") == 0)
            store_changes_add(changed,
                              (struct store_change){ stmt_col_u64(st, 0), (int32_t)stmt_col(st, 1),
                                                     stmt_col(st, 2) != 0, stmt_col_u64(st, 4) });
    }
    return rc;
}

int store_refresh_jobs(struct store *s, uint64_t experiment, struct store_changes *changed,
                       struct err *err)
{
    int64_t any = 0;
    uint32_t jobs;
    int rc = stmt_get(USE(s, CONTROL_ANY), &any, err);

    if (rc < 0)
        return rc;
    return refresh(s, any ? STMT_CONTROL_REFRESH : STMT_CONTROL_HAND_OVER, experiment, changed,
                   &jobs, err);
}

int store_experiment_control(struct store *s, uint64_t experiment, bool *ret_paused,
                             int32_t *ret_priority, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_GET);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no experiment %llu", (unsigned long long)experiment);
    *ret_paused = stmt_col(st, 1) != 0;
    *ret_priority = (int32_t)stmt_col(st, 2);
    stmt_reset(st);
    return 0;
}

static int set_number(struct store *s, enum stmt_id id, const char *param, int64_t v,
                      uint64_t experiment, struct err *err)
{
    struct stmt *st = store_use(s, id);

    stmt_int(st, param, v);
    stmt_u64(st, ":experiment", experiment);
    return stmt_run(st, err);
}

static int count(struct store *s, uint64_t experiment, bool paused, uint32_t *ret, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_COUNT);
    int64_t n = 0;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    stmt_int(st, ":paused", paused);
    rc = stmt_get(st, &n, err);
    *ret = (uint32_t)n;
    return rc;
}

static int set_paused(struct store *s, uint64_t experiment, bool paused,
                      struct store_changes *changed, uint32_t *ret_jobs, struct err *err)
{
    uint32_t jobs;
    int rc = set_number(s, STMT_CONTROL_PAUSED, ":paused", paused, experiment, err);

    if (rc == 0)
        rc = refresh(s, STMT_CONTROL_REFRESH, experiment, changed, &jobs, err);
    return rc == 0 ? count(s, experiment, paused, ret_jobs, err) : rc;
}

static int set_priority(struct store *s, uint64_t experiment, int32_t priority,
                        struct store_changes *changed, uint32_t *ret_jobs, struct err *err)
{
    int rc;

    if (priority > STORE_PRIORITY_MAX || priority < -STORE_PRIORITY_MAX)
        return err_set(err, ERR_INVALID, "priority %d is out of range; choose -%d to %d", priority,
                       STORE_PRIORITY_MAX, STORE_PRIORITY_MAX);
    rc = set_number(s, STMT_CONTROL_PRIORITY, ":priority", priority, experiment, err);
    return rc == 0 ? refresh(s, STMT_CONTROL_REFRESH, experiment, changed, ret_jobs, err) : rc;
}

static int get_name(struct store *s, uint64_t experiment, struct buf *ret, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_GET);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    buf_adds(ret, stmt_col_text(st, 0));
    stmt_reset(st);
    return 0;
}

static void say(const struct store_control *c, const char *name, uint32_t jobs, struct buf *ret)
{
    const char *s = jobs == 1 ? "" : "s";

    switch (c->verb) {
    case STORE_PAUSE:
        buf_printf(ret,
                   "%s is paused: %u job%s will not begin until drover resume %s; those that "
                   "run finish",
                   name, jobs, s, name);
        break;
    case STORE_RESUME:
        buf_printf(ret, "%s goes on: %u job%s", name, jobs, s);
        break;
    case STORE_PRIORITY:
        buf_printf(ret, "%s has priority %d: %u job%s moved", name, c->priority, jobs, s);
        break;
    case STORE_RETRY:
        if (jobs)
            buf_printf(ret, "%u job%s will be tried again", jobs, s);
        else
            buf_adds(ret, "nothing to try again: no job failed, was cancelled or skipped");
        break;
    case STORE_VERBS:
        break;
    }
}

static int control(struct store *s, const struct store_control *c, struct store_changes *changed,
                   uint32_t *ret_jobs, struct buf *ret_text, struct err *err)
{
    static const char *const kinds[STORE_VERBS] = { "paused", "resumed", "retried", "priority" };
    CLEANUP(buf_release) struct buf name = { 0 };
    CLEANUP(buf_release) struct buf text = { 0 };
    bool whole = !(c->step && c->step[0]) && !(c->job && c->job[0]);
    uint64_t experiment = 0;
    int rc = 0;

    if (!whole && c->verb != STORE_RETRY)
        return err_set(err, ERR_INVALID, "only an experiment as a whole can be %s",
                       c->verb == STORE_PRIORITY ? "given a priority" : kinds[c->verb]);
    if (!(c->job && c->job[0]))
        rc = store_find_experiment(s, c->experiment, &experiment, err);
    if (rc == 0 && experiment)
        rc = get_name(s, experiment, &name, err);
    if (rc < 0)
        return rc;
    if (c->verb == STORE_RETRY)
        rc = control_retry(s, experiment, c->step, c->job, ret_jobs, err);
    else if (c->verb == STORE_PRIORITY)
        rc = set_priority(s, experiment, c->priority, changed, ret_jobs, err);
    else
        rc = set_paused(s, experiment, c->verb == STORE_PAUSE, changed, ret_jobs, err);
    if (rc < 0)
        return rc;
    say(c, buf_str(&name), *ret_jobs, &text);
    if (ret_text)
        buf_adds(ret_text, buf_str(&text));
    return store_event(s, kinds[c->verb], 0, 0, buf_str(&text), err);
}

int store_control(struct store *s, const struct store_control *c, struct store_changes *changed,
                  uint32_t *ret_jobs, struct buf *ret_text, struct err *err)
{
    /* What may be wrong is found before the first write. A savepoint around 100,000 jobs would cost
     * each statement a walk through its journal. */
    int rc = item_check(s, err);

    *ret_jobs = 0;
    return rc < 0 ? rc : control(s, c, changed, ret_jobs, ret_text, err);
}

int store_job_change(struct store *s, uint64_t job, struct store_change *ret, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_JOB);
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no job j%llu", (unsigned long long)job);
    *ret = (struct store_change){ job, (int32_t)stmt_col(st, 1), stmt_col(st, 2) != 0,
                                  stmt_col_u64(st, 10) };
    stmt_reset(st);
    return 0;
}

/* The number that NAME has in TEXT, "NAME = VALUE" lines; 0 when there is none. */
static uint64_t number_in(const char *text, const char *name)
{
    const size_t len = strlen(name);

    for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL)
        if (strncmp(at, name, len) == 0 && strncmp(at + len, " = ", 3) == 0)
            return strtoull(at + len + 3, NULL, 10);
    return 0;
}

/* Which runs want a job, and which stage of a curriculum it is. */
static void claim_words(const struct stmt *st, char *out, size_t size)
{
    const uint64_t runs = stmt_col_u64(st, 3);
    const bool stage = strcmp(stmt_col_text(st, 4), "stage") == 0;
    const uint64_t updates = stage ? number_in(stmt_col_text(st, 5), "updates") : 0;
    const uint64_t first = updates > 0 ? number_in(stmt_col_text(st, 5), "first") : 0;
    int len = snprintf(out, size, runs == 1 ? "run %llu" : "%llu runs",
                       (unsigned long long)(runs == 1 ? stmt_col_u64(st, 2) : runs));

    if (updates > 0)
        (void)snprintf(out + len, size - (size_t)len, ", stage %llu",
                       (unsigned long long)(first / updates + 1));
}

int store_list_claims(struct store *s, uint64_t job, store_claim_fn fn, void *arg, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_CLAIMS);
    int rc;

    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0) {
        char what[80];

        claim_words(st, what, sizeof(what));
        rc = fn(stmt_col_u64(st, 0), stmt_col_text(st, 1), what, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

int store_list_ready_jobs(struct store *s, uint64_t experiment, size_t max, struct store_ids *ret,
                          struct err *err)
{
    struct stmt *st = USE(s, WHY_READY);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    stmt_u64(st, ":max", max);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(ret, stmt_col_u64(st, 0));
    return rc;
}

/* ---- a job's name ---- */

enum { KEY_DIGITS_MIN = 4, KEY_DIGITS = 2 * DIGEST_BYTES };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The least and the greatest key that begin with TEXT; false when it is no such beginning. */
static bool key_range(const char *text, struct digest *ret_low, struct digest *ret_high)
{
    size_t len = strlen(text);

    if (len < KEY_DIGITS_MIN || len > KEY_DIGITS)
        return false;
    for (size_t i = 0; i < KEY_DIGITS; i++) {
        int low = i < len ? hex_value(text[i]) : 0, high = i < len ? low : 15;
        unsigned shift = i % 2 ? 0 : 4;

        if (low < 0)
            return false;
        if (shift == 4)
            ret_low->b[i / 2] = ret_high->b[i / 2] = 0;
        ret_low->b[i / 2] |= (uint8_t)(low << shift);
        ret_high->b[i / 2] |= (uint8_t)(high << shift);
    }
    return true;
}

static int find_key(struct store *s, const char *text, uint64_t *ret, struct err *err)
{
    enum { SHOWN = 4 };
    CLEANUP(buf_release) struct buf names = { 0 };
    struct digest low = { 0 }, high = { 0 };
    struct stmt *st;
    size_t n = 0;
    int rc;

    if (!key_range(text, &low, &high))
        return err_set(err, ERR_INVALID,
                       "\"%.80s\" names no job: give its number, or %d or more digits of its key",
                       text, KEY_DIGITS_MIN);
    st = USE(s, CONTROL_JOB_KEYS);
    stmt_digest(st, ":low", &low);
    stmt_digest(st, ":high", &high);
    stmt_int(st, ":max", SHOWN);
    while ((rc = stmt_step(st, err)) > 0) {
        struct digest key = stmt_col_digest(st, 1);
        char hex[DIGEST_HEX];

        *ret = stmt_col_u64(st, 0);
        buf_printf(&names, "%sj%llu (%.16s, step %.40s)", n++ ? ", " : "", (unsigned long long)*ret,
                   digest_hex(&key, hex), stmt_col_text(st, 2));
    }
    if (rc < 0)
        return rc;
    if (n == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "no job has a key that begins with %s; `drover show` "
                       "lists a run's jobs",
                       text);
    if (n > 1)
        return err_set(err, ERR_INVALID, "\"%s\" fits several jobs: %s%s; give more digits", text,
                       buf_str(&names), n == SHOWN ? "..." : "");
    return 0;
}

int store_find_job_text(struct store *s, const char *text, uint64_t *ret, struct err *err)
{
    struct store_change row;
    uint64_t number = 0;
    const char *digits = text + (text[0] == 'j');
    size_t len = strspn(digits, "0123456789");
    int rc;

    *ret = 0;
    if (len > 0 && !digits[len] && len <= 18) { /* fits 63 bits */
        for (size_t i = 0; i < len; i++)
            number = 10 * number + (uint64_t)(digits[i] - '0');
        rc = store_job_change(s, number, &row, err);
        if (rc == 0)
            *ret = number;
        if (rc != ERR_NOT_FOUND || text[0] == 'j' || len < KEY_DIGITS_MIN)
            return rc;
    }
    return find_key(s, text, ret, err);
}
