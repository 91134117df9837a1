/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no address makes the parser crash or read beside its bytes, and what it takes is what
 * request.h promises. Method: libFuzzer over the target of a request; the readers of values are
 * called with what was found. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/utf8.h"
#include "dashboards/request.h"
#include "dashboards/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct request *r)
{
    static const char *const names[] = { "limit", "sort", "filter", "after", NULL };
    struct err err = { 0 };
    int64_t n;
    uint64_t id;

    assert(r->parts <= REQUEST_PARTS_MAX && r->args <= REQUEST_ARGS_MAX);
    for (size_t i = 0; i < r->parts; i++) {
        const char *part = r->part[i];

        assert(part >= r->text && part + strlen(part) < r->text + sizeof r->text);
        assert(part[0] && utf8_valid(part) && !strchr(part, '/') && strcmp(part, "..") != 0);
        if (request_id(r, i, &id, &err) == 0)
            assert(id > 0);
    }
    for (size_t i = 0; i < r->args; i++) {
        const char *name = r->arg[i].name;
        size_t at = 0;

        assert(name[0] && utf8_valid(name) && utf8_valid(r->arg[i].value));
        assert(request_text(r, name) && request_next(r, name, &at));
        if (request_integer(r, name, 0, -5, 1000, &n, &err) == 0)
            assert(n >= -5 && n <= 1000);
    }
    (void)!request_only(r, names, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request request; /* behind it lie a sanitizer's own bytes */
    struct request *r = &request;
    const struct api_route *route;
    const char *allow;
    struct err err = { 0 };

    if (request_parse(r, (const char *)data, size, &err) == 0) {
        look(r);
        if (r->parts >= 2)
            request_skip(r, 2);
        (void)!routes_find(routes_all, r, size % 2, &route, &allow, &err);
    } else {
        assert(err.code == ERR_INVALID && err.text[0]);
    }
    return 0;
}
