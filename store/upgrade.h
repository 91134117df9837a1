/* SPDX-License-Identifier: Apache-2.0 */
/* upgrade.h - what a migration cannot do in SQL: rows of an older store put into newer tables. */
#ifndef STORE_UPGRADE_H
#define STORE_UPGRADE_H

#include <stdbool.h>

#include "common/base/err.h"

struct store;

/* Does the store, whose schema is the newest, still wait for upgrade_run? */
int upgrade_due(struct store *s, bool *ret, struct err *err) MUST_CHECK;
/* Metrics into chunks; tallies and vectors of what is complete. One transaction of its own: killed
 * in between, it starts anew when the store opens next. */
int upgrade_run(struct store *s, struct err *err) MUST_CHECK;

#endif
