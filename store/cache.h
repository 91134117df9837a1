/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - rows that the writer looks up with every result: attempts and examples. What never
 * changes in them is remembered here, bounded; a rollback forgets everything, for the rows may be
 * gone. */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/attempt.h"

struct cache;

void cache_free(struct cache *c); /* NULL is fine */
/* Something was undone. NULL is fine. Costs nothing. */
void cache_forget(struct cache *c);

/* attempt_load_live(), but only what never changes: id, job, worker, epoch, begin, end, family,
 * kind. */
int cache_attempt(struct store *s, uint64_t attempt, uint32_t epoch, const struct attempt_row **ret,
                  struct err *err) MUST_CHECK;

/* Row of the example, made when it is not there. */
int cache_example(struct store *s, const struct store_example *e, uint64_t *ret,
                  struct err *err) MUST_CHECK;
/* Is it remembered, so that cache_example() neither reads nor writes? */
bool cache_has_example(struct store *s, const struct store_example *e);

#endif
