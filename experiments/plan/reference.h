/* SPDX-License-Identifier: Apache-2.0 */
/* reference.h - the job kinds and their parameters as Markdown, from the table that checks recipes:
 * docs/recipes.md holds it, and `drover plan --parameters` prints it. */
#ifndef EXPERIMENTS_PLAN_REFERENCE_H
#define EXPERIMENTS_PLAN_REFERENCE_H

#include "common/base/buf.h"

/* The job kinds alone. */
void plan_reference(struct buf *out);
/* Everything a recipe may say: its own keys, steps, forms of the sweep, halving, job kinds. */
void recipe_reference_print(struct buf *out);

#endif
