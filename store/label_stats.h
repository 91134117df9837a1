/* SPDX-License-Identifier: Apache-2.0 */
/* label_stats.h - what searches found, summed up: the numbers of `drover labels --stats` and of the
 * page's heat maps. Start it with { 0 }. */
#ifndef STORE_LABEL_STATS_H
#define STORE_LABEL_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/jsonw.h"
#include "store/read.h"

enum { LABEL_LAYERS_MAX = 256 }; /* deeper models: their first layers are counted one by one */

struct label_stats {
    uint64_t n, base_correct, labelled, improved, preserved;
    uint64_t shorter;       /* right before, and with fewer layers */
    uint64_t fixed_shorter; /* wrong before, right with fewer layers than the model */
    uint64_t simulations, evaluations, hinted, layer_rows, layer_rows_whole, wall_us;
    uint64_t layers, label_layers; /* sums over the labelled ones */
    uint32_t depth;                /* layers of the deepest model */
    uint64_t *length;              /* labels by layer applications, [lengths] */
    size_t lengths;
    uint64_t (*at)[3]; /* [depth]: labels that skip, execute, repeat the layer */
};
void label_stats_release(struct label_stats *s); /* empty again */

/* "unsolved", "improved", "shorter" (right before, right with fewer layers), "preserved". */
const char *label_verdict(const struct store_label_row *r);

/* Numbers of R only: its texts but routing may be NULL. */
void label_stats_add(struct label_stats *s, const struct store_label_row *r);
void label_stats_merge(struct label_stats *to, const struct label_stats *from);
size_t label_stats_bytes(const struct label_stats *s);

/* As members of the open object: counts, shares (null: of nothing), "lengths": [[layer
 * applications, labels]...], "per_layer": [[skip, execute, repeat]...]. */
void label_stats_put(const struct label_stats *s, struct jsonw *w);

#endif
