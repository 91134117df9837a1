/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: files of the page are served under their names with the right type, for ever only where the
 * name changes with the content; without files there is a page that says what to do. Method: pages
 * made of small files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/macros.h"
#include "dashboards/page.h"

#define FILE_OF(NAME, TEXT)                                                                        \
    {                                                                                              \
        NAME, (const unsigned char *)(TEXT), sizeof(TEXT) - 1                                      \
    }

static const struct page_file none[] = { { NULL, NULL, 0 } };

static void files_have_types_and_ages(void **state)
{
    static const struct page_file files[] = {
        FILE_OF("/index.html", "<p>"),
        FILE_OF("/assets/app-1a2B3c4D.js", "1"),
        FILE_OF("/assets/app-1a2B3c4.js", "short hash"),
        FILE_OF("/assets/app-1a2b3c4_.css", "no hash"),
        FILE_OF("/app-1a2b3c4d.js", "not below assets"),
        FILE_OF("/icon.svg", "<svg/>"),
        FILE_OF("/strange.xyz", "?"),
        { NULL, NULL, 0 },
    };
    static const struct {
        const char *path, *type;
        bool immutable;
    } cases[] = {
        { "/", "text/html; charset=utf-8", false },
        { "/index.html", "text/html; charset=utf-8", false },
        { "/assets/app-1a2B3c4D.js", "text/javascript; charset=utf-8", true },
        { "/assets/app-1a2B3c4.js", "text/javascript; charset=utf-8", false },
        { "/assets/app-1a2b3c4_.css", "text/css; charset=utf-8", false },
        { "/app-1a2b3c4d.js", "text/javascript; charset=utf-8", false },
        { "/icon.svg", "image/svg+xml", false },
        { "/strange.xyz", "application/octet-stream", false },
    };
    struct page *p = page_new(files);

    (void)state;
    assert_true(page_built(p));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct page_item *item = page_find(p, cases[i].path);

        assert_non_null(item);
        assert_string_equal(item->type, cases[i].type);
        assert_int_equal(item->immutable, cases[i].immutable);
        assert_true(item->etag[0] == 'W');
    }
    assert_null(page_find(p, "/assets/"));
    assert_null(page_find(p, "/index"));
    assert_null(page_find(p, ""));
    page_free(p);
}

static void without_files_a_page_says_what_to_do(void **state)
{
    struct page *p = page_new(none);
    const struct page_item *item = page_find(p, "/");

    (void)state;
    assert_false(page_built(p));
    assert_non_null(item);
    assert_non_null(memmem(item->bytes, item->len, "npm ci", 6));
    assert_null(page_find(p, "/assets/app.js"));
    page_free(p);
}

static void another_content_is_another_version(void **state)
{
    static const struct page_file one[] = { FILE_OF("/index.html", "1"), { NULL, NULL, 0 } };
    static const struct page_file two[] = { FILE_OF("/index.html", "2"), { NULL, NULL, 0 } };
    struct page *a = page_new(one), *b = page_new(two), *c = page_new(one);

    (void)state;
    assert_string_not_equal(page_version(a), page_version(b));
    assert_string_equal(page_version(a), page_version(c));
    assert_string_not_equal(page_find(a, "/")->etag, page_find(b, "/")->etag);
    assert_int_equal(strlen(page_version(a)), 16);
    page_free(a);
    page_free(b);
    page_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_have_types_and_ages),
        cmocka_unit_test(without_files_a_page_says_what_to_do),
        cmocka_unit_test(another_content_is_another_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
