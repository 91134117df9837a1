/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/depth.h"

#include "common/base/macros.h"
#include "common/base/rng.h"

double depth_share(const struct depth_conf *c, uint64_t step)
{
    double behind = (double)step - c->start * (double)c->steps, ramp = c->ramp * (double)c->steps;

    if (behind < 0)
        return 0;
    return behind < ramp ? behind / ramp : 1;
}

bool depth_active(const struct depth_conf *c, uint64_t step)
{
    return (c->skip > 0 || c->repeat > 0) && depth_share(c, step) > 0;
}

void depth_draw(uint8_t *ret, const struct depth_conf *c, uint64_t step, size_t sequences,
                size_t layers)
{
    struct rng r = rng_stream("depth", c->seed, step);
    double share = depth_share(c, step), skip = share * c->skip, repeat = share * c->repeat;

    for (size_t s = 0; s < sequences; s++) {
        size_t skipped = 0, run = 0; /* in a row; layers that were gone through */

        for (size_t l = 0; l < layers; l++) {
            /* Two draws per layer whatever they say, so that a sequence's never move another's. */
            bool skips = rng_double(&r) < skip, repeats = rng_double(&r) < repeat;

            skips = skips && skipped < DEPTH_SKIPS_MAX && (run > 0 || l + 1 < layers);
            skipped = skips ? skipped + 1 : 0;
            run += !skips;
            ret[s * layers + l] = skips ? 0 : repeats ? 2 : 1;
        }
    }
}
