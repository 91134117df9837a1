/* SPDX-License-Identifier: Apache-2.0 */
/* stages.h - curricula: the stages of training, with what they were given and what came of it. */
#ifndef STORE_BROWSE_STAGES_H
#define STORE_BROWSE_STAGES_H

#include "store/browse/grid.h"

struct store;

struct stages_question {
    uint64_t experiment;
    const char *by;             /* as grid_groups_make; NULL: the parameter that says most */
    const char *const *filters; /* NULL-terminated */
};
/* Members of /experiments/:id/curriculum, into an open object. */
int stages_put(struct store *s, struct grids *g, const struct stages_question *q, struct jsonw *w,
               struct err *err) MUST_CHECK;

/* Elements {step, label, from, to, budget, budget_from, budget_to} of "stages": where the stages of
 * STEP begin and end in RUNS, as their jobs were told. BUDGET is null where it differs. */
int stages_put_boundaries(struct store *s, const uint64_t *runs, size_t len, const char *step,
                          struct jsonw *w, struct err *err) MUST_CHECK;

/* Have the experiment's first runs jobs of kind stage? */
int stages_has(struct store *s, uint64_t experiment, bool *ret, struct err *err) MUST_CHECK;

#endif
