/* SPDX-License-Identifier: Apache-2.0 */
/* api_runs.h - handlers about the runs of one experiment; their table is api_runs_routes. */
#ifndef DASHBOARDS_API_RUNS_H
#define DASHBOARDS_API_RUNS_H

#include "dashboards/api.h"
#include "store/browse/grid.h"

int api_runs(struct api_call *c, struct err *err) MUST_CHECK;       /* api_runs.c */
int api_curves(struct api_call *c, struct err *err) MUST_CHECK;     /* api_curves.c */
int api_pareto(struct api_call *c, struct err *err) MUST_CHECK;     /* api_curves.c */
int api_compare(struct api_call *c, struct err *err) MUST_CHECK;    /* api_compare.c */
int api_curriculum(struct api_call *c, struct err *err) MUST_CHECK; /* api_compare.c */

/* The values of "filter", NULL-terminated. */
void api_filters(const struct request *r, const char *ret[REQUEST_ARGS_MAX + 1]);
/* The answer's object around what FN writes; nothing is left in OUT when it fails. */
struct jsonw api_open(struct api_call *c);
int api_close(struct api_call *c, struct jsonw *w, int rc);

#endif
