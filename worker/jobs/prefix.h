/* SPDX-License-Identifier: Apache-2.0 */
/* prefix.h - states of one example behind the layers of paths that were already evaluated, so that
 * an edit at layer k starts from the state in front of layer k (design: section 7).
 *
 * A state is named by the routing's first LEN values, of which the last is not 0: a skipped layer
 * changes no state, so "110" and "11" share one; a last 1 is also the first half of a repeat.
 * States that a call works with are counted in users and stay. The others are bounded in bytes: the
 * least recently used go first. prefix_touch() makes the states of a path recent, the shallow ones
 * most: many paths pass through them. Private to worker/jobs. */
#ifndef WORKER_JOBS_PREFIX_H
#define WORKER_JOBS_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct prefix_state {
    float *floats; /* NULL: nobody has filled it */
    size_t users;
    size_t item, reader; /* the caller's; SIZE_MAX when the first user comes */
    UT_hash_handle hh;   /* private from here */
    struct prefix_state *older, *newer;
    uint64_t bytes;
    size_t floats_bytes;
    size_t len;
    uint8_t key[];
};

/* Memory of states that went, for the next ones: taking it from the system anew would cost a tenth
 * of a search. Shared by the prefixes of a slot; bounded. */
struct spares;
struct spares *spares_new(void);
void spares_free(struct spares *s);

struct prefix;

struct prefix *prefix_new(uint64_t bytes_max, struct spares *spares);
void prefix_free(struct prefix *p);
/* Forget all states; nobody may use one (asserted). */
void prefix_clear(struct prefix *p);

/* The state behind the layers KEY[0..len), or NULL. Needs len > 0 and key[len - 1] != 0
 * (asserted). */
struct prefix_state *prefix_find(const struct prefix *p, const uint8_t *key, size_t len);
/* The deepest filled state on the way of ROUTING, or NULL. *RET_LAYER, *RET_TIMES: it is the one
 * behind pass *RET_TIMES of that layer; 0, 0 without. */
struct prefix_state *prefix_start(const struct prefix *p, const uint8_t *routing, size_t layers,
                                  size_t *ret_layer, unsigned *ret_times);
/* The state of that name, made without floats when there is none; one user more. */
struct prefix_state *prefix_get(struct prefix *p, const uint8_t *key, size_t len);
void prefix_use(struct prefix_state *s);
/* Memory for FLOATS floats of S, which has none. Unused states go when there is no other; false:
 * not even then. */
bool prefix_fill(struct prefix *p, struct prefix_state *s, size_t floats);
/* One user less; without users a state that has no floats goes. */
void prefix_drop(struct prefix *p, struct prefix_state *s);
/* ROUTING was used: its states are the most recent ones, the shallower the more. */
void prefix_touch(struct prefix *p, const uint8_t *routing, size_t layers);
/* Drop unused states until the limit is kept or none is left. */
void prefix_trim(struct prefix *p);
uint64_t prefix_bytes(const struct prefix *p);

#endif
