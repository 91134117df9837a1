/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h - why two runs do not share a job. Internal to store/reports. */
#ifndef STORE_REPORTS_COMPARE_H
#define STORE_REPORTS_COMPARE_H

#include "store/reports/private.h"

/* Puts "steps": [{"step", "shared", "differ", "only_a", "only_b", "why": [{"what": "parameter",
 * "name", "a", "b", "jobs"}...], "first": {"a": job, "b": job}}...]. Jobs that are not the same are
 * paired by step, task and shard, in the order of their numbers. */
int compare_jobs(struct report_call *c, const uint64_t run[2], struct err *err) MUST_CHECK;

#endif
