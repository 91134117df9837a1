/* SPDX-License-Identifier: Apache-2.0 */
/* functions.h - the statistics of common/stats as SQL functions, on every connection of drover.
 *
 * Aggregates; NULL is skipped, text and blobs are an error, the order of rows does not matter:
 *
 *   median(x)  quantile(x, p)            type 7; p the same for all rows of a group, 0..1
 *   variance(x)  sd(x)  stderr(x)        over n - 1; NULL below two values
 *   t_low(x)  t_high(x)                  95 % Student's t interval of the mean; NULL below three
 *   bootstrap_low(x)  bootstrap_high(x)  95 % BCa interval of the mean; NULL below two (but for 0
 *                                        and 1: stats_share); the same on every run
 * Scalar:
 *   blob_hex(x)                          lower-case hex, as drover prints keys and digests
 *
 * Memory: 8 bytes a value for median, quantile and bootstrap, at most FUNCTIONS_VALUES_MAX of them
 * a group; none for the others. The stable views use no function of these: other SQLite tools read
 * the file too. */
#ifndef STORE_FUNCTIONS_H
#define STORE_FUNCTIONS_H

#include "common/base/err.h"

struct sqlite3;

enum {
    FUNCTIONS_VALUES_MAX = 1 << 24, /* 128 MiB */
    /* Nothing can interrupt a function: 2,000 resamples of 200,000 values take some two seconds.
     * Values that are all 0 or 1 have no such limit. */
    FUNCTIONS_BOOTSTRAP_MAX = 200000,
};

int functions_register(struct sqlite3 *db, struct err *err) MUST_CHECK;

#endif
