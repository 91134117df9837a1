/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/measures.h"

#include <string.h>

#include "common/base/macros.h"

static const struct {
    const char *part;
    enum better better;
    bool share;
} known[] = {
    { "accuracy", BETTER_HIGHER, true },
    { "oracle", BETTER_HIGHER, true },
    { "base", BETTER_HIGHER, true },
    { "truncated", BETTER_LOWER, true },
    { "clip_fraction", BETTER_UNKNOWN, true },
    { "hit_rate", BETTER_HIGHER, true },
    { "macro_f1", BETTER_HIGHER, true },
    { "f1_", BETTER_HIGHER, true },
    { "auc", BETTER_HIGHER, true },
    { "reward", BETTER_HIGHER, false },
    { "loss", BETTER_LOWER, false },
    { "brier", BETTER_LOWER, false },
    { "tokens", BETTER_LOWER, false },
    { "layers", BETTER_LOWER, false },
    { "seconds", BETTER_LOWER, false },
    { "flops", BETTER_LOWER, false },
    { "failed", BETTER_LOWER, false },
    { "diverged", BETTER_LOWER, false },
};

enum better measure_better(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (strstr(name, known[i].part))
            return known[i].better;
    return BETTER_UNKNOWN;
}

bool measure_is_share(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (strstr(name, known[i].part))
            return known[i].share;
    return false;
}

struct stats_interval measure_cut(const char *name, struct stats_interval i)
{
    if (measure_is_share(name)) {
        i.lo = MAX(i.lo, 0.0);
        i.hi = MIN(i.hi, 1.0);
    }
    return i;
}
