/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - the progress of an experiment on standard error: bars that are redrawn on a terminal,
 * lines elsewhere. */
#ifndef EXPERIMENTS_CLI_VIEW_H
#define EXPERIMENTS_CLI_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/wire/drover.pb-c.h"

struct view;

/* QUIET: only notes. */
struct view *view_new(FILE *to, bool quiet);
void view_free(struct view *v); /* NULL is fine */
/* Show S; new failures are printed as they come. */
void view_update(struct view *v, const Drover__ExperimentStatus *s, uint64_t now_ms);
/* A line of its own above the bars. */
void view_note(struct view *v, const char *line);
/* Leave the bars as they are; later output goes below them. */
void view_end(struct view *v);

#endif
