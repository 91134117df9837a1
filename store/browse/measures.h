/* SPDX-License-Identifier: Apache-2.0 */
/* measures.h - what is known of a measure by its name: which way is better, and is it a share.
 * Names of training metrics may have a prefix or a suffix: validation_accuracy, accuracy.5. */
#ifndef STORE_BROWSE_MEASURES_H
#define STORE_BROWSE_MEASURES_H

#include <stdbool.h>

#include "common/stats/interval.h"

enum better { BETTER_UNKNOWN, BETTER_HIGHER, BETTER_LOWER };

enum better measure_better(const char *name);
bool measure_is_share(const char *name); /* 0..1 */
/* I of a measure NAME: intervals of shares end at 0 and 1. */
struct stats_interval measure_cut(const char *name, struct stats_interval i);

#endif
