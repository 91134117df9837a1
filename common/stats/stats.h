/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - the statistics of tables and of people's SQL (design: section 10; docs/statistics.md).
 *
 *   dist.h       distribution functions
 *   sample.h     mean, sd, se, median, quantile
 *   interval.h   95 % intervals of one level: BCa over examples, t over seeds
 *   two_level.h  seeds and examples
 *   paired.h     A against B on the same examples: interval, t, sign flips, Wilcoxon, McNemar
 *   compare.h    seeds against seeds: Welch, paired; Holm's correction
 *
 * Pure: no clock, no I/O, no global state; temporary memory of the data's size. Deterministic:
 * random numbers are Philox streams keyed by the data. */
#ifndef COMMON_STATS_STATS_H
#define COMMON_STATS_STATS_H

#include "common/stats/compare.h"
#include "common/stats/dist.h"
#include "common/stats/interval.h"
#include "common/stats/paired.h"
#include "common/stats/sample.h"
#include "common/stats/two_level.h"

#endif
