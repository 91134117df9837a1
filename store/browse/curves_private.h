/* SPDX-License-Identifier: Apache-2.0 */
/* curves_private.h - curves while they are made: curves.c chooses and draws, curves_ask.c knows
 * what there is. */
#ifndef STORE_BROWSE_CURVES_PRIVATE_H
#define STORE_BROWSE_CURVES_PRIVATE_H

#include "store/browse/cohort.h"
#include "store/browse/curves.h"

struct store;

enum {
    CURVES_GROUP_LEAST = 4, /* runs of each group, however many groups there are */
    CURVES_TRIES = 4,       /* runs looked at per series: some have none yet */
};

/* A series of one job; a run's step may have several jobs (stages), one after the other. */
struct series_part {
    uint64_t series, n, first, last;
};

/* What one run reports. */
struct line {
    uint64_t run;
    int64_t seed;
    uint32_t group;
    size_t part, parts;
};

struct curves {
    struct store *s;
    const struct curves_question *q;
    const struct cohort *cohort;
    size_t groups; /* of the cohort, up to CURVES_GROUPS_MAX */
    struct buf step;
    struct line *line;
    size_t len, cap;
    struct series_part *part;
    size_t parts, parts_cap;
    uint64_t points, first, last; /* of all chosen series */
    uint64_t width;               /* steps per bucket */
    size_t buckets;
};

/* So many series of a group are read at most. */
size_t curves_quota(const struct curves *c);
/* Find the series of C's groups that are read, and the buckets. */
int curves_choose(struct curves *c, struct err *err) MUST_CHECK;
/* Member "groups". */
int curves_draw(const struct curves *c, struct jsonw *w, struct err *err) MUST_CHECK;
void curves_release(struct curves *c);
/* A number of seven digits. */
void curves_put_number(struct jsonw *w, double v);

#endif
