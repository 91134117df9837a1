/* SPDX-License-Identifier: Apache-2.0 */
/* group_web.h - the parts of the group "web": a dashboard, what a browser measures of it, and what
 * it costs those who work. */
#ifndef TESTS_BENCH_GROUP_WEB_H
#define TESTS_BENCH_GROUP_WEB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/bench/bench.h"

/* A store that drover-make-store makes at PATH. POINTS 0: no metrics. Ends the bench on failure. */
struct web_store {
    const char *path;
    uint64_t runs, scores, points;
    bool ended; /* nothing is left to be done */
};
void web_make_store(const struct web_store *w);

struct web_board {
    pid_t pid;
    char url[64];
};
/* A dashboard on STORE, its log in DIR. Ends the bench when it does not start. */
void web_board_start(struct web_board *w, const char *store, const char *dir);
void web_board_stop(struct web_board *w);
double web_board_cpu(const struct web_board *w); /* seconds */
double web_board_mb(const struct web_board *w);  /* resident */

/* 20 dashboards hammer while 5,000 results come in each second. */
void web_bench_load(struct bench *b);

#endif
