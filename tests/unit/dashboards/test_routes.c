/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a path finds its handler, a wrong one its nearest, a wrong method what is allowed. Method:
 * a small table for all cases; then this program's own tables: every row can be reached, and no two
 * rows want the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"
#include "dashboards/routes.h"

static int nothing(struct api_call *c, struct err *err)
{
    (void)c;
    (void)err;
    return 0;
}

static const struct api_route first[] = { { "experiments", nothing, 0 },
                                          { "experiments/:id", nothing, 0 },
                                          { "query", nothing, API_POST },
                                          { 0 } };
static const struct api_route second[] = { { "experiments/:id/runs", nothing, 0 },
                                           { "runs/:id", nothing, 0 },
                                           { "both", nothing, 0 },
                                           { "both", nothing, API_POST },
                                           { 0 } };
static const struct api_route *const tables[] = { first, second, NULL };

static int find(const struct api_route *const *t, const char *path, bool post,
                const struct api_route **ret, const char **allow, struct err *err)
{
    static struct request r;

    assert_int_equal(request_parse(&r, path, strlen(path), err), 0);
    return routes_find(t, &r, post, ret, allow, err);
}

static void paths_find_their_rows(void **state)
{
    static const struct {
        const char *path;
        bool post;
        const struct api_route *want; /* NULL: ERR_NOT_FOUND, or ALLOW */
        const char *allow, *near;
    } cases[] = {
        { "/experiments", false, &first[0], NULL, NULL },
        { "/experiments/7", false, &first[1], NULL, NULL },
        { "/experiments/anything", false, &first[1], NULL, NULL },
        { "/experiments/7/runs", false, &second[0], NULL, NULL },
        { "/both", false, &second[2], NULL, NULL },
        { "/both", true, &second[3], NULL, NULL },
        { "/query", true, &first[2], NULL, NULL },
        { "/query", false, NULL, "POST", NULL },
        { "/runs/1", true, NULL, "GET, HEAD", NULL },
        { "/experiments/7/rums", false, NULL, NULL, "/api/v1/experiments/7/runs" },
        { "/experimets/7", false, NULL, NULL, "/api/v1/experiments/7" },
        { "/experiments/7/runs/8", false, NULL, NULL, "/api/v1/experiments/7/runs" },
        { "/completely/other/things/here", false, NULL, NULL, NULL },
        { "/", false, NULL, NULL, NULL },
        { "/experiment", false, NULL, NULL, "/api/v1/experiments" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct api_route *row;
        const char *allow;
        struct err err = { 0 };
        int rc = find(tables, cases[i].path, cases[i].post, &row, &allow, &err);

        assert_ptr_equal(row, cases[i].want);
        if (cases[i].want)
            assert_int_equal(rc, 0);
        else
            assert_int_equal(rc, cases[i].allow ? ERR_CONFLICT : ERR_NOT_FOUND);
        if (cases[i].allow)
            assert_string_equal(allow, cases[i].allow);
        if (cases[i].near && !strstr(err.text, cases[i].near))
            fail_msg("%s: %s", cases[i].path, err.text);
    }
}

static void every_row_of_this_program_is_reached(void **state)
{
    size_t rows = 0;

    (void)state;
    for (const struct api_route *const *t = routes_all; *t; t++) {
        for (const struct api_route *route = *t; route->fn; route++) {
            const struct api_route *row;
            const char *allow;
            char path[256];
            struct err err = { 0 };

            assert_non_null(route->pattern);
            (void)snprintf(path, sizeof path, "/%s", route->pattern);
            assert_int_equal(
                find(routes_all, path, (route->flags & API_POST) != 0, &row, &allow, &err), 0);
            if (row != route)
                fail_msg("%s is taken by %s", route->pattern, row->pattern);
            rows++;
        }
    }
    assert_true(rows > 0);
}

static void every_address_is_documented(void **state)
{
    CLEANUP(buf_release) struct buf doc = { 0 };
    struct err err = { 0 };

    (void)state;
    if (buf_read_file(&doc, "docs/api.md", 1 << 20, &err) < 0)
        fail_msg("%s", err.text);
    for (const struct api_route *const *t = routes_all; *t; t++) {
        for (const struct api_route *route = *t; route->fn; route++) {
            char title[256];

            (void)snprintf(title, sizeof title, "\n### %s /%s\n",
                           route->flags & API_POST ? "POST" : "GET", route->pattern);
            if (!strstr(doc.data, title))
                fail_msg("docs/api.md has no section %s", title + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_rows),
        cmocka_unit_test(every_row_of_this_program_is_reached),
        cmocka_unit_test(every_address_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
