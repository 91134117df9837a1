/* SPDX-License-Identifier: Apache-2.0 */
/* prefix.h - states of one example behind the layers of paths that were already evaluated, so that
 * an edit at layer k starts from the state in front of layer k (design: section 7).
 *
 * A state is named by the routing's first LEN values, of which the last is not 0: a skipped layer
 * changes no state, so "110" and "11" share one. Bounded in bytes: what comes when it is full is
 * not kept. Private to worker/jobs. */
#ifndef WORKER_JOBS_PREFIX_H
#define WORKER_JOBS_PREFIX_H

#include <stddef.h>
#include <stdint.h>

struct prefix;

struct prefix *prefix_new(uint64_t bytes_max);
void prefix_free(struct prefix *p);
void prefix_clear(struct prefix *p);

/* The state behind the layers ROUTING[0..len), or NULL. Needs len > 0 and routing[len - 1] != 0
 * (asserted). */
const float *prefix_find(const struct prefix *p, const uint8_t *routing, size_t len);
/* Memory for that state (FLOATS floats, to be filled by the caller); NULL when it is there already
 * or there is no room. */
float *prefix_add(struct prefix *p, const uint8_t *routing, size_t len, size_t floats);

/* Where an evaluation of ROUTING can start: the state in front of layer *RET_LAYER, or NULL and 0.
 * LAYERS bytes of REST get what is left to do: the routing, except that a layer repeated whose
 * first application is known is applied once. */
const float *prefix_start(const struct prefix *p, const uint8_t *routing, size_t layers,
                          size_t *ret_layer, uint8_t *rest);

#endif
