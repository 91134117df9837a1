/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.c - two hash tables over the same records, and a list of those that run. */
#include "coordinator/attempts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

struct record {
    struct attempt attempt; /* first */
    UT_hash_handle by_core, by_row;
};

struct attempts {
    struct record *by_core, *by_row;
    struct attempt *running;
    struct record *ended[ATTEMPTS_ENDED_MAX]; /* a ring, oldest at NEXT once full */
    size_t next;
};

struct attempts *attempts_new(void)
{
    return mem_calloc(1, sizeof(struct attempts));
}

static void forget(struct attempts *a, struct record *r)
{
    HASH_DELETE(by_core, a->by_core, r);
    HASH_DELETE(by_row, a->by_row, r);
    if (!r->attempt.ended)
        DL_DELETE(a->running, &r->attempt);
    free(r->attempt.claims);
    free(r);
}

void attempts_free(struct attempts *a)
{
    struct record *r, *tmp;

    if (!a)
        return;
    HASH_ITER(by_core, a->by_core, r, tmp)
    forget(a, r);
    free(a);
}

struct attempt *attempts_add(struct attempts *a, uint64_t core, uint32_t core_epoch, uint64_t row,
                             uint32_t row_epoch, uint64_t job)
{
    struct record *r = mem_calloc(1, sizeof(*r));

    assert(!attempts_by_core(a, core) && !attempts_by_row(a, row));
    r->attempt.core = core;
    r->attempt.core_epoch = core_epoch;
    r->attempt.row = row;
    r->attempt.row_epoch = row_epoch;
    r->attempt.job = job;
    r->attempt.begun_ms = clock_ms();
    HASH_ADD(by_core, a->by_core, attempt.core, sizeof(r->attempt.core), r);
    HASH_ADD(by_row, a->by_row, attempt.row, sizeof(r->attempt.row), r);
    DL_APPEND(a->running, &r->attempt);
    return &r->attempt;
}

void attempts_end(struct attempts *a, struct attempt *t)
{
    if (t->ended)
        return;
    t->ended = true;
    DL_DELETE(a->running, t);
    free(t->claims);
    t->claims = NULL;
    t->claims_len = 0;
    if (a->ended[a->next])
        forget(a, a->ended[a->next]);
    a->ended[a->next] = (struct record *)t;
    a->next = (a->next + 1) % ATTEMPTS_ENDED_MAX;
}

struct attempt *attempts_by_core(const struct attempts *a, uint64_t core)
{
    struct record *r;

    HASH_FIND(by_core, a->by_core, &core, sizeof(core), r);
    return r ? &r->attempt : NULL;
}

struct attempt *attempts_by_row(const struct attempts *a, uint64_t row)
{
    struct record *r;

    HASH_FIND(by_row, a->by_row, &row, sizeof(row), r);
    return r ? &r->attempt : NULL;
}

struct attempt *attempts_running(const struct attempts *a)
{
    return a->running;
}

void attempts_forget_claims(struct attempts *a)
{
    struct attempt *t;

    DL_FOREACH(a->running, t)
    t->claims_known = false;
}
