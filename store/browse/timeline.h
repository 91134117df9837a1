/* SPDX-License-Identifier: Apache-2.0 */
/* timeline.h - what workers did when: their attempts in a window of time, laid into lanes so that
 * none overlap (about the slots they ran in: which slot it was is not recorded), or, where there
 * are too many to draw, how busy they were. Pure. */
#ifndef STORE_BROWSE_TIMELINE_H
#define STORE_BROWSE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/browse/ledger.h"

enum {
    TIMELINE_SPANS_MAX = 5000, /* in an answer; more become bins */
    TIMELINE_LANES_MAX = 256,  /* of a worker */
    TIMELINE_BINS = 240,
};

struct timeline_span {
    int64_t start_ms, end_ms; /* end_ms of what runs: the end of the window */
    uint32_t attempt, job;    /* attempt 0: it is not in the store yet */
    uint32_t worker;
    uint16_t lane;
    uint8_t outcome;
};

struct timeline_worker {
    uint32_t id;
    size_t first, len; /* of its spans */
    size_t lanes;
    uint32_t slots; /* 0: not known, then the greatest number at once */
    uint64_t n;     /* attempts in the window */
    double busy_ms; /* within the window */
    float *bin;     /* [TIMELINE_BINS] attempts at once, on average; NULL: it has spans */
};

struct timeline {
    int64_t from_ms, to_ms;
    struct timeline_span *span; /* by worker, lane, start */
    size_t spans;
    struct timeline_worker *worker; /* by id */
    size_t workers;
    uint64_t n; /* attempts in the window */
};

/* Attempts of V that overlap FROM..TO, and OPEN (LEN of them, sorted in no order; end_ms is set).
 * More than MAX spans: the workers with the most attempts get bins instead. */
void timeline_make(const struct ledger_view *v, const struct timeline_span *open, size_t len,
                   int64_t from_ms, int64_t to_ms, size_t max, struct timeline *ret);
void timeline_release(struct timeline *t);

#endif
