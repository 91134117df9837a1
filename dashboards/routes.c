/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"

enum { CANDIDATES_MAX = 128, ADDRESS_MAX = 64 /* longer words are never near */ };

const struct api_route *const routes_all[] = { api_runs_routes, api_farm_routes, api_labels_routes,
                                               NULL };

/* Does PATTERN describe the parts of R? */
static bool matches(const char *pattern, const struct request *r)
{
    for (size_t i = 0; i < r->parts; i++) {
        size_t len = strcspn(pattern, "/");

        if (len == 0 || (pattern[0] != ':' &&
                         (strlen(r->part[i]) != len || memcmp(pattern, r->part[i], len) != 0)))
            return false;
        pattern += len + (pattern[len] == '/');
    }
    return !*pattern && r->parts > 0;
}

/* PATTERN as an address, with what R has in the place of what is any. */
static char *as_address(const char *pattern, const struct request *r)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; *pattern; i++) {
        size_t len = strcspn(pattern, "/");

        if (i > 0)
            buf_addc(&out, '/');
        if (pattern[0] == ':' && i < r->parts)
            buf_adds(&out, r->part[i]);
        else
            buf_add(&out, pattern, len);
        pattern += len + (pattern[len] == '/');
    }
    return buf_detach(&out);
}

static int not_found(const struct api_route *const *tables, const struct request *r,
                     struct err *err)
{
    const char *words[CANDIDATES_MAX + 1] = { NULL }, *near;
    struct buf asked CLEANUP(buf_release) = { 0 };
    size_t len = 0;
    int rc;

    for (size_t i = 0; i < r->parts; i++)
        buf_printf(&asked, "%s%s", i ? "/" : "", r->part[i]);
    for (; *tables; tables++) {
        for (const struct api_route *route = *tables; route->fn && len < CANDIDATES_MAX; route++)
            words[len++] = as_address(route->pattern, r);
    }
    near = nearest_find(buf_str(&asked), words);
    if (near)
        rc = err_set(err, ERR_NOT_FOUND, "no such address; did you mean /api/v1/%.*s?", ADDRESS_MAX,
                     near);
    else
        rc = err_set(err, ERR_NOT_FOUND,
                     "no such address under /api/v1; docs/api.md lists them, /api/v1/overview is a "
                     "beginning");
    for (size_t i = 0; i < len; i++)
        free((void *)(uintptr_t)words[i]);
    return rc;
}

int routes_find(const struct api_route *const *tables, const struct request *request, bool post,
                const struct api_route **ret, const char **ret_allow, struct err *err)
{
    const struct api_route *other = NULL;

    *ret = NULL;
    *ret_allow = NULL;
    for (const struct api_route *const *t = tables; *t; t++) {
        for (const struct api_route *route = *t; route->fn; route++) {
            if (!matches(route->pattern, request))
                continue;
            if (((route->flags & API_POST) != 0) == post) {
                *ret = route;
                return 0;
            }
            other = route;
        }
    }
    if (!other)
        return not_found(tables, request, err);
    *ret_allow = other->flags & API_POST ? "POST" : "GET, HEAD";
    return err_set(err, ERR_CONFLICT, "this address takes %s only", *ret_allow);
}
