/* SPDX-License-Identifier: Apache-2.0 */
/* curricula.h - the curricula of a plan for people and programs. */
#ifndef EXPERIMENTS_CLI_CURRICULA_H
#define EXPERIMENTS_CLI_CURRICULA_H

#include "common/base/buf.h"
#include "common/base/json.h"
#include "experiments/plan/plan.h"

/* A chart of each: budget over updates with the bounds of stages, at most 80 columns wide, and the
 * plan's warnings; appended to OUT. Nothing without either. */
void curricula_print(const struct plan *p, struct buf *out);
struct json *curricula_json(const struct plan *p);

#endif
