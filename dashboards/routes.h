/* SPDX-License-Identifier: Apache-2.0 */
/* routes.h - which handler answers a path. */
#ifndef DASHBOARDS_ROUTES_H
#define DASHBOARDS_ROUTES_H

#include "dashboards/api.h"

/* The row of REQUEST (its parts are those behind /api/v1) in TABLES, which end with NULL. POST: it
 * is one.
 *
 *   ERR_NOT_FOUND  no such address; the nearest one is named
 *   ERR_CONFLICT   it is there for another method: *RET_ALLOW is what it takes ("GET, HEAD") */
int routes_find(const struct api_route *const *tables, const struct request *request, bool post,
                const struct api_route **ret, const char **ret_allow, struct err *err) MUST_CHECK;

/* All tables of this program. */
extern const struct api_route *const routes_all[];

#endif
