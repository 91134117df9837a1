/* SPDX-License-Identifier: Apache-2.0 */
/* reports.h - answers about the store as JSON documents: what the command line shows, whether it
 * reads the file itself or asks a coordinator (wire Ask: a thread with a reading connection of its
 * own).
 *
 * Every answer is one JSON object with "version": 1. Arguments are a JSON object; unknown names and
 * wrong types are ERR_INVALID with the nearest right spelling. A thread may make reports on its own
 * connection while others do on theirs. */
#ifndef STORE_REPORTS_REPORTS_H
#define STORE_REPORTS_REPORTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct store;

struct report_limits {
    uint32_t time_ms;   /* 0: 10,000 */
    uint64_t rows_max;  /* 0: 1,000,000; a coordinator's is smaller */
    uint64_t bytes_max; /* of the answer; 0: 1 GiB; a coordinator's fits a message */
};

/* Append the answer to WHAT ("runs", "show", "diff", "query", "table"...) to RET. ERR_INVALID:
 * unknown report or arguments; ERR_NOT_FOUND with the nearest names; ERR_LIMIT, ERR_TIMEOUT. Works
 * on both kinds of connection, "query" on a reading one only. */
int report_make(struct store *s, const char *what, const char *arguments,
                const struct report_limits *limits, struct buf *ret, struct err *err) MUST_CHECK;

/* NULL-terminated names of the reports, and one sentence on each. */
const char *const *report_names(void);
const char *report_help(const char *what);

#endif
