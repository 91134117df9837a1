/* SPDX-License-Identifier: Apache-2.0 */
/* plain_table.h - what plain.c keeps, as virtual tables; private to the two. */
#ifndef STORE_PLAIN_TABLE_H
#define STORE_PLAIN_TABLE_H

#include "store/store_private.h"

enum { PLAIN_MAX = 1024 };

struct plain {
    uint64_t attempt, job, worker, incarnation;
    uint32_t epoch;
    uint16_t slot; /* plain.c's */
    bool diverged;
    int64_t started_ms, ended_ms;
    uint64_t wall_ms, cpu_ms;
    const char *environment; /* a word of the store's, or NULL */
    size_t text;             /* place in plains.text plus 1; 0: NULL */
};

/* A claim of a new job that is READY. */
struct plain_claim {
    uint64_t run, job;
    const char *step; /* a word of the store's */
};

size_t plain_claims(const struct store *s);
const struct plain_claim *plain_claim_at(const struct store *s, size_t i);
size_t plain_count(const struct store *s);
const struct plain *plain_at(const struct store *s, size_t i);
/* The result of JOB; NULL: none is kept. */
const struct plain *plain_of_job(const struct store *s, uint64_t job);
const char *plain_text(const struct store *s, const struct plain *x);

#endif
