/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.c - a hash table with chains, its records from a list of free ones: an attempt comes
 * and goes with every job. */
#include "coordinator/attempts.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/base/mem.h"

enum {
    BUCKETS = 1 << 16, /* ids are dense: one each for the newest 65536 */
    FREE_MAX = 65536,  /* records kept for later, 72 bytes each: 5 MB */
};

struct record {
    struct attempt attempt; /* first */
    struct record *chain;   /* in its bucket, or among the free ones */
};

struct attempts {
    struct record *buckets[BUCKETS];
    struct record *free;
    size_t free_len;
    struct attempt *running;
};

struct attempts *attempts_new(void)
{
    return mem_calloc(1, sizeof(struct attempts));
}

void attempts_free(struct attempts *a)
{
    struct record *r;

    if (!a)
        return;
    while (a->running)
        attempts_end(a, a->running->id);
    while ((r = a->free) != NULL) {
        a->free = r->chain;
        free(r);
    }
    free(a);
}

static struct record **find(const struct attempts *a, uint64_t id)
{
    struct record *const *at = &a->buckets[id % BUCKETS];

    while (*at && (*at)->attempt.id != id)
        at = &(*at)->chain;
    return (struct record **)(uintptr_t)at;
}

struct attempt *attempts_add(struct attempts *a, uint64_t id, uint32_t epoch, uint64_t job,
                             uint64_t now_ms)
{
    struct record **at = find(a, id), *r = a->free;

    assert(!*at);
    if (r) {
        a->free = r->chain;
        a->free_len--;
    } else {
        r = mem_calloc(1, sizeof(*r));
    }
    *r = (struct record){ .attempt = { .id = id, .job = job, .epoch = epoch, .begun_ms = now_ms } };
    *at = r;
    DL_APPEND(a->running, &r->attempt);
    return &r->attempt;
}

void attempts_end(struct attempts *a, uint64_t id)
{
    struct record **at = find(a, id), *r = *at;

    if (!r)
        return;
    *at = r->chain;
    DL_DELETE(a->running, &r->attempt);
    if (a->free_len == FREE_MAX) {
        free(r);
        return;
    }
    r->chain = a->free;
    a->free = r;
    a->free_len++;
}

struct attempt *attempts_find(const struct attempts *a, uint64_t id)
{
    struct record *r = *find(a, id);

    return r ? &r->attempt : NULL;
}

struct attempt *attempts_running(const struct attempts *a)
{
    return a->running;
}
