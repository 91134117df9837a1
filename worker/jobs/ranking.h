/* SPDX-License-Identifier: Apache-2.0 */
/* ranking.h - who survives a rung of halving: candidates by the mean of their seeds' values. Pure.
 * Private to worker/jobs. */
#ifndef WORKER_JOBS_RANKING_H
#define WORKER_JOBS_RANKING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"

/* One candidate: points that differ by their seed alone. */
struct rank {
    struct digest candidate;
    size_t values;   /* seeds with a value */
    uint64_t failed; /* seeds without: failed, diverged, skipped, or the measure is missing */
    double mean;     /* of the values; 0 when there is none */
    bool out;        /* an earlier rung did not let it go on: it only counts among how many */
};

struct ranking {
    struct rank *rank;
    size_t len;
};

/* One line per candidate: {"candidate":HEX,"values":[numbers by seed],"failed":N}, with "out":true
 * where that is so; empty lines are passed over. ERR_INVALID with PATH:line: not such a line, a
 * candidate twice, none at all. */
int ranking_parse(struct ranking *ret, const char *text, size_t len, const char *path,
                  struct err *err) MUST_CHECK;
void ranking_release(struct ranking *r); /* also for CLEANUP */

/* Best first. Those that are out stand last. A candidate without a failed seed stands in front of
 * one with any, fewer failures in front of more, one with a value in front of one without; then by
 * mean, HIGHER or lower first; ties by the candidate's digest. */
void ranking_order(struct ranking *r, bool higher);
/* How many of N go on: KEEP * N rounded up, at least one of one or more. A product within 1e-9 of a
 * whole number is that number: 0.55 of 100 is 55, though the double 0.55 is a little more. */
size_t ranking_keep(double keep, size_t n);
/* The first KEEP of an ordered ranking as the survivors blob: one line {"candidate":HEX} each,
 * sorted by digest. */
void ranking_print(const struct ranking *r, size_t keep, struct buf *out);

#endif
