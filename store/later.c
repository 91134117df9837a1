/* SPDX-License-Identifier: Apache-2.0 */
#include "store/later.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "store/sqlite.h"

enum { WAITING, READY, DONE, FAILED, SKIPPED, CANCELLED, STATES };
static const char *const words[STATES] = { "WAITING", "READY",   "DONE",
                                           "FAILED",  "SKIPPED", "CANCELLED" };

struct later {
    UT_hash_handle hh;
    uint64_t run;
    int64_t jobs, state[STATES], diverged, wall_ms;
    int64_t first_ms, last_ms; /* 0: none */
};

static void answer(sqlite3_context *c, int args, sqlite3_value **v)
{
    const struct store *s = sqlite3_user_data(c);

    (void)args;
    (void)v;
    sqlite3_result_int(c, s->sums_later);
}

int later_register(struct store *s, struct err *err)
{
    if (sqlite3_create_function_v2(s->db, "sums_later", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, s,
                                   answer, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_error(s->db, err, "function sums_later");
    return 0;
}

void later_begin(struct store *s)
{
    s->sums_later = true;
}

void later_end(struct store *s)
{
    s->sums_later = false;
}

static struct later *of_run(struct store *s, uint64_t run)
{
    struct later *l = s->later_last;

    if (l && l->run == run)
        return l;
    HASH_FIND(hh, s->later, &run, sizeof(run), l);
    if (!l) {
        l = mem_calloc(1, sizeof(*l));
        l->run = run;
        HASH_ADD(hh, s->later, run, sizeof(run), l);
    }
    return s->later_last = l;
}

static void count(struct later *l, const char *state, int64_t by)
{
    for (size_t i = 0; i < STATES; i++)
        if (strcmp(words[i], state) == 0) {
            l->state[i] += by;
            return;
        }
    assert(false && "no such state");
}

static void add(struct later *l, const struct later_change *c)
{
    if (c->from)
        count(l, c->from, -1);
    if (c->to)
        count(l, c->to, 1);
    l->diverged += c->diverged;
    l->wall_ms += (int64_t)c->wall_ms;
    if (c->started_ms && (l->first_ms == 0 || c->started_ms < l->first_ms))
        l->first_ms = c->started_ms;
    if (c->ended_ms > l->last_ms)
        l->last_ms = c->ended_ms;
}

void later_of_run(struct store *s, uint64_t run, const struct later_change *c)
{
    add(of_run(s, run), c);
}

void later_claim(struct store *s, uint64_t run, const char *state)
{
    struct later *l = of_run(s, run);

    l->jobs++;
    count(l, state, 1);
}

static int write_one(struct store *s, const struct later *l, struct err *err)
{
    struct stmt *st = USE(s, RUN_SUMMARY_ADD);

    stmt_int(st, ":jobs", l->jobs);
    stmt_int(st, ":waiting", l->state[WAITING]);
    stmt_int(st, ":ready", l->state[READY]);
    stmt_int(st, ":done", l->state[DONE]);
    stmt_int(st, ":failed", l->state[FAILED]);
    stmt_int(st, ":skipped", l->state[SKIPPED]);
    stmt_int(st, ":cancelled", l->state[CANCELLED]);
    stmt_int(st, ":diverged", l->diverged);
    stmt_int(st, ":wall_ms", l->wall_ms);
    if (l->first_ms)
        stmt_int(st, ":first_ms", l->first_ms);
    if (l->last_ms)
        stmt_int(st, ":last_ms", l->last_ms);
    stmt_u64(st, ":run", l->run);
    return stmt_run(st, err);
}

int later_flush(struct store *s, struct err *err)
{
    int rc = 0;

    for (struct later *l = s->later; l && rc == 0; l = l->hh.next)
        rc = write_one(s, l, err);
    later_forget(s);
    return rc;
}

void later_forget(struct store *s)
{
    struct later *l, *next;

    s->sums_later = false;
    s->later_last = NULL;
    HASH_ITER(hh, s->later, l, next)
    {
        HASH_DEL(s->later, l);
        free(l);
    }
}

void later_free(struct store *s)
{
    later_forget(s);
}
