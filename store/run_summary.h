/* SPDX-License-Identifier: Apache-2.0 */
/* run_summary.h - one wide row per run (table run_summary), kept by triggers in the transactions
 * that change what it sums up: whoever changes job.state, run_job, run_family, attempt or tally by
 * plain SQL keeps it right. Work is in proportion to the runs that claim what changed.
 *
 * The row's columns are those of struct store_run_summary; `drover runs` selects and sorts by
 * them. Joined with run (seed, superseded, revision) and param. */
#ifndef STORE_RUN_SUMMARY_H
#define STORE_RUN_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct store;

struct store_run_summary {
    uint64_t run, seed, revision;
    bool superseded;
    uint64_t jobs, waiting, ready, done, failed, skipped, cancelled, diverged; /* claimed */
    double seconds; /* wall time of the attempts that gave the results */
    /* Over the steps whose examples are complete; NaN when there are none. */
    double accuracy, base, oracle; /* evaluate; search: the default path, the best path */
    double layers;                 /* evaluate: mean layer applications per token row */
    uint64_t n, tokens;            /* evaluate: examples, token rows */
    int64_t first_ms, last_ms;     /* start and end of its jobs' ended attempts; 0: none */
};
typedef int (*store_run_summary_fn)(const struct store_run_summary *r, void *arg);
/* Runs of EXPERIMENT, by their number. */
int store_list_run_summaries(struct store *s, uint64_t experiment, bool superseded_too,
                             store_run_summary_fn fn, void *arg, struct err *err) MUST_CHECK;

#endif
